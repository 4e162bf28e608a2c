//! HTTP, twice: *boot* for machines on the provisioning network, *admin* for operators. They share no route.
//!
//! ```text
//! listener  accepts, counts, limits, ends         boot/  scripts, loaders, artifacts, documents, callbacks
//! places    who may connect, who must leave
//! waves     large files, so many at once
//! socket    knows what was really written         api/   the REST API
//! body      tells how an answer ended
//! file      answers with files: HEAD, Range, ETag
//! sendfile  files from the page cache to the socket, past this program
//! ```
//! Nothing here decides what a host boots: each route spells a request, calls one story of `app` and spells its answer.

pub mod api;
pub mod body;
pub mod boot;
pub mod counted;
pub mod file;
pub mod listener;
pub mod places;
pub mod range;
mod sendfile;
pub mod socket;
pub mod tls;
mod waves;
