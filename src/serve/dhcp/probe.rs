//! Asks by ICMP echo whether somebody has an address (RFC 2131 2.2, 4.4.1), for half a second at most.
//!
//! One raw socket for each interface and as many questions at once as there is room for packets: a rack that starts together is probed
//! together. The kernel resolves the address by ARP first, so an unused address costs one ARP request and no answer. Needs CAP_NET_RAW;
//! without it the question cannot be asked, and that is logged.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd as _,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket, sync::oneshot};

use crate::app::offer::Probe;

/// How long an answer is waited for.
const WAIT: Duration = Duration::from_millis(500);
/// Everything but echo replies, for the kernel to keep to itself (`linux/icmp.h`).
static NOT_A_REPLY: u32 = !1;
const SOL_RAW: libc::c_int = 255;
const ICMP_FILTER: libc::c_int = 1;

/// A question: whom, and its number.
type Question = (Ipv4Addr, u16);

/// Probes out of one interface.
pub(super) struct Echo {
    /// Its name.
    interface: String,
    /// Raw or not, a descriptor that receives: tokio's UDP socket only waits for it.
    socket: io::Result<UdpSocket>,
    asked: Mutex<HashMap<Question, oneshot::Sender<()>>>,
    sequence: AtomicU16,
}

impl Echo {
    /// A prober out of this interface. That it may not open its socket is told when it is first needed.
    pub(super) fn open(interface: &str) -> Self {
        Self { interface: interface.to_owned(), socket: open(interface), asked: Mutex::default(), sequence: AtomicU16::new(1) }
    }

    /// Hears answers, for ever.
    pub(super) async fn listen(&self) {
        let Ok(socket) = &self.socket else { return };
        let mut buffer = [0; 128];
        loop {
            match socket.async_io(Interest::READABLE, || receive(socket, &mut buffer)).await {
                Ok(len) => drop(answer(&buffer[..len]).and_then(|question| self.asked().remove(&question)).map(|who| who.send(()))),
                Err(why) => {
                    tracing::warn!(interface = self.interface, %why, "answers to probes cannot be heard");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn ask(&self, question: Question) -> io::Result<oneshot::Receiver<()>> {
        let socket = self.socket.as_ref().map_err(|why| io::Error::new(why.kind(), why.to_string()))?;
        let (answered, wait) = oneshot::channel();
        self.asked().insert(question, answered);
        let to: socket2::SockAddr = SocketAddrV4::new(question.0, 0).into();
        socket2::SockRef::from(socket).send_to(&request(question.1), &to)?;
        Ok(wait)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<Question, oneshot::Sender<()>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Probe for Echo {
    async fn is_used(&self, address: Ipv4Addr) -> bool {
        let question = (address, self.sequence.fetch_add(1, Ordering::Relaxed));
        let is_used = match self.ask(question) {
            Ok(wait) => matches!(tokio::time::timeout(WAIT, wait).await, Ok(Ok(()))),
            Err(why) => {
                tracing::warn!(%address, interface = self.interface, %why, "an address could not be probed before it was offered");
                false
            }
        };
        self.asked().remove(&question);
        is_used
    }
}

fn open(interface: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // SAFETY: the value lives until the call returns, and the length is its.
    let filtered = unsafe {
        let filter: *const u32 = &raw const NOT_A_REPLY;
        libc::setsockopt(socket.as_raw_fd(), SOL_RAW, ICMP_FILTER, filter.cast(), size_of::<u32>() as libc::socklen_t)
    };
    if filtered < 0 {
        return Err(io::Error::last_os_error());
    }
    UdpSocket::from_std(socket.into())
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

/// Which question of ours an IP packet answers.
fn answer(packet: &[u8]) -> Option<Question> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let source = <[u8; 4]>::try_from(packet.get(12..16)?).ok()?;
    match packet.get(header..header + 8)? {
        [0, _, _, _, mark @ .., high, low] if *mark == MARK => Some((source.into(), u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
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
    fn only_an_answer_to_a_question_of_ours_counts() {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[12..16].copy_from_slice(&[10, 77, 0, 9]);
        packet[24..28].copy_from_slice(&[b'b', b'w', 0, 7]);
        assert_eq!(answer(&packet), Some(([10, 77, 0, 9].into(), 7)));
        assert_eq!(answer(&packet[..27]), None);
        assert_eq!(answer(&[]), None);
        packet[24] = b'x';
        assert_eq!(answer(&packet), None, "somebody else's ping");
        packet[24] = b'b';
        packet[20] = 8;
        assert_eq!(answer(&packet), None, "a question");
    }
}
