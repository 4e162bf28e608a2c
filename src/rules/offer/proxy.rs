//! Proxy mode: boot options beside somebody else's DHCP server, never an address (PXE 2.1 2.2.3, and EDK2's BINL on 4011).
//!
//! Most clients take the file from the offer on port 67; UEFI PXE is sent to port 4011, because some of them ignore a proxy's
//! offer that carries the file at once.

use std::net::SocketAddrV4;

use super::{Answer, Destination, Facts, Silence, Verdict, boot, route};
use crate::{
    rules::{boot::DhcpBoot, loaders::Client},
    wire::dhcp::{CLIENT_PORT, Reply, ReplyKind, Request, RequestKind},
};

pub(super) fn on_67(request: &Request, facts: &Facts<'_>) -> Verdict {
    if !matches!(facts.client, Client::Netboot(_)) {
        return Silence::NotNetboot.into();
    }
    if request.kind != RequestKind::Discover {
        return Silence::AddressesElsewhere.into();
    }
    if let DhcpBoot::None { why } = facts.boot {
        return Silence::NoBoot(why.clone()).into();
    }
    let mut reply = boot::bare(request, ReplyKind::Offer, facts.server);
    boot::write_proxy_offer(&mut reply, request, facts);
    let to = route::destination(request, &reply);
    answer(request, facts, reply, to, "proxy OFFER")
}

pub(super) fn on_4011(request: &Request, facts: &Facts<'_>) -> Verdict {
    if !matches!(facts.client, Client::Netboot(_)) {
        return Silence::NotNetboot.into();
    }
    if matches!(request.kind, RequestKind::Decline | RequestKind::Release) {
        return Silence::NotForBootServer.into();
    }
    if let DhcpBoot::None { why } = facts.boot {
        return Silence::NoBoot(why.clone()).into();
    }
    let mut reply = boot::bare(request, ReplyKind::Ack, facts.server);
    reply.ciaddr = request.ciaddr;
    boot::write_4011(&mut reply, request, facts);
    answer(request, facts, reply, back_to(request, facts.from), "boot server ACK")
}

/// To where it came from: EDK2 asks from port 4011 and listens there, iPXE from 68.
fn back_to(request: &Request, from: SocketAddrV4) -> Destination {
    match (from.ip().is_unspecified(), request.ciaddr.is_unspecified()) {
        (false, _) => Destination::Unicast(from),
        (true, false) => Destination::Unicast(SocketAddrV4::new(request.ciaddr, CLIENT_PORT)),
        (true, true) => Destination::Broadcast,
    }
}

fn answer(request: &Request, facts: &Facts<'_>, reply: Reply, to: Destination, what: &str) -> Verdict {
    let text = format!("{what}{}", boot::words(facts));
    let delay_ms = boot::delay_ms(request, facts.client);
    Verdict::Answer(Box::new(Answer { reply, to, delay_ms, lease: None, probe: None, text }))
}
