//! The controllers on the PCI bus that a rule or a person may ask for: storage, network, displays and accelerators.
//!
//! `lspci -nn` gives each name with its number; the class's number decides (PCI Code and ID Assignment, base classes 01, 02, 03 and 12),
//! because names differ between versions of the list. Bridges, USB and the rest are left out.

use crate::{contract::Controller, machine::Machine};

use super::{
    Found,
    tool::{Problems, output, value},
};

/// The base classes that are told.
const TOLD: [&str; 4] = ["01", "02", "03", "12"];

/// The collector.
pub fn look(machine: &dyn Machine) -> Found {
    let mut problems = Problems::of("pci");
    let text = problems.take(output(machine, "lspci", &["-Dvmmknn"], 15)).unwrap_or_default();
    let mut controllers: Vec<Controller> = text.split("\n\n").filter_map(controller).collect();
    controllers.sort_by(|a, b| a.address.cmp(&b.address));
    Found::new(move |facts| facts.controllers.clone_from(&controllers), problems.list())
}

fn controller(record: &str) -> Option<Controller> {
    let (class, number) = split(value(record, "Class")?);
    if !TOLD.contains(&number.get(..2)?) {
        return None;
    }
    // The address has colons of its own, which `value` leaves alone: it splits at the first.
    let name = |key: &str| value(record, key).map(|text| split(text).0).unwrap_or_default();
    Some(Controller {
        address: value(record, "Slot")?.to_owned(),
        class,
        vendor: name("Vendor"),
        product: name("Device"),
        driver: value(record, "Driver").unwrap_or_default().to_owned(),
    })
}

/// `SATA controller [0106]`: the name and the number.
fn split(text: &str) -> (String, &str) {
    match text.rsplit_once(" [") {
        Some((name, number)) => (name.to_owned(), number.trim_end_matches(']')),
        None => (text.to_owned(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::tests::{facts_of, fixture},
        machine::recorded::Recorded,
    };

    #[test]
    fn storage_network_and_accelerators_are_told_and_bridges_are_not() {
        let found = facts_of(look(&Recorded::new().program("lspci -Dvmmknn", &fixture("lspci.txt")))).controllers;
        let addresses: Vec<&str> = found.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(addresses, ["0000:00:17.0", "0000:03:00.0", "0000:04:00.0", "0000:65:00.0", "0000:ca:00.0"]);
        assert_eq!(
            found[0],
            Controller {
                address: "0000:00:17.0".to_owned(),
                class: "SATA controller".to_owned(),
                vendor: "Intel Corporation".to_owned(),
                product: "C620 Series Chipset Family SATA Controller [AHCI mode]".to_owned(),
                driver: "ahci".to_owned(),
            }
        );
        assert_eq!((found[4].class.as_str(), found[4].driver.as_str()), ("3D controller", ""), "no driver has it");
    }

    #[test]
    fn a_missing_tool_is_an_error() {
        assert_eq!(facts_of(look(&Recorded::new())).collectors[0].error.as_deref(), Some("there is no program lspci here"));
    }
}
