//! The site file: globals, networks, profiles and hosts in one document, and what applying it would change.
//!
//! A network or profile in the file is the whole of it. Of a host only the fields that are written count: what registration or an
//! operator found out stays, and `null` clears. Nothing is deleted because the file is silent about it, unless `prune: true`. The
//! verdict is all or nothing: with one mistake nothing changes, and every mistake is named by its path (`hosts[3].macs[0]`).
//! YAML is read by the caller; here a document is JSON already.

mod check;
mod diff;

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::model::{DiskBoot, Host, HostId, HostName, Lifecycle, Mac, Name, Network, Params, Profile, SmbiosUuid};

/// A mistake in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Invalid {
    /// Where: `hosts[3].macs[0]`.
    pub path: String,
    /// What is wrong there, one sentence.
    pub text: String,
}

impl Invalid {
    fn new(path: impl Into<String>, text: impl fmt::Display) -> Self {
        Self { path: path.into(), text: text.to_string() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// A host as the file has it: what is not written is `None` and stays as it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteHost {
    /// Its name, which finds it.
    pub name: HostName,
    /// Its cards.
    #[serde(default)]
    pub macs: Option<Vec<Mac>>,
    /// Its board.
    #[serde(default, deserialize_with = "written")]
    pub uuid: Option<Option<SmbiosUuid>>,
    /// Its serial number.
    #[serde(default, deserialize_with = "written")]
    pub serial: Option<Option<String>>,
    /// Its network.
    #[serde(default, deserialize_with = "written")]
    pub network: Option<Option<Name>>,
    /// Its profile.
    #[serde(default, deserialize_with = "written")]
    pub profile: Option<Option<Name>>,
    /// Its reserved address.
    #[serde(default, deserialize_with = "written")]
    pub address: Option<Option<Ipv4Addr>>,
    /// Its loader.
    #[serde(default, deserialize_with = "written")]
    pub loader: Option<Option<Name>>,
    /// How it starts from its disk.
    #[serde(default, deserialize_with = "written")]
    pub disk_boot: Option<Option<DiskBoot>>,
    /// Its parameters, all of them.
    #[serde(default)]
    pub params: Option<Params>,
    /// Its tags, all of them.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
}

/// `null` is `Some(None)`: written, and empty.
fn written<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl SiteHost {
    /// Writes what the file says into a host, new or recorded. Its name stays.
    pub fn apply_to(&self, host: &mut Host) {
        fn set<T: Clone>(field: &mut T, written: &Option<T>) {
            if let Some(value) = written {
                field.clone_from(value);
            }
        }
        set(&mut host.macs, &self.macs);
        set(&mut host.uuid, &self.uuid);
        set(&mut host.serial, &self.serial);
        set(&mut host.network, &self.network);
        set(&mut host.profile, &self.profile);
        set(&mut host.address, &self.address);
        set(&mut host.loader, &self.loader);
        set(&mut host.disk_boot, &self.disk_boot);
        set(&mut host.params, &self.params);
        set(&mut host.tags, &self.tags);
    }
}

/// A whole document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Site {
    /// Parameters of every host, if the file has them.
    pub globals: Option<Params>,
    /// Networks, in the file's order.
    pub networks: Vec<Network>,
    /// Profiles.
    pub profiles: Vec<Profile>,
    /// Hosts.
    pub hosts: Vec<SiteHost>,
    /// Whether what is not named is deleted.
    pub prune: bool,
}

/// What there is now.
#[derive(Debug, Clone, Copy)]
pub struct Current<'a> {
    /// Parameters of every host.
    pub globals: &'a Params,
    /// Networks.
    pub networks: &'a BTreeMap<Name, Arc<Network>>,
    /// Profiles.
    pub profiles: &'a BTreeMap<Name, Arc<Profile>>,
    /// Hosts.
    pub hosts: &'a [Arc<Host>],
}

/// What kind of thing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    /// The global parameters.
    Globals,
    /// A network.
    Network,
    /// A profile.
    Profile,
    /// A host.
    Host,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Create,
    /// Some of its fields change.
    Change,
    /// It goes (`prune`).
    Delete,
}

/// One field before and after; secrets are replaced by a word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Field {
    /// Which: `subnet`, `params.timezone`.
    pub path: String,
    /// What it was; `null` if it was not there.
    pub before: Value,
    /// What it becomes; `null` if it goes.
    pub after: Value,
}

/// One line of the dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Difference {
    /// What kind of thing.
    pub noun: Noun,
    /// Its name; `globals` for those.
    pub name: String,
    /// What happens to it.
    pub change: Change,
    /// Its fields that change.
    pub fields: Vec<Field>,
}

/// What the caller writes; hosts that come into being get their record from `rules::lifecycle::created`.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// The global parameters.
    Globals(Params),
    /// A network, new or changed.
    Network(Arc<Network>),
    /// A network goes.
    NoNetwork(Name),
    /// A profile, new or changed.
    Profile(Arc<Profile>),
    /// A profile goes.
    NoProfile(Name),
    /// A host is recorded.
    NewHost(SiteHost),
    /// A host changes; apply [`SiteHost::apply_to`].
    Host(HostId, SiteHost),
    /// A host's record goes.
    NoHost(HostId),
}

/// What applying the file does: the same list for people and for the writer, in the order networks, profiles, hosts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// For people.
    pub differences: Vec<Difference>,
    /// For the writer.
    pub edits: Vec<Edit>,
}

/// Reads a document; every element with a mistake is named, each by its first mistake.
pub fn read(document: Value) -> Result<Site, Vec<Invalid>> {
    let Value::Object(sections) = document else {
        return Err(vec![Invalid::new("(document)", "a site file is a mapping with globals, networks, profiles and hosts")]);
    };
    let (mut site, mut wrong) = (Site::default(), Vec::new());
    for (key, value) in sections {
        match key.as_str() {
            // An empty section in YAML is null.
            "globals" | "networks" | "profiles" | "hosts" if value.is_null() => {}
            "globals" => site.globals = one("globals".to_owned(), value, &mut wrong),
            "networks" => site.networks = list("networks", value, &mut wrong),
            "profiles" => site.profiles = list("profiles", value, &mut wrong),
            "hosts" => site.hosts = list("hosts", value, &mut wrong),
            "prune" => site.prune = one("prune".to_owned(), value, &mut wrong).unwrap_or(false),
            other => wrong.push(Invalid::new(other, "unknown section; there are globals, networks, profiles, hosts and prune")),
        }
    }
    if wrong.is_empty() { Ok(site) } else { Err(wrong) }
}

fn list<T: DeserializeOwned>(section: &str, value: Value, wrong: &mut Vec<Invalid>) -> Vec<T> {
    let Value::Array(items) = value else {
        wrong.push(Invalid::new(section, "must be a list"));
        return Vec::new();
    };
    items.into_iter().enumerate().filter_map(|(index, item)| one(format!("{section}[{index}]"), item, wrong)).collect()
}

fn one<T: DeserializeOwned>(path: String, value: Value, wrong: &mut Vec<Invalid>) -> Option<T> {
    match serde_path_to_error::deserialize(value) {
        Ok(thing) => Some(thing),
        Err(error) => {
            let inside = error.path().to_string();
            let path = if inside == "." { path } else { format!("{path}.{inside}") };
            wrong.push(Invalid::new(path, error.into_inner()));
            None
        }
    }
}

/// What the site will be: everything that is there or named, with the file's path where the file names it.
struct After {
    networks: BTreeMap<Name, (Arc<Network>, Option<usize>)>,
    profiles: BTreeMap<Name, Arc<Profile>>,
    hosts: Vec<(Host, Option<usize>)>,
}

/// What applying the file would do, or every reason why it cannot be applied.
pub fn plan(site: &Site, now: &Current<'_>) -> Result<Plan, Vec<Invalid>> {
    let after = after(site, now);
    let mut wrong = check::names(site);
    wrong.extend(check::networks(site, &after));
    wrong.extend(check::profiles(site, &after));
    wrong.extend(check::hosts(site, &after));
    wrong.extend(check::pruned(site, now, &after));
    if wrong.is_empty() { Ok(diff::plan(site, now)) } else { Err(wrong) }
}

fn after(site: &Site, now: &Current<'_>) -> After {
    let keeps = !site.prune;
    let mut after = After { networks: BTreeMap::new(), profiles: BTreeMap::new(), hosts: Vec::new() };
    if keeps {
        after.networks.extend(now.networks.iter().map(|(name, network)| (name.clone(), (network.clone(), None))));
        after.profiles.extend(now.profiles.iter().map(|(name, profile)| (name.clone(), profile.clone())));
    }
    for (index, network) in site.networks.iter().enumerate() {
        after.networks.insert(network.name.clone(), (Arc::new(network.clone()), Some(index)));
    }
    after.profiles.extend(site.profiles.iter().map(|profile| (profile.name.clone(), Arc::new(profile.clone()))));
    let unnamed = now.hosts.iter().filter(|host| keeps && !site.hosts.iter().any(|one| one.name == host.name));
    after.hosts.extend(unnamed.map(|host| (Host::clone(host), None)));
    for (index, wanted) in site.hosts.iter().enumerate() {
        let recorded = now.hosts.iter().find(|host| host.name == wanted.name);
        // Only compared, never written: the writer makes the record with its own identity and time.
        let mut host = recorded.map_or_else(|| blank(&wanted.name), |host| Host::clone(host));
        wanted.apply_to(&mut host);
        after.hosts.push((host, Some(index)));
    }
    after
}

fn blank(name: &HostName) -> Host {
    Host::new(HostId(uuid::Uuid::nil()), name.clone(), Vec::new(), crate::model::Timestamp::UNIX_EPOCH)
}

/// Whether a host may go by a line that is not written: nobody uses it and nothing runs on it.
fn may_go(host: &Host) -> bool {
    matches!(host.lifecycle, Lifecycle::New | Lifecycle::Unavailable | Lifecycle::Available | Lifecycle::Decommissioned { .. })
        && !host.holds.lock
        && host.open_build().is_none()
}

#[cfg(test)]
mod tests;
