//! The loop of the TFTP server: receive, ask the desk, fetch files, send, tell.
//!
//! One task for all transfers: a transfer costs some hundred bytes and no task, and packets of many clients are handled in one
//! wake-up. What the network does not take now waits in the desk until it does.

use std::{
    io,
    net::SocketAddrV4,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Files, Server, socket::Socket};
use crate::{
    rules::transfer::{
        Moment, Output, Refusal, Silence,
        desk::{Desk, Notice, Parcel, Wanted},
    },
    wire::tftp::{ErrorCode, Packet},
};

/// The server at work.
pub(super) struct Reactor {
    server: Server,
    files: Arc<dyn Files>,
    desk: Desk,
    openings: JoinSet<(Wanted, Result<Bytes, Refusal>)>,
    start: Instant,
    /// The network takes nothing more for now.
    is_blocked: bool,
    buffer: Box<[u8; 2048]>,
}

/// What woke the loop.
enum Wake {
    Requests,
    Data,
    Room,
    Opened(Wanted, Result<Bytes, Refusal>),
    Time,
    Stop,
}

impl Reactor {
    /// Packets that are received before anything is sent: fairness between the sockets.
    const BATCH: usize = 64;

    pub(super) fn new(server: Server, files: Arc<dyn Files>) -> Self {
        let desk = Desk::new(server.settings.limits.clone());
        Self { server, files, desk, openings: JoinSet::new(), start: Instant::now(), is_blocked: false, buffer: Box::new([0; 2048]) }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut last_call: Option<Moment> = None;
        loop {
            let over = last_call.is_some_and(|last| self.now() >= last);
            if over {
                self.desk.stop(self.now());
            }
            self.send();
            self.tell();
            if over || (last_call.is_some() && self.desk.busy() == 0) {
                // Tasks that still look for files have nobody left to tell.
                self.openings.shutdown().await;
                return;
            }
            match self.wait(&stop, last_call).await {
                Wake::Requests => self.receive(true),
                Wake::Data => self.receive(false),
                Wake::Room => self.is_blocked = false,
                Wake::Opened(wanted, found) => self.desk.on_opened(&wanted, found, self.now()),
                Wake::Time => {}
                Wake::Stop => {
                    self.desk.close();
                    last_call = Some(self.now() + self.server.settings.grace);
                }
            }
            self.desk.on_tick(self.now());
        }
    }

    async fn wait(&mut self, stop: &CancellationToken, last_call: Option<Moment>) -> Wake {
        let due = [self.desk.deadline(), last_call].into_iter().flatten().min().unwrap_or(Duration::from_secs(3600));
        let at = tokio::time::Instant::from_std(self.start + due);
        let Server { listener, data, .. } = &self.server;
        let sender = data.as_ref().unwrap_or(listener);
        tokio::select! {
            _ = listener.readable() => Wake::Requests,
            _ = sender.readable(), if data.is_some() => Wake::Data,
            _ = sender.writable(), if self.is_blocked => Wake::Room,
            Some(opened) = self.openings.join_next(), if !self.openings.is_empty() => match opened {
                Ok((wanted, found)) => Wake::Opened(wanted, found),
                Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
                Err(_) => Wake::Time,
            },
            () = tokio::time::sleep_until(at) => Wake::Time,
            () = stop.cancelled(), if last_call.is_none() => Wake::Stop,
        }
    }

    fn now(&self) -> Moment {
        self.start.elapsed()
    }

    fn receive(&mut self, requests: bool) {
        for _ in 0..Self::BATCH {
            let socket: &mut Socket = match &mut self.server.data {
                Some(data) if !requests => data,
                _ => &mut self.server.listener,
            };
            match socket.receive(&mut self.buffer[..]) {
                Ok(arrival) => {
                    let heard = if arrival.is_broadcast {
                        Err(Silence::Broadcast)
                    } else if arrival.is_cut {
                        Err(Silence::Malformed)
                    } else {
                        self.hear(arrival.peer, arrival.local, arrival.length)
                    };
                    if let Err(why) = heard {
                        self.files.silent(arrival.peer, why);
                    }
                }
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return,
                Err(fault) => {
                    tracing::warn!(%fault, "a TFTP packet could not be received");
                    return;
                }
            }
        }
    }

    fn hear(&mut self, peer: SocketAddrV4, local: std::net::Ipv4Addr, length: usize) -> Result<(), Silence> {
        let packet = Packet::parse(&self.buffer[..length]).map_err(|why| {
            tracing::debug!(%peer, %why, "no TFTP packet");
            Silence::Malformed
        })?;
        let now = self.start.elapsed();
        if let Some(wanted) = self.desk.on_packet(peer, self.server.own(local), packet, now)? {
            let (files, within) = (Arc::clone(&self.files), self.server.settings.open_within);
            self.openings.spawn(async move {
                let found = tokio::time::timeout(within, files.open(wanted.peer, &wanted.name)).await;
                (wanted, found.unwrap_or_else(|_| Err(too_slow())))
            });
        }
        Ok(())
    }

    /// Sends what waits, until the network takes no more.
    fn send(&mut self) {
        let socket = self.server.data.as_mut().unwrap_or(&mut self.server.listener);
        while !self.is_blocked {
            let Some(outgoing) = self.desk.front() else { return };
            let (peer, local) = (outgoing.peer, outgoing.local);
            let left = match outgoing.parcel {
                Parcel::Packet(bytes) => socket.send(peer, local, bytes).map(|()| 0),
                Parcel::Of(transfer, Output::OptionAck) => {
                    let packet = Packet::OptionAck(transfer.terms().granted).to_bytes();
                    socket.send(peer, local, &packet).map(|()| 0)
                }
                Parcel::Of(transfer, Output::Blocks { first, last }) => socket.send_blocks(peer, local, transfer, first, last),
            };
            match left {
                Ok(block) => self.desk.left(block),
                Err(_) => self.is_blocked = true,
            }
        }
    }

    fn tell(&mut self) {
        while let Some(notice) = self.desk.take_notice() {
            match notice {
                Notice::Happened { peer, name, event } => self.files.event(peer, &name, &event),
                Notice::Refused { peer, name, refusal } => self.files.refused(peer, &name, &refusal),
            }
        }
    }
}

fn too_slow() -> Refusal {
    Refusal::new(ErrorCode::Undefined, "file_slow", "the server could not look for the file in time; try again")
}
