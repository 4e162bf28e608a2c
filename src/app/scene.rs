//! A scene: a host with everything that belongs to it (network, effective profile, parameters), and the words that templates see.
//!
//! Loaded once at the beginning of a story; the rules decide on it and templates are rendered from it. Nothing here changes anything.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use serde_json::{Value, json};

use super::{House, Told};
use crate::{
    model::{Build, HIDDEN, Host, Network, SessionId, Timestamp, Token},
    rules::{
        inherit::{self, Effective, Origin},
        render::Context,
    },
    store::Settings,
};

/// A host and its surroundings at one moment.
pub struct Scene {
    /// The host as it was read.
    pub host: Arc<Host>,
    /// The network that it is installed on, or that its packets come from.
    pub network: Option<Arc<Network>>,
    /// What its open build installs, or what a build would install; `None`: no profile is named.
    pub profile: Option<Arc<Result<Effective, inherit::Why>>>,
    /// The base URL of the boot listener, as the host reaches it, without a slash at the end.
    pub url: String,
    /// Our address as the host reaches it.
    pub server: Ipv4Addr,
    /// The settings it was made from.
    pub settings: Arc<Settings>,
    /// When.
    pub now: Timestamp,
}

/// Whether secrets may be read in what is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// The machine itself, or an admin who asked.
    Shown,
    /// Everybody else.
    Hidden,
}

/// The token and session that stand in a document's URLs.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// The build's token; a preview has none.
    pub token: Option<&'a Token>,
    /// The boot session.
    pub session: Option<SessionId>,
}

impl Pass<'_> {
    /// `TOKEN.SESSION`, `TOKEN`, or the placeholder of a preview.
    fn segment(self) -> String {
        let token = self.token.map_or("TOKEN", Token::reveal);
        self.session.map_or_else(|| token.to_owned(), |session| format!("{token}.{session}"))
    }
}

impl House {
    /// The surroundings of `host`, which talks to our address `server` from `peer` (both where known).
    pub fn scene(&self, host: Arc<Host>, server: Option<Ipv4Addr>, peer: Option<Ipv4Addr>) -> Told<Scene> {
        let settings = self.store.settings()?;
        let by_name = host.network.as_ref().and_then(|name| settings.networks.get(name));
        let by_peer = || peer.and_then(|peer| settings.network_at(peer));
        let network = by_name.or_else(by_peer).cloned();
        let named = host.open_build().map(|build| build.profile.clone()).or_else(|| host.profile.clone());
        let named = named.or_else(|| network.as_ref().and_then(|network| network.profile.clone()));
        let profile = named.map(|name| Arc::new(inherit::profile(&name, &settings.profiles)));
        let server = network.as_ref().and_then(|network| network.server).or(server).unwrap_or(Ipv4Addr::LOCALHOST);
        Ok(Scene { url: self.config.boot_url(server), server, host, network, profile, settings, now: self.now() })
    }
}

impl Scene {
    /// The effective profile, if there is a sound one.
    pub fn effective(&self) -> Option<&Effective> {
        self.profile.as_deref().and_then(|profile| profile.as_ref().ok())
    }

    /// Every parameter with its origin.
    pub fn params(&self) -> BTreeMap<String, Origin> {
        inherit::params(&self.settings.globals, self.network.as_deref(), self.effective(), Some(&self.host))
    }

    /// The same surroundings around another state of the host.
    #[must_use]
    pub fn with(&self, host: Arc<Host>) -> Self {
        Self {
            host,
            network: self.network.clone(),
            profile: self.profile.clone(),
            url: self.url.clone(),
            server: self.server,
            settings: self.settings.clone(),
            now: self.now,
        }
    }

    /// What templates see (templates/README.md has the table).
    pub fn context(&self, pass: Pass<'_>, secrets: Secrets) -> Context {
        let segment = pass.segment();
        let mut context = Context::from(&json!({
            "host": self.host_words(),
            "network": self.network_words(),
            "profile": { "name": self.effective().map(|profile| &profile.name) },
            "build": self.host.build.as_ref().map(build_words),
            "server": { "url": self.url, "address": self.server, "version": env!("CARGO_PKG_VERSION") },
            "session": pass.session,
            "documents": format!("{}/t/{segment}", self.url),
            "callback": format!("{}/cb/{segment}", self.url),
            "artifacts": format!("{}/artifact", self.url),
            "state": self.host.lifecycle.word(),
            "stage": self.host.build.as_ref().map_or("none", |build| build.stage.word()),
            "time": self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }));
        let (own, hidden) = (self.host.params.unpack(), Value::from(HIDDEN));
        let values = inherit::values(&self.settings.globals, self.network.as_deref(), self.effective(), &own);
        let shown = |(value, secret)| if secret && secrets == Secrets::Hidden { &hidden } else { value };
        context.put_object("params", values.into_iter().map(|(name, value)| (name, shown(value))));
        context
    }

    fn host_words(&self) -> Value {
        let host = &*self.host;
        let domain = host.name.domain().or_else(|| self.network.as_ref().and_then(|network| network.domain.as_deref()));
        let label = host.name.label();
        json!({
            "name": host.name,
            "label": label,
            "domain": domain,
            "fqdn": domain.map_or_else(|| label.to_owned(), |domain| format!("{label}.{domain}")),
            "mac": host.macs.first(),
            "macs": host.macs,
            "uuid": host.uuid,
            "serial": host.serial,
            "address": host.address,
        })
    }

    fn network_words(&self) -> Value {
        let Some(network) = self.network.as_deref() else { return json!({}) };
        json!({
            "name": network.name,
            "subnet": network.subnet,
            "netmask": network.subnet.netmask(),
            "prefix": network.subnet.prefix_len(),
            "gateway": network.gateway,
            "dns": network.dns,
            "domain": network.domain,
            "ntp": network.ntp,
        })
    }
}

fn build_words(build: &Build) -> Value {
    json!({ "id": build.id, "kind": build.kind, "attempt": build.loops.count + 1 })
}
