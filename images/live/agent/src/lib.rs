//! The program inside Bootwright's live image: reads what a machine is made of, or erases its disks by a plan.
//!
//! ```text
//! main → lib (words) → work (hello, the job, the wait)
//!                        ├─ cmdline   what the kernel was told
//!                        ├─ talk      the server, by HTTP
//!                        ├─ gate      may this wipe run? the only place that says yes
//!                        ├─ facts     collectors; disks: the disks among them
//!                        ├─ wipe      erases and verifies
//!                        └─ console   the screen and the serial log
//! ```
//! Everything looks outside through [`machine::Machine`] and speaks [`contract`]. It decides nothing about a host's life: that is the server's.

pub mod contract;
pub mod disks;
pub mod machine;
pub mod watch;
pub mod wipe;

/// Runs the words of the command line; the exit code.
pub fn run(words: impl Iterator<Item = String>) -> u8 {
    u8::from(words.count() != 0)
}
