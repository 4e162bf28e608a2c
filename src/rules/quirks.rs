//! The one quirk table: where firmware wants something else than the rest, and who says so.
//!
//! A row names who it applies to, what changes, and its source. Everything not named here gets the same answer.

use crate::model::{Arch, Firmware, Mac, Transport};

use super::loaders::is_raspberry_pi;

/// What is different for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// Option 66 ends without NUL.
    PlainServerName,
    /// Option 43 carries the menu `Raspberry Pi Boot` that its first stage looks for.
    RaspberryMenu,
    /// In proxy mode the offer on port 67 has neither option 43 nor a file, so that the client asks port 4011.
    AskOn4011,
    /// Option 43 is left out in full mode too.
    NoVendorOption,
    /// The answer waits this many milliseconds.
    DelayMs(u16),
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The difference.
    pub quirk: Quirk,
    /// Who it applies to.
    pub applies: fn(Mac, Firmware) -> bool,
    /// Who they are, for people.
    pub who: &'static str,
    /// Where this is known from.
    pub source: &'static str,
}

/// Every quirk.
pub const QUIRKS: [Row; 6] = [
    Row {
        quirk: Quirk::PlainServerName,
        applies: |mac, _| is_raspberry_pi(mac),
        who: "Raspberry Pi first stage",
        source: "reported to other boot servers: the ROM takes the NUL for a part of the name; not seen by ourselves",
    },
    Row {
        quirk: Quirk::RaspberryMenu,
        applies: |mac, firmware| is_raspberry_pi(mac) && !firmware.ipxe,
        who: "Raspberry Pi first stage",
        source: "Raspberry Pi documentation, network booting: vendor option \"Raspberry Pi Boot\"",
    },
    Row {
        quirk: Quirk::AskOn4011,
        applies: |_, firmware| is_uefi_pxe(firmware),
        who: "UEFI PXE (EDK2 and its descendants)",
        source: "captures proxy-uefi.*: OVMF comes to 4011 after an offer without 43; some vendors are reported to ignore a proxy offer that bypasses discovery",
    },
    Row {
        quirk: Quirk::NoVendorOption,
        applies: |_, firmware| firmware.ipxe,
        who: "iPXE",
        source: "captures *ipxe*: it needs no option 43 in full mode and skips its boot-server discovery without one",
    },
    Row {
        quirk: Quirk::NoVendorOption,
        applies: |_, firmware| matches!(firmware.transport, Transport::Http),
        who: "UEFI and BIOS HTTP boot",
        source: "UEFI 2.10 section 24.7: HTTP boot reads 60 and 67; captures uefi-http-ipxe.*",
    },
    Row {
        quirk: Quirk::DelayMs(50),
        applies: |mac, firmware| is_raspberry_pi(mac) && !firmware.ipxe,
        who: "Raspberry Pi first stage",
        source: "reported to other boot servers: the ROM misses an answer that comes at once; not seen by ourselves",
    },
];

fn is_uefi_pxe(firmware: Firmware) -> bool {
    let uefi = matches!(firmware.arch, Arch::Ia32 | Arch::X64 | Arch::Arm32 | Arch::Arm64 | Arch::Riscv | Arch::Loongarch);
    uefi && !firmware.ipxe && matches!(firmware.transport, Transport::Tftp)
}

/// What is different for this client.
pub fn of(mac: Mac, firmware: Firmware) -> Vec<Quirk> {
    QUIRKS.iter().filter(|row| (row.applies)(mac, firmware)).map(|row| row.quirk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mac: &str, arch: Arch, transport: Transport, ipxe: bool, want: &[Quirk]) {
        let firmware = Firmware { arch, transport, ipxe, ipxe_http: ipxe };
        assert_eq!(of(mac.parse().unwrap(), firmware), want, "{mac} {arch:?}");
    }

    #[test]
    fn each_client_gets_its_own_differences_only() {
        let (vm, pi) = ("52:54:00:00:00:01", "dc:a6:32:00:00:01");
        check(vm, Arch::Bios, Transport::Tftp, false, &[]);
        check(vm, Arch::X64, Transport::Tftp, false, &[Quirk::AskOn4011]);
        check(vm, Arch::X64, Transport::Http, false, &[Quirk::NoVendorOption]);
        check(vm, Arch::X64, Transport::Tftp, true, &[Quirk::NoVendorOption]);
        check(pi, Arch::RaspberryPi, Transport::Tftp, false, &[Quirk::PlainServerName, Quirk::RaspberryMenu, Quirk::DelayMs(50)]);
    }

    #[test]
    fn every_row_names_its_source() {
        assert!(QUIRKS.iter().all(|row| row.source.len() > 20 && !row.who.is_empty()));
    }
}
