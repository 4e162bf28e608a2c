//! How fast one machine may ask: so that one peer, whatever it sends, cannot fill the journal or keep the store from the others.
//!
//! A bucket for each peer, refilled with time. Its size is far above what firmware and installers do in a boot, so nobody honest
//! ever meets the bottom. Names that a peer can invent (a MAC) share a second bucket for each link, which bounds them together.

use std::{collections::HashMap, net::Ipv4Addr};

use crate::model::{HostId, Mac, Timestamp};

/// How much at once, and how much a second after that.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    burst: f64,
    rate: f64,
}

impl Budget {
    /// How much a second.
    pub const fn rate(&self) -> f64 {
        self.rate
    }
}

/// DHCP packets of one client: firmware sends a handful in a boot.
pub const PACKETS: Budget = Budget { burst: 40.0, rate: 4.0 };
/// DHCP clients of one link that nobody recorded and that never had an address: halls that are switched on at once, and after that what
/// somebody who invents MACs may cost us.
pub const NEWCOMERS: Budget = Budget { burst: 65_536.0, rate: 256.0 };
/// Scripts for one machine, or for the strangers at one address.
pub const SCRIPTS: Budget = Budget { burst: 40.0, rate: 4.0 };
/// Documents for one machine: anaconda repeats a refused fetch at once, for three minutes.
pub const DOCUMENTS: Budget = Budget { burst: 200.0, rate: 10.0 };
/// Reports of one build: an installer's webhooks come in heaps.
pub const REPORTS: Budget = Budget { burst: 400.0, rate: 20.0 };
/// Files of one machine that leave a line in the journal: an installation from a tree fetches thousands, and the first ones tell.
pub const FILES: Budget = Budget { burst: 400.0, rate: 10.0 };

/// Strangers of one network that get a record: a hall that is switched on at once, but no flood.
pub const ENROLMENTS: Budget = Budget { burst: 1024.0, rate: 4.0 };
/// Strangers of one network that get none and are told of.
pub const NOT_ENROLLED: Budget = Budget { burst: 1.0, rate: 1.0 / 60.0 };

/// Hellos and heartbeats of one run: two a minute, and a handful around a boot.
pub const HEARTBEATS: Budget = Budget { burst: 60.0, rate: 1.0 };
/// Reports of one run: a few in all, and their repetition while the server could not answer.
pub const FINDINGS: Budget = Budget { burst: 20.0, rate: 0.1 };
/// Bodies of one run's agent that are read at all: both of the above, and what is malformed.
pub const BODIES: Budget = Budget { burst: 80.0, rate: 2.0 };
/// TFTP requests of one peer that are refused and told of; the others are counted.
pub const REFUSALS: Budget = Budget { burst: 40.0, rate: 2.0 };

/// Whom a bucket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A DHCP client.
    Client(Mac),
    /// Never-seen DHCP clients behind the relay, or on the link, of this address.
    Newcomers(Ipv4Addr),
    /// Somebody at an address who asks for the script of this host, or of nobody recorded.
    Script(Ipv4Addr, Option<HostId>),
    /// Somebody at an address with a token of this host.
    Document(Ipv4Addr, HostId),
    /// The installer of this host.
    Report(HostId),
    /// Refused requests of whoever is at this address.
    Refusal(Ipv4Addr),
    /// Strangers on the network of this first address.
    Enrolment(Ipv4Addr),
    /// Strangers there that stay strangers.
    NotEnrolled(Ipv4Addr),
    /// Files of this host.
    File(Ipv4Addr, HostId),
    /// Files of the live image in a boot session of this host.
    Live(HostId),
    /// The live image's agent on this host.
    Agent(HostId),
    /// Bodies that agent sends.
    AgentBody(HostId),
    /// What that agent found.
    Findings(HostId),
}

impl Key {
    const fn budget(&self) -> Budget {
        match self {
            Self::Client(_) => PACKETS,
            Self::Newcomers(_) => NEWCOMERS,
            Self::Script(..) => SCRIPTS,
            Self::Document(..) => DOCUMENTS,
            Self::Report(_) => REPORTS,
            Self::Refusal(_) => REFUSALS,
            Self::Enrolment(_) => ENROLMENTS,
            Self::NotEnrolled(_) => NOT_ENROLLED,
            Self::File(..) | Self::Live(_) => FILES,
            Self::Agent(_) => HEARTBEATS,
            Self::AgentBody(_) => BODIES,
            Self::Findings(_) => FINDINGS,
        }
    }
}

/// Buckets remembered at once.
const MOST: usize = 16_384;
/// How many of them are looked at for one that makes room.
const LOOKED_AT: usize = 8;

/// One peer's bucket, as it was when it was last drawn from.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    key: Key,
    left: f64,
    at: Timestamp,
}

/// Every peer's bucket. When there are too many, the fullest of the next few makes room for a new one: it had least to remember. So
/// whoever invents names can neither grow it nor empty it of those that asked too much, and nothing is ever searched through.
#[derive(Debug, Default)]
pub struct Pace {
    buckets: Vec<Bucket>,
    places: HashMap<Key, usize>,
    hand: usize,
}

impl Pace {
    /// Takes one request's worth; `false` when the bucket is empty.
    pub fn admits(&mut self, key: Key, now: Timestamp) -> bool {
        let place = self.places.get(&key).copied().unwrap_or_else(|| self.begin(key, now));
        let bucket = &mut self.buckets[place];
        let left = bucket.filled(now);
        let admitted = left >= 1.0;
        *bucket = Bucket { key, left: if admitted { left - 1.0 } else { left }, at: now };
        admitted
    }

    /// A full bucket for somebody new.
    fn begin(&mut self, key: Key, now: Timestamp) -> usize {
        let bucket = Bucket { key, left: key.budget().burst, at: now };
        let place = if self.buckets.len() < MOST {
            self.buckets.push(bucket);
            self.buckets.len() - 1
        } else {
            let place = self.fullest(now);
            self.places.remove(&self.buckets[place].key);
            self.buckets[place] = bucket;
            place
        };
        self.places.insert(key, place);
        place
    }

    fn fullest(&mut self, now: Timestamp) -> usize {
        let (start, count) = (self.hand, self.buckets.len());
        self.hand = (start + LOOKED_AT) % count;
        let share = |place: usize| self.buckets[place].filled(now) / self.buckets[place].key.budget().burst;
        let looked_at = (0..LOOKED_AT).map(|step| (start + step) % count);
        looked_at.max_by(|a, b| share(*a).total_cmp(&share(*b))).unwrap_or(start)
    }
}

impl Bucket {
    /// What is in it now. A clock that was set back fills nothing.
    fn filled(&self, now: Timestamp) -> f64 {
        let budget = self.key.budget();
        (self.left + now.duration_since(self.at).as_secs_f64().max(0.0) * budget.rate).min(budget.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    fn client(number: u32) -> Key {
        let [a, b, c, d] = number.to_be_bytes();
        Key::Client(Mac::from_octets([0x52, 0x54, a, b, c, d]).unwrap())
    }

    #[test]
    fn a_client_that_floods_is_slowed_down_and_no_other() {
        let mut pace = Pace::default();
        let admitted = (0..1000).filter(|_| pace.admits(client(1), at(0))).count();
        assert_eq!(admitted, 40);
        assert!(pace.admits(client(2), at(0)));
        assert_eq!((0..100).filter(|n| pace.admits(client(1), at(n * 10))).count(), 3, "a second later: the rate and no more");
        assert_eq!((0..100).filter(|_| pace.admits(client(1), at(60_000))).count(), 40);
        assert!(!pace.admits(client(1), at(0)), "a clock that is set back gives nothing away");
    }

    #[test]
    fn invented_clients_neither_grow_it_nor_make_it_forget_who_asked_too_much() {
        let mut pace = Pace::default();
        assert_eq!((0..41).filter(|_| pace.admits(client(0), at(0))).count(), 40);
        assert!((1..100_000).all(|number| pace.admits(client(number), at(0))));
        assert_eq!((pace.buckets.len(), pace.places.len()), (MOST, MOST));
        assert!(pace.places.iter().all(|(key, place)| pace.buckets[*place].key == *key));
        assert!(!pace.admits(client(0), at(0)), "its bucket is still the empty one");
    }

    #[test]
    fn whoever_invents_clients_empties_the_bucket_of_its_own_link_only() {
        let mut pace = Pace::default();
        let (here, there) = (Key::Newcomers([10, 1, 0, 1].into()), Key::Newcomers([10, 2, 0, 1].into()));
        assert_eq!((0..100_000).filter(|_| pace.admits(here, at(0))).count(), 65_536);
        assert!(pace.admits(there, at(0)));
        assert_eq!((0..1000).filter(|_| pace.admits(here, at(1000))).count(), 256, "a second later: the rate and no more");
    }
}
