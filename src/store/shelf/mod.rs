//! Shelves: files that operators and packages put somewhere, as opposed to rows that stories write.
//!
//! Loaders and artifacts. A shelf opens, lists and checks; it decides nothing about who gets what.

pub mod artifacts;
pub mod loaders;
//! The shelves: files that the daemon reads and never writes by itself (templates, artifacts, loaders).
//!
//! A shelf opens, lists and bounds; it parses nothing and keeps nothing.

pub mod templates;
