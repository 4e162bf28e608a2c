//! Options that an operator writes by number in a network: text, or bytes as `0x…`.
//!
//! Those that the server itself decides (message type, server identifier, lease, relay echo, overload) cannot be written so.

use super::code;

/// Why such an option is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnOption {
    /// The server decides it.
    #[error("option {0} is the server's own and cannot be set by number")]
    Reserved(u8),
    /// `0x` with something else than pairs of hexadecimal digits.
    #[error("option {code}: {text:?} is not hexadecimal; write pairs of digits after 0x")]
    Hex {
        /// The option.
        code: u8,
        /// What was written.
        text: String,
    },
    /// Nothing, or more than the packet can carry.
    #[error("option {0} must have 1 to 1024 bytes")]
    Length(u8),
}

/// The bytes of option `code` as written: `0x0a4d0001`, or the text itself.
pub fn freeform(code: u8, text: &str) -> Result<Vec<u8>, NotAnOption> {
    const RESERVED: [u8; 12] = [
        code::PAD,
        code::REQUESTED,
        code::LEASE,
        code::OVERLOAD,
        code::KIND,
        code::SERVER_ID,
        code::WANTED,
        code::MAX_SIZE,
        code::CLIENT_ID,
        code::RELAY,
        code::MACHINE,
        code::END,
    ];
    if RESERVED.contains(&code) {
        return Err(NotAnOption::Reserved(code));
    }
    let bytes = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => hex(digits).ok_or_else(|| NotAnOption::Hex { code, text: text.chars().take(80).collect() })?,
        None => text.as_bytes().to_vec(),
    };
    if (1..=1024).contains(&bytes.len()) { Ok(bytes) } else { Err(NotAnOption::Length(code)) }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|b| !matches!(b, b':' | b' ' | b'_')).collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: u8, text: &str, want: Option<&[u8]>) {
        assert_eq!(freeform(code, text).ok().as_deref(), want, "{code} {text:?}");
    }

    #[test]
    fn an_operators_option_is_text_or_hexadecimal() {
        check(209, "pxelinux.cfg", Some(b"pxelinux.cfg"));
        check(121, "0x180a4d000a4d0001", Some(&[0x18, 10, 77, 0, 10, 77, 0, 1]));
        check(121, "0x0a:4D", Some(&[10, 77]));
        check(121, "0xabc", None);
        check(121, "0xzz", None);
        check(121, "0xé", None);
        check(15, "", None);
    }

    #[test]
    fn the_servers_own_options_cannot_be_written() {
        for code in [0, 51, 52, 53, 54, 82, 97, 255] {
            check(code, "0x01", None);
        }
    }
}
