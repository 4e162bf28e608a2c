//! The journal read as the source of truth: patches applied in order give the present row.
//!
//! Pure; the checks over a whole database are in `sqlite::verify`.

use json_patch::PatchError;
use serde_json::Value;

use crate::model::{Entry, What};

/// Folds one host's entries, oldest first, into its JSON. `None`: there is no such host (never made, or deleted). A patch
/// that does not fit is an error, because "not there" and "could not look" are different things.
pub fn fold<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Result<Option<Value>, PatchError> {
    let mut row = Value::Null;
    for patch in entries.into_iter().filter_map(|entry| entry.patch.as_ref()) {
        json_patch::patch(&mut row, patch)?;
    }
    Ok((!row.is_null()).then_some(row))
}

/// The word of a kind of entry, as `kind` in its JSON and in [`super::JournalFilter`].
pub const fn kind_word(what: &What) -> &'static str {
    match what {
        What::Created => "created",
        What::Edited { .. } => "edited",
        What::Deleted => "deleted",
        What::Transition { .. } => "transition",
        What::Changed { .. } => "changed",
        What::Stage { .. } => "stage",
        What::Seen { .. } => "seen",
        What::Transfer { .. } => "transfer",
        What::Served { .. } => "served",
        What::Callback { .. } => "callback",
        What::Certificate { .. } => "certificate",
        What::SessionOpened => "session_opened",
        What::BootLoop { .. } => "boot_loop",
        What::Deadline { .. } => "deadline",
        What::Refused { .. } => "refused",
        What::Silent { .. } => "silent",
        What::Lease { .. } => "lease",
        What::Warning { .. } => "warning",
        What::Settings { .. } => "settings",
    }
}
