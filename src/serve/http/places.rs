//! The places of a listener: how many connections at once, how many of one address, and who has to leave when all are taken.
//!
//! ```text
//! newcomer ─ has its address its share? ─ yes → turned away: peer_connections_full
//!               │ no
//!            a place left? ─ yes → taken
//!               │ no
//!            of those with more places than its address would have, and a quiet one: the greediest ─ yes → its quietest leaves: made_room
//!               │ no
//!            turned away: connections_full
//! ```
//! So a flood from one address costs that address its own connections before it costs anybody else one. Nothing here knows HTTP.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

/// Why a connection was not taken, or not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// All places are taken.
    Full,
    /// This peer has all the places it may have.
    PeerFull,
    /// It was quiet, its peer had the most places of those with a quiet one, and somebody else needed one.
    MadeRoom,
    /// Its request's head was not whole in time, or none came.
    SlowHead,
    /// Its request's head was too long or no HTTP.
    BadHead,
    /// It stopped reading.
    Stalled,
    /// It read less than the floor.
    TooSlow,
}

impl Turned {
    /// The stable word in log and metric.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "connections_full",
            Self::PeerFull => "peer_connections_full",
            Self::MadeRoom => "made_room",
            Self::SlowHead => "slow_head",
            Self::BadHead => "bad_head",
            Self::Stalled => "stalled",
            Self::TooSlow => "too_slow",
        }
    }
}

/// A connection is quiet when nothing moved for so long.
const QUIET: Duration = Duration::from_secs(1);

/// When something moved last on a connection.
#[derive(Debug)]
pub struct Pulse {
    begin: Instant,
    beat_ms: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { begin: Instant::now(), beat_ms: AtomicU64::new(0) }
    }
}

impl Pulse {
    /// Something moved.
    pub fn beat(&self) {
        self.beat_ms.store(self.begin.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// For how long nothing did.
    fn quiet(&self, now: Instant) -> Duration {
        now.duration_since(self.begin).saturating_sub(Duration::from_millis(self.beat_ms.load(Ordering::Relaxed)))
    }
}

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    total: usize,
    per_peer: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    peers: HashMap<IpAddr, Vec<Arc<Seat>>>,
}

/// One connection as its place sees it.
#[derive(Debug, Default)]
pub struct Seat {
    /// Beats when something moves.
    pub pulse: Arc<Pulse>,
    /// Whether its request is being worked on: it waits for us, and not we for it.
    pub is_served: AtomicBool,
    /// Cancelled when somebody else needs the place.
    pub leave: CancellationToken,
}

impl Seat {
    fn quiet(&self, now: Instant) -> Duration {
        if self.is_served.load(Ordering::Relaxed) { Duration::ZERO } else { self.pulse.quiet(now) }
    }
}

/// One place, given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    peer: IpAddr,
    /// Whose it is.
    pub seat: Arc<Seat>,
}

impl Places {
    /// So many in all, so many for one peer.
    pub fn new(total: usize, per_peer: usize) -> Arc<Self> {
        Arc::new(Self { total, per_peer, taken: Mutex::default() })
    }

    /// A place for a connection from `peer`, and whether somebody had to leave for it.
    pub fn take(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Result<(Place, bool), Turned> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = taken.peers.get(&peer).map_or(0, Vec::len);
        if mine >= self.per_peer {
            return Err(Turned::PeerFull);
        }
        let full = taken.total >= self.total;
        if full && !taken.make_room(mine + 1, now) {
            return Err(Turned::Full);
        }
        let seat = Arc::new(Seat::default());
        taken.peers.entry(peer).or_default().push(seat.clone());
        taken.total += 1;
        Ok((Place { places: self.clone(), peer, seat }, full))
    }

    fn give_back(&self, place: &Place) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(place.peer, &place.seat);
    }
}

impl Taken {
    /// Sends the quietest connection away of the peer that has most among those that have more than the newcomer's would (`more_than`)
    /// and a quiet one.
    fn make_room(&mut self, more_than: usize, now: Instant) -> bool {
        let greedy = self.peers.iter().filter(|(_, seats)| seats.len() > more_than);
        let quietest = |seats: &Vec<Arc<Seat>>| {
            let quietest = seats.iter().max_by_key(|seat| seat.quiet(now))?;
            (quietest.quiet(now) >= QUIET).then(|| quietest.clone())
        };
        let found = greedy.filter_map(|(&peer, seats)| Some((seats.len(), peer, quietest(seats)?))).max_by_key(|&(count, ..)| count);
        let Some((_, peer, seat)) = found else { return false };
        self.remove(peer, &seat);
        seat.leave.cancel();
        true
    }

    /// Who had to leave is gone already when its place is given back.
    fn remove(&mut self, peer: IpAddr, seat: &Arc<Seat>) {
        let Some(seats) = self.peers.get_mut(&peer) else { return };
        let Some(at) = seats.iter().position(|one| Arc::ptr_eq(one, seat)) else { return };
        seats.swap_remove(at);
        if seats.is_empty() {
            self.peers.remove(&peer);
        }
        self.total -= 1;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    #[track_caller]
    fn check(places: &Arc<Places>, number: u8, now: Instant, expected: Result<bool, Turned>) -> Option<Place> {
        let taken = places.take(peer(number), now);
        assert_eq!(taken.as_ref().map(|(_, made)| *made).map_err(|why| *why), expected);
        taken.ok().map(|(place, _)| place)
    }

    #[test]
    fn a_peer_has_its_share_and_the_total_holds() {
        let (places, now) = (Places::new(3, 2), Instant::now());
        let first = check(&places, 1, now, Ok(false));
        let _second = check(&places, 1, now, Ok(false));
        check(&places, 1, now, Err(Turned::PeerFull));
        let _other = check(&places, 2, now, Ok(false));
        check(&places, 3, now, Err(Turned::Full));
        drop(first);
        let _third = check(&places, 3, now, Ok(false));
    }

    #[test]
    fn when_all_are_taken_the_greediest_loses_its_quietest() {
        let (places, begin) = (Places::new(4, 4), Instant::now());
        let mut greedy: Vec<_> = (0..3).map(|_| check(&places, 1, begin, Ok(false)).unwrap()).collect();
        let _modest = check(&places, 2, begin, Ok(false));
        check(&places, 3, begin, Err(Turned::Full));
        let later = begin + QUIET + Duration::from_secs(1);
        greedy[0].seat.pulse.beat_ms.store(900, Ordering::Relaxed);
        greedy[2].seat.pulse.beat_ms.store(800, Ordering::Relaxed);
        let _newcomer = check(&places, 3, later, Ok(true));
        let left: Vec<_> = greedy.iter().map(|place| place.seat.leave.is_cancelled()).collect();
        assert_eq!(left, [false, true, false]);
        greedy.clear();
        let _room = [check(&places, 4, later, Ok(false)), check(&places, 5, later, Ok(false))];
        check(&places, 6, later, Err(Turned::Full));
    }

    #[test]
    fn when_the_greediest_is_busy_the_next_one_makes_room() {
        let (places, begin) = (Places::new(5, 4), Instant::now());
        let busy: Vec<_> = (0..3).map(|_| check(&places, 1, begin, Ok(false)).unwrap()).collect();
        let quiet: Vec<_> = (0..2).map(|_| check(&places, 2, begin, Ok(false)).unwrap()).collect();
        let later = begin + 2 * QUIET;
        busy[..2].iter().for_each(|place| place.seat.pulse.beat_ms.store(1_900, Ordering::Relaxed));
        busy[2].seat.is_served.store(true, Ordering::Relaxed);
        let _newcomer = check(&places, 3, later, Ok(true));
        assert!(busy.iter().all(|place| !place.seat.leave.is_cancelled()));
        assert_eq!(quiet.iter().filter(|place| place.seat.leave.is_cancelled()).count(), 1);
    }

    #[test]
    fn nobody_leaves_for_one_who_would_have_as_many() {
        let (places, begin) = (Places::new(2, 4), Instant::now());
        let _both = [check(&places, 1, begin, Ok(false)), check(&places, 1, begin, Ok(false))];
        check(&places, 1, begin + 2 * QUIET, Err(Turned::Full));
        let _newcomer = check(&places, 2, begin + 2 * QUIET, Ok(true));
        check(&places, 3, begin + 2 * QUIET, Err(Turned::Full));
    }
}
