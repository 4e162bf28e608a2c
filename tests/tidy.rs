//! The house keeps its order: floors, headers, sizes, and nothing that ties the project to one machine.
//!
//! Reads the sources as text. A rule that a reader would have to remember is a rule that gets broken; these break the build instead.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Floor of each folder under `src/`; a file may name lower floors only. `world` and `config` are leaves that know the nouns.
const FLOORS: [(&str, u8); 10] =
    [("model", 1), ("wire", 2), ("rules", 3), ("store", 3), ("app", 4), ("serve", 5), ("simulate", 5), ("cli", 6), ("world", 0), ("config", 0)];

/// What pure floors never name: I/O, clocks, chance, logging. Whole paths, however they are written (`use std::{fs, io}` too).
const IMPURE: [&str; 11] = [
    "std::fs",
    "std::net::Udp",
    "std::net::Tcp",
    "std::io",
    "std::env",
    "std::thread",
    "std::process",
    "std::time::SystemTime",
    "tokio",
    "tracing",
    "getrandom",
];

/// The same, at the end of whatever path.
const IMPURE_CALLS: [&str; 3] = ["Timestamp::now", "Instant::now", "Uuid::now_v7"];

/// minijinja renders into an `io::Write`; this one is a bounded piece of memory.
const SINK: &str = "rules/render/sink.rs";

/// The live image's program: a crate of its own under the same roof.
const AGENT: &str = "images/live/agent/src";

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

/// The source without its test modules, which may do what they like.
fn without_tests(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("\n#[cfg(test)]\n") {
        let (before, module) = rest.split_at(at + 1);
        kept.push_str(before);
        let line = module.lines().nth(1).unwrap_or_default();
        let end = if line.ends_with('{') { module.find("\n}\n").map(|at| at + 3) } else { module.match_indices('\n').nth(1).map(|(at, _)| at) };
        rest = &module[end.unwrap_or(module.len())..];
    }
    kept + rest
}

/// Words and marks of the code; comments are left out.
fn tokens(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n");
    let mut tokens: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in code.chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        match (c, tokens.last_mut()) {
            (':', Some(last)) if last == ":" => *last = "::".to_owned(),
            (c, _) if !c.is_whitespace() => tokens.push(c.to_string()),
            _ => {}
        }
    }
    tokens
}

/// Every path of the code, groups spelled out: `use a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if is_word(&tokens[at]) { path(&tokens, at, Vec::new(), &mut found) } else { at + 1 };
    }
    found
}

fn is_word(token: &str) -> bool {
    token.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn path(tokens: &[String], mut at: usize, mut path_so_far: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    loop {
        path_so_far.push(tokens[at].clone());
        at += 1;
        match (tokens.get(at).map(String::as_str), tokens.get(at + 1).map(String::as_str)) {
            (Some("::"), Some("{")) => return group(tokens, at + 2, &path_so_far, found),
            (Some("::"), Some(next)) if is_word(next) || next == "*" => at += 1,
            _ => {
                found.push(path_so_far);
                return at;
            }
        }
    }
}

fn group(tokens: &[String], mut at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    while at < tokens.len() && tokens[at] != "}" {
        at = if is_word(&tokens[at]) { path(tokens, at, before.to_vec(), found) } else { at + 1 };
    }
    at + 1
}

/// The modules at the root of the crate that a file names, by `crate::` or by enough `super::`s.
fn roots(module: &[String], text: &str) -> Vec<String> {
    let below_root = |path: Vec<String>| {
        let supers = path.iter().take_while(|word| *word == "super").count();
        match path.first().map(String::as_str) {
            Some("crate") => path.get(1).cloned(),
            Some("super") if supers == module.len() => path.get(supers).cloned(),
            _ => None,
        }
    };
    paths(text).into_iter().filter_map(below_root).collect()
}

/// `src/a/b.rs` and `src/a/b/mod.rs` are the module a::b.
fn module_of(path: &Path) -> Vec<String> {
    let inside = path.strip_prefix(root().join("src")).unwrap_or(path).with_extension("");
    let names = inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    names.filter(|name| name != "mod").collect()
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
        let named = roots(&module_of(&path), &without_tests(&text));
        found.extend(named.iter().filter(|name| *name == "*").map(|_| format!("{} takes everything from the root", path.display())));
        for (name, other) in FLOORS {
            let leaf = floor == 0 && other == 1;
            if name == mine || leaf || (other < floor && other != 0) || (other == 0 && floor >= 4) {
                continue;
            }
            if named.iter().any(|one| one == name) {
                found.push(format!("{} (floor {floor}) names {name} (floor {other})", path.display()));
            }
        }
    }
    none("floors", &found);
}

#[test]
fn a_floor_is_found_however_it_is_named() {
    let module = ["rules".to_owned(), "boot".to_owned()];
    for planted in [
        "use crate::store::View;",
        "use crate::{\n    model::Host,\n    store::{Settings, View},\n};",
        "use crate::{model::{Host, Mac}, store};",
        "use super::super::store;",
        "use super::{loops, super::store::View};",
        "fn f(view: &crate::store::View<'_>) {}",
        "#[cfg(test)]\nmod tests {\n    use super::*;\n}\n\nfn late() { crate::store::open() }",
    ] {
        assert!(roots(&module, &without_tests(&format!("\n{planted}"))).iter().any(|name| name == "store"), "{planted}");
    }
    for innocent in ["// crate::store", "use super::store;", "let store = 1;", "#[cfg(test)]\nmod tests {\n    use crate::store::View;\n}\n"] {
        assert!(!roots(&module, &without_tests(&format!("\n{innocent}"))).iter().any(|name| name == "store"), "{innocent}");
    }
}

#[test]
fn pure_floors_do_no_input_or_output() {
    let mut found = Vec::new();
    for floor in ["model", "wire", "rules"] {
        for path in files(&root().join("src").join(floor), ".rs") {
            let text = fs::read_to_string(&path).unwrap();
            let is_sink = path.ends_with(SINK);
            found.extend(
                impure(&without_tests(&text))
                    .iter()
                    .filter(|what| !(is_sink && *what == "std::io"))
                    .map(|what| format!("{} uses {what}", path.display())),
            );
        }
    }
    none("impure", &found);
}

fn impure(text: &str) -> Vec<String> {
    let mut found: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
    found.retain(|path| {
        IMPURE.iter().any(|root| path == root || path.starts_with(&format!("{root}::")) || (root.len() > 10 && path.starts_with(root)))
            || IMPURE_CALLS.iter().any(|call| path.ends_with(call))
            || path == "async"
    });
    found
}

#[test]
fn impurity_is_found_however_it_is_written() {
    for planted in
        ["use std::{fmt, fs};", "use std::{\n    net::{Ipv4Addr, UdpSocket},\n};", "tokio::spawn(x)", "jiff::Timestamp::now()", "async move { }"]
    {
        assert!(!impure(planted).is_empty(), "{planted}");
    }
    for innocent in ["use std::{fmt, net::Ipv4Addr};", "let now = ask.now;", "use std::collections::BTreeMap;"] {
        assert!(impure(innocent).is_empty(), "{innocent}");
    }
}

#[test]
fn the_boot_decision_is_asked_in_one_place() {
    let mut found = Vec::new();
    for floor in ["app", "serve", "cli"] {
        for path in files(&root().join("src").join(floor), ".rs").into_iter().filter(|path| !path.ends_with("app/boot.rs")) {
            let text = fs::read_to_string(&path).unwrap();
            let asks = paths(&without_tests(&text)).into_iter().map(|path| path.join("::"));
            found.extend(
                asks.filter(|path| path.ends_with("boot::decide") || path.ends_with("boot::Facts")).map(|ask| format!("{}: {ask}", path.display())),
            );
        }
    }
    none("decisions beside app::boot", &found);
}

#[test]
fn the_live_image_asks_its_gate_in_one_place_and_uses_no_part_of_the_server() {
    let agent = root().join(AGENT);
    let (mut found, mut asked) = (Vec::new(), Vec::new());
    for path in files(&agent, ".rs") {
        let text = without_tests(&fs::read_to_string(&path).unwrap());
        let named: Vec<String> = paths(&text).into_iter().map(|path| path.join("::")).collect();
        // Alone, `bootwright` is a word of the texts.
        let is_foreign = |path: &&String| path.starts_with("bootwright::") || *path == "tokio" || path.starts_with("tokio::");
        found.extend(named.iter().filter(is_foreign).map(|what| format!("{} uses {what}", path.display())));
        asked.extend(named.iter().filter(|path| path.ends_with("wipe::carry_out") || path.ends_with("gate::job")).map(|what| {
            let inside = path.strip_prefix(&agent).unwrap_or(&path);
            format!("{}: {what}", inside.display())
        }));
    }
    none("foreign to the live image", &found);
    assert_eq!(asked, ["lib.rs: wipe::carry_out", "work/mod.rs: gate::job"], "a wipe goes through work and its gate only");
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
    for path in files(&root().join("src"), ".rs").into_iter().chain(files(&root().join(AGENT), ".rs")) {
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
        let beside = fs::read_dir(root()).unwrap().flatten().map(|entry| entry.path());
        let mut all: Vec<PathBuf> = beside.filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending)).collect();
        for folder in ["src", "tests", "templates", "images", "vagrant", "docs", "examples", ".ci"] {
            all.extend(files(&root().join(folder), ending));
        }
        for path in all {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            found.extend(words.iter().filter(|word| text.contains(*word)).map(|word| format!("{}: {word}", path.display())));
        }
    }
    none("left over", &found);
}
