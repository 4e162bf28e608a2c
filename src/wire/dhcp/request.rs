//! A client's packet, read once and then trusted (RFC 2131, 2132, 3004, 3046, 4578; iPXE's option 175).
//!
//! Tolerant where real firmware is sloppy (pad bytes, a missing end, 60 or 94 missing, 77 raw or framed, 97 absent), strict where
//! a wrong length would make us believe something false. The bytes of option 82 and 97 are kept as they came, for the echo.

use std::net::Ipv4Addr;

use dhcproto::v4::borrowed;

use super::{HEADER_BYTES, MAGIC, MAX_BYTES, Malformed, code};
use crate::model::{Mac, SmbiosUuid};

/// What a client asks for (option 53).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// DHCPDISCOVER.
    Discover,
    /// DHCPREQUEST.
    Request,
    /// DHCPDECLINE.
    Decline,
    /// DHCPRELEASE.
    Release,
    /// DHCPINFORM.
    Inform,
}

impl RequestKind {
    /// The name in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Discover => "DISCOVER",
            Self::Request => "REQUEST",
            Self::Decline => "DECLINE",
            Self::Release => "RELEASE",
            Self::Inform => "INFORM",
        }
    }
}

/// Option 82 as the relay wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// The whole value, to be echoed unchanged.
    pub raw: Vec<u8>,
    /// Sub-option 5: the client's subnet where it is not the relay's (RFC 3527).
    pub link: Option<Ipv4Addr>,
    /// Sub-option 11: the server identifier that the client is to see (RFC 5107).
    pub server_id: Option<Ipv4Addr>,
}

/// What iPXE says of itself in option 175.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ipxe {
    /// Feature numbers whose value is not zero, as in iPXE's `features.h` (19 is HTTP, 20 HTTPS, 36 EFI).
    pub features: Vec<u8>,
}

impl Ipxe {
    /// Whether it fetches by HTTP (feature 19).
    pub fn has_http(&self) -> bool {
        self.features.contains(&19)
    }
}

/// One DHCPv4 message from a client or its relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Option 53.
    pub kind: RequestKind,
    /// Transaction.
    pub xid: u32,
    /// Seconds that the client has been trying.
    pub secs: u16,
    /// Whether the client cannot receive unicast before it owns an address.
    pub broadcast: bool,
    /// The client's present address, or 0.0.0.0.
    pub ciaddr: Ipv4Addr,
    /// The relay, or 0.0.0.0.
    pub giaddr: Ipv4Addr,
    /// The client's hardware address.
    pub mac: Mac,
    /// Option 50.
    pub requested: Option<Ipv4Addr>,
    /// Option 54: the server that the client chose.
    pub server_id: Option<Ipv4Addr>,
    /// Option 55.
    pub wanted: Vec<u8>,
    /// Option 57, at least 576.
    pub max_bytes: u16,
    /// Option 60.
    pub class: Option<Vec<u8>>,
    /// Option 61.
    pub client_id: Option<Vec<u8>>,
    /// Option 77, unframed.
    pub user_classes: Vec<Vec<u8>>,
    /// Option 82.
    pub relay: Option<Relay>,
    /// Option 93, every code of the list.
    pub archs: Vec<u16>,
    /// Option 97 as it came.
    pub machine: Option<Vec<u8>>,
    /// Option 12, lossy and without control characters.
    pub client_name: Option<String>,
    /// Option 175.
    pub ipxe: Option<Ipxe>,
    /// Option 43.
    pub vendor: Option<Vec<u8>>,
}

impl Request {
    /// Reads a packet. Never panics, whatever the bytes are.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = guarded(bytes)?;
        let octets = message.chaddr().try_into().map_err(|_| Malformed::HardwareLength(message.hlen()))?;
        let mac = Mac::from_octets(octets).map_err(|_| Malformed::HardwareAddress)?;
        let mut request = Self {
            kind: RequestKind::Discover,
            xid: message.xid(),
            secs: message.secs(),
            broadcast: message.flags().broadcast(),
            ciaddr: message.ciaddr(),
            giaddr: message.giaddr(),
            mac,
            requested: None,
            server_id: None,
            wanted: Vec::new(),
            max_bytes: 576,
            class: None,
            client_id: None,
            user_classes: Vec::new(),
            relay: None,
            archs: Vec::new(),
            machine: None,
            client_name: None,
            ipxe: None,
            vendor: None,
        };
        let mut kind = None;
        for option in message.opts() {
            let (code, value) = (u8::from(option.code()), option.data());
            if code == code::KIND {
                kind = Some(read_kind(value)?);
            } else {
                request.take(code, value)?;
            }
        }
        request.kind = kind.ok_or(Malformed::NoKind)?;
        Ok(request)
    }

    fn take(&mut self, code: u8, value: &[u8]) -> Result<(), Malformed> {
        match code {
            code::REQUESTED => self.requested = Some(read_address(code, value)?),
            code::SERVER_ID => self.server_id = Some(read_address(code, value)?),
            code::WANTED => self.wanted = value.to_vec(),
            code::MAX_SIZE => {
                let size = <[u8; 2]>::try_from(value).map_err(|_| Malformed::OptionLength(code))?;
                self.max_bytes = u16::from_be_bytes(size).max(576);
            }
            code::CLASS => self.class = Some(value.to_vec()),
            code::CLIENT_ID => self.client_id = Some(value.to_vec()),
            code::USER_CLASS => self.user_classes = read_user_classes(value),
            code::RELAY => self.relay = Some(read_relay(value)),
            code::ARCH if value.len() < 2 || !value.len().is_multiple_of(2) => return Err(Malformed::OptionLength(code)),
            code::ARCH => self.archs = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect(),
            code::MACHINE => self.machine = Some(value.to_vec()),
            code::HOST_NAME => self.client_name = read_name(value),
            code::IPXE => self.ipxe = Some(read_ipxe(value)),
            code::VENDOR => self.vendor = Some(value.to_vec()),
            _ => {}
        }
        Ok(())
    }

    /// The board's UUID out of option 97 (type 0 and sixteen bytes), if it is one.
    pub fn uuid(&self) -> Option<SmbiosUuid> {
        let [0, bytes @ ..] = self.machine.as_deref()? else { return None };
        SmbiosUuid::from_wire(bytes.try_into().ok()?)
    }

    /// Option 60 as text for people and for prefix tests.
    pub fn class_text(&self) -> String {
        self.class.as_deref().map(printable).unwrap_or_default()
    }

    /// Whether option 60 begins so.
    pub fn class_starts(&self, prefix: &str) -> bool {
        self.class.as_deref().is_some_and(|class| class.starts_with(prefix.as_bytes()))
    }

    /// Whether option 77 names this class.
    pub fn has_user_class(&self, class: &str) -> bool {
        self.user_classes.iter().any(|mine| mine == class.as_bytes())
    }
}

/// Everything that the reader below us would panic on, or that no client of ours sends.
fn guarded(bytes: &[u8]) -> Result<borrowed::Message<'_>, Malformed> {
    if bytes.len() > MAX_BYTES {
        return Err(Malformed::Long(bytes.len()));
    }
    if bytes.len() < HEADER_BYTES {
        return Err(Malformed::Short(bytes.len()));
    }
    match (bytes[0], bytes[1], bytes[2], bytes[3]) {
        (op, ..) if op != 1 => return Err(Malformed::NotARequest(op)),
        (_, htype, ..) if htype != 1 => return Err(Malformed::NotEthernet(htype)),
        (_, _, hlen, _) if hlen != 6 => return Err(Malformed::HardwareLength(hlen)),
        (.., hops) if hops > 16 => return Err(Malformed::Hops(hops)),
        _ => {}
    }
    if bytes[236..HEADER_BYTES] != MAGIC {
        return Err(Malformed::NoMagic);
    }
    if !is_whole(&bytes[HEADER_BYTES..]) {
        return Err(Malformed::Truncated);
    }
    borrowed::Message::new(bytes).map_err(|_| Malformed::Short(bytes.len()))
}

/// Whether every option ends inside the packet. A missing end option is tolerated, half an option is not: the reader would drop it
/// and what follows without a word.
fn is_whole(mut options: &[u8]) -> bool {
    loop {
        match options {
            [] | [code::END, ..] => return true,
            [code::PAD, rest @ ..] => options = rest,
            [_, len, rest @ ..] if usize::from(*len) <= rest.len() => options = &rest[usize::from(*len)..],
            _ => return false,
        }
    }
}

fn read_kind(value: &[u8]) -> Result<RequestKind, Malformed> {
    match value {
        [1] => Ok(RequestKind::Discover),
        [3] => Ok(RequestKind::Request),
        [4] => Ok(RequestKind::Decline),
        [7] => Ok(RequestKind::Release),
        [8] => Ok(RequestKind::Inform),
        [other] => Err(Malformed::Kind(*other)),
        _ => Err(Malformed::OptionLength(code::KIND)),
    }
}

fn read_address(code: u8, value: &[u8]) -> Result<Ipv4Addr, Malformed> {
    <[u8; 4]>::try_from(value).map(Ipv4Addr::from).map_err(|_| Malformed::OptionLength(code))
}

/// RFC 3004 frames each class by a length; iPXE writes one class bare. A value whose frames do not add up is bare.
fn read_user_classes(value: &[u8]) -> Vec<Vec<u8>> {
    let mut classes = Vec::new();
    let mut rest = value;
    while let [len, tail @ ..] = rest {
        let len = usize::from(*len);
        if len == 0 || len > tail.len() {
            return vec![value.to_vec()];
        }
        classes.push(tail[..len].to_vec());
        rest = &tail[len..];
    }
    classes
}

/// Code, length, value; stops quietly where it no longer adds up (the echo carries the raw bytes anyway).
fn pairs(mut value: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let [code, len, rest @ ..] = value else { return None };
        let (head, tail) = rest.split_at_checked(usize::from(*len))?;
        value = tail;
        Some((*code, head))
    })
}

fn read_relay(value: &[u8]) -> Relay {
    let address = |wanted| pairs(value).find(|(code, _)| *code == wanted).and_then(|(_, v)| <[u8; 4]>::try_from(v).ok()).map(Ipv4Addr::from);
    Relay { raw: value.to_vec(), link: address(5), server_id: address(11) }
}

fn read_ipxe(value: &[u8]) -> Ipxe {
    // Features are single bytes below 128; 177 (the bus) and 235 (the version) are longer and no features.
    let features = pairs(value).filter(|(code, v)| *code < 128 && v.iter().any(|b| *b != 0)).map(|(code, _)| code).collect();
    Ipxe { features }
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(128).collect()
}

fn read_name(value: &[u8]) -> Option<String> {
    let name = printable(value);
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
