//! The DHCP server: for each interface a socket on port 67 and one on 4011, a frame socket, and the story `app::offer` behind them.
//!
//! ```text
//! br0:67 ───┐ parse   ┌────────────┐ answer   ┌ relay, unicast, broadcast: the UDP socket it came in by
//! br0:4011 ─┼───────▶ │ app::offer │ ───────▶ ┤
//! eth1:67 ──┘         └────────────┘          └ a client without an address: an Ethernet frame, else broadcast
//! ```
//! Each socket has one task (`ear`), which works on its packets by the batch and in turn (`queue`); what there is no room for is dropped
//! and counted, and the client asks again. This floor spells and sends; it decides nothing.

mod ear;
mod frame;
mod interface;
mod probe;
mod queue;
mod socket;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::offer::Desk,
    config::{Config, DhcpReply},
    wire::dhcp::{PROXY_PORT, SERVER_PORT},
};
use ear::Ear;
use frame::Frames;
use interface::Interface;
use probe::Echo;
use socket::Socket;

/// How to listen.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The interfaces.
    pub interfaces: Vec<String>,
    /// How clients without an address are answered.
    pub reply: DhcpReply,
    /// Packets that wait for the disk or a probe at once; each interface has its share.
    pub requests: usize,
}

impl Settings {
    /// What the settings file says.
    pub fn of(config: &Config) -> Self {
        Self { interfaces: config.dhcp.interfaces.clone(), reply: config.dhcp.reply, requests: config.limits.dhcp_requests }
    }
}

/// Why it does not listen.
#[derive(Debug, thiserror::Error)]
pub enum CannotListen {
    /// No such interface, or it cannot be asked about.
    #[error("dhcp.interfaces: {interface}: {source}; `ip link` lists what there is")]
    Interface {
        /// Which.
        interface: String,
        /// What the system said.
        source: io::Error,
    },
    /// The port.
    #[error("DHCP cannot listen on port {port} of {interface}: {source}; is another DHCP server running, or CAP_NET_BIND_SERVICE missing?")]
    Port {
        /// Which.
        interface: String,
        /// 67 or 4011.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

/// One interface with its sockets.
struct Door {
    interface: Interface,
    sockets: Vec<Socket>,
    /// `None`: broadcast instead.
    frames: Option<Frames>,
    echo: Echo,
}

/// Sockets that are bound and not served yet.
pub struct Server {
    doors: Vec<Arc<Door>>,
    requests: usize,
}

/// How often the interfaces' addresses are read again and leases that ended are told.
const TICK: Duration = Duration::from_secs(5);

impl Server {
    /// Opens every socket.
    pub fn bind(settings: &Settings) -> Result<Self, CannotListen> {
        let doors = settings.interfaces.iter().map(|name| Door::open(name, settings.reply).map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(Self { doors, requests: settings.requests.max(1) })
    }

    /// Serves until `stop`, then finishes what is being worked on.
    pub async fn run(self, desk: Arc<Desk>, stop: CancellationToken) {
        let sockets: usize = self.doors.iter().map(|door| door.sockets.len()).sum();
        let room = (self.requests / sockets.max(1)).max(1);
        let (mut ears, mut echoes) = (JoinSet::new(), JoinSet::new());
        for door in &self.doors {
            let hearer = door.clone();
            echoes.spawn(async move { hearer.echo.listen().await });
            for socket in 0..door.sockets.len() {
                ears.spawn(Ear::new(door.clone(), socket, desk.clone(), room).listen(stop.clone()));
            }
        }
        let mut tick = tokio::time::interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = ears.join_next() => unless_panicked(ended),
                _ = tick.tick() => {
                    self.doors.iter().for_each(|door| door.interface.refresh());
                    if let Err(why) = desk.expire().await {
                        tracing::warn!(%why, "ended leases could not be noted");
                    }
                }
            }
        }
        while let Some(ended) = ears.join_next().await {
            unless_panicked(ended);
        }
        echoes.shutdown().await;
    }
}

/// A port that nobody hears while everything else goes on would be found out by a hall that does not boot.
fn unless_panicked(ended: Result<(), JoinError>) {
    if let Err(fault) = ended
        && fault.is_panic()
    {
        std::panic::resume_unwind(fault.into_panic());
    }
}

impl Door {
    fn open(name: &str, reply: DhcpReply) -> Result<Self, CannotListen> {
        let interface = Interface::open(name).map_err(|source| CannotListen::Interface { interface: name.to_owned(), source })?;
        let socket = |port| Socket::bind(name, port).map_err(|source| CannotListen::Port { interface: name.to_owned(), port, source });
        let sockets = vec![socket(SERVER_PORT)?, socket(PROXY_PORT)?];
        if interface.addresses().is_empty() {
            tracing::warn!(interface = name, "the interface has no IPv4 address yet; packets from it belong to no network");
        }
        let frames = match (reply, interface.mac()) {
            (DhcpReply::Broadcast, _) => None,
            (DhcpReply::Raw, None) => None,
            (DhcpReply::Raw, Some(mac)) => Frames::open(interface.index(), mac)
                .inspect_err(
                    |why| tracing::warn!(interface = name, %why, "no raw socket (CAP_NET_RAW); clients without an address are answered by broadcast"),
                )
                .ok(),
        };
        Ok(Self { echo: Echo::open(name), interface, sockets, frames })
    }
}
