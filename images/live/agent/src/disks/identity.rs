//! What a disk is called: its world wide name, else model and serial number, else its place.
//!
//! The same disk must have the same name at the next boot, and never the name of another. So only names that a maker gives once count
//! (`naa`, `eui`, `uuid`); what the kernel makes up from model and serial (`t10.`, `nvme.`) does not, and neither do the zeroes that some
//! makers leave. Names under `/dev/disk/by-id` are made here as udev would, because the live image has no udev.

use std::collections::BTreeMap;

use super::place::Place;
use crate::contract::{Disk, DiskId};

/// A world wide name as `lsblk` writes it: `0x5000c500a1b2c3d4`, `eui.0025385b01412345`, `uuid.…`; empty: it has none.
pub fn wwn(wwid: &str) -> String {
    let wwid = wwid.trim().to_ascii_lowercase();
    let Some((kind, value)) = wwid.split_once('.') else { return String::new() };
    let value = value.trim();
    let sound = !value.is_empty() && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') && value.bytes().any(|b| b != b'0' && b != b'-');
    match kind {
        "naa" if sound => format!("0x{value}"),
        "eui" | "uuid" if sound => format!("{kind}.{value}"),
        _ => String::new(),
    }
}

/// The serial number of a vital product data page 0x80.
pub fn page_80(page: &[u8]) -> String {
    let Some(&[_, 0x80, high, low]) = page.get(..4) else { return String::new() };
    let end = 4 + usize::from(u16::from_be_bytes([high, low]));
    tidy(page.get(4..end.min(page.len())).unwrap_or_default())
}

/// Text of a device: what can be printed, without the blanks around it.
pub fn tidy(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|&b| char::from(b)).filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    text.trim().to_owned()
}

/// As udev writes it: blanks are `_`, and so is what has no place in a file's name.
pub fn in_a_name(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join("_").chars().map(|c| if c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) { c } else { '_' }).collect()
}

/// Serial numbers that say nothing: none, or one character again and again.
fn says_nothing(serial: &str) -> bool {
    let mut letters = serial.chars().filter(|c| c.is_ascii_alphanumeric());
    match letters.next() {
        None => true,
        Some(first) => serial.len() > 1 && "0xXfF".contains(first) && letters.all(|c| c == first),
    }
}

/// The best name of one disk, not knowing the others.
fn alone(disk: &Disk, place: &Place) -> DiskId {
    let named = [&disk.model, &disk.serial].map(|part| in_a_name(part)).into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    match () {
        () if !disk.wwn.is_empty() => DiskId(format!("wwn:{}", disk.wwn)),
        () if !says_nothing(&disk.serial) => DiskId(format!("serial:{named}")),
        () => by_place(place),
    }
}

fn by_place(place: &Place) -> DiskId {
    DiskId(format!("path:{}", place.stable))
}

/// Names them all; disks that would have the same name are named by their places.
pub fn name_all(disks: &mut [(&mut Disk, &Place)]) {
    let mut held: BTreeMap<DiskId, u32> = BTreeMap::new();
    for (disk, place) in disks.iter_mut() {
        disk.id = alone(disk, place);
        *held.entry(disk.id.clone()).or_default() += 1;
    }
    for (disk, place) in disks.iter_mut() {
        if held.get(&disk.id).is_some_and(|count| *count > 1) {
            disk.id = by_place(place);
        }
    }
}

/// The names under `/dev/disk/by-id`.
pub fn by_id(disk: &Disk, vendor: &str, wwid: &str) -> Vec<String> {
    let (model, serial, vendor) = (in_a_name(&disk.model), in_a_name(&disk.serial), in_a_name(vendor));
    let joined = |start: &str, parts: &[&str]| {
        let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
        (!serial.is_empty()).then(|| format!("{start}{}", parts.join("_")))
    };
    let naa = wwid.trim().strip_prefix("naa.").map(|naa| format!("scsi-3{}", naa.to_ascii_lowercase()));
    let mut names: Vec<Option<String>> = match disk.transport.as_str() {
        nvme if nvme.starts_with("nvme") => {
            vec![joined("nvme-", &[&model, &serial]), (!wwid.trim().is_empty()).then(|| format!("nvme-{}", in_a_name(wwid)))]
        }
        "sata" => vec![joined("ata-", &[&model, &serial])],
        "virtio" => vec![(!serial.is_empty()).then(|| format!("virtio-{}", serial.chars().take(20).collect::<String>()))],
        "usb" => vec![joined("usb-", &[&vendor, &model, &serial]).map(|name| format!("{name}-0:0"))],
        "mmc" => vec![joined("mmc-", &[&model, &serial])],
        "sas" | "scsi" | "fc" | "iscsi" => vec![naa, joined("scsi-S", &[&vendor, &model, &serial])],
        _ => Vec::new(),
    };
    names.push(disk.wwn.starts_with("0x").then(|| format!("wwn-{}", disk.wwn)));
    let mut names: Vec<String> = names.into_iter().flatten().collect();
    names.sort();
    names
}
