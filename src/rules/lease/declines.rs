//! Who declined how many addresses: a client that finds somebody on every one is broken or means harm, and gets no more for a while.
//!
//! Without a bound one peer could put every address of a pool into quarantine. Counted in memory only: forgotten with a restart, and
//! ten minutes after the last one. What the wire itself shows (a probe that is answered) is not the client's word and not counted.

use std::collections::HashMap;

use super::{QUARANTINE_SECS, after};
use crate::model::{Mac, Timestamp};

/// So many addresses may one client decline within a quarantine's time.
pub const MOST_DECLINES: u32 = 4;

/// The declines of one network.
#[derive(Debug, Default)]
pub(super) struct Declines(HashMap<Mac, (u32, Timestamp)>);

impl Declines {
    /// One more. There are never more entries than addresses in quarantine.
    pub fn note(&mut self, mac: Mac, now: Timestamp) {
        self.0.retain(|_, (_, until)| *until > now);
        let (count, until) = self.0.entry(mac).or_insert((0, now));
        *count += 1;
        *until = after(now, QUARANTINE_SECS);
    }

    /// Whether this client had its share.
    pub fn are_too_many(&self, mac: Mac, now: Timestamp) -> bool {
        self.0.get(&mac).is_some_and(|(count, until)| *count >= MOST_DECLINES && *until > now)
    }
}
