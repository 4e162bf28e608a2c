//! A journal entry in a few words: a label for its column, and whether somebody should look.
//!
//! One `match` over everything that can happen, so that a new kind of entry does not compile before it has a label.

use super::table::{bytes, printable};
use crate::model::{Entry, What};

/// What kind of thing happened, short enough for a column.
pub fn label(what: &What) -> String {
    match what {
        What::Created => "created".to_owned(),
        What::Edited { .. } => "edited".to_owned(),
        What::Deleted => "deleted".to_owned(),
        What::Transition { row, from, to } if from.is_empty() => format!("{row} → {to}"),
        What::Transition { row, from, to } => format!("{row} {from} → {to}"),
        What::Changed { row, .. } => format!("changed {row}"),
        What::Stage { stage } => stage.word().to_owned(),
        What::Seen { protocol } => format!("{protocol} seen"),
        What::Transfer { outcome, .. } => format!("transfer {outcome}"),
        What::Served { document, again, .. } => format!("{} {document}", if *again { "served again" } else { "served" }),
        // The text has the whole report and what it changed.
        What::Callback { report, .. } => format!("callback {}", report.split('/').next().unwrap_or(report)),
        What::Certificate { ok, .. } => if *ok { "certificate" } else { "certificate of a failure" }.to_owned(),
        What::SessionOpened => "boot session".to_owned(),
        What::BootLoop { class, attempt, halted } => format!("boot_loop: {class} loop {attempt}{}", if *halted { ", halted" } else { "" }),
        What::Deadline { which } => format!("{which} deadline"),
        What::Refused { why } => format!("refused {why}"),
        What::Silent { why } => format!("silent {why}"),
        What::Lease { what, .. } => format!("lease {what}"),
        What::Warning { word } => format!("warning {word}"),
        What::Settings { noun, verb, .. } => format!("{noun} {verb}"),
    }
}

/// What happened, with what the entry's sentence may leave out; nothing in it that a terminal would obey.
pub fn text(entry: &Entry) -> String {
    let text = match &entry.what {
        What::Transfer { file, sent_bytes, size_bytes, .. } if *size_bytes > 0 => transfer(file, *sent_bytes, *size_bytes),
        What::Certificate { sha256, .. } => format!("{} SHA-256 {sha256}", entry.text),
        _ => entry.text.clone(),
    };
    printable(&text).into_owned()
}

/// `lab/1/vmlinuz  1.2 of 4.0 MiB, 30 %`.
pub fn transfer(file: &str, sent: u64, size: u64) -> String {
    if sent >= size {
        return format!("{file}  {}, 100 %", bytes(size));
    }
    format!("{file}  {} of {}, {} %", bytes(sent), bytes(size), percent(sent, size))
}

/// Whole per cent, 100 only at the end.
pub fn percent(sent: u64, size: u64) -> u64 {
    if size == 0 { 100 } else { (u128::from(sent.min(size)) * 100 / u128::from(size)) as u64 }
}

/// Whether somebody should look.
pub fn is_trouble(what: &What) -> bool {
    match what {
        What::BootLoop { .. } | What::Deadline { .. } | What::Refused { .. } | What::Warning { .. } => true,
        What::Transition { to, .. } => matches!(to.as_str(), "error" | "defective"),
        What::Callback { report, .. } => report.starts_with("failed"),
        What::Transfer { outcome, .. } => outcome == "timed_out",
        What::Certificate { ok, .. } => !ok,
        What::Created
        | What::Edited { .. }
        | What::Deleted
        | What::Changed { .. }
        | What::Stage { .. }
        | What::Seen { .. }
        | What::Served { .. }
        | What::SessionOpened
        | What::Silent { .. }
        | What::Lease { .. }
        | What::Settings { .. } => false,
    }
}
