//! What is counted: how long each kind of request took, and every failure by its reason.
//!
//! Nothing is thrown away: p99 is over every request, and a run with one failure has failed.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

/// The count of one storm.
#[derive(Default)]
pub struct Tally {
    took: Mutex<BTreeMap<&'static str, Vec<Duration>>>,
    failed: Mutex<BTreeMap<String, usize>>,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap()
}

impl Tally {
    /// A request was answered as it should be.
    pub fn took(&self, kind: &'static str, took: Duration) {
        open(&self.took).entry(kind).or_default().push(took);
    }

    /// Something went wrong.
    pub fn failed(&self, kind: &str, why: &str) {
        *open(&self.failed).entry(format!("{kind}: {why}")).or_default() += 1;
    }

    /// How much went wrong.
    pub fn failures(&self) -> usize {
        open(&self.failed).values().sum()
    }

    /// Tells all of it.
    pub fn print(&self) {
        println!("{:<10} {:>7} {:>9} {:>9} {:>9}", "request", "number", "p50 ms", "p99 ms", "max ms");
        for (kind, took) in open(&self.took).iter_mut() {
            took.sort();
            let at = |per_cent: usize| took[(took.len() - 1) * per_cent / 100].as_secs_f64() * 1e3;
            println!("{kind:<10} {:>7} {:>9.1} {:>9.1} {:>9.1}", took.len(), at(50), at(99), at(100));
        }
        for (why, number) in open(&self.failed).iter() {
            println!("FAILED {number} × {why}");
        }
    }
}
