//! Who a host is offered to: T5–T8, T35, and an admin's word for disks that were not wiped.
//!
//! `available` is a promise (healthy, clean, nothing open), so every way into it from here asks for all of it.

use super::step::{Row, Step, disk_word, is_clean, no, same};
use super::{Stay, Why};
use crate::model::lifecycle::ErrorFrom;
use crate::model::{DiskState, Lifecycle, ReturnTo, Timestamp};

/// T5.
pub(super) fn available(s: &Step<'_>) -> Row {
    s.no_task("T5")?;
    s.disks_clean("T5")?;
    s.facts_fresh("T5")?;
    s.nothing_blocks("T5")?;
    s.by("T5").enter(Lifecycle::Available, "offered").go()
}

/// T6.
pub(super) fn unavailable(s: &Step<'_>) -> Row {
    s.by("T6").enter(Lifecycle::Unavailable, "no longer offered").go()
}

/// T7.
pub(super) fn reserve(s: &Step<'_>, user: &str, until: Option<Timestamp>) -> Row {
    s.no_hold("T7")?;
    if user.trim().is_empty() {
        return Err(Why::NoUser { row: "T7" });
    }
    let text = until.map_or_else(|| format!("reserved for {user}"), |until| format!("reserved for {user} until {until}"));
    s.by("T7").enter(Lifecycle::Reserved { user: user.to_owned(), until }, text).go()
}

/// T8. Disks that are no longer clean need a wipe, and a wipe needs a confirmation: that is release (T17) or clean.start (T17b).
pub(super) fn unreserve(s: &Step<'_>) -> Row {
    s.no_task("T8")?;
    s.disks_clean("T8")?;
    s.by("T8").enter(Lifecycle::Available, "no longer reserved").go()
}

/// T8 by time. Nobody is there to confirm a wipe, so a host with dirty disks is kept back instead of offered.
pub(super) fn expired(s: &Step<'_>, until: Option<Timestamp>) -> Row {
    if until.is_none_or(|until| until > s.now()) {
        return same(Stay::NotDue("the reservation lasts"));
    }
    if is_clean(&s.host.disk_state) {
        return s.by("T8").enter(Lifecycle::Available, "the reservation ended").go();
    }
    let text = format!("the reservation ended; the disks are {}: kept back until they are cleaned (T17b)", disk_word(&s.host.disk_state));
    s.by("T8").enter(Lifecycle::Unavailable, text).go()
}

/// T35.
pub(super) fn adopt(s: &Step<'_>, confirm: Option<&str>) -> Row {
    s.confirmed("T35", confirm)?;
    s.by("T35").disks(DiskState::Dirty).enter(Lifecycle::Used, "adopted with what is on its disks; nothing wipes them without a release (T17)").go()
}

/// An admin vouches. Not for a host whose user may still want what is on its disks.
pub(super) fn waive(s: &Step<'_>, why: &str, confirm: Option<&str>) -> Row {
    let in_use = matches!(
        s.host.lifecycle,
        Lifecycle::Maintenance { return_to: ReturnTo::Used } | Lifecycle::Error { from: ErrorFrom::Used | ErrorFrom::Maintenance, .. }
    );
    if in_use {
        return no(s, "waive", "somebody's system may be on its disks; release it first (T17, T23)");
    }
    s.confirmed("waive", confirm)?;
    if why.trim().is_empty() {
        return Err(Why::NeedsReason { row: "waive", event: s.event.word() });
    }
    if is_clean(&s.host.disk_state) {
        return same(Stay::Already("the disks are clean or waived"));
    }
    let waived = DiskState::Waived { by: s.actor_name(), why: why.to_owned() };
    let text = format!("{} vouches for disks that were not wiped: {why}", s.actor_name());
    s.by("waive").disks(waived).with(|host| host.settle(crate::model::IssueKind::WipeUnverified)).changed(text).go()
}
