//! Registration: T2–T4c, T14–T16, T26, T29 and T32 as far as they start the live image to collect facts, and the agent's own words.
//!
//! A registration has no plan to wipe by, so it cannot wipe; a used host registers in a state of its own and always comes back to
//! where it was.

use super::step::{Row, Step, disk_word, is_clean, same};
use super::{Event, NewLive, Stay, Why, cleaning, operational, times};
use crate::model::facts::Disk;
use crate::model::lifecycle::ErrorFrom;
use crate::model::{Cause, Crew, DiskState, Facts, Host, IssueKind, Lifecycle, LiveMode, Progress, SessionId};
use crate::rules::wipe;

/// A run that collects facts must not bring a plan to wipe.
fn no_plan(row: &'static str, live: &NewLive) -> Result<(), Why> {
    if live.plan.is_none() { Ok(()) } else { Err(Why::PlanInRegistration { row }) }
}

/// T2 from new, T32 from decommissioned: the old facts go into the archive, and nobody vouches for the disks any more.
pub(super) fn start(s: &Step<'_>, live: &NewLive) -> Row {
    let row = if s.host.lifecycle == Lifecycle::New { "T2" } else { "T32" };
    s.no_hold(row)?;
    s.no_task(row)?;
    no_plan(row, live)?;
    let from = s.host.lifecycle.clone();
    let mut step = s.by(row);
    if row == "T32" {
        step = step.disks(DiskState::Unknown).with(|host| {
            host.facts = None;
            host.facts_at = None;
        });
    }
    step.enter(Lifecycle::Registering, "registration begins: the live image will collect facts and touch nothing")
        .open_run(LiveMode::Register, live, None, from)
        .go()
}

/// T14.
pub(super) fn reregister(s: &Step<'_>, live: &NewLive) -> Row {
    begin(s, "T14", live, Lifecycle::UsedRegistering)
}

/// T14, and the registrations that end a maintenance or a repair (T26, T29).
pub(super) fn begin(s: &Step<'_>, row: &'static str, live: &NewLive, next: Lifecycle) -> Row {
    s.not_frozen(row)?;
    s.no_task(row)?;
    no_plan(row, live)?;
    let from = s.host.lifecycle.clone();
    s.by(row)
        .enter(next, "registration begins: the live image will collect facts and touch nothing")
        .open_run(LiveMode::Register, live, None, from)
        .go()
}

/// T3, T3a, T15.
pub(super) fn report(s: &Step<'_>) -> Row {
    let Event::RegisterReport { facts, token_ok, complete, changes, auto_available } = s.event else {
        return same(Stay::Noted("no facts"));
    };
    let used = s.host.lifecycle == Lifecycle::UsedRegistering;
    let unwiped = if used { Vec::new() } else { unwiped(s.host, facts) };
    let offer = *auto_available && is_clean(&s.host.disk_state) && unwiped.is_empty();
    let row = match (used, offer) {
        (true, _) => "T15",
        (false, true) => "T3a",
        (false, false) => "T3",
    };
    s.proven(row, *token_ok)?;
    if !complete {
        return Err(Why::FactsIncomplete { row });
    }
    let (next, text) = match (used, offer) {
        (true, _) => (Lifecycle::Used, "facts collected, back in service"),
        (false, true) => (Lifecycle::Available, "facts collected, disks clean or waived: offered as the site wishes"),
        (false, false) => (Lifecycle::Unavailable, "facts collected; an operator decides whether to offer it (T5)"),
    };
    let mut step = s.by(row).enter(next, text).with(|host| {
        host.facts = Some(facts.clone());
        host.facts_at = Some(s.now());
        // The whole is there; a record is no place for the same facts twice.
        if let Some(run) = host.live.as_mut() {
            run.partial = None;
        }
    });
    if !unwiped.is_empty() {
        let text =
            format!("{} came to the machine since its disks were called {}: now they are unknown", told(&unwiped), disk_word(&s.host.disk_state));
        step = step.disks(DiskState::Unknown).changed(text);
    }
    if !changes.is_empty() {
        let text = format!("the hardware differs from the last registration: {}", changes.join("; "));
        step = step.raise(IssueKind::HardwareChanged, text.clone()).changed(text);
    }
    step.go()
}

/// Disks that no wipe and no waiver spoke of: of a host whose disks are clean or waived, those that a wipe would erase and that the last
/// registration did not see as such. A disk that was wiped because it was named (`include`) is among them once more; that costs a wipe, and
/// the other mistake would hand out somebody's data.
fn unwiped<'f>(host: &Host, facts: &'f Facts) -> Vec<&'f Disk> {
    let Some(before) = host.facts.as_ref().filter(|_| is_clean(&host.disk_state)) else { return Vec::new() };
    let known = |disk: &Disk| before.disks.iter().any(|one| one.id == disk.id && one.size_bytes == disk.size_bytes && wipe::is_own(one));
    facts.disks.iter().filter(|disk| wipe::is_own(disk) && !known(disk)).collect()
}

fn told(disks: &[&Disk]) -> String {
    let ids = disks.iter().take(3).map(|disk| disk.id.to_string()).collect::<Vec<_>>().join(", ");
    if disks.len() > 3 { format!("disks {ids} and {} more", disks.len() - 3) } else { format!("disk {ids}") }
}

/// What is known so far, for the case that it never becomes more.
pub(super) fn partial(s: &Step<'_>) -> Row {
    let Event::RegisterPartial { facts, token_ok } = s.event else {
        return same(Stay::Noted("no facts"));
    };
    s.proven("T4c", *token_ok && s.open_run().is_some())?;
    if s.open_run().and_then(|run| run.partial.as_ref()) == Some(facts) {
        return same(Stay::Already("the same facts were kept before"));
    }
    s.by("agent")
        .with(|host| {
            if let Some(run) = host.live.as_mut() {
                run.partial = Some(facts.clone());
            }
        })
        .changed("some facts are there; the rest is being collected")
        .go()
}

/// T4, T16: the live image gave up; another try, or the end.
pub(super) fn failed(s: &Step<'_>) -> Row {
    let Event::RegisterFailed { text, token_ok } = s.event else {
        return same(Stay::Noted("no failure"));
    };
    s.proven("T4", *token_ok)?;
    next_try(s, Cause::Reported(text.clone()), text)
}

/// T4, T16 by time.
pub(super) fn timed_out(s: &Step<'_>) -> Row {
    if s.host.hard_deadline.is_none_or(|at| at > s.now()) {
        return same(Stay::NotDue("the hard deadline is later"));
    }
    let text = format!("no report within {} seconds", s.ask.times.registering.hard_secs);
    next_try(s, Cause::Deadline(text.clone()), &text)
}

/// Once more from the network, until the tries are spent; a used host then simply stays used.
fn next_try(s: &Step<'_>, cause: Cause, text: &str) -> Row {
    let used = s.host.lifecycle == Lifecycle::UsedRegistering;
    let row = if used { "T16" } else { "T4" };
    let (tries, done) = (s.ask.times.registering_tries, s.host.attempt);
    if done < tries {
        let mut step = s.by(row);
        step.set_clock(Some(s.ask.times.registering));
        return step
            .with(|host| {
                host.attempt = done + 1;
                if let Some(run) = host.live.as_mut() {
                    run.session = None;
                    run.hello_at = None;
                    run.heard_at = None;
                    run.progress = None;
                }
            })
            .changed(format!("registration failed ({text}); try {} of {tries}: network boot once more", done + 1))
            .go();
    }
    if used {
        let text = format!("registering again failed {tries} times ({text}); the disks were not touched and the host stays in service");
        return s.by(row).enter(Lifecycle::Used, text.clone()).raise(IssueKind::AgentLost, text).go();
    }
    let told = format!("registration failed {tries} times: {text}");
    s.by(row).enter(Lifecycle::Error { from: ErrorFrom::Registering, cause }, told).go()
}

/// T4c: to where it came from.
pub(super) fn cancel(s: &Step<'_>) -> Row {
    let from = s.open_run().map(|run| run.from.clone());
    let otherwise = if s.host.lifecycle == Lifecycle::UsedRegistering { Lifecycle::Used } else { Lifecycle::New };
    let next = from.unwrap_or(otherwise);
    s.by("T4c").enter(next, "registration cancelled; what was collected so far stays with its run and changes nothing else").go()
}

/// The agent is there. From its first word in a wipe on, nobody can say what is on the disks; and a wipe that is begun again after a
/// reset has failed, whoever asks.
pub(super) fn hello(s: &Step<'_>, token_ok: bool, session: SessionId, crew: &Crew) -> Row {
    s.proven("agent", token_ok && s.open_run().is_some())?;
    let wipes = matches!(s.host.lifecycle, Lifecycle::Cleaning { .. });
    match s.open_run().and_then(|run| run.session) {
        Some(first) if first == session => return same(Stay::Already("this power-on's agent reported for work before")),
        Some(_) if wipes => return cleaning::failed(s, "the machine was reset in the middle of the wipe"),
        Some(_) | None => {}
    }
    let now = s.now();
    let mut step = s.by("agent").with(|host| {
        host.settle(IssueKind::AgentLost);
        operational::hear_agent(host, now);
        if let Some(run) = host.live.as_mut() {
            run.session = Some(session);
            run.crew = Some(crew.clone());
            run.hello_at = Some(now);
            run.heard_at = Some(now);
        }
    });
    if wipes {
        step = step.disks(DiskState::Unknown);
    }
    step.changed("the live image's agent reported for work").go()
}

/// It moves the clock of silence, never the deadlines.
pub(super) fn heartbeat(s: &Step<'_>, token_ok: bool, progress: &Progress) -> Row {
    let run = s.open_run().filter(|run| run.hello_at.is_some());
    s.proven("agent", token_ok && run.is_some())?;
    let now = s.now();
    if run.is_some_and(|run| run.heard_at == Some(now) && run.progress.as_ref() == Some(progress)) {
        return same(Stay::Already("heard at this very moment"));
    }
    s.by("agent")
        .with(|host| {
            host.settle(IssueKind::AgentLost);
            operational::hear_agent(host, now);
            if let Some(run) = host.live.as_mut() {
                run.heard_at = Some(now);
                run.progress = Some(progress.clone());
            }
        })
        .changed(format!("the agent is at work: {} {} %", progress.step, progress.percent))
        .go()
}

/// Lost after a while, given up after a longer one (T4, T16, T19).
pub(super) fn silent(s: &Step<'_>) -> Row {
    let Some(heard) = s.open_run().and_then(|run| run.heard_at) else {
        return same(Stay::NotDue("the agent never spoke; the state's deadline judges that"));
    };
    let (lost, dead) = (s.ask.times.agent_lost_secs, s.ask.times.agent_dead_secs);
    if times::after(heard, dead) <= s.now() {
        let text = format!("nothing heard of the agent for {dead} seconds");
        return match s.host.lifecycle {
            Lifecycle::Cleaning { .. } => cleaning::failed(s, &text),
            _ => next_try(s, Cause::Deadline(text.clone()), &text),
        };
    }
    let known = s.host.issues.iter().any(|issue| issue.kind == IssueKind::AgentLost);
    if known || times::after(heard, lost) > s.now() {
        return same(Stay::NotDue("the agent spoke lately, or is known to be lost"));
    }
    let text = format!("nothing heard of the agent for {lost} seconds; it is given up after {dead}");
    s.by("agent").raise(IssueKind::AgentLost, text.clone()).changed(text).go()
}
