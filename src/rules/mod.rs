//! Pure decisions: values in, verdicts out. No I/O, no clock, no chance, no logging.
//!
//! Each module is one decision with its table and its reasons; the stories in `app` load what it needs and save what it says.

pub mod agent;
pub mod assign;
pub mod boot;
pub mod display;
pub mod expiry;
pub mod facts;
pub mod identity;
pub mod inherit;
pub mod lease;
pub mod lifecycle;
pub mod lint;
pub mod loaders;
pub mod loops;
pub mod naming;
pub mod offer;
pub mod preflight;
pub mod quirks;
pub mod removal;
pub mod render;
pub mod session;
pub mod sitefile;
pub mod snippets;
pub mod transfer;
pub mod wipe;
