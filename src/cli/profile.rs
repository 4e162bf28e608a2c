//! `bootwright profile`: what can be installed.
//!
//! Looked at and removed here; written by `bootwright apply`. What a profile inherits is shown by `bootwright explain`.

use super::{
    Client, Console, Done,
    client::segment,
    table::{Table, listed, or_dash, word},
};
use crate::model::Profile;

/// The commands on profiles.
#[derive(Debug, clap::Subcommand)]
pub enum ProfileCommand {
    /// List profiles
    #[command(after_help = "Example: bootwright profile list")]
    List,
    /// Show a profile as it was written
    #[command(after_help = "Example: bootwright profile show debian-12")]
    Show {
        /// Its name
        name: String,
    },
    /// Remove a profile that nothing uses
    #[command(after_help = "Example: bootwright profile remove old-one")]
    Remove {
        /// Its name
        name: String,
    },
}

fn path(name: &str) -> String {
    format!("/api/v1/profiles/{}", segment(name))
}

impl ProfileCommand {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        match self {
            Self::List => list(client, console),
            Self::Show { name } => {
                let reply = client.get(&path(&name))?;
                if console.json(&reply)? { Ok(()) } else { show(&reply.read()?, console) }
            }
            Self::Remove { name } => {
                let reply = client.delete(&path(&name))?;
                if console.json(&reply)? { Ok(()) } else { console.line(format_args!("profile {name} removed")) }
            }
        }
    }
}

fn list(client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.list("/api/v1/profiles", &[])?;
    if console.json(&reply)? {
        return Ok(());
    }
    let mut table = Table::new(["NAME", "EXTENDS", "KERNEL", "DOCUMENTS"], console.is_terminal);
    for profile in reply.items::<Profile>()? {
        let documents: Vec<&String> = profile.documents.keys().collect();
        table.row([profile.name.to_string(), or_dash(profile.extends), or_dash(profile.kernel), listed(&documents)]);
    }
    console.table(&table, "no profiles; `bootwright apply -f site.yaml` makes them")
}

fn show(profile: &Profile, console: &mut Console<'_>) -> Done {
    console.line(format_args!("profile {}", profile.name))?;
    let mut lines = Vec::new();
    lines.extend(profile.extends.iter().map(|name| ("extends", name.to_string())));
    lines.extend(profile.kernel.iter().map(|kernel| ("kernel", kernel.to_string())));
    lines.extend(profile.initrds.iter().map(|initrd| ("initrd", initrd.to_string())));
    lines.extend(profile.args.iter().map(|args| ("args", args.clone())));
    lines.extend(profile.documents.iter().map(|(document, template)| ("document", format!("{document} from {template}"))));
    lines.extend(profile.needs.iter().map(|artifact| ("needs", artifact.to_string())));
    lines.extend(profile.params.iter().map(|(name, param)| ("param", format!("{name} = {param}"))));
    lines.extend(profile.expected_boots.map(|boots| ("boots", format!("{boots} expected within one build"))));
    lines.extend(profile.loop_policy.map(|policy| ("loop", word(policy))));
    let secs = |(stage, deadlines): (&crate::model::Stage, &crate::model::Deadlines)| {
        ("deadline", format!("{}: overdue after {} s, failed after {} s", stage.word(), deadlines.soft_secs, deadlines.hard_secs))
    };
    lines.extend(profile.deadlines.iter().map(secs));
    lines.extend(profile.disk_boot.map(|how| ("disk boot", word(how))));
    lines.extend(profile.token_secs.map(|secs| ("token", format!("opens documents for {secs} s"))));
    lines.into_iter().try_for_each(|(name, value)| console.line(format_args!("  {name:<10} {value}")))
}
