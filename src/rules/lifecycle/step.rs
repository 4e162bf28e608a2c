//! One step under decision: the host before, the event, who and when; and the moves and guards that many rows share.
//!
//! A [`Move`] is the host on its way to the next: it closes with at least one note, and takes care of what every lifecycle change
//! must do (`since`, deadlines, tries, the overdue mark), so that no row can forget it.

use super::{Ask, Event, Go, NewLive, Stay, Why, times};
use crate::model::{Actor, Deadlines, DiskState, Host, IssueKind, Lifecycle, LiveMode, LiveRun, Role, Task, Then, Timestamp, What};

/// What a row comes to, where it does not refuse.
pub(super) enum Outcome {
    Next(Box<Go>),
    Same(Stay),
}

pub(super) type Row = Result<Outcome, Why>;

/// The host, the event and the question.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub host: &'a Host,
    pub ask: &'a Ask<'a>,
    pub event: &'a Event,
}

pub(super) const fn same(stay: Stay) -> Row {
    Ok(Outcome::Same(stay))
}

/// The cell is empty.
pub(super) fn no(step: &Step<'_>, row: &'static str, way: &'static str) -> Row {
    let event = step.event.word();
    Err(match step.host.lifecycle {
        Lifecycle::Decommissioned { .. } => Why::Decommissioned { event },
        _ => Why::NotFromHere { row, event, state: step.host.lifecycle.word(), way },
    })
}

impl<'a> Step<'a> {
    pub fn now(&self) -> Timestamp {
        self.ask.now
    }

    /// Begins to change the host by this row.
    pub fn by(&self, row: &'static str) -> Move<'a> {
        Move { step: *self, row, host: self.host.clone(), notes: Vec::new() }
    }

    /// Frozen or protected: both forbid.
    pub fn no_hold(&self, row: &'static str) -> Result<(), Why> {
        self.not_frozen(row)?;
        self.not_protected(row)
    }

    pub fn not_frozen(&self, row: &'static str) -> Result<(), Why> {
        let frozen = |hold: &crate::model::host::Frozen| Why::Frozen { row, event: self.event.word(), by: hold.by.clone(), why: hold.why.clone() };
        self.host.holds.frozen.as_ref().map_or(Ok(()), |hold| Err(frozen(hold)))
    }

    pub fn not_protected(&self, row: &'static str) -> Result<(), Why> {
        if self.host.holds.lock { Err(Why::Protected { row, event: self.event.word() }) } else { Ok(()) }
    }

    pub fn confirmed(&self, row: &'static str, confirm: Option<&str>) -> Result<(), Why> {
        let name = self.host.name.as_ref();
        if confirm == Some(name) { Ok(()) } else { Err(Why::NeedsConfirm { row, event: self.event.word(), name: name.to_owned() }) }
    }

    pub fn no_task(&self, row: &'static str) -> Result<(), Why> {
        self.host.task.as_ref().map_or(Ok(()), |task| Err(Why::TaskOpen { row, task: task.kind }))
    }

    pub fn disks_clean(&self, row: &'static str) -> Result<(), Why> {
        if is_clean(&self.host.disk_state) {
            return Ok(());
        }
        Err(Why::DisksNotClean { row, event: self.event.word(), disk: disk_word(&self.host.disk_state) })
    }

    pub fn facts_fresh(&self, row: &'static str) -> Result<(), Why> {
        if self.has_fresh_facts() { Ok(()) } else { Err(Why::FactsStale { row, event: self.event.word(), max_secs: self.ask.times.facts_secs }) }
    }

    pub fn has_fresh_facts(&self) -> bool {
        self.host.facts.is_some() && self.host.facts_at.is_some_and(|at| times::after(at, self.ask.times.facts_secs) >= self.now())
    }

    pub fn nothing_blocks(&self, row: &'static str) -> Result<(), Why> {
        match self.host.issues.iter().find(|issue| issue.kind.blocks()) {
            Some(issue) => Err(Why::BlockingIssue { row, event: self.event.word(), issue: issue.kind }),
            None => Ok(()),
        }
    }

    pub fn proven(&self, row: &'static str, token_ok: bool) -> Result<(), Why> {
        if token_ok { Ok(()) } else { Err(Why::NotProven { row, event: self.event.word() }) }
    }

    /// The actor's name, for reservations and waivers.
    pub fn actor_name(&self) -> String {
        match self.ask.actor {
            Actor::Operator { name, .. } => name.to_string(),
            Actor::Host { mac, .. } => mac.map_or_else(|| "the host".to_owned(), |mac| mac.to_string()),
            Actor::Server => "the server".to_owned(),
        }
    }

    pub fn is_admin(&self) -> bool {
        self.ask.actor.is_at_least(Role::Admin)
    }

    /// The run of the live image that may speak now.
    pub fn open_run(&self) -> Option<&'a LiveRun> {
        self.host.live.as_ref().filter(|run| run.is_open())
    }

    /// Whether an erase may have begun.
    pub fn erase_begun(&self) -> bool {
        matches!(self.host.lifecycle, Lifecycle::Cleaning { .. }) && self.open_run().is_some_and(|run| run.hello_at.is_some())
    }
}

pub(super) const fn is_clean(disk: &DiskState) -> bool {
    matches!(disk, DiskState::Clean | DiskState::Waived { .. })
}

pub(super) const fn disk_word(disk: &DiskState) -> &'static str {
    match disk {
        DiskState::Unknown => "unknown",
        DiskState::Dirty => "dirty",
        DiskState::Clean => "clean",
        DiskState::Waived { .. } => "waived",
    }
}

/// A host on its way to the next.
pub(super) struct Move<'a> {
    pub step: Step<'a>,
    pub row: &'static str,
    pub host: Host,
    notes: Vec<(What, String)>,
}

impl Move<'_> {
    pub fn now(&self) -> Timestamp {
        self.step.ask.now
    }

    /// Enters a lifecycle: its clock starts or stops, its tries begin, what belonged to the old state ends.
    pub fn enter(mut self, next: Lifecycle, text: impl Into<String>) -> Self {
        let now = self.now();
        let note = What::Transition { row: self.row.to_owned(), from: self.host.lifecycle.word().to_owned(), to: next.word().to_owned() };
        let deadlines = match next {
            Lifecycle::Registering | Lifecycle::UsedRegistering => Some(self.step.ask.times.registering),
            Lifecycle::Cleaning { .. } => Some(self.step.ask.times.cleaning),
            _ => None,
        };
        self.set_clock(deadlines);
        self.host.attempt = u32::from(deadlines.is_some());
        if let Lifecycle::Maintenance { .. } = next {
            self.host.soft_deadline = Some(times::after(now, self.step.ask.times.maintenance_soft_secs));
        }
        if let Some(run) = self.host.live.as_mut().filter(|run| run.is_open()) {
            run.ended_at = Some(now);
        }
        if !matches!(next, Lifecycle::Provisioning | Lifecycle::Used) {
            self.stop_build_clock();
        }
        // A build's or a deletion's task ends with its state; whoever enters the next opens the next. `available` has none at all.
        let keeps = |task: &Task| times::is_power(task.kind) && next != Lifecycle::Available;
        self.host.task = self.host.task.take().filter(keeps);
        self.host.settle(IssueKind::Overdue);
        self.host.settle(IssueKind::AgentLost);
        self.host.since = now;
        self.host.lifecycle = next;
        self.notes.push((note, text.into()));
        self
    }

    /// Starts the state's clock anew, or stops it.
    pub fn set_clock(&mut self, deadlines: Option<Deadlines>) {
        let now = self.now();
        self.host.soft_deadline = deadlines.map(|deadlines| times::after(now, deadlines.soft_secs));
        self.host.hard_deadline = deadlines.map(|deadlines| times::after(now, deadlines.hard_secs));
        self.host.overdue = false;
    }

    /// The build's clock stands still: it ended, or nobody waits for its local boot any more.
    pub fn stop_build_clock(&mut self) {
        if let Some(build) = self.host.build.as_mut() {
            build.soft_deadline = None;
            build.hard_deadline = None;
            build.overdue = false;
        }
    }

    /// Opens a run of the live image; its token lives as long as all of its tries.
    pub fn open_run(mut self, mode: LiveMode, live: &NewLive, then: Option<Then>, from: Lifecycle) -> Self {
        if live.deadlines.is_some() {
            self.set_clock(live.deadlines);
        }
        let times = self.step.ask.times;
        let hard_secs = live.deadlines.map_or(times.registering.hard_secs, |deadlines| deadlines.hard_secs);
        let tries = if mode == LiveMode::Register { times.registering_tries } else { 1 };
        let expires = times::after(self.now(), hard_secs.saturating_mul(u64::from(tries.max(1))));
        let token_expires = expires.max(self.host.hard_deadline.unwrap_or(expires));
        self.host.live = Some(LiveRun {
            plan_hash: live.plan.as_ref().map(|plan| plan.hash()),
            plan: live.plan.clone(),
            by: self.step.actor_name(),
            from,
            then,
            ..LiveRun::new(live.id, mode, live.token_hash.clone(), token_expires)
        });
        self
    }

    pub fn disks(mut self, disk: DiskState) -> Self {
        self.host.disk_state = disk;
        self
    }

    pub fn raise(mut self, kind: IssueKind, text: impl Into<String>) -> Self {
        let now = self.now();
        self.host.raise(kind, text.into(), now);
        self
    }

    /// Anything else about the host that a row changes.
    pub fn with(mut self, change: impl FnOnce(&mut Host)) -> Self {
        change(&mut self.host);
        self
    }

    /// Notes a change that is not of the lifecycle.
    pub fn changed(self, text: impl Into<String>) -> Self {
        let what = What::Changed { row: self.row.to_owned(), text: String::new() };
        self.note(what, text)
    }

    pub fn note(mut self, what: What, text: impl Into<String>) -> Self {
        let text = text.into();
        let what = match what {
            What::Changed { row, .. } => What::Changed { row, text: text.clone() },
            other => other,
        };
        self.notes.push((what, text));
        self
    }

    /// The verdict.
    pub fn go(self) -> Row {
        assert!(!self.notes.is_empty(), "row {} changes a host without a note", self.row);
        Ok(Outcome::Next(Box::new(Go { row: self.row, host: self.host, notes: self.notes })))
    }
}
