//! The filters that put a value into a document so that it stays one value there: any text, read again by a reader of that kind of document.
//!
//! ```text
//!   filter  value
//! ```
//! Promised: what a reader of the document gets is the value, or the value was refused; nothing of it becomes a second line, a second word
//! or a command.

use std::sync::LazyLock;

use bootwright::{
    model::{Source, Sources, TemplateOrigin},
    rules::render::{Catalog, FILTERS, fault_script},
};
use serde_json::{Value, json};

use crate::feed::Feed;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let source = |filter: &str| Source { text: format!("{{{{ v | {filter} }}}}"), origin: TemplateOrigin::Shipped };
    let sources: Sources = FILTERS.iter().map(|filter| ((*filter).to_owned(), source(filter))).collect();
    Catalog::new(sources).unwrap_or_else(|faults| panic!("{faults:?}"))
});

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let filter = FILTERS[usize::from(feed.byte()) % FILTERS.len()];
    let Some(value) = feed.text() else { return };
    let Ok(written) = CATALOG.render(filter, &json!({"v": value})) else { return };
    match filter {
        "sh" | "ks" => {
            assert_eq!(shell_word(&written).as_deref(), Some(value), "{written}");
            assert!(filter == "sh" || !written.contains(['\n', '\r']));
        }
        "json" => assert_eq!(serde_json::from_str::<Value>(&written).ok(), Some(json!(value)), "{written}"),
        "yaml" => {
            let read = serde_saphyr::from_str::<Value>(&format!("key: {written}\nnext: 1\n")).ok();
            assert_eq!(read, Some(json!({"key": value, "next": 1})), "{written}");
        }
        "xml" => assert!(!written.contains(['<', '>', '"', '\'']) && unescaped(&written) == value, "{written}"),
        "url" => assert_eq!(decoded(&written), value.as_bytes(), "{written}"),
        "preseed" => assert!(written == value && !written.contains(['\n', '\r']) && !written.ends_with('\\')),
        _ => {
            one_ipxe_line(&written);
            fault_script(value, "http://192.0.2.1/boot.ipxe", 30).lines().filter(|line| line.starts_with("echo Reason")).for_each(one_ipxe_line);
        }
    }
}

/// One word of a POSIX shell: plain, in single quotes, or escaped by a backslash. `None` if it is more or less than one.
fn shell_word(text: &str) -> Option<String> {
    let (mut word, mut quoted, mut chars) = (String::new(), false, text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => quoted = !quoted,
            c if quoted => word.push(c),
            '\\' => word.push(chars.next()?),
            c if c.is_whitespace() || "|&;<>()\"`?[]{}~!#".contains(c) => return None,
            c => word.push(c),
        }
    }
    (!quoted && !text.is_empty()).then_some(word)
}

fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (code, c) in
        [("&#9;", "\t"), ("&#10;", "\n"), ("&#13;", "\r"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
    {
        plain = plain.replace(code, c);
    }
    plain
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, left) = match (first, tail) {
            (b'%', [high, low, left @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).expect("a digit") as u8;
                (digit(high) << 4 | digit(low), left)
            }
            (byte, left) => (*byte, left),
        };
        bytes.push(byte);
        rest = left;
    }
    bytes
}

/// Words of one command that expand to nothing.
fn one_ipxe_line(line: &str) {
    assert!(line.chars().all(|c| (' '..='~').contains(&c)) && !line.contains("${"), "{line:?}");
    assert!(line.split(' ').all(|word| !matches!(word, "||" | "&&" | ";") && !word.starts_with('#')), "{line:?}");
}
