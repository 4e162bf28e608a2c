//! Opening the database: one daemon at a time, private to its user, durable, migrated and loaded.
//!
//! What must be known before anything is served is looked at here: that the file is ours, its schema, and every host, setting and lease.
//! A small file is searched for damage at once; a large one while it serves (`Sqlite::examine`), because that takes seconds. The lock is a `flock` on a file beside the database; the kernel drops it when the daemon dies, so there is no stale lock.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    rows, schema,
    trouble::{fault, file_fault, unreadable},
};
use crate::{
    model::Host,
    store::{StoreFault, state::State},
};

/// Where a database is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a file.
    File(PathBuf),
    /// In memory, shared by the connections of this process that know the name; gone with the last of them.
    Memory(String),
}

impl Place {
    /// Its path, for messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory(name) => Path::new(name),
        }
    }

    /// One more connection, for reading only.
    pub fn reader(&self) -> Result<Connection, StoreFault> {
        let conn = self.connect()?;
        conn.pragma_update(None, "query_only", true).map_err(|error| fault(self.path(), &error))?;
        Ok(conn)
    }

    fn connect(&self) -> Result<Connection, StoreFault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match self {
            Self::File(path) => Connection::open_with_flags(path, flags),
            Self::Memory(name) => Connection::open_with_flags(format!("file:/{name}?vfs=memdb"), flags | OpenFlags::SQLITE_OPEN_URI),
        };
        let conn = opened.map_err(|error| fault(self.path(), &error))?;
        conn.set_prepared_statement_cache_capacity(64);
        let set = || {
            conn.busy_timeout(Duration::from_secs(5))?;
            conn.pragma_update(None, "foreign_keys", true)
        };
        set().map_err(|error| fault(self.path(), &error))?;
        Ok(conn)
    }
}

/// Takes the lock, or says who has it. The lock ends when the file is closed.
pub(super) fn lock(path: &Path) -> Result<File, StoreFault> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut file = private(Path::new(&name))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // The number is a courtesy of the message; without it the message still stands.
            let _ = file.take(20).read_to_string(&mut pid);
            let pid = Some(pid.trim().to_owned()).filter(|pid| !pid.is_empty());
            return Err(StoreFault::Locked { path: path.to_path_buf(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(file_fault(path, &error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(|error| file_fault(path, &error))?;
    Ok(file)
}

/// A file for its owner's eyes alone: hosts and profiles hold secrets. SQLite gives its side files the same rights.
pub(super) fn private(path: &Path) -> Result<File, StoreFault> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    open.map_err(|error| file_fault(path, &error))
}

/// Files up to this size are searched for damage before they are used: it takes milliseconds.
const SMALL_BYTES: u64 = 4 << 20;

/// The writer's connection: durable and migrated.
pub(super) fn writer(place: &Place) -> Result<Connection, StoreFault> {
    let mut small = false;
    if let Place::File(path) = place {
        if restoring(path).exists() {
            return Err(StoreFault::HalfRestored { path: path.clone() });
        }
        small = private(path)?.metadata().is_ok_and(|file| file.len() <= SMALL_BYTES);
    }
    let path = place.path();
    let mut conn = place.connect()?;
    schema::check_ours(&conn, path)?;
    make_durable(&conn, place)?;
    if small {
        check_whole(&conn, path)?;
    }
    schema::migrate(&mut conn, path)?;
    Ok(conn)
}

/// Where a restore makes its copy ready.
pub(super) fn restoring(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".restoring");
    name.into()
}

fn make_durable(conn: &Connection, place: &Place) -> Result<(), StoreFault> {
    let path = place.path();
    if let Place::Memory(_) = place {
        return conn.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF").map_err(|error| fault(path, &error));
    }
    let mode = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
    let mode = mode.map_err(|error| match error.sqlite_error_code() {
        // The side files cannot be made: the folder is not ours to write.
        Some(rusqlite::ErrorCode::CannotOpen) => StoreFault::ReadOnly { path: path.to_path_buf(), detail: error.to_string() },
        _ => fault(path, &error),
    })?;
    if mode != "wal" {
        let detail = format!("this file system does not support write-ahead logging (journal mode is {mode}); use a local disk");
        return Err(StoreFault::Down { path: path.to_path_buf(), detail });
    }
    // The log is written back when it has 16 MiB instead of 4: a storm touches the same pages again and again, and each time costs an fsync more.
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864")
        .map_err(|error| fault(path, &error))
}

/// Looks for damage before anything is built upon it; indexes against tables are not compared.
fn check_whole(conn: &Connection, path: &Path) -> Result<(), StoreFault> {
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| fault(path, &error))?;
    if found == "ok" { Ok(()) } else { Err(StoreFault::Corrupt { path: path.to_path_buf(), detail: found }) }
}

/// Hosts and settings into memory, and the number of the last entry. Row by row: all texts at once would be as much memory again.
pub(super) fn load(conn: &Connection, path: &Path) -> Result<(State, u64), StoreFault> {
    let failed = |error| fault(path, &error);
    let mut state = State::default();
    let mut query = conn.prepare("SELECT json FROM hosts").map_err(failed)?;
    let mut found = query.query([]).map_err(failed)?;
    while let Some(row) = found.next().map_err(failed)? {
        let json = row.get_ref(0).map_err(failed)?.as_str().map_err(|error| failed(error.into()))?;
        let host: Host = serde_json::from_str(json).map_err(|error| {
            let start: String = json.chars().take(80).collect();
            unreadable(path, &format!("the host {start}"), error)
        })?;
        state.set(Arc::new(host));
    }
    let last: i64 = conn.query_row("SELECT coalesce(max(seq), 0) FROM journal", [], |row| row.get(0)).map_err(failed)?;
    state.settings = Arc::new(rows::settings::load(conn, path)?);
    Ok((state, last.unsigned_abs()))
}
