//! Who may use the server: the first of the four dimensions of a host, and the condition of its disks.
//!
//! ```text
//! new → registering → unavailable ⇄ available ⇄ reserved → provisioning → used → cleaning → available
//!                                                  (error, maintenance, defective, decommissioned on the side)
//! ```
//! The transitions are `rules::lifecycle`; here are only the states with their contents, so that impossible pairs cannot be written.

use serde::{Deserialize, Serialize};

use super::{BuildKind, Timestamp};

/// The lifecycle of a host. In JSON an object with `state` and that state's fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Lifecycle {
    /// The record exists, the hardware is unknown, nothing is booted but the disk.
    New,
    /// The live image collects facts.
    Registering,
    /// Facts known, not yet offered.
    Unavailable,
    /// Healthy, clean, can be provisioned.
    Available,
    /// Only for one user.
    Reserved {
        /// The user.
        #[serde(rename = "for")]
        user: String,
        /// When the reservation ends by itself.
        #[schema(value_type = Option<String>)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A build is open.
    Provisioning,
    /// Installed, in service.
    Used,
    /// Used, and registering again without touching the disks.
    UsedRegistering,
    /// Being wiped.
    Cleaning {
        /// What it becomes afterwards.
        then: Then,
        /// The state it came from, for a cancel before the agent's hello: `unavailable`, `available`, `reserved`, `used` or `error`.
        #[schema(no_recursion)]
        from: Box<Lifecycle>,
    },
    /// Hands off.
    Maintenance {
        /// Where it goes afterwards; computed, never chosen.
        return_to: ReturnTo,
    },
    /// Needs a decision.
    Error {
        /// The state in which it went wrong.
        from: ErrorFrom,
        /// What went wrong.
        cause: Cause,
    },
    /// An operator says the hardware is bad.
    Defective {
        /// Why, in a word.
        reason: String,
        /// Anything else worth knowing.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        notes: String,
    },
    /// Out of service.
    Decommissioned {
        /// Why.
        reason: Decommission,
    },
}

impl Lifecycle {
    /// Every [`Lifecycle::word`], for filters and labels; the test of the grid holds that none is missing.
    pub const WORDS: [&'static str; 13] = [
        "new",
        "registering",
        "unavailable",
        "available",
        "reserved",
        "provisioning",
        "used",
        "used_registering",
        "cleaning",
        "maintenance",
        "error",
        "defective",
        "decommissioned",
    ];

    /// The state's word, as filters and tables use it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Registering => "registering",
            Self::Unavailable => "unavailable",
            Self::Available => "available",
            Self::Reserved { .. } => "reserved",
            Self::Provisioning => "provisioning",
            Self::Used => "used",
            Self::UsedRegistering => "used_registering",
            Self::Cleaning { .. } => "cleaning",
            Self::Maintenance { .. } => "maintenance",
            Self::Error { .. } => "error",
            Self::Defective { .. } => "defective",
            Self::Decommissioned { .. } => "decommissioned",
        }
    }
}

/// What a cleaned host becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Offered again.
    Available,
    /// Kept back.
    Unavailable,
    /// Taken out of service.
    Decommissioned,
    /// Taken out of service because its user deleted it.
    Deleted,
}

/// Where maintenance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReturnTo {
    /// To the offer.
    Available,
    /// Back behind the human gate.
    Unavailable,
    /// To its user.
    Used,
}

/// The state in which an error arose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ErrorFrom {
    /// While facts were collected.
    Registering,
    /// During a build of this kind.
    Provisioning {
        /// Install, rebuild or reinstall.
        kind: BuildKind,
    },
    /// During a wipe: never booted from disk, never available.
    Cleaning,
    /// While offered.
    Available,
    /// While reserved.
    Reserved,
    /// While in service.
    Used,
    /// While in maintenance.
    Maintenance,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "cause", content = "text")]
pub enum Cause {
    /// The installer or the live image said so.
    Reported(String),
    /// A hard deadline passed in this stage or state.
    Deadline(String),
    /// The same template, asked again from a new boot.
    BootLoop(String),
    /// An operator or a monitor said so.
    Fault(String),
    /// A disk was not wiped.
    Wipe(String),
    /// A build was cancelled after its installer may have touched the disks.
    Cancelled(String),
}

/// Why a host is out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decommission {
    /// Too old.
    Retired,
    /// No longer in its rack.
    RemovedFromRack,
    /// Deleted by its user; purged when its retention has passed.
    Deleted,
}

/// What is on the disks, as far as anybody can say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "disk")]
pub enum DiskState {
    /// Nobody knows: new, or after failed or aborted work.
    #[default]
    Unknown,
    /// Somebody's data.
    Dirty,
    /// Wiped, with proof.
    Clean,
    /// Not wiped, by an admin's word.
    Waived {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
}
