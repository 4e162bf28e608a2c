//! Wiping: the plan that comes from the server, and what goes back.
//!
//! A plan is carried out exactly as it stands or not at all; its text is hashed as it came, never as it would be written again. A plan
//! with a method that is not known here does not parse, and so is not carried out. The server's side is `src/model/wipe.rs`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The stable name of a disk: `wwn:…`, `serial:MODEL_SERIAL` or `path:…`, as the agent says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiskId(pub String);

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How thoroughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WipePolicy {
    /// Only what makes the disk look used: partition tables, signatures, both ends. Quick, and no sanitisation.
    Metadata,
    /// NIST SP 800-88 Clear: every block that can be addressed.
    #[default]
    Clear,
    /// NIST SP 800-88 Purge: by the drive's own sanitisation.
    Purge,
}

/// One way to erase a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EraseMethod {
    /// NVMe Sanitize, crypto erase.
    NvmeSanitizeCrypto,
    /// NVMe Sanitize, block erase.
    NvmeSanitizeBlock,
    /// NVMe Format, SES 2: crypto erase.
    NvmeFormatCrypto,
    /// NVMe Format, SES 1: user data erase.
    NvmeFormatUserData,
    /// ATA SANITIZE, crypto scramble.
    AtaSanitizeCrypto,
    /// ATA SANITIZE, block erase.
    AtaSanitizeBlock,
    /// ATA SECURITY ERASE UNIT, enhanced.
    AtaSecurityEraseEnhanced,
    /// ATA SECURITY ERASE UNIT.
    AtaSecurityErase,
    /// SCSI SANITIZE, cryptographic erase.
    ScsiSanitizeCrypto,
    /// SCSI SANITIZE, block erase.
    ScsiSanitizeBlock,
    /// SCSI SANITIZE, overwrite.
    ScsiSanitizeOverwrite,
    /// The drive writes zeroes everywhere (`blkdiscard -z`).
    WriteZeroes,
    /// We write zeroes everywhere.
    Overwrite,
    /// Nothing but tables, signatures and both ends.
    MetadataOnly,
}

/// What is to be done to one host's disks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipePlan {
    /// Of this shape; 1.
    pub version: u32,
    /// Whose disks.
    pub host: String,
    /// Its name.
    pub name: String,
    /// How thoroughly.
    pub policy: WipePolicy,
    /// The registration whose facts it rests on.
    pub facts_at: Timestamp,
    /// What is erased.
    pub disks: Vec<PlannedDisk>,
    /// What is left alone, and why. Any other disk that is there stops the wipe.
    pub left: Vec<LeftDisk>,
    /// Disks at once, at most.
    pub parallel: u32,
}

/// A disk that is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedDisk {
    /// Which.
    pub id: DiskId,
    /// Its name at registration; for people.
    pub name: String,
    /// Its model; must match.
    pub model: String,
    /// Its serial number; must match.
    pub serial: String,
    /// Its world wide name; must match.
    pub wwn: String,
    /// Bytes; must match.
    pub size_bytes: u64,
    /// `nvme`, `sata` …
    pub transport: String,
    /// What is tried, in this order, until one succeeds.
    pub methods: Vec<EraseMethod>,
    /// Seconds it should take.
    pub soft_secs: u64,
    /// Seconds after which it has failed.
    pub hard_secs: u64,
}

/// A disk that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftDisk {
    /// Which.
    pub id: DiskId,
    /// Its model.
    pub model: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Why.
    pub why: String,
}

/// The version of [`WipePlan`] that this program can carry out.
pub const PLAN_VERSION: u32 = 1;

/// What came of one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskResult {
    /// Which.
    pub id: DiskId,
    /// The kernel's name of it during the wipe.
    #[serde(default)]
    pub name: String,
    /// Erased and verified.
    pub ok: bool,
    /// What erased it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<EraseMethod>,
    /// Everything that was tried, in order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What the check afterwards found.
    #[serde(default)]
    pub verification: Verification,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What.
    pub method: EraseMethod,
    /// The command, as it was run.
    pub command: String,
    /// Its exit code; `None`: it was not a command, or was ended by us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Whether it succeeded.
    pub ok: bool,
    /// What it said, its tail.
    #[serde(default)]
    pub text: String,
}

/// What the check after an erase found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Verification {
    /// A random marker that was written before is gone; `None`: this policy writes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker_gone: Option<bool>,
    /// Blocks that were read at both ends and at random places.
    pub samples_read: u32,
    /// Of them, how many were not all of one byte.
    pub samples_dirty: u32,
    /// Signatures that a scan still found.
    pub signatures: Vec<String>,
    /// What the drive's own status says (NVMe sanitize log …).
    pub drive: String,
}

/// How far a wipe or a registration is, as its agent says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What it does now, in a few words.
    pub step: String,
    /// Of the whole, per cent.
    pub percent: u32,
    /// Seconds to go, as far as can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_secs: Option<u64>,
    /// Disk by disk.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<DiskProgress>,
}

/// How far one disk is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskProgress {
    /// Which.
    pub id: DiskId,
    /// `waiting`, `erasing`, `verifying`, `done`, `failed`.
    pub step: String,
    /// Per cent.
    #[serde(default)]
    pub percent: u32,
    /// Seconds to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_secs: Option<u64>,
}
