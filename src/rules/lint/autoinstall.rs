//! cloud-config and autoinstall: the header, the keys at every documented level, reports, passwords.
//!
//! subiquity only warns about a key that it does not know, so that a misspelt `late_commands` installs and never reports. The schema is
//! templates/autoinstall/schema.json; what is beside `autoinstall:` is cloud-init's own matter.

use std::sync::LazyLock;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::{callbacks, calls, family, finding, nearest, plain_password};
use crate::model::{Finding, Severity};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../templates/autoinstall/schema.json");
    serde_json::from_str(text).expect("the shipped schema is JSON; a test reads it")
});
static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&SCHEMA).expect("the shipped schema is a schema; a test uses it"));

/// Every finding about one cloud-config.
pub fn check(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if text.lines().next().map(str::trim_end) != Some("#cloud-config") {
        let message = "the first line is not `#cloud-config`: cloud-init would ignore all of it";
        findings.push(finding(Severity::Error, name, 1, "cloud-config-header", message, "Nothing may stand before it, no comment either."));
    }
    let tree = match family::yaml(name, text) {
        Ok(tree) => tree,
        Err(error) => {
            findings.push(error);
            return findings;
        }
    };
    if let Some(part) = tree.get("autoinstall") {
        findings.extend(VALIDATOR.iter_errors(part).flat_map(|error| explain(name, text, &error)));
        findings.extend(reports(name, part));
        findings.extend(passwords(name, text, part));
    }
    findings
}

/// One finding per unknown key, one for any other error.
fn explain(name: &str, text: &str, error: &ValidationError<'_>) -> Vec<Finding> {
    let path = error.instance_path().to_string();
    let place = if path.is_empty() { "autoinstall".to_owned() } else { format!("autoinstall{path}").replace('/', ".") };
    if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
        let known = known_keys(&error.schema_path().to_string());
        let one = |key: &String| {
            let message = format!("`{place}` has no key `{key}`");
            finding(Severity::Error, name, line_of(text, key), "unknown-key", message, nearest::hint(key, known.iter().map(String::as_str)))
        };
        return unexpected.iter().map(one).collect();
    }
    let key = path.rsplit('/').find(|part| part.parse::<usize>().is_err() && !part.is_empty()).unwrap_or("autoinstall");
    // The masked form says what is wanted without the value that is there.
    vec![finding(Severity::Error, name, line_of(text, key), "autoinstall", format!("`{place}`: {}", error.masked_with("the value")), "")]
}

/// The keys that the schema allows where `additionalProperties` refused one.
fn known_keys(schema_path: &str) -> Vec<String> {
    let above = schema_path.trim_end_matches("/additionalProperties");
    let properties = SCHEMA.pointer(above).and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// The first line that sets that key; YAML does not keep places.
fn line_of(text: &str, key: &str) -> usize {
    let sets = |line: &str| {
        line.trim_start()
            .trim_start_matches("- ")
            .trim_start_matches(['"', '\''])
            .strip_prefix(key)
            .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
    };
    text.lines().position(sets).map_or(0, |at| at + 1)
}

fn reports(name: &str, part: &Value) -> Vec<Finding> {
    let told = |section: &str, verb: &str| part.get(section).is_some_and(|commands| calls(&commands.to_string(), verb));
    let mut findings = callbacks(name, told("late-commands", "built"), Some(told("error-commands", "failed")));
    let interactive = part.get("interactive-sections").and_then(Value::as_array).is_some_and(|sections| !sections.is_empty());
    if interactive && part.get("reporting").is_some() {
        let message = "`reporting` is ignored when there are interactive sections";
        findings.push(finding(Severity::Warning, name, 0, "autoinstall", message, "Remove one of them."));
    }
    findings
}

fn passwords(name: &str, text: &str, part: &Value) -> Option<Finding> {
    let password = part.pointer("/identity/password")?.as_str()?;
    (!password.starts_with(['$', '!', '*'])).then(|| plain_password(name, line_of(text, "password")))
}
