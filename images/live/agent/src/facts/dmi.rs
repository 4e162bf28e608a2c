//! System, board, chassis, firmware and power supplies, as SMBIOS (DSP0134) has them.
//!
//! The kernel gives types 0 to 3 as files; the chassis's kind and the power supplies (type 39) come from `dmidecode`, whose text is read
//! here for the memory too. What a maker forgot ("To Be Filled By O.E.M.") is left empty; what is mandatory decides the server.

use crate::{
    contract::{Bios, Part, System},
    machine::Machine,
};

use super::{
    Found,
    tool::{Problems, meant, output},
};

const ID: &str = "/sys/class/dmi/id";

/// The collector.
pub fn look(machine: &dyn Machine) -> Found {
    let mut problems = Problems::of("dmi");
    let word = |name: &str| machine.word(&format!("{ID}/{name}")).map(|text| meant(&text)).unwrap_or_default();
    if !machine.exists(ID) {
        problems.add(format!("there is no {ID}: this machine has no SMBIOS"));
    }
    let system = System {
        vendor: word("sys_vendor"),
        product: word("product_name"),
        version: word("product_version"),
        serial: word("product_serial"),
        sku: word("product_sku"),
        uuid: uuid(machine),
    };
    let bios = Bios { vendor: word("bios_vendor"), version: word("bios_version"), date: word("bios_date") };
    let part = |name: &str| Part {
        vendor: word(&format!("{name}_vendor")),
        product: word(&format!("{name}_name")),
        serial: word(&format!("{name}_serial")),
        asset_tag: word(&format!("{name}_asset_tag")),
    };
    let (mut board, mut chassis) = (part("board"), part("chassis"));
    let mut power_supplies = Vec::new();
    if let Some(text) = problems.take(output(machine, "dmidecode", &["-t", "2,3,39"], 20)) {
        let found = structures(&text);
        fill(&mut board, &found, 2);
        fill(&mut chassis, &found, 3);
        power_supplies = found.iter().filter(|one| one.kind == 39).filter_map(power_supply).collect();
    }
    Found::new(
        move |facts| {
            facts.system = system.clone();
            facts.bios = bios.clone();
            facts.board = board.clone();
            facts.chassis = chassis.clone();
            facts.power_supplies.clone_from(&power_supplies);
        },
        problems.list(),
    )
}

/// The machine's UUID in the spelling that the server takes; all zeros and all ones are nobody's.
pub fn uuid(machine: &dyn Machine) -> Option<String> {
    let text = machine.word(&format!("{ID}/product_uuid"))?.to_ascii_lowercase();
    let parts: Vec<&str> = text.split('-').collect();
    let shaped = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()));
    let same = |of: char| text.chars().all(|c| c == of || c == '-');
    (shaped && !same('0') && !same('f')).then_some(text)
}

/// One structure of `dmidecode`'s text.
pub struct Structure {
    /// Its type.
    pub kind: u8,
    lines: Vec<(String, String)>,
}

impl Structure {
    /// A value, or nothing where the maker forgot it.
    pub fn get(&self, key: &str) -> String {
        self.lines.iter().find(|(found, _)| found == key).map(|(_, value)| meant(value)).unwrap_or_default()
    }
}

/// `Handle 0x0011, DMI type 17, 92 bytes`, a title, then `\tKey: value`; lists (`\t\titem`) are left out.
pub fn structures(text: &str) -> Vec<Structure> {
    let mut found: Vec<Structure> = Vec::new();
    for line in text.lines() {
        if line.starts_with("Handle ") {
            let kind = line.split("DMI type ").nth(1).and_then(|rest| rest.split(',').next()).and_then(|kind| kind.trim().parse().ok());
            // 127 is "end of table": nothing is asked of it.
            found.push(Structure { kind: kind.unwrap_or(127), lines: Vec::new() });
        } else if let (Some(one), Some((key, value))) = (found.last_mut(), line.strip_prefix('\t').and_then(|line| line.split_once(':')))
            && !key.starts_with('\t')
        {
            one.lines.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

/// What the kernel's files leave open. Of several boards (a riser, an I/O board) the main one.
fn fill(part: &mut Part, all: &[Structure], kind: u8) {
    let mut of_kind = all.iter().filter(|one| one.kind == kind).collect::<Vec<_>>();
    of_kind.sort_by_key(|one| one.get("Type") != "Motherboard");
    let Some(found) = of_kind.first() else { return };
    let product = if kind == 3 { "Type" } else { "Product Name" };
    for (field, key) in
        [(&mut part.vendor, "Manufacturer"), (&mut part.product, product), (&mut part.serial, "Serial Number"), (&mut part.asset_tag, "Asset Tag")]
    {
        if field.is_empty() {
            *field = found.get(key);
        }
    }
}

fn power_supply(found: &Structure) -> Option<Part> {
    let absent = found.get("Status").to_ascii_lowercase().starts_with("not present");
    let name = [found.get("Name"), found.get("Model Part Number")].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let part = Part { vendor: found.get("Manufacturer"), product: name, serial: found.get("Serial Number"), asset_tag: found.get("Asset Tag") };
    (!absent && part != Part::default()).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::Facts,
        facts::tests::{facts_of, fixture},
        machine::recorded::Recorded,
    };

    fn server() -> Recorded {
        Recorded::new()
            .file("/sys/class/dmi/id/sys_vendor", "Dell Inc.\n")
            .file("/sys/class/dmi/id/product_name", "PowerEdge R650\n")
            .file("/sys/class/dmi/id/product_version", "Not Specified\n")
            .file("/sys/class/dmi/id/product_serial", "7XK2M93\n")
            .file("/sys/class/dmi/id/product_sku", "SKU=0912;ModelName=PowerEdge R650\n")
            .file("/sys/class/dmi/id/product_uuid", "4C4C4544-0058-4B10-8032-B7C04F4D3933\n")
            .file("/sys/class/dmi/id/bios_vendor", "Dell Inc.\n")
            .file("/sys/class/dmi/id/bios_version", "1.13.2\n")
            .file("/sys/class/dmi/id/bios_date", "12/19/2023\n")
            .file("/sys/class/dmi/id/board_vendor", "Dell Inc.\n")
            .file("/sys/class/dmi/id/chassis_serial", "7XK2M93\n")
            .program("dmidecode -t 2,3,39", &fixture("dmidecode-2-3-39.txt"))
    }

    #[test]
    fn a_server_is_read_from_files_and_dmidecode() {
        let facts = facts_of(look(&server()));
        assert_eq!((facts.system.product.as_str(), facts.system.version.as_str()), ("PowerEdge R650", ""));
        assert_eq!(facts.system.uuid.as_deref(), Some("4c4c4544-0058-4b10-8032-b7c04f4d3933"));
        assert_eq!((facts.board.product.as_str(), facts.board.serial.as_str()), ("0PYXKY", ".7XK2M93.CNFCP0021B00Q4."));
        assert_eq!((facts.chassis.product.as_str(), facts.chassis.asset_tag.as_str()), ("Rack Mount Chassis", "R12-U07"));
        assert_eq!(facts.power_supplies.len(), 2, "the empty bay is none");
        assert_eq!(
            (facts.power_supplies[1].product.as_str(), facts.power_supplies[1].serial.as_str()),
            ("PWR SPLY,1400W,RDNT,ARTESYN", "CNLOD0023B1A60")
        );
        assert_eq!(facts.collectors[0].error, None);
    }

    #[test]
    fn a_machine_without_smbios_says_so() {
        let facts = facts_of(look(&Recorded::new()));
        let error = facts.collectors[0].error.clone().unwrap();
        assert!(error.contains("no SMBIOS") && error.contains("no program dmidecode"), "{error}");
        assert_eq!(Facts { collectors: Vec::new(), ..facts }, Facts::default());
    }

    #[test]
    fn a_uuid_that_is_nobodys_is_none() {
        for (text, is) in [
            ("00000000-0000-0000-0000-000000000000", None),
            ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", None),
            ("Not Settable", None),
            ("03000200-0400-0500-0006-000700080009\n", Some("03000200-0400-0500-0006-000700080009")),
        ] {
            assert_eq!(uuid(&Recorded::new().file("/sys/class/dmi/id/product_uuid", text)).as_deref(), is, "{text}");
        }
    }
}
