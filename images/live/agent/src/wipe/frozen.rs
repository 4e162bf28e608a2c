//! Before anything is touched: the disks that are there against the disks that the plan names.
//!
//! All must fit or nothing happens: every planned disk is there, is the same by name, serial number, world wide name, model and size, and takes
//! writes; every other disk is one that the plan leaves alone, or is removable. What spans disks is the next question (`span`).

use std::collections::BTreeMap;

use crate::{
    contract::{DiskId, EraseMethod, PLAN_VERSION, WipePlan, WipePolicy},
    disks::Found,
};

/// What fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitting {
    /// The planned disks, in the order of the plan.
    pub planned: Vec<Found>,
    /// All others.
    pub others: Vec<Found>,
}

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// In one or more sentences.
    pub text: String,
    /// The planned disks whose fault it is, and what each one's is.
    pub disks: BTreeMap<DiskId, String>,
}

impl From<String> for Misfit {
    fn from(text: String) -> Self {
        Self { text, disks: BTreeMap::new() }
    }
}

/// Holds the plan against the disks.
///
/// # Errors
/// [`Misfit`], and nothing may be touched.
pub fn fit(plan: &WipePlan, found: &[Found]) -> Result<Fitting, Misfit> {
    sound(plan)?;
    if let Some((one, other)) = same_name(found) {
        return Err(Misfit::from(format!(
            "{} and {} are both called {}: nobody can say which is meant",
            one.disk.name, other.disk.name, one.disk.id
        )));
    }
    let mut disks = BTreeMap::new();
    let mut planned = Vec::new();
    for meant in &plan.disks {
        match found.iter().find(|found| found.disk.id == meant.id) {
            None => {
                disks.insert(meant.id.clone(), format!("{} ({}, {} bytes) is not there", meant.id, meant.name, meant.size_bytes));
            }
            Some(found) => {
                let differences = differences(meant, found);
                if !differences.is_empty() {
                    disks.insert(meant.id.clone(), format!("{} ({}): {}", meant.id, found.disk.name, differences.join(", ")));
                }
                planned.push(found.clone());
            }
        }
    }
    let others: Vec<Found> = found.iter().filter(|found| !plan.disks.iter().any(|meant| meant.id == found.disk.id)).cloned().collect();
    let mut reasons: Vec<String> = disks.values().cloned().collect();
    reasons.extend(others.iter().filter_map(|other| unexpected(plan, other)));
    if reasons.is_empty() {
        Ok(Fitting { planned, others })
    } else {
        Err(Misfit { text: format!("the disks are not those of the plan: {}", reasons.join("; ")), disks })
    }
}

/// Two disks with one name: the second would be neither planned nor unexpected. Without a serial number of its own a disk is named by its
/// place, and where two have one place nobody can say which is meant.
fn same_name(found: &[Found]) -> Option<(&Found, &Found)> {
    found.iter().enumerate().find_map(|(at, one)| Some((one, found[at + 1..].iter().find(|other| other.disk.id == one.disk.id)?)))
}

/// Whether the plan itself makes sense.
fn sound(plan: &WipePlan) -> Result<(), String> {
    if plan.version != PLAN_VERSION {
        return Err(format!("this agent carries out plans of version {PLAN_VERSION}, not {}", plan.version));
    }
    let mut seen: Vec<&DiskId> = plan.disks.iter().map(|disk| &disk.id).chain(plan.left.iter().map(|left| &left.id)).collect();
    seen.sort();
    if let Some(twice) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("the plan names {} twice", twice[0]));
    }
    for disk in &plan.disks {
        let metadata_only = disk.methods.contains(&EraseMethod::MetadataOnly);
        if disk.methods.is_empty() {
            return Err(format!("the plan has no method for {}", disk.id));
        }
        if metadata_only != (plan.policy == WipePolicy::Metadata) || (metadata_only && disk.methods.len() > 1) {
            return Err(format!("the methods for {} are not those of the plan's policy", disk.id));
        }
    }
    Ok(())
}

fn differences(meant: &crate::contract::PlannedDisk, found: &Found) -> Vec<String> {
    let disk = &found.disk;
    let mut differences: Vec<String> =
        [("serial number", &meant.serial, &disk.serial), ("WWN", &meant.wwn, &disk.wwn), ("model", &meant.model, &disk.model)]
            .into_iter()
            .filter(|(_, meant, found)| meant != found)
            .map(|(what, meant, found)| format!("its {what} is “{found}”, planned is “{meant}”"))
            .collect();
    if disk.size_bytes != meant.size_bytes {
        differences.push(format!("it has {} bytes, planned are {}", disk.size_bytes, meant.size_bytes));
    }
    if disk.read_only {
        differences.push("it is read-only".to_owned());
    }
    differences
}

/// A disk that the plan does not know, or that is not the one which it leaves alone.
fn unexpected(plan: &WipePlan, other: &Found) -> Option<String> {
    let disk = &other.disk;
    // A hot-plug port calls a built-in disk removable; such a disk is no medium that somebody left in.
    let fixed = ["nvme", "sata", "ata", "sas", "virtio"].contains(&disk.transport.as_str());
    if disk.transport == "usb" || (disk.removable && !fixed) {
        return None;
    }
    let says = format!("{} ({}, {} bytes)", disk.id, disk.name, disk.size_bytes);
    match plan.left.iter().find(|left| left.id == disk.id) {
        None => Some(format!("{says} is there and the plan does not know it; register the machine again")),
        Some(left) if left.model != disk.model || left.size_bytes != disk.size_bytes => {
            Some(format!("{says} is not the one which the plan leaves alone (“{}”, {} bytes)", left.model, left.size_bytes))
        }
        Some(_) => None,
    }
}
