//! What operators set beside hosts: globals, networks, profiles, rules and the API's tokens, as one cheap snapshot.
//!
//! A snapshot is cloned to be changed and handed back whole; the store finds out what differs.

use std::{collections::BTreeMap, sync::Arc};

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
