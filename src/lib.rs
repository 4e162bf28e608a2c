//! Bootwright: network-boot provisioning for bare metal, in one daemon.
//!
//! The map of the house. *Model names, wire spells, rules decide, store remembers, app tells the story, serve listens, cli asks.*
//! A floor uses lower floors, never a higher one, never its neighbour; `tests/tidy.rs` holds that.
//!
//! ```text
//! 6  cli       commands; a client of the REST API
//! 5  serve     sockets: dhcp, tftp, http
//!    simulate  whole machines that boot, from the other end of the wire
//! 4  app       one file per story: load → decide → save → answer
//! 3  rules │ store   pure decisions │ SQLite and files
//! 2  wire      bytes ↔ model
//! 1  model     the nouns
//!    world, config   time and chance; settings
//! ```

pub mod app;
pub mod cli;
pub mod config;
pub mod model;
pub mod rules;
pub mod serve;
pub mod simulate;
pub mod store;
pub mod wire;
pub mod world;
