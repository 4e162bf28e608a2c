//! Which disks there are: identity, capabilities, health, foreign signatures.
//!
//! ```text
//! list      whole disks from /sys: place, identity   → also what a wipe matches its plan against
//! able      what can erase each of them (nvme, hdparm, sg_opcodes, the queue)
//! signs     what lies on it and its partitions (wipefs, blkid)
//! health    what it says of itself (smartctl)
//! ```
//! Reads only. What is wrong with one disk or one tool is a [`Problem`] beside the disks, never a reason to show none of them. Identity
//! never depends on a tool: what `/sys` says must be enough, or a slow tool would give a disk another name.

mod able;
mod ata;
mod health;
mod identity;
mod list;
mod nvme;
mod place;
mod scsi;
#[cfg(test)]
pub mod shelf;
mod signs;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    contract::Disk,
    machine::{Ask, Machine},
};

pub use ata::{Security, security};
pub use list::{Found, list, whole};
pub use nvme::{Sanitize, format_reaches_all, sanitize_log};
pub use place::resolve;
pub use signs::{Sign, scan};

/// What could not be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whose: `disks` or `health`.
    pub collector: &'static str,
    /// What, in one sentence that names the disk or the tool.
    pub text: String,
}

impl Problem {
    fn disks(text: String) -> Self {
        Self { collector: "disks", text }
    }
}

/// Disks that are asked at once: tools on a shelf of sixty disks would need more memory than a live image has.
const AT_ONCE: usize = 8;

/// How long one question to one disk may take. A disk that needs to spin up takes 20 s.
const ASK: Duration = Duration::from_secs(40);

/// All whole disks, by name.
pub fn collect(machine: &dyn Machine) -> (Vec<Disk>, Vec<Problem>) {
    let (found, mut problems) = list(machine);
    let asked = side_by_side(AT_ONCE, &found, |found| complete(machine, found));
    let mut disks = Vec::new();
    for (disk, of_disk) in asked {
        disks.push(disk);
        problems.extend(of_disk);
    }
    (disks, problems)
}

fn complete(machine: &dyn Machine, found: &Found) -> (Disk, Vec<Problem>) {
    let mut problems = Vec::new();
    let able = able::of(machine, found, &mut problems);
    let signatures = signs::names(machine, found, &mut problems);
    let health = health::of(machine, found, &mut problems);
    let disk = Disk { erase: able.erase, erase_minutes: able.minutes, frozen: able.frozen, signatures, health, ..found.disk.clone() };
    (disk, problems)
}

/// What a program said on its standard output, if it ended as one of `good`.
fn told(machine: &dyn Machine, program: &str, words: &[&str], good: &[i32]) -> Result<String, String> {
    let ask = Ask::new(program, words, ASK);
    let said = machine.run(&ask).map_err(|no_run| no_run.to_string())?;
    match said.code() {
        Some(code) if good.contains(&code) => Ok(said.stdout),
        _ => Err(format!("`{}`: {}", ask.line(), said.why())),
    }
}

/// Does the same with each, some at once; the answers in the order of the questions.
pub fn side_by_side<T: Sync, R: Send>(at_once: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some((at, item)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?))) {
                    let answer = work(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, answer));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, answer)| answer).collect()
}
