//! The house keeps its order: floors, headers, sizes, and nothing that ties the project to one machine.
//!
//! Reads the sources as text. A rule that a reader would have to remember is a rule that gets broken; these break the build instead.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Floor of each folder under `src/`; a file may name lower floors only. `world` and `config` are leaves that know the nouns.
const FLOORS: [(&str, u8); 9] =
    [("model", 1), ("wire", 2), ("rules", 3), ("store", 3), ("app", 4), ("serve", 5), ("cli", 6), ("world", 0), ("config", 0)];

/// What pure floors never name: I/O, clocks, chance, logging.
const IMPURE: [&str; 14] = [
    "std::fs",
    "std::net::Udp",
    "std::net::Tcp",
    "std::io::",
    "std::env",
    "std::thread",
    "tokio::",
    "tracing::",
    "getrandom",
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
    "async fn",
    "Uuid::now",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The source without its test module, which may do what it likes.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| &text[..at])
}

/// Lines of code: no comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn floor_of(path: &Path) -> Option<(String, u8)> {
    let inside = path.strip_prefix(root().join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_string_lossy().replace(".rs", "");
    FLOORS.iter().find(|(name, _)| *name == first).map(|(name, floor)| ((*name).to_owned(), *floor))
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn a_floor_names_only_lower_floors() {
    let mut found = Vec::new();
    for path in files(&root().join("src"), ".rs") {
        let Some((mine, floor)) = floor_of(&path) else { continue };
        let text = fs::read_to_string(&path).unwrap();
        for (name, other) in FLOORS {
            let leaf = floor == 0 && other == 1;
            if name == mine || leaf || (other < floor && other != 0) || (other == 0 && floor >= 4) {
                continue;
            }
            let named = code(without_tests(&text)).any(|line| line.contains(&format!("crate::{name}")) || braced(line, name));
            if named {
                found.push(format!("{} (floor {floor}) names {name} (floor {other})", path.display()));
            }
        }
    }
    none("floors", &found);
}

/// `use crate::{app::…, model::…}` on one line.
fn braced(line: &str, name: &str) -> bool {
    line.trim_start().starts_with("use crate::{") && line.split(['{', ',', ' ']).any(|word| word.starts_with(&format!("{name}::")))
}

#[test]
fn pure_floors_do_no_input_or_output() {
    let mut found = Vec::new();
    for floor in ["model", "wire", "rules"] {
        for path in files(&root().join("src").join(floor), ".rs") {
            let text = fs::read_to_string(&path).unwrap();
            for line in code(without_tests(&text)) {
                if let Some(word) = IMPURE.iter().find(|word| line.contains(**word)) {
                    found.push(format!("{} uses {word}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    none("impure", &found);
}

#[test]
fn every_file_opens_with_a_header() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "examples", "images"] {
        for path in files(&root().join(folder), ".rs") {
            let text = fs::read_to_string(&path).unwrap();
            let header = text.lines().take_while(|line| line.starts_with("//!")).count();
            if header < 3 {
                found.push(format!("{}: {header} lines of `//!`, at least 3 wanted", path.display()));
            }
        }
    }
    none("headers", &found);
}

#[test]
fn no_file_is_longer_than_400_lines_without_its_tests() {
    let mut found = Vec::new();
    for path in files(&root().join("src"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let lines = without_tests(&text).lines().count();
        if lines > 400 {
            found.push(format!("{}: {lines} lines", path.display()));
        }
    }
    none("long files", &found);
}

#[test]
fn nothing_is_left_for_later_and_nothing_names_this_machine() {
    // Put together here so that this file does not find itself.
    let words: Vec<String> = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("todo", "!("),
        ("unimpl", "emented!("),
        ("#[ign", "ore"),
        ("../sha", "red"),
        ("/wo", "rk/"),
        ("thread::sl", "eep("),
    ]
    .iter()
    .map(|(a, b)| format!("{a}{b}"))
    .collect();
    let mut found = Vec::new();
    for ending in [".rs", ".md", ".toml", ".yaml", ".sh", ".ks", ".cfg", ".ipxe", "Makefile", "Vagrantfile"] {
        for folder in ["src", "tests", "templates", "images", "vagrant", "docs", "examples"] {
            for path in files(&root().join(folder), ending) {
                let Ok(text) = fs::read_to_string(&path) else { continue };
                found.extend(words.iter().filter(|word| text.contains(*word)).map(|word| format!("{}: {word}", path.display())));
            }
        }
    }
    none("left over", &found);
}
