//! The store in SQLite: a database file, one writing thread, and the present state of hosts and settings in memory.
//!
//! Write-ahead log with `synchronous=FULL`: what is acknowledged survives the power, and group commit pays for it (see the
//! writer). One daemon at a time owns a file. Several daemons on one database need another implementation of the trait.

mod backup;
mod open;
mod readers;
mod record;
mod rows;
mod schema;
mod trouble;
mod verify;
mod watch;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use self::{
    open::Place,
    readers::Readers,
    rows::{hosts, journal, leases},
    watch::Watch,
    writer::{Job, Shared, Tally, Writer},
};
use super::{
    Counts, JournalFilter, Settings, Store, StoreFault, Write,
    state::{Key, State},
};
use crate::model::{Build, BuildId, Entry, Host, HostId, HostName, Lease, Mac, SessionId, SmbiosUuid, Timestamp, TokenHash};

pub use backup::{Restored, Seal, Sealing, restore, seal_file, unseal};
pub use verify::Discrepancy;

/// How many changes wait for the writer before their callers wait for room.
const WAITING: usize = 1_024;

/// How many entries a follower may lag behind before it has to read on from the journal.
const FOLLOWING: usize = 4_096;

/// A database in a file or in memory.
pub struct Sqlite {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
}

impl Sqlite {
    /// Opens the file, or makes it. Its folder must be there. Waits for the disk: call it before the runtime is busy.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreFault> {
        let path = path.as_ref().to_path_buf();
        let lock = open::lock(&path)?;
        let place = Place::File(path);
        let conn = open::writer(&place)?;
        Self::start(place, conn, Some(lock))
    }

    /// An empty database in memory, for tests of stories: the same code without a disk.
    pub fn scratch() -> Result<Self, StoreFault> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let place = Place::Memory(format!("scratch-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let conn = open::writer(&place)?;
        Self::start(place, conn, None)
    }

    fn start(place: Place, conn: Connection, lock: Option<File>) -> Result<Self, StoreFault> {
        let (state, last) = open::load(&conn, place.path())?;
        let shared = Arc::new(Shared {
            state: RwLock::new(state),
            follow: broadcast::channel(FOLLOWING).0,
            open: AtomicBool::new(true),
            tally: Tally::default(),
            watch: Watch::begin(&place)?,
            place: place.clone(),
        });
        let (jobs, receiver) = mpsc::channel(WAITING);
        let writer = Writer { conn, shared: Arc::clone(&shared), last, broken_off: None, careful: false };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(receiver));
        let thread = thread.map_err(|error| StoreFault::Down { path: place.path().to_path_buf(), detail: error.to_string() })?;
        Ok(Self { shared, readers: Readers::new(place), jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)), lock: Mutex::new(lock) })
    }

    fn state(&self) -> Result<RwLockReadGuard<'_, State>, StoreFault> {
        self.shared.watch.undamaged()?;
        if self.shared.open.load(Ordering::Acquire) {
            Ok(self.shared.state.read().unwrap_or_else(PoisonError::into_inner))
        } else {
            Err(StoreFault::Closed)
        }
    }

    fn find(&self, key: Key<'_>) -> Result<Option<Arc<Host>>, StoreFault> {
        Ok(self.state()?.find(key).cloned())
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, StoreFault>>) -> Job) -> Result<T, StoreFault> {
        let jobs = take(&self.jobs, |jobs| jobs.clone()).ok_or(StoreFault::Closed)?;
        let (answer, wait) = oneshot::channel();
        jobs.send(job(answer)).await.map_err(|_| StoreFault::Closed)?;
        wait.await.map_err(|_| StoreFault::Closed)?
    }

    /// One read of what is not in memory. Damage that it meets counts for everything.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Path) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        self.shared.watch.undamaged()?;
        // A connection that is opened beside a deleted log would make a new one and read nonsense.
        self.shared.watch.still_there()?;
        let read = self.readers.read(work).await;
        if let Err(fault @ StoreFault::Corrupt { .. }) = &read {
            self.shared.watch.note(Err(fault));
        }
        read
    }

    /// No more jobs and reads. The writer's thread to wait for, unless this is that thread: a change that owns the last reference
    /// to the store drops it there, and a thread cannot wait for itself.
    fn stop(&self) -> Option<JoinHandle<()>> {
        self.readers.close();
        drop(take(&self.jobs, Option::take));
        take(&self.thread, Option::take).filter(|thread| thread.thread().id() != std::thread::current().id())
    }

    /// Gives the file free, when the writer has ended.
    fn release(&self) {
        self.shared.open.store(false, Ordering::Release);
        drop(take(&self.lock, Option::take));
    }
}

fn take<T, R>(slot: &Mutex<T>, f: impl FnOnce(&mut T) -> R) -> R {
    f(&mut slot.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // A writer that panicked has said so already; there is nothing left to wait for.
        let _ = self.stop().map(JoinHandle::join);
        self.release();
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn write(&self, write: Write) -> Result<Vec<Arc<Entry>>, StoreFault> {
        self.ask(|answer| Job::Write { write, answer }).await
    }

    fn host(&self, id: HostId) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Id(id))
    }

    fn host_by_mac(&self, mac: Mac) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Mac(mac))
    }

    fn host_by_uuid(&self, uuid: SmbiosUuid) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Uuid(uuid))
    }

    fn host_by_name(&self, name: &HostName) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Name(name.as_ref()))
    }

    fn host_by_address(&self, address: Ipv4Addr) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Address(address))
    }

    fn host_by_token(&self, hash: &TokenHash) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Token(hash))
    }

    fn host_by_session(&self, session: SessionId) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Session(session))
    }

    fn host_by_build(&self, build: BuildId) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Build(build))
    }

    fn host_by_live(&self, hash: &TokenHash) -> Result<Option<Arc<Host>>, StoreFault> {
        self.find(Key::Live(hash))
    }

    fn hosts(&self) -> Result<Vec<Arc<Host>>, StoreFault> {
        Ok(self.state()?.hosts())
    }

    fn settings(&self) -> Result<Arc<Settings>, StoreFault> {
        Ok(Arc::clone(&self.state()?.settings))
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreFault> {
        self.read(leases::load).await
    }

    async fn journal(&self, filter: JournalFilter) -> Result<Vec<Entry>, StoreFault> {
        self.read(move |conn, path| journal::page(conn, path, &filter)).await
    }

    async fn builds(&self, host: HostId) -> Result<Vec<Build>, StoreFault> {
        self.read(move |conn, path| hosts::builds(conn, path, host)).await
    }

    async fn build(&self, id: BuildId) -> Result<Option<(HostId, Build)>, StoreFault> {
        self.read(move |conn, path| hosts::build(conn, path, id)).await
    }

    async fn build_by_token(&self, hash: &TokenHash) -> Result<Option<(HostId, Build)>, StoreFault> {
        let hash = hash.0.clone();
        self.read(move |conn, path| hosts::build_by_token(conn, path, &hash)).await
    }

    async fn body(&self, sha256: &str) -> Result<Option<Bytes>, StoreFault> {
        let sha256 = sha256.to_owned();
        self.read(move |conn, path| leases::body(conn, path, &sha256)).await
    }

    fn follow(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.shared.follow.subscribe()
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, StoreFault> {
        let mut pruned = 0;
        loop {
            let rows = self.ask(|answer| Job::Prune { before, answer }).await?;
            pruned += rows;
            if rows < journal::PRUNE_AT_ONCE {
                return Ok(pruned);
            }
        }
    }

    fn counts(&self) -> Counts {
        self.shared.tally.counts()
    }

    fn trouble(&self) -> Option<StoreFault> {
        self.shared.watch.trouble()
    }

    fn trouble_since(&self) -> Option<StoreFault> {
        self.shared.watch.trouble_since()
    }

    async fn probe(&self) -> Result<(), StoreFault> {
        if self.shared.watch.still_there().is_ok() && self.trouble().is_none() {
            return Ok(());
        }
        self.ask(|answer| Job::Touch { answer }).await.map(drop)
    }

    async fn examine(&self) -> Result<(), StoreFault> {
        let (shared, readers) = (Arc::clone(&self.shared), Arc::clone(&self.readers));
        let look = tokio::task::spawn_blocking(move || {
            let stop = move || readers.is_closed();
            let found = shared.place.reader().and_then(|conn| verify::examine(conn, shared.place.path(), stop));
            if let Err(fault @ StoreFault::Corrupt { .. }) = &found {
                shared.watch.note(Err(fault));
            }
            found
        });
        look.await.unwrap_or_else(|error| Err(StoreFault::Broke { detail: error.to_string() }))
    }

    async fn verify(&self) -> Result<Vec<Discrepancy>, StoreFault> {
        let found = self.read(verify::verify).await?;
        if let Some(broken) = found.iter().find(|one| one.what == verify::PAGES) {
            let fault = StoreFault::Corrupt { path: self.shared.place.path().to_path_buf(), detail: broken.text.clone() };
            self.shared.watch.note(Err(&fault));
        }
        Ok(found)
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreFault> {
        let to = to.to_path_buf();
        let readers = Arc::clone(&self.readers);
        self.read(move |conn, path| backup::copy(conn, path, &to, &|| readers.is_closed())).await
    }

    async fn close(&self) -> Result<(), StoreFault> {
        if let Some(thread) = self.stop() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                return Err(StoreFault::Broke { detail: "the writer ended by a panic".to_owned() });
            }
        }
        self.release();
        Ok(())
    }
}
