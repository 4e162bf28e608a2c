//! What this machine is made of: every collector in a thread of its own, with its own time-out and its own error.
//!
//! A tool that hangs costs its own facts and nothing else: its thread is left behind. When the quick collectors are through, what is known
//! goes out as a partial report, so that a machine on which the slow ones never end is still more than an address. Nothing here writes.

mod bmc;
mod boot;
mod cpu;
mod dmi;
mod lldp;
mod memory;
pub mod nics;
mod pci;
mod table;
mod tool;

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use crate::{
    contract::{Collector, Facts, Mac},
    disks::{self, Problem},
    machine::Machine,
};

pub use dmi::uuid;
pub use table::all;

/// The disks' collector; a test brings its own.
pub type DisksOf = fn(&dyn Machine) -> (Vec<crate::contract::Disk>, Vec<Problem>);

/// What one collector found: how it goes into the facts, and what was wrong.
pub struct Found {
    put: Box<dyn Fn(&mut Facts) + Send>,
    problems: Vec<Problem>,
}

impl Found {
    fn new(put: impl Fn(&mut Facts) + Send + 'static, problems: Vec<Problem>) -> Self {
        Self { put: Box::new(put), problems }
    }
}

type Run = Box<dyn FnOnce(&dyn Machine) -> Found + Send>;

/// One collector.
pub struct Look {
    name: &'static str,
    /// After this it is given up, whatever its tools do. More than its tools' own limits together.
    limit: Duration,
    /// Whether the partial report waits for it.
    quick: bool,
    run: Run,
}

impl Look {
    fn new(name: &'static str, secs: u64, quick: bool, run: impl FnOnce(&dyn Machine) -> Found + Send + 'static) -> Self {
        Self { name, limit: Duration::from_secs(secs), quick, run: Box::new(run) }
    }
}

/// Where one collector is.
enum State {
    Looking,
    Done(Found, Duration),
    Late(Duration),
}

/// Runs all collectors; `partly` gets what is known when the quick ones are through, `step` the names
/// of the slow ones that still look once the quick ones are through, before that none.
pub fn collect(
    machine: &Arc<dyn Machine>,
    looks: Vec<Look>,
    boot: Option<Mac>,
    step: &dyn Fn(&[&'static str]),
    partly: &mut dyn FnMut(Facts),
) -> Facts {
    let order: Vec<(&'static str, Duration, bool)> = looks.iter().map(|look| (look.name, look.limit, look.quick)).collect();
    let mut states: Vec<State> = order.iter().map(|_| State::Looking).collect();
    let (say, hear) = mpsc::channel();
    let began = machine.uptime();
    for (at, look) in looks.into_iter().enumerate() {
        let (machine, say) = (Arc::clone(machine), say.clone());
        std::thread::spawn(move || {
            let found = (look.run)(&*machine);
            // Nobody listens to one that comes too late.
            let _late = say.send((at, found, machine.uptime()));
        });
    }
    drop(say);
    let mut told = false;
    loop {
        let open: Vec<usize> = (0..order.len()).filter(|at| matches!(states[*at], State::Looking)).collect();
        let is_quick_over = !open.iter().any(|at| order[*at].2);
        let Some(next) = open.iter().map(|at| order[*at].1).min() else { break };
        if is_quick_over && !told {
            told = true;
            partly(assemble(&order, &states, boot));
        }
        step(&open.iter().filter(|_| is_quick_over).map(|at| order[*at].0).collect::<Vec<_>>());
        let since = machine.uptime().saturating_sub(began);
        match hear.recv_timeout(next.saturating_sub(since)) {
            Ok((at, found, now)) => states[at] = State::Done(found, now.saturating_sub(began)),
            Err(_) => {
                for at in open.into_iter().filter(|at| order[*at].1 <= next) {
                    states[at] = State::Late(order[at].1);
                }
            }
        }
    }
    assemble(&order, &states, boot)
}

/// In the order of the table, whatever the order of arrival: `lldp` needs the cards that `nics` found.
fn assemble(order: &[(&'static str, Duration, bool)], states: &[State], boot: Option<Mac>) -> Facts {
    let mut facts = Facts::default();
    for ((name, ..), state) in order.iter().zip(states) {
        match state {
            State::Looking => {}
            State::Late(limit) => {
                let error = Some(format!("did not come to an end within {} s", limit.as_secs()));
                facts.collectors.push(Collector { name: (*name).to_owned(), took_ms: millis(*limit), error });
            }
            State::Done(found, took) => {
                (found.put)(&mut facts);
                note(&mut facts, name, *took, &found.problems);
            }
        }
    }
    for nic in &mut facts.nics {
        nic.boot = boot.is_some_and(|boot| nic.mac == boot || nic.permanent_mac == Some(boot));
    }
    facts
}

/// One entry for the collector, and one for each other that it speaks for (`disks` for `health`).
fn note(facts: &mut Facts, name: &str, took: Duration, problems: &[Problem]) {
    let error = |of: &str| {
        let texts: Vec<&str> = problems.iter().filter(|problem| problem.collector == of).map(|problem| problem.text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    };
    facts.collectors.push(Collector { name: name.to_owned(), took_ms: millis(took), error: error(name) });
    let mut others: Vec<&str> = problems.iter().map(|problem| problem.collector).filter(|other| *other != name).collect();
    others.sort_unstable();
    others.dedup();
    for other in others {
        facts.collectors.push(Collector { name: other.to_owned(), took_ms: millis(took), error: error(other) });
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The real disks' collector.
pub const DISKS: DisksOf = disks::collect;

#[cfg(test)]
mod tests;
