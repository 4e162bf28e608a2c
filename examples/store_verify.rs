//! Opens a database that no daemon has open and compares every row with the fold of its journal: `store_verify FILE`.
//!
//! Ends with 1 and a line for each discrepancy. For tests; the daemon's own start looks for damage of the file only.

#![allow(clippy::print_stdout, reason = "its result is its output")]

use std::process::ExitCode;

use bootwright::store::sqlite::Sqlite;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("store_verify FILE");
        return ExitCode::from(2);
    };
    let found = match Sqlite::open(&path) {
        Ok(store) => store.verify().await,
        Err(fault) => Err(fault),
    };
    match found {
        Ok(found) => {
            found.iter().for_each(|one| println!("{}: {}", one.what, one.text));
            if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(fault) => {
            println!("{fault}");
            ExitCode::FAILURE
        }
    }
}
