//! The wipe at a prompt: its plan on one screen with the command that confirms it, and the certificates afterwards.
//!
//! A wiping verb without `--plan` does nothing: it shows the plan and ends as a refusal, so that no script takes it for done.

use std::{fs, path::PathBuf};

use serde::Deserialize;

use super::path;
use crate::{
    cli::{
        Client, Console, Done, Fault,
        client::{segment, with_query},
        table::{Table, bytes, time, word},
    },
    model::{Category, Deadlines, EraseMethod, Timestamp, WipePlan, WipePolicy, token::sha256_hex},
    rules::wipe::{span, words},
};

/// Digits of a hash that people type.
const SHORT: usize = 12;

/// Which plan.
#[derive(Debug, Clone, clap::Args)]
pub struct Asked {
    /// Name, id or MAC address
    pub host: String,
    /// How thoroughly: metadata, clear, purge; clear if left out, or as the wipe that failed
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<String>,
    /// Wipe this foreign disk too, by its id; may be repeated
    #[arg(long, value_name = "ID")]
    pub include: Vec<String>,
}

/// A plan as the API shows it.
#[derive(Debug, Deserialize)]
pub struct Shown {
    /// The plan.
    plan: WipePlan,
    /// Its hash.
    plan_hash: String,
    /// How long the whole takes.
    deadlines: Deadlines,
    /// What to read first.
    warnings: Vec<String>,
}

impl Shown {
    /// Enough of the hash to name the plan.
    pub fn short(&self) -> &str {
        self.plan_hash.get(..SHORT).unwrap_or(&self.plan_hash)
    }

    /// The host's name, as it has to be typed.
    pub fn name(&self) -> String {
        self.plan.name.to_string()
    }

    /// The policy's word.
    pub fn policy(&self) -> String {
        word(self.plan.policy)
    }
}

impl Asked {
    /// Asks for the plan and prints it.
    pub fn show(&self, client: &Client, console: &mut Console<'_>) -> Result<Shown, Fault> {
        let mut query: Vec<(&str, &str)> = self.policy.iter().map(|policy| ("policy", policy.as_str())).collect();
        query.extend(self.include.iter().map(|id| ("include", id.as_str())));
        let reply = client.get(&with_query(&format!("{}/wipe-plan", path(&self.host)), &query))?;
        let shown: Shown = reply.read()?;
        if !console.json(&reply)? {
            tell(&shown, console)?;
        }
        Ok(shown)
    }
}

fn tell(shown: &Shown, console: &mut Console<'_>) -> Done {
    let Shown { plan, plan_hash, deadlines, warnings } = shown;
    console.line(format_args!("wipe plan of {}, policy {}: {}", plan.name, word(plan.policy), promise(plan.policy)))?;
    for warning in warnings {
        console.line(format_args!("  ! {warning}"))?;
    }
    let mut table = Table::new(["  DISK", "SIZE", "MODEL", "SERIAL", "METHODS", "REACHES", "TAKES", "ID"], console.is_terminal);
    for disk in &plan.disks {
        table.row([
            format!("  {}", disk.name),
            bytes(disk.size_bytes),
            disk.model.clone(),
            disk.serial.clone(),
            words(&disk.methods),
            reaches(&disk.methods),
            format!("{}, at most {}", span(disk.soft_secs), span(disk.hard_secs)),
            disk.id.to_string(),
        ]);
    }
    console.text(&table.to_string())?;
    if plan.left.is_empty() {
        console.line("no disk is left alone")?;
    } else {
        console.line("left alone, with whatever is on them (--include ID wipes one nevertheless)")?;
    }
    for disk in &plan.left {
        console.line(format_args!("  {}  {}  {}: {}", disk.id, bytes(disk.size_bytes), disk.model, disk.why))?;
    }
    let Deadlines { soft_secs, hard_secs } = *deadlines;
    console.line(format_args!(
        "takes about {}, at most {}, with the machine's start; {} disks at once",
        span(soft_secs),
        span(hard_secs),
        plan.parallel
    ))?;
    console.line(format_args!("rests on the registration of {}; a disk that is in no line above stops the wipe", time(plan.facts_at)))?;
    console.line(format_args!("plan {plan_hash}"))
}

const fn promise(policy: WipePolicy) -> &'static str {
    match policy {
        WipePolicy::Metadata => "NO SANITISATION, only tables, signatures and both ends are erased; the data stay readable",
        WipePolicy::Clear => "every block that can be addressed is erased (NIST SP 800-88 Clear)",
        WipePolicy::Purge => "the drives' own sanitisation (NIST SP 800-88 Purge)",
    }
}

/// The categories that the methods come to, best first.
fn reaches(methods: &[EraseMethod]) -> String {
    let has = |category| methods.iter().any(|method| method.category() == category);
    let found = [(Category::Purge, "purge"), (Category::Clear, "clear"), (Category::None, "NOTHING")];
    found.into_iter().filter(|(category, _)| has(*category)).map(|(_, word)| word).collect::<Vec<_>>().join(", else ")
}

/// A certificate in the API's list.
#[derive(Debug, Deserialize)]
struct Line {
    sha256: String,
    disk: String,
    ok: bool,
    at: Timestamp,
    text: String,
}

/// Lists a host's certificates, or saves them.
pub fn certificates(host: &str, save: Option<PathBuf>, client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.list(&format!("{}/certificates", path(host)), &[])?;
    let lines: Vec<Line> = reply.items()?;
    if let Some(folder) = save {
        fs::create_dir_all(&folder).map_err(Fault::file(&folder))?;
        return lines.iter().try_for_each(|line| keep(line, &folder.join(format!("wipe-{}.json", line.sha256)), client, console));
    }
    if console.json(&reply)? {
        return Ok(());
    }
    let mut table = Table::new(["MADE", "DISK", "WIPED", "SHA256", "WHAT"], console.is_terminal);
    for line in lines {
        let wiped = if line.ok { "yes" } else { "NO" };
        table.row([time(line.at), line.disk, wiped.to_owned(), line.sha256, line.text]);
    }
    console.table(&table, "no certificates; a wipe makes one out for each disk")
}

/// Saves one certificate, if it is what its hash says.
fn keep(line: &Line, file: &PathBuf, client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.get(&format!("/api/v1/certificates/{}", segment(&line.sha256)))?;
    let have = sha256_hex(reply.text.as_bytes());
    if have != line.sha256 {
        return Err(Fault::no(format_args!("the certificate of {} has the hash {have}, not {}; nothing was saved of it", line.disk, line.sha256)));
    }
    fs::write(file, &reply.text).map_err(Fault::file(file))?;
    console.line(format_args!("{}", file.display()))
}
