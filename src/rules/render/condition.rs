//! Conditions: one expression of the templates' language that is true or false.
//!
//! The same engine with the same limits as for documents, and stricter about names: [`Words`] says what there is, and asking for anything else is a
//! fault, also where a template could shrug it off, because a mistyped name would otherwise quietly mean "no".

use std::{collections::BTreeMap, fmt, sync::Arc, sync::LazyLock};

use minijinja::{
    Environment, Error, Expression, Value,
    value::{Enumerator, Object, Serde},
};
use serde_json::Value as Json;

use super::{engine, fault};
use crate::model::{Sources, TemplateFault};

/// The longest text of a condition, bytes.
pub const CONDITION_LIMIT_BYTES: usize = 4096;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

/// An expression, parsed.
pub struct Condition {
    label: String,
    text: String,
    expression: Expression<'static, 'static>,
}

/// What an expression may ask about: names and their values, closed.
#[derive(Debug, Clone)]
pub struct Words(Value);

impl Condition {
    /// Parses a text; `label` stands for its place in a fault.
    pub fn new(label: &str, text: &str) -> Result<Self, TemplateFault> {
        if text.len() > CONDITION_LIMIT_BYTES {
            return Err(fault::whole(label, "text-limit", format!("a condition has at most {CONDITION_LIMIT_BYTES} bytes"), "Make two rules of it."));
        }
        let parsed = ENGINE.compile_expression_owned(text.to_owned());
        let expression = parsed.map_err(|error| located(label, text, &error))?;
        Ok(Self { label: label.to_owned(), text: text.to_owned(), expression })
    }

    /// Whether it holds.
    pub fn holds(&self, words: &Words) -> Result<bool, TemplateFault> {
        match self.expression.eval(words.0.clone()) {
            Ok(value) if value.is_undefined() => Err(self.undefined(words)),
            Ok(value) => Ok(value.is_true()),
            Err(error) => {
                let fault = located(&self.label, &self.text, &error);
                Err(if fault.rule == "undefined" { self.undefined(words) } else { fault })
            }
        }
    }

    /// Names that it asks for, dotted, as the parser sees them.
    pub fn asks_for(&self) -> Vec<String> {
        let mut names: Vec<String> = self.expression.undeclared_variables(true).into_iter().collect();
        names.sort();
        names
    }

    /// The engine does not say which of several names had no value; the words do.
    fn undefined(&self, words: &Words) -> TemplateFault {
        let is_absent = |dotted: &String| {
            let end = dotted.split('.').try_fold(words.0.clone(), |value, name| value.get_attr(name));
            end.map_or(true, |value| value.is_undefined())
        };
        let name = self.asks_for().into_iter().find(is_absent).unwrap_or_else(|| self.text.trim().chars().take(80).collect());
        fault::whole(&self.label, "undefined", format!("`{name}` has no value here"), UNDEFINED)
    }

    /// Whether the engine has a function of that name.
    pub fn knows_function(name: &str) -> bool {
        ENGINE.globals().any(|(global, _)| global == name)
    }
}

const UNDEFINED: &str = "Correct the name, or ask first whether it is there: `facts.bmc and facts.bmc.firmware == …`.";

/// The engine's error under our label; it knows an expression by no name.
fn located(label: &str, text: &str, error: &Error) -> TemplateFault {
    TemplateFault { template: label.to_owned(), ..fault::locate(label, text, error, &Sources::new()) }
}

impl Words {
    /// The words of these names; every object inside is closed, too, but for `open` ones (dotted), whose names are anybody's.
    pub fn new<'a>(words: impl IntoIterator<Item = (&'a str, &'a Json)>, open: &[&str]) -> Self {
        // Functions are looked for behind the words, so the outermost names stay open to them.
        let words: BTreeMap<String, Value> = words.into_iter().map(|(name, json)| (name.to_owned(), closed(name, json, open))).collect();
        Self(Value::from(words))
    }
}

fn closed(path: &str, json: &Json, open: &[&str]) -> Value {
    match json {
        Json::Object(fields) if !open.contains(&path) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), closed(&format!("{path}.{name}"), value, open))).collect();
            Value::from_object(Closed { path: path.to_owned(), fields })
        }
        Json::Array(items) => Value::from(items.iter().map(|item| closed(&format!("{path}[]"), item, open)).collect::<Vec<_>>()),
        plain => Value::from(Serde(plain)),
    }
}

/// A map that complains about names which it does not have.
struct Closed {
    path: String,
    fields: BTreeMap<String, Value>,
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl Object for Closed {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        Some(self.fields.get(name).cloned().unwrap_or_else(|| Value::from(self.unknown(name))))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.fields.keys().map(|name| Value::from(name.as_str())).collect())
    }
}

impl Closed {
    fn unknown(&self, name: &str) -> Error {
        let has: Vec<&str> = self.fields.keys().map(String::as_str).collect();
        fault::complain("unknown-word", no_such_word(&self.path, name, &has), "Correct the name.")
    }
}

/// That there is no such name, and which there are.
pub fn no_such_word(path: &str, name: &str, has: &[&str]) -> String {
    let name: String = name.chars().take(60).collect();
    format!("{path} has no {name}; it has {}", has.join(", "))
}
