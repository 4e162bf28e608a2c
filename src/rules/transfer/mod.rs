//! One TFTP transfer to one client, as a machine without a clock or a socket: packets and time go in, packets and events come out.
//!
//! ```text
//!              options asked                 ACK 0
//!   start ──────────────────▶ Offering ──────────────▶ Sending ──── last ACK ───▶ Ended: done
//!     └─────── none asked ─────────────────────────────▶ │ ▲                      Ended: probed (ERROR 8 to our OACK)
//!                                                        └─┘ ACK: the next window Ended: aborted (any other ERROR)
//!                                                            time-out: it again   Ended: timed out
//! ```
//! At window 1 only a time-out sends anything twice: answering a repeated ACK would double every packet from there on (the Sorcerer's
//! Apprentice, RFC 1123 4.2.3.1). Within windows an ACK of less than the window, or one repeated ACK, rewinds at once (RFC 7440).
//! Which client a packet belongs to is [`desk`]'s matter; a transfer never sees another's.

pub mod desk;
mod event;
mod pace;
mod rolls;
mod slot;
mod terms;
mod turns;

use std::time::Duration;

use bytes::Bytes;

pub use event::{Event, GivenUp, Refusal, Silence};
pub use terms::{Limits, Terms};

use crate::wire::tftp::{Options, Packet};
use pace::Pace;

/// A point in time: the length since some start that all callers of one machine share.
pub type Moment = Duration;

/// What is to be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The OACK with [`Transfer::terms`]' granted options.
    OptionAck,
    /// DATA packets, first and last included, to be fetched by [`Transfer::block`].
    Blocks {
        /// The first, counted from 1 without wrapping.
        first: u64,
        /// The last.
        last: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Offering,
    Sending,
    Ended,
}

/// One transfer. Block numbers inside count from 1 and do not wrap; on the wire they do, at 65535 to 0.
#[derive(Debug)]
pub struct Transfer {
    file: Bytes,
    terms: Terms,
    phase: Phase,
    /// All blocks up to here have arrived.
    acked: u64,
    /// The last block of the present window.
    until: u64,
    /// The next block of it that goes out; the OACK counts as block 0.
    next: u64,
    /// The highest block that was ever sent.
    furthest: u64,
    /// Whether something of the present window was sent before.
    repeated: bool,
    /// A repeated ACK rewinds only from this block on: the echo of one rewind must not cause another.
    rewind_from: u64,
    pace: Pace,
    /// When the last packet of it left.
    window_at: Moment,
    heard_at: Moment,
    started: Moment,
    reported_at: Moment,
    patience: Duration,
    longest: Duration,
    report_every: Duration,
    resent_packets: u64,
    event: Option<Event>,
}

impl Transfer {
    /// Begins to send `file` as it is (a netascii client's translated before). There is at once something to send.
    pub fn start(asked: &Options, file: Bytes, limits: &Limits, now: Moment) -> Self {
        let size_bytes = file.len() as u64;
        let terms = Terms::agree(asked, size_bytes, limits);
        let mut transfer = Self {
            file,
            phase: if terms.granted.is_empty() { Phase::Sending } else { Phase::Offering },
            acked: 0,
            until: 0,
            next: 0,
            furthest: 0,
            repeated: false,
            rewind_from: 0,
            pace: Pace::new(limits.first_wait, terms.longest_wait),
            window_at: now,
            heard_at: now,
            started: now,
            reported_at: now,
            patience: limits.patience,
            longest: limits.longest,
            report_every: limits.report_every,
            resent_packets: 0,
            event: Some(Event::Requested { size_bytes }),
            terms,
        };
        transfer.open_window(now);
        transfer
    }

    /// A packet from this transfer's client. What changes nothing is named.
    pub fn on_packet(&mut self, packet: &Packet<'_>, now: Moment) -> Result<(), Silence> {
        match (packet, self.phase) {
            (_, Phase::Ended) => Err(Silence::AfterTheEnd),
            (Packet::Ack { block }, Phase::Offering) => self.on_first_ack(*block, now),
            (Packet::Ack { block }, Phase::Sending) => self.on_ack(*block, now),
            (Packet::Error { code, text }, _) => {
                self.on_error(*code, text);
                Ok(())
            }
            (Packet::Read(_) | Packet::Write(_) | Packet::Data { .. } | Packet::OptionAck(_), _) => Err(Silence::WrongPacket),
        }
    }

    /// Time passed; harmless before [`Transfer::deadline`].
    pub fn on_tick(&mut self, now: Moment) {
        if self.phase == Phase::Ended || now < self.deadline().unwrap_or(Moment::MAX) {
            return;
        }
        let given_up = if now >= self.started + self.longest {
            GivenUp::TooLong
        } else if now < self.heard_at + self.patience {
            self.pace.timed_out();
            return self.send_again(now);
        } else if self.furthest == self.last_block() {
            GivenUp::NoLastAck
        } else {
            GivenUp::Silent
        };
        self.end(Event::TimedOut { acked_bytes: self.acked_bytes(), size_bytes: self.size_bytes(), given_up });
    }

    /// When [`Transfer::on_tick`] has something to do; `None` once ended. What has not left yet cannot be late.
    pub fn deadline(&self) -> Option<Moment> {
        let give_up = (self.heard_at + self.patience).min(self.started + self.longest);
        match self.phase {
            Phase::Ended => None,
            _ if self.output().is_some() => Some(give_up),
            _ => Some((self.window_at + self.pace.wait()).min(give_up)),
        }
    }

    /// What is to be sent now, if anything. It stays the same until [`Transfer::sent`] says how much of it left.
    pub fn output(&self) -> Option<Output> {
        match self.phase {
            Phase::Offering => (self.next == 0).then_some(Output::OptionAck),
            Phase::Sending => (self.next <= self.until).then_some(Output::Blocks { first: self.next, last: self.until }),
            Phase::Ended => None,
        }
    }

    /// The packets of the present output up to this block (0: the OACK) have left.
    pub fn sent(&mut self, block: u64, now: Moment) {
        self.window_at = now;
        if self.repeated {
            self.resent_packets += (block.min(self.furthest) + 1).saturating_sub(self.next);
        }
        self.furthest = self.furthest.max(block);
        self.next = block + 1;
    }

    /// A block's number on the wire and its bytes; fewer than the block size in the last one.
    pub fn block(&self, number: u64) -> (u16, &[u8]) {
        let size = u64::from(self.terms.blksize);
        let begin = (number.saturating_sub(1) * size).min(self.size_bytes());
        let end = (begin + size).min(self.size_bytes());
        // Both are at most the file's length, which is a usize; the number wraps on purpose.
        (number as u16, &self.file[begin as usize..end as usize])
    }

    /// What happened since it was last asked.
    pub fn take_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    /// What was agreed.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// How many different DATA packets left, and how many packets left twice.
    pub fn packets(&self) -> (u64, u64) {
        (self.furthest, self.resent_packets)
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether the client has answered nothing yet.
    pub fn is_unanswered(&self) -> bool {
        self.acked == 0 && self.phase != Phase::Ended && (self.phase == Phase::Offering || self.terms.granted.is_empty())
    }

    /// When the client was last heard.
    pub fn heard_at(&self) -> Moment {
        self.heard_at
    }

    /// Ends it from our side.
    pub fn stop(&mut self, why: GivenUp) {
        if self.phase != Phase::Ended {
            self.end(Event::TimedOut { acked_bytes: self.acked_bytes(), size_bytes: self.size_bytes(), given_up: why });
        }
    }

    fn on_first_ack(&mut self, block: u16, now: Moment) -> Result<(), Silence> {
        if block != 0 {
            return Err(Silence::AckAhead);
        }
        self.measure(now);
        self.heard_at = now;
        self.phase = Phase::Sending;
        self.open_window(now);
        Ok(())
    }

    fn on_ack(&mut self, block: u16, now: Moment) -> Result<(), Silence> {
        let ahead = block.wrapping_sub(self.acked as u16);
        if ahead > 0x8000 {
            return Err(Silence::OldAck);
        }
        if ahead == 0 {
            return self.on_repeated_ack(now);
        }
        // Never beyond what has left: a block that was not sent cannot have arrived.
        let acked = self.acked + u64::from(ahead);
        if acked > self.furthest {
            return Err(Silence::AckAhead);
        }
        if acked == self.until {
            self.measure(now);
        }
        let gap = acked < self.until;
        self.acked = acked;
        self.heard_at = now;
        if acked == self.last_block() {
            let took = now.saturating_sub(self.started);
            self.end(Event::Done { size_bytes: self.size_bytes(), took, resent_packets: self.resent_packets });
            return Ok(());
        }
        self.report(now);
        self.open_window(now);
        if gap {
            self.rewind_from = self.until + 1;
        }
        Ok(())
    }

    /// The client still waits for the block behind this one. Within a window that is news, once: the window's first packet is lost.
    fn on_repeated_ack(&mut self, now: Moment) -> Result<(), Silence> {
        let too_soon = now < self.window_at + self.pace.soonest_answer();
        if self.terms.windowsize == 1 || self.next <= self.acked + 1 || too_soon || self.acked < self.rewind_from || self.repeated {
            return Err(Silence::RepeatedAck);
        }
        self.heard_at = now;
        self.rewind_from = self.until + 1;
        self.send_again(now);
        Ok(())
    }

    /// EDK2, and many PXE ROMs, ask for the size, read it in the OACK, and end that transfer before they begin the real one.
    fn on_error(&mut self, code: u16, text: &str) {
        let size_bytes = self.size_bytes();
        let probe = self.phase == Phase::Offering && self.terms.granted.tsize.is_some() && matches!(code, 0 | 8);
        self.end(if probe {
            Event::Probed { size_bytes }
        } else {
            Event::Aborted { code, text: text.to_owned(), acked_bytes: self.acked_bytes(), size_bytes }
        });
    }

    fn open_window(&mut self, now: Moment) {
        if self.phase == Phase::Sending {
            self.next = self.acked + 1;
            self.until = (self.acked + u64::from(self.terms.windowsize)).min(self.last_block());
        }
        self.repeated = self.phase == Phase::Sending && self.furthest >= self.next;
        self.window_at = now;
    }

    fn send_again(&mut self, now: Moment) {
        self.open_window(now);
        if self.phase == Phase::Offering {
            self.next = 0;
        }
        self.repeated = true;
    }

    fn measure(&mut self, now: Moment) {
        if !self.repeated {
            self.pace.measured(now.saturating_sub(self.window_at));
        }
    }

    fn report(&mut self, now: Moment) {
        if now >= self.reported_at + self.report_every && self.event.is_none() {
            self.reported_at = now;
            self.event = Some(Event::Progress { acked_bytes: self.acked_bytes(), size_bytes: self.size_bytes() });
        }
    }

    fn end(&mut self, event: Event) {
        self.phase = Phase::Ended;
        self.event = Some(event);
        self.file = Bytes::new();
    }

    fn size_bytes(&self) -> u64 {
        self.file.len() as u64
    }

    fn acked_bytes(&self) -> u64 {
        (self.acked * u64::from(self.terms.blksize)).min(self.size_bytes())
    }

    /// There is always one that is shorter than the block size, if need be empty.
    fn last_block(&self) -> u64 {
        self.size_bytes() / u64::from(self.terms.blksize) + 1
    }
}

#[cfg(test)]
mod tests;
