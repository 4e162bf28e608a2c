//! Lets go of the planned disks: swap, mounts, volume groups, arrays, caches, mapped devices; then the marks by which they would come back.
//!
//! First everything that changes no disk, then the check that nothing holds them any more, and only then `pvremove` and `--zero-superblock`.
//! A tool that fails is no failure here: whether the disks are free is decided by what the kernel shows afterwards. What reaches over other
//! disks was ruled out before (`span`).

use super::{
    Site,
    span::{self, LVM, Layers},
};
use crate::disks::Found;

/// Rounds of taking down what lies on top of each other.
const ROUNDS: usize = 12;

/// Frees the disks.
///
/// # Errors
/// In one sentence: what still holds them.
pub fn release(site: &Site<'_>, planned: &[Found], layers: &Layers) -> Result<(), String> {
    for device in swaps(site, layers) {
        site.try_to("swapoff", &[&device]);
    }
    for folder in mounts(site, layers).into_iter().rev() {
        site.try_to("umount", &[&folder]);
    }
    for group in &layers.groups {
        site.try_to("vgchange", &["-an", "--config", LVM, group]);
    }
    take_down(site, planned, layers)?;
    held(site, planned, layers)?;
    for sign in &layers.signs {
        let node = format!("/dev/{}", sign.device.trim_start_matches("/dev/"));
        match sign.kind.as_str() {
            "LVM2_member" => site.try_to("pvremove", &["-ff", "-y", "--config", LVM, &node]),
            "linux_raid_member" => site.try_to("mdadm", &["--zero-superblock", &node]),
            _ => {}
        }
    }
    Ok(())
}

/// Ends holders from the top, round by round, as long as one goes.
fn take_down(site: &Site<'_>, planned: &[Found], layers: &Layers) -> Result<(), String> {
    for disk in planned {
        // A cache or its backing device that the kernel has taken in.
        for end in ["bcache/set/stop", "bcache/stop"] {
            for folder in std::iter::once(disk.path.clone()).chain(disk.parts.iter().map(|(part, _)| format!("{}/{part}", disk.path))) {
                if site.machine.exists(&format!("{folder}/bcache")) {
                    site.put(&format!("{folder}/{end}"), "1");
                }
            }
        }
    }
    let mut left: Vec<(&String, &String)> = layers.holders.iter().collect();
    for _ in 0..ROUNDS {
        let before = left.len();
        left.retain(|(_, path)| site.machine.exists(path));
        let mut asked = 0;
        for (name, path) in &left {
            if !above(site, path)?.is_empty() {
                continue;
            }
            asked += 1;
            end(site, name, path);
        }
        left.retain(|(_, path)| site.machine.exists(path));
        if left.is_empty() || (asked == 0 && left.len() == before) {
            break;
        }
    }
    Ok(())
}

/// What holds a device or one of its partitions.
fn above(site: &Site<'_>, path: &str) -> Result<Vec<String>, String> {
    let mut all = span::names(site, &format!("{path}/holders"))?;
    let own = path.rsplit('/').next().unwrap_or_default();
    for part in span::names(site, path)?.into_iter().filter(|part| part.starts_with(own)) {
        all.extend(span::names(site, &format!("{path}/{part}/holders"))?);
    }
    Ok(all)
}

fn end(site: &Site<'_>, name: &str, path: &str) {
    let word = |file: &str| site.machine.word(&format!("{path}/{file}"));
    if name.starts_with("md") {
        site.try_to("mdadm", &["--stop", &format!("/dev/{name}")]);
    } else if name.starts_with("bcache") {
        site.put(&format!("{path}/bcache/stop"), "1");
    } else if let Some(mapped) = word("dm/name") {
        site.try_to("dmsetup", &["remove", "--noudevsync", "--retry", &mapped]);
    }
}

/// Nothing mounted, no swap, no holder.
fn held(site: &Site<'_>, planned: &[Found], layers: &Layers) -> Result<(), String> {
    for table in ["/proc/self/mountinfo", "/proc/swaps"] {
        site.machine.read(table).map_err(|fault| format!("{table}: {fault}; nobody can say what is in use"))?;
    }
    for disk in planned {
        if let Some(holder) = above(site, &disk.path)?.first() {
            return Err(format!("{} is still held by {holder}", disk.disk.name));
        }
    }
    if let Some(folder) = mounts(site, layers).first() {
        return Err(format!("{folder} is still mounted from a planned disk"));
    }
    match swaps(site, layers).first() {
        Some(device) => Err(format!("{device} on a planned disk is still used for swapping")),
        None => Ok(()),
    }
}

/// Where something of the planned disks is mounted, in the order of mounting.
fn mounts(site: &Site<'_>, layers: &Layers) -> Vec<String> {
    let text = site.machine.word("/proc/self/mountinfo").unwrap_or_default();
    let rows = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let on_ours = |row: &Vec<&str>| row.get(2).is_some_and(|number| layers.devices.values().any(|ours| ours == number));
    rows.filter(on_ours).filter_map(|row| row.get(4).map(|folder| unescaped(folder))).collect()
}

/// The kernel writes blanks in names as `\040`.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")].iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Swap on the planned disks.
fn swaps(site: &Site<'_>, layers: &Layers) -> Vec<String> {
    let text = site.machine.word("/proc/swaps").unwrap_or_default();
    let nodes = text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned);
    let named = |node: &str| node.strip_prefix("/dev/").is_some_and(|name| layers.devices.contains_key(name));
    let mapped = |node: &str| {
        let name = node.strip_prefix("/dev/mapper/");
        name.is_some_and(|name| layers.holders.values().any(|path| site.machine.word(&format!("{path}/dm/name")).as_deref() == Some(name)))
    };
    nodes.filter(|node| named(node) || mapped(node)).collect()
}
