//! Wiping: T17–T20, T23 and P5. The only door into `cleaning`, and what comes out of it.
//!
//! A wipe needs an operator who typed the host's name, no hold, and a plan with a hash. Only a retry of a failed wipe (T20) may be
//! the server's, because its beginning was confirmed. Whatever goes wrong ends in `error{cleaning}`, never in `available`.

use super::step::{Row, Step, no, same};
use super::{NewLive, Stay, Why, Wiped};
use crate::model::lifecycle::{Decommission, ErrorFrom};
use crate::model::{Cause, DiskResult, DiskState, Host, IssueKind, Lifecycle, LiveMode, Task, TaskKind, Then, WipePolicy};

/// T17, T23.
pub(super) fn start(s: &Step<'_>, row: &'static str, then: Then, confirm: Option<&str>, live: &NewLive) -> Row {
    s.no_hold(row)?;
    s.confirmed(row, confirm)?;
    begin(s, row, then, live)
}

/// T17b: only back to where unused hosts are.
pub(super) fn start_unused(s: &Step<'_>, then: Then, confirm: Option<&str>, live: &NewLive) -> Row {
    match then {
        Then::Available | Then::Unavailable => start(s, "T17b", then, confirm, live),
        Then::Decommissioned | Then::Deleted => Err(Why::WrongGoal { row: "T17b", event: s.event.word() }),
    }
}

/// T23.
pub(super) fn release_error(s: &Step<'_>, from: ErrorFrom, then: Then, confirm: Option<&str>, live: &NewLive) -> Row {
    if from == ErrorFrom::Cleaning {
        return no(s, "T23", "its wipe failed: clean.retry (T20)");
    }
    start(s, "T23", then, confirm, live)
}

/// P5. Frozen hosts may be deleted, protected ones may not.
pub(super) fn delete(s: &Step<'_>, confirm: Option<&str>, live: &NewLive) -> Row {
    s.not_protected("P5")?;
    s.confirmed("P5", confirm)?;
    begin(s, "P5", Then::Deleted, live)
}

/// T20: towards the goal that the failed wipe had.
pub(super) fn retry(s: &Step<'_>, from: ErrorFrom, live: &NewLive) -> Row {
    if from != ErrorFrom::Cleaning {
        return no(s, "T20", "it did not fail in a wipe; release it (T23)");
    }
    s.no_hold("T20")?;
    let tries = s.ask.times.cleaning_tries;
    if *s.ask.actor == crate::model::Actor::Server && s.host.attempt >= tries {
        return Err(Why::TriesSpent { row: "T20", tries });
    }
    let then = s.host.live.as_ref().and_then(|run| run.then).unwrap_or(Then::Unavailable);
    begin(s, "T20", then, live)
}

fn begin(s: &Step<'_>, row: &'static str, then: Then, live: &NewLive) -> Row {
    s.no_task(row)?;
    if live.plan.as_ref().is_none_or(|plan| plan.disks.is_empty()) {
        return Err(Why::NoPlan { row });
    }
    let from = s.host.lifecycle.clone();
    let attempt = if row == "T20" { s.host.attempt.saturating_add(1) } else { 1 };
    let next = Lifecycle::Cleaning { then, from: Box::new(from.clone()) };
    s.by(row)
        .enter(next, format!("the disks are wiped by plan; afterwards {}", goal_word(then)))
        .open_run(LiveMode::Clean, live, Some(then), from)
        .with(|host| {
            host.attempt = attempt;
            if then == Then::Deleted {
                let (soft_deadline, hard_deadline) = (host.soft_deadline, host.hard_deadline);
                host.task = Some(Task { kind: TaskKind::Deleting, entered_at: s.now(), soft_deadline, hard_deadline, overdue: false, attempt });
            }
        })
        .go()
}

const fn goal_word(then: Then) -> &'static str {
    match then {
        Then::Available => "available",
        Then::Unavailable => "unavailable",
        Then::Decommissioned => "decommissioned",
        Then::Deleted => "deleted",
    }
}

/// What a report shows: that its sender knows the run's token, and whether it carried out the run's plan.
pub(super) struct Proof {
    pub token_ok: bool,
    pub plan_ok: bool,
}

/// T18, T19.
pub(super) fn report(s: &Step<'_>, then: Then, outcome: &Wiped, results: &[DiskResult], proof: Proof) -> Row {
    s.proven("T18", proof.token_ok && s.open_run().is_some_and(|run| run.hello_at.is_some()))?;
    if !proof.plan_ok {
        return Err(Why::OtherPlan { row: "T18" });
    }
    let (disks, text) = match outcome {
        Wiped::Failed { text } => return failed_with(s, text, results),
        Wiped::All if is_quick(s) => {
            (DiskState::Clean, "every planned disk lost its tables and signatures; NO SANITISATION: data can be read".to_owned())
        }
        Wiped::All => (DiskState::Clean, "every planned disk was wiped and verified".to_owned()),
        Wiped::Waived { by, why } => {
            (DiskState::Waived { by: by.clone(), why: why.clone() }, format!("not every disk was wiped; {by} vouches for the rest: {why}"))
        }
    };
    let next = match then {
        Then::Available => Lifecycle::Available,
        Then::Unavailable => Lifecycle::Unavailable,
        Then::Decommissioned => Lifecycle::Decommissioned { reason: Decommission::Retired },
        Then::Deleted => Lifecycle::Decommissioned { reason: Decommission::Deleted },
    };
    let keep = |host: &mut Host| {
        host.settle(IssueKind::WipeUnverified);
        keep_results(host, results);
    };
    s.by("T18").disks(disks).enter(next, text).with(keep).go()
}

/// Whether the plan erases no data.
fn is_quick(s: &Step<'_>) -> bool {
    s.open_run().and_then(|run| run.plan.as_ref()).is_some_and(|plan| plan.policy == WipePolicy::Metadata)
}

fn keep_results(host: &mut Host, results: &[DiskResult]) {
    if let Some(run) = host.live.as_mut() {
        run.results = results.to_vec();
    }
}

/// T19: a disk was not wiped, or nobody can say.
pub(super) fn failed(s: &Step<'_>, text: &str) -> Row {
    failed_with(s, text, &[])
}

fn failed_with(s: &Step<'_>, text: &str, results: &[DiskResult]) -> Row {
    let attempt = s.host.attempt;
    let error = Lifecycle::Error { from: ErrorFrom::Cleaning, cause: Cause::Wipe(text.to_owned()) };
    s.by("T19")
        .disks(DiskState::Unknown)
        .enter(error, format!("the wipe failed: {text}; the host is held and never boots from its disks until a wipe succeeds (T20)"))
        .raise(IssueKind::WipeUnverified, text)
        // The tries go on counting over a retry (T20).
        .with(|host| {
            host.attempt = attempt;
            keep_results(host, results);
        })
        .go()
}

/// T19 by time.
pub(super) fn timed_out(s: &Step<'_>) -> Row {
    if s.host.hard_deadline.is_none_or(|at| at > s.now()) {
        return same(Stay::NotDue("the hard deadline is later"));
    }
    failed(s, "no report before the hard deadline")
}

/// T19b.
pub(super) fn cancel(s: &Step<'_>, from: &Lifecycle) -> Row {
    if s.erase_begun() {
        return Err(Why::EraseBegun { row: "T19b", way: "" });
    }
    s.by("T19b").enter(from.clone(), "wipe cancelled before its agent said a word; the disks were not touched").go()
}
