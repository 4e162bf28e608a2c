//! Backups: a copy that is consistent while thousands of writes a second go on, its seal, and the way back.
//!
//! ```text
//! database ──one snapshot, some pages at a time──▶ copy, marked as a backup ──▶ seal: a line after the last page with SHA-256, size, time
//! backup ──seal, pages, references, journal──▶ DATABASE.restoring ──(the story closes builds and wipes)──▶ the database; the old one beside it
//! ```
//! Readers of the write-ahead log keep nobody from writing, so the writer never waits for a backup. The server's key is not in it: a
//! backup opens no document. The mark keeps a daemon from running on a file that was merely copied into place.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use sha2::{Digest as _, Sha256};

use super::{
    Sqlite, open,
    open::Place,
    schema,
    trouble::{fault, file_fault},
    verify::{self, Discrepancy},
    watch::log_of,
};
use crate::{model::Timestamp, store::StoreFault};

/// Pages copied at once, and the rest afterwards, so that the disk serves others too.
const BITE: (i32, Duration) = (512, Duration::from_micros(500));
/// How a seal begins; after it come SHA-256, size in bytes and time.
const SEAL: &str = "bootwright-backup 1";
/// No seal is longer.
const SEAL_BYTES: u64 = 256;

/// Copies what `conn` sees now into the new file `to`.
pub(super) fn copy(conn: &Connection, path: &Path, to: &Path, stop: &dyn Fn() -> bool) -> Result<(), StoreFault> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(|error| file_fault(to, &error))?;
    drop(made);
    let snapshot = conn.unchecked_transaction().map_err(|error| fault(path, &error))?;
    // A transaction sees nothing before its first read; without a snapshot every write of others would begin the copy anew.
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(|error| fault(path, &error))?;
    let of_copy = |error: rusqlite::Error| fault(to, &error);
    let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(of_copy)?;
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(of_copy)?;
    let pages = Backup::new(&snapshot, &mut copy).map_err(of_copy)?;
    loop {
        match pages.step(BITE.0).map_err(|error| fault(path, &error))? {
            StepResult::Done => break,
            _ if stop() => return Err(StoreFault::Closed),
            _ => std::thread::park_timeout(BITE.1),
        }
    }
    drop(pages);
    let close = || {
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        schema::mark_backup(&copy)
    };
    close().map_err(of_copy)
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// SHA-256 over the copy and the time, 64 hexadecimal digits.
    pub sha256: String,
    /// Size of the copy without the seal.
    pub size_bytes: u64,
    /// When it was made.
    pub made: Timestamp,
}

/// A seal while the bytes go by.
#[derive(Debug, Default)]
pub struct Sealing {
    hash: Sha256,
    size_bytes: u64,
}

impl Sealing {
    /// More of the copy.
    pub fn see(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    /// The line that follows the last byte.
    pub fn line(self, made: Timestamp) -> String {
        let seal = self.finish(made);
        format!("{SEAL} sha256={} bytes={} made={}\n", seal.sha256, seal.size_bytes, seal.made)
    }

    fn finish(mut self, made: Timestamp) -> Seal {
        self.hash.update(made.to_string().as_bytes());
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Seal { sha256, size_bytes: self.size_bytes, made }
    }
}

/// Puts the seal after the last byte of a copy and syncs it.
pub fn seal_file(path: &Path, made: Timestamp) -> Result<(), StoreFault> {
    let seal = || -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).open(path)?;
        let mut sealing = Sealing::default();
        each_part(&mut file, u64::MAX, |part| {
            sealing.see(part);
            Ok(())
        })?;
        file.write_all(sealing.line(made).as_bytes())?;
        file.sync_all()
    };
    seal().map_err(|error| file_fault(path, &error))
}

/// Reads `limit` bytes, piece by piece; how many there were.
fn each_part(file: &mut File, limit: u64, mut see: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let (mut buffer, mut left) = (vec![0; 256 << 10], limit);
    loop {
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = file.read(&mut buffer[..room])?;
        if read == 0 {
            return Ok(limit - left);
        }
        see(&buffer[..read])?;
        left -= read as u64;
    }
}

/// Reads a backup's seal and compares it with the bytes.
pub fn unseal(path: &Path) -> Result<Seal, StoreFault> {
    let unsound = |detail: &str| StoreFault::Unsound { path: path.to_path_buf(), detail: detail.to_owned() };
    let io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => unsound("there is no such file"),
        _ => file_fault(path, &error),
    };
    let mut file = File::open(path).map_err(io)?;
    let seal = read_seal(&mut file).map_err(io)?.ok_or_else(|| unsound("its end is missing (the copy was cut off), or it is something else"))?;
    let mut sealing = Sealing::default();
    file.rewind().map_err(io)?;
    each_part(&mut file, seal.size_bytes, |part| {
        sealing.see(part);
        Ok(())
    })
    .map_err(io)?;
    if sealing.finish(seal.made) == seal { Ok(seal) } else { Err(unsound("its bytes are not those that were sealed: it was changed or damaged")) }
}

fn read_seal(file: &mut File) -> io::Result<Option<Seal>> {
    let size = file.metadata()?.len();
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(SEAL_BYTES)))?;
    file.read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let Some(line) = text.rfind(SEAL).and_then(|at| text[at..].strip_suffix('\n')) else { return Ok(None) };
    let word = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name));
    let (Some(sha256), Some(bytes), Some(made)) = (word("sha256="), word("bytes="), word("made=")) else { return Ok(None) };
    let (Ok(size_bytes), Ok(made)) = (bytes.parse::<u64>(), made.parse()) else { return Ok(None) };
    let whole = size_bytes + line.len() as u64 + 1 == size;
    Ok(whole.then(|| Seal { sha256: sha256.to_owned(), size_bytes, made }))
}

/// A backup's rows, to be looked at.
fn look(path: &Path) -> Result<Connection, StoreFault> {
    // `immutable`: no lock, no side files; nobody else writes it.
    let escaped: String =
        path.to_string_lossy().chars().map(|c| if "%?#".contains(c) { format!("%{:02x}", u32::from(c)) } else { c.to_string() }).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).map_err(|error| fault(path, &error))
}

impl Seal {
    /// Everything that is wrong with the rows of a backup whose seal is whole.
    pub fn verify(&self, path: &Path) -> Result<Vec<Discrepancy>, StoreFault> {
        let conn = look(path)?;
        schema::check_backup(&conn, path)?;
        verify::verify(&conn, path)
    }
}

impl Sqlite {
    /// Everything that is wrong with a database that no daemon has open; it is not changed, and not brought to a newer schema.
    pub fn verify_stopped(path: &Path) -> Result<Vec<Discrepancy>, StoreFault> {
        fs::metadata(path).map_err(|error| file_fault(path, &error))?;
        let _lock = open::lock(path)?;
        let conn = Place::File(path.to_path_buf()).reader()?;
        schema::check_ours(&conn, path)?;
        verify::verify(&conn, path)
    }

    /// A backup of a database that no daemon has open; `to` is a new file.
    pub fn backup_stopped(path: &Path, to: &Path) -> Result<(), StoreFault> {
        fs::metadata(path).map_err(|error| file_fault(path, &error))?;
        let _lock = open::lock(path)?;
        let conn = Place::File(path.to_path_buf()).reader()?;
        schema::check_ours(&conn, path)?;
        copy(&conn, path, to, &|| false)
    }
}

/// A restore that is not finished: the copy lies beside the database, which is as it was.
pub struct Restored {
    path: PathBuf,
    /// Held until the end: no daemon starts meanwhile.
    _lock: File,
}

/// Copies a backup beside the database `path`, after its seal and its rows were found whole. An older schema is brought up to ours.
pub fn restore(backup: &Path, path: &Path) -> Result<(Restored, Sqlite), StoreFault> {
    let seal = unseal(backup)?;
    if let Some(found) = seal.verify(backup)?.first() {
        return Err(StoreFault::Unsound { path: backup.to_path_buf(), detail: format!("{} {}", found.what, found.text) });
    }
    let lock = open::lock(path)?;
    let copy = open::restoring(path);
    remove_with_log(&copy).map_err(|error| file_fault(&copy, &error))?;
    let fill = || -> io::Result<()> {
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy)?;
        each_part(&mut File::open(backup)?, seal.size_bytes, |part| to.write_all(part))?;
        to.sync_all()
    };
    fill().map_err(|error| file_fault(&copy, &error))?;
    let place = Place::File(copy.clone());
    let conn = Connection::open(&copy).map_err(|error| fault(&copy, &error))?;
    schema::unmark_backup(&conn).map_err(|error| fault(&copy, &error))?;
    drop(conn);
    let store = Sqlite::start(place.clone(), open::writer(&place)?, None)?;
    Ok((Restored { path: path.to_path_buf(), _lock: lock }, store))
}

impl Restored {
    /// Puts the copy in the database's place, when its store is closed; where the old database went, if there was one.
    pub fn finish(self, now: Timestamp) -> Result<Option<PathBuf>, StoreFault> {
        let Self { path, .. } = &self;
        let copy = open::restoring(path);
        let kept = path.with_file_name(format!("{}.before-restore-{}", name_of(path), now.strftime("%Y%m%dT%H%M%SZ")));
        let swap = || -> io::Result<Option<PathBuf>> {
            if log_of(&copy).metadata().is_ok_and(|log| log.len() > 0) {
                return Err(io::Error::other(
                    "what closes open builds and wipes could not be written into the restored copy; make room and restore again",
                ));
            }
            let was = path.try_exists()?;
            if was {
                // What stands in the old database's log belongs to it, also should this be broken off. One too damaged for it goes as it is.
                let _ = Connection::open(path).and_then(|old| old.pragma_update(None, "wal_checkpoint", "TRUNCATE"));
                // Its log goes with it, or SQLite would lay it over the restored one. Until the last rename the copy's name keeps a daemon from starting.
                fs::hard_link(path, &kept)?;
                rename_if_there(&log_of(path), &log_of(&kept))?;
                remove_if_there(&path.with_file_name(format!("{}-shm", name_of(path))))?;
            }
            File::open(&copy)?.sync_all()?;
            fs::rename(&copy, path)?;
            path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
            Ok(was.then_some(kept))
        };
        swap().map_err(|error| file_fault(path, &error))
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn remove_with_log(path: &Path) -> io::Result<()> {
    remove_if_there(path)?;
    remove_if_there(&log_of(path))?;
    remove_if_there(&path.with_file_name(format!("{}-shm", name_of(path))))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(absent)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to).or_else(absent)
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
