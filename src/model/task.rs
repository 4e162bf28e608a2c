//! Tasks: work under way on a host, one at a time.
//!
//! Each has deadlines that live in the store, so that a restart neither forgets nor prolongs them.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Which work (Huawei BMS's words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// First installation.
    Creating,
    /// Power on.
    Starting,
    /// Power off.
    Stopping,
    /// Graceful restart.
    Restarting,
    /// Hard restart.
    ForceRestarting,
    /// Wipe and take out of service.
    Deleting,
    /// Same system again.
    Rebuilding,
    /// New system.
    ReinstallingOs,
}

/// The open task of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Task {
    /// Which.
    pub kind: TaskKind,
    /// Since when.
    #[schema(value_type = String)]
    pub entered_at: Timestamp,
    /// When it is overdue.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_deadline: Option<Timestamp>,
    /// When it is given up.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_deadline: Option<Timestamp>,
    /// Whether the soft deadline passed.
    #[serde(default)]
    pub overdue: bool,
    /// How often it was tried, from 1.
    pub attempt: u32,
}
