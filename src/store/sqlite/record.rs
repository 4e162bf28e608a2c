//! One change into rows: finds what differs, numbers the facts, attaches to each the patch it explains, writes.
//!
//! Two beats. `plan` reads and thinks and writes nothing, so that a fault or a panic in it leaves nothing behind. `save` lays the rows down and
//! can do so again: when one change of a batch breaks off, the others are laid down anew (see the writer).

use std::{collections::BTreeSet, path::Path, sync::Arc};

use json_patch::Patch;
use rusqlite::Connection;

use super::{
    rows::{hosts, journal, leases, settings},
    trouble::fault,
};
use crate::{
    model::{Actor, Entry, Fact, Host, HostId, Lease, Timestamp, What},
    store::{Body, Settings, StoreFault, View, Writes, state::Overlay},
};

/// A change as it will stand in rows, still to be committed.
pub(super) struct Recorded {
    hosts: Vec<(HostId, Option<Arc<Host>>)>,
    host_rows: Vec<hosts::Rows>,
    settings: Option<Arc<Settings>>,
    setting_rows: Vec<settings::Change>,
    leases: Vec<Lease>,
    bodies: Vec<Body>,
    /// Its entries.
    pub entries: Vec<Arc<Entry>>,
}

impl Recorded {
    /// Whether it has any row.
    pub fn writes(&self) -> bool {
        let Self { hosts: _, host_rows, settings: _, setting_rows, leases, bodies, entries } = self;
        !(host_rows.is_empty() && setting_rows.is_empty() && leases.is_empty() && bodies.is_empty() && entries.is_empty())
    }

    /// Lays its rows down.
    pub fn save(&self, conn: &Connection, path: &Path) -> Result<(), StoreFault> {
        let save = || {
            self.host_rows.iter().try_for_each(|rows| rows.save(conn))?;
            self.setting_rows.iter().try_for_each(|change| settings::save(conn, change))?;
            self.leases.iter().try_for_each(|lease| leases::save(conn, lease))?;
            self.bodies.iter().try_for_each(|body| leases::save_body(conn, body))
        };
        save().map_err(|error| fault(path, &error))?;
        self.host_rows.iter().try_for_each(|rows| rows.save_keys(conn, path))?;
        self.entries.iter().try_for_each(|entry| journal::save(conn, path, entry))
    }

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

/// One host that differs.
struct HostChange<'v> {
    id: HostId,
    before: Option<&'v Arc<Host>>,
    after: Option<Arc<Host>>,
    rows: hosts::Rows,
    patch: Patch,
}

/// Thinks one change through. `last` is the number of the last entry so far.
pub(super) fn plan(conn: &Connection, path: &Path, view: &View<'_>, writes: Writes, last: u64) -> Result<Recorded, StoreFault> {
    let Writes { hosts, deleted, settings, leases, bodies, facts } = writes;
    let mut host_changes = host_changes(conn, path, view, hosts, deleted)?;
    let mut setting_rows = match settings.as_ref().filter(|&new| **view.settings() != *new) {
        Some(new) => settings::diff(conn, path, new)?,
        None => Vec::new(),
    };
    let entries = entries(facts, &mut host_changes, &mut setting_rows, last);
    let (hosts, host_rows) = host_changes.into_iter().map(|change| ((change.id, change.after), change.rows)).unzip();
    Ok(Recorded {
        settings: settings.filter(|_| !setting_rows.is_empty()).map(Arc::new),
        entries: entries.into_iter().map(Arc::new).collect(),
        hosts,
        host_rows,
        setting_rows,
        leases,
        bodies,
    })
}

/// Hosts that really differ, each once: of two versions of one host the later counts, and a deletion counts more.
fn host_changes<'v>(
    conn: &Connection,
    path: &Path,
    view: &View<'v>,
    hosts: Vec<Host>,
    deleted: Vec<HostId>,
) -> Result<Vec<HostChange<'v>>, StoreFault> {
    let mut wanted: Vec<(HostId, Option<Host>)> = Vec::with_capacity(hosts.len() + deleted.len());
    for (id, after) in hosts.into_iter().map(|host| (host.id, Some(host))).chain(deleted.into_iter().map(|id| (id, None))) {
        match wanted.iter_mut().find(|(one, _)| *one == id) {
            Some(earlier) => earlier.1 = after,
            None => wanted.push((id, after)),
        }
    }
    let mut changes = Vec::with_capacity(wanted.len());
    for (id, mut after) in wanted {
        let before = view.host(id);
        let version = before.map_or(0, |host| host.version);
        if let Some(host) = &mut after {
            host.version = version;
        }
        if before.map(AsRef::as_ref) == after.as_ref() {
            continue;
        }
        if let Some(host) = &mut after {
            host.version = version + 1;
        }
        let (rows, patch) = hosts::compare(conn, path, id, before.map(AsRef::as_ref), after.as_ref())?;
        changes.push(HostChange { id, before, after: after.map(Arc::new), rows, patch });
    }
    Ok(changes)
}

/// Numbers the facts and hands each patch to the first fact that explains it. A change without a fact is a bug of the story that
/// made it; in a release it is written down all the same, since the journal must fold to the rows.
fn entries(facts: Vec<Fact>, hosts: &mut [HostChange<'_>], settings: &mut [settings::Change], last: u64) -> Vec<Entry> {
    let mut host_patches: Vec<&mut HostChange<'_>> = hosts.iter_mut().collect();
    let mut setting_patches: Vec<&mut settings::Change> = settings.iter_mut().collect();
    let at = facts.last().map(|fact| fact.at);
    let mut entries = Vec::with_capacity(facts.len());
    let mut number = |fact: Fact, version: Option<u64>, patch: Option<Patch>| {
        let seq = last + 1 + entries.len() as u64;
        entries.push(entry(seq, fact, version, patch));
    };
    for fact in facts {
        let host = host_patches.iter().position(|change| fact.host == Some(change.id)).map(|index| host_patches.remove(index));
        let setting = setting_patches.iter().position(|change| is_about(&fact.what, change)).map(|index| setting_patches.remove(index));
        let version = host.as_ref().and_then(|change| change.after.as_ref()).map(|host| host.version);
        let patch = host.map(|change| std::mem::take(&mut change.patch)).or_else(|| setting.map(|change| std::mem::take(&mut change.patch)));
        number(fact, version, patch);
    }
    let forgotten: BTreeSet<String> = host_patches
        .iter()
        .map(|change| change.id.to_string())
        .chain(setting_patches.iter().map(|change| format!("{} {}", change.noun, change.name)))
        .collect();
    debug_assert!(forgotten.is_empty(), "changed without a fact for the journal: {forgotten:?}");
    for change in host_patches {
        let version = change.after.as_ref().map(|host| host.version);
        number(unexplained_host(change, at), version, Some(std::mem::take(&mut change.patch)));
    }
    for change in setting_patches {
        number(unexplained_setting(change, at), None, Some(std::mem::take(&mut change.patch)));
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

fn unexplained_host(change: &HostChange<'_>, at: Option<Timestamp>) -> Fact {
    let what = match (change.before, &change.after) {
        (None, _) => What::Created,
        (Some(_), None) => What::Deleted,
        (Some(_), Some(_)) => What::Edited { fields: hosts::fields(&change.patch) },
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
        let host = Arc::new(Host::new(HostId(uuid::Uuid::from_u128(1)), "n1".parse().unwrap(), Vec::new(), Timestamp::UNIX_EPOCH));
        let (rows, _) = hosts::compare(&conn, path, host.id, None, Some(&host)).unwrap();
        rows.save(&conn).unwrap();
        let mut after = Host::clone(&host);
        after.tags.push("lab".to_owned());
        after.overdue = true;
        let (rows, patch) = hosts::compare(&conn, path, host.id, Some(&host), Some(&after)).unwrap();
        let change = HostChange { id: host.id, before: Some(&host), after: Some(Arc::new(after)), rows, patch };
        let fact = unexplained_host(&change, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(fact.what, What::Edited { fields: vec!["overdue".to_owned(), "tags".to_owned()] });
    }
}
