//! `bootwright host watch`: the live timeline of a host, from the moment its newest build was asked for, or its wipe or registration began.
//!
//! First the journal is told from there, then the stream takes over after the last entry, so that nothing is missed between the two. After
//! every entry that may have moved the build, the build itself is asked whether the goal is reached; after a word of the live image's agent, the
//! host is asked how far its disks are.

use std::time::{Duration, Instant};

use super::{
    Client, Console, Done, Fault,
    build::{self, Goal},
    client::with_query,
    host,
    stream::Follow,
    timeline::Timeline,
};
use crate::model::{Build, Entry, Host, Lifecycle, What};

/// Which host, until when.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// Name, id or MAC address
    host: String,
    /// End when this has come, or cannot come any more; else watch until stopped
    #[arg(long, value_enum, value_name = "WHAT")]
    until: Option<Goal>,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECS")]
    timeout: Option<u64>,
}

/// One watching of one host.
struct Eye<'a, 'c, 'o> {
    client: &'a Client,
    console: &'c mut Console<'o>,
    timeline: Timeline,
    until: Option<Goal>,
    build: Option<Build>,
    /// How far the disks of a wipe were told to be.
    course: host::live::Course,
    /// The number of the last entry that was told.
    last: u64,
}

impl Watch {
    /// Follows until the goal, the end of the time, or for ever.
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let limit = self.timeout.map(Duration::from_secs);
        let deadline = limit.map(|limit| Instant::now() + limit);
        let host = client.get(&host::path(&self.host))?.read::<host::Shown>()?.host;
        let timeline = Timeline::new(console.is_terminal, console.is_coloured());
        let mut eye = Eye { client, console, timeline, until: self.until, build: None, course: host::live::Course::default(), last: 0 };
        eye.last = eye.replay(&host)?;
        let id = host.id.to_string();
        let mut follow = Follow::new(client, with_query("/api/v1/events", &[("host", id.as_str())]), eye.last, deadline);
        while !eye.is_over() {
            let Some(event) = follow.next()? else { break };
            eye.tell(&event.entry, &event.json)?;
            eye.look(&event.entry)?;
        }
        eye.tell_rest(&host)?;
        eye.sum_up(&host, limit.unwrap_or_default())
    }
}

impl Eye<'_, '_, '_> {
    /// Tells what happened since the newest build was asked for; the number of the last entry.
    fn replay(&mut self, host: &Host) -> Result<u64, Fault> {
        let path = format!("{}/journal", host::path(&host.id.to_string()));
        if self.until.is_none() && matches!(host.lifecycle, Lifecycle::Registering | Lifecycle::UsedRegistering | Lifecycle::Cleaning { .. }) {
            if !self.console.is_json {
                let state = host::show::state(&host.lifecycle);
                self.console.line(format_args!("{}: {state}, since {}", host.name, super::table::time(host.since)))?;
            }
            self.timeline.start(host.since);
            let since = host.since.to_string();
            self.tell_page(&path, ("since", &since))?;
            self.tell_disks(host)?;
            return Ok(self.last);
        }
        let Some(build) = host.build.clone() else {
            if !self.console.is_json {
                self.console.line(format_args!("{} has no build yet; waiting for what comes", host.name))?;
            }
            let newest = self.client.get(&with_query(&path, &[("limit", "1")]))?.items::<Entry>()?;
            return Ok(newest.first().map_or(0, |entry| entry.seq));
        };
        if !self.console.is_json {
            let kind = super::table::word(build.kind);
            self.console.line(format_args!(
                "{}: {kind} with profile {}, asked for at {}",
                host.name,
                build.profile,
                super::table::time(build.opened_at)
            ))?;
        }
        self.timeline.start(build.opened_at);
        let since = build.opened_at.to_string();
        self.tell_page(&path, ("since", &since))?;
        self.refresh(build)?;
        Ok(self.last)
    }

    /// The build moves before we have read why: what was recorded up to the end is told too.
    fn tell_rest(&mut self, host: &Host) -> Done {
        let path = format!("{}/journal", host::path(&host.id.to_string()));
        let last = self.last.to_string();
        if self.is_over() { self.tell_page(&path, ("cursor", &last)) } else { Ok(()) }
    }

    fn tell_page(&mut self, path: &str, from: (&str, &str)) -> Done {
        for value in self.client.list(path, &[from, ("order", "oldest")])?.items::<serde_json::Value>()? {
            let json = value.to_string();
            let entry: Entry =
                serde_json::from_value(value).map_err(|why| Fault::Answer { server: self.client.server().to_owned(), why: why.to_string() })?;
            self.tell(&entry, &json)?;
        }
        Ok(())
    }

    fn tell(&mut self, entry: &Entry, json: &str) -> Done {
        self.last = entry.seq;
        if self.console.is_json {
            return self.console.line(json);
        }
        let text = self.timeline.tell(entry);
        self.console.text(&text)
    }

    /// Looks at the build after an entry that may have moved it.
    fn look(&mut self, entry: &Entry) -> Done {
        if let (What::Changed { row, .. }, Some(id)) = (&entry.what, entry.host)
            && row == "agent"
        {
            let host = self.client.get(&host::path(&id.to_string()))?.read::<host::Shown>()?.host;
            return self.tell_disks(&host);
        }
        let moves = matches!(entry.what, What::Stage { .. } | What::Transition { .. } | What::Changed { .. } | What::BootLoop { .. });
        let Some(id) = entry.build.or(self.build.as_ref().map(|build| build.id)).filter(|_| moves) else { return Ok(()) };
        let build = self.client.get(&build::path(&id))?.read::<build::Shown>()?.build;
        if self.build.as_ref().is_none_or(|known| known.id != build.id) {
            if build.ended_at.is_some() && self.until.is_none() {
                // What happens to a host bears the name of its last build also long after that: it is no news of the build.
                return Ok(());
            }
            self.timeline.start(build.opened_at);
        }
        self.build = Some(build);
        Ok(())
    }

    /// Tells which disks of a wipe went on since they were told of last.
    fn tell_disks(&mut self, host: &Host) -> Done {
        let Some(run) = host.live.as_ref().filter(|run| run.is_open() && !self.console.is_json) else { return Ok(()) };
        let end = self.timeline.end();
        self.console.text(end)?;
        self.course.news(run).into_iter().try_for_each(|line| self.console.line(format_args!("{:>9}   {:<24} {line}", "", "disk")))
    }

    fn refresh(&mut self, build: Build) -> Done {
        let fresh = self.client.get(&build::path(&build.id))?.read::<build::Shown>()?.build;
        self.build = Some(fresh);
        Ok(())
    }

    fn is_over(&self) -> bool {
        matches!((self.until, &self.build), (Some(goal), Some(build)) if goal.is_over(build))
    }

    fn sum_up(&mut self, host: &Host, limit: Duration) -> Done {
        let end = self.timeline.end();
        self.console.text(end)?;
        let Some(build) = &self.build else {
            if self.until.is_none() && host.live.is_some() {
                return Ok(());
            }
            return Err(Fault::no(format_args!("no build of {} was opened within {} s", host.name, limit.as_secs())));
        };
        if !self.console.is_json {
            let last = build.stages.last().map(|entry| entry.at).max(build.ended_at).unwrap_or(build.opened_at);
            let (state, stage, loops) = (build::state(build), build.stage.word(), build.loops.count);
            let loops = if loops == 0 { String::new() } else { format!(", {loops} boot loops") };
            self.console.line(format_args!("{}: {state} at {stage} {}{loops}", host.name, build::elapsed(build, last)))?;
        }
        match self.until {
            Some(goal) => build::verdict(build, goal, limit),
            None => Ok(()),
        }
    }
}
