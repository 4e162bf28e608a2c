//! The TFTP server: two sockets and the desk of `rules::transfer` between them.
//!
//! ```text
//!   port 69 ──RRQ──▶ ┌──────┐ ──wanted──▶ Files::open (a task each) ──┐
//!                    │ desk │ ◀──────────────────────────────────────-┘
//!   data   ──ACK───▶ └──────┘ ──DATA, OACK, ERROR──▶ data socket, from the address that was asked
//! ```
//! All transfers share one data socket; a client's address and port tell them apart (a TID is a pair, RFC 1350 section 4). With
//! `single_port` port 69 itself is the data socket, for networks that translate addresses. This floor decides nothing: which file a
//! name means is [`Files`]' matter, when to send is the desk's.

mod reactor;
mod socket;
mod story;

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{
    rules::transfer::{Event, Limits, Refusal, Silence},
    wire::tftp::FileName,
};
use reactor::Reactor;
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
    /// The limits of the transfers.
    pub limits: Limits,
    /// How long a stop waits for running transfers.
    pub grace: Duration,
    /// How long a file may be looked for; firmware asks again after some seconds anyhow.
    pub open_within: Duration,
}

impl Settings {
    /// The usual settings at an address.
    pub fn at(listen: SocketAddrV4) -> Self {
        Self {
            listen,
            single_port: false,
            segmentation: true,
            limits: Limits::default(),
            grace: Duration::from_secs(10),
            open_within: Duration::from_secs(10),
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
    listener: Socket,
    data: Option<Socket>,
    address: SocketAddrV4,
}

impl Server {
    /// Binds the sockets; requests wait in them until [`Server::run`].
    pub fn bind(settings: Settings) -> Result<Self, CannotListen> {
        let listen = settings.listen;
        let bind = || {
            let listener = Socket::bind(listen, settings.segmentation && settings.single_port)?;
            let address = listener.address()?;
            let data = if settings.single_port { None } else { Some(Socket::bind(SocketAddrV4::new(*listen.ip(), 0), settings.segmentation)?) };
            Ok((listener, data, address))
        };
        let (listener, data, address) = bind().map_err(|source| CannotListen { listen, source })?;
        Ok(Self { settings, listener, data, address })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Serves until `stop`; then takes nothing new, lets running transfers end within the grace, and ends the others.
    pub async fn run(self, files: Arc<dyn Files>, stop: CancellationToken) {
        Reactor::new(self, files).run(stop).await;
    }

    /// Our address as seen by clients, where a socket could not tell.
    fn own(&self, told: Ipv4Addr) -> Ipv4Addr {
        if told.is_unspecified() { *self.settings.listen.ip() } else { told }
    }
}
