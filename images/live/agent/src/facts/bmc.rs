//! The management controller: its address, its card, its firmware, by IPMI over the host's own interface.
//!
//! A machine without `/dev/ipmi0` has none, which is no error. Nothing is changed on it, no user is asked for.

use crate::{contract::Bmc, machine::Machine};

use super::{
    Found,
    tool::{Problems, meant, output, value},
};

const DEVICES: [&str; 3] = ["/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0"];

/// The collector.
pub fn look(machine: &dyn Machine) -> Found {
    let mut problems = Problems::of("bmc");
    if !DEVICES.iter().any(|device| machine.exists(device)) {
        return Found::new(|_| {}, Vec::new());
    }
    // Controllers answer in seconds, some need many of them.
    let lan = problems.take(output(machine, "ipmitool", &["lan", "print"], 25)).unwrap_or_default();
    let own = problems.take(output(machine, "ipmitool", &["mc", "info"], 25)).unwrap_or_default();
    let bmc = Bmc {
        address: value(&lan, "IP Address").and_then(|text| text.parse().ok()).filter(|address: &std::net::Ipv4Addr| !address.is_unspecified()),
        mac: value(&lan, "MAC Address").and_then(|text| text.parse().ok()),
        firmware: value(&own, "Firmware Revision").map(meant).unwrap_or_default(),
    };
    Found::new(move |facts| facts.bmc = Some(bmc.clone()), problems.list())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::tests::{facts_of, fixture},
        machine::{End, recorded::Recorded},
    };

    fn server() -> Recorded {
        Recorded::new().file("/dev/ipmi0", "")
    }

    #[test]
    fn a_controller_tells_address_card_and_firmware() {
        let machine = server().program("ipmitool lan print", &fixture("ipmitool-lan.txt")).program("ipmitool mc info", &fixture("ipmitool-mc.txt"));
        let facts = facts_of(look(&machine));
        let bmc = facts.bmc.unwrap();
        assert_eq!((bmc.address.unwrap().to_string().as_str(), bmc.firmware.as_str()), ("10.12.0.7", "6.10"));
        assert_eq!(bmc.mac.unwrap().to_string(), "b4:45:06:e1:0a:0e");
        assert_eq!(facts.collectors[0].error, None);
    }

    #[test]
    fn a_machine_without_one_is_no_error() {
        let facts = facts_of(look(&Recorded::new()));
        assert_eq!((facts.bmc, facts.collectors[0].error.as_ref()), (None, None));
    }

    #[test]
    fn one_that_hangs_is_there_and_says_nothing() {
        let lan = "IP Address Source       : DHCP Address\nIP Address              : 0.0.0.0\n";
        let machine = server().program("ipmitool lan print", lan).program_ends("ipmitool mc info", End::TimedOut, "", "");
        let facts = facts_of(look(&machine));
        assert_eq!(facts.bmc, Some(Bmc::default()));
        assert_eq!(facts.collectors[0].error.as_deref(), Some("ipmitool mc info: took too long and was ended"));
    }
}
