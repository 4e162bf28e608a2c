//! Journal entries as rows: appended in order, read in pages, pruned of old evidence.
//!
//! An entry is one JSON document; the columns beside it are there to find it. Nothing here changes an entry, and an entry with
//! a patch is never deleted, because the rows are its fold.

use std::path::Path;

use rusqlite::{Connection, ToSql, params, params_from_iter};

use crate::{
    model::{Entry, Timestamp},
    store::{
        JournalFilter, StoreFault, kind_word,
        sqlite::trouble::{fault, unreadable},
    },
};

/// How many entries one pruning transaction deletes at most, so that nobody waits behind it for long.
pub(in crate::store::sqlite) const PRUNE_AT_ONCE: u64 = 2_000;

/// Appends an entry.
pub(in crate::store::sqlite) fn save(conn: &Connection, path: &Path, entry: &Entry) -> Result<(), StoreFault> {
    let json = serde_json::to_string(entry).map_err(|error| StoreFault::Broke { detail: error.to_string() })?;
    let insert = || {
        let mut insert =
            conn.prepare_cached("INSERT INTO journal (seq, at, host, build, kind, patched, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        let host = entry.host.as_ref().map(|id| id.0.as_bytes().as_slice());
        let build = entry.build.as_ref().map(|id| id.0.as_bytes().as_slice());
        insert.execute(params![entry.seq.cast_signed(), entry.at.as_microsecond(), host, build, kind_word(&entry.what), entry.patch.is_some(), json])
    };
    insert().map(drop).map_err(|error| fault(path, &error))
}

/// A page.
pub(in crate::store::sqlite) fn page(conn: &Connection, path: &Path, filter: &JournalFilter) -> Result<Vec<Entry>, StoreFault> {
    let mut sql = "SELECT json FROM journal WHERE 1".to_owned();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut require = |condition: &str, value: Option<Box<dyn ToSql>>| {
        if let Some(value) = value {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.push(value);
        }
    };
    require("host = ?", filter.host.map(|id| Box::new(id.0.as_bytes().to_vec()) as _));
    // Entries of a build are entries of its host, and only those are in an index.
    let build = filter.build.map(|id| id.0.as_bytes().to_vec());
    require("host = (SELECT host FROM builds WHERE id = ?)", build.clone().map(|id| Box::new(id) as _));
    require("build = ?", build.map(|id| Box::new(id) as _));
    require("kind = ?", filter.kind.clone().map(|kind| Box::new(kind) as _));
    // One index serves both pruning and this: by time within what has a patch and within what has none.
    require("patched IN (0, 1) AND at >= ?", filter.since.map(|at| Box::new(at.as_microsecond()) as _));
    require("patched IN (0, 1) AND at < ?", filter.until.map(|at| Box::new(at.as_microsecond()) as _));
    let beyond = if filter.newest_first { "seq < ?" } else { "seq > ?" };
    require(beyond, filter.after_seq.map(|seq| Box::new(i64::try_from(seq).unwrap_or(i64::MAX)) as _));
    sql.push_str(if filter.newest_first { " ORDER BY seq DESC" } else { " ORDER BY seq" });
    sql.push_str(" LIMIT ?");
    values.push(Box::new(filter.limit.min(JournalFilter::MOST) as i64));
    let read = || -> rusqlite::Result<Vec<String>> { conn.prepare_cached(&sql)?.query_map(params_from_iter(&values), |row| row.get(0))?.collect() };
    read().map_err(|error| fault(path, &error))?.iter().map(|json| parse(path, json)).collect()
}

/// An entry from its JSON.
pub(in crate::store::sqlite) fn parse(path: &Path, json: &str) -> Result<Entry, StoreFault> {
    serde_json::from_str(json).map_err(|error| unreadable(path, &format!("the journal entry {}", json.chars().take(60).collect::<String>()), error))
}

/// Deletes the oldest evidence before a time. The newest entry of all stays, because its number is where counting goes on.
pub(in crate::store::sqlite) fn prune(conn: &Connection, path: &Path, before: Timestamp) -> Result<u64, StoreFault> {
    let sql = "DELETE FROM journal WHERE seq IN (
                 SELECT seq FROM journal WHERE patched = 0 AND kind <> 'certificate' AND at < ?1 AND seq < (SELECT max(seq) FROM journal) ORDER BY at LIMIT ?2)";
    let delete = || conn.prepare_cached(sql)?.execute(params![before.as_microsecond(), PRUNE_AT_ONCE.cast_signed()]);
    delete().map(|rows| rows as u64).map_err(|error| fault(path, &error))
}
