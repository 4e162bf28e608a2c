//! The X.731 dimension: O1–O10. Beside the lifecycle, driven by contact, health reports and time.
//!
//! ```text
//! locked:    powered_off ⇄ offline ⇄ online
//! unlocked:  offline → intest → available ⇄ degraded → failed → (recovery) intest
//! ```
//! Without anybody to report health, being heard is all the health we know, and an unlocked host that is heard is available. Once
//! somebody reports, each boot waits for his word (intest) until an operator locks the host.

use super::step::{Move, Row, Step, no, same};
use super::{Event, Health, Stay, power, times};
use crate::model::{Administrative, Availability as A, Host, PowerState, TaskKind, Timestamp};

/// A contact that changes nothing else is written down once in so many seconds: each write is a journal entry.
const CONTACT_SECS: u64 = 60;

/// Every event that asks for no lifecycle.
pub(super) fn row(s: &Step<'_>) -> Row {
    match s.event {
        Event::Contact { tested, booted } => contact(s, *tested, *booted),
        Event::ContactLost { quiet_secs } => contact_lost(s, *quiet_secs),
        Event::BootTimeout => boot_timeout(s),
        Event::Health(health) => report(s, *health),
        Event::TestTimeout => test_timeout(s),
        Event::RecoveryTimer => recover(s),
        Event::AdminLock { force, confirm } => lock(s, *force, confirm.as_deref()),
        Event::PowerRead { power: read, steady_secs, mass } => power_read(s, *read, *steady_secs, *mass),
        _ => no(s, "O1", "this is not about the operational state"),
    }
}

fn unlocked(s: &Step<'_>) -> bool {
    s.host.operational.administrative == Administrative::Unlocked
}

/// Takes on an availability, with the clock that belongs to it.
fn become_<'a>(s: &Step<'a>, row: &'static str, next: A, text: impl Into<String>) -> Move<'a> {
    let times = s.ask.times;
    let secs = match next {
        // What is known to be off is not waited for.
        A::Offline if unlocked(s) && s.host.power.state != PowerState::Off => Some(times.boot_secs),
        A::Intest => Some(times.test_secs),
        A::Failed => Some(times.recovery_secs),
        _ => None,
    };
    let deadline = secs.map(|secs| times::after(s.now(), secs));
    s.by(row)
        .with(|host| {
            host.operational.availability = next;
            host.operational.deadline = deadline;
            if next == A::Available {
                host.operational.recoveries = 0;
            }
        })
        .changed(text)
}

fn is_due(s: &Step<'_>) -> bool {
    s.host.operational.deadline.is_some_and(|at| at <= s.now())
}

/// O1, O3; and the end of a power task that nobody but people carries out (P1, P3, P4).
fn contact(s: &Step<'_>, tested: bool, booted: bool) -> Row {
    let silent = matches!(s.host.operational.availability, A::Offline | A::PoweredOff | A::NotInstalled);
    let tested = tested || s.host.operational.health_at.is_some();
    let ends = power::ends_by_contact(s, booted);
    let late = booted && s.host.task.is_none() && power::may_relieve(s.host);
    let fresh = s.host.operational.last_contact.is_some_and(|at| times::after(at, CONTACT_SECS) > s.now());
    let step = match (silent, unlocked(s), tested) {
        (true, false, _) => become_(s, "O1", A::Online, "heard: online"),
        (true, true, true) => become_(s, "O3", A::Intest, "heard: its tests run"),
        (true, true, false) => become_(s, "O4", A::Available, "heard, and nothing else reports its health: available"),
        (false, ..) if fresh && !ends && !late => return same(Stay::Noted("heard lately")),
        (false, ..) => s.by("O1").changed("heard"),
    };
    let step = if ends { step.changed("the power task is done: the machine was heard") } else { step };
    let (now, power_control) = (s.now(), s.ask.power_control);
    step.with(|host| {
        host.operational.last_contact = Some(now);
        if ends {
            host.task = None;
        }
        if ends || late {
            power::relieve(host);
        }
        if !power_control && host.power.state == PowerState::Off {
            host.power.state = PowerState::On;
            host.power.observed_at = Some(now);
        }
    })
    .go()
}

/// The live image's agent is heard: a host out of service is online. One in service is judged by what it serves with, not by this.
pub(super) fn hear_agent(host: &mut Host, now: Timestamp) {
    if host.operational.administrative == Administrative::Locked {
        host.operational.availability = A::Online;
    }
    host.operational.last_contact = Some(now);
}

/// O2, O7.
fn contact_lost(s: &Step<'_>, quiet_secs: u64) -> Row {
    if quiet_secs <= s.ask.times.hold_off_secs {
        return same(Stay::NotDue("the silence is shorter than the hold-off"));
    }
    let row = match s.host.operational.availability {
        A::Online => "O2",
        A::Intest | A::Available | A::Degraded => "O7",
        A::Failed if s.host.operational.last_contact.is_some() => "O7",
        A::Failed => return same(Stay::NotDue("it failed because nothing was heard")),
        A::Offline | A::PoweredOff | A::NotInstalled if power::ends_by_silence(s) => "P2",
        A::Offline | A::PoweredOff | A::NotInstalled => return same(Stay::Already("the host is offline")),
    };
    lost(s, row, format!("nothing heard for {quiet_secs} seconds: offline")).go()
}

/// Offline; a host that people were to switch off (P2) is off then.
fn lost<'a>(s: &Step<'a>, row: &'static str, text: String) -> Move<'a> {
    let step = become_(s, row, A::Offline, text);
    if !power::ends_by_silence(s) {
        return step;
    }
    let now = s.now();
    step.changed("the power task is done: the machine is silent").with(|host| {
        host.task = None;
        power::relieve(host);
        host.operational.deadline = None;
        host.power.state = PowerState::Off;
        host.power.observed_at = Some(now);
    })
}

/// O1: an unlocked host was not heard in time.
fn boot_timeout(s: &Step<'_>) -> Row {
    if s.host.operational.availability != A::Offline || !unlocked(s) || !is_due(s) {
        return same(Stay::NotDue("no boot is awaited until now"));
    }
    let text = format!("nothing heard within {} seconds of booting: failed", s.ask.times.boot_secs);
    become_(s, "O1", A::Failed, text).with(|host| host.operational.last_contact = None).go()
}

/// O4, O6.
fn report(s: &Step<'_>, health: Health) -> Row {
    let times = s.ask.times;
    let next = match health {
        Health::Passed => A::Available,
        Health::SomeFailed => A::Degraded,
        Health::CriticalFailed => A::Failed,
        Health::Missed(count) if count >= times.misses_failed => A::Failed,
        Health::Missed(count) if count >= times.misses_degraded => A::Degraded,
        Health::Missed(_) => return same(Stay::Noted("too few heartbeats were missed to matter")),
    };
    let (now, at) = (s.host.operational.availability, s.now());
    let reported = |step: Move<'_>| step.with(|host| host.operational.health_at = Some(at)).go();
    match now {
        A::Available | A::Degraded if now == next && s.host.operational.health_at.is_none() => {
            reported(s.by("O6").changed("its health is reported from now on: each boot waits for a report"))
        }
        _ if now == next => same(Stay::Already("its health is known to be so")),
        A::Intest => reported(become_(s, "O4", next, format!("tests: {health:?}"))),
        A::Available | A::Degraded => reported(become_(s, "O6", next, format!("health: {health:?}"))),
        A::Online if next == A::Failed && matches!(health, Health::Missed(_)) => lost(s, "O2", format!("{health:?} heartbeats: offline")).go(),
        A::Failed => same(Stay::Noted("a failed host is tried again by its recovery (O5), or by lock and unlock")),
        A::Offline | A::Online | A::PoweredOff | A::NotInstalled => same(Stay::Noted("health counts only for an unlocked host that is heard")),
    }
}

/// O4 by time.
fn test_timeout(s: &Step<'_>) -> Row {
    if s.host.operational.availability != A::Intest || !is_due(s) {
        return same(Stay::NotDue("no test is awaited until now"));
    }
    become_(s, "O4", A::Failed, format!("no test result within {} seconds: failed", s.ask.times.test_secs)).go()
}

/// O5: a few times by itself, then it waits for somebody.
fn recover(s: &Step<'_>) -> Row {
    if s.host.operational.availability != A::Failed || !is_due(s) {
        return same(Stay::NotDue("no recovery is due"));
    }
    if s.host.operational.recoveries >= s.ask.times.recoveries {
        let text = "threshold reached: no further automatic recovery, lock and unlock the host to retry";
        return s.by("O5").with(|host| host.operational.deadline = None).changed(text).go();
    }
    become_(s, "O5", A::Intest, "automatic recovery: its tests run again").with(|host| host.operational.recoveries += 1).go()
}

/// O8.
fn lock(s: &Step<'_>, force: bool, confirm: Option<&str>) -> Row {
    if !unlocked(s) {
        return same(Stay::Already("the host is locked"));
    }
    if force {
        s.confirmed("O8", confirm)?;
    }
    let next = match s.host.operational.availability {
        A::Intest | A::Available | A::Degraded | A::Online => A::Online,
        A::Failed | A::Offline => A::Offline,
        A::PoweredOff => A::PoweredOff,
        A::NotInstalled => A::NotInstalled,
    };
    s.by("O8")
        .with(|host| {
            host.operational.administrative = Administrative::Locked;
            host.operational.availability = next;
            host.operational.deadline = None;
            host.operational.recoveries = 0;
            host.operational.health_at = None;
        })
        .changed("locked: out of service")
        .go()
}

/// O9: it reboots, and has the boot timeout to be heard. Where nobody carries out the reboot it is waited for without end: a machine
/// that was never rebooted has not failed to boot.
pub(super) fn unlock(s: &Step<'_>) -> Row {
    s.not_frozen("O9")?;
    if unlocked(s) {
        return same(Stay::Already("the host is unlocked"));
    }
    let deadline = s.ask.power_control.then(|| times::after(s.now(), s.ask.times.boot_secs));
    let text = if s.ask.power_control {
        "unlocked: it reboots and is in service once it is heard and passes its tests"
    } else {
        "unlocked: in service once it is heard; there is no power control, so nobody reboots it: reboot it yourself, or report its health"
    };
    s.by("O9")
        .with(|host| {
            host.operational.administrative = Administrative::Unlocked;
            host.operational.availability = A::Offline;
            host.operational.deadline = deadline;
            host.operational.recoveries = 0;
        })
        .changed(text)
        .go()
}

/// O10, O7, and the end of `starting` and `stopping`.
fn power_read(s: &Step<'_>, read: PowerState, steady_secs: u64, mass: bool) -> Row {
    if mass {
        return same(Stay::Noted("several hosts changed together: suppressed"));
    }
    if steady_secs < s.ask.times.hold_off_secs {
        return same(Stay::NotDue("the reading is younger than the hold-off"));
    }
    if s.host.power.state == read {
        return same(Stay::Already("the power is known to be so"));
    }
    let (now, availability) = (s.now(), s.host.operational.availability);
    let ends = |kind| s.host.task.as_ref().is_some_and(|task| task.kind == kind);
    let done = (read == PowerState::On && ends(TaskKind::Starting)) || (read == PowerState::Off && ends(TaskKind::Stopping));
    let awaited = unlocked(s) && availability == A::Offline;
    let boot_by = times::after(now, s.ask.times.boot_secs);
    let step = match (read, availability) {
        (PowerState::Off, A::Offline | A::Online) if !unlocked(s) => become_(s, "O10", A::PoweredOff, "power off"),
        (PowerState::Off, A::Online | A::Intest | A::Available | A::Degraded | A::Failed) => become_(s, "O7", A::Offline, "power off: offline"),
        (PowerState::On, A::PoweredOff) => become_(s, "O10", A::Offline, "power on, nothing heard yet"),
        _ => s.by("O10").changed(format!("power: {read:?}")),
    };
    step.with(|host| {
        host.power.state = read;
        host.power.observed_at = Some(now);
        match read {
            PowerState::Off => host.operational.deadline = None,
            PowerState::On if awaited => host.operational.deadline = Some(boot_by),
            _ => {}
        }
        if done {
            host.task = None;
            power::relieve(host);
        }
    })
    .go()
}
