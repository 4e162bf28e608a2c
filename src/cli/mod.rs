//! The commands. All but `serve` and `check` are clients of the REST API.
//!
//! Tables for people, `--json` for programs; the exit codes are in the README.
