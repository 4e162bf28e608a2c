//! Settings as rows: one JSON document for the globals and for each network, profile, rule and token.
//!
//! New settings arrive whole; here they are compared with the rows, and only what differs is written, each with its patch for
//! the journal.

use std::{
    collections::{BTreeMap, btree_map::Entry as Slot},
    path::Path,
};

use json_patch::Patch;
use rusqlite::{Connection, params};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    model::Name,
    store::{
        Settings, StoreFault,
        sqlite::trouble::{fault, unreadable},
    },
};

/// One setting that differs.
pub(in crate::store::sqlite) struct Change {
    /// `global`, `network`, `profile`, `rule`, `token`.
    pub noun: &'static str,
    /// Its name; empty for the globals.
    pub name: String,
    /// Its document afterwards; `Null` when it goes.
    after: Value,
    /// From before to after.
    pub patch: Patch,
    /// `created`, `changed`, `deleted`.
    pub verb: &'static str,
}

type Documents = BTreeMap<(&'static str, String), Value>;

fn documents(settings: &Settings) -> Result<Documents, serde_json::Error> {
    fn add<T: Serialize>(into: &mut Documents, noun: &'static str, things: &BTreeMap<Name, T>) -> Result<(), serde_json::Error> {
        for (name, thing) in things {
            into.insert((noun, name.to_string()), serde_json::to_value(thing)?);
        }
        Ok(())
    }
    let mut all = Documents::new();
    if !settings.globals.is_empty() {
        all.insert(("global", String::new()), serde_json::to_value(&settings.globals)?);
    }
    add(&mut all, "network", &settings.networks)?;
    add(&mut all, "profile", &settings.profiles)?;
    add(&mut all, "rule", &settings.rules)?;
    add(&mut all, "token", &settings.tokens)?;
    Ok(all)
}

/// What differs between the rows and the new settings. Compared with the rows themselves, not with memory, so that the
/// journal folds to them also after a release that writes a document differently.
pub(in crate::store::sqlite) fn diff(conn: &Connection, path: &Path, new: &Settings) -> Result<Vec<Change>, StoreFault> {
    let mut before = rows(conn, path)?;
    let after = documents(new).map_err(|error| StoreFault::Broke { detail: error.to_string() })?;
    let mut changes = Vec::new();
    for ((noun, name), after) in after {
        let (verb, old) = match before.entry((noun, name.clone())) {
            Slot::Occupied(slot) => ("changed", slot.remove()),
            Slot::Vacant(_) => ("created", Value::Null),
        };
        if old != after {
            changes.push(Change { noun, name, patch: json_patch::diff(&old, &after), after, verb });
        }
    }
    let gone = before.into_iter().map(|((noun, name), old)| {
        let patch = json_patch::diff(&old, &Value::Null);
        Change { noun, name, after: Value::Null, patch, verb: "deleted" }
    });
    changes.extend(gone);
    Ok(changes)
}

/// Writes one difference.
pub(in crate::store::sqlite) fn save(conn: &Connection, change: &Change) -> rusqlite::Result<()> {
    if change.after.is_null() {
        let mut delete = conn.prepare_cached("DELETE FROM settings WHERE noun = ?1 AND name = ?2")?;
        return delete.execute(params![change.noun, change.name]).map(drop);
    }
    let mut upsert = conn
        .prepare_cached("INSERT INTO settings (noun, name, json) VALUES (?1, ?2, ?3) ON CONFLICT (noun, name) DO UPDATE SET json = excluded.json")?;
    upsert.execute(params![change.noun, change.name, change.after.to_string()]).map(drop)
}

/// Every document as it stands.
pub(in crate::store::sqlite) fn rows(conn: &Connection, path: &Path) -> Result<Documents, StoreFault> {
    let read = || -> rusqlite::Result<Vec<(String, String, String)>> {
        let mut query = conn.prepare_cached("SELECT noun, name, json FROM settings")?;
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    };
    let mut documents = Documents::new();
    for (noun, name, json) in read().map_err(|error| fault(path, &error))? {
        let value = serde_json::from_str(&json).map_err(|error| unreadable(path, &format!("the {noun} {name}"), error))?;
        let noun = match noun.as_str() {
            "network" => "network",
            "profile" => "profile",
            "rule" => "rule",
            "token" => "token",
            _ => "global",
        };
        documents.insert((noun, name), value);
    }
    Ok(documents)
}

/// Every document, read.
pub(in crate::store::sqlite) fn load(conn: &Connection, path: &Path) -> Result<Settings, StoreFault> {
    fn read<T: DeserializeOwned>(path: &Path, noun: &str, name: &str, json: Value) -> Result<T, StoreFault> {
        serde_json::from_value(json).map_err(|error| unreadable(path, &format!("the {noun} {name}"), error))
    }
    let mut settings = Settings::default();
    for ((noun, text), json) in rows(conn, path)? {
        if noun == "global" {
            settings.globals = read(path, noun, &text, json)?;
            continue;
        }
        let name: Name = text.parse().map_err(|error| unreadable(path, &format!("the {noun} {text}"), error))?;
        match noun {
            "network" => drop(settings.networks.insert(name, read(path, noun, &text, json)?)),
            "profile" => drop(settings.profiles.insert(name, read(path, noun, &text, json)?)),
            "rule" => drop(settings.rules.insert(name, read(path, noun, &text, json)?)),
            _ => drop(settings.tokens.insert(name, read(path, noun, &text, json)?)),
        }
    }
    Ok(settings)
}
