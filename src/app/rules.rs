//! The dry run of rules: what they would give to hosts as they are registered now. Nothing is changed.
//!
//! A rule that is not kept yet is tried in place of the one of its name, among all the others, because only there is its turn.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{House, Refusal, Told, hosts::HostFilter};
use crate::{
    model::{Host, HostName, Lifecycle, Rule, Timestamp},
    rules::{
        assign::{Rules, Trial},
        sitefile::{self, Current, Site},
    },
};

/// What the rules come to for one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HostTrial {
    /// Its name.
    pub host: HostName,
    /// Its lifecycle's word.
    pub lifecycle: String,
    /// When its facts were collected.
    #[schema(value_type = String)]
    pub facts_at: Option<Timestamp>,
    /// Why rules would not be asked for it now, whatever they say; absent: they would be, when it registers again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unasked: Option<String>,
    /// What they come to.
    #[serde(flatten)]
    pub trial: Trial,
}

impl House {
    /// The kept rules, with this one among them; a rule that could not be kept is refused.
    pub fn rules_with(&self, rule: Option<Rule>) -> Told<Rules> {
        let settings = self.store.settings()?;
        let mut rules = settings.rules.clone();
        if let Some(rule) = rule {
            let site = Site { rules: vec![rule.clone()], ..Site::default() };
            let (networks, profiles) = (&settings.networks, &settings.profiles);
            let current = Current { globals: &settings.globals, networks, profiles, rules: &settings.rules, hosts: &[] };
            sitefile::plan(&site, &current).map_err(Refusal::Site)?;
            rules.insert(rule.name.clone(), Arc::new(rule));
        }
        Ok(Rules::new(rules.into_values()))
    }

    /// The hosts that rules can be tried on: this one, or every one that has facts.
    pub fn registered_hosts(&self, key: Option<&str>) -> Told<Vec<Arc<Host>>> {
        let Some(key) = key else {
            return Ok(self.list(&HostFilter::default())?.into_iter().filter(|host| host.facts.is_some()).collect());
        };
        let host = self.find(key)?;
        if host.facts.is_none() {
            let text = format!("{} has no facts yet; register it first", host.name);
            return Err(Refusal::Invalid { field: "host".into(), text }.into());
        }
        Ok(vec![host])
    }
}

/// What the rules come to for a registered host.
pub fn tried(rules: &Rules, host: &Host) -> HostTrial {
    let mut copy = host.clone();
    let trial = host.facts.as_deref().map(|facts| rules.assign(&mut copy, facts)).unwrap_or_default();
    let unasked = match host.lifecycle {
        Lifecycle::Used | Lifecycle::UsedRegistering | Lifecycle::Provisioning => Some("it is in use; rules give nothing to such a host".to_owned()),
        _ => None,
    };
    HostTrial { host: host.name.clone(), lifecycle: host.lifecycle.word().to_owned(), facts_at: host.facts_at, unasked, trial }
}
