//! The program inside Bootwright's live image: reads what a machine is made of, or erases its disks by a plan.
//!
//! ```text
//! main → lib (words) → work (hello, the job, the wait)
//!                        ├─ cmdline   what the kernel was told
//!                        ├─ talk      the server, by HTTP; patience: when to try again
//!                        ├─ gate      may this wipe run? the only place that says yes
//!                        ├─ facts     collectors; disks: the disks among them
//!                        ├─ wipe      erases and verifies; watch: how far, and stop
//!                        └─ console   the screen and the serial log
//! ```
//! Everything looks outside through [`machine::Machine`] and speaks [`contract`]. It decides nothing about a host's life: that is the server's.

pub mod cmdline;
pub mod console;
pub mod contract;
pub mod disks;
pub mod facts;
pub mod gate;
pub mod machine;
pub mod patience;
pub mod talk;
pub mod watch;
pub mod wipe;
pub mod work;

use std::{io::Write, sync::Arc};

use machine::{Machine, Real};

/// What a person may type.
const USAGE: &str = "bootwright-agent: the program of Bootwright's live image

  bootwright-agent          in the live image: asks the server and does its work
  bootwright-agent facts    prints what this machine is made of as JSON, as a registration would report it; reads only
  bootwright-agent version  prints its version
";

/// Runs the words of the command line; the exit code: 0 good, 1 the world failed, 2 the words or the place are wrong.
pub fn run(words: impl Iterator<Item = String>) -> u8 {
    // A fault of our own ends the program at once (`panic = "abort"`); it is said like every other error, for whoever reads the serial log.
    std::panic::set_hook(Box::new(|fault| {
        let text: String = fault.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _gone = writeln!(std::io::stderr(), "bootwright: error: a fault of the agent itself, please report it: {text}");
    }));
    let machine: Arc<dyn Machine> = Arc::new(Real::new());
    run_on(&machine, &words.collect::<Vec<_>>(), Box::new(std::io::stdout()))
}

fn run_on(machine: &Arc<dyn Machine>, words: &[String], mut out: Box<dyn Write + Send>) -> u8 {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => work::live(machine, &console::Console::new(out), work::Hands { disks: disks::collect, wipe: wipe::carry_out }),
        ["facts"] => print(&mut *out, &facts_of(machine)),
        ["version"] => print(&mut *out, env!("CARGO_PKG_VERSION")),
        ["help" | "--help" | "-h"] => print(&mut *out, USAGE.trim_end()),
        _ => print(&mut *out, USAGE.trim_end()).max(2),
    }
}

/// The facts of this machine for whoever writes rules; the card of the boot is known in the live image only.
fn facts_of(machine: &Arc<dyn Machine>) -> String {
    let boot = machine.word("/proc/cmdline").and_then(|line| cmdline::parse(&line).ok()).and_then(|cmdline| cmdline.mac);
    let facts = facts::collect(machine, facts::all(disks::collect, boot), boot, &|_| {}, &mut |_| {});
    // A struct of strings and numbers has no way to fail.
    serde_json::to_string_pretty(&facts).unwrap_or_default()
}

/// A reader that has gone away is the one thing that can fail.
fn print(out: &mut dyn Write, text: &str) -> u8 {
    u8::from(writeln!(out, "{text}").and_then(|()| out.flush()).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{console::tests::Screen, contract::Facts, machine::recorded::Recorded};

    fn say(words: &[&str]) -> (u8, String) {
        let (machine, screen): (Arc<dyn Machine>, _) = (Arc::new(Recorded::new()), Screen::default());
        let code = run_on(&machine, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), Box::new(screen.clone()));
        (code, screen.text())
    }

    #[test]
    fn the_words_are_few() {
        assert_eq!(say(&["version"]), (0, format!("{}\n", env!("CARGO_PKG_VERSION"))));
        assert_eq!(say(&["help"]), (0, USAGE.to_owned()));
        assert_eq!(say(&["wipe", "/dev/sda"]), (2, USAGE.to_owned()));
    }

    #[test]
    fn facts_are_printed_as_the_report_has_them() {
        let (code, text) = say(&["facts"]);
        let facts: Facts = serde_json::from_str(&text).unwrap();
        assert_eq!((code, facts.collectors[0].name.as_str()), (0, "dmi"));
    }

    #[test]
    fn outside_the_live_image_nothing_is_done() {
        let (code, text) = say(&[]);
        assert_eq!(code, 2);
        assert!(text.contains("no disk is touched outside it") && text.contains("only `facts` and `version`"), "{text}");
    }
}
