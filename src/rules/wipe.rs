//! The wipe: which disks, how, how long, and whether a report proves that it was done.
//!
//! A plan is made from a host's facts alone: the same facts give the same plan and so the same hash, which is what an operator confirms and the
//! agent compares. Every disk of the facts is in the plan, either to be erased or left alone with its reason; a disk that is in neither stops
//! the agent. Nothing here looks at a clock, touches a disk or changes a host; entering `cleaning` is `rules::lifecycle`.

mod estimate;
mod foreign;
mod proof;

use jiff::SignedDuration;

pub use estimate::{deadlines, span};
pub use proof::{Paper, bytes, certificate, judge, statement};

use crate::model::{
    Category, DiskId, EraseMethod, Facts, Host, Lifecycle, PlannedDisk, Timestamp, WipePlan, WipePolicy, facts::Disk, lifecycle::ErrorFrom,
    wipe::LeftDisk,
};

/// Disks at once: more make no bus faster, and heat and power are finite.
const PARALLEL: u32 = 4;

/// Why there is no plan; one sentence each, with the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// The host was never registered.
    #[error("nobody knows which disks this host has, because it was never registered here: {way}")]
    NoFacts {
        /// How it is registered from its state.
        way: &'static str,
    },
    /// Its facts are too old.
    #[error("its disks were last looked at on {at}, more than {days} days ago: register it again first: {way}")]
    Stale {
        /// When.
        at: Timestamp,
        /// How long facts are believed.
        days: u64,
        /// How it is registered from its state.
        way: &'static str,
    },
    /// `include` names what is not there.
    #[error("there is no disk {:?}; the facts name {have}", .id.0)]
    UnknownDisk {
        /// What was named.
        id: DiskId,
        /// What is there.
        have: String,
    },
    /// A disk refuses writes.
    #[error(
        "disk {id} ({name}) is read-only and cannot be wiped; make it writable or take it out and register the host again, or let an admin waive the disks"
    )]
    ReadOnly {
        /// Which.
        id: DiskId,
        /// Its name at registration.
        name: String,
    },
    /// A disk says that it has no size.
    #[error(
        "disk {id} ({name}) says that it has no bytes, as broken disks do; replace it or take it out and register the host again, or let an admin waive the disks"
    )]
    NoBytes {
        /// Which.
        id: DiskId,
        /// Its name at registration.
        name: String,
    },
    /// Two disks have one name, so nobody could say which was wiped.
    #[error(
        "two disks call themselves {id}: two paths to one disk, or serial numbers that were copied; leave one path or disk in and register the host again, or let an admin waive the disks"
    )]
    SameId {
        /// The name.
        id: DiskId,
    },
    /// Policy `purge`, and a disk that cannot.
    #[error(
        "disk {id} ({name}) has no command that purges it; policy clear would wipe it with {has}, or take it out and register the host again, or let an admin waive the disks"
    )]
    NoPurge {
        /// Which.
        id: DiskId,
        /// Its name at registration.
        name: String,
        /// What it can do.
        has: String,
    },
    /// Nothing is left to wipe.
    #[error("there is no disk to wipe{left}; name a disk with include, or let an admin waive the disks")]
    NoDisks {
        /// How many are left alone, in words.
        left: String,
    },
}

impl NoPlan {
    /// Its stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoFacts { .. } => "no_facts",
            Self::Stale { .. } => "facts_stale",
            Self::UnknownDisk { .. } => "unknown_disk",
            Self::ReadOnly { .. } => "read_only_disk",
            Self::NoBytes { .. } => "disk_without_bytes",
            Self::SameId { .. } => "same_disk_id",
            Self::NoPurge { .. } => "no_purge",
            Self::NoDisks { .. } => "no_disks",
        }
    }
}

/// The facts that a plan may rest on: there, and not older than `facts_secs`.
pub fn facts(host: &Host, now: Timestamp, facts_secs: u64) -> Result<&Facts, NoPlan> {
    let (Some(facts), Some(at)) = (host.facts.as_deref(), host.facts_at) else {
        return Err(NoPlan::NoFacts { way: way(host) });
    };
    let believed = SignedDuration::from_secs(i64::try_from(facts_secs).unwrap_or(i64::MAX));
    if now.duration_since(at) > believed { Err(NoPlan::Stale { at, days: facts_secs / 86_400, way: way(host) }) } else { Ok(facts) }
}

/// How a host is registered from the state it is in.
const fn way(host: &Host) -> &'static str {
    match &host.lifecycle {
        Lifecycle::Used => "reregister (T14) touches no disk and keeps it in use",
        Lifecycle::Reserved { .. } => "adopt it (T35), then reregister (T14) touches no disk",
        Lifecycle::Unavailable | Lifecycle::Available => "start a maintenance (T25) and end it with touched parts (T26)",
        Lifecycle::Maintenance { .. } => "end the maintenance with touched parts (T26)",
        Lifecycle::Error { from: ErrorFrom::Used, .. } => {
            "resolve the error (T27c) and reregister (T14), or start a maintenance (T21) and end it with touched parts (T26)"
        }
        Lifecycle::Error { .. } => "start a maintenance (T21) and end it with touched parts (T26)",
        Lifecycle::Defective { .. } => "say repaired (T29)",
        Lifecycle::New | Lifecycle::Decommissioned { .. } => "register.start (T2, T32)",
        Lifecycle::Registering | Lifecycle::UsedRegistering | Lifecycle::Provisioning | Lifecycle::Cleaning { .. } => {
            "wait for the work under way, then register it"
        }
    }
}

/// The plan for a host with these facts, or why there is none. `include` names foreign disks that are to be wiped nevertheless.
pub fn plan(host: &Host, facts: &Facts, policy: WipePolicy, include: &[DiskId]) -> Result<WipePlan, NoPlan> {
    let facts_at = host.facts_at.ok_or_else(|| NoPlan::NoFacts { way: way(host) })?;
    if let Some(id) = include.iter().find(|id| !facts.disks.iter().any(|disk| disk.id == **id)) {
        let have = facts.disks.iter().map(|disk| disk.id.to_string()).collect::<Vec<_>>().join(", ");
        return Err(NoPlan::UnknownDisk { id: id.clone(), have: if have.is_empty() { "none".to_owned() } else { have } });
    }
    let (mut disks, mut left) = (Vec::new(), Vec::new());
    for disk in &facts.disks {
        match foreign::why(disk).filter(|_| !include.contains(&disk.id)) {
            Some(why) => left.push(LeftDisk { id: disk.id.clone(), model: disk.model.clone(), size_bytes: disk.size_bytes, why }),
            None => disks.push(planned(disk, policy)?),
        }
    }
    let twice = |disk: &&PlannedDisk| facts.disks.iter().filter(|other| other.id == disk.id).count() > 1;
    if let Some(disk) = disks.iter().find(twice) {
        return Err(NoPlan::SameId { id: disk.id.clone() });
    }
    if disks.is_empty() {
        let left = if left.is_empty() { String::new() } else { format!(", {} are left alone because they look like somebody else's", left.len()) };
        return Err(NoPlan::NoDisks { left });
    }
    Ok(WipePlan { version: 1, host: host.id, name: host.name.clone(), policy, facts_at, disks, left, parallel: PARALLEL })
}

/// Whether a plan erases this disk without being told to: it does not look like somebody else's.
pub fn is_own(disk: &Disk) -> bool {
    foreign::why(disk).is_none()
}

fn planned(disk: &Disk, policy: WipePolicy) -> Result<PlannedDisk, NoPlan> {
    let (id, name) = (disk.id.clone(), disk.name.clone());
    if disk.read_only {
        return Err(NoPlan::ReadOnly { id, name });
    }
    if disk.size_bytes == 0 {
        return Err(NoPlan::NoBytes { id, name });
    }
    let methods = methods(disk, policy);
    if methods.is_empty() {
        let has = words(&self::methods(disk, WipePolicy::Clear));
        return Err(NoPlan::NoPurge { id, name, has });
    }
    let estimate = estimate::disk(disk, &methods);
    Ok(PlannedDisk {
        id,
        name,
        model: disk.model.clone(),
        serial: disk.serial.clone(),
        wwn: disk.wwn.clone(),
        size_bytes: disk.size_bytes,
        transport: disk.transport.clone(),
        methods,
        soft_secs: estimate.soft_secs,
        hard_secs: estimate.hard_secs,
    })
}

/// What is tried, in order: the strongest category first, each in the agent's order, and overwriting last, because it always works.
fn methods(disk: &Disk, policy: WipePolicy) -> Vec<EraseMethod> {
    let of = |category: Category| disk.erase.iter().copied().filter(move |method| method.category() == category && *method != EraseMethod::Overwrite);
    let mut found: Vec<EraseMethod> = match policy {
        WipePolicy::Metadata => vec![EraseMethod::MetadataOnly],
        WipePolicy::Purge => of(Category::Purge).collect(),
        WipePolicy::Clear => of(Category::Purge).chain(of(Category::Clear)).chain([EraseMethod::Overwrite]).collect(),
    };
    let mut seen = Vec::new();
    found.retain(|method| {
        !seen.contains(method) && {
            seen.push(*method);
            true
        }
    });
    found
}

/// Methods as JSON spells them.
pub fn words(methods: &[EraseMethod]) -> String {
    let word = |method: &EraseMethod| match serde_json::to_value(method) {
        Ok(serde_json::Value::String(word)) => word,
        // Variants without contents are written as strings.
        _ => String::new(),
    };
    methods.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A plan in one sentence.
pub fn summary(plan: &WipePlan) -> String {
    let count = |count: usize| if count == 1 { "1 disk".to_owned() } else { format!("{count} disks") };
    let names = plan.disks.iter().map(|disk| disk.name.as_str()).collect::<Vec<_>>().join(", ");
    let left = if plan.left.is_empty() { String::new() } else { format!(", {} left alone", count(plan.left.len())) };
    let time = deadlines(plan);
    let policy = policy_word(plan.policy);
    format!(
        "{} of {} ({names}) by policy {policy}{left}; about {}, at most {}",
        count(plan.disks.len()),
        plan.name,
        span(time.soft_secs),
        span(time.hard_secs)
    )
}

/// A policy as JSON spells it.
pub const fn policy_word(policy: WipePolicy) -> &'static str {
    match policy {
        WipePolicy::Metadata => "metadata",
        WipePolicy::Clear => "clear",
        WipePolicy::Purge => "purge",
    }
}

/// What whoever confirms a plan should have read.
pub fn warnings(plan: &WipePlan, facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    if plan.policy == WipePolicy::Metadata {
        found.push(
            "METADATA IS NO SANITISATION: only tables, signatures and both ends are erased; the data stay on the disks and can be read".to_owned(),
        );
    }
    if let Some(error) = facts.collectors.iter().find(|one| one.name == "disks").and_then(|one| one.error.as_deref()) {
        found.push(format!("the registration may not have seen every disk: {error}; a disk that is in no plan stops the wipe"));
    }
    for disk in facts.disks.iter().filter(|disk| plan.disks.iter().any(|planned| planned.id == disk.id)) {
        let name = &disk.name;
        if let Some(why) = foreign::why(disk) {
            found.push(format!("{name} is wiped because you named it, although it looks like somebody else's: {why}"));
        }
        if disk.frozen {
            found.push(format!("{name} had its ATA security commands frozen at registration; its own erase may need a power cycle first"));
        }
        if disk.health.as_ref().is_some_and(|health| health.passed == Some(false)) {
            found.push(format!("{name} says of itself that it is failing; its wipe may fail"));
        }
    }
    found
}

#[cfg(test)]
mod tests;
