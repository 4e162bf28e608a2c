//! NVMe: Sanitize, which reaches the whole subsystem, and Format.
//!
//! The Sanitize command only starts the work; the drive's log says how it ends, and only "completed" counts. A started one cannot be stopped
//! by anybody: an abort leaves it going and says so. Namespaces that the plan leaves alone forbid whatever would reach them.

use super::{Halt, Job};
use crate::{
    contract::{Attempt, EraseMethod},
    disks::{self, Sanitize},
    wipe::site::note,
};

/// Logs in a row that may be unreadable: a controller resets itself when a sanitize begins or ends.
const BLIND: u32 = 15;

/// Whether it is a sanitize.
pub fn is_sanitize(method: EraseMethod) -> bool {
    matches!(method, EraseMethod::NvmeSanitizeCrypto | EraseMethod::NvmeSanitizeBlock)
}

fn controller(job: &Job<'_>) -> String {
    job.found.controller.as_ref().map_or_else(|| job.found.node(), |controller| format!("/dev/{controller}"))
}

fn log(job: &Job<'_>) -> Result<Result<Sanitize, String>, Halt> {
    let said = job.run("nvme", &["sanitize-log", "-o", "json", &controller(job)])?;
    if !said.ok() {
        return Ok(Err(said.why()));
    }
    Ok(disks::sanitize_log(&said.stdout).ok_or_else(|| "the sanitize log cannot be read".to_owned()))
}

/// Waits until no sanitize goes on.
fn wait(job: &Job<'_>) -> Result<Sanitize, Halt> {
    let mut blind = 0;
    loop {
        match log(job)? {
            Ok(log) if !log.runs() => return Ok(log),
            Ok(log) => {
                blind = 0;
                job.gauge.percent(log.percent);
            }
            Err(text) if blind >= BLIND => return Err(Halt::Failed(text)),
            Err(_) => blind += 1,
        }
        job.pause()?;
    }
}

/// One that an earlier run has started.
pub fn settle(job: &Job<'_>) -> Result<(), Halt> {
    match log(job)? {
        Ok(log) if log.runs() => wait(job).map(drop),
        _ => Ok(()),
    }
}

/// Sanitize, to its end.
pub fn sanitize(job: &Job<'_>, attempt: &mut Attempt, action: &str) -> Result<String, Halt> {
    alone(job)?;
    job.attempt(attempt, "nvme", &["sanitize", &controller(job), &format!("--sanact={action}")])?;
    let log = wait(job).inspect_err(|_| note(attempt, "a sanitize cannot be stopped: the drive may go on with it by itself"))?;
    note(attempt, &log.text);
    if log.completed() { Ok(log.text) } else { Err(Halt::Failed(format!("the drive says: {}", log.text))) }
}

/// Format, with the erase `kind`.
pub fn format(job: &Job<'_>, attempt: &mut Attempt, kind: &str) -> Result<String, Halt> {
    if !job.bystanders.is_empty() {
        let said = job.run("nvme", &["id-ctrl", "-o", "json", &controller(job)])?;
        // What cannot be read may reach all.
        if disks::format_reaches_all(&said.stdout).unwrap_or(true) {
            alone(job)?;
        }
    }
    let left = job.deadline.saturating_sub(job.site.machine.uptime()).as_millis().clamp(1000, 0xffff_fffe);
    let words = ["format", &job.found.node(), &format!("--ses={kind}"), "--force", &format!("--timeout={left}")];
    job.attempt(attempt, "nvme", &words)?;
    Ok(String::new())
}

fn alone(job: &Job<'_>) -> Result<(), Halt> {
    match job.bystanders.first() {
        None => Ok(()),
        Some(other) => Err(Halt::Failed(format!("it would also erase {other}, which the plan leaves alone"))),
    }
}
