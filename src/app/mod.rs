//! The stories: one file each, load → decide → save → answer. No sockets, no HTTP words.
//!
//! Only here does a host change, and only through `rules::lifecycle` and its neighbours. A story reads a host, lets the rules decide on that
//! reading, and saves on condition that nobody changed the host meanwhile; if somebody did, it reads and decides again.

pub mod action;
pub mod agent;
pub mod answer;
pub mod apply;
pub mod artifact;
pub mod backup;
pub mod boot;
pub mod build;
pub mod callback;
pub mod check;
pub mod document;
pub mod draft;
pub mod duty;
pub mod enroll;
pub mod explain;
pub mod forged;
pub mod health;
pub mod hosts;
pub mod house;
pub mod journal;
pub mod live;
pub mod loader;
pub mod metrics;
pub mod offer;
pub mod pace;
pub mod preflight;
pub mod register;
pub mod rules;
pub mod scene;
pub mod script;
pub mod settings;
pub mod start;
pub mod sweep;
pub mod templates;
pub mod who;
pub mod wipe;

pub use answer::{Failure, Fault, Refusal, Told};
pub use house::{House, Saved};
pub use sweep::Calendar;
