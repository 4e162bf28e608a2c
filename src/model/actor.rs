//! Who did something: an operator, the machine itself, or the server's own clock.
//!
//! Every journal entry names one, and the rules ask it for its role.

use serde::{Deserialize, Serialize};

use super::{Mac, Name};

/// What a bearer of a token may do; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything but secrets.
    Viewer,
    /// Changes hosts and starts builds.
    Operator,
    /// Changes tokens, sees secrets, waives wipes.
    Admin,
}

/// The cause of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "who")]
pub enum Actor {
    /// A person or program with a token of this name and role.
    Operator {
        /// The token's name.
        #[schema(value_type = String)]
        name: Name,
        /// The token's role.
        role: Role,
    },
    /// The machine, by packets or requests; `proven` if it showed the token of its open build or session.
    Host {
        /// The address it spoke from, where known.
        #[schema(value_type = Option<String>)]
        #[serde(skip_serializing_if = "Option::is_none", default)]
        mac: Option<Mac>,
        /// Whether a token was shown.
        proven: bool,
    },
    /// Time passed.
    Server,
}

impl Actor {
    /// Whether this is an operator of at least `role`.
    pub fn is_at_least(&self, role: Role) -> bool {
        matches!(self, Self::Operator { role: mine, .. } if *mine >= role)
    }
}
