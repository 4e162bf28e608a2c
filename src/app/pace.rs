//! How fast one client may ask: so that one peer, whatever it sends, fills neither the journal nor the pool of packets being worked on.
//!
//! A bucket for each MAC, refilled with time; firmware sends a handful of packets in a boot. Only buckets that are not full are kept.

use std::collections::HashMap;

use crate::model::{Mac, Timestamp};

/// Packets at once.
pub const BURST: f64 = 40.0;
/// Packets a second after that.
pub const RATE: f64 = 4.0;
/// Clients remembered at once. With more of them somebody invents MACs, which no bucket helps against.
const MOST: usize = 8192;

/// Every client's bucket.
#[derive(Debug, Default)]
pub(super) struct Pace(HashMap<Mac, (f64, Timestamp)>);

impl Pace {
    /// Takes one packet's worth; `false` when the client's bucket is empty.
    pub fn admits(&mut self, mac: Mac, now: Timestamp) -> bool {
        if self.0.len() >= MOST && !self.0.contains_key(&mac) {
            self.0.retain(|_, bucket| filled(*bucket, now) < BURST);
            if self.0.len() >= MOST {
                return true;
            }
        }
        let bucket = self.0.entry(mac).or_insert((BURST, now));
        let left = filled(*bucket, now);
        *bucket = (if left >= 1.0 { left - 1.0 } else { left }, now);
        left >= 1.0
    }
}

/// What is in the bucket now. A clock that was set back fills nothing.
fn filled((left, at): (f64, Timestamp), now: Timestamp) -> f64 {
    (left + now.duration_since(at).as_secs_f64().max(0.0) * RATE).min(BURST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    fn mac(number: u32) -> Mac {
        let [a, b, c, d] = number.to_be_bytes();
        Mac::from_octets([0x52, 0x54, a, b, c, d]).unwrap()
    }

    #[test]
    fn a_client_that_floods_is_slowed_down_and_no_other() {
        let mut pace = Pace::default();
        let admitted = (0..1000).filter(|_| pace.admits(mac(1), at(0))).count();
        assert_eq!(admitted, 40);
        assert!(pace.admits(mac(2), at(0)));
        assert_eq!((0..100).filter(|n| pace.admits(mac(1), at(n * 10))).count(), 3, "a second later: the rate and no more");
        assert_eq!((0..100).filter(|_| pace.admits(mac(1), at(60_000))).count(), 40);
        assert!(!pace.admits(mac(1), at(0)), "a clock that is set back gives nothing away");
    }

    #[test]
    fn invented_clients_do_not_grow_it_without_bound() {
        let mut pace = Pace::default();
        assert!((0..20_000).all(|number| pace.admits(mac(number), at(0))));
        assert!(pace.0.len() <= MOST);
    }
}
