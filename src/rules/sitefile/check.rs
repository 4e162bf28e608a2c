//! What is wrong with a site file once it has been read: names and addresses taken twice, names of things that do not exist,
//! pools outside their subnet, subnets in each other's way.
//!
//! Checked on the site as it would be afterwards, reported at the file's path. What was wrong before the file is not its mistake.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{After, Current, Invalid, Mistake, Site};
use crate::{
    model::{Host, HostName, Network},
    rules::{assign, inherit, naming, removal},
    wire::dhcp::freeform,
};

/// Names that the file uses twice.
pub(super) fn names(site: &Site) -> Vec<Invalid> {
    let networks = site.networks.iter().map(|one| Some(one.name.as_ref()));
    let profiles = site.profiles.iter().map(|one| Some(one.name.as_ref()));
    let rules = site.rules.iter().map(|one| Some(one.name.as_ref()));
    let hosts = site.hosts.iter().map(|one| one.name.as_ref().map(AsRef::as_ref));
    let mut wrong = twice("networks", networks);
    wrong.extend(twice("profiles", profiles));
    wrong.extend(twice("rules", rules));
    wrong.extend(twice("hosts", hosts));
    wrong
}

fn twice<'a>(section: &str, names: impl Iterator<Item = Option<&'a str>>) -> Vec<Invalid> {
    let mut seen = BTreeMap::new();
    let mut wrong = Vec::new();
    for (index, name) in names.enumerate().filter_map(|(index, name)| Some((index, name?))) {
        let first = *seen.entry(name).or_insert(index);
        if first != index {
            wrong.push(Invalid::new(format!("{section}[{index}].name"), format!("{name} is the name of {section}[{first}] already")));
        }
    }
    wrong
}

/// Networks by themselves and beside each other.
pub(super) fn networks(site: &Site, now: &Current<'_>, after: &After) -> Vec<Invalid> {
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
            wrong.push(Invalid::unknown(at("profile"), "profile", profile));
        }
        if network.lease_secs < 60 {
            wrong.push(Invalid::new(at("lease_secs"), "a lease of less than a minute ends before a boot does"));
        }
        for (code, text) in &network.options {
            wrong.extend(freeform(*code, text).err().map(|why| Invalid::new(at(&format!("options.{code}")), why)));
        }
        let naming = network.naming.as_deref().map(naming::check);
        wrong.extend(naming.and_then(Result::err).map(|why| Invalid::new(at("naming"), why)));
        wrong.extend(pools(index, network));
        wrong.extend(overlap(index, network, after));
        wrong.extend(shrunk(index, network, now, after));
    }
    wrong
}

/// Reserved addresses of hosts outside the file, which its network would no longer hold.
fn shrunk(index: usize, network: &Network, now: &Current<'_>, after: &After) -> Vec<Invalid> {
    let Some(before) = now.networks.get(&network.name) else { return Vec::new() };
    let own = after.hosts.iter().filter(|(host, place)| place.is_none() && host.network.as_ref() == Some(&network.name));
    let lost = own.filter_map(|(host, _)| {
        let address = host.address.filter(|address| is_host_address(before, *address) && !is_host_address(network, *address))?;
        Some(Invalid::new(format!("networks[{index}].subnet"), format!("{} would no longer hold {address} of host {}", network.subnet, host.name)))
    });
    lost.collect()
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

/// Rules by themselves, and the profiles that they give.
pub(super) fn rules(site: &Site, now: &Current<'_>, after: &After) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (index, rule) in site.rules.iter().enumerate() {
        let at = |field: &str| if field.is_empty() { format!("rules[{index}]") } else { format!("rules[{index}].{field}") };
        wrong.extend(assign::check(rule).into_iter().map(|mistake| Invalid::new(at(mistake.field), mistake.text)));
        if let Some(profile) = rule.profile.as_ref().filter(|name| !after.profiles.contains_key(*name)) {
            wrong.push(Invalid::unknown(at("profile"), "profile", profile));
        }
    }
    let unnamed = |name: &crate::model::Name| !site.rules.iter().any(|rule| rule.name == *name);
    for (name, rule) in after.rules.iter().filter(|(name, _)| unnamed(name)) {
        let lost = rule.profile.as_ref().filter(|profile| now.profiles.contains_key(*profile) && !after.profiles.contains_key(*profile));
        wrong.extend(lost.map(|profile| Invalid::new("profiles", format!("rule {name}, not in this file, gives profile {profile}"))));
    }
    if after.rules.len() > MOST_RULES {
        wrong.push(Invalid::new(
            "rules",
            format!("there would be {} rules; every registration tries them all, and {MOST_RULES} are the most", after.rules.len()),
        ));
    }
    wrong
}

/// Rules of a whole site.
const MOST_RULES: usize = 256;

/// What hosts refer to, and what only one of them may have.
pub(super) fn hosts(site: &Site, after: &After) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (index, _) in site.hosts.iter().enumerate() {
        let at = |field: &str| format!("hosts[{index}].{field}");
        let Some((host, _)) = after.hosts.iter().find(|(_, place)| *place == Some(index)) else {
            wrong.push(Invalid::new(at("name"), "a new host needs a name"));
            continue;
        };
        if host.macs.is_empty() {
            wrong.push(Invalid::new(at("macs"), "a host needs at least one MAC address"));
        }
        if let Some(network) = host.network.as_ref().filter(|name| !after.networks.contains_key(*name)) {
            wrong.push(Invalid::unknown(at("network"), "network", network));
        }
        if let Some(profile) = host.profile.as_ref().filter(|name| !after.profiles.contains_key(*name)) {
            wrong.push(Invalid::unknown(at("profile"), "profile", profile));
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

/// Name, MACs, UUID and address that another host has, too; the later one in the file is reported.
fn shared(index: usize, host: &Host, after: &After) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (number, mac) in host.macs.iter().enumerate() {
        if host.macs[..number].contains(mac) {
            wrong.push(Invalid::new(format!("hosts[{index}].macs[{number}]"), format!("{mac} is listed twice")));
        }
    }
    for (other, place) in after.hosts.iter().filter(|(_, place)| place.is_none_or(|place| place < index)) {
        let mut taken = |field: &str, noun: &'static str, name: String, verb: &str| {
            let text = format!("{name} {verb} {}", owner(&other.name, *place));
            let mistake = Mistake::Taken { noun, name, by: other.name.to_string() };
            wrong.push(Invalid { path: format!("hosts[{index}].{field}"), text, mistake });
        };
        // Two of one name in the file were reported as such.
        if place.is_none() && other.name == host.name {
            taken("name", "the name", host.name.to_string(), "is the name of");
        }
        for (number, mac) in host.macs.iter().enumerate().filter(|(_, mac)| other.macs.contains(mac)) {
            taken(&format!("macs[{number}]"), "the MAC address", mac.to_string(), "belongs to");
        }
        if let Some(uuid) = host.uuid.filter(|uuid| other.uuid == Some(*uuid)) {
            taken("uuid", "the UUID", uuid.to_string(), "belongs to");
        }
        if let Some(address) = host.address.filter(|address| other.address == Some(*address)) {
            taken("address", "the address", address.to_string(), "is reserved for");
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
    let goes = now.hosts.iter().filter(|host| !site.hosts.iter().any(|one| one.is_over(host)));
    let kept = goes.filter_map(|host| removal::idle(host).err()).map(|keep| Invalid::new("prune", format!("host {keep}, or name it in the file")));
    let installed = after.hosts.iter().filter_map(|(host, _)| {
        let build = host.open_build().filter(|build| !after.profiles.contains_key(&build.profile))?;
        Some(Invalid::new("prune", format!("profile {} is being installed on host {}; name it, or cancel the build first", build.profile, host.name)))
    });
    kept.chain(installed).collect()
}

/// A changed parent may break a profile that the file does not name.
fn unnamed_profiles(now: &Current<'_>, after: &After) -> Vec<Invalid> {
    let breaks = |name: &&crate::model::Name| inherit::profile(name, now.profiles).is_ok() && inherit::profile(name, &after.profiles).is_err();
    now.profiles
        .keys()
        .filter(breaks)
        .map(|name| Invalid::new("profiles", format!("profile {name}, not in this file, would no longer resolve")))
        .collect()
}
