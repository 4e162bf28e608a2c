//! Shelves: files that operators and packages put somewhere, as opposed to rows that stories write.
//!
//! Loaders and artifacts. A shelf opens, lists and checks; it decides nothing about who gets what.

pub mod artifacts;
pub mod loaders;
