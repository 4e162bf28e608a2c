//! What events are made of: a build and a live run before they exist, what a wipe came to, a health report, a clock.
//!
//! Plain values without rules; the callers fill them in, the rows read them.

use std::collections::BTreeMap;

use crate::model::{BuildId, BuildKind, Deadlines, LiveId, Method, Name, Stage, TokenHash, WipePlan};

/// A build that somebody asks for, before it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBuild {
    /// Its identity, drawn by the caller.
    pub id: BuildId,
    /// Install, rebuild or reinstall; left out, the host's state says which.
    pub kind: Option<BuildKind>,
    /// How the system comes to the disk.
    pub method: Method,
    /// What is installed.
    pub profile: Name,
    /// SHA-256 of its token.
    pub token_hash: TokenHash,
    /// Seconds that the token opens documents; `None`: [`super::Times::token_secs`].
    pub token_secs: Option<u64>,
    /// Boots that are no loop, from 1.
    pub expected_boots: u32,
    /// A second request with the same key gets the same build.
    pub idempotency_key: Option<String>,
    /// The profile's deadlines, by stage.
    pub deadlines: BTreeMap<Stage, Deadlines>,
    /// Whether the host is in service only after its local boot.
    pub strict: bool,
}

/// A run of the live image that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLive {
    /// Its identity, drawn by the caller.
    pub id: LiveId,
    /// SHA-256 of its token.
    pub token_hash: TokenHash,
    /// The wipe plan; a wipe needs one that names a disk, a registration must have none.
    pub plan: Option<Box<WipePlan>>,
    /// Instead of the default deadlines (an erase takes what its drives take).
    pub deadlines: Option<Deadlines>,
}

/// What a wipe came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wiped {
    /// Every planned disk was erased and verified.
    All,
    /// Some were not, and an admin takes that on himself.
    Waived {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Some were not.
    Failed {
        /// Which, and why.
        text: String,
    },
}

/// What a monitor says of a host's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Everything passed.
    Passed,
    /// Something that one can live without failed.
    SomeFailed,
    /// Something that one cannot live without failed.
    CriticalFailed,
    /// So many heartbeats in a row did not come.
    Missed(u32),
}

/// Which of a host's clocks a deadline belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Clock {
    /// The lifecycle's own: registering, cleaning, maintenance.
    State,
    /// The present stage of the build; a build's task keeps the same time.
    Build,
    /// A power task.
    Task,
}
