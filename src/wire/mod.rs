//! Bytes to model and back: DHCP, TFTP, callbacks, the agent. Pure: no sockets, no clock, no logging.
//!
//! Each module reads or writes one protocol; what is malformed becomes a named reason and never a panic.

pub mod agent;
pub mod callback;
pub mod dhcp;
pub mod tftp;
