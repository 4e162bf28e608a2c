//! Parameters: named values that templates use, set at four levels and inherited.
//!
//! A plain value is shown to everybody; `{secret: value}` is redacted in previews, explanations and the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

/// Parameters of one level, by name.
pub type Params = BTreeMap<String, Param>;

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
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

impl<'de> Deserialize<'de> for Param {
    /// What looks like a secret and is not written like one is refused: taken for a plain value it would be shown to everybody.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(mut fields) if fields.contains_key("secret") => match (fields.remove("secret"), fields.is_empty()) {
                (Some(secret), true) => Ok(Self::Secret(Secret { secret })),
                _ => Err(D::Error::custom("a secret parameter is written {secret: VALUE}, with nothing beside `secret`")),
            },
            plain if holds_secret(&plain) => {
                Err(D::Error::custom("a secret is a whole parameter, {secret: VALUE}; inside another value it would be shown"))
            }
            plain => Ok(Self::Plain(plain)),
        }
    }
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => (fields.len() == 1 && fields.contains_key("secret")) || fields.values().any(holds_secret),
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<bool>) {
        let read = serde_json::from_str::<Param>(json);
        assert_eq!(read.as_ref().ok().map(Param::is_secret), expected, "{json}: {read:?}");
    }

    #[test]
    fn a_secret_is_written_one_way_and_what_resembles_it_is_refused() {
        check(r#"{"secret": "x"}"#, Some(true));
        check(r#"{"secret": ["x", {"y": 1}]}"#, Some(true));
        check(r#""plain""#, Some(false));
        check(r#"{"user": "x", "groups": []}"#, Some(false));
        check(r#"{"secret": "x", "more": 1}"#, None);
        check(r#"{"db": {"password": {"secret": "x"}}}"#, None);
        check(r#"[{"secret": "x"}]"#, None);
    }
}
