//! A problem document (RFC 9457) as people read it: what happened, each finding or mistake on its line, and what to do next.
//!
//! Unknown members are ignored, missing ones left out, so that an older client understands a newer daemon.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::model::TemplateFault;

/// What the daemon said instead of what was hoped for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// The stable word.
    pub code: String,
    /// What to do next.
    pub hint: String,
    /// Of the preflight.
    pub findings: Vec<Found>,
    /// Of a site file.
    pub mistakes: Vec<Mistake>,
    /// Of a template set that was not taken.
    pub templates: Vec<TemplateFault>,
    /// The whole document, for programs.
    #[serde(skip)]
    pub document: String,
}

/// One finding of the preflight.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Found {
    /// The stable word.
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: String,
    /// Whether `--force` goes on in spite of it.
    pub overridable: bool,
}

/// One mistake in a site file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Mistake {
    /// `hosts[3].macs[0]`.
    pub path: String,
    /// What is wrong there.
    pub text: String,
}

impl Problem {
    /// Reads a document; `None` if it is not one.
    pub fn read(document: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(document).ok()?;
        value.get("detail").or_else(|| value.get("title"))?;
        let problem: Self = serde_json::from_value(value).ok()?;
        Some(Self { document: document.to_owned(), ..problem })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let force = if self.overridable && self.severity == "error" { " (--force goes on)" } else { "" };
        write!(f, "{}: {} [{}]{force}", self.severity, self.text, self.code)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n    {}", self.hint) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = if self.detail.is_empty() { &self.title } else { &self.detail };
        // The preflight and the site file repeat what they found in one long sentence; a list reads better.
        let said = if self.findings.is_empty() && self.mistakes.is_empty() { said } else { said.split(": ").next().unwrap_or(said) };
        write!(f, "{said}")?;
        if !self.code.is_empty() {
            write!(f, " [{}]", self.code)?;
        }
        for found in &self.findings {
            write!(f, "\n  {found}")?;
        }
        for Mistake { path, text } in &self.mistakes {
            write!(f, "\n  {path}: {text}")?;
        }
        for fault in &self.templates {
            let TemplateFault { template, line, column, rule, message, hint } = fault;
            write!(f, "\n  {template}:{line}:{column}: {message} ({rule})")?;
            if !hint.is_empty() {
                write!(f, "\n    {hint}")?;
            }
        }
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n  {}", for_people(&self.hint)) }
    }
}

/// The API's hints name its routes and members; at a prompt the commands are meant.
fn for_people(hint: &str) -> String {
    const SAID: [(&str, &str); 18] = [
        ("GET /api/v1/hosts/{host}/wipe-plan", "`bootwright host wipe-plan HOST`"),
        ("GET /api/v1/hosts/{host}/certificates", "`bootwright host certificates HOST`"),
        ("`plan_hash`", "--plan"),
        ("GET /api/v1/hosts/{host}/builds", "`bootwright build list HOST`"),
        ("GET /api/v1/hosts", "`bootwright host list`"),
        ("GET /api/v1/networks", "`bootwright network list`"),
        ("GET /api/v1/profiles", "`bootwright profile list`"),
        ("GET /api/v1/templates", "`bootwright template list`"),
        ("GET /api/v1/artifacts", "`bootwright artifact list`"),
        ("GET /api/v1/tokens", "`bootwright token list`"),
        ("`confirm` = the host's name", "--confirm and the host's name"),
        ("a `reason`", "--reason"),
        ("`force: true`", "--force"),
        ("`findings` says", "is listed above"),
        ("send `Authorization: Bearer TOKEN`", "name a valid one with --token-file, BOOTWRIGHT_TOKEN_FILE or BOOTWRIGHT_TOKEN"),
        ("the templates that `templates` names", "what is listed above"),
        ("what `mistakes` names and send it again", "what is listed above and apply the file again"),
        ("`detail`", "the first line"),
    ];
    SAID.iter().fold(hint.to_owned(), |hint, (api, cli)| hint.replace(api, cli))
}
