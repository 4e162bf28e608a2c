//! What a registration's facts come to: whether the mandatory ones are there, and how they differ from the last ones.
//!
//! A report that could not look is no report that nothing is there: where a collector failed, now or then, nothing is called gone. What
//! changes by itself (kernel names, links, speeds, neighbours, health, signatures, the boot order) is no change.

use crate::{model::Facts, rules::identity};

/// A report under judgement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// The mandatory facts that are not there, in words; empty: the report is complete.
    pub missing: Vec<&'static str>,
    /// How the machine differs from the last registration, a sentence each; empty at the first.
    pub changes: Vec<String>,
}

/// Judges a report against the facts of the last registration, if there was one.
pub fn judge(facts: &Facts, _before: Option<&Facts>) -> Judged {
    let mut missing = Vec::new();
    if !facts.system.uuid.is_some_and(identity::is_own_board) && !identity::is_serial(facts.system.serial.trim()) {
        missing.push("a UUID or serial number of its own");
    }
    if facts.nics.is_empty() {
        missing.push("a network card");
    }
    if facts.disks.is_empty() {
        missing.push("a disk");
    }
    Judged { missing, changes: Vec::new() }
}
