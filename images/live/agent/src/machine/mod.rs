//! The only door to the outside: programs, files of `/sys` and `/proc`, clocks, chance, the power switch.
//!
//! Everything that looks at the machine asks through [`Machine`], so that tests hand in a recorded one and never see this computer.
//! A program always has a time-out: hardware tools hang on broken hardware. Raw reads and writes of disks are not here; they are the
//! wiper's own door (`wipe`).

mod bell;
mod real;
#[cfg(test)]
pub mod recorded;
mod run;

use std::{io, sync::atomic::AtomicBool, time::Duration};

use crate::contract::Timestamp;

pub use bell::Bell;
pub use real::Real;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// Its name, found by `PATH`.
    pub program: &'a str,
    /// Its words.
    pub words: Vec<String>,
    /// How long it may take before it is killed.
    pub limit: Duration,
    /// Kills it when it becomes true.
    pub stop: Option<&'a AtomicBool>,
}

impl<'a> Ask<'a> {
    /// A program and its words.
    pub fn new(program: &'a str, words: &[&str], limit: Duration) -> Self {
        Self { program, words: words.iter().map(|word| (*word).to_owned()).collect(), limit, stop: None }
    }

    /// The same, killed as soon as `stop` is true.
    pub fn until(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// As a person would type it: for certificates, errors and recordings.
    pub fn line(&self) -> String {
        std::iter::once(self.program).chain(self.words.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exit(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// It was killed: it took longer than it may.
    TimedOut,
    /// It was killed: the work was aborted.
    Stopped,
}

/// What a program said. Of each stream at most 4 MiB are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How it ended.
    pub end: End,
    /// Its standard output; bytes that are no UTF-8 become U+FFFD.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Said {
    /// Its exit code, if it came to one.
    pub fn code(&self) -> Option<i32> {
        match self.end {
            End::Exit(code) => Some(code),
            End::Signal(_) | End::TimedOut | End::Stopped => None,
        }
    }

    /// Whether it ended with 0.
    pub fn ok(&self) -> bool {
        self.end == End::Exit(0)
    }

    /// In one line: how it failed and the last thing that it said.
    pub fn why(&self) -> String {
        let last = |text: &str| text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(|line| line.chars().take(200).collect::<String>());
        let how = match self.end {
            End::Exit(code) => format!("exit code {code}"),
            End::Signal(signal) => format!("ended by signal {signal}"),
            End::TimedOut => "took too long and was ended".to_owned(),
            End::Stopped => "was ended because the work was stopped".to_owned(),
        };
        match last(&self.stderr).or_else(|| last(&self.stdout)) {
            Some(line) => format!("{how}: {line}"),
            None => how,
        }
    }
}

/// Why a program did not run at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRun {
    /// There is no such program in this image.
    NotThere(String),
    /// It could not be started.
    Fault(String),
}

impl std::fmt::Display for NoRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotThere(program) => write!(f, "there is no program {program} here"),
            Self::Fault(text) => f.write_str(text),
        }
    }
}

/// How a power-on ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Boot again.
    Reboot,
    /// Stay off.
    Off,
}

/// The door.
pub trait Machine: Send + Sync {
    /// Runs a program to its end, or to its time-out.
    ///
    /// # Errors
    /// It is not there, or cannot be started. A bad exit is no error: see [`Said::ok`].
    fn run(&self, ask: &Ask<'_>) -> Result<Said, NoRun>;

    /// The bytes of a small file, at most 4 MiB of it.
    ///
    /// # Errors
    /// As the kernel says; `NotFound` is "not there", every other kind is "could not look".
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// As [`Machine::read`].
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// Where a symbolic link points, as it is written.
    ///
    /// # Errors
    /// As [`Machine::read`].
    fn link(&self, path: &str) -> io::Result<String>;

    /// Writes a word into a file of `/sys` (it is never made).
    ///
    /// # Errors
    /// As the kernel says.
    fn write(&self, path: &str, text: &str) -> io::Result<()>;

    /// Time since some moment before the start; never goes back.
    fn uptime(&self) -> Duration;

    /// What the clock on the wall says.
    fn now(&self) -> Timestamp;

    /// Fills with chance.
    fn chance(&self, bytes: &mut [u8]);

    /// Waits, for polling hardware that has no other way to say that it is done.
    fn pause(&self, how_long: Duration);

    /// Waits until the bell rings, at most so long; whether it has rung.
    fn wait_for(&self, bell: &Bell, at_most: Duration) -> bool;

    /// Ends this power-on. Returns only when the kernel refuses.
    ///
    /// # Errors
    /// As the kernel says.
    fn switch(&self, how: Switch) -> io::Result<()>;

    /// Whether something exists.
    fn exists(&self, path: &str) -> bool {
        self.read(path).is_ok() || self.list(path).is_ok()
    }

    /// A file's text without the white space around it; `None` when there is no such file or it cannot be read. For files of `/sys`
    /// that exist on some hardware only.
    fn word(&self, path: &str) -> Option<String> {
        self.read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
    }
}

/// Random bytes as hexadecimal digits.
pub fn hex_of_chance(machine: &dyn Machine, bytes: usize) -> String {
    let mut drawn = vec![0; bytes];
    machine.chance(&mut drawn);
    drawn.iter().map(|byte| format!("{byte:02x}")).collect()
}
