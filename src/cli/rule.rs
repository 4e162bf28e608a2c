//! `bootwright rule`: which profile, parameters and tags a host gets by what registration found.
//!
//! Whether a condition holds is the daemon's to say; `try` asks it without changing anything, also about a rule in a file that is not kept yet.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{
    Client, Console, Done, Fault,
    client::{segment, with_query},
    table::{Table, listed, or_dash, time},
};
use crate::{app::rules::HostTrial, model::Rule};

/// The commands on rules.
#[derive(Debug, clap::Subcommand)]
pub enum RuleCommand {
    /// List rules in the order in which they are asked
    #[command(after_help = "Example: bootwright rule list")]
    List,
    /// Show a rule
    #[command(after_help = "Example: bootwright rule show dell-db")]
    Show {
        /// Its name
        name: String,
    },
    /// Write a rule: from a file, or word by word
    #[command(
        after_help = "Example: bootwright rule set dell-db --when 'facts.system.vendor == \"Dell Inc.\"' --profile debian-12 --tag dell   (or: -f rule.yaml)"
    )]
    Set(Set),
    /// Remove a rule; what it gave stays
    #[command(visible_alias = "remove", after_help = "Example: bootwright rule delete dell-db")]
    Delete {
        /// Its name
        name: String,
    },
    /// Say what the rules would give to registered hosts; nothing is changed
    #[command(after_help = "Example: bootwright rule try --host n1 -f rule.yaml")]
    Try {
        /// Only this host: name, id or MAC address
        #[arg(long, value_name = "HOST")]
        host: Option<String>,
        /// With the rule in this file, which is not kept; `-` reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// A rule in words.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// Its name
    name: String,
    /// The condition, a Jinja expression over `facts` and `host`
    #[arg(long, value_name = "EXPRESSION", required_unless_present = "file")]
    when: Option<String>,
    /// Its turn; the lowest first
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    order: i32,
    /// The profile that it gives
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// A parameter that it gives; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = super::host::pair)]
    param: Vec<(String, Value)>,
    /// A tag that it gives; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// The rule as YAML or JSON instead; `-` reads standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["when", "order", "profile", "param", "tag"])]
    file: Option<PathBuf>,
}

fn path(name: &str) -> String {
    format!("/api/v1/rules/{}", segment(name))
}

/// A rule in a file; its name may be left out where the command names it.
fn read(file: &Path, name: Option<&str>) -> Result<Value, Fault> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).map_err(Fault::file("standard input"))?
    } else {
        std::fs::read_to_string(file).map_err(Fault::file(file))?
    };
    let wrong = |why: String| Fault::no(format_args!("{}: {}\n  nothing was sent", file.display(), why.trim_end()));
    let mut document: Value = serde_saphyr::from_str(&text).map_err(|why| wrong(why.without_snippet().to_string()))?;
    let Some(fields) = document.as_object_mut() else { return Err(wrong("a rule is a mapping with name, when, profile, params, tags".to_owned())) };
    if let Some(name) = name {
        fields.entry("name").or_insert_with(|| json!(name));
    }
    Ok(document)
}

impl RuleCommand {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        match self {
            Self::List => list(client, console),
            Self::Show { name } => {
                let reply = client.get(&path(&name))?;
                if console.json(&reply)? { Ok(()) } else { show(&reply.read()?, console) }
            }
            Self::Set(set) => set.run(client, console),
            Self::Delete { name } => {
                let reply = client.delete(&path(&name))?;
                if console.json(&reply)? { Ok(()) } else { console.line(format_args!("rule {name} deleted")) }
            }
            Self::Try { host, file } => attempt(host.as_deref(), file.as_deref(), client, console),
        }
    }
}

impl Set {
    fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let body = match &self.file {
            Some(file) => read(file, Some(&self.name))?,
            None => {
                let params: serde_json::Map<String, Value> = self.param.iter().cloned().collect();
                let mut body = json!({ "name": self.name, "order": self.order, "when": self.when, "params": params, "tags": self.tag });
                if let Some(profile) = &self.profile {
                    body["profile"] = json!(profile);
                }
                body
            }
        };
        let reply = client.ask("PUT", &path(&self.name), Some(&body), &[])?;
        if console.json(&reply)? {
            return Ok(());
        }
        console.line(format_args!("rule {} is kept; hosts get it when they register, `bootwright rule try` shows what it would give", self.name))
    }
}

fn list(client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.list("/api/v1/rules", &[])?;
    if console.json(&reply)? {
        return Ok(());
    }
    let mut rules = reply.items::<Rule>()?;
    rules.sort_by(|one, other| (one.order, &one.name).cmp(&(other.order, &other.name)));
    let mut table = Table::new(["ORDER", "NAME", "PROFILE", "PARAMS", "TAGS", "WHEN"], console.is_terminal);
    for rule in rules {
        let params: Vec<&String> = rule.params.keys().collect();
        table.row([rule.order.to_string(), rule.name.to_string(), or_dash(rule.profile), listed(&params), listed(&rule.tags), rule.when]);
    }
    console.table(&table, "no rules; `bootwright rule set` or `bootwright apply -f site.yaml` makes them")
}

fn show(rule: &Rule, console: &mut Console<'_>) -> Done {
    console.line(format_args!("rule {}  order {}", rule.name, rule.order))?;
    let mut lines = vec![("when", rule.when.trim().to_owned())];
    lines.extend(rule.profile.iter().map(|profile| ("profile", profile.to_string())));
    lines.extend(rule.params.iter().map(|(name, param)| ("param", format!("{name} = {param}"))));
    lines.extend(rule.tags.iter().map(|tag| ("tag", tag.clone())));
    lines.into_iter().try_for_each(|(name, value)| console.line(format_args!("  {name:<10} {value}")))
}

/// Every page of the dry run.
fn attempt(host: Option<&str>, file: Option<&Path>, client: &Client, console: &mut Console<'_>) -> Done {
    let mut body = json!({ "host": host });
    if let Some(file) = file {
        body["rule"] = read(file, None)?;
    }
    let (mut trials, mut cursor) = (Vec::<Value>::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "1000")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut page: Value = client.post(&with_query("/api/v1/rules/try", &query), &body)?.read()?;
        trials.append(page["items"].as_array_mut().unwrap_or(&mut Vec::new()));
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    if console.is_json {
        return console.line(json!({ "items": trials }));
    }
    if trials.is_empty() {
        return console.line("no host has facts yet; `bootwright host register NAME` collects them");
    }
    for trial in trials {
        let trial = serde_json::from_value(trial).map_err(|why| Fault::Answer { server: client.server().to_owned(), why: why.to_string() })?;
        told(&trial, console)?;
    }
    Ok(())
}

fn told(HostTrial { host, lifecycle, facts_at, unasked, trial }: &HostTrial, console: &mut Console<'_>) -> Done {
    let holds = if trial.holds.is_empty() { "no rule holds".to_owned() } else { format!("holds: {}", listed(&trial.holds)) };
    console.line(format_args!("{host}  {lifecycle}, facts of {}: {holds}", or_dash(facts_at.map(time))))?;
    if let Some(why) = unasked {
        console.line(format_args!("  ! {why}"))?;
    }
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for one in &trial.gives {
        console.line(format_args!("  + {} {}  by {}", one.field, value(&one.value), one.rule))?;
    }
    for one in &trial.keeps {
        console.line(format_args!("  = {} stays: {}; rule {} has {} for it", one.field, one.why, one.rule, value(&one.value)))?;
    }
    trial.unjudged.iter().try_for_each(|one| console.line(format_args!("  ! {}", one.text)))
}
