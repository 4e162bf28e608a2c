//! The REST API: operators' nouns and verbs on the admin listener.
//!
//! Each file has the routes of one noun: it parses, asks one story and shapes the answer. Who may do what is `access`, how "no" looks is
//! `problem`, what is kept from whom is `types`. No route decides anything about a host.

pub mod once;
pub mod page;
pub mod problem;
