//! The memory: what is installed, module by module (SMBIOS type 17).
//!
//! The kernel's own figure leaves out what firmware keeps, so it stands in only where the modules are not told, and the collector says so.

use crate::{
    contract::{Memory, MemoryModule},
    machine::Machine,
};

use super::{
    Found,
    dmi::{Structure, structures},
    tool::{Problems, output, value},
};

/// The collector.
pub fn look(machine: &dyn Machine) -> Found {
    let mut problems = Problems::of("memory");
    let text = problems.take(output(machine, "dmidecode", &["-t", "17"], 20)).unwrap_or_default();
    let modules: Vec<MemoryModule> = structures(&text).iter().filter(|one| one.kind == 17).filter_map(module).collect();
    let mut size_bytes = modules.iter().fold(0_u64, |sum, module| sum.saturating_add(module.size_bytes));
    if size_bytes == 0 {
        problems.add("no module is told; the size is what the kernel has, a little less than what is installed");
        size_bytes = problems.take(of_kernel(machine)).unwrap_or(0);
    }
    let memory = Memory { size_bytes, modules };
    Found::new(move |facts| facts.memory = memory.clone(), problems.list())
}

/// An empty slot is none.
fn module(found: &Structure) -> Option<MemoryModule> {
    let size_bytes = size(&found.get("Size"))?;
    let speed = ["Configured Memory Speed", "Configured Clock Speed", "Speed"].iter().find_map(|key| number(&found.get(key)));
    Some(MemoryModule {
        slot: found.get("Locator"),
        size_bytes,
        kind: found.get("Type"),
        speed_mts: speed.and_then(|speed| u32::try_from(speed).ok()).unwrap_or(0),
        vendor: found.get("Manufacturer"),
        serial: found.get("Serial Number"),
        part: found.get("Part Number"),
    })
}

/// `32 GB`, `16384 MB`; the units are binary.
fn size(text: &str) -> Option<u64> {
    let unit = match text.split_whitespace().nth(1)? {
        "bytes" => 0,
        "kB" | "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    number(text)?.checked_mul(1 << unit).filter(|size| *size > 0)
}

fn number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn of_kernel(machine: &dyn Machine) -> Result<u64, String> {
    let text = machine.read("/proc/meminfo").map_err(|error| format!("/proc/meminfo: {error}"))?;
    let text = String::from_utf8_lossy(&text);
    value(&text, "MemTotal").and_then(size).ok_or_else(|| "/proc/meminfo has no MemTotal".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::tests::{facts_of, fixture},
        machine::recorded::Recorded,
    };

    #[test]
    fn modules_are_told_without_empty_slots() {
        let memory = facts_of(look(&Recorded::new().program("dmidecode -t 17", &fixture("dmidecode-17.txt")))).memory;
        assert_eq!((memory.modules.len(), memory.size_bytes), (3, (32 << 30) + (32 << 30) + (16 << 30)));
        let first = &memory.modules[0];
        assert_eq!((first.slot.as_str(), first.kind.as_str(), first.speed_mts), ("A1", "DDR4", 2933));
        assert_eq!((first.vendor.as_str(), first.serial.as_str(), first.part.as_str()), ("Hynix Semiconductor", "83A5F1C2", "HMAA4GR7AJR8N-XN"));
        assert_eq!((memory.modules[2].speed_mts, memory.modules[2].serial.as_str()), (1600, ""), "an older dmidecode, a maker that forgot");
    }

    #[test]
    fn the_kernels_figure_stands_in_and_says_so() {
        let facts = facts_of(look(&Recorded::new().file("/proc/meminfo", "MemTotal:        4015604 kB\nMemFree: 1 kB\n")));
        assert_eq!(facts.memory.size_bytes, 4_015_604 << 10);
        let error = facts.collectors[0].error.clone().unwrap();
        assert!(error.contains("no program dmidecode") && error.contains("what the kernel has"), "{error}");
    }

    #[test]
    fn sizes_of_all_units_are_read() {
        for (text, is) in [
            ("32 GB", Some(32 << 30)),
            ("16384 MB", Some(16 << 30)),
            ("1 TB", Some(1 << 40)),
            ("No Module Installed", None),
            ("0 MB", None),
            ("", None),
        ] {
            assert_eq!(size(text), is, "{text}");
        }
    }
}
