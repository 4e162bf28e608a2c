//! What time alone changes: deadlines of states, builds and tasks, and the end of a reservation.
//!
//! Deadlines are points in time in the store, so a daemon that was down finds them passed and reports them now, in the order in
//! which they passed. What follows from each is `rules::lifecycle`; how long a deadline is was written when the state was entered.

use crate::model::{Host, Lifecycle, Stage, TaskKind, Timestamp};

/// Whose clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// The lifecycle state's.
    State,
    /// The open build's, in this stage.
    Build(Stage),
    /// The open task's.
    Task,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// It takes longer than it should (T36).
    Soft(Clock),
    /// It is given up (T4, T11, T16, T19, P1–P8).
    Hard(Clock),
    /// The reservation's `until` (T8).
    ReservationOver,
}

/// Everything that has passed by `now`, each with the time at which it did, oldest first. A soft deadline that was reported
/// (`overdue`) is not reported again; a hard one is due until the host leaves the state.
pub fn due(host: &Host, now: Timestamp) -> Vec<(Timestamp, Due)> {
    let mut all: Vec<_> = pending(host).into_iter().filter(|(at, _)| *at <= now).collect();
    all.sort();
    all
}

/// When there will be something due, if ever.
pub fn next_due(host: &Host) -> Option<Timestamp> {
    pending(host).into_iter().map(|(at, _)| at).min()
}

/// The kind of the open task, for whoever words a task's deadline.
pub fn task_kind(host: &Host) -> Option<TaskKind> {
    host.task.as_ref().map(|task| task.kind)
}

fn pending(host: &Host) -> Vec<(Timestamp, Due)> {
    let mut all = Vec::new();
    let mut add = |clock: Clock, soft: Option<Timestamp>, hard: Option<Timestamp>, overdue: bool| {
        all.extend(soft.filter(|_| !overdue).map(|at| (at, Due::Soft(clock))));
        all.extend(hard.map(|at| (at, Due::Hard(clock))));
    };
    add(Clock::State, host.soft_deadline, host.hard_deadline, host.overdue);
    if let Some(build) = host.open_build() {
        add(Clock::Build(build.stage), build.soft_deadline, build.hard_deadline, build.overdue);
    }
    if let Some(task) = &host.task {
        add(Clock::Task, task.soft_deadline, task.hard_deadline, task.overdue);
    }
    if let Lifecycle::Reserved { until: Some(until), .. } = &host.lifecycle {
        all.push((*until, Due::ReservationOver));
    }
    all
}
