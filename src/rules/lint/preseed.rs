//! Preseed: the grammar of its lines, the types it knows, reports, passwords.
//!
//! The installer skips a line that it cannot read and then stops at a question that nobody sees. Names of questions are the packages' own;
//! there is no list of them.

use super::{callbacks, calls, finding, nearest, plain_password};
use crate::model::{Finding, Severity};

/// debconf's types, and `seen`, which sets a flag instead of a value.
const TYPES: [&str; 10] = ["string", "boolean", "select", "multiselect", "note", "text", "password", "title", "error", "seen"];

/// Every finding about one preseed file.
pub fn check(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut built, mut failed) = (false, false);
    for (line, joined) in logical_lines(text) {
        let trimmed = joined.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if trimmed.ends_with('\\') {
            findings.push(finding(Severity::Error, name, line, "preseed-line", "the last line ends with a backslash and has no next one", ""));
        }
        findings.extend(entry(name, line, trimmed));
        if trimmed.contains("preseed/late_command") {
            built |= calls(trimmed, "built");
            failed |= calls(trimmed, "failed");
        }
    }
    findings.extend(callbacks(name, built, Some(failed)));
    findings
}

/// Lines with their number, those that end with a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (at, line) in text.lines().enumerate() {
        if let (true, Some((_, last))) = (goes_on, lines.last_mut()) {
            last.pop();
            last.push_str(line);
        } else {
            lines.push((at + 1, line.to_owned()));
        }
        goes_on = line.ends_with('\\');
    }
    lines
}

/// `owner question type value`.
fn entry(name: &str, line: usize, text: &str) -> Option<Finding> {
    let error = |message: &str, hint: String| Some(finding(Severity::Error, name, line, "preseed-line", message, hint));
    let mut words = text.splitn(4, char::is_whitespace);
    let (Some(_owner), Some(question), Some(kind)) = (words.next(), words.next(), words.next()) else {
        return error("a line is `owner question type value`", String::new());
    };
    let value = words.next().unwrap_or_default().trim();
    if !question.contains('/') {
        return error("the second word is a question's name, like mirror/http/hostname", "One space between the words.".into());
    }
    if !TYPES.contains(&kind) {
        return error("the third word is not a type that debconf knows", nearest::hint(kind, TYPES));
    }
    if kind == "boolean" && !matches!(value, "true" | "false") {
        return error("a boolean is `true` or `false`", String::new());
    }
    let hashed = value.is_empty() || value.starts_with(['$', '!', '*']);
    (kind == "password" && !hashed).then(|| plain_password(name, line))
}
