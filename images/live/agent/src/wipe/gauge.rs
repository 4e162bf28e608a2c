//! How far the work is: each disk's step, per cent and seconds to go, and from them the whole's.
//!
//! A disk weighs as many seconds as the plan expects of it, so a small disk that is done does not look like half of the work. Estimates are
//! from the time that the disk has taken so far. News is given when there is some, not at every block.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::Watch;
use crate::{
    contract::{DiskProgress, Progress, WipePlan},
    machine::Machine,
};

/// Says what the whole is at, before or after the disks.
pub fn whole(watch: &Watch, step: &str) {
    watch.say(|progress| step.clone_into(&mut progress.step));
}

/// Shows all disks as waiting.
pub fn begin(watch: &Watch, plan: &WipePlan) {
    let disks =
        plan.disks.iter().map(|disk| DiskProgress { id: disk.id.clone(), step: "waiting".to_owned(), percent: 0, eta_secs: Some(disk.soft_secs) });
    let disks: Vec<DiskProgress> = disks.collect();
    watch.say(|progress| *progress = Progress { step: "erasing".to_owned(), disks, ..Progress::default() });
    watch.say(|progress| total(progress, plan));
}

/// One disk's gauge.
pub struct Gauge<'a> {
    watch: &'a Watch,
    machine: &'a dyn Machine,
    plan: &'a WipePlan,
    at: usize,
    /// When this method began, and when something was said last.
    times: Mutex<(Duration, Duration)>,
}

impl<'a> Gauge<'a> {
    /// Of the disk at this place of the plan.
    pub fn new(watch: &'a Watch, machine: &'a dyn Machine, plan: &'a WipePlan, at: usize) -> Self {
        let now = machine.uptime();
        Self { watch, machine, plan, at, times: Mutex::new((now, now)) }
    }

    /// `erasing`, `verifying`, `done`, `failed`: a step begins.
    pub fn step(&self, step: &str) {
        let now = self.machine.uptime();
        *self.times.lock().unwrap_or_else(PoisonError::into_inner) = (now, now);
        let (percent, eta) = match step {
            "verifying" => (97, None),
            "done" | "failed" => (100, Some(0)),
            _ => (0, self.plan.disks.get(self.at).map(|disk| disk.soft_secs)),
        };
        self.set(Some(step), percent, eta);
    }

    /// The erase is so far.
    pub fn percent(&self, percent: u32) {
        let percent = percent.min(100) * 95 / 100;
        let now = self.machine.uptime();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let said = self.watch.progress().disks.get(self.at).map_or(0, |disk| disk.percent);
        if said == percent && now.saturating_sub(times.1) < Duration::from_secs(5) {
            return;
        }
        times.1 = now;
        let spent = now.saturating_sub(times.0).as_secs();
        drop(times);
        let soft = self.plan.disks.get(self.at).map_or(0, |disk| disk.soft_secs);
        let eta = if percent < 2 { soft.saturating_sub(spent) } else { spent * u64::from(100 - percent) / u64::from(percent) };
        self.set(None, percent, Some(eta));
    }

    fn set(&self, step: Option<&str>, percent: u32, eta: Option<u64>) {
        self.watch.say(|progress| {
            if let Some(disk) = progress.disks.get_mut(self.at) {
                if let Some(step) = step {
                    step.clone_into(&mut disk.step);
                }
                disk.percent = percent;
                disk.eta_secs = eta;
            }
            total(progress, self.plan);
        });
    }
}

/// The whole out of its disks.
fn total(progress: &mut Progress, plan: &WipePlan) {
    let weight = |at: usize| plan.disks.get(at).map_or(1, |disk| disk.soft_secs.max(1));
    let all: u64 = (0..progress.disks.len()).map(weight).sum();
    let done: u64 = progress.disks.iter().enumerate().map(|(at, disk)| weight(at) * u64::from(disk.percent)).sum();
    progress.percent = u32::try_from(done / all.max(1)).unwrap_or(100).min(100);
    let left = || progress.disks.iter().map(|disk| disk.eta_secs.unwrap_or(0));
    let spread = left().sum::<u64>() / u64::from(plan.parallel.max(1));
    progress.eta_secs = Some(spread.max(left().max().unwrap_or(0)));
    let over = progress.disks.iter().filter(|disk| disk.percent == 100).count();
    progress.step = format!("erasing: {over} of {} disks finished", progress.disks.len());
}
