//! Packets that came in, up to 64 by one call of the kernel (recvmmsg(2)).
//!
//! All memory is taken once. A packet's address and the address of ours that it was sent to lie beside its bytes until the next
//! call; nothing is copied out of here.

use std::{
    io, mem,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd as _,
    ptr,
};

use nix::libc;

use super::socket::{Control, Socket};

/// A packet that came in.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// What it says.
    pub bytes: &'a [u8],
    /// From whom.
    pub peer: SocketAddrV4,
    /// To which of our addresses; unspecified where the socket is bound to one and need not ask.
    pub local: Ipv4Addr,
    /// To all of a network and not to us.
    pub is_broadcast: bool,
    /// Longer than the room for it, so certainly nothing that a client of ours sends.
    pub is_cut: bool,
}

/// Room for packets.
pub struct Inbox {
    headers: Box<[libc::mmsghdr]>,
    names: Box<[libc::sockaddr_in]>,
    controls: Box<[Control]>,
    bytes: Box<[u8]>,
    // Only the kernel follows the pointers in here.
    _pieces: Box<[libc::iovec]>,
    arrived: usize,
}

impl Inbox {
    /// Packets in one call.
    pub const ROOM: usize = 64;
    /// Bytes in the longest packet that is read: requests have 512 at most (RFC 2347), and a reader sends nothing longer.
    const LONGEST: usize = 1024;

    /// An empty one.
    pub fn new() -> Self {
        // SAFETY: these are C structs of numbers and pointers, for which all zeros is a value.
        let (mut headers, mut names): (Box<[libc::mmsghdr]>, Box<[libc::sockaddr_in]>) =
            unsafe { (vec![mem::zeroed(); Self::ROOM].into(), vec![mem::zeroed(); Self::ROOM].into()) };
        let mut controls: Box<[Control]> = vec![Control::default(); Self::ROOM].into();
        let mut bytes: Box<[u8]> = vec![0; Self::ROOM * Self::LONGEST].into();
        let room = bytes.chunks_exact_mut(Self::LONGEST);
        let mut pieces: Box<[libc::iovec]> = room.map(|piece| libc::iovec { iov_base: piece.as_mut_ptr().cast(), iov_len: piece.len() }).collect();
        for (at, header) in headers.iter_mut().enumerate() {
            header.msg_hdr.msg_name = ptr::from_mut(&mut names[at]).cast();
            header.msg_hdr.msg_iov = &raw mut pieces[at];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = ptr::from_mut(&mut controls[at]).cast();
            header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = Control::RECEIVED;
        }
        Self { headers, names, controls, bytes, _pieces: pieces, arrived: 0 }
    }

    /// Takes what waits in the socket and says how many packets that are; none if none wait.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        for header in &mut self.headers[..self.arrived] {
            header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = Control::RECEIVED;
        }
        self.arrived = 0;
        // SAFETY: every header points to a name, a piece and a control block of its own, which live in boxes beside it and do not move.
        let got =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), Self::ROOM as u32, libc::MSG_DONTWAIT as _, ptr::null_mut()) };
        match usize::try_from(got) {
            Ok(got) => {
                self.arrived = got;
                Ok(got)
            }
            Err(_) => match io::Error::last_os_error() {
                fault if matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
                fault => Err(fault),
            },
        }
    }

    /// One of the packets of the last call.
    pub fn arrival(&self, at: usize) -> Arrival<'_> {
        assert!(at < self.arrived, "there are only {} packets", self.arrived);
        let (header, name) = (&self.headers[at], &self.names[at]);
        let begin = at * Self::LONGEST;
        let told = (header.msg_hdr.msg_controllen > 0).then(|| self.controls[at].told()).flatten();
        let (local, target) = told.map_or((Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED), |told| (of(told.ipi_spec_dst), of(told.ipi_addr)));
        Arrival {
            bytes: &self.bytes[begin..begin + (header.msg_len as usize).min(Self::LONGEST)],
            peer: SocketAddrV4::new(of(name.sin_addr), u16::from_be(name.sin_port)),
            local,
            is_broadcast: target != local,
            is_cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        }
    }
}

fn of(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(address.s_addr.to_ne_bytes())
}
