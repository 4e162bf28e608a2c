//! Ethernet frames to clients that do not answer ARP yet, because the address we give them is not theirs before our answer arrives.
//!
//! The socket only sends: its protocol is 0, so that the kernel gives it nothing to read.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use etherparse::PacketBuilder;

use crate::{
    model::Mac,
    wire::dhcp::{CLIENT_PORT, SERVER_PORT},
};

/// A sender of frames on one interface.
pub(super) struct Frames {
    fd: OwnedFd,
    interface: u32,
    mac: [u8; 6],
}

impl Frames {
    /// Opens it; needs CAP_NET_RAW.
    pub(super) fn open(interface: u32, mac: [u8; 6]) -> io::Result<Self> {
        // SAFETY: a plain system call; the descriptor, if it is one, is owned by nobody else.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and given away nowhere else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, interface, mac })
    }

    /// Sends a payload from our port 67 to the client's port 68.
    pub(super) fn send(&self, payload: &[u8], to: Mac, address: Ipv4Addr, source: Ipv4Addr) -> io::Result<()> {
        let frame = spell(payload, self.mac, to, address, source)?;
        let mut hardware = [0; 8];
        hardware[..6].copy_from_slice(&to.octets());
        let peer = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: 0x0800_u16.to_be(),
            sll_ifindex: i32::try_from(self.interface).map_err(io::Error::other)?,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr: hardware,
        };
        // SAFETY: frame and peer live until the call returns, and the lengths are theirs.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                libc::MSG_DONTWAIT,
                (&raw const peer).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

fn spell(payload: &[u8], from: [u8; 6], to: Mac, address: Ipv4Addr, source: Ipv4Addr) -> io::Result<Vec<u8>> {
    let builder = PacketBuilder::ethernet2(from, to.octets()).ipv4(source.octets(), address.octets(), 64).udp(SERVER_PORT, CLIENT_PORT);
    let mut frame = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut frame, payload).map_err(io::Error::other)?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_carries_the_payload_between_the_right_ports_and_addresses() {
        let to: Mac = "52:54:00:00:00:01".parse().unwrap();
        let frame = spell(b"payload", [2, 0, 0, 0, 0, 1], to, [10, 77, 0, 9].into(), [10, 77, 0, 1].into()).unwrap();
        let packet = etherparse::SlicedPacket::from_ethernet(&frame).unwrap();
        assert_eq!(&frame[..6], to.octets());
        let Some(etherparse::NetSlice::Ipv4(ip)) = packet.net else { panic!("{packet:?}") };
        assert_eq!((ip.header().source(), ip.header().destination()), ([10, 77, 0, 1], [10, 77, 0, 9]));
        let Some(etherparse::TransportSlice::Udp(udp)) = packet.transport else { panic!("no UDP") };
        assert_eq!((udp.source_port(), udp.destination_port(), udp.payload()), (67, 68, &b"payload"[..]));
    }
}
