//! Hosts and settings in memory, found by every name they have in one step; and what a write sees of them.
//!
//! The store keeps one [`State`], the durable one that readers see. The writer lays an [`Overlay`] of changes that are not
//! yet durable over it: a [`View`] looks through both, so that the second change of a batch sees the first. When the batch is
//! on the disk the overlay is merged; when it is not, the overlay is dropped and nobody saw it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::Settings;
use crate::model::{BuildId, Host, HostId, HostName, Mac, SessionId, SmbiosUuid, TokenHash};

/// Hosts with their indexes, and settings.
#[derive(Debug, Default)]
pub(super) struct State {
    hosts: HashMap<HostId, Arc<Host>>,
    macs: HashMap<Mac, HostId>,
    uuids: HashMap<SmbiosUuid, HostId>,
    names: HashMap<HostName, HostId>,
    tokens: HashMap<TokenHash, HostId>,
    sessions: HashMap<SessionId, HostId>,
    builds: HashMap<BuildId, HostId>,
    lives: HashMap<TokenHash, HostId>,
    pub settings: Arc<Settings>,
}

/// One of the ways to find a host.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key<'k> {
    Id(HostId),
    Mac(Mac),
    Uuid(SmbiosUuid),
    Name(&'k str),
    Token(&'k TokenHash),
    Session(SessionId),
    Build(BuildId),
    Live(&'k TokenHash),
}

impl State {
    /// The host of that key.
    pub fn find(&self, key: Key<'_>) -> Option<&Arc<Host>> {
        let id = match key {
            Key::Id(id) => Some(id),
            Key::Mac(mac) => self.macs.get(&mac).copied(),
            Key::Uuid(uuid) => self.uuids.get(&uuid).copied(),
            Key::Name(name) => self.names.get(name).copied(),
            Key::Token(hash) => self.tokens.get(hash).copied(),
            Key::Session(session) => self.sessions.get(&session).copied(),
            Key::Build(build) => self.builds.get(&build).copied(),
            Key::Live(hash) => self.lives.get(hash).copied(),
        }?;
        self.hosts.get(&id)
    }

    /// All hosts, in the order of their birth.
    pub fn hosts(&self) -> Vec<Arc<Host>> {
        let mut hosts: Vec<_> = self.hosts.values().cloned().collect();
        hosts.sort_unstable_by_key(|host| host.id);
        hosts
    }

    /// Puts a host in place of its former self.
    pub fn set(&mut self, host: Arc<Host>) {
        self.remove(host.id);
        let id = host.id;
        self.macs.extend(host.macs.iter().map(|&mac| (mac, id)));
        self.uuids.extend(host.uuid.map(|uuid| (uuid, id)));
        self.names.insert(host.name.clone(), id);
        self.sessions.extend(host.sessions.iter().map(|session| (session.id, id)));
        if let Some(build) = &host.build {
            self.tokens.insert(build.token_hash.clone(), id);
            self.builds.insert(build.id, id);
        }
        self.lives.extend(host.live.as_ref().map(|run| (run.token_hash.clone(), id)));
        self.hosts.insert(id, host);
    }

    /// Takes a host out. A key that another host took over meanwhile stays that one's.
    pub fn remove(&mut self, id: HostId) {
        let Some(host) = self.hosts.remove(&id) else { return };
        for mac in &host.macs {
            forget(&mut self.macs, mac, id);
        }
        if let Some(uuid) = &host.uuid {
            forget(&mut self.uuids, uuid, id);
        }
        forget(&mut self.names, &host.name, id);
        for session in &host.sessions {
            forget(&mut self.sessions, &session.id, id);
        }
        if let Some(build) = &host.build {
            forget(&mut self.tokens, &build.token_hash, id);
            forget(&mut self.builds, &build.id, id);
        }
        if let Some(run) = &host.live {
            forget(&mut self.lives, &run.token_hash, id);
        }
    }

    /// Takes over what has become durable.
    pub fn merge(&mut self, overlay: Overlay) {
        for id in overlay.gone {
            self.remove(id);
        }
        for host in overlay.changed.hosts.into_values() {
            self.set(host);
        }
        if let Some(settings) = overlay.settings {
            self.settings = settings;
        }
    }
}

fn forget<K: std::hash::Hash + Eq>(index: &mut HashMap<K, HostId>, key: &K, id: HostId) {
    if index.get(key) == Some(&id) {
        index.remove(key);
    }
}

/// Changes that are not durable yet.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    changed: State,
    gone: HashSet<HostId>,
    settings: Option<Arc<Settings>>,
}

impl Overlay {
    /// A host was made or changed.
    pub fn set(&mut self, host: Arc<Host>) {
        self.gone.remove(&host.id);
        self.changed.set(host);
    }

    /// A host was deleted.
    pub fn remove(&mut self, id: HostId) {
        self.changed.remove(id);
        self.gone.insert(id);
    }

    /// Settings were changed.
    pub fn set_settings(&mut self, settings: Arc<Settings>) {
        self.settings = Some(settings);
    }

    fn hides(&self, id: HostId) -> bool {
        self.gone.contains(&id) || self.changed.hosts.contains_key(&id)
    }
}

/// What a write sees: everything that is durable and everything that this batch has done before it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    base: &'a State,
    overlay: &'a Overlay,
}

impl<'a> View<'a> {
    pub(super) fn new(base: &'a State, overlay: &'a Overlay) -> Self {
        Self { base, overlay }
    }

    fn find(&self, key: Key<'_>) -> Option<&'a Arc<Host>> {
        let changed = self.overlay.changed.find(key);
        changed.or_else(|| self.base.find(key).filter(|host| !self.overlay.hides(host.id)))
    }

    /// Settings as they are now.
    pub fn settings(&self) -> &'a Arc<Settings> {
        self.overlay.settings.as_ref().unwrap_or(&self.base.settings)
    }

    /// A host by its identity.
    pub fn host(&self, id: HostId) -> Option<&'a Arc<Host>> {
        self.find(Key::Id(id))
    }

    /// The host that has this card.
    pub fn by_mac(&self, mac: Mac) -> Option<&'a Arc<Host>> {
        self.find(Key::Mac(mac))
    }

    /// The host of this name.
    pub fn by_name(&self, name: &str) -> Option<&'a Arc<Host>> {
        self.find(Key::Name(name))
    }

    /// Every host, in no order.
    pub fn hosts(&self) -> impl Iterator<Item = &'a Arc<Host>> {
        let overlay = self.overlay;
        let untouched = self.base.hosts.values().filter(move |host| !overlay.hides(host.id));
        overlay.changed.hosts.values().chain(untouched)
    }
}
