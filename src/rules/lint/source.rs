//! A template's text: filters, tests, functions and methods that exist, names that the context has, and bash's `${#`.
//!
//! The engine would say the same only while rendering, and only on the branch that is taken. Whatever a template assigns itself, or a
//! template that includes it, is no unknown name.

use std::collections::BTreeSet;

use super::{
    context::{CONTEXT, IPXE_CONTEXT},
    finding, nearest,
};
use crate::{
    model::{Finding, Severity},
    rules::render::{
        Catalog,
        tags::{self, Piece, Tag, TagKind, Token},
    },
};

/// Python methods that values have (pycompat), and those of the engine's own objects.
const METHODS: [&str; 34] = [
    "get",
    "items",
    "keys",
    "values",
    "count",
    "capitalize",
    "endswith",
    "find",
    "format",
    "isalnum",
    "isalpha",
    "isascii",
    "isdigit",
    "islower",
    "isnumeric",
    "isupper",
    "join",
    "lower",
    "lstrip",
    "replace",
    "rfind",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
    "cycle",
    "changed",
    "append",
    "index",
    "removeprefix",
    "removesuffix",
];
/// Words before a parenthesis that are no functions.
const KEYWORDS: [&str; 16] =
    ["if", "elif", "else", "in", "not", "and", "or", "is", "for", "set", "with", "call", "filter", "macro", "caller", "super"];

/// Every finding about one template's text.
pub fn check(catalog: &Catalog, name: &str) -> Vec<Finding> {
    let Some(source) = catalog.source(name) else { return Vec::new() };
    let tags = tags::tags(&source.text);
    let mut findings = Vec::new();
    let own = assigned(&tags);
    for tag in &tags {
        findings.extend(bash_length(name, &source.text, tag));
        findings.extend(words(catalog, name, &source.text, tag, &own));
    }
    findings.extend(names(catalog, name, &source.text, &tags));
    findings
}

fn at(severity: Severity, name: &str, text: &str, offset: usize, rule: &str, message: String, hint: String) -> Finding {
    let (line, column) = tags::position(text, offset);
    let mut finding = finding(severity, name, 0, rule, message, hint);
    (finding.fault.line, finding.fault.column) = (line, column);
    finding
}

/// `${#array[@]} … #}` parses, and everything between is gone.
fn bash_length(name: &str, text: &str, tag: &Tag) -> Option<Finding> {
    let clashes = tag.kind == TagKind::Comment && tag.at > 0 && text.as_bytes()[tag.at - 1] == b'$';
    let message = "`${#` of bash begins a template comment here".to_owned();
    clashes.then(|| at(Severity::Error, name, text, tag.at, "bash-length", message, "Put that line between {% raw %} and {% endraw %}.".into()))
}

fn words(catalog: &Catalog, name: &str, text: &str, tag: &Tag, own: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tokens = &tag.tokens;
    for (index, token) in tokens.iter().enumerate() {
        let Some(word) = token.word() else { continue };
        let before = index.checked_sub(1).map(|index| &tokens[index]);
        let is_called = tokens.get(index + 1).is_some_and(|next| next.is('('));
        let unknown =
            |rule: &str, what: &str, hint: String| at(Severity::Error, name, text, token.at, rule, format!("there is no {what} `{word}`"), hint);
        if before.is_some_and(|before| before.is('|')) || (tag.kind == TagKind::Block && before.and_then(Token::word) == Some("filter")) {
            if !catalog.has_filter(word) {
                findings.push(unknown("unknown-filter", "filter", nearest::hint(word, crate::rules::render::FILTERS)));
            }
        } else if is_test(tokens, index) {
            if !matches!(word, "not") && !catalog.has_test(word) {
                findings.push(unknown("unknown-test", "test", String::new()));
            }
        } else if is_called && before.is_some_and(|before| before.is('.')) {
            let receiver = index.checked_sub(2).and_then(|index| tokens[index].word()).unwrap_or_default();
            if !METHODS.contains(&word) && !own.contains(receiver) {
                findings.push(unknown("unknown-method", "method", nearest::hint(word, METHODS)));
            }
        } else if is_called && !KEYWORDS.contains(&word) && !own.contains(word) && !catalog.has_function(word) {
            findings.push(unknown("unknown-function", "function", String::new()));
        }
    }
    findings
}

/// Behind `is` or `is not`.
fn is_test(tokens: &[Token], index: usize) -> bool {
    let word = |back: usize| index.checked_sub(back).and_then(|index| tokens[index].word());
    word(1) == Some("is") || (word(1) == Some("not") && word(2) == Some("is"))
}

/// Names that the tags give a value: set, for, with, macro and its arguments, import.
fn assigned(tags: &[Tag]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for tag in tags.iter().filter(|tag| tag.kind == TagKind::Block) {
        let words: Vec<&str> = tag.tokens.iter().filter_map(Token::word).collect();
        let Some((first, rest)) = words.split_first() else { continue };
        let taken: Vec<&str> = match *first {
            "for" => rest.iter().take_while(|word| **word != "in").copied().collect(),
            "set" => {
                let end = tag.tokens.iter().position(|token| token.is('=')).unwrap_or(tag.tokens.len());
                tag.tokens[..end].iter().filter_map(Token::word).skip(1).collect()
            }
            "with" => tag.tokens.windows(2).filter(|pair| pair[1].is('=')).filter_map(|pair| pair[0].word()).collect(),
            "macro" | "call" | "import" | "from" => rest.to_vec(),
            _ => Vec::new(),
        };
        names.extend(taken.into_iter().map(str::to_owned));
    }
    names
}

/// Names that neither the context has nor any template gives that leads here.
fn names(catalog: &Catalog, name: &str, text: &str, tags: &[Tag]) -> Vec<Finding> {
    let leads_here = |other: &&str| catalog.closure(other).contains(name);
    let given: BTreeSet<String> =
        catalog.names().filter(leads_here).filter_map(|other| catalog.source(other)).flat_map(|source| assigned(&tags::tags(&source.text))).collect();
    let mut findings = Vec::new();
    for dotted in catalog.undeclared(name) {
        let (root, below) = dotted.split_once('.').map_or((dotted.as_str(), None), |(root, below)| (root, below.split('.').next()));
        if given.contains(root) || catalog.has_function(root) || matches!(root, "loop" | "self" | "caller" | "super") {
            continue;
        }
        if let Some((message, hint)) = unknown(name, root, below) {
            let offset = place(tags, root, below).unwrap_or(0);
            findings.push(at(Severity::Error, name, text, offset, "unknown-name", message, hint));
        }
    }
    findings
}

fn unknown(template: &str, root: &str, below: Option<&str>) -> Option<(String, String)> {
    let is_ipxe = template.ends_with(".ipxe");
    match CONTEXT.iter().find(|(name, _)| *name == root) {
        Some((_, fields)) => {
            let below = below.filter(|below| !fields.is_empty() && !fields.contains(below))?;
            Some((format!("`{root}` has no `{below}`"), nearest::hint(below, fields.iter().copied())))
        }
        None if IPXE_CONTEXT.contains(&root) && is_ipxe => None,
        None if IPXE_CONTEXT.contains(&root) => {
            Some((format!("only iPXE templates know `{root}`"), "Name the template *.ipxe, or do without.".into()))
        }
        None => {
            let known = CONTEXT.iter().map(|(name, _)| *name).chain(IPXE_CONTEXT.iter().copied().filter(|_| is_ipxe));
            let hint = match nearest::nearest(root, known) {
                Some(known) => format!("Did you mean `{known}`?"),
                None => "A site's own values are parameters: `params.NAME`.".to_owned(),
            };
            Some((format!("the context has no `{root}`"), hint))
        }
    }
}

/// Where the name stands first.
fn place(tags: &[Tag], root: &str, below: Option<&str>) -> Option<usize> {
    let is_here = |tokens: &[Token], index: usize| {
        tokens[index].word() == Some(root)
            && !index.checked_sub(1).is_some_and(|before| tokens[before].is('.'))
            && below.is_none_or(|below| matches!(tokens.get(index + 2).map(|token| &token.piece), Some(Piece::Word(word)) if word == below))
    };
    tags.iter().find_map(|tag| (0..tag.tokens.len()).find(|&index| is_here(&tag.tokens, index)).map(|index| tag.tokens[index].at))
}
