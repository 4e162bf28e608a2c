//! What is wrong with a site file once it has been read: names and addresses taken twice, names of things that do not exist,
//! pools outside their subnet, subnets in each other's way.
//!
//! Checked on the site as it would be afterwards, reported at the file's path. What was wrong before the file is not its mistake.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{After, Current, Invalid, Site, may_go};
use crate::{
    model::{Host, HostName, Name, Network},
    rules::inherit,
    wire::dhcp::freeform,
};

/// Names that the file uses twice.
pub(super) fn names(site: &Site) -> Vec<Invalid> {
    let networks = site.networks.iter().map(|one| one.name.to_string());
    let profiles = site.profiles.iter().map(|one| one.name.to_string());
    let hosts = site.hosts.iter().map(|one| one.name.to_string());
    let mut wrong = twice("networks", networks);
    wrong.extend(twice("profiles", profiles));
    wrong.extend(twice("hosts", hosts));
    wrong
}

fn twice(section: &str, names: impl Iterator<Item = String>) -> Vec<Invalid> {
    let mut seen = BTreeMap::new();
    let mut wrong = Vec::new();
    for (index, name) in names.enumerate() {
        match seen.get(&name) {
            Some(first) => wrong.push(Invalid::new(format!("{section}[{index}].name"), format!("{name} is the name of {section}[{first}] already"))),
            None => {
                seen.insert(name, index);
            }
        }
    }
    wrong
}

/// Networks by themselves and beside each other.
pub(super) fn networks(site: &Site, after: &After) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (index, network) in site.networks.iter().enumerate() {
        let at = |field: &str| format!("networks[{index}].{field}");
        if network.subnet.addr() != network.subnet.network() {
            wrong.push(Invalid::new(at("subnet"), format!("{} has host bits set; write {}", network.subnet, network.subnet.trunc())));
        }
        if let Some(gateway) = network.gateway.filter(|gateway| !is_host_address(network, *gateway)) {
            wrong.push(Invalid::new(at("gateway"), format!("{gateway} is no host's address in {}", network.subnet)));
        }
        if let Some(profile) = network.profile.as_ref().filter(|profile| !after.profiles.contains_key(*profile)) {
            wrong.push(Invalid::new(at("profile"), format!("there is no profile {profile}")));
        }
        if network.lease_secs < 60 {
            wrong.push(Invalid::new(at("lease_secs"), "a lease of less than a minute ends before a boot does"));
        }
        for (code, text) in &network.options {
            wrong.extend(freeform(*code, text).err().map(|why| Invalid::new(at(&format!("options.{code}")), why)));
        }
        wrong.extend(pools(index, network));
        wrong.extend(overlap(index, network, after));
    }
    wrong
}

fn pools(index: usize, network: &Network) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (number, pool) in network.pools.iter().enumerate() {
        let at = format!("networks[{index}].pools[{number}]");
        let inside = |address: Option<Ipv4Addr>| address.filter(|address| (pool.first..=pool.last).contains(address));
        if pool.first > pool.last {
            wrong.push(Invalid::new(&at, format!("its first address {} is behind its last {}", pool.first, pool.last)));
        } else if !is_host_address(network, pool.first) || !is_host_address(network, pool.last) {
            wrong.push(Invalid::new(&at, format!("{} to {} is not within the hosts' addresses of {}", pool.first, pool.last, network.subnet)));
        } else if let Some(taken) = inside(network.gateway).or(inside(network.server)) {
            wrong.push(Invalid::new(&at, format!("{taken} is the gateway's or the server's own address and cannot be lent")));
        }
        let meets = |other: &crate::model::network::Pool| pool.first <= other.last && other.first <= pool.last;
        if let Some(first) = network.pools[..number].iter().position(meets) {
            wrong.push(Invalid::new(&at, format!("it shares addresses with pools[{first}]")));
        }
    }
    wrong
}

/// One that is in the subnet and neither its first nor its last address (which /31 and /32 do not set apart, RFC 3021).
fn is_host_address(network: &Network, address: Ipv4Addr) -> bool {
    let subnet = network.subnet;
    let special = subnet.prefix_len() < 31 && (address == subnet.network() || address == subnet.broadcast());
    subnet.contains(&address) && !special
}

/// Two networks with the same addresses: DHCP could not say which one a packet belongs to.
fn overlap(index: usize, network: &Network, after: &After) -> Vec<Invalid> {
    let others = after.networks.values().filter(|(other, place)| other.name != network.name && place.is_none_or(|place| place < index));
    let meets = |other: &Network| other.subnet.contains(&network.subnet.network()) || network.subnet.contains(&other.subnet.network());
    others
        .filter(|(other, _)| meets(other))
        .map(|(other, _)| {
            Invalid::new(format!("networks[{index}].subnet"), format!("{} overlaps {} of network {}", network.subnet, other.subnet, other.name))
        })
        .collect()
}

/// Whether every profile resolves.
pub(super) fn profiles(site: &Site, after: &After) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (index, profile) in site.profiles.iter().enumerate() {
        if let Err(why) = inherit::profile(&profile.name, &after.profiles) {
            wrong.push(Invalid::new(format!("profiles[{index}].extends"), why));
        }
        if profile.expected_boots == Some(0) {
            wrong.push(Invalid::new(format!("profiles[{index}].expected_boots"), "counts from 1: an installation boots once"));
        }
        for (stage, deadlines) in profile.deadlines.iter().filter(|(_, deadlines)| deadlines.soft_secs > deadlines.hard_secs) {
            let text = format!("overdue after {} s but failed after {} s already", deadlines.soft_secs, deadlines.hard_secs);
            wrong.push(Invalid::new(format!("profiles[{index}].deadlines.{}", stage.word()), text));
        }
    }
    wrong
}

/// What hosts refer to, and what only one of them may have.
pub(super) fn hosts(site: &Site, after: &After) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (index, _) in site.hosts.iter().enumerate() {
        let Some((host, _)) = after.hosts.iter().find(|(_, place)| *place == Some(index)) else { continue };
        let at = |field: &str| format!("hosts[{index}].{field}");
        if host.macs.is_empty() {
            wrong.push(Invalid::new(at("macs"), "a new host needs at least one MAC address"));
        }
        if let Some(network) = host.network.as_ref().filter(|name| !after.networks.contains_key(*name)) {
            wrong.push(Invalid::new(at("network"), format!("there is no network {network}")));
        }
        if let Some(profile) = host.profile.as_ref().filter(|name| !after.profiles.contains_key(*name)) {
            wrong.push(Invalid::new(at("profile"), format!("there is no profile {profile}")));
        }
        wrong.extend(host.address.and_then(|address| unfit(host, address, after)).map(|text| Invalid::new(at("address"), text)));
        wrong.extend(shared(index, host, after));
    }
    wrong
}

fn unfit(host: &Host, address: Ipv4Addr, after: &After) -> Option<String> {
    let (network, _) = match &host.network {
        Some(name) => after.networks.get(name)?,
        None => match after.networks.values().find(|(network, _)| network.subnet.contains(&address)) {
            Some(found) => found,
            None => return Some(format!("{address} is in no network")),
        },
    };
    if !is_host_address(network, address) {
        return Some(format!("{address} is no host's address in network {} ({})", network.name, network.subnet));
    }
    let own = [network.gateway, network.server].contains(&Some(address));
    own.then(|| format!("{address} is the gateway's or the server's own address"))
}

/// MACs, UUID and address that another host has, too; the later one in the file is reported.
fn shared(index: usize, host: &Host, after: &After) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (number, mac) in host.macs.iter().enumerate() {
        if host.macs[..number].contains(mac) {
            wrong.push(Invalid::new(format!("hosts[{index}].macs[{number}]"), format!("{mac} is listed twice")));
        }
    }
    for (other, place) in after.hosts.iter().filter(|(other, place)| place.is_none_or(|place| place < index) && other.name != host.name) {
        let owner = owner(&other.name, *place);
        for (number, mac) in host.macs.iter().enumerate().filter(|(_, mac)| other.macs.contains(mac)) {
            wrong.push(Invalid::new(format!("hosts[{index}].macs[{number}]"), format!("{mac} belongs to {owner}")));
        }
        if let Some(uuid) = host.uuid.filter(|uuid| other.uuid == Some(*uuid)) {
            wrong.push(Invalid::new(format!("hosts[{index}].uuid"), format!("{uuid} belongs to {owner}")));
        }
        if let Some(address) = host.address.filter(|address| other.address == Some(*address)) {
            wrong.push(Invalid::new(format!("hosts[{index}].address"), format!("{address} is reserved for {owner}")));
        }
    }
    wrong
}

fn owner(name: &HostName, place: Option<usize>) -> String {
    place.map_or_else(|| format!("host {name}, which is not in this file"), |place| format!("hosts[{place}] ({name})"))
}

/// What `prune` would take away from under somebody, and what existing things lose by it.
pub(super) fn pruned(site: &Site, now: &Current<'_>, after: &After) -> Vec<Invalid> {
    if !site.prune {
        return unnamed_profiles(now, after);
    }
    let stays = |name: &HostName| site.hosts.iter().any(|one| one.name == *name);
    now.hosts
        .iter()
        .filter(|host| !stays(&host.name) && !may_go(host))
        .map(|host| Invalid::new("prune", format!("host {} is {}; take it out of service first, or name it", host.name, host.lifecycle.word())))
        .collect()
}

/// A changed parent may break a profile that the file does not name.
fn unnamed_profiles(now: &Current<'_>, after: &After) -> Vec<Invalid> {
    let breaks = |name: &&Name| inherit::profile(name, now.profiles).is_ok() && inherit::profile(name, &after.profiles).is_err();
    now.profiles
        .keys()
        .filter(breaks)
        .map(|name| Invalid::new("profiles", format!("profile {name}, not in this file, would no longer resolve")))
        .collect()
}
