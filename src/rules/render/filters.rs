//! The filters that put a value into a file of some kind so that it stays one value there, and `fail`.
//!
//! Each either quotes, or refuses what that kind of file cannot carry at all: a parameter must never become a second line of an
//! answer file. A refusal names the rule, not the value.

use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::Value as Json;

use super::fault::complain;

/// The names of the filters here, for the linter and the documentation.
pub const NAMES: [&str; 8] = ["sh", "yaml", "json", "xml", "ks", "preseed", "ipxe", "url"];

/// Makes them known to the engine.
pub fn add(engine: &mut Environment<'_>) {
    engine.add_filter("sh", |value: Value| scalar("sh", &value).and_then(|text| sh(&text)));
    engine.add_filter("ks", |value: Value| scalar("ks", &value).and_then(|text| ks(&text)));
    engine.add_filter("preseed", |value: Value| scalar("preseed", &value).and_then(|text| preseed(&text)));
    engine.add_filter("ipxe", |value: Value| scalar("ipxe", &value).map(|text| ipxe(&text)));
    engine.add_filter("url", |value: Value| scalar("url", &value).map(|text| url(&text)));
    engine.add_filter("xml", |value: Value| scalar("xml", &value).and_then(|text| xml(&text)));
    engine.add_filter("json", |value: Value| tree("json", &value).map(|tree| tree.to_string()));
    engine.add_filter("yaml", |value: Value| tree("yaml", &value).map(|tree| yaml(&tree)));
    engine.add_function("fail", |reason: String| -> Result<Value, Error> {
        Err(complain("fail", reason, "The template itself refuses to render; give it what it asks for."))
    });
}

/// A text, number or boolean as text; booleans in lower case, as every answer file spells them.
fn scalar(filter: &str, value: &Value) -> Result<String, Error> {
    if value.is_undefined() || value.is_none() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    match tree(filter, value)? {
        Json::String(text) => Ok(text),
        Json::Array(_) | Json::Object(_) => {
            Err(complain("not-one-value", format!("`{filter}` takes one value, not a list or a map"), "Loop over it, or join it first."))
        }
        other => Ok(other.to_string()),
    }
}

fn tree(filter: &str, value: &Value) -> Result<Json, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    serde_json::to_value(value).map_err(|_| complain("not-a-value", format!("`{filter}` cannot spell this kind of value"), ""))
}

/// Words that mean something to a shell when they stand alone (POSIX 2.4).
const RESERVED: [&str; 14] = ["if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "in", "time"];

/// One word of a POSIX shell (2.2.2 single quotes).
fn sh(text: &str) -> Result<String, Error> {
    if text.contains('\0') {
        return Err(complain("sh-value", "a shell word cannot carry a NUL byte".into(), ""));
    }
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(&b));
    if plain && !RESERVED.contains(&text) { Ok(text.to_owned()) } else { Ok(format!("'{}'", text.replace('\'', r"'\''"))) }
}

/// One word of a kickstart command: anaconda splits lines as a POSIX shell would, without expansion.
fn ks(text: &str) -> Result<String, Error> {
    one_line("ks", text)?;
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./:@%+=,$^*-".contains(&b)) && !text.starts_with('%');
    if plain { Ok(text.to_owned()) } else { Ok(format!("'{}'", text.replace('\'', r"'\''"))) }
}

/// The value of a preseed line: it reaches to the end of the line and a backslash there would take the next one too.
fn preseed(text: &str) -> Result<String, Error> {
    one_line("preseed", text)?;
    if text.ends_with('\\') {
        return Err(complain("preseed-value", "a preseed value cannot end with a backslash".into(), "It would swallow the next line."));
    }
    Ok(text.to_owned())
}

fn one_line(filter: &str, text: &str) -> Result<(), Error> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(complain(
            "one-line",
            format!("`{filter}` needs a value of one line without control characters"),
            "Loop over `value.splitlines()`, or correct the parameter.",
        ));
    }
    Ok(())
}

/// Words on an iPXE command line. iPXE has no quoting: what it would act upon is changed until it is only text. Never fails,
/// because the reason of a fault is printed with it.
pub fn ipxe(text: &str) -> String {
    let inert = |word: &str| match word {
        "||" | "&&" | ";" => format!("'{word}'"),
        word if word.starts_with('#') => format!("'{word}"),
        word => word.to_owned(),
    };
    let printable: String = text.chars().map(ipxe_char).collect();
    // Expansion repeats until no `${` is left anywhere, so there is nothing to escape it with.
    let unexpanded = printable.replace("${", "$ {");
    unexpanded.split(' ').map(inert).collect::<Vec<_>>().join(" ")
}

fn ipxe_char(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        '–' | '—' => '-',
        '’' | '‘' => '\'',
        '“' | '”' => '"',
        ' '..='~' => c,
        _ => '?',
    }
}

/// One segment or value of a URL (RFC 3986 2.3: only unreserved characters stay).
fn url(text: &str) -> String {
    let spell = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(spell).collect()
}

/// Text or attribute of XML 1.0 (2.2 and 2.4).
fn xml(text: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // An attribute would read them as spaces.
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err(complain("xml-value", "XML 1.0 cannot carry this control character".into(), ""));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// A flow value on one line: JSON is YAML but for some characters that YAML wants escaped (YAML 1.2 5.1).
fn yaml(tree: &Json) -> String {
    let mut out = String::new();
    for c in tree.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
