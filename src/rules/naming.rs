//! How the record of an unknown machine is named: a network's pattern in, a legal host name that nobody has out.
//!
//! What a machine says of itself may hold anything; only letters, digits and hyphens of it survive. A machine without the wanted word is named
//! by its card, which it always has.

use crate::{
    model::{HostName, Mac, SmbiosUuid},
    rules::identity,
};

/// The pattern of a network that has none.
pub const DEFAULT: &str = "host-{mac}";

/// The words that a pattern may have.
pub const WORDS: [&str; 4] = ["mac", "serial", "uuid", "number"];

/// The longest label of a name (RFC 1035 2.3.4).
const LABEL: usize = 63;

/// The longest text of a pattern.
const MOST: usize = 120;

/// Why a text is no pattern; one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPattern {
    /// Nothing.
    #[error("a pattern needs a text, for example {DEFAULT}")]
    Empty,
    /// More than a name can hold.
    #[error("a pattern has at most {MOST} characters")]
    TooLong,
    /// A word that nobody knows.
    #[error("{{{0}}} is not known; there are {{mac}}, {{serial}}, {{uuid}} and {{number}}")]
    Word(String),
    /// A brace without its other.
    #[error("a brace is open; words are written {{mac}}, {{serial}}, {{uuid}} or {{number}}")]
    Brace,
    /// A character that no host name has.
    #[error("{0:?} cannot be in a host name; letters, digits, hyphens and dots can")]
    Character(char),
    /// What would be left is no host name.
    #[error("it makes {0:?}, which is not a host name: labels between dots begin and end with a letter or digit and have at most 63")]
    NoName(String),
}

/// What is known of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Stranger<'a> {
    /// Its card.
    pub mac: Mac,
    /// Its serial number.
    pub serial: Option<&'a str>,
    /// Its board.
    pub uuid: Option<SmbiosUuid>,
}

/// A piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Mac,
    Serial,
    Uuid,
    Number,
}

/// Checks a pattern before it is kept.
pub fn check(pattern: &str) -> Result<(), NotAPattern> {
    let pieces = pieces(pattern)?;
    let text = pieces.iter().filter_map(|piece| if let Piece::Text(text) = piece { Some(*text) } else { None }).collect::<String>();
    if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))) {
        return Err(NotAPattern::Character(bad));
    }
    // The shape around the words, with a short stand-in for each: a long value is cut to what fits.
    let sample: String = pieces.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "x1" }).collect();
    sample.parse::<HostName>().map(drop).map_err(|_| NotAPattern::NoName(sample))
}

/// The name of a machine by a pattern ([`DEFAULT`] if there is none, or none that holds); `taken` knows the names that are gone.
pub fn name(pattern: Option<&str>, stranger: &Stranger<'_>, taken: &dyn Fn(&str) -> bool) -> HostName {
    let pattern = pattern.filter(|pattern| check(pattern).is_ok()).unwrap_or(DEFAULT);
    let pieces = pieces(pattern).unwrap_or_default();
    let mut number = 1u64;
    loop {
        let wanted = fill(&pieces, stranger, number);
        // A number behind a long serial number may be what was cut off: such a name would be the same for ever.
        let counts = pieces.contains(&Piece::Number) && !is_cut(&pieces, stranger, number);
        let wanted = if counts || number == 1 { wanted } else { numbered(&wanted, number) };
        match wanted.parse::<HostName>() {
            Ok(name) if !taken(name.as_ref()) => return name,
            Ok(_) => number += 1,
            // The words made it too long or empty: the card's name always fits.
            Err(_) if pieces != [Piece::Text("host-"), Piece::Mac] => return self::name(None, stranger, taken),
            Err(_) => number += 1,
        }
    }
}

fn pieces(pattern: &str) -> Result<Vec<Piece<'_>>, NotAPattern> {
    if pattern.is_empty() {
        return Err(NotAPattern::Empty);
    }
    if pattern.len() > MOST {
        return Err(NotAPattern::TooLong);
    }
    let (mut pieces, mut rest) = (Vec::new(), pattern);
    while let Some(at) = rest.find(['{', '}']) {
        let (text, word) = rest.split_at(at);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let (word, after) = word.strip_prefix('{').and_then(|word| word.split_once('}')).ok_or(NotAPattern::Brace)?;
        pieces.push(match word {
            "mac" => Piece::Mac,
            "serial" => Piece::Serial,
            "uuid" => Piece::Uuid,
            "number" => Piece::Number,
            other if other.contains('{') => return Err(NotAPattern::Brace),
            other => return Err(NotAPattern::Word(other.to_owned())),
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

fn fill(pieces: &[Piece<'_>], stranger: &Stranger<'_>, number: u64) -> String {
    whole(pieces, stranger, number).split('.').map(label).collect::<Vec<_>>().join(".")
}

/// Whether a label is longer than it may be.
fn is_cut(pieces: &[Piece<'_>], stranger: &Stranger<'_>, number: u64) -> bool {
    whole(pieces, stranger, number).split('.').any(|label| label.len() > LABEL)
}

/// The pattern with its words, whatever that comes to.
fn whole(pieces: &[Piece<'_>], stranger: &Stranger<'_>, number: u64) -> String {
    let mac = || stranger.mac.to_string().replace(':', "");
    let serial = || stranger.serial.map(str::trim).filter(|serial| identity::is_serial(serial)).map(word).filter(|serial| !serial.is_empty());
    let uuid = || stranger.uuid.filter(|uuid| identity::is_own_board(*uuid)).map(|uuid| uuid.to_string());
    let piece = |piece: &Piece<'_>| match piece {
        Piece::Text(text) => (*text).to_owned(),
        Piece::Mac => mac(),
        Piece::Serial => serial().unwrap_or_else(mac),
        Piece::Uuid => uuid().unwrap_or_else(mac),
        Piece::Number => number.to_string(),
    };
    let text: String = pieces.iter().map(piece).collect();
    text.to_ascii_lowercase()
}

/// What a machine says, as a part of one label: other characters become one hyphen.
fn word(text: &str) -> String {
    let hyphened: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    hyphened.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn label(text: &str) -> &str {
    text.get(..LABEL).unwrap_or(text).trim_matches('-')
}

/// The same name with a number in its first label.
fn numbered(name: &str, number: u64) -> String {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let suffix = format!("-{number}");
    let first = first.get(..LABEL - suffix.len()).unwrap_or(first).trim_end_matches('-');
    rest.map_or_else(|| format!("{first}{suffix}"), |rest| format!("{first}{suffix}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "4c4c4544-0051-3510-8058-b4c04f4d3332";

    #[track_caller]
    fn check_name(pattern: Option<&str>, serial: Option<&str>, taken: &[&str], want: &str) {
        let stranger = Stranger { mac: "52:54:00:AB:00:01".parse().unwrap(), serial, uuid: Some(UUID.parse().unwrap()) };
        assert_eq!(name(pattern, &stranger, &|name| taken.contains(&name)).as_ref(), want);
    }

    #[track_caller]
    fn check_pattern(pattern: &str, want: &str) {
        let told = check(pattern).map_or_else(|why| why.to_string(), |()| "ok".to_owned());
        assert!(told.starts_with(want), "{pattern}: {told}");
    }

    #[test]
    fn a_machine_is_named_by_its_pattern() {
        check_name(None, None, &[], "host-525400ab0001");
        check_name(Some("{mac}.rack1.example.net"), None, &[], "525400ab0001.rack1.example.net");
        check_name(Some("srv-{serial}"), Some("8QX 1234/A."), &[], "srv-8qx-1234-a");
        check_name(Some("{uuid}"), None, &[], UUID);
        check_name(Some("Node{number}"), None, &["node1", "node2"], "node3");
        check_name(Some("{serial}.x"), Some("1.2.3.4"), &[], "1-2-3-4.x");
    }

    #[test]
    fn a_word_that_the_machine_does_not_have_is_its_card() {
        check_name(Some("srv-{serial}"), None, &[], "srv-525400ab0001");
        check_name(Some("srv-{serial}"), Some("To Be Filled By O.E.M."), &[], "srv-525400ab0001");
        check_name(Some("srv-{serial}"), Some("///"), &[], "srv-525400ab0001");
    }

    #[test]
    fn a_name_is_nobody_else_s() {
        check_name(None, None, &["host-525400ab0001"], "host-525400ab0001-2");
        check_name(None, None, &["host-525400ab0001", "host-525400ab0001-2"], "host-525400ab0001-3");
        check_name(Some("{serial}.x"), Some("abc"), &["abc.x"], "abc-2.x");
        let long = "a".repeat(90);
        check_name(Some("{serial}"), Some(&long), &[&"a".repeat(63)], &format!("{}-2", "a".repeat(61)));
        check_name(Some("{serial}-{number}"), Some(&long), &[&"a".repeat(63)], &format!("{}-2", "a".repeat(61)));
        check_name(Some("{serial}-{number}.x"), Some(&"a".repeat(61)), &[&format!("{}-1.x", "a".repeat(61))], &format!("{}-2.x", "a".repeat(61)));
    }

    #[test]
    fn what_makes_no_name_falls_back_to_the_card() {
        check_name(Some("{serial}"), Some("12345"), &[], "host-525400ab0001");
        check_name(Some("bad_{mac}"), None, &[], "host-525400ab0001");
        check_name(Some("{rack}"), None, &[], "host-525400ab0001");
    }

    #[test]
    fn a_pattern_is_checked_before_it_is_kept() {
        for good in [DEFAULT, "{serial}", "node{number}", "{mac}.example.net", "srv-{uuid}", "one"] {
            check_pattern(good, "ok");
        }
        check_pattern("", "a pattern needs a text");
        check_pattern("srv-{rack}", "{rack} is not known; there are {mac}, {serial}, {uuid} and {number}");
        check_pattern("srv-{mac", "a brace is open");
        check_pattern("srv-mac}", "a brace is open");
        check_pattern("{{mac}}", "a brace is open");
        check_pattern("srv_{mac}", "'_' cannot be in a host name");
        check_pattern("srv {mac}", "' ' cannot");
        check_pattern("-{mac}", "it makes \"-x1\"");
        check_pattern("{mac}..x", "it makes");
        check_pattern(&"a".repeat(121), "a pattern has at most 120");
    }
}
