//! Bodies of the live image's agent, read: a value, or the field that is wrong and why.
//!
//! Unknown fields are left alone, because the agent may be newer than we are. Texts that end up in the journal are cut to what a line
//! holds. Whether what was said is true is not decided here.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Content, Heartbeat, Hello, Report};
use crate::model::{DiskResult, Facts, Progress, SessionId};

/// The longest text of a step, characters.
const STEP_CHARS: usize = 200;
/// The longest text of a failure, characters.
const FAILURE_CHARS: usize = 2_000;
/// The longest id of a report, bytes.
const ID_BYTES: usize = 64;
/// Disks of one machine, at most.
const MOST_DISKS: usize = 1_024;

/// What is wrong with a body, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {text}")]
pub struct Malformed {
    /// The field's path, `facts.nics[0].mac`; `body` where it is no JSON object.
    pub field: String,
    /// What is wrong.
    pub text: String,
}

fn wrong(field: &str, text: impl Into<String>) -> Malformed {
    Malformed { field: field.to_owned(), text: text.into() }
}

fn json(body: &[u8]) -> Result<Value, Malformed> {
    let value: Value = serde_json::from_slice(body).map_err(|fault| wrong("body", fault.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(wrong("body", "a JSON object is expected")) }
}

/// Some fields of an object. Read one group at a time, because serde tells no path inside of flattened or tagged ones.
fn part<T: DeserializeOwned>(value: &Value) -> Result<T, Malformed> {
    serde_path_to_error::deserialize(value).map_err(|fault| {
        let path = fault.path().to_string();
        wrong(if path == "." { "body" } else { &path }, fault.into_inner().to_string())
    })
}

fn clip(text: &mut String, chars: usize) {
    if let Some((at, _)) = text.char_indices().nth(chars) {
        text.truncate(at);
    }
}

/// `POST /agent/v1/hello`.
pub fn hello(body: &[u8]) -> Result<Hello, Malformed> {
    let mut hello: Hello = part(&json(body)?)?;
    clip(&mut hello.agent, STEP_CHARS);
    clip(&mut hello.image, STEP_CHARS);
    Ok(hello)
}

#[derive(Deserialize)]
struct Head {
    protocol: u32,
    session: SessionId,
}

/// `POST /agent/v1/heartbeat`.
pub fn heartbeat(body: &[u8]) -> Result<Heartbeat, Malformed> {
    let value = json(body)?;
    let Head { protocol, session } = part(&value)?;
    let mut progress: Progress = part(&value)?;
    if progress.disks.len() > MOST_DISKS {
        return Err(wrong("disks", format!("more than {MOST_DISKS} disks")));
    }
    clip(&mut progress.step, STEP_CHARS);
    progress.percent = progress.percent.min(100);
    for disk in &mut progress.disks {
        clip(&mut disk.step, STEP_CHARS);
        clip(&mut disk.id.0, STEP_CHARS);
    }
    Ok(Heartbeat { protocol, session, progress })
}

#[derive(Deserialize)]
struct ReportHead {
    report_id: String,
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Partial,
    Facts,
    Wipe,
    Failed,
}

#[derive(Deserialize)]
struct Found {
    facts: Box<Facts>,
}

#[derive(Deserialize)]
struct Wiped {
    plan_hash: String,
    results: Vec<DiskResult>,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct Failure {
    text: String,
}

/// `POST /agent/v1/report`.
pub fn report(body: &[u8]) -> Result<Report, Malformed> {
    let value = json(body)?;
    let Head { protocol, session } = part(&value)?;
    let ReportHead { report_id, kind } = part(&value)?;
    if report_id.is_empty() || report_id.len() > ID_BYTES {
        return Err(wrong("report_id", format!("1 to {ID_BYTES} bytes that the agent draws for each report")));
    }
    let content = match kind {
        Kind::Partial => Content::Partial { facts: part::<Found>(&value)?.facts },
        Kind::Facts => Content::Facts { facts: part::<Found>(&value)?.facts },
        Kind::Wipe => wipe(part(&value)?)?,
        Kind::Failed => {
            let mut text = part::<Failure>(&value)?.text;
            clip(&mut text, FAILURE_CHARS);
            Content::Failed { text }
        }
    };
    Ok(Report { protocol, session, report_id, content })
}

fn wipe(wiped: Wiped) -> Result<Content, Malformed> {
    let Wiped { plan_hash, mut results, tools, mut error } = wiped;
    if results.len() > MOST_DISKS {
        return Err(wrong("results", format!("more than {MOST_DISKS} disks")));
    }
    if let Some(text) = &mut error {
        clip(text, FAILURE_CHARS);
    }
    // One failed disk's reason becomes a part of the host's: it stands in lists and on the machine's own screen.
    for text in results.iter_mut().filter_map(|result| result.error.as_mut()) {
        clip(text, FAILURE_CHARS);
    }
    Ok(Content::Wipe { plan_hash, results, tools, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: std::fmt::Debug>(read: fn(&[u8]) -> Result<T, Malformed>, body: &str, field: &str, part: &str) {
        let malformed = read(body.as_bytes()).unwrap_err();
        assert_eq!(malformed.field, field, "{malformed}");
        assert!(malformed.text.contains(part), "{malformed}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field() {
        check(hello, "", "body", "EOF");
        check(hello, "[1]", "body", "object");
        check(hello, "{}", "body", "missing field `protocol`");
        check(hello, r#"{"protocol":1,"session":"zz","mode":"clean"}"#, "session", "");
        check(hello, r#"{"protocol":1,"session":"00c0ffee5eed1234","mode":"wipe"}"#, "mode", "unknown variant");
        check(hello, r#"{"protocol":1,"session":"00c0ffee5eed1234","mode":"clean","macs":["x"]}"#, "macs[0]", "");
        check(heartbeat, r#"{"protocol":1,"session":"00c0ffee5eed1234","percent":"much"}"#, "percent", "invalid type");
        check(heartbeat, r#"{"protocol":1,"session":"00c0ffee5eed1234","disks":[{"id":"a"}]}"#, "disks[0]", "missing field `step`");
    }

    #[test]
    fn a_report_is_read_with_paths_into_its_facts_and_results() {
        let report_of = |rest: &str| format!(r#"{{"protocol":1,"session":"00c0ffee5eed1234",{rest}}}"#);
        let check = |rest: &str, field, part| check(report, &report_of(rest), field, part);
        check(r#""report_id":"","kind":"failed","text":"x""#, "report_id", "1 to 64");
        check(r#""kind":"failed","text":"x""#, "body", "missing field `report_id`");
        check(r#""report_id":"r","kind":"done""#, "kind", "unknown variant");
        check(r#""report_id":"r","kind":"facts""#, "body", "missing field `facts`");
        check(r#""report_id":"r","kind":"facts","facts":{"nics":[{"name":"eth0","mac":"no"}]}"#, "facts.nics[0].mac", "");
        check(r#""report_id":"r","kind":"partial","facts":{"disks":[{"id":"a","name":"sda","size_bytes":-1}]}"#, "facts.disks[0].size_bytes", "");
        check(r#""report_id":"r","kind":"wipe","plan_hash":"h","results":[{"id":"a","ok":1}]"#, "results[0].ok", "invalid type");
        check(r#""report_id":"r","kind":"failed""#, "body", "missing field `text`");
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let body = format!(r#"{{"protocol":1,"session":"00c0ffee5eed1234","report_id":"r","kind":"failed","text":"{}"}}"#, "é".repeat(5_000));
        let Content::Failed { text } = report(body.as_bytes()).unwrap().content else { panic!("not a failure") };
        assert_eq!(text.chars().count(), FAILURE_CHARS);
        let at = "2026-11-20T10:15:00Z";
        let result = format!(r#"{{"id":"a","ok":false,"started":"{at}","ended":"{at}","error":"{}"}}"#, "é".repeat(5_000));
        let head = r#""protocol":1,"session":"00c0ffee5eed1234","report_id":"r""#;
        let Content::Wipe { results, .. } =
            report(format!(r#"{{{head},"kind":"wipe","plan_hash":"h","results":[{result}]}}"#).as_bytes()).unwrap().content
        else {
            panic!("not a wipe")
        };
        assert_eq!(results[0].error.as_ref().unwrap().chars().count(), FAILURE_CHARS);
        let body = format!(r#"{{"protocol":1,"session":"00c0ffee5eed1234","step":"{}","percent":300}}"#, "x".repeat(5_000));
        let beat = heartbeat(body.as_bytes()).unwrap();
        assert_eq!((beat.progress.step.len(), beat.progress.percent), (STEP_CHARS, 100));
    }
}
