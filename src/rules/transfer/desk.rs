//! All transfers of one server, by client: who may begin one, whose packet it is, whose turn it is to send.
//!
//! ```text
//!   RRQ ──▶ Opening (a ticket: the caller looks for the file) ──▶ Active (a Transfer) ──▶ Ended (remembered for some seconds)
//! ```
//! A client is its address and port (RFC 1350 section 4: that is its TID). All answers leave from one socket, so ours is the same for
//! all. No I/O and no clock; the caller brings packets and time, fetches files, and sends what [`Desk::front`] says.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddrV4},
};

use bytes::Bytes;

use super::{
    Event, GivenUp, Limits, Moment, Output, Refusal, Silence, Transfer,
    slot::{Slot, State},
};
use crate::wire::tftp::{self, ErrorCode, FileName, Mode, Packet, Request};

/// A file that is wanted; the answer goes to [`Desk::on_opened`] with the ticket.
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

/// The desk.
#[derive(Debug)]
pub struct Desk {
    limits: Limits,
    slots: HashMap<SocketAddrV4, Slot>,
    busy: HashMap<Ipv4Addr, usize>,
    busy_in_total: usize,
    translated: usize,
    tickets: u64,
    closed: bool,
    deadlines: BinaryHeap<Reverse<(Moment, SocketAddrV4)>>,
    ready: VecDeque<SocketAddrV4>,
    packets: VecDeque<(SocketAddrV4, Ipv4Addr, Vec<u8>)>,
    notices: VecDeque<Notice>,
}

impl Desk {
    /// ERROR packets that may wait for the network.
    const WAITING: usize = 1024;

    /// An empty desk.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: HashMap::new(),
            busy: HashMap::new(),
            busy_in_total: 0,
            translated: 0,
            tickets: 0,
            closed: false,
            deadlines: BinaryHeap::new(),
            ready: VecDeque::new(),
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
                self.refuse(peer, local, &request.name, Refusal::new(ErrorCode::Access, "write_refused", text)).map(|()| None)
            }
            other => self.on_transfer_packet(peer, local, &other, now).map(|()| None),
        }
    }

    /// The file of a ticket, or why there is none. A ticket whose request is gone is forgotten.
    pub fn on_opened(&mut self, wanted: &Wanted, found: Result<Bytes, Refusal>, now: Moment) {
        let Some(slot) = self.slots.get(&wanted.peer) else { return };
        if !matches!(slot.state, State::Opening { ticket } if ticket == wanted.ticket) {
            return;
        }
        let (local, raw, mode, options) = (slot.local, slot.request.name.clone(), slot.request.mode, slot.request.options);
        match found.and_then(|file| self.as_asked(file, mode)) {
            Ok(file) => {
                self.translated += usize::from(mode == Mode::Netascii);
                let transfer = Transfer::start(&options, file, &self.limits, now);
                if let Some(slot) = self.slots.get_mut(&wanted.peer) {
                    slot.state = State::Active(Box::new(transfer));
                }
                self.settle(wanted.peer, now);
            }
            Err(refusal) => {
                self.forget(wanted.peer);
                // A full queue loses this ERROR as the network might; the client asks again.
                let _ = self.refuse(wanted.peer, local, &raw, refusal);
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
                State::Opening { .. } | State::Ended { .. } => {}
            }
            self.settle(peer, now);
        }
    }

    /// When [`Desk::on_tick`] has something to do.
    pub fn deadline(&self) -> Option<Moment> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    /// What to send next; it stays in front until [`Desk::left`].
    pub fn front(&mut self) -> Option<Outgoing<'_>> {
        if self.packets.is_empty() {
            while let Some(peer) = self.ready.front().copied() {
                match self.slots.get_mut(&peer) {
                    Some(slot) if slot.output().is_some() => break,
                    Some(slot) => slot.is_ready = false,
                    None => {}
                }
                self.ready.pop_front();
            }
            let peer = *self.ready.front()?;
            let slot = self.slots.get(&peer)?;
            let State::Active(transfer) = &slot.state else { return None };
            return Some(Outgoing { peer, local: slot.local, parcel: Parcel::Of(transfer, transfer.output()?) });
        }
        self.packets.front().map(|(peer, local, bytes)| Outgoing { peer: *peer, local: *local, parcel: Parcel::Packet(bytes) })
    }

    /// The parcel in front has left: of a transfer, up to `block` (0: its OACK). What is left of it waits behind the others.
    pub fn left(&mut self, block: u64) {
        if self.packets.pop_front().is_some() {
            return;
        }
        let Some(peer) = self.ready.pop_front() else { return };
        let Some(slot) = self.slots.get_mut(&peer) else { return };
        if let State::Active(transfer) = &mut slot.state {
            transfer.sent(block);
        }
        slot.is_ready = slot.output().is_some();
        if slot.is_ready {
            self.ready.push_back(peer);
        }
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
    }

    /// Transfers and openings at present.
    pub fn busy(&self) -> usize {
        self.busy_in_total
    }

    fn on_read(&mut self, peer: SocketAddrV4, local: Ipv4Addr, request: Request, now: Moment) -> Result<Option<Wanted>, Silence> {
        if self.slots.get(&peer).is_some_and(|slot| slot.request == request && slot.is_under_way(now)) {
            return Err(Silence::RepeatedRequest);
        }
        self.end(peer, GivenUp::Restarted, now);
        let name = match FileName::parse(&request.name) {
            Ok(name) => name,
            Err(why) => return self.refuse(peer, local, &request.name, Refusal::from(&why)).map(|()| None),
        };
        if let Some(refusal) = self.objection(peer, request.mode) {
            return self.refuse(peer, local, &request.name, refusal).map(|()| None);
        }
        self.tickets += 1;
        let wanted = Wanted { ticket: self.tickets, peer, name: name.clone() };
        *self.busy.entry(*peer.ip()).or_default() += 1;
        self.busy_in_total += 1;
        let state = State::Opening { ticket: wanted.ticket };
        self.slots.insert(peer, Slot { local, request, name, state, is_ready: false, queued: None });
        Ok(Some(wanted))
    }

    fn objection(&self, peer: SocketAddrV4, mode: Mode) -> Option<Refusal> {
        let limits = &self.limits;
        let of_peer = self.busy.get(peer.ip()).copied().unwrap_or(0);
        let no = |word, text: String| Some(Refusal::new(ErrorCode::Undefined, word, text));
        if self.closed {
            no("stopping", "the server is stopping; try again".to_owned())
        } else if of_peer >= limits.per_peer {
            no("too_many_of_peer", format!("your address has {of_peer} transfers at once, which is the limit; try again"))
        } else if self.busy_in_total >= limits.in_total {
            no("too_many", format!("the server has {} transfers at once, which is its limit; try again", self.busy_in_total))
        } else if mode == Mode::Mail {
            Some(Refusal::new(ErrorCode::Illegal, "mode_mail", "the mode mail is obsolete (RFC 1350); ask in mode octet"))
        } else {
            None
        }
    }

    /// The file's bytes in the mode that was asked for.
    fn as_asked(&self, file: Bytes, mode: Mode) -> Result<Bytes, Refusal> {
        if mode != Mode::Netascii {
            return Ok(file);
        }
        let refused = |text| Err(Refusal::new(ErrorCode::Undefined, "netascii_refused", text));
        if file.len() > self.limits.translated_bytes {
            return refused("the file is too large for mode netascii; ask in mode octet (binary)");
        }
        if self.translated >= self.limits.translated {
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
            Some(State::Opening { .. }) if matches!(packet, Packet::Error { .. }) => {
                self.forget(peer);
                Ok(())
            }
            Some(State::Opening { .. }) => Err(Silence::AckAhead),
            None if matches!(packet, Packet::Error { .. }) => Err(Silence::StrayError),
            None => self.enqueue(peer, local, tftp::error(ErrorCode::UnknownTid, "there is no such transfer")),
        }
    }

    /// After anything happened to a slot: its events, its turn to send, its deadline, its end.
    fn settle(&mut self, peer: SocketAddrV4, now: Moment) {
        let Some(slot) = self.slots.get_mut(&peer) else { return };
        if let State::Active(transfer) = &mut slot.state {
            let over = transfer.is_over();
            if let Some(event) = transfer.take_event() {
                self.notices.push_back(Notice::Happened { peer, name: slot.name.clone(), event });
            }
            if over {
                slot.state = State::Ended { until: now + self.limits.memory };
                self.translated -= usize::from(slot.request.mode == Mode::Netascii);
                release(&mut self.busy, &mut self.busy_in_total, *peer.ip());
            }
        }
        if !slot.is_ready && slot.output().is_some() {
            slot.is_ready = true;
            self.ready.push_back(peer);
        }
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
            State::Opening { .. } => self.forget(peer),
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
            release(&mut self.busy, &mut self.busy_in_total, *peer.ip());
        }
    }

    fn refuse(&mut self, peer: SocketAddrV4, local: Ipv4Addr, raw: &[u8], refusal: Refusal) -> Result<(), Silence> {
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

fn release(busy: &mut HashMap<Ipv4Addr, usize>, in_total: &mut usize, address: Ipv4Addr) {
    *in_total -= 1;
    if let Some(count) = busy.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            busy.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests;
