//! Whether a host's record may go: only where nothing depends on its disks and nothing is under way.
//!
//! A used host is released or decommissioned first (T17, T31); a removed record takes its protection with it.

use crate::model::{Host, Lifecycle};

/// Why a record stays; one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Keep {
    /// It is in use or something is under way.
    #[error("{name} is {state}: only new, unavailable, defective and decommissioned hosts are removed; release or decommission it first")]
    State {
        /// Its name.
        name: String,
        /// Its lifecycle's word.
        state: &'static str,
    },
    /// It is protected or frozen.
    #[error("{name} is protected by a hold; take the hold away first")]
    Held {
        /// Its name.
        name: String,
    },
    /// The name was not repeated.
    #[error("repeat the host's name {name:?} as confirmation")]
    Unconfirmed {
        /// Its name.
        name: String,
    },
}

impl Keep {
    /// The stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::State { .. } => "not_removable",
            Self::Held { .. } => "locked",
            Self::Unconfirmed { .. } => "confirm",
        }
    }
}

/// Says whether the record of `host` may be removed by somebody who confirmed with `confirm`.
pub fn decide(host: &Host, confirm: &str) -> Result<(), Keep> {
    idle(host)?;
    if confirm == host.name.as_ref() { Ok(()) } else { Err(Keep::Unconfirmed { name: host.name.to_string() }) }
}

/// Says whether nothing depends on the record: what a whole site may leave out needs no confirmation beyond that.
pub fn idle(host: &Host) -> Result<(), Keep> {
    let name = host.name.to_string();
    let idle = match host.lifecycle {
        Lifecycle::New | Lifecycle::Unavailable | Lifecycle::Defective { .. } | Lifecycle::Decommissioned { .. } => true,
        Lifecycle::Registering
        | Lifecycle::Available
        | Lifecycle::Reserved { .. }
        | Lifecycle::Provisioning
        | Lifecycle::Used
        | Lifecycle::UsedRegistering
        | Lifecycle::Cleaning { .. }
        | Lifecycle::Maintenance { .. }
        | Lifecycle::Error { .. } => false,
    };
    if !idle || host.task.is_some() || host.open_build().is_some() {
        return Err(Keep::State { name, state: host.lifecycle.word() });
    }
    if host.holds.lock || host.holds.frozen.is_some() {
        return Err(Keep::Held { name });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HostId, Timestamp};

    fn host(lifecycle: Lifecycle) -> Host {
        let mut host = Host::new(HostId(uuid::Uuid::nil()), "n1".parse().unwrap(), Vec::new(), Timestamp::UNIX_EPOCH);
        host.lifecycle = lifecycle;
        host
    }

    #[test]
    fn only_an_idle_host_goes_and_only_by_its_name() {
        assert_eq!(decide(&host(Lifecycle::New), "n1"), Ok(()));
        assert_eq!(decide(&host(Lifecycle::New), "n2").unwrap_err().code(), "confirm");
        for state in [Lifecycle::Used, Lifecycle::Provisioning, Lifecycle::Available, Lifecycle::UsedRegistering] {
            assert_eq!(decide(&host(state), "n1").unwrap_err().code(), "not_removable");
        }
    }

    #[test]
    fn a_hold_keeps_the_record() {
        let mut held = host(Lifecycle::New);
        held.holds.lock = true;
        assert_eq!(decide(&held, "n1").unwrap_err().code(), "locked");
    }
}
