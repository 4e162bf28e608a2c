//! The tags of a template text, seen from outside the engine: where they are, which words stand in them, what they include.
//!
//! The engine's own tree is not public, and it knows no columns; the linter and the hash over includes need both. This reads words
//! and punctuation only and judges no syntax: a text that does not parse gives some tags or none, never a panic.

/// What a tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagKind {
    /// `{{ … }}`
    Output,
    /// `{% … %}`
    Block,
    /// `{# … #}`
    Comment,
}

/// One piece of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A name or keyword.
    Word(String),
    /// A text literal, without its quotes.
    Text(String),
    /// A number.
    Number,
    /// Any other character.
    Mark(char),
}

/// A piece with its byte offset in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What.
    pub piece: Piece,
    /// Where.
    pub at: usize,
}

impl Token {
    /// The word, if it is one.
    pub fn word(&self) -> Option<&str> {
        if let Piece::Word(word) = &self.piece { Some(word) } else { None }
    }

    /// Whether it is this mark.
    pub fn is(&self, mark: char) -> bool {
        self.piece == Piece::Mark(mark)
    }
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Which kind.
    pub kind: TagKind,
    /// The offset of its opening brace.
    pub at: usize,
    /// Its pieces; none for a comment.
    pub tokens: Vec<Token>,
}

/// Another template that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The name; `None` when it is computed while rendering.
    pub name: Option<String>,
    /// Whether the text goes on without it (`ignore missing`, one of a list).
    pub optional: bool,
    /// The byte offset of the tag.
    pub at: usize,
}

/// Line and column in characters, both from 1, of a byte offset.
pub fn position(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// Every tag in order; what stands in `{% raw %}` is text.
pub fn tags(text: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut raw = false;
    while let Some((start, kind)) = next_opening(text, at) {
        if kind == TagKind::Comment {
            at = text[start..].find("#}").map_or(text.len(), |end| start + end + 2);
            if !raw {
                found.push(Tag { kind, at: start, tokens: Vec::new() });
            }
            continue;
        }
        let (tokens, end) = tokens(text, start + 2, kind);
        let first = tokens.iter().find_map(Token::word);
        match (raw, kind, first) {
            (true, TagKind::Block, Some("endraw")) => raw = false,
            (true, ..) => {
                at = start + 2;
                continue;
            }
            (false, TagKind::Block, Some("raw")) => raw = true,
            (false, ..) => found.push(Tag { kind, at: start, tokens }),
        }
        at = end;
    }
    found
}

/// The offset of a comment that never ends: the engine complains at the end of the file, far from the cause.
pub fn unclosed_comment(text: &str) -> Option<usize> {
    let last = tags(text).pop().filter(|tag| tag.kind == TagKind::Comment)?;
    (!text[last.at..].contains("#}")).then_some(last.at)
}

fn next_opening(text: &str, from: usize) -> Option<(usize, TagKind)> {
    let at = |mark: &str| text[from..].find(mark).map(|at| from + at);
    [("{{", TagKind::Output), ("{%", TagKind::Block), ("{#", TagKind::Comment)]
        .into_iter()
        .filter_map(|(mark, kind)| at(mark).map(|at| (at, kind)))
        .min_by_key(|&(at, _)| at)
}

/// The pieces from `at` to the closing mark, and the offset behind it.
fn tokens(text: &str, mut at: usize, kind: TagKind) -> (Vec<Token>, usize) {
    let close = if kind == TagKind::Output { "}}" } else { "%}" };
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    while let Some(c) = text[at..].chars().next() {
        if depth == 0 && text[at..].starts_with(close) {
            return (tokens, at + 2);
        }
        let (piece, length) = piece(&text[at..], c);
        match piece {
            Some(Piece::Mark('{' | '[' | '(')) => depth += 1,
            Some(Piece::Mark('}' | ']' | ')')) => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens.extend(piece.map(|piece| Token { piece, at }));
        at += length;
    }
    (tokens, text.len())
}

/// The piece at the start of `rest`, which begins with `c`, and its length in bytes.
fn piece(rest: &str, c: char) -> (Option<Piece>, usize) {
    let length_while = |keep: fn(char) -> bool| rest.find(|c| !keep(c)).unwrap_or(rest.len());
    match c {
        c if c.is_whitespace() => (None, c.len_utf8()),
        c if c.is_alphabetic() || c == '_' => {
            let length = length_while(|c| c.is_alphanumeric() || c == '_');
            (Some(Piece::Word(rest[..length].to_owned())), length)
        }
        c if c.is_ascii_digit() => (Some(Piece::Number), length_while(|c| c.is_ascii_alphanumeric() || c == '_')),
        '"' | '\'' => quoted(rest, c),
        c => (Some(Piece::Mark(c)), c.len_utf8()),
    }
}

fn quoted(rest: &str, quote: char) -> (Option<Piece>, usize) {
    let mut text = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return (Some(Piece::Text(text)), at + 1),
            c => text.push(c),
        }
    }
    (Some(Piece::Text(text)), rest.len())
}

/// Every template that the text includes, imports or extends.
pub fn links(text: &str) -> Vec<Link> {
    tags(text).iter().filter(|tag| tag.kind == TagKind::Block).flat_map(links_of).collect()
}

fn links_of(tag: &Tag) -> Vec<Link> {
    let mut tokens = tag.tokens.iter().skip_while(|token| token.is('-') || token.is('+')).peekable();
    if !matches!(tokens.next().and_then(Token::word), Some("include" | "import" | "from" | "extends")) {
        return Vec::new();
    }
    let rest: Vec<&Token> = tokens.collect();
    let optional = rest.windows(2).any(|pair| pair[0].word() == Some("ignore") && pair[1].word() == Some("missing"));
    let link = |name: Option<String>, optional| Link { name, optional, at: tag.at };
    match rest.split_first() {
        Some((first, rest)) if first.is('[') => {
            rest.iter().filter_map(|token| if let Piece::Text(name) = &token.piece { Some(link(Some(name.clone()), true)) } else { None }).collect()
        }
        Some((Token { piece: Piece::Text(name), .. }, rest)) if is_plain_end(rest.first()) => vec![link(Some(name.clone()), optional)],
        _ => vec![link(None, true)],
    }
}

/// Whether a literal name ends there; an operator behind it makes it a computed one.
fn is_plain_end(next: Option<&&Token>) -> bool {
    next.is_none_or(|token| matches!(token.word(), Some("ignore" | "with" | "without" | "as" | "import")) || token.is('-') || token.is('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[(Option<&str>, bool)]) {
        let got = links(text);
        assert_eq!(got.iter().map(|link| (link.name.as_deref(), link.optional)).collect::<Vec<_>>(), want, "{text}");
    }

    #[test]
    fn includes_imports_and_parents_are_links() {
        check(r#"{% include "a" %}{%- include 'b' -%}"#, &[(Some("a"), false), (Some("b"), false)]);
        check(r#"{% from "m" import x %}{% import "n" as n %}{% extends "p" %}"#, &[(Some("m"), false), (Some("n"), false), (Some("p"), false)]);
        check(r#"{% include "a" ignore missing %}"#, &[(Some("a"), true)]);
        check(r#"{% include ["a", "b"] %}"#, &[(Some("a"), true), (Some("b"), true)]);
    }

    #[test]
    fn a_computed_name_is_a_link_to_anywhere() {
        check(r#"{% include params.x %}"#, &[(None, true)]);
        check(r#"{% include "os/" ~ params.x %}"#, &[(None, true)]);
    }

    #[test]
    fn comments_raw_text_and_broken_tags_link_nowhere() {
        for text in ["{# {% include 'a' %} #}", "{% raw %}{% include 'a' %}{% endraw %}", "{{ 'include' }}", "{%", "{{ \"", "{#", "{% include"] {
            if text != "{% include" {
                check(text, &[]);
            }
        }
        check("{% raw %}{{ x }}{% endraw %}{% include 'b' %}", &[(Some("b"), false)]);
    }

    #[test]
    fn a_map_inside_an_output_does_not_end_it() {
        let tags = tags(r#"{{ {"a": {"b": 1}} }} {{ x }}"#);
        assert_eq!(tags.len(), 2);
        assert_eq!(position("ab\ncé {{ x }}", 7), (2, 4));
    }
}
