//! The whole TFTP desk: packets of a few clients, files that are found or not, time, and the network taking what is sent.
//!
//! ```text
//!   limits   (what  client  …)*      what: a packet, a written packet, time, a file, none, send some, send all, stop
//! ```
//! Promised: what there is to send comes to an end without an answer; no more transfers than the limits allow; each that began ends once;
//! and when nobody answers any more, the desk is empty after a while.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use bootwright::{
    rules::transfer::{
        Event, Limits, Moment, Output, Refusal,
        desk::{Desk, Notice, Parcel, Wanted},
    },
    wire::tftp::{ErrorCode, FileName, Packet},
};
use bytes::Bytes;

use crate::feed::Feed;

const LOCAL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Steps of one input; more of them teach nothing new.
const MOST_STEPS: usize = 512;

struct Hall {
    desk: Desk,
    limits: Limits,
    now: Moment,
    wanted: VecDeque<Wanted>,
    /// Transfers that began and did not end.
    running: HashMap<(SocketAddrV4, FileName), u32>,
}

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let limits = Limits {
        blksize: feed.u16().clamp(8, 65464),
        windowsize: u16::from(feed.byte() % 64).max(1),
        per_peer: usize::from(feed.byte() % 8),
        in_total: usize::from(feed.byte() % 16),
        translated: usize::from(feed.byte() % 4),
        translated_bytes: 4096,
        ..Limits::default()
    };
    let mut hall = Hall { desk: Desk::new(limits.clone()), limits, now: Moment::ZERO, wanted: VecDeque::new(), running: HashMap::new() };
    for _ in 0..MOST_STEPS {
        if feed.is_empty() {
            break;
        }
        hall.step(&mut feed);
        assert!(hall.desk.busy() <= hall.limits.in_total, "{} at once", hall.desk.busy());
    }
    hall.empties();
}

impl Hall {
    fn step(&mut self, feed: &mut Feed<'_>) {
        match feed.byte() % 9 {
            0 => {
                let peer = peer(feed.byte());
                if let Ok(packet) = Packet::parse(feed.chunk()) {
                    self.hears(peer, packet);
                }
            }
            1 => {
                let (peer, block) = (peer(feed.byte()), feed.u16());
                self.hears(peer, Packet::Ack { block });
            }
            2 => {
                self.now += Duration::from_millis(u64::from(feed.byte()));
                self.desk.on_tick(self.now);
            }
            3 => {
                self.now += Duration::from_secs(u64::from(feed.byte()));
                self.desk.on_tick(self.now);
            }
            4 => {
                let size = usize::from(feed.u16()) % 9000;
                self.finds(Ok(Bytes::from(vec![b'\n'; size])));
            }
            5 => self.finds(Err(Refusal::new(ErrorCode::NotFound, "not_found", "there is no such file"))),
            6 => self.sends(usize::from(feed.byte())),
            7 => self.sends(usize::MAX),
            _ if feed.byte() > 250 => self.desk.stop(self.now),
            _ => {}
        }
        self.notices();
    }

    fn hears(&mut self, peer: SocketAddrV4, packet: Packet<'_>) {
        match self.desk.on_packet(peer, LOCAL, packet, self.now) {
            Ok(wanted) => self.wanted.extend(wanted),
            Err(silence) => assert!(!silence.code().is_empty()),
        }
    }

    fn finds(&mut self, found: Result<Bytes, Refusal>) {
        if let Some(wanted) = self.wanted.pop_front() {
            self.desk.on_opened(&wanted, found, self.now);
        }
    }

    /// The network takes so many parcels.
    fn sends(&mut self, most: usize) {
        // Every parcel is a packet of those that wait, or all that a transfer has to send before it hears something.
        let bound = 1100 + self.limits.in_total;
        for sent in 0..most {
            let now = self.now;
            let Some(outgoing) = self.desk.round(1, 1, now).next() else { return };
            assert!(sent < bound, "there is always more to send");
            assert_eq!(outgoing.local, LOCAL);
            let last = match outgoing.parcel {
                Parcel::Packet(bytes) => {
                    assert!(bytes.len() <= 512 && Packet::parse(bytes).is_ok());
                    0
                }
                Parcel::Of(_, Output::OptionAck) => 0,
                Parcel::Of(transfer, Output::Blocks { first, last }) => {
                    assert!(first <= last && last - first < u64::from(self.limits.windowsize), "{first} to {last}");
                    // Without an option a block has 512 bytes, whatever the site's limit is.
                    let blksize = usize::from(transfer.terms().blksize);
                    assert!(blksize <= usize::from(self.limits.blksize.max(512)));
                    assert!((first..=last).all(|block| transfer.block(block).1.len() <= blksize));
                    last
                }
            };
            self.desk.left(last, now);
        }
    }

    fn notices(&mut self) {
        while let Some(notice) = self.desk.take_notice() {
            let Notice::Happened { peer, name, event } = notice else { continue };
            let running = self.running.entry((peer, name)).or_default();
            match event {
                Event::Requested { .. } => *running += 1,
                Event::Progress { .. } => assert!(*running > 0, "progress of nothing"),
                Event::Done { .. } | Event::Probed { .. } | Event::Aborted { .. } | Event::TimedOut { .. } => {
                    *running = running.checked_sub(1).expect("it ends once");
                }
            }
        }
    }

    /// Files come, packets leave, nobody answers, time passes.
    fn empties(mut self) {
        while !self.wanted.is_empty() {
            self.finds(Ok(Bytes::from_static(b"file")));
        }
        for _ in 0..4096 {
            self.sends(usize::MAX);
            self.notices();
            let Some(deadline) = self.desk.deadline() else {
                assert_eq!(self.desk.busy(), 0, "busy with nothing to wait for");
                return;
            };
            self.now = self.now.max(deadline);
            self.desk.on_tick(self.now);
        }
        panic!("the desk never empties");
    }
}

/// A few clients, two of each address; also such as no client is.
fn peer(which: u8) -> SocketAddrV4 {
    let address = if which > 250 { Ipv4Addr::BROADCAST } else { Ipv4Addr::new(10, 77, 0, 10 + which % 3) };
    SocketAddrV4::new(address, 1000 + u16::from(which / 3 % 4))
}
