//! Event webhooks of curtin (through subiquity) and cloud-init: `{name, description, event_type, origin, timestamp, level?, result?,
//! files?}`.
//!
//! Names are paths; the parts that are known move the stage. A FAIL counts as the build's failure only where the installer gives
//! up with it (the whole install, the autoinstall commands, a cloud-init stage): a failed refresh check or a failed mirror probe is
//! progress. No event says `built`: late commands still follow the install's SUCCESS.

use serde_json::Value;

use super::{KEPT_BYTES, tail};
use crate::model::{Callback, Report, Stage};

/// The beginnings of names, the more special first, with the stage they stand for.
const STAGES: [(&str, Stage); 14] = [
    ("cmd-install/stage-late", Stage::PostRunning),
    ("cmd-install/stage-hook", Stage::PostRunning),
    ("cmd-install/stage-early", Stage::PreRunning),
    ("cmd-install", Stage::Installing),
    ("subiquity/Early", Stage::PreRunning),
    ("subiquity/Install/install/postinstall", Stage::PostRunning),
    ("subiquity/Install", Stage::Installing),
    ("subiquity/Late", Stage::PostRunning),
    ("init-local", Stage::PreRunning),
    ("init-network", Stage::PreRunning),
    ("modules-config", Stage::Installing),
    ("modules-final", Stage::PostRunning),
    ("curtin/install", Stage::Installing),
    ("curtin_install", Stage::Installing),
];

/// Names whose FAIL ends the installation.
const FATAL: [&str; 8] = [
    "cmd-install",
    "subiquity/Install/install",
    "subiquity/Early/run",
    "subiquity/Late/run",
    "init-local",
    "init-network",
    "modules-config",
    "modules-final",
];

/// One event.
pub(super) fn read(json: &Value) -> Callback {
    let field = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or("");
    let (name, kind, result) = (field("name"), field("event_type"), field("result"));
    let fatal = result == "FAIL" && FATAL.contains(&known_part(name));
    let report = match name {
        _ if fatal => Report::Failed,
        "" => Report::Log,
        _ => Report::Progress { word: name.chars().filter(|c| !c.is_control()).take(200).collect(), stage: stage(name) },
    };
    let parts = [kind, field("description"), result];
    let mut text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    for file in json.get("files").and_then(Value::as_array).into_iter().flatten() {
        text.push_str(&attached(file));
    }
    Callback { report, text: tail(&text) }
}

/// Newer subiquity puts curtin's own names behind its own path.
fn known_part(name: &str) -> &str {
    name.find("cmd-install").map_or(name, |at| &name[at..])
}

fn stage(name: &str) -> Option<Stage> {
    let begins = |start: &str| known_part(name).strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    STAGES.iter().find(|(start, _)| begins(start)).map(|(_, stage)| *stage)
}

/// A log file that came along: `{path, content, encoding: base64}`.
fn attached(file: &Value) -> String {
    let field = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or("");
    let content = match field("encoding") {
        "base64" => {
            base64(field("content")).map_or_else(|| "(not readable as base64)".to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => field("content").to_owned(),
    };
    format!("\n==> {} <==\n{}", field("path"), tail(&content))
}

/// RFC 4648 section 4, line breaks and missing padding forgiven. Of a long file only the end is decoded.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().filter(|b| !b.is_ascii_whitespace() && *b != b'=').map(digit).collect::<Option<Vec<u8>>>()?;
    let skip = digits.len().saturating_sub(KEPT_BYTES * 2) / 4 * 4;
    if digits.len() % 4 == 1 {
        return None;
    }
    let group = |four: &[u8]| {
        let bits = four.iter().fold(0_u32, |bits, digit| (bits << 6) | u32::from(*digit)) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    };
    Some(digits[skip..].chunks(4).flat_map(group).collect())
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
