//! The tables, one file per noun: what is written, what is read.
//!
//! SQL lives only here and in `schema`; transactions and savepoints belong to the writer.

pub(super) mod hosts;
pub(super) mod journal;
pub(super) mod leases;
pub(super) mod settings;
