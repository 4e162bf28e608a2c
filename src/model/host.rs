//! A host: one record that carries every machine-written dimension. Every displayed status is derived from it.
//!
//! Its JSON is the database row, the fold of its journal and (less the secrets) the API's answer.

use std::{net::Ipv4Addr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Build, DiskBoot, DiskState, Facts, HostId, HostName, Issue, IssueKind, Lifecycle, LiveRun, Mac, Name, Operational, PackedParams, Power, Session,
    SmbiosUuid, Task, Timestamp,
};

/// Frozen by an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Frozen {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// What keeps verbs from being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Holds {
    /// Kept off, not provisionable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// Destructive verbs answer 423.
    #[serde(default)]
    pub lock: bool,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Host {
    /// Its identity.
    pub id: HostId,
    /// Rises with every change; `If-Match` compares it.
    pub version: u64,
    /// Its name, unique.
    pub name: HostName,
    /// Its addresses, each in one host only.
    pub macs: Vec<Mac>,
    /// Its board's UUID, unique where set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<SmbiosUuid>,
    /// Its serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The network it is installed on; else the one its packets come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    /// What a build installs unless the build names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
    /// The address DHCP reserves for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<Ipv4Addr>,
    /// A loader by name instead of the table's default (`ipxe.efi` …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loader: Option<Name>,
    /// How it starts from its disk, instead of the firmware's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_boot: Option<DiskBoot>,
    /// Its own parameters.
    #[serde(default, skip_serializing_if = "PackedParams::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, super::Param>)]
    pub params: PackedParams,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Who may use it.
    pub lifecycle: Lifecycle,
    /// Since when it is in this state.
    #[schema(value_type = String)]
    pub since: Timestamp,
    /// When the present intermediate state is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub soft_deadline: Option<Timestamp>,
    /// When it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub hard_deadline: Option<Timestamp>,
    /// Whether the soft deadline passed.
    #[serde(default)]
    pub overdue: bool,
    /// Tries of the present intermediate state, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// What is on the disks.
    #[serde(default)]
    pub disk_state: DiskState,
    /// The newest build, open or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// The newest run of the live image, open or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveRun>,
    /// X.731.
    #[serde(default)]
    pub operational: Operational,
    /// The last power reading.
    #[serde(default)]
    pub power: Power,
    /// The open task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Holds.
    #[serde(default)]
    pub holds: Holds,
    /// Open issues, one of a kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<Issue>,
    /// The newest boot sessions, newest last, at most [`Host::SESSIONS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
    /// What registration found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Arc<Facts>>,
    /// When the facts were collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub facts_at: Option<Timestamp>,
    /// When the record was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// Whether it was made for an unknown machine (`auto_enroll`), not by an operator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enrolled: bool,
}

impl Host {
    /// How many sessions a host remembers: enough for the local-boot rule (more than 5 in 10 minutes, two sessions each on UEFI).
    pub const SESSIONS: usize = 16;

    /// A fresh record in state `new`, its disks unknown (T1).
    pub fn new(id: HostId, name: HostName, macs: Vec<Mac>, now: Timestamp) -> Self {
        Self {
            id,
            version: 0,
            name,
            macs,
            uuid: None,
            serial: None,
            network: None,
            profile: None,
            address: None,
            loader: None,
            disk_boot: None,
            params: PackedParams::default(),
            tags: Vec::new(),
            lifecycle: Lifecycle::New,
            since: now,
            soft_deadline: None,
            hard_deadline: None,
            overdue: false,
            attempt: 0,
            disk_state: DiskState::Unknown,
            build: None,
            live: None,
            operational: Operational::default(),
            power: Power::default(),
            task: None,
            holds: Holds::default(),
            issues: Vec::new(),
            sessions: Vec::new(),
            facts: None,
            facts_at: None,
            created: now,
            enrolled: false,
        }
    }

    /// The build that can still install, if any.
    pub fn open_build(&self) -> Option<&Build> {
        self.build.as_ref().filter(|build| build.is_open())
    }

    /// The newest session.
    pub fn session(&self) -> Option<&Session> {
        self.sessions.last()
    }

    /// Raises an issue, or renews the text of one that is open.
    pub fn raise(&mut self, kind: IssueKind, text: String, now: Timestamp) {
        match self.issues.iter_mut().find(|issue| issue.kind == kind) {
            Some(open) => open.text = text,
            None => self.issues.push(Issue { kind, since: now, text }),
        }
    }

    /// Closes an issue, if open.
    pub fn settle(&mut self, kind: IssueKind) {
        self.issues.retain(|issue| issue.kind != kind);
    }
}
