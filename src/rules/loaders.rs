//! The one firmware table: which client (option 93) gets which loader, and how.
//!
//! Settings name architectures and loaders by name, never by number. A loader's first name is Debian's, the others are what other
//! systems call the same file; the first one that is present is the one that is served. A row without a name says why.

use crate::{
    model::{Arch, Firmware, Mac, Transport},
    wire::dhcp::Request,
};

/// Why an architecture gets no loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoLoader {
    /// The code has no row.
    #[error("the client's architecture is not in the firmware table")]
    UnknownArch,
    /// iPXE has names for it, but none is installed.
    #[error("no loader for this architecture is installed; `bootwright check` says which package brings it")]
    NotInstalled,
    /// The loader that the host asks for is not installed.
    #[error("the loader that this host asks for by name is not installed")]
    NamedMissing,
    /// A Raspberry Pi reads a tree of files and no loader.
    #[error("a Raspberry Pi boots from a tree of files, not from a loader; name one for the host if it has UEFI firmware")]
    FileTree,
}

impl NoLoader {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnknownArch => "unknown_arch",
            Self::NotInstalled => "loader_not_installed",
            Self::NamedMissing => "named_loader_missing",
            Self::FileTree => "file_tree",
        }
    }
}

/// One row: an IANA "Processor Architecture Type" (RFC 4578 2.1 and its registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The number in option 93.
    pub code: u16,
    /// Its architecture.
    pub arch: Arch,
    /// How it fetches its loader.
    pub transport: Transport,
    /// For people.
    pub what: &'static str,
}

const fn row(code: u16, arch: Arch, transport: Transport, what: &'static str) -> Row {
    Row { code, arch, transport, what }
}

use Transport::{Http, Tftp};

/// Every code that is known. 7 and 9 were swapped by an erratum of RFC 4578: both are x86-64 in the field.
pub const FIRMWARE: [Row; 35] = [
    row(0, Arch::Bios, Tftp, "BIOS on x86"),
    row(6, Arch::Ia32, Tftp, "UEFI on IA-32"),
    row(7, Arch::X64, Tftp, "UEFI on x86-64"),
    row(9, Arch::X64, Tftp, "UEFI on x86-64 (EBC)"),
    row(10, Arch::Arm32, Tftp, "UEFI on 32-bit ARM"),
    row(11, Arch::Arm64, Tftp, "UEFI on 64-bit ARM"),
    row(15, Arch::Ia32, Http, "UEFI HTTP on IA-32"),
    row(16, Arch::X64, Http, "UEFI HTTP on x86-64"),
    row(17, Arch::X64, Http, "UEFI HTTP on x86-64 (EBC)"),
    row(18, Arch::Arm32, Http, "UEFI HTTP on 32-bit ARM"),
    row(19, Arch::Arm64, Http, "UEFI HTTP on 64-bit ARM"),
    row(20, Arch::Bios, Http, "BIOS HTTP on x86"),
    row(21, Arch::Arm32, Tftp, "U-Boot on 32-bit ARM"),
    row(22, Arch::Arm64, Tftp, "U-Boot on 64-bit ARM"),
    row(23, Arch::Arm32, Http, "U-Boot HTTP on 32-bit ARM"),
    row(24, Arch::Arm64, Http, "U-Boot HTTP on 64-bit ARM"),
    row(25, Arch::Riscv, Tftp, "UEFI on RISC-V 32"),
    row(26, Arch::Riscv, Http, "UEFI HTTP on RISC-V 32"),
    row(27, Arch::Riscv, Tftp, "UEFI on RISC-V 64"),
    row(28, Arch::Riscv, Http, "UEFI HTTP on RISC-V 64"),
    row(29, Arch::Riscv, Tftp, "UEFI on RISC-V 128"),
    row(30, Arch::Riscv, Http, "UEFI HTTP on RISC-V 128"),
    row(37, Arch::Loongarch, Tftp, "UEFI on LoongArch 32"),
    row(38, Arch::Loongarch, Http, "UEFI HTTP on LoongArch 32"),
    row(39, Arch::Loongarch, Tftp, "UEFI on LoongArch 64"),
    row(40, Arch::Loongarch, Http, "UEFI HTTP on LoongArch 64"),
    row(41, Arch::RaspberryPi, Tftp, "Raspberry Pi"),
    // Registered, and nothing that iPXE runs on.
    row(1, Arch::Unknown, Tftp, "NEC PC-98"),
    row(2, Arch::Unknown, Tftp, "UEFI on Itanium"),
    row(3, Arch::Unknown, Tftp, "DEC Alpha"),
    row(4, Arch::Unknown, Tftp, "ARC x86"),
    row(5, Arch::Unknown, Tftp, "Intel Lean Client"),
    row(8, Arch::Unknown, Tftp, "UEFI on XScale"),
    row(12, Arch::Unknown, Tftp, "PowerPC Open Firmware"),
    row(13, Arch::Unknown, Tftp, "PowerPC ePAPR"),
];

/// Loader names of an architecture, the preferred first. `snponly` before the native drivers: those hang on bnxt, ice and tg3.
pub const fn names(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::Bios => &["undionly.kpxe", "undionly.kkpxe"],
        Arch::Ia32 => &["snponly-i386.efi", "ipxe-snponly-i386.efi", "ipxe-i386.efi", "ipxe32.efi"],
        Arch::X64 => &["snponly.efi", "ipxe-snponly-x86_64.efi", "ipxe.efi", "ipxe-x86_64.efi"],
        Arch::Arm32 => &["snponly-arm32.efi", "ipxe-arm32.efi"],
        Arch::Arm64 => &["snponly-arm64.efi", "arm64-efi/snponly.efi", "ipxe-arm64.efi", "arm64-efi/ipxe.efi"],
        Arch::Riscv => &["snponly-riscv64.efi", "ipxe-riscv64.efi"],
        Arch::Loongarch => &["snponly-loong64.efi", "ipxe-loong64.efi"],
        Arch::RaspberryPi | Arch::Unknown => &[],
    }
}

/// What a client of `arch` is to load: the host's choice, else the first name that is present.
pub fn choose<'a>(arch: Arch, asked: Option<&'a str>, is_present: &dyn Fn(&str) -> bool) -> Result<&'a str, NoLoader> {
    match (asked, arch) {
        (Some(name), _) if is_present(name) => Ok(name),
        (Some(_), _) => Err(NoLoader::NamedMissing),
        (None, Arch::Unknown) => Err(NoLoader::UnknownArch),
        (None, Arch::RaspberryPi) => Err(NoLoader::FileTree),
        (None, _) => names(arch).iter().copied().find(|name| is_present(name)).ok_or(NoLoader::NotInstalled),
    }
}

/// The row of a code.
pub fn by_code(code: u16) -> Option<&'static Row> {
    FIRMWARE.iter().find(|row| row.code == code)
}

/// Address blocks of Raspberry Pi Ltd (IEEE registry); its first stage says 0, "BIOS".
const RASPBERRY_PI: [[u8; 3]; 6] =
    [[0x28, 0xcd, 0xc1], [0x2c, 0xcf, 0x67], [0xb8, 0x27, 0xeb], [0xd8, 0x3a, 0xdd], [0xdc, 0xa6, 0x32], [0xe4, 0x5f, 0x01]];

/// Whether a card's address is one of Raspberry Pi Ltd.
pub fn is_raspberry_pi(mac: Mac) -> bool {
    RASPBERRY_PI.contains(&[mac.octets()[0], mac.octets()[1], mac.octets()[2]])
}

/// Who a DHCP client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// Firmware or iPXE that wants to boot from the network.
    Netboot(Firmware),
    /// An installer's own DHCP (`anaconda-…`, `d-i`): evidence, and never a boot file (d-i takes it for a preseed URL).
    Installer(String),
    /// Anything else; its vendor class for the timeline.
    System(String),
}

/// Our own iPXE build announces itself by this user class.
pub const OWN_USER_CLASS: &str = "bootwright";

/// Reads who asks out of options 60, 77, 93 and 175 and the address.
pub fn client(request: &Request) -> Client {
    let class = request.class_text();
    if class.starts_with("anaconda") || class == "d-i" || class.starts_with("d-i ") {
        return Client::Installer(class);
    }
    let http_class = class.starts_with("HTTPClient");
    if request.archs.is_empty() && !http_class && !class.starts_with("PXEClient") {
        return Client::System(class);
    }
    let row = request.archs.iter().find_map(|code| by_code(*code)).or_else(|| by_code(class_arch(&class)?));
    let own = request.has_user_class(OWN_USER_CLASS);
    // A user class that says something else wins over option 175: an iPXE told to pose as plain firmware is treated as such.
    let ipxe = own || request.has_user_class("iPXE") || request.has_user_class("gPXE") || (request.ipxe.is_some() && request.user_classes.is_empty());
    let arch = match row.map_or(Arch::Unknown, |row| row.arch) {
        Arch::Bios if !ipxe && is_raspberry_pi(request.mac) => Arch::RaspberryPi,
        arch => arch,
    };
    let transport = if http_class { Http } else { row.map_or(Tftp, |row| row.transport) };
    let ipxe_http = own || (ipxe && request.ipxe.as_ref().is_some_and(|says| says.has_http()));
    Client::Netboot(Firmware { arch, transport, ipxe_http, ipxe })
}

/// `PXEClient:Arch:00007:UNDI:003000`, for clients that leave option 93 out.
fn class_arch(class: &str) -> Option<u16> {
    class.split(":Arch:").nth(1)?.split(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_twice_in_the_table() {
        for (i, row) in FIRMWARE.iter().enumerate() {
            assert!(FIRMWARE[..i].iter().all(|other| other.code != row.code), "{}", row.code);
        }
    }

    #[track_caller]
    fn check(code: u16, arch: Arch, transport: Transport) {
        let row = by_code(code).unwrap();
        assert_eq!((row.arch, row.transport), (arch, transport), "{code}");
    }

    #[test]
    fn a_code_means_what_the_registry_and_the_field_say() {
        check(0, Arch::Bios, Tftp);
        check(7, Arch::X64, Tftp);
        check(9, Arch::X64, Tftp);
        check(11, Arch::Arm64, Tftp);
        check(16, Arch::X64, Http);
        check(19, Arch::Arm64, Http);
        check(20, Arch::Bios, Http);
        assert_eq!(by_code(999), None);
    }

    #[track_caller]
    fn chosen(arch: Arch, asked: Option<&str>, present: &[&str], want: Result<&str, NoLoader>) {
        assert_eq!(choose(arch, asked, &|name| present.contains(&name)), want, "{arch:?} {asked:?} {present:?}");
    }

    #[test]
    fn only_a_loader_that_is_present_is_chosen() {
        let debian = ["undionly.kpxe", "ipxe.efi", "snponly.efi"];
        chosen(Arch::Bios, None, &debian, Ok("undionly.kpxe"));
        chosen(Arch::X64, None, &debian, Ok("snponly.efi"));
        chosen(Arch::X64, Some("ipxe.efi"), &debian, Ok("ipxe.efi"));
        chosen(Arch::X64, None, &["ipxe-x86_64.efi"], Ok("ipxe-x86_64.efi"));
        chosen(Arch::Arm64, None, &debian, Err(NoLoader::NotInstalled));
        chosen(Arch::Arm64, None, &["ipxe-arm64.efi"], Ok("ipxe-arm64.efi"));
        chosen(Arch::Ia32, None, &debian, Err(NoLoader::NotInstalled));
        chosen(Arch::X64, Some("mine.efi"), &debian, Err(NoLoader::NamedMissing));
        chosen(Arch::RaspberryPi, None, &debian, Err(NoLoader::FileTree));
        chosen(Arch::Unknown, None, &debian, Err(NoLoader::UnknownArch));
    }
}
