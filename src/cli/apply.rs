//! `bootwright apply`: one YAML file of globals, networks, profiles, rules and hosts, checked here, applied there as a whole.
//!
//! What is wrong with the file is told with file, line and column before anything is sent; what the daemon finds wrong is put at the same
//! places. The difference is a list: `+` is created, `~` changes with its fields, `-` goes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::{
    Client, Console, Done, Fault, Remote,
    problem::{Mistake, Problem},
};
use crate::rules::sitefile::{self, Change, Difference, Noun};

/// Make networks, profiles, rules and hosts as a file says
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: bootwright apply -f site.yaml --dry-run")]
pub struct Apply {
    /// The site file, YAML or JSON; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Applied {
    Told { differences: Vec<Difference> },
    Bare(Vec<Difference>),
}

impl Apply {
    /// Reads, checks, sends, prints.
    pub fn run(self, remote: &Remote, console: &mut Console<'_>) -> Done {
        let text = self.text()?;
        let site = SiteFile::read(&self.file, &text)?;
        let client = Client::new(remote)?;
        let path = if self.dry_run { "/api/v1/apply?dry_run=true" } else { "/api/v1/apply" };
        let reply = client.post(path, &site.document).map_err(|fault| site.placed(fault))?;
        if console.json(&reply)? {
            return Ok(());
        }
        let (Applied::Told { differences } | Applied::Bare(differences)) = reply.read()?;
        differences.iter().flat_map(lines).try_for_each(|line| console.line(line))?;
        console.line(self.summary(&differences))
    }

    fn text(&self) -> Result<String, Fault> {
        if self.file == Path::new("-") {
            return std::io::read_to_string(std::io::stdin()).map_err(Fault::file("standard input"));
        }
        fs::read_to_string(&self.file).map_err(Fault::file(&self.file))
    }

    fn summary(&self, differences: &[Difference]) -> String {
        let count = |change| differences.iter().filter(|one| one.change == change).count();
        let (new, changed, gone) = (count(Change::Create), count(Change::Change), count(Change::Delete));
        match (differences.is_empty(), self.dry_run) {
            (true, _) => "nothing to change: the site is as the file says".to_owned(),
            (false, true) => format!("would create {new}, change {changed}, delete {gone}; nothing was changed (dry run)"),
            (false, false) => format!("created {new}, changed {changed}, deleted {gone}"),
        }
    }
}

/// A document and where its parts stand in the file.
struct SiteFile<'a> {
    path: &'a Path,
    document: Value,
    /// Line and column of `networks`, `hosts[3]` ….
    places: BTreeMap<String, (u64, u64)>,
}

impl<'a> SiteFile<'a> {
    fn read(path: &'a Path, text: &str) -> Result<Self, Fault> {
        let options = serde_saphyr::options! { strict_booleans: true };
        let document: Value = serde_saphyr::from_str_with_options(text, options).map_err(|wrong| {
            let at = wrong.location().map_or_else(String::new, |at| format!(":{}:{}", at.line(), at.column()));
            let said = wrong.without_snippet().to_string();
            Fault::no(format_args!("{}{at}: {}\n  nothing was sent", path.display(), said.trim_end()))
        })?;
        let site = Self { path, document, places: places(text) };
        match sitefile::read(site.document.clone()) {
            Ok(_) => Ok(site),
            Err(wrong) => {
                let lines: Vec<String> = wrong.into_iter().map(|one| site.place(&Mistake { path: one.path, text: one.text })).collect();
                Err(Fault::no(format_args!("{}\n  nothing was sent", lines.join("\n"))))
            }
        }
    }

    /// `site.yaml:12:5: hosts[3].macs[0]: what is wrong`.
    fn place(&self, mistake: &Mistake) -> String {
        let inside = |key: &&String| mistake.path.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let at = self.places.keys().filter(inside).max_by_key(|key| key.len()).map(|key| self.places[key]);
        let at = at.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        format!("{}{at}: {}: {}", self.path.display(), mistake.path, mistake.text)
    }

    /// The daemon's mistakes, each at its place in the file.
    fn placed(&self, fault: Fault) -> Fault {
        let Fault::Problem(problem) = fault else { return fault };
        let mut problem = Problem::clone(&problem);
        for mistake in &mut problem.mistakes {
            let said = self.place(mistake);
            if let Some((place, _)) = said.split_once(": ") {
                mistake.path = format!("{place}: {}", mistake.path);
            }
        }
        Fault::Problem(Box::new(problem))
    }
}

/// Where each section and each element of a section begins; nothing for a file of another shape.
fn places(text: &str) -> BTreeMap<String, (u64, u64)> {
    // Spelt out: an enum that tries shapes would read the values into a buffer, and lose where they stood.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Lists {
        networks: Vec<Spanned<IgnoredAny>>,
        profiles: Vec<Spanned<IgnoredAny>>,
        rules: Vec<Spanned<IgnoredAny>>,
        hosts: Vec<Spanned<IgnoredAny>>,
    }
    let at = |place: serde_saphyr::Location| (place.line(), place.column());
    let sections: BTreeMap<String, Spanned<IgnoredAny>> = serde_saphyr::from_str(text).unwrap_or_default();
    let mut places: BTreeMap<String, (u64, u64)> = sections.into_iter().map(|(name, section)| (name, at(section.referenced))).collect();
    let lists: Lists = serde_saphyr::from_str(text).unwrap_or_default();
    for (name, items) in [("networks", lists.networks), ("profiles", lists.profiles), ("rules", lists.rules), ("hosts", lists.hosts)] {
        places.extend(items.iter().enumerate().map(|(index, item)| (format!("{name}[{index}]"), at(item.referenced))));
    }
    places
}

fn lines(difference: &Difference) -> Vec<String> {
    let noun = match difference.noun {
        Noun::Globals => "globals".to_owned(),
        Noun::Network => format!("network {}", difference.name),
        Noun::Profile => format!("profile {}", difference.name),
        Noun::Rule => format!("rule {}", difference.name),
        Noun::Host => format!("host {}", difference.name),
    };
    match difference.change {
        Change::Create => vec![format!("+ {noun}")],
        Change::Delete => vec![format!("- {noun}")],
        Change::Change => {
            let field = |field: &sitefile::Field| format!("    {}: {} → {}", field.path, value(&field.before), value(&field.after));
            std::iter::once(format!("~ {noun}")).chain(difference.fields.iter().map(field)).collect()
        }
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
