//! Shelves: files that operators and packages put somewhere, as opposed to rows that stories write.
//!
//! Loaders, artifacts and templates. A shelf opens, lists and checks; it decides nothing about who gets what.

pub mod artifacts;
pub mod loaders;
pub mod templates;
