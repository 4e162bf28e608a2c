//! Whether the disk is what the method promises: the marker is gone, samples are clean, nothing that looks like a signature is left.
//!
//! The marker is random bytes that were written before the erase at a random place and read back then, so a drive that only says "done" is
//! found out. Reads go past every cache. A block that cannot be read is a failure, never a clean one.

use super::{
    block::{Aligned, Block},
    erase::Leaves,
    scrub::END,
    site::{Halt, Job},
};
use crate::{contract::Verification, disks};

/// The marker's length.
const MARKER: u64 = 1 << 20;

/// One sample, and what places are multiples of.
const SAMPLE: u64 = 4096;

/// Random samples; the first and the last block come on top.
const SAMPLES: u64 = 100;

/// What was written where.
pub struct Marker {
    at: u64,
    bytes: Aligned,
}

/// A number below `below`, by chance; 0 if there is none.
fn drawn(job: &Job<'_>, below: u64) -> u64 {
    let mut bytes = [0; 16];
    job.site.machine.chance(&mut bytes);
    u64::try_from(u128::from_le_bytes(bytes) % u128::from(below.max(1))).unwrap_or(0)
}

impl Marker {
    /// Writes it and reads it back.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn write(job: &Job<'_>, block: &dyn Block) -> Result<Self, Halt> {
        job.go_on()?;
        let size = job.found.disk.size_bytes;
        let len = MARKER.min(size);
        // Not within the ends, which are zeroed whatever the erase has done; a tiny disk has nothing but ends.
        let room = size.saturating_sub(2 * END + len);
        let at = if room == 0 { (size - len) / 2 / SAMPLE * SAMPLE } else { END + drawn(job, room / SAMPLE + 1) * SAMPLE };
        let mut bytes = Aligned::zeroed(usize::try_from(len).unwrap_or(0));
        job.site.machine.chance(&mut bytes);
        let marker = Self { at, bytes };
        let fault = |error| Halt::Failed(format!("the marker at byte {at} cannot be written: {error}"));
        block.write_at(at, &marker.bytes).map_err(fault)?;
        block.sync().map_err(fault)?;
        let back = marker.read(block)?;
        if *back == *marker.bytes { Ok(marker) } else { Err(Halt::Failed(format!("the marker at byte {at} cannot be read back as it was written"))) }
    }

    fn read(&self, block: &dyn Block) -> Result<Aligned, Halt> {
        let mut back = Aligned::zeroed(self.bytes.len());
        block.read_at(self.at, &mut back).map_err(|error| Halt::Failed(format!("the marker's place at byte {} cannot be read: {error}", self.at)))?;
        Ok(back)
    }

    /// Whether not one block of it is left.
    fn is_gone(&self, block: &dyn Block) -> Result<bool, Halt> {
        let back = self.read(block)?;
        let step = 512;
        Ok(back.chunks(step).zip(self.bytes.chunks(step)).all(|(now, then)| now != then))
    }
}

/// Looks, and writes down what it sees.
///
/// # Errors
/// [`Halt`]: it is not clean, or it cannot be looked at.
pub fn verify(job: &Job<'_>, block: &dyn Block, marker: Option<&Marker>, leaves: Leaves, seen: &mut Verification) -> Result<(), Halt> {
    job.go_on()?;
    block.sync().map_err(|error| Halt::Failed(format!("flush: {error}")))?;
    if let Some(marker) = marker {
        seen.marker_gone = Some(marker.is_gone(block)?);
    }
    let not_zero = sample(job, block, leaves, seen)?;
    let signs = disks::scan(job.site.machine, &[job.found.node()])?;
    job.site.uses("wipefs");
    seen.signatures = signs.into_iter().map(|sign| sign.kind).collect();
    match () {
        () if seen.marker_gone == Some(false) => Err(Halt::Failed("the marker that was written before the erase is still there".to_owned())),
        () if leaves != Leaves::Anything && not_zero > 0 => {
            Err(Halt::Failed(format!("{not_zero} of {} blocks that were looked at are not zero", seen.samples_read)))
        }
        () if !seen.signatures.is_empty() => Err(Halt::Failed(format!("there are still signatures on it: {}", seen.signatures.join(", ")))),
        () => Ok(()),
    }
}

/// The first and the last block, and others by chance unless old blocks may be there; how many were not zero.
fn sample(job: &Job<'_>, block: &dyn Block, leaves: Leaves, seen: &mut Verification) -> Result<u32, Halt> {
    let size = job.found.disk.size_bytes;
    let len = SAMPLE.min(size);
    let mut places = vec![0, size - len];
    if leaves != Leaves::Old {
        places.extend((0..SAMPLES).map(|_| drawn(job, (size - len) / SAMPLE + 1) * SAMPLE));
    }
    let mut bytes = Aligned::zeroed(usize::try_from(len).unwrap_or(0));
    let mut not_zero = 0;
    for at in places {
        job.go_on()?;
        block.read_at(at, &mut bytes).map_err(|error| Halt::Failed(format!("the block at byte {at} cannot be read: {error}")))?;
        seen.samples_read += 1;
        let first = bytes.first().copied().unwrap_or(0);
        if bytes.iter().any(|byte| *byte != first) {
            seen.samples_dirty += 1;
        }
        not_zero += u32::from(bytes.iter().any(|byte| *byte != 0));
    }
    Ok(not_zero)
}
