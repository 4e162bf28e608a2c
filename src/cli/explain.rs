//! `bootwright explain`: what the daemon would answer to a host now on each protocol, and why, with the origin of every parameter.
//!
//! Asking changes nothing and counts as no boot; secrets stay hidden. Nothing is worked out here: the daemon explains, we lay it out.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Client, Console, Done, host,
    table::{Table, time},
};
use crate::{model::Timestamp, rules::inherit::Origin};

/// Say what a host would be told now, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: bootwright explain n1")]
pub struct Explain {
    /// Name, id or MAC address; also a MAC address that nobody recorded
    host: String,
}

#[derive(Deserialize)]
struct DhcpAnswer {
    client: String,
    offer: String,
    why: String,
}

#[derive(Deserialize)]
struct Explanation {
    host: String,
    lifecycle: String,
    stage: Option<String>,
    plan: String,
    reason: String,
    dhcp: Vec<DhcpAnswer>,
    script: String,
    documents: BTreeMap<String, String>,
    params: BTreeMap<String, Origin>,
    profile: String,
    network: Option<String>,
    #[serde(default)]
    enrolment: Vec<String>,
    next_deadline: Option<Timestamp>,
}

impl Explain {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        let reply = client.get(&format!("{}/explain", host::path(&self.host)))?;
        if console.json(&reply)? {
            return Ok(());
        }
        let told: Explanation = reply.read()?;
        let stage = told.stage.as_ref().map_or_else(String::new, |stage| format!(", build at {stage}"));
        console.line(format_args!("{} is {}{stage}", told.host, told.lifecycle))?;
        console.line(format_args!("plan: {}: {}", told.plan, told.reason))?;
        console.line(format_args!("profile: {}; network: {}", told.profile, told.network.as_deref().unwrap_or("none")))?;
        if !told.enrolment.is_empty() {
            return told.enrolment.iter().try_for_each(|line| console.line(line));
        }
        if let Some(at) = told.next_deadline {
            console.line(format_args!("next deadline: {}", time(at)))?;
        }
        dhcp(&told.dhcp, console)?;
        params(&told.params, console)?;
        if !told.documents.is_empty() {
            console.line("\ndocuments")?;
            told.documents.iter().try_for_each(|(document, template)| console.line(format_args!("  {document}  from {template}")))?;
        }
        console.line("\nscript")?;
        told.script.lines().try_for_each(|line| console.line(format_args!("  {line}")))
    }
}

fn dhcp(answers: &[DhcpAnswer], console: &mut Console<'_>) -> Done {
    let mut table = Table::new(["CLIENT", "IS OFFERED", "BECAUSE"], console.is_terminal);
    for DhcpAnswer { client, offer, why } in answers {
        table.row([client.clone(), offer.clone(), why.clone()]);
    }
    console.line("")?;
    console.table(&table, "no DHCP here")
}

fn params(params: &BTreeMap<String, Origin>, console: &mut Console<'_>) -> Done {
    if params.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(["PARAMETER", "VALUE", "FROM", "INSTEAD OF"], console.is_terminal);
    for (name, origin) in params {
        let value = match &origin.value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let shadows: Vec<&str> = origin.shadows.iter().map(|shadowed| shadowed.from.as_str()).collect();
        table.row([name.clone(), value, origin.from.clone(), if shadows.is_empty() { "-".to_owned() } else { shadows.join(", ") }]);
    }
    console.line("")?;
    console.table(&table, "")
}
