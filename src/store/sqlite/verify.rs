//! Looks through a whole database: its pages and indexes, its references, every lease, and whether the rows are what the journal says.
//!
//! It reads the whole journal once, host by host, in one snapshot; it changes nothing. [`examine`] is the part of it that runs beside a
//! daemon that has just started: pages and rows alone, in small bites, so that machines that wait notice nothing of it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rusqlite::Connection;
use serde_json::Value;

use super::{
    rows::{journal, leases, settings},
    trouble::{fault, unreadable},
};
use crate::{
    model::{Entry, What},
    store::{StoreFault, fold},
};

/// A row that is not what its journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// `host 0190…`, `network lab`.
    pub what: String,
    /// What differs.
    pub text: String,
}

/// What [`Discrepancy::what`] says of broken pages and indexes: nothing of such a file can be believed.
pub(super) const PAGES: &str = "the file";

/// What the fold is compared with: the row of each thing.
type Rows = BTreeMap<String, Value>;

/// How many of SQLite's steps [`examine`] makes before it rests, and for how long.
const BITE: (i32, Duration) = (2_000, Duration::from_millis(1));

/// Looks for damage while others write, and rests between bites; an end without a finding also when `stop` says so.
pub(super) fn examine(mut conn: Connection, path: &Path, stop: impl Fn() -> bool + Send + Clone + 'static) -> Result<(), StoreFault> {
    let stopped = stop.clone();
    let rest = move || {
        std::thread::park_timeout(BITE.1);
        stopped()
    };
    conn.progress_handler(BITE.0, Some(rest)).map_err(|error| fault(path, &error))?;
    let tables: Vec<String> = texts(&conn, "SELECT name FROM sqlite_schema WHERE type = 'table'").map_err(|error| fault(path, &error))?;
    // One table after the other: the log cannot be folded into the file beyond the oldest snapshot that is read.
    for table in tables {
        match texts(&conn, &format!("PRAGMA quick_check(\"{table}\")")) {
            _ if stop() => return Ok(()),
            Ok(found) if found == ["ok"] => {}
            Ok(found) => return Err(StoreFault::Corrupt { path: path.to_path_buf(), detail: format!("{table}: {}", found.join("; ")) }),
            Err(error) => return Err(fault(path, &error)),
        }
    }
    Ok(())
}

fn texts(conn: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Everything that is wrong with a database; empty when all is well.
pub(super) fn verify(conn: &Connection, path: &Path) -> Result<Vec<Discrepancy>, StoreFault> {
    let snapshot = conn.unchecked_transaction().map_err(|error| fault(path, &error))?;
    let mut found = broken(&snapshot).map_err(|error| fault(path, &error))?;
    // Rows of broken pages would be compared in vain.
    if found.is_empty() {
        leases::load(&snapshot, path)?;
        found = unfolded(&snapshot, path)?;
    }
    Ok(found)
}

/// Pages, indexes (no address is leased twice: that is one), and references.
fn broken(conn: &Connection) -> rusqlite::Result<Vec<Discrepancy>> {
    let pages = |text: String| Discrepancy { what: PAGES.to_owned(), text };
    let mut found: Vec<_> = texts(conn, "PRAGMA integrity_check(20)")?.into_iter().filter(|text| text != "ok").map(pages).collect();
    let orphan = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Discrepancy> {
        let (of, to) = (row.get::<_, String>(0)?, row.get::<_, String>(2)?);
        Ok(Discrepancy { what: format!("a row of {of}"), text: format!("refers to a row of {to} that is not there") })
    };
    found.extend(conn.prepare("PRAGMA foreign_key_check")?.query_map([], orphan)?.collect::<Result<Vec<_>, _>>()?);
    Ok(found)
}

/// Every row that differs from its journal, and every journal that has lost its row.
fn unfolded(conn: &Connection, path: &Path) -> Result<Vec<Discrepancy>, StoreFault> {
    let mut rows = host_rows(conn, path)?;
    for ((noun, name), value) in settings::rows(conn, path)? {
        rows.insert(format!("{noun} {name}"), value);
    }
    let mut found = Vec::new();
    let mut of_one: Vec<Entry> = Vec::new();
    let mut subject = String::new();
    each_patched(conn, path, |key, entry| {
        if key != subject {
            compare(&subject, &of_one, &mut rows, &mut found);
            of_one.clear();
            subject = key;
        }
        of_one.push(entry);
    })?;
    compare(&subject, &of_one, &mut rows, &mut found);
    found.extend(rows.into_keys().map(|what| Discrepancy { what, text: "has a row but no journal".to_owned() }));
    Ok(found)
}

fn compare(subject: &str, entries: &[Entry], rows: &mut Rows, found: &mut Vec<Discrepancy>) {
    if subject.is_empty() {
        return;
    }
    let row = rows.remove(subject);
    let text = match fold(entries) {
        Err(error) => format!("its journal does not fold: {error}"),
        Ok(folded) if folded != row => {
            let patch = json_patch::diff(&folded.unwrap_or_default(), &row.unwrap_or_default());
            format!(
                "its row differs from its journal in {}",
                patch.iter().map(|operation| operation.path().to_string()).collect::<Vec<_>>().join(", ")
            )
        }
        Ok(_) => return,
    };
    found.push(Discrepancy { what: subject.to_owned(), text });
}

fn host_rows(conn: &Connection, path: &Path) -> Result<Rows, StoreFault> {
    let read = || -> rusqlite::Result<Vec<(Vec<u8>, String)>> {
        conn.prepare("SELECT id, json FROM hosts")?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let parse = |(id, json): (Vec<u8>, String)| {
        let id = uuid::Uuid::from_slice(&id).map_err(|error| unreadable(path, "a host's identity", error))?;
        let value = serde_json::from_str(&json).map_err(|error| unreadable(path, &format!("host {id}"), error))?;
        Ok((format!("host {id}"), value))
    };
    read().map_err(|error| fault(path, &error))?.into_iter().map(parse).collect()
}

/// Every entry with a patch, those of one thing together and in order.
fn each_patched(conn: &Connection, path: &Path, mut see: impl FnMut(String, Entry)) -> Result<(), StoreFault> {
    let mut walk = |sql: &str, key: fn(&Entry) -> String| {
        let mut statement = conn.prepare(sql).map_err(|error| fault(path, &error))?;
        let mut rows = statement.query([]).map_err(|error| fault(path, &error))?;
        while let Some(row) = rows.next().map_err(|error| fault(path, &error))? {
            let json: String = row.get(0).map_err(|error| fault(path, &error))?;
            let entry = journal::parse(path, &json)?;
            see(key(&entry), entry);
        }
        Ok(())
    };
    walk("SELECT json FROM journal WHERE host IS NOT NULL AND +patched = 1 ORDER BY host, seq", |entry| {
        entry.host.map_or_else(String::new, |host| format!("host {host}"))
    })?;
    let settings = "SELECT json FROM journal WHERE kind = 'settings' AND host IS NULL AND +patched = 1
                    ORDER BY json ->> '$.what.noun', CASE json ->> '$.what.noun' WHEN 'global' THEN '' ELSE json ->> '$.what.name' END, seq";
    walk(settings, |entry| match &entry.what {
        What::Settings { noun, .. } if noun == "global" => "global ".to_owned(),
        What::Settings { noun, name, .. } => format!("{noun} {name}"),
        _ => String::new(),
    })
}
