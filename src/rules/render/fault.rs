//! From an error of the engine to a sentence with the place where it really is.
//!
//! An error inside an include is wrapped by the include's: the innermost one with a place counts. Sentences are made from the kind
//! of error and the template's own text; the engine's details may carry values, so they are used only where they cannot.

use std::ops::Range;

use minijinja::{Error, ErrorKind};

use super::tags;
use crate::model::{Sources, TemplateFault};

/// What a filter or function of ours says about its argument; travels as the source of the engine's error.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Complaint {
    rule: &'static str,
    message: String,
    hint: &'static str,
}

/// An engine error with our rule, sentence and hint. The message must not contain values.
pub fn complain(rule: &'static str, message: String, hint: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, "").with_source(Complaint { rule, message, hint })
}

/// The fault for `error`, which came out of rendering or parsing `name`, whose text is `text`.
pub fn locate(name: &str, text: &str, error: &Error, sources: &Sources) -> TemplateFault {
    let mut place = error;
    let mut kind = error;
    let mut complaint = None;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(inner) = current.downcast_ref::<Error>() {
            kind = inner;
            if inner.line().is_some() {
                place = inner;
            }
        }
        complaint = current.downcast_ref::<Complaint>().or(complaint);
        next = current.source();
    }
    let template = place.name().unwrap_or(name);
    let text = sources.get(template).filter(|_| template != name).map_or(text, |source| source.text.as_str());
    let unclosed = (kind.kind() == ErrorKind::SyntaxError).then(|| tags::unclosed_comment(text)).flatten();
    let (line, column) = unclosed.map_or_else(|| place_of(place, text), |at| tags::position(text, at));
    let (rule, message, hint) = match complaint {
        Some(complaint) => (complaint.rule, complaint.message.clone(), complaint.hint),
        None => sentence(kind, &excerpt(place, text)),
    };
    TemplateFault { template: template.to_owned(), line, column, rule: rule.to_owned(), message, hint: hint_for(rule, hint, text) }
}

fn place_of(error: &Error, text: &str) -> (u32, u32) {
    let line = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
    match error.range() {
        // A range that does not lie on the error's own line is the start of something longer; the line is the better guide then.
        Some(range) if tags::position(text, range.start).0 == line => (line, tags::position(text, range.start).1),
        _ => (line, 0),
    }
}

/// The template's own words at the error, on one line.
fn excerpt(error: &Error, text: &str) -> String {
    // A filter that gets nothing is the error's place, and what stands before it the reason.
    let whole = |range: Range<usize>| match text.get(..range.start).map(str::trim_end) {
        Some(before) if before.ends_with('|') => before.rfind(['{', '(']).map_or(range.start, |open| open + 1)..range.end,
        _ => range,
    };
    let words = error.range().and_then(|range| text.get(whole(range))).unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { "this".to_owned() } else { format!("`{}`", words.chars().take(80).collect::<String>()) }
}

/// Rule, message and hint by the kind of error.
fn sentence(error: &Error, excerpt: &str) -> (&'static str, String, &'static str) {
    let detail = || error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.kind() {
        ErrorKind::SyntaxError | ErrorKind::BadEscape | ErrorKind::InvalidDelimiter => ("syntax", detail(), ""),
        ErrorKind::UndefinedError => {
            ("undefined", format!("{excerpt} has no value here"), "Correct the name, set the parameter, or say `| default(…)` or `{% if … %}`.")
        }
        ErrorKind::TemplateNotFound | ErrorKind::BadInclude => {
            ("missing-template", format!("{excerpt} names a template that does not exist"), "`bootwright template list` shows the names.")
        }
        ErrorKind::UnknownFilter => ("unknown-filter", detail(), "The filters are listed in templates/README.md."),
        ErrorKind::UnknownTest => ("unknown-test", detail(), "Tests are what stands behind `is`: defined, none, string, number …"),
        ErrorKind::UnknownFunction => ("unknown-function", detail(), "The functions are range, dict, namespace and fail."),
        ErrorKind::UnknownMethod => ("unknown-method", format!("{excerpt} calls a method that this value does not have"), ""),
        ErrorKind::OutOfFuel => ("too-many-steps", "the template takes too many steps".into(), "Look for a loop inside a loop."),
        ErrorKind::TooManyArguments | ErrorKind::MissingArgument => ("arguments", format!("{}: {excerpt}", error.kind()), ""),
        ErrorKind::InvalidOperation if error.detail().is_some_and(|detail| detail.contains("recursion limit")) => {
            ("too-deep", "templates include each other too deeply".into(), "Look for a template that includes itself.")
        }
        kind => ("failed", format!("{kind}: {excerpt}"), ""),
    }
}

fn hint_for(rule: &str, hint: &str, text: &str) -> String {
    // The classic: `${#array[@]}` of bash opens a comment, and the error comes from far below.
    if rule == "syntax" && text.contains("${#") {
        return "`${#` of bash begins a template comment; put that line between {% raw %} and {% endraw %}.".to_owned();
    }
    hint.to_owned()
}

/// A template that is larger than any template is.
pub fn too_long(name: &str) -> TemplateFault {
    whole(name, "text-limit", format!("the template is larger than {} bytes", super::TEXT_LIMIT_BYTES), "")
}

/// A name that is not in the set.
pub fn unknown(name: &str) -> TemplateFault {
    whole(name, "missing-template", "there is no template of this name".into(), "`bootwright template list` shows the names.")
}

/// A fault of the whole text.
pub fn whole(name: &str, rule: &str, message: String, hint: &str) -> TemplateFault {
    TemplateFault { template: name.to_owned(), line: 0, column: 0, rule: rule.to_owned(), message, hint: hint.to_owned() }
}

/// A link to a template that is not in the set.
pub fn missing(name: &str, link: &tags::Link, sources: &Sources) -> TemplateFault {
    let (line, column) = tags::position(&sources[name].text, link.at);
    let target = link.name.as_deref().unwrap_or_default();
    TemplateFault {
        template: name.to_owned(),
        line,
        column,
        rule: "missing-template".to_owned(),
        message: format!("there is no template {target:?}"),
        hint: "Names begin at the templates folder, like \"snippets/callbacks.sh\"; `bootwright template list` shows them.".to_owned(),
    }
}
