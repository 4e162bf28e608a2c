//! The shelves: files that operators and packages put somewhere, as opposed to rows that stories write.
//!
//! Templates, artifacts, loaders, the live image. A shelf opens, lists, bounds and checks; it parses nothing and decides nothing about who gets what.

pub mod artifacts;
pub mod live;
pub mod loaders;
pub mod templates;
