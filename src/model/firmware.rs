//! What boots: the client's architecture (IANA "Processor Architecture Types", RFC 4578 2.1) and how it fetches its loader.
//!
//! The table of which loader each one gets is `rules::loaders`; here are only the names.

use serde::{Deserialize, Serialize};

/// An architecture by name; settings never use numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// BIOS on x86 (codes 0 and 20).
    Bios,
    /// UEFI on IA-32 (6, 15).
    Ia32,
    /// UEFI on x86-64 (7, 9, 16, 17).
    X64,
    /// UEFI on 32-bit ARM (10, 18, U-Boot 21, 23).
    Arm32,
    /// UEFI on 64-bit ARM (11, 19, U-Boot 22, 24).
    Arm64,
    /// RISC-V (25–30).
    Riscv,
    /// LoongArch (37–40).
    Loongarch,
    /// Raspberry Pi (41, or BIOS code 0 with the foundation's OUI).
    RaspberryPi,
    /// A code without a row in the table.
    Unknown,
}

/// How the firmware fetches what it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// PXE: a file name, by TFTP.
    Tftp,
    /// UEFI or BIOS HTTP boot: a URL.
    Http,
}

/// Who is asking on the wire, as far as booting cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firmware {
    /// Its architecture.
    pub arch: Arch,
    /// How it fetches.
    pub transport: Transport,
    /// iPXE that can fetch our script by HTTP (our own build, or its option 175 says so).
    pub ipxe_http: bool,
    /// Any iPXE at all.
    pub ipxe: bool,
}

impl Firmware {
    /// An iPXE that speaks HTTP, on firmware of this architecture.
    pub const fn ipxe(arch: Arch) -> Self {
        Self { arch, transport: Transport::Http, ipxe_http: true, ipxe: true }
    }

    /// The firmware itself, before any iPXE runs.
    pub const fn plain(arch: Arch, transport: Transport) -> Self {
        Self { arch, transport, ipxe_http: false, ipxe: false }
    }
}
