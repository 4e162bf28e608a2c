//! Pure decisions: values in, verdicts out. No I/O, no clock, no chance, no logging.
//!
//! Each module is one decision with its table and its reasons; the stories in `app` load what it needs and save what it says.

pub mod display;
pub mod lifecycle;
pub mod lint;
pub mod render;
