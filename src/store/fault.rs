//! What can go wrong with the store, one variant per thing that somebody can do about it.
//!
//! Every message names the place and the next step. "Not there" is never a fault, and a fault is never "not there".

use std::path::PathBuf;

use crate::model::HostId;

/// Why the store could not do what was asked. Cloned, because one failed commit answers everybody who waited for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// The folder of the database is not there.
    #[error("the folder {} does not exist; create it, or set state_dir in bootwright.toml", .path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The database or its folder cannot be written.
    #[error("{} cannot be written ({detail}); give the daemon's user the right to write the file and its folder, or mount the disk read-write", .path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The disk is full; nothing of the change was kept.
    #[error("no space is left for {}; nothing of this change was kept: free space on that disk and try again", .path.display())]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// Another daemon has the database open.
    #[error("{} is in use by another bootwright (process {}); stop that one, or give this one its own state_dir", .path.display(), .pid.as_deref().unwrap_or("unknown"))]
    Locked {
        /// The database.
        path: PathBuf,
        /// The other's process number, if its lock file says so.
        pid: Option<String>,
    },
    /// A later release wrote it.
    #[error("{} was written by a newer bootwright (schema {found}, this one knows {known}); install the newer release, or restore the backup made before the upgrade", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// A migration that was applied is not the one that this program carries.
    #[error("{} was brought to schema {version} by other statements than this release has; it comes from a changed build: use that build, or restore a backup", .path.display())]
    Altered {
        /// The database.
        path: PathBuf,
        /// The migration.
        version: i64,
    },
    /// It is a database, but another program's.
    #[error("{} is a database of another program; point state_dir at an empty folder or at bootwright's own", .path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged, or a row in it does not read.
    #[error("{} is damaged: {detail}; stop the daemon, keep a copy of the file and of its -wal, then restore a backup with: bootwright restore FILE; without one, salvage with: sqlite3 {} .recover", .path.display(), .path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A row is there and does not read: written by hand, or by a changed build.
    #[error("{} holds a row that cannot be used: {detail}; undo what was changed by hand with sqlite3, or restore a backup with: bootwright restore FILE", .path.display())]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// Which row, and why.
        detail: String,
    },
    /// Another program holds SQLite's own lock.
    #[error("{} is locked by another program (sqlite3, a backup tool?); end that program: nothing was changed, and the daemon goes on by itself", .path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// The file was deleted or put in another's place while the daemon has it open: what it writes would be lost.
    #[error("{} was deleted or replaced while the daemon runs; nothing is answered that would be lost: move the right file back, or stop the daemon and restore a backup with: bootwright restore FILE", .path.display())]
    Gone {
        /// The file: the database or its write-ahead log.
        path: PathBuf,
    },
    /// It is a backup, which no daemon runs on.
    #[error("{} is a backup, put in place by hand; its open builds and wipes may be long over, so it is not served: bootwright restore {} --state-dir DIR closes them", .path.display(), .path.display())]
    IsBackup {
        /// The file.
        path: PathBuf,
    },
    /// A file that was to be a whole backup is none.
    #[error("{} is not a whole backup of bootwright: {detail}; take another one", .path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// Truncated, edited, something else.
        detail: String,
    },
    /// A restore was broken off.
    #[error("a restore into {} was broken off; run it again (bootwright restore FILE --replace), or remove {}.restoring to keep what was there before", .path.display(), .path.display())]
    HalfRestored {
        /// The database.
        path: PathBuf,
    },
    /// A name, MAC or UUID belongs to another host; only this change was dropped.
    #[error("{what} {value} already belongs to host {}; change that host first, or choose another", .by.as_ref().map_or_else(|| "(unknown)".to_owned(), ToString::to_string))]
    Taken {
        /// `name`, `mac` or `uuid`.
        what: &'static str,
        /// The value.
        value: String,
        /// Whose it is.
        by: Option<HostId>,
    },
    /// The change itself broke off: a bug. Nothing of it was kept, the store goes on.
    #[error("the change broke off by a bug ({detail}); nothing of it was kept: please report it with the log of this moment")]
    Broke {
        /// The panic's message.
        detail: String,
    },
    /// The store was closed, or its writer is gone.
    #[error("the store is closed; the daemon is stopping or must be restarted")]
    Closed,
    /// Anything else that kept the database from answering.
    #[error("{} does not answer ({detail}); look at the disk and at the system's log, then restart the daemon", .path.display())]
    Down {
        /// The database.
        path: PathBuf,
        /// What was said.
        detail: String,
    },
}

impl StoreFault {
    /// The stable word for API, metric and journal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "store_missing",
            Self::ReadOnly { .. } => "store_read_only",
            Self::Full { .. } => "store_full",
            Self::Locked { .. } => "store_locked",
            Self::Newer { .. } => "store_newer",
            Self::Altered { .. } => "store_altered",
            Self::NotOurs { .. } => "store_not_ours",
            Self::Corrupt { .. } => "store_corrupt",
            Self::Unreadable { .. } => "store_unreadable",
            Self::Busy { .. } => "store_busy",
            Self::Gone { .. } => "store_gone",
            Self::IsBackup { .. } => "store_is_backup",
            Self::Unsound { .. } => "backup_unsound",
            Self::HalfRestored { .. } => "store_half_restored",
            Self::Taken { .. } => "taken",
            Self::Broke { .. } => "store_bug",
            Self::Closed => "store_closed",
            Self::Down { .. } => "store_down",
        }
    }

    /// Whether it is the store's trouble and lasts, and not one change's.
    pub const fn is_trouble(&self) -> bool {
        !matches!(self, Self::Taken { .. } | Self::Broke { .. } | Self::Unreadable { .. } | Self::Unsound { .. } | Self::Closed)
    }
}
