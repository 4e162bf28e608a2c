//! The program: parse the words, run, exit code. Everything else is in the library.
//!
//! It is as short as it is so that tests can do all that it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(bootwright_agent::run(std::env::args().skip(1)))
}
