//! Where the work is done: the machine, its disks, the abort; and one disk's job with its deadline.
//!
//! Everything that waits or runs a tool for a disk goes through [`Job`], so that the abort and the disk's deadline are looked at every time.
//! A tool whose name is recorded here stands in the certificate with its version. No tool is chosen here.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Watch, block::Doors, gauge::Gauge};
use crate::{
    contract::{Attempt, PlannedDisk},
    disks::Found,
    machine::{Ask, End, Machine, Said},
};

/// How long a tool may take that only looks or lets go.
const SHORT: Duration = Duration::from_secs(60);

/// How much of a tool's words is kept.
const TAIL: usize = 1500;

/// Why an attempt ended without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// This method failed; the next one may not.
    Failed(String),
    /// The disk's time is over.
    Late,
    /// The server (or the operator) wants it to stop.
    Stopped,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) => f.write_str(text),
            Self::Late => f.write_str("it took longer than the plan allows"),
            Self::Stopped => f.write_str("it was stopped from outside"),
        }
    }
}

impl From<String> for Halt {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

/// The place of the work.
pub struct Site<'a> {
    /// The machine.
    pub machine: &'a dyn Machine,
    /// Its disks.
    pub doors: &'a dyn Doors,
    /// Progress and abort.
    pub watch: &'a Watch,
    used: Mutex<BTreeSet<&'static str>>,
}

impl<'a> Site<'a> {
    /// A place where nothing was used yet.
    pub fn new(machine: &'a dyn Machine, doors: &'a dyn Doors, watch: &'a Watch) -> Self {
        Self { machine, doors, watch, used: Mutex::default() }
    }

    /// Notes a tool for the certificate.
    pub fn uses(&self, program: &'static str) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(program);
    }

    /// What a tool says, if it ends well.
    ///
    /// # Errors
    /// In one sentence.
    pub fn ask(&self, program: &'static str, words: &[&str]) -> Result<String, String> {
        self.uses(program);
        let ask = Ask::new(program, words, SHORT);
        let said = self.machine.run(&ask).map_err(|no_run| no_run.to_string())?;
        if said.ok() { Ok(said.stdout) } else { Err(format!("`{}`: {}", ask.line(), said.why())) }
    }

    /// Runs a tool whose success is seen elsewhere; nothing once the work was stopped.
    pub fn try_to(&self, program: &'static str, words: &[&str]) {
        if !self.watch.stopped() {
            let _seen_afterwards = self.ask(program, words);
        }
    }

    /// Writes a word to the kernel, likewise.
    pub fn put(&self, path: &str, text: &str) {
        if !self.watch.stopped() {
            let _seen_afterwards = self.machine.write(path, text);
        }
    }

    /// The tools that were used, with their versions, and the kernel, which does the writing.
    pub fn tools(&self) -> Vec<String> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut tools: Vec<String> = used.into_iter().filter_map(|program| self.version(program)).collect();
        tools.extend(self.machine.word("/proc/sys/kernel/osrelease").map(|release| format!("Linux {release}")));
        tools.sort();
        tools.dedup();
        tools
    }

    fn version(&self, program: &'static str) -> Option<String> {
        let words: &[&str] = match program {
            "nvme" => &["version"],
            "hdparm" => &["-V"],
            _ => &["--version"],
        };
        let said = self.machine.run(&Ask::new(program, words, SHORT)).ok()?;
        // sg3_utils speaks of its version on the standard error.
        let line = [&said.stdout, &said.stderr].into_iter().flat_map(|text| text.lines()).map(str::trim).find(|line| !line.is_empty())?;
        Some(if line.contains(program) { line.to_owned() } else { format!("{program} {line}") })
    }
}

/// One disk's work.
pub struct Job<'a> {
    /// Where.
    pub site: &'a Site<'a>,
    /// What the plan says of it.
    pub planned: &'a PlannedDisk,
    /// What it is here.
    pub found: &'a Found,
    /// Disks that an erase of the whole unit would reach and the plan does not erase.
    pub bystanders: Vec<String>,
    /// How far it is.
    pub gauge: Gauge<'a>,
    /// The [`Machine::uptime`] at which it has failed.
    pub deadline: Duration,
}

impl Job<'_> {
    /// Whether it may go on.
    ///
    /// # Errors
    /// [`Halt::Stopped`], [`Halt::Late`].
    pub fn go_on(&self) -> Result<(), Halt> {
        match () {
            () if self.site.watch.stopped() => Err(Halt::Stopped),
            () if self.site.machine.uptime() >= self.deadline => Err(Halt::Late),
            () => Ok(()),
        }
    }

    /// Waits between two looks at the drive.
    ///
    /// # Errors
    /// As [`Job::go_on`].
    pub fn pause(&self) -> Result<(), Halt> {
        self.go_on()?;
        self.site.machine.pause(Duration::from_secs(2));
        self.go_on()
    }

    /// Runs a tool within the disk's time. How it ended is for the caller to judge.
    ///
    /// # Errors
    /// It is not there, or was ended by us.
    pub fn run(&self, program: &'static str, words: &[&str]) -> Result<Said, Halt> {
        self.go_on()?;
        self.site.uses(program);
        let left = self.deadline.saturating_sub(self.site.machine.uptime());
        let ask = Ask::new(program, words, left).until(self.site.watch.stop_flag());
        let said = self.site.machine.run(&ask).map_err(|no_run| Halt::Failed(no_run.to_string()))?;
        match said.end {
            End::Stopped => Err(Halt::Stopped),
            End::TimedOut => Err(Halt::Late),
            End::Exit(_) | End::Signal(_) => Ok(said),
        }
    }

    /// Runs the command that an attempt consists of, and writes it down.
    ///
    /// # Errors
    /// As [`Job::run`], and a bad end.
    pub fn attempt(&self, attempt: &mut Attempt, program: &'static str, words: &[&str]) -> Result<(), Halt> {
        let line = Ask::new(program, words, SHORT).line();
        attempt.command = if attempt.command.is_empty() { line } else { format!("{} && {line}", attempt.command) };
        let said = self.run(program, words)?;
        attempt.exit_code = said.code();
        note(attempt, &format!("{}{}", said.stdout, said.stderr));
        if said.ok() { Ok(()) } else { Err(Halt::Failed(said.why())) }
    }
}

/// Adds to an attempt's text and keeps its tail.
pub fn note(attempt: &mut Attempt, text: &str) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    let all = if attempt.text.is_empty() { text.to_owned() } else { format!("{}\n{text}", attempt.text) };
    let skip = all.chars().count().saturating_sub(TAIL);
    attempt.text = all.chars().skip(skip).collect();
}
