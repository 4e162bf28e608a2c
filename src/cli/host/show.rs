//! `host show`: one host on one screen, what is wrong with it first.
//!
//! Everything comes from the record; nothing is judged here.

use super::Shown;
use crate::{
    cli::{
        Console, Done, build,
        table::{listed, or_dash, time, word},
    },
    model::{DiskState, Host, IssueKind, Lifecycle, Session, lifecycle::Cause},
};

/// Prints a host.
pub fn show(shown: &Shown, console: &mut Console<'_>) -> Done {
    let host = &shown.host;
    console.line(format_args!("{}  {} ({}) since {}", host.name, state(&host.lifecycle), shown.display_state, time(host.since)))?;
    for issue in &host.issues {
        console.line(format_args!("  ! {} since {}: {}", word(issue.kind), time(issue.since), issue.text))?;
    }
    if let Some(frozen) = &host.holds.frozen {
        console.line(format_args!("  ! frozen by {}: {}", frozen.by, frozen.why))?;
    }
    if host.holds.lock {
        console.line("  ! protected: destructive verbs are refused")?;
    }
    for (name, value) in facts(host) {
        console.line(format_args!("  {name:<12} {value}"))?;
    }
    if let Some(build) = &host.build {
        console.line("")?;
        build::tell(build, None, console)?;
    }
    if let Some(run) = &host.live {
        super::live::tell(run, console)?;
    }
    sessions(&host.sessions, console)
}

/// The lifecycle with what its state carries.
pub fn state(lifecycle: &Lifecycle) -> String {
    let word = lifecycle.word();
    match lifecycle {
        Lifecycle::Reserved { user, until } => {
            format!("{word} for {user}{}", until.map_or_else(String::new, |until| format!(" until {}", time(until))))
        }
        Lifecycle::Error { cause, .. } => format!("{word}: {}", self::cause(cause)),
        Lifecycle::Defective { reason, notes } if notes.is_empty() => format!("{word}: {reason}"),
        Lifecycle::Defective { reason, notes } => format!("{word}: {reason} ({notes})"),
        Lifecycle::Decommissioned { reason } => format!("{word}: {}", self::word(reason)),
        Lifecycle::Maintenance { return_to } => format!("{word}, then {}", self::word(return_to)),
        Lifecycle::Cleaning { then, .. } => format!("{word}, then {}", self::word(then)),
        _ => word.to_owned(),
    }
}

/// What went wrong, with the word of its kind.
pub fn cause(cause: &Cause) -> String {
    let (word, text) = match cause {
        Cause::Reported(text) => ("reported", text),
        Cause::Deadline(text) => ("deadline", text),
        Cause::BootLoop(text) => ("boot_loop", text),
        Cause::Fault(text) => ("fault", text),
        Cause::Wipe(text) => ("wipe", text),
        Cause::Cancelled(text) => ("cancelled", text),
    };
    format!("{word}: {text}")
}

fn facts(host: &Host) -> Vec<(&'static str, String)> {
    let operational = &host.operational;
    let disks = match &host.disk_state {
        DiskState::Unknown => "unknown".to_owned(),
        DiskState::Dirty => "dirty".to_owned(),
        DiskState::Clean => "clean".to_owned(),
        DiskState::Waived { by, why } => format!("waived by {by}: {why}"),
    };
    let params: Vec<String> = host.params.unpack().iter().map(|(name, param)| format!("{name}={param}")).collect();
    let mut facts = vec![
        ("id", host.id.to_string()),
        ("version", host.version.to_string()),
        ("macs", listed(&host.macs)),
        ("network", or_dash(host.network.as_ref())),
        ("address", or_dash(host.address)),
        ("profile", or_dash(host.profile.as_ref())),
        ("disks", disks),
        (
            "operational",
            format!(
                "{}, {}, availability {}",
                word(operational.administrative),
                if operational.is_enabled() { "enabled" } else { "disabled" },
                word(operational.availability)
            ),
        ),
        ("power", word(host.power.state)),
    ];
    facts.push(("registered", registered(host)));
    facts.extend(host.uuid.map(|uuid| ("uuid", uuid.to_string())));
    facts.extend(host.serial.clone().map(|serial| ("serial", serial)));
    facts.extend(host.loader.as_ref().map(|loader| ("loader", loader.to_string())));
    facts.extend(host.disk_boot.map(|how| ("disk boot", word(how))));
    facts.extend(host.task.as_ref().map(|task| ("task", word(task.kind))));
    facts.extend(host.hard_deadline.map(|at| ("deadline", time(at))));
    facts.extend(Some(("params", params.join(" "))).filter(|(_, text)| !text.is_empty()));
    facts.extend(Some(("tags", listed(&host.tags))).filter(|_| !host.tags.is_empty()));
    facts
}

/// When its facts were collected, and whether they differ from the ones before.
fn registered(host: &Host) -> String {
    let changed = host.issues.iter().any(|issue| issue.kind == IssueKind::HardwareChanged);
    match host.facts_at {
        None => "never".to_owned(),
        Some(at) if changed => format!("{}; its hardware had changed", time(at)),
        Some(at) => format!("{}; `bootwright host facts {}` shows what was found", time(at), host.name),
    }
}

fn sessions(sessions: &[Session], console: &mut Console<'_>) -> Done {
    if sessions.is_empty() {
        return Ok(());
    }
    console.line("\nboot sessions, newest first")?;
    for session in sessions.iter().rev() {
        let plan = session.plan.as_ref().map_or_else(String::new, |plan| format!(", told: {plan}"));
        let (opener, reached, arch) = (word(session.opener), word(session.reached), word(session.arch));
        console.line(format_args!("  {}  {}  opened by {opener} ({arch}), reached {reached}{plan}", time(session.opened_at), session.id))?;
    }
    Ok(())
}
