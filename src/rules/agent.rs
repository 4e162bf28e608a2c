//! What the live image's agent is told: whether its word counts, and what it is to do next.
//!
//! ```text
//! run open,  its session and mode   →  the lifecycle decides (Take)
//! run open,  said before            →  the same answer again (Say)
//! run open, its try given up        →  boot again and try once more (a registration; a wipe is never begun twice)
//! run ended                         →  by where the host is: wait, reboot, poweroff; abort to whoever may still be at work
//! another mode, power-on, machine   →  no (Denied); nothing changes
//! ```
//! Whose token it is has been looked up before. Nothing here changes a host or knows a disk: a wipe begins only by the plan that the
//! run was opened with, and only for the machine that the run's host is.

use crate::{
    model::{
        Administrative, Availability, Host, HostId, IssueKind, Lifecycle, LiveMode, LiveRun, Progress, SessionId, Timestamp, WipePlan,
        lifecycle::Cause,
    },
    wire::agent::{Action, Content},
};

use super::lifecycle::times::after;

/// Within so many seconds a heartbeat that says nothing new is not written down.
pub const HEARD_SECS: u64 = 60;

/// What the agent is to do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub action: Action,
    /// Why, in a sentence for its console.
    pub reason: String,
}

/// How the agent's word is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It counts: the lifecycle is asked.
    Take,
    /// Nothing changes, and that is right.
    Say(Order),
    /// It comes after the end of its run: worth a line in the journal and nothing more.
    Late(Order),
    /// It may not be.
    No(Denied),
}

/// Why an agent is not listened to; one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The token's time is over.
    #[error("the time of this token is over; boot from the network again")]
    Token,
    /// It was started for something else.
    #[error("this run is to {}, and this is about {}; boot from the network again", word(*.run), word(*.said))]
    Mode {
        /// What the run does.
        run: LiveMode,
        /// What the agent speaks of.
        said: LiveMode,
    },
    /// It speaks before its hello.
    #[error("no agent has reported for work in this run; say hello first, or boot from the network again")]
    NoHello,
    /// Another power-on has the run.
    #[error("another power-on of this machine speaks for this run; touch nothing and boot from the network again")]
    Session,
    /// The machine is not the one that is to be wiped.
    #[error("{text} Nothing is wiped until an operator has said which host this is.")]
    Identity {
        /// The contradiction, one sentence.
        text: String,
    },
    /// The plan reads differently from what was confirmed.
    #[error("the wipe plan does not have the hash that was confirmed; mark the host defective with `abandon`, or let the deadline pass and retry")]
    Plan,
}

impl Denied {
    /// The stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Token => "unknown_token",
            Self::Mode { .. } => "wrong_mode",
            Self::NoHello => "no_hello",
            Self::Session => "wrong_session",
            Self::Identity { .. } => "identity",
            Self::Plan => "other_plan",
        }
    }
}

/// A mode as the kernel's command line spells it.
pub const fn word(mode: LiveMode) -> &'static str {
    match mode {
        LiveMode::Register => "register",
        LiveMode::Clean => "clean",
    }
}

/// A hello: the first of its power-on counts, the same one again gets the same answer.
pub fn hello(host: &Host, mode: LiveMode, session: SessionId, now: Timestamp) -> Verdict {
    let run = match open(host, now) {
        Ok(run) => run,
        Err(Shut::Ended) => return Verdict::Say(order(host)),
        Err(Shut::Token) => return Verdict::No(Denied::Token),
    };
    if run.mode != mode {
        return Verdict::No(Denied::Mode { run: run.mode, said: mode });
    }
    if mode == LiveMode::Clean && confirmed_plan(run).is_none() {
        return Verdict::No(Denied::Plan);
    }
    if run.session == Some(session) { Verdict::Say(order(host)) } else { Verdict::Take }
}

/// A heartbeat of an agent at work counts; one that waits is told what there is to do.
pub fn heartbeat(host: &Host, session: SessionId, now: Timestamp) -> Verdict {
    match open(host, now) {
        // It was silent for too long. Denied, it would wait for ever, and every further try would pass with nobody to take it.
        Ok(run) if run.mode == LiveMode::Register && run.hello_at.is_none() => Verdict::Say(after_report(host)),
        Ok(run) => speaks(run, session).map_or_else(Verdict::No, |()| Verdict::Take),
        Err(Shut::Token) => Verdict::No(Denied::Token),
        Err(Shut::Ended) => Verdict::Say(stop(host, session)),
    }
}

/// A report counts once, and only of the work that the run is for.
pub fn report(host: &Host, session: SessionId, id: &str, content: &Content, now: Timestamp) -> Verdict {
    let heard = host.live.as_ref().is_some_and(|run| run.report.as_deref() == Some(id));
    if heard {
        return Verdict::Say(after_report(host));
    }
    let run = match open(host, now) {
        Ok(run) => run,
        Err(Shut::Token) => return Verdict::No(Denied::Token),
        Err(Shut::Ended) => {
            let Order { action, reason } = order(host);
            return Verdict::Late(Order { action, reason: format!("The run had ended before this report came; it changes nothing. {reason}") });
        }
    };
    let said = match content {
        Content::Partial { .. } | Content::Facts { .. } => LiveMode::Register,
        Content::Wipe { .. } => LiveMode::Clean,
        Content::Failed { .. } => run.mode,
    };
    if let Err(denied) = speaks(run, session) {
        return Verdict::No(denied);
    }
    if said == run.mode { Verdict::Take } else { Verdict::No(Denied::Mode { run: run.mode, said }) }
}

/// The plan of a run, as long as it reads as it did when it was confirmed: after an update of the server it might not.
pub fn confirmed_plan(run: &LiveRun) -> Option<&WipePlan> {
    run.plan.as_deref().filter(|plan| run.plan_hash.as_ref() == Some(&plan.hash()))
}

/// What whoever has the newest run's token is to do now.
pub fn order(host: &Host) -> Order {
    match host.live.as_ref().filter(|run| run.is_open()) {
        Some(run) if run.mode == LiveMode::Clean => {
            let disks = run.plan.as_ref().map_or(0, |plan| plan.disks.len());
            say(Action::Clean, format!("{disks} of its disks are wiped by the plan that {} confirmed.", run.by))
        }
        Some(_) => say(Action::Register, "Facts are collected; no disk is touched.".to_owned()),
        None => ended(host),
    }
}

/// What an agent is to do whose report was taken.
pub fn after_report(host: &Host) -> Order {
    if host.live.as_ref().is_some_and(LiveRun::is_open) {
        return say(Action::Reboot, format!("It boots from the network once more, try {}.", host.attempt));
    }
    ended(host)
}

/// Whether a heartbeat is worth writing down: after a minute, at a new step, or when the agent was called lost.
pub fn is_news(host: &Host, progress: &Progress, now: Timestamp) -> bool {
    let Some(run) = &host.live else { return false };
    let lately = run.heard_at.is_some_and(|at| at <= now && now < after(at, HEARD_SECS));
    let steps =
        |progress: &Progress| (progress.step.clone(), progress.disks.iter().map(|disk| (disk.id.clone(), disk.step.clone())).collect::<Vec<_>>());
    let same = run.progress.as_ref().is_some_and(|before| steps(before) == steps(progress));
    let lost = host.issues.iter().any(|issue| issue.kind == IssueKind::AgentLost);
    !lately || !same || lost
}

/// Whether a host out of service was last heard longer ago than so many seconds, or looks switched off. One in service is judged by what
/// it serves with.
pub fn is_quiet(host: &Host, secs: u64, now: Timestamp) -> bool {
    let off = matches!(host.operational.availability, Availability::Offline | Availability::PoweredOff | Availability::NotInstalled);
    let silent = off || host.operational.last_contact.is_none_or(|at| now < at || after(at, secs) <= now);
    silent && host.operational.administrative == Administrative::Locked
}

/// What speaks against this machine being the run's host: what its hello shows belongs to `found`, or to nobody. A machine that
/// shows nothing may be registered, but is never wiped.
pub fn contradiction(host: &Host, found: Option<(HostId, &str)>, shows_something: bool) -> Option<String> {
    match found {
        Some((id, _)) if id == host.id => None,
        Some((_, name)) => Some(format!("The live image was started for {}, but cards and board are those of {name}.", host.name)),
        None if shows_something => {
            Some(format!("The live image was started for {}, but it runs on a machine that shows no card and no board of it.", host.name))
        }
        None if host.live.as_ref().is_some_and(|run| run.mode == LiveMode::Clean) => {
            Some(format!("The live image was started for {}, but the machine shows neither cards nor a board.", host.name))
        }
        None => None,
    }
}

enum Shut {
    Ended,
    Token,
}

/// The run that may be spoken for. An ended one is for ever: its agent waits in the live image for an order.
fn open(host: &Host, now: Timestamp) -> Result<&LiveRun, Shut> {
    let run = host.live.as_ref().ok_or(Shut::Token)?;
    match run.is_open() {
        false => Err(Shut::Ended),
        true if run.token_expires <= now => Err(Shut::Token),
        true => Ok(run),
    }
}

fn speaks(run: &LiveRun, session: SessionId) -> Result<(), Denied> {
    match run.session {
        _ if run.hello_at.is_none() => Err(Denied::NoHello),
        Some(first) if first == session => Ok(()),
        Some(_) | None => Err(Denied::Session),
    }
}

/// Whoever was at work when its run ended without a report of its own stops; whoever only waits goes on waiting.
fn stop(host: &Host, session: SessionId) -> Order {
    let order = ended(host);
    let at_work = host.live.as_ref().is_some_and(|run| run.session == Some(session) && run.report.is_none());
    if order.action == Action::Wait && at_work { Order { action: Action::Abort, ..order } } else { order }
}

fn say(action: Action, reason: String) -> Order {
    Order { action, reason }
}

fn ended(host: &Host) -> Order {
    if let Some(frozen) = &host.holds.frozen {
        return say(Action::Poweroff, format!("It was frozen by {}: {}", frozen.by, frozen.why));
    }
    let wait = |reason: String| say(Action::Wait, reason);
    match &host.lifecycle {
        Lifecycle::Decommissioned { .. } => say(Action::Poweroff, "It is out of service.".to_owned()),
        Lifecycle::Provisioning => say(Action::Reboot, "A build is enabled: its installer comes by the network.".to_owned()),
        Lifecycle::Used | Lifecycle::UsedRegistering => say(Action::Reboot, "It is in use: it starts from its disk.".to_owned()),
        Lifecycle::New => wait("Its registration was cancelled; an operator decides what comes next.".to_owned()),
        Lifecycle::Unavailable => wait("It is registered; an operator decides whether it is offered.".to_owned()),
        Lifecycle::Available => wait("It is on offer and waits for a build.".to_owned()),
        Lifecycle::Reserved { user, .. } => wait(format!("It is reserved for {user} and waits for a build.")),
        Lifecycle::Registering | Lifecycle::Cleaning { .. } => wait("Its work is done; an operator decides what comes next.".to_owned()),
        Lifecycle::Maintenance { .. } => wait("It is in maintenance.".to_owned()),
        Lifecycle::Defective { reason, .. } => wait(format!("It is marked defective ({reason}).")),
        Lifecycle::Error { cause, .. } => wait(format!("It is in error: {}", cause_text(cause))),
    }
}

fn cause_text(cause: &Cause) -> &str {
    let (Cause::Reported(text) | Cause::Deadline(text) | Cause::BootLoop(text) | Cause::Fault(text) | Cause::Wipe(text) | Cause::Cancelled(text)) =
        cause;
    text
}

#[cfg(test)]
mod tests;
