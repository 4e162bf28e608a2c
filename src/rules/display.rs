//! The words people know: a host's state in Huawei BMS's naming, and its API status (`lifecycle.md` section 8).
//!
//! Both are derived from the host's dimensions every time they are asked for; nothing stores them.

use crate::model::{BuildKind, Host, Lifecycle, PowerState, ReturnTo, TaskKind, lifecycle::Decommission, lifecycle::ErrorFrom};

/// The state in one or two words. An open task speaks first, then the lifecycle, then the power of a used host.
pub fn display_state(host: &Host) -> &'static str {
    if let Some(task) = &host.task {
        return task_word(task.kind);
    }
    match &host.lifecycle {
        Lifecycle::New => "New",
        Lifecycle::Registering => "Registering",
        Lifecycle::Unavailable => "Unavailable",
        Lifecycle::Available => "Available",
        Lifecycle::Reserved { .. } => "Available reserved",
        Lifecycle::Provisioning => match host.build.as_ref().map(|build| build.kind) {
            Some(BuildKind::Rebuild) => "Rebuilding",
            Some(BuildKind::Reinstall) => "Reinstalling OS",
            Some(BuildKind::Install) | None => "Creating",
        },
        Lifecycle::Used => match host.power.state {
            PowerState::Off => "Stopped",
            PowerState::On | PowerState::PoweringOn | PowerState::PoweringOff | PowerState::Unknown => "Running",
        },
        Lifecycle::UsedRegistering => "Used registering",
        Lifecycle::Cleaning { .. } => "Cleaning",
        Lifecycle::Maintenance { .. } => "Maintenance",
        Lifecycle::Error { from: ErrorFrom::Provisioning { kind: BuildKind::Reinstall }, .. } => "Reinstalling OS failed",
        Lifecycle::Error { .. } => "Faulty",
        Lifecycle::Defective { .. } => "Defective",
        Lifecycle::Decommissioned { reason: Decommission::Deleted } => "Deleted",
        Lifecycle::Decommissioned { reason: Decommission::Retired } => "Decommissioned",
        Lifecycle::Decommissioned { reason: Decommission::RemovedFromRack } => "Removed from rack",
    }
}

const fn task_word(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Creating => "Creating",
        TaskKind::Starting => "Starting",
        TaskKind::Stopping => "Stopping",
        TaskKind::Restarting => "Restarting",
        TaskKind::ForceRestarting => "Forcibly restarting",
        TaskKind::Deleting => "Deleting",
        TaskKind::Rebuilding => "Rebuilding",
        TaskKind::ReinstallingOs => "Reinstalling OS",
    }
}

/// The API status, or `None` where no instance exists: the first line of section 8's list that fits.
pub fn api_status(host: &Host) -> Option<&'static str> {
    status(host, &host.lifecycle, host.task.as_ref().map(|task| task.kind))
}

fn status(host: &Host, lifecycle: &Lifecycle, task: Option<TaskKind>) -> Option<&'static str> {
    if let Lifecycle::Decommissioned { reason: Decommission::Deleted } = lifecycle {
        return Some("DELETED");
    }
    if task == Some(TaskKind::Deleting) {
        // A deletion shows the status before it; a wipe remembers the state that it came from.
        return match lifecycle {
            Lifecycle::Cleaning { from, .. } => status(host, from, None),
            other => status(host, other, None),
        };
    }
    let switched_off = matches!(lifecycle, Lifecycle::Error { from: ErrorFrom::Provisioning { kind: BuildKind::Reinstall }, .. })
        || matches!(task, Some(TaskKind::Rebuilding | TaskKind::ReinstallingOs | TaskKind::Starting))
        || host.holds.frozen.is_some();
    match (task, lifecycle) {
        (Some(TaskKind::Restarting), _) => Some("REBOOT"),
        (Some(TaskKind::ForceRestarting), _) => Some("HARD_REBOOT"),
        _ if switched_off => Some("SHUTOFF"),
        (_, Lifecycle::Error { .. } | Lifecycle::Defective { .. }) => Some("ERROR"),
        (_, Lifecycle::Provisioning) if host.build.as_ref().is_some_and(|build| build.kind == BuildKind::Install) => Some("BUILD"),
        (Some(TaskKind::Stopping), _) => Some("ACTIVE"),
        (_, Lifecycle::Used | Lifecycle::UsedRegistering | Lifecycle::Maintenance { return_to: ReturnTo::Used }) => Some(match host.power.state {
            PowerState::Off => "SHUTOFF",
            PowerState::On | PowerState::PoweringOn | PowerState::PoweringOff | PowerState::Unknown => "ACTIVE",
        }),
        _ => None,
    }
}
