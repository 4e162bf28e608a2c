//! SQLite's and the file system's errors in the words of [`StoreFault`].
//!
//! One place, so that a full disk or a damaged page has the same name wherever it is met. It judges nothing else: whether a
//! constraint means "taken" is known where the row is written.

use std::{io, path::Path};

use rusqlite::{Error, ErrorCode};

use crate::store::StoreFault;

/// Why a statement failed.
pub(super) fn fault(path: &Path, error: &Error) -> StoreFault {
    let path = path.to_path_buf();
    let detail = error.to_string();
    match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => StoreFault::Full { path },
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreFault::ReadOnly { path, detail },
            ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => StoreFault::Corrupt { path, detail },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreFault::Busy { path },
            _ => StoreFault::Down { path, detail },
        },
        Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::IntegralValueOutOfRange(..) => {
            StoreFault::Unreadable { path, detail }
        }
        _ => StoreFault::Down { path, detail },
    }
}

/// Why a file could not be opened for writing.
pub(super) fn file_fault(path: &Path, error: &io::Error) -> StoreFault {
    let folder = path.parent().unwrap_or(path).to_path_buf();
    let (path, detail) = (path.to_path_buf(), error.to_string());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StoreFault::Missing { path: folder },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreFault::ReadOnly { path, detail },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreFault::Full { path },
        _ => StoreFault::Down { path, detail },
    }
}

/// A row that is there but does not read.
pub(super) fn unreadable(path: &Path, what: &str, error: impl std::fmt::Display) -> StoreFault {
    StoreFault::Unreadable { path: path.to_path_buf(), detail: format!("{what} does not read: {error}") }
}
