//! Templates as values: the text with where it came from, and what can be wrong with it.
//!
//! A template is named by its path below the templates folder (`kickstart/rhel.ks`); a site's file replaces the shipped one of
//! the same name. Rendering and checking are `rules::render` and `rules::lint`; reading the folder is `store::shelf`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Where a template came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "origin", content = "path")]
pub enum TemplateOrigin {
    /// Part of the program.
    Shipped,
    /// A file of the site's folder: its path as people read it.
    Site(String),
}

impl fmt::Display for TemplateOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("shipped"),
            Self::Site(path) => f.write_str(path),
        }
    }
}

/// One template's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The text, UTF-8.
    pub text: String,
    /// Where it came from.
    pub origin: TemplateOrigin,
}

/// A whole set of templates by name.
pub type Sources = BTreeMap<String, Source>;

/// What is wrong with a template, and where. Never carries the value of a variable: it is shown on consoles and in logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema)]
#[error("{template}:{line}:{column}: {message} ({rule}){}", spaced(.hint))]
pub struct TemplateFault {
    /// The template where it is wrong, also behind includes.
    pub template: String,
    /// The line, from 1; 0 when the whole template is meant.
    pub line: u32,
    /// The column in characters, from 1; 0 when the whole line is meant.
    pub column: u32,
    /// The rule's stable name (`syntax`, `undefined`, `missing-template` …).
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

fn spaced(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!(" {hint}") }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It may be meant so.
    Warning,
    /// It will not work.
    Error,
}

/// One finding of the linter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What and where.
    #[serde(flatten)]
    pub fault: TemplateFault,
}

impl From<TemplateFault> for Finding {
    fn from(fault: TemplateFault) -> Self {
        Self { severity: Severity::Error, fault }
    }
}
