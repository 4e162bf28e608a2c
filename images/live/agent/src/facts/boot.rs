//! How the machine booted (UEFI or BIOS, Secure Boot, the firmware's order, the kernel), and whether it has a TPM.
//!
//! Reads EFI variables through the kernel's file system and `efibootmgr`; changes none. On BIOS there is nothing to ask.

use crate::{contract::BootFacts, machine::Machine};

use super::{
    Found,
    tool::{Problems, output},
};

/// UEFI specification 3.3; four bytes of attributes, then 1 or 0.
const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// The collector of the boot.
pub fn look(machine: &dyn Machine) -> Found {
    let mut problems = Problems::of("boot");
    let uefi = machine.exists("/sys/firmware/efi");
    let text = if uefi { problems.take(output(machine, "efibootmgr", &[], 10)).unwrap_or_default() } else { String::new() };
    let boot = BootFacts {
        uefi,
        secure_boot: uefi.then(|| secure_boot(machine)).flatten(),
        order: order(&text),
        kernel: machine.word("/proc/sys/kernel/osrelease").unwrap_or_default(),
    };
    Found::new(move |facts| facts.boot = boot.clone(), problems.list())
}

fn secure_boot(machine: &dyn Machine) -> Option<bool> {
    let bytes = machine.read(SECURE_BOOT).ok()?;
    (bytes.len() == 5).then(|| bytes[4] == 1)
}

/// The names in the order of `BootOrder`; `Boot0003* debian<TAB>HD(…)`, in older versions without what follows the name.
fn order(text: &str) -> Vec<String> {
    let name = |number: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("Boot")?.strip_prefix(number))?;
        let name = line.trim_start_matches(['*', ' ']).split('\t').next()?.trim();
        (!name.is_empty()).then(|| name.to_owned())
    };
    let order = text.lines().find_map(|line| line.strip_prefix("BootOrder:")).unwrap_or_default();
    order.split(',').map(str::trim).filter(|number| !number.is_empty()).filter_map(name).collect()
}

/// The collector of the TPM.
pub fn tpm(machine: &dyn Machine) -> Found {
    const TPM: &str = "/sys/class/tpm/tpm0";
    let mut problems = Problems::of("tpm");
    let version = match machine.word(&format!("{TPM}/tpm_version_major")).as_deref() {
        Some("2") => Some("2.0".to_owned()),
        Some("1") => Some("1.2".to_owned()),
        Some(other) => Some(other.to_owned()),
        None => {
            if machine.exists(TPM) {
                problems.add(format!("{TPM} is there and does not tell its version"));
            }
            None
        }
    };
    Found::new(move |facts| facts.tpm.clone_from(&version), problems.list())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::tests::{facts_of, fixture},
        machine::recorded::Recorded,
    };

    fn uefi() -> Recorded {
        Recorded::new().file("/sys/firmware/efi/fw_platform_size", "64\n").file("/proc/sys/kernel/osrelease", "6.1.0-40-amd64\n")
    }

    #[test]
    fn uefi_tells_its_order_and_secure_boot() {
        let machine = uefi().program("efibootmgr", &fixture("efibootmgr.txt")).file(SECURE_BOOT, [6, 0, 0, 0, 1]);
        let boot = facts_of(look(&machine)).boot;
        assert_eq!(boot.order, ["debian", "PXE Device 1: Embedded NIC 1 Port 1 Partition 1", "UEFI QEMU HARDDISK QM00001"]);
        assert_eq!((boot.uefi, boot.secure_boot, boot.kernel.as_str()), (true, Some(true), "6.1.0-40-amd64"));
    }

    #[test]
    fn firmware_without_secure_boot_leaves_it_open() {
        let facts = facts_of(look(&uefi()));
        assert_eq!((facts.boot.secure_boot, facts.boot.order.len()), (None, 0));
        assert_eq!(facts.collectors[0].error.as_deref(), Some("there is no program efibootmgr here"));
    }

    #[test]
    fn bios_has_nothing_to_ask() {
        let facts = facts_of(look(&Recorded::new().file("/proc/sys/kernel/osrelease", "6.1.0\n")));
        assert_eq!((facts.boot.uefi, facts.boot.secure_boot, facts.collectors[0].error.as_ref()), (false, None, None));
    }

    #[test]
    fn a_tpm_is_told_by_its_version() {
        for (major, version) in [(Some("2\n"), Some("2.0")), (Some("1\n"), Some("1.2")), (None, None)] {
            let machine = major.into_iter().fold(Recorded::new(), |machine, major| machine.file("/sys/class/tpm/tpm0/tpm_version_major", major));
            let facts = facts_of(tpm(&machine));
            assert_eq!((facts.tpm.as_deref(), facts.collectors[0].error.as_ref()), (version, None));
        }
        let mute = facts_of(tpm(&Recorded::new().file("/sys/class/tpm/tpm0/uevent", "")));
        assert!(mute.tpm.is_none() && mute.collectors[0].error.as_ref().unwrap().contains("does not tell"));
    }
}
