//! The TFTP server: some threads, each with two sockets and a desk of `rules::transfer` between them.
//!
//! ```text
//!   port 69 ──RRQ──▶ ┌──────┐ ──wanted──▶ Files::open (a task each) ──┐
//!                    │ desk │ ◀──────────────────────────────────────-┘
//!   data   ──ACK───▶ └──────┘ ──DATA, OACK, ERROR──▶ data socket, from the address that was asked
//! ```
//! A thread for each core up to four: the kernel gives each client to one of them. All transfers of a thread share one data socket; a
//! client's address and port tell them apart (a TID is a pair, RFC 1350 section 4). With `single_port` port 69 itself is the data
//! socket, for networks that translate addresses. This floor decides nothing: which file a name means is [`Files`]' matter, when to
//! send is the desk's.

mod bell;
mod inbox;
mod outbox;
mod reactor;
mod socket;
mod story;

use std::{io, net::SocketAddrV4, sync::Arc, thread, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    rules::transfer::{
        Event, Limits, Refusal, Silence,
        desk::{Desk, Rolls},
    },
    wire::tftp::FileName,
};
use bell::Bell;
use reactor::{Orders, Reactor};
use socket::Socket;
pub use story::serve;

/// Where files come from and what is told of them. `event`, `refused` and `silent` are called in order and must not wait.
#[async_trait]
pub trait Files: Send + Sync {
    /// The file, whole and in memory, or why this client does not get it.
    async fn open(&self, peer: SocketAddrV4, name: &FileName) -> Result<Bytes, Refusal>;
    /// Something happened to a transfer.
    fn event(&self, peer: SocketAddrV4, name: &FileName, event: &Event);
    /// A request was answered with ERROR; the name as it came.
    fn refused(&self, peer: SocketAddrV4, name: &str, refusal: &Refusal);
    /// A packet was not answered.
    fn silent(&self, peer: SocketAddrV4, why: Silence);
}

/// How to listen.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where requests come in.
    pub listen: SocketAddrV4,
    /// Whether everything goes over that one port.
    pub single_port: bool,
    /// Whether the kernel may cut windows into packets (UDP GSO) where it can.
    pub segmentation: bool,
    /// Threads that share the work, at least one.
    pub threads: usize,
    /// The limits of the transfers.
    pub limits: Limits,
    /// How long a stop waits for running transfers.
    pub grace: Duration,
    /// How long a file may be looked for; firmware asks again after some seconds anyhow.
    pub open_within: Duration,
    /// Files that one thread looks for at once, for requests that were taken back meanwhile too.
    pub openings: usize,
}

impl Settings {
    /// More threads than this only take the cores from DHCP, HTTP and the store: four fill a 10 Gbit/s link.
    const THREADS: usize = 4;

    /// As many threads as there are cores for us.
    fn threads() -> usize {
        thread::available_parallelism().map_or(1, |cores| cores.get().min(Self::THREADS))
    }

    /// The usual settings at an address.
    pub fn at(listen: SocketAddrV4) -> Self {
        Self {
            listen,
            single_port: false,
            segmentation: true,
            threads: Self::threads(),
            limits: Limits::default(),
            grace: Duration::from_secs(10),
            open_within: Duration::from_secs(10),
            openings: 4096,
        }
    }
}

/// The server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("TFTP cannot listen on {listen}: {source}")]
pub struct CannotListen {
    /// Where.
    pub listen: SocketAddrV4,
    /// Why.
    pub source: io::Error,
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    ports: Vec<Port>,
    address: SocketAddrV4,
}

/// What one thread listens on.
#[derive(Debug)]
struct Port {
    listener: Socket,
    data: Option<Socket>,
    bell: Arc<Bell>,
}

impl Server {
    /// Binds the sockets; requests wait in them until [`Server::run`].
    pub fn bind(settings: Settings) -> Result<Self, CannotListen> {
        let listen = settings.listen;
        let bind = || {
            let listeners = Socket::bind_together(listen, settings.segmentation && settings.single_port, settings.threads)?;
            let address = listeners[0].address()?;
            let data = || Socket::bind(SocketAddrV4::new(*listen.ip(), 0), settings.segmentation);
            let port = |listener| {
                let data = if settings.single_port { None } else { Some(data()?) };
                Ok(Port { listener, data, bell: Arc::new(Bell::new()?) })
            };
            Ok((listeners.into_iter().map(port).collect::<io::Result<_>>()?, address))
        };
        let (ports, address) = bind().map_err(|source| CannotListen { listen, source })?;
        Ok(Self { settings, ports, address })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Serves until `stop`; then takes nothing new, lets running transfers end within the grace, and ends the others.
    pub async fn run(self, files: Arc<dyn Files>, stop: CancellationToken) {
        let rolls = Rolls::default();
        let mut leash = Leash { abandon: CancellationToken::new(), bells: Vec::new() };
        let mut ends: Vec<oneshot::Receiver<JoinSet<()>>> = Vec::new();
        for (number, Port { listener, data, bell }) in self.ports.into_iter().enumerate() {
            leash.bells.push(bell.clone());
            let orders = Orders { stop: stop.clone(), abandon: leash.abandon.clone(), bell };
            let desk = Desk::sharing(self.settings.limits.clone(), rolls.clone());
            let reactor = Reactor::new(self.settings.clone(), listener, data, desk, files.clone(), orders);
            let (ended, end) = oneshot::channel();
            let serve = move || {
                // If nobody waits any more, the tasks go with their set.
                let _ = ended.send(reactor.run());
            };
            thread::Builder::new().name(format!("tftp-{number}")).spawn(serve).expect("the system has a thread for TFTP");
            ends.push(end);
        }
        let ring = async {
            stop.cancelled().await;
            leash.ring();
            std::future::pending::<()>().await;
        };
        let ended = async {
            for end in ends {
                let mut openings = end.await.expect("a TFTP thread ends by returning");
                openings.shutdown().await;
            }
        };
        tokio::select! { () = ended => {}, () = ring => {} }
    }
}

/// Threads outlive the future that waits for them, unless somebody tells them that it is gone.
struct Leash {
    abandon: CancellationToken,
    bells: Vec<Arc<Bell>>,
}

impl Leash {
    fn ring(&self) {
        self.bells.iter().for_each(|bell| bell.ring());
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.abandon.cancel();
        self.ring();
    }
}
