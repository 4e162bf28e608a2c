//! A folder served by the crate async-tftp, the bench's peer: `async_tftp ADDRESS:PORT FOLDER`, until it is stopped.
//!
//! It reads only, agrees to whatever a client asks for, and runs on one thread, as the bench gives every server one core. Why it is not
//! what Bootwright serves with stands in ARCHITECTURE.md.

#![allow(clippy::print_stderr, reason = "a program for the bench says on its error output why it ends")]

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use async_tftp::server::TftpServerBuilder;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(Ok(address)), Some(folder)) = (words.next().map(|word| word.parse::<SocketAddr>()), words.next().map(PathBuf::from)) else {
        eprintln!("usage: async_tftp ADDRESS:PORT FOLDER");
        return ExitCode::from(2);
    };
    let said = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(async {
            let server = TftpServerBuilder::with_dir_ro(folder).map_err(|error| error.to_string())?.bind(address).build().await;
            server.map_err(|error| error.to_string())?.serve().await.map_err(|error| error.to_string())
        })
    });
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("async_tftp: {error}");
            ExitCode::FAILURE
        }
    }
}
