//! What rules give to a host by what registration found: its profile, parameters and tags.
//!
//! ```text
//! rules in their order × facts and host  →  for each field the first rule that holds and names it
//! ```
//! Only what is empty is filled: what an operator, an import or an earlier registration has set stays. A condition that cannot be judged gives nothing and
//! is told; it never stops a registration. Who is asked (a host that nobody uses) is the story's to know.

mod words;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    model::{Facts, Host, Name, Param, Rule, TemplateFault},
    rules::render::condition::{self, Condition},
};

/// One field that a rule gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Given {
    /// `profile`, `params.NAME` or `tags`.
    pub field: String,
    /// What; a secret's place is taken by a word.
    pub value: Value,
    /// By which rule.
    pub rule: Name,
}

/// One field that a rule would give, and does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Kept {
    /// `profile`, `params.NAME` or `tags`.
    pub field: String,
    /// What it would give.
    pub value: Value,
    /// Which rule.
    pub rule: Name,
    /// Why not.
    pub why: String,
}

/// A rule whose condition could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Unjudged {
    /// Which.
    pub rule: Name,
    /// Why, one sentence.
    pub text: String,
}

/// What rules come to for one host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Trial {
    /// The rules that hold, in their order.
    pub holds: Vec<Name>,
    /// What they give.
    pub gives: Vec<Given>,
    /// What they would give and do not.
    pub keeps: Vec<Kept>,
    /// Rules that could not be judged.
    pub unjudged: Vec<Unjudged>,
}

/// A set of rules in their order, parsed.
pub struct Rules(Vec<(Arc<Rule>, Result<Condition, TemplateFault>)>);

/// What one rule has for one field.
#[derive(Clone, Copy)]
enum Gift<'a> {
    Profile(&'a Name),
    Param(&'a str, &'a Param),
    Tag(&'a str),
}

impl Gift<'_> {
    fn field(&self) -> String {
        match self {
            Self::Profile(_) => "profile".to_owned(),
            Self::Param(name, _) => format!("params.{name}"),
            Self::Tag(_) => "tags".to_owned(),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Profile(name) => Value::from(name.as_ref()),
            Self::Param(_, param) => param.shown(),
            Self::Tag(tag) => Value::from(*tag),
        }
    }

    /// Why the host does not need it, if so.
    fn kept(&self, host: &Host) -> Option<String> {
        match self {
            Self::Profile(_) => host.profile.as_ref().map(|set| format!("it has {set}")),
            Self::Param(name, _) => host.params.unpack().contains_key(*name).then(|| "it is set".to_owned()),
            Self::Tag(tag) => host.tags.iter().any(|has| has == tag).then(|| "it has it".to_owned()),
        }
    }

    fn give(&self, host: &mut Host) {
        match self {
            Self::Profile(name) => host.profile = Some((*name).clone()),
            Self::Param(name, param) => host.params.change(|params| drop(params.insert((*name).to_owned(), (*param).clone()))),
            Self::Tag(tag) => host.tags.push((*tag).to_owned()),
        }
    }
}

impl Rules {
    /// Parses rules and puts them in order.
    pub fn new(rules: impl IntoIterator<Item = Arc<Rule>>) -> Self {
        let mut rules: Vec<Arc<Rule>> = rules.into_iter().collect();
        rules.sort_by(|one, other| (one.order, &one.name).cmp(&(other.order, &other.name)));
        let parsed = rules.into_iter().map(|rule| (rule.clone(), Condition::new(&label(&rule), &rule.when)));
        Self(parsed.collect())
    }

    /// Gives `host` what the rules have for it, and says what they come to.
    pub fn assign(&self, host: &mut Host, facts: &Facts) -> Trial {
        let mut trial = Trial::default();
        if self.0.is_empty() {
            return trial;
        }
        let words = words::words(host, facts);
        let (before, mut given) = (host.clone(), Vec::<(String, Value, Name)>::new());
        for (rule, condition) in &self.0 {
            match condition.as_ref().map_err(Clone::clone).and_then(|condition| condition.holds(&words)) {
                Ok(true) => trial.holds.push(rule.name.clone()),
                Ok(false) => continue,
                Err(fault) => {
                    trial.unjudged.push(Unjudged { rule: rule.name.clone(), text: sentence(&fault) });
                    continue;
                }
            }
            for gift in gifts(rule) {
                let (field, value, rule) = (gift.field(), gift.value(), rule.name.clone());
                let earlier = given.iter().find(|(name, has, _)| *name == field && (field != "tags" || *has == value));
                let why = gift.kept(&before).or_else(|| earlier.map(|(_, _, rule)| format!("rule {rule} gives it")));
                match why {
                    Some(why) => trial.keeps.push(Kept { field, value, rule, why }),
                    None => {
                        gift.give(host);
                        given.push((field.clone(), value.clone(), rule.clone()));
                        trial.gives.push(Given { field, value, rule });
                    }
                }
            }
        }
        trial
    }
}

fn gifts(rule: &Rule) -> Vec<Gift<'_>> {
    let mut gifts: Vec<Gift<'_>> = rule.profile.iter().map(Gift::Profile).collect();
    gifts.extend(rule.params.iter().map(|(name, param)| Gift::Param(name, param)));
    gifts.extend(rule.tags.iter().map(|tag| Gift::Tag(tag)));
    gifts
}

fn label(rule: &Rule) -> String {
    format!("rule {}", rule.name)
}

fn sentence(fault: &TemplateFault) -> String {
    let hint = if fault.hint.is_empty() { String::new() } else { format!(" {}", fault.hint) };
    format!("{}: {}.{hint}", fault.template, fault.message.trim_end_matches('.'))
}

/// A mistake in a rule: which field, and one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `name`, `when`, `tags`, or nothing for the whole rule.
    pub field: &'static str,
    /// What is wrong.
    pub text: String,
}

/// What is wrong with a rule, whatever hosts there are. Whether its profile exists is the site's to know.
pub fn check(rule: &Rule) -> Vec<Mistake> {
    let mut wrong = Vec::new();
    if rule.name.as_ref() == "try" {
        wrong.push(Mistake { field: "name", text: "`try` is the word for a dry run; choose another name".to_owned() });
    }
    if rule.profile.is_none() && rule.params.is_empty() && rule.tags.is_empty() {
        wrong.push(Mistake { field: "", text: "it gives nothing: name a profile, params or tags".to_owned() });
    }
    if rule.tags.iter().any(|tag| tag.trim().is_empty()) {
        wrong.push(Mistake { field: "tags", text: "a tag is a word".to_owned() });
    }
    let judged = match Condition::new(&label(rule), &rule.when) {
        Ok(condition) => names(&condition).or_else(|| tried(&condition)),
        Err(fault) => Some(sentence(&fault)),
    };
    wrong.extend(judged.map(|text| Mistake { field: "when", text }));
    wrong
}

/// A name that no machine will ever have: found without trying, so also behind an `and` that a trial does not pass.
fn names(condition: &Condition) -> Option<String> {
    condition.asks_for().iter().find_map(|dotted| {
        let mut parts = dotted.split('.');
        let first = parts.next().unwrap_or_default();
        let Some(mut shape) = words::shape(first) else {
            return (!Condition::knows_function(first)).then(|| format!("there is no {first}; there are facts and host"));
        };
        let mut path = first.to_owned();
        for part in parts {
            let Value::Object(fields) = shape else { return None };
            if words::OPEN.contains(&path.as_str()) {
                return None;
            }
            let Some(next) = fields.get(part) else {
                return Some(condition::no_such_word(&path, part, &fields.keys().map(String::as_str).collect::<Vec<_>>()));
            };
            (shape, path) = (next, format!("{path}.{part}"));
        }
        None
    })
}

/// Tried on a machine that has everything and on one of which nothing is known: what is wrong with both is a mistake.
fn tried(condition: &Condition) -> Option<String> {
    const WRONG: [&str; 5] = ["unknown-word", "unknown-filter", "unknown-test", "unknown-function", "too-many-steps"];
    let samples = [words::of_everything(), words::of_nothing()];
    let fault = samples.iter().find_map(|words| condition.holds(words).err().filter(|fault| WRONG.contains(&fault.rule.as_str())));
    fault.map(|fault| sentence(&fault))
}

#[cfg(test)]
mod tests;
