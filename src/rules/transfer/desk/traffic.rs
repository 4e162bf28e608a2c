//! What passes over the desk: files that are wanted, parcels that go out, news for the story.
//!
//! Only the words of that conversation; who says what is in [`super`].

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::{
    rules::transfer::{Event, Output, Refusal, Transfer},
    wire::tftp::FileName,
};

/// A file that is wanted; the answer goes to [`super::Desk::on_opened`] with the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Ties the answer to this request and no later one.
    pub ticket: u64,
    /// Who asks.
    pub peer: SocketAddrV4,
    /// For what.
    pub name: FileName,
}

/// What the caller passes on to the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something happened to a transfer.
    Happened {
        /// Whose.
        peer: SocketAddrV4,
        /// Of what.
        name: FileName,
        /// What.
        event: Event,
    },
    /// A request was refused before any file was looked for, or because of what was found.
    Refused {
        /// Whose.
        peer: SocketAddrV4,
        /// The name as it came, readable.
        name: String,
        /// Why.
        refusal: Refusal,
    },
}

/// The next thing to send.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// To whom.
    pub peer: SocketAddrV4,
    /// From which of our addresses: the one that was asked.
    pub local: Ipv4Addr,
    /// What.
    pub parcel: Parcel<'a>,
}

/// What is in it.
#[derive(Debug)]
pub enum Parcel<'a> {
    /// A whole packet.
    Packet(&'a [u8]),
    /// Packets of a transfer.
    Of(&'a Transfer, Output),
}
