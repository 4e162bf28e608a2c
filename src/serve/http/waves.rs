//! Large files in waves: so many at once, and whoever comes when all are under way is told when to come again.
//!
//! The time is spread by order of arrival: each that is turned away is given the next moment at which a place will come free, going by how
//! long transfers have lasted. So nobody waits for a time-out and the next wave does not arrive in one instant. Only iPXE is turned
//! away: it has understood `Retry-After` for more than ten years, and our scripts ask again where it fails all the same. An installer's
//! downloader would give up its installation; it takes a place and is never refused one. Scripts and documents are not large.
//!
//! One address has no more than a sixteenth of the places, four at least, and what it takes beyond those counts for nobody: a few slow readers do
//! not keep everybody else waiting.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A file of this size takes a place.
pub(super) const LARGE_BYTES: u64 = 4 << 20;

/// What a transfer is taken to last before one was seen.
const USUAL: Duration = Duration::from_secs(10);

/// One address has one part in so many of the places, and [`LEAST`] of them in any case.
const PARTS: usize = 16;
const LEAST: usize = 4;

/// Nobody is told to wait longer.
const LONGEST: Duration = Duration::from_secs(600);

/// The places of one listener for large files.
#[derive(Debug)]
pub(super) struct Waves {
    places: usize,
    /// How many of them one address may have.
    share: usize,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    under_way: usize,
    peers: HashMap<IpAddr, usize>,
    lasting: Duration,
    /// When the place comes free that was promised last.
    promised: Option<Instant>,
}

/// One large file under way; its place is free when this is dropped.
#[derive(Debug)]
pub(super) struct Ride {
    waves: Arc<Waves>,
    /// Whose place it is; `None`: it has none, because its address has its share.
    place_of: Option<IpAddr>,
    since: Instant,
}

impl Waves {
    pub(super) fn new(places: usize) -> Arc<Self> {
        let line = Line { under_way: 0, peers: HashMap::new(), lasting: USUAL, promised: None };
        Arc::new(Self { places, share: (places / PARTS).max(LEAST), line: Mutex::new(line) })
    }

    /// A place, or after how long to ask again.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Result<Ride, Duration> {
        let mut line = self.line();
        if line.has(peer) >= self.share {
            return Err(line.next_of_share(self.share));
        }
        if line.under_way >= self.places {
            return Err(line.next(self.places, now));
        }
        line.take(peer);
        Ok(Ride { waves: self.clone(), place_of: Some(peer), since: now })
    }

    /// A place for one who cannot wait; none that counts if its address has its share.
    pub(super) fn enter_anyway(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Ride {
        let mut line = self.line();
        let place_of = (line.has(peer) < self.share).then_some(peer);
        place_of.into_iter().for_each(|peer| line.take(peer));
        Ride { waves: self.clone(), place_of, since: now }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn has(&self, peer: IpAddr) -> usize {
        self.peers.get(&peer).copied().unwrap_or(0)
    }

    fn take(&mut self, peer: IpAddr) {
        self.under_way += 1;
        *self.peers.entry(peer).or_default() += 1;
    }

    fn free(&mut self, peer: IpAddr) {
        self.under_way -= 1;
        if let Some(left) = self.peers.get_mut(&peer) {
            *left -= 1;
            if *left == 0 {
                self.peers.remove(&peer);
            }
        }
    }

    /// How long until one of the places comes free that an address has; nobody else waits longer for its asking.
    fn next_of_share(&self, share: usize) -> Duration {
        in_seconds(self.lasting / u32::try_from(share).unwrap_or(u32::MAX).max(1))
    }

    /// How long until the next place that nobody was promised yet, in whole seconds.
    fn next(&mut self, places: usize, now: Instant) -> Duration {
        let apart = self.lasting / u32::try_from(places).unwrap_or(u32::MAX).max(1);
        let from = self.promised.filter(|promised| *promised > now).unwrap_or(now);
        let until = (from + apart).min(now + LONGEST);
        self.promised = Some(until);
        in_seconds(until - now)
    }
}

/// Whole ones, and never none.
fn in_seconds(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_secs_f64().ceil().max(1.0) as u64)
}

impl Drop for Ride {
    fn drop(&mut self) {
        let Some(peer) = self.place_of else { return };
        let lasted = self.since.elapsed().min(LONGEST);
        let mut line = self.waves.line();
        line.free(peer);
        line.lasting = line.lasting * 7 / 8 + lasted / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    #[test]
    fn who_comes_too_many_is_told_a_time_by_order_of_arrival() {
        let (waves, now) = (Waves::new(5), Instant::now());
        let rides: Vec<_> = (0..5).map(|number| waves.enter(peer(number), now).unwrap()).collect();
        let told: Vec<u64> = (10..20).map(|number| waves.enter(peer(number), now).unwrap_err().as_secs()).collect();
        assert_eq!(told, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20], "five places, ten seconds each");
        let later = now + Duration::from_secs(15);
        assert_eq!(waves.enter(peer(30), later).unwrap_err().as_secs(), 7, "after those who were promised one");
        drop(rides);
        assert!(waves.enter(peer(30), later).is_ok());
    }

    #[test]
    fn nobody_is_told_to_wait_for_ever_and_nobody_not_at_all() {
        let (waves, now) = (Waves::new(1), Instant::now());
        let _ride = waves.enter_anyway(peer(1), now);
        let told: Vec<u64> = (0..200).map(|number| waves.enter(peer(number), now).unwrap_err().as_secs()).collect();
        assert!(told.is_sorted() && told[0] == 10 && told[199] == LONGEST.as_secs(), "{told:?}");
        let (crowd, now) = (Waves::new(256), Instant::now());
        let _rides: Vec<_> = (0..=255).map(|number| crowd.enter(peer(number), now).unwrap()).collect();
        assert_eq!(crowd.enter(IpAddr::from([10, 0, 1, 1]), now).unwrap_err().as_secs(), 1);
    }

    #[test]
    fn who_cannot_wait_is_counted_and_short_transfers_shorten_the_wait() {
        let (waves, now) = (Waves::new(1), Instant::now());
        let first = waves.enter_anyway(peer(1), now);
        let _second = waves.enter_anyway(peer(2), now);
        drop(first);
        assert_eq!(waves.enter(peer(3), now).unwrap_err().as_secs(), 9, "seven eighths of ten, rounded up");
    }

    #[test]
    fn one_address_has_its_share_and_takes_nobody_elses_place() {
        let (waves, now) = (Waves::new(6), Instant::now());
        let greedy: Vec<_> = (0..100).map(|_| waves.enter_anyway(peer(1), now)).collect();
        let told: Vec<u64> = (0..3).map(|_| waves.enter(peer(1), now).unwrap_err().as_secs()).collect();
        assert_eq!(told, [3, 3, 3], "four are its share, and its asking on makes nobody wait longer");
        let honest = [waves.enter(peer(2), now).unwrap(), waves.enter(peer(3), now).unwrap()];
        assert_eq!(waves.enter(peer(4), now).unwrap_err().as_secs(), 2, "four and two are all");
        drop(honest);
        drop(greedy);
        let line = waves.line();
        assert_eq!((line.under_way, line.peers.len()), (0, 0), "nothing is left over");
    }
}
