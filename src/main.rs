//! The program: parse, run, exit code. Everything else is in the library.
//!
//! It is as short as it is so that tests can do all that it does.

use std::process::ExitCode;

use bootwright::cli::{self, console::Console};

/// Hosts are copied with every step, and what one thread made another one drops: glibc's allocator took a third of the CPU time of a storm.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Huge pages that are half empty made ten thousand hosts a third larger. Where the kernel cannot leave them out, they stay.
    let _ = nix::sys::prctl::set_thp_disable(true);
    Console::real(|console| ExitCode::from(cli::run(std::env::args_os(), console)))
}
