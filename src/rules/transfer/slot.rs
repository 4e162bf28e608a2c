//! One client at the desk: its request and how far that is.
//!
//! Only what [`super::desk`] keeps per client; the transfer itself is the machine next door.

use std::{net::Ipv4Addr, time::Duration};

use super::{Moment, Output, Transfer, turns::Standing};
use crate::wire::tftp::{FileName, Request};

/// One client.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) local: Ipv4Addr,
    pub(super) request: Request,
    pub(super) name: FileName,
    pub(super) state: State,
    /// The number of its request: of two from one port only the later one counts.
    pub(super) ticket: u64,
    /// Whether it is in the front rank of [`super::turns`].
    pub(super) is_in_front: bool,
    /// Whether it has asked for a turn or has it.
    pub(super) is_ready: bool,
    /// The time of its valid entry in `deadlines`.
    pub(super) queued: Option<Moment>,
}

/// How far its request is.
#[derive(Debug)]
pub(super) enum State {
    Opening,
    Active(Box<Transfer>),
    Ended { until: Moment },
}

impl Slot {
    /// The same request again after this much silence is a machine that began anew and not a copy on its way.
    const STALE: Duration = Duration::from_secs(1);

    /// Whether it counts against the limits.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.state, State::Ended { .. })
    }

    /// Whether the same request once more is only a copy of the one that is being answered.
    pub(super) fn is_under_way(&self, now: Moment) -> bool {
        match &self.state {
            State::Opening => true,
            State::Active(transfer) => transfer.is_unanswered() || now < transfer.heard_at() + Self::STALE,
            State::Ended { .. } => false,
        }
    }

    /// Whether it is the transfer of this ticket, and waits for a place in the front rank.
    pub(super) fn stands_in_line(&self, ticket: u64) -> bool {
        self.ticket == ticket && !self.is_in_front && matches!(self.state, State::Active(_))
    }

    /// How it stands when it asks for a turn.
    pub(super) fn standing(&self) -> Standing {
        match &self.state {
            _ if self.is_in_front => Standing::Front,
            State::Active(transfer) if transfer.is_unanswered() => Standing::Fresh,
            _ => Standing::Line,
        }
    }

    /// What its transfer has to send.
    pub(super) fn output(&self) -> Option<Output> {
        if let State::Active(transfer) = &self.state { transfer.output() } else { None }
    }

    /// When time changes something for it.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Opening => None,
            State::Active(transfer) => transfer.deadline(),
            State::Ended { until } => Some(*until),
        }
    }
}
