//! Who a simulated host is: everything that follows from its number.
//!
//! The same number is the same machine in every run: its card, its board and the name under which `--print-site` records it.

use std::{fmt::Write as _, net::Ipv4Addr};

use crate::model::Mac;

/// One machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Which one, from 0.
    pub number: u32,
    /// Its card.
    pub mac: Mac,
}

impl Identity {
    /// Machine `number`, its cards counted from `first`; none where the count leaves what cards can have.
    pub fn new(first: Mac, number: u32) -> Option<Self> {
        let sum = octets_as_number(first).checked_add(u64::from(number))?;
        let [0, 0, octets @ ..] = sum.to_be_bytes() else { return None };
        Some(Self { number, mac: Mac::from_octets(octets).ok()? })
    }

    /// Which machine of those counted from `first` has this card.
    pub fn number_of(first: Mac, octets: [u8; 6]) -> Option<usize> {
        let [a, b, c, d, e, f] = octets;
        let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]).checked_sub(octets_as_number(first))?;
        usize::try_from(number).ok()
    }

    /// The name it is recorded under.
    pub fn name(&self) -> String {
        format!("sim-{:05}", self.number)
    }

    /// Its board (RFC 4122 order, version 8: made up by us).
    pub fn uuid(&self) -> [u8; 16] {
        let mut bytes = *b"bootw\0\x80sim\x80\0\0\0\0\0";
        bytes[0..6].copy_from_slice(&self.mac.octets());
        bytes[6..10].copy_from_slice(&[0x80, 0x51, 0x80, 0x51]);
        bytes[12..16].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// The same as text.
    pub fn uuid_text(&self) -> String {
        uuid::Uuid::from_bytes(self.uuid()).to_string()
    }
}

fn octets_as_number(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.octets();
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// The address that a name in a packet or a URL stands for. Only numbers: a simulator that looked names up would talk to whoever they mean.
pub fn address(text: &str) -> Option<Ipv4Addr> {
    text.trim_end_matches('\0').parse().ok()
}

/// A site file with these hosts, for `bootwright apply -f -`.
pub fn site(hosts: impl Iterator<Item = Identity>, network: &str, profile: &str) -> String {
    let mut text = String::from("hosts:\n");
    for host in hosts {
        let _a_string_takes_it = writeln!(text, "  - {{name: {}, macs: [\"{}\"], network: {network}, profile: {profile}}}", host.name(), host.mac);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> Mac {
        "02:00:00:00:00:fe".parse().unwrap()
    }

    #[test]
    fn a_number_is_a_machine_and_its_card_says_which() {
        for number in [0, 1, 2, 70_000] {
            let host = Identity::new(first(), number).unwrap();
            assert_eq!(Identity::number_of(first(), host.mac.octets()), Some(number as usize));
        }
        assert_eq!(Identity::new(first(), 2).unwrap().mac.to_string(), "02:00:00:00:01:00");
        assert_eq!(Identity::number_of(first(), [2, 0, 0, 0, 0, 0]), None);
        assert_eq!(Identity::new("fe:ff:ff:ff:ff:ff".parse().unwrap(), 1), None, "a multicast address is no card");
        assert_ne!(Identity::new(first(), 1).unwrap().uuid(), Identity::new(first(), 2).unwrap().uuid());
    }

    #[test]
    fn the_site_file_has_every_host() {
        let text = site((0..2).filter_map(|number| Identity::new(first(), number)), "lab", "os");
        assert_eq!(
            text,
            "hosts:\n  - {name: sim-00000, macs: [\"02:00:00:00:00:fe\"], network: lab, profile: os}\n  - {name: sim-00001, macs: [\"02:00:00:00:00:ff\"], network: lab, profile: os}\n"
        );
    }
}
