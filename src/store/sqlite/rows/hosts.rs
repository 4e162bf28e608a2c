//! Hosts as rows: the document, its unique keys, and its builds.
//!
//! The document is what the journal folds to; `keys` lets SQLite itself refuse a name, MAC or UUID that is taken; builds outlive
//! their host. What a change means is decided elsewhere; here it is only compared and written.

use std::{collections::BTreeSet, path::Path};

use json_patch::Patch;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use serde_json::Value;

use crate::{
    model::{Build, Host, HostId},
    store::{
        StoreFault,
        sqlite::trouble::{fault, unreadable},
    },
};

/// One host that differs.
pub(in crate::store::sqlite) struct Change<'v> {
    /// Which.
    pub id: HostId,
    /// As it was, if it was.
    pub before: Option<&'v Host>,
    /// As it will be, with its new version; `None` when it goes.
    pub after: Option<Host>,
    /// From the row to the row.
    pub patch: Patch,
    json: Value,
}

impl<'v> Change<'v> {
    /// Compares with the row and not with memory, so that the journal folds to the row also after a release that writes a host
    /// differently (a new field, say).
    pub fn of(conn: &Connection, path: &Path, id: HostId, before: Option<&'v Host>, after: Option<Host>) -> Result<Self, StoreFault> {
        let old = match before {
            Some(_) => row(conn, path, id)?,
            None => Value::Null,
        };
        let json = serde_json::to_value(&after).map_err(|error| StoreFault::Broke { detail: error.to_string() })?;
        Ok(Self { id, before, after, patch: json_patch::diff(&old, &json), json })
    }

    /// The fields that the patch touches.
    pub fn fields(&self) -> Vec<String> {
        let first = |path: &json_patch::jsonptr::Pointer| path.tokens().next().map(|token| token.decoded().into_owned());
        self.patch.iter().filter_map(|operation| first(operation.path())).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The row, and the keys that the host no longer has.
    pub fn save_row(&self, conn: &Connection) -> rusqlite::Result<()> {
        let id = self.id.0.as_bytes().as_slice();
        let Some(after) = &self.after else {
            return conn.prepare_cached("DELETE FROM hosts WHERE id = ?1")?.execute([id]).map(drop);
        };
        let mut upsert = conn.prepare_cached(
            "INSERT INTO hosts (id, version, json) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET version = excluded.version, json = excluded.json",
        )?;
        upsert.execute(params![id, after.version.cast_signed(), self.json.to_string()])?;
        for (kind, value) in keys(self.before).difference(&keys(self.after.as_ref())) {
            conn.prepare_cached("DELETE FROM keys WHERE kind = ?1 AND value = ?2")?.execute([*kind, value])?;
        }
        Ok(())
    }

    /// The keys that the host did not have before; to be called when every row of the change is saved, so that hosts can swap.
    pub fn save_keys(&self, conn: &Connection, path: &Path) -> Result<(), StoreFault> {
        for (kind, value) in keys(self.after.as_ref()).difference(&keys(self.before)) {
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

    /// The build, if it differs.
    pub fn save_build(&self, conn: &Connection, path: &Path) -> Result<(), StoreFault> {
        let new = self.after.as_ref().and_then(|host| host.build.as_ref());
        let Some(build) = new.filter(|&build| self.before.and_then(|host| host.build.as_ref()) != Some(build)) else { return Ok(()) };
        let json = serde_json::to_string(build).map_err(|error| StoreFault::Broke { detail: error.to_string() })?;
        let upsert = || {
            let mut upsert = conn.prepare_cached(
                "INSERT INTO builds (id, host, token_hash, opened_at, json) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash, json = excluded.json",
            )?;
            let (id, host) = (build.id.0.as_bytes().as_slice(), self.id.0.as_bytes().as_slice());
            upsert.execute(params![id, host, build.token_hash.0, build.opened_at.as_microsecond(), json])
        };
        upsert().map(drop).map_err(|error| fault(path, &error))
    }
}

/// What must be unique: kind and value.
fn keys(host: Option<&Host>) -> BTreeSet<(&'static str, String)> {
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

/// The document as it stands.
fn row(conn: &Connection, path: &Path, id: HostId) -> Result<Value, StoreFault> {
    let read = || conn.prepare_cached("SELECT json FROM hosts WHERE id = ?1")?.query_row([id.0.as_bytes().as_slice()], |row| row.get(0)).optional();
    let json: Option<String> = read().map_err(|error| fault(path, &error))?;
    json.map_or(Ok(Value::Null), |json| serde_json::from_str(&json).map_err(|error| unreadable(path, &format!("host {id}"), error)))
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

/// The builds of a host, newest first.
pub(in crate::store::sqlite) fn builds(conn: &Connection, path: &Path, host: HostId) -> Result<Vec<Build>, StoreFault> {
    let sql = "SELECT host, json FROM builds WHERE host = ?1 ORDER BY opened_at DESC, id DESC";
    Ok(builds_where(conn, path, sql, &host.0.as_bytes().as_slice())?.into_iter().map(|(_, build)| build).collect())
}

/// A build and its host.
pub(in crate::store::sqlite) fn build(conn: &Connection, path: &Path, id: crate::model::BuildId) -> Result<Option<(HostId, Build)>, StoreFault> {
    Ok(builds_where(conn, path, "SELECT host, json FROM builds WHERE id = ?1", &id.0.as_bytes().as_slice())?.pop())
}

/// The build of a token and its host.
pub(in crate::store::sqlite) fn build_by_token(conn: &Connection, path: &Path, hash: &str) -> Result<Option<(HostId, Build)>, StoreFault> {
    Ok(builds_where(conn, path, "SELECT host, json FROM builds WHERE token_hash = ?1", &hash)?.pop())
}
