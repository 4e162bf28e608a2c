//! What a machine is made of: the body of a registration's report.
//!
//! Every field but the collectors' list may be missing; a collector that could not look says so there. The server has the same shapes
//! in `src/model/facts.rs`, and the order of the fields is the same so that the two can be read side by side. Nothing is judged here.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{DiskId, EraseMethod, Mac};

/// Everything that one registration found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The machine (SMBIOS type 1).
    pub system: System,
    /// Its board (SMBIOS type 2).
    pub board: Part,
    /// Its case (SMBIOS type 3).
    pub chassis: Part,
    /// Its firmware (SMBIOS type 0).
    pub bios: Bios,
    /// Its processors.
    pub cpu: Cpu,
    /// Its memory.
    pub memory: Memory,
    /// Its physical network cards, by name; no bonds, bridges or cards of the management controller.
    pub nics: Vec<Nic>,
    /// Its disks, by name; whole disks only.
    pub disks: Vec<Disk>,
    /// Its storage and network controllers and accelerators, by PCI address.
    pub controllers: Vec<Controller>,
    /// Its power supplies (SMBIOS type 39).
    pub power_supplies: Vec<Part>,
    /// Its management controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bmc: Option<Bmc>,
    /// How it booted.
    pub boot: BootFacts,
    /// The version of its TPM (`1.2`, `2.0`), if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<String>,
    /// What each collector came to.
    pub collectors: Vec<Collector>,
}

/// The machine as its maker calls it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    /// `Dell Inc.`
    pub vendor: String,
    /// `PowerEdge R650`
    pub product: String,
    /// Its version, where the maker writes one.
    pub version: String,
    /// Its serial number; empty where the maker forgot it.
    pub serial: String,
    /// The order number.
    pub sku: String,
    /// Its UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// Board, case, power supply.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// Its maker.
    pub vendor: String,
    /// Its name.
    pub product: String,
    /// Its serial number.
    pub serial: String,
    /// The owner's label.
    pub asset_tag: String,
}

/// The firmware.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bios {
    /// Its maker.
    pub vendor: String,
    /// Its version.
    pub version: String,
    /// Its date, as it says.
    pub date: String,
}

/// The processors.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// `x86_64`, `aarch64`.
    pub architecture: String,
    /// The model's name.
    pub model: String,
    /// Sockets in use.
    pub sockets: u32,
    /// Cores in all.
    pub cores: u32,
    /// Threads in all.
    pub threads: u32,
}

/// The memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What is installed, bytes.
    pub size_bytes: u64,
    /// Its modules (SMBIOS type 17), without the empty slots.
    pub modules: Vec<MemoryModule>,
}

/// One module.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryModule {
    /// `DIMM_A1`
    pub slot: String,
    /// Bytes.
    pub size_bytes: u64,
    /// `DDR4`
    pub kind: String,
    /// Configured speed, MT/s; 0: unknown.
    pub speed_mts: u32,
    /// Its maker.
    pub vendor: String,
    /// Its serial number.
    pub serial: String,
    /// Its part number.
    pub part: String,
}

/// One network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// The kernel's name of it.
    pub name: String,
    /// The address it uses.
    pub mac: Mac,
    /// The address it was made with, where the driver tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permanent_mac: Option<Mac>,
    /// Its driver.
    #[serde(default)]
    pub driver: String,
    /// Its firmware's version.
    #[serde(default)]
    pub firmware: String,
    /// Its place on the bus, `0000:00:03.0`.
    #[serde(default)]
    pub bus: String,
    /// Mbit/s; `None`: no link or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_mbps: Option<u32>,
    /// Whether there is a link.
    #[serde(default)]
    pub link: bool,
    /// Whether the machine booted from it.
    #[serde(default)]
    pub boot: bool,
    /// Its neighbour by LLDP (IEEE 802.1AB), if one spoke within the wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lldp: Option<Neighbour>,
}

/// A switch port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Neighbour {
    /// The switch's chassis id.
    pub chassis: String,
    /// Its name.
    pub system: String,
    /// The port's id.
    pub port: String,
    /// The port's description.
    pub description: String,
}

/// One whole disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// What it is called in plans and certificates: its WWN, else model and serial number, else its place.
    pub id: DiskId,
    /// The kernel's name of it at that boot; no identity.
    pub name: String,
    /// Its names under `/dev/disk/by-id`, without the folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_id: Vec<String>,
    /// Its model.
    #[serde(default)]
    pub model: String,
    /// Its serial number.
    #[serde(default)]
    pub serial: String,
    /// Its world wide name.
    #[serde(default)]
    pub wwn: String,
    /// Its firmware's version.
    #[serde(default)]
    pub firmware: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Whether it turns.
    #[serde(default)]
    pub rotational: bool,
    /// Whether it refuses writes.
    #[serde(default)]
    pub read_only: bool,
    /// Whether its medium can be taken out.
    #[serde(default)]
    pub removable: bool,
    /// `nvme`, `sata`, `sas`, `scsi`, `virtio`, `usb`, `mmc`, `iscsi`, `fc` …, as the kernel says.
    #[serde(default)]
    pub transport: String,
    /// Its place: host:channel:target:lun, or the PCI address.
    #[serde(default)]
    pub address: String,
    /// What it says of itself (SMART, NVMe health log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<DiskHealth>,
    /// What can erase it, best first; overwriting is always last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erase: Vec<EraseMethod>,
    /// How long the drive says that its own erase takes, minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erase_minutes: Option<u32>,
    /// Whether its security commands are frozen (ATA), so that its own erase cannot be started.
    #[serde(default)]
    pub frozen: bool,
    /// Signatures found on it and its partitions: `gpt`, `LVM2_member`, `linux_raid_member`, `ext4`, `VMFS_volume_member`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<String>,
}

/// What a disk says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskHealth {
    /// Its own verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// Hours it has run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_on_hours: Option<u64>,
    /// Of its rated writes, per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wear_percent: Option<u32>,
    /// Degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub celsius: Option<i32>,
}

/// A device on the PCI bus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Controller {
    /// `0000:00:1f.2`
    pub address: String,
    /// `SATA controller`
    pub class: String,
    /// Its maker.
    pub vendor: String,
    /// Its name.
    pub product: String,
    /// The driver that has it.
    pub driver: String,
}

/// The management controller.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bmc {
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
    /// Its card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Its firmware's version.
    pub firmware: String,
}

/// How the machine booted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BootFacts {
    /// By UEFI; else by BIOS.
    pub uefi: bool,
    /// Whether Secure Boot is on; `None`: BIOS, or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
    /// The firmware's boot order, first entry first, in its own words.
    pub order: Vec<String>,
    /// The kernel of the live image.
    pub kernel: String,
}

/// One collector of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Collector {
    /// `dmi`, `cpu`, `memory`, `nics`, `lldp`, `disks`, `health`, `pci`, `bmc`, `boot`, `tpm`.
    pub name: String,
    /// Milliseconds it took.
    pub took_ms: u64,
    /// Why it found nothing, or not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
