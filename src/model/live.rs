//! A run of the live image on one host: why it was started, who may speak for it, and where the host was before.
//!
//! Beside the build it is the other thing that can be open on a host. The newest one stays with the host after it ended, so that a
//! failed wipe can be tried again towards the same goal. Which report moves what is `rules::lifecycle`.

use serde::{Deserialize, Serialize};

use super::{Lifecycle, LiveMode, Then, Timestamp, TokenHash};

/// One run of the live image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LiveRun {
    /// What it does: it can never do the other.
    pub mode: LiveMode,
    /// SHA-256 of its token.
    #[schema(value_type = String)]
    pub token_hash: TokenHash,
    /// When the token stops being accepted.
    #[schema(value_type = String)]
    pub token_expires: Timestamp,
    /// SHA-256 of the wipe plan, for `clean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Where the host was before, for a cancel.
    pub from: Lifecycle,
    /// What the host becomes after a wipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
    /// The agent's first word; from then on an erase may have begun.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello_at: Option<Timestamp>,
    /// The agent's last word.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// When it ended, whatever the outcome.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl LiveRun {
    /// Whether the agent may still speak.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }
}
