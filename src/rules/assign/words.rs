//! The words of a rule's condition: `facts` and `host`, always of the same shape.
//!
//! What a machine does not have is `none` or an empty list, never a name that is missing: so a missing name is always a mistake of the rule.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::{
    model::{Facts, Host},
    rules::render::condition::Words,
};

/// Objects whose names are anybody's.
pub(super) const OPEN: [&str; 1] = ["host.params"];

/// A machine with one of everything: every field that facts can have.
static FACTS: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "system": { "vendor": "V", "product": "P", "version": "1", "serial": "S", "sku": "K", "uuid": "4c4c4544-0051-3510-8058-b4c04f4d3332" },
        "board": part(), "chassis": part(),
        "bios": { "vendor": "V", "version": "1", "date": "01/02/2026" },
        "cpu": { "architecture": "x86_64", "model": "M", "sockets": 2, "cores": 32, "threads": 64 },
        "memory": { "size_bytes": 1u64 << 36, "modules": [
            { "slot": "A1", "size_bytes": 1u64 << 35, "kind": "DDR5", "speed_mts": 4800, "vendor": "V", "serial": "S", "part": "P" }] },
        "nics": [{ "name": "eno1", "mac": "b4:96:91:00:00:01", "permanent_mac": "b4:96:91:00:00:01", "driver": "ice", "firmware": "1", "bus": "0000:00:03.0",
            "speed_mbps": 25000, "link": true, "boot": true,
            "lldp": { "chassis": "C", "system": "sw1", "port": "Eth1", "description": "D" } }],
        "disks": [{ "id": "wwn:1", "name": "sda", "by_id": ["wwn-1"], "model": "M", "serial": "S", "wwn": "1", "firmware": "1", "size_bytes": 1u64 << 40,
            "rotational": false, "read_only": false, "removable": false, "transport": "nvme", "address": "0:0:0:0",
            "health": { "passed": true, "power_on_hours": 1, "wear_percent": 1, "celsius": 30 },
            "erase": ["overwrite"], "erase_minutes": 1, "frozen": false, "signatures": ["gpt"] }],
        "controllers": [{ "address": "0000:00:1f.2", "class": "C", "vendor": "V", "product": "P", "driver": "ahci" }],
        "power_supplies": [part()],
        "bmc": { "address": "192.0.2.9", "mac": "b4:96:91:00:00:09", "firmware": "1" },
        "boot": { "uefi": true, "secure_boot": true, "order": ["PXE"], "kernel": "6.1" },
        "tpm": "2.0",
        "collectors": [{ "name": "dmi", "took_ms": 1, "error": "E" }],
    })
});

static HOST: LazyLock<Value> = LazyLock::new(|| {
    json!({ "name": "n1", "label": "n1", "domain": "example.net", "mac": "b4:96:91:00:00:01", "macs": ["b4:96:91:00:00:01"], "uuid": "U", "serial": "S",
        "network": "lab", "address": "192.0.2.1", "profile": "os", "tags": ["t"], "lifecycle": "unavailable", "params": {} })
});

fn part() -> Value {
    json!({ "vendor": "V", "product": "P", "serial": "S", "asset_tag": "A" })
}

/// The shape of a word.
pub(super) fn shape(word: &str) -> Option<&'static Value> {
    match word {
        "facts" => Some(&FACTS),
        "host" => Some(&HOST),
        _ => None,
    }
}

/// What a condition sees of a host.
pub(super) fn words(host: &Host, facts: &Facts) -> Words {
    let facts = filled(serde_json::to_value(facts).unwrap_or_default(), &FACTS);
    laid(&facts, &host_words(host))
}

/// A machine that has everything.
pub(super) fn of_everything() -> Words {
    laid(&FACTS, &HOST)
}

/// A machine of which nothing is known.
pub(super) fn of_nothing() -> Words {
    laid(&filled(json!({}), &FACTS), &filled(json!({}), &HOST))
}

fn laid(facts: &Value, host: &Value) -> Words {
    Words::new([("facts", facts), ("host", host)], &OPEN)
}

fn host_words(host: &Host) -> Value {
    let params = host.params.unpack();
    let plain = params.iter().filter(|(_, param)| !param.is_secret());
    let params: Map<String, Value> = plain.map(|(name, param)| (name.clone(), param.value().clone())).collect();
    json!({
        "name": host.name, "label": host.name.label(), "domain": host.name.domain(), "mac": host.macs.first(), "macs": host.macs,
        "uuid": host.uuid, "serial": host.serial, "network": host.network, "address": host.address, "profile": host.profile, "tags": host.tags,
        "lifecycle": host.lifecycle.word(), "params": params,
    })
}

/// A value with every name of its shape: what is not there is `none`, a list that is not there is empty, and the parts that every machine
/// has are there with nothing in them.
fn filled(value: Value, shape: &Value) -> Value {
    match (value, shape) {
        (Value::Object(mut fields), Value::Object(names)) => {
            for (name, shape) in names {
                let value = fields.remove(name).unwrap_or_else(|| absent(name, shape));
                fields.insert(name.clone(), filled(value, shape));
            }
            Value::Object(fields)
        }
        (Value::Array(items), Value::Array(shapes)) => {
            items.into_iter().map(|item| shapes.first().map_or(item.clone(), |shape| filled(item.clone(), shape))).collect()
        }
        (value, _) => value,
    }
}

/// A machine may have no management controller, neighbour or health; everything else that has parts is always there.
fn absent(name: &str, shape: &Value) -> Value {
    const OPTIONAL: [&str; 3] = ["bmc", "lldp", "health"];
    match shape {
        Value::Array(_) => json!([]),
        Value::Object(_) if !OPTIONAL.contains(&name) => json!({}),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{RefOr, Schema},
    };

    use super::*;

    /// Every name that the API's description has for facts, dotted, lists entered.
    fn described(schema: &RefOr<Schema>, all: &[(String, RefOr<Schema>)], path: &str, names: &mut BTreeSet<String>) {
        match schema {
            RefOr::Ref(name) => {
                let name = name.ref_location.rsplit('/').next().unwrap();
                described(&all.iter().find(|(known, _)| known == name).unwrap().1, all, path, names);
            }
            RefOr::T(Schema::Object(object)) => {
                for (name, inside) in &object.properties {
                    let path = format!("{path}.{name}");
                    names.insert(path.clone());
                    described(inside, all, &path, names);
                }
            }
            RefOr::T(Schema::Array(array)) => {
                if let utoipa::openapi::schema::ArrayItems::RefOrSchema(items) = &array.items {
                    described(items, all, path, names);
                }
            }
            RefOr::T(Schema::OneOf(one)) => one.items.iter().for_each(|inside| described(inside, all, path, names)),
            RefOr::T(_) => {}
        }
    }

    fn sampled(value: &Value, path: &str, names: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, inside)| {
                let path = format!("{path}.{name}");
                names.insert(path.clone());
                sampled(inside, &path, names);
            }),
            Value::Array(items) => items.iter().for_each(|item| sampled(item, path, names)),
            _ => {}
        }
    }

    #[test]
    fn the_sample_has_every_field_that_facts_can_have() {
        let (mut all, mut want, mut have) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        Facts::schemas(&mut all);
        described(&Facts::schema(), &all, "facts", &mut want);
        sampled(&FACTS, "facts", &mut have);
        assert_eq!(have, want);
        assert!(want.contains("facts.disks.health.wear_percent"), "{want:?}");
        assert_eq!(serde_json::to_value(serde_json::from_value::<Facts>(FACTS.clone()).unwrap()).unwrap(), *FACTS);
    }

    #[test]
    fn the_sample_of_a_host_has_its_words() {
        let host = Host::new(crate::model::HostId(uuid::Uuid::nil()), "n1".parse().unwrap(), Vec::new(), crate::model::Timestamp::UNIX_EPOCH);
        let words = host_words(&host);
        assert_eq!(words.as_object().unwrap().keys().collect::<Vec<_>>(), HOST.as_object().unwrap().keys().collect::<Vec<_>>());
    }
}
