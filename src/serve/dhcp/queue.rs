//! Whose packets are being worked on, and what waits behind them: one packet of a client at a time, in the order in which they came, and
//! a bounded number in all.
//!
//! ```text
//! packet ─▶ its client is at work? ── yes ─▶ behind it, if fewer than three are ─▶ its turn when that is done
//!                  │ no                                  └─▶ dropped: busy
//!                  ▼
//!             room left? total, its link's half, and of that half the last half for hosts on record ─▶ now, or dropped: busy
//! ```
//! Only what has to wait (for the disk, or for a probe) takes room, so a flood of packets that are answered at once or dropped at once
//! has no part in this. Nothing here sends or decides.

use std::{
    collections::{HashMap, VecDeque},
    net::Ipv4Addr,
};

use crate::model::Mac;

/// Packets of one client that wait for their turn: firmware never has more than one on its way.
const BEHIND: usize = 3;

/// Whose a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    /// The client.
    pub(super) mac: Mac,
    /// The relay it came by; 0.0.0.0: the interface's own link.
    pub(super) link: Ipv4Addr,
}

/// What becomes of a packet that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<T> {
    /// It is its turn.
    Now(T),
    /// It waits behind another one of its client.
    Behind,
    /// It is dropped.
    Busy,
}

/// Everybody who waits on one socket.
#[derive(Debug)]
pub(super) struct Queue<T> {
    clients: HashMap<Mac, VecDeque<(Peer, T)>>,
    links: HashMap<Ipv4Addr, usize>,
    taken: usize,
    room: usize,
}

impl<T> Queue<T> {
    /// Room for so many packets.
    pub(super) fn new(room: usize) -> Self {
        Self { clients: HashMap::new(), links: HashMap::new(), taken: 0, room }
    }

    /// Whether it is this packet's turn. Who is on record is asked only where it matters.
    pub(super) fn admit(&mut self, peer: Peer, packet: T, is_recorded: impl FnOnce() -> bool) -> Turn<T> {
        if !self.has_room(peer.link, is_recorded) {
            return Turn::Busy;
        }
        let Some(behind) = self.clients.get_mut(&peer.mac) else { return Turn::Now(packet) };
        if behind.len() >= BEHIND {
            return Turn::Busy;
        }
        behind.push_back((peer, packet));
        self.take(peer.link);
        Turn::Behind
    }

    /// The packet whose turn it was has to wait.
    pub(super) fn waits(&mut self, peer: Peer) {
        self.clients.insert(peer.mac, VecDeque::new());
        self.take(peer.link);
    }

    /// A packet that waited is done; the next one of its client, whose turn it is.
    pub(super) fn done(&mut self, peer: Peer) -> Option<(Peer, T)> {
        self.taken -= 1;
        if let Some(count) = self.links.get_mut(&peer.link) {
            *count -= 1;
            if *count == 0 {
                self.links.remove(&peer.link);
            }
        }
        let next = self.clients.get_mut(&peer.mac)?.pop_front();
        if next.is_none() {
            self.clients.remove(&peer.mac);
        }
        next
    }

    fn take(&mut self, link: Ipv4Addr) {
        self.taken += 1;
        *self.links.entry(link).or_default() += 1;
    }

    fn has_room(&self, link: Ipv4Addr, is_recorded: impl FnOnce() -> bool) -> bool {
        let share = self.room.div_ceil(2);
        let of_link = self.links.get(&link).copied().unwrap_or(0);
        self.taken < self.room && of_link < share && (of_link < share.div_ceil(2) || is_recorded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u16, link: u8) -> Peer {
        let [high, low] = number.to_be_bytes();
        Peer { mac: Mac::from_octets([0x52, 0x54, 0, 0, high, low]).unwrap(), link: [10, 0, 0, link].into() }
    }

    /// Lets packets of strangers in and keeps them waiting; how many there was room for.
    fn fill(queue: &mut Queue<u16>, link: u8, recorded: bool) -> usize {
        let first = u16::from(link) * 1000 + if recorded { 500 } else { 0 };
        let admitted = (first..first + 100).filter(|number| {
            let now = queue.admit(peer(*number, link), *number, || recorded) == Turn::Now(*number);
            if now {
                queue.waits(peer(*number, link));
            }
            now
        });
        admitted.count()
    }

    #[test]
    fn packets_of_one_client_keep_their_order_and_are_bounded() {
        let mut queue = Queue::new(64);
        let client = peer(1, 1);
        assert_eq!(queue.admit(client, 1, || false), Turn::Now(1));
        queue.waits(client);
        for number in 2..=4 {
            assert_eq!(queue.admit(client, number, || false), Turn::Behind);
        }
        assert_eq!(queue.admit(client, 5, || false), Turn::Busy);
        assert_eq!(queue.admit(peer(2, 1), 9, || false), Turn::Now(9), "others go on");
        for number in 2..=4 {
            assert_eq!(queue.done(client), Some((client, number)));
        }
        assert_eq!(queue.done(client), None);
        assert_eq!((queue.taken, queue.clients.len(), queue.links.len()), (0, 0, 0));
    }

    #[test]
    fn a_packet_that_is_answered_at_once_takes_no_room() {
        let mut queue = Queue::new(1);
        assert!((0..100).all(|number| queue.admit(peer(number, 1), number, || false) == Turn::Now(number)));
    }

    #[test]
    fn strangers_of_a_link_leave_room_for_hosts_on_record_and_the_link_for_other_links() {
        let mut queue = Queue::new(64);
        assert_eq!(fill(&mut queue, 1, false), 16);
        assert_eq!(fill(&mut queue, 1, true), 16);
        assert_eq!(fill(&mut queue, 2, false), 16);
        assert_eq!(fill(&mut queue, 3, true), 16, "and no more than there is in all");
        assert_eq!(fill(&mut queue, 4, true), 0);
        queue.done(peer(1000, 1));
        assert_eq!(fill(&mut queue, 4, false), 1, "what is done makes room");
    }
}
