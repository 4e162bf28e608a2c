//! Sockets and HTTP live here and nowhere else: dhcp, tftp, http (boot, api).
//!
//! Each edge spells bytes into the model, calls one story and spells its answer; it decides nothing.

pub mod dhcp;
pub mod http;
pub mod tftp;
