//! The sockets of a run: one for the DHCP of all hosts, as a relay has it, one for each host's loader, one for each request.
//!
//! ```text
//! relay socket :67 ─ reader ─ by chaddr ─▶ inbox of each host ─┐
//! its TFTP socket ──────────────── weather ────────────────────┼─▶ Machine ─▶ outputs ─ weather ─▶ sockets
//! its request, its clock ──────────────────────────────────────┘
//! ```
//! A task for each host, all on one thread: the simulator shares its computer with the daemon that it loads. Nothing is decided here.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;
use socket2::SockRef;
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    host::Identity,
    http,
    machine::{Input, Machine, Output, Reply},
    record::Record,
    weather::{Odds, Tally, Weather, break_of},
};

/// DHCP answers that wait for one host; firmware holds fewer.
const INBOX: usize = 16;
/// A longer packet is none of DHCP's.
const LONGEST: usize = 2048;

/// What all hosts of a run share.
pub struct Segment {
    /// The relay's socket.
    pub dhcp: UdpSocket,
    /// Where DHCP goes.
    pub server: SocketAddrV4,
    /// When the run began.
    pub began: Instant,
    /// Whether a host uses the address that it was leased.
    pub own_addresses: bool,
    /// The weather for all.
    pub odds: Odds,
    /// The longest datagram that a loader's blocks make.
    pub longest: usize,
}

/// A packet on its way out.
#[derive(Debug, Clone)]
enum Sent {
    Dhcp(Vec<u8>),
    Tftp(SocketAddrV4, Vec<u8>),
}

/// A packet on its way in.
#[derive(Debug, Clone)]
enum Come {
    Dhcp(Vec<u8>),
    Tftp(SocketAddrV4, Vec<u8>),
}

/// The host's end of its inbox and of its chances.
pub struct Door {
    /// DHCP answers.
    pub inbox: mpsc::Receiver<Vec<u8>>,
    /// What its packets out and in meet, and its connections.
    pub chances: [Rng; 3],
}

/// The two ends of a host's inbox.
pub fn inbox() -> (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>) {
    mpsc::channel(INBOX)
}

/// Hands DHCP answers to the hosts that they are for, until it is dropped.
pub async fn deliver(segment: Arc<Segment>, first: crate::model::Mac, hosts: Vec<mpsc::Sender<Vec<u8>>>) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST];
    loop {
        let (length, from) = segment.dhcp.recv_from(&mut buffer).await?;
        let bytes = &buffer[..length];
        let chaddr = bytes.get(28..34).and_then(|octets| <[u8; 6]>::try_from(octets).ok());
        let host = chaddr.and_then(|octets| Identity::number_of(first, octets)).and_then(|number| hosts.get(number));
        if let (Some(host), true) = (host, from.ip() == *segment.server.ip()) {
            // A host that is over, or that has more than it reads, loses it as any card would.
            let _as_on_a_card = host.try_send(bytes.to_vec());
        }
    }
}

/// One host, from its power-on to its end.
pub async fn live(segment: Arc<Segment>, machine: Machine, door: Door) -> (Identity, Record, Tally) {
    let [out, inward, connections] = door.chances;
    let wire = Wire {
        out: Weather::new(segment.odds, out),
        inward: Weather::new(segment.odds, inward),
        connections,
        broken: 0,
        tftp: None,
        request: None,
        segment,
        machine,
        is_over: false,
    };
    wire.run(door.inbox).await
}

/// A host with its cables.
struct Wire {
    segment: Arc<Segment>,
    machine: Machine,
    out: Weather<Sent>,
    inward: Weather<Come>,
    connections: Rng,
    broken: u64,
    tftp: Option<UdpSocket>,
    request: Option<Pin<Box<dyn Future<Output = Reply> + Send>>>,
    is_over: bool,
}

/// What a host waited for.
enum Woke {
    Time,
    Dhcp(Vec<u8>),
    Readable,
    Http(Reply),
}

impl Wire {
    async fn run(mut self, mut inbox: mpsc::Receiver<Vec<u8>>) -> (Identity, Record, Tally) {
        let mut buffer = vec![0; self.segment.longest];
        let clock = sleep_until(self.segment.began);
        tokio::pin!(clock);
        while !self.is_over {
            if let Some(at) = self.wakes_at() {
                clock.as_mut().reset(self.segment.began + at);
            }
            let woke = tokio::select! {
                biased;
                Some(bytes) = inbox.recv() => Woke::Dhcp(bytes),
                () = readable(self.tftp.as_ref()) => Woke::Readable,
                reply = answered(&mut self.request) => Woke::Http(reply),
                () = &mut clock => Woke::Time,
            };
            match woke {
                Woke::Time => self.tick(),
                Woke::Dhcp(bytes) => self.comes(Come::Dhcp(bytes)),
                Woke::Readable => self.read_tftp(&mut buffer),
                Woke::Http(reply) => {
                    self.request = None;
                    self.take(Input::Http(reply));
                }
            }
        }
        let mut tally = self.out.tally;
        tally += self.inward.tally;
        tally.broken = self.broken;
        (*self.machine.host(), self.machine.record, tally)
    }

    fn now(&self) -> Duration {
        self.segment.began.elapsed()
    }

    fn wakes_at(&self) -> Option<Duration> {
        [self.machine.wakes_at(), self.out.wakes_at(), self.inward.wakes_at()].into_iter().flatten().min()
    }

    /// Everything whose time has come.
    fn tick(&mut self) {
        let now = self.now();
        let mut sent = Vec::new();
        self.out.due(now, &mut sent);
        sent.into_iter().for_each(|packet| self.send(packet));
        let mut come = Vec::new();
        self.inward.due(now, &mut come);
        come.into_iter().for_each(|packet| self.arrives(packet));
        self.take(Input::Wake);
    }

    /// A packet comes out of the network into its weather.
    fn comes(&mut self, packet: Come) {
        let mut through = Vec::new();
        self.inward.take(self.now(), packet, &mut through);
        through.into_iter().for_each(|packet| self.arrives(packet));
    }

    fn arrives(&mut self, packet: Come) {
        match packet {
            Come::Dhcp(bytes) => self.take(Input::Dhcp(&bytes)),
            Come::Tftp(from, bytes) => self.take(Input::Datagram(from, &bytes)),
        }
    }

    fn read_tftp(&mut self, buffer: &mut [u8]) {
        while let Some(socket) = &self.tftp {
            let Ok((length, SocketAddr::V4(from))) = socket.try_recv_from(buffer) else { return };
            if self.inward.is_clear() {
                self.inward.tally.packets += 1;
                self.take(Input::Datagram(from, &buffer[..length]));
            } else {
                self.comes(Come::Tftp(from, buffer[..length].to_vec()));
            }
        }
    }

    fn take(&mut self, input: Input<'_>) {
        let mut outputs = Vec::new();
        self.machine.take(self.now(), input, &mut outputs);
        for output in outputs {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dhcp(bytes) => self.goes(Sent::Dhcp(bytes)),
            Output::Datagram(to, bytes) => self.goes(Sent::Tftp(to, bytes)),
            Output::Open(from) => {
                self.close();
                let from = if self.segment.own_addresses { from } else { Ipv4Addr::UNSPECIFIED };
                // Without a socket nothing comes, and the machine's patience ends: the address is told at the end.
                self.tftp = udp(from).inspect_err(|why| tracing::warn!(%from, %why, "no TFTP socket")).ok();
            }
            Output::Close => self.close(),
            Output::Fetch(from, fetch) => {
                let breaks_at = break_of(&mut self.connections, self.segment.odds);
                self.broken += u64::from(breaks_at.is_some());
                let from = self.segment.own_addresses.then_some(from);
                self.request = Some(Box::pin(http::fetch(from, fetch, breaks_at)));
            }
            Output::Over => self.is_over = true,
        }
    }

    /// The loader's port is closed, and what was under way to it or from it is of no use to the next one.
    fn close(&mut self) {
        self.tftp = None;
        self.inward.forget(|packet| matches!(packet, Come::Tftp(..)));
        self.out.forget(|packet| matches!(packet, Sent::Tftp(..)));
    }

    /// A packet goes out into the weather.
    fn goes(&mut self, packet: Sent) {
        let mut through = Vec::new();
        self.out.take(self.now(), packet, &mut through);
        through.into_iter().for_each(|packet| self.send(packet));
    }

    /// What the socket does not take now is lost, as in a card whose queue is full.
    fn send(&self, packet: Sent) {
        let _lost = match packet {
            Sent::Dhcp(bytes) => send_to(&self.segment.dhcp, &bytes, self.segment.server),
            Sent::Tftp(to, bytes) => self.tftp.as_ref().map_or(Ok(()), |socket| send_to(socket, &bytes, to)),
        };
    }
}

/// Past tokio, which would first wait to be told that a new socket can be written to.
fn send_to(socket: &UdpSocket, bytes: &[u8], to: SocketAddrV4) -> io::Result<()> {
    SockRef::from(socket).send_to(bytes, &to.into()).map(drop)
}

fn udp(from: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind((from, 0))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

async fn readable(socket: Option<&UdpSocket>) {
    match socket {
        // What is wrong with it shows when it is read.
        Some(socket) => drop(socket.readable().await),
        None => std::future::pending().await,
    }
}

async fn answered(request: &mut Option<Pin<Box<dyn Future<Output = Reply> + Send>>>) -> Reply {
    match request {
        Some(request) => request.as_mut().await,
        None => std::future::pending().await,
    }
}
