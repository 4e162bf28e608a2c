//! The whole table, printed: every event in every state, as a golden file and as the drawing in `docs/lifecycle.md`.
//!
//! `UPDATE_GOLDEN=1` rewrites both; a change of either is a change of what the server does, and is reviewed like one.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use bootwright::model::{Actor, Lifecycle, Role};
use bootwright::rules::lifecycle::{Event, Verdict};

use crate::lifecycle_samples::{alice, events, hosts, machine, new, operator, verdict, verdict_by};

/// An event's word, and what tells two samples of the same word apart.
fn label(event: &Event) -> String {
    let detail = match event {
        Event::StageSeen { stage, .. } => stage.word().to_owned(),
        Event::LoopSeen { halt, .. } => if *halt { "halt" } else { "warn" }.to_owned(),
        Event::CleanReport { outcome, .. } => format!("{outcome:?}").split([' ', '{']).next().unwrap().to_lowercase(),
        Event::MaintenanceEnd { touched: true, .. } => "touched".to_owned(),
        Event::SoftDeadline(clock) | Event::HardDeadline(clock) => format!("{clock:?}").to_lowercase(),
        Event::PowerRead { power, .. } => format!("{power:?}").to_lowercase(),
        _ => String::new(),
    };
    if detail.is_empty() { event.word().to_owned() } else { format!("{} ({detail})", event.word()) }
}

fn cell(verdict: &Verdict, from: &str) -> String {
    match verdict {
        Verdict::Go(go) if go.is_purge() => format!("{} → (purged)", go.row),
        Verdict::Go(go) if go.host.lifecycle.word() == from => go.row.to_owned(),
        Verdict::Go(go) => format!("{} → {}", go.row, go.host.lifecycle.word()),
        Verdict::Stay(stay) => format!("= {}", stay.code()),
        Verdict::Refuse(why) => format!("✗ {}", why.code()),
    }
}

/// Who may cause it, as the decision itself says: nobody else gets further than the door.
fn who(event: &Event) -> String {
    let actors = [
        ("viewer", operator("eve", Role::Viewer)),
        ("operator", operator("bob", Role::Operator)),
        ("admin", alice()),
        ("machine", machine(true)),
        ("server", Actor::Server),
    ];
    let shut =
        |actor: &Actor| matches!(verdict_by(&new(), event, 0, actor), Verdict::Refuse(why) if matches!(why.code(), "wrong_actor" | "role_too_low"));
    actors.iter().filter(|(_, actor)| !shut(actor)).map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

/// Every event with every state, one line a cell.
fn long() -> String {
    let mut out = String::from("# event | state | row and next state, = stays, ✗ refused\n");
    for (secs, event) in events() {
        writeln!(out, "\n{}  (by {})", label(&event), who(&event)).unwrap();
        for (state, host) in hosts() {
            writeln!(out, "  {state:<36} {}", cell(&verdict(&host, &event, secs), host.lifecycle.word())).unwrap();
        }
    }
    out
}

/// Every event with every lifecycle, one line an event: the rows that apply.
fn short() -> String {
    let mut out = include_str!("lifecycle_head.md").to_owned();
    writeln!(out, "| event | {} |", Lifecycle::WORDS.join(" | ")).unwrap();
    writeln!(out, "|{}", "---|".repeat(Lifecycle::WORDS.len() + 1)).unwrap();
    let hosts = hosts();
    for (secs, event) in events() {
        write!(out, "| {} |", label(&event)).unwrap();
        for word in Lifecycle::WORDS {
            let mut rows = BTreeSet::new();
            let mut stays = false;
            for (_, host) in hosts.iter().filter(|(_, host)| host.lifecycle.word() == word) {
                match verdict(host, &event, secs) {
                    Verdict::Go(go) => drop(rows.insert(go.row)),
                    Verdict::Stay(_) => stays = true,
                    Verdict::Refuse(_) => {}
                }
            }
            let text = match (rows.is_empty(), stays) {
                (true, true) => "=".to_owned(),
                _ => rows.into_iter().collect::<Vec<_>>().join(" "),
            };
            write!(out, " {text} |").unwrap();
        }
        out.push('\n');
    }
    out
}

#[track_caller]
fn check(path: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let line = golden.lines().zip(now.lines()).position(|(a, b)| a != b).unwrap_or_else(|| golden.lines().count().min(now.lines().count()));
    assert!(
        golden == now,
        "{} differs from line {}:\n  golden {:?}\n  now    {:?}\nUPDATE_GOLDEN=1 writes it again; review the change",
        path.display(),
        line + 1,
        golden.lines().nth(line),
        now.lines().nth(line)
    );
}

#[test]
fn every_event_in_every_state_decides_as_the_golden_grid_says() {
    check("tests/golden/lifecycle-grid.txt", &long());
}

#[test]
fn the_documented_table_is_the_one_that_decides() {
    check("docs/lifecycle.md", &short());
}

#[test]
fn the_list_of_words_has_every_state_once() {
    let words: BTreeSet<&str> = hosts().iter().map(|(_, host)| host.lifecycle.word()).collect();
    assert_eq!(words, BTreeSet::from(Lifecycle::WORDS));
}

#[test]
fn every_row_of_the_table_is_reached_by_some_cell() {
    let mut seen = BTreeSet::new();
    for (secs, event) in events() {
        for (_, host) in hosts() {
            if let Verdict::Go(go) = verdict(&host, &event, secs) {
                seen.insert(go.row);
            }
        }
    }
    // T1 and O0 are `created`; T3a, T27c and the like need special values and have their own lines in `lifecycle_rows`.
    let elsewhere = ["T1"];
    let wanted =
        ["T2", "T3", "T4", "T4c", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14", "T15", "T16", "T17", "T17b", "T18", "T19"]
            .into_iter()
            .chain([
                "T19b", "T20", "T21", "T22", "T23", "T24", "T25", "T26", "T27", "T27b", "T27c", "T28", "T29", "T31", "T32", "T33", "T34", "T35",
                "T36",
            ])
            .chain([
                "O1", "O3", "O7", "O8", "O9", "O10", "P1", "P2", "P3", "P4", "P5", "P9", "P10", "stage", "loop", "late", "rearm", "waive", "agent",
            ]);
    let missing: Vec<_> = wanted.filter(|row| !seen.contains(row) && !elsewhere.contains(row)).collect();
    assert!(missing.is_empty(), "no sample reaches {missing:?}");
}

#[test]
fn every_refusal_names_its_row_and_a_way_out() {
    for (secs, event) in events() {
        for (state, host) in hosts() {
            if let Verdict::Refuse(why) = verdict(&host, &event, secs) {
                let text = why.to_string();
                assert!(text.len() > 30 && text.contains(':') && text.contains([';', ',']), "{} in {state}: {text}", event.word());
                assert!(!text.contains("  ") && !why.code().is_empty(), "{text}");
            }
        }
    }
}
