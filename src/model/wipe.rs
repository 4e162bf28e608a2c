//! Wiping: what is to be erased and how (the plan), and what came of it (results and certificates).
//!
//! A plan is made by `rules::wipe` from a host's facts, shown, hashed and confirmed; the agent carries out exactly that plan or nothing.
//! Its JSON is the text that is hashed, so the order of the fields here is part of the contract with the agent.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{HostId, HostName, Timestamp, token::sha256_hex};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
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

/// A category of NIST SP 800-88 rev. 1, section 2.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// No sanitisation.
    None,
    /// Against simple recovery, by the ordinary interface.
    Clear,
    /// Against recovery in a laboratory.
    Purge,
}

impl EraseMethod {
    /// What it comes to when it succeeds. The Format commands count as Clear (IEEE 2883-2022 is stricter there than NIST was in 2014).
    pub const fn category(self) -> Category {
        match self {
            Self::NvmeSanitizeCrypto
            | Self::NvmeSanitizeBlock
            | Self::AtaSanitizeCrypto
            | Self::AtaSanitizeBlock
            | Self::AtaSecurityEraseEnhanced
            | Self::ScsiSanitizeCrypto
            | Self::ScsiSanitizeBlock
            | Self::ScsiSanitizeOverwrite => Category::Purge,
            Self::NvmeFormatCrypto | Self::NvmeFormatUserData | Self::AtaSecurityErase | Self::WriteZeroes | Self::Overwrite => Category::Clear,
            Self::MetadataOnly => Category::None,
        }
    }
}

/// What is to be done to one host's disks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WipePlan {
    /// Of this shape; 1.
    pub version: u32,
    /// Whose disks.
    #[schema(value_type = String)]
    pub host: HostId,
    /// Its name.
    #[schema(value_type = String)]
    pub name: HostName,
    /// How thoroughly.
    pub policy: WipePolicy,
    /// The registration whose facts it rests on.
    #[schema(value_type = String)]
    pub facts_at: Timestamp,
    /// What is erased.
    pub disks: Vec<PlannedDisk>,
    /// What is left alone, and why. Any other disk that is there stops the wipe.
    pub left: Vec<LeftDisk>,
    /// Disks at once, at most.
    pub parallel: u32,
}

/// A disk that is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlannedDisk {
    /// Which.
    #[schema(value_type = String)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LeftDisk {
    /// Which.
    #[schema(value_type = String)]
    pub id: DiskId,
    /// Its model.
    pub model: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Why.
    pub why: String,
}

impl WipePlan {
    /// The text that travels and is hashed.
    pub fn text(&self) -> String {
        // A struct of strings and numbers has no way to fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of [`WipePlan::text`], 64 hexadecimal digits.
    pub fn hash(&self) -> String {
        sha256_hex(self.text().as_bytes())
    }
}

/// What came of one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskResult {
    /// Which.
    #[schema(value_type = String)]
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
    #[schema(value_type = String)]
    pub started: Timestamp,
    /// When it ended.
    #[schema(value_type = String)]
    pub ended: Timestamp,
    /// What the check afterwards found.
    #[serde(default)]
    pub verification: Verification,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskProgress {
    /// Which.
    #[schema(value_type = String)]
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

/// The proof that one disk was wiped, or was not: what is kept, hashed and given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Certificate {
    /// Of this shape; 1.
    pub version: u32,
    /// The host.
    #[schema(value_type = String)]
    pub host: HostId,
    /// Its name.
    #[schema(value_type = String)]
    pub name: HostName,
    /// Its serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_serial: Option<String>,
    /// The disk as planned.
    pub disk: PlannedDisk,
    /// What was asked for.
    pub policy: WipePolicy,
    /// What was reached.
    pub category: Category,
    /// In words: which standard, or that it is none.
    pub statement: String,
    /// What came of it.
    pub result: DiskResult,
    /// The plan's hash.
    pub plan_hash: String,
    /// Who ordered it.
    pub ordered_by: String,
    /// The agent's version.
    pub agent: String,
    /// The live image's version.
    pub image: String,
    /// Tools and their versions, as the agent says.
    #[serde(default)]
    pub tools: Vec<String>,
    /// The server's version.
    pub server: String,
    /// When it was made out.
    #[schema(value_type = String)]
    pub made: Timestamp,
}
