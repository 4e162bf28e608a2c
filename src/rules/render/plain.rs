//! What goes into iPXE scripts beside templates: the script of last resort, and a kernel's arguments.
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

/// A valid iPXE script that asks `url` once more, with the serial number that only the machine knows; without it if it has none.
pub fn serial_script(url: &str) -> String {
    let url: String = url.chars().filter(char::is_ascii_graphic).collect();
    format!(
        "#!ipxe\necho Bootwright names new machines of this network by their serial numbers: asking again with it.\n:again\n\
         chain --autofree --replace {url}&serial=${{serial:uristring}} ||\nchain --autofree --replace {url}&serial= ||\nsleep 5 ||\ngoto again\n"
    )
}

/// A kernel's arguments as they were rendered, unless a value brought something that iPXE would carry out: a `||` or `&&` begins another
/// command, a `${` that the author did not write is expanded on the machine. iPXE has no quoting, so there is nothing to make of it.
pub fn kernel_args(written: &str, rendered: &str) -> Result<(), String> {
    if let Some(word) = rendered.split_whitespace().find(|word| matches!(*word, "||" | "&&")) {
        return Err(format!("a value brings the word {word}, after which iPXE would read another command"));
    }
    if rendered.matches("${").count() > written.matches("${").count() {
        return Err("a value brings a ${, which iPXE would expand".to_owned());
    }
    Ok(())
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

    #[test]
    fn a_serial_number_is_asked_for_by_a_valid_script() {
        let script = serial_script("http://192.0.2.1/boot.ipxe?mac=a\n&s=b");
        assert_eq!(lint::document("ipxe/fault.ipxe", &script), []);
        assert!(script.contains("/boot.ipxe?mac=a&s=b&serial=${serial:uristring} ||\n"), "{script}");
    }

    #[test]
    fn only_what_the_author_wrote_is_expanded_and_nothing_ends_the_command() {
        let args = |written: &str, rendered: &str| kernel_args(written, rendered).is_ok();
        assert!(args("a=${netX/mac} b={{ x }}", "a=${netX/mac} b=1|2||3"));
        assert!(!args("b={{ x }}", "b=${shell}"));
        assert!(!args("b={{ x }}", "b=1 || shell"));
        assert!(!args("b={{ x }}", "b=1\n&&\nshell"));
    }
}
