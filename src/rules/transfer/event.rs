//! What a transfer tells: to the story that keeps the timeline, and to the counters.
//!
//! Only `Done` proves that the file arrived: it is the last ACK. Everything else says how far it came.

use std::time::Duration;

use crate::wire::tftp::{ErrorCode, NotAFileName};

/// Something that happened to a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It began.
    Requested {
        /// Bytes in the file, as transferred.
        size_bytes: u64,
    },
    /// It goes on; told now and then ([`Limits::report_every`](super::Limits::report_every)).
    Progress {
        /// Bytes that arrived.
        acked_bytes: u64,
        /// Bytes in all.
        size_bytes: u64,
    },
    /// The last ACK came: the file arrived whole.
    Done {
        /// Bytes that arrived.
        size_bytes: u64,
        /// From the request to the last ACK.
        took: Duration,
        /// Packets that were sent twice.
        resent_packets: u64,
    },
    /// The client only wanted the size (EDK2, PXE ROMs): neither a failure nor a boot.
    Probed {
        /// Bytes in the file.
        size_bytes: u64,
    },
    /// The client sent ERROR.
    Aborted {
        /// Its code.
        code: u16,
        /// Its text.
        text: String,
        /// Bytes that had arrived.
        acked_bytes: u64,
        /// Bytes in all.
        size_bytes: u64,
    },
    /// We gave up.
    TimedOut {
        /// Bytes that had arrived.
        acked_bytes: u64,
        /// Bytes in all.
        size_bytes: u64,
        /// Why.
        given_up: GivenUp,
    },
}

impl Event {
    /// The word of the journal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Progress { .. } => "progress",
            Self::Done { .. } => "done",
            Self::Probed { .. } => "probed",
            Self::Aborted { .. } => "aborted",
            Self::TimedOut { .. } => "timed_out",
        }
    }
}

/// Why we gave a transfer up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum GivenUp {
    /// No packet for as long as our patience.
    #[error("the client fell silent")]
    Silent,
    /// Everything was sent, only the last ACK is missing: some clients never send it, so the file may have arrived.
    #[error("all was sent, but the last acknowledgement never came")]
    NoLastAck,
    /// It went on and on.
    #[error("the transfer took longer than any may")]
    TooLong,
    /// The client began anew from the same port.
    #[error("the client began anew from the same port")]
    Restarted,
    /// The daemon stops.
    #[error("the server stops")]
    Stopping,
}

impl GivenUp {
    /// The stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::NoLastAck => "no_last_ack",
            Self::TooLong => "too_long",
            Self::Restarted => "restarted",
            Self::Stopping => "stopping",
        }
    }
}

/// Why a packet was left without an answer. Each is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Silence {
    /// An ACK that was there before; the Sorcerer's Apprentice answers those.
    #[error("a repeated acknowledgement")]
    RepeatedAck,
    /// An ACK from before that.
    #[error("an old acknowledgement")]
    OldAck,
    /// An ACK of something that was not sent.
    #[error("an acknowledgement of what was not sent")]
    AckAhead,
    /// DATA, OACK or a request, where ACK or ERROR belongs.
    #[error("a packet that a reading client does not send")]
    WrongPacket,
    /// The transfer is over.
    #[error("a packet of a transfer that is over")]
    AfterTheEnd,
    /// The request whose answer is on its way.
    #[error("a repeated request")]
    RepeatedRequest,
    /// An ERROR that belongs to nothing: answering errors with errors never ends.
    #[error("an error that belongs to no transfer")]
    StrayError,
    /// Not TFTP.
    #[error("no TFTP packet")]
    Malformed,
    /// A request to a broadcast address (RFC 1123 4.2.3.5).
    #[error("a request to a broadcast address")]
    Broadcast,
    /// From an address or port that nobody can have.
    #[error("a packet from an impossible address")]
    BadSource,
    /// Too many answers wait for the network already.
    #[error("too many answers are waiting to be sent")]
    Crowded,
    /// Too many files are being looked for already.
    #[error("too many files are being looked for; the client asks again")]
    Searching,
    /// From an address that got all the ERRORs that one gets in a second.
    #[error("as many errors as an address gets in a second were sent to this one")]
    ErrorsSpent,
}

impl Silence {
    /// The stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RepeatedAck => "repeated_ack",
            Self::OldAck => "old_ack",
            Self::AckAhead => "ack_ahead",
            Self::WrongPacket => "wrong_packet",
            Self::AfterTheEnd => "after_the_end",
            Self::RepeatedRequest => "repeated_request",
            Self::StrayError => "stray_error",
            Self::Malformed => "malformed",
            Self::Broadcast => "broadcast",
            Self::BadSource => "bad_source",
            Self::Crowded => "crowded",
            Self::Searching => "searching",
            Self::ErrorsSpent => "errors_spent",
        }
    }
}

/// An answer that is an ERROR packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// The code on the wire.
    pub code: ErrorCode,
    /// The stable word of the reason, for counters and the journal.
    pub word: &'static str,
    /// The sentence that the client shows.
    pub text: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: ErrorCode, word: &'static str, text: impl Into<String>) -> Self {
        Self { code, word, text: text.into() }
    }
}

impl From<&NotAFileName> for Refusal {
    fn from(why: &NotAFileName) -> Self {
        let code = if matches!(why, NotAFileName::LeavesRoot(_)) { ErrorCode::Access } else { ErrorCode::NotFound };
        Self::new(code, why.code(), why.to_string())
    }
}
