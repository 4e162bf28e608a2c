//! Netascii (RFC 1350 section 1, RFC 764): the form in which old clients ask for text.
//!
//! A line feed becomes CR LF and a lone carriage return CR NUL. One way only: nothing is ever received here.

/// The bytes as netascii; at most twice as many.
pub fn to_netascii(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    for byte in bytes {
        match byte {
            b'\n' => text.extend_from_slice(b"\r\n"),
            b'\r' => text.extend_from_slice(b"\r\0"),
            other => text.push(*other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_spelled_as_the_rfc_wants() {
        assert_eq!(to_netascii(b"a\nb\rc\r\n"), b"a\r\nb\r\0c\r\0\r\n");
        assert_eq!(to_netascii(b""), b"");
    }
}
