//! Whose disk it is: what may be storage that others use too, and is therefore left alone unless it is named.
//!
//! Leaving a disk is shown and can be corrected; erasing somebody else's cannot. So transports are a list of those that are known to be inside
//! the machine, and whatever is not on it is foreign.

use crate::model::facts::Disk;

/// Transports of disks inside the machine, as the kernel says; the empty word is a controller that says nothing.
const LOCAL: [&str; 12] = ["", "nvme", "sata", "ata", "ide", "sas", "scsi", "spi", "virtio", "mmc", "xen", "pmem"];

/// Of these, the ones whose disks are no media whatever they say: on a hot-plug port many controllers call a built-in SATA disk removable.
const FIXED: [&str; 5] = ["nvme", "sata", "ata", "sas", "virtio"];

/// Signatures (as `blkid` spells them, in lower case) of storage that several machines share.
const SHARED: [(&str, &str); 8] = [
    ("vmfs", "a VMFS datastore"),
    ("gfs", "a GFS cluster file system"),
    ("gfs2", "a GFS2 cluster file system"),
    ("ocfs", "an OCFS cluster file system"),
    ("ocfs2", "an OCFS2 cluster file system"),
    ("gpfs", "a GPFS cluster file system"),
    ("oracleasm", "an Oracle ASM disk"),
    ("mpath_member", "a path of a multipath device"),
];

/// Why this disk looks like somebody else's; `None`: it does not.
pub(super) fn why(disk: &Disk) -> Option<String> {
    let transport = disk.transport.to_ascii_lowercase();
    if disk.removable && !FIXED.contains(&transport.as_str()) {
        return Some("its medium is removable".to_owned());
    }
    if !LOCAL.contains(&transport.as_str()) {
        let text = match transport.as_str() {
            "usb" => "it is attached by USB".to_owned(),
            "iscsi" | "fc" | "fcoe" => format!("it is storage of a network ({transport})"),
            other if other.starts_with("nvme") => format!("it is NVMe over a network ({other})"),
            other => format!("its transport {other:?} is not known to be inside the machine"),
        };
        return Some(text);
    }
    let shared = disk.signatures.iter().find_map(|signature| sharing(signature));
    shared.map(|what| format!("it carries {what}, which other machines may use"))
}

/// What a signature says about sharing. `VMFS_volume_member` is VMFS.
fn sharing(signature: &str) -> Option<&'static str> {
    let signature = signature.to_ascii_lowercase();
    let names = |word: &str| signature == word || signature.strip_prefix(word).is_some_and(|rest| rest.starts_with('_'));
    SHARED.iter().find(|(word, _)| names(word)).map(|(_, what)| *what)
}
