//! The targets, one file for each kind of bytes. Each takes an input apart, calls the parser as the daemon does, and asserts promises.
//!
//! An input that does not parse is a good input: then only that is promised which holds of every input, that it ends, in peace, in bounds.

pub mod agent;
pub mod callback;
pub mod condition;
pub mod config;
pub mod desk;
pub mod dhcp;
pub mod document;
pub mod http;
pub mod quoting;
pub mod record;
pub mod site;
pub mod template;
pub mod tftp;
pub mod words;
