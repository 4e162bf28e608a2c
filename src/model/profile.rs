//! A profile says what to install: kernel, initrds, arguments, documents, parameters, and how patient to be.
//!
//! A profile may extend another: what it leaves out, it inherits (`rules::inherit`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ArtifactRef, DiskBoot, Name, Params, Stage};

/// What a boot loop leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoopPolicy {
    /// Say so and serve on.
    Warn,
    /// Serve on until this many loops were seen, then hold.
    HaltAfter(u32),
    /// Hold at the first.
    Halt,
}

impl Default for LoopPolicy {
    fn default() -> Self {
        Self::HaltAfter(3)
    }
}

/// Seconds until a stage is overdue and until it has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// Overdue after.
    pub soft_secs: u64,
    /// Failed after.
    pub hard_secs: u64,
}

/// What to install.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: Name,
    /// The profile it inherits from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<Name>,
    /// The kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<ArtifactRef>,
    /// The initrds, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initrds: Vec<ArtifactRef>,
    /// Kernel arguments, a template text (`inst.ks={{ document('kickstart') }}`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<String>,
    /// Documents: the name in the URL → the template that renders it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: BTreeMap<String, String>,
    /// Other artifacts that the installer fetches (stage2, ISO, trees), checked by the preflight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<ArtifactRef>,
    /// Parameters.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    #[schema(value_type = BTreeMap<String, super::Param>)]
    pub params: Params,
    /// Boots within one build that are no loop, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_boots: Option<u32>,
    /// What a loop leads to.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub loop_policy: Option<LoopPolicy>,
    /// Deadlines by stage, instead of the defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Deadlines>)]
    pub deadlines: BTreeMap<Stage, Deadlines>,
    /// How the host starts from its disk, instead of the firmware's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_boot: Option<DiskBoot>,
    /// Seconds that a build's token opens documents (default 6 h).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secs: Option<u64>,
}
