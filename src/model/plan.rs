//! A plan: what a host is to do now.
//!
//! One decision for all protocols (`rules::boot`); each plan that speaks has one template in `templates/ipxe/`.

use serde::{Deserialize, Serialize};

/// How a host is sent to its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiskBoot {
    /// iPXE `exit`: back to the BIOS's boot order.
    Exit,
    /// iPXE `exit 1`: UEFI goes on to the next entry (status 0 would mean "boot succeeded").
    #[serde(rename = "exit-1")]
    ExitOne,
    /// iPXE `sanboot --no-describe --drive 0x80`, for boards that hang on `exit`.
    Sanboot,
    /// HTTP 404 on the script: the loader gives up.
    NotFound,
    /// No boot options in DHCP at all: the firmware falls through at once.
    Silence,
}

/// What the live image is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveMode {
    /// Collect facts, touch nothing.
    Register,
    /// Wipe by plan.
    Clean,
}

/// Why a host is held at a screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "hold")]
pub enum Hold {
    /// Its build goes in circles.
    BootLoop {
        /// Evidence and way out.
        text: String,
    },
    /// A build ended in error and the policy says hold.
    BuildFailed {
        /// Why.
        text: String,
    },
    /// A wipe did not end well: never booted from disk.
    CleaningFailed {
        /// Why.
        text: String,
    },
    /// Frozen by an administrator.
    Frozen {
        /// Why.
        text: String,
    },
    /// Something needed is missing or does not render.
    Fault {
        /// What, and what to do.
        text: String,
    },
}

impl Hold {
    /// The sentence for the console.
    pub fn text(&self) -> &str {
        match self {
            Self::BootLoop { text } | Self::BuildFailed { text } | Self::CleaningFailed { text } | Self::Frozen { text } | Self::Fault { text } => {
                text
            }
        }
    }
}

/// What a host is to do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "plan")]
pub enum Plan {
    /// Start from the disk.
    Local {
        /// How.
        how: DiskBoot,
        /// Why, for its console and for `explain`.
        why: String,
    },
    /// Start the installer of the open build.
    Install,
    /// Start the live image.
    Live {
        /// What for.
        mode: LiveMode,
    },
    /// Stay at a screen that says why, and ask again later.
    Hold {
        /// Why.
        #[serde(flatten)]
        hold: Hold,
    },
    /// Ask again in some seconds: the server cannot say now.
    Wait {
        /// After how long.
        secs: u32,
        /// Why.
        why: String,
    },
    /// No answer at all.
    NoAnswer {
        /// Why, for the journal.
        why: String,
    },
}

impl Plan {
    /// The word of a plan that keeps a machine at a screen; a session remembers it.
    pub const HOLD: &str = "hold";

    /// The plan's word and its template's name under `templates/ipxe/`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::Install => "install",
            Self::Live { .. } => "live",
            Self::Hold { .. } => Self::HOLD,
            Self::Wait { .. } => "wait",
            Self::NoAnswer { .. } => "no_answer",
        }
    }
}
