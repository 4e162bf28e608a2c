//! A UDP socket of one interface and port, with the address a packet was sent to and the choice of the one it is answered from.
//!
//! Bound to the device, so that several servers can have port 67 on different interfaces, and to 0.0.0.0, because broadcasts are
//! not delivered to sockets that are bound to an address. The port is not shared: of two servers on one interface each would get some
//! of the packets, and neither would know.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd as _,
};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Type};
use tokio::{io::Interest, net::UdpSocket};

/// A packet's envelope.
pub(super) struct Arrival {
    /// Its size; larger than the buffer's usable part if it was cut.
    pub(super) len: usize,
    /// Who sent it.
    pub(super) from: SocketAddrV4,
    /// Which address it was sent to.
    pub(super) to: Ipv4Addr,
}

/// A bound socket.
pub(super) struct Socket {
    udp: UdpSocket,
    port: u16,
}

impl Socket {
    /// Opens and binds it.
    pub(super) fn bind(interface: &str, port: u16) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_broadcast(true)?;
        socket.set_nonblocking(true)?;
        // Room for a rack that starts at once; the kernel may give less.
        socket.set_recv_buffer_size(4 << 20)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        Ok(Self { udp: UdpSocket::from_std(socket.into())?, port })
    }

    /// The port it is bound to.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The next packet.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        self.udp.async_io(Interest::READABLE, || receive(&self.udp, buffer)).await
    }

    /// Sends from `source` out of the interface. A full send buffer is an error like any other: the client asks again.
    pub(super) fn send(&self, bytes: &[u8], to: SocketAddrV4, source: Ipv4Addr, interface: u32) -> io::Result<()> {
        let local = libc::in_addr { s_addr: u32::from_ne_bytes(source.octets()) };
        let index = i32::try_from(interface).map_err(io::Error::other)?;
        let info = libc::in_pktinfo { ipi_ifindex: index, ipi_spec_dst: local, ipi_addr: libc::in_addr { s_addr: 0 } };
        let control = [ControlMessage::Ipv4PacketInfo(&info)];
        let fd = self.udp.as_raw_fd();
        sendmsg(fd, &[IoSlice::new(bytes)], &control, MsgFlags::MSG_DONTWAIT, Some(&SockaddrIn::from(to)))?;
        Ok(())
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Arrival> {
    let mut space = nix::cmsg_space!(libc::in_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let len = message.bytes;
    let from = message.address.map_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), |from| SocketAddrV4::new(from.ip(), from.port()));
    let to = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes())),
        _ => None,
    });
    Ok(Arrival { len, from, to: to.unwrap_or(Ipv4Addr::BROADCAST) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_of_an_interface_has_one_server() {
        let first = Socket::bind("lo", 0).unwrap();
        let port = first.udp.local_addr().unwrap().port();
        assert_eq!(Socket::bind("lo", port).err().map(|fault| fault.kind()), Some(io::ErrorKind::AddrInUse));
        drop(first);
        Socket::bind("lo", port).unwrap();
    }
}
