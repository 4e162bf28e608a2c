//! The golden conversation: what is written here is what the server reads, and the reverse.
//!
//! Requests are read and written again and must come out as they are in the file; replies must come to exactly one value. The files are
//! never edited; a newer protocol adds new ones. It does not talk to a server.

use super::*;
