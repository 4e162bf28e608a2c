//! What operators see of the nouns: the model itself, with what is derived from it, and without secrets for those who may not.
//!
//! A secret that was hidden reads `(secret)`; sent back, it is refused and never stored.

use serde::Serialize;
use serde_json::Value;

use super::{access::Caller, problem::Problem};
use crate::{
    model::{Build, Entry, HIDDEN, Host, Network, Param, Params, Profile, Rule, TokenHash, params::Secret},
    rules::{display, preflight::Finding},
};

/// A host with everything that is shown of it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct HostView {
    /// The record.
    #[serde(flatten)]
    pub host: Host,
    /// The state in one or two words, for people (Huawei BMS's naming).
    pub display_state: &'static str,
    /// The API status of an instance; null where there is none.
    pub api_status: Option<&'static str>,
    /// X.731 operational state.
    pub enabled: bool,
}

impl HostView {
    /// The host as this caller may see it.
    pub fn of(host: &Host, caller: &Caller) -> Self {
        let mut host = host.clone();
        if !host.params.is_empty() {
            host.params.change(|params| hide(params, caller));
        }
        host.build = host.build.map(build);
        if let Some(run) = host.live.as_mut() {
            run.token_hash = TokenHash(HIDDEN.into());
        }
        Self { display_state: display::display_state(&host), api_status: display::api_status(&host), enabled: host.operational.is_enabled(), host }
    }

    /// The same for a list: what only fills a page of its own (facts, the plan and the results of a wipe) is left out.
    pub fn brief(host: &Host, caller: &Caller) -> Self {
        let mut view = Self::of(host, caller);
        view.host.facts = None;
        if let Some(run) = view.host.live.as_mut() {
            run.plan = None;
            run.partial = None;
            run.results.clear();
        }
        view
    }
}

/// A build with its host.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct BuildView {
    /// The host's id.
    pub host: String,
    /// The host's name, if its record is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// The build.
    #[serde(flatten)]
    pub build: Build,
}

/// A build that was asked for, with what the preflight had to say.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct EnabledView {
    /// The build.
    #[serde(flatten)]
    pub build: BuildView,
    /// Warnings, and obstacles that were overridden.
    pub findings: Vec<Finding>,
}

/// A build after a wait.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct WaitedView {
    /// The build.
    #[serde(flatten)]
    pub build: BuildView,
    /// Whether what was waited for has come.
    pub reached: bool,
}

/// A build as it is shown: what its token hashes to is nobody's business.
pub fn build(mut build: Build) -> Build {
    build.token_hash = TokenHash(HIDDEN.into());
    build
}

/// A profile as this caller may see it.
pub fn profile(profile: &Profile, caller: &Caller) -> Profile {
    let mut profile = profile.clone();
    hide(&mut profile.params, caller);
    profile
}

/// A rule as this caller may see it.
pub fn rule(rule: &Rule, caller: &Caller) -> Rule {
    let mut rule = rule.clone();
    hide(&mut rule.params, caller);
    rule
}

/// A network as this caller may see it.
pub fn network(network: &Network, caller: &Caller) -> Network {
    let mut network = network.clone();
    hide(&mut network.params, caller);
    network
}

/// Parameters as this caller may see them.
pub fn params(params: &Params, caller: &Caller) -> Params {
    let mut params = params.clone();
    hide(&mut params, caller);
    params
}

/// A journal entry as this caller may see it: patches carry whole values and are for admins.
pub fn entry(mut entry: Entry, caller: &Caller) -> Entry {
    if !caller.sees_secrets() {
        entry.patch = None;
    }
    entry
}

fn hide(params: &mut Params, caller: &Caller) {
    if caller.sees_secrets() {
        return;
    }
    for param in params.values_mut().filter(|param| param.is_secret()) {
        *param = Param::Secret(Secret { secret: HIDDEN.into() });
    }
}

/// Refuses parameters that were read hidden and sent back.
pub fn no_hidden(params: &Params) -> Result<(), Problem> {
    match params.iter().find(|(_, param)| param.is_secret() && param.value() == HIDDEN) {
        None => Ok(()),
        Some((name, _)) => {
            let text =
                format!("the secret {name:?} was hidden when it was read and cannot be stored like that; send its value, or leave `params` out");
            Err(Problem::invalid("params", text))
        }
    }
}

/// The same for a whole document.
pub fn nothing_hidden(document: &Value) -> Result<(), Problem> {
    match document {
        Value::Object(fields) if fields.get("secret").is_some_and(|secret| secret == HIDDEN) => {
            let text = "a secret was hidden when it was read and cannot be stored like that; send its value";
            Err(Problem::invalid("secret", text))
        }
        Value::Object(fields) => fields.values().try_for_each(nothing_hidden),
        Value::Array(items) => items.iter().try_for_each(nothing_hidden),
        _ => Ok(()),
    }
}
