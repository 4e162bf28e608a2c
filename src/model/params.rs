//! Parameters: named values that templates use, set at four levels and inherited.
//!
//! A plain value is shown to everybody; `{secret: value}` is redacted in previews, explanations and the journal.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Value, value::RawValue};

/// What stands in the place of a secret value.
pub const HIDDEN: &str = "(secret)";

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

    /// The value as people may see it.
    pub fn shown(&self) -> Value {
        match self {
            Self::Secret(_) => Value::from(HIDDEN),
            Self::Plain(value) => value.clone(),
        }
    }

    /// Whether it must be redacted.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

/// For people, one line: JSON, or the place of a secret.
impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_) => f.write_str(HIDDEN),
            Self::Plain(value) => value.fmt(f),
        }
    }
}

/// A host's own parameters as the JSON text that is stored, shared by all copies of the host.
///
/// Ten thousand machines with a few kilobytes each lie in memory and are copied with every step, and hardly a step looks at a parameter. As a tree
/// of values they would take ten times the memory, and a copy a hundred allocations.
#[derive(Clone, Default)]
pub struct PackedParams(Option<Arc<RawValue>>);

impl PackedParams {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// As one JSON object.
    pub fn json(&self) -> &str {
        self.0.as_deref().map_or("{}", RawValue::get)
    }

    /// By name.
    pub fn unpack(&self) -> Params {
        serde_json::from_str(self.json()).expect("it was written from parameters")
    }

    /// Changes them.
    pub fn change(&mut self, change: impl FnOnce(&mut Params)) {
        let mut params = self.unpack();
        change(&mut params);
        *self = Self::from(&params);
    }
}

impl From<&Params> for PackedParams {
    fn from(params: &Params) -> Self {
        let text = || serde_json::value::to_raw_value(params).expect("its keys are texts and its values JSON");
        Self((!params.is_empty()).then(|| Arc::from(text())))
    }
}

/// Names are sorted, so the same parameters are the same text.
impl PartialEq for PackedParams {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one.get() == other.get(),
            (one, other) => one.is_none() == other.is_none(),
        }
    }
}

impl fmt::Debug for PackedParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json())
    }
}

impl Serialize for PackedParams {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(text) => text.serialize(to),
            None => Params::new().serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for PackedParams {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self::from(&Params::deserialize(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_parameters_are_the_same_json() {
        let json = r#"{"a":{"b":[1,2.5,null]},"z":{"secret":"x"}}"#;
        let packed: PackedParams = serde_json::from_str(&format!(" {json} ")).unwrap();
        assert_eq!(packed.json(), json);
        assert_eq!(serde_json::to_string(&packed).unwrap(), json);
        assert_eq!(serde_json::to_value(&packed).unwrap(), serde_json::from_str::<Value>(json).unwrap());
        assert!(packed.unpack()["z"].is_secret());
        assert_eq!(PackedParams::from(&packed.unpack()), packed);
    }

    #[test]
    fn no_parameters_are_an_empty_object() {
        let mut packed = PackedParams::default();
        assert_eq!((packed.is_empty(), packed.json(), serde_json::to_string(&packed).unwrap()), (true, "{}", "{}".to_owned()));
        packed.change(|params| drop(params.insert("a".into(), Param::Plain(Value::from(1)))));
        assert_eq!((packed.is_empty(), packed.json()), (false, r#"{"a":1}"#));
        packed.change(Params::clear);
        assert_eq!(packed, PackedParams::default());
    }

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
