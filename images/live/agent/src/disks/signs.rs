//! What lies on a disk and its partitions: tables, file systems, members of something larger.
//!
//! `wipefs --no-act --json` lists every signature, also two on one device, where `blkid` would call the device ambiguous and say nothing.
//! `blkid -p` adds the types of partitions, by which GPFS and VMware are known. Both open the device for reading only. Whether a signature is
//! foreign is the server's to say.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Found, Problem, told};
use crate::machine::Machine;

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// The device, `sda1`.
    pub device: String,
    /// `gpt`, `ext4`, `LVM2_member` …
    pub kind: String,
    /// Of the file system, the array or the pool; what all members of an array have in common.
    pub uuid: String,
}

/// Types of GPT partitions whose file systems libblkid does not know or may not find.
const PART_TYPES: [(&str, &str); 3] = [
    ("37affc90-ef7d-4e96-91c3-2d7ae055b174", "gpfs"),
    ("aa31e02a-400f-11db-9590-000c2911d1b8", "VMFS_volume_member"),
    ("9d275380-40ad-11db-bf97-000c2911d1b8", "vmware_coredump"),
];

/// Reads `wipefs --no-act --json`.
pub fn read(text: &str) -> Option<Vec<Sign>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let said: Value = serde_json::from_str(text).ok()?;
    let word = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows = said.get("signatures")?.as_array()?;
    Some(rows.iter().map(|row| Sign { device: word(row, "device"), kind: word(row, "type"), uuid: word(row, "uuid") }).collect())
}

/// Everything that `wipefs` finds on these device files.
///
/// # Errors
/// In one sentence: it cannot be said what is on them.
pub fn scan(machine: &dyn Machine, nodes: &[String]) -> Result<Vec<Sign>, String> {
    let words: Vec<&str> = ["--no-act", "--json"].into_iter().chain(nodes.iter().map(String::as_str)).collect();
    let text = told(machine, "wipefs", &words, &[0])?;
    read(&text).ok_or_else(|| "wipefs says nothing that can be read".to_owned())
}

/// The names of all signatures of a disk, its own first.
pub fn names(machine: &dyn Machine, found: &Found, problems: &mut Vec<Problem>) -> Vec<String> {
    let nodes: Vec<String> = std::iter::once(found.node()).chain(found.parts.iter().map(|(part, _)| format!("/dev/{part}"))).collect();
    let mut names: Vec<String> = Vec::new();
    let mut problem = |text: String| problems.push(Problem::disks(format!("{}: {text}", found.disk.name)));
    match scan(machine, &nodes) {
        // A protective MBR says nothing beside its GPT.
        Ok(signs) => {
            let gpt = signs.iter().any(|sign| sign.kind == "gpt");
            names.extend(signs.into_iter().map(|sign| sign.kind).filter(|kind| !(gpt && kind == "PMBR")));
        }
        Err(text) => problem(text),
    }
    for node in &nodes[1..] {
        match told(machine, "blkid", &["-p", "-o", "export", node], &[0, 2]) {
            Ok(text) => names.extend(part_type(&text)),
            Err(text) => problem(text),
        }
    }
    names.extend(mapped(machine, found));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn part_type(text: &str) -> Option<String> {
    let guid = text.lines().find_map(|line| line.strip_prefix("PART_ENTRY_TYPE="))?;
    PART_TYPES.iter().find(|(known, _)| guid.eq_ignore_ascii_case(known)).map(|(_, name)| (*name).to_owned())
}

/// A disk that the kernel already holds as a path of a multipath device.
fn mapped(machine: &dyn Machine, found: &Found) -> Option<String> {
    let holders = machine.list(&format!("{}/holders", found.path)).unwrap_or_default();
    let is_path = |holder: &String| machine.word(&format!("/sys/block/{holder}/dm/uuid")).is_some_and(|uuid| uuid.starts_with("mpath-"));
    holders.iter().any(is_path).then(|| "mpath_member".to_owned())
}
