//! How a machine differs from what it was at the last registration, one sentence for each part.
//!
//! Parts are matched by what they are (a disk's id, a card's address, a module's slot), never by the kernel's name of them. An empty value
//! means that nobody knows, so it differs from nothing.

use std::collections::BTreeMap;

use super::address;
use crate::model::{
    Facts,
    facts::{Controller, Disk, MemoryModule, Nic, Part},
};

/// Sentences that are told; a machine of which more is different is another machine.
const MOST: usize = 20;

/// Everything that differs.
pub(super) fn changes(before: &Facts, after: &Facts) -> Vec<String> {
    let mut told = Told { before, after, all: Vec::new() };
    told.system();
    told.processors();
    told.memory();
    told.disks();
    told.cards();
    told.controllers();
    told.rest();
    let more = told.all.len().saturating_sub(MOST);
    told.all.truncate(MOST);
    if more > 0 {
        told.all.push(format!("and {more} more differences"));
    }
    told.all
}

struct Told<'a> {
    before: &'a Facts,
    after: &'a Facts,
    all: Vec<String>,
}

impl Told<'_> {
    fn say(&mut self, text: String) {
        self.all.push(text);
    }

    /// A value with a name; unknown on either side says nothing.
    fn value(&mut self, name: &str, before: &str, after: &str) {
        let (before, after) = (before.trim(), after.trim());
        if !before.is_empty() && !after.is_empty() && before != after {
            self.say(format!("{name} is {}, was {}", plain(after), plain(before)));
        }
    }

    fn count(&mut self, name: &str, before: u64, after: u64) {
        if before != 0 && after != 0 && before != after {
            self.say(format!("{name}: {after}, were {before}"));
        }
    }

    /// Whether both reports have looked: only then is something gone or new.
    fn looked(&self, collector: &str) -> bool {
        let failed = |facts: &Facts| facts.collectors.iter().any(|one| one.name == collector && one.error.is_some());
        !failed(self.before) && !failed(self.after)
    }

    fn system(&mut self) {
        let (before, after) = (self.before, self.after);
        let uuid = |facts: &Facts| facts.system.uuid.map(|uuid| uuid.to_string()).unwrap_or_default();
        self.value("the UUID", &uuid(before), &uuid(after));
        self.value("the serial number", &before.system.serial, &after.system.serial);
        self.value("the maker", &before.system.vendor, &after.system.vendor);
        self.value("the product", &before.system.product, &after.system.product);
        self.value("the board", &before.board.product, &after.board.product);
        self.value("the board's serial number", &before.board.serial, &after.board.serial);
        self.value("the case's serial number", &before.chassis.serial, &after.chassis.serial);
        self.value("the BIOS version", &before.bios.version, &after.bios.version);
    }

    fn processors(&mut self) {
        let (before, after) = (&self.before.cpu, &self.after.cpu);
        self.value("the processor", &before.model, &after.model);
        self.count("processors", before.sockets.into(), after.sockets.into());
        self.count("cores", before.cores.into(), after.cores.into());
        self.count("threads", before.threads.into(), after.threads.into());
    }

    fn memory(&mut self) {
        let (before, after) = (self.before.memory.size_bytes, self.after.memory.size_bytes);
        // What the kernel keeps for itself differs from one to the next; no module is that small a part.
        if before != 0 && after != 0 && before.abs_diff(after) > before.max(after) / 100 {
            self.say(format!("memory is {}, was {}", gib(after), gib(before)));
        }
        if !self.looked("dmi") || !self.looked("memory") {
            return;
        }
        let by_slot = |facts: &'_ Facts| facts.memory.modules.iter().map(|module| (module.slot.clone(), module.clone())).collect();
        let (old, new): (BTreeMap<String, MemoryModule>, BTreeMap<String, MemoryModule>) = (by_slot(self.before), by_slot(self.after));
        for (slot, module) in old.iter().filter(|_| !new.is_empty()) {
            match new.get(slot) {
                None => self.say(format!("the memory module in {} is gone ({})", plain(slot), gib(module.size_bytes))),
                Some(other) if is_other_module(module, other) => {
                    self.say(format!("the memory module in {} was replaced: {}, was {}", plain(slot), module_words(other), module_words(module)));
                }
                Some(_) => {}
            }
        }
        for (slot, module) in new.iter().filter(|(slot, _)| !old.is_empty() && !old.contains_key(*slot)) {
            self.say(format!("there is a new memory module in {} ({})", plain(slot), gib(module.size_bytes)));
        }
    }

    fn disks(&mut self) {
        let by_id = |facts: &'_ Facts| -> BTreeMap<String, Disk> {
            let fixed = facts.disks.iter().filter(|disk| !disk.removable);
            fixed.map(|disk| (disk.id.0.clone(), disk.clone())).collect()
        };
        let (old, new) = (by_id(self.before), by_id(self.after));
        for (id, disk) in &old {
            let Some(now) = new.get(id) else { continue };
            if disk.size_bytes != now.size_bytes {
                self.say(format!("disk {} has {}, had {}", plain(id), gb(now.size_bytes), gb(disk.size_bytes)));
            }
            self.value(&format!("the firmware of disk {}", plain(id)), &disk.firmware, &now.firmware);
        }
        if !self.looked("disks") {
            return;
        }
        let mut fresh: Vec<&Disk> = new.values().filter(|disk| !old.contains_key(&disk.id.0)).collect();
        for disk in old.values().filter(|disk| !new.contains_key(&disk.id.0)) {
            let same_place = fresh.iter().position(|other| !disk.address.is_empty() && other.address == disk.address);
            match same_place.map(|index| fresh.remove(index)) {
                Some(other) => self.say(format!("disk {} at {} was replaced by {}", disk_words(disk), plain(&disk.address), disk_words(other))),
                None => self.say(format!("disk {} is gone", disk_words(disk))),
            }
        }
        for disk in fresh {
            self.say(format!("disk {} is new", disk_words(disk)));
        }
    }

    fn cards(&mut self) {
        if !self.looked("nics") {
            return;
        }
        let has = |facts: &Facts, nic: &Nic| facts.nics.iter().any(|other| address(other) == address(nic));
        let words =
            |nic: &Nic| format!("network card {} ({})", address(nic), plain(if nic.driver.is_empty() { "driver unknown" } else { &nic.driver }));
        for nic in self.before.nics.iter().filter(|nic| !has(self.after, nic)) {
            self.say(format!("{} is gone", words(nic)));
        }
        for nic in self.after.nics.iter().filter(|nic| !has(self.before, nic)) {
            self.say(format!("{} is new", words(nic)));
        }
    }

    /// By what they are: a card more or less renumbers the bus.
    fn controllers(&mut self) {
        if !self.looked("pci") || self.before.controllers.is_empty() || self.after.controllers.is_empty() {
            return;
        }
        let words = |one: &Controller| plain(format!("{} {} {}", one.class, one.vendor, one.product).trim());
        let mut fresh: Vec<&Controller> = self.after.controllers.iter().collect();
        let mut gone: Vec<&Controller> = Vec::new();
        for one in &self.before.controllers {
            match fresh.iter().position(|other| words(other) == words(one)) {
                Some(index) => drop(fresh.remove(index)),
                None => gone.push(one),
            }
        }
        for one in gone {
            match fresh.iter().position(|other| other.address == one.address) {
                Some(index) => {
                    let other = fresh.remove(index);
                    self.say(format!("at {} there is {}, was {}", plain(&one.address), words(other), words(one)));
                }
                None => self.say(format!("{} at {} is gone", words(one), plain(&one.address))),
            }
        }
        for one in fresh {
            self.say(format!("{} at {} is new", words(one), plain(&one.address)));
        }
    }

    fn rest(&mut self) {
        let (before, after) = (self.before, self.after);
        if before.boot != crate::model::facts::BootFacts::default() && self.looked("boot") && before.boot.uefi != after.boot.uefi {
            let word = |uefi: bool| if uefi { "UEFI" } else { "BIOS" };
            self.say(format!("it boots by {}, booted by {}", word(after.boot.uefi), word(before.boot.uefi)));
        }
        if let (Some(was), Some(is)) = (before.boot.secure_boot, after.boot.secure_boot) {
            let word = |on: bool| if on { "on" } else { "off" };
            self.value("Secure Boot", word(was), word(is));
        }
        self.value("the TPM's version", before.tpm.as_deref().unwrap_or(""), after.tpm.as_deref().unwrap_or(""));
        let card = |facts: &Facts| facts.bmc.as_ref().and_then(|bmc| bmc.mac).map(|mac| mac.to_string()).unwrap_or_default();
        let firmware = |facts: &Facts| facts.bmc.as_ref().map(|bmc| bmc.firmware.clone()).unwrap_or_default();
        self.value("the management controller's address", &card(before), &card(after));
        self.value("the management controller's firmware", &firmware(before), &firmware(after));
        if self.looked("dmi") {
            self.supplies();
        }
    }

    fn supplies(&mut self) {
        let has = |all: &[Part], one: &Part| all.iter().any(|other| other.serial == one.serial);
        let known = |all: &[Part]| !all.is_empty() && all.iter().all(|one| !one.serial.trim().is_empty());
        let (before, after) = (&self.before.power_supplies, &self.after.power_supplies);
        if !known(before) || !known(after) {
            return;
        }
        let words = |one: &Part| plain(format!("power supply {} {}", one.product, one.serial).trim());
        for one in before.iter().filter(|one| !has(after, one)) {
            self.say(format!("{} is gone", words(one)));
        }
        for one in after.iter().filter(|one| !has(before, one)) {
            self.say(format!("{} is new", words(one)));
        }
    }
}

/// Whether two modules of one slot differ; a field that one of them does not have says nothing.
fn is_other_module(before: &MemoryModule, after: &MemoryModule) -> bool {
    let differs = |one: &str, other: &str| !one.trim().is_empty() && !other.trim().is_empty() && one.trim() != other.trim();
    before.size_bytes != after.size_bytes || differs(&before.serial, &after.serial) || differs(&before.part, &after.part)
}

fn module_words(module: &MemoryModule) -> String {
    plain(format!("{} {} {}", gib(module.size_bytes), module.part, module.serial).trim())
}

fn disk_words(disk: &Disk) -> String {
    plain(&format!(
        "{} ({})",
        disk.id,
        [disk.model.trim(), &gb(disk.size_bytes)].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ")
    ))
}

/// Bytes as makers of disks count.
fn gb(bytes: u64) -> String {
    format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000)
}

/// Bytes as makers of memory count.
fn gib(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    match (bytes / GIB, bytes % GIB * 10 / GIB) {
        (whole, 0) => format!("{whole} GiB"),
        (whole, tenths) => format!("{whole}.{tenths} GiB"),
    }
}

/// What a machine wrote, short and on one line.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
