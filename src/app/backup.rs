//! Backups and the way back: a copy of a running store, a copy of a stopped one, and a restore that believes nothing that was open.
//!
//! What a backup says of builds, wipes and offers may be long over, so a restore asks the lifecycle about every host (T37) before the copy
//! takes the database's place: nothing is installed or wiped by mistake because somebody went back to yesterday.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use tokio::sync::OwnedMutexGuard;

use super::{Fault, House, Told, house::Pen};
use crate::{
    model::{Actor, Lifecycle, Timestamp, What},
    rules::lifecycle::{self, Ask, Event, Times, Verdict},
    store::{
        Discrepancy, Store, StoreFault, Writes,
        sqlite::{self, Sqlite},
    },
    world::World,
};

pub use sqlite::{Seal, Sealing, unseal};

/// The database in a state folder.
pub fn database(state_dir: &Path) -> PathBuf {
    state_dir.join("bootwright.db")
}

/// Where a running daemon makes its copies; they have no name any more when they are sent.
const PART: &str = "backup.part";

/// A copy of a running store, to be read once and sealed by whoever sends it.
pub struct Copied {
    /// The copy. It has no name, so it is gone when it is closed.
    pub file: File,
    /// When it was made.
    pub made: Timestamp,
}

/// A turn to read the whole store: nobody else does meanwhile.
pub struct Turn {
    _held: OwnedMutexGuard<()>,
}

impl House {
    /// The next turn to read the whole store.
    pub async fn reading_turn(&self) -> Turn {
        Turn { _held: self.reading.clone().lock_owned().await }
    }

    /// Copies the store. To be run to its end, or the half copy stays until the next one.
    pub async fn backup(&self, actor: &Actor, _turn: Turn) -> Told<Copied> {
        let (path, made) = (self.config.state_dir.join(PART), self.now());
        clear(&self.config.state_dir)?;
        let copied = self.store.backup(&path).await;
        let file = File::open(&path).and_then(|file| fs::remove_file(&path).map(|()| file));
        copied?;
        let file = file.map_err(|source| Fault::File { path: path.display().to_string(), source })?;
        let fact = Pen::new(actor.clone(), made)
            .write(What::Warning { word: "backup".into() }, "a backup was taken; it holds the parameters that are marked secret");
        self.record(vec![fact]).await?;
        Ok(Copied { file, made })
    }

    /// Everything that is wrong with the running store.
    pub async fn verify_store(&self, _turn: Turn) -> Told<Vec<Discrepancy>> {
        Ok(self.store.verify().await?)
    }
}

/// Removes the copy that a daemon left when it died.
pub fn clear(state_dir: &Path) -> Result<(), Fault> {
    let path = state_dir.join(PART);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Fault::File { path: path.display().to_string(), source }),
        _ => Ok(()),
    }
}

/// A sealed backup of a database that no daemon has open; `to` is a new file.
pub fn of_stopped(state_dir: &Path, to: &Path, world: &dyn World) -> Result<(), StoreFault> {
    let made = world.now();
    Sqlite::backup_stopped(&database(state_dir), to)?;
    sqlite::seal_file(to, made)
}

/// Everything that is wrong with a database that no daemon has open.
pub fn verify_stopped(state_dir: &Path) -> Result<Vec<Discrepancy>, StoreFault> {
    Sqlite::verify_stopped(&database(state_dir))
}

/// Everything that is wrong with a backup; a broken seal is a fault.
pub fn verify_file(path: &Path) -> Result<(Seal, Vec<Discrepancy>), StoreFault> {
    let seal = unseal(path)?;
    let found = seal.verify(path)?;
    Ok((seal, found))
}

/// What a restore came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// When the backup was made.
    pub made: Timestamp,
    /// Hosts in it.
    pub hosts: usize,
    /// Names of hosts whose open build was cancelled.
    pub builds: Vec<String>,
    /// Names of hosts whose open wipe was given up.
    pub wipes: Vec<String>,
    /// Names of hosts that are not on offer any more.
    pub offers: Vec<String>,
    /// Where the database that was there before is now.
    pub kept: Option<PathBuf>,
}

/// Puts a backup in the place of the state folder's database, or of none. Whoever calls has asked whether the old one may be replaced.
pub async fn restore(file: &Path, state_dir: &Path, world: &dyn World) -> Result<Restored, StoreFault> {
    let seal = unseal(file)?;
    let (waiting, store) = sqlite::restore(file, &database(state_dir))?;
    let mut restored = close_what_was_open(&store, seal.made, world.now()).await?;
    store.close().await?;
    restored.kept = waiting.finish(world.now())?;
    Ok(restored)
}

/// Lets the lifecycle decide about every host (T37), and writes one line for all.
async fn close_what_was_open(store: &Sqlite, made: Timestamp, now: Timestamp) -> Result<Restored, StoreFault> {
    let hosts = store.hosts()?;
    let mut restored = Restored { made, hosts: hosts.len(), ..Restored::default() };
    let mut writes = Writes::default();
    for host in hosts {
        let ask = Ask { actor: &Actor::Server, now, times: &Times::default(), power_control: false };
        let Verdict::Go(go) = lifecycle::decide(&Event::Restored { made }, &host, &ask) else { continue };
        let name = host.name.to_string();
        match host.lifecycle {
            Lifecycle::Cleaning { .. } => restored.wipes.push(name),
            Lifecycle::Provisioning => restored.builds.push(name),
            _ => restored.offers.push(name),
        }
        let pen = Pen::new(Actor::Server, now).of(&go.host);
        writes.facts.extend(go.notes.into_iter().map(|(what, text)| pen.write(what, text)));
        writes.hosts.push(go.host);
    }
    let Restored { builds, wipes, offers, .. } = &restored;
    let text = format!(
        "restored from the backup of {made}: {} builds cancelled, {} wipes given up, {} hosts taken off the offer; what happened since then is not known",
        builds.len(),
        wipes.len(),
        offers.len()
    );
    writes.facts.push(Pen::new(Actor::Server, now).write(What::Warning { word: "restored".into() }, text));
    store.write(Box::new(move |_| writes)).await?;
    Ok(restored)
}
