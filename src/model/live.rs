//! A run of the live image on one host: why it was started, who may speak for it, what it has said, and where the host was before.
//!
//! Beside the build it is the other thing that can be open on a host. The newest one stays with the host after it ended, so that a
//! failed wipe can be tried again towards the same goal. Which report moves what is `rules::lifecycle`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DiskResult, Facts, Lifecycle, LiveId, LiveMode, Progress, SessionId, Then, Timestamp, TokenHash, WipePlan};

/// One run of the live image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LiveRun {
    /// Its identity; the token is derived from it.
    #[schema(value_type = String)]
    pub id: LiveId,
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
    /// The wipe plan, for `clean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<WipePlan>>,
    /// Who started it.
    #[serde(default)]
    pub by: String,
    /// Where the host was before, for a cancel.
    pub from: Lifecycle,
    /// What the host becomes after a wipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
    /// The power-on whose agent speaks for it, from the hello on.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The agent's version and the live image's, as the hello said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crew: Option<Crew>,
    /// The agent's first word; from then on an erase may have begun.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello_at: Option<Timestamp>,
    /// The agent's last word, to within a minute.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Facts that came before the whole report; kept when it is cancelled (T4c).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Arc<Facts>>,
    /// The id of the report that ended it: the same one again changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// What came of each planned disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<DiskResult>,
    /// When it ended, whatever the outcome.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// What speaks: the agent and the image it came in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Crew {
    /// The agent's version.
    pub agent: String,
    /// The live image's version.
    pub image: String,
}

impl LiveRun {
    /// A run that was just begun by nobody in particular, from a new host: it has no plan, and nothing was heard of it.
    pub fn new(id: LiveId, mode: LiveMode, token_hash: TokenHash, token_expires: Timestamp) -> Self {
        Self {
            id,
            mode,
            token_hash,
            token_expires,
            plan_hash: None,
            plan: None,
            by: String::new(),
            from: Lifecycle::New,
            then: None,
            session: None,
            crew: None,
            hello_at: None,
            heard_at: None,
            progress: None,
            partial: None,
            report: None,
            results: Vec::new(),
            ended_at: None,
        }
    }

    /// Whether the agent may still speak.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }
}
