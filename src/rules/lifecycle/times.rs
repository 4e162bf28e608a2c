//! How patient the server is: the default deadlines of `lifecycle.md` section 5, and which clocks of a host are running.
//!
//! A deadline becomes an absolute time on the host when its state or stage is entered, so it goes on through a restart. Nothing here
//! asks what time it is.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::parts::Clock;
use crate::model::{Build, BuildEnd, Deadlines, Host, Lifecycle, Stage, TaskKind, Timestamp};

/// The table of patience. A site may change any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Each try of `registering` and `used_registering`.
    pub registering: Deadlines,
    /// Tries of a registration.
    pub registering_tries: u32,
    /// `cleaning`, unless its plan says how long its drives take.
    pub cleaning: Deadlines,
    /// Wipes that the server may try by itself after a failed one.
    pub cleaning_tries: u32,
    /// Seconds of silence after which the agent is called lost.
    pub agent_lost_secs: u64,
    /// Seconds of silence after which it is given up.
    pub agent_dead_secs: u64,
    /// Stages of a build, for profiles that say nothing.
    pub stages: BTreeMap<Stage, Deadlines>,
    /// `starting` and `stopping`.
    pub switching: Deadlines,
    /// `restarting` and `force_restarting`.
    pub restarting: Deadlines,
    /// Tries of a power task.
    pub task_tries: u32,
    /// Seconds after which a maintenance is overdue; it never fails.
    pub maintenance_soft_secs: u64,
    /// Seconds that a build's token opens documents.
    pub token_secs: u64,
    /// Seconds after that in which `built` and its like are still taken.
    pub token_grace_secs: u64,
    /// Seconds that facts are believed.
    pub facts_secs: u64,
    /// Seconds that a record stays after its host was deleted.
    pub retention_secs: u64,
    /// Seconds an unlocked host has to be heard (O1).
    pub boot_secs: u64,
    /// Seconds its tests have (O4).
    pub test_secs: u64,
    /// Seconds until a failed host is tried again (O5).
    pub recovery_secs: u64,
    /// How often (O5).
    pub recoveries: u32,
    /// Seconds that silence or a power reading must last to be believed (O2, O10).
    pub hold_off_secs: u64,
    /// Heartbeats missed for degraded (O6).
    pub misses_degraded: u32,
    /// Heartbeats missed for failed (O6).
    pub misses_failed: u32,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const fn minutes(soft: u64, hard: u64) -> Deadlines {
    Deadlines { soft_secs: soft * MINUTE, hard_secs: hard * MINUTE }
}

/// What the clock waits for while a stage lasts: the row of section 5 that begins with it.
const fn stage_default(stage: Stage) -> Deadlines {
    match stage {
        Stage::BuildEnabled | Stage::VmRequested => minutes(10, 360),
        Stage::Dhcp => minutes(1, 5),
        Stage::BootloaderSent => minutes(2, 5),
        Stage::IpxeScriptSent | Stage::KernelInitrdSent => minutes(5, 15),
        Stage::ProvisionTemplateSent | Stage::FinishSent => minutes(10, 30),
        Stage::PreRunning | Stage::Installing | Stage::VmCreated | Stage::SshStarted => minutes(40, 240),
        Stage::PostRunning => minutes(20, 40),
        Stage::Built | Stage::LocalBoot => minutes(15, 30),
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            registering: minutes(10, 30),
            registering_tries: 3,
            cleaning: minutes(10, 30),
            cleaning_tries: 3,
            agent_lost_secs: 2 * MINUTE,
            agent_dead_secs: 5 * MINUTE,
            stages: Stage::ALL.into_iter().map(|stage| (stage, stage_default(stage))).collect(),
            switching: minutes(2, 10),
            restarting: minutes(5, 15),
            task_tries: 2,
            maintenance_soft_secs: 7 * DAY,
            token_secs: 6 * HOUR,
            token_grace_secs: DAY,
            facts_secs: 30 * DAY,
            retention_secs: 30 * DAY,
            boot_secs: 12 * MINUTE,
            test_secs: 10 * MINUTE,
            recovery_secs: 5 * MINUTE,
            recoveries: 2,
            hold_off_secs: 10,
            misses_degraded: 6,
            misses_failed: 10,
        }
    }
}

impl Times {
    /// The deadlines of a stage of this build: the profile's, else the site's, else section 5.
    pub fn stage(&self, build: &Build, stage: Stage) -> Deadlines {
        build.deadlines.get(&stage).or_else(|| self.stages.get(&stage)).copied().unwrap_or_else(|| stage_default(stage))
    }

    /// The deadlines of a power task. A build's task keeps its stage's time instead, and a deletion its wipe's.
    pub const fn task(&self, kind: TaskKind) -> Deadlines {
        match kind {
            TaskKind::Starting | TaskKind::Stopping => self.switching,
            TaskKind::Restarting | TaskKind::ForceRestarting => self.restarting,
            TaskKind::Creating | TaskKind::Rebuilding | TaskKind::ReinstallingOs | TaskKind::Deleting => self.cleaning,
        }
    }
}

/// `now` and so many seconds, or the end of time: a setting may be absurd, but a deadline is always finite.
pub fn after(now: Timestamp, secs: u64) -> Timestamp {
    let span = SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX));
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// A clock that runs on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Which.
    pub clock: Clock,
    /// When it is overdue; `None` if it never is, or already was called so.
    pub soft: Option<Timestamp>,
    /// When it has failed.
    pub hard: Option<Timestamp>,
}

/// Every clock that runs on a host: what `rules::expiry` turns into [`super::Event::SoftDeadline`] and [`super::Event::HardDeadline`].
pub fn running(host: &Host) -> Vec<Running> {
    let clock = |clock, soft: Option<Timestamp>, hard, overdue: bool| Running { clock, soft: soft.filter(|_| !overdue), hard };
    let mut found = vec![clock(Clock::State, host.soft_deadline, host.hard_deadline, host.overdue)];
    if let Some(build) = host.build.as_ref().filter(|build| counts(host, build)) {
        found.push(clock(Clock::Build, build.soft_deadline, build.hard_deadline, build.overdue));
    }
    if let Some(task) = host.task.as_ref().filter(|task| is_power(task.kind)) {
        found.push(clock(Clock::Task, task.soft_deadline, task.hard_deadline, task.overdue));
    }
    found.retain(|running| running.soft.is_some() || running.hard.is_some());
    found
}

/// Whether a build's clock runs: while it is open, and while a built host has not come back from its disk.
pub(super) fn counts(host: &Host, build: &Build) -> bool {
    match host.lifecycle {
        Lifecycle::Provisioning => build.is_open(),
        Lifecycle::Used => build.end == Some(BuildEnd::Built) && build.stage == Stage::Built,
        _ => false,
    }
}

/// Whether a task is about power alone; the others are the shadow of a build or a wipe.
pub(super) const fn is_power(kind: TaskKind) -> bool {
    match kind {
        TaskKind::Starting | TaskKind::Stopping | TaskKind::Restarting | TaskKind::ForceRestarting => true,
        TaskKind::Creating | TaskKind::Deleting | TaskKind::Rebuilding | TaskKind::ReinstallingOs => false,
    }
}
