//! `bootwright backup`: a sealed copy of everything that is remembered, as a file on this machine.
//!
//! From a running daemon by its API, or from the state folder of one that is stopped. The file appears under its name only when it is whole
//! and on the disk, and only its owner reads it: it holds the parameters that are marked secret.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{Client, Console, Done, Fault, Remote, table::bytes};
use crate::{app::backup, world::RealWorld};

/// Copy hosts, settings, leases and journal into a file, while the daemon runs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The server's key, templates, artifacts and the live image are not in it: copy those folders yourself.\n\
Example: bootwright backup /var/backups/bootwright-today")]
pub struct Backup {
    /// The file to make
    file: PathBuf,
    /// Of a daemon that is stopped: its state folder
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long)]
    replace: bool,
}

impl Backup {
    /// Makes the file.
    pub fn run(self, remote: &Remote, console: &mut Console<'_>) -> Done {
        if self.file.exists() && !self.replace {
            return Err(Fault::no(format_args!("{} is there already; choose another name, or say --replace", self.file.display())));
        }
        let part = part_of(&self.file);
        let made = self.fill(&part, remote).and_then(|()| keep(&part, &self.file));
        if made.is_err() {
            // What is half there is nothing; the fault is what matters.
            let _ = fs::remove_file(&part);
        }
        let seal = made?;
        if console.is_json {
            let document = serde_json::json!({"file": self.file, "sha256": seal.sha256, "size_bytes": seal.size_bytes, "made": seal.made});
            return console.line(document);
        }
        console.line(format_args!("{}: {}, made {}, sha256 {}", self.file.display(), bytes(seal.size_bytes), seal.made, seal.sha256))?;
        console.line("look through it: bootwright verify FILE; go back to it: bootwright restore FILE --state-dir DIR")
    }

    fn fill(&self, part: &Path, remote: &Remote) -> Done {
        match fs::remove_file(part) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(Fault::file(part)(why)),
            _ => {}
        }
        if let Some(state_dir) = &self.state_dir {
            return backup::of_stopped(state_dir, part, &RealWorld).map_err(|why| running(&why));
        }
        let mut from = Client::new(remote)?.download("/api/v1/backup")?;
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part).map_err(Fault::file(part))?;
        io::copy(&mut from, &mut to).map_err(Fault::file(part))?;
        Ok(())
    }
}

/// A fault of a state folder; of one whose daemon runs, with the way to ask the daemon instead.
pub(super) fn running(fault: &crate::store::StoreFault) -> Fault {
    match fault {
        crate::store::StoreFault::Locked { .. } => Fault::no(format_args!("{fault}\n  the daemon runs: leave --state-dir out to ask it")),
        fault => Fault::no(fault),
    }
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The copy is whole: now it gets its name, durably.
fn keep(part: &Path, file: &Path) -> Result<backup::Seal, Fault> {
    let seal = backup::unseal(part).map_err(Fault::no)?;
    let sync = || -> io::Result<()> {
        File::open(part)?.sync_all()?;
        fs::rename(part, file)?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    sync().map_err(Fault::file(file))?;
    Ok(seal)
}
