//! Why an event is refused, or changes nothing: two closed lists, one sentence each.
//!
//! A refusal names the row of the table that would have applied and the way out of it; its code word is stable and belongs to the
//! API. *Refused* means that somebody asked for what may not be; *stayed* means that nothing was wrong and nothing happened.

use crate::model::{BuildId, IssueKind, Role, Stage, TaskKind};

use super::event::Who;

/// What a refusal is to whoever asked; the edges map it to HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhyKind {
    /// The host is in another state (409).
    Conflict,
    /// A hold forbids it (423).
    Locked,
    /// Not by this actor (403).
    Forbidden,
    /// Something must be done or known first (412).
    Precondition,
    /// It must be said twice (428).
    NeedsConfirm,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The state has no such edge.
    #[error("{row}: {event} does not apply to a host that is {state}; {way}")]
    NotFromHere {
        /// The row of the event.
        row: &'static str,
        /// The event's word.
        event: &'static str,
        /// The host's state.
        state: &'static str,
        /// What would make it possible.
        way: &'static str,
    },
    /// T30.
    #[error("T30: {event} is forbidden for a defective host, and nothing forces it; say repaired (T29) once the hardware is good")]
    Defective {
        /// The event's word.
        event: &'static str,
    },
    /// T32 is the only exit.
    #[error("T32: {event} is impossible, the host is decommissioned; its only way back is register.start (T32)")]
    Decommissioned {
        /// The event's word.
        event: &'static str,
    },
    /// The actor is of another kind.
    #[error("{event} is caused by {} only", by_word(*.by))]
    WrongActor {
        /// The event's word.
        event: &'static str,
        /// Who may.
        by: Who,
    },
    /// The role is too low.
    #[error("{event} needs a token of role {} or above", role_word(*.role))]
    RoleTooLow {
        /// The event's word.
        event: &'static str,
        /// The lowest role that may.
        role: Role,
    },
    /// The token does not belong to the open build or live run.
    #[error("{row}: {event} counts only with the token of the open build or live run; the request did not show it")]
    NotProven {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
    },
    /// The token is older than its grace.
    #[error("{row}: the token expired more than {grace_secs} seconds ago; retry the build (T24) to get a fresh one")]
    TokenTooOld {
        /// The row.
        row: &'static str,
        /// The grace.
        grace_secs: u64,
    },
    /// Destructive, and not said twice.
    #[error("{row}: {event} needs confirm = {name:?}, the host's name")]
    NeedsConfirm {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
        /// What to say.
        name: String,
    },
    /// Forced without a word of why.
    #[error("{row}: {event} needs a reason")]
    NeedsReason {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
    },
    /// Hold `lock`.
    #[error("{row}: the host is protected, {event} is refused; unprotect it first (P10)")]
    Protected {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
    },
    /// Hold `frozen`.
    #[error("{row}: the host was frozen by {by} ({why}), {event} is refused; an admin can unfreeze it (P9)")]
    Frozen {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
        /// Who froze it.
        by: String,
        /// Why.
        why: String,
    },
    /// The disks are neither clean nor waived.
    #[error(
        "{row}: {event} needs clean disks, these are {disk}; wipe them first (`clean` T17b, `retry-clean` T20, `release` T23), or let an admin `waive` it"
    )]
    DisksNotClean {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
        /// What they are.
        disk: &'static str,
    },
    /// Something may have written to the disks of a used host.
    #[error("{row}: the disks are {disk}, so nobody can say that the installed system is intact; use maintenance.start (T21) or release (T23)")]
    DisksTouched {
        /// The row.
        row: &'static str,
        /// What they are.
        disk: &'static str,
    },
    /// No facts, or old ones.
    #[error("{row}: {event} needs facts not older than {} days; register the host first (T2, or T25 and T26)", .max_secs / 86_400)]
    FactsStale {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
        /// How old they may be.
        max_secs: u64,
    },
    /// The report lacks what is mandatory.
    #[error("{row}: the report lacks mandatory facts (UUID or serial, a MAC, a disk); the agent may report again")]
    FactsIncomplete {
        /// The row.
        row: &'static str,
    },
    /// An issue that must be settled first.
    #[error("{row}: {event} is blocked by the open issue {issue:?}; settle it first")]
    BlockingIssue {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
        /// Which.
        issue: IssueKind,
    },
    /// Reserved for somebody else.
    #[error("{row}: the host is reserved for {user}; {user} or an admin may build, anybody may unreserve (T8)")]
    ReservedForOther {
        /// The row.
        row: &'static str,
        /// The user.
        user: String,
    },
    /// There is an open build.
    #[error("{row}: build {build} of {by} is open; wait for it or cancel it (T12)")]
    BuildOpen {
        /// The row.
        row: &'static str,
        /// Which.
        build: BuildId,
        /// Whose.
        by: String,
    },
    /// There is none, or it ended.
    #[error("{row}: {event} needs an open build, and there is none; enable one (T9, T13) or retry the last (T24)")]
    NoOpenBuild {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
    },
    /// The caller named another build.
    #[error("{row}: build {asked} is not the open one, that is {open}; name that or none")]
    OtherBuild {
        /// The row.
        row: &'static str,
        /// What the caller named.
        asked: BuildId,
        /// What is open.
        open: BuildId,
    },
    /// The kind does not go with the state.
    #[error("{row}: a host that is {state} cannot have a build of kind {kind}; leave the kind out, or: {way}")]
    WrongKind {
        /// The row.
        row: &'static str,
        /// The host's state.
        state: &'static str,
        /// The kind's word.
        kind: &'static str,
        /// What would make it possible.
        way: &'static str,
    },
    /// A build without any boot.
    #[error("{row}: a build expects at least one boot; set expected_boots to 1 or more")]
    NoBoots {
        /// The row.
        row: &'static str,
    },
    /// `built` before the answer file was fetched.
    #[error("{row}: built is believed from stage {need} on, this build is at {at}; was the answer file fetched from another server?",
        need = .need.word(), at = .at.word())]
    TooEarly {
        /// The row.
        row: &'static str,
        /// Where it is.
        at: Stage,
        /// Where it would have to be.
        need: Stage,
    },
    /// A stage that this build's method does not have, or that its own event enters.
    #[error("stage: {stage} is not entered this way; {way}", stage = .stage.word())]
    WrongStage {
        /// Which.
        stage: Stage,
        /// How, then.
        way: &'static str,
    },
    /// Another task is under way.
    #[error("{row}: the task {task:?} is under way, one at a time; wait for it, or cancel its build (T12)")]
    TaskOpen {
        /// The row.
        row: &'static str,
        /// Which.
        task: TaskKind,
    },
    /// The agent has begun.
    #[error("{row}: the wipe has begun and an erase cannot be undone; wait for its report{way}")]
    EraseBegun {
        /// The row.
        row: &'static str,
        /// Another way out, if any.
        way: &'static str,
    },
    /// No plan, no wipe.
    #[error("{row}: a wipe needs a hashed plan; make the plan first")]
    NoPlan {
        /// The row.
        row: &'static str,
    },
    /// A registration that brings a wipe plan.
    #[error("{row}: a registration never carries a wipe plan; ask for a clean instead (T17, T17b)")]
    PlanInRegistration {
        /// The row.
        row: &'static str,
    },
    /// The report is about another plan.
    #[error("{row}: the report is not about the plan that was sent; the host stays in cleaning until its own report or its deadline")]
    OtherPlan {
        /// The row.
        row: &'static str,
    },
    /// The goal is not one of this row's.
    #[error("{row}: {event} ends in available or unavailable; to take the host out of service use release (T17), decommission (T31) or delete (P5)")]
    WrongGoal {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
    },
    /// The server has tried often enough.
    #[error("{row}: {tries} tries failed; an operator may try again")]
    TriesSpent {
        /// The row.
        row: &'static str,
        /// How many.
        tries: u32,
    },
    /// The power is the wrong way round.
    #[error("{row}: {event} needs the power {need}, it is {is}; {way}")]
    WrongPower {
        /// The row.
        row: &'static str,
        /// The event's word.
        event: &'static str,
        /// What it would have to be.
        need: &'static str,
        /// What it is.
        is: &'static str,
        /// What would make it possible.
        way: &'static str,
    },
    /// A reservation for nobody.
    #[error("{row}: a reservation names its user")]
    NoUser {
        /// The row.
        row: &'static str,
    },
}

const fn by_word(who: Who) -> &'static str {
    match who {
        Who::Operator | Who::Admin => "an operator",
        Who::OperatorOrServer => "an operator or the server",
        Who::Host => "the host's own traffic",
        Who::Anyone => "the host, an operator or the server",
        Who::Server => "the server's clock",
    }
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

impl Why {
    /// Its stable word and its kind.
    const fn entry(&self) -> (&'static str, WhyKind) {
        use WhyKind::{Conflict, Forbidden, Locked, Precondition};
        match self {
            Self::NotFromHere { .. } => ("not_from_here", Conflict),
            Self::Defective { .. } => ("defective", Conflict),
            Self::Decommissioned { .. } => ("decommissioned", Conflict),
            Self::WrongActor { .. } => ("wrong_actor", Forbidden),
            Self::RoleTooLow { .. } => ("role_too_low", Forbidden),
            Self::NotProven { .. } => ("not_proven", Forbidden),
            Self::TokenTooOld { .. } => ("token_too_old", Forbidden),
            Self::NeedsConfirm { .. } => ("needs_confirm", WhyKind::NeedsConfirm),
            Self::NeedsReason { .. } => ("needs_reason", WhyKind::NeedsConfirm),
            Self::Protected { .. } => ("protected", Locked),
            Self::Frozen { .. } => ("frozen", Locked),
            Self::DisksNotClean { .. } => ("disks_not_clean", Precondition),
            Self::DisksTouched { .. } => ("disks_touched", Precondition),
            Self::FactsStale { .. } => ("facts_stale", Precondition),
            Self::FactsIncomplete { .. } => ("facts_incomplete", Precondition),
            Self::BlockingIssue { .. } => ("blocking_issue", Precondition),
            Self::ReservedForOther { .. } => ("reserved_for_other", Forbidden),
            Self::BuildOpen { .. } => ("build_open", Conflict),
            Self::NoOpenBuild { .. } => ("no_open_build", Conflict),
            Self::OtherBuild { .. } => ("other_build", Conflict),
            Self::WrongKind { .. } => ("wrong_kind", Precondition),
            Self::NoBoots { .. } => ("no_boots", Precondition),
            Self::TooEarly { .. } => ("too_early", Conflict),
            Self::WrongStage { .. } => ("wrong_stage", Conflict),
            Self::TaskOpen { .. } => ("task_open", Conflict),
            Self::EraseBegun { .. } => ("erase_begun", Conflict),
            Self::NoPlan { .. } => ("no_plan", Precondition),
            Self::PlanInRegistration { .. } => ("plan_in_registration", Precondition),
            Self::OtherPlan { .. } => ("other_plan", Conflict),
            Self::WrongGoal { .. } => ("wrong_goal", Precondition),
            Self::TriesSpent { .. } => ("tries_spent", Conflict),
            Self::WrongPower { .. } => ("wrong_power", Conflict),
            Self::NoUser { .. } => ("no_user", Precondition),
        }
    }

    /// Its stable word, for API, metrics and journal.
    pub const fn code(&self) -> &'static str {
        self.entry().0
    }

    /// What it is to whoever asked.
    pub const fn kind(&self) -> WhyKind {
        self.entry().1
    }
}
