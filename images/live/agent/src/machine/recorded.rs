//! A machine out of a book, for tests: commands, files, folders and links that were written down before.
//!
//! What is not in the book is not there. Time stands still but for [`Machine::pause`] and [`Recorded::beats`], so a test that waits an hour is done at once.
//! It does not check that everything in the book was asked for; it keeps the list of what was ([`Recorded::asked`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Mutex,
    time::Duration,
};

use super::{Ask, Bell, End, Machine, NoRun, Said, Switch};
use crate::contract::Timestamp;

/// After this a test that waits for a bell is a failed one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The book.
#[derive(Default)]
pub struct Recorded {
    programs: BTreeMap<String, Said>,
    files: BTreeMap<String, Vec<u8>>,
    links: BTreeMap<String, String>,
    broken: BTreeSet<String>,
    clock: Mutex<Duration>,
    drawn: Mutex<u8>,
    asked: Mutex<Vec<String>>,
    beats: Mutex<usize>,
}

impl Recorded {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// A program that ends well.
    pub fn program(self, line: &str, stdout: &str) -> Self {
        self.program_ends(line, End::Exit(0), stdout, "")
    }

    /// A program with any end.
    pub fn program_ends(mut self, line: &str, end: End, stdout: &str, stderr: &str) -> Self {
        self.programs.insert(line.to_owned(), Said { end, stdout: stdout.to_owned(), stderr: stderr.to_owned() });
        self
    }

    /// A file; its folders exist with it.
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    /// A symbolic link.
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.links.insert(path.to_owned(), target.to_owned());
        self
    }

    /// A file or folder that is there and cannot be read.
    pub fn broken(mut self, path: &str) -> Self {
        self.broken.insert(path.to_owned());
        self
    }

    /// So many waits for a bell go by without it; each further one really waits, so that a test decides what happens in between.
    pub fn beats(self, beats: usize) -> Self {
        *self.beats.lock().unwrap() = beats;
        self
    }

    /// Every command and every write so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn look(&self, path: &str) -> io::Result<()> {
        if self.broken.contains(path) { Err(io::Error::other("input/output error")) } else { Ok(()) }
    }
}

fn not_there(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{path} is not in the book"))
}

impl Machine for Recorded {
    fn run(&self, ask: &Ask<'_>) -> Result<Said, NoRun> {
        self.note(ask.line());
        self.programs.get(&ask.line()).cloned().ok_or_else(|| NoRun::NotThere(ask.program.to_owned()))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.look(path)?;
        self.files.get(path).cloned().ok_or_else(|| not_there(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.look(path)?;
        let below = format!("{}/", path.trim_end_matches('/'));
        let all = self.files.keys().chain(self.links.keys()).chain(&self.broken);
        let names: BTreeSet<String> = all.filter_map(|one| one.strip_prefix(&below)?.split('/').next().map(str::to_owned)).collect();
        if names.is_empty() { Err(not_there(path)) } else { Ok(names.into_iter().collect()) }
    }

    fn link(&self, path: &str) -> io::Result<String> {
        self.look(path)?;
        self.links.get(path).cloned().ok_or_else(|| not_there(path))
    }

    fn write(&self, path: &str, text: &str) -> io::Result<()> {
        self.look(path)?;
        self.note(format!("write {path}: {text}"));
        if self.files.contains_key(path) { Ok(()) } else { Err(not_there(path)) }
    }

    fn uptime(&self) -> Duration {
        *self.clock.lock().unwrap()
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1_790_000_000) + jiff::SignedDuration::try_from(self.uptime()).unwrap()
    }

    fn chance(&self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap();
        for byte in bytes {
            *drawn = drawn.wrapping_add(1);
            *byte = *drawn;
        }
    }

    fn pause(&self, how_long: Duration) {
        *self.clock.lock().unwrap() += how_long;
    }

    fn wait_for(&self, bell: &Bell, at_most: Duration) -> bool {
        let mut beats = self.beats.lock().unwrap();
        if *beats > 0 {
            *beats -= 1;
            self.pause(at_most);
            return bell.has_rung();
        }
        drop(beats);
        assert!(bell.wait(PATIENCE), "nobody rang the bell");
        true
    }

    fn switch(&self, how: Switch) -> io::Result<()> {
        self.note(format!("switch {how:?}"));
        Ok(())
    }

    fn exists(&self, path: &str) -> bool {
        self.broken.contains(path) || self.files.contains_key(path) || self.links.contains_key(path) || self.list(path).is_ok()
    }
}
