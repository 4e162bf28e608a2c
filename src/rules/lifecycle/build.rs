//! What operators do to builds: open one (T9, T13, T24), cancel it (T12), rearm it.
//!
//! A build opens only by an operator's word, with its own token; the one before it is history from then on. Its task is its shadow
//! and keeps its time.

use std::collections::BTreeMap;

use super::step::{Move, Row, Step, no, same};
use super::{Event, NewBuild, Stay, Why, progress, times};
use crate::model::build::{LoopTally, StageEntry};
use crate::model::lifecycle::ErrorFrom;
use crate::model::{Build, BuildEnd, BuildId, BuildKind, Cause, DiskState, IssueKind, Lifecycle, Stage, Task, TaskKind, What};

/// The same request as the one that opened the newest build, by its idempotency key, whatever became of that build since.
pub(super) fn repeated(s: &Step<'_>) -> Option<Stay> {
    let (Event::EnableBuild { build: wish, .. } | Event::RetryBuild(wish)) = s.event else { return None };
    let key = wish.idempotency_key.as_ref()?;
    let newest = s.host.build.as_ref()?;
    (newest.idempotency_key.as_ref() == Some(key)).then_some(Stay::SameRequest { build: newest.id })
}

/// T9, P8.
pub(super) fn install(s: &Step<'_>, wish: &NewBuild) -> Row {
    s.no_hold("T9")?;
    s.no_task("T9")?;
    if let Lifecycle::Reserved { user, .. } = &s.host.lifecycle
        && *user != s.actor_name()
        && !s.is_admin()
    {
        return Err(Why::ReservedForOther { row: "T9", user: user.clone() });
    }
    match wish.kind {
        None | Some(BuildKind::Install) => open(s, "T9", wish, BuildKind::Install),
        Some(kind) => Err(wrong_kind(s, "T9", kind, "adopt it as used (T35)")),
    }
}

/// T13, P6, P7.
pub(super) fn again(s: &Step<'_>, wish: &NewBuild, confirm: Option<&str>) -> Row {
    s.no_hold("T13")?;
    s.confirmed("T13", confirm)?;
    s.no_task("T13")?;
    match wish.kind {
        None => open(s, "T13", wish, BuildKind::Reinstall),
        Some(kind @ (BuildKind::Rebuild | BuildKind::Reinstall)) => open(s, "T13", wish, kind),
        Some(kind @ BuildKind::Install) => Err(wrong_kind(s, "T13", kind, "release it first (T17)")),
    }
}

/// A second build while one is open.
pub(super) fn second(s: &Step<'_>, row: &'static str) -> Row {
    match s.host.open_build() {
        Some(build) => Err(Why::BuildOpen { row, build: build.id, by: build.asked_by.clone() }),
        None => no(s, row, "its build ended without a verdict; cancel it (T12)"),
    }
}

/// T24.
pub(super) fn retry(s: &Step<'_>, wish: &NewBuild, from: ErrorFrom) -> Row {
    let ErrorFrom::Provisioning { kind } = from else {
        return no(s, "T24", "it failed elsewhere than in a build; resolve it (T22, T27c), retry its wipe (T20) or release it (T23)");
    };
    s.no_hold("T24")?;
    s.no_task("T24")?;
    match wish.kind {
        Some(other) if other != kind => Err(wrong_kind(s, "T24", other, "release it first (T23)")),
        _ => open(s, "T24", wish, kind),
    }
}

fn wrong_kind(s: &Step<'_>, row: &'static str, kind: BuildKind, way: &'static str) -> Why {
    Why::WrongKind { row, state: s.host.lifecycle.word(), kind: kind_word(kind), way }
}

/// A build kind's word, as in JSON.
pub(super) const fn kind_word(kind: BuildKind) -> &'static str {
    match kind {
        BuildKind::Install => "install",
        BuildKind::Rebuild => "rebuild",
        BuildKind::Reinstall => "reinstall",
    }
}

/// The build begins: token, first stage, clock, task.
fn open(s: &Step<'_>, row: &'static str, wish: &NewBuild, kind: BuildKind) -> Row {
    if wish.expected_boots == 0 {
        return Err(Why::NoBoots { row });
    }
    let build = fresh(s, wish, kind);
    let text = format!("build {} ({}) of profile {} enabled by {}", build.id, kind_word(kind), build.profile, build.asked_by);
    let task = Task {
        kind: match kind {
            BuildKind::Install => TaskKind::Creating,
            BuildKind::Rebuild => TaskKind::Rebuilding,
            BuildKind::Reinstall => TaskKind::ReinstallingOs,
        },
        entered_at: s.now(),
        soft_deadline: build.soft_deadline,
        hard_deadline: build.hard_deadline,
        overdue: false,
        attempt: 1,
    };
    s.by(row)
        .enter(Lifecycle::Provisioning, text.clone())
        .with(|host| {
            for kind in [IssueKind::BootLoop, IssueKind::DidNotNetboot, IssueKind::TokenExpired, IssueKind::CallbackLate] {
                host.settle(kind);
            }
            host.build = Some(build);
            host.task = Some(task);
        })
        .note(What::Stage { stage: Stage::BuildEnabled }, text)
        .go()
}

fn fresh(s: &Step<'_>, wish: &NewBuild, kind: BuildKind) -> Build {
    let now = s.now();
    let mut build = Build {
        id: wish.id,
        kind,
        method: wish.method,
        profile: wish.profile.clone(),
        asked_by: s.actor_name(),
        idempotency_key: wish.idempotency_key.clone(),
        token_hash: wish.token_hash.clone(),
        token_expires: times::after(now, wish.token_secs.unwrap_or(s.ask.times.token_secs)),
        expected_boots: wish.expected_boots,
        stage: Stage::BuildEnabled,
        stage_entered: now,
        soft_deadline: None,
        hard_deadline: None,
        overdue: false,
        deadlines: wish.deadlines.clone(),
        strict: wish.strict,
        stages: vec![StageEntry { stage: Stage::BuildEnabled, at: now, evidence: format!("asked for by {}", s.actor_name()) }],
        loops: LoopTally::default(),
        used: BTreeMap::new(),
        served: Vec::new(),
        log: String::new(),
        previous: s.host.lifecycle.clone(),
        opened_at: now,
        end: None,
        ended_at: None,
    };
    let deadlines = s.ask.times.stage(&build, Stage::BuildEnabled);
    build.soft_deadline = Some(times::after(now, deadlines.soft_secs));
    build.hard_deadline = Some(times::after(now, deadlines.hard_secs));
    build
}

/// T12: back to where the host was, unless the installer may have touched the disks.
pub(super) fn cancel(s: &Step<'_>, asked: Option<BuildId>) -> Row {
    let build = named(s, "T12", asked, true)?;
    let id = build.id;
    if !progress::touches_disks(build) {
        let next = build.previous.clone();
        let text = format!("build {id} cancelled before anything could reach the disks");
        let mut step = ended(s.by("T12"), BuildEnd::Cancelled);
        step.stop_build_clock();
        return step.enter(next, text).go();
    }
    let cause = Cause::Cancelled(format!("build {id} cancelled in stage {}, when its installer may have touched the disks", build.stage.word()));
    let text = cause_text(&cause).to_owned();
    let from = ErrorFrom::Provisioning { kind: build.kind };
    ended(s.by("T12"), BuildEnd::Cancelled).disks(DiskState::Unknown).enter(Lifecycle::Error { from, cause }, text).go()
}

/// The loops seen so far are forgiven and every template may be asked for again; build, token and stage stay.
pub(super) fn rearm(s: &Step<'_>, asked: Option<BuildId>) -> Row {
    let build = named(s, "rearm", asked, false)?;
    let id = build.id;
    let looping = s.host.issues.iter().any(|issue| issue.kind == IssueKind::BootLoop);
    if build.loops == LoopTally::default() && build.used.is_empty() && !looping {
        return same(Stay::Already("no loop was counted and no template used"));
    }
    s.by("rearm")
        .with(|host| {
            host.settle(IssueKind::BootLoop);
            if let Some(build) = host.build.as_mut() {
                build.loops = LoopTally::default();
                build.used.clear();
            }
        })
        .changed(format!("build {id} rearmed: loops and template uses forgotten"))
        .go()
}

/// The host's build, if it is the one that was named and, where wanted, open.
fn named<'a>(s: &Step<'a>, row: &'static str, asked: Option<BuildId>, open: bool) -> Result<&'a Build, Why> {
    let build = s.host.build.as_ref().filter(|build| !open || build.is_open());
    let build = build.ok_or_else(|| Why::NoOpenBuild { row, event: s.event.word() })?;
    match asked {
        Some(asked) if asked != build.id => Err(Why::OtherBuild { row, asked, open: build.id }),
        _ => Ok(build),
    }
}

/// Closes the build. Its clock stops when the host leaves it, see [`Move::enter`].
pub(super) fn ended(step: Move<'_>, end: BuildEnd) -> Move<'_> {
    let now = step.now();
    step.with(|host| {
        host.settle(IssueKind::DidNotNetboot);
        if let Some(build) = host.build.as_mut() {
            build.end = Some(end);
            build.ended_at = Some(now);
        }
    })
}

/// A cause's sentence.
pub(super) fn cause_text(cause: &Cause) -> &str {
    match cause {
        Cause::Reported(text) | Cause::Deadline(text) | Cause::BootLoop(text) | Cause::Fault(text) | Cause::Wipe(text) | Cause::Cancelled(text) => {
            text
        }
    }
}
