//! Who may have which address: the lease book of all networks, in memory (RFC 2131 3.1, 4.3).
//!
//! ```text
//!            offer                bind                    until passes
//!  (nobody) ───────▶ Offered ───────────▶ Bound ─────────────────────────▶ remembered: the same MAC gets it again,
//!                       │  ▲                │ release ▶ Released ─────────▶ another only when nothing unused is left
//!                       └──┘ the same MAC   │
//!  Declined ◀──────────────── decline, conflict: nobody gets it before `until`
//! ```
//! The identity is network and MAC. An address is set aside when it is *offered*, so that a hundred machines that start at once get a
//! hundred addresses. The book decides nothing about hosts and saves nothing: it is loaded once, and whoever binds saves the lease.

mod declines;
mod pool;

use std::{
    collections::{BTreeSet, HashMap},
    net::Ipv4Addr,
};

use jiff::SignedDuration;

use declines::Declines;
pub use declines::MOST_DECLINES;
use pool::can_lend;

use crate::model::{Lease, LeaseState, Mac, Name, Network, Timestamp};

/// How long an offered address is set aside: some firmware takes ten seconds to decide.
pub const OFFER_SECS: i64 = 60;
/// How long an address is left alone after somebody else answered on it.
pub const QUARANTINE_SECS: i64 = 600;

/// Why nobody can be given an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoAddress {
    /// Every address of the pools is lent, offered, reserved or in quarantine.
    #[error("every address of the pools is lent, reserved or in quarantine; enlarge a pool or shorten the lease time")]
    PoolFull,
    /// The network has no pool and the host no address.
    #[error("the network has no pool and the host has no address of its own")]
    NoPool,
    /// The host's own address is in use by another machine, and there is no pool to fall back to.
    #[error("the host's own address is in use by another machine")]
    ReservedInUse,
    /// The client declined one address after the other.
    #[error(
        "it declined {MOST_DECLINES} addresses within ten minutes and gets no other before they are over; does another machine answer on all of them?"
    )]
    Declines,
}

/// Who asks, and what stands in the way.
pub struct Ask<'a> {
    /// Where.
    pub network: &'a Network,
    /// Who.
    pub mac: Mac,
    /// The address that the host's record reserves.
    pub reserved: Option<Ipv4Addr>,
    /// The address that the client would like (option 50).
    pub wanted: Option<Ipv4Addr>,
    /// Whether an address is spoken for: reserved for another host, or the server's own.
    pub is_taken: &'a dyn Fn(Ipv4Addr) -> bool,
    /// Now.
    pub now: Timestamp,
}

/// An address that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The address.
    pub address: Ipv4Addr,
    /// Whether it is worth asking the wire if somebody uses it: not leased to this MAC.
    pub is_fresh: bool,
}

/// What the book says of a client's claim on an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It was offered or lent to this MAC, and still is.
    Own,
    /// It was lent to this MAC; the time has passed and nobody else has it.
    Lapsed,
    /// Nobody has it, and this MAC could.
    Free,
    /// The MAC has another address, or is to have another.
    Other(Ipv4Addr),
    /// Somebody else has it.
    Foreign,
    /// Reserved for another host, in quarantine, or in no pool.
    Barred,
    /// Not an address of this network.
    WrongNetwork,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Offered,
    Bound,
    Released,
    Declined,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    mac: Mac,
    state: State,
    until: Timestamp,
    client_name: Option<String>,
}

impl Held {
    fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now || self.state == State::Released
    }
}

/// The addresses of one network.
#[derive(Debug, Default)]
struct Ledger {
    held: HashMap<Ipv4Addr, Held>,
    of: HashMap<Mac, Ipv4Addr>,
    /// The same by end, so that the longest unused is found at once.
    ends: BTreeSet<(Timestamp, Ipv4Addr)>,
    declines: Declines,
}

/// How things were before a [`Book::bind`], to be put back if the lease could not be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    network: Name,
    address: Ipv4Addr,
    mac: Mac,
    held: Option<Held>,
    of: Option<Ipv4Addr>,
}

/// All leases of all networks.
#[derive(Debug, Default)]
pub struct Book {
    ledgers: HashMap<Name, Ledger>,
}

impl Book {
    /// The book as it was saved.
    pub fn load(leases: impl IntoIterator<Item = Lease>) -> Self {
        let mut book = Self::default();
        let mut leases: Vec<Lease> = leases.into_iter().collect();
        leases.sort_by_key(|lease| lease.expires);
        for lease in leases {
            let state = match lease.state {
                LeaseState::Bound => State::Bound,
                LeaseState::Released => State::Released,
                LeaseState::Declined => State::Declined,
            };
            let held = Held { mac: lease.mac, state, until: lease.expires, client_name: lease.client_name };
            book.ledger(&lease.network).put(lease.address, held);
        }
        book
    }

    /// Sets an address aside for a MAC: its own again, the one reserved for it, the one it would like, or an unused one.
    pub fn offer(&mut self, ask: &Ask<'_>) -> Result<Offered, NoAddress> {
        let ledger = self.ledger(&ask.network.name);
        if ledger.declines.are_too_many(ask.mac, ask.now) {
            return Err(NoAddress::Declines);
        }
        let address = ledger.choose(ask)?;
        let mine = ledger.held.get(&address).filter(|held| held.mac == ask.mac);
        let is_lent = mine.is_some_and(|held| held.state == State::Bound && held.until > ask.now);
        let is_fresh = mine.is_none_or(|held| held.is_over(ask.now));
        if !is_lent {
            let until = after(ask.now, OFFER_SECS);
            ledger.put(address, Held { mac: ask.mac, state: State::Offered, until, client_name: None });
        }
        Ok(Offered { address, is_fresh })
    }

    /// What is to be said of a client's claim on `address`; changes nothing.
    pub fn claim(&self, ask: &Ask<'_>, address: Ipv4Addr) -> Claim {
        if !ask.network.subnet.contains(&address) {
            return Claim::WrongNetwork;
        }
        let Some(ledger) = self.ledgers.get(&ask.network.name) else {
            return if can_lend(ask, address) { Claim::Free } else { Claim::Barred };
        };
        let held = ledger.held.get(&address);
        match held {
            Some(held) if held.state == State::Declined && held.until > ask.now => return Claim::Barred,
            Some(held) if held.mac == ask.mac && !held.is_over(ask.now) => return Claim::Own,
            Some(held) if held.mac != ask.mac && !held.is_over(ask.now) => return Claim::Foreign,
            _ => {}
        }
        if !can_lend(ask, address) || ledger.declines.are_too_many(ask.mac, ask.now) {
            return Claim::Barred;
        }
        match (ask.reserved, ledger.of.get(&ask.mac)) {
            (Some(reserved), _) if reserved != address && ledger.is_open(ask, reserved) => Claim::Other(reserved),
            (_, Some(other)) if *other != address && ledger.held.get(other).is_some_and(|held| !held.is_over(ask.now)) => Claim::Other(*other),
            _ if held.is_some_and(|held| held.mac == ask.mac) => Claim::Lapsed,
            _ => Claim::Free,
        }
    }

    /// Lends the address until then. The lease is to be saved before anybody hears of it; if that fails, [`Book::undo`].
    pub fn bind(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, until: Timestamp, client_name: Option<String>) -> (Lease, Undo) {
        let ledger = self.ledger(network);
        let undo = Undo { network: network.clone(), address, mac, held: ledger.held.get(&address).cloned(), of: ledger.of.get(&mac).copied() };
        ledger.put(address, Held { mac, state: State::Bound, until, client_name: client_name.clone() });
        (Lease { network: network.clone(), address, mac, state: LeaseState::Bound, expires: until, client_name }, undo)
    }

    /// Puts back what was before a bind that could not be saved.
    pub fn undo(&mut self, undo: Undo) {
        let ledger = self.ledger(&undo.network);
        ledger.remove(undo.address);
        if let Some(held) = undo.held {
            ledger.put(undo.address, held);
        }
        match undo.of {
            Some(address) => ledger.of.insert(undo.mac, address),
            None => ledger.of.remove(&undo.mac),
        };
    }

    /// DHCPRELEASE: the address is free, and remembered for this MAC. `None` if it was not lent to it.
    pub fn release(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, now: Timestamp) -> Option<Lease> {
        let ledger = self.ledgers.get_mut(network)?;
        let held = ledger.held.get(&address).filter(|held| held.mac == mac && held.state == State::Bound)?.clone();
        let client_name = held.client_name.clone();
        ledger.put(address, Held { state: State::Released, until: now, ..held });
        Some(Lease { network: network.clone(), address, mac, state: LeaseState::Released, expires: now, client_name })
    }

    /// DHCPDECLINE: whoever was offered or lent it found somebody else there. `None` if it was not this MAC's.
    pub fn decline(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, now: Timestamp) -> Option<Lease> {
        let ledger = self.ledgers.get_mut(network)?;
        ledger.held.get(&address).filter(|held| held.mac == mac && held.state != State::Declined)?;
        ledger.declines.note(mac, now);
        Some(ledger.quarantine(network, mac, address, now))
    }

    /// The probe found somebody on an address that was to be offered to `mac`.
    pub fn conflict(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, now: Timestamp) -> Lease {
        self.ledger(network).quarantine(network, mac, address, now)
    }

    /// The client chose another server: the offer is void.
    pub fn withdraw(&mut self, network: &Name, mac: Mac) {
        let Some(ledger) = self.ledgers.get_mut(network) else { return };
        if let Some(address) = ledger.of.get(&mac).copied()
            && ledger.held.get(&address).is_some_and(|held| held.mac == mac && held.state == State::Offered)
        {
            ledger.remove(address);
        }
    }

    /// Forgets offers that nobody took and quarantines that are over; returns the leases whose time passed since `last`.
    pub fn expire(&mut self, last: Timestamp, now: Timestamp) -> Vec<Lease> {
        let mut over = Vec::new();
        for (network, ledger) in &mut self.ledgers {
            let ended: Vec<Ipv4Addr> = ledger.ends.iter().take_while(|(until, _)| *until <= now).map(|(_, address)| *address).collect();
            for address in ended {
                let Some(held) = ledger.held.get(&address) else { continue };
                match held.state {
                    State::Offered | State::Declined => ledger.remove(address),
                    State::Bound if held.until > last => over.push(held.lease(network, address)),
                    State::Bound | State::Released => {}
                }
            }
        }
        over
    }

    /// Who was lent this address last, in whatever network, also after its end (an installer that did not renew).
    pub fn holder(&self, address: Ipv4Addr) -> Option<Mac> {
        let held = self.ledgers.values().filter_map(|ledger| ledger.held.get(&address));
        held.filter(|held| held.state == State::Bound).max_by_key(|held| held.until).map(|held| held.mac)
    }

    /// Every lease that is in force, and the quarantined addresses.
    pub fn leases(&self, now: Timestamp) -> Vec<Lease> {
        let all = self.ledgers.iter().flat_map(|(network, ledger)| ledger.held.iter().map(move |(address, held)| (network, *address, held)));
        let in_force = all.filter(|(_, _, held)| held.until > now && held.state != State::Offered);
        let mut leases: Vec<Lease> = in_force.map(|(network, address, held)| held.lease(network, address)).collect();
        leases.sort_by(|a, b| (&a.network, a.address).cmp(&(&b.network, b.address)));
        leases
    }

    fn ledger(&mut self, network: &Name) -> &mut Ledger {
        if !self.ledgers.contains_key(network) {
            self.ledgers.insert(network.clone(), Ledger::default());
        }
        self.ledgers.entry(network.clone()).or_default()
    }
}

impl Held {
    fn lease(&self, network: &Name, address: Ipv4Addr) -> Lease {
        let state = match self.state {
            State::Offered | State::Bound => LeaseState::Bound,
            State::Released => LeaseState::Released,
            State::Declined => LeaseState::Declined,
        };
        Lease { network: network.clone(), address, mac: self.mac, state, expires: self.until, client_name: self.client_name.clone() }
    }
}

impl Ledger {
    fn put(&mut self, address: Ipv4Addr, held: Held) {
        self.remove(address);
        self.ends.insert((held.until, address));
        if held.state == State::Declined {
            // Whoever declined it is to get another one.
            self.of.retain_other(held.mac, address);
        } else {
            self.of.insert(held.mac, address);
        }
        self.held.insert(address, held);
    }

    fn remove(&mut self, address: Ipv4Addr) {
        if let Some(old) = self.held.remove(&address) {
            self.ends.remove(&(old.until, address));
            self.of.retain_other(old.mac, address);
        }
    }

    fn quarantine(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, now: Timestamp) -> Lease {
        let held = Held { mac, state: State::Declined, until: after(now, QUARANTINE_SECS), client_name: None };
        let lease = held.lease(network, address);
        self.put(address, held);
        lease
    }

    /// Whether nobody else has the address now.
    fn is_open(&self, ask: &Ask<'_>, address: Ipv4Addr) -> bool {
        self.held.get(&address).is_none_or(|held| {
            let quarantined = held.state == State::Declined && held.until > ask.now;
            !quarantined && (held.mac == ask.mac || held.is_over(ask.now))
        })
    }

    fn choose(&self, ask: &Ask<'_>) -> Result<Ipv4Addr, NoAddress> {
        if let Some(reserved) = ask.reserved.filter(|address| ask.network.subnet.contains(address) && self.is_open(ask, *address)) {
            return Ok(reserved);
        }
        let remembered = self.of.get(&ask.mac).copied();
        for address in [remembered, ask.wanted].into_iter().flatten() {
            if can_lend(ask, address) && self.is_open(ask, address) {
                return Ok(address);
            }
        }
        pool::unused(ask, &|address| self.held.contains_key(&address)).or_else(|| self.longest_unused(ask)).ok_or(
            match (ask.reserved, ask.network.pools.is_empty()) {
                (Some(_), true) => NoAddress::ReservedInUse,
                (None, true) => NoAddress::NoPool,
                (_, false) => NoAddress::PoolFull,
            },
        )
    }

    fn longest_unused(&self, ask: &Ask<'_>) -> Option<Ipv4Addr> {
        let over = self.ends.iter().take_while(|(until, _)| *until <= ask.now).map(|(_, address)| *address);
        over.into_iter().find(|address| can_lend(ask, *address) && self.is_open(ask, *address))
    }
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

/// `secs` later.
pub fn after(now: Timestamp, secs: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(secs)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
