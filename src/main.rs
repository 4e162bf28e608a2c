//! The program: parse, run, exit code. Everything else is in the library.
//!
//! It is as short as it is so that tests can do all that it does.

fn main() {}
