//! One method on one disk: who carries it out, and what has to be true of the blocks afterwards.
//!
//! A method either did all of its work or failed; none is retried here. Those that erase more than the named disk (a whole NVMe subsystem)
//! ask for bystanders first. The disk stays open meanwhile, so that its name stays its own.

mod ata;
mod nvme;
mod scsi;
mod zero;

use super::{
    block::Block,
    site::{Halt, Job},
};
use crate::contract::{Attempt, EraseMethod};

/// What an erase leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Zeroes everywhere: the method is defined so.
    Zeroes,
    /// Something, which may be random: a new key makes noise out of the old blocks.
    Anything,
    /// The old blocks: only tables, signatures and both ends are removed.
    Old,
}

/// What the blocks hold after a method.
pub const fn leaves(method: EraseMethod) -> Leaves {
    match method {
        EraseMethod::WriteZeroes | EraseMethod::Overwrite | EraseMethod::ScsiSanitizeOverwrite => Leaves::Zeroes,
        EraseMethod::MetadataOnly => Leaves::Old,
        EraseMethod::NvmeSanitizeCrypto
        | EraseMethod::NvmeSanitizeBlock
        | EraseMethod::NvmeFormatCrypto
        | EraseMethod::NvmeFormatUserData
        | EraseMethod::AtaSanitizeCrypto
        | EraseMethod::AtaSanitizeBlock
        | EraseMethod::AtaSecurityEraseEnhanced
        | EraseMethod::AtaSecurityErase
        | EraseMethod::ScsiSanitizeCrypto
        | EraseMethod::ScsiSanitizeBlock => Leaves::Anything,
    }
}

/// Whether the drive does it by itself, behind the kernel's back.
pub const fn is_by_drive(method: EraseMethod) -> bool {
    !matches!(method, EraseMethod::WriteZeroes | EraseMethod::Overwrite | EraseMethod::MetadataOnly)
}

/// Before anything is written to it: a drive that still sanitises from an earlier run is waited for.
///
/// # Errors
/// [`Halt`].
pub fn settle(job: &Job<'_>) -> Result<(), Halt> {
    if job.found.controller.is_some() && job.planned.methods.iter().any(|method| nvme::is_sanitize(*method)) {
        nvme::settle(job)?;
    }
    Ok(())
}

/// Carries it out; the drive's own words on success, if it has any.
///
/// # Errors
/// [`Halt`].
pub fn erase(job: &Job<'_>, block: &dyn Block, method: EraseMethod, attempt: &mut Attempt) -> Result<String, Halt> {
    match method {
        EraseMethod::NvmeSanitizeCrypto => nvme::sanitize(job, attempt, "4"),
        EraseMethod::NvmeSanitizeBlock => nvme::sanitize(job, attempt, "2"),
        EraseMethod::NvmeFormatCrypto => nvme::format(job, attempt, "2"),
        EraseMethod::NvmeFormatUserData => nvme::format(job, attempt, "1"),
        EraseMethod::AtaSanitizeCrypto => ata::sanitize(job, attempt, "--sanitize-crypto-scramble"),
        EraseMethod::AtaSanitizeBlock => ata::sanitize(job, attempt, "--sanitize-block-erase"),
        EraseMethod::AtaSecurityEraseEnhanced => ata::security_erase(job, attempt, "--security-erase-enhanced"),
        EraseMethod::AtaSecurityErase => ata::security_erase(job, attempt, "--security-erase"),
        EraseMethod::ScsiSanitizeCrypto => scsi::sanitize(job, attempt, &["--crypto"]),
        EraseMethod::ScsiSanitizeBlock => scsi::sanitize(job, attempt, &["--block"]),
        EraseMethod::ScsiSanitizeOverwrite => scsi::sanitize(job, attempt, &["--overwrite", "--zero"]),
        EraseMethod::WriteZeroes => zero::by_drive(job, block, attempt),
        EraseMethod::Overwrite => zero::by_us(job, block, attempt),
        EraseMethod::MetadataOnly => {
            "tables, signatures and both ends".clone_into(&mut attempt.command);
            Ok(String::new())
        }
    }
}
