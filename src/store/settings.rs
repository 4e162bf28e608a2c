//! What operators set beside hosts: globals, networks, profiles, rules and the API's tokens, as one cheap snapshot.
//!
//! A snapshot is cloned to be changed and handed back whole; the store finds out what differs.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::model::{Name, Network, Params, Profile, Role, Rule, Timestamp, TokenHash};

/// A bearer token of the API; the secret itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its name, which the journal calls its bearer.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the secret.
    pub hash: TokenHash,
    /// When it was made.
    pub created: Timestamp,
}

/// Everything that is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Parameters of every host.
    #[serde(default)]
    pub globals: Params,
    /// Networks by name.
    #[serde(default)]
    pub networks: BTreeMap<Name, Arc<Network>>,
    /// Profiles by name.
    #[serde(default)]
    pub profiles: BTreeMap<Name, Arc<Profile>>,
    /// Rules by name.
    #[serde(default)]
    pub rules: BTreeMap<Name, Arc<Rule>>,
    /// Tokens by name.
    #[serde(default)]
    pub tokens: BTreeMap<Name, ApiToken>,
}

impl Settings {
    /// The network that an address is of.
    pub fn network_at(&self, address: Ipv4Addr) -> Option<&Arc<Network>> {
        self.networks.values().find(|network| network.subnet.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_the_network_whose_subnet_holds_it() {
        let network =
            |name: &str, subnet: &str| -> Arc<Network> { serde_json::from_value(serde_json::json!({"name": name, "subnet": subnet})).unwrap() };
        let all = [network("a", "10.77.0.0/25"), network("b", "10.77.0.128/25")];
        let settings = Settings { networks: all.map(|network| (network.name.clone(), network)).into(), ..Settings::default() };
        let name_at = |last| settings.network_at([10, 77, 0, last].into()).map(|network| network.name.to_string());
        assert_eq!((name_at(127).as_deref(), name_at(128).as_deref()), (Some("a"), Some("b")));
        assert_eq!(settings.network_at([10, 78, 0, 1].into()), None);
    }
}
