//! So many live images at once: they ask for their script as machines that nobody knows, register and send heartbeats, against a real
//! daemon with a scratch state folder. `live_storm BOOTWRIGHT [MACHINES] [SECONDS]`.
//!
//! Every machine has an address of its own in 127.1.0.0/16 and speaks the real protocol, each request on its own connection. Heartbeats
//! come fifteen times as often as in life, so that a short run carries the load of a long one. Prints what the daemon used (processor
//! seconds, largest memory), how long each kind of request took and every failure by its reason; ends with 1 when there was one.
//! Deliberately no benchmark of DHCP, TFTP or images: nothing is booted here.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that cannot go on says so; its result is its output"
)]

mod daemon;
mod machine;
mod tally;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use daemon::Daemon;
use tally::Tally;
use tokio::{task::JoinSet, time::timeout};

/// Whatever happens, the storm is over after this.
const LONGEST: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(program) = words.next() else {
        eprintln!("live_storm BOOTWRIGHT [MACHINES] [SECONDS]");
        return ExitCode::from(2);
    };
    let machines = words.next().map_or(500, |word| word.parse().unwrap());
    let lasts = Duration::from_secs(words.next().map_or(20, |word| word.parse().unwrap()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(async { timeout(LONGEST, storm(&program, machines, lasts)).await }) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            println!("{failures} failures");
            ExitCode::FAILURE
        }
        Err(_) => {
            println!("not over after {} s", LONGEST.as_secs());
            ExitCode::FAILURE
        }
    }
}

/// Runs it; the number of failures.
async fn storm(program: &str, machines: u16, lasts: Duration) -> usize {
    let daemon = Daemon::start(program).await;
    daemon.open_network().await;
    let (idle, begin, tally) = (daemon.used(), Instant::now(), Arc::new(Tally::default()));
    let mut running = JoinSet::new();
    for number in 0..machines {
        running.spawn(machine::live(number, daemon.boot, begin + lasts, tally.clone()));
    }
    running.join_all().await;
    let registered = begin.elapsed();
    let lifecycles = daemon.lifecycles().await;
    let used = daemon.used();
    println!("{machines} live images, {:.1} s", registered.as_secs_f64());
    println!(
        "server: {:.2} s of processor time ({:.2} s before the storm), at most {:.1} MiB of memory",
        used.processor_secs - idle.processor_secs,
        idle.processor_secs,
        used.peak_mib
    );
    tally.print();
    println!("hosts afterwards: {lifecycles:?}");
    let lost = usize::from(machines) - lifecycles.get("unavailable").copied().unwrap_or(0).min(usize::from(machines));
    if lost > 0 {
        println!("FAILED {lost} × registered, and not `unavailable` afterwards");
        println!("{}", daemon.last_words());
    }
    tally.failures() + lost
}
