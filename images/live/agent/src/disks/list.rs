//! The whole disks of this machine, from `/sys/block` alone.
//!
//! What is no disk of its own (loops, memory, mapped and joined devices, drives for discs, the boot areas of an MMC, hidden paths) is left
//! out, and so is a slot without a medium. A disk that is there and cannot be read is a [`Problem`], so that a wipe stops at it. No tool is
//! run and no device is opened.

use super::{Problem, ata, identity, place};
use crate::{
    contract::{Disk, DiskId},
    machine::Machine,
};

/// A whole disk as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Who it is; what tools say of it (capabilities, signatures, health) is empty.
    pub disk: Disk,
    /// Its folder in `/sys`.
    pub path: String,
    /// Its device number, `8:0`.
    pub number: String,
    /// Its partitions, by number: name and device number.
    pub parts: Vec<(String, String)>,
    /// What is erased together with it: all namespaces of one NVMe subsystem, all paths to one logical unit, else itself.
    pub unit: String,
    /// The NVMe controller, `nvme0`.
    pub controller: Option<String>,
    /// Whether it understands ATA commands.
    pub is_ata: bool,
}

impl Found {
    /// Its device file.
    pub fn node(&self) -> String {
        format!("/dev/{}", self.disk.name)
    }
}

/// Whether a name of `/sys/block` can be a whole disk.
pub fn whole(name: &str) -> bool {
    const NONE: [&str; 15] = ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "bcache", "drbd", "rbd", "zd", "nullb", "mtdblock", "ubiblock"];
    let numbered = |start: &str| name.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '_'));
    let mmc_area = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb") || name.contains("gp"));
    !NONE.iter().any(|start| numbered(start)) && !mmc_area
}

/// All whole disks, by name.
pub fn list(machine: &dyn Machine) -> (Vec<Found>, Vec<Problem>) {
    let names = match machine.list("/sys/block") {
        Ok(names) => names,
        Err(error) => return (Vec::new(), vec![Problem::disks(format!("/sys/block cannot be read: {error}"))]),
    };
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for name in names.iter().filter(|name| whole(name)) {
        match look(machine, name) {
            Ok(Some(one)) => found.push(one),
            Ok(None) => {}
            Err(text) => problems.push(Problem::disks(format!("{name}: {text}"))),
        }
    }
    let mut named: Vec<_> = found.iter_mut().map(|(found, place)| (&mut found.disk, &*place)).collect();
    identity::name_all(&mut named);
    (found.into_iter().map(|(found, _)| found).collect(), problems)
}

/// One disk; `None`: it is none after all.
fn look(machine: &dyn Machine, name: &str) -> Result<Option<(Found, place::Place)>, String> {
    let target = machine.link(&format!("/sys/block/{name}")).map_err(|error| format!("its place in /sys cannot be read: {error}"))?;
    let path = place::resolve("/sys/block", &target);
    let word = |file: &str| machine.word(&format!("{path}/{file}"));
    let flag = |file: &str| word(file).as_deref() == Some("1");
    if flag("hidden") {
        return Ok(None);
    }
    let sectors = word("size").and_then(|size| size.parse::<u64>().ok()).ok_or("its size cannot be read")?;
    let number = word("dev").filter(|number| number.contains(':')).ok_or("its device number cannot be read")?;
    let read_only = word("ro").ok_or("it cannot be read whether it is read-only")? != "0";
    let removable = flag("removable");
    if sectors == 0 && removable {
        return Ok(None);
    }
    let place = place::of(machine, name, &path);
    let spoken = spoken(machine, name, &path, &place);
    let mut disk = Disk {
        id: DiskId(String::new()),
        name: name.to_owned(),
        by_id: Vec::new(),
        model: spoken.model,
        serial: spoken.serial,
        wwn: identity::wwn(&spoken.wwid),
        firmware: spoken.firmware,
        size_bytes: sectors * 512,
        rotational: flag("queue/rotational"),
        read_only,
        removable,
        transport: place.transport.clone(),
        address: place.address.clone(),
        health: None,
        erase: Vec::new(),
        erase_minutes: None,
        frozen: false,
        signatures: Vec::new(),
    };
    disk.by_id = identity::by_id(&disk, &spoken.vendor, &spoken.wwid);
    let unit = match spoken.subsystem {
        Some(subsystem) => subsystem,
        None if !disk.wwn.is_empty() => disk.wwn.clone(),
        None => path.clone(),
    };
    let parts = parts(machine, name, &path)?;
    Ok(Some((Found { disk, path, number, parts, unit, controller: spoken.controller, is_ata: spoken.is_ata }, place)))
}

/// Its partitions, by number.
fn parts(machine: &dyn Machine, name: &str, path: &str) -> Result<Vec<(String, String)>, String> {
    let names = machine.list(path).map_err(|error| format!("its folder in /sys cannot be read: {error}"))?;
    let mut parts: Vec<(u32, String, String)> = Vec::new();
    for part in names.into_iter().filter(|part| part.starts_with(name)) {
        let word = |file: &str| machine.word(&format!("{path}/{part}/{file}"));
        if let Some(number) = word("partition").and_then(|number| number.parse().ok()) {
            parts.push((number, part.clone(), word("dev").unwrap_or_default()));
        }
    }
    parts.sort();
    Ok(parts.into_iter().map(|(_, name, dev)| (name, dev)).collect())
}

/// What a disk says of itself through its driver.
#[derive(Default)]
struct Spoken {
    vendor: String,
    model: String,
    serial: String,
    firmware: String,
    wwid: String,
    subsystem: Option<String>,
    controller: Option<String>,
    is_ata: bool,
}

fn spoken(machine: &dyn Machine, name: &str, path: &str, place: &place::Place) -> Spoken {
    let device = place::device(path);
    let of = |folder: &str, file: &str| machine.word(&format!("{folder}/{file}")).unwrap_or_default();
    if name.starts_with("nvme") {
        let controllers = place::controllers(machine, path);
        let first = controllers.first().map_or(device, String::as_str);
        let subsystem = machine.word(&format!("{first}/subsysnqn")).filter(|nqn| !nqn.is_empty()).unwrap_or_else(|| first.to_owned());
        return Spoken {
            model: of(first, "model"),
            serial: of(first, "serial"),
            firmware: of(first, "firmware_rev"),
            wwid: of(path, "wwid"),
            subsystem: Some(subsystem),
            controller: first.rsplit('/').next().map(str::to_owned),
            ..Spoken::default()
        };
    }
    match place.transport.as_str() {
        "virtio" => Spoken { serial: of(path, "serial"), ..Spoken::default() },
        "mmc" => Spoken { model: of(device, "name"), serial: of(device, "serial"), firmware: of(device, "fwrev"), ..Spoken::default() },
        "pmem" | "xen" => Spoken { wwid: format!("uuid.{}", of(path, "uuid")), ..Spoken::default() },
        "dasd" => Spoken { serial: of(device, "uid"), ..Spoken::default() },
        _ => scsi(machine, device),
    }
}

/// SCSI and ATA disks. An INQUIRY cuts the model of an ATA disk after 16 letters, so its own IDENTIFY is preferred.
fn scsi(machine: &dyn Machine, device: &str) -> Spoken {
    let of = |file: &str| machine.word(&format!("{device}/{file}")).unwrap_or_default();
    let page = |file: &str| machine.read(&format!("{device}/{file}")).unwrap_or_default();
    let vendor = of("vendor");
    let identify = ata::identify(&page("vpd_pg89"));
    let is_ata = identify.is_some() || vendor == "ATA";
    let identify = identify.unwrap_or_default();
    let or = |first: String, then: String| if first.is_empty() { then } else { first };
    Spoken {
        model: or(identify.model, of("model")),
        serial: or(or(identify.serial, identity::page_80(&page("vpd_pg80"))), usb_serial(machine, device)),
        firmware: or(identify.firmware, of("rev")),
        wwid: of("wwid"),
        is_ata,
        vendor: if is_ata { String::new() } else { vendor },
        ..Spoken::default()
    }
}

/// A USB device's own serial number, where the bridge hides the disk's.
fn usb_serial(machine: &dyn Machine, device: &str) -> String {
    let mut folder = device;
    while let Some((up, _)) = folder.rsplit_once('/').filter(|(up, _)| up.contains("/usb")) {
        folder = up;
        if machine.word(&format!("{folder}/idVendor")).is_some() {
            return machine.word(&format!("{folder}/serial")).unwrap_or_default();
        }
    }
    String::new()
}
