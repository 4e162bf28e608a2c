//! `bootwright restore`: a backup takes the place of the database of a daemon that is stopped.
//!
//! What was open when the backup was made is closed (T37): it says which hosts, and what to look at. The old database stays beside it.

use std::path::PathBuf;

use super::{Console, Done, Fault, backup::running};
use crate::{
    app::backup::{self, Restored},
    world::RealWorld,
};

/// Put a backup in the place of the database; the daemon is stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds and wipes that were open in the backup are closed, and hosts that were on offer are kept back: what became of them since is not in it.\n\
Tokens that were revoked since are valid again, and addresses that were lent since are not known.\n\
Example: bootwright restore /var/backups/bootwright-today --state-dir /var/lib/bootwright --replace")]
pub struct Restore {
    /// The backup
    file: PathBuf,
    /// The daemon's state folder
    #[arg(long, value_name = "DIR", default_value = "/var/lib/bootwright")]
    state_dir: PathBuf,
    /// Replace the database that is there; it is kept beside the new one
    #[arg(long)]
    replace: bool,
}

impl Restore {
    /// Restores and says what was closed.
    pub fn run(self, console: &mut Console<'_>) -> Done {
        let database = backup::database(&self.state_dir);
        if database.exists() && !self.replace {
            return Err(Fault::no(format_args!(
                "{} is there already; --replace puts the backup in its place and keeps it beside as {}.before-restore-TIME",
                database.display(),
                database.display()
            )));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Fault::no)?;
        let restored = runtime.block_on(backup::restore(&self.file, &self.state_dir, &RealWorld)).map_err(|why| running(&why))?;
        if console.is_json {
            let Restored { made, hosts, builds, wipes, offers, kept } = restored;
            return console.line(serde_json::json!({"made": made, "hosts": hosts, "builds_cancelled": builds, "wipes_given_up": wipes,
                "taken_off_offer": offers, "kept": kept}));
        }
        tell(&restored, console)?;
        let key = self.state_dir.join("server.key");
        if !key.exists() {
            console.line(format_args!(
                "! {} is not there: the daemon makes a new one, and hosts that are just registering have to be started again",
                key.display()
            ))?;
        }
        console.line("now start the daemon, look at these hosts, and take a new backup")
    }
}

fn tell(restored: &Restored, console: &mut Console<'_>) -> Done {
    console.line(format_args!("restored the state of {}: {} hosts", restored.made, restored.hosts))?;
    for (hosts, what) in [
        (&restored.builds, "builds were open and are cancelled; see what is on the disks, then `build retry` or `host release`"),
        (&restored.wipes, "wipes were open and are given up; look first, then `host retry-clean`"),
        (&restored.offers, "hosts were on offer and are `unavailable`; look first, then `host available`, or `host adopt` if they are in use"),
    ] {
        if !hosts.is_empty() {
            let (some, more) = (hosts.iter().take(20).cloned().collect::<Vec<_>>().join(", "), if hosts.len() > 20 { ", …" } else { "" });
            console.line(format_args!("{} {what}: {some}{more}", hosts.len()))?;
        }
    }
    match &restored.kept {
        Some(kept) => console.line(format_args!("the database that was there is {}", kept.display())),
        None => Ok(()),
    }
}
