//! The neighbours of the network cards by LLDP (IEEE 802.1AB): which switch, which port.
//!
//! The image's init runs `lldpd`, which only listens; here it is asked what it heard. Switches speak every 30 seconds by default, so that
//! is the longest wait; it ends as soon as every card with a link has a neighbour. No neighbour is no error.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{contract::Neighbour, machine::Machine};

use super::{
    Found, nics,
    tool::{Problems, output},
};

/// The longest wait.
const WAIT: Duration = Duration::from_secs(30);

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(2);

/// The collector.
pub fn look(machine: &dyn Machine) -> Found {
    let mut problems = Problems::of("lldp");
    let until = machine.uptime() + WAIT;
    let linked = nics::linked(machine);
    let neighbours = loop {
        let heard = output(machine, "lldpcli", &["-f", "json0", "show", "neighbors"], 5).and_then(|text| parse(&text));
        let complete = heard.as_ref().is_ok_and(|heard| linked.iter().all(|name| heard.contains_key(name)));
        // A daemon that does not answer now may be about to start.
        let hopeless = heard.as_ref().is_err_and(|why| why.starts_with("there is no program"));
        if complete || hopeless || machine.uptime() >= until {
            break problems.take(heard).unwrap_or_default();
        }
        machine.pause(PAUSE);
    };
    Found::new(
        move |facts| {
            for nic in &mut facts.nics {
                nic.lldp = neighbours.get(&nic.name).cloned();
            }
        },
        problems.list(),
    )
}

/// `json0` is the form in which everything is a list, one entry or many.
fn parse(text: &str) -> Result<BTreeMap<String, Neighbour>, String> {
    let all: Value = serde_json::from_str(text).map_err(|error| format!("lldpcli's JSON does not read: {error}"))?;
    let mut neighbours = BTreeMap::new();
    for interface in list(&all, "lldp").iter().flat_map(|lldp| list(lldp, "interface")) {
        let word = |of: &str, key: &str| {
            let entry = list(interface, of).first().and_then(|entry| list(entry, key).first())?;
            entry.get("value")?.as_str().map(|text| text.chars().take(200).collect::<String>())
        };
        let neighbour = Neighbour {
            chassis: word("chassis", "id").unwrap_or_default(),
            system: word("chassis", "name").unwrap_or_default(),
            port: word("port", "id").unwrap_or_default(),
            description: word("port", "descr").unwrap_or_default(),
        };
        if let Some(name) = interface.get("name").and_then(Value::as_str) {
            // A port may hear several; the first one is the nearest bridge's.
            neighbours.entry(name.to_owned()).or_insert(neighbour);
        }
    }
    Ok(neighbours)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match value.get(key) {
        Some(Value::Array(list)) => list,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::{Facts, Nic},
        facts::tests::fixture,
        machine::recorded::Recorded,
    };

    fn nic(name: &str) -> Nic {
        serde_json::from_value(serde_json::json!({"name": name, "mac": "52:54:00:12:34:56"})).unwrap()
    }

    fn server() -> Recorded {
        ["eno8303", "ens1f0np0"].iter().fold(Recorded::new(), |machine, name| {
            machine.symlink(&format!("/sys/class/net/{name}/device"), "../0000:04:00.0").file(&format!("/sys/class/net/{name}/carrier"), "1\n")
        })
    }

    fn put(found: &Found) -> Facts {
        let mut facts = Facts { nics: vec![nic("eno8303"), nic("ens1f0np0"), nic("ens1f1np1")], ..Facts::default() };
        (found.put)(&mut facts);
        facts
    }

    #[test]
    fn each_card_gets_its_own_neighbour() {
        let machine = server().program("lldpcli -f json0 show neighbors", &fixture("lldpcli.json"));
        let found = look(&machine);
        let facts = put(&found);
        let one = facts.nics[0].lldp.as_ref().unwrap();
        assert_eq!((one.chassis.as_str(), one.system.as_str()), ("0c:59:9c:a1:bb:00", "sw-r12-mgmt"));
        assert_eq!((one.port.as_str(), one.description.as_str()), ("ge-0/0/7", "r12-u07 eno8303"));
        assert_eq!(facts.nics[1].lldp.as_ref().unwrap().port, "Ethernet7", "the first of two");
        assert!(facts.nics[2].lldp.is_none() && found.problems.is_empty());
        assert_eq!(machine.uptime(), Duration::ZERO, "both cards with a link have one: nothing to wait for");
    }

    #[test]
    fn silence_is_waited_for_thirty_seconds_and_is_no_error() {
        let machine = server().program("lldpcli -f json0 show neighbors", "{\"lldp\":[{}]}");
        let found = look(&machine);
        assert!(put(&found).nics.iter().all(|nic| nic.lldp.is_none()) && found.problems.is_empty());
        assert_eq!(machine.uptime(), WAIT);
    }

    #[test]
    fn without_the_tool_nobody_waits() {
        let machine = server();
        assert_eq!(look(&machine).problems[0].text, "there is no program lldpcli here");
        assert_eq!(machine.uptime(), Duration::ZERO);
    }

    #[test]
    fn nonsense_is_an_error() {
        let machine = server().program("lldpcli -f json0 show neighbors", "unable to connect");
        assert!(look(&machine).problems[0].text.contains("does not read"));
    }
}
