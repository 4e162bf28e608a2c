//! What the live image's agent and the server say to each other: JSON bodies under `/agent/v1` of the boot listener.
//!
//! ```text
//! agent                                     server
//!   hello      who I am, from which power-on  →  register | clean | wait | reboot | poweroff
//!   heartbeat  how far I am, every 30 s ± 20 % →  continue | abort | wait | reboot | poweroff
//!   report     facts, results or a failure    →  continue (partial) | wait | reboot | poweroff
//! ```
//! The run's token is the bearer of every request (`Authorization`), so that nobody else has a byte kept. Both sides ignore fields that they
//! do not know and tell their `protocol`; the golden files of `tests/golden/agent` are never edited, new ones are added.

pub mod read;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{DiskResult, Facts, LiveMode, Mac, Progress, SessionId, SmbiosUuid};

/// The version of this conversation.
pub const PROTOCOL: u32 = 1;

/// Seconds between heartbeats; the agent takes them ± 20 %.
pub const HEARTBEAT_SECS: u64 = 30;

/// `POST /agent/v1/hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The agent's [`PROTOCOL`].
    pub protocol: u32,
    /// The agent's version.
    #[serde(default)]
    pub agent: String,
    /// The live image's version.
    #[serde(default)]
    pub image: String,
    /// The boot session, from the kernel's command line.
    pub session: SessionId,
    /// What it was started for, from the kernel's command line.
    pub mode: LiveMode,
    /// Its cards.
    #[serde(default)]
    pub macs: Vec<Mac>,
    /// Its board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<SmbiosUuid>,
}

/// `POST /agent/v1/heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The agent's [`PROTOCOL`].
    pub protocol: u32,
    /// The boot session of the hello.
    pub session: SessionId,
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress,
}

/// `POST /agent/v1/report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The agent's [`PROTOCOL`].
    pub protocol: u32,
    /// The boot session of the hello.
    pub session: SessionId,
    /// Drawn by the agent; the same report again has the same id.
    pub report_id: String,
    /// What it reports.
    #[serde(flatten)]
    pub content: Content,
}

/// What a report holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Content {
    /// Some facts; more will come.
    Partial {
        /// What was found so far.
        facts: Arc<Facts>,
    },
    /// All facts.
    Facts {
        /// What was found.
        facts: Arc<Facts>,
    },
    /// The end of a wipe, good or bad.
    Wipe {
        /// The hash of the plan that was carried out.
        plan_hash: String,
        /// Disk by disk; every planned disk is in it.
        results: Vec<DiskResult>,
        /// Tools and their versions, `nvme version 2.4`.
        #[serde(default)]
        tools: Vec<String>,
        /// What stopped the whole before any disk was touched (an unexpected disk, a missing one).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// It could not do its work.
    Failed {
        /// Why.
        text: String,
    },
}

/// What the agent is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Collect facts and report them.
    Register,
    /// Carry out the plan and report.
    Clean,
    /// Go on.
    Continue,
    /// Stop what you do, touch nothing more, report nothing; then wait.
    Abort,
    /// Nothing to do: go on with heartbeats, so that a later order finds the machine awake.
    Wait,
    /// Boot again: there is something to do.
    Reboot,
    /// Switch off.
    Poweroff,
}

/// The answer to all three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The server's [`PROTOCOL`].
    pub protocol: u32,
    /// What to do.
    pub action: Action,
    /// The host's name, for the console.
    #[serde(default)]
    pub host: String,
    /// Why, in a sentence for the console.
    #[serde(default)]
    pub reason: String,
    /// Seconds until the next heartbeat.
    pub heartbeat_secs: u64,
    /// The plan's text, with [`Action::Clean`]; its SHA-256 is `plan_hash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The plan's hash, with [`Action::Clean`]; the kernel's command line has it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
}

/// The answer when it is no; with status 4xx or 5xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The stable word.
    pub code: String,
    /// One sentence.
    pub text: String,
}
