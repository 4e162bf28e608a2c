//! For networks whose DHCP stays the site's own (`dhcp: off`): what to write into dnsmasq, Kea or ISC dhcpd so that hosts come here.
//!
//! Pure text from the network, our address and the boot listener's URL. The loaders come from the one firmware table, the order is the
//! one that breaks the chain loop: iPXE gets the script, HTTP firmware a URL, everybody else a loader by TFTP. `${…}` is iPXE's.

use std::{fmt::Write as _, net::Ipv4Addr, str::FromStr};

use super::loaders;
use crate::model::{Arch, Network, Transport};

/// Whose configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// dnsmasq 2.80 or later.
    Dnsmasq,
    /// Kea 2.0 or later, `Dhcp4`.
    Kea,
    /// ISC dhcpd 4.
    Isc,
}

/// No such dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of dnsmasq, kea, isc")]
pub struct NoDialect(pub String);

impl FromStr for Dialect {
    type Err = NoDialect;
    fn from_str(text: &str) -> Result<Self, NoDialect> {
        match text {
            "dnsmasq" => Ok(Self::Dnsmasq),
            "kea" => Ok(Self::Kea),
            "isc" => Ok(Self::Isc),
            other => Err(NoDialect(other.chars().take(40).collect())),
        }
    }
}

/// The architectures that are written out; the others have no loader that a distribution brings.
const ARCHES: [Arch; 3] = [Arch::Bios, Arch::X64, Arch::Arm64];

/// One client class: its codes, how it fetches, what.
struct Class {
    name: String,
    codes: Vec<u16>,
    transport: Transport,
    file: String,
}

/// The lines for one network.
pub fn snippet(dialect: Dialect, network: &Network, server: Ipv4Addr, url: &str, is_present: &dyn Fn(&str) -> bool) -> String {
    let classes = classes(url, is_present);
    let script = format!("{url}/boot.ipxe?mac=${{netX/mac}}&uuid=${{uuid}}&serial=${{serial:uristring}}");
    match dialect {
        Dialect::Dnsmasq => dnsmasq(network, server, &script, &classes),
        Dialect::Kea => kea(network, server, &script, &classes),
        Dialect::Isc => isc(network, server, &script, &classes),
    }
}

fn classes(url: &str, is_present: &dyn Fn(&str) -> bool) -> Vec<Class> {
    let mut all = Vec::new();
    for arch in ARCHES {
        for transport in [Transport::Tftp, Transport::Http] {
            let Ok(loader) = loaders::choose(arch, None, is_present) else { continue };
            let rows = loaders::FIRMWARE.iter().filter(|row| row.arch == arch && row.transport == transport);
            let (file, how) = match transport {
                Transport::Tftp => (loader.to_owned(), "pxe"),
                Transport::Http => (format!("{url}/loader/{loader}"), "http"),
            };
            let name = format!("bootwright-{}-{how}", format!("{arch:?}").to_lowercase());
            all.push(Class { name, codes: rows.map(|row| row.code).collect(), transport, file });
        }
    }
    all
}

fn dnsmasq(network: &Network, server: Ipv4Addr, script: &str, classes: &[Class]) -> String {
    let mut text = format!("# Bootwright for network {} ({}), to be put into dnsmasq's configuration\n", network.name, network.subnet);
    text += "dhcp-userclass=set:bootwright-ipxe,iPXE\n";
    for class in classes {
        for code in &class.codes {
            let _ = writeln!(text, "dhcp-match=set:{},option:client-arch,{code}", class.name);
        }
    }
    let _ = writeln!(text, "dhcp-boot=tag:bootwright-ipxe,{script},,{server}");
    for class in classes {
        let _ = writeln!(text, "dhcp-boot=tag:!bootwright-ipxe,tag:{},{},,{server}", class.name, class.file);
        if class.transport == Transport::Http {
            let _ = writeln!(text, "dhcp-option-force=tag:!bootwright-ipxe,tag:{},60,HTTPClient", class.name);
        }
    }
    text
}

fn kea(network: &Network, server: Ipv4Addr, script: &str, classes: &[Class]) -> String {
    let class = |name: &str, test: String, file: &str, http: bool| {
        let mut class = serde_json::json!({ "name": name, "test": test, "next-server": server, "boot-file-name": file });
        if http {
            class["option-data"] = serde_json::json!([{ "name": "vendor-class-identifier", "data": "HTTPClient", "always-send": true }]);
        }
        class
    };
    let mut all = vec![class("bootwright-ipxe", "substring(option[77].hex,0,4) == 'iPXE'".into(), script, false)];
    for one in classes {
        let codes: Vec<String> = one.codes.iter().map(|code| format!("option[93].hex == 0x{code:04x}")).collect();
        let test = format!("not member('bootwright-ipxe') and ({})", codes.join(" or "));
        all.push(class(&one.name, test, &one.file, one.transport == Transport::Http));
    }
    let json = serde_json::json!({ "client-classes": all });
    // A `Value` of strings always prints.
    let json = serde_json::to_string_pretty(&json).unwrap_or_default();
    format!("// Bootwright for network {} ({}): merge into \"Dhcp4\"\n{json}\n", network.name, network.subnet)
}

fn isc(network: &Network, server: Ipv4Addr, script: &str, classes: &[Class]) -> String {
    let (subnet, mask) = (network.subnet.network(), network.subnet.netmask());
    let mut text = format!("# Bootwright for network {}\noption bootwright-arch code 93 = unsigned integer 16;\n", network.name);
    let _ = writeln!(text, "subnet {subnet} netmask {mask} {{");
    let _ = writeln!(text, "  # your range and options stay as they are; these lines are added\n  next-server {server};");
    let _ = writeln!(text, "  if exists user-class and option user-class = \"iPXE\" {{\n    filename \"{script}\";");
    for class in classes {
        let codes: Vec<String> = class.codes.iter().map(|code| format!("option bootwright-arch = {code}")).collect();
        let _ = writeln!(text, "  }} elsif {} {{", codes.join(" or "));
        if class.transport == Transport::Http {
            text += "    option vendor-class-identifier \"HTTPClient\";\n";
        }
        let _ = writeln!(text, "    filename \"{}\";", class.file);
    }
    text += "  }\n}\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(dialect: &str) -> String {
        let network = serde_json::from_value(serde_json::json!({"name": "lab", "subnet": "10.77.0.0/24"})).unwrap();
        let present = ["undionly.kpxe", "snponly.efi"];
        snippet(dialect.parse().unwrap(), &network, [10, 77, 0, 1].into(), "http://10.77.0.1", &|name| present.contains(&name))
    }

    #[track_caller]
    fn check(dialect: &str, lines: &[&str]) {
        let text = text(dialect);
        for line in lines {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("arm64"), "no loader for it is present");
    }

    #[test]
    fn dnsmasq_is_told_script_loader_and_url() {
        check(
            "dnsmasq",
            &[
                "dhcp-boot=tag:bootwright-ipxe,http://10.77.0.1/boot.ipxe?mac=${netX/mac}",
                "dhcp-match=set:bootwright-x64-pxe,option:client-arch,9",
                "dhcp-boot=tag:!bootwright-ipxe,tag:bootwright-bios-pxe,undionly.kpxe,,10.77.0.1",
                "dhcp-boot=tag:!bootwright-ipxe,tag:bootwright-x64-http,http://10.77.0.1/loader/snponly.efi,,10.77.0.1",
                "dhcp-option-force=tag:!bootwright-ipxe,tag:bootwright-x64-http,60,HTTPClient",
            ],
        );
    }

    #[test]
    fn kea_gets_valid_json() {
        check("kea", &["0x0007 or option[93].hex == 0x0009", "\"boot-file-name\": \"undionly.kpxe\""]);
        let json = text("kea").lines().skip(1).collect::<String>();
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    }

    #[test]
    fn isc_asks_in_the_order_that_breaks_the_loop() {
        check("isc", &["option user-class = \"iPXE\"", "} elsif option bootwright-arch = 0 {", "filename \"undionly.kpxe\";"]);
        let text = text("isc");
        assert!(text.find("boot.ipxe").unwrap() < text.find("undionly").unwrap());
    }

    #[test]
    fn another_dialect_is_refused() {
        assert_eq!("bind".parse::<Dialect>(), Err(NoDialect("bind".into())));
    }
}
