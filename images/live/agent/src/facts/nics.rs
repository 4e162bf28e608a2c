//! The physical network cards: what the kernel's files and `ethtool` say of each.
//!
//! A card is physical when it has a device behind it. Left out: virtual functions, cards that are not Ethernet, and USB cards, because
//! nearly every one of them is a management controller's own; the collector names them. The card that the machine booted from is never
//! left out. Neighbours are `lldp`'s.

use crate::{
    contract::{Mac, Nic},
    machine::Machine,
};

use super::{
    Found,
    tool::{Problems, output, value},
};

const NET: &str = "/sys/class/net";

/// ARPHRD_ETHER of `linux/if_arp.h`.
const ETHERNET: &str = "1";

/// The collector.
pub fn look(machine: &dyn Machine, boot: Option<Mac>) -> Found {
    let mut problems = Problems::of("nics");
    let cards = physical(machine, boot, &mut problems);
    let nics: Vec<Nic> = cards.into_iter().map(|card| describe(machine, card, &mut problems)).collect();
    Found::new(move |facts| facts.nics.clone_from(&nics), problems.list())
}

/// The addresses of all physical cards, for the hello.
pub fn macs(machine: &dyn Machine, boot: Option<Mac>) -> Vec<Mac> {
    physical(machine, boot, &mut Problems::of("nics")).into_iter().map(|card| card.mac).collect()
}

/// The names of all cards with a device behind them and a link.
pub fn linked(machine: &dyn Machine) -> Vec<String> {
    let names = machine.list(NET).unwrap_or_default();
    let is_linked =
        |name: &String| machine.exists(&format!("{NET}/{name}/device")) && machine.word(&format!("{NET}/{name}/carrier")).as_deref() == Some("1");
    names.into_iter().filter(is_linked).collect()
}

struct Card {
    name: String,
    mac: Mac,
    /// Where it hangs: `../../devices/pci0000:00/0000:00:03.0/virtio0/net/eth0`.
    path: String,
}

fn physical(machine: &dyn Machine, boot: Option<Mac>, problems: &mut Problems) -> Vec<Card> {
    let Some(names) = problems.take(machine.list(NET).map_err(|error| format!("{NET}: {error}"))) else { return Vec::new() };
    let mut cards = Vec::new();
    for name in names {
        let at = |file: &str| format!("{NET}/{name}/{file}");
        if !machine.exists(&at("device")) || machine.exists(&at("device/physfn")) {
            continue;
        }
        if machine.word(&at("type")).as_deref() != Some(ETHERNET) {
            problems.add(format!("{name}: left out, it is not an Ethernet card"));
            continue;
        }
        let path = machine.link(&format!("{NET}/{name}")).or_else(|_| machine.link(&at("device"))).unwrap_or_default();
        let mac = match machine.word(&at("address")).unwrap_or_default().parse::<Mac>() {
            Ok(mac) => mac,
            Err(why) => {
                problems.add(format!("{name}: left out, {why}"));
                continue;
            }
        };
        if path.contains("/usb") && boot != Some(mac) {
            problems.add(format!("{name}: left out, it is a USB card, as management controllers have"));
            continue;
        }
        cards.push(Card { name, mac, path });
    }
    cards
}

fn describe(machine: &dyn Machine, card: Card, problems: &mut Problems) -> Nic {
    let Card { name, mac, path } = card;
    let word = |file: &str| machine.word(&format!("{NET}/{name}/{file}"));
    let said = problems.take(output(machine, "ethtool", &["-i", &name], 5)).unwrap_or_default();
    let of_tool = |key: &str| value(&said, key).filter(|text| !text.is_empty() && *text != "N/A").map(str::to_owned);
    let driver = of_tool("driver").or_else(|| machine.link(&format!("{NET}/{name}/device/driver")).ok().map(|link| last(&link).to_owned()));
    let link = word("carrier").as_deref() == Some("1");
    Nic {
        permanent_mac: problems.take(output(machine, "ethtool", &["-P", &name], 5)).and_then(|text| value(&text, "Permanent address")?.parse().ok()),
        driver: driver.unwrap_or_default(),
        firmware: of_tool("firmware-version").unwrap_or_default(),
        bus: bus(&path).or_else(|| of_tool("bus-info")).unwrap_or_default(),
        // Without a link the file says -1, or cannot be read at all.
        speed_mbps: word("speed").filter(|_| link).and_then(|text| text.parse().ok()).filter(|speed| (1..10_000_000).contains(speed)),
        link,
        boot: false,
        lldp: None,
        name,
        mac,
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The innermost PCI address on the way to the card.
fn bus(path: &str) -> Option<String> {
    path.rsplit('/').find(|part| is_pci_address(part)).map(str::to_owned)
}

/// `0000:00:03.0`
fn is_pci_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '.']).collect();
    parts.len() == 4 && parts.iter().map(|part| part.len()).eq([4, 2, 2, 1]) && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{facts::tests::facts_of, machine::recorded::Recorded};

    fn card(machine: Recorded, name: &str, mac: &str, path: &str) -> Recorded {
        let at = |file: &str| format!("{NET}/{name}/{file}");
        machine
            .symlink(&format!("{NET}/{name}"), &format!("../../devices/{path}/net/{name}"))
            .symlink(&at("device"), &format!("../../../{}", last(path)))
            .file(&at("type"), "1\n")
            .file(&at("address"), format!("{mac}\n"))
    }

    fn server() -> Recorded {
        let machine = card(Recorded::new(), "eno1", "b4:45:06:e1:0a:10", "pci0000:00/0000:00:1c.5/0000:04:00.0");
        let machine = card(machine, "eth1", "52:54:00:12:34:56", "pci0000:00/0000:00:03.0/virtio0");
        let machine = card(machine, "idrac", "50:9a:4c:11:22:33", "pci0000:00/0000:00:14.0/usb1/1-14/1-14.3/1-14.3:1.0");
        let machine = card(machine, "ib0", "a0:00:02:20:fe:80", "pci0000:80/0000:81:00.0").file("/sys/class/net/ib0/type", "32\n");
        let machine =
            card(machine, "eno1v0", "b4:45:06:e1:0a:99", "pci0000:00/0000:04:02.0").symlink("/sys/class/net/eno1v0/device/physfn", "../0000:04:00.0");
        machine
            .file("/sys/class/net/lo/type", "772\n")
            .file("/sys/class/net/br0/address", "02:00:00:00:00:01\n")
            .file("/sys/class/net/eno1/carrier", "1\n")
            .file("/sys/class/net/eno1/speed", "25000\n")
            .file("/sys/class/net/eth1/speed", "-1\n")
            .symlink("/sys/class/net/eth1/device/driver", "../../../../bus/virtio/drivers/virtio_net")
            .program(
                "ethtool -i eno1",
                "driver: ice\nversion: 6.1.0\nfirmware-version: 4.20 0x80017785 22.5.7\nexpansion-rom-version: \nbus-info: 0000:04:00.0\n",
            )
            .program("ethtool -P eno1", "Permanent address: b4:45:06:e1:0a:11\n")
            .program("ethtool -i eth1", "driver: virtio_net\nversion: 1.0.0\nfirmware-version: \nbus-info: 0000:00:03.0\n")
            .program("ethtool -P eth1", "Permanent address: not set\n")
    }

    #[test]
    fn physical_cards_are_told_with_what_they_say() {
        let facts = facts_of(look(&server(), None));
        let names: Vec<&str> = facts.nics.iter().map(|nic| nic.name.as_str()).collect();
        assert_eq!(names, ["eno1", "eth1"]);
        let one = &facts.nics[0];
        assert_eq!((one.driver.as_str(), one.firmware.as_str(), one.bus.as_str()), ("ice", "4.20 0x80017785 22.5.7", "0000:04:00.0"));
        assert_eq!((one.speed_mbps, one.link, one.permanent_mac.unwrap().to_string().as_str()), (Some(25000), true, "b4:45:06:e1:0a:11"));
        let two = &facts.nics[1];
        assert_eq!((two.speed_mbps, two.link, two.permanent_mac, two.bus.as_str()), (None, false, None, "0000:00:03.0"));
    }

    #[test]
    fn what_is_left_out_is_named() {
        let error = facts_of(look(&server(), None)).collectors[0].error.clone().unwrap();
        assert_eq!(error, "ib0: left out, it is not an Ethernet card; idrac: left out, it is a USB card, as management controllers have");
    }

    #[test]
    fn the_card_of_the_boot_stays_even_on_usb() {
        let boot: Mac = "50:9a:4c:11:22:33".parse().unwrap();
        assert!(macs(&server(), Some(boot)).contains(&boot) && !macs(&server(), None).contains(&boot));
    }

    #[test]
    fn without_ethtool_the_kernels_files_are_left() {
        let machine = card(Recorded::new(), "eth0", "52:54:00:12:34:56", "pci0000:00/0000:00:03.0/virtio0")
            .symlink("/sys/class/net/eth0/device/driver", "../virtio_net");
        let facts = facts_of(look(&machine, None));
        assert_eq!((facts.nics[0].driver.as_str(), facts.nics[0].bus.as_str()), ("virtio_net", "0000:00:03.0"));
        assert_eq!(facts.collectors[0].error.as_deref(), Some("there is no program ethtool here"), "said once");
    }

    #[test]
    fn an_address_that_no_card_has_leaves_its_card_out() {
        let facts = facts_of(look(&card(Recorded::new(), "eth0", "00:00:00:00:00:00", "pci0000:00/0000:00:03.0"), None));
        assert!(facts.nics.is_empty() && facts.collectors[0].error.as_ref().unwrap().starts_with("eth0: left out"));
    }
}
