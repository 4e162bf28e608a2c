//! The site file: globals, networks, profiles, rules and hosts in one document, and what applying it would change.
//!
//! A network, profile or rule in the file is the whole of it. Of a host only the fields that are written count: what registration or an
//! operator found out stays, and `null` clears. Nothing is deleted because the file is silent about it, unless `prune: true`. The
//! verdict is all or nothing: with one mistake nothing changes, and every mistake is named by its path (`hosts[3].macs[0]`).
//! YAML is read by the caller; here a document is JSON already.

mod check;
mod diff;

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::model::{DiskBoot, Host, HostId, HostName, Mac, Name, Network, PackedParams, Params, Profile, Rule, SmbiosUuid, Timestamp};

/// A mistake in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Invalid {
    /// Where: `hosts[3].macs[0]`.
    pub path: String,
    /// What is wrong there, one sentence.
    pub text: String,
    /// What kind of mistake, for who asked about one thing only.
    #[serde(skip)]
    #[schema(ignore)]
    pub mistake: Mistake,
}

/// Kinds of mistakes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mistake {
    /// It cannot be meant so.
    #[default]
    Wrong,
    /// It names something that does not exist.
    Unknown {
        /// `network`, `profile`.
        noun: &'static str,
        /// The name.
        name: String,
    },
    /// It belongs to somebody else.
    Taken {
        /// `the MAC address` …
        noun: &'static str,
        /// Which.
        name: String,
        /// Whose it is.
        by: String,
    },
}

impl Invalid {
    fn new(path: impl Into<String>, text: impl fmt::Display) -> Self {
        Self { path: path.into(), text: text.to_string(), mistake: Mistake::Wrong }
    }

    fn unknown(path: String, noun: &'static str, name: &Name) -> Self {
        Self { path, text: format!("there is no {noun} {name}"), mistake: Mistake::Unknown { noun, name: name.to_string() } }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// Which record a described host is laid over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// The one of its name; a new one if there is none.
    #[default]
    Name,
    /// None: it must be new.
    Nothing,
    /// This one, whatever its name; only so does a name change.
    Record(HostId),
}

/// A host as a file or an operator describes it: what is not written stays as it is, and `null` clears.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteHost {
    /// Its record.
    #[serde(skip)]
    #[schema(ignore)]
    pub over: Over,
    /// Its name, which finds it; needed for a new host.
    #[serde(default)]
    pub name: Option<HostName>,
    /// Its cards' addresses, all of them; at least one for a new host.
    #[serde(default)]
    pub macs: Option<Vec<Mac>>,
    /// Its board.
    #[serde(default, deserialize_with = "written")]
    #[schema(value_type = Option<SmbiosUuid>)]
    pub uuid: Option<Option<SmbiosUuid>>,
    /// Its serial number.
    #[serde(default, deserialize_with = "written")]
    #[schema(value_type = Option<String>)]
    pub serial: Option<Option<String>>,
    /// Its network.
    #[serde(default, deserialize_with = "written")]
    #[schema(value_type = Option<Name>)]
    pub network: Option<Option<Name>>,
    /// Its profile.
    #[serde(default, deserialize_with = "written")]
    #[schema(value_type = Option<Name>)]
    pub profile: Option<Option<Name>>,
    /// Its reserved address.
    #[serde(default, deserialize_with = "written")]
    #[schema(value_type = Option<String>)]
    pub address: Option<Option<Ipv4Addr>>,
    /// Its loader.
    #[serde(default, deserialize_with = "written")]
    #[schema(value_type = Option<Name>)]
    pub loader: Option<Option<Name>>,
    /// How it starts from its disk.
    #[serde(default, deserialize_with = "written")]
    #[schema(value_type = Option<DiskBoot>)]
    pub disk_boot: Option<Option<DiskBoot>>,
    /// Its parameters, all of them.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, crate::model::Param>>)]
    pub params: Option<Params>,
    /// Its tags, all of them.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
}

/// `null` is `Some(None)`: written, and empty.
fn written<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// A host of a document: its name finds it, so it has one.
#[derive(Deserialize)]
#[serde(try_from = "SiteHost")]
struct Named(SiteHost);

impl TryFrom<SiteHost> for Named {
    type Error = &'static str;
    fn try_from(host: SiteHost) -> Result<Self, &'static str> {
        if host.name.is_some() { Ok(Self(host)) } else { Err("missing field `name`, which finds a host") }
    }
}

impl SiteHost {
    fn is_over(&self, host: &Host) -> bool {
        match self.over {
            Over::Name => self.name.as_ref() == Some(&host.name),
            Over::Nothing => false,
            Over::Record(id) => host.id == id,
        }
    }

    /// The host as it is, if it is recorded, and as it will be. `None`: there is neither a record nor a name for a new one.
    fn laid<'a>(&self, hosts: &'a [Arc<Host>]) -> Option<(Option<&'a Arc<Host>>, Host)> {
        let recorded = hosts.iter().find(|host| self.is_over(host));
        let mut host = match (recorded, self.over, &self.name) {
            (Some(host), ..) => Host::clone(host),
            // Only compared, never written: the writer makes the record with its own identity and time.
            (None, Over::Name | Over::Nothing, Some(name)) => Host::new(HostId(uuid::Uuid::nil()), name.clone(), Vec::new(), Timestamp::UNIX_EPOCH),
            (None, Over::Record(_), _) | (None, _, None) => return None,
        };
        self.apply_to(&mut host);
        Some((recorded, host))
    }

    /// Writes what is described into a host, new or recorded.
    pub fn apply_to(&self, host: &mut Host) {
        fn set<T: Clone>(field: &mut T, written: &Option<T>) {
            if let Some(value) = written {
                field.clone_from(value);
            }
        }
        set(&mut host.name, &self.name);
        set(&mut host.macs, &self.macs);
        set(&mut host.uuid, &self.uuid);
        set(&mut host.serial, &self.serial);
        set(&mut host.network, &self.network);
        set(&mut host.profile, &self.profile);
        set(&mut host.address, &self.address);
        set(&mut host.loader, &self.loader);
        set(&mut host.disk_boot, &self.disk_boot);
        set(&mut host.params, &self.params.as_ref().map(PackedParams::from));
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
    /// Rules.
    pub rules: Vec<Rule>,
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
    /// Rules.
    pub rules: &'a BTreeMap<Name, Arc<Rule>>,
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
    /// A rule.
    Rule,
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
    /// A rule, new or changed.
    Rule(Arc<Rule>),
    /// A rule goes.
    NoRule(Name),
    /// A host is recorded by this name.
    NewHost(HostName, SiteHost),
    /// A host changes; apply [`SiteHost::apply_to`].
    Host(HostId, SiteHost),
    /// A host's record goes.
    NoHost(HostId),
}

/// What applying the file does: the same list for people and for the writer, in the order networks, profiles, rules, hosts.
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
        return Err(vec![Invalid::new(DOCUMENT, "a site file is a mapping with globals, networks, profiles, rules and hosts")]);
    };
    let (mut site, mut wrong) = (Site::default(), Vec::new());
    for (key, value) in sections {
        match key.as_str() {
            // An empty section in YAML is null.
            "globals" | "networks" | "profiles" | "rules" | "hosts" if value.is_null() => {}
            "globals" => site.globals = one("globals".to_owned(), value, &mut wrong),
            "networks" => site.networks = list("networks", value, &mut wrong),
            "profiles" => site.profiles = list("profiles", value, &mut wrong),
            "rules" => site.rules = list("rules", value, &mut wrong),
            "hosts" => site.hosts = list::<Named>("hosts", value, &mut wrong).into_iter().map(|host| host.0).collect(),
            "prune" => site.prune = one("prune".to_owned(), value, &mut wrong).unwrap_or(false),
            "" => wrong.push(Invalid::new(DOCUMENT, "a section without a name; there are globals, networks, profiles, rules, hosts and prune")),
            other => wrong.push(Invalid::new(other, "unknown section; there are globals, networks, profiles, rules, hosts and prune")),
        }
    }
    if wrong.is_empty() { Ok(site) } else { Err(wrong) }
}

/// The place of what is wrong with the whole.
const DOCUMENT: &str = "(document)";

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
    rules: BTreeMap<Name, Arc<Rule>>,
    hosts: Vec<(Arc<Host>, Option<usize>)>,
}

/// What applying the file would do, or every reason why it cannot be applied.
pub fn plan(site: &Site, now: &Current<'_>) -> Result<Plan, Vec<Invalid>> {
    let after = after(site, now);
    let mut wrong = check::names(site);
    wrong.extend(check::networks(site, now, &after));
    wrong.extend(check::profiles(site, &after));
    wrong.extend(check::rules(site, now, &after));
    wrong.extend(check::hosts(site, &after));
    wrong.extend(check::pruned(site, now, &after));
    if wrong.is_empty() { Ok(diff::plan(site, now)) } else { Err(wrong) }
}

fn after(site: &Site, now: &Current<'_>) -> After {
    let keeps = !site.prune;
    let mut after = After { networks: BTreeMap::new(), profiles: BTreeMap::new(), rules: BTreeMap::new(), hosts: Vec::new() };
    if keeps {
        after.networks.extend(now.networks.iter().map(|(name, network)| (name.clone(), (network.clone(), None))));
        after.profiles.extend(now.profiles.iter().map(|(name, profile)| (name.clone(), profile.clone())));
        after.rules.extend(now.rules.iter().map(|(name, rule)| (name.clone(), rule.clone())));
    }
    for (index, network) in site.networks.iter().enumerate() {
        after.networks.insert(network.name.clone(), (Arc::new(network.clone()), Some(index)));
    }
    after.profiles.extend(site.profiles.iter().map(|profile| (profile.name.clone(), Arc::new(profile.clone()))));
    after.rules.extend(site.rules.iter().map(|rule| (rule.name.clone(), Arc::new(rule.clone()))));
    let unnamed = now.hosts.iter().filter(|host| keeps && !site.hosts.iter().any(|one| one.is_over(host)));
    after.hosts.extend(unnamed.map(|host| (Arc::clone(host), None)));
    let named = site.hosts.iter().enumerate().filter_map(|(index, one)| Some((Arc::new(one.laid(now.hosts)?.1), Some(index))));
    after.hosts.extend(named);
    after
}

#[cfg(test)]
mod tests;
