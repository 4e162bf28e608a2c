//! What can erase a disk, best first: its own sanitisation, its other erases, zeroes by the drive, zeroes by us.
//!
//! Overwriting is always there and always last. An erase that a disk cannot start now (frozen, locked) is listed all the same: the plan and
//! the wipe say why it was not used. A tool that fails is a problem and leaves only what needs no tool.

use super::{Found, Problem, ata, nvme, scsi, told};
use crate::{
    contract::EraseMethod::{self, *},
    machine::Machine,
};

/// What can erase it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Able {
    /// Best first.
    pub erase: Vec<EraseMethod>,
    /// Minutes that its own erase takes, if it says.
    pub minutes: Option<u32>,
    /// Its security commands are frozen.
    pub frozen: bool,
}

/// Asks the disk.
pub fn of(machine: &dyn Machine, found: &Found, problems: &mut Vec<Problem>) -> Able {
    let own = match found.disk.transport.as_str() {
        transport if transport.starts_with("nvme") => by_nvme(machine, found),
        _ if found.is_ata => by_ata(machine, found),
        "sas" | "scsi" | "fc" | "iscsi" => by_scsi(machine, found),
        _ => Ok(Able::default()),
    };
    let mut able = own.unwrap_or_else(|text| {
        problems.push(Problem::disks(format!("{}: {text}", found.disk.name)));
        Able::default()
    });
    let zeroes = machine.word(&format!("{}/queue/write_zeroes_max_bytes", found.path)).and_then(|bytes| bytes.parse::<u64>().ok());
    able.erase.extend(zeroes.filter(|bytes| *bytes > 0).map(|_| WriteZeroes));
    able.erase.push(Overwrite);
    able
}

fn chosen(pairs: &[(bool, EraseMethod)]) -> Vec<EraseMethod> {
    pairs.iter().filter(|(has, _)| *has).map(|(_, method)| *method).collect()
}

fn by_nvme(machine: &dyn Machine, found: &Found) -> Result<Able, String> {
    let node = found.controller.as_ref().map_or_else(|| found.node(), |controller| format!("/dev/{controller}"));
    let text = told(machine, "nvme", &["id-ctrl", "-o", "json", &node], &[0])?;
    let has = nvme::controller(&text).ok_or_else(|| format!("`nvme id-ctrl -o json {node}` says nothing that can be read"))?;
    let erase = chosen(&[
        (has.sanitize_crypto, NvmeSanitizeCrypto),
        (has.sanitize_block, NvmeSanitizeBlock),
        (has.format_crypto, NvmeFormatCrypto),
        (has.format, NvmeFormatUserData),
    ]);
    let mut minutes = None;
    if has.sanitize_crypto || has.sanitize_block {
        // The estimate is worth asking for, and many drives have none: no answer is no problem.
        let log = told(machine, "nvme", &["sanitize-log", "-o", "json", &node], &[0]).ok().and_then(|text| nvme::sanitize_log(&text));
        let secs = log.and_then(|log| if has.sanitize_crypto { log.crypto_secs } else { log.block_secs });
        minutes = secs.map(|secs| u32::try_from(secs.div_ceil(60)).unwrap_or(u32::MAX));
    }
    Ok(Able { erase, minutes, frozen: false })
}

fn by_ata(machine: &dyn Machine, found: &Found) -> Result<Able, String> {
    let text = told(machine, "hdparm", &["-I", &found.node()], &[0])?;
    let has = ata::security(&text);
    let erase = chosen(&[
        (has.scramble, AtaSanitizeCrypto),
        (has.block_erase, AtaSanitizeBlock),
        (has.supported && has.enhanced, AtaSecurityEraseEnhanced),
        (has.supported, AtaSecurityErase),
    ]);
    let minutes = if has.enhanced { has.minutes.max(has.enhanced_minutes) } else { has.minutes };
    Ok(Able { erase, minutes: minutes.filter(|_| has.supported), frozen: has.frozen })
}

fn by_scsi(machine: &dyn Machine, found: &Found) -> Result<Able, String> {
    let mut erase = Vec::new();
    for (action, method) in [(scsi::CRYPTO, ScsiSanitizeCrypto), (scsi::BLOCK, ScsiSanitizeBlock), (scsi::OVERWRITE, ScsiSanitizeOverwrite)] {
        let good = [&[0][..], &scsi::NO_LIST].concat();
        let text = told(machine, "sg_opcodes", &[&format!("--opcode=0x48,{action}"), &found.node()], &good)?;
        if scsi::supported(&text) {
            erase.push(method);
        }
    }
    Ok(Able { erase, ..Able::default() })
}
