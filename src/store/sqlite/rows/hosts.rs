//! Hosts as rows: the document, its unique keys, and its builds.
//!
//! The document is what the journal folds to; `keys` lets SQLite itself refuse a name, MAC or UUID that is taken; builds outlive
//! their host. What a change means is decided elsewhere; here it is only compared and written.

use std::{collections::BTreeSet, path::Path};

use json_patch::Patch;
use rusqlite::{Connection, ErrorCode, params};

use crate::{
    model::{Build, Host, HostId},
    store::{
        StoreFault, patch,
        sqlite::trouble::{fault, unreadable},
    },
};

/// A name, MAC or UUID: its kind and itself.
type Key = (&'static str, String);

/// What the rows of one host become.
pub(in crate::store::sqlite) struct Rows {
    id: HostId,
    is_new: bool,
    version: u64,
    /// The document; `None` when the host goes.
    json: Option<String>,
    /// Keys it no longer has.
    dropped: Vec<Key>,
    /// Keys it did not have before.
    taken: Vec<Key>,
    builds: Vec<BuildRow>,
}

struct BuildRow {
    build: Build,
    json: String,
}

/// What makes the rows of `before` those of `after`, and the patch between the documents. It is made from the row and not from memory, so that
/// the journal folds to the row also after a release that writes a host differently (a new field, say).
pub(in crate::store::sqlite) fn compare(
    conn: &Connection,
    path: &Path,
    id: HostId,
    before: Option<&Host>,
    after: Option<&Host>,
) -> Result<(Rows, Patch), StoreFault> {
    let json = after.map(document).transpose()?;
    let (is_new, found) = match before {
        Some(_) => with_row(conn, path, id, |row| (row.is_none(), patch::between(row, json.as_deref())))?,
        None => (true, patch::between(None, json.as_deref())),
    };
    let patch = found.map_err(|error| unreadable(path, &format!("host {id}"), error))?;
    let (dropped, taken) = moved_keys(before, after);
    let builds = moved_builds(before, after).into_iter().map(|build| Ok(BuildRow { json: document(build)?, build: build.clone() }));
    let builds = builds.collect::<Result<_, StoreFault>>()?;
    let version = after.map_or(0, |host| host.version);
    Ok((Rows { id, is_new, version, json, dropped, taken, builds }, patch))
}

fn document(of: &impl serde::Serialize) -> Result<String, StoreFault> {
    serde_json::to_string(of).map_err(|error| StoreFault::Broke { detail: error.to_string() })
}

/// The fields that a patch of a host touches.
pub(in crate::store::sqlite) fn fields(patch: &Patch) -> Vec<String> {
    let first = |path: &json_patch::jsonptr::Pointer| path.tokens().next().map(|token| token.decoded().into_owned());
    patch.iter().filter_map(|operation| first(operation.path())).collect::<BTreeSet<_>>().into_iter().collect()
}

impl Rows {
    /// The document, the build, and the keys that the host no longer has.
    pub fn save(&self, conn: &Connection) -> rusqlite::Result<()> {
        let id = self.id.0.as_bytes().as_slice();
        match &self.json {
            None => conn.prepare_cached("DELETE FROM hosts WHERE id = ?1")?.execute([id])?,
            Some(json) if self.is_new => {
                let mut insert = conn.prepare_cached("INSERT INTO hosts (id, version, json) VALUES (?1, ?2, ?3)")?;
                insert.execute(params![id, self.version.cast_signed(), json])?
            }
            Some(json) => {
                let mut update = conn.prepare_cached("UPDATE hosts SET version = ?2, json = ?3 WHERE id = ?1")?;
                update.execute(params![id, self.version.cast_signed(), json])?
            }
        };
        for (kind, value) in self.dropped.iter().filter(|_| self.json.is_some()) {
            conn.prepare_cached("DELETE FROM keys WHERE kind = ?1 AND value = ?2")?.execute([*kind, value])?;
        }
        self.builds.iter().try_for_each(|row| row.save(conn, self.id))
    }

    /// The keys that the host did not have before; to be called when every row of the change is saved, so that hosts can swap.
    pub fn save_keys(&self, conn: &Connection, path: &Path) -> Result<(), StoreFault> {
        for (kind, value) in &self.taken {
            let insert = || {
                let mut insert = conn.prepare_cached("INSERT INTO keys (kind, value, host) VALUES (?1, ?2, ?3)")?;
                insert.execute(params![kind, value, self.id.0.as_bytes().as_slice()])
            };
            insert().map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation) => StoreFault::Taken { what: kind, by: owner(conn, kind, value), value: value.clone() },
                _ => fault(path, &error),
            })?;
        }
        Ok(())
    }
}

impl BuildRow {
    fn save(&self, conn: &Connection, host: HostId) -> rusqlite::Result<()> {
        let mut upsert = conn.prepare_cached(
            "INSERT INTO builds (id, host, token_hash, opened_at, json) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash, json = excluded.json",
        )?;
        let (id, host) = (self.build.id.0.as_bytes().as_slice(), host.0.as_bytes().as_slice());
        upsert.execute(params![id, host, self.build.token_hash.0, self.build.opened_at.as_microsecond(), self.json]).map(drop)
    }
}

/// Builds whose rows are to be written: one that opens, one that is over, and one that its host lets go. What happens to a build while it is open
/// stands in its host's document, and readers look there (`NEWEST`); to write all of it twice with every step would be the larger half of a
/// storm's pages.
fn moved_builds<'h>(before: Option<&'h Host>, after: Option<&'h Host>) -> Vec<&'h Build> {
    let (was, is) = (before.and_then(|host| host.build.as_ref()), after.and_then(|host| host.build.as_ref()));
    let same = was.map(|build| build.id) == is.map(|build| build.id);
    let let_go = was.filter(|build| !same && build.is_open());
    let moved = is.filter(|build| was != is && !(same && build.is_open()));
    let_go.into_iter().chain(moved).collect()
}

/// Keys that went and keys that came; none in nearly every change.
fn moved_keys(before: Option<&Host>, after: Option<&Host>) -> (Vec<Key>, Vec<Key>) {
    if let (Some(before), Some(after)) = (before, after)
        && (&before.name, &before.macs, &before.uuid) == (&after.name, &after.macs, &after.uuid)
    {
        return (Vec::new(), Vec::new());
    }
    let (before, after) = (keys(before), keys(after));
    (before.difference(&after).cloned().collect(), after.difference(&before).cloned().collect())
}

/// What must be unique.
fn keys(host: Option<&Host>) -> BTreeSet<Key> {
    let Some(host) = host else { return BTreeSet::new() };
    let macs = host.macs.iter().map(|mac| ("mac", mac.to_string()));
    let uuid = host.uuid.iter().map(|uuid| ("uuid", uuid.to_string()));
    macs.chain(uuid).chain([("name", host.name.to_string())]).collect()
}

fn owner(conn: &Connection, kind: &str, value: &str) -> Option<HostId> {
    let mut query = conn.prepare_cached("SELECT host FROM keys WHERE kind = ?1 AND value = ?2").ok()?;
    let id: Vec<u8> = query.query_row([kind, value], |row| row.get(0)).ok()?;
    uuid::Uuid::from_slice(&id).ok().map(HostId)
}

/// Looks at the document as it stands, without copying it.
fn with_row<T>(conn: &Connection, path: &Path, id: HostId, look: impl FnOnce(Option<&str>) -> T) -> Result<T, StoreFault> {
    let read = || {
        let mut query = conn.prepare_cached("SELECT json FROM hosts WHERE id = ?1")?;
        let mut rows = query.query([id.0.as_bytes().as_slice()])?;
        let text = rows.next()?.map(|row| row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)).transpose()?;
        Ok(look(text))
    };
    read().map_err(|error: rusqlite::Error| fault(path, &error))
}

/// Builds by one condition.
fn builds_where(conn: &Connection, path: &Path, sql: &str, key: &dyn rusqlite::ToSql) -> Result<Vec<(HostId, Build)>, StoreFault> {
    let read = || -> rusqlite::Result<Vec<(Vec<u8>, String)>> {
        conn.prepare_cached(sql)?.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let rows = read().map_err(|error| fault(path, &error))?;
    let parse = |(host, json): (Vec<u8>, String)| {
        let host = uuid::Uuid::from_slice(&host).map_err(|error| unreadable(path, "the host of a build", error))?;
        let build = serde_json::from_str(&json).map_err(|error| unreadable(path, &format!("a build of host {host}"), error))?;
        Ok((HostId(host), build))
    };
    rows.into_iter().map(parse).collect()
}

/// A build's host and its document, which is in its host's as long as it is that one's newest.
const NEWEST: &str =
    "SELECT builds.host, CASE WHEN hosts.json ->> '$.build.id' = builds.json ->> '$.id' THEN hosts.json -> '$.build' ELSE builds.json END
                      FROM builds LEFT JOIN hosts ON hosts.id = builds.host WHERE";

/// The builds of a host, newest first.
pub(in crate::store::sqlite) fn builds(conn: &Connection, path: &Path, host: HostId) -> Result<Vec<Build>, StoreFault> {
    let sql = format!("{NEWEST} builds.host = ?1 ORDER BY opened_at DESC, builds.id DESC");
    Ok(builds_where(conn, path, &sql, &host.0.as_bytes().as_slice())?.into_iter().map(|(_, build)| build).collect())
}

/// A build and its host.
pub(in crate::store::sqlite) fn build(conn: &Connection, path: &Path, id: crate::model::BuildId) -> Result<Option<(HostId, Build)>, StoreFault> {
    Ok(builds_where(conn, path, &format!("{NEWEST} builds.id = ?1"), &id.0.as_bytes().as_slice())?.pop())
}

/// The build of a token and its host.
pub(in crate::store::sqlite) fn build_by_token(conn: &Connection, path: &Path, hash: &str) -> Result<Option<(HostId, Build)>, StoreFault> {
    Ok(builds_where(conn, path, &format!("{NEWEST} token_hash = ?1"), &hash)?.pop())
}
