//! How long a wipe takes: `lifecycle.md` section 5 for one disk, and disks beside each other for the whole.
//!
//! A soft time is what should suffice for the method that is tried first; a hard time leaves room for every way to run to its end once, so
//! that a drive whose own erase fails late can still be overwritten.

use crate::model::{Deadlines, EraseMethod, PlannedDisk, WipePlan, facts::Disk};

const MINUTE: u64 = 60;

/// The machine has to start, boot the image and look at its disks before anything is erased.
const BOOT: Deadlines = Deadlines { soft_secs: 10 * MINUTE, hard_secs: 30 * MINUTE };

/// Tables, signatures and both ends; and a drive that throws its key away.
const QUICK: Deadlines = Deadlines { soft_secs: 10 * MINUTE, hard_secs: 30 * MINUTE };

/// No erase is given less: the markers, the samples and the scan take their time on any disk.
const LEAST: Deadlines = Deadlines { soft_secs: 2 * MINUTE, hard_secs: 10 * MINUTE };

/// What a slow disk writes in a second.
const BYTES_PER_SEC: u64 = 50_000_000;

/// What a method is, for the time it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Quick,
    Own,
    Fill,
}

const fn way(method: EraseMethod) -> Way {
    match method {
        EraseMethod::MetadataOnly => Way::Quick,
        EraseMethod::WriteZeroes | EraseMethod::Overwrite | EraseMethod::ScsiSanitizeOverwrite => Way::Fill,
        EraseMethod::NvmeSanitizeCrypto
        | EraseMethod::NvmeSanitizeBlock
        | EraseMethod::NvmeFormatCrypto
        | EraseMethod::NvmeFormatUserData
        | EraseMethod::AtaSanitizeCrypto
        | EraseMethod::AtaSanitizeBlock
        | EraseMethod::AtaSecurityEraseEnhanced
        | EraseMethod::AtaSecurityErase
        | EraseMethod::ScsiSanitizeCrypto
        | EraseMethod::ScsiSanitizeBlock => Way::Own,
    }
}

/// The time of one disk with these methods.
pub(super) fn disk(disk: &Disk, methods: &[EraseMethod]) -> Deadlines {
    let fill_secs = disk.size_bytes.div_ceil(BYTES_PER_SEC);
    let fill = Deadlines { soft_secs: fill_secs, hard_secs: fill_secs.saturating_mul(2) };
    let time = |way| match way {
        Way::Quick => QUICK,
        Way::Fill => fill,
        Way::Own => own(disk, fill),
    };
    let first = methods.first().map_or(QUICK, |method| time(way(*method)));
    let tried = [Way::Quick, Way::Own, Way::Fill].into_iter().filter(|one| methods.iter().any(|method| way(*method) == *one));
    let hard_secs = tried.map(|one| time(one).hard_secs).fold(0, u64::saturating_add);
    Deadlines { soft_secs: first.soft_secs.max(LEAST.soft_secs), hard_secs: hard_secs.max(first.soft_secs).max(LEAST.hard_secs) }
}

/// The drive's own erase. One that does not say how long it takes is quick if nothing turns in it, and has as long as writing it would take.
fn own(disk: &Disk, fill: Deadlines) -> Deadlines {
    match disk.erase_minutes {
        Some(minutes) => {
            let secs = u64::from(minutes) * MINUTE;
            // The word is about one of its commands; another of them may have to be tried.
            Deadlines { soft_secs: secs * 3 / 2, hard_secs: (secs * 3).max(QUICK.hard_secs) }
        }
        None if disk.rotational => fill,
        None => Deadlines { soft_secs: QUICK.soft_secs, hard_secs: fill.hard_secs.max(QUICK.hard_secs) },
    }
}

/// The time of the whole: the machine's start, and its drives so many at once, each begun when one before it is done.
pub fn deadlines(plan: &WipePlan) -> Deadlines {
    let drives = drives(plan);
    let whole = |boot: u64, secs: fn(&PlannedDisk) -> u64| {
        let mut lanes = vec![0_u64; plan.parallel.max(1) as usize];
        for drive in &drives {
            lanes.sort_unstable();
            lanes[0] = drive.iter().map(|disk| secs(disk)).fold(lanes[0], u64::saturating_add);
        }
        boot.saturating_add(lanes.into_iter().max().unwrap_or(0))
    };
    Deadlines { soft_secs: whole(BOOT.soft_secs, |disk| disk.soft_secs), hard_secs: whole(BOOT.hard_secs, |disk| disk.hard_secs) }
}

/// The planned disks by drive: namespaces of one NVMe drive are wiped one after the other, and share its serial number.
fn drives(plan: &WipePlan) -> Vec<Vec<&PlannedDisk>> {
    let mut drives: Vec<Vec<&PlannedDisk>> = Vec::new();
    for disk in &plan.disks {
        let is_ours = |drive: &Vec<&PlannedDisk>| drive.iter().any(|other| other.serial == disk.serial && other.model == disk.model);
        let known = drives.iter_mut().find(|drive| disk.transport == "nvme" && !disk.serial.is_empty() && is_ours(drive));
        match known {
            Some(drive) => drive.push(disk),
            None => drives.push(vec![disk]),
        }
    }
    drives
}

/// Seconds for people: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub fn span(secs: u64) -> String {
    let pair =
        |big: u64, one: &str, small: u64, other: &str| if small == 0 { format!("{big} {one}") } else { format!("{big} {one} {small} {other}") };
    match secs {
        0..MINUTE => format!("{secs} s"),
        MINUTE..3_600 => format!("{} min", secs.div_ceil(MINUTE)),
        3_600..86_400 => pair(secs / 3_600, "h", secs % 3_600 / MINUTE, "min"),
        _ => pair(secs / 86_400, "d", secs % 86_400 / 3_600, "h"),
    }
}
