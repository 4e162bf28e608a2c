//! The journal: what happened, in order, with who, why and the change itself.
//!
//! It is the source of truth: `patch` (RFC 6902, from the host's JSON before to after) folds to the current row. Entries without a
//! patch are evidence: packets seen, documents served, refusals.

use serde::{Deserialize, Serialize};

use super::{Actor, BuildId, HostId, Mac, SessionId, Stage, Timestamp};

/// What happened, as one of a closed list. In JSON an object with `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    /// A host was recorded.
    Created,
    /// Its inventory was edited.
    Edited {
        /// Which fields.
        fields: Vec<String>,
    },
    /// Its record was removed.
    Deleted,
    /// The lifecycle moved by a row of the table.
    Transition {
        /// The row, `T9`.
        row: String,
        /// From which state's word.
        from: String,
        /// To which.
        to: String,
    },
    /// Another dimension moved by a row (`O1`, `P10`) or a rule.
    Changed {
        /// The row.
        row: String,
        /// What changed, in words.
        text: String,
    },
    /// A build entered a stage.
    Stage {
        /// Which.
        stage: Stage,
    },
    /// A certificate was made out for one disk of a wipe.
    Certificate {
        /// The disk.
        disk: String,
        /// SHA-256 of the certificate's bytes, by which it is fetched.
        sha256: String,
        /// Whether the disk was wiped and verified.
        ok: bool,
    },
    /// A packet or request was seen and answered, or not, as `text` says.
    Seen {
        /// `dhcp`, `tftp`, `http`.
        protocol: String,
    },
    /// A transfer of a file: requested, progress, done, aborted, timed out.
    Transfer {
        /// The file.
        file: String,
        /// What became of it: `requested`, `progress`, `done`, `aborted`, `timed_out`.
        outcome: String,
        /// Bytes that arrived.
        sent_bytes: u64,
        /// Bytes in all.
        size_bytes: u64,
    },
    /// A document was rendered and sent whole.
    Served {
        /// Its name.
        document: String,
        /// SHA-256 of the bytes.
        sha256: String,
        /// Whether the session had it before (same bytes again).
        again: bool,
    },
    /// A callback arrived.
    Callback {
        /// `started`, `progress/…`, `built` …
        report: String,
        /// Whether it changed anything.
        applied: bool,
    },
    /// A boot session opened.
    SessionOpened,
    /// The host goes in circles.
    BootLoop {
        /// `firmware`, `loader`, `template`, `local_boot`.
        class: String,
        /// How often by now.
        attempt: u32,
        /// Whether the host is held from now on.
        halted: bool,
    },
    /// A deadline passed.
    Deadline {
        /// `soft` or `hard`.
        which: String,
    },
    /// Something asked for was refused.
    Refused {
        /// The stable word of the reason.
        why: String,
    },
    /// A packet got no answer.
    Silent {
        /// The stable word of the reason.
        why: String,
    },
    /// A lease was bound, released or declined.
    Lease {
        /// `bound`, `released`, `declined`, `expired`.
        what: String,
        /// The address.
        address: String,
    },
    /// Something to look at that belongs to no host: a rogue DHCP server, a template that does not parse.
    Warning {
        /// The stable word.
        word: String,
    },
    /// Networks, profiles, rules or tokens were edited.
    Settings {
        /// `network`, `profile`, `rule`, `token`, `global`.
        noun: String,
        /// Its name.
        name: String,
        /// `created`, `changed`, `deleted`.
        verb: String,
    },
}

/// An entry before the store gives it a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// The host, where there is one.
    pub host: Option<HostId>,
    /// The address, where only that is known.
    pub mac: Option<Mac>,
    /// The build it belongs to.
    pub build: Option<BuildId>,
    /// The boot session it belongs to.
    pub session: Option<SessionId>,
    /// What happened.
    pub what: What,
    /// One sentence for people, with evidence; never a secret.
    pub text: String,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Entry {
    /// Its number; the stream resumes after it.
    pub seq: u64,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// The host, where there is one.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The address, where only that is known.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// The build it belongs to.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildId>,
    /// The boot session it belongs to.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What happened.
    pub what: What,
    /// One sentence for people.
    pub text: String,
    /// The host's version after it, where it changed the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The change of the host's JSON (RFC 6902), where it changed the host.
    #[schema(value_type = Option<Vec<Object>>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<json_patch::Patch>,
}

impl Entry {
    /// The same without its patch, which is not copied: it may be large.
    pub fn without_patch(&self) -> Self {
        let Self { seq, at, actor, host, mac, build, session, what, text, version, patch: _ } = self;
        let (actor, what, text) = (actor.clone(), what.clone(), text.clone());
        Self { seq: *seq, at: *at, actor, host: *host, mac: *mac, build: *build, session: *session, what, text, version: *version, patch: None }
    }
}
