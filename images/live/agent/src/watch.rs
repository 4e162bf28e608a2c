//! How far the work is, and whether it shall stop: the one thing that the worker, the heartbeats and the console share.
//!
//! The worker writes its progress and looks at `stop` at every step; heartbeats read the progress and raise `stop` when the server
//! says so; the console waits for news. A stop is never taken back.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::contract::Progress;

/// Progress goes out, an abort comes in.
#[derive(Debug, Default)]
pub struct Watch {
    progress: Mutex<(u64, Progress)>,
    news: Condvar,
    stop: AtomicBool,
}

impl Watch {
    /// Nothing done, nothing to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how far the work is.
    pub fn say(&self, change: impl FnOnce(&mut Progress)) {
        let mut held = self.held();
        change(&mut held.1);
        held.0 += 1;
        self.news.notify_all();
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.held().1.clone()
    }

    /// Asks the work to stop: running commands are killed, nothing more is touched.
    pub fn stop(&self) {
        // A stop is news too, and under the lock, so that nobody falls asleep between looking and waiting.
        let mut held = self.held();
        self.stop.store(true, Ordering::SeqCst);
        held.0 += 1;
        self.news.notify_all();
    }

    /// Whether it shall stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// For [`crate::machine::Ask::until`].
    pub fn stop_flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// Waits until there is news after number `seen` (0: from the start), or `at_most` has gone by; then the newest number and the progress.
    pub fn after(&self, seen: u64, at_most: Duration) -> (u64, Progress) {
        let (held, _late) = self.news.wait_timeout_while(self.held(), at_most, |held| held.0 == seen).unwrap_or_else(PoisonError::into_inner);
        (held.0, held.1.clone())
    }

    /// A worker that panicked in between left a whole [`Progress`] behind: every change is one assignment.
    fn held(&self) -> MutexGuard<'_, (u64, Progress)> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_wake_whoever_waits_for_them() {
        let watch = Watch::new();
        watch.say(|progress| progress.percent = 7);
        assert_eq!(watch.after(0, Duration::from_secs(60)).1.percent, 7);
        assert_eq!(watch.after(1, Duration::ZERO).0, 1, "nothing new");
    }

    #[test]
    fn a_stop_wakes_too_and_stays() {
        let watch = Watch::new();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| watch.after(0, Duration::from_secs(60)));
            watch.stop();
            assert_eq!(waiter.join().unwrap().0, 1);
        });
        assert!(watch.stopped() && watch.stop_flag().load(Ordering::SeqCst));
    }
}
