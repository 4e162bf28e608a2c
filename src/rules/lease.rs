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
//! hundred addresses; in a full pool hosts on record take a stranger's offer. The book decides nothing about hosts and saves nothing: it is loaded once, and whoever binds saves the lease.

mod declines;
mod ledger;
mod pool;

use std::{collections::HashMap, net::Ipv4Addr};

use jiff::SignedDuration;

pub use declines::MOST_DECLINES;
pub use ledger::Undo;
use ledger::{Held, Ledger, State};
use pool::can_lend;

use crate::model::{Lease, LeaseState, Mac, Name, Network, Timestamp};

/// How long an offered address is set aside.
pub const OFFER_SECS: i64 = 60;
/// How long a stranger's offer is safe from other strangers when a pool has nothing else left: some firmware takes ten seconds to decide.
pub const DECIDE_SECS: i64 = 15;
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
    /// Whether somebody recorded it: in a pool that strangers have offers of, it comes first.
    pub is_recorded: bool,
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
            let state = State::Offered { to_recorded: ask.is_recorded };
            ledger.put(address, Held { mac: ask.mac, state, until, client_name: None });
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
        self.ledger(network).change(network, address, Held { mac, state: State::Bound, until, client_name })
    }

    /// Puts back what was before a change that could not be saved, unless somebody else has the address by now.
    pub fn undo(&mut self, undo: Undo) {
        let ledger = self.ledger(&undo.network);
        if ledger.held.get(&undo.address) != Some(&undo.made) {
            return;
        }
        ledger.remove(undo.address);
        if let Some(held) = undo.held {
            ledger.put(undo.address, held);
        }
        match undo.of {
            Some(address) => ledger.of.insert(undo.mac, address),
            None => ledger.of.remove(&undo.mac),
        };
        if undo.made.state == State::Declined {
            ledger.declines.put_back(undo.mac, undo.declined);
        }
    }

    /// DHCPRELEASE: the address is free, and remembered for this MAC. `None` if it was not lent to it.
    pub fn release(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, now: Timestamp) -> Option<(Lease, Undo)> {
        let ledger = self.ledgers.get_mut(network)?;
        let held = ledger.held.get(&address).filter(|held| held.mac == mac && held.state == State::Bound)?.clone();
        Some(ledger.change(network, address, Held { state: State::Released, until: now, ..held }))
    }

    /// DHCPDECLINE: whoever was offered or lent it found somebody else there. `None` if it was not this MAC's.
    pub fn decline(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, now: Timestamp) -> Option<(Lease, Undo)> {
        let ledger = self.ledgers.get_mut(network)?;
        ledger.held.get(&address).filter(|held| held.mac == mac && held.state != State::Declined)?;
        let declined = ledger.declines.of(mac);
        ledger.declines.note(mac, now);
        let (lease, undo) = ledger.quarantine(network, mac, address, now);
        Some((lease, Undo { declined, ..undo }))
    }

    /// The probe found somebody on an address that was to be offered to `mac`. That stays true whether it can be saved or not.
    pub fn conflict(&mut self, network: &Name, mac: Mac, address: Ipv4Addr, now: Timestamp) -> Lease {
        self.ledger(network).quarantine(network, mac, address, now).0
    }

    /// The client chose another server: the offer is void.
    pub fn withdraw(&mut self, network: &Name, mac: Mac) {
        let Some(ledger) = self.ledgers.get_mut(network) else { return };
        if let Some(address) = ledger.of.get(&mac).copied()
            && ledger.held.get(&address).is_some_and(|held| held.mac == mac && held.is_offer())
        {
            ledger.remove(address);
        }
    }

    /// Forgets offers that nobody took and quarantines that are over; returns the leases whose time passed since `last`.
    pub fn expire(&mut self, last: Timestamp, now: Timestamp) -> Vec<Lease> {
        let mut over = Vec::new();
        for (network, ledger) in &mut self.ledgers {
            let ended: Vec<Ipv4Addr> = ledger.over(now).collect();
            for address in ended {
                let Some(held) = ledger.held.get(&address) else { continue };
                match held.state {
                    State::Offered { .. } | State::Declined => ledger.remove(address),
                    State::Bound if held.until > last => over.push(held.lease(network, address)),
                    State::Bound | State::Released => {}
                }
            }
        }
        over
    }

    /// Whether this MAC was offered or lent an address of the network, now or ever.
    pub fn knows(&self, network: &Name, mac: Mac) -> bool {
        self.ledgers.get(network).is_some_and(|ledger| ledger.of.contains_key(&mac))
    }

    /// Who was lent this address last, in whatever network, also after its end (an installer that did not renew).
    pub fn holder(&self, address: Ipv4Addr) -> Option<Mac> {
        let held = self.ledgers.values().filter_map(|ledger| ledger.held.get(&address));
        held.filter(|held| held.state == State::Bound).max_by_key(|held| held.until).map(|held| held.mac)
    }

    /// Every lease that is in force, and the quarantined addresses.
    pub fn leases(&self, now: Timestamp) -> Vec<Lease> {
        let all = self.ledgers.iter().flat_map(|(network, ledger)| ledger.held.iter().map(move |(address, held)| (network, *address, held)));
        let in_force = all.filter(|(_, _, held)| held.until > now && !held.is_offer());
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

/// `secs` later.
pub fn after(now: Timestamp, secs: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(secs)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
