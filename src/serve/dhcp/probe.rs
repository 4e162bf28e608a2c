//! Asks by ICMP echo whether somebody has an address (RFC 2131 2.2, 4.4.1), for half a second at most.
//!
//! The kernel resolves the address by ARP first, so an unused address costs one ARP request and no answer. Needs CAP_NET_RAW; without
//! it the question cannot be asked, and that is logged.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use crate::app::offer::Probe;

/// How long an answer is waited for.
const WAIT: Duration = Duration::from_millis(500);
static SEQUENCE: AtomicU16 = AtomicU16::new(1);

/// Probes out of one interface.
pub(super) struct Echo<'a> {
    /// Its name.
    pub(super) interface: &'a str,
}

#[async_trait]
impl Probe for Echo<'_> {
    async fn is_used(&self, address: Ipv4Addr) -> bool {
        match tokio::time::timeout(WAIT, echo(self.interface, address)).await {
            Err(_nobody) => false,
            Ok(Ok(())) => true,
            Ok(Err(why)) => {
                tracing::warn!(%address, interface = self.interface, %why, "an address could not be probed before it was offered");
                false
            }
        }
    }
}

/// Returns when somebody answered.
async fn echo(interface: &str, address: Ipv4Addr) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    socket.send_to(&request(sequence), &SocketAddrV4::new(address, 0).into())?;
    // Raw or not, a descriptor that receives: tokio's UDP socket only waits for it.
    let socket = UdpSocket::from_std(socket.into())?;
    let mut buffer = [0; 128];
    loop {
        let len = socket.async_io(Interest::READABLE, || receive(&socket, &mut buffer)).await?;
        if is_answer(&buffer[..len], address, sequence) {
            return Ok(());
        }
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)?)
}

const MARK: [u8; 2] = *b"bw";

/// Type 8, code 0, checksum, our mark, a number (RFC 792).
fn request(sequence: u16) -> [u8; 8] {
    let [high, low] = sequence.to_be_bytes();
    let mut packet = [8, 0, 0, 0, MARK[0], MARK[1], high, low];
    let sum: u32 = packet.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let check = !u16::try_from(folded & 0xffff).unwrap_or(0) - u16::from(folded > 0xffff);
    packet[2..4].copy_from_slice(&check.to_be_bytes());
    packet
}

/// Whether an IP packet is the echo reply from this address to this question.
fn is_answer(packet: &[u8], address: Ipv4Addr, sequence: u16) -> bool {
    let Some(header) = packet.first().map(|first| usize::from(first & 0x0f) * 4) else { return false };
    let (Some(source), Some(icmp)) = (packet.get(12..16), packet.get(header..header + 8)) else { return false };
    source == address.octets() && icmp[0] == 0 && icmp[4..6] == MARK && icmp[6..8] == sequence.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_has_a_valid_checksum() {
        for sequence in [0, 1, 0x7fff, 0x9d89, 0x9588, 0xffff] {
            let packet = request(sequence);
            let sum: u32 = packet.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "{sequence:#x}");
        }
    }

    #[test]
    fn only_the_answer_to_this_question_counts() {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[12..16].copy_from_slice(&[10, 77, 0, 9]);
        packet[24..28].copy_from_slice(&[b'b', b'w', 0, 7]);
        let address = Ipv4Addr::new(10, 77, 0, 9);
        assert!(is_answer(&packet, address, 7));
        assert!(!is_answer(&packet, address, 8));
        assert!(!is_answer(&packet, [10, 77, 0, 8].into(), 7));
        assert!(!is_answer(&packet[..20], address, 7));
        assert!(!is_answer(&[], address, 7));
    }
}
