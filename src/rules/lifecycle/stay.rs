//! Why an event changed nothing although nothing was wrong with it.
//!
//! The story answers as if it had been applied (`200`, `applied: false`) and records it as evidence; no row of a host changes.

use crate::model::{BuildId, Stage};

/// Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stay {
    /// A callback or observation of a build that is not the host's newest.
    #[error("it speaks of build {build}, which is not the host's newest; recorded, nothing changed")]
    OtherBuild {
        /// Which.
        build: BuildId,
    },
    /// The host has no build at all, or its build has ended.
    #[error("build {build} has ended; recorded, nothing changed")]
    BuildEnded {
        /// Which.
        build: BuildId,
    },
    /// The build is there already, or further.
    #[error("the build is at {} already, {} is not further", .at.word(), .seen.word())]
    NotFurther {
        /// Where it is.
        at: Stage,
        /// What was seen.
        seen: Stage,
    },
    /// The same request again, by its idempotency key.
    #[error("the same request as before: it opened build {build}")]
    SameRequest {
        /// The build it opened.
        build: BuildId,
    },
    /// Already as asked for.
    #[error("nothing to do: {0}")]
    Already(&'static str),
    /// A timer rang that was set for something else, or too early.
    #[error("the timer does not apply: {0}")]
    NotDue(&'static str),
    /// This session's loop was counted before.
    #[error("this boot session's loop was counted before")]
    CountedBefore,
    /// Worth recording, but it changes nothing here.
    #[error("recorded: {0}")]
    Noted(&'static str),
}

impl Stay {
    /// Its stable word, for API, metrics and journal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherBuild { .. } => "other_build",
            Self::BuildEnded { .. } => "build_ended",
            Self::NotFurther { .. } => "not_further",
            Self::SameRequest { .. } => "same_request",
            Self::Already(_) => "already",
            Self::NotDue(_) => "not_due",
            Self::CountedBefore => "counted_before",
            Self::Noted(_) => "noted",
        }
    }
}
