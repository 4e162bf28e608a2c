//! Runs the tests against each weakened guard and writes down which one noticed.
//!
//! The tests of single rows come first, then the printed table, then random histories: the report names the first that fails. A guard
//! that nobody notices is a survivor, unless `equivalent.txt` says why it cannot be noticed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::{
    land::{self, Land},
    say,
    weaken::{Guard, Weakener},
};

/// What is weakened: the rows, not the lists of names.
const LEFT_OUT: [&str; 4] = ["event.rs", "parts.rs", "stay.rs", "why.rs"];

/// The tests in the order in which they are asked.
const ROUNDS: [&[&str]; 3] = [&["lifecycle_rows", "lifecycle_guards", "states"], &["lifecycle_grid"], &["lifecycle_histories"]];

/// A round that lasts longer is stuck, and that is noticed too.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a weakened guard.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Caught(String),
    Equivalent(String),
    Survived,
}

/// Weakens every guard, or a sample of them, and judges; whether none survived.
pub fn all(place: &Path, report: &Path, sample: Option<usize>) -> Result<bool, String> {
    let (land, guards) = weak(place)?;
    let binary = land.build()?;
    if let Some(failed) = first_failure(&binary, 0)? {
        return Err(format!("the tests fail although nothing is weakened: {failed}"));
    }
    let chosen = choose(&guards, sample);
    say(&format!("{} of {} weakened guards are tried", chosen.len(), guards.len()));
    let fates = judge(&binary, &chosen)?;
    let excuses = excuses()?;
    let mut judged: Vec<(Guard, Fate)> = Vec::new();
    for (guard, caught) in chosen.into_iter().zip(fates) {
        let fate = match (caught, excuses.get(&key(&guard))) {
            (Some(test), _) => Fate::Caught(test),
            (None, Some(why)) => Fate::Equivalent(why.clone()),
            (None, None) => Fate::Survived,
        };
        judged.push((guard, fate));
    }
    let survivors: Vec<_> = judged.iter().filter(|(_, fate)| *fate == Fate::Survived).collect();
    for (guard, _) in &survivors {
        say(&format!("FAIL nobody notices: {} ({}) `{}` {}", guard.place, guard.function, guard.text, guard.weakening));
    }
    let excused = judged.iter().filter(|(_, fate)| matches!(fate, Fate::Equivalent(_))).count();
    say(&format!("{} caught, {excused} excused, {} survived", judged.len() - excused - survivors.len(), survivors.len()));
    if sample.is_none() {
        fs::write(report, written(&judged)).map_err(|fault| format!("cannot write {}: {fault}", report.display()))?;
    }
    say(&format!("{} passed, {} failed", judged.len() - survivors.len(), survivors.len()));
    Ok(survivors.is_empty())
}

/// The crate with switches.
fn weak(place: &Path) -> Result<(Land, Vec<Guard>), String> {
    let land = Land::new(place, 1)?;
    let (mut guards, mut next) = (Vec::new(), 1);
    for path in land::files(&land::root().join("src/rules/lifecycle"))? {
        let (name, text) = (land::name(&path), land::read(&path)?);
        let mut file = syn::parse_file(&text).map_err(|fault| format!("{name}: {fault}"))?;
        if !LEFT_OUT.contains(&name.as_str()) {
            syn::visit_mut::VisitMut::visit_file_mut(&mut Weakener::new(&name, &mut guards, &mut next), &mut file);
        }
        // `const fn` without its `const` cannot be called by one that kept it.
        let text = quote::quote!(#file).to_string().replace("const fn ", "fn ");
        land.write(&format!("src/rules/lifecycle/{name}"), &text)?;
    }
    Ok((land, guards))
}

/// All, or so many, spread by a seed that is printed.
fn choose(guards: &[Guard], sample: Option<usize>) -> Vec<Guard> {
    let Some(sample) = sample else { return guards.to_vec() };
    let seed = std::env::var("MUTANTS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()));
    say(&format!("MUTANTS_SEED={seed}"));
    let mut ranked: Vec<_> = guards.iter().map(|guard| (spread(seed ^ guard.number as u64), guard)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().take(sample).map(|(_, guard)| guard.clone()).collect()
}

/// SplitMix64.
const fn spread(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Which test noticed, guard by guard.
fn judge(binary: &Path, guards: &[Guard]) -> Result<Vec<Option<String>>, String> {
    let (next, fates) = (AtomicUsize::new(0), Mutex::new(vec![None; guards.len()]));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<(), String> {
        while let Some((index, guard)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((index, guards.get(index)?))) {
            let caught = first_failure(binary, guard.number)?;
            fates.lock().map_err(|_| "a worker died".to_owned())?[index] = caught;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let working: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        working.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker died".to_owned())?)
    })?;
    fates.into_inner().map_err(|_| "a worker died".to_owned())
}

/// The first test that fails with this guard weakened.
fn first_failure(binary: &Path, number: usize) -> Result<Option<String>, String> {
    for round in ROUNDS {
        if let Some(failed) = failure_in(binary, number, round)? {
            return Ok(Some(failed));
        }
    }
    Ok(None)
}

fn failure_in(binary: &Path, number: usize, round: &[&str]) -> Result<Option<String>, String> {
    let mut tests = Command::new(binary);
    tests.args(round).args(["--test-threads", "1"]).env("MUTANT", number.to_string()).env("RUST_BACKTRACE", "0");
    tests.env("LIFECYCLE_SEED", "1").env("LIFECYCLE_HISTORIES", "3000").env_remove("UPDATE_GOLDEN").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = tests.spawn().map_err(|fault| format!("cannot run {}: {fault}", binary.display()))?;
    let mut out = child.stdout.take().ok_or("no output")?;
    let (sender, heard) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut said = String::new();
        let done = out.read_to_string(&mut said).map(|_| said);
        // Nobody listens any more once patience is over.
        let _ = sender.send(done);
    });
    let said = match heard.recv_timeout(PATIENCE) {
        Ok(said) => said.map_err(|fault| format!("cannot read the tests' output: {fault}"))?,
        Err(_) => {
            child.kill().map_err(|fault| format!("cannot end a stuck test: {fault}"))?;
            child.wait().map_err(|fault| format!("cannot end a stuck test: {fault}"))?;
            return Ok(Some("(stuck)".to_owned()));
        }
    };
    let status = child.wait().map_err(|fault| format!("cannot wait for the tests: {fault}"))?;
    reader.join().map_err(|_| "a reader died".to_owned())?;
    let failed = said.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::to_owned));
    match (status.success(), failed) {
        (true, _) => Ok(None),
        (false, Some(test)) => Ok(Some(test)),
        (false, None) => Ok(Some("(crashed)".to_owned())),
    }
}

/// What a guard is called in `equivalent.txt`: no line number, they move.
fn key(guard: &Guard) -> String {
    let file = guard.place.split(':').next().unwrap_or_default();
    format!("{file} {} `{}` {}", guard.function, guard.text, guard.weakening)
}

/// Guards that no test can notice, each with its reason: a line with the guard, and one with the reason, indented.
fn excuses() -> Result<BTreeMap<String, String>, String> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("equivalent.txt");
    let text = land::read(&path)?;
    let mut found = BTreeMap::new();
    let mut waiting: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix("    ") {
            Some(why) => found.extend(waiting.drain(..).map(|guard| (guard, why.to_owned()))),
            None => waiting.push(line.to_owned()),
        }
    }
    Ok(found)
}

fn written(judged: &[(Guard, Fate)]) -> String {
    let mut out = include_str!("head.md").to_owned();
    let count = |want: fn(&Fate) -> bool| judged.iter().filter(|(_, fate)| want(fate)).count();
    let (caught, excused) = (count(|fate| matches!(fate, Fate::Caught(_))), count(|fate| matches!(fate, Fate::Equivalent(_))));
    let files: BTreeSet<_> = judged.iter().map(|(guard, _)| guard.place.split(':').next().unwrap_or_default()).collect();
    let _ = writeln!(
        out,
        "{} weakenings in {} files: {caught} caught, {excused} excused, {} survived.\n\n| guard | function | rows | weakening | caught by |\n|---|---|---|---|---|",
        judged.len(),
        files.len(),
        judged.len() - caught - excused
    );
    for (guard, fate) in judged {
        let fate = match fate {
            Fate::Caught(test) => format!("`{test}`"),
            Fate::Equivalent(why) => format!("excused: {why}"),
            Fate::Survived => "**nobody**".to_owned(),
        };
        let file = guard.place.split(':').next().unwrap_or_default();
        let _ = writeln!(out, "| `{}` | {file} {} | {} | {} | {fate} |", guard.text, guard.function, guard.rows.join(" "), guard.weakening);
    }
    out
}
