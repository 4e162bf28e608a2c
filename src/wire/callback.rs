//! Callbacks of installers, from request bodies to [`Callback`]: empty, text, form, JSON, and the event webhooks of curtin and
//! cloud-init.
//!
//! Nothing is refused for its body: an installer that failed may send anything, and its log is wanted. What cannot be read as a
//! form or as JSON is text; of what is too long the tail is kept, because that is where the error stands. Whether a report
//! changes anything is `rules::lifecycle`.

mod event;
mod form;

use serde_json::Value;

use crate::model::{Callback, Report, Stage};

/// How much text of one callback is kept.
pub const KEPT_BYTES: usize = 64 * 1024;

/// The path behind `/cb/TOKEN/` means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no callback; there are started, progress/WORD, built, failed, firstboot, reboot, log and events")]
pub struct NotACallback(pub String);

/// Reads a callback: the path behind the token (`started`, `progress/installing`, `events` …), the media type as sent, the body.
pub fn read(verb: &str, media_type: Option<&str>, body: &[u8]) -> Result<Callback, NotACallback> {
    let verb = verb.trim_matches('/');
    let report = match verb.split_once('/').unwrap_or((verb, "")) {
        ("started", "") => Report::Started,
        ("progress", word) => progress(word),
        ("built", "") => Report::Built,
        ("failed", "") => Report::Failed,
        ("firstboot", "") => Report::FirstBoot,
        ("reboot", "") => Report::WillReboot,
        ("log", "") => Report::Log,
        ("events", "") => return Ok(events(body)),
        _ => return Err(NotACallback(verb.chars().take(80).collect())),
    };
    Ok(Callback { report, text: tail(&text(media_type, body)) })
}

/// The last [`KEPT_BYTES`] of a text, from a line's beginning where there is one soon.
pub fn tail(text: &str) -> String {
    let mut start = text.len().saturating_sub(KEPT_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let kept = &text[start..];
    let whole_line = if start > 0 { kept.find('\n').filter(|at| *at < 1024).map_or(0, |at| at + 1) } else { 0 };
    legible(&kept[whole_line..])
}

/// Without what would command the terminal of whoever reads it; line ends of every kind become one.
fn legible(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

fn progress(word: &str) -> Report {
    let word: String = word.chars().filter(|c| !c.is_control()).take(80).collect();
    Report::Progress { stage: stage(&word), word }
}

/// Words that installers and their authors use for the three stages that only a callback can show, and iPXE's mark just before `boot`,
/// which proves in-band that the files arrived. `built` and the stages that the server sees by itself are none of them.
fn stage(word: &str) -> Option<Stage> {
    match word.to_ascii_lowercase().replace('-', "_").as_str() {
        "kernel_initrd_sent" => Some(Stage::KernelInitrdSent),
        "pre_running" | "pre" | "early" => Some(Stage::PreRunning),
        "installing" | "install" | "partitioning" | "packages" | "base" => Some(Stage::Installing),
        "post_running" | "post" | "late" | "bootloader" => Some(Stage::PostRunning),
        _ => None,
    }
}

fn events(body: &[u8]) -> Callback {
    match serde_json::from_slice(body) {
        Ok(json) => event::read(&json),
        Err(_) => Callback { report: Report::Log, text: tail(&String::from_utf8_lossy(body)) },
    }
}

/// The body as a person would read it.
fn text(media_type: Option<&str>, body: &[u8]) -> String {
    let lossy = String::from_utf8_lossy(&body[body.len().saturating_sub(4 * KEPT_BYTES)..]);
    let essence = media_type.unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => form::read(&lossy).unwrap_or_else(|| lossy.into_owned()),
        "application/json" => serde_json::from_slice(body).map_or_else(|_| lossy.into_owned(), |json| spoken(&json)),
        _ => lossy.into_owned(),
    }
}

/// The words of a JSON body: the field that carries them, or the whole thing.
fn spoken(json: &Value) -> String {
    let field = ["text", "message", "log", "error", "description"].iter().find_map(|name| json.get(name)?.as_str());
    match (field, json) {
        (Some(text), _) => text.to_owned(),
        (None, Value::String(text)) => text.clone(),
        (None, Value::Null) => String::new(),
        (None, Value::Object(map)) if map.is_empty() => String::new(),
        (None, other) => serde_json::to_string_pretty(other).unwrap_or_else(|_| other.to_string()),
    }
}

#[cfg(test)]
mod tests;
