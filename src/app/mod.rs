//! The stories: one file each, load → decide → save → answer. No sockets, no HTTP words.
//!
//! Only here does a host change, and only through `rules::lifecycle` and its neighbours.

pub mod metrics;
pub mod templates;
