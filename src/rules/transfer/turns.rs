//! Whose turn it is to send: those who came first, and nobody waits long.
//!
//! ```text
//!   began ──▶ [front rank: the oldest transfers] ──▶ turns, one after the other
//!        └──▶ [the line] ── a place is free ──▶ front rank
//!                 └──▶ turns when the front rank needs none, or after a tenth of a second
//! ```
//! Sharing a full machine evenly makes everybody late: ten thousand clients in lock step all wait fifteen seconds for their loader.
//! Serving the oldest first lets them end and go, so the mean wait is half. Where there is room for all, there is no difference.

use std::{collections::VecDeque, net::SocketAddrV4, time::Duration};

use super::Moment;

/// The order of turns. It knows clients by their address; what they send is the desk's matter.
#[derive(Debug, Default)]
pub(super) struct Turns {
    front: VecDeque<SocketAddrV4>,
    rest: VecDeque<(Moment, SocketAddrV4)>,
    /// Transfers behind the front rank in order of arrival; the number tells a client's transfers apart.
    line: VecDeque<(SocketAddrV4, u64)>,
    ranked: usize,
}

impl Turns {
    /// Transfers in the front rank: enough lock-step clients to keep a core busy over a round trip of half a millisecond.
    pub(super) const RANK: usize = 128;
    /// How long anybody waits for a turn. The quickest clients ask again after 250 ms (iPXE), most after a second.
    pub(super) const WAIT: Duration = Duration::from_millis(100);

    /// A transfer begins; whether it is in the front rank.
    pub(super) fn begin(&mut self, peer: SocketAddrV4, ticket: u64) -> bool {
        let is_room = self.ranked < Self::RANK;
        if is_room {
            self.ranked += 1;
        } else {
            self.line.push_back((peer, ticket));
        }
        is_room
    }

    /// One of the front rank ended: its place goes to the first in line whom `promote` still knows.
    pub(super) fn end_in_front(&mut self, mut promote: impl FnMut(SocketAddrV4, u64) -> bool) {
        while let Some((peer, ticket)) = self.line.pop_front() {
            if promote(peer, ticket) {
                return;
            }
        }
        self.ranked -= 1;
    }

    /// How many stand in line, those who left it included.
    pub(super) fn line(&self) -> usize {
        self.line.len()
    }

    /// Forgets those who left the line.
    pub(super) fn tidy(&mut self, mut stays: impl FnMut(SocketAddrV4, u64) -> bool) {
        self.line.retain(|(peer, ticket)| stays(*peer, *ticket));
    }

    /// This client has something to send.
    pub(super) fn ask(&mut self, peer: SocketAddrV4, is_in_front: bool, now: Moment) {
        if is_in_front {
            self.front.push_back(peer);
        } else {
            self.rest.push_back((now, peer));
        }
    }

    /// The next turn.
    pub(super) fn take(&mut self, now: Moment) -> Option<SocketAddrV4> {
        if self.rest.front().is_none_or(|(since, _)| now < *since + Self::WAIT)
            && let Some(peer) = self.front.pop_front()
        {
            return Some(peer);
        }
        self.rest.pop_front().map(|(_, peer)| peer)
    }

    /// Whether nobody asks.
    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: usize) -> SocketAddrV4 {
        SocketAddrV4::new([10, 77, (number >> 8) as u8, number as u8].into(), 9)
    }

    fn ms(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    /// As many transfers as asked; who of them is in the front rank.
    fn begun(turns: &mut Turns, count: usize) -> Vec<bool> {
        (0..count).map(|number| turns.begin(peer(number), number as u64)).collect()
    }

    #[test]
    fn the_oldest_come_first_and_nobody_waits_long() {
        let mut turns = Turns::default();
        let ranks = begun(&mut turns, Turns::RANK + 2);
        assert_eq!(ranks.iter().filter(|is_in_front| **is_in_front).count(), Turns::RANK);
        turns.ask(peer(Turns::RANK), false, ms(0));
        turns.ask(peer(Turns::RANK + 1), false, ms(50));
        turns.ask(peer(0), true, ms(60));
        turns.ask(peer(1), true, ms(60));
        let order: Vec<_> = [60, 100, 101, 102, 103].map(|at| turns.take(ms(at))).into();
        assert_eq!(order, [Some(peer(0)), Some(peer(Turns::RANK)), Some(peer(1)), Some(peer(Turns::RANK + 1)), None]);
        assert!(turns.is_empty());
    }

    #[test]
    fn a_free_place_goes_to_the_first_in_line_who_is_still_there() {
        let mut turns = Turns::default();
        begun(&mut turns, Turns::RANK + 3);
        let mut promoted = Vec::new();
        let gone = Turns::RANK as u64;
        for _ in 0..2 {
            turns.end_in_front(|_, ticket| {
                let stays = ticket != gone;
                promoted.extend(stays.then_some(ticket));
                stays
            });
        }
        assert_eq!(promoted, [gone + 1, gone + 2]);
        turns.end_in_front(|_, _| true);
        assert!(turns.begin(peer(0), 9999), "there is a place again");
    }

    #[test]
    fn those_who_left_the_line_take_no_memory() {
        let mut turns = Turns::default();
        begun(&mut turns, Turns::RANK + 100);
        turns.tidy(|_, ticket| ticket % 2 == 0);
        assert_eq!(turns.line(), 50);
    }
}
