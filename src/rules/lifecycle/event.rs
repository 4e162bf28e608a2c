//! Everything that can happen to a host, as one closed list: the columns' heads of the table in `lifecycle.md` section 2.
//!
//! An event carries the values its rows need and nothing else. Checks that need secrets or the world (does the token match, is the
//! plan the one we sent) arrive as booleans, because whoever parsed the request knows; what follows from them is decided here.

use std::sync::Arc;

use super::parts::{Clock, Health, NewBuild, NewLive, Wiped};
use crate::model::{BuildId, Crew, DiskResult, Facts, LoopClass, PowerState, Progress, SessionId, Stage, TaskKind, Then, Timestamp};

/// Something that happened or that somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    // ── registration ────────────────────────────────────────────────────────────────────────────────────────────────
    /// T2, T32: collect the facts of a host that nobody uses.
    RegisterStart(NewLive),
    /// T14: collect the facts of a used host, without touching its disks.
    Reregister(NewLive),
    /// T3, T3a, T15: the facts.
    RegisterReport {
        /// What was found.
        facts: Arc<Facts>,
        /// The token is this run's.
        token_ok: bool,
        /// The mandatory facts are there.
        complete: bool,
        /// How they differ from the last ones, a sentence each; empty at the first registration.
        changes: Vec<String>,
        /// The site offers healthy hosts without asking.
        auto_available: bool,
    },
    /// T4c: facts that are not all yet; should an operator cancel, they are what is left.
    RegisterPartial {
        /// What was found so far.
        facts: Arc<Facts>,
        /// The token is this run's.
        token_ok: bool,
    },
    /// T4, T16: the live image gave up.
    RegisterFailed {
        /// Why.
        text: String,
        /// The token is this run's.
        token_ok: bool,
    },
    /// T4c: an operator gave up.
    RegisterCancel,
    /// The agent's first word. In a wipe the word of another power-on than the first shows that the machine was reset in the middle (T19).
    AgentHello {
        /// The token is this run's.
        token_ok: bool,
        /// The power-on it speaks from.
        session: SessionId,
        /// What speaks.
        crew: Crew,
    },
    /// The agent is still there.
    AgentHeartbeat {
        /// The token is this run's, and the power-on is the hello's.
        token_ok: bool,
        /// How far it is.
        progress: Progress,
    },
    /// T4, T16, T19: nothing was heard of the agent since its last word.
    AgentSilent,

    // ── offering ────────────────────────────────────────────────────────────────────────────────────────────────────
    /// T5.
    MarkAvailable,
    /// T6.
    MarkUnavailable,
    /// T7.
    Reserve {
        /// For whom.
        user: String,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// T8.
    Unreserve,
    /// T8, by time.
    ReservationExpired,
    /// T35: take over a host with what is on its disks.
    Adopt {
        /// The host's name, typed again.
        confirm: Option<String>,
    },
    /// An admin vouches for disks that were not wiped.
    WaiveDisks {
        /// Why.
        why: String,
        /// The host's name, typed again.
        confirm: Option<String>,
    },

    // ── builds ──────────────────────────────────────────────────────────────────────────────────────────────────────
    /// T9, T13 (P6–P8).
    EnableBuild {
        /// Which build.
        build: Box<NewBuild>,
        /// The host's name, typed again; needed for a used host.
        confirm: Option<String>,
    },
    /// T24.
    RetryBuild(Box<NewBuild>),
    /// T12.
    CancelBuild {
        /// Which, if the caller named one.
        build: Option<BuildId>,
    },
    /// Forget the loops seen so far and what was used; the build stays.
    RearmBuild {
        /// Which, if the caller named one.
        build: Option<BuildId>,
    },
    /// Something shows that the build reached a stage.
    StageSeen {
        /// Which.
        stage: Stage,
        /// The packet, request or callback.
        evidence: String,
        /// The build it speaks of.
        build: BuildId,
    },
    /// T10: the installer says that the system is on the disk.
    Built {
        /// The build it speaks of.
        build: BuildId,
        /// The token is that build's, expired or not.
        token_ok: bool,
        /// What it said.
        text: String,
    },
    /// T11: the installer says that it failed.
    BuildFailed {
        /// The build it speaks of.
        build: BuildId,
        /// The token is that build's.
        token_ok: bool,
        /// Why.
        text: String,
    },
    /// The installer says something that moves no stage.
    ProgressNoted {
        /// The build it speaks of.
        build: BuildId,
        /// The token is that build's.
        token_ok: bool,
        /// The word of its progress; empty for mere log text.
        word: String,
        /// What it said.
        text: String,
    },
    /// The installer announces a reboot that is no loop.
    BootAnnounced {
        /// The build it speaks of.
        build: BuildId,
        /// The token is that build's.
        token_ok: bool,
    },
    /// `rules::loops` saw a circle.
    LoopSeen {
        /// Which kind.
        class: LoopClass,
        /// The policy says that this one halts the build.
        halt: bool,
        /// Evidence and advice.
        text: String,
        /// The session that came again.
        session: SessionId,
    },

    // ── cleaning ────────────────────────────────────────────────────────────────────────────────────────────────────
    /// T17, T23: give the host back; its disks are wiped.
    Release {
        /// What it becomes.
        then: Then,
        /// The host's name, typed again.
        confirm: Option<String>,
        /// The live run with its plan.
        live: NewLive,
    },
    /// T17b: wipe a host that nobody uses.
    CleanStart {
        /// What it becomes: available or unavailable.
        then: Then,
        /// The host's name, typed again.
        confirm: Option<String>,
        /// The live run with its plan.
        live: NewLive,
    },
    /// T20.
    CleanRetry(NewLive),
    /// T18, T19: the agent's report.
    CleanReport {
        /// What came of it.
        outcome: Wiped,
        /// Disk by disk.
        results: Vec<DiskResult>,
        /// The token is this run's.
        token_ok: bool,
        /// The plan is the one that was sent.
        plan_ok: bool,
    },
    /// T19b.
    CleanCancel,

    // ── service ─────────────────────────────────────────────────────────────────────────────────────────────────────
    /// T21, T25.
    MaintenanceStart {
        /// The host's name, typed again; needed for a used host.
        confirm: Option<String>,
    },
    /// T26.
    MaintenanceEnd {
        /// Parts were touched or facts are known to have changed: register first.
        touched: bool,
        /// The live run, should one be needed.
        live: NewLive,
    },
    /// T27, T27b: something is broken.
    Fault {
        /// What.
        text: String,
    },
    /// T22, T27c.
    Resolve,
    /// T28.
    MarkDefective {
        /// Why, in a word.
        reason: String,
        /// Anything else.
        notes: String,
        /// A wipe that runs is given up.
        abandon: bool,
    },
    /// T29.
    Repaired(NewLive),
    /// T31.
    Decommission {
        /// Although the disks are not clean.
        force: bool,
        /// Why, then.
        reason: Option<String>,
    },
    /// T34.
    RemoveFromRack {
        /// Although the disks are not clean.
        force: bool,
        /// Why, then.
        reason: Option<String>,
    },
    /// T33.
    RetentionPassed,
    /// T37: the record comes from a backup, and what became of the host since is not in it.
    Restored {
        /// When the backup was made.
        made: Timestamp,
    },

    // ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────
    /// T36.
    SoftDeadline(Clock),
    /// T4, T11, T16, T19, T27b by time.
    HardDeadline(Clock),

    // ── operational state ───────────────────────────────────────────────────────────────────────────────────────────
    /// O1, O3: something was heard of the host.
    Contact {
        /// Somebody reports its health; without that, being heard is all the health we know.
        tested: bool,
        /// It shows a boot, not only that the host runs.
        booted: bool,
    },
    /// O2, O7: nothing was heard for so long, of the live image's agent or by the monitor that watches the host.
    ContactLost {
        /// Since the last contact.
        quiet_secs: u64,
    },
    /// O1: an unlocked host did not come up in time.
    BootTimeout,
    /// O4, O6: a health report.
    Health(Health),
    /// O4: the tests took too long.
    TestTimeout,
    /// O5.
    RecoveryTimer,
    /// O8.
    AdminLock {
        /// Without draining.
        force: bool,
        /// The host's name, typed again; needed with `force`.
        confirm: Option<String>,
    },
    /// O9.
    AdminUnlock,
    /// O10: a power reading.
    PowerRead {
        /// What it is.
        power: PowerState,
        /// For how long it has read so.
        steady_secs: u64,
        /// More than two hosts changed together: rather a switch or a feed than the hosts.
        mass: bool,
    },

    // ── power, tasks, holds ─────────────────────────────────────────────────────────────────────────────────────────
    /// P1.
    Start,
    /// P2.
    Stop,
    /// P3.
    Restart,
    /// P4.
    ForceRestart,
    /// A power task is done, says the management controller, or an operator who saw it.
    TaskDone {
        /// Which, if the caller named one.
        kind: Option<TaskKind>,
    },
    /// P5.
    Delete {
        /// The host's name, typed again.
        confirm: Option<String>,
        /// The live run with its plan.
        live: NewLive,
    },
    /// P9.
    Freeze {
        /// Why.
        why: String,
    },
    /// The end of P9.
    Unfreeze,
    /// P10, on.
    Protect,
    /// P10, off.
    Unprotect,
}

/// Who may cause an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// An operator.
    Operator,
    /// An operator of the role admin.
    Admin,
    /// An operator, or the server by a policy that an operator set.
    OperatorOrServer,
    /// The host by its traffic, and nobody else.
    Host,
    /// The host, an operator who speaks for it by API, or the server that watched it.
    Anyone,
    /// The server's clock.
    Server,
}

impl Event {
    /// Its word in refusals, journal and API.
    pub const fn word(&self) -> &'static str {
        self.entry().0
    }

    /// Who may cause it.
    pub const fn who(&self) -> Who {
        self.entry().1
    }
}
