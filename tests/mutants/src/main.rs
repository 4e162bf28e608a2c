//! Weakens the guards of the lifecycle one at a time and looks which test notices.
//!
//! ```text
//! mutants plain CRATE            the lifecycle and its tests as a crate of their own, unchanged, built fast
//! mutants weak CRATE REPORT [N]  the same with every guard weakened by a switch; each switch is tried (or N of them, chosen by MUTANTS_SEED)
//! ```
//! All weakened guards are in one build, so that trying one costs a run of the tests and no compilation. What the tool does not do: it
//! changes no file of the repository but the report, and it judges no guard outside `rules::lifecycle`.

mod judge;
mod land;
mod weaken;

use std::{path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["plain", place] => land::plain(&PathBuf::from(place)).and_then(|land| land.build()).map(|binary| {
            say(&binary.display().to_string());
            true
        }),
        ["weak", place, report] => judge::all(&PathBuf::from(place), &PathBuf::from(report), None),
        ["weak", place, report, sample] => match sample.parse() {
            Ok(sample) => judge::all(&PathBuf::from(place), &PathBuf::from(report), Some(sample)),
            Err(fault) => Err(format!("{sample:?} is no number of guards: {fault}")),
        },
        _ => Err("usage: mutants plain CRATE | mutants weak CRATE REPORT [SAMPLE]".to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            say(&fault);
            ExitCode::from(2)
        }
    }
}

/// A line for whoever watches.
#[expect(clippy::print_stdout, reason = "the tool's answer")]
pub fn say(text: &str) {
    println!("{text}");
}
