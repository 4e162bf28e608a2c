//! TFTP packets (RFC 1350) with option negotiation (RFC 2347), blksize (2348), timeout and tsize (2349) and windowsize (7440).
//!
//! ```text
//!   RRQ 1 | WRQ 2   opcode  name \0  mode \0  (option \0 value \0)*
//!   DATA 3          opcode  block  bytes          fewer bytes than blksize: the last one
//!   ACK 4           opcode  block
//!   ERROR 5         opcode  code  text \0
//!   OACK 6          opcode  (option \0 value \0)*
//! ```
//! Reads and writes packets; it decides nothing: no clamping, no time-outs, no answer to a name. Whatever arrives becomes a packet
//! or a named reason, never a panic.

mod ascii;
mod file_name;

pub use ascii::to_netascii;
pub use file_name::{FileName, NotAFileName};

/// How the bytes are sent (RFC 1350 section 1). `mail` is obsolete and only recognised to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bytes as they are.
    Octet,
    /// Lines end in CR LF, a lone CR is CR NUL (RFC 764).
    Netascii,
    /// To a user instead of a file; long dead.
    Mail,
}

impl Mode {
    const WORDS: [(Self, &'static str); 3] = [(Self::Octet, "octet"), (Self::Netascii, "netascii"), (Self::Mail, "mail")];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(mode, _)| *mode == self).map_or("octet", |(_, word)| word)
    }

    /// Any mixture of upper and lower case, as the RFC allows.
    fn parse(word: &[u8]) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| word.eq_ignore_ascii_case(known.as_bytes())).map(|(mode, _)| *mode)
    }
}

/// The known options of a request or an acknowledgement; unknown ones, unreadable numbers and repetitions are left out (RFC 2347).
/// Values are as they came: whether they make sense is decided by `rules::transfer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Bytes in a DATA packet (RFC 2348: 8 to 65464).
    pub blksize: Option<u64>,
    /// Seconds until something is sent again (RFC 2349: 1 to 255).
    pub timeout: Option<u64>,
    /// Bytes in the file; 0 in a read request (RFC 2349).
    pub tsize: Option<u64>,
    /// DATA packets between two acknowledgements (RFC 7440: 1 to 65535).
    pub windowsize: Option<u64>,
}

impl Options {
    /// Whether none of them is there.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<u64>> {
        match name.to_ascii_lowercase().as_slice() {
            b"blksize" => Some(&mut self.blksize),
            b"timeout" => Some(&mut self.timeout),
            b"tsize" => Some(&mut self.tsize),
            b"windowsize" => Some(&mut self.windowsize),
            _ => None,
        }
    }

    fn parse(mut rest: &[u8]) -> Self {
        let mut options = Self::default();
        while let Some((name, value)) = take_text(&mut rest).zip(take_text(&mut rest)) {
            if let Some(slot @ None) = options.slot(name) {
                *slot = decimal(value);
            }
        }
        options
    }

    fn write(&self, packet: &mut Vec<u8>) {
        let named = [("blksize", self.blksize), ("timeout", self.timeout), ("tsize", self.tsize), ("windowsize", self.windowsize)];
        for (name, value) in named {
            if let Some(value) = value {
                packet.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
            }
        }
    }
}

/// What a read or write request asks for. The name is as it came: [`FileName::parse`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name's bytes, without the NUL.
    pub name: Vec<u8>,
    /// The mode.
    pub mode: Mode,
    /// The known options.
    pub options: Options,
}

/// Error codes (RFC 1350 appendix, 8 from RFC 2347).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ErrorCode {
    /// See the text.
    Undefined = 0,
    /// File not found.
    NotFound = 1,
    /// Access violation.
    Access = 2,
    /// Disk full or allocation exceeded.
    Full = 3,
    /// Illegal TFTP operation.
    Illegal = 4,
    /// Unknown transfer ID.
    UnknownTid = 5,
    /// File already exists.
    Exists = 6,
    /// No such user.
    NoUser = 7,
    /// The options are not to the liking of the one who got them.
    Options = 8,
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// RRQ.
    Read(Request),
    /// WRQ.
    Write(Request),
    /// DATA.
    Data {
        /// Its number, counted from 1 and wrapping.
        block: u16,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// ACK.
    Ack {
        /// The last block that arrived in order; 0 for an OACK.
        block: u16,
    },
    /// ERROR.
    Error {
        /// Its code as a number, since peers invent some.
        code: u16,
        /// Its text without control characters, at most 120 of them.
        text: String,
    },
    /// OACK.
    OptionAck(Options),
}

/// Why bytes are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than its opcode demands.
    #[error("the packet ends too early")]
    Short,
    /// No such opcode.
    #[error("there is no opcode {0} (RFC 1350 section 5)")]
    Opcode(u16),
    /// The name or the mode has no NUL behind it.
    #[error("the request's name or mode does not end")]
    Unterminated,
    /// A mode that no RFC knows.
    #[error("the mode is none of octet, netascii and mail")]
    Mode,
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Bytes behind an ACK are ignored, an option without its value too.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (opcode, rest) = take_u16(bytes)?;
        match opcode {
            1 => Ok(Self::Read(request(rest)?)),
            2 => Ok(Self::Write(request(rest)?)),
            3 => take_u16(rest).map(|(block, bytes)| Self::Data { block, bytes }),
            4 => take_u16(rest).map(|(block, _)| Self::Ack { block }),
            5 => take_u16(rest).map(|(code, text)| Self::Error { code, text: readable(text) }),
            6 => Ok(Self::OptionAck(Options::parse(rest))),
            other => Err(Malformed::Opcode(other)),
        }
    }

    /// The datagram.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Read(request) => request_bytes(1, request),
            Self::Write(request) => request_bytes(2, request),
            Self::Data { block, bytes } => [&data_header(*block), *bytes].concat(),
            Self::Ack { block } => [[0, 4], block.to_be_bytes()].concat(),
            Self::Error { code, text } => error_bytes(*code, text),
            Self::OptionAck(options) => {
                let mut packet = vec![0, 6];
                options.write(&mut packet);
                packet
            }
        }
    }
}

/// The four bytes before the bytes of a DATA packet, apart so that a file's bytes need not be copied.
pub fn data_header(block: u16) -> [u8; 4] {
    let [high, low] = block.to_be_bytes();
    [0, 3, high, low]
}

/// An ERROR packet of ours.
pub fn error(code: ErrorCode, text: &str) -> Vec<u8> {
    error_bytes(code as u16, text)
}

fn error_bytes(code: u16, text: &str) -> Vec<u8> {
    let mut packet = vec![0, 5];
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend(text.bytes().filter(|byte| *byte != 0).take(400));
    packet.push(0);
    packet
}

fn request_bytes(opcode: u8, request: &Request) -> Vec<u8> {
    let mut packet = vec![0, opcode];
    packet.extend_from_slice(&request.name);
    packet.push(0);
    packet.extend_from_slice(request.mode.word().as_bytes());
    packet.push(0);
    request.options.write(&mut packet);
    packet
}

fn request(mut rest: &[u8]) -> Result<Request, Malformed> {
    let name = take_text(&mut rest).ok_or(Malformed::Unterminated)?;
    let mode = take_text(&mut rest).ok_or(Malformed::Unterminated)?;
    Ok(Request { name: name.to_vec(), mode: Mode::parse(mode).ok_or(Malformed::Mode)?, options: Options::parse(rest) })
}

fn take_u16(bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Malformed::Short)?;
    Ok((u16::from_be_bytes(*head), rest))
}

/// The bytes before the next NUL; `None` if there is none.
fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == 0)?;
    let text = &rest[..end];
    *rest = &rest[end + 1..];
    Some(text)
}

/// Digits only: no sign, no blanks (RFC 2347 calls it an ASCII number).
fn decimal(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A peer's words, fit for a log: up to the NUL, printable, short.
fn readable(text: &[u8]) -> String {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    String::from_utf8_lossy(&text[..end]).chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(name: &str, mode: Mode, options: Options) -> Packet<'static> {
        Packet::Read(Request { name: name.as_bytes().to_vec(), mode, options })
    }

    #[track_caller]
    fn check(bytes: &[u8], want: Result<Packet<'_>, Malformed>) {
        assert_eq!(Packet::parse(bytes), want, "{}", bytes.escape_ascii());
    }

    #[test]
    fn the_requests_of_real_firmware_are_read() {
        let ovmf = Options { tsize: Some(0), blksize: Some(1468), windowsize: Some(4), ..Options::default() };
        check(b"\0\x01snponly.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0", Ok(read("snponly.efi", Mode::Octet, ovmf)));
        let undi = Options { blksize: Some(1432), tsize: Some(0), ..Options::default() };
        check(b"\0\x01undionly.kpxe\0octet\0blksize\x001432\0tsize\x000\0", Ok(read("undionly.kpxe", Mode::Octet, undi)));
        check(b"\0\x01a\0NetASCII\0", Ok(read("a", Mode::Netascii, Options::default())));
        check(b"\0\x05\0\x08User aborted the transfer\0", Ok(Packet::Error { code: 8, text: "User aborted the transfer".into() }));
    }

    #[test]
    fn what_is_no_packet_is_refused_by_name() {
        check(b"", Err(Malformed::Short));
        check(b"\0", Err(Malformed::Short));
        check(b"\0\x04\0", Err(Malformed::Short));
        check(b"\0\x07ab", Err(Malformed::Opcode(7)));
        check(b"\0\x01name", Err(Malformed::Unterminated));
        check(b"\0\x01name\0octet", Err(Malformed::Unterminated));
        check(b"\0\x01name\0binary\0", Err(Malformed::Mode));
    }

    #[test]
    fn unknown_repeated_and_unreadable_options_are_left_out() {
        let some = Options { blksize: Some(1024), ..Options::default() };
        check(b"\0\x01a\0octet\0multicast\0\0BLKSIZE\x001024\0blksize\x009\0", Ok(read("a", Mode::Octet, some)));
        check(b"\0\x01a\0octet\0blksize\0+512\0tsize\0 0\0timeout\0\x001\0windowsize", Ok(read("a", Mode::Octet, Options::default())));
        check(b"\0\x01a\0octet\0tsize\099999999999999999999999\0", Ok(read("a", Mode::Octet, Options::default())));
    }

    #[test]
    fn an_error_text_is_made_fit_for_a_log() {
        check(b"\0\x05\0\0a\x1b[31mb\n\xff", Ok(Packet::Error { code: 0, text: "a[31mb\u{fffd}".into() }));
        assert_eq!(error(ErrorCode::NotFound, "no\0where"), b"\0\x05\0\x01nowhere\0");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_packet_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let _ = packet.to_bytes();
            }
        }

        #[test]
        fn bytes_behind_an_opcode_are_a_packet_or_a_reason(opcode in 1..7u8, bytes in "[a-z0-9\0]{0,80}") {
            let _ = Packet::parse(&[&[0, opcode], bytes.as_bytes()].concat());
        }

        #[test]
        fn a_written_request_reads_as_itself(name in "[ -~]{0,60}", blksize: Option<u64>, tsize: Option<u64>, timeout: Option<u64>, windowsize: Option<u64>) {
            let packet = read(&name, Mode::Octet, Options { blksize, timeout, tsize, windowsize });
            let bytes = packet.to_bytes();
            prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
        }

        #[test]
        fn written_data_and_acks_read_as_themselves(block: u16, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for packet in [Packet::Data { block, bytes: &bytes }, Packet::Ack { block }] {
                let written = packet.to_bytes();
                prop_assert_eq!(Packet::parse(&written), Ok(packet));
            }
        }
    }
}
