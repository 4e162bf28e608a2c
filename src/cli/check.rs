//! `bootwright check`: would the daemon work with these settings on this machine? One line each, `ok`, `warn` or `FAIL`.
//!
//! What lies in files is the story `app::check`; sockets, interfaces and privileges are tried here. Nothing is left behind, nothing is
//! sent.

mod sockets;

use std::path::PathBuf;

use super::{Console, Done, Fault};
use crate::{
    app::check::{self, Level, Line},
    config::Config,
};

/// Check settings, loaders, templates, artifacts, live image, ports and privileges
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: bootwright check -c /etc/bootwright/bootwright.toml")]
pub struct Check {
    /// The settings
    #[arg(short, long, value_name = "FILE", default_value = "/etc/bootwright/bootwright.toml")]
    config: PathBuf,
}

impl Check {
    /// Looks at everything and prints it.
    pub fn run(self, console: &mut Console<'_>) -> Done {
        let mut lines = Vec::new();
        match Config::read(&self.config) {
            Err(wrong) => lines.push(Line::fail("settings", wrong)),
            Ok(config) => {
                lines.push(Line::ok("settings", self.config.display()));
                lines.extend(check::files(&config));
                lines.extend(sockets::lines(&config));
            }
        }
        lines.iter().try_for_each(|line| console.line(line))?;
        let count = |level| lines.iter().filter(|line| line.level == level).count();
        match (count(Level::Fail), count(Level::Warn)) {
            (0, 0) => console.line("everything is in order"),
            (0, warnings) => console.line(format_args!("in order, with {warnings} to look at")),
            (failures, _) => Err(Fault::no(format_args!("{failures} to mend before the daemon can do its work"))),
        }
    }
}
