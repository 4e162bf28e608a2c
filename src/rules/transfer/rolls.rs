//! Who is being served, over all desks of one server: each desk has its own thread, the limits are the site's.
//!
//! Taken up only when a transfer begins or ends and when an ERROR leaves, never for an acknowledgement. It also remembers whose
//! windows broke: RFC 7440 lets nobody shrink a window under way, so a client that loses much of one is granted less next time.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Limits, Moment};

/// The counts that all desks share.
#[derive(Debug, Clone, Default)]
pub struct Rolls(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    of_peer: HashMap<Ipv4Addr, usize>,
    in_total: usize,
    translated: usize,
    /// The largest window that an address seems to take.
    windows: HashMap<Ipv4Addr, u16>,
    /// ERRORs to each address in this second.
    errors: HashMap<Ipv4Addr, u32>,
    second: u64,
}

/// Why nobody more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowd {
    /// This address has so many.
    OfPeer(usize),
    /// All together have so many.
    InTotal(usize),
}

impl Rolls {
    /// Addresses that are remembered for their windows, or for the errors of one second.
    const REMEMBERED: usize = 4096;

    /// Counts one more, unless a limit is reached.
    pub(super) fn enter(&self, peer: Ipv4Addr, limits: &Limits) -> Result<(), Crowd> {
        let mut counts = self.counts();
        let of_peer = counts.of_peer.get(&peer).copied().unwrap_or(0);
        if of_peer >= limits.per_peer {
            return Err(Crowd::OfPeer(of_peer));
        }
        if counts.in_total >= limits.in_total {
            return Err(Crowd::InTotal(counts.in_total));
        }
        counts.of_peer.insert(peer, of_peer + 1);
        counts.in_total += 1;
        Ok(())
    }

    /// Counts one less.
    pub(super) fn leave(&self, peer: Ipv4Addr) {
        let mut counts = self.counts();
        counts.in_total -= 1;
        if let Some(of_peer) = counts.of_peer.get_mut(&peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                counts.of_peer.remove(&peer);
            }
        }
    }

    /// One more translated copy in memory; `false`: there are enough.
    pub(super) fn translate(&self, limits: &Limits) -> bool {
        let mut counts = self.counts();
        let room = counts.translated < limits.translated;
        counts.translated += usize::from(room);
        room
    }

    /// A translated copy is gone.
    pub(super) fn forget_translation(&self) {
        self.counts().translated -= 1;
    }

    /// Whether this address got as many ERRORs in this second as any may.
    pub(super) fn is_scolded(&self, peer: Ipv4Addr, limits: &Limits, now: Moment) -> bool {
        let counts = self.counts();
        counts.second == now.as_secs() && counts.errors.get(&peer).is_some_and(|sent| *sent >= limits.errors_a_second)
    }

    /// Counts an ERROR to this address; `false`: it had enough of them in this second.
    pub(super) fn scold(&self, peer: Ipv4Addr, limits: &Limits, now: Moment) -> bool {
        let mut counts = self.counts();
        if counts.second != now.as_secs() {
            counts.second = now.as_secs();
            counts.errors.clear();
        }
        if counts.errors.len() >= Self::REMEMBERED && !counts.errors.contains_key(&peer) {
            return false;
        }
        let sent = counts.errors.entry(peer).or_default();
        let room = *sent < limits.errors_a_second;
        *sent += u32::from(room);
        room
    }

    /// The largest window to grant this address.
    pub(super) fn window(&self, peer: Ipv4Addr, limits: &Limits) -> u16 {
        self.counts().windows.get(&peer).map_or(limits.windowsize, |window| limits.windowsize.min(*window))
    }

    /// A transfer with such windows ended, and so many of its packets had to be sent again.
    pub(super) fn windows_went(&self, peer: Ipv4Addr, windowsize: u16, blocks: u64, resent: u64, limits: &Limits) {
        let mut counts = self.counts();
        if resent * 8 > blocks && windowsize > 1 {
            if counts.windows.len() < Self::REMEMBERED || counts.windows.contains_key(&peer) {
                counts.windows.insert(peer, windowsize / 2);
            }
        } else if let Some(window) = counts.windows.get_mut(&peer).filter(|_| resent == 0 && blocks > 1) {
            *window = window.saturating_mul(2);
            if *window >= limits.windowsize {
                counts.windows.remove(&peer);
            }
        }
    }

    /// A desk that panicked has left counts that are true: each change is whole before the lock is let go.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

    fn limits() -> Limits {
        Limits { per_peer: 2, in_total: 3, errors_a_second: 2, windowsize: 16, ..Limits::default() }
    }

    fn peer(number: u32) -> Ipv4Addr {
        Ipv4Addr::from(number)
    }

    #[test]
    fn limits_hold_over_all_who_share_the_rolls() {
        let (ours, limits) = (Rolls::default(), limits());
        let theirs = ours.clone();
        assert_eq!([ours.enter(PEER, &limits), theirs.enter(PEER, &limits)], [Ok(()), Ok(())]);
        assert_eq!(ours.enter(PEER, &limits), Err(Crowd::OfPeer(2)));
        assert_eq!(ours.enter(peer(1), &limits), Ok(()));
        assert_eq!(theirs.enter(peer(2), &limits), Err(Crowd::InTotal(3)));
        theirs.leave(PEER);
        assert_eq!(ours.enter(peer(2), &limits), Ok(()));
        for gone in [PEER, peer(1), peer(2)] {
            ours.leave(gone);
        }
        assert!(ours.counts().of_peer.is_empty());
    }

    #[test]
    fn each_address_gets_so_many_errors_in_a_second() {
        let (rolls, limits) = (Rolls::default(), limits());
        let at = |secs| Moment::from_secs(secs);
        assert_eq!([1, 1, 1, 2].map(|secs| rolls.scold(PEER, &limits, at(secs))), [true, true, false, true]);
        assert!(!rolls.is_scolded(PEER, &limits, at(2)));
        assert!(rolls.scold(PEER, &limits, at(2)) && rolls.is_scolded(PEER, &limits, at(2)) && !rolls.is_scolded(PEER, &limits, at(3)));
        assert!(rolls.scold(peer(1), &limits, at(2)), "another address has its own");
    }

    #[test]
    fn invented_addresses_fill_no_memory() {
        let (rolls, limits) = (Rolls::default(), limits());
        let told = (0..100_000).filter(|number| rolls.scold(peer(*number), &limits, Moment::ZERO)).count();
        (0..100_000).for_each(|number| rolls.windows_went(peer(number), 16, 100, 90, &limits));
        assert_eq!((told, rolls.counts().windows.len()), (Rolls::REMEMBERED, Rolls::REMEMBERED));
    }

    /// Each row: the window of a transfer, how many of its 800 packets were sent again, and what is granted after it.
    #[test]
    fn a_client_whose_windows_break_is_granted_less_until_they_hold() {
        let (rolls, limits) = (Rolls::default(), limits());
        let rows = [(16, 0, 16), (16, 100, 16), (16, 101, 8), (8, 500, 4), (4, 50, 4), (4, 0, 8), (8, 0, 16), (1, 700, 16), (2, 700, 1), (1, 0, 2)];
        for (windowsize, resent, granted) in rows {
            rolls.windows_went(PEER, windowsize, 800, resent, &limits);
            assert_eq!(rolls.window(PEER, &limits), granted, "after {windowsize}, {resent}");
        }
    }
}
