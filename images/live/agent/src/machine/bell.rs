//! A bell that rings once: how one thread wakes another from a long wait.
//!
//! Waiting for it goes through [`super::Machine::wait_for`], so that a recorded machine does not wait at all. It carries no message.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Rung or not; never un-rung.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Bell {
    /// Not rung.
    pub const fn new() -> Self {
        Self { rung: Mutex::new(false), ring: Condvar::new() }
    }

    /// Rings it.
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ring.notify_all();
    }

    /// Whether it has rung.
    pub fn has_rung(&self) -> bool {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for it; whether it has rung.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        *self.ring.wait_timeout_while(rung, at_most, |rung| !*rung).unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_wakes_whoever_waits_and_stays_rung() {
        let bell = Bell::default();
        assert!(!bell.wait(Duration::ZERO));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| bell.wait(Duration::from_secs(60)));
            bell.ring();
            assert!(waiter.join().unwrap());
        });
        assert!(bell.has_rung() && bell.wait(Duration::ZERO));
    }
}
