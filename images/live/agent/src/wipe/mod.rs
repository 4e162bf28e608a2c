//! Carries out a wipe plan: freezes the list of disks, erases, verifies.
//!
//! The gate (`gate`) has already decided that this plan may be carried out on this machine. What stops the whole before any disk was
//! touched is [`Outcome::error`]; what stops one disk is in its own result.

use crate::{
    contract::{DiskResult, WipePlan},
    machine::Machine,
};

pub use crate::watch::Watch;

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Disk by disk; every planned disk is in it.
    pub results: Vec<DiskResult>,
    /// Tools and their versions, `nvme version 2.4`.
    pub tools: Vec<String>,
    /// What stopped the whole before any disk was touched.
    pub error: Option<String>,
}

/// Carries the plan out, to its end or to an abort.
pub fn carry_out(_machine: &dyn Machine, _plan: &WipePlan, _watch: &Watch) -> Outcome {
    Outcome { error: Some("this build of the agent cannot erase; use a live image with one that can".to_owned()), ..Outcome::default() }
}
