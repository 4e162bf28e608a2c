//! `bootwright serve`: settings, logging, then the daemon, until it is told to stop.
//!
//! The only command with an async runtime. Logs go to standard error; `RUST_LOG` is respected unless `--log` is given.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use tracing_subscriber::EnvFilter;

use super::{Done, Fault};
use crate::config::Config;

/// Run the daemon: DHCP, TFTP, HTTP for machines and for operators
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: bootwright serve -c /etc/bootwright/bootwright.toml --log-format json")]
pub struct Serve {
    /// The settings
    #[arg(short, long, value_name = "FILE", default_value = "/etc/bootwright/bootwright.toml")]
    config: PathBuf,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter like RUST_LOG's
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

impl Serve {
    /// Runs until the daemon ends.
    pub fn run(self) -> Done {
        let config = Config::read(&self.config).map_err(Fault::no)?;
        self.start_log()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Fault::no)?;
        runtime.block_on(crate::serve::run(config)).map_err(Fault::no)
    }

    fn start_log(&self) -> Done {
        let filter = match &self.log {
            Some(level) => EnvFilter::builder().parse(level).map_err(|why| Fault::Usage(format!("--log {level}: {why}")))?,
            None => EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy(),
        };
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
        let started = match self.log_format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.json().try_init(),
        };
        started.map_err(Fault::no)
    }
}
