//! Zeroes everywhere: by the drive (`BLKZEROOUT`) or by us.
//!
//! In pieces, so that an abort and the deadline are seen soon and the progress moves. Nothing is read back here; that is the verification.

use super::{Block, Halt, Job};
use crate::{contract::Attempt, wipe::block::Aligned};

/// One order to the drive. A drive without the command has the kernel write, at 100 MB/s more than a second.
const BY_DRIVE: u64 = 128 << 20;

/// One write.
const BY_US: u64 = 4 << 20;

/// `BLKZEROOUT`.
pub fn by_drive(job: &Job<'_>, block: &dyn Block, attempt: &mut Attempt) -> Result<String, Halt> {
    attempt.command = format!("BLKZEROOUT on {}", job.found.node());
    pieces(job, block, BY_DRIVE, |at, len| block.zero_out(at, len))
}

/// Writes of zeroes past the cache.
pub fn by_us(job: &Job<'_>, block: &dyn Block, attempt: &mut Attempt) -> Result<String, Halt> {
    attempt.command = format!("zeroes written to {}", job.found.node());
    let zeroes = Aligned::zeroed(usize::try_from(BY_US).unwrap_or(usize::MAX));
    pieces(job, block, BY_US, |at, len| block.write_at(at, &zeroes[..usize::try_from(len).unwrap_or(zeroes.len())]))
}

fn pieces(job: &Job<'_>, block: &dyn Block, most: u64, zero: impl Fn(u64, u64) -> std::io::Result<()>) -> Result<String, Halt> {
    let size = job.found.disk.size_bytes;
    let mut at = 0;
    while at < size {
        job.go_on()?;
        let len = most.min(size - at);
        zero(at, len).map_err(|error| Halt::Failed(format!("at byte {at} of {size}: {error}")))?;
        at += len;
        job.gauge.percent(u32::try_from(u128::from(at) * 100 / u128::from(size)).unwrap_or(100));
    }
    job.go_on()?;
    block.sync().map_err(|error| Halt::Failed(format!("flush: {error}")))?;
    Ok(String::new())
}
