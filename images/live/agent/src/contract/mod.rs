//! What the agent and the server say to each other: JSON bodies under `/agent/v1` of the boot listener.
//!
//! The server has the same shapes as types of its own (`src/wire/agent.rs`, `src/model/{facts,wipe}.rs`). They are written twice so that
//! this program stays small and an old image keeps talking to a new server; the files of `tests/golden/agent` hold the two together.
//! Fields that are not known are ignored, an action that is not known is [`Action::Unknown`]. No I/O and no decisions here.

mod facts;
mod mac;
mod wipe;

pub use facts::*;
pub use mac::Mac;
pub use wipe::*;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of the conversation.
pub const PROTOCOL: u32 = 1;

/// A moment; printed as RFC 3339 in UTC.
pub type Timestamp = jiff::Timestamp;

/// What the live image was started for. It can never do the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Collect facts, touch nothing.
    Register,
    /// Wipe by plan.
    Clean,
}

/// `POST /agent/v1/hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// This program's version.
    #[serde(default)]
    pub agent: String,
    /// The live image's version.
    #[serde(default)]
    pub image: String,
    /// The boot session, 16 hexadecimal digits.
    pub session: String,
    /// What it was started for.
    pub mode: Mode,
    /// The machine's cards.
    #[serde(default)]
    pub macs: Vec<Mac>,
    /// Its board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// `POST /agent/v1/heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The boot session of the hello.
    pub session: String,
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress,
}

/// `POST /agent/v1/report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The boot session of the hello.
    pub session: String,
    /// Drawn once; the same report again has the same id.
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
        facts: Box<Facts>,
    },
    /// All facts.
    Facts {
        /// What was found.
        facts: Box<Facts>,
    },
    /// The end of a wipe, good or bad.
    Wipe {
        /// The hash of the plan that was carried out.
        plan_hash: String,
        /// Disk by disk; every planned disk is in it.
        results: Vec<DiskResult>,
        /// Tools and their versions.
        #[serde(default)]
        tools: Vec<String>,
        /// What stopped the whole before any disk was touched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// The work could not be done.
    Failed {
        /// Why.
        text: String,
    },
}

/// What the server wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Collect facts and report them.
    Register,
    /// Carry out the plan and report.
    Clean,
    /// Go on.
    Continue,
    /// Stop, touch nothing more, report nothing; then wait.
    Abort,
    /// Nothing to do: go on with heartbeats.
    Wait,
    /// Boot again.
    Reboot,
    /// Switch off.
    Poweroff,
    /// A word of a newer server: the only safe thing to do with it is nothing.
    #[serde(other)]
    Unknown,
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
    /// The plan's text, with [`Action::Clean`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The plan's SHA-256, with [`Action::Clean`].
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

/// SHA-256 of a text, 64 lower-case hexadecimal digits.
pub fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
