//! Where a disk is plugged in: its transport, its address, and a name of that place that the next boot gives again.
//!
//! All of it is read off the device's path in `/sys`. The kernel numbers SCSI hosts in the order in which it finds them, so the stable name
//! counts them from the first host of the same controller. Whether a place is foreign is not judged here: the server does that.

use crate::machine::Machine;

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `nvme`, `sata`, `sas`, `scsi`, `virtio`, `usb`, `mmc`, `iscsi`, `fc` …
    pub transport: String,
    /// host:channel:target:lun, else the PCI address, else empty.
    pub address: String,
    /// What follows `path:` in the identity of a disk that has no better one.
    pub stable: String,
}

/// The folder of the device that a disk belongs to: `…/0:0:0:0` of `…/0:0:0:0/block/sda`, the controller of a namespace.
pub fn device(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or(path, |(folder, _)| folder);
    folder.strip_suffix("/block").unwrap_or(folder)
}

/// Follows a link as it is written, from the folder that it lies in.
pub fn resolve(folder: &str, target: &str) -> String {
    let start = if target.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The place of the disk `name` whose folder is `path`.
pub fn of(machine: &dyn Machine, name: &str, path: &str) -> Place {
    if name.starts_with("nvme") {
        return namespace(machine, path);
    }
    let pci = pci(path);
    let hctl = path.split('/').find(|part| is_hctl(part));
    let transport = transport(machine, name, path);
    let stable = match (pci, hctl) {
        (Some(pci), Some(hctl)) => format!("pci-{pci}-{}", counted(machine, pci, hctl, path)),
        (Some(pci), None) => format!("pci-{pci}"),
        // No bus that is known here: the device's own path, which holds no number of the order of finding but on such a bus.
        (None, _) => device(path).trim_start_matches("/sys/devices/").replace('/', "-"),
    };
    Place { transport, address: hctl.or(pci).unwrap_or_default().to_owned(), stable }
}

/// The controllers of an NVMe namespace: one, or, behind a subsystem with several ports, all.
pub fn controllers(machine: &dyn Machine, path: &str) -> Vec<String> {
    let parent = device(path);
    let is_controller = |name: &str| name.strip_prefix("nvme").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    if is_controller(parent.rsplit('/').next().unwrap_or_default()) {
        return vec![parent.to_owned()];
    }
    let names = machine.list(parent).unwrap_or_default();
    let links = names.iter().filter(|name| is_controller(name)).filter_map(|name| machine.link(&format!("{parent}/{name}")).ok());
    links.map(|target| resolve(parent, &target)).collect()
}

fn namespace(machine: &dyn Machine, path: &str) -> Place {
    let controllers = controllers(machine, path);
    let first = controllers.first().map(String::as_str).unwrap_or_default();
    let transport = match machine.word(&format!("{first}/transport")).as_deref() {
        None | Some("pcie" | "") => "nvme".to_owned(),
        Some(fabric) => format!("nvme-{fabric}"),
    };
    let address = pci(first).unwrap_or_default().to_owned();
    let nsid = machine.word(&format!("{path}/nsid")).unwrap_or_else(|| path.rsplit('n').next().unwrap_or_default().to_owned());
    let stable =
        if address.is_empty() { format!("{}-ns{nsid}", first.rsplit('/').next().unwrap_or_default()) } else { format!("pci-{address}-ns{nsid}") };
    Place { transport, address, stable }
}

fn transport(machine: &dyn Machine, name: &str, path: &str) -> String {
    let has = |start: &str| path.split('/').any(|part| part.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())));
    let is_ata = || machine.word(&format!("{}/vendor", device(path))).as_deref() == Some("ATA");
    let word = match name {
        _ if name.starts_with("vd") => "virtio",
        _ if name.starts_with("mmcblk") => "mmc",
        _ if name.starts_with("xvd") => "xen",
        _ if name.starts_with("pmem") => "pmem",
        _ if name.starts_with("dasd") => "dasd",
        _ if has("usb") => "usb",
        _ if has("fw") => "ieee1394",
        _ if has("session") => "iscsi",
        _ if has("rport-") => "fc",
        _ if has("ata") || is_ata() => "sata",
        _ if has("end_device-") => "sas",
        _ => "scsi",
    };
    word.to_owned()
}

/// The last PCI address on the way, `0000:00:1f.2`.
fn pci(path: &str) -> Option<&str> {
    path.split('/').rfind(|part| {
        let mut rest = part.splitn(3, ':');
        let hex = |text: Option<&str>, len: usize| text.is_some_and(|text| text.len() >= len && text.bytes().all(|b| b.is_ascii_hexdigit()));
        hex(rest.next(), 4)
            && hex(rest.next(), 2)
            && rest.next().and_then(|last| last.split_once('.')).is_some_and(|(slot, f)| hex(Some(slot), 2) && hex(Some(f), 1))
    })
}

fn is_hctl(part: &str) -> bool {
    let numbers: Vec<&str> = part.split(':').collect();
    numbers.len() == 4 && numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// `scsi-1:0:0:0` for the second host of its controller; `usb-1-2:1.0-0:0:0:0` on a USB port.
fn counted(machine: &dyn Machine, controller: &str, hctl: &str, path: &str) -> String {
    let (host, rest) = hctl.split_once(':').unwrap_or((hctl, ""));
    let hosts = machine.list("/sys/class/scsi_host").unwrap_or_default();
    let number = |name: &str| name.strip_prefix("host").and_then(|number| number.parse::<u32>().ok());
    let ours = hosts.iter().filter(|name| {
        let target = machine.link(&format!("/sys/class/scsi_host/{name}")).unwrap_or_default();
        pci(&resolve("/sys/class/scsi_host", &target)) == Some(controller)
    });
    let first = ours.filter_map(|name| number(name)).min();
    let mine: u32 = host.parse().unwrap_or(0);
    let counted = mine.saturating_sub(first.unwrap_or(mine));
    // A USB host is made anew at every plugging; the port in front of it is what stays.
    match path.split('/').rfind(|part| part.contains('-') && part.contains(':') && part.starts_with(|c: char| c.is_ascii_digit())) {
        Some(port) => format!("usb-{port}-0:{rest}"),
        None => format!("scsi-{counted}:{rest}"),
    }
}
