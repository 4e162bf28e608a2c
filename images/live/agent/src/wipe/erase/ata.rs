//! ATA: SANITIZE, and SECURITY ERASE UNIT with the password that it wants.
//!
//! A disk with a password that nobody knows is lost, so the password is always the same word, is taken off again after every end but the good
//! one (which takes it off by itself), and one that an interrupted run left is taken off at the next try. A frozen disk is reported, not
//! woken by a suspend: a server that does not wake again would be worse than one whose next method is tried.

use std::time::Duration;

use super::{Halt, Job};
use crate::{
    contract::Attempt,
    disks::{Security, security},
    machine::Ask,
    wipe::site::note,
};

/// The password. It protects nothing; it is what the command wants.
const PASSWORD: &str = "bootwright";

/// How long the taking off of a password may take, beyond the disk's deadline and beyond an abort.
const RESCUE: Duration = Duration::from_secs(60);

fn state(job: &Job<'_>) -> Result<Security, Halt> {
    let said = job.run("hdparm", &["-I", &job.found.node()])?;
    if said.ok() { Ok(security(&said.stdout)) } else { Err(Halt::Failed(format!("hdparm -I: {}", said.why()))) }
}

/// SECURITY ERASE UNIT.
pub fn security_erase(job: &Job<'_>, attempt: &mut Attempt, kind: &str) -> Result<String, Halt> {
    let mut now = state(job)?;
    if now.enabled && !now.frozen {
        note(attempt, "a password was set on it; trying the one of an interrupted run");
        rescue(job, attempt);
        now = state(job)?;
    }
    let refusal = match now {
        Security { supported: false, .. } => Some("it has no security feature set"),
        Security { frozen: true, .. } => Some("its security commands are frozen by the firmware: unplug the disk or power the machine off and on"),
        Security { enabled: true, .. } => Some("somebody has set a password on it: take it off with hdparm --security-disable"),
        Security { enhanced: false, .. } if kind == "--security-erase-enhanced" => Some("it has no enhanced erase"),
        _ => None,
    };
    if let Some(text) = refusal {
        return Err(Halt::Failed(text.to_owned()));
    }
    let node = job.found.node();
    let ended = job
        .attempt(attempt, "hdparm", &["--user-master", "u", "--security-set-pass", PASSWORD, &node])
        .and_then(|()| job.attempt(attempt, "hdparm", &["--user-master", "u", kind, PASSWORD, &node]))
        .and_then(|()| state(job))
        .and_then(|after| if after.enabled { Err(Halt::Failed("its password is still set, so nothing was erased".to_owned())) } else { Ok(()) });
    if ended.is_err() {
        rescue(job, attempt);
    }
    ended.map(|()| "the password is off again, as after a completed erase".to_owned())
}

/// Takes the password off, whatever has happened: also after an abort and a passed deadline.
fn rescue(job: &Job<'_>, attempt: &mut Attempt) {
    let node = job.found.node();
    for order in ["--security-unlock", "--security-disable"] {
        let words = ["--user-master", "u", order, PASSWORD, &node];
        let said = job.site.machine.run(&Ask::new("hdparm", &words, RESCUE));
        let why = said.map_or_else(|no_run| no_run.to_string(), |said| said.why());
        note(attempt, &format!("{order}: {why}"));
    }
}

/// SANITIZE, to its end.
pub fn sanitize(job: &Job<'_>, attempt: &mut Attempt, kind: &str) -> Result<String, Halt> {
    let node = job.found.node();
    job.attempt(attempt, "hdparm", &["--yes-i-know-what-i-am-doing", kind, &node])?;
    loop {
        let ended = job.pause().and_then(|()| job.run("hdparm", &["--sanitize-status", &node])).inspect_err(|_| {
            note(attempt, "a sanitize cannot be stopped: the drive may go on with it by itself");
        })?;
        match status(&ended.stdout) {
            Status::Runs(percent) => job.gauge.percent(percent),
            Status::Completed => return Ok("Last Sanitize Operation Completed Without Error".to_owned()),
            Status::Other => {
                note(attempt, &format!("{}{}", ended.stdout, ended.stderr));
                return Err(Halt::Failed(format!("the drive does not say that it completed: {}", ended.why())));
            }
        }
    }
}

/// What `hdparm --sanitize-status` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Runs(u32),
    Completed,
    Other,
}

fn status(text: &str) -> Status {
    let lines = || text.lines().map(str::trim);
    let state = lines().find_map(|line| line.strip_prefix("State:")).map(str::trim).unwrap_or_default();
    match state.split_whitespace().next() {
        Some("SD2") => {
            let percent = lines().find_map(|line| line.strip_prefix("Progress:")?.split_once('(')?.1.split_once('%')?.0.parse().ok());
            Status::Runs(percent.unwrap_or(0))
        }
        Some("SD0" | "SD4") if lines().any(|line| line == "Last Sanitize Operation Completed Without Error") => Status::Completed,
        _ => Status::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, wanted: Status) {
        assert_eq!(status(&format!("\n/dev/sda:\nIssuing SANITIZE_STATUS command\nSanitize status:\n{text}")), wanted);
    }

    #[test]
    fn a_sanitize_is_completed_only_where_the_drive_says_so() {
        check("    State:    SD2 Sanitize operation In Process\n    Progress: 0x8000 (50%)\n", Status::Runs(50));
        check("    State:    SD0 Sanitize Idle\n    Last Sanitize Operation Completed Without Error\n", Status::Completed);
        check("    State:    SD0 Sanitize Idle\n", Status::Other);
        check("    State:    SD1 Sanitize Frozen\n    Last Sanitize Operation Completed Without Error\n", Status::Other);
        check("", Status::Other);
    }
}
