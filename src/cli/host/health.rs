//! `host health`: what a monitor says of a host, by hand or from a script.
//!
//! It prints what the host's operational state became; whether a report moves anything is the daemon's to say.

use serde_json::json;

use super::{Shown, path};
use crate::{
    app::duty::Report,
    cli::{Client, Console, Done, table::word},
};

/// A health report.
#[derive(Debug, Clone, clap::Args)]
pub struct Health {
    /// Name, id or MAC address
    host: String,
    /// What was found
    #[command(subcommand)]
    found: Found,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Found {
    /// Every test passed
    #[command(after_help = "Example: bootwright host health n1 passed")]
    Passed,
    /// Something failed that the service can live without
    #[command(after_help = "Example: bootwright host health n1 degraded")]
    Degraded,
    /// Something failed that it cannot live without
    #[command(after_help = "Example: bootwright host health n1 failed")]
    Failed,
    /// So many heartbeats in a row did not come
    #[command(after_help = "Example: bootwright host health n1 missed 6")]
    Missed {
        /// How many
        count: u32,
    },
    /// Nothing was heard of it
    #[command(after_help = "Example: bootwright host health n1 lost 600")]
    Lost {
        /// For so many seconds
        quiet_secs: u64,
    },
}

impl Found {
    fn report(&self) -> Report {
        match *self {
            Self::Passed => Report::Passed,
            Self::Degraded => Report::Degraded,
            Self::Failed => Report::Failed,
            Self::Missed { count } => Report::Missed { count },
            Self::Lost { quiet_secs } => Report::Lost { quiet_secs },
        }
    }
}

impl Health {
    /// Reports and prints what became of it.
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let reply = client.ask("POST", &format!("{}/health", path(&self.host)), Some(&json!(self.found.report())), &[])?;
        if console.json(&reply)? {
            return Ok(());
        }
        let Shown { host, .. } = reply.read()?;
        let (administrative, availability) = (word(host.operational.administrative), word(host.operational.availability));
        console.line(format_args!("{}: {administrative}, availability {availability}", host.name))
    }
}
