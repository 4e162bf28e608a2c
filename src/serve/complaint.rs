//! How often the log hears of what goes wrong by the thousand: once a second, with how often it was.
//!
//! A flood must not fill the disk; everything is counted in the metrics all the same.

use std::time::{Duration, Instant};

/// How long nothing more is said.
const REST: Duration = Duration::from_secs(1);

/// What the log was not told yet.
#[derive(Debug, Default)]
pub struct Complaint {
    last: Option<Instant>,
    unsaid: u64,
}

impl Complaint {
    /// Once more. `Some`: it is time to say so, and of so many.
    pub fn due(&mut self) -> Option<u64> {
        self.due_at(Instant::now())
    }

    fn due_at(&mut self, now: Instant) -> Option<u64> {
        self.unsaid += 1;
        if self.last.is_some_and(|last| now.duration_since(last) < REST) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_hears_once_a_second_of_all() {
        let (mut complaint, begin) = (Complaint::default(), Instant::now());
        let told = [0, 10, 999, 1000, 1500, 2100].map(|ms| complaint.due_at(begin + Duration::from_millis(ms)));
        assert_eq!(told, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
