//! Who declined how many addresses: a client that finds somebody on every one is broken or means harm, and gets no more for a while.
//!
//! Without a bound one peer could put every address of a pool into quarantine. Counted in memory only: forgotten with a restart, and
//! ten minutes after the last one. What the wire itself shows (a probe that is answered) is not the client's word and not counted.

use std::collections::HashMap;

use super::{QUARANTINE_SECS, after};
use crate::model::{Mac, Timestamp};

/// So many addresses may one client decline within a quarantine's time.
pub const MOST_DECLINES: u32 = 4;

/// How many, and until when they count.
pub(super) type Declined = (u32, Timestamp);

/// The declines of one network.
#[derive(Debug, Default)]
pub(super) struct Declines(HashMap<Mac, Declined>);

impl Declines {
    /// One more. There are never more entries than addresses in quarantine.
    pub fn note(&mut self, mac: Mac, now: Timestamp) {
        self.0.retain(|_, (_, until)| *until > now);
        let (count, until) = self.0.entry(mac).or_insert((0, now));
        *count += 1;
        *until = after(now, QUARANTINE_SECS);
    }

    /// What there is of this client.
    pub fn of(&self, mac: Mac) -> Option<Declined> {
        self.0.get(&mac).copied()
    }

    /// As it was before one that could not be saved.
    pub fn put_back(&mut self, mac: Mac, before: Option<Declined>) {
        match before {
            Some(before) => self.0.insert(mac, before),
            None => self.0.remove(&mac),
        };
    }

    /// Whether this client had its share.
    pub fn are_too_many(&self, mac: Mac, now: Timestamp) -> bool {
        self.0.get(&mac).is_some_and(|(count, until)| *count >= MOST_DECLINES && *until > now)
    }
}
