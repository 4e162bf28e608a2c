//! A run of the live image on one screen: who ordered it, who speaks for it, and how far each disk is.
//!
//! Everything comes from the record, as the agent said it; nothing is estimated here.

use std::collections::BTreeMap;

use crate::{
    cli::{
        Console, Done,
        table::{bytes, or_dash, time, word},
    },
    model::{LiveMode, LiveRun, Progress, WipePlan, wipe::DiskProgress},
    rules::wipe::span,
};

/// Prints the newest run, open or ended.
pub fn tell(run: &LiveRun, console: &mut Console<'_>) -> Done {
    let what = match run.mode {
        LiveMode::Register => "registration".to_owned(),
        LiveMode::Clean => {
            let hash = run.plan_hash.as_deref().unwrap_or("");
            format!("wipe by plan {}, policy {}", hash.get(..12).unwrap_or(hash), or_dash(run.plan.as_ref().map(|plan| word(plan.policy))))
        }
    };
    let end = run.ended_at.map_or_else(String::new, |at| format!(", ended {}", time(at)));
    console.line(format_args!("\nlive image: {what}, ordered by {}{end}", run.by))?;
    match (&run.crew, run.heard_at) {
        (Some(crew), Some(heard)) => {
            console.line(format_args!("  agent {} of image {}, last heard {}", crew.agent, crew.image, time(heard)))?;
        }
        _ if run.is_open() => {
            console.line("  its agent has not spoken yet; start the machine from the network (one that waits in the live image starts by itself)")?
        }
        _ => {}
    }
    if let Some(progress) = run.progress.as_ref().filter(|_| run.is_open()) {
        console.line(format_args!("  {}", whole(progress)))?;
        progress.disks.iter().try_for_each(|disk| console.line(format_args!("    {}", self::disk(disk, run.plan.as_deref()))))?;
    }
    for result in &run.results {
        let method = or_dash(result.method.map(word));
        let why = result.error.as_deref().map_or_else(String::new, |why| format!(": {why}"));
        let (ok, name) = (if result.ok { "wiped" } else { "NOT WIPED" }, named(&result.id.0, run.plan.as_deref()));
        console.line(format_args!("    {name}  {ok} by {method}{why}"))?;
    }
    Ok(())
}

/// How far the whole is.
pub fn whole(progress: &Progress) -> String {
    format!("{} {} %{}", progress.step, progress.percent, to_go(progress.eta_secs))
}

/// How far one disk is.
pub fn disk(disk: &DiskProgress, plan: Option<&WipePlan>) -> String {
    format!("{}  {} {} %{}", named(&disk.id.0, plan), disk.step, disk.percent, to_go(disk.eta_secs))
}

/// What a reader was told of the disks of a wipe: one line when a disk begins something else, and one every quarter of it.
#[derive(Debug, Default)]
pub struct Course(BTreeMap<String, (String, u32)>);

impl Course {
    /// The disks that went on, in words.
    pub fn news(&mut self, run: &LiveRun) -> Vec<String> {
        let disks = run.progress.iter().flat_map(|progress| &progress.disks);
        let fresh = disks.filter(|disk| {
            let now = (disk.step.clone(), disk.percent / 25);
            self.0.insert(disk.id.0.clone(), now.clone()) != Some(now)
        });
        fresh.map(|disk| self::disk(disk, run.plan.as_deref())).collect()
    }
}

fn to_go(secs: Option<u64>) -> String {
    secs.map_or_else(String::new, |secs| format!(", about {} to go", span(secs)))
}

/// A disk as people know it: its name at registration, its size and its id.
fn named(id: &str, plan: Option<&WipePlan>) -> String {
    let planned = plan.and_then(|plan| plan.disks.iter().find(|disk| disk.id.0 == id));
    planned.map_or_else(|| id.to_owned(), |disk| format!("{} ({}, {id})", disk.name, bytes(disk.size_bytes)))
}
