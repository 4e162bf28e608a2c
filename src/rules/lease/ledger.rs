//! The addresses of one network: who has which, until when, and which one a client gets.
//!
//! Found by address, by MAC and by end. Offers stand apart from leases, so that in a full pool the oldest offer is at hand, and the
//! longest unused address is. Which networks there are, and what a change means for DHCP, is the book's.

use std::{
    collections::{BTreeSet, HashMap},
    net::Ipv4Addr,
};

use super::{
    Ask, DECIDE_SECS, NoAddress, OFFER_SECS, QUARANTINE_SECS, after,
    declines::{Declined, Declines},
    pool::{self, can_lend},
};
use crate::model::{Lease, LeaseState, Mac, Name, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Offered { to_recorded: bool },
    Bound,
    Released,
    Declined,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) mac: Mac,
    pub(super) state: State,
    pub(super) until: Timestamp,
    pub(super) client_name: Option<String>,
}

impl Held {
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now || self.state == State::Released
    }

    pub(super) const fn is_offer(&self) -> bool {
        matches!(self.state, State::Offered { .. })
    }
}

/// The addresses of one network.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) held: HashMap<Ipv4Addr, Held>,
    pub(super) of: HashMap<Mac, Ipv4Addr>,
    /// What is only offered, by end, so that the oldest offer is found at once.
    pub(super) offers: BTreeSet<(Timestamp, Ipv4Addr)>,
    /// Everything else by end, so that the longest unused is.
    pub(super) ends: BTreeSet<(Timestamp, Ipv4Addr)>,
    pub(super) declines: Declines,
    /// When the pools were last searched through and had nothing unused; void as soon as an address comes back.
    pub(super) exhausted: Option<Timestamp>,
}

/// How things were before a change of a lease, to be put back if the lease could not be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    pub(super) network: Name,
    pub(super) address: Ipv4Addr,
    pub(super) mac: Mac,
    pub(super) held: Option<Held>,
    pub(super) of: Option<Ipv4Addr>,
    pub(super) declined: Option<Declined>,
    /// What the change made of it: somebody who came later is not undone.
    pub(super) made: Held,
}

impl Held {
    pub(super) fn lease(&self, network: &Name, address: Ipv4Addr) -> Lease {
        let state = match self.state {
            State::Offered { .. } | State::Bound => LeaseState::Bound,
            State::Released => LeaseState::Released,
            State::Declined => LeaseState::Declined,
        };
        Lease { network: network.clone(), address, mac: self.mac, state, expires: self.until, client_name: self.client_name.clone() }
    }
}

impl Ledger {
    /// Puts it in place of what was there, and says what is to be saved and how to take it back.
    pub(super) fn change(&mut self, network: &Name, address: Ipv4Addr, next: Held) -> (Lease, Undo) {
        let lease = next.lease(network, address);
        let (held, of) = (self.held.get(&address).cloned(), self.of.get(&next.mac).copied());
        let undo = Undo { network: network.clone(), address, mac: next.mac, held, of, declined: self.declines.of(next.mac), made: next.clone() };
        self.put(address, next);
        (lease, undo)
    }

    pub(super) fn put(&mut self, address: Ipv4Addr, held: Held) {
        self.take(address);
        self.by_end(&held).insert((held.until, address));
        if held.state == State::Declined {
            // Whoever declined it is to get another one.
            self.of.retain_other(held.mac, address);
        } else {
            self.of.insert(held.mac, address);
        }
        self.held.insert(address, held);
    }

    pub(super) fn remove(&mut self, address: Ipv4Addr) {
        self.take(address);
        self.exhausted = None;
    }

    fn take(&mut self, address: Ipv4Addr) {
        if let Some(old) = self.held.remove(&address) {
            self.by_end(&old).remove(&(old.until, address));
            self.of.retain_other(old.mac, address);
        }
    }

    const fn by_end(&mut self, held: &Held) -> &mut BTreeSet<(Timestamp, Ipv4Addr)> {
        if held.is_offer() { &mut self.offers } else { &mut self.ends }
    }

    /// The addresses whose time is over: of offers, then of leases, each the longest unused first.
    pub(super) fn over(&self, now: Timestamp) -> impl Iterator<Item = Ipv4Addr> + '_ {
        until(&self.offers, now).chain(until(&self.ends, now))
    }

    pub(super) fn quarantine(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, now: Timestamp) -> (Lease, Undo) {
        let held = Held { mac, state: State::Declined, until: after(now, QUARANTINE_SECS), client_name: None };
        self.change(network, address, held)
    }

    /// Whether nobody else has the address now.
    pub(super) fn is_open(&self, ask: &Ask<'_>, address: Ipv4Addr) -> bool {
        self.held.get(&address).is_none_or(|held| {
            let quarantined = held.state == State::Declined && held.until > ask.now;
            !quarantined && (held.mac == ask.mac || held.is_over(ask.now))
        })
    }

    pub(super) fn choose(&mut self, ask: &Ask<'_>) -> Result<Ipv4Addr, NoAddress> {
        if let Some(reserved) = ask.reserved.filter(|address| ask.network.subnet.contains(address) && self.is_open(ask, *address)) {
            return Ok(reserved);
        }
        let remembered = self.of.get(&ask.mac).copied();
        for address in [remembered, ask.wanted].into_iter().flatten() {
            if can_lend(ask, address) && self.is_open(ask, address) {
                return Ok(address);
            }
        }
        self.unused(ask).or_else(|| self.longest_unused(ask)).or_else(|| self.oldest_offer(ask)).ok_or(
            match (ask.reserved, ask.network.pools.is_empty()) {
                (Some(_), true) => NoAddress::ReservedInUse,
                (None, true) => NoAddress::NoPool,
                (_, false) => NoAddress::PoolFull,
            },
        )
    }

    /// An address that nobody ever had. Where there is none, the pools are not searched through again for a second: a flood of
    /// strangers would have every packet look at every address.
    fn unused(&mut self, ask: &Ask<'_>) -> Option<Ipv4Addr> {
        if self.exhausted.is_some_and(|then| (then..after(then, 1)).contains(&ask.now)) {
            return None;
        }
        let found = pool::unused(ask, &|address| self.held.contains_key(&address));
        self.exhausted = found.is_none().then_some(ask.now);
        found
    }

    fn longest_unused(&self, ask: &Ask<'_>) -> Option<Ipv4Addr> {
        self.over(ask.now).find(|address| can_lend(ask, *address) && self.is_open(ask, *address))
    }

    /// The oldest offer to a stranger: a host on record comes before it, another stranger once it had time to decide.
    fn oldest_offer(&self, ask: &Ask<'_>) -> Option<Ipv4Addr> {
        let lasted = if ask.is_recorded { 0 } else { DECIDE_SECS };
        let oldest = until(&self.offers, after(ask.now, OFFER_SECS - lasted));
        let is_strangers = |address: &Ipv4Addr| self.held.get(address).is_some_and(|held| held.state == State::Offered { to_recorded: false });
        oldest.filter(is_strangers).find(|address| can_lend(ask, *address))
    }
}

fn until(ends: &BTreeSet<(Timestamp, Ipv4Addr)>, end: Timestamp) -> impl Iterator<Item = Ipv4Addr> + '_ {
    ends.range(..=(end, Ipv4Addr::BROADCAST)).map(|(_, address)| *address)
}

trait RetainOther {
    /// Forgets that `mac` has `address`; another address of it stays.
    fn retain_other(&mut self, mac: Mac, address: Ipv4Addr);
}

impl RetainOther for HashMap<Mac, Ipv4Addr> {
    fn retain_other(&mut self, mac: Mac, address: Ipv4Addr) {
        if self.get(&mac) == Some(&address) {
            self.remove(&mac);
        }
    }
}
