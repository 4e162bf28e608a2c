//! Parameters: named values that templates use, set at four levels and inherited.
//!
//! A plain value is shown to everybody; `{secret: value}` is redacted in previews, explanations and the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Parameters of one level, by name.
pub type Params = BTreeMap<String, Param>;

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Param {
    /// Written `{secret: …}`.
    Secret(Secret),
    /// Anything else that JSON can say.
    Plain(Value),
}

/// The wrapper that marks a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The value to keep from readers.
    pub secret: Value,
}

impl Param {
    /// The value itself, secret or not.
    pub fn value(&self) -> &Value {
        match self {
            Self::Secret(secret) => &secret.secret,
            Self::Plain(value) => value,
        }
    }

    /// Whether it must be redacted.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }
}
