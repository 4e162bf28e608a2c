//! Large files in waves: so many at once, and whoever comes when all are under way is told when to come again.
//!
//! The time is spread by order of arrival: each that is turned away is given the next moment at which a place will come free, going by how
//! long transfers have lasted. So nobody waits for a time-out and the next wave does not arrive in one instant. Only iPXE is turned
//! away: it has understood `Retry-After` for more than ten years, and our scripts ask again where it fails all the same. An installer's
//! downloader would give up its installation; it takes a place and is never refused one. Scripts and documents are not large.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A file of this size takes a place.
pub(super) const LARGE_BYTES: u64 = 4 << 20;

/// What a transfer is taken to last before one was seen.
const USUAL: Duration = Duration::from_secs(10);

/// Nobody is told to wait longer.
const LONGEST: Duration = Duration::from_secs(600);

/// The places of one listener for large files.
#[derive(Debug)]
pub(super) struct Waves {
    places: usize,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    under_way: usize,
    lasting: Duration,
    /// When the place comes free that was promised last.
    promised: Option<Instant>,
}

/// One large file under way; its place is free when this is dropped.
#[derive(Debug)]
pub(super) struct Ride {
    waves: Arc<Waves>,
    since: Instant,
}

impl Waves {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places, line: Mutex::new(Line { under_way: 0, lasting: USUAL, promised: None }) })
    }

    /// A place, or after how long to ask again.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Result<Ride, Duration> {
        let mut line = self.line();
        if line.under_way >= self.places {
            return Err(line.next(self.places, now));
        }
        drop(line);
        Ok(self.enter_anyway(now))
    }

    /// A place for one who cannot wait.
    pub(super) fn enter_anyway(self: &Arc<Self>, now: Instant) -> Ride {
        self.line().under_way += 1;
        Ride { waves: self.clone(), since: now }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// How long until the next place that nobody was promised yet, in whole seconds.
    fn next(&mut self, places: usize, now: Instant) -> Duration {
        let apart = self.lasting / u32::try_from(places).unwrap_or(u32::MAX).max(1);
        let from = self.promised.filter(|promised| *promised > now).unwrap_or(now);
        let until = (from + apart).min(now + LONGEST);
        self.promised = Some(until);
        Duration::from_secs((until - now).as_secs_f64().ceil().max(1.0) as u64)
    }
}

impl Drop for Ride {
    fn drop(&mut self) {
        let lasted = self.since.elapsed().min(LONGEST);
        let mut line = self.waves.line();
        line.under_way -= 1;
        line.lasting = line.lasting * 7 / 8 + lasted / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_many_is_told_a_time_by_order_of_arrival() {
        let (waves, now) = (Waves::new(5), Instant::now());
        let rides: Vec<_> = (0..5).map(|_| waves.enter(now).unwrap()).collect();
        let told: Vec<u64> = (0..10).map(|_| waves.enter(now).unwrap_err().as_secs()).collect();
        assert_eq!(told, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20], "five places, ten seconds each");
        let later = now + Duration::from_secs(15);
        assert_eq!(waves.enter(later).unwrap_err().as_secs(), 7, "after those who were promised one");
        drop(rides);
        assert!(waves.enter(later).is_ok());
    }

    #[test]
    fn nobody_is_told_to_wait_for_ever_and_nobody_not_at_all() {
        let (waves, now) = (Waves::new(1), Instant::now());
        let _ride = waves.enter_anyway(now);
        let told: Vec<u64> = (0..200).map(|_| waves.enter(now).unwrap_err().as_secs()).collect();
        assert!(told.is_sorted() && told[0] == 10 && told[199] == LONGEST.as_secs(), "{told:?}");
        let (crowd, now) = (Waves::new(1000), Instant::now());
        let _rides: Vec<_> = (0..1000).map(|_| crowd.enter(now).unwrap()).collect();
        assert_eq!(crowd.enter(now).unwrap_err().as_secs(), 1);
    }

    #[test]
    fn who_cannot_wait_is_counted_and_short_transfers_shorten_the_wait() {
        let (waves, now) = (Waves::new(1), Instant::now());
        let first = waves.enter_anyway(now);
        let _second = waves.enter_anyway(now);
        drop(first);
        assert_eq!(waves.enter(now).unwrap_err().as_secs(), 9, "seven eighths of ten, rounded up");
    }
}
