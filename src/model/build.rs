//! A build: one installation of one host, from "enable build" to local boot, with everything that was seen of it.
//!
//! A host carries its newest build, open or ended; older ones are history in the store. Stages only go forward; which evidence
//! moves them is `rules::lifecycle`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BuildId, Cause, Deadlines, Lifecycle, Name, SessionId, Timestamp, TokenHash};

/// Why the build was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildKind {
    /// First installation of an available host.
    Install,
    /// The same system again.
    Rebuild,
    /// A new system on a used host.
    Reinstall,
}

/// How the system comes to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Network boot of an installer.
    #[default]
    Pxe,
    /// A virtual machine or image made elsewhere, reported by API.
    Image,
}

/// Where a build is; ordered, gaps allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// An operator asked for it.
    BuildEnabled,
    /// `method=image`: the machine was ordered.
    VmRequested,
    /// `method=image`: the machine exists.
    VmCreated,
    /// `method=image`: it answers on SSH.
    SshStarted,
    /// Firmware or iPXE asked by DHCP.
    Dhcp,
    /// A loader arrived whole.
    BootloaderSent,
    /// The install script was rendered.
    IpxeScriptSent,
    /// Kernel and initrds arrived whole.
    KernelInitrdSent,
    /// The answer file was rendered.
    ProvisionTemplateSent,
    /// The installer called: before partitioning.
    PreRunning,
    /// The installer called: packages.
    Installing,
    /// The installer called: afterwards.
    PostRunning,
    /// The finish document was rendered.
    FinishSent,
    /// The installer said that it is done.
    Built,
    /// The host came back and was sent to its disk.
    LocalBoot,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 15] = [
        Self::BuildEnabled,
        Self::VmRequested,
        Self::VmCreated,
        Self::SshStarted,
        Self::Dhcp,
        Self::BootloaderSent,
        Self::IpxeScriptSent,
        Self::KernelInitrdSent,
        Self::ProvisionTemplateSent,
        Self::PreRunning,
        Self::Installing,
        Self::PostRunning,
        Self::FinishSent,
        Self::Built,
        Self::LocalBoot,
    ];

    /// The stage's word, as in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BuildEnabled => "build_enabled",
            Self::VmRequested => "vm_requested",
            Self::VmCreated => "vm_created",
            Self::SshStarted => "ssh_started",
            Self::Dhcp => "dhcp",
            Self::BootloaderSent => "bootloader_sent",
            Self::IpxeScriptSent => "ipxe_script_sent",
            Self::KernelInitrdSent => "kernel_initrd_sent",
            Self::ProvisionTemplateSent => "provision_template_sent",
            Self::PreRunning => "pre_running",
            Self::Installing => "installing",
            Self::PostRunning => "post_running",
            Self::FinishSent => "finish_sent",
            Self::Built => "built",
            Self::LocalBoot => "local_boot",
        }
    }

    /// The stage of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.word() == word)
    }
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum BuildEnd {
    /// The installer said so.
    Built,
    /// It did not work.
    Failed {
        /// Why.
        #[serde(flatten)]
        cause: Cause,
    },
    /// An operator stopped it.
    Cancelled,
}

/// One use of one template by one build (lifecycle.md section 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Used {
    /// The session that used it last.
    #[schema(value_type = String)]
    pub session: SessionId,
    /// Complete bodies sent, in all.
    pub count: u32,
    /// The first use.
    #[schema(value_type = String)]
    pub first: Timestamp,
    /// The last use.
    #[schema(value_type = String)]
    pub last: Timestamp,
}

/// One stage as it was entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StageEntry {
    /// Which.
    pub stage: Stage,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The packet, request or callback that shows it.
    pub evidence: String,
}

/// What was served to a build: the bytes themselves are in the store, by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Served {
    /// The document's name (`kickstart`, `preseed.cfg` … or `boot.ipxe`).
    pub document: String,
    /// The template that rendered it.
    pub template: String,
    /// SHA-256 of the bytes.
    pub sha256: String,
    /// Their number.
    pub size_bytes: u64,
    /// When first.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// To which session.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// What kind of circle a host goes in (lifecycle.md section 6); each has its own advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoopClass {
    /// DHCP only, the loader is never fetched.
    Firmware,
    /// The script is fetched, kernel or initrd never arrive whole.
    Loader,
    /// The answer file is used, `built` never comes.
    Template,
    /// Built, yet back on the network again and again.
    LocalBoot,
}

impl LoopClass {
    /// The class's word, as in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Loader => "loader",
            Self::Template => "template",
            Self::LocalBoot => "local_boot",
        }
    }
}

/// The loop tally of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LoopTally {
    /// Loops seen.
    pub count: u32,
    /// The furthest stage before the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_stage: Option<Stage>,
    /// The host gets the hold screen until an operator decides.
    #[serde(default)]
    pub halted: bool,
    /// The session in which the last loop was counted, so that it is counted once.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// One installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Build {
    /// Its identity.
    #[schema(value_type = String)]
    pub id: BuildId,
    /// Why.
    pub kind: BuildKind,
    /// How.
    #[serde(default)]
    pub method: Method,
    /// The profile that is installed.
    #[schema(value_type = String)]
    pub profile: Name,
    /// Who asked.
    pub asked_by: String,
    /// The `Idempotency-Key` it was asked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// SHA-256 of its token.
    #[schema(value_type = String)]
    pub token_hash: TokenHash,
    /// When the token stops opening documents (`built` is accepted beyond it, within the same build).
    #[schema(value_type = String)]
    pub token_expires: Timestamp,
    /// Boots that are no loop: the profile's declaration plus those that callbacks announced.
    pub expected_boots: u32,
    /// Where it is.
    pub stage: Stage,
    /// Since when.
    #[schema(value_type = String)]
    pub stage_entered: Timestamp,
    /// When the present stage is overdue.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_deadline: Option<Timestamp>,
    /// When the present stage has failed.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_deadline: Option<Timestamp>,
    /// Whether the soft deadline passed.
    #[serde(default)]
    pub overdue: bool,
    /// Deadlines by stage, instead of the defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deadlines: BTreeMap<Stage, Deadlines>,
    /// Whether `built` alone is not enough: the host is in service only when it came back and was sent to its disk.
    #[serde(default)]
    pub strict: bool,
    /// Every stage as it was entered.
    pub stages: Vec<StageEntry>,
    /// Loops.
    #[serde(default, rename = "loop")]
    pub loops: LoopTally,
    /// Template uses, by document name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, Used>,
    /// Documents served, by hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub served: Vec<Served>,
    /// The tail of what the installer logged, newlines intact.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// Where the host was before, for a cancel.
    pub previous: Lifecycle,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub opened_at: Timestamp,
    /// When and how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<BuildEnd>,
    /// When it ended.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Build {
    /// Whether it can still install.
    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }
}
