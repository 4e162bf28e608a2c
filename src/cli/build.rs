//! `bootwright build`: installations of a host are enabled, looked at, waited for, cancelled, retried, rearmed.
//!
//! Where a host is named, its newest build is meant. How a build ended is the exit code of those who wait for it.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Client, Console, Done, Fault,
    client::{segment, with_query},
    host,
    problem::Found,
    table::{Table, bytes, or_dash, time, word},
};
use crate::model::{Build, BuildEnd, BuildId, Name, Stage};

/// The commands on builds.
#[derive(Debug, clap::Subcommand)]
pub enum BuildCommand {
    /// Enable a build: the next network boot of the host installs it
    #[command(after_help = "Example: bootwright build enable n1 --confirm n1   (a used host is reinstalled: its disks are lost)")]
    Enable(Enable),
    /// List the builds of a host, newest first
    #[command(after_help = "Example: bootwright build list n1")]
    List {
        /// Name, id or MAC address
        host: String,
    },
    /// Show a build: stages, documents served, loops, log
    #[command(after_help = "Example: bootwright build show n1")]
    Show {
        /// A build's id, or a host for its newest build
        build: String,
    },
    /// Cancel an open build
    #[command(after_help = "Example: bootwright build cancel n1")]
    Cancel {
        /// A build's id, or a host for its newest build
        build: String,
    },
    /// Open a new build of the same kind after one that failed
    #[command(after_help = "Example: bootwright build retry n1")]
    Retry {
        /// A build's id, or a host for its newest build
        build: String,
        /// Another profile
        #[arg(long, value_name = "NAME")]
        profile: Option<Name>,
        /// Go on in spite of findings that may be overridden
        #[arg(long)]
        force: bool,
    },
    /// Forget the loops of an open build: the next boot is the first again
    #[command(after_help = "Example: bootwright build rearm n1")]
    Rearm {
        /// A build's id, or a host for its newest build
        build: String,
    },
    /// Wait until a build is built, ended or started from its disk; exit 1 if it failed or the time is over
    #[command(after_help = "Example: bootwright build wait n1 --for built --timeout 3600")]
    Wait {
        /// A build's id, or a host for its newest build
        build: String,
        /// What to wait for
        #[arg(long = "for", value_enum, default_value_t = Goal::Ended, value_name = "WHAT")]
        goal: Goal,
        /// Give up after so many seconds
        #[arg(long, value_name = "SECS", default_value_t = 3600)]
        timeout: u64,
    },
}

/// A wish to build.
#[derive(Debug, clap::Args)]
pub struct Enable {
    /// Name, id or MAC address
    host: String,
    /// The host's name, typed again; needed for a used host
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Another profile than the host's
    #[arg(long, value_name = "NAME")]
    profile: Option<Name>,
    /// install, rebuild or reinstall; else the host's state says which
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Go on in spite of findings that may be overridden
    #[arg(long)]
    force: bool,
    /// In service only after the boot from its disk
    #[arg(long)]
    strict: bool,
    /// Asked again with the same key, the same build answers
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Goal {
    /// The installer's word that it is done
    Built,
    /// Any end
    Ended,
    /// The boot from the disk
    LocalBoot,
}

impl Goal {
    /// The API's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Ended => "ended",
            Self::LocalBoot => "local_boot",
        }
    }

    /// Whether there is nothing left to wait for.
    pub fn is_over(self, build: &Build) -> bool {
        self.is_reached(build) || build.end.as_ref().is_some_and(|end| *end != BuildEnd::Built)
    }

    /// Whether it has come; the end of a build that failed is no goal of anybody.
    pub fn is_reached(self, build: &Build) -> bool {
        match self {
            Self::Built => build.stage >= Stage::Built || build.end == Some(BuildEnd::Built),
            Self::Ended => build.end == Some(BuildEnd::Built),
            Self::LocalBoot => build.stage == Stage::LocalBoot,
        }
    }
}

/// A build with its host, as the API shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Shown {
    /// The host's name, if its record is still there.
    pub host_name: Option<String>,
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// What the preflight had to say.
    #[serde(default)]
    pub findings: Vec<Found>,
}

impl BuildCommand {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        match self {
            Self::Enable(enable) => enable.run(client, console),
            Self::List { host } => list(&host, client, console),
            Self::Show { build } => {
                let reply = client.get(&path(&find(&build, client)?))?;
                if console.json(&reply)? {
                    return Ok(());
                }
                let shown: Shown = reply.read()?;
                tell(&shown.build, shown.host_name.as_deref(), console)?;
                log(&shown.build, console)
            }
            Self::Cancel { build } => act(&build, "cancel", &json!({}), client, console),
            Self::Rearm { build } => act(&build, "rearm", &json!({}), client, console),
            Self::Retry { build, profile, force } => {
                let mut body = Map::new();
                body.extend(profile.map(|profile| ("profile".to_owned(), json!(profile))));
                if force {
                    body.insert("force".to_owned(), json!(true));
                }
                act(&build, "retry", &Value::Object(body), client, console)
            }
            Self::Wait { build, goal, timeout } => wait(&build, goal, Duration::from_secs(timeout), client, console),
        }
    }
}

impl Enable {
    fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let fields = [
            ("confirm", json!(self.confirm)),
            ("profile", json!(self.profile)),
            ("kind", json!(self.kind)),
            ("force", if self.force { json!(true) } else { Value::Null }),
            ("strict", if self.strict { json!(true) } else { Value::Null }),
        ];
        let body: Map<String, Value> =
            fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect();
        let headers: Vec<(&str, &str)> = self.idempotency_key.as_deref().map(|key| ("idempotency-key", key)).into_iter().collect();
        let reply = client.ask("POST", &format!("{}/builds", host::path(&self.host)), Some(&Value::Object(body)), &headers)?;
        if console.json(&reply)? {
            return Ok(());
        }
        told(&reply.read()?, console)
    }
}

/// A build that was just opened.
fn told(shown: &Shown, console: &mut Console<'_>) -> Done {
    let build = &shown.build;
    let host = shown.host_name.as_deref().unwrap_or("the host");
    for found in &shown.findings {
        console.remark(format_args!("{found}"));
    }
    console.line(format_args!("build {} is open: {} of {host} with profile {}", build.id, word(build.kind), build.profile))?;
    console.line(format_args!("start {host} from the network, then: bootwright host watch {host} --until local_boot"))
}

fn act(name: &str, verb: &str, body: &Value, client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.post(&format!("{}/{verb}", path(&find(name, client)?)), body)?;
    if console.json(&reply)? {
        return Ok(());
    }
    let shown: Shown = reply.read()?;
    match verb {
        "retry" => told(&shown, console),
        "rearm" if shown.build.end.is_some() => {
            console.line(format_args!("build {} is {}: there is nothing to rearm", shown.build.id, state(&shown.build)))
        }
        "rearm" => console.line(format_args!("build {} is rearmed: the next boot counts as the first", shown.build.id)),
        _ => console.line(format_args!("build {}: {}", shown.build.id, state(&shown.build))),
    }
}

fn list(host: &str, client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.get(&format!("{}/builds", host::path(host)))?;
    if console.json(&reply)? {
        return Ok(());
    }
    let mut table = Table::new(["ID", "KIND", "PROFILE", "STATE", "STAGE", "OPENED", "ENDED", "LOOPS"], console.is_terminal);
    for Shown { build, .. } in reply.read::<Vec<Shown>>()? {
        table.row([
            build.id.to_string(),
            word(build.kind),
            build.profile.to_string(),
            state(&build).to_owned(),
            build.stage.word().to_owned(),
            time(build.opened_at),
            or_dash(build.ended_at.map(time)),
            build.loops.count.to_string(),
        ]);
    }
    console.table(&table, "no builds; `bootwright build enable` opens one")
}

fn wait(name: &str, goal: Goal, limit: Duration, client: &Client, console: &mut Console<'_>) -> Done {
    let end = Instant::now() + limit;
    let id = find(name, client)?;
    loop {
        // The daemon allows an hour at a time; it answers earlier when it stops.
        let left = end.saturating_duration_since(Instant::now());
        let secs = left.as_secs().min(3600).to_string();
        let query = [("for", goal.word()), ("timeout", secs.as_str())];
        let reply = client
            .wait(&with_query(&format!("{}/wait", path(&id)), &query), Duration::from_secs(3600.min(left.as_secs())) + Duration::from_secs(30))?;
        let shown: Shown = reply.read()?;
        if !goal.is_over(&shown.build) && left.as_secs() > 0 {
            continue;
        }
        if !console.json(&reply)? {
            tell(&shown.build, shown.host_name.as_deref(), console)?;
        }
        return verdict(&shown.build, goal, limit);
    }
}

/// The exit of those who waited.
pub fn verdict(build: &Build, goal: Goal, limit: Duration) -> Done {
    if goal.is_reached(build) {
        return Ok(());
    }
    let Some(end) = &build.end else {
        let stage = build.stage.word();
        return Err(Fault::no(format_args!(
            "{} did not come within {} s: the build is at {stage} since {}",
            goal.word(),
            limit.as_secs(),
            time(build.stage_entered)
        )));
    };
    match end {
        BuildEnd::Failed { cause } => Err(Fault::no(format_args!("the build failed: {}", host::show::cause(cause)))),
        BuildEnd::Cancelled => Err(Fault::no("the build was cancelled")),
        BuildEnd::Built => Err(Fault::no(format_args!("built, but {} did not come within {} s", goal.word(), limit.as_secs()))),
    }
}

/// The path of a build.
pub fn path(id: &BuildId) -> String {
    format!("/api/v1/builds/{}", segment(id))
}

/// A build's id from what a person typed: an id, or a host for its newest build.
pub fn find(name: &str, client: &Client) -> Result<BuildId, Fault> {
    if let Ok(id) = name.parse::<BuildId>() {
        match client.get(&path(&id)) {
            Ok(_) => return Ok(id),
            // A host's id looks the same.
            Err(Fault::Problem(problem)) if problem.status == 404 => {}
            Err(fault) => return Err(fault),
        }
    }
    let shown: host::Shown = client.get(&host::path(name))?.read()?;
    let none = || Fault::no(format_args!("{name} has no build; `bootwright build enable {name}` opens one"));
    shown.host.build.map(|build| build.id).ok_or_else(none)
}

/// A build's state in a word.
pub fn state(build: &Build) -> &'static str {
    match &build.end {
        None if build.loops.halted => "halted",
        None if build.overdue => "overdue",
        None => "open",
        Some(BuildEnd::Built) => "built",
        Some(BuildEnd::Failed { .. }) => "failed",
        Some(BuildEnd::Cancelled) => "cancelled",
    }
}

/// A build on one screen.
pub fn tell(build: &Build, host: Option<&str>, console: &mut Console<'_>) -> Done {
    let of = host.map_or_else(String::new, |host| format!(" of {host}"));
    console.line(format_args!("build {}  {}{of} with profile {}: {}", build.id, word(build.kind), build.profile, state(build)))?;
    if let Some(BuildEnd::Failed { cause }) = &build.end {
        console.line(format_args!("  ! {}", host::show::cause(cause)))?;
    }
    if build.loops.count > 0 {
        let held = match (build.loops.halted, build.end.is_none()) {
            (true, true) => "; the host is held: `bootwright build rearm`",
            (true, false) => "; the host is held: `bootwright build retry`",
            (false, _) => "",
        };
        console.line(format_args!(
            "  ! boot_loop: {} seen, last at {}{held}",
            build.loops.count,
            or_dash(build.loops.last_stage.map(Stage::word))
        ))?;
    }
    for entry in &build.stages {
        console.line(format_args!("  {:>9}  {:<24} {}", elapsed(build, entry.at), entry.stage.word(), entry.evidence))?;
    }
    if build.is_open() {
        for (word, at) in [("overdue", build.soft_deadline), ("failed", build.hard_deadline)] {
            if let Some(at) = at {
                console.line(format_args!("  {word} if still at {} at {}", build.stage.word(), time(at)))?;
            }
        }
    }
    for served in &build.served {
        console.line(format_args!(
            "  served {} ({}, {}) sha256 {}",
            served.document,
            served.template,
            bytes(served.size_bytes),
            &served.sha256.get(..16).unwrap_or(&served.sha256)
        ))?;
    }
    Ok(())
}

/// Time since the build was asked for: `+1:02.3`.
pub fn elapsed(build: &Build, at: crate::model::Timestamp) -> String {
    let tenths = at.duration_since(build.opened_at).as_millis().max(0) / 100;
    let (minutes, secs) = (tenths / 600, tenths % 600);
    format!("+{minutes}:{:02}.{}", secs / 10, secs % 10)
}

fn log(build: &Build, console: &mut Console<'_>) -> Done {
    if build.log.is_empty() {
        return Ok(());
    }
    console.line("\nthe end of the installer's log")?;
    build.log.lines().try_for_each(|line| console.line(format_args!("  {line}")))
}
