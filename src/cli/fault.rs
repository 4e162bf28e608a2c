//! How a command ends when it does not end well, and with which exit code.
//!
//! 0 done, 1 refused or failed, 2 called wrongly, 3 the daemon cannot be reached. The text says what happened and what to do next; a
//! problem document of the API is told in its own words.

use std::{fmt, io, path::PathBuf};

use super::problem::Problem;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The daemon said no.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// We ourselves say no, or what was waited for did not come.
    #[error("{0}")]
    No(String),
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers.
    #[error(
        "cannot reach the daemon at {server}: {why}\n  check that it runs (`bootwright serve`, or `systemctl status bootwright`), that --server or BOOTWRIGHT_SERVER\n  names the address of `admin.listen`, and that this machine may connect to it"
    )]
    Unreachable {
        /// Where we asked.
        server: String,
        /// What the system said.
        why: String,
    },
    /// The answer is not one of ours.
    #[error("{server} answered something else than Bootwright would: {why}\n  check that --server or BOOTWRIGHT_SERVER names the admin listener")]
    Answer {
        /// Who answered.
        server: String,
        /// What is odd.
        why: String,
    },
    /// A file of this machine.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The reader of our output went away, or the disk is full.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Fault {
    /// A file that could not be used.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |why| Self::File { path, why }
    }

    /// A refusal of our own.
    pub fn no(text: impl fmt::Display) -> Self {
        Self::No(text.to_string())
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            // `bootwright journal | head` is no failure.
            Self::Output(fault) if fault.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Problem(_) | Self::No(_) | Self::Answer { .. } | Self::File { .. } | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } => 3,
        }
    }

    /// Whether there is anything to say.
    pub fn is_silent(&self) -> bool {
        self.code() == 0
    }
}

/// How every command ends.
pub type Done = Result<(), Fault>;
