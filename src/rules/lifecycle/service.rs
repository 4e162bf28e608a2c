//! Hands on the hardware: maintenance, faults, defects, and the end of service (T21, T22, T25–T34).
//!
//! Where a host goes after maintenance or repair is computed from its disks and facts, never chosen: that is what keeps a defective
//! or half-wiped host from becoming `used` or `available` by a detour (invariant 3).

use super::step::{Row, Step, disk_word, is_clean, no, same};
use super::{Event, NewLive, Stay, Why, cleaning, registration, times};
use crate::model::lifecycle::{Decommission, ErrorFrom};
use crate::model::{Cause, DiskState, IssueKind, Lifecycle, ReturnTo, What};

/// T25 from available and unavailable.
pub(super) fn maintain(s: &Step<'_>) -> Row {
    let return_to = if s.host.lifecycle == Lifecycle::Available { ReturnTo::Available } else { ReturnTo::Unavailable };
    s.by("T25").enter(Lifecycle::Maintenance { return_to }, "maintenance: hands off").go()
}

/// T25 from used.
pub(super) fn maintain_used(s: &Step<'_>, confirm: Option<&str>) -> Row {
    s.confirmed("T25", confirm)?;
    s.by("T25").enter(Lifecycle::Maintenance { return_to: ReturnTo::Used }, "maintenance: hands off, then back to its user").go()
}

/// T21: back to its user only if it failed in his service and nothing wrote to the disks since.
pub(super) fn maintain_error(s: &Step<'_>, from: ErrorFrom) -> Row {
    let return_to = match from {
        ErrorFrom::Used if s.host.disk_state == DiskState::Dirty => ReturnTo::Used,
        _ if is_clean(&s.host.disk_state) => ReturnTo::Available,
        _ => ReturnTo::Unavailable,
    };
    s.by("T21").enter(Lifecycle::Maintenance { return_to }, "maintenance after an error: hands off").go()
}

/// T26.
pub(super) fn end_maintenance(s: &Step<'_>, return_to: ReturnTo, touched: bool, live: &NewLive) -> Row {
    let (next, register) = match return_to {
        ReturnTo::Used => (Lifecycle::Used, Lifecycle::UsedRegistering),
        // Not past what T5 and T22 would stop at.
        ReturnTo::Available if is_clean(&s.host.disk_state) && s.nothing_blocks("T26").is_ok() => (Lifecycle::Available, Lifecycle::Registering),
        ReturnTo::Available | ReturnTo::Unavailable => (Lifecycle::Unavailable, Lifecycle::Registering),
    };
    let unknown = s.host.facts.is_none() && return_to != ReturnTo::Used;
    if touched || unknown {
        return registration::begin(s, "T26", live, register);
    }
    s.by("T26").enter(next, "maintenance ended, nothing was changed").go()
}

/// T27.
pub(super) fn fault(s: &Step<'_>, text: &str) -> Row {
    s.proven("T27", !is_stranger(s))?;
    let from = match s.host.lifecycle {
        Lifecycle::Cleaning { .. } => return cleaning::failed(s, text),
        Lifecycle::Registering => ErrorFrom::Registering,
        Lifecycle::Reserved { .. } => ErrorFrom::Reserved,
        Lifecycle::Maintenance { .. } => ErrorFrom::Maintenance,
        _ => ErrorFrom::Available,
    };
    broken(s, "T27", from, text)
}

/// T27b: the disks keep what they have, the holds stay.
pub(super) fn fault_in_service(s: &Step<'_>, text: &str) -> Row {
    s.proven("T27b", !is_stranger(s))?;
    broken(s, "T27b", ErrorFrom::Used, text)
}

/// The edge of T27 and T27b, also taken when a power task is given up.
pub(super) fn broken(s: &Step<'_>, row: &'static str, from: ErrorFrom, text: &str) -> Row {
    let step = s.by(row).with(|host| host.task = None);
    let step = if from == ErrorFrom::Used { step.disks(DiskState::Dirty) } else { step };
    step.enter(Lifecycle::Error { from, cause: Cause::Fault(text.to_owned()) }, format!("fault: {text}")).go()
}

/// A machine that showed no token may not put a host into error.
fn is_stranger(s: &Step<'_>) -> bool {
    matches!(s.ask.actor, crate::model::Actor::Host { proven: false, .. })
}

/// T22, and T27c for a host that failed in service.
pub(super) fn resolve(s: &Step<'_>, from: ErrorFrom) -> Row {
    if from == ErrorFrom::Used {
        if s.host.disk_state != DiskState::Dirty {
            return Err(Why::DisksTouched { row: "T27c", disk: disk_word(&s.host.disk_state) });
        }
        return s.by("T27c").enter(Lifecycle::Used, "the fault is mended, back in service").go();
    }
    s.disks_clean("T22")?;
    s.facts_fresh("T22")?;
    s.nothing_blocks("T22")?;
    s.by("T22").enter(Lifecycle::Available, "the error is resolved: offered").go()
}

/// T28.
pub(super) fn defective(s: &Step<'_>) -> Row {
    let Event::MarkDefective { reason, notes, abandon } = s.event else { return same(Stay::Noted("not a defect")) };
    if let Lifecycle::Error { from: ErrorFrom::Used, .. } = s.host.lifecycle {
        return no(s, "T28", "it failed in service: release it (T23) or resolve it (T27c) first");
    }
    if reason.trim().is_empty() {
        return Err(Why::NeedsReason { row: "T28", event: s.event.word() });
    }
    if s.erase_begun() && !abandon {
        return Err(Why::EraseBegun { row: "T28", way: ", or say that it is abandoned" });
    }
    let wiping = matches!(s.host.lifecycle, Lifecycle::Cleaning { .. });
    let step = s.by("T28");
    let step = if wiping { step.disks(DiskState::Unknown) } else { step };
    step.enter(Lifecycle::Defective { reason: reason.clone(), notes: notes.clone() }, format!("defective: {reason}")).go()
}

/// T29.
pub(super) fn repaired(s: &Step<'_>, live: &NewLive) -> Row {
    if s.host.facts.is_none() {
        return registration::begin(s, "T29", live, Lifecycle::Registering);
    }
    let good = is_clean(&s.host.disk_state) && s.has_fresh_facts() && s.nothing_blocks("T29").is_ok();
    let (next, text) = if good {
        (Lifecycle::Available, "repaired: disks clean, facts fresh, offered")
    } else {
        (Lifecycle::Unavailable, "repaired; disks, facts or an issue still need a look")
    };
    s.by("T29").enter(next, text).go()
}

/// Clean disks, or force with a reason; a protected host stays.
fn may_leave(s: &Step<'_>, row: &'static str, force: bool, reason: Option<&str>) -> Result<String, Why> {
    s.not_protected(row)?;
    if is_clean(&s.host.disk_state) {
        return Ok(reason.unwrap_or("disks clean").to_owned());
    }
    if !force {
        s.disks_clean(row)?;
    }
    match reason.map(str::trim) {
        Some(reason) if !reason.is_empty() => Ok(format!("disks {}, forced: {reason}", disk_word(&s.host.disk_state))),
        _ => Err(Why::NeedsReason { row, event: s.event.word() }),
    }
}

/// T31.
pub(super) fn decommission(s: &Step<'_>) -> Row {
    let Event::Decommission { force, reason } = s.event else { return same(Stay::Noted("not a decommission")) };
    leave(s, "T31", Decommission::Retired, *force, reason.as_deref())
}

/// T34.
pub(super) fn remove(s: &Step<'_>) -> Row {
    let Event::RemoveFromRack { force, reason } = s.event else { return same(Stay::Noted("not a removal")) };
    leave(s, "T34", Decommission::RemovedFromRack, *force, reason.as_deref())
}

fn leave(s: &Step<'_>, row: &'static str, why: Decommission, force: bool, reason: Option<&str>) -> Row {
    let text = may_leave(s, row, force, reason)?;
    // From the agent's hello on the disks are unknown already.
    s.by(row).with(|host| host.task = None).enter(Lifecycle::Decommissioned { reason: why }, format!("out of service: {text}")).go()
}

/// T34 for a host that is out of service already.
pub(super) fn remove_decommissioned(s: &Step<'_>, reason: Decommission) -> Row {
    match reason {
        Decommission::RemovedFromRack => same(Stay::Already("the host was removed from its rack")),
        Decommission::Deleted => no(s, "T34", "it was deleted and is purged when its retention has passed (T33)"),
        Decommission::Retired => {
            s.not_protected("T34")?;
            s.by("T34").enter(Lifecycle::Decommissioned { reason: Decommission::RemovedFromRack }, "removed from its rack").go()
        }
    }
}

/// T33: the record goes; the journal and its certificates stay.
pub(super) fn purge(s: &Step<'_>, reason: Decommission) -> Row {
    let due = times::after(s.host.since, s.ask.times.retention_secs) <= s.now();
    if reason != Decommission::Deleted || !due {
        return same(Stay::NotDue("only a deleted host is purged, when its retention has passed"));
    }
    s.by("T33").with(|host| host.settle(IssueKind::Overdue)).note(What::Deleted, "retention passed: the record is purged, its journal stays").go()
}
