//! The script of last resort: what an iPXE client gets when not even the fault template renders.
//!
//! A broken template must never end in half a script, an HTTP error that drops the client to its next boot entry, or silence. It uses
//! no template and cannot fail.

use super::filters::ipxe;

/// A valid iPXE script that prints the reason (one `echo` per line), waits and chains `retry` for ever. It never ends by itself.
pub fn fault_script(reason: &str, retry: &str, secs: u32) -> String {
    let reason: String = reason.lines().map(|line| format!("echo Reason: {}\n", ipxe(line))).collect();
    // A URL with a blank or a control character would be two words; the rest of it is the server's own making.
    let retry: String = retry.chars().filter(char::is_ascii_graphic).collect();
    format!(
        "#!ipxe\necho\necho Bootwright cannot make this machine's boot script. Nothing was changed on this machine.\n{reason}:again\n\
         echo Asking the server again in {secs} s.\nsleep {secs} ||\nchain --autofree --replace {retry} ||\ngoto again\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::lint;

    #[test]
    fn the_last_resort_is_a_script_that_stays() {
        let script = fault_script("ipxe/fault.ipxe:1:2: `x` has no value\n${reboot} ; reboot", "http://192.0.2.1/boot.ipxe?mac=a&s=b", 30);
        assert_eq!(lint::document("ipxe/fault.ipxe", &script), []);
        assert!(script.contains("echo Reason: $ {reboot} ';' reboot\n"), "{script}");
    }
}
