//! After the erase: signatures off partitions and disk, tables destroyed, both ends zeroed, the kernel's view renewed.
//!
//! For the policy `metadata` this is all that is done. Partitions go first and last to first, because the disk's table is what makes them
//! reachable; what `wipefs` leaves on one of them is found before the table goes. `sgdisk` may fail on a table that is too broken for it: the
//! zeroed ends are what counts, and the scan of the verification decides.

use std::io;

use super::{
    block::{Aligned, Block},
    site::{Halt, Job, note},
};
use crate::{contract::Attempt, disks};

/// What is zeroed at each end.
pub const END: u64 = 2 << 20;

/// Scrubs it.
///
/// # Errors
/// [`Halt`].
pub fn scrub(job: &Job<'_>, block: &dyn Block, attempt: &mut Attempt) -> Result<(), Halt> {
    fault("flush", block.sync())?;
    let parts: Vec<String> = parts(job)?;
    for part in parts.iter().rev() {
        wipefs(job, part)?;
    }
    if !parts.is_empty() {
        let left = disks::scan(job.site.machine, &parts)?;
        if let Some(sign) = left.first() {
            return Err(Halt::Failed(format!("{} still has a signature of {}", sign.device, sign.kind)));
        }
    }
    wipefs(job, &job.found.node())?;
    let zapped = job.run("sgdisk", &["-Z", &job.found.node()]);
    match zapped {
        Ok(said) if said.ok() => {}
        Ok(said) => note(attempt, &format!("sgdisk -Z: {}", said.why())),
        Err(Halt::Failed(text)) => note(attempt, &text),
        Err(halt) => return Err(halt),
    }
    ends(job, block)?;
    fault("flush", block.sync())?;
    match block.reread() {
        // A disk that cannot have partitions.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
        read => fault("the partition table cannot be read again", read)?,
    }
    match self::parts(job)?.first() {
        Some(part) => Err(Halt::Failed(format!("the partition {part} is still there"))),
        None => Ok(()),
    }
}

/// The partitions that the kernel sees now, by number.
fn parts(job: &Job<'_>) -> Result<Vec<String>, Halt> {
    let (all, _problems) = disks::list(job.site.machine);
    let now = all.into_iter().find(|found| found.path == job.found.path).ok_or_else(|| Halt::Failed(format!("{} is gone", job.found.disk.name)))?;
    Ok(now.parts.into_iter().map(|(part, _)| format!("/dev/{part}")).collect())
}

fn wipefs(job: &Job<'_>, node: &str) -> Result<(), Halt> {
    let said = job.run("wipefs", &["--all", "--force", node])?;
    if said.ok() { Ok(()) } else { Err(Halt::Failed(format!("wipefs --all {node}: {}", said.why()))) }
}

fn ends(job: &Job<'_>, block: &dyn Block) -> Result<(), Halt> {
    job.go_on()?;
    let size = job.found.disk.size_bytes;
    let len = END.min(size);
    let zeroes = Aligned::zeroed(usize::try_from(len).unwrap_or(0));
    fault("zeroes at the beginning", block.write_at(0, &zeroes))?;
    fault("zeroes at the end", block.write_at(size - len, &zeroes))
}

fn fault(what: &str, done: io::Result<()>) -> Result<(), Halt> {
    done.map_err(|error| Halt::Failed(format!("{what}: {error}")))
}
