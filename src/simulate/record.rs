//! What one host leaves behind: how long each stage took, what made it wait, and how it ended.
//!
//! Times add up: every moment from the first power-on to the end belongs to exactly one stage. What is repeated is added to its stage.

use std::time::Duration;

/// A part of a host's way. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The firmware's DHCP.
    Dhcp,
    /// The loader by TFTP.
    Loader,
    /// DHCP again, as iPXE.
    IpxeDhcp,
    /// Until a script says what to load, with all its waits.
    Script,
    /// Kernel, initrds and the progress mark.
    Files,
    /// The installer's DHCP.
    InstallerDhcp,
    /// Its documents.
    Document,
    /// Its callbacks.
    Callbacks,
    /// The second boot, from the firmware's DHCP to the script that starts the disk.
    DiskBoot,
    /// What the scenario has it do by itself: starting, thinking, restarting, being switched off.
    Thinking,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Dhcp,
        Self::Loader,
        Self::IpxeDhcp,
        Self::Script,
        Self::Files,
        Self::InstallerDhcp,
        Self::Document,
        Self::Callbacks,
        Self::DiskBoot,
        Self::Thinking,
    ];

    /// Its name in the report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dhcp => "dhcp",
            Self::Loader => "loader",
            Self::IpxeDhcp => "ipxe_dhcp",
            Self::Script => "script",
            Self::Files => "files",
            Self::InstallerDhcp => "installer_dhcp",
            Self::Document => "document",
            Self::Callbacks => "callbacks",
            Self::DiskBoot => "disk_boot",
            Self::Thinking => "(thinking)",
        }
    }
}

/// Why a host did not come where its scenario wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One word, to be counted by.
    pub reason: &'static str,
    /// What happened, for people.
    pub text: String,
}

impl Failure {
    /// A failure for this reason.
    pub fn new(reason: &'static str, text: impl Into<String>) -> Self {
        Self { reason, text: text.into() }
    }
}

/// Something that made a host wait or do a thing again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub stage: Stage,
    /// What.
    pub why: &'static str,
    /// How often.
    pub times: u32,
    /// How long in all.
    pub lasted: Duration,
}

/// One host's.
#[derive(Debug, Clone, Default)]
pub struct Record {
    spans: [Option<Duration>; Stage::ALL.len()],
    /// What made it wait.
    pub notes: Vec<Note>,
    /// From its first power-on to its end.
    pub whole: Duration,
    /// How it ended; nothing if it arrived.
    pub failure: Option<Failure>,
}

impl Record {
    /// How long a stage took, if the host was in it.
    pub fn span(&self, stage: Stage) -> Option<Duration> {
        self.spans[stage as usize]
    }

    /// So much more of a stage.
    pub fn add(&mut self, stage: Stage, span: Duration) {
        *self.spans[stage as usize].get_or_insert_default() += span;
    }

    /// Something made the host wait for so long, or do a thing again at once.
    pub fn note(&mut self, stage: Stage, why: &'static str, lasted: Duration) {
        match self.notes.iter_mut().find(|note| note.stage == stage && note.why == why) {
            Some(note) => {
                note.times += 1;
                note.lasted += lasted;
            }
            None => self.notes.push(Note { stage, why, times: 1, lasted }),
        }
    }
}
