//! The DHCP decision: what a packet is answered with, where the answer goes, or why there is none (RFC 2131 4.3, PXE 2.1).
//!
//! ```text
//!            full, port 67                     proxy, port 67            any mode, port 4011
//! DISCOVER   set aside ▶ OFFER                 PXE/HTTP clients ▶ OFFER   (as REQUEST)
//! REQUEST    bind ▶ ACK │ NAK │ silence        silence                    ACK with the file
//! INFORM     ACK without an address            silence                    ACK with the file
//! DECLINE    quarantine   RELEASE  free        silence                    silence
//! ```
//! The lease book is changed here and saved by the caller *before* the answer leaves. What a host may boot comes in as a value
//! (`rules::boot`); this module only says it in DHCP's words (`boot`), and decides where the packet goes (`route`).

mod boot;
mod full;
mod proxy;
mod route;
mod silence;

use std::net::{Ipv4Addr, SocketAddrV4};

pub use self::{
    full::MAX_LEASE_SECS,
    route::{Destination, Link, network_of},
    silence::Silence,
};
use super::{
    boot::DhcpBoot,
    lease::{Book, Undo},
    loaders::Client,
};
use crate::{
    model::{DhcpMode, HostName, Lease, Network, Timestamp},
    wire::dhcp::{PROXY_PORT, Reply, Request},
};

/// What the decision needs to know besides the packet.
pub struct Facts<'a> {
    /// The network that the client is on ([`network_of`]).
    pub network: Option<&'a Network>,
    /// The client's host, if it is recorded.
    pub host: Option<Known<'a>>,
    /// Who asks ([`super::loaders::client`]).
    pub client: &'a Client,
    /// What it may boot.
    pub boot: &'a DhcpBoot,
    /// Our address as the client is to see it.
    pub server: Ipv4Addr,
    /// Every address of ours, to know ourselves in option 54.
    pub own: &'a [Ipv4Addr],
    /// The base URL of the boot listener, without a slash at the end.
    pub url: &'a str,
    /// Where the packet came from.
    pub from: SocketAddrV4,
    /// The port it came to, 67 or 4011.
    pub port: u16,
    /// Whether an address is reserved for a host other than this one, or is one of ours.
    pub is_taken: &'a dyn Fn(Ipv4Addr) -> bool,
}

/// What the host's record says to DHCP.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its name.
    pub name: &'a HostName,
    /// The address reserved for it.
    pub address: Option<Ipv4Addr>,
}

/// An answer to be sent, once its lease is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What.
    pub reply: Reply,
    /// Where to.
    pub to: Destination,
    /// The answer waits so long (a quirk).
    pub delay_ms: u16,
    /// The lease that the answer acknowledges, to be saved first, and how to take it back.
    pub lease: Option<(Lease, Undo)>,
    /// An address that is worth a probe before it is offered.
    pub probe: Option<Ipv4Addr>,
    /// One sentence for the journal.
    pub text: String,
}

/// Something that is not right in the network, whatever the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    /// In a network whose addresses are ours a client chose another server.
    OtherServer(Ipv4Addr),
}

impl Warning {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OtherServer(_) => "other_dhcp_server",
        }
    }

    /// What it means and what to do.
    pub fn text(self, network: &Network) -> String {
        match self {
            Self::OtherServer(server) => format!(
                "another DHCP server, {server}, lends addresses on network {}, which is ours (dhcp: full); switch it off, or set dhcp: proxy",
                network.name
            ),
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is answered.
    Answer(Box<Answer>),
    /// It is not, and why; a lease may have changed (RELEASE, DECLINE).
    Silence {
        /// Why.
        why: Silence,
        /// The lease to be saved, and how to take it back.
        lease: Option<Box<(Lease, Undo)>>,
        /// What else was noticed.
        warning: Option<Warning>,
    },
}

impl From<Silence> for Verdict {
    fn from(why: Silence) -> Self {
        Self::Silence { why, lease: None, warning: None }
    }
}

/// Decides about one packet.
pub fn decide(request: &Request, facts: &Facts<'_>, book: &mut Book, now: Timestamp) -> Verdict {
    let Some(network) = facts.network else {
        return Silence::NoNetwork.into();
    };
    match (network.dhcp, facts.port) {
        (DhcpMode::Off, _) => Silence::ModeOff.into(),
        (DhcpMode::Full | DhcpMode::Proxy, PROXY_PORT) => proxy::on_4011(request, facts),
        (DhcpMode::Proxy, _) => proxy::on_67(request, facts),
        (DhcpMode::Full, _) => full::decide(request, network, facts, book, now),
    }
}

#[cfg(test)]
mod tests;
