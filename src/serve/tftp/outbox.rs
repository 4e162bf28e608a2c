//! Packets that go out, those of many clients by one call of the kernel (sendmmsg(2)).
//!
//! A window leaves as one message that the kernel or the card cuts into packets (UDP_SEGMENT, udp(7)), gathered from the file's own
//! bytes; nothing is copied here. What the network refuses is as good as lost: the transfer's timer knows what to do about loss.

use std::{io, mem, os::fd::AsRawFd as _, ptr};

use nix::libc;

use super::socket::{Control, Socket};
use crate::{
    rules::transfer::{
        Output, Transfer,
        desk::{Outgoing, Parcel},
    },
    wire::tftp::{Packet, data_header},
};

/// How far a round came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// For each parcel of which anything left: the last block that did.
    pub blocks: Vec<u64>,
    /// The network takes no more for now.
    pub is_blocked: bool,
}

/// Room for messages; empty between two calls.
pub struct Outbox {
    headers: Vec<libc::mmsghdr>,
    names: Vec<libc::sockaddr_in>,
    controls: Vec<Control>,
    pieces: Vec<libc::iovec>,
    opcodes: Vec<[u8; 4]>,
    option_acks: Vec<Vec<u8>>,
    /// Of each message: its parcel, its last block, and the size of the packets it is to be cut into.
    meanings: Vec<(usize, u64, Option<u16>)>,
}

impl Outbox {
    /// Messages in one call.
    pub const ROOM: usize = 64;
    /// Packets in one message: the kernel's own limit (UDP_MAX_SEGMENTS was 64 until 6.9).
    const SEGMENTS: u64 = 64;
    /// Bytes in one: 65535 less the IP and UDP headers.
    pub const LONGEST: usize = 65_507;

    /// An empty one.
    pub fn new() -> Self {
        let (room, packets) = (Self::ROOM, Self::ROOM * Self::SEGMENTS as usize);
        Self {
            headers: Vec::with_capacity(room),
            names: Vec::with_capacity(room),
            controls: Vec::with_capacity(room),
            pieces: Vec::with_capacity(2 * packets),
            opcodes: Vec::with_capacity(packets),
            option_acks: Vec::with_capacity(room),
            meanings: Vec::with_capacity(room),
        }
    }

    /// Sends as much of the parcels as one call holds, in their order.
    pub fn send<'a>(&mut self, socket: &mut Socket, parcels: impl Iterator<Item = Outgoing<'a>>) -> Left {
        for (at, outgoing) in parcels.enumerate() {
            if self.headers.len() == Self::ROOM {
                break;
            }
            match outgoing.parcel {
                Parcel::Packet(bytes) => self.add(socket, at, &outgoing, 0, None, |pieces, _| pieces.push(piece(bytes))),
                Parcel::Of(transfer, Output::OptionAck) => {
                    self.option_acks.push(Packet::OptionAck(transfer.terms().granted).to_bytes());
                    let bytes = piece(&self.option_acks[self.option_acks.len() - 1]);
                    self.add(socket, at, &outgoing, 0, None, |pieces, _| pieces.push(bytes));
                }
                Parcel::Of(transfer, Output::Blocks { first, last }) => self.add_blocks(socket, at, &outgoing, transfer, first, last),
            }
        }
        let left = self.flush(socket);
        self.clear();
        left
    }

    /// A window: whole messages to be cut where the kernel does that, else packet by packet.
    fn add_blocks(&mut self, socket: &Socket, at: usize, outgoing: &Outgoing<'_>, transfer: &Transfer, first: u64, last: u64) {
        let packet_bytes = usize::from(transfer.terms().blksize) + 4;
        let together = if packet_bytes <= socket.cuts { (Self::LONGEST / packet_bytes) as u64 } else { 1 };
        let together = together.clamp(1, Self::SEGMENTS);
        let mut begin = first;
        while begin <= last && self.headers.len() < Self::ROOM {
            let end = last.min(begin + together - 1);
            let cut = if end > begin { u16::try_from(packet_bytes).ok() } else { None };
            self.add(socket, at, outgoing, end, cut, |pieces, opcodes| {
                for number in begin..=end {
                    let (block, bytes) = transfer.block(number);
                    opcodes.push(data_header(block));
                    pieces.extend([piece(&opcodes[opcodes.len() - 1]), piece(bytes)]);
                }
            });
            begin = end + 1;
        }
    }

    fn add(
        &mut self,
        socket: &Socket,
        parcel: usize,
        outgoing: &Outgoing<'_>,
        block: u64,
        cut: Option<u16>,
        gather: impl FnOnce(&mut Vec<libc::iovec>, &mut Vec<[u8; 4]>),
    ) {
        let begin = self.pieces.len();
        gather(&mut self.pieces, &mut self.opcodes);
        self.names.push(libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: outgoing.peer.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(outgoing.peer.ip().octets()) },
            sin_zero: [0; 8],
        });
        let (control, length) = Control::to_send(socket.is_any.then_some(outgoing.local), cut);
        self.controls.push(control);
        // SAFETY: a C struct of numbers and pointers, for which all zeros is a value.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        let at = self.headers.len();
        header.msg_hdr.msg_name = ptr::from_ref(&self.names[at]).cast_mut().cast();
        header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
        header.msg_hdr.msg_iov = &raw mut self.pieces[begin];
        header.msg_hdr.msg_iovlen = self.pieces.len() - begin;
        if length > 0 {
            header.msg_hdr.msg_control = ptr::from_ref(&self.controls[at]).cast_mut().cast();
            header.msg_hdr.msg_controllen = length;
        }
        self.headers.push(header);
        self.meanings.push((parcel, block, cut));
    }

    fn flush(&mut self, socket: &mut Socket) -> Left {
        let mut left = Left::default();
        let mut at = 0;
        while at < self.headers.len() {
            // SAFETY: every header points into vectors beside it that have not grown past their first capacity, and to bytes of packets
            // and files that `send` holds borrowed.
            let sent = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), self.headers[at..].as_mut_ptr(), (self.headers.len() - at) as u32, libc::MSG_DONTWAIT as _)
            };
            let mut leave = usize::try_from(sent).unwrap_or(0);
            if leave == 0 {
                let fault = io::Error::last_os_error();
                let (_, _, cut) = self.meanings[at];
                match cut {
                    _ if fault.kind() == io::ErrorKind::WouldBlock => left.is_blocked = true,
                    _ if socket.keeps_whole && fault.raw_os_error() == Some(libc::EMSGSIZE) => {
                        tracing::info!("a path takes only smaller packets than were agreed; they leave in fragments from now on");
                        if let Err(fault) = socket.allow_fragments() {
                            tracing::warn!(%fault, "fragments cannot be allowed");
                        }
                        continue;
                    }
                    Some(packet_bytes) if refuses_to_cut(&fault) => {
                        tracing::info!(packet_bytes, %fault, "the kernel does not cut packets of this size; sending one by one");
                        socket.cuts = usize::from(packet_bytes) - 1;
                    }
                    _ if fault.kind() == io::ErrorKind::Interrupted => continue,
                    _ => {
                        tracing::debug!(%fault, "a TFTP packet could not be sent");
                        leave = 1;
                    }
                }
                if leave == 0 {
                    break;
                }
            }
            for (parcel, block, _) in &self.meanings[at..at + leave] {
                left.blocks.truncate(*parcel);
                left.blocks.push(*block);
            }
            at += leave;
        }
        left
    }

    fn clear(&mut self) {
        self.headers.clear();
        self.names.clear();
        self.controls.clear();
        self.pieces.clear();
        self.opcodes.clear();
        self.option_acks.clear();
        self.meanings.clear();
    }
}

fn piece(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

/// No UDP_SEGMENT in this kernel, no checksum offload on this card, or packets larger than the MTU.
fn refuses_to_cut(fault: &io::Error) -> bool {
    matches!(fault.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::ENOPROTOOPT | libc::EOPNOTSUPP))
}
