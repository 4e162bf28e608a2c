//! A site file as it is applied: YAML or JSON to a site, the site to a plan.
//!
//! Promised: a mistake has a place and a sentence; the same document as JSON is the same site; applied once, the file has nothing to change.

use std::{collections::BTreeMap, sync::Arc};

use bootwright::{
    model::{Host, HostId, Name, Network, Params, Profile, Rule, Timestamp},
    rules::sitefile::{Current, Edit, Plan, plan, read},
};
use serde_json::Value;

use crate::feed::Feed;

/// What there is.
#[derive(Default)]
struct Present {
    globals: Params,
    networks: BTreeMap<Name, Arc<Network>>,
    profiles: BTreeMap<Name, Arc<Profile>>,
    rules: BTreeMap<Name, Arc<Rule>>,
    hosts: Vec<Arc<Host>>,
}

/// One input.
pub fn check(input: &[u8]) {
    let Some(text) = Feed::new(input).text() else { return };
    let strict = serde_saphyr::options! { strict_booleans: true };
    // The command reads a file so; what it sends is JSON.
    let _ = serde_saphyr::from_str_with_options::<Value>(text, strict).map_err(|wrong| wrong.without_snippet().to_string());
    let Ok(document) = serde_saphyr::from_str::<Value>(text).map_err(|wrong| wrong.to_string()) else { return };
    let site = read(document.clone());
    let sent: Value = serde_json::from_str(&document.to_string()).expect("what was written can be read");
    assert_eq!(sent, document);
    let site = match site {
        Ok(site) => site,
        Err(wrong) => return assert!(!wrong.is_empty() && wrong.iter().all(|one| !one.path.is_empty() && !one.text.is_empty())),
    };
    let mut present = Present::default();
    match plan(&site, &present.as_it_is()) {
        Err(wrong) => assert!(!wrong.is_empty() && wrong.iter().all(|one| !one.path.is_empty() && !one.text.is_empty())),
        Ok(todo) => {
            present.becomes(&todo);
            let again = plan(&site, &present.as_it_is()).expect("what could be applied can be applied again");
            assert_eq!((again.differences, again.edits), (Vec::new(), Vec::new()), "there is still something to change");
        }
    }
}

impl Present {
    fn as_it_is(&self) -> Current<'_> {
        Current { globals: &self.globals, networks: &self.networks, profiles: &self.profiles, rules: &self.rules, hosts: &self.hosts }
    }

    /// From nothing, a plan only brings things.
    fn becomes(&mut self, plan: &Plan) {
        for edit in &plan.edits {
            match edit {
                Edit::Globals(params) => self.globals = params.clone(),
                Edit::Network(network) => drop(self.networks.insert(network.name.clone(), network.clone())),
                Edit::Profile(profile) => drop(self.profiles.insert(profile.name.clone(), profile.clone())),
                Edit::Rule(rule) => drop(self.rules.insert(rule.name.clone(), rule.clone())),
                Edit::NewHost(name, described) => {
                    let id = HostId(uuid::Uuid::from_u128(1 + self.hosts.len() as u128));
                    let mut host = Host::new(id, name.clone(), Vec::new(), Timestamp::UNIX_EPOCH);
                    described.apply_to(&mut host);
                    self.hosts.push(Arc::new(host));
                }
                Edit::NoNetwork(_) | Edit::NoProfile(_) | Edit::NoRule(_) | Edit::Host(..) | Edit::NoHost(_) => panic!("there was nothing: {edit:?}"),
            }
        }
    }
}
