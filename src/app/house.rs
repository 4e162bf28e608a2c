//! The house: everything a story needs, in one place, and the one way to save a host.
//!
//! Saving is conditional on the version that the rules decided upon: `Saved::Stale` sends the story back to its beginning.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    Fault,
    health::Health,
    live::Live,
    metrics::Metrics,
    pace::{Key, Pace},
    templates::Templates,
};
use crate::{
    config::Config,
    model::{Actor, BuildId, Entry, Fact, Host, HostId, Mac, SessionId, Timestamp, What},
    rules::{lease::Book, lifecycle::Times},
    store::{
        Store, StoreFault, View, Write, Writes,
        shelf::{artifacts::Artifacts, loaders::Loaders},
    },
    world::{Keys, World},
};

/// What the stories share.
pub struct House {
    /// The settings.
    pub config: Config,
    /// Time and chance.
    pub world: Arc<dyn World>,
    /// The key that makes build tokens.
    pub keys: Keys,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// Addresses lent, in memory; every change is in the store before anybody hears of it.
    pub leases: Mutex<Book>,
    /// Templates, reloadable.
    pub templates: Templates,
    /// Kernels, initrds, trees.
    pub artifacts: Artifacts,
    /// Loaders, in memory.
    pub loaders: Loaders,
    /// The live image, reloadable.
    pub live: Live,
    /// Counters.
    pub metrics: Metrics,
    /// Since when it has been listening: silence before that says nothing.
    pub awake: Timestamp,
    /// Deadlines.
    pub times: Times,
    /// How fast each peer asks.
    pub pace: Mutex<Pace>,
    /// What was wrong with the daemon itself.
    pub health: Health,
    /// Held while the whole store is read.
    pub reading: Arc<tokio::sync::Mutex<()>>,
}

/// What became of a conditional save.
#[derive(Debug)]
pub enum Saved {
    /// It is durable; these are its journal entries.
    Done(Vec<Arc<Entry>>),
    /// Somebody changed the host since it was read; nothing was saved.
    Stale,
}

/// How often a story begins again before it gives up: contention on one host is a handful of packets.
pub const TRIES: usize = 16;

impl House {
    /// The present.
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// The lease book. A panic while it was held cannot leave it half-changed, so poison is ignored.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every write of every story, counted, with what it put into the journal.
    pub async fn write(&self, write: Write) -> Result<Vec<Arc<Entry>>, Fault> {
        let entries = self.store.write(write).await?;
        entries.iter().for_each(|entry| self.metrics.note(&entry.what));
        Ok(entries)
    }

    /// Writes facts that change nothing else.
    pub async fn record(&self, facts: Vec<Fact>) -> Result<(), Fault> {
        self.write(Box::new(move |_| Writes { facts, ..Writes::default() })).await.map(drop)
    }

    /// Writes a fact that belongs to no host.
    pub async fn warn(&self, what: What, text: String) -> Result<(), Fault> {
        self.record(vec![Pen::new(Actor::Server, self.now()).write(what, text)]).await
    }

    /// A write that also answers something, once it is durable.
    pub async fn change<R: Send + 'static>(&self, tell: impl FnOnce(&View<'_>) -> (Writes, R) + Send + 'static) -> Result<R, Fault> {
        let (answer, heard) = std::sync::mpsc::channel();
        self.write(Box::new(move |view| {
            let (writes, told) = tell(view);
            let _ = answer.send(told);
            writes
        }))
        .await?;
        heard.try_recv().map_err(|_| Fault::Store(StoreFault::Closed))
    }

    /// Whether this peer asks no faster than a machine has reason to.
    pub fn paces(&self, key: Key) -> bool {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).admits(key, self.now())
    }

    /// Saves `next` with what else belongs to the same transaction, if the host is still as `seen`.
    pub async fn save(&self, seen: &Host, next: Option<Host>, writes: Writes) -> Result<Saved, Fault> {
        self.save_with(seen, next, writes, |_, _| {}).await
    }

    /// The same with what only the writer's own view can tell: other hosts that change with it.
    pub async fn save_with(
        &self,
        seen: &Host,
        next: Option<Host>,
        mut writes: Writes,
        more: impl FnOnce(&View<'_>, &mut Writes) + Send + 'static,
    ) -> Result<Saved, Fault> {
        let (id, version) = (seen.id, seen.version);
        let next = next.filter(|next| next != seen);
        let (answer, heard) = std::sync::mpsc::channel();
        let write = self.write(Box::new(move |view| {
            let fresh = view.host(id).is_some_and(|host| host.version == version);
            let _ = answer.send(fresh);
            if !fresh {
                return Writes::default();
            }
            writes.hosts.extend(next);
            more(view, &mut writes);
            writes
        }));
        let entries = write.await?;
        Ok(if heard.try_recv().unwrap_or(false) { Saved::Done(entries) } else { Saved::Stale })
    }
}

/// Writes journal facts that share an actor, a time and a host.
#[derive(Debug, Clone)]
pub struct Pen {
    actor: Actor,
    at: Timestamp,
    host: Option<HostId>,
    mac: Option<Mac>,
    build: Option<BuildId>,
    session: Option<SessionId>,
}

impl Pen {
    /// A pen for facts without a host.
    pub const fn new(actor: Actor, at: Timestamp) -> Self {
        Self { actor, at, host: None, mac: None, build: None, session: None }
    }

    /// For facts of this host, its open or newest build and its newest session.
    #[must_use]
    pub fn of(mut self, host: &Host) -> Self {
        self.host = Some(host.id);
        self.build = host.build.as_ref().map(|build| build.id);
        self.session = host.session().map(|session| session.id);
        self
    }

    /// For facts of this address.
    #[must_use]
    pub const fn mac(mut self, mac: Mac) -> Self {
        self.mac = Some(mac);
        self
    }

    /// One fact.
    pub fn write(&self, what: What, text: impl Into<String>) -> Fact {
        Fact {
            at: self.at,
            actor: self.actor.clone(),
            host: self.host,
            mac: self.mac,
            build: self.build,
            session: self.session,
            what,
            text: text.into(),
        }
    }
}
