//! Hosts and settings in memory, found by every name they have in one step; and what a write sees of them.
//!
//! The store keeps one [`State`], the durable one that readers see. The writer lays an [`Overlay`] of changes that are not
//! yet durable over it: a [`View`] looks through both, so that the second change of a batch sees the first. When the batch is
//! on the disk the overlay is merged; when it is not, the overlay is dropped and nobody saw it.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
    sync::Arc,
};

use super::Settings;
use crate::model::{BuildId, Host, HostId, HostName, Mac, Session, SessionId, SmbiosUuid, TokenHash};

/// Hosts with their indexes, and settings.
#[derive(Debug, Default)]
pub(super) struct State {
    hosts: HashMap<HostId, Arc<Host>>,
    macs: HashMap<Mac, HostId>,
    uuids: HashMap<SmbiosUuid, HostId>,
    names: HashMap<HostName, HostId>,
    addresses: HashMap<Ipv4Addr, HostId>,
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
    Address(Ipv4Addr),
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
            Key::Address(address) => self.addresses.get(&address).copied(),
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

    /// Puts a host in place of its former self. Most changes leave most of its names alone, and readers wait meanwhile: only what differs moves.
    pub fn set(&mut self, host: Arc<Host>) {
        let id = host.id;
        let Some(old) = self.hosts.insert(id, Arc::clone(&host)) else { return self.index(&host, &Names::default()) };
        let (was, is) = (Names::of(&old), Names::of(&host));
        self.unindex(&was, &is, id);
        self.index(&host, &was);
    }

    /// Takes a host out. A key that another host took over meanwhile stays that one's.
    pub fn remove(&mut self, id: HostId) {
        if let Some(host) = self.hosts.remove(&id) {
            self.unindex(&Names::of(&host), &Names::default(), id);
        }
    }

    fn index(&mut self, host: &Host, was: &Names<'_>) {
        let (is, id) = (Names::of(host), host.id);
        self.macs.extend(is.macs.iter().filter(|mac| !was.macs.contains(mac)).map(|&mac| (mac, id)));
        self.sessions.extend(is.sessions.iter().filter(|one| !was.remembers(one.id)).map(|session| (session.id, id)));
        put(&mut self.uuids, is.uuid.as_ref(), was.uuid.as_ref(), id);
        put(&mut self.names, is.name, was.name, id);
        put(&mut self.addresses, is.address.as_ref(), was.address.as_ref(), id);
        put(&mut self.tokens, is.token, was.token, id);
        put(&mut self.builds, is.build.as_ref(), was.build.as_ref(), id);
        put(&mut self.lives, is.live, was.live, id);
    }

    fn unindex(&mut self, was: &Names<'_>, is: &Names<'_>, id: HostId) {
        was.macs.iter().filter(|mac| !is.macs.contains(mac)).for_each(|mac| forget(&mut self.macs, mac, id));
        was.sessions.iter().filter(|one| !is.remembers(one.id)).for_each(|session| forget(&mut self.sessions, &session.id, id));
        take(&mut self.uuids, was.uuid.as_ref(), is.uuid.as_ref(), id);
        take(&mut self.names, was.name, is.name, id);
        take(&mut self.addresses, was.address.as_ref(), is.address.as_ref(), id);
        take(&mut self.tokens, was.token, is.token, id);
        take(&mut self.builds, was.build.as_ref(), is.build.as_ref(), id);
        take(&mut self.lives, was.live, is.live, id);
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

/// Every name by which a host is found, beside its identity.
#[derive(Default)]
struct Names<'h> {
    macs: &'h [Mac],
    sessions: &'h [Session],
    uuid: Option<SmbiosUuid>,
    name: Option<&'h HostName>,
    address: Option<Ipv4Addr>,
    token: Option<&'h TokenHash>,
    build: Option<BuildId>,
    live: Option<&'h TokenHash>,
}

impl<'h> Names<'h> {
    fn of(host: &'h Host) -> Self {
        Self {
            macs: &host.macs,
            sessions: &host.sessions,
            uuid: host.uuid,
            name: Some(&host.name),
            address: host.address,
            token: host.build.as_ref().map(|build| &build.token_hash),
            build: host.build.as_ref().map(|build| build.id),
            live: host.live.as_ref().map(|run| &run.token_hash),
        }
    }

    fn remembers(&self, session: SessionId) -> bool {
        self.sessions.iter().any(|one| one.id == session)
    }
}

fn put<K: std::hash::Hash + Eq + Clone>(index: &mut HashMap<K, HostId>, is: Option<&K>, was: Option<&K>, id: HostId) {
    if let Some(key) = is.filter(|_| is != was) {
        index.insert(key.clone(), id);
    }
}

fn take<K: std::hash::Hash + Eq>(index: &mut HashMap<K, HostId>, was: Option<&K>, is: Option<&K>, id: HostId) {
    if let Some(key) = was.filter(|_| is != was) {
        forget(index, key, id);
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
