//! Bodies of the live image's agent, read: a value, or the field that is wrong and why.
//!
//! Unknown fields are left alone, because the agent may be newer than we are. Whatever is kept is bounded here: texts are cut, lists and
//! facts that no machine has are refused, because a record lives in memory. Whether what was said is true is not decided here.

use std::sync::Arc;

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
/// Entries of any other list, at most.
const MOST_ITEMS: usize = 4_096;
/// Cards that a hello shows, at most.
const MOST_MACS: usize = 256;
/// The largest facts, bytes: five hundred disks come to a third of it. They stay in the host's record.
pub const FACTS_BYTES: usize = 1 << 20;
/// Tools that a certificate names, at most; each certificate of a report has them all.
const MOST_TOOLS: usize = 64;

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

/// Cuts every text and refuses every list that is longer than any machine needs.
fn tame(value: &mut Value) -> Result<(), Malformed> {
    match value {
        Value::String(text) => clip(text, FAILURE_CHARS),
        Value::Array(items) if items.len() > MOST_ITEMS => return Err(wrong("", format!("more than {MOST_ITEMS} entries"))),
        Value::Array(items) => items.iter_mut().try_for_each(tame)?,
        Value::Object(fields) => {
            for (name, field) in fields {
                tame(field).map_err(|Malformed { field, text }| wrong(format!("{name}.{field}").trim_end_matches('.'), text))?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

/// `POST /agent/v1/hello`.
pub fn hello(body: &[u8]) -> Result<Hello, Malformed> {
    let mut hello: Hello = part(&json(body)?)?;
    if hello.macs.len() > MOST_MACS {
        return Err(wrong("macs", format!("more than {MOST_MACS} network cards")));
    }
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
    facts: Arc<Facts>,
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
    let mut value = json(body)?;
    tame(&mut value)?;
    let Head { protocol, session } = part(&value)?;
    let ReportHead { report_id, kind } = part(&value)?;
    if report_id.is_empty() || report_id.len() > ID_BYTES {
        return Err(wrong("report_id", format!("1 to {ID_BYTES} bytes that the agent draws for each report")));
    }
    let content = match kind {
        Kind::Partial | Kind::Facts if body.len() > FACTS_BYTES => return Err(wrong("facts", format!("more than {FACTS_BYTES} bytes"))),
        Kind::Partial => Content::Partial { facts: facts(&value)? },
        Kind::Facts => Content::Facts { facts: facts(&value)? },
        Kind::Wipe => wipe(part(&value)?)?,
        Kind::Failed => Content::Failed { text: part::<Failure>(&value)?.text },
    };
    Ok(Report { protocol, session, report_id, content })
}

fn facts(value: &Value) -> Result<Arc<Facts>, Malformed> {
    let facts = part::<Found>(value)?.facts;
    if facts.disks.len() > MOST_DISKS { Err(wrong("facts.disks", format!("more than {MOST_DISKS} disks"))) } else { Ok(facts) }
}

fn wipe(wiped: Wiped) -> Result<Content, Malformed> {
    let Wiped { plan_hash, results, mut tools, error } = wiped;
    if results.len() > MOST_DISKS {
        return Err(wrong("results", format!("more than {MOST_DISKS} disks")));
    }
    tools.truncate(MOST_TOOLS);
    tools.iter_mut().for_each(|tool| clip(tool, STEP_CHARS));
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
    fn what_no_machine_has_is_refused_and_not_kept() {
        let report_of = |rest: String| format!(r#"{{"protocol":1,"session":"00c0ffee5eed1234","report_id":"r",{rest}}}"#);
        let many = |one: &str, count: usize| vec![one; count].join(",");
        let disks = many(r#"{"id":"a","name":"sda","size_bytes":1}"#, MOST_DISKS + 1);
        check(report, &report_of(format!(r#""kind":"facts","facts":{{"disks":[{disks}]}}"#)), "facts.disks", "more than 1024 disks");
        let supplies = many("{}", MOST_ITEMS + 1);
        check(report, &report_of(format!(r#""kind":"partial","facts":{{"power_supplies":[{supplies}]}}"#)), "facts.power_supplies", "more than 4096");
        let blanks = " ".repeat(FACTS_BYTES);
        check(report, &report_of(format!(r#""kind":"facts",{blanks}"facts":{{}}"#)), "facts", "more than 1048576 bytes");
        let macs = many(r#""52:54:00:00:00:01""#, MOST_MACS + 1);
        let body = format!(r#"{{"protocol":1,"session":"00c0ffee5eed1234","mode":"clean","macs":[{macs}]}}"#);
        check(hello, &body, "macs", "more than 256");
    }

    #[test]
    fn every_text_of_a_report_is_cut() {
        let long = "x".repeat(100_000);
        let facts = format!(r#"{{"tpm":"{long}","disks":[{{"id":"a","name":"sda","size_bytes":1,"serial":"{long}"}}]}}"#);
        let body = format!(r#"{{"protocol":1,"session":"00c0ffee5eed1234","report_id":"r","kind":"facts","facts":{facts}}}"#);
        let Content::Facts { facts } = report(body.as_bytes()).unwrap().content else { panic!("no facts") };
        assert_eq!((facts.disks[0].serial.len(), facts.tpm.as_ref().map(String::len)), (FAILURE_CHARS, Some(FAILURE_CHARS)));
        let tools = vec![format!("\"{long}\""); 100].join(",");
        let body = format!(
            r#"{{"protocol":1,"session":"00c0ffee5eed1234","report_id":"r","kind":"wipe","plan_hash":"h","results":[],"tools":[{tools}],"error":"{long}"}}"#
        );
        let Content::Wipe { tools, error, .. } = report(body.as_bytes()).unwrap().content else { panic!("no wipe") };
        assert_eq!((tools.len(), tools[0].len(), error.unwrap().len()), (MOST_TOOLS, STEP_CHARS, FAILURE_CHARS));
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
