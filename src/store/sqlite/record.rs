//! One change into rows: finds what differs, numbers the facts, attaches to each the patch it explains, writes.
//!
//! Runs inside the savepoint of its caller; any fault here undoes this change and no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use json_patch::Patch;
use rusqlite::Connection;

use super::{
    rows::{hosts, journal, leases, settings},
    trouble::fault,
};
use crate::{
    model::{Actor, Entry, Fact, Host, HostId, Timestamp, What},
    store::{Settings, StoreFault, View, Writes, state::Overlay},
};

/// What a change has done, still to be committed.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    hosts: Vec<(HostId, Option<Arc<Host>>)>,
    settings: Option<Arc<Settings>>,
    /// Its entries.
    pub entries: Vec<Arc<Entry>>,
    /// Whether any row was written.
    pub wrote: bool,
}

impl Recorded {
    /// Shows it to the later changes of the batch.
    pub fn lay_over(&self, overlay: &mut Overlay) {
        for (id, host) in &self.hosts {
            match host {
                Some(host) => overlay.set(Arc::clone(host)),
                None => overlay.remove(*id),
            }
        }
        if let Some(settings) = &self.settings {
            overlay.set_settings(Arc::clone(settings));
        }
    }
}

/// Writes one change. `last` is the number of the last entry so far.
pub(super) fn record(conn: &Connection, path: &Path, view: &View<'_>, writes: Writes, last: u64) -> Result<Recorded, StoreFault> {
    let Writes { hosts, deleted, settings, leases, bodies, facts } = writes;
    let host_changes = host_changes(conn, path, view, hosts, deleted)?;
    save_hosts(conn, path, &host_changes)?;
    let setting_changes = match settings.as_ref().filter(|&new| **view.settings() != *new) {
        Some(new) => settings::diff(conn, path, new)?,
        None => Vec::new(),
    };
    let save_rest = || {
        setting_changes.iter().try_for_each(|change| settings::save(conn, change))?;
        leases.iter().try_for_each(|lease| leases::save(conn, lease))?;
        bodies.iter().try_for_each(|body| leases::save_body(conn, body))
    };
    save_rest().map_err(|error| fault(path, &error))?;
    let entries = entries(facts, &host_changes, &setting_changes, last);
    entries.iter().try_for_each(|entry| journal::save(conn, path, entry))?;
    Ok(Recorded {
        wrote: !(host_changes.is_empty() && setting_changes.is_empty() && leases.is_empty() && bodies.is_empty() && entries.is_empty()),
        settings: settings.filter(|_| !setting_changes.is_empty()).map(Arc::new),
        hosts: host_changes.into_iter().map(|change| (change.id, change.after.map(Arc::new))).collect(),
        entries: entries.into_iter().map(Arc::new).collect(),
    })
}

/// Hosts that really differ, each once: of two versions of one host the later counts, and a deletion counts more.
fn host_changes<'v>(
    conn: &Connection,
    path: &Path,
    view: &View<'v>,
    hosts: Vec<Host>,
    deleted: Vec<HostId>,
) -> Result<Vec<hosts::Change<'v>>, StoreFault> {
    let mut wanted: BTreeMap<HostId, Option<Host>> = hosts.into_iter().map(|host| (host.id, Some(host))).collect();
    wanted.extend(deleted.into_iter().map(|id| (id, None)));
    let mut changes = Vec::with_capacity(wanted.len());
    for (id, mut after) in wanted {
        let before = view.host(id).map(AsRef::as_ref);
        let version = before.map_or(0, |host: &Host| host.version);
        if let Some(host) = &mut after {
            host.version = version;
        }
        if before == after.as_ref() {
            continue;
        }
        if let Some(host) = &mut after {
            host.version = version + 1;
        }
        changes.push(hosts::Change::of(conn, path, id, before, after)?);
    }
    Ok(changes)
}

fn save_hosts(conn: &Connection, path: &Path, changes: &[hosts::Change<'_>]) -> Result<(), StoreFault> {
    for change in changes {
        change.save_row(conn).map_err(|error| fault(path, &error))?;
        change.save_build(conn, path)?;
    }
    changes.iter().try_for_each(|change| change.save_keys(conn, path))
}

/// Numbers the facts and hands each patch to the first fact that explains it. A change without a fact is a bug of the story that
/// made it; in a release it is written down all the same, since the journal must fold to the rows.
fn entries(facts: Vec<Fact>, hosts: &[hosts::Change<'_>], settings: &[settings::Change], last: u64) -> Vec<Entry> {
    let mut host_patches: BTreeMap<HostId, &hosts::Change<'_>> = hosts.iter().map(|change| (change.id, change)).collect();
    let mut setting_patches: Vec<&settings::Change> = settings.iter().collect();
    let at = facts.last().map(|fact| fact.at);
    let mut entries = Vec::with_capacity(facts.len());
    let mut number = |fact: Fact, version: Option<u64>, patch: Option<Patch>| {
        let seq = last + 1 + entries.len() as u64;
        entries.push(entry(seq, fact, version, patch));
    };
    for fact in facts {
        let host = fact.host.and_then(|id| host_patches.remove(&id));
        let setting = setting_patches.iter().position(|change| is_about(&fact.what, change)).map(|index| setting_patches.remove(index));
        let version = host.and_then(|change| change.after.as_ref()).map(|host| host.version);
        let patch = host.map(|change| change.patch.clone()).or_else(|| setting.map(|change| change.patch.clone()));
        number(fact, version, patch);
    }
    let forgotten: BTreeSet<String> =
        host_patches.keys().map(ToString::to_string).chain(setting_patches.iter().map(|change| format!("{} {}", change.noun, change.name))).collect();
    debug_assert!(forgotten.is_empty(), "changed without a fact for the journal: {forgotten:?}");
    for change in host_patches.into_values() {
        let version = change.after.as_ref().map(|host| host.version);
        number(unexplained_host(change, at), version, Some(change.patch.clone()));
    }
    for change in setting_patches {
        number(unexplained_setting(change, at), None, Some(change.patch.clone()));
    }
    entries
}

fn entry(seq: u64, fact: Fact, version: Option<u64>, patch: Option<Patch>) -> Entry {
    let Fact { at, actor, host, mac, build, session, what, text } = fact;
    Entry { seq, at, actor, host, mac, build, session, what, text, version, patch }
}

/// Whether a fact explains the change of a setting; the globals have no name.
fn is_about(what: &What, change: &settings::Change) -> bool {
    matches!(what, What::Settings { noun, name, .. } if noun == change.noun && (noun == "global" || *name == change.name))
}

fn unexplained_host(change: &hosts::Change<'_>, at: Option<Timestamp>) -> Fact {
    let what = match (change.before, &change.after) {
        (None, _) => What::Created,
        (Some(_), None) => What::Deleted,
        (Some(_), Some(_)) => What::Edited { fields: change.fields() },
    };
    unexplained(Some(change.id), what, at)
}

fn unexplained_setting(change: &settings::Change, at: Option<Timestamp>) -> Fact {
    unexplained(None, What::Settings { noun: change.noun.to_owned(), name: change.name.clone(), verb: change.verb.to_owned() }, at)
}

fn unexplained(host: Option<HostId>, what: What, at: Option<Timestamp>) -> Fact {
    let text = "Changed without an explanation; this is a bug, the change itself stands.".to_owned();
    Fact { at: at.unwrap_or_else(Timestamp::now), actor: Actor::Server, host, mac: None, build: None, session: None, what, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_nobody_explained_is_named_by_its_fields() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("schema/0001.sql")).unwrap();
        let path = Path::new("scratch");
        let mut host = Host::new(HostId(uuid::Uuid::from_u128(1)), "n1".parse().unwrap(), Vec::new(), Timestamp::UNIX_EPOCH);
        hosts::Change::of(&conn, path, host.id, None, Some(host.clone())).unwrap().save_row(&conn).unwrap();
        let before = host.clone();
        host.tags.push("lab".to_owned());
        host.overdue = true;
        let change = hosts::Change::of(&conn, path, host.id, Some(&before), Some(host)).unwrap();
        let fact = unexplained_host(&change, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(fact.what, What::Edited { fields: vec!["overdue".to_owned(), "tags".to_owned()] });
    }
}
