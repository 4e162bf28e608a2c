//! When to send again: the measured round trip, four times, and 20 ms; doubled at each time-out.
//!
//! Fixed time-outs of whole seconds are why a per cent of loss costs lock-step TFTP twelve seconds for a loader. A packet that was
//! sent twice measures nothing (Karn): its answer may be to either.

use std::time::Duration;

/// The timer of one transfer.
#[derive(Debug, Clone)]
pub struct Pace {
    smoothed: Option<Duration>,
    wait: Duration,
    longest: Duration,
}

impl Pace {
    /// Added to four round trips: clients are firmware with slow timers.
    const SLACK: Duration = Duration::from_millis(20);

    /// Nothing measured yet.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { smoothed: None, wait: first.min(longest), longest }
    }

    /// How long the present packets may stay unanswered.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// A round trip of packets that were sent once; a doubled wait is forgotten.
    pub fn measured(&mut self, trip: Duration) {
        let smoothed = self.smoothed.map_or(trip, |old| (old * 7 + trip) / 8);
        self.smoothed = Some(smoothed);
        self.wait = (smoothed * 4 + Self::SLACK).min(self.longest);
    }

    /// Nobody answered in time.
    pub fn timed_out(&mut self) {
        self.wait = (self.wait * 2).min(self.longest);
    }

    /// Before this much time a repeated ACK cannot be the answer to what was just sent.
    pub fn soonest_answer(&self) -> Duration {
        self.smoothed.unwrap_or(Duration::ZERO) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_wait_follows_the_round_trip_and_doubles_without_one() {
        let mut pace = Pace::new(300 * MS, 4000 * MS);
        assert_eq!(pace.wait(), 300 * MS);
        pace.measured(2 * MS);
        assert_eq!(pace.wait(), 28 * MS);
        pace.timed_out();
        pace.timed_out();
        assert_eq!(pace.wait(), 112 * MS);
        pace.measured(2 * MS);
        assert_eq!(pace.wait(), 28 * MS);
        for _ in 0..20 {
            pace.timed_out();
        }
        assert_eq!(pace.wait(), 4000 * MS);
    }

    #[test]
    fn one_slow_answer_moves_the_wait_by_an_eighth() {
        let mut pace = Pace::new(300 * MS, 4000 * MS);
        pace.measured(8 * MS);
        pace.measured(80 * MS);
        assert_eq!(pace.wait(), 88 * MS);
    }
}
