//! A rule gives a host its profile, parameters and tags by what registration found.
//!
//! The condition is a Jinja expression over `facts` and `host`, judged by `rules::assign` when facts arrive. A rule never overwrites what
//! somebody set: it fills what is empty.

use serde::{Deserialize, Serialize};

use super::{Name, Params};

/// One rule; they are judged in the order of `order`, then of their names, and the first that has an answer gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name.
    pub name: Name,
    /// Its turn; the lowest first.
    #[serde(default)]
    pub order: i32,
    /// A Jinja expression, for example `facts.system.vendor == "Dell Inc." and facts.disks|length >= 2`.
    pub when: String,
    /// The profile of a host that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
    /// Parameters that the host does not have.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, super::Param>)]
    pub params: Params,
    /// Tags to add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}
