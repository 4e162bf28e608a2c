//! What is remembered: the database behind one small trait, and the shelves of files (templates, artifacts, loaders).
//!
//! The trait speaks in the verbs of the stories and never in SQL; it decides nothing. A change is a closure: the present state
//! in, rows and journal facts out, in one transaction that is on the disk when `write` returns. Hosts and settings are read
//! from memory, which only ever shows what is durable.

mod broken;
mod fault;
mod fold;
mod patch;
mod settings;
pub mod shelf;
pub mod sqlite;
mod state;

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

use crate::model::{Build, BuildId, Entry, Fact, Host, HostId, HostName, Lease, Mac, SessionId, SmbiosUuid, Timestamp, TokenHash};

pub use broken::BrokenStore;
pub use fault::StoreFault;
pub use fold::{fold, kind_word};
pub use settings::{ApiToken, Settings};
pub use sqlite::{Discrepancy, Sqlite};
pub use state::View;

/// Bytes that were served, kept by their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// What one change writes; all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Writes {
    /// Hosts that are new or changed, whole. The store raises `version`; a host equal to the present one is left alone.
    pub hosts: Vec<Host>,
    /// Hosts whose record goes; journal and builds stay.
    pub deleted: Vec<HostId>,
    /// New settings, whole; the store finds what differs.
    pub settings: Option<Settings>,
    /// Leases, each in place of the one of the same network and address.
    pub leases: Vec<Lease>,
    /// Bodies; one that is already there is not written again.
    pub bodies: Vec<Body>,
    /// Journal entries to be, in order; at least one for each host (`host`) and each setting (`What::Settings`) that changes.
    pub facts: Vec<Fact>,
}

/// A change: what is, in; what to write, out. It runs on the writer's thread: no waiting, no I/O.
pub type Write = Box<dyn FnOnce(&View<'_>) -> Writes + Send>;

/// How many changes one commit carries at most.
pub const BATCH: usize = 512;

/// Which journal entries are wanted; every given field must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFilter {
    /// Of this host.
    pub host: Option<HostId>,
    /// Of this kind, in [`kind_word`]'s words.
    pub kind: Option<String>,
    /// Of this build.
    pub build: Option<BuildId>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// The next page: entries beyond this number in the direction of reading (above it, or below it when `newest_first`).
    pub after_seq: Option<u64>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// At most so many, never more than [`JournalFilter::MOST`].
    pub limit: usize,
}

impl JournalFilter {
    /// The largest page.
    pub const MOST: usize = 10_000;
}

impl Default for JournalFilter {
    fn default() -> Self {
        Self { host: None, kind: None, build: None, since: None, until: None, after_seq: None, newest_first: false, limit: 1_000 }
    }
}

/// What the store has done since it was opened, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Changes that were answered with success.
    pub writes: u64,
    /// Transactions that were committed, one fsync each; group commit makes this less than `writes`.
    pub commits: u64,
    /// Journal entries written.
    pub entries: u64,
    /// Changes that were answered with a fault.
    pub faults: u64,
}

/// Memory that survives the power. Reads of hosts and settings never wait; a store that failed answers `Err`, never `None`.
#[async_trait]
pub trait Store: Send + Sync {
    /// Carries out one change in one transaction and returns its entries when they are on the disk. A fault means that nothing
    /// of it was kept.
    async fn write(&self, write: Write) -> Result<Vec<Arc<Entry>>, StoreFault>;

    /// A host by its identity.
    fn host(&self, id: HostId) -> Result<Option<Arc<Host>>, StoreFault>;
    /// The host that has this card.
    fn host_by_mac(&self, mac: Mac) -> Result<Option<Arc<Host>>, StoreFault>;
    /// The host whose board has this UUID.
    fn host_by_uuid(&self, uuid: SmbiosUuid) -> Result<Option<Arc<Host>>, StoreFault>;
    /// The host of this name.
    fn host_by_name(&self, name: &HostName) -> Result<Option<Arc<Host>>, StoreFault>;
    /// The host for which DHCP reserves this address: of several the one that was written last, though stories let nobody have another one's.
    fn host_by_address(&self, address: Ipv4Addr) -> Result<Option<Arc<Host>>, StoreFault>;
    /// The host whose newest build, open or ended, has this token.
    fn host_by_token(&self, hash: &TokenHash) -> Result<Option<Arc<Host>>, StoreFault>;
    /// The host that remembers this boot session.
    fn host_by_session(&self, session: SessionId) -> Result<Option<Arc<Host>>, StoreFault>;
    /// The host whose newest build this is; older ones are found by [`Store::build`].
    fn host_by_build(&self, build: BuildId) -> Result<Option<Arc<Host>>, StoreFault>;
    /// The host whose newest run of the live image, open or ended, has this token.
    fn host_by_live(&self, hash: &TokenHash) -> Result<Option<Arc<Host>>, StoreFault>;
    /// All hosts, in the order of their birth.
    fn hosts(&self) -> Result<Vec<Arc<Host>>, StoreFault>;
    /// Settings as they are.
    fn settings(&self) -> Result<Arc<Settings>, StoreFault>;

    /// Every lease, to be read once at start.
    async fn leases(&self) -> Result<Vec<Lease>, StoreFault>;
    /// A page of the journal.
    async fn journal(&self, filter: JournalFilter) -> Result<Vec<Entry>, StoreFault>;
    /// The builds of a host, newest first, also of a host that was deleted.
    async fn builds(&self, host: HostId) -> Result<Vec<Build>, StoreFault>;
    /// A build, newest or not, and its host.
    async fn build(&self, id: BuildId) -> Result<Option<(HostId, Build)>, StoreFault>;
    /// The build of a token, newest or not, and its host: for callbacks that come late.
    async fn build_by_token(&self, hash: &TokenHash) -> Result<Option<(HostId, Build)>, StoreFault>;
    /// The bytes of this hash.
    async fn body(&self, sha256: &str) -> Result<Option<Bytes>, StoreFault>;

    /// Entries from now on, each after it is on the disk, without their patches. Who lags is told so and reads on by [`Store::journal`].
    fn follow(&self) -> broadcast::Receiver<Arc<Entry>>;
    /// Deletes evidence (entries without a patch) older than `before`, in small transactions; how many went.
    async fn prune(&self, before: Timestamp) -> Result<u64, StoreFault>;
    /// Counters for the metrics.
    fn counts(&self) -> Counts;

    /// What keeps the store from its work at the moment, if anything; damage stays, everything else ends with the next good write.
    fn trouble(&self) -> Option<StoreFault>;
    /// The newest trouble since this was asked last, also one that is over.
    fn trouble_since(&self) -> Option<StoreFault>;
    /// Looks whether the files are still there, and tries a small write if there was trouble: so it is noticed without a machine that asks.
    async fn probe(&self) -> Result<(), StoreFault>;
    /// Searches the whole file for damage, gently; damage that is found ends every other verb with that fault. To be called once, after the start.
    async fn examine(&self) -> Result<(), StoreFault>;
    /// Everything that is wrong: pages, references, rows that are not what their journal says; empty when all is well.
    async fn verify(&self) -> Result<Vec<Discrepancy>, StoreFault>;
    /// A consistent copy as a new file `to` that only its owner reads; writers go on meanwhile. It is marked as a backup, and not yet synced.
    async fn backup(&self, to: &Path) -> Result<(), StoreFault>;
    /// Finishes what waits and closes; later calls fault.
    async fn close(&self) -> Result<(), StoreFault>;
}
