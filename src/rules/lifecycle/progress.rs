//! What is seen of a build: stages, callbacks, deadlines and loops (T10, T11; invariants 7, 11 and 12).
//!
//! Stages only go forward. A callback counts only for the build it names and only with that build's token; one that speaks of an
//! older build is recorded and changes nothing.

use super::build::{cause_text, ended};
use super::step::{Move, Row, Step, same};
use super::{Event, Stay, Why, times};
use crate::model::build::StageEntry;
use crate::model::lifecycle::ErrorFrom;
use crate::model::{Actor, Build, BuildEnd, BuildId, Cause, DiskState, IssueKind, Lifecycle, LoopClass, Method, Stage, What};

/// Bytes of installer log that a build keeps: the tail.
const LOG_BYTES: usize = 64 * 1024;

/// Announced reboots beyond this are themselves a circle.
const EXPECTED_BOOTS: u32 = 32;

/// Whether the build's installer (or image) may have written to the disks.
pub(super) fn touches_disks(build: &Build) -> bool {
    build.stage >= Stage::KernelInitrdSent || (build.method == Method::Image && build.stage >= Stage::VmCreated)
}

/// The open build, if it is this one.
fn open<'a>(s: &Step<'a>, id: BuildId) -> Result<&'a Build, Stay> {
    s.host.open_build().filter(|build| build.id == id).ok_or_else(|| over(s, id))
}

/// It speaks of another build, or of one that has ended.
pub(super) fn over(s: &Step<'_>, id: BuildId) -> Stay {
    match &s.host.build {
        Some(build) if build.id == id => Stay::BuildEnded { build: id },
        _ => Stay::OtherBuild { build: id },
    }
}

/// The build's token, valid or not longer expired than its grace; `true` if expired.
fn token(s: &Step<'_>, row: &'static str, build: &Build, token_ok: bool) -> Result<bool, Why> {
    s.proven(row, token_ok)?;
    let grace_secs = s.ask.times.token_grace_secs;
    if times::after(build.token_expires, grace_secs) < s.now() {
        return Err(Why::TokenTooOld { row, grace_secs });
    }
    Ok(build.token_expires < s.now())
}

/// A stage of the open build was seen.
pub(super) fn stage(s: &Step<'_>, stage: Stage, evidence: &str, id: BuildId) -> Row {
    let build = match open(s, id) {
        Ok(build) => build,
        Err(stay) => return same(stay),
    };
    match stage {
        Stage::BuildEnabled => return same(Stay::NotFurther { at: build.stage, seen: stage }),
        Stage::Built => return Err(Why::WrongStage { stage, way: "only the installer's callback says built" }),
        Stage::LocalBoot if build.stage < Stage::Built => return Err(Why::WrongStage { stage, way: "it follows built" }),
        Stage::LocalBoot => return in_service(s, evidence),
        Stage::VmRequested | Stage::VmCreated | Stage::SshStarted if build.method != Method::Image => {
            return Err(Why::WrongStage { stage, way: "it belongs to builds by image" });
        }
        Stage::Dhcp | Stage::BootloaderSent | Stage::IpxeScriptSent | Stage::KernelInitrdSent | Stage::ProvisionTemplateSent | Stage::FinishSent
            if matches!(s.ask.actor, Actor::Operator { .. }) =>
        {
            return Err(Why::WrongStage { stage, way: "the server sees it by itself; an operator tells vm_requested to post_running" });
        }
        Stage::PreRunning | Stage::Installing | Stage::PostRunning if !is_proven(s.ask.actor) => {
            return Err(Why::NotProven { row: "stage", event: s.event.word() });
        }
        _ => {}
    }
    if stage <= build.stage {
        return same(Stay::NotFurther { at: build.stage, seen: stage });
    }
    enter(s.by("stage"), stage, evidence).go()
}

/// Whether the actor showed a token: the machine its build's, the operator his own.
const fn is_proven(actor: &Actor) -> bool {
    matches!(actor, Actor::Host { proven: true, .. } | Actor::Operator { .. })
}

/// Enters a stage: the clock of the build, and of its task, starts anew.
fn enter<'a>(step: Move<'a>, stage: Stage, evidence: &str) -> Move<'a> {
    let (now, times) = (step.now(), step.step.ask.times);
    step.with(|host| {
        host.settle(IssueKind::DidNotNetboot);
        host.settle(IssueKind::Overdue);
        let Some(build) = host.build.as_mut() else { return };
        let deadlines = times.stage(build, stage);
        build.stage = stage;
        build.stage_entered = now;
        build.overdue = false;
        build.soft_deadline = Some(times::after(now, deadlines.soft_secs));
        build.hard_deadline = Some(times::after(now, deadlines.hard_secs));
        build.stages.push(StageEntry { stage, at: now, evidence: evidence.to_owned() });
        if let Some(task) = host.task.as_mut().filter(|task| !times::is_power(task.kind)) {
            task.soft_deadline = build.soft_deadline;
            task.hard_deadline = build.hard_deadline;
            task.overdue = false;
        }
    })
    .note(What::Stage { stage }, evidence)
}

/// A stage seen while the host is in service: only the local boot after `built` is left to see.
pub(super) fn after_built(s: &Step<'_>, stage: Stage, evidence: &str, id: BuildId) -> Row {
    let Some(build) = s.host.build.as_ref().filter(|build| build.id == id && build.end == Some(BuildEnd::Built)) else {
        return same(over(s, id));
    };
    if stage <= build.stage {
        return same(Stay::NotFurther { at: build.stage, seen: stage });
    }
    stop_clock(enter(s.by("stage"), stage, evidence)).go()
}

/// After the last stage no clock runs.
fn stop_clock(mut step: Move<'_>) -> Move<'_> {
    step.stop_build_clock();
    step
}

/// T10.
pub(super) fn built(s: &Step<'_>, id: BuildId, token_ok: bool, text: &str) -> Row {
    let build = match open(s, id) {
        Ok(build) => build,
        Err(stay) => return same(stay),
    };
    let expired = token(s, "T10", build, token_ok)?;
    let need = if build.method == Method::Image { Stage::VmCreated } else { Stage::ProvisionTemplateSent };
    if build.stage < need {
        return Err(Why::TooEarly { row: "T10", at: build.stage, need });
    }
    if build.stage >= Stage::Built {
        return same(Stay::Already("built was said before; its local boot is awaited"));
    }
    let evidence = if text.is_empty() { "the installer said built" } else { text };
    let mut step = enter(s.by("T10"), Stage::Built, evidence).disks(DiskState::Dirty);
    if expired {
        step = step.raise(IssueKind::TokenExpired, "built came with a token past its time; it was this build's, so it counts");
    }
    if build.strict {
        return step.changed("built; the local boot is awaited before the host is in service").go();
    }
    // The installation is over, but its clock goes on: somebody should be told if the disk never boots.
    ended(step, BuildEnd::Built).enter(Lifecycle::Used, "installed, in service").go()
}

/// T10 of a strict build: built, and sent to its disk.
fn in_service(s: &Step<'_>, evidence: &str) -> Row {
    let step = ended(enter(s.by("T10"), Stage::LocalBoot, evidence), BuildEnd::Built);
    stop_clock(step).enter(Lifecycle::Used, "installed and booted from its disk, in service").go()
}

/// T11: the installer says so.
pub(super) fn failed(s: &Step<'_>, id: BuildId, token_ok: bool, text: &str) -> Row {
    let build = match open(s, id) {
        Ok(build) => build,
        Err(stay) => return same(stay),
    };
    token(s, "T11", build, token_ok)?;
    let text = if text.trim().is_empty() { "the installer said failed, without a reason" } else { text };
    error(s.by("T11"), build, Cause::Reported(text.to_owned())).go()
}

/// T11: the build ends, and the disks are unknown if its installer may have written to them.
fn error<'a>(step: Move<'a>, build: &Build, cause: Cause) -> Move<'a> {
    let text = format!("build {} failed in stage {}: {}", build.id, build.stage.word(), cause_text(&cause));
    let step = ended(step, BuildEnd::Failed { cause: cause.clone() });
    let step = if touches_disks(build) { step.disks(DiskState::Unknown) } else { step };
    step.enter(Lifecycle::Error { from: ErrorFrom::Provisioning { kind: build.kind }, cause }, text)
}

/// T11 by time.
pub(super) fn timed_out(s: &Step<'_>) -> Row {
    let Some(build) = s.host.open_build().filter(|build| build.hard_deadline.is_some_and(|at| at <= s.now())) else {
        return same(Stay::NotDue("the present stage's hard deadline is later"));
    };
    let hard_secs = s.ask.times.stage(build, build.stage).hard_secs;
    let text = format!("nothing further than {} was seen within {hard_secs} seconds", build.stage.word());
    error(s.by("T11").note(What::Deadline { which: "hard".to_owned() }, text.clone()), build, Cause::Deadline(text)).go()
}

/// The time for the local boot after `built` is over: said, and no longer waited for. A host in service is not stopped for it.
pub(super) fn never_came_back(s: &Step<'_>) -> Row {
    let due = |build: &&Build| times::counts(s.host, build) && build.hard_deadline.is_some_and(|at| at <= s.now());
    if s.host.build.as_ref().filter(due).is_none() {
        return same(Stay::NotDue("no local boot is awaited until now"));
    }
    let text = "built, but not seen to boot from its disk; it may boot without asking the network, or not at all";
    stop_clock(s.by("T36")).raise(IssueKind::Overdue, text).note(What::Deadline { which: "hard".to_owned() }, text).go()
}

/// A reboot that is no loop.
pub(super) fn announced(s: &Step<'_>, id: BuildId, token_ok: bool) -> Row {
    let build = match open(s, id) {
        Ok(build) => build,
        Err(stay) => return same(stay),
    };
    token(s, "stage", build, token_ok)?;
    if build.expected_boots >= EXPECTED_BOOTS {
        return same(Stay::Noted("so many reboots were announced that one more is not believed"));
    }
    let boots = build.expected_boots + 1;
    s.by("stage")
        .with(|host| {
            if let Some(build) = host.build.as_mut() {
                build.expected_boots = boots;
            }
        })
        .changed(format!("the installer announced a reboot: {boots} boots are expected"))
        .go()
}

/// What the installer tells on the way. It goes into the newest build's log, also after its end: that is when logs arrive.
pub(super) fn noted(s: &Step<'_>, id: BuildId, token_ok: bool, word: &str, text: &str) -> Row {
    let Some(build) = s.host.build.as_ref().filter(|build| build.id == id) else {
        return same(over(s, id));
    };
    token(s, "stage", build, token_ok)?;
    let line = match (word, text) {
        ("", "") => return same(Stay::Noted("an empty report")),
        ("", text) => text.to_owned(),
        (word, "") => word.to_owned(),
        (word, text) => format!("{word}: {text}"),
    };
    let log = tail(&build.log, &line);
    if log == build.log {
        return same(Stay::Noted("the log is full of this already"));
    }
    let report = if word.is_empty() { "log".to_owned() } else { format!("progress/{word}") };
    s.by("stage")
        .with(|host| {
            if let Some(build) = host.build.as_mut() {
                build.log = log;
            }
        })
        .note(What::Callback { report, applied: true }, line)
        .go()
}

/// The log with a line more, cut in front at a character's edge.
fn tail(log: &str, line: &str) -> String {
    let whole = format!("{log}{}\n", line.trim_end_matches('\n'));
    let mut start = whole.len().saturating_sub(LOG_BYTES);
    while !whole.is_char_boundary(start) {
        start += 1;
    }
    whole[start..].to_owned()
}

/// `built` or `failed` of a build that has ended. Its token makes it worth an issue; it moves nothing (invariant 7).
pub(super) fn late(s: &Step<'_>, id: BuildId, token_ok: bool) -> Row {
    let Some(build) = s.host.build.as_ref().filter(|build| build.id == id) else {
        return same(over(s, id));
    };
    token(s, "T10", build, token_ok)?;
    let expected =
        matches!((s.event, &build.end), (Event::Built { .. }, Some(BuildEnd::Built)) | (Event::BuildFailed { .. }, Some(BuildEnd::Failed { .. })));
    if expected || s.host.issues.iter().any(|issue| issue.kind == IssueKind::CallbackLate) {
        return same(Stay::BuildEnded { build: id });
    }
    let text = format!("build {id} said {} after it had ended; look at the host before deciding (T21, T24)", s.event.word());
    s.by("late").raise(IssueKind::CallbackLate, text.clone()).changed(text).go()
}

/// A circle during a build: counted once a session, and halted if the policy says so (T11).
pub(super) fn looped(s: &Step<'_>) -> Row {
    let (Event::LoopSeen { class, halt, text, session }, Some(build)) = (s.event, s.host.open_build()) else {
        return same(Stay::Noted("no build is open"));
    };
    if build.loops.session == Some(*session) {
        return same(Stay::CountedBefore);
    }
    let row = if *halt { "T11" } else { "loop" };
    let step = counted(s.by(row), *class, *halt);
    if *halt { error(step, build, Cause::BootLoop(text.clone())).go() } else { step.go() }
}

/// A circle after `built`: said and counted, never halted, for a host in service is not taken out of it by a guess.
pub(super) fn looped_in_service(s: &Step<'_>) -> Row {
    let Event::LoopSeen { class, session, .. } = s.event else { return same(Stay::Noted("no loop")) };
    match &s.host.build {
        Some(build) if build.loops.session == Some(*session) => same(Stay::CountedBefore),
        Some(_) => counted(s.by("loop"), *class, false).go(),
        None => same(Stay::Noted("the host was never built here")),
    }
}

fn counted(step: Move<'_>, class: LoopClass, halted: bool) -> Move<'_> {
    let Event::LoopSeen { text, session, .. } = step.step.event else { return step };
    let mut attempt = 0;
    step.raise(IssueKind::BootLoop, text.clone())
        .with(|host| {
            if let Some(build) = host.build.as_mut() {
                build.loops.count = build.loops.count.saturating_add(1);
                build.loops.last_stage = Some(build.stage);
                build.loops.session = Some(*session);
                build.loops.halted = halted;
                attempt = build.loops.count;
            }
        })
        .note(What::BootLoop { class: class.word().to_owned(), attempt, halted }, text.clone())
}
