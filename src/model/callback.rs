//! What an installer tells: started, progress, built, failed, log.
//!
//! Read from bytes by `wire::callback`, decided by `rules::lifecycle`. No family's words stand here: those are the reader's business.

use super::Stage;

/// A callback's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The installer runs its first hook.
    Started,
    /// A stage or a free word of progress; known words move the stage, others are noted.
    Progress {
        /// The word in the URL or event.
        word: String,
        /// The stage it stands for, if known.
        stage: Option<Stage>,
    },
    /// The installation is on the disk.
    Built,
    /// It is not.
    Failed,
    /// The installed system's first boot.
    FirstBoot,
    /// Another boot will follow that is no loop.
    WillReboot,
    /// Log text only.
    Log,
}

/// One callback with its text (a log's tail, an event's description), at most 64 KiB, newlines intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// What it means.
    pub report: Report,
    /// What it said.
    pub text: String,
}
