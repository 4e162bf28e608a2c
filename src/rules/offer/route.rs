//! Where a packet belongs and where its answer goes (RFC 2131 4.1; RFC 3527, 5107 for relays).
//!
//! A destination is a value: which socket carries it is `serve::dhcp`'s matter.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::{
    model::{Mac, Network},
    wire::dhcp::{CLIENT_PORT, Reply, ReplyKind, Request},
};

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To the relay's port 67.
    Relay(Ipv4Addr),
    /// To a client that owns its address.
    Unicast(SocketAddrV4),
    /// To 255.255.255.255:68 on the link.
    Broadcast,
    /// To a client that does not own its address yet: an Ethernet frame to its MAC, since nobody would answer ARP.
    Frame {
        /// The client.
        mac: Mac,
        /// The address it is given.
        address: Ipv4Addr,
    },
}

/// The link a packet came in by.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The addresses of the interface.
    pub addresses: &'a [Ipv4Addr],
    /// Whether it was sent to everybody on the link, and not to us.
    pub was_broadcast: bool,
}

/// The network a client is on: the one its relay says (82.5, then giaddr), else its own address if it wrote to us directly, else
/// the interface's.
pub fn network_of<'a>(request: &Request, link: Link<'_>, networks: impl Iterator<Item = &'a Network> + Clone) -> Option<&'a Network> {
    let holds = |address: Ipv4Addr| networks.clone().find(|network| network.subnet.contains(&address));
    if !request.giaddr.is_unspecified() {
        let subnet = request.relay.as_ref().and_then(|relay| relay.link).unwrap_or(request.giaddr);
        return holds(subnet);
    }
    if !link.was_broadcast && !request.ciaddr.is_unspecified() {
        return holds(request.ciaddr);
    }
    link.addresses.iter().find_map(|address| holds(*address))
}

/// Where the answer goes.
pub(super) fn destination(request: &Request, reply: &Reply) -> Destination {
    if !request.giaddr.is_unspecified() {
        return Destination::Relay(request.giaddr);
    }
    if reply.kind == ReplyKind::Nak {
        return Destination::Broadcast;
    }
    if !request.ciaddr.is_unspecified() {
        return Destination::Unicast(SocketAddrV4::new(request.ciaddr, CLIENT_PORT));
    }
    // A proxy's offer gives no address: only a broadcast reaches somebody without one.
    if request.broadcast || reply.yiaddr.is_unspecified() {
        return Destination::Broadcast;
    }
    Destination::Frame { mac: request.mac, address: reply.yiaddr }
}
