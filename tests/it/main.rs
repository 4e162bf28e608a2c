//! The integration tests, one binary so that they link once.
//!
//! Each module drives the library from outside, by sockets on the loopback or by the routes themselves; real machines are in `tests/lab`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod attack_live;
mod attack_machines;
mod attack_secrets;
mod attack_templates;
mod backup;
mod boot_rules;
mod cleaning;
mod cli;
mod cli_cleaning;
mod cli_image;
mod cli_site;
mod cli_watch;
mod dhcp;
mod dhcp_goldens;
mod duty;
mod http_api;
mod http_boot;
mod http_listener;
mod http_site;
mod journey;
mod lab;
mod lifecycle_grid;
mod lifecycle_guards;
mod lifecycle_histories;
mod lifecycle_invariants;
mod lifecycle_rows;
mod lifecycle_samples;
mod live_agent;
mod live_http;
mod registration;
mod states;
mod templates;
mod tftp;
mod tftp_story;
