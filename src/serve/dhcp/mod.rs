//! The DHCP server: for each interface a socket on port 67 and one on 4011, a frame socket, and the story `app::offer` behind them.
//!
//! ```text
//! br0:67 ───┐ parse   ┌────────────┐ answer   ┌ relay, unicast, broadcast: the UDP socket it came in by
//! br0:4011 ─┼───────▶ │ app::offer │ ───────▶ ┤
//! eth1:67 ──┘         └────────────┘          └ a client without an address: an Ethernet frame, else broadcast
//! ```
//! Packets are worked on in parallel, at most so many at once; what is beyond that is dropped and counted, and the client asks again.
//! This floor spells and sends; it decides nothing.

mod frame;
mod interface;
mod probe;
mod socket;

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::offer::{Desk, OfferAsk, Sending},
    config::{Config, DhcpReply},
    rules::offer::Destination,
    wire::dhcp::{CLIENT_PORT, MAX_BYTES, PROXY_PORT, Request, SERVER_PORT},
};
use frame::Frames;
use interface::Interface;
use probe::Echo;
use socket::{Arrival, Socket};

/// How to listen.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The interfaces.
    pub interfaces: Vec<String>,
    /// How clients without an address are answered.
    pub reply: DhcpReply,
    /// Packets being worked on at once.
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
}

/// Sockets that are bound and not served yet.
pub struct Server {
    doors: Vec<Arc<Door>>,
    requests: usize,
}

/// All clients of a link.
const EVERYBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
/// How often the interfaces' addresses are read again and leases that ended are told.
const TICK: Duration = Duration::from_secs(5);
/// How long a stop waits for packets being worked on.
const GRACE: Duration = Duration::from_secs(5);

impl Server {
    /// Opens every socket.
    pub fn bind(settings: &Settings) -> Result<Self, CannotListen> {
        let doors = settings.interfaces.iter().map(|name| Door::open(name, settings.reply).map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(Self { doors, requests: settings.requests.max(1) })
    }

    /// Serves until `stop`, then finishes what is being worked on.
    pub async fn run(self, desk: Arc<Desk>, stop: CancellationToken) {
        let work = Work { desk, room: Arc::new(Semaphore::new(self.requests)), tasks: TaskTracker::new() };
        let mut ears = JoinSet::new();
        for door in &self.doors {
            for index in 0..door.sockets.len() {
                let (door, work, stop) = (door.clone(), work.clone(), stop.clone());
                ears.spawn(async move { stop.run_until_cancelled(listen(door, index, work)).await });
            }
        }
        let mut tick = tokio::time::interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            self.doors.iter().for_each(|door| door.interface.refresh());
            if let Err(why) = work.desk.expire().await {
                tracing::warn!(%why, "ended leases could not be noted");
            }
        }
        while ears.join_next().await.is_some() {}
        work.tasks.close();
        if tokio::time::timeout(GRACE, work.tasks.wait()).await.is_err() {
            tracing::warn!(left = work.tasks.len(), "DHCP packets were still being worked on at the end");
        }
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
        Ok(Self { interface, sockets, frames })
    }

    fn send(&self, index: usize, sending: &Sending) -> io::Result<()> {
        let socket = &self.sockets[index];
        let by_udp = |to| socket.send(&sending.bytes, to, sending.source, self.interface.index());
        match sending.to {
            Destination::Relay(relay) => by_udp(SocketAddrV4::new(relay, SERVER_PORT)),
            Destination::Unicast(peer) => by_udp(peer),
            Destination::Broadcast => by_udp(EVERYBODY),
            Destination::Frame { mac, address } => match &self.frames {
                Some(frames) => frames.send(&sending.bytes, mac, address, sending.source).or_else(|why| {
                    tracing::debug!(%mac, %why, "a frame could not be sent; broadcast instead");
                    by_udp(EVERYBODY)
                }),
                None => by_udp(EVERYBODY),
            },
        }
    }
}

#[derive(Clone)]
struct Work {
    desk: Arc<Desk>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

async fn listen(door: Arc<Door>, index: usize, work: Work) {
    let mut buffer = vec![0; MAX_BYTES + 1];
    loop {
        match door.sockets[index].receive(&mut buffer).await {
            Ok(arrival) => take(&door, index, &work, &buffer[..arrival.len], &arrival),
            Err(why) => {
                // An interface that went away reports it again and again.
                tracing::warn!(interface = door.interface.name(), %why, "dhcp: cannot receive");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn take(door: &Arc<Door>, index: usize, work: &Work, bytes: &[u8], arrival: &Arrival) {
    let request = match Request::parse(bytes) {
        Ok(request) => request,
        Err(why) => {
            let (desk, from) = (work.desk.clone(), arrival.from);
            work.tasks.spawn(async move { desk.malformed(why, from).await });
            return;
        }
    };
    let Ok(room) = work.room.clone().try_acquire_owned() else {
        return work.desk.busy();
    };
    let ask = OfferAsk {
        request,
        from: arrival.from,
        port: door.sockets[index].port(),
        addresses: door.interface.addresses(),
        was_broadcast: arrival.to == Ipv4Addr::BROADCAST || !door.interface.addresses().contains(&arrival.to),
    };
    let (door, desk) = (door.clone(), work.desk.clone());
    work.tasks.spawn(async move {
        let echo = Echo { interface: door.interface.name() };
        if let Some(sending) = desk.offer(&ask, &echo).await {
            tokio::time::sleep(Duration::from_millis(sending.delay_ms.into())).await;
            if let Err(why) = door.send(index, &sending) {
                desk.unsent(&ask, &why.to_string());
            }
        }
        drop(room);
    });
}
