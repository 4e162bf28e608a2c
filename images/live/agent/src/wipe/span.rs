//! What reaches over several disks: arrays, volume groups, pools, and whatever the kernel has put on top of them.
//!
//! Erasing one disk of an array breaks the array. So what lies on a planned disk may lie on planned disks only; anything that spans a planned
//! and another disk stops the whole before anything is touched. Seen in two ways: the holders that the kernel shows, and the signatures on the
//! disks, because in a live image most arrays are not running. What cannot be looked at counts as spanning where it could be.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use super::{Site, frozen::Fitting};
use crate::disks::{self, Found, Sign};

/// Signatures of members whose UUID, if they have one, is that of the array or pool that they belong to; beside all that end in [`RAID`].
const SHARED: [&str; 5] = ["btrfs", "zfs_member", "bcache", "drbd", "ceph_bluestore"];

/// How members of arrays end, those of a board's own firmware (`isw_raid_member` …) too.
const RAID: &str = "_raid_member";

/// What lies on the planned disks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layers {
    /// Devices that are the planned disks, their partitions and everything on top: name and device number.
    pub devices: BTreeMap<String, String>,
    /// Of them, those on top: arrays, mapped and cached devices, with their folders in `/sys`.
    pub holders: BTreeMap<String, String>,
    /// Signatures on the planned disks and their partitions.
    pub signs: Vec<Sign>,
    /// Volume groups on them.
    pub groups: BTreeSet<String>,
}

/// Looks at the planned disks and at what they share with others.
///
/// # Errors
/// In one sentence: something spans, or that cannot be ruled out.
pub fn look(site: &Site<'_>, fitting: &Fitting) -> Result<Layers, String> {
    let mut layers = Layers::default();
    one_unit(fitting)?;
    for disk in &fitting.planned {
        climb(site, disk, &mut layers)?;
    }
    for (holder, path) in &layers.holders {
        let below = names(site, &format!("{path}/slaves"))?;
        if let Some(other) = below.iter().find(|below| !layers.devices.contains_key(*below)) {
            return Err(format!("{holder} lies on a planned disk and on {other}, which the plan does not erase"));
        }
    }
    let ours = signs(site, &fitting.planned);
    let others = signs(site, &fitting.others);
    shared(&ours, &others)?;
    layers.signs = ours.signs;
    layers.groups = groups(site, &layers, &others.signs)?;
    Ok(layers)
}

/// Two names for one logical unit: erasing the one erases the other.
fn one_unit(fitting: &Fitting) -> Result<(), String> {
    for disk in fitting.planned.iter().filter(|disk| !disk.disk.wwn.is_empty()) {
        if let Some(other) = fitting.others.iter().find(|other| other.disk.wwn == disk.disk.wwn) {
            return Err(format!("{} and {} are two ways to the same disk, and the plan erases one only", disk.disk.name, other.disk.name));
        }
    }
    Ok(())
}

/// Everything that the kernel shows on top of a disk.
fn climb(site: &Site<'_>, disk: &Found, layers: &mut Layers) -> Result<(), String> {
    let mut open = vec![(disk.disk.name.clone(), disk.path.clone(), disk.number.clone())];
    open.extend(disk.parts.iter().map(|(name, number)| (name.clone(), format!("{}/{name}", disk.path), number.clone())));
    while let Some((name, path, number)) = open.pop() {
        for holder in names(site, &format!("{path}/holders"))? {
            if layers.holders.contains_key(&holder) {
                continue;
            }
            let above = folder(site, &holder)?;
            let word = |file: &str| site.machine.word(&format!("{above}/{file}")).unwrap_or_default();
            open.push((holder.clone(), above.clone(), word("dev")));
            // An array may have partitions of its own.
            for part in names(site, &above)?.into_iter().filter(|part| part.starts_with(&holder)) {
                open.push((part.clone(), format!("{above}/{part}"), word(&format!("{part}/dev"))));
            }
            layers.holders.insert(holder, above);
        }
        layers.devices.insert(name, number);
    }
    Ok(())
}

fn folder(site: &Site<'_>, name: &str) -> Result<String, String> {
    let target = site.machine.link(&format!("/sys/block/{name}")).map_err(|error| format!("{name} cannot be looked at: {error}"))?;
    Ok(disks::resolve("/sys/block", &target))
}

/// The names in a folder; none if it is not there.
pub fn names(site: &Site<'_>, folder: &str) -> Result<Vec<String>, String> {
    match site.machine.list(folder) {
        Ok(names) => Ok(names),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{folder} cannot be read: {error}")),
    }
}

/// Signatures of some disks, and those that could not be read.
struct Signs {
    signs: Vec<Sign>,
    blind: Vec<String>,
}

fn signs(site: &Site<'_>, found: &[Found]) -> Signs {
    let mut all = Signs { signs: Vec::new(), blind: Vec::new() };
    for disk in found {
        let nodes: Vec<String> = std::iter::once(disk.node()).chain(disk.parts.iter().map(|(part, _)| format!("/dev/{part}"))).collect();
        site.uses("wipefs");
        match disks::scan(site.machine, &nodes) {
            Ok(signs) => all.signs.extend(signs),
            Err(text) => all.blind.push(format!("{}: {text}", disk.disk.name)),
        }
    }
    all
}

fn is_member(sign: &Sign) -> bool {
    sign.kind == "LVM2_member" || is_shared(sign)
}

fn is_shared(sign: &Sign) -> bool {
    SHARED.contains(&sign.kind.as_str()) || sign.kind.ends_with(RAID)
}

fn shared(ours: &Signs, others: &Signs) -> Result<(), String> {
    // Members without a UUID (arrays of a board's firmware) are of one array, for all that can be said.
    let may_be_one = |mine: &Sign, other: &Sign| {
        other.kind == mine.kind && (other.uuid == mine.uuid || (mine.kind.ends_with(RAID) && (mine.uuid.is_empty() || other.uuid.is_empty())))
    };
    for mine in ours.signs.iter().filter(|sign| is_shared(sign) && (!sign.uuid.is_empty() || sign.kind.ends_with(RAID))) {
        if let Some(other) = others.signs.iter().find(|other| may_be_one(mine, other)) {
            return Err(format!("{} and {} belong to the same {}, and the plan erases one only", mine.device, other.device, mine.kind));
        }
    }
    // Where one side cannot be read and the other has members, nobody knows.
    let blind = |here: &Signs, there: &Signs| here.blind.first().filter(|_| there.signs.iter().any(is_member)).cloned();
    match blind(ours, others).or_else(|| blind(others, ours)) {
        Some(text) => Err(format!("it cannot be said whether something spans several disks: {text}")),
        None => Ok(()),
    }
}

/// Settings of LVM without udev and without its list of devices.
pub const LVM: &str = "devices { use_devicesfile=0 obtain_device_list_from_udev=0 } activation { udev_sync=0 udev_rules=0 }";

/// The volume groups of the planned disks.
fn groups(site: &Site<'_>, layers: &Layers, others: &[Sign]) -> Result<BTreeSet<String>, String> {
    let member = |signs: &[Sign]| signs.iter().any(|sign| sign.kind == "LVM2_member");
    if !member(&layers.signs) {
        return Ok(BTreeSet::new());
    }
    let said = site.ask("pvs", &["--reportformat", "json", "-o", "pv_name,vg_name", "--config", LVM]);
    let volumes = said.and_then(|text| read_pvs(&text).ok_or_else(|| "pvs says nothing that can be read".to_owned()));
    let volumes = match volumes {
        Ok(volumes) => volumes,
        Err(text) if member(others) => return Err(format!("it cannot be said whether a volume group spans several disks: {text}")),
        // All members lie on planned disks; what is active is seen as a holder.
        Err(_) => return Ok(BTreeSet::new()),
    };
    let mut ours = BTreeSet::new();
    let is_ours = |node: &str| node.strip_prefix("/dev/").is_some_and(|name| layers.devices.contains_key(name));
    for (_, group) in volumes.iter().filter(|(node, group)| is_ours(node) && !group.is_empty()) {
        // A member that is missing altogether (`[unknown]`) is on no disk of this machine.
        if let Some((other, _)) = volumes.iter().find(|(node, its)| its == group && !is_ours(node) && node.starts_with("/dev/")) {
            return Err(format!("the volume group {group} lies on a planned disk and on {other}, which the plan does not erase"));
        }
        ours.insert(group.clone());
    }
    Ok(ours)
}

/// Reads `pvs --reportformat json`: device and group.
pub fn read_pvs(text: &str) -> Option<Vec<(String, String)>> {
    let said: serde_json::Value = serde_json::from_str(text).ok()?;
    let rows = said.pointer("/report/0/pv")?.as_array()?;
    let word = |row: &serde_json::Value, key: &str| row.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    Some(rows.iter().map(|row| (word(row, "pv_name"), word(row, "vg_name"))).collect())
}
