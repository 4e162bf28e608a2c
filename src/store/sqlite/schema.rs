//! The shape of the database and how an older file is brought to it.
//!
//! `PRAGMA user_version` counts migrations; a table keeps the SHA-256 of each as it was applied, so that a file made by a
//! changed build is noticed instead of guessed at. There is no way back: a downgrade needs the backup made before.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::trouble::fault;
use crate::{model::token::sha256_hex, store::StoreFault};

/// `Bwr` and `G`: says that a database is ours.
const APPLICATION_ID: i64 = 0x4277_7247;
/// `BwrB`: says that it is a copy to restore from.
const BACKUP_ID: i64 = 0x4277_7242;

/// Each brings the schema from its index to its index plus one; never edited once released.
const MIGRATIONS: [&str; 3] = [include_str!("schema/0001.sql"), include_str!("schema/0002.sql"), include_str!("schema/0003.sql")];

/// The newest schema that this program knows.
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Refuses a file of another program or of a later release, before anything in it is touched.
pub(super) fn check_ours(conn: &Connection, path: &Path) -> Result<i64, StoreFault> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| fault(path, &error));
    let found = number("PRAGMA user_version")?;
    let ours = match found {
        0 => number("SELECT count(*) FROM sqlite_schema")? == 0,
        _ => match number("PRAGMA application_id")? {
            BACKUP_ID => return Err(StoreFault::IsBackup { path: path.to_path_buf() }),
            found => found == APPLICATION_ID,
        },
    };
    if !ours {
        return Err(StoreFault::NotOurs { path: path.to_path_buf() });
    }
    if found > KNOWN {
        return Err(StoreFault::Newer { path: path.to_path_buf(), found, known: KNOWN });
    }
    Ok(found)
}

/// Applies what is missing, each migration in its own transaction, after checking those that were applied before.
pub(super) fn migrate(conn: &mut Connection, path: &Path) -> Result<(), StoreFault> {
    let found = check_ours(conn, path)?;
    for (version, sql) in (1..).zip(MIGRATIONS) {
        if version <= found { check_applied(conn, path, version, sql)? } else { apply(conn, version, sql).map_err(|error| fault(path, &error))? }
    }
    Ok(())
}

fn check_applied(conn: &Connection, path: &Path, version: i64, sql: &str) -> Result<(), StoreFault> {
    let recorded: Option<String> = conn
        .query_row("SELECT sha256 FROM migrations WHERE version = ?1", [version], |row| row.get(0))
        .optional()
        .map_err(|error| fault(path, &error))?;
    if recorded == Some(sha256_hex(sql.as_bytes())) { Ok(()) } else { Err(StoreFault::Altered { path: path.to_path_buf(), version }) }
}

/// Writes the schema's number again: a write that changes nothing.
pub(super) fn touch(conn: &Connection, path: &Path) -> Result<u64, StoreFault> {
    conn.pragma_update(None, "user_version", KNOWN).map(|()| 1).map_err(|error| fault(path, &error))
}

/// Makes a copy a backup, which no daemon opens by mistake.
pub(super) fn mark_backup(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "application_id", BACKUP_ID)
}

/// Makes a restored backup a database again.
pub(super) fn unmark_backup(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "application_id", APPLICATION_ID)
}

/// Refuses what is not a backup that this program can read.
pub(super) fn check_backup(conn: &Connection, path: &Path) -> Result<(), StoreFault> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| fault(path, &error));
    let found = number("PRAGMA user_version")?;
    match number("PRAGMA application_id")? {
        BACKUP_ID if found > KNOWN => Err(StoreFault::Newer { path: path.to_path_buf(), found, known: KNOWN }),
        BACKUP_ID => Ok(()),
        _ => Err(StoreFault::Unsound { path: path.to_path_buf(), detail: "it is a database, but no backup".to_owned() }),
    }
}

fn apply(conn: &mut Connection, version: i64, sql: &str) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    transaction.execute_batch("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, sha256 TEXT NOT NULL) STRICT")?;
    transaction.execute_batch(sql)?;
    transaction.execute("INSERT INTO migrations (version, sha256) VALUES (?1, ?2)", params![version, sha256_hex(sql.as_bytes())])?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}
