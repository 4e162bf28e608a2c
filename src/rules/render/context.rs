//! What templates see: names and their values, made the engine's once for all that is rendered from them.
//!
//! A script is rendered twice, first its kernel arguments, from the same host and its hundreds of values. Each layer is put over the ones before.

use std::collections::BTreeMap;

use minijinja::{Value, value::Serde};
use serde_json::Value as Json;

/// Names and their values.
#[derive(Debug, Clone, Default)]
pub struct Context(BTreeMap<String, Value>);

impl Context {
    /// Puts a name there, in the place of what had it.
    pub fn put(&mut self, name: &str, value: &Json) {
        self.0.insert(name.to_owned(), Value::from(Serde(value)));
    }

    /// The same with an object of these members.
    pub fn put_object<'a>(&mut self, name: &str, members: impl Iterator<Item = (&'a str, &'a Json)>) {
        let members: BTreeMap<String, Value> = members.map(|(name, value)| (name.to_owned(), Value::from(Serde(value)))).collect();
        self.0.insert(name.to_owned(), Value::from(members));
    }

    /// Puts all members of an object there.
    pub fn lay(&mut self, words: &Json) {
        for (name, value) in words.as_object().into_iter().flatten() {
            self.put(name, value);
        }
    }

    /// The text of that name; nothing if it is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn root(self) -> Value {
        Value::from(self.0)
    }
}

/// The members of an object; anything else has none.
impl From<&Json> for Context {
    fn from(object: &Json) -> Self {
        let mut context = Self::default();
        context.lay(object);
        context
    }
}

impl From<&Self> for Context {
    fn from(context: &Self) -> Self {
        context.clone()
    }
}
