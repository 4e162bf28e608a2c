//! `bootwright verify`: is a backup, a stopped daemon's database or a running one's whole, and are the rows what the journal says?
//!
//! Changes nothing. Exit code 0: sound; 1: a line for each thing that is not.

use std::path::PathBuf;

use super::{Client, Console, Done, Fault, Remote, backup::running};
use crate::app::backup;

/// Look through a database or a backup: pages, references, leases, and whether every row is what its journal says
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: bootwright verify /var/backups/bootwright-today   (without a file: the running daemon's)")]
pub struct Verify {
    /// A backup; without one, the database of the running daemon
    #[arg(conflicts_with = "state_dir")]
    file: Option<PathBuf>,
    /// Of a daemon that is stopped: its state folder
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Default, serde::Deserialize)]
struct Answer {
    items: Vec<Finding>,
}

#[derive(Debug, serde::Deserialize)]
struct Finding {
    what: String,
    text: String,
}

impl Verify {
    /// Looks and prints.
    pub fn run(self, remote: &Remote, console: &mut Console<'_>) -> Done {
        let mine = |found: Vec<crate::store::Discrepancy>| found.into_iter().map(|one| Finding { what: one.what, text: one.text }).collect();
        let (place, found): (String, Vec<Finding>) = match (&self.file, &self.state_dir) {
            (Some(file), _) => {
                let (seal, found) = backup::verify_file(file).map_err(Fault::no)?;
                (format!("the backup of {}", seal.made), mine(found))
            }
            (None, Some(state_dir)) => {
                (backup::database(state_dir).display().to_string(), mine(backup::verify_stopped(state_dir).map_err(|why| running(&why))?))
            }
            (None, None) => {
                let client = Client::new(remote)?;
                let answer: Answer = client.wait("/api/v1/verify", std::time::Duration::from_secs(600))?.read()?;
                (client.server().to_owned(), answer.items)
            }
        };
        if console.is_json {
            let items: Vec<_> = found.iter().map(|one| serde_json::json!({"what": one.what, "text": one.text})).collect();
            console.line(serde_json::json!({"sound": items.is_empty(), "items": items}))?;
        }
        if found.is_empty() {
            return if console.is_json { Ok(()) } else { console.line(format_args!("{place} is sound")) };
        }
        let lines = if console.is_json { &[][..] } else { &found };
        for one in lines {
            console.line(format_args!("{}: {}", one.what, one.text))?;
        }
        Err(Fault::no(format_args!("{place} is not sound: restore a backup (bootwright restore FILE), and keep a copy of this one to look at")))
    }
}
