//! `bootwright host`: the inventory and the verbs of the lifecycle.
//!
//! Which verb a state allows is the daemon's to say; here are only their words. Showing is `show`, following is `watch`.

mod edit;
mod facts;
mod health;
pub mod live;
pub mod show;
mod verb;
mod wait;
mod wipe;

use serde::Deserialize;

use super::{
    Client, Console, Done,
    client::{segment, with_query},
    table::{Table, listed, or_dash, word},
    watch,
};
use crate::model;

pub use edit::pair;
pub use verb::{Verb, of_its_own};

/// The commands on hosts.
#[derive(Debug, clap::Subcommand)]
pub enum Host {
    /// List hosts
    #[command(after_help = "Example: bootwright host list --state error")]
    List(List),
    /// Show a host with its build, issues and boot sessions
    #[command(after_help = "Example: bootwright host show n1   (an id or any spelling of a MAC address works too)")]
    Show {
        /// Name, id or MAC address
        host: String,
    },
    /// Show what registration found in a host
    #[command(after_help = "Example: bootwright host facts n1")]
    Facts {
        /// Name, id or MAC address
        host: String,
    },
    /// Record a host, in state `new`
    #[command(after_help = "Example: bootwright host add n1 --mac 52:54:00:00:00:01 --network lab --profile debian-12 --address 10.77.0.11")]
    Add(edit::Add),
    /// Edit the inventory of a host; what is left out stays
    #[command(after_help = "Example: bootwright host edit n1 --profile rocky-9 --param timezone=UTC")]
    Edit(edit::Edit),
    /// Remove the record of a host that nobody uses; its journal stays
    #[command(after_help = "Example: bootwright host remove n1 --confirm n1")]
    Remove {
        /// Name, id or MAC address
        host: String,
        /// The host's name, typed again
        #[arg(long, value_name = "NAME")]
        confirm: String,
    },
    /// Watch live what happens to a host: its build, registration or wipe
    #[command(after_help = "Example: bootwright host watch n1 --until local_boot --timeout 3600")]
    Watch(watch::Watch),
    /// Wait until a host is in a state; ends at once where it ends in error
    #[command(after_help = "Example: bootwright host wait n1 --state available --timeout 3600")]
    Wait(wait::Wait),
    /// Show how a host's disks would be wiped, which are left alone, and why; wipes nothing
    #[command(name = "wipe-plan", after_help = "Example: bootwright host wipe-plan n1 --policy purge")]
    WipePlan(wipe::Asked),
    /// List the certificates of a host's wiped disks, or save them
    #[command(after_help = "Example: bootwright host certificates n1 --save certificates/")]
    Certificates {
        /// Name, id or MAC address; the id also after the record is gone
        host: String,
        /// Write each into this folder, checked against its hash
        #[arg(long, value_name = "DIR")]
        save: Option<std::path::PathBuf>,
    },
    /// Report a host's health, as a monitor would
    #[command(after_help = "Example: bootwright host health n1 missed 6")]
    Health(health::Health),
    /// The verbs of the lifecycle.
    #[command(flatten)]
    Verb(Verb),
}

/// Which hosts.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only in this lifecycle state
    #[arg(long)]
    state: Option<String>,
    /// Only of this network
    #[arg(long)]
    network: Option<String>,
    /// Only of this profile
    #[arg(long)]
    profile: Option<String>,
    /// Only with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only with this in the name or a MAC address
    #[arg(long)]
    search: Option<String>,
    /// Only with an open issue
    #[arg(long)]
    issues: bool,
}

/// A host as the API shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Shown {
    /// The record.
    #[serde(flatten)]
    pub host: model::Host,
    /// The state for people.
    pub display_state: String,
}

/// The path of a host.
pub fn path(host: &str) -> String {
    format!("/api/v1/hosts/{}", segment(host))
}

impl Host {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        match self {
            Self::List(list) => list.run(client, console),
            Self::Show { host } => {
                let reply = client.get(&path(&host))?;
                if console.json(&reply)? { Ok(()) } else { show::show(&reply.read()?, console) }
            }
            Self::Facts { host } => {
                let reply = client.get(&path(&host))?;
                let shown: Shown = reply.read()?;
                if console.is_json { facts::json(&shown, console) } else { facts::show(&shown, console) }
            }
            Self::Add(add) => add.run(client, console),
            Self::Edit(edit) => edit.run(client, console),
            Self::Remove { host, confirm } => {
                let reply = client.delete(&with_query(&path(&host), &[("confirm", &confirm)]))?;
                if console.json(&reply)? { Ok(()) } else { console.line(format_args!("{host} removed")) }
            }
            Self::Watch(watch) => watch.run(client, console),
            Self::Wait(wait) => wait.run(client, console),
            Self::WipePlan(asked) => asked.show(client, console).map(drop),
            Self::Certificates { host, save } => wipe::certificates(&host, save, client, console),
            Self::Health(health) => health.run(client, console),
            Self::Verb(verb) => verb.run(client, console),
        }
    }
}

impl List {
    fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let fields =
            [("lifecycle", &self.state), ("network", &self.network), ("profile", &self.profile), ("tag", &self.tag), ("search", &self.search)];
        let mut query: Vec<(&str, &str)> = fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
        if self.issues {
            query.push(("issues", "true"));
        }
        let reply = client.list("/api/v1/hosts", &query)?;
        if console.json(&reply)? {
            return Ok(());
        }
        let mut table = Table::new(["NAME", "STATE", "BUILD", "STAGE", "NETWORK", "ADDRESS", "MACS", "ISSUES"], console.is_terminal);
        for Shown { host, .. } in reply.items::<Shown>()? {
            table.row([
                host.name.to_string(),
                host.lifecycle.word().to_owned(),
                or_dash(host.build.as_ref().map(super::build::state)),
                or_dash(host.build.as_ref().map(|build| build.stage.word())),
                or_dash(host.network.as_ref()),
                or_dash(host.address),
                listed(&host.macs),
                listed(&host.issues.iter().map(|issue| word(issue.kind)).collect::<Vec<_>>()),
            ]);
        }
        console.table(&table, "no hosts; `bootwright host add` or `bootwright apply` records one")
    }
}
