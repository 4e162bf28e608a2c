//! Whether the server works: the X.731 dimension (administrative, operational, availability) and the power reading.
//!
//! Orthogonal to the lifecycle; the legal combinations are held by `rules::lifecycle`.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Whether an operator lets it work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Administrative {
    /// Not in service by decision.
    #[default]
    Locked,
    /// In service by decision.
    Unlocked,
}

/// How well it is (X.731 availability status; not the lifecycle's `available`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// There is no such machine yet.
    NotInstalled,
    /// Its power is off.
    PoweredOff,
    /// Nothing was heard.
    #[default]
    Offline,
    /// Something was heard.
    Online,
    /// Its tests run.
    Intest,
    /// All tests passed.
    Available,
    /// Some tests failed.
    Degraded,
    /// It does not work.
    Failed,
}

/// The three words together. `enabled` is derived: unlocked and available or degraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Operational {
    /// By decision.
    pub administrative: Administrative,
    /// By observation.
    pub availability: Availability,
    /// Last contact of any kind.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<Timestamp>,
    /// The last health report that changed something; while there is one, a boot waits for the next (O3).
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_at: Option<Timestamp>,
    /// Automatic recoveries tried for the present failure (O5).
    #[serde(default)]
    pub recoveries: u32,
    /// When the present condition ends by itself: the boot timeout, the end of the tests, the next recovery.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

impl Operational {
    /// X.731 operational state `enabled`.
    pub fn is_enabled(&self) -> bool {
        self.administrative == Administrative::Unlocked && matches!(self.availability, Availability::Available | Availability::Degraded)
    }
}

/// A power reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// Running.
    On,
    /// Not running.
    Off,
    /// On its way up.
    PoweringOn,
    /// On its way down.
    PoweringOff,
    /// Nobody can say.
    #[default]
    Unknown,
}

/// The last power reading and when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Power {
    /// The reading.
    pub state: PowerState,
    /// When.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
}
