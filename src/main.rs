//! The program: parse, run, exit code. Everything else is in the library.
//!
//! It is as short as it is so that tests can do all that it does.

use std::process::ExitCode;

use bootwright::cli::{self, console::Console};

fn main() -> ExitCode {
    Console::real(|console| ExitCode::from(cli::run(std::env::args_os(), console)))
}
