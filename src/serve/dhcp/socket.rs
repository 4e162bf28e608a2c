//! A UDP socket of one interface and port that takes and sends packets by the batch (recvmmsg, sendmmsg), with the address that each
//! was sent to and the choice of the one it is answered from.
//!
//! Bound to the device, so that several servers can have port 67 on different interfaces, and to 0.0.0.0, because broadcasts are
//! not delivered to sockets that are bound to an address. The port is not shared: of two servers on one interface each would get some
//! of the packets, and neither would know. What the kernel dropped for want of room it says with the next packet (SO_RXQ_OVFL).

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd as _,
    ptr,
};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Type};
use tokio::{io::Interest, net::UdpSocket};

use crate::wire::dhcp::MAX_BYTES;

/// Packets taken or sent at once. More would save nothing and keep the first one waiting.
const BATCH: usize = 64;
/// One more than is read, so that a longer packet shows itself.
const ROOM: usize = MAX_BYTES + 1;
/// Room for a rack hall that starts at once.
const KERNEL_BYTES: usize = 16 << 20;
/// IP_PKTINFO and SO_RXQ_OVFL, aligned as the kernel wants it.
type Control = [u64; 8];

/// A packet's envelope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Its size; larger than what is read if it was cut.
    len: usize,
    /// Who sent it.
    pub(super) from: SocketAddrV4,
    /// Which address it was sent to.
    pub(super) to: Ipv4Addr,
}

/// Room for one batch, and what came in it last.
pub(super) struct Batch {
    bytes: Vec<[u8; ROOM]>,
    arrivals: Vec<Arrival>,
    /// Packets that the kernel dropped on this socket so far.
    dropped: u32,
}

impl Batch {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self { bytes: vec![[0; ROOM]; BATCH], arrivals: Vec::with_capacity(BATCH), dropped: 0 }
    }

    /// What came in, in order.
    pub(super) fn packets(&self) -> impl Iterator<Item = (&[u8], Arrival)> {
        self.bytes.iter().zip(&self.arrivals).map(|(bytes, arrival)| (&bytes[..arrival.len], *arrival))
    }
}

/// A packet to be sent.
pub(super) struct Letter<'a> {
    /// The payload.
    pub(super) bytes: &'a [u8],
    /// Where to.
    pub(super) to: SocketAddrV4,
    /// From which address of ours.
    pub(super) source: Ipv4Addr,
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
        // Without the privilege the kernel's own bound holds.
        if setsockopt(&socket, sockopt::RcvBufForce, &KERNEL_BYTES).is_err() {
            socket.set_recv_buffer_size(KERNEL_BYTES)?;
        }
        socket.bind_device(Some(interface.as_bytes()))?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        Ok(Self { udp: UdpSocket::from_std(socket.into())?, port })
    }

    /// The port it is bound to.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Waits for packets and takes what is there; how many the kernel dropped since the last time.
    pub(super) async fn receive(&self, batch: &mut Batch) -> io::Result<u32> {
        batch.arrivals.clear();
        let before = batch.dropped;
        while batch.arrivals.is_empty() {
            self.udp.readable().await?;
            let taken = self.udp.try_io(Interest::READABLE, || {
                take(self.udp.as_raw_fd(), batch)?;
                // Fewer than a batch: nothing is left, which saves the call that would only say so.
                if batch.arrivals.len() < BATCH { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            taken.or_else(|why| if why.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(why) })?;
        }
        Ok(batch.dropped.wrapping_sub(before))
    }

    /// Sends them out of the interface; those that could not leave are given back with the reason. A full send buffer is one like
    /// any other: the client asks again.
    pub(super) fn send(&self, letters: &[Letter<'_>], interface: u32) -> Vec<(usize, io::Error)> {
        let mut failed = Vec::new();
        let mut sent = 0;
        while sent < letters.len() {
            let end = letters.len().min(sent + BATCH);
            match put(self.udp.as_raw_fd(), &letters[sent..end], interface) {
                Ok(count) => sent += count,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => {
                    failed.push((sent, why));
                    sent += 1;
                }
            }
        }
        failed
    }
}

fn take(fd: i32, batch: &mut Batch) -> io::Result<()> {
    let Batch { bytes, arrivals, dropped } = batch;
    // SAFETY: plain old data, for which zeros are a value.
    let (mut parts, mut names, mut messages) = unsafe {
        (std::mem::zeroed::<[libc::iovec; BATCH]>(), std::mem::zeroed::<[libc::sockaddr_in; BATCH]>(), std::mem::zeroed::<[libc::mmsghdr; BATCH]>())
    };
    let mut controls: [Control; BATCH] = [[0; 8]; BATCH];
    for index in 0..BATCH {
        parts[index] = libc::iovec { iov_base: bytes[index].as_mut_ptr().cast(), iov_len: ROOM };
        let header = &mut messages[index].msg_hdr;
        header.msg_name = (&raw mut names[index]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
        header.msg_iov = &raw mut parts[index];
        header.msg_iovlen = 1;
        header.msg_control = controls[index].as_mut_ptr().cast();
        header.msg_controllen = size_of::<Control>() as _;
    }
    // SAFETY: every pointer is to an array that lives until the end of this function, with the length that is given beside it.
    let count = unsafe { libc::recvmmsg(fd, messages.as_mut_ptr(), BATCH as u32, libc::MSG_DONTWAIT as _, ptr::null_mut()) };
    let count = usize::try_from(count).map_err(|_negative| io::Error::last_os_error())?;
    for (message, name) in messages.iter().zip(&names).take(count) {
        let (to, lost) = told(&message.msg_hdr);
        *dropped = lost.unwrap_or(*dropped);
        let from = SocketAddrV4::new(name.sin_addr.s_addr.to_ne_bytes().into(), u16::from_be(name.sin_port));
        arrivals.push(Arrival { len: message.msg_len as usize, from, to: to.unwrap_or(Ipv4Addr::BROADCAST) });
    }
    Ok(())
}

/// What the kernel says beside a packet: where it was sent to, and how many were dropped so far.
fn told(header: &libc::msghdr) -> (Option<Ipv4Addr>, Option<u32>) {
    let (mut to, mut lost) = (None, None);
    // SAFETY: the header was filled in by the kernel, and its control buffer lives as long as it.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = next.as_ref() {
            let value = libc::CMSG_DATA(control);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    to = Some(Ipv4Addr::from(value.cast::<libc::in_pktinfo>().read_unaligned().ipi_addr.s_addr.to_ne_bytes()));
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => lost = Some(value.cast::<u32>().read_unaligned()),
                _ => {}
            }
            next = libc::CMSG_NXTHDR(header, control);
        }
    }
    (to, lost)
}

/// Sends as many as the kernel takes at once, at least one, or says why the first one cannot leave.
fn put(fd: i32, letters: &[Letter<'_>], interface: u32) -> io::Result<usize> {
    // SAFETY: plain old data, for which zeros are a value.
    let (mut parts, mut names, mut messages) = unsafe {
        (std::mem::zeroed::<[libc::iovec; BATCH]>(), std::mem::zeroed::<[libc::sockaddr_in; BATCH]>(), std::mem::zeroed::<[libc::mmsghdr; BATCH]>())
    };
    let mut controls: [Control; BATCH] = [[0; 8]; BATCH];
    for (index, letter) in letters.iter().enumerate() {
        parts[index] = libc::iovec { iov_base: letter.bytes.as_ptr().cast_mut().cast(), iov_len: letter.bytes.len() };
        names[index].sin_family = libc::AF_INET as u16;
        names[index].sin_port = letter.to.port().to_be();
        names[index].sin_addr.s_addr = u32::from_ne_bytes(letter.to.ip().octets());
        let header = &mut messages[index].msg_hdr;
        header.msg_name = (&raw mut names[index]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
        header.msg_iov = &raw mut parts[index];
        header.msg_iovlen = 1;
        header.msg_control = controls[index].as_mut_ptr().cast();
        // SAFETY: arithmetic only; then one control message is written into a buffer that has room for it.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) as _;
            let control = libc::CMSG_FIRSTHDR(header);
            (*control).cmsg_level = libc::IPPROTO_IP;
            (*control).cmsg_type = libc::IP_PKTINFO;
            (*control).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as _;
            let local = libc::in_addr { s_addr: u32::from_ne_bytes(letter.source.octets()) };
            let from = libc::in_pktinfo { ipi_ifindex: interface.cast_signed(), ipi_spec_dst: local, ipi_addr: libc::in_addr { s_addr: 0 } };
            libc::CMSG_DATA(control).cast::<libc::in_pktinfo>().write_unaligned(from);
        }
    }
    // SAFETY: every pointer is to something that lives until the end of this function, and the kernel only reads.
    let count = unsafe { libc::sendmmsg(fd, messages.as_mut_ptr(), letters.len() as u32, libc::MSG_DONTWAIT as _) };
    usize::try_from(count).map_err(|_negative| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket on loopback, its port, and a client of it.
    fn pair() -> (Socket, SocketAddrV4, std::net::UdpSocket) {
        let socket = Socket::bind("lo", 0).unwrap();
        let port = socket.udp.local_addr().unwrap().port();
        (socket, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), std::net::UdpSocket::bind("127.0.0.2:0").unwrap())
    }

    #[tokio::test]
    async fn a_port_of_an_interface_has_one_server() {
        let (first, at, _) = pair();
        assert_eq!(Socket::bind("lo", at.port()).err().map(|fault| fault.kind()), Some(io::ErrorKind::AddrInUse));
        drop(first);
        Socket::bind("lo", at.port()).unwrap();
    }

    #[tokio::test]
    async fn packets_come_in_order_with_their_envelopes_however_many_there_are() {
        let (socket, at, client) = pair();
        let mut batch = Batch::new();
        for round in 0..3 {
            let sent: Vec<Vec<u8>> = (0..BATCH + 10).map(|number| vec![round; number + 1]).collect();
            sent.iter().for_each(|packet| assert_eq!(client.send_to(packet, at).unwrap(), packet.len()));
            let mut got: Vec<Vec<u8>> = Vec::new();
            while got.len() < sent.len() {
                assert_eq!(socket.receive(&mut batch).await.unwrap(), 0);
                assert!(
                    batch
                        .packets()
                        .all(|(_, arrival)| (std::net::SocketAddr::V4(arrival.from), arrival.to) == (client.local_addr().unwrap(), *at.ip()))
                );
                got.extend(batch.packets().map(|(bytes, _)| bytes.to_vec()));
            }
            assert_eq!(got, sent);
        }
        client.send_to(&[7; 4000], at).unwrap();
        socket.receive(&mut batch).await.unwrap();
        assert_eq!(batch.packets().map(|(bytes, _)| bytes.len()).collect::<Vec<_>>(), [ROOM], "cut, and seen to be");
    }

    #[tokio::test]
    async fn what_cannot_leave_is_named_and_the_others_leave() {
        let (socket, _, client) = pair();
        let std::net::SocketAddr::V4(to) = client.local_addr().unwrap() else { panic!() };
        let bytes: Vec<[u8; 2]> = (0..150).map(|number| [number, 1]).collect();
        let nowhere = SocketAddrV4::new([127, 0, 0, 3].into(), 0);
        let letters: Vec<Letter<'_>> = bytes
            .iter()
            .map(|bytes| Letter { bytes, to: if [0, 70].contains(&bytes[0]) { nowhere } else { to }, source: Ipv4Addr::LOCALHOST })
            .collect();
        let failed: Vec<usize> = socket.send(&letters, 0).into_iter().map(|(index, _)| index).collect();
        assert_eq!(failed, [0, 70]);
        let mut buffer = [0; 16];
        for number in (0..150).filter(|number| ![0, 70].contains(number)) {
            let (len, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from.ip()), (&[number, 1][..], Ipv4Addr::LOCALHOST.into()));
        }
    }

    #[tokio::test]
    async fn what_the_kernel_dropped_is_known_with_the_next_packet() {
        let (socket, at, client) = pair();
        socket2::SockRef::from(&socket.udp).set_recv_buffer_size(4096).unwrap();
        for _ in 0..200 {
            client.send_to(&[0; 500], at).unwrap();
        }
        let mut batch = Batch::new();
        let mut told = socket.receive(&mut batch).await.unwrap();
        let got = batch.packets().count() as u32;
        client.send_to(&[0; 500], at).unwrap();
        told += socket.receive(&mut batch).await.unwrap();
        assert_eq!(got + told, 200);
    }
}
