//! An answer and its bytes: BOOTP header, options in a fixed order, padding (RFC 2131 3, 3396, 3046 2.2).
//!
//! ```text
//! header 236 │ magic │ 53 54 │ what the client cannot do without │ the rest by number │ 82, as it came │ 255 │ 0 … to 300
//! ```
//! Never overloads `file` or `sname`. If the client's limit is too small, options of the rest are left out and named; the caller
//! says so in the log.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{HEADER_BYTES, MAGIC, code};
use crate::model::Mac;

/// What the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyKind {
    /// DHCPOFFER.
    Offer,
    /// DHCPACK.
    Ack,
    /// DHCPNAK.
    Nak,
}

impl ReplyKind {
    /// The name in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Offer => "OFFER",
            Self::Ack => "ACK",
            Self::Nak => "NAK",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Offer => 2,
            Self::Ack => 5,
            Self::Nak => 6,
        }
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Option 53.
    pub kind: ReplyKind,
    /// The request's transaction.
    pub xid: u32,
    /// The request's seconds; harmless, and what other servers echo.
    pub secs: u16,
    /// The request's broadcast flag (always set in a relayed NAK, RFC 2131 4.3.2).
    pub broadcast: bool,
    /// The client's present address.
    pub ciaddr: Ipv4Addr,
    /// The address it gets.
    pub yiaddr: Ipv4Addr,
    /// Where the next file is.
    pub siaddr: Ipv4Addr,
    /// The relay.
    pub giaddr: Ipv4Addr,
    /// The client.
    pub mac: Mac,
    /// Option 54.
    pub server_id: Ipv4Addr,
    /// `sname`, at most 63 bytes; left empty if longer.
    pub sname: String,
    /// `file`, at most 127 bytes; left empty if longer (option 67 carries it whole).
    pub file: String,
    /// Every other option but 53, 54 and 82.
    pub options: BTreeMap<u8, Vec<u8>>,
    /// Option 82, echoed.
    pub relay: Option<Vec<u8>>,
    /// The client's option 57: the size of the IP datagram it takes.
    pub max_bytes: u16,
}

/// A packet, and the options that did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The UDP payload.
    pub bytes: Vec<u8>,
    /// Options left out for want of room.
    pub left_out: Vec<u8>,
}

/// RFC 2131 does not ask for it, but some ROMs and relays drop anything shorter than a BOOTP packet.
const MIN_BYTES: usize = 300;
/// IP and UDP headers, which option 57 is commonly taken to include.
const LOWER_HEADERS: usize = 28;
/// No answer is larger than an Ethernet frame carries in one piece.
const MAX_REPLY: usize = 1500 - LOWER_HEADERS;
/// What a client cannot boot without, first.
const FIRST: [u8; 14] = [
    code::LEASE,
    code::MASK,
    code::ROUTER,
    code::DNS,
    code::CLASS,
    code::BOOT_FILE,
    code::TFTP_SERVER,
    code::VENDOR,
    code::IPXE,
    code::MACHINE,
    code::CLIENT_ID,
    code::RENEW,
    code::REBIND,
    code::MESSAGE,
];

impl Reply {
    /// Spells the answer: 300 to 1472 bytes, within the client's limit.
    pub fn encode(&self) -> Encoded {
        let limit = usize::from(self.max_bytes.max(576)).saturating_sub(LOWER_HEADERS).min(MAX_REPLY);
        let tail = 1 + self.relay.as_ref().map_or(0, |raw| spelled_len(raw.len()));
        let mut bytes = self.header();
        put(&mut bytes, code::KIND, &[self.kind.number()]);
        put(&mut bytes, code::SERVER_ID, &self.server_id.octets());
        let mut left_out = Vec::new();
        let rest = self.options.keys().filter(|code| !FIRST.contains(code));
        for code in FIRST.iter().chain(rest) {
            let Some(value) = self.options.get(code) else { continue };
            if bytes.len() + spelled_len(value.len()) + tail <= limit {
                put(&mut bytes, *code, value);
            } else {
                left_out.push(*code);
            }
        }
        // RFC 3046 2.2: the relay's option last of all, unchanged.
        if let Some(raw) = &self.relay {
            put(&mut bytes, code::RELAY, raw);
        }
        bytes.push(code::END);
        bytes.resize(bytes.len().max(MIN_BYTES), 0);
        Encoded { bytes, left_out }
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(576);
        bytes.extend([2, 1, 6, 0]);
        bytes.extend(self.xid.to_be_bytes());
        bytes.extend(self.secs.to_be_bytes());
        bytes.extend(if self.broadcast { [0x80, 0] } else { [0, 0] });
        for address in [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr] {
            bytes.extend(address.octets());
        }
        bytes.extend(self.mac.octets());
        bytes.resize(44, 0);
        put_text(&mut bytes, &self.sname, 108);
        put_text(&mut bytes, &self.file, 236);
        bytes.extend(MAGIC);
        debug_assert_eq!(bytes.len(), HEADER_BYTES);
        bytes
    }
}

/// Fills up to `end`, always with a final NUL; a text that does not fit is left out rather than cut.
fn put_text(bytes: &mut Vec<u8>, text: &str, end: usize) {
    if bytes.len() + text.len() < end {
        bytes.extend(text.as_bytes());
    }
    bytes.resize(end, 0);
}

/// One option; split into adjacent pieces of 255 where longer (RFC 3396). An empty one is written with length 0.
fn put(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    let mut rest = value;
    loop {
        let (piece, more) = rest.split_at(rest.len().min(255));
        bytes.extend([code, piece.len() as u8]);
        bytes.extend(piece);
        if more.is_empty() {
            return;
        }
        rest = more;
    }
}

fn spelled_len(len: usize) -> usize {
    len + 2 * len.div_ceil(255).max(1)
}

/// Option 43 for PXE clients, and what is inside 175: sub-options by number, then the end mark if wanted.
pub fn vendor(pairs: &[(u8, &[u8])], end: Option<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, value) in pairs {
        put(&mut bytes, *code, value);
    }
    bytes.extend(end);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Reply {
        Reply {
            kind: ReplyKind::Offer,
            xid: 7,
            secs: 4,
            broadcast: true,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: [10, 77, 0, 9].into(),
            siaddr: [10, 77, 0, 1].into(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            mac: "52:54:00:00:00:09".parse().unwrap(),
            server_id: [10, 77, 0, 1].into(),
            sname: "10.77.0.1".into(),
            file: "undionly.kpxe".into(),
            options: BTreeMap::new(),
            relay: None,
            max_bytes: 576,
        }
    }

    #[test]
    fn a_short_answer_is_padded_to_300_bytes() {
        assert_eq!(reply().encode().bytes.len(), 300);
    }

    #[test]
    fn a_long_option_is_split_and_reads_back_whole() {
        let url = vec![b'u'; 600];
        let mut reply = reply();
        reply.max_bytes = 1472;
        reply.options.insert(code::BOOT_FILE, url.clone());
        let bytes = reply.encode().bytes;
        let message = dhcproto::v4::borrowed::Message::new(&bytes).unwrap();
        let whole = message.opts().find(|o| u8::from(o.code()) == 67).unwrap();
        assert_eq!(whole.data(), url);
    }

    #[test]
    fn the_clients_limit_holds_and_what_is_left_out_is_named() {
        let mut reply = reply();
        reply.options.insert(code::BOOT_FILE, vec![b'u'; 100]);
        reply.options.insert(209, vec![b'x'; 200]);
        reply.options.insert(210, vec![b'y'; 10]);
        reply.relay = Some(vec![1, 2, 0xab, 0xcd]);
        let encoded = reply.encode();
        assert!(encoded.bytes.len() <= 548, "{}", encoded.bytes.len());
        assert_eq!(encoded.left_out, [209]);
    }

    #[test]
    fn the_relays_option_is_the_last_and_unchanged() {
        let mut reply = reply();
        reply.options.insert(209, b"x".to_vec());
        reply.relay = Some(vec![2, 1, 9, 1, 2, 0xab, 0xcd]);
        let bytes = reply.encode().bytes;
        let last = bytes.iter().rposition(|b| *b == code::END).unwrap();
        assert_eq!(bytes[last - 9..last], [82, 7, 2, 1, 9, 1, 2, 0xab, 0xcd]);
    }

    #[test]
    fn a_name_too_long_for_the_header_is_left_to_option_67() {
        let mut reply = reply();
        reply.file = "h".repeat(128);
        assert_eq!(reply.encode().bytes[108..236], [0; 128]);
        reply.file = "h".repeat(127);
        assert_eq!(reply.encode().bytes[234..236], [b'h', 0]);
    }
}
