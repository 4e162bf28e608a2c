//! One UDP socket that knows to which of our addresses a packet came, and answers from that one.
//!
//! A daemon bound to all addresses would else answer from the one that routing prefers, and firmware drops such answers: it asked
//! another (IP_PKTINFO, ip(7)). Windows leave in one call where the kernel can cut them (UDP_SEGMENT, udp(7)), else one by one.
//! Nothing is decided here; what the network refuses is as good as lost, and the transfer's timer knows what to do about loss.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd as _,
};

use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt},
};
use tokio::{io::Interest, net::UdpSocket};

use crate::{rules::transfer::Transfer, wire::tftp::data_header};

/// A packet that came in.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Its bytes in the buffer.
    pub length: usize,
    /// From whom.
    pub peer: SocketAddrV4,
    /// To which of our addresses.
    pub local: Ipv4Addr,
    /// To all of a network and not to us.
    pub is_broadcast: bool,
    /// Longer than the buffer, so certainly nothing that a client of ours sends.
    pub is_cut: bool,
}

/// The socket.
#[derive(Debug)]
pub struct Socket {
    udp: UdpSocket,
    /// The largest DATA packet that the kernel has not refused to cut; 0: it cannot cut at all.
    cuts: usize,
    ancillary: Vec<u8>,
}

impl Socket {
    /// Packets in one cut send: the kernel's own limit (UDP_MAX_SEGMENTS was 64 until 6.9).
    const SEGMENTS: u64 = 64;
    /// Bytes in one: 65535 less the IP and UDP headers.
    const LONGEST: usize = 65_507;
    /// What the kernel is asked to hold for us: a burst of thousands of machines.
    const BUFFER: usize = 8 << 20;

    /// Binds it; `cuts`: whether windows may be left to the kernel to cut.
    pub fn bind(address: SocketAddrV4, cuts: bool) -> io::Result<Self> {
        let udp = std::net::UdpSocket::bind(address)?;
        udp.set_nonblocking(true)?;
        setsockopt(&udp, sockopt::Ipv4PacketInfo, &true)?;
        // As large as we may: without the privilege the kernel's bound holds.
        if setsockopt(&udp, sockopt::RcvBufForce, &Self::BUFFER).is_err() {
            setsockopt(&udp, sockopt::RcvBuf, &Self::BUFFER)?;
        }
        if setsockopt(&udp, sockopt::SndBufForce, &Self::BUFFER).is_err() {
            setsockopt(&udp, sockopt::SndBuf, &Self::BUFFER)?;
        }
        let cuts = if cuts { Self::LONGEST } else { 0 };
        Ok(Self { udp: UdpSocket::from_std(udp)?, cuts, ancillary: cmsg_space!(libc::in_pktinfo) })
    }

    /// Where it is bound.
    pub fn address(&self) -> io::Result<SocketAddrV4> {
        match self.udp.local_addr()? {
            std::net::SocketAddr::V4(address) => Ok(address),
            other => Err(io::Error::new(io::ErrorKind::AddrNotAvailable, format!("{other} is not an IPv4 address"))),
        }
    }

    /// Waits until there may be something to receive.
    pub async fn readable(&self) -> io::Result<()> {
        self.udp.readable().await
    }

    /// Waits until there may be room to send.
    pub async fn writable(&self) -> io::Result<()> {
        self.udp.writable().await
    }

    /// The next packet, if there is one; `WouldBlock` if not.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let Self { udp, ancillary, .. } = self;
        udp.try_io(Interest::READABLE, || {
            let mut slices = [IoSliceMut::new(buffer)];
            let message = recvmsg::<SockaddrIn>(udp.as_raw_fd(), &mut slices, Some(ancillary), MsgFlags::empty())?;
            let peer = message.address.ok_or(Errno::EAFNOSUPPORT)?;
            let told = message.cmsgs()?.find_map(|told| if let ControlMessageOwned::Ipv4PacketInfo(told) = told { Some(told) } else { None });
            let (local, header) = told.map_or((Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED), |told| (of(told.ipi_spec_dst), of(told.ipi_addr)));
            Ok(Arrival {
                length: message.bytes,
                peer: peer.into(),
                local,
                is_broadcast: header != local,
                is_cut: message.flags.contains(MsgFlags::MSG_TRUNC),
            })
        })
    }

    /// Sends one packet from our address `local`.
    pub fn send(&self, peer: SocketAddrV4, local: Ipv4Addr, packet: &[u8]) -> io::Result<()> {
        self.send_pieces(peer, local, &[IoSlice::new(packet)], None)
    }

    /// Sends the blocks `first..=last` and says which was the last that left; `WouldBlock` if none did.
    pub fn send_blocks(&mut self, peer: SocketAddrV4, local: Ipv4Addr, transfer: &Transfer, first: u64, last: u64) -> io::Result<u64> {
        let packet_bytes = usize::from(transfer.terms().blksize) + 4;
        let together = (Self::LONGEST / packet_bytes) as u64;
        let last = last.min(first + together.clamp(1, Self::SEGMENTS) - 1);
        // Below four the kernel's cutting costs about what it saves.
        if transfer.terms().windowsize >= 4 && last > first && packet_bytes <= self.cuts {
            match self.send_cut(peer, local, transfer, first, last, packet_bytes) {
                Err(fault) if refuses_to_cut(&fault) => {
                    tracing::info!(packet_bytes, %fault, "the kernel does not cut packets of this size; sending one by one");
                    self.cuts = packet_bytes - 1;
                }
                sent => return sent.map(|()| last),
            }
        }
        let mut left = None;
        for number in first..=last {
            let (block, bytes) = transfer.block(number);
            match self.send_pieces(peer, local, &[IoSlice::new(&data_header(block)), IoSlice::new(bytes)], None) {
                Ok(()) => left = Some(number),
                Err(fault) => return left.ok_or(fault),
            }
        }
        Ok(last)
    }

    fn send_cut(&self, peer: SocketAddrV4, local: Ipv4Addr, transfer: &Transfer, first: u64, last: u64, packet_bytes: usize) -> io::Result<()> {
        let mut headers = [[0; 4]; Self::SEGMENTS as usize];
        for (header, number) in headers.iter_mut().zip(first..=last) {
            *header = data_header(transfer.block(number).0);
        }
        let mut pieces = Vec::with_capacity(2 * headers.len());
        for (header, number) in headers.iter().zip(first..=last) {
            pieces.push(IoSlice::new(header));
            pieces.push(IoSlice::new(transfer.block(number).1));
        }
        self.send_pieces(peer, local, &pieces, u16::try_from(packet_bytes).ok())
    }

    fn send_pieces(&self, peer: SocketAddrV4, local: Ipv4Addr, pieces: &[IoSlice<'_>], cut: Option<u16>) -> io::Result<()> {
        let from = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let mut told = vec![ControlMessage::Ipv4PacketInfo(&from)];
        told.extend(cut.as_ref().map(ControlMessage::UdpGsoSegments));
        let to = SockaddrIn::from(peer);
        let sent = self.udp.try_io(Interest::WRITABLE, || Ok(sendmsg(self.udp.as_raw_fd(), pieces, &told, MsgFlags::empty(), Some(&to))?));
        match sent {
            Ok(_) => Ok(()),
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock || (cut.is_some() && refuses_to_cut(&fault)) => Err(fault),
            Err(fault) => {
                tracing::debug!(%peer, %local, %fault, "a TFTP packet could not be sent");
                Ok(())
            }
        }
    }
}

fn of(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(address.s_addr.to_ne_bytes())
}

/// No UDP_SEGMENT in this kernel, no checksum offload on this card, or packets larger than the MTU.
fn refuses_to_cut(fault: &io::Error) -> bool {
    matches!(fault.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::ENOPROTOOPT | libc::EOPNOTSUPP))
}
