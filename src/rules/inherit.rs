//! Inheritance: what a profile is once its ancestors have spoken, and which value a parameter has and from where.
//!
//! A profile's field that is left out is its parent's; documents and deadlines are joined key by key. Parameters run global →
//! network → profile chain (oldest ancestor first) → host, and a nearer level replaces a farther one whole: values are not mixed.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{ArtifactRef, Deadlines, DiskBoot, HIDDEN, Host, LoopPolicy, Name, Network, Params, Profile, Stage};

/// How many profiles one chain may have; deeper is a mistake, not a design.
pub const DEPTH: usize = 16;

/// The token's life where no profile says otherwise: 6 h.
pub const TOKEN_SECS: u64 = 6 * 3600;

/// Why there is no effective profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The profile asked for does not exist.
    #[error("there is no profile {0}")]
    Unknown(Name),
    /// A parent does not exist.
    #[error("profile {child} extends {parent}, which does not exist")]
    NoParent {
        /// Who names it.
        child: Name,
        /// What it names.
        parent: Name,
    },
    /// A profile is its own ancestor.
    #[error("profiles extend each other in a ring: {}", .0.iter().map(|name| name.as_ref()).collect::<Vec<&str>>().join(" → "))]
    Ring(Vec<Name>),
    /// The chain is longer than [`DEPTH`].
    #[error("profile {0} has more than {DEPTH} ancestors")]
    TooDeep(Name),
}

impl Why {
    /// The stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "profile_unknown",
            Self::NoParent { .. } => "profile_parent_unknown",
            Self::Ring(_) => "profile_ring",
            Self::TooDeep(_) => "profile_too_deep",
        }
    }
}

/// A profile with everything it inherits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effective {
    /// Its name.
    pub name: Name,
    /// Itself and its ancestors, the oldest first.
    pub chain: Vec<Name>,
    /// The kernel.
    pub kernel: Option<ArtifactRef>,
    /// The initrds, in order.
    pub initrds: Vec<ArtifactRef>,
    /// Kernel arguments, a template text.
    pub args: Option<String>,
    /// Document name → template.
    pub documents: BTreeMap<String, String>,
    /// Other artifacts the installer fetches.
    pub needs: Vec<ArtifactRef>,
    /// Boots that are no loop, from 1.
    pub expected_boots: u32,
    /// What a loop leads to.
    pub loop_policy: LoopPolicy,
    /// Deadlines by stage.
    pub deadlines: BTreeMap<Stage, Deadlines>,
    /// How the host starts from its disk, if any profile says so.
    pub disk_boot: Option<DiskBoot>,
    /// Seconds that a build's token opens documents.
    pub token_secs: u64,
    /// The profiles of the chain themselves, the oldest first: each is a level of parameters.
    #[serde(skip)]
    pub levels: Vec<Arc<Profile>>,
}

impl Effective {
    /// Kernel and initrds as artifact paths: what must arrive before an installer runs.
    pub fn boot_files(&self) -> Vec<String> {
        self.kernel.iter().chain(&self.initrds).map(ToString::to_string).collect()
    }
}

/// The profile `name` with everything it inherits.
pub fn profile(name: &Name, all: &BTreeMap<Name, Arc<Profile>>) -> Result<Effective, Why> {
    let mut chain: Vec<&Arc<Profile>> = vec![all.get(name).ok_or_else(|| Why::Unknown(name.clone()))?];
    while let Some(child) = chain.last().copied()
        && let Some(parent) = &child.extends
    {
        if let Some(start) = chain.iter().position(|seen| seen.name == *parent) {
            return Err(Why::Ring(chain[start..].iter().map(|one| one.name.clone()).chain([parent.clone()]).collect()));
        }
        if chain.len() > DEPTH {
            return Err(Why::TooDeep(name.clone()));
        }
        chain.push(all.get(parent).ok_or_else(|| Why::NoParent { child: child.name.clone(), parent: parent.clone() })?);
    }
    chain.reverse();
    Ok(join(name, &chain))
}

fn join(name: &Name, chain: &[&Arc<Profile>]) -> Effective {
    let nearest = || chain.iter().rev();
    Effective {
        name: name.clone(),
        chain: chain.iter().map(|one| one.name.clone()).collect(),
        kernel: nearest().find_map(|one| one.kernel.clone()),
        initrds: nearest().map(|one| &one.initrds).find(|list| !list.is_empty()).cloned().unwrap_or_default(),
        args: nearest().find_map(|one| one.args.clone()),
        documents: chain.iter().flat_map(|one| one.documents.clone()).collect(),
        needs: nearest().map(|one| &one.needs).find(|list| !list.is_empty()).cloned().unwrap_or_default(),
        expected_boots: nearest().find_map(|one| one.expected_boots).unwrap_or(1).max(1),
        loop_policy: nearest().find_map(|one| one.loop_policy).unwrap_or_default(),
        deadlines: chain.iter().flat_map(|one| one.deadlines.clone()).collect(),
        disk_boot: nearest().find_map(|one| one.disk_boot),
        token_secs: nearest().find_map(|one| one.token_secs).unwrap_or(TOKEN_SECS),
        levels: chain.iter().map(|&one| Arc::clone(one)).collect(),
    }
}

/// A value that a nearer level replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Shadowed {
    /// The level.
    pub from: String,
    /// Its value; [`redacted`] hides it from people if `secret`.
    pub value: Value,
    /// Whether it must be redacted.
    pub secret: bool,
}

/// A parameter's value and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Origin {
    /// The value that templates see.
    pub value: Value,
    /// Whether it must be redacted. Once secret at any level, secret: the nearer value is most likely another password.
    pub secret: bool,
    /// The level that set it: `global`, `network lab`, `profile debian-12`, `host n1`.
    pub from: String,
    /// What it replaced, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<Shadowed>,
}

/// The levels that parameters come from, the farthest first, each with its kind and name.
fn levels<'a>(
    global: &'a Params,
    network: Option<&'a Network>,
    profile: Option<&'a Effective>,
) -> impl Iterator<Item = (&'static str, &'a str, &'a Params)> {
    let network = network.map(|network| ("network ", network.name.as_ref(), &network.params));
    let profiles = profile.into_iter().flat_map(|profile| &profile.levels).map(|level| ("profile ", level.name.as_ref(), &level.params));
    [("global", "", global)].into_iter().chain(network).chain(profiles)
}

/// Every parameter of a host with its origin.
pub fn params(global: &Params, network: Option<&Network>, profile: Option<&Effective>, host: Option<&Host>) -> BTreeMap<String, Origin> {
    let mut all = BTreeMap::new();
    for (kind, name, params) in levels(global, network, profile) {
        lay(&mut all, &format!("{kind}{name}"), params);
    }
    if let Some(host) = host {
        lay(&mut all, &format!("host {}", host.name), &host.params.unpack());
    }
    all
}

/// What templates see under `params`, by name: the value of the nearest level, `own` being the host's, and whether any level calls it secret.
pub fn values<'a>(
    global: &'a Params,
    network: Option<&'a Network>,
    profile: Option<&'a Effective>,
    own: &'a Params,
) -> BTreeMap<&'a str, (&'a Value, bool)> {
    let mut all = BTreeMap::new();
    for (name, param) in levels(global, network, profile).map(|(.., params)| params).chain([own]).flatten() {
        let secret = all.get(name.as_str()).is_some_and(|&(_, secret)| secret) || param.is_secret();
        all.insert(name.as_str(), (param.value(), secret));
    }
    all
}

fn lay(all: &mut BTreeMap<String, Origin>, from: &str, params: &Params) {
    for (key, param) in params {
        let mut next = Origin { value: param.value().clone(), secret: param.is_secret(), from: from.to_owned(), shadows: Vec::new() };
        if let Some(below) = all.remove(key) {
            next.secret |= below.secret;
            next.shadows.push(Shadowed { from: below.from, value: below.value, secret: below.secret });
            next.shadows.extend(below.shadows);
        }
        all.insert(key.clone(), next);
    }
}

/// The same origins with every secret value replaced, for people.
pub fn redacted(all: &BTreeMap<String, Origin>) -> BTreeMap<String, Origin> {
    let hide = |secret: bool, value: &Value| if secret { Value::from(HIDDEN) } else { value.clone() };
    let shadow = |one: &Shadowed| Shadowed { value: hide(one.secret, &one.value), ..one.clone() };
    let show = |one: &Origin| Origin { value: hide(one.secret, &one.value), shadows: one.shadows.iter().map(shadow).collect(), ..one.clone() };
    all.iter().map(|(key, origin)| (key.clone(), show(origin))).collect()
}

#[cfg(test)]
mod tests;
