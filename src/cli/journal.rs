//! `bootwright journal`: what happened, oldest first, and what happens now.
//!
//! Host names are looked up once per host; a host whose record is gone is shown by its id.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Client, Console, Done, Fault, client::with_query, entry, host, stream::Follow, table::time};
use crate::model::{Entry, HostId};

/// Show what happened
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: bootwright journal --host n1 --limit 50 --follow")]
pub struct Journal {
    /// Only of this host: name, id or MAC address
    #[arg(long)]
    host: Option<String>,
    /// Only of this kind: transition, stage, boot_loop, refused …
    #[arg(long)]
    kind: Option<String>,
    /// Only of this build
    #[arg(long, value_name = "ID")]
    build: Option<String>,
    /// Only at or after this time, RFC 3339: 2026-05-01T14:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// The newest so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on with what happens now
    #[arg(long, conflicts_with_all = ["kind", "build"])]
    follow: bool,
}

impl Journal {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        let limit = self.limit.to_string();
        let fields = [
            ("host", &self.host),
            ("kind", &self.kind),
            ("build", &self.build),
            ("since", &self.since.map(|since| since.to_string())),
            ("limit", &Some(limit)),
        ];
        let query: Vec<(&str, &str)> = fields.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        let reply = client.get(&with_query("/api/v1/journal", &query))?;
        if console.is_json && !self.follow {
            return console.json(&reply).map(drop);
        }
        let mut names = Names::default();
        let mut last = 0;
        let values: Vec<serde_json::Value> = reply.items()?;
        for (value, entry) in values.iter().rev().zip(reply.items::<Entry>()?.iter().rev()) {
            last = entry.seq;
            tell(entry, &value.to_string(), &mut names, client, console)?;
        }
        if !self.follow {
            return if last == 0 { console.line("nothing happened") } else { Ok(()) };
        }
        let host: Vec<(&str, &str)> = self.host.as_deref().map(|host| ("host", host)).into_iter().collect();
        let mut follow = Follow::new(client, with_query("/api/v1/events", &host), last, None);
        while let Some(event) = follow.next()? {
            tell(&event.entry, &event.json, &mut names, client, console)?;
        }
        Ok(())
    }
}

fn tell(entry: &Entry, json: &str, names: &mut Names, client: &Client, console: &mut Console<'_>) -> Done {
    if console.is_json {
        return console.line(json);
    }
    let who = match (entry.host, entry.mac) {
        (Some(id), _) => names.of(id, client)?,
        (None, Some(mac)) => mac.to_string(),
        (None, None) => "-".to_owned(),
    };
    let mark = if entry::is_trouble(&entry.what) { '!' } else { ' ' };
    let text = entry::text(entry).replace(['\n', '\r'], " ");
    console.line(format_args!("{}  {who:<12} {mark} {:<24} {text}", time(entry.at), entry::label(&entry.what)))
}

#[derive(Default)]
struct Names(BTreeMap<HostId, String>);

impl Names {
    fn of(&mut self, id: HostId, client: &Client) -> Result<String, Fault> {
        if let Some(name) = self.0.get(&id) {
            return Ok(name.clone());
        }
        let name = match client.get(&host::path(&id.to_string())) {
            Ok(reply) => reply.read::<host::Shown>()?.host.name.to_string(),
            Err(Fault::Problem(problem)) if problem.status == 404 => id.to_string(),
            Err(fault) => return Err(fault),
        };
        self.0.insert(id, name.clone());
        Ok(name)
    }
}
