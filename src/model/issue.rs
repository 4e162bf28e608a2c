//! Issues: what is wrong with a host and stays so until it is mended, beside its lifecycle.
//!
//! The catalogue is closed; each kind has one word in the API and one sentence for people.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssueKind {
    /// It asked again, from a new boot, for what it had already used.
    BootLoop,
    /// A build was enabled and no network boot came.
    DidNotNetboot,
    /// A soft deadline passed.
    Overdue,
    /// Another host claims the same MAC.
    DuplicateMac,
    /// The UUID on the wire is not the recorded one.
    UuidMismatch,
    /// Its management controller does not answer.
    BmcUnreachable,
    /// A callback came with a token past its time.
    TokenExpired,
    /// The live image stopped talking.
    AgentLost,
    /// Facts differ from the last registration.
    HardwareChanged,
    /// A wipe could not be proven.
    WipeUnverified,
    /// A callback came for a build that had ended.
    CallbackLate,
    /// A boot-once override was ignored.
    OnceIgnored,
}

impl IssueKind {
    /// Whether a host with it is offered to nobody: which machine it is, or what is on its disks, is in doubt.
    pub const fn blocks(self) -> bool {
        match self {
            Self::DuplicateMac | Self::UuidMismatch | Self::WipeUnverified => true,
            Self::BootLoop
            | Self::DidNotNetboot
            | Self::Overdue
            | Self::BmcUnreachable
            | Self::TokenExpired
            | Self::AgentLost
            | Self::HardwareChanged
            | Self::CallbackLate
            | Self::OnceIgnored => false,
        }
    }
}

/// One open issue of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Issue {
    /// Which.
    pub kind: IssueKind,
    /// Since when.
    #[schema(value_type = String)]
    pub since: Timestamp,
    /// One sentence: evidence and advice.
    pub text: String,
}
