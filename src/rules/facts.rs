//! What a registration's facts come to: whether the mandatory ones are there, how they differ from the last ones (`changes`), and what they
//! say about which machine this is (`whose`).
//!
//! A report that could not look is no report that nothing is there: where a collector failed, now or then, nothing is called gone. What
//! changes by itself (kernel names, links, speeds, neighbours, health, signatures, the boot order) is no change.

mod changes;
mod whose;

use crate::{
    model::{Facts, Mac, facts::Nic},
    rules::identity,
};

pub use whose::{Clash, Identity, identify};

/// A report under judgement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// The mandatory facts that are not there, in words; empty: the report is complete.
    pub missing: Vec<&'static str>,
    /// How the machine differs from the last registration, a sentence each; empty at the first.
    pub changes: Vec<String>,
}

/// Judges a report against the facts of the last registration, if there was one.
pub fn judge(facts: &Facts, before: Option<&Facts>) -> Judged {
    let mut missing = Vec::new();
    if !facts.system.uuid.is_some_and(identity::is_own_board) && !identity::is_serial(facts.system.serial.trim()) {
        missing.push("a UUID or serial number of its own");
    }
    if cards(facts).is_empty() {
        missing.push("a network card");
    }
    if facts.disks.is_empty() {
        missing.push("a disk");
    }
    Judged { missing, changes: before.map(|before| changes::changes(before, facts)).unwrap_or_default() }
}

/// The most cards of one machine that become part of its identity.
const MOST_CARDS: usize = 64;

/// The addresses that name this machine's cards: the one a card was made with, where the driver tells, else the one it uses. The card that
/// it booted from comes first.
fn cards(facts: &Facts) -> Vec<Mac> {
    let mut nics: Vec<&Nic> = facts.nics.iter().filter(|nic| !is_inside(nic)).collect();
    nics.sort_by_key(|nic| !nic.boot);
    let all: Vec<Mac> = nics.into_iter().map(address).collect();
    let lonely = |mac: &&Mac| !is_local(**mac) || all.iter().filter(|other| other == mac).count() == 1;
    let mut cards: Vec<Mac> = Vec::new();
    for mac in all.iter().filter(lonely) {
        if !cards.contains(mac) {
            cards.push(*mac);
        }
    }
    cards.truncate(MOST_CARDS);
    cards
}

/// Whether any card of this machine, by whatever address, is one of these.
fn has_one_of(facts: &Facts, macs: &[Mac]) -> bool {
    facts.nics.iter().any(|nic| macs.contains(&nic.mac) || nic.permanent_mac.is_some_and(|mac| macs.contains(&mac)))
}

fn address(nic: &Nic) -> Mac {
    nic.permanent_mac.unwrap_or(nic.mac)
}

/// Made up by software, not by a maker (IEEE 802 8.2.2): two cards that share one are nobody's.
const fn is_local(mac: Mac) -> bool {
    mac.octets()[0] & 2 != 0
}

/// The link to the board's own management controller: a network card over USB, whose made-up address whole series of boards share.
fn is_inside(nic: &Nic) -> bool {
    const DRIVERS: [&str; 4] = ["cdc_ether", "cdc_ncm", "cdc_subset", "rndis_host"];
    !nic.boot && is_local(address(nic)) && DRIVERS.contains(&nic.driver.as_str())
}

#[cfg(test)]
mod tests;
