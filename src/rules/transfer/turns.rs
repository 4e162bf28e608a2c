//! Whose turn it is to send: those who came first, and nobody waits long.
//!
//! ```text
//!   began ──▶ [front rank: the oldest transfers] ──▶ turns, one after the other
//!        └──▶ [the line] ── a place is free ──▶ front rank
//!                 └──▶ turns when the front rank needs none; the first answer after a tenth of a second, a further packet before firmware asks again
//! ```
//! Sharing a full machine evenly makes everybody late: ten thousand clients in lock step all wait half a minute for their loader, and longer
//! than their patience. Serving the oldest first lets them end and go; those in line get as much as keeps them there, or that alone would fill
//! the machine. Where there is room for all, there is no difference.

use std::{collections::VecDeque, net::SocketAddrV4, time::Duration};

use super::Moment;

/// The order of turns. It knows clients by their address; what they send is the desk's matter.
#[derive(Debug, Default)]
pub(super) struct Turns {
    front: VecDeque<SocketAddrV4>,
    fresh: VecDeque<(Moment, SocketAddrV4)>,
    rest: VecDeque<(Moment, SocketAddrV4)>,
    /// Transfers behind the front rank in order of arrival; the number tells a client's transfers apart.
    line: VecDeque<(SocketAddrV4, u64)>,
    ranked: usize,
}

/// Who asks for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// One of the oldest.
    Front,
    /// One in line whom nothing was answered yet.
    Fresh,
    /// One in line.
    Line,
}

impl Turns {
    /// Transfers in the front rank: enough lock-step clients to keep a core busy over a round trip of half a millisecond.
    pub(super) const RANK: usize = 128;
    /// How long a first answer waits. The quickest clients ask again after 250 ms (iPXE).
    pub(super) const FRESH_WAIT: Duration = Duration::from_millis(100);
    /// How long a further packet waits. Firmware asks again after a second and gives up after a handful of times; what iPXE repeats sooner
    /// changes nothing.
    pub(super) const WAIT: Duration = Duration::from_millis(750);

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
    pub(super) fn ask(&mut self, peer: SocketAddrV4, standing: Standing, now: Moment) {
        match standing {
            Standing::Front => self.front.push_back(peer),
            Standing::Fresh => self.fresh.push_back((now, peer)),
            Standing::Line => self.rest.push_back((now, peer)),
        }
    }

    /// The next turn; only `with_line` of one who could still wait. Were the line let in whenever the front rank is between two packets, what it
    /// answers would soon stand before the front rank's next packets, and all would share evenly again.
    pub(super) fn take(&mut self, with_line: bool, now: Moment) -> Option<SocketAddrV4> {
        let is_due = |queue: &VecDeque<(Moment, SocketAddrV4)>, wait| queue.front().is_some_and(|(since, _)| now >= *since + wait);
        if is_due(&self.fresh, Self::FRESH_WAIT) {
            return self.fresh.pop_front().map(|(_, peer)| peer);
        }
        if is_due(&self.rest, Self::WAIT) {
            return self.rest.pop_front().map(|(_, peer)| peer);
        }
        let in_line = |turns: &mut Self| turns.fresh.pop_front().or_else(|| turns.rest.pop_front()).map(|(_, peer)| peer);
        self.front.pop_front().or_else(|| with_line.then(|| in_line(self)).flatten())
    }

    /// Whether nobody asks.
    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.fresh.is_empty() && self.rest.is_empty()
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
        let (line, fresh, later) = (peer(Turns::RANK), peer(Turns::RANK + 1), peer(Turns::RANK + 2));
        turns.ask(line, Standing::Line, ms(0));
        turns.ask(fresh, Standing::Fresh, ms(600));
        (0..4).for_each(|number| turns.ask(peer(number), Standing::Front, ms(600)));
        let order: Vec<_> = [600, 700, 701, 750, 751].map(|at| turns.take(true, ms(at))).into();
        assert_eq!(order, [Some(peer(0)), Some(fresh), Some(peer(1)), Some(line), Some(peer(2))]);
        turns.ask(line, Standing::Line, ms(751));
        turns.ask(later, Standing::Fresh, ms(752));
        let order: Vec<_> = [(752, false), (753, false), (754, true), (755, true), (756, true)].map(|(at, room)| turns.take(room, ms(at))).into();
        assert_eq!(order, [Some(peer(3)), None, Some(later), Some(line), None], "nobody waits where there is room");
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
