//! The difference between a sound site file and the site: field by field for people, as edits for the writer.
//!
//! Compared as JSON, which is also how people see it. A secret's value never leaves here.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Change, Current, Difference, Edit, Field, Noun, Plan, Site, SiteHost};
use crate::model::{HIDDEN, Host};

pub(super) fn plan(site: &Site, now: &Current<'_>) -> Plan {
    let mut plan = Plan::default();
    if let Some(globals) = &site.globals {
        let fields = fields(&json(now.globals), &json(globals), "params");
        plan.add(Noun::Globals, "globals", Change::Change, fields, || Edit::Globals(globals.clone()));
    }
    for wanted in &site.networks {
        let before = now.networks.get(&wanted.name).map(|network| json(network.as_ref()));
        plan.set(Noun::Network, wanted.name.as_ref(), before, json(wanted), || Edit::Network(Arc::new(wanted.clone())));
    }
    for wanted in &site.profiles {
        let before = now.profiles.get(&wanted.name).map(|profile| json(profile.as_ref()));
        plan.set(Noun::Profile, wanted.name.as_ref(), before, json(wanted), || Edit::Profile(Arc::new(wanted.clone())));
    }
    for wanted in &site.rules {
        let before = now.rules.get(&wanted.name).map(|rule| json(rule.as_ref()));
        plan.set(Noun::Rule, wanted.name.as_ref(), before, json(wanted), || Edit::Rule(Arc::new(wanted.clone())));
    }
    for wanted in &site.hosts {
        host(&mut plan, wanted, now);
    }
    if site.prune {
        prune(&mut plan, site, now);
    }
    plan
}

fn host(plan: &mut Plan, wanted: &SiteHost, now: &Current<'_>) {
    // A host without record and name was refused by the checks.
    let Some((recorded, after)) = wanted.laid(now.hosts) else { return };
    let edit = || recorded.map_or_else(|| Edit::NewHost(after.name.clone(), wanted.clone()), |host| Edit::Host(host.id, wanted.clone()));
    plan.set(Noun::Host, after.name.as_ref(), recorded.map(|host| inventory(host)), inventory(&after), edit);
}

/// What is not named goes; hosts and rules before the networks and profiles that they refer to.
fn prune(plan: &mut Plan, site: &Site, now: &Current<'_>) {
    for host in now.hosts.iter().filter(|host| !site.hosts.iter().any(|one| one.is_over(host))) {
        plan.add(Noun::Host, host.name.as_ref(), Change::Delete, Some(Vec::new()), || Edit::NoHost(host.id));
    }
    for name in now.networks.keys().filter(|name| !site.networks.iter().any(|one| one.name == **name)) {
        plan.add(Noun::Network, name.as_ref(), Change::Delete, Some(Vec::new()), || Edit::NoNetwork(name.clone()));
    }
    for name in now.rules.keys().filter(|name| !site.rules.iter().any(|one| one.name == **name)) {
        plan.add(Noun::Rule, name.as_ref(), Change::Delete, Some(Vec::new()), || Edit::NoRule(name.clone()));
    }
    for name in now.profiles.keys().filter(|name| !site.profiles.iter().any(|one| one.name == **name)) {
        plan.add(Noun::Profile, name.as_ref(), Change::Delete, Some(Vec::new()), || Edit::NoProfile(name.clone()));
    }
}

impl Plan {
    fn set(&mut self, noun: Noun, name: &str, before: Option<Value>, after: Value, edit: impl FnOnce() -> Edit) {
        let change = if before.is_some() { Change::Change } else { Change::Create };
        let fields = match &before {
            Some(before) => fields(before, &after, ""),
            None => fields(&Value::Object(Map::new()), &after, "").or(Some(Vec::new())),
        };
        self.add(noun, name, change, fields, edit);
    }

    /// `None` means that nothing changes.
    fn add(&mut self, noun: Noun, name: &str, change: Change, fields: Option<Vec<Field>>, edit: impl FnOnce() -> Edit) {
        if let Some(fields) = fields {
            self.differences.push(Difference { noun, name: name.to_owned(), change, fields });
            self.edits.push(edit());
        }
    }
}

fn json<T: Serialize + ?Sized>(thing: &T) -> Value {
    // Nouns have string keys and finite numbers; serde_json has no other reason to refuse.
    serde_json::to_value(thing).unwrap_or(Value::Null)
}

/// The fields of a host that a file can write.
fn inventory(host: &Host) -> Value {
    const FIELDS: [&str; 11] = ["name", "macs", "uuid", "serial", "network", "profile", "address", "loader", "disk_boot", "params", "tags"];
    match json(host) {
        Value::Object(all) => Value::Object(all.into_iter().filter(|(key, _)| FIELDS.contains(&key.as_str())).collect()),
        other => other,
    }
}

/// The fields that differ, objects entered; `None` if none does.
fn fields(before: &Value, after: &Value, path: &str) -> Option<Vec<Field>> {
    let mut all = Vec::new();
    compare(before, after, path, &mut all);
    (!all.is_empty()).then_some(all)
}

fn compare(before: &Value, after: &Value, path: &str, all: &mut Vec<Field>) {
    if before == after {
        return;
    }
    let (Some(old), Some(new)) = (entered(before), entered(after)) else {
        let (before, after) = hidden(before, after);
        all.push(Field { path: path.to_owned(), before, after });
        return;
    };
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        compare(old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null), &path, all);
    }
}

/// An object with fields of its own; what is not there counts as empty, a secret is one value.
fn entered(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) if !is_secret(map) => Some(map.clone()),
        _ => None,
    }
}

fn is_secret(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.contains_key("secret")
}

/// A field's two values for people. Where one side is an object and the other is not, its secrets are inside.
fn hidden(before: &Value, after: &Value) -> (Value, Value) {
    (veiled(before, HIDDEN), veiled(after, if is_veiled(before) { "(another secret)" } else { HIDDEN }))
}

fn is_veiled(value: &Value) -> bool {
    value.as_object().is_some_and(is_secret)
}

fn veiled(value: &Value, word: &str) -> Value {
    match value {
        Value::Object(map) if is_secret(map) => Value::from(word),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), veiled(value, word))).collect::<Map<_, _>>().into(),
        Value::Array(items) => items.iter().map(|item| veiled(item, word)).collect(),
        other => other.clone(),
    }
}
