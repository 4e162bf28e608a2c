//! What is known of the store's own health: damage, the trouble of the last write, and whether the files are still the ones that were opened.
//!
//! ```text
//! damage found (a page, the check after the start)  ─▶ every call faults until the daemon is restarted on a sound file
//! trouble (full, read-only, locked, gone)           ─▶ that write faults; the next that succeeds ends it
//! ```
//! A file that is deleted under an open connection goes on taking writes and loses them all at the end; so each commit looks first.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::Connection;

use super::{open::Place, trouble::file_fault};
use crate::store::StoreFault;

/// A file as the kernel knows it, whatever its name is now.
type Identity = (u64, u64);

/// What is known.
pub(super) struct Watch {
    database: Option<(PathBuf, Identity)>,
    log: OnceLock<Identity>,
    damage: OnceLock<StoreFault>,
    trouble: Mutex<Option<StoreFault>>,
    newest: Mutex<Option<StoreFault>>,
    /// The log's name is gone and what it held is in the database.
    saved: AtomicBool,
}

impl Watch {
    /// All is well with the file that was just opened.
    pub fn begin(place: &Place) -> Result<Self, StoreFault> {
        let database = match place {
            Place::File(path) => Some((path.clone(), identity(path).map_err(|error| file_fault(path, &error))?)),
            Place::Memory(_) => None,
        };
        Ok(Self {
            database,
            log: OnceLock::new(),
            damage: OnceLock::new(),
            trouble: Mutex::default(),
            newest: Mutex::default(),
            saved: AtomicBool::new(false),
        })
    }

    /// Damage is final: nothing is read or written any more.
    pub fn undamaged(&self) -> Result<(), StoreFault> {
        self.damage.get().map_or(Ok(()), |damage| Err(damage.clone()))
    }

    /// Whether the names still lead to the files that are open.
    pub fn still_there(&self) -> Result<(), StoreFault> {
        let Some((path, known)) = &self.database else { return Ok(()) };
        let gone = |path: &Path| StoreFault::Gone { path: path.to_path_buf() };
        let same = |path: &Path, known: Identity| match identity(path) {
            Ok(found) if found == known => Ok(()),
            Ok(_) => Err(gone(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(gone(path)),
            Err(error) => Err(file_fault(path, &error)),
        };
        same(path, *known)?;
        let log = log_of(path);
        match (self.log.get(), identity(&log)) {
            (Some(known), _) => same(&log, *known),
            (None, Ok(found)) => {
                let _ = self.log.set(found);
                Ok(())
            }
            // Nothing was written yet, so there is no log to lose.
            (None, Err(_)) => Ok(()),
        }
    }

    /// Where only the log's name was taken away, the writer still has the log: a checkpoint puts what was acknowledged into the database.
    pub fn save_log(&self, writer: &Connection) {
        let Some((path, known)) = &self.database else { return };
        if identity(path).ok() != Some(*known) || self.saved.load(Ordering::Relaxed) {
            return;
        }
        match writer.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get::<_, i64>(0)) {
            Ok(0) => {
                self.saved.store(true, Ordering::Relaxed);
                tracing::error!("store: its write-ahead log was deleted; all that was acknowledged is in the database now: restart the daemon");
            }
            Ok(_) => tracing::warn!("store: its write-ahead log was deleted, and somebody reads: trying again to save it"),
            Err(error) => tracing::error!(%error, "store: its write-ahead log was deleted, and could not be saved"),
        }
    }

    /// Something went wrong, or well again: `Ok` only of what really reached the disk.
    pub fn note(&self, came: Result<(), &StoreFault>) {
        match came {
            Err(fault @ StoreFault::Corrupt { .. }) => {
                if self.damage.set(fault.clone()).is_ok() {
                    tracing::error!(%fault, "store: damage was found; nothing is answered until it is mended");
                }
                self.set(Some(fault.clone()));
            }
            Err(fault) if fault.is_trouble() => self.set(Some(fault.clone())),
            Err(_) => {}
            Ok(()) => self.set(None),
        }
    }

    /// What is wrong now, if anything.
    pub fn trouble(&self) -> Option<StoreFault> {
        self.damage.get().cloned().or_else(|| self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// The newest trouble since this was asked last, also one that is over: it may begin and end between two looks.
    pub fn trouble_since(&self) -> Option<StoreFault> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, trouble: Option<StoreFault>) {
        if trouble.is_some() {
            self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&trouble);
        }
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// The write-ahead log's name.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn identity(path: &Path) -> io::Result<Identity> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}
