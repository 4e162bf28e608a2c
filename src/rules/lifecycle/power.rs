//! Power tasks and holds: P1–P4, P9, P10. What the management controller does is somebody else's story; here is what it may be
//! asked for, and what its silence means.
//!
//! One task at a time, each with a hard deadline. Stopping is always allowed; freezing stops a host that is known to be on.
//!
//! ```text
//! with power control      the controller ends a task; tried twice in vain it is a fault (T27, T27b)
//! without                 people switch the machine; being heard ends start and restart, silence ends stop, an operator any of
//!                         them; tried by nobody, it is given up with an issue and the host stays where it is
//! ```

use super::step::{Row, Step, no, same};
use super::{Event, Stay, Why, service, times};
use crate::model::host::Frozen;
use crate::model::lifecycle::ErrorFrom;
use crate::model::{Host, IssueKind, Lifecycle, PowerState, Task, TaskKind, What};

/// A task that begins now.
fn task(s: &Step<'_>, kind: TaskKind) -> Task {
    let deadlines = s.ask.times.task(kind);
    Task {
        kind,
        entered_at: s.now(),
        soft_deadline: Some(times::after(s.now(), deadlines.soft_secs)),
        hard_deadline: Some(times::after(s.now(), deadlines.hard_secs)),
        overdue: false,
        attempt: 1,
    }
}

fn begin(s: &Step<'_>, row: &'static str, kind: TaskKind) -> Row {
    s.no_task(row)?;
    let task = task(s, kind);
    s.by(row)
        .with(|host| {
            relieve(host);
            host.task = Some(task);
        })
        .changed(format!("{} asked for{}", s.event.word(), by_hand(s, kind)))
        .go()
}

/// Who carries it out where no controller does, and what ends it then.
fn by_hand(s: &Step<'_>, kind: TaskKind) -> &'static str {
    match kind {
        _ if s.ask.power_control => "",
        TaskKind::Stopping => {
            "; there is no power control: switch the machine off yourself, then say task_done (or its monitor says that it is lost)"
        }
        _ => "; there is no power control: switch the machine yourself; the task ends when the machine is heard again",
    }
}

/// No clock of the host is overdue any more, so the issue goes.
pub(super) fn relieve(host: &mut Host) {
    if may_relieve(host) {
        host.settle(IssueKind::Overdue);
    }
}

/// Whether the issue is there although neither state nor build is overdue.
pub(super) fn may_relieve(host: &Host) -> bool {
    let overdue = host.overdue || host.build.as_ref().is_some_and(|build| build.overdue);
    !overdue && host.issues.iter().any(|issue| issue.kind == IssueKind::Overdue)
}

/// Whether being heard ends the power task that is open, without a controller to say so. A restart wants a boot to be seen.
pub(super) fn ends_by_contact(s: &Step<'_>, booted: bool) -> bool {
    let ends = |kind| matches!(kind, TaskKind::Starting) || (booted && matches!(kind, TaskKind::Restarting | TaskKind::ForceRestarting));
    !s.ask.power_control && s.host.task.as_ref().is_some_and(|task| ends(task.kind))
}

/// The same for silence.
pub(super) fn ends_by_silence(s: &Step<'_>) -> bool {
    !s.ask.power_control && s.host.task.as_ref().is_some_and(|task| task.kind == TaskKind::Stopping)
}

/// P1.
pub(super) fn start(s: &Step<'_>) -> Row {
    s.not_frozen("P1")?;
    match s.host.power.state {
        // Without a controller "on" is what was last heard, and the machine may have been switched off since.
        PowerState::On | PowerState::PoweringOn if s.ask.power_control => same(Stay::Already("the power is on")),
        PowerState::On | PowerState::PoweringOn | PowerState::Off | PowerState::Unknown => begin(s, "P1", TaskKind::Starting),
        PowerState::PoweringOff => Err(wrong_power(s, "P1", "off", "powering off", "wait until it is off")),
    }
}

/// P2: neither hold forbids it.
pub(super) fn stop(s: &Step<'_>) -> Row {
    match s.host.power.state {
        PowerState::Off | PowerState::PoweringOff => same(Stay::Already("the power is off")),
        PowerState::On | PowerState::PoweringOn | PowerState::Unknown => begin(s, "P2", TaskKind::Stopping),
    }
}

/// P3. Unknown power passes: then the controller says what it makes of it.
pub(super) fn restart(s: &Step<'_>) -> Row {
    s.not_frozen("P3")?;
    match s.host.power.state {
        PowerState::On | PowerState::Unknown => begin(s, "P3", TaskKind::Restarting),
        PowerState::Off | PowerState::PoweringOff => Err(wrong_power(s, "P3", "on", "off", "start it (P1)")),
        PowerState::PoweringOn => Err(wrong_power(s, "P3", "on", "powering on", "wait until it is on")),
    }
}

fn wrong_power(s: &Step<'_>, row: &'static str, need: &'static str, is: &'static str, way: &'static str) -> Why {
    Why::WrongPower { row, event: s.event.word(), need, is, way }
}

/// P4. An erase that is cut off can leave drives locked, so that one is waited for.
pub(super) fn force_restart(s: &Step<'_>) -> Row {
    s.not_frozen("P4")?;
    if s.erase_begun() {
        return Err(Why::EraseBegun { row: "P4", way: "" });
    }
    begin(s, "P4", TaskKind::ForceRestarting)
}

/// The row of a power task.
const fn row_of(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Starting => "P1",
        TaskKind::Stopping => "P2",
        TaskKind::Restarting => "P3",
        TaskKind::ForceRestarting => "P4",
        TaskKind::Deleting => "P5",
        TaskKind::ReinstallingOs => "P6",
        TaskKind::Rebuilding => "P7",
        TaskKind::Creating => "P8",
    }
}

/// The controller has finished, or an operator saw it.
pub(super) fn done(s: &Step<'_>, named: Option<TaskKind>) -> Row {
    let open = s.host.task.as_ref().map(|task| task.kind).filter(|kind| times::is_power(*kind));
    let Some(kind) = open.filter(|kind| named.is_none_or(|named| named == *kind)) else {
        return same(Stay::NotDue("no such power task is under way"));
    };
    let (power, now) = (if kind == TaskKind::Stopping { PowerState::Off } else { PowerState::On }, s.now());
    s.by(row_of(kind))
        .with(|host| {
            host.task = None;
            host.power.state = power;
            host.power.observed_at = Some(now);
            relieve(host);
        })
        .changed(format!("the power task {kind:?} is done"))
        .go()
}

/// Once more, then a fault (T27, T27b); where nobody relies on the host yet, an issue. Where nothing was tried, for want of a
/// controller, nothing has failed either.
pub(super) fn timed_out(s: &Step<'_>) -> Row {
    let due = |task: &&Task| times::is_power(task.kind) && task.hard_deadline.is_some_and(|at| at <= s.now());
    let Some(open) = s.host.task.as_ref().filter(due) else {
        return same(Stay::NotDue("no power task is past its hard deadline"));
    };
    let row = row_of(open.kind);
    if !s.ask.power_control {
        let text = format!(
            "the power task {:?} was not seen to be done and is given up; there is no power control, so nothing was tried; switch the machine and ask again",
            open.kind
        );
        let what = What::Deadline { which: "hard".to_owned() };
        return s.by(row).with(|host| host.task = None).raise(IssueKind::Overdue, text.clone()).note(what, text).go();
    }
    if open.attempt < s.ask.times.task_tries {
        let again = Task { attempt: open.attempt + 1, ..task(s, open.kind) };
        let text = format!("the power task {:?} did not finish; try {}", open.kind, again.attempt);
        return s.by(row).with(|host| host.task = Some(again)).changed(text).go();
    }
    let text = format!("the power task {:?} did not finish in {} tries", open.kind, open.attempt);
    match s.host.lifecycle {
        Lifecycle::Used => service::broken(s, "T27b", ErrorFrom::Used, &text),
        Lifecycle::Reserved { .. } => service::broken(s, "T27", ErrorFrom::Reserved, &text),
        Lifecycle::Maintenance { .. } => service::broken(s, "T27", ErrorFrom::Maintenance, &text),
        _ => s.by(row).with(|host| host.task = None).raise(IssueKind::BmcUnreachable, text.clone()).changed(text).go(),
    }
}

/// P9. A power task that runs gives way to the stop. An available host has no task, so its power is left as it is.
pub(super) fn freeze(s: &Step<'_>, why: &str) -> Row {
    if why.trim().is_empty() {
        return Err(Why::NeedsReason { row: "P9", event: s.event.word() });
    }
    if s.host.holds.frozen.is_some() {
        return same(Stay::Already("the host is frozen"));
    }
    let stop = s.host.power.state == PowerState::On && s.host.lifecycle != Lifecycle::Available;
    let next = stop.then(|| task(s, TaskKind::Stopping));
    let frozen = Frozen { by: s.actor_name(), why: why.to_owned() };
    let told = match (stop, s.ask.power_control) {
        (false, _) => "",
        (true, true) => "; it is stopped",
        (true, false) => by_hand(s, TaskKind::Stopping),
    };
    let text = format!("frozen by {}: {why}{told}", frozen.by);
    s.by("P9")
        .with(|host| {
            host.holds.frozen = Some(frozen);
            host.task = next.or_else(|| host.task.take_if(|task| task.kind == TaskKind::Stopping));
        })
        .changed(text)
        .go()
}

/// P9 undone, P10 on and off.
pub(super) fn hold(s: &Step<'_>) -> Row {
    let holds = &s.host.holds;
    match s.event {
        Event::Unfreeze if holds.frozen.is_none() => same(Stay::Already("the host is not frozen")),
        Event::Unfreeze => s.by("P9").with(|host| host.holds.frozen = None).changed("no longer frozen").go(),
        Event::Protect if holds.lock => same(Stay::Already("the host is protected")),
        Event::Protect => s.by("P10").with(|host| host.holds.lock = true).changed("protected: destructive verbs are refused").go(),
        Event::Unprotect if !holds.lock => same(Stay::Already("the host is not protected")),
        Event::Unprotect => s.by("P10").with(|host| host.holds.lock = false).changed("no longer protected").go(),
        _ => no(s, "P10", "this is not a hold"),
    }
}
