//! The collectors in the order in which they enter the facts, with their time-outs.
//!
//! Quick ones read `/sys` and one tool; slow ones wait for a controller, a neighbour or a disk. A new collector is one line here.

use super::{DisksOf, Found, Look, bmc, boot, cpu, dmi, lldp, memory, nics, pci};

/// All of them.
pub fn all(disks: DisksOf, boot_card: Option<crate::contract::Mac>) -> Vec<Look> {
    vec![
        Look::new("dmi", 25, true, dmi::look),
        Look::new("cpu", 15, true, cpu::look),
        Look::new("memory", 25, true, memory::look),
        Look::new("nics", 60, true, move |machine| nics::look(machine, boot_card)),
        Look::new("pci", 20, true, pci::look),
        Look::new("boot", 15, true, boot::look),
        Look::new("tpm", 5, true, boot::tpm),
        Look::new("disks", 300, false, move |machine| {
            let (found, problems) = disks(machine);
            Found::new(move |facts| facts.disks.clone_from(&found), problems)
        }),
        Look::new("lldp", 60, false, lldp::look),
        Look::new("bmc", 60, false, bmc::look),
    ]
}
