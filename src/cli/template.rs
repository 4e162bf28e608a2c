//! `bootwright template`: the templates in use, what is wrong with them, and what a host would get.
//!
//! `lint PATH…` and `render` work without a daemon: the same parser, linter and engine, on files of this machine.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Client, Console, Done, Fault, Remote,
    client::{segment, segments, with_query},
    host,
    table::Table,
};
use crate::{
    model::{Finding, Severity, Source, Sources, TemplateOrigin},
    rules::{lint, render::Catalog},
    store::shelf::templates as shelf,
};

/// The commands on templates.
#[derive(Debug, clap::Subcommand)]
pub enum TemplateCommand {
    /// List the templates in use
    #[command(after_help = "Example: bootwright template list")]
    List,
    /// Show the text of a template in use
    #[command(after_help = "Example: bootwright template show kickstart/rhel.ks > mine.ks")]
    Show {
        /// Its name
        name: String,
    },
    /// Check templates: files and folders of this machine, or (without PATH) those that the daemon uses
    #[command(after_help = "Example: bootwright template lint /etc/bootwright/templates")]
    Lint {
        /// Folders as `paths.templates` has them, or single files
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Show a document as a host would get it; changes nothing
    #[command(after_help = "Example: bootwright template preview n1 preseed.cfg")]
    Preview {
        /// Name, id or MAC address
        host: String,
        /// The document's name, or boot.ipxe
        document: String,
        /// Show secrets (admin)
        #[arg(long)]
        reveal: bool,
    },
    /// Render a template with values from a file, without a daemon
    #[command(after_help = "Example: bootwright template render kickstart/rhel.ks --context values.json")]
    Render {
        /// The template's name
        name: String,
        /// The values, a JSON object; `-` reads standard input
        #[arg(long, value_name = "FILE")]
        context: PathBuf,
        /// A folder of site templates over the shipped ones
        #[arg(long, value_name = "DIR")]
        templates: Option<PathBuf>,
    },
    /// Make the daemon read its templates again
    #[command(after_help = "Example: bootwright template reload")]
    Reload,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    #[serde(flatten)]
    origin: TemplateOrigin,
    sha256: String,
    text: Option<String>,
}

impl TemplateCommand {
    /// Asks (or looks) and prints.
    pub fn run(self, remote: &Remote, console: &mut Console<'_>) -> Done {
        match self {
            Self::List => list(&Client::new(remote)?, console),
            Self::Show { name } => {
                let reply = Client::new(remote)?.get(&format!("/api/v1/templates/{}", segments(&name)))?;
                if console.json(&reply)? { Ok(()) } else { console.text(&reply.read::<Listed>()?.text.unwrap_or_default()) }
            }
            Self::Lint { paths } if paths.is_empty() => lint_in_use(&Client::new(remote)?, console),
            Self::Lint { paths } => lint_files(&paths, console),
            Self::Preview { host, document, reveal } => {
                let path = format!("{}/preview/{}", host::path(&host), segment(&document));
                let query: &[(&str, &str)] = if reveal { &[("reveal", "true")] } else { &[] };
                console.text(&Client::new(remote)?.get(&with_query(&path, query))?.text)
            }
            Self::Render { name, context, templates } => render(&name, &context, templates, console),
            Self::Reload => reload(&Client::new(remote)?, console),
        }
    }
}

fn list(client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.list("/api/v1/templates", &[])?;
    if console.json(&reply)? {
        return Ok(());
    }
    let mut table = Table::new(["NAME", "FROM", "SHA256"], console.is_terminal);
    for template in reply.items::<Listed>()? {
        table.row([template.name, template.origin.to_string(), template.sha256.chars().take(16).collect()]);
    }
    console.table(&table, "no templates")
}

fn reload(client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.post("/api/v1/templates/reload", &json!({}))?;
    if console.json(&reply)? {
        return Ok(());
    }
    let told: Value = reply.read()?;
    let mut nothing = true;
    for (field, mark) in [("added", '+'), ("altered", '~'), ("removed", '-')] {
        for name in told.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            nothing = false;
            console.line(format_args!("{mark} {name}"))?;
        }
    }
    if nothing { console.line("nothing changed") } else { Ok(()) }
}

fn lint_in_use(client: &Client, console: &mut Console<'_>) -> Done {
    #[derive(Deserialize)]
    struct Linted {
        findings: Vec<Finding>,
    }
    let reply = client.post("/api/v1/templates/lint", &json!({}))?;
    let findings = reply.read::<Linted>()?.findings;
    if !console.json(&reply)? {
        told(&findings, &|name| name.to_owned(), console)?;
    }
    end(&findings)
}

fn lint_files(paths: &[PathBuf], console: &mut Console<'_>) -> Done {
    let given = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let given: Sources = given.into_iter().flatten().collect();
    if given.is_empty() {
        return Err(Fault::no("there is no template in these places"));
    }
    let names: BTreeSet<String> = given.keys().cloned().collect();
    let place = |name: &str| given.get(name).map_or_else(|| name.to_owned(), |source| source.origin.to_string());
    let mut all = shelf::shipped();
    all.extend(given.clone());
    let findings: Vec<Finding> = lint::set(all).into_iter().filter(|finding| names.contains(&finding.fault.template)).collect();
    if console.is_json {
        console.line(json!({ "findings": findings }))?;
    } else {
        told(&findings, &place, console)?;
    }
    end(&findings)
}

/// The templates of a folder, or one file under the name it would have in one.
fn read(path: &Path) -> Result<Sources, Fault> {
    if fs::metadata(path).map_err(Fault::file(path))?.is_dir() {
        return shelf::folder(path).map_err(Fault::no);
    }
    let text = fs::read_to_string(path).map_err(Fault::file(path))?;
    // A family is known by its folder: the last two names are what `paths.templates` would make of it.
    let parts: Vec<String> = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let name = parts[parts.len().saturating_sub(2)..].join("/");
    Ok(Sources::from([(name, Source { text, origin: TemplateOrigin::Site(path.display().to_string()) })]))
}

fn told(findings: &[Finding], place: &dyn Fn(&str) -> String, console: &mut Console<'_>) -> Done {
    for Finding { severity, fault } in findings {
        let word = if *severity == Severity::Error { "error" } else { "warning" };
        console.line(format_args!("{}:{}:{}: {word}: {} ({})", place(&fault.template), fault.line, fault.column, fault.message, fault.rule))?;
        if !fault.hint.is_empty() {
            console.line(format_args!("    {}", fault.hint))?;
        }
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    match (errors, findings.len()) {
        (_, 0) => console.line("no findings"),
        (errors, all) => console.line(format_args!("{errors} errors, {} warnings", all - errors)),
    }
}

fn end(findings: &[Finding]) -> Done {
    let bad = findings.iter().any(|finding| finding.severity == Severity::Error);
    if bad { Err(Fault::no("there are templates with errors")) } else { Ok(()) }
}

fn render(name: &str, context: &Path, templates: Option<PathBuf>, console: &mut Console<'_>) -> Done {
    let text = if context == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).map_err(Fault::file("standard input"))?
    } else {
        fs::read_to_string(context).map_err(Fault::file(context))?
    };
    let context_value: Value = serde_json::from_str(&text).map_err(|why| Fault::no(format_args!("{}: {why}", context.display())))?;
    let sources = shelf::TemplateShelf::new(templates).read().map_err(Fault::no)?;
    let catalog = Catalog::new(sources).map_err(|faults| Fault::no(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    console.text(&catalog.render(name, &context_value).map_err(Fault::no)?)
}
