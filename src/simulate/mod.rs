//! Simulated hosts: whole machines in one process that speak real DHCP, TFTP and HTTP to a running daemon.
//!
//! ```text
//! scenario   what a machine is like, how far it is to come     host       who it is
//! machine    one machine, sans I/O: dora, download, ipxe, document
//! weather    loss, doubles, overtaking, delay, by a seed       network    the sockets of all; http: one request
//! record     what one host leaves behind                       report     what the run came to
//! ```
//! A client of the daemon like any machine: it shares nothing with `serve`, `app`, `rules` and `store`, and talks to nobody whom the user
//! did not name.

mod document;
mod dora;
mod download;
mod host;
mod http;
mod ipxe;
mod machine;
mod network;
mod record;
mod report;
mod scenario;
mod weather;

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{net::UdpSocket, task::JoinSet, time::Instant};

use self::{
    host::Identity,
    machine::{Machine, Rack},
    network::{Door, Segment},
    weather::{Tally, chance},
};
pub use self::{
    report::Report,
    scenario::{Goal, Scenario, ScenarioFault, Span},
    weather::Odds,
};
use crate::model::Mac;

/// Descriptors beside those of the hosts: standard streams, the relay's socket, the runtime's own.
const OTHER_FILES: u64 = 32;
/// Of the hosts, which have their loader's socket or a connection, at most one in so many has both for a moment.
const AT_BOTH: u64 = 4;
/// What the relay's socket is asked to hold: answers to thousands at once.
const BUFFER_BYTES: usize = 8 << 20;

/// What is to be simulated.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The scenario, and what it is called.
    pub scenario: (String, Scenario),
    /// The daemon.
    pub server: Ipv4Addr,
    /// Our own address, as a relay.
    pub relay: Ipv4Addr,
    /// Whom else the hosts may talk to.
    pub allowed: Vec<Ipv4Addr>,
    /// How many.
    pub hosts: u32,
    /// The card of the first.
    pub first: Mac,
    /// Within which time they are switched on, evenly.
    pub ramp: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// The network's weather.
    pub odds: Odds,
    /// What chance is drawn from.
    pub seed: u64,
    /// Whether hosts use the addresses that they are leased.
    pub own_addresses: bool,
    /// The daemon's ports: DHCP, TFTP, HTTP.
    pub ports: [u16; 3],
}

/// Why nothing was simulated.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// An address that hosts must not send to.
    #[error("{0} is no single machine's address: broadcast, multicast and unspecified addresses are refused")]
    NotUnicast(Ipv4Addr),
    /// More hosts than cards.
    #[error("{0} hosts do not fit behind the first card {1}")]
    Cards(u32, Mac),
    /// The relay's socket.
    #[error("cannot bind {0} as a relay does: {1}; the address must be one of this machine, port {port} free, and ports below 1024 need root", port = .0.port())]
    Relay(SocketAddrV4, io::Error),
    /// Descriptors.
    #[error("{hosts} hosts need {needed} open files and this process may have {most}; `ulimit -Hn {needed}` as root, or fewer hosts")]
    Files {
        /// Wanted.
        hosts: u32,
        /// Needed.
        needed: u64,
        /// The hard limit.
        most: u64,
    },
    /// Something the system refused.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// The hosts of a wish as a site file.
pub fn site(first: Mac, hosts: u32, network: &str, profile: &str) -> String {
    host::site((0..hosts).map_while(|number| Identity::new(first, number)), network, profile)
}

/// Simulates, until every host has come to its end.
pub async fn run(wish: &Wish) -> Result<Report, Fault> {
    let addresses = [wish.server, wish.relay].into_iter().chain(wish.allowed.iter().copied());
    let allowed: BTreeSet<Ipv4Addr> = addresses.map(unicast).collect::<Result<_, _>>()?;
    let hosts: Vec<Identity> = (0..wish.hosts).map_while(|number| Identity::new(wish.first, number)).collect();
    if hosts.len() != wish.hosts as usize {
        return Err(Fault::Cards(wish.hosts, wish.first));
    }
    raise_files(wish.hosts)?;
    let [dhcp_port, tftp_port, http_port] = wish.ports;
    let (name, scenario) = wish.scenario.clone();
    let rack = Arc::new(Rack {
        allowed: allowed.into_iter().filter(|address| *address != wish.relay || *address == wish.server).collect(),
        relay: wish.relay,
        tftp_port,
        http_port,
        timeout: wish.timeout,
        scenario,
    });
    let segment = Arc::new(Segment {
        dhcp: relay_socket(SocketAddrV4::new(wish.relay, dhcp_port))?,
        server: SocketAddrV4::new(wish.server, dhcp_port),
        began: Instant::now(),
        own_addresses: wish.own_addresses,
        odds: wish.odds,
        longest: usize::from(rack.scenario.loader.blksize) + 64,
    });
    let began = segment.began;
    let (ended, network) = all(wish, &rack, segment, hosts).await?;
    Ok(Report::of(&name, wish.seed, began.elapsed(), &ended, network))
}

/// Every host to its end.
async fn all(wish: &Wish, rack: &Arc<Rack>, segment: Arc<Segment>, hosts: Vec<Identity>) -> Result<(Vec<(Identity, record::Record)>, Tally), Fault> {
    let (senders, receivers): (Vec<_>, Vec<_>) = hosts.iter().map(|_| network::inbox()).unzip();
    let mut living = JoinSet::new();
    for (host, inbox) in hosts.into_iter().zip(receivers) {
        let start = wish.ramp.mul_f64(f64::from(host.number) / f64::from(wish.hosts));
        let [own, out, inward, connections] = [0, 1, 2, 3].map(|purpose| chance(wish.seed, host.number, purpose));
        let machine = Machine::new(rack.clone(), host, own, start);
        living.spawn(network::live(segment.clone(), machine, Door { inbox, chances: [out, inward, connections] }));
    }
    let deliver = network::deliver(segment, wish.first, senders);
    tokio::pin!(deliver);
    let (mut ended, mut network) = (Vec::with_capacity(living.len()), Tally::default());
    loop {
        let host = tokio::select! {
            host = living.join_next() => host,
            fault = &mut deliver => return Err(fault.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()).into()),
        };
        let Some(host) = host else { return Ok((ended, network)) };
        let (host, record, tally) = host.map_err(io::Error::other)?;
        network += tally;
        ended.push((host, record));
    }
}

fn unicast(address: Ipv4Addr) -> Result<Ipv4Addr, Fault> {
    let many = address.is_broadcast() || address.is_multicast() || address.is_unspecified();
    if many { Err(Fault::NotUnicast(address)) } else { Ok(address) }
}

fn relay_socket(at: SocketAddrV4) -> Result<UdpSocket, Fault> {
    let bind = || {
        let socket = std::net::UdpSocket::bind(at)?;
        socket2::SockRef::from(&socket).set_recv_buffer_size(BUFFER_BYTES)?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    };
    bind().map_err(|why| Fault::Relay(at, why))
}

/// As many open files as the hosts need, if this process may have them.
fn raise_files(hosts: u32) -> Result<(), Fault> {
    let needed = u64::from(hosts) + u64::from(hosts) / AT_BOTH + OTHER_FILES;
    let (soft, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(io::Error::from)?;
    if soft >= needed {
        return Ok(());
    }
    if most < needed {
        return Err(Fault::Files { hosts, needed, most });
    }
    Ok(setrlimit(Resource::RLIMIT_NOFILE, needed, most).map_err(io::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_machines_are_talked_to() {
        for address in ["255.255.255.255", "224.0.0.1", "0.0.0.0"] {
            assert!(unicast(address.parse().unwrap()).is_err(), "{address}");
        }
        assert!(unicast(Ipv4Addr::LOCALHOST).is_ok());
    }

    #[test]
    fn too_many_hosts_for_this_process_are_told_what_to_do() {
        let said = raise_files(u32::MAX).unwrap_err().to_string();
        assert!(said.contains("ulimit -Hn 5368709150"), "{said}");
    }
}
