//! The invariants of section 3 of the design, one named check each, asked after every event of every history.
//!
//! A check answers whether the step put it to the test at all, so that one which holds only because nothing ever tries it is seen.

use bootwright::model::lifecycle::ErrorFrom;
use bootwright::model::{
    Actor, Administrative, Availability, Build, DiskState, Host, Lifecycle, LiveMode, LiveRun, Method, Plan, Role, Stage, Timestamp, What,
};
use bootwright::rules::lifecycle::{Event, Go, Verdict};

/// One event and what came of it.
pub struct Step<'a> {
    pub before: &'a Host,
    pub event: &'a Event,
    pub actor: &'a Actor,
    pub verdict: &'a Verdict,
    pub after: &'a Host,
    pub now: Timestamp,
    /// Whoever sent it knows the token of the host's newest build or run: what the world knows, whatever the event says.
    pub knows_token: bool,
    /// What the host is told to boot now.
    pub plan: &'a Plan,
    /// Since a defect, a failed wipe or the end of service, until it is known and offered or kept back again.
    pub tainted: bool,
}

/// Whether it was put to the test; or what broke.
pub type Checked = Result<bool, &'static str>;

/// A check and what it is called.
pub type Invariant = (&'static str, fn(&Step<'_>) -> Checked);

pub const INVARIANTS: [Invariant; 13] = [
    ("1: a wipe needs cleaning, token, session and plan", a_wipe_needs_everything),
    ("2: available is clean, without build and task", available_is_a_promise),
    ("3: nothing doubtful becomes used", nothing_doubtful_becomes_used),
    ("4: build off, no installer", no_installer_without_a_build),
    ("5: what is intermediate has a hard deadline", intermediate_means_bounded),
    ("6: one build, one task", one_of_each),
    ("7: stages go forward, old builds change nothing", stages_go_forward),
    ("8: decommissioned gets no boot options", decommissioned_is_silent),
    ("9: a wipe, also a failed one, never boots its disk", a_wipe_never_boots_its_disk),
    ("10: every transition is written down", transitions_are_written_down),
    ("11: only traffic halts a build", only_traffic_halts),
    ("12: no callback without its token moves anything", tokens_move),
    ("the table: defects, ends of service and users' disks", the_table_holds),
];

fn must(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

impl Step<'_> {
    fn go(&self) -> Option<&Go> {
        match self.verdict {
            Verdict::Go(go) => Some(go),
            Verdict::Stay(_) | Verdict::Refuse(_) => None,
        }
    }

    fn moved(&self) -> bool {
        self.before.lifecycle != self.after.lifecycle
    }

    fn entered(&self, what: fn(&Lifecycle) -> bool) -> bool {
        self.moved() && what(&self.after.lifecycle)
    }

    fn run(&self) -> Option<&LiveRun> {
        self.after.live.as_ref().filter(|run| run.is_open())
    }
}

const fn is_cleaning(lifecycle: &Lifecycle) -> bool {
    matches!(lifecycle, Lifecycle::Cleaning { .. })
}

fn a_wipe_needs_everything(step: &Step<'_>) -> Checked {
    match (step.plan, &step.after.lifecycle) {
        (Plan::Live { mode: LiveMode::Clean }, lifecycle) => must(is_cleaning(lifecycle), "the wiping image is booted outside cleaning")?,
        (Plan::Live { mode: LiveMode::Register }, lifecycle) => {
            must(matches!(lifecycle, Lifecycle::Registering | Lifecycle::UsedRegistering), "the registering image is booted elsewhere")?;
        }
        _ => {}
    }
    match &step.after.lifecycle {
        Lifecycle::Cleaning { .. } => {
            let run = step.run().ok_or("a wipe without an open run")?;
            let named = run.plan.as_ref().is_some_and(|plan| !plan.disks.is_empty()) && run.plan_hash.is_some();
            must(run.mode == LiveMode::Clean && named, "a wipe without a hashed plan")?;
            if step.moved() {
                must(run.plan_hash == run.plan.as_ref().map(|plan| plan.hash()), "the plan's hash is another plan's")?;
                let operator = matches!(step.actor, Actor::Operator { role, .. } if *role >= Role::Operator);
                let asked = match step.event {
                    Event::Release { confirm, .. } | Event::CleanStart { confirm, .. } | Event::Delete { confirm, .. } => {
                        operator && confirm.as_deref() == Some(step.before.name.as_ref())
                    }
                    Event::CleanRetry(_) => matches!(step.before.lifecycle, Lifecycle::Error { from: ErrorFrom::Cleaning, .. }),
                    _ => false,
                };
                must(asked, "a wipe that nobody confirmed")?;
            }
        }
        Lifecycle::Registering | Lifecycle::UsedRegistering => {
            let run = step.run().ok_or("a registration without an open run")?;
            must(run.mode == LiveMode::Register && run.plan.is_none() && run.plan_hash.is_none(), "a registration that could wipe")?;
        }
        _ => {}
    }
    if let (Event::CleanReport { plan_ok, .. }, Some(_)) = (step.event, step.go()) {
        let run = step.before.live.as_ref().ok_or("a report without a run")?;
        must(step.knows_token && *plan_ok && run.hello_at.is_some() && run.session.is_some(), "a wipe's report without token, plan or session")?;
    }
    Ok(is_cleaning(&step.after.lifecycle) || is_cleaning(&step.before.lifecycle))
}

fn available_is_a_promise(step: &Step<'_>) -> Checked {
    let (host, is) = (step.after, step.after.lifecycle == Lifecycle::Available);
    let clean = matches!(host.disk_state, DiskState::Clean | DiskState::Waived { .. });
    must(!is || (clean && host.open_build().is_none() && host.task.is_none()), "available with dirty disks, a build or a task")?;
    Ok(is && step.go().is_some())
}

fn nothing_doubtful_becomes_used(step: &Step<'_>) -> Checked {
    let doubtful = match step.before.lifecycle {
        Lifecycle::Defective { .. } | Lifecycle::Decommissioned { .. } => true,
        Lifecycle::Error { from, .. } => from == ErrorFrom::Cleaning,
        _ => false,
    };
    let used = step.entered(|next| *next == Lifecycle::Used);
    must(!(used && doubtful), "used from a defect, a failed wipe or out of service")?;
    let adopted = step.go().is_some_and(|go| go.row == "T35");
    must(!(used && step.tainted && !adopted), "used by a detour from a defect, a failed wipe or out of service")?;
    Ok(doubtful || step.tainted)
}

fn serves(build: &Build, now: Timestamp) -> bool {
    build.is_open() && build.method == Method::Pxe && build.stage < Stage::Built && !build.loops.halted && build.token_expires > now
}

fn no_installer_without_a_build(step: &Step<'_>) -> Checked {
    let installs = *step.plan == Plan::Install;
    let build = step.after.open_build().is_some_and(|build| serves(build, step.now));
    let may = build && step.after.lifecycle == Lifecycle::Provisioning && step.after.holds.frozen.is_none();
    must(!installs || may, "an installer without an open, valid, unhalted build")?;
    Ok(installs)
}

fn intermediate_means_bounded(step: &Step<'_>) -> Checked {
    let host = step.after;
    let finite = |at: Option<Timestamp>| at.is_some_and(|at| at < Timestamp::MAX);
    match host.lifecycle {
        Lifecycle::Registering | Lifecycle::UsedRegistering | Lifecycle::Cleaning { .. } => {
            must(finite(host.hard_deadline) && finite(host.soft_deadline) && host.attempt >= 1, "an intermediate state without deadlines or tries")?;
        }
        Lifecycle::Provisioning => {
            let build = host.open_build().ok_or("provisioning without a build")?;
            must(finite(build.hard_deadline) && finite(build.soft_deadline), "an open build without deadlines")?;
            let task = host.task.as_ref().ok_or("provisioning without a task")?;
            must(task.hard_deadline == build.hard_deadline, "the task does not keep its build's time")?;
        }
        _ => must(host.hard_deadline.is_none(), "a stable state that fails by a clock")?,
    }
    must(host.task.as_ref().is_none_or(|task| finite(task.hard_deadline) && finite(task.soft_deadline)), "a task without deadlines")?;
    Ok(host.task.is_some() || host.hard_deadline.is_some())
}

fn one_of_each(step: &Step<'_>) -> Checked {
    must(step.after.open_build().is_some() == (step.after.lifecycle == Lifecycle::Provisioning), "a build is open exactly while provisioning")?;
    let build = matches!(step.event, Event::EnableBuild { .. } | Event::RetryBuild(_)) && step.before.open_build().is_some();
    let power = matches!(step.event, Event::Start | Event::Stop | Event::Restart | Event::ForceRestart) && step.before.task.is_some();
    must(!(build || power) || step.go().is_none(), "a second build or task")?;
    Ok(build || power)
}

fn stages_go_forward(step: &Step<'_>) -> Checked {
    if let (Some(old), Some(new)) = (&step.before.build, &step.after.build)
        && old.id == new.id
    {
        must(new.stage >= old.stage && new.stages.len() >= old.stages.len(), "a stage went back")?;
        must(old.is_open() || !new.is_open(), "an ended build opened again")?;
        must(old.token_hash == new.token_hash && old.token_expires == new.token_expires, "a token changed")?;
    }
    let of = match step.event {
        Event::Built { build, .. }
        | Event::BuildFailed { build, .. }
        | Event::BootAnnounced { build, .. }
        | Event::ProgressNoted { build, .. }
        | Event::StageSeen { build, .. } => *build,
        _ => return Ok(false),
    };
    let older = step.before.build.as_ref().is_none_or(|newest| newest.id != of);
    must(
        !older
            || matches!(step.verdict, Verdict::Stay(_))
            || matches!(step.verdict, Verdict::Refuse(why) if why.code() == "wrong_actor" || why.code() == "role_too_low"),
        "an older build's word is not simply recorded",
    )?;
    must(!step.moved() || step.before.open_build().is_some() || step.before.lifecycle == Lifecycle::Used, "a closed build's word moved the host")?;
    Ok(older)
}

fn decommissioned_is_silent(step: &Step<'_>) -> Checked {
    let out = matches!(step.after.lifecycle, Lifecycle::Decommissioned { .. });
    must(!out || matches!(step.plan, Plan::NoAnswer { .. }), "a decommissioned host gets boot options")?;
    Ok(out)
}

fn a_wipe_never_boots_its_disk(step: &Step<'_>) -> Checked {
    let wipe = matches!(step.after.lifecycle, Lifecycle::Cleaning { .. } | Lifecycle::Error { from: ErrorFrom::Cleaning, .. });
    must(!wipe || !matches!(step.plan, Plan::Local { .. } | Plan::Install), "a wipe boots from its disk")?;
    Ok(wipe)
}

fn transitions_are_written_down(step: &Step<'_>) -> Checked {
    let Some(go) = step.go() else { return Ok(false) };
    must(step.after != step.before || go.is_purge(), "a change that changes nothing")?;
    must(!go.notes.is_empty() && go.notes.iter().all(|(_, text)| !text.is_empty()), "a change without a note")?;
    must(step.after.version == step.before.version, "the version is the store's")?;
    let written = go.notes.iter().filter(|(what, _)| {
        matches!(what, What::Transition { row, from, to }
            if row == go.row && from == step.before.lifecycle.word() && to == step.after.lifecycle.word())
    });
    must(!step.moved() || written.count() == 1, "a transition that is not written down once")?;
    Ok(step.moved())
}

fn only_traffic_halts(step: &Step<'_>) -> Checked {
    let halted = |host: &Host| host.build.as_ref().is_some_and(|build| build.loops.halted);
    let halts = halted(step.after) && !halted(step.before);
    must(!halts || matches!((step.event, step.actor), (Event::LoopSeen { .. }, Actor::Host { .. })), "a halt that no traffic caused")?;
    Ok(halts)
}

fn tokens_move(step: &Step<'_>) -> Checked {
    let claims = match step.event {
        Event::Built { token_ok, .. }
        | Event::BuildFailed { token_ok, .. }
        | Event::BootAnnounced { token_ok, .. }
        | Event::ProgressNoted { token_ok, .. }
        | Event::RegisterReport { token_ok, .. }
        | Event::RegisterPartial { token_ok, .. }
        | Event::RegisterFailed { token_ok, .. }
        | Event::AgentHello { token_ok, .. }
        | Event::AgentHeartbeat { token_ok, .. }
        | Event::CleanReport { token_ok, .. } => Some(*token_ok),
        _ => None,
    };
    must(claims != Some(false) || step.go().is_none(), "a word without its token changed something")?;
    let machine = matches!(step.actor, Actor::Host { .. });
    let observed = matches!(step.event, Event::StageSeen { stage: Stage::LocalBoot, .. } | Event::LoopSeen { halt: true, .. });
    must(!(step.moved() && machine) || step.knows_token || observed, "a stranger moved the lifecycle")?;
    Ok(machine && !step.knows_token)
}

fn the_table_holds(step: &Step<'_>) -> Checked {
    let legal = match step.after.operational.administrative {
        Administrative::Locked => matches!(
            step.after.operational.availability,
            Availability::NotInstalled | Availability::PoweredOff | Availability::Offline | Availability::Online
        ),
        Administrative::Unlocked => {
            !matches!(step.after.operational.availability, Availability::NotInstalled | Availability::PoweredOff | Availability::Online)
        }
    };
    must(legal, "section 1c: not a legal combination")?;
    let Some(go) = step.go().filter(|_| step.moved()) else { return Ok(false) };
    match (&step.before.lifecycle, &step.after.lifecycle) {
        (Lifecycle::Defective { .. }, Lifecycle::Provisioning | Lifecycle::Reserved { .. }) => Err("T30: a defect is an end"),
        (Lifecycle::Decommissioned { .. }, Lifecycle::Registering | Lifecycle::Decommissioned { .. }) => Ok(true),
        (Lifecycle::Decommissioned { .. }, _) => Err("T32: the only exit is register.start"),
        (Lifecycle::Used | Lifecycle::UsedRegistering, Lifecycle::Available | Lifecycle::Unavailable) => {
            Err("T17: a used host is wiped before it is free")
        }
        (Lifecycle::Cleaning { .. }, Lifecycle::Available) if go.row != "T18" && go.row != "T19b" => Err("T19: a failed wipe is never available"),
        _ => Ok(true),
    }
}
