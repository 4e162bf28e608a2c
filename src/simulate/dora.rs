//! A DHCP client: DISCOVER, OFFER, REQUEST, ACK (RFC 2131), as firmware, iPXE, an installer and an installed system do it.
//!
//! ```text
//! DISCOVER ─ OFFER ─▶ REQUEST ─ ACK ─▶ bound
//!    ▲ no answer: again, at the client's own pace; after the last: given up
//!    └──────────────── NAK, or no ACK
//! ```
//! Written from the RFCs with dhcproto, and without `wire::dhcp`: a mistake of the server's reading must not be repeated here. Packets
//! are a relay's, with its address in giaddr.

use std::{net::Ipv4Addr, time::Duration};

use dhcproto::{
    Encodable as _,
    v4::{DhcpOption, Flags, Message, Opcode, OptionCode, UnknownOption, borrowed},
};

use super::host::{Identity, address};

/// Which program of the machine asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// PXE boot code of this architecture.
    Firmware(u16),
    /// iPXE, on this architecture.
    Ipxe(u16),
    /// An installer's own client, with its vendor class.
    Installer(Option<&'static str>),
}

/// What the client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its address.
    pub address: Ipv4Addr,
    /// Where the file is, if the server says so.
    pub server: Option<Ipv4Addr>,
    /// What to boot; empty: nothing.
    pub file: String,
}

/// What comes of a packet or of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Not for us, or too late.
    Ignored,
    /// This is sent.
    Send(Vec<u8>),
    /// The same again, because nobody answered.
    Again(Vec<u8>),
    /// The server took its offer back: from the beginning.
    Refused(Vec<u8>),
    /// Done.
    Bound(Bound),
    /// Nobody answered often enough; the word says to what.
    GivenUp(&'static str),
}

/// One exchange.
#[derive(Debug)]
pub struct Dora {
    who: Who,
    xid: u32,
    relay: Ipv4Addr,
    waits: Vec<Duration>,
    tries: usize,
    began: Duration,
    /// Address and server of the offer that was taken.
    asked: Option<(Ipv4Addr, Ipv4Addr)>,
    /// When it gets impatient.
    pub wakes_at: Duration,
    /// How long it waited in vain the last time.
    pub waited: Duration,
}

impl Dora {
    /// Which program asks.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Begins; the packet is the DISCOVER.
    pub fn begin(now: Duration, who: Who, host: &Identity, xid: u32, relay: Ipv4Addr, waits: Vec<Duration>) -> (Self, Vec<u8>) {
        let mut dora = Self { who, xid, relay, waits, tries: 0, began: now, asked: None, wakes_at: now, waited: Duration::ZERO };
        let packet = dora.ask(now, host);
        (dora, packet)
    }

    /// An answer has come.
    pub fn heard(&mut self, now: Duration, host: &Identity, bytes: &[u8]) -> Step {
        let Some(answer) = Answer::read(bytes).filter(|answer| answer.xid == self.xid) else { return Step::Ignored };
        match (answer.kind, self.asked) {
            (2, None) => {
                let Some(server) = answer.server_id else { return Step::Ignored };
                self.asked = Some((answer.bound.address, server));
                self.tries = 0;
                Step::Send(self.ask(now, host))
            }
            (5, Some(_)) => Step::Bound(answer.bound),
            (6, Some(_)) => {
                self.asked = None;
                Step::Refused(self.ask(now, host))
            }
            _ => Step::Ignored,
        }
    }

    /// Nothing has come.
    pub fn woke(&mut self, now: Duration, host: &Identity) -> Step {
        if self.tries < self.waits.len() {
            return Step::Again(self.ask(now, host));
        }
        Step::GivenUp(if self.asked.is_some() { "no_ack" } else { "no_offer" })
    }

    fn ask(&mut self, now: Duration, host: &Identity) -> Vec<u8> {
        let last = self.waits.len().saturating_sub(1);
        self.waited = self.tries.checked_sub(1).map_or(Duration::ZERO, |last| self.waits[last]);
        self.wakes_at = now + self.waits[self.tries.min(last)];
        self.tries += 1;
        self.packet((now - self.began).as_secs(), host)
    }

    fn packet(&self, secs: u64, host: &Identity) -> Vec<u8> {
        let none = Ipv4Addr::UNSPECIFIED;
        let mut message = Message::new_with_id(self.xid, none, none, none, self.relay, &host.mac.octets());
        message.set_opcode(Opcode::BootRequest).set_hops(1).set_secs(u16::try_from(secs).unwrap_or(u16::MAX)).set_flags(Flags::default());
        let mut set = |code: OptionCode, bytes: &[u8]| {
            message.opts_mut().insert(DhcpOption::Unknown(UnknownOption::new(code, bytes.to_vec())));
        };
        set(OptionCode::MessageType, &[if self.asked.is_some() { 3 } else { 1 }]);
        if let Some((address, server)) = self.asked {
            set(OptionCode::RequestedIpAddress, &address.octets());
            set(OptionCode::ServerIdentifier, &server.octets());
        }
        set(OptionCode::MaxMessageSize, &1500_u16.to_be_bytes());
        match &self.who {
            Who::Firmware(arch) => pxe(*arch, host, &mut set),
            Who::Ipxe(arch) => {
                pxe(*arch, host, &mut set);
                set(OptionCode::UserClass, b"iPXE");
                // Features: HTTP 19, DNS 21, TFTP 24, menu 39; the version.
                set(OptionCode::from(175), &[177, 5, 1, 0x1a, 0xf4, 0x10, 0, 19, 1, 1, 21, 1, 1, 24, 1, 1, 39, 1, 1, 235, 3, 1, 21, 1]);
            }
            Who::Installer(class) => {
                set(OptionCode::ParameterRequestList, &[1, 3, 6, 12, 15, 26, 28, 42]);
                if let Some(class) = class {
                    set(OptionCode::ClassIdentifier, class.as_bytes());
                }
            }
        }
        message.to_vec().unwrap_or_default()
    }
}

/// What PXE boot code says of itself (RFC 4578).
fn pxe(arch: u16, host: &Identity, set: &mut impl FnMut(OptionCode, &[u8])) {
    set(
        OptionCode::ParameterRequestList,
        &[1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 175],
    );
    set(OptionCode::ClassIdentifier, format!("PXEClient:Arch:{arch:05}:UNDI:003016").as_bytes());
    set(OptionCode::ClientSystemArchitecture, &arch.to_be_bytes());
    set(OptionCode::ClientNetworkInterface, &[1, 3, 16]);
    set(OptionCode::ClientMachineIdentifier, &[&[0][..], &host.uuid()].concat());
}

/// An answer, as far as a client looks.
struct Answer {
    xid: u32,
    kind: u8,
    server_id: Option<Ipv4Addr>,
    bound: Bound,
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Self> {
        // What the reader would panic on.
        if bytes.len() < 240 || bytes[0] != 2 || bytes[2] > 16 {
            return None;
        }
        let message = borrowed::Message::new(bytes).ok()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
        let (mut kind, mut server_id, mut file, mut name) = (None, None, text(message.fname()), None);
        for option in message.opts() {
            let value = option.data();
            match u8::from(option.code()) {
                53 => kind = value.first().copied(),
                54 => server_id = <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from),
                66 => name = address(&text(value)),
                67 => file = text(value),
                _ => {}
            }
        }
        let siaddr = Some(message.siaddr()).filter(|address| !address.is_unspecified());
        Some(Self { xid: message.xid(), kind: kind?, server_id, bound: Bound { address: message.yiaddr(), server: siaddr.or(name), file } })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::dhcp::{Reply, ReplyKind, Request, RequestKind};

    /// An answer as the server would write it.
    pub fn answer(to: &[u8], kind: ReplyKind, file: &str) -> Vec<u8> {
        let request = Request::parse(to).unwrap();
        let server = Ipv4Addr::new(10, 0, 0, 1);
        let none = Ipv4Addr::UNSPECIFIED;
        let reply = Reply {
            kind,
            xid: request.xid,
            secs: 0,
            broadcast: false,
            ciaddr: none,
            yiaddr: if kind == ReplyKind::Nak { none } else { Ipv4Addr::new(10, 0, 0, 77) },
            siaddr: server,
            giaddr: request.giaddr,
            mac: request.mac,
            server_id: server,
            sname: String::new(),
            file: file.to_owned(),
            options: std::collections::BTreeMap::new(),
            relay: None,
            max_bytes: request.max_bytes,
        };
        reply.encode().bytes
    }

    fn begin(who: Who) -> (Dora, Vec<u8>, Identity) {
        let host = Identity::new("02:00:00:00:00:01".parse().unwrap(), 4).unwrap();
        let waits = [4, 8].map(Duration::from_secs).to_vec();
        let (dora, packet) = Dora::begin(Duration::ZERO, who, &host, 99, Ipv4Addr::new(10, 0, 0, 2), waits);
        (dora, packet, host)
    }

    #[test]
    fn the_server_reads_what_firmware_ipxe_and_installer_say_of_themselves() {
        let (_, packet, host) = begin(Who::Firmware(7));
        let request = Request::parse(&packet).unwrap();
        assert_eq!(
            (request.kind, request.mac, request.giaddr, request.archs.as_slice()),
            (RequestKind::Discover, host.mac, [10, 0, 0, 2].into(), &[7][..])
        );
        assert_eq!(request.class_text(), "PXEClient:Arch:00007:UNDI:003016");
        assert!(request.uuid().is_some() && request.ipxe.is_none());
        let request = Request::parse(&begin(Who::Ipxe(7)).1).unwrap();
        assert!(request.has_user_class("iPXE") && request.ipxe.unwrap().has_http());
        let request = Request::parse(&begin(Who::Installer(Some("d-i"))).1).unwrap();
        assert_eq!((request.class_text().as_str(), request.archs.len()), ("d-i", 0));
    }

    #[test]
    fn an_offer_is_taken_and_an_ack_ends_it() {
        let (mut dora, discover, host) = begin(Who::Firmware(7));
        let offer = answer(&discover, ReplyKind::Offer, "snponly.efi");
        let Step::Send(request) = dora.heard(Duration::ZERO, &host, &offer) else { panic!("no REQUEST") };
        let read = Request::parse(&request).unwrap();
        assert_eq!((read.requested, read.server_id), (Some([10, 0, 0, 77].into()), Some([10, 0, 0, 1].into())));
        assert_eq!(dora.heard(Duration::ZERO, &host, &offer), Step::Ignored, "the offer came twice");
        let bound = Bound { address: [10, 0, 0, 77].into(), server: Some([10, 0, 0, 1].into()), file: "snponly.efi".into() };
        assert_eq!(dora.heard(Duration::ZERO, &host, &answer(&request, ReplyKind::Ack, "snponly.efi")), Step::Bound(bound));
    }

    #[test]
    fn who_hears_nothing_asks_again_and_then_gives_up() {
        let (mut dora, discover, host) = begin(Who::Firmware(7));
        assert_eq!(dora.wakes_at, Duration::from_secs(4));
        let Step::Again(again) = dora.woke(dora.wakes_at, &host) else { panic!("not again") };
        assert_eq!((Request::parse(&again).unwrap().secs, dora.wakes_at), (4, Duration::from_secs(12)));
        assert_eq!(dora.woke(dora.wakes_at, &host), Step::GivenUp("no_offer"));
        dora.heard(dora.wakes_at, &host, &answer(&discover, ReplyKind::Offer, ""));
        assert!(matches!(dora.woke(dora.wakes_at, &host), Step::Again(_)));
        assert_eq!(dora.woke(dora.wakes_at, &host), Step::GivenUp("no_ack"));
    }

    #[test]
    fn a_nak_begins_again_and_what_is_no_answer_is_ignored() {
        let (mut dora, discover, host) = begin(Who::Firmware(7));
        for bytes in [&b""[..], &[2; 100], &[2; 300], &discover] {
            assert_eq!(dora.heard(Duration::ZERO, &host, bytes), Step::Ignored);
        }
        let Step::Send(request) = dora.heard(Duration::ZERO, &host, &answer(&discover, ReplyKind::Offer, "x")) else { panic!("no REQUEST") };
        let Step::Refused(again) = dora.heard(Duration::ZERO, &host, &answer(&request, ReplyKind::Nak, "")) else { panic!("no NAK") };
        assert_eq!(Request::parse(&again).unwrap().kind, RequestKind::Discover);
    }
}
