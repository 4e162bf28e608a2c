//! One disk from beginning to end: method by method until one has erased it and the verification agrees.
//!
//! An attempt is marker, erase, scrub and verification together: a drive that says "done" and has not erased has failed, and the next method
//! gets its turn. A passed deadline or an abort ends the disk. Whatever happens there is a result.

use super::{
    block::{self, Block},
    erase::{self, Leaves},
    scrub,
    site::{Halt, Job, note},
    verify::{self, Marker},
};
use crate::contract::{Attempt, DiskResult, EraseMethod, Verification};

/// Erases it.
pub fn wipe(job: &Job<'_>) -> DiskResult {
    let mut result = DiskResult {
        id: job.planned.id.clone(),
        name: job.found.disk.name.clone(),
        ok: false,
        method: None,
        attempts: Vec::new(),
        started: job.site.machine.now(),
        ended: job.site.machine.now(),
        verification: Verification::default(),
        error: None,
    };
    let mut errors = Vec::new();
    for method in &job.planned.methods {
        let mut attempt = Attempt { method: *method, command: String::new(), exit_code: None, ok: false, text: String::new() };
        let mut seen = Verification::default();
        job.gauge.step("erasing");
        let ended = attempted(job, *method, &mut attempt, &mut seen);
        attempt.ok = ended.is_ok();
        result.verification = seen;
        match ended {
            Ok(()) => {
                result.ok = true;
                result.method = Some(*method);
                result.attempts.push(attempt);
                break;
            }
            Err(halt) => {
                note(&mut attempt, &halt.to_string());
                errors.push(format!("{}: {halt}", word(*method)));
                result.attempts.push(attempt);
                if !matches!(halt, Halt::Failed(_)) {
                    break;
                }
            }
        }
    }
    job.gauge.step(if result.ok { "done" } else { "failed" });
    result.error = (!result.ok).then(|| errors.join("; "));
    result.ended = job.site.machine.now();
    result
}

fn attempted(job: &Job<'_>, method: EraseMethod, attempt: &mut Attempt, seen: &mut Verification) -> Result<(), Halt> {
    job.go_on()?;
    let leaves = erase::leaves(method);
    let site = job.site;
    let mut open: Box<dyn Block> = block::open(site.machine, site.doors, job.found)?;
    let marker = if leaves == Leaves::Old {
        None
    } else {
        erase::settle(job)?;
        Some(Marker::write(job, &*open)?)
    };
    seen.drive = erase::erase(job, &*open, method, attempt)?;
    if erase::is_by_drive(method) {
        // A drive may come back with another capacity; the first opening is let go after the second, so that the name stays its own.
        let again = block::open(site.machine, site.doors, job.found)?;
        open = again;
    }
    job.gauge.step("verifying");
    scrub::scrub(job, &*open, attempt)?;
    verify::verify(job, &*open, marker.as_ref(), leaves, seen)
}

/// The method's word, as it stands in plans.
fn word(method: EraseMethod) -> String {
    serde_json::to_value(method).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
