//! All transfers of one server, by client: who may begin one, whose packet it is, whose turn it is to send.
//!
//! ```text
//!   RRQ ──▶ Opening (a ticket: the caller looks for the file) ──▶ Active (a Transfer) ──▶ Ended (remembered for some seconds)
//! ```
//! A client is its address and port (RFC 1350 section 4: that is its TID). All answers leave from one socket, so ours is the same for
//! all. No I/O and no clock; the caller brings packets and time, fetches files, and sends what [`Desk::round`] says. Several desks may
//! share a server's work: what they count together is in [`Rolls`].

mod traffic;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddrV4},
};

use bytes::Bytes;
use foldhash::fast::RandomState;

pub use super::rolls::Rolls;
use super::{
    GivenUp, Limits, Moment, Refusal, Silence, Transfer,
    rolls::Crowd,
    slot::{Slot, State},
    turns::Turns,
};
use crate::wire::tftp::{self, ErrorCode, FileName, Mode, Packet, Request};
pub use traffic::{Notice, Outgoing, Parcel, Wanted};

/// The desk.
#[derive(Debug)]
pub struct Desk {
    limits: Limits,
    rolls: Rolls,
    /// Looked into for every packet, so the hash is a quick one; its seed is random, because clients choose their ports.
    slots: HashMap<SocketAddrV4, Slot, RandomState>,
    /// Openings and transfers of this desk; the rolls have those of all.
    busy: usize,
    tickets: u64,
    closed: bool,
    deadlines: BinaryHeap<Reverse<(Moment, SocketAddrV4)>>,
    turns: Turns,
    /// Those whose turn it is.
    round: VecDeque<SocketAddrV4>,
    packets: VecDeque<(SocketAddrV4, Ipv4Addr, Vec<u8>)>,
    notices: VecDeque<Notice>,
}

impl Desk {
    /// ERROR packets that may wait for the network.
    const WAITING: usize = 1024;

    /// An empty desk with rolls of its own.
    pub fn new(limits: Limits) -> Self {
        Self::sharing(limits, Rolls::default())
    }

    /// An empty desk beside others.
    pub fn sharing(limits: Limits, rolls: Rolls) -> Self {
        Self {
            limits,
            rolls,
            slots: HashMap::default(),
            busy: 0,
            tickets: 0,
            closed: false,
            deadlines: BinaryHeap::new(),
            turns: Turns::default(),
            round: VecDeque::new(),
            packets: VecDeque::new(),
            notices: VecDeque::new(),
        }
    }

    /// A packet from `peer` to our address `local`. `Some`: look for this file. An error: no answer, and why.
    pub fn on_packet(&mut self, peer: SocketAddrV4, local: Ipv4Addr, packet: Packet<'_>, now: Moment) -> Result<Option<Wanted>, Silence> {
        if peer.port() == 0 || peer.ip().is_unspecified() || peer.ip().is_broadcast() || peer.ip().is_multicast() {
            return Err(Silence::BadSource);
        }
        match packet {
            Packet::Read(request) => self.on_read(peer, local, request, now),
            Packet::Write(request) => {
                let text = "this server only gives files and takes none";
                self.refuse(peer, local, &request.name, Refusal::new(ErrorCode::Access, "write_refused", text), now).map(|()| None)
            }
            other => self.on_transfer_packet(peer, local, &other, now).map(|()| None),
        }
    }

    /// The file of a ticket, or why there is none. A ticket whose request is gone is forgotten.
    pub fn on_opened(&mut self, wanted: &Wanted, found: Result<Bytes, Refusal>, now: Moment) {
        let Some(slot) = self.slots.get(&wanted.peer) else { return };
        if !matches!(slot.state, State::Opening) || slot.ticket != wanted.ticket {
            return;
        }
        let (local, raw, mode, options) = (slot.local, slot.request.name.clone(), slot.request.mode, slot.request.options);
        match found.and_then(|file| self.as_asked(file, mode)) {
            Ok(file) => {
                let limits = Limits { windowsize: self.rolls.window(*wanted.peer.ip(), &self.limits), ..self.limits.clone() };
                let transfer = Transfer::start(&options, file, &limits, now);
                let is_in_front = self.turns.begin(wanted.peer, wanted.ticket);
                if let Some(slot) = self.slots.get_mut(&wanted.peer) {
                    slot.state = State::Active(Box::new(transfer));
                    slot.is_in_front = is_in_front;
                }
                if self.turns.line() > 2 * self.busy + Turns::RANK {
                    self.turns.tidy(|peer, ticket| self.slots.get(&peer).is_some_and(|slot| slot.stands_in_line(ticket)));
                }
                self.settle(wanted.peer, now);
            }
            Err(refusal) => {
                self.forget(wanted.peer);
                // A full queue loses this ERROR as the network might; the client asks again.
                let _ = self.refuse(wanted.peer, local, &raw, refusal, now);
            }
        }
    }

    /// Time passed.
    pub fn on_tick(&mut self, now: Moment) {
        while let Some(Reverse((at, peer))) = self.deadlines.peek().copied() {
            if at > now {
                return;
            }
            self.deadlines.pop();
            let Some(slot) = self.slots.get_mut(&peer).filter(|slot| slot.queued == Some(at)) else { continue };
            slot.queued = None;
            match &mut slot.state {
                State::Active(transfer) => transfer.on_tick(now),
                State::Ended { until } if *until <= now => {
                    self.slots.remove(&peer);
                    continue;
                }
                State::Opening | State::Ended { .. } => {}
            }
            self.settle(peer, now);
        }
    }

    /// When [`Desk::on_tick`] has something to do.
    pub fn deadline(&self) -> Option<Moment> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    /// Whether anybody waits to send.
    pub fn has_turns(&self) -> bool {
        !(self.packets.is_empty() && self.round.is_empty() && self.turns.is_empty())
    }

    /// What to send now, so many parcels at most; to those who could wait longer only while fewer than `spare` of the line have had a turn. They
    /// stay until [`Desk::left`].
    pub fn round(&mut self, most: usize, spare: usize, now: Moment) -> impl Iterator<Item = Outgoing<'_>> {
        // Whoever stayed from the last round may have ended since.
        self.round.retain(|peer| {
            self.slots.get_mut(peer).is_some_and(|slot| {
                slot.is_ready = slot.output().is_some();
                slot.is_ready
            })
        });
        let mut spare = spare;
        while self.packets.len() + self.round.len() < most
            && let Some(peer) = self.turns.take(spare > 0, now)
        {
            match self.slots.get_mut(&peer) {
                Some(slot) if slot.output().is_some() => {
                    spare = spare.saturating_sub(usize::from(!slot.is_in_front));
                    self.round.push_back(peer);
                }
                Some(slot) => slot.is_ready = false,
                None => {}
            }
        }
        let packets = self.packets.iter().map(|(peer, local, bytes)| Outgoing { peer: *peer, local: *local, parcel: Parcel::Packet(bytes) });
        let blocks = self.round.iter().filter_map(|peer| {
            let slot = self.slots.get(peer)?;
            let State::Active(transfer) = &slot.state else { return None };
            Some(Outgoing { peer: *peer, local: slot.local, parcel: Parcel::Of(transfer, transfer.output()?) })
        });
        packets.chain(blocks)
    }

    /// The first parcel of the round has left: of a transfer, up to `block` (0: its OACK). What is left of it waits for its next turn.
    pub fn left(&mut self, block: u64, now: Moment) {
        if self.packets.pop_front().is_some() {
            return;
        }
        let Some(peer) = self.round.pop_front() else { return };
        let Some(slot) = self.slots.get_mut(&peer) else { return };
        if let State::Active(transfer) = &mut slot.state {
            transfer.sent(block, now);
        }
        slot.is_ready = false;
        self.schedule(peer, now);
    }

    /// What happened, oldest first.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Refuses new requests from now on; what runs may end.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Ends everything that runs, with an ERROR to each client.
    pub fn stop(&mut self, now: Moment) {
        self.close();
        let running: Vec<SocketAddrV4> = self.slots.iter().filter(|(_, slot)| slot.is_busy()).map(|(peer, _)| *peer).collect();
        for peer in running {
            self.end(peer, GivenUp::Stopping, now);
        }
        // Nobody has anything to send but his ERROR.
        self.turns = Turns::default();
        self.round.clear();
    }

    /// Transfers and openings at present.
    pub fn busy(&self) -> usize {
        self.busy
    }

    fn on_read(&mut self, peer: SocketAddrV4, local: Ipv4Addr, request: Request, now: Moment) -> Result<Option<Wanted>, Silence> {
        // A flood of requests that can only be refused: no ERROR, no name and no file is looked at for it.
        if self.rolls.is_scolded(*peer.ip(), &self.limits, now) {
            return Err(Silence::ErrorsSpent);
        }
        if self.slots.get(&peer).is_some_and(|slot| slot.request == request && slot.is_under_way(now)) {
            return Err(Silence::RepeatedRequest);
        }
        self.end(peer, GivenUp::Restarted, now);
        let name = match FileName::parse(&request.name) {
            Ok(name) => name,
            Err(why) => return self.refuse(peer, local, &request.name, Refusal::from(&why), now).map(|()| None),
        };
        if let Err(refusal) = self.admit(peer, request.mode) {
            return self.refuse(peer, local, &request.name, refusal, now).map(|()| None);
        }
        self.tickets += 1;
        self.busy += 1;
        let wanted = Wanted { ticket: self.tickets, peer, name: name.clone() };
        let slot = Slot { local, request, name, state: State::Opening, ticket: wanted.ticket, is_in_front: false, is_ready: false, queued: None };
        self.slots.insert(peer, slot);
        Ok(Some(wanted))
    }

    /// Counts a request, unless it is to be refused.
    fn admit(&self, peer: SocketAddrV4, mode: Mode) -> Result<(), Refusal> {
        let no = |word, text: String| Err(Refusal::new(ErrorCode::Undefined, word, text));
        if self.closed {
            return no("stopping", "the server is stopping; try again".to_owned());
        }
        if mode == Mode::Mail {
            return Err(Refusal::new(ErrorCode::Illegal, "mode_mail", "the mode mail is obsolete (RFC 1350); ask in mode octet"));
        }
        match self.rolls.enter(*peer.ip(), &self.limits) {
            Ok(()) => Ok(()),
            Err(Crowd::OfPeer(count)) => no("too_many_of_peer", format!("your address has {count} transfers at once, which is the limit; try again")),
            Err(Crowd::InTotal(count)) => no("too_many", format!("the server has {count} transfers at once, which is its limit; try again")),
        }
    }

    /// The file's bytes in the mode that was asked for; a translated copy is counted.
    fn as_asked(&self, file: Bytes, mode: Mode) -> Result<Bytes, Refusal> {
        if mode != Mode::Netascii {
            return Ok(file);
        }
        let refused = |text| Err(Refusal::new(ErrorCode::Undefined, "netascii_refused", text));
        if file.len() > self.limits.translated_bytes {
            return refused("the file is too large for mode netascii; ask in mode octet (binary)");
        }
        if !self.rolls.translate(&self.limits) {
            return refused("too many transfers in mode netascii; ask in mode octet (binary)");
        }
        Ok(tftp::to_netascii(&file).into())
    }

    fn on_transfer_packet(&mut self, peer: SocketAddrV4, local: Ipv4Addr, packet: &Packet<'_>, now: Moment) -> Result<(), Silence> {
        match self.slots.get_mut(&peer).map(|slot| &mut slot.state) {
            Some(State::Active(transfer)) => {
                let heard = transfer.on_packet(packet, now);
                if heard.is_ok() {
                    self.settle(peer, now);
                }
                heard
            }
            Some(State::Ended { .. }) => Err(Silence::AfterTheEnd),
            // The client gives up before there was a transfer.
            Some(State::Opening) if matches!(packet, Packet::Error { .. }) => {
                self.forget(peer);
                Ok(())
            }
            Some(State::Opening) => Err(Silence::AckAhead),
            None if matches!(packet, Packet::Error { .. }) => Err(Silence::StrayError),
            None if !self.rolls.scold(*peer.ip(), &self.limits, now) => Err(Silence::ErrorsSpent),
            None => self.enqueue(peer, local, tftp::error(ErrorCode::UnknownTid, "there is no such transfer")),
        }
    }

    /// After anything happened to a slot: its events, its end, its turn to send, its deadline.
    fn settle(&mut self, peer: SocketAddrV4, now: Moment) {
        let Some(slot) = self.slots.get_mut(&peer) else { return };
        if let State::Active(transfer) = &mut slot.state {
            if let Some(event) = transfer.take_event() {
                self.notices.push_back(Notice::Happened { peer, name: slot.name.clone(), event });
            }
            if transfer.is_over() {
                let (windowsize, (blocks, resent)) = (transfer.terms().windowsize, transfer.packets());
                self.rolls.windows_went(*peer.ip(), windowsize, blocks, resent, &self.limits);
                let (was_in_front, mode) = (slot.is_in_front, slot.request.mode);
                slot.state = State::Ended { until: now + self.limits.memory };
                self.release(peer, was_in_front, mode);
            }
        }
        self.schedule(peer, now);
    }

    /// A place is free again: in the counts, and in the front rank if it was one.
    fn release(&mut self, peer: SocketAddrV4, was_in_front: bool, mode: Mode) {
        self.busy -= 1;
        self.rolls.leave(*peer.ip());
        if mode == Mode::Netascii {
            self.rolls.forget_translation();
        }
        if was_in_front {
            self.turns.end_in_front(|peer, ticket| match self.slots.get_mut(&peer).filter(|slot| slot.stands_in_line(ticket)) {
                Some(slot) => {
                    slot.is_in_front = true;
                    true
                }
                None => false,
            });
        }
    }

    /// A slot's turn to send, and its deadline.
    fn schedule(&mut self, peer: SocketAddrV4, now: Moment) {
        let Some(slot) = self.slots.get_mut(&peer) else { return };
        if !slot.is_ready && slot.output().is_some() {
            slot.is_ready = true;
            self.turns.ask(peer, slot.standing(), now);
        }
        // While it has its turn before it no time is running; the deadline follows when the packets have left.
        if slot.output().is_some() {
            return;
        }
        // A deadline that moves away leaves its entry where it is: when that comes due, the real one is looked at.
        if let Some(at) = slot.deadline().filter(|at| slot.queued.is_none_or(|queued| *at < queued)) {
            slot.queued = Some(at);
            self.deadlines.push(Reverse((at, peer)));
        }
    }

    /// Ends what a client has, if anything.
    fn end(&mut self, peer: SocketAddrV4, why: GivenUp, now: Moment) {
        let Some(slot) = self.slots.get_mut(&peer) else { return };
        let local = slot.local;
        match &mut slot.state {
            State::Active(transfer) => {
                transfer.stop(why);
                self.settle(peer, now);
            }
            State::Opening => self.forget(peer),
            State::Ended { .. } => return,
        }
        if why == GivenUp::Stopping {
            // Best effort: a client that misses it finds out by its own time-out.
            let _ = self.enqueue(peer, local, tftp::error(ErrorCode::Undefined, &why.to_string()));
        }
    }

    /// Removes a slot that never became a transfer.
    fn forget(&mut self, peer: SocketAddrV4) {
        if self.slots.remove(&peer).is_some_and(|slot| slot.is_busy()) {
            self.release(peer, false, Mode::Octet);
        }
    }

    fn refuse(&mut self, peer: SocketAddrV4, local: Ipv4Addr, raw: &[u8], refusal: Refusal, now: Moment) -> Result<(), Silence> {
        if !self.rolls.scold(*peer.ip(), &self.limits, now) {
            return Err(Silence::ErrorsSpent);
        }
        self.enqueue(peer, local, tftp::error(refusal.code, &refusal.text))?;
        let name = String::from_utf8_lossy(raw).chars().filter(|c| !c.is_control()).take(FileName::LONGEST).collect();
        self.notices.push_back(Notice::Refused { peer, name, refusal });
        Ok(())
    }

    fn enqueue(&mut self, peer: SocketAddrV4, local: Ipv4Addr, packet: Vec<u8>) -> Result<(), Silence> {
        if self.packets.len() >= Self::WAITING {
            return Err(Silence::Crowded);
        }
        self.packets.push_back((peer, local, packet));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
