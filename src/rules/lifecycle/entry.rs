//! Each event's word and who may cause it: the second and third column of the tables of `lifecycle.md` section 2.
//!
//! Kept apart from the list itself so that both read as tables.

use super::event::{Event, Who};

impl Event {
    /// Word and cause.
    #[expect(clippy::too_many_lines, reason = "one line an event; it is a table, not a procedure")]
    pub(super) const fn entry(&self) -> (&'static str, Who) {
        match self {
            Self::RegisterStart(_) => ("register.start", Who::OperatorOrServer),
            Self::Reregister(_) => ("reregister", Who::Operator),
            Self::RegisterReport { .. } => ("register.report", Who::Host),
            Self::RegisterFailed { .. } => ("register.fail", Who::Host),
            Self::RegisterCancel => ("register.cancel", Who::Operator),
            Self::AgentHello { .. } => ("agent.hello", Who::Host),
            Self::AgentHeartbeat { .. } => ("agent.heartbeat", Who::Host),
            Self::AgentSilent => ("agent.silent", Who::Server),
            Self::MarkAvailable => ("mark.available", Who::Operator),
            Self::MarkUnavailable => ("mark.unavailable", Who::Operator),
            Self::Reserve { .. } => ("reserve", Who::Operator),
            Self::Unreserve => ("unreserve", Who::Operator),
            Self::ReservationExpired => ("reservation.expired", Who::Server),
            Self::Adopt { .. } => ("adopt", Who::Operator),
            Self::WaiveDisks { .. } => ("waive.disks", Who::Admin),
            Self::EnableBuild { .. } => ("build.enable", Who::Operator),
            Self::RetryBuild(_) => ("build.retry", Who::Operator),
            Self::CancelBuild { .. } => ("build.cancel", Who::Operator),
            Self::RearmBuild { .. } => ("build.rearm", Who::Operator),
            Self::StageSeen { .. } => ("stage", Who::Anyone),
            Self::Built { .. } => ("built", Who::Anyone),
            Self::BuildFailed { .. } => ("failed", Who::Anyone),
            Self::ProgressNoted { .. } => ("progress", Who::Anyone),
            Self::BootAnnounced { .. } => ("will_reboot", Who::Anyone),
            Self::LoopSeen { .. } => ("loop", Who::Host),
            Self::Release { .. } => ("release", Who::Operator),
            Self::CleanStart { .. } => ("clean.start", Who::Operator),
            Self::CleanRetry(_) => ("clean.retry", Who::OperatorOrServer),
            Self::CleanReport { .. } => ("clean.report", Who::Host),
            Self::CleanCancel => ("clean.cancel", Who::Operator),
            Self::MaintenanceStart { .. } => ("maintenance.start", Who::Operator),
            Self::MaintenanceEnd { .. } => ("maintenance.end", Who::Operator),
            Self::Fault { .. } => ("fault", Who::Anyone),
            Self::Resolve => ("resolve", Who::Operator),
            Self::MarkDefective { .. } => ("mark.defective", Who::Operator),
            Self::Repaired(_) => ("repaired", Who::Operator),
            Self::Decommission { .. } => ("decommission", Who::Operator),
            Self::RemoveFromRack { .. } => ("remove_from_rack", Who::Operator),
            Self::RetentionPassed => ("retention.passed", Who::Server),
            Self::SoftDeadline(_) => ("deadline.soft", Who::Server),
            Self::HardDeadline(_) => ("deadline.hard", Who::Server),
            Self::Contact { .. } => ("contact", Who::Anyone),
            Self::ContactLost { .. } => ("contact.lost", Who::Server),
            Self::BootTimeout => ("boot.timeout", Who::Server),
            Self::Health(_) => ("health", Who::Anyone),
            Self::TestTimeout => ("test.timeout", Who::Server),
            Self::RecoveryTimer => ("recovery.timer", Who::Server),
            Self::AdminLock { .. } => ("lock", Who::Operator),
            Self::AdminUnlock => ("unlock", Who::Operator),
            Self::PowerRead { .. } => ("power.read", Who::Server),
            Self::Start => ("start", Who::Operator),
            Self::Stop => ("stop", Who::Operator),
            Self::Restart => ("restart", Who::Operator),
            Self::ForceRestart => ("force_restart", Who::Operator),
            Self::TaskDone(_) => ("task.done", Who::Server),
            Self::Delete { .. } => ("delete", Who::Operator),
            Self::Freeze { .. } => ("freeze", Who::Admin),
            Self::Unfreeze => ("unfreeze", Who::Admin),
            Self::Protect => ("protect", Who::Operator),
            Self::Unprotect => ("unprotect", Who::Operator),
        }
    }
}
