//! The linter: what is wrong with templates before a machine finds out, and with a document before an installer does.
//!
//! The same checks serve the command line, the API, the reload and the preflight of a build. They are native and always on; they run
//! no other program, and their findings never quote a value of a document, which may be a secret.

mod autoinstall;
mod context;
mod family;
mod ipxe;
mod kickstart;
mod nearest;
mod preseed;
mod source;

use crate::{
    model::{Finding, Severity, Sources, TemplateFault},
    rules::render::Catalog,
};

pub use context::{CONTEXT, IPXE_CONTEXT, sample};
pub use family::Family;

/// Everything about a set of sources: whether it parses; the texts; and, for each document, its rendering for a sample host without
/// parameters, as far as it renders without them. Sorted by template and line.
pub fn set(sources: Sources) -> Vec<Finding> {
    match Catalog::new(sources) {
        Err(faults) => faults.into_iter().map(Finding::from).collect(),
        Ok(catalog) => catalog_findings(&catalog),
    }
}

/// As [`set`], for a set that is already parsed.
pub fn catalog_findings(catalog: &Catalog) -> Vec<Finding> {
    let mut findings: Vec<Finding> = catalog.names().flat_map(|name| template(catalog, name)).collect();
    findings.sort_by(|a, b| place(a).cmp(&place(b)));
    findings.dedup();
    findings
}

fn place(finding: &Finding) -> (&str, u32, u32, &str) {
    (&finding.fault.template, finding.fault.line, finding.fault.column, &finding.fault.rule)
}

/// One template of a set: its text, and its rendering for the sample host if it is a document of a known family.
pub fn template(catalog: &Catalog, name: &str) -> Vec<Finding> {
    let mut findings = source::check(catalog, name);
    if name.starts_with("snippets/") || Family::by_name(name).is_none() || !findings.is_empty() {
        return findings;
    }
    match catalog.render(name, &sample()) {
        Ok(text) => findings.extend(document(name, &text)),
        // Without the site's parameters these are no surprise; the preview for a real host tells.
        Err(fault) if matches!(fault.rule.as_str(), "undefined" | "fail") => {}
        Err(fault) => findings.push(fault.into()),
    }
    findings
}

/// A rendered document, by the family that its template's name and its first line show. Lines are those of the document.
pub fn document(name: &str, text: &str) -> Vec<Finding> {
    match Family::of(name, text) {
        Some(Family::Ipxe) => ipxe::check(name, text),
        Some(Family::Kickstart) => kickstart::check(name, text),
        Some(Family::Preseed) => preseed::check(name, text),
        Some(Family::CloudConfig) => autoinstall::check(name, text),
        Some(Family::Yaml) => family::yaml(name, text).err().into_iter().collect(),
        Some(Family::Json) => family::json(name, text).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A finding at a line of a document.
fn finding(severity: Severity, name: &str, line: usize, rule: &str, message: impl Into<String>, hint: impl Into<String>) -> Finding {
    let fault = TemplateFault {
        template: name.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: 0,
        rule: rule.to_owned(),
        message: message.into(),
        hint: hint.into(),
    };
    Finding { severity, fault }
}

/// Whether a text holds the URL of that callback.
fn calls(text: &str, verb: &str) -> bool {
    text.match_indices("/cb/").any(|(at, _)| {
        let url = text[at + 4..].split(|c: char| c.is_whitespace() || "\"'|;<>)".contains(c)).next().unwrap_or_default();
        url.split_once('/').is_some_and(|(_, rest)| rest == verb || rest.is_empty())
    })
}

/// What a document without `built` or `failed` gets.
fn callbacks(name: &str, built: bool, failed: Option<bool>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !built {
        findings.push(finding(
            Severity::Error,
            name,
            0,
            "no-built-callback",
            "no hook reports `built`: the build would never end and the host would install again",
            "Include snippets/curl.sh or snippets/wget.sh with verb = \"built\" as the last step.",
        ));
    }
    if failed == Some(false) {
        findings.push(finding(
            Severity::Warning,
            name,
            0,
            "no-failed-callback",
            "no hook reports `failed`: only a deadline would tell",
            "Include snippets/curl.sh with verb = \"failed\" in the family's error hook.",
        ));
    }
    findings
}

fn plain_password(name: &str, line: usize) -> Finding {
    let hint = "Store a hash (`openssl passwd -6`), and mark the parameter {secret: …}.";
    finding(Severity::Warning, name, line, "plain-password", "a password stands here in plain text", hint)
}

#[cfg(test)]
mod tests;
