//! The journal, read and followed; and what a whole build looked like.
//!
//! Reading changes nothing: no page, preview or list is evidence of anything.

use std::{sync::Arc, time::Duration};

use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{House, Refusal, Told};
use crate::{
    model::{Build, BuildId, Entry, Host, HostId, Stage},
    store::JournalFilter,
};

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The installer's "built".
    Built,
    /// Any end.
    Ended,
    /// The boot from the disk, or any other end.
    LocalBoot,
}

impl Until {
    /// Whether it has come.
    pub fn holds(self, build: &Build) -> bool {
        match self {
            Self::Built => build.stage >= Stage::Built || build.end.is_some(),
            Self::Ended => build.end.is_some(),
            Self::LocalBoot => build.stage == Stage::LocalBoot || matches!(&build.end, Some(end) if *end != crate::model::BuildEnd::Built),
        }
    }
}

impl House {
    /// A page of the journal.
    pub async fn journal(&self, filter: JournalFilter) -> Told<Vec<Entry>> {
        Ok(self.store.journal(filter).await?)
    }

    /// The builds of a host, newest first.
    pub async fn builds(&self, host: &Host) -> Told<Vec<Build>> {
        Ok(self.store.builds(host.id).await?)
    }

    /// A build and its host's id, newest or history.
    pub async fn build(&self, id: BuildId) -> Told<(HostId, Build)> {
        self.store.build(id).await?.ok_or_else(|| Refusal::Unknown { noun: "build", name: id.to_string() }.into())
    }

    /// Waits until `until` holds for a build or `limit` has passed; answers the build as it is then, and whether it holds.
    pub async fn wait(&self, id: BuildId, until: Until, limit: Duration) -> Told<(Build, bool)> {
        let mut news = self.store.follow();
        let end = Instant::now() + limit;
        loop {
            let (_, build) = self.build(id).await?;
            if until.holds(&build) {
                return Ok((build, true));
            }
            let ours = |entry: &Arc<Entry>| entry.build == Some(id);
            loop {
                match tokio::time::timeout_at(end, news.recv()).await {
                    Err(_) => return Ok((build, false)),
                    Ok(Ok(entry)) if !ours(&entry) => {}
                    Ok(Ok(_) | Err(RecvError::Lagged(_))) => break,
                    Ok(Err(RecvError::Closed)) => return Ok((build, false)),
                }
            }
        }
    }
}
