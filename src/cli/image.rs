//! `bootwright image`: the live image that registers and wipes machines, looked at without a daemon.
//!
//! The same check that the daemon makes before it serves an image, for whoever has just built or copied one. It builds nothing: that is
//! `make image`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    Console, Done, Fault,
    table::{Table, bytes},
};
use crate::{
    config::Config,
    store::shelf::live::{INITRD, KERNEL, LiveFile, LiveImage},
};

/// The commands on live images.
#[derive(Debug, clap::Subcommand)]
pub enum ImageCommand {
    /// Check a live image: manifest, protocol, sizes and hashes
    #[command(after_help = "Example: bootwright image check target/live")]
    Check {
        /// Its folder; without one, the folder of the settings
        folder: Option<PathBuf>,
        /// Print the packages that it was made from, too
        #[arg(short, long)]
        verbose: bool,
        /// The settings
        #[arg(short, long, value_name = "FILE", default_value = "/etc/bootwright/bootwright.toml")]
        config: PathBuf,
    },
}

impl ImageCommand {
    /// Looks and prints.
    pub fn run(self, console: &mut Console<'_>) -> Done {
        match self {
            Self::Check { folder, verbose, config } => {
                let folder = match folder {
                    Some(folder) => folder,
                    None => Config::read(&config).map_err(Fault::no)?.live(),
                };
                let image = check(&folder, console)?;
                if verbose && !console.is_json { packages(&image, console) } else { Ok(()) }
            }
        }
    }
}

fn check(folder: &Path, console: &mut Console<'_>) -> Result<LiveImage, Fault> {
    let image = LiveImage::open(folder).map_err(Fault::no)?;
    if console.is_json {
        console.line(document(&image))?;
        return Ok(image);
    }
    console.line(format_args!("live image {} in {} is whole", image.version, image.folder.display()))?;
    console.line(format_args!("agent {}, protocol {}, kernel {}", image.agent, image.protocol, image.release))?;
    for (name, file) in [(KERNEL, &image.kernel), (INITRD, &image.initrd)] {
        console.line(format_args!("{name}  {}  sha256 {}", bytes(file.size_bytes), file.sha256))?;
    }
    console.line(format_args!("packages: {} (-v lists them)", image.packages.len()))?;
    Ok(image)
}

fn packages(image: &LiveImage, console: &mut Console<'_>) -> Done {
    let mut table = Table::new(["PACKAGE", "VERSION"], console.is_terminal);
    for (package, version) in &image.packages {
        table.row([package.clone(), version.clone()]);
    }
    console.table(&table, "the manifest names no packages")
}

fn document(image: &LiveImage) -> serde_json::Value {
    let file = |file: &LiveFile| json!({"path": file.path, "sha256": file.sha256, "size_bytes": file.size_bytes});
    json!({
        "version": image.version, "folder": image.folder, "agent": image.agent, "protocol": image.protocol, "kernel": image.release,
        "files": {KERNEL: file(&image.kernel), INITRD: file(&image.initrd)}, "packages": image.packages,
    })
}
