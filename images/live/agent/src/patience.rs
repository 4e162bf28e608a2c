//! How long to wait before the next try, and when to give up: back-off with jitter, as arithmetic.
//!
//! The first wait is a second, each further one twice as long, never more than a minute; of each, between half and all is taken, so that
//! a rack that came up together does not ask together. It looks at no clock and draws no chance: both are handed in.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait that we choose.
const CAP: Duration = Duration::from_secs(60);

/// The longest wait that a server may ask for.
const ASKED_CAP: Duration = Duration::from_secs(300);

/// After this a hello or a report is given up.
pub const GIVE_UP: Duration = Duration::from_secs(600);

/// The tries of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    began: Duration,
    limit: Duration,
    tries: u32,
}

impl Patience {
    /// Begins now and ends `limit` later.
    pub fn new(now: Duration, limit: Duration) -> Self {
        Self { began: now, limit, tries: 0 }
    }

    /// The wait before the next try; `None`: give up. `asked`: what the server wants (`Retry-After`); `chance`: any number.
    pub fn next(&mut self, now: Duration, asked: Option<Duration>, chance: u32) -> Option<Duration> {
        let left = (self.began + self.limit).checked_sub(now).filter(|left| !left.is_zero())?;
        let whole = FIRST.saturating_mul(1 << self.tries.min(10)).min(CAP);
        self.tries += 1;
        let wait = part(whole / 2, whole, chance);
        let wait = asked.map_or(wait, |asked| asked.min(ASKED_CAP).max(wait));
        // The last try is made at the very end rather than not at all.
        Some(wait.min(left))
    }
}

/// Time between heartbeats: what the server says ± 20 %, and sane whatever it says.
pub fn heartbeat(secs: u64, chance: u32) -> Duration {
    let whole = Duration::from_secs(secs.clamp(1, 3600));
    part(whole * 4 / 5, whole * 6 / 5, chance)
}

fn part(from: Duration, to: Duration, chance: u32) -> Duration {
    from + (to - from).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// The waits of a server that never answers, each try taking no time, with this chance.
    fn waits(chance: u32) -> Vec<Duration> {
        let (mut now, mut waits) = (secs(1000), Vec::new());
        let mut patience = Patience::new(now, GIVE_UP);
        while let Some(wait) = patience.next(now, None, chance) {
            now += wait;
            waits.push(wait);
        }
        assert_eq!(now, secs(1600), "the last try is at the very end");
        waits
    }

    #[test]
    fn the_waits_double_up_to_a_minute_and_end_after_ten() {
        assert_eq!(waits(u32::MAX).iter().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60, 60, 57]);
    }

    #[test]
    fn the_jitter_takes_at_least_half() {
        assert_eq!(&waits(0)[..8], [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].map(Duration::from_millis));
    }

    #[test]
    fn a_server_may_ask_for_more_but_not_for_ever() {
        let mut patience = Patience::new(secs(0), GIVE_UP);
        assert_eq!(patience.next(secs(0), Some(secs(30)), 7), Some(secs(30)));
        assert_eq!(patience.next(secs(30), Some(secs(0)), u32::MAX), Some(secs(2)), "less than our own is not obeyed");
        assert_eq!(patience.next(secs(32), Some(secs(9999)), 7), Some(ASKED_CAP));
        assert_eq!(patience.next(secs(590), Some(secs(60)), 7), Some(secs(10)));
        assert_eq!(patience.next(secs(600), None, 7), None);
    }

    #[test]
    fn heartbeats_scatter_by_a_fifth() {
        assert_eq!((heartbeat(30, 0), heartbeat(30, u32::MAX)), (secs(24), secs(36)));
        assert_eq!(heartbeat(0, u32::MAX), Duration::from_millis(1200));
        assert_eq!(heartbeat(u64::MAX, 0), secs(2880));
    }
}
