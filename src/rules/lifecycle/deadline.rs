//! Soft deadlines (T36): overdue is said and shown, and nothing else happens.
//!
//! Hard deadlines are with the topic whose row they end: registration (T4, T16), cleaning (T19), progress (T11), power (T27b).

use super::step::{Row, Step, same};
use super::{Stay, times};
use crate::model::{IssueKind, Stage, Timestamp, What};

fn is_due(s: &Step<'_>, soft: Option<Timestamp>, overdue: bool) -> bool {
    !overdue && soft.is_some_and(|at| at <= s.now())
}

const NOT_DUE: Stay = Stay::NotDue("it is not overdue, or is known to be");

fn which() -> What {
    What::Deadline { which: "soft".to_owned() }
}

/// Registering, cleaning, maintenance.
pub(super) fn soft_state(s: &Step<'_>) -> Row {
    if !is_due(s, s.host.soft_deadline, s.host.overdue) {
        return same(NOT_DUE);
    }
    let text = format!("{} lasts longer than expected", s.host.lifecycle.word());
    s.by("T36").with(|host| host.overdue = true).raise(IssueKind::Overdue, text.clone()).note(which(), text).go()
}

/// A stage of the build; its task is overdue with it.
pub(super) fn soft_build(s: &Step<'_>) -> Row {
    let Some(build) = s.host.build.as_ref().filter(|build| times::counts(s.host, build) && is_due(s, build.soft_deadline, build.overdue)) else {
        return same(NOT_DUE);
    };
    let (kind, text) = match build.stage {
        Stage::BuildEnabled => {
            (IssueKind::DidNotNetboot, "no network boot was seen since the build was enabled; check power, cabling and boot order".to_owned())
        }
        Stage::Built => (IssueKind::Overdue, "built, but not yet seen to boot from its disk".to_owned()),
        stage => (IssueKind::Overdue, format!("nothing further than {} was seen for longer than expected", stage.word())),
    };
    s.by("T36")
        .with(|host| {
            if let Some(build) = host.build.as_mut() {
                build.overdue = true;
            }
            if let Some(task) = host.task.as_mut().filter(|task| !times::is_power(task.kind)) {
                task.overdue = true;
            }
        })
        .raise(kind, text.clone())
        .note(which(), text)
        .go()
}

/// A power task; the others are overdue with their build or wipe.
pub(super) fn soft_task(s: &Step<'_>) -> Row {
    let Some(task) = s.host.task.as_ref().filter(|task| times::is_power(task.kind) && is_due(s, task.soft_deadline, task.overdue)) else {
        return same(NOT_DUE);
    };
    let text = format!("the power task {:?} takes longer than expected", task.kind);
    s.by("T36")
        .with(|host| {
            if let Some(task) = host.task.as_mut() {
                task.overdue = true;
            }
        })
        .raise(IssueKind::Overdue, text.clone())
        .note(which(), text)
        .go()
}
