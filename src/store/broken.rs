//! A store that fails whatever is asked, for the tests of every story: what happens when the database is gone?
//!
//! Its empty sister is [`super::Sqlite::scratch`], which is the real thing in memory.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

use super::{Counts, Discrepancy, JournalFilter, Settings, Store, StoreFault, Write};
use crate::model::{Build, BuildId, Entry, Host, HostId, HostName, Lease, Mac, SessionId, SmbiosUuid, Timestamp, TokenHash};

/// Every call faults.
#[derive(Debug, Clone, Copy, Default)]
pub struct BrokenStore;

fn broken<T>() -> Result<T, StoreFault> {
    Err(StoreFault::Down { path: PathBuf::from("bootwright.db"), detail: "this store is broken on purpose".to_owned() })
}

#[async_trait]
impl Store for BrokenStore {
    async fn write(&self, _: Write) -> Result<Vec<Arc<Entry>>, StoreFault> {
        broken()
    }
    fn host(&self, _: HostId) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn host_by_mac(&self, _: Mac) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn host_by_uuid(&self, _: SmbiosUuid) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn host_by_name(&self, _: &HostName) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn host_by_address(&self, _: Ipv4Addr) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn host_by_token(&self, _: &TokenHash) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn host_by_session(&self, _: SessionId) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn host_by_build(&self, _: BuildId) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn host_by_live(&self, _: &TokenHash) -> Result<Option<Arc<Host>>, StoreFault> {
        broken()
    }
    fn hosts(&self) -> Result<Vec<Arc<Host>>, StoreFault> {
        broken()
    }
    fn settings(&self) -> Result<Arc<Settings>, StoreFault> {
        broken()
    }
    async fn leases(&self) -> Result<Vec<Lease>, StoreFault> {
        broken()
    }
    async fn journal(&self, _: JournalFilter) -> Result<Vec<Entry>, StoreFault> {
        broken()
    }
    async fn builds(&self, _: HostId) -> Result<Vec<Build>, StoreFault> {
        broken()
    }
    async fn build(&self, _: BuildId) -> Result<Option<(HostId, Build)>, StoreFault> {
        broken()
    }
    async fn build_by_token(&self, _: &TokenHash) -> Result<Option<(HostId, Build)>, StoreFault> {
        broken()
    }
    async fn body(&self, _: &str) -> Result<Option<Bytes>, StoreFault> {
        broken()
    }
    /// A stream that has ended: nothing will come.
    fn follow(&self) -> broadcast::Receiver<Arc<Entry>> {
        broadcast::channel(1).1
    }
    async fn prune(&self, _: Timestamp) -> Result<u64, StoreFault> {
        broken()
    }
    fn counts(&self) -> Counts {
        Counts::default()
    }
    fn trouble(&self) -> Option<StoreFault> {
        broken::<()>().err()
    }
    fn trouble_since(&self) -> Option<StoreFault> {
        broken::<()>().err()
    }
    async fn probe(&self) -> Result<(), StoreFault> {
        broken()
    }
    async fn examine(&self) -> Result<(), StoreFault> {
        broken()
    }
    async fn verify(&self) -> Result<Vec<Discrepancy>, StoreFault> {
        broken()
    }
    async fn backup(&self, _: &Path) -> Result<(), StoreFault> {
        broken()
    }
    async fn close(&self) -> Result<(), StoreFault> {
        broken()
    }
}
