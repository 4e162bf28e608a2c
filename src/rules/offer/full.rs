//! Full mode: addresses and boot options (RFC 2131 4.3).
//!
//! A NAK is said only to who selected us, or to who claims an address of another network: anything else may be another
//! server's client, and silence costs it a second while a NAK costs it its address.

use std::net::Ipv4Addr;

use super::{Answer, Facts, Silence, Verdict, Warning, boot, route};
use crate::{
    model::{Network, Timestamp},
    rules::lease::{Ask, Book, Claim, after},
    wire::dhcp::{Reply, ReplyKind, Request, RequestKind, code, freeform},
};

/// The longest lease: half of what 32 bits hold, far below "for ever" (RFC 2131 3.3).
pub const MAX_LEASE_SECS: u32 = u32::MAX / 2;

pub(super) fn decide(request: &Request, network: &Network, facts: &Facts<'_>, book: &mut Book, now: Timestamp) -> Verdict {
    let desk = Desk { request, network, facts, now };
    match request.kind {
        RequestKind::Release => desk.released(book),
        RequestKind::Decline => desk.declined(book),
        _ if network.known_only && facts.host.is_none() => Silence::UnknownHost.into(),
        RequestKind::Discover => desk.discover(book),
        RequestKind::Request => desk.request(book),
        RequestKind::Inform => desk.inform(),
    }
}

/// One packet on one network.
struct Desk<'a> {
    request: &'a Request,
    network: &'a Network,
    facts: &'a Facts<'a>,
    now: Timestamp,
}

impl Desk<'_> {
    fn ask(&self) -> Ask<'_> {
        Ask {
            network: self.network,
            mac: self.request.mac,
            is_recorded: self.facts.host.is_some(),
            reserved: self.facts.host.and_then(|host| host.address).filter(|address| self.network.subnet.contains(address)),
            wanted: self.request.requested,
            is_taken: self.facts.is_taken,
            now: self.now,
        }
    }

    fn discover(&self, book: &mut Book) -> Verdict {
        match book.offer(&self.ask()) {
            Err(why) => Silence::NoAddress(why).into(),
            Ok(offered) => {
                let reply = self.reply(ReplyKind::Offer, offered.address);
                let text = format!("OFFER of {}{}", offered.address, self.boot_words());
                let probe = Some(offered.address).filter(|_| offered.is_fresh && self.network.conflict_check && self.request.giaddr.is_unspecified());
                self.answer(reply, probe, text)
            }
        }
    }

    /// The three kinds of REQUEST (RFC 2131 4.3.2): selecting, init-reboot, renewing or rebinding.
    fn request(&self, book: &mut Book) -> Verdict {
        let request = self.request;
        match (request.server_id, request.requested) {
            (Some(server), _) if !self.is_us(server) => self.chose_other(server, book),
            (Some(_), None) if request.ciaddr.is_unspecified() => Silence::NoAddressNamed.into(),
            (Some(_), wanted) => self.selecting(wanted.unwrap_or(request.ciaddr), book),
            (None, Some(wanted)) if request.ciaddr.is_unspecified() => self.verifying(wanted, book),
            (None, _) if request.ciaddr.is_unspecified() => Silence::NoAddressNamed.into(),
            (None, _) => self.renewing(request.ciaddr, book),
        }
    }

    fn chose_other(&self, server: Ipv4Addr, book: &mut Book) -> Verdict {
        book.withdraw(&self.network.name, self.request.mac);
        // Behind a relay several servers may be meant; on the link the addresses are ours alone.
        let warning = Some(Warning::OtherServer(server)).filter(|_| self.request.giaddr.is_unspecified());
        Verdict::Silence { why: Silence::OtherServer(server), lease: None, warning }
    }

    fn selecting(&self, wanted: Ipv4Addr, book: &mut Book) -> Verdict {
        match book.claim(&self.ask(), wanted) {
            Claim::Own | Claim::Lapsed | Claim::Free => self.acknowledge(wanted, book),
            Claim::Other(mine) => self.refuse(&format!("{wanted} is not the address that was offered, {mine}")),
            Claim::Foreign => self.refuse(&format!("{wanted} is lent to somebody else")),
            Claim::Barred => self.refuse(&format!("{wanted} cannot be lent to this client")),
            Claim::WrongNetwork => self.refuse(&format!("{wanted} is not an address of network {}", self.network.name)),
        }
    }

    fn verifying(&self, wanted: Ipv4Addr, book: &mut Book) -> Verdict {
        match book.claim(&self.ask(), wanted) {
            Claim::Own | Claim::Lapsed => self.acknowledge(wanted, book),
            Claim::WrongNetwork => self.refuse(&format!("{wanted} is not an address of network {}", self.network.name)),
            // We know this client, and by another address.
            Claim::Other(mine) => self.refuse(&format!("its address here is {mine}, not {wanted}")),
            // It remembers the address that its record reserves, from before our memory.
            Claim::Free if self.ask().reserved == Some(wanted) => self.acknowledge(wanted, book),
            Claim::Free | Claim::Foreign | Claim::Barred => Silence::NotOurs(wanted).into(),
        }
    }

    fn renewing(&self, mine: Ipv4Addr, book: &mut Book) -> Verdict {
        match book.claim(&self.ask(), mine) {
            Claim::Own | Claim::Lapsed => self.acknowledge(mine, book),
            Claim::WrongNetwork => self.refuse(&format!("{mine} is not an address of network {}", self.network.name)),
            Claim::Free if self.ask().reserved == Some(mine) => self.acknowledge(mine, book),
            Claim::Free | Claim::Foreign | Claim::Barred | Claim::Other(_) => Silence::NotOurs(mine).into(),
        }
    }

    fn acknowledge(&self, address: Ipv4Addr, book: &mut Book) -> Verdict {
        let until = after(self.now, i64::from(self.lease_secs()));
        let lease = book.bind(&self.network.name, self.request.mac, address, until, self.request.client_name.clone());
        let reply = self.reply(ReplyKind::Ack, address);
        let text = format!("ACK of {address} for {} s{}", self.lease_secs(), self.boot_words());
        match self.answer(reply, None, text) {
            Verdict::Answer(answer) => Verdict::Answer(Box::new(Answer { lease: Some(lease), ..*answer })),
            silence @ Verdict::Silence { .. } => silence,
        }
    }

    fn refuse(&self, why: &str) -> Verdict {
        let mut reply = boot::bare(self.request, ReplyKind::Nak, self.server_id());
        // RFC 2131 4.3.2: so that the relay broadcasts it.
        reply.broadcast |= !self.request.giaddr.is_unspecified();
        reply.options.insert(code::MESSAGE, why.as_bytes().to_vec());
        self.answer(reply, None, format!("NAK: {why}"))
    }

    fn inform(&self) -> Verdict {
        if self.request.ciaddr.is_unspecified() {
            return Silence::NoAddressNamed.into();
        }
        let mut reply = self.reply(ReplyKind::Ack, Ipv4Addr::UNSPECIFIED);
        for code in [code::LEASE, code::RENEW, code::REBIND] {
            reply.options.remove(&code);
        }
        reply.ciaddr = self.request.ciaddr;
        self.answer(reply, None, format!("ACK of options for {}{}", self.request.ciaddr, self.boot_words()))
    }

    fn released(&self, book: &mut Book) -> Verdict {
        let lease = book.release(&self.network.name, self.request.mac, self.request.ciaddr, self.now);
        let why = if lease.is_some() { Silence::Released } else { Silence::ReleasedForeign };
        Verdict::Silence { why, lease: lease.map(Box::new), warning: None }
    }

    fn declined(&self, book: &mut Book) -> Verdict {
        let address = self.request.requested.unwrap_or(self.request.ciaddr);
        let lease = book.decline(&self.network.name, self.request.mac, address, self.now);
        let why = if lease.is_some() { Silence::Declined } else { Silence::DeclinedForeign };
        Verdict::Silence { why, lease: lease.map(Box::new), warning: None }
    }

    fn answer(&self, reply: Reply, probe: Option<Ipv4Addr>, text: String) -> Verdict {
        let to = route::destination(self.request, &reply);
        let delay_ms = boot::delay_ms(self.request, self.facts.client);
        Verdict::Answer(Box::new(Answer { reply, to, delay_ms, lease: None, probe, text }))
    }

    /// Address, network options, and what there is to boot.
    fn reply(&self, kind: ReplyKind, address: Ipv4Addr) -> Reply {
        let mut reply = boot::bare(self.request, kind, self.server_id());
        reply.yiaddr = address;
        if kind == ReplyKind::Ack {
            reply.ciaddr = self.request.ciaddr;
        }
        self.network_options(&mut reply);
        boot::write_full(&mut reply, self.request, self.facts);
        reply
    }

    fn network_options(&self, reply: &mut Reply) {
        let network = self.network;
        let secs = self.lease_secs();
        let addresses = |list: &[Ipv4Addr]| list.iter().flat_map(Ipv4Addr::octets).collect::<Vec<u8>>();
        let host_name = self.facts.host.filter(|_| self.request.wanted.contains(&code::HOST_NAME)).map(|host| host.name.label().as_bytes().to_vec());
        let options = [
            (code::LEASE, secs.to_be_bytes().to_vec()),
            (code::RENEW, (secs / 2).to_be_bytes().to_vec()),
            (code::REBIND, (secs / 8 * 7).to_be_bytes().to_vec()),
            (code::MASK, network.subnet.netmask().octets().to_vec()),
            (code::BROADCAST, network.subnet.broadcast().octets().to_vec()),
            (code::ROUTER, network.gateway.map(|gateway| gateway.octets().to_vec()).unwrap_or_default()),
            (code::DNS, addresses(&network.dns)),
            (code::NTP, addresses(&network.ntp)),
            (code::DOMAIN, network.domain.clone().unwrap_or_default().into_bytes()),
            (code::MTU, network.mtu.map(|mtu| mtu.to_be_bytes().to_vec()).unwrap_or_default()),
            (code::HOST_NAME, host_name.unwrap_or_default()),
        ];
        reply.options.extend(options.into_iter().filter(|(_, value)| !value.is_empty()));
        // Written by an operator, so more particular than what was derived; a mistake is refused when the network is saved.
        let written = network.options.iter().filter_map(|(code, text)| Some((*code, freeform(*code, text).ok()?)));
        reply.options.extend(written);
    }

    fn boot_words(&self) -> String {
        boot::words(self.facts)
    }

    fn lease_secs(&self) -> u32 {
        self.network.lease_secs.clamp(60, MAX_LEASE_SECS)
    }

    /// RFC 5107: behind a relay that asks for it, the relay's address is shown instead of ours.
    fn server_id(&self) -> Ipv4Addr {
        self.request.relay.as_ref().and_then(|relay| relay.server_id).unwrap_or(self.facts.server)
    }

    fn is_us(&self, server: Ipv4Addr) -> bool {
        server == self.server_id() || server == self.facts.server || self.facts.own.contains(&server)
    }
}
