//! Carries out a wipe plan, exactly or not at all.
//!
//! ```text
//! frozen    the disks that are there are those of the plan?      ┐ nothing is touched
//! span      does anything reach over disks that are not planned? ┘ before both say yes
//! release   swap, mounts, volume groups, arrays let go
//! disk      per disk, several at a time: marker → erase → scrub → verify, method by method
//!   site    the abort and the deadline, looked at at every step; gauge: progress
//!   block   raw reads and writes, and whose device that is; device: the real ones
//! ```
//! The gate (`gate`) has already decided that this plan may be carried out on this machine. What stops the whole before any disk was
//! touched is [`Outcome::error`]; what stops one disk is in its own result, and the others go on.

mod block;
mod device;
mod disk;
mod erase;
mod frozen;
mod gauge;
mod release;
mod scrub;
mod site;
mod span;
#[cfg(test)]
mod tests;
mod verify;

use std::{collections::BTreeMap, time::Duration};

use crate::{
    contract::{DiskId, DiskResult, Verification, WipePlan},
    disks::{self, Found},
    machine::Machine,
};

use block::Doors;
use frozen::{Fitting, Misfit};
use gauge::Gauge;
use site::{Job, Site};

pub use crate::watch::Watch;

/// Disks at once, at most, whatever the plan says: a live image has little memory.
const AT_ONCE: u32 = 32;

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Disk by disk; every planned disk is in it.
    pub results: Vec<DiskResult>,
    /// Tools and their versions, `nvme version 2.4`.
    pub tools: Vec<String>,
    /// What stopped the whole before any disk was touched.
    pub error: Option<String>,
}

/// Carries the plan out, to its end or to an abort.
pub fn carry_out(machine: &dyn Machine, plan: &WipePlan, watch: &Watch) -> Outcome {
    with_doors(machine, &device::Devices, plan, watch)
}

fn with_doors(machine: &dyn Machine, doors: &dyn Doors, plan: &WipePlan, watch: &Watch) -> Outcome {
    let site = Site::new(machine, doors, watch);
    let (results, error) = match prepared(&site, plan) {
        Ok(fitting) => (erased(&site, plan, &fitting), None),
        Err(misfit) => (not_begun(machine, plan, &misfit), Some(misfit.text)),
    };
    Outcome { results, tools: site.tools(), error }
}

/// Everything before the first write.
fn prepared(site: &Site<'_>, plan: &WipePlan) -> Result<Fitting, Misfit> {
    gauge::whole(site.watch, "looking at the disks");
    let (found, problems) = disks::list(site.machine);
    if let Some(problem) = problems.first() {
        return Err(Misfit::from(format!("the disks cannot all be looked at: {}", problem.text)));
    }
    let fitting = frozen::fit(plan, &found)?;
    let layers = span::look(site, &fitting)?;
    if site.watch.stopped() {
        return Err(Misfit::from("it was stopped from outside before it began".to_owned()));
    }
    gauge::whole(site.watch, "letting go of the disks");
    release::release(site, &fitting.planned, &layers)?;
    Ok(fitting)
}

fn not_begun(machine: &dyn Machine, plan: &WipePlan, misfit: &Misfit) -> Vec<DiskResult> {
    let now = machine.now();
    let why = |id: &DiskId| misfit.disks.get(id).cloned().unwrap_or_else(|| format!("not begun: {}", misfit.text));
    let blank = |id: &DiskId, name: &str| DiskResult {
        id: id.clone(),
        name: name.to_owned(),
        ok: false,
        method: None,
        attempts: Vec::new(),
        started: now,
        ended: now,
        verification: Verification::default(),
        error: Some(why(id)),
    };
    plan.disks.iter().map(|disk| blank(&disk.id, &disk.name)).collect()
}

/// All planned disks, those of one unit after each other.
fn erased(site: &Site<'_>, plan: &WipePlan, fitting: &Fitting) -> Vec<DiskResult> {
    gauge::begin(site.watch, plan);
    let mut lanes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, found) in fitting.planned.iter().enumerate() {
        let first = fitting.planned.iter().position(|other| other.unit == found.unit).unwrap_or(at);
        lanes.entry(first).or_default().push(at);
    }
    let lanes: Vec<Vec<usize>> = lanes.into_values().collect();
    let at_once = usize::try_from(plan.parallel.clamp(1, AT_ONCE)).unwrap_or(1);
    let done = disks::side_by_side(at_once, &lanes, |lane| lane.iter().map(|at| (*at, one(site, plan, fitting, *at))).collect::<Vec<_>>());
    let mut results: Vec<(usize, DiskResult)> = done.into_iter().flatten().collect();
    results.sort_by_key(|(at, _)| *at);
    gauge::whole(site.watch, "all disks are finished");
    results.into_iter().map(|(_, result)| result).collect()
}

fn one(site: &Site<'_>, plan: &WipePlan, fitting: &Fitting, at: usize) -> DiskResult {
    let (planned, found): (_, &Found) = (&plan.disks[at], &fitting.planned[at]);
    let reached = fitting.others.iter().filter(|other| other.unit == found.unit).map(|other| other.disk.name.clone());
    let deadline = site.machine.uptime() + Duration::from_secs(planned.hard_secs);
    let job = Job { site, planned, found, bystanders: reached.collect(), gauge: Gauge::new(site.watch, site.machine, plan, at), deadline };
    disk::wipe(&job)
}
