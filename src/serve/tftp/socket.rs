//! One UDP socket that knows to which of our addresses a packet came, and answers from that one.
//!
//! A daemon bound to all addresses would else answer from the one that routing prefers, and firmware drops such answers: it asked
//! another (IP_PKTINFO, ip(7)). Bound to one address there is nothing to ask. Several threads share a port: the kernel gives each client
//! to one of their sockets by a hash of both addresses (SO_REUSEPORT, socket(7)), so a repeated request finds the thread of the first.

use std::{
    io, mem,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use nix::{
    libc,
    sys::socket::{setsockopt, sockopt},
};

use super::outbox::Outbox;

/// The socket.
#[derive(Debug)]
pub struct Socket {
    udp: UdpSocket,
    /// Bound to all addresses: each packet says which one it means.
    pub is_any: bool,
    /// The largest packet that the kernel has not refused to cut from a longer message; 0: it cannot cut at all.
    pub cuts: usize,
    /// Packets leave whole or not at all; no number has then to be found for each, by which its fragments would know each other.
    pub keeps_whole: bool,
}

impl Socket {
    /// What the kernel is asked to hold for us: a burst of thousands of machines.
    const BUFFER: usize = 8 << 20;

    /// Binds it; `cuts`: whether windows may be left to the kernel to cut.
    pub fn bind(address: SocketAddrV4, cuts: bool) -> io::Result<Self> {
        Self::of(UdpSocket::bind(address)?, cuts)
    }

    /// Binds so many to one port. The first is bound as the only one: a port that anybody has is refused, also by others like us.
    pub fn bind_together(address: SocketAddrV4, cuts: bool, count: usize) -> io::Result<Vec<Self>> {
        let first = Self::bind(address, cuts)?;
        let address = first.address()?;
        let mut sockets = vec![first];
        if count > 1 {
            setsockopt(&sockets[0].udp, sockopt::ReusePort, &true)?;
        }
        for _ in 1..count {
            let next = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
            next.set_reuse_port(true)?;
            next.bind(&address.into())?;
            sockets.push(Self::of(next.into(), cuts)?);
        }
        Ok(sockets)
    }

    fn of(udp: UdpSocket, cuts: bool) -> io::Result<Self> {
        udp.set_nonblocking(true)?;
        // As large as we may: without the privilege the kernel's bound holds.
        if setsockopt(&udp, sockopt::RcvBufForce, &Self::BUFFER).is_err() {
            setsockopt(&udp, sockopt::RcvBuf, &Self::BUFFER)?;
        }
        if setsockopt(&udp, sockopt::SndBufForce, &Self::BUFFER).is_err() {
            setsockopt(&udp, sockopt::SndBuf, &Self::BUFFER)?;
        }
        let mut socket = Self { udp, is_any: false, cuts: if cuts { Outbox::LONGEST } else { 0 }, keeps_whole: false };
        // A kernel that does not know this sends as it always did.
        socket.keeps_whole = socket.set_fragments(libc::IP_PMTUDISC_DO).is_ok();
        socket.is_any = socket.address()?.ip().is_unspecified();
        if socket.is_any {
            setsockopt(&socket.udp, sockopt::Ipv4PacketInfo, &true)?;
        }
        Ok(socket)
    }

    /// Lets packets be sent in fragments: the path takes only smaller ones.
    pub fn allow_fragments(&mut self) -> io::Result<()> {
        self.keeps_whole = false;
        self.set_fragments(libc::IP_PMTUDISC_WANT)
    }

    /// IP_MTU_DISCOVER (ip(7)).
    fn set_fragments(&self, mode: libc::c_int) -> io::Result<()> {
        let (value, length) = ((&raw const mode).cast(), mem::size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: the value is an int of that length, which the kernel only reads.
        match unsafe { libc::setsockopt(self.as_raw_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value, length) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Where it is bound.
    pub fn address(&self) -> io::Result<SocketAddrV4> {
        match self.udp.local_addr()? {
            std::net::SocketAddr::V4(address) => Ok(address),
            other => Err(io::Error::new(io::ErrorKind::AddrNotAvailable, format!("{other} is not an IPv4 address"))),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.udp.as_raw_fd()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.udp.as_fd()
    }
}

/// What travels beside a packet: our address, and the size to cut into (cmsg(3)).
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub struct Control([u8; Self::ROOM]);

impl Default for Control {
    fn default() -> Self {
        Self([0; Self::ROOM])
    }
}

impl Control {
    const HEAD: usize = mem::size_of::<libc::cmsghdr>();
    // A header, its contents, and room up to the next multiple of eight, once for each of the two.
    const ADDRESS: usize = Self::HEAD + mem::size_of::<libc::in_pktinfo>().next_multiple_of(mem::size_of::<usize>());
    const CUT: usize = Self::HEAD + mem::size_of::<usize>();
    const ROOM: usize = Self::ADDRESS + Self::CUT;
    /// Bytes that the kernel may fill with what it tells.
    pub const RECEIVED: usize = Self::ADDRESS;

    /// The block for a packet from our address `from`, to be cut into pieces of `cut` bytes; and how much of it counts.
    pub fn to_send(from: Option<Ipv4Addr>, cut: Option<u16>) -> (Self, usize) {
        let (mut control, mut length) = (Self::default(), 0);
        if let Some(from) = from {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(from.octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            control.put(0, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            length = Self::ADDRESS;
        }
        if let Some(cut) = cut {
            control.put(length, libc::IPPROTO_UDP, libc::UDP_SEGMENT, cut);
            length += Self::CUT;
        }
        (control, length)
    }

    /// The address information that the kernel put here; only for a block that it has filled.
    pub fn told(&self) -> Option<libc::in_pktinfo> {
        // SAFETY: within the block, which is aligned for a cmsghdr; any bytes are a cmsghdr and an in_pktinfo.
        let (head, info) =
            unsafe { (self.0.as_ptr().cast::<libc::cmsghdr>().read(), self.0.as_ptr().add(Self::HEAD).cast::<libc::in_pktinfo>().read()) };
        (head.cmsg_level == libc::IPPROTO_IP && head.cmsg_type == libc::IP_PKTINFO).then_some(info)
    }

    fn put<T>(&mut self, at: usize, level: libc::c_int, kind: libc::c_int, what: T) {
        let length = Self::HEAD + mem::size_of::<T>();
        assert!(at + length <= Self::ROOM, "a control block has room for an address and a size");
        // SAFETY: all zeros is a cmsghdr; it is written within the block, at a multiple of eight.
        unsafe {
            let mut head: libc::cmsghdr = mem::zeroed();
            (head.cmsg_len, head.cmsg_level, head.cmsg_type) = (length as _, level, kind);
            self.0.as_mut_ptr().add(at).cast::<libc::cmsghdr>().write(head);
            self.0.as_mut_ptr().add(at + Self::HEAD).cast::<T>().write(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Our spelling of a control block is the one of the C library's macros.
    #[test]
    fn a_control_block_is_laid_out_as_cmsg_says() {
        let (address, cut) = (mem::size_of::<libc::in_pktinfo>() as u32, mem::size_of::<u16>() as u32);
        // SAFETY: these only compute.
        let (head, spaces) = unsafe { (libc::CMSG_LEN(0) as usize, [libc::CMSG_SPACE(address), libc::CMSG_SPACE(cut)].map(|space| space as usize)) };
        assert_eq!((Control::HEAD, [Control::ADDRESS, Control::CUT]), (head, spaces));
        let from = Ipv4Addr::new(10, 77, 0, 1);
        let (control, length) = Control::to_send(Some(from), Some(1472));
        assert_eq!(length, spaces[0] + spaces[1]);
        assert_eq!(control.told().map(|info| info.ipi_spec_dst.s_addr), Some(u32::from_ne_bytes(from.octets())));
        assert_eq!(Control::to_send(None, None).1, 0);
        assert!(Control::to_send(None, Some(1472)).0.told().is_none());
    }
}
