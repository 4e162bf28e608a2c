//! A TFTP client's transfer (RFC 1350, 2347–2349, 7440), with the habits of firmware.
//!
//! ```text
//! probe   RRQ tsize=0 ─▶ OACK ─▶ ERROR 8                     (EDK2, and then the transfer itself, from another port)
//! fetch   RRQ ─▶ OACK ─▶ ACK 0 ─▶ DATA 1..w ─▶ ACK w ─▶ … ─▶ a short DATA ─▶ ACK
//! ```
//! Reads and writes packets by itself and not with `wire::tftp`: a mistake of the server's must not be made twice. What is received is
//! counted and thrown away.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use super::scenario::Loader;

/// What comes of a packet or of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Ignored,
    /// This is sent.
    Send(SocketAddrV4, Vec<u8>),
    /// The same, because something was missing; the word says what.
    Again(&'static str, SocketAddrV4, Vec<u8>),
    /// The size is known: the error goes out, and [`Download::fetch`] follows from a new port.
    Probed(SocketAddrV4, Vec<u8>),
    /// The last ACK goes out, everything is here.
    Whole(SocketAddrV4, Vec<u8>),
    /// The server said no, with its number and its words.
    Refused(u16, String),
    /// Nothing came, often enough.
    GivenUp,
    /// Fewer or more bytes than the server said.
    WrongSize,
}

/// One file.
#[derive(Debug)]
pub struct Download {
    file: String,
    server: SocketAddrV4,
    habits: Loader,
    probing: bool,
    /// The server's end, once it has answered.
    peer: Option<SocketAddrV4>,
    /// As agreed; RFC 1350's own until an OACK says more.
    blksize: usize,
    window: u16,
    size: Option<u64>,
    /// The last block that came in order, and how many of its window had come.
    last: u16,
    in_window: u16,
    /// A gap was complained of and nothing in order has come since.
    complained: bool,
    tries: u32,
    /// What has come.
    pub bytes: u64,
    /// When it gets impatient.
    pub wakes_at: Duration,
}

impl Download {
    /// Asks for the file, or first for its size.
    pub fn begin(now: Duration, file: &str, server: Ipv4Addr, port: u16, habits: &Loader) -> (Self, SocketAddrV4, Vec<u8>) {
        let server = SocketAddrV4::new(server, port);
        let mut download = Self {
            file: file.to_owned(),
            server,
            habits: habits.clone(),
            probing: habits.probe,
            peer: None,
            blksize: 512,
            window: 1,
            size: None,
            last: 0,
            in_window: 0,
            complained: false,
            tries: 0,
            bytes: 0,
            wakes_at: now,
        };
        download.patience(now);
        let packet = download.request();
        (download, server, packet)
    }

    /// Asks for the file itself, after the probe.
    pub fn fetch(&mut self, now: Duration) -> (SocketAddrV4, Vec<u8>) {
        (self.probing, self.peer, self.tries) = (false, None, 0);
        self.patience(now);
        (self.server, self.request())
    }

    /// A datagram has come.
    pub fn heard(&mut self, now: Duration, from: SocketAddrV4, bytes: &[u8]) -> Step {
        if from.ip() != self.server.ip() {
            return Step::Ignored;
        }
        if self.peer.is_some_and(|peer| peer != from) {
            // RFC 1350 section 4: the other end of a doubled request is told, and this transfer goes on.
            return Step::Send(from, error(5, "unknown transfer"));
        }
        match bytes {
            [0, 3, high, low, data @ ..] if !self.probing => self.data(now, from, u16::from_be_bytes([*high, *low]), data.len()),
            [0, 5, high, low, text @ ..] => Step::Refused(u16::from_be_bytes([*high, *low]), readable(text)),
            [0, 6, options @ ..] => self.agreed(now, from, options),
            _ => Step::Ignored,
        }
    }

    /// Nothing has come.
    pub fn woke(&mut self, now: Duration) -> Step {
        self.tries += 1;
        if self.tries >= self.habits.tries {
            return Step::GivenUp;
        }
        self.patience(now);
        match self.peer {
            None => Step::Again("no answer to the request", self.server, self.request()),
            Some(peer) => {
                self.in_window = 0;
                Step::Again("no data", peer, ack(self.last))
            }
        }
    }

    fn agreed(&mut self, now: Duration, from: SocketAddrV4, options: &[u8]) -> Step {
        if self.last != 0 || self.bytes != 0 {
            return Step::Ignored;
        }
        let mut words = options.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
        while let Some((name, value)) = words.next().zip(words.next()) {
            match (name.as_str(), value.parse::<u64>()) {
                ("blksize", Ok(size)) => self.blksize = usize::try_from(size).unwrap_or(512),
                ("windowsize", Ok(size)) => self.window = u16::try_from(size).unwrap_or(1).max(1),
                ("tsize", Ok(size)) => self.size = Some(size),
                _ => {}
            }
        }
        self.tries = 0;
        self.patience(now);
        if self.probing {
            return Step::Probed(from, error(8, "User aborted the transfer"));
        }
        self.peer = Some(from);
        Step::Send(from, ack(0))
    }

    fn data(&mut self, now: Duration, from: SocketAddrV4, block: u16, length: usize) -> Step {
        if length > self.blksize {
            return Step::Ignored;
        }
        match block.wrapping_sub(self.last) {
            1 => {}
            0 if self.peer.is_some() && self.in_window == 0 => {
                // Our ACK was lost: the server repeats what it acknowledges.
                return Step::Again("an acknowledgement was lost", from, ack(self.last));
            }
            // Behind us, or ahead of something that is missing. RFC 7440 section 4: say once how far we are.
            ahead if ahead < 1 << 15 && ahead > 1 && !self.complained => {
                (self.complained, self.in_window) = (true, 0);
                return Step::Again("a block was lost", from, ack(self.last));
            }
            _ => return Step::Ignored,
        }
        self.peer = Some(from);
        (self.last, self.complained, self.tries) = (block, false, 0);
        self.in_window += 1;
        self.bytes += length as u64;
        self.patience(now);
        if length < self.blksize {
            let whole = self.size.is_none_or(|size| size == self.bytes);
            return if whole { Step::Whole(from, ack(block)) } else { Step::WrongSize };
        }
        if self.in_window < self.window {
            return Step::Ignored;
        }
        self.in_window = 0;
        Step::Send(from, ack(block))
    }

    fn patience(&mut self, now: Duration) {
        self.wakes_at = now + self.habits.wait.0;
    }

    fn request(&self) -> Vec<u8> {
        let mut packet = vec![0, 1];
        let mut word = |word: &str| packet.extend(word.bytes().chain([0]));
        [self.file.as_str(), "octet", "tsize", "0", "blksize", &self.habits.blksize.to_string()].into_iter().for_each(&mut word);
        if self.habits.windowsize > 1 && !self.probing {
            ["windowsize", &self.habits.windowsize.to_string()].into_iter().for_each(&mut word);
        }
        packet
    }
}

fn ack(block: u16) -> Vec<u8> {
    let [high, low] = block.to_be_bytes();
    vec![0, 4, high, low]
}

fn error(code: u8, text: &str) -> Vec<u8> {
    [&[0, 5, 0, code], text.as_bytes(), &[0]].concat()
}

fn readable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const AT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    fn server() -> SocketAddrV4 {
        SocketAddrV4::new(AT, 40_000)
    }

    fn data(block: u16, length: usize) -> Vec<u8> {
        let [high, low] = block.to_be_bytes();
        [&[0, 3, high, low][..], &vec![7; length]].concat()
    }

    fn begin(windowsize: u16, oack: &str) -> Download {
        let habits = Loader { blksize: 8, windowsize, probe: false, ..Loader::default() };
        let (mut download, to, request) = Download::begin(NOW, "x.efi", AT, 69, &habits);
        assert_eq!(to, SocketAddrV4::new(AT, 69));
        let options = if windowsize > 1 { format!("windowsize\0{windowsize}\0") } else { String::new() };
        assert_eq!(String::from_utf8(request).unwrap(), format!("\0\x01x.efi\0octet\0tsize\x000\0blksize\x008\0{options}"));
        if !oack.is_empty() {
            let said = download.heard(NOW, server(), &[&[0, 6][..], oack.as_bytes()].concat());
            assert_eq!(said, Step::Send(server(), ack(0)));
        }
        download
    }

    #[test]
    fn a_window_is_acknowledged_as_a_whole_and_the_end_at_once() {
        let mut download = begin(2, "tsize\x0020\0blksize\x008\0windowsize\x002\0");
        assert_eq!(download.heard(NOW, server(), &data(1, 8)), Step::Ignored);
        assert_eq!(download.heard(NOW, server(), &data(2, 8)), Step::Send(server(), ack(2)));
        assert_eq!(download.heard(NOW, server(), &data(3, 4)), Step::Whole(server(), ack(3)));
        assert_eq!(download.bytes, 20);
    }

    #[test]
    fn what_comes_twice_is_counted_once() {
        let mut download = begin(1, "tsize\x0012\0blksize\x008\0");
        assert_eq!(download.heard(NOW, server(), &data(1, 8)), Step::Send(server(), ack(1)));
        assert!(matches!(download.heard(NOW, server(), &data(1, 8)), Step::Again(..)));
        assert_eq!(download.heard(NOW, server(), &data(2, 4)), Step::Whole(server(), ack(2)));
    }

    #[test]
    fn a_gap_is_told_once_and_filled() {
        let mut download = begin(4, "blksize\x008\0windowsize\x004\0");
        assert_eq!(download.heard(NOW, server(), &data(1, 8)), Step::Ignored);
        assert_eq!(download.heard(NOW, server(), &data(3, 8)), Step::Again("a block was lost", server(), ack(1)));
        assert_eq!(download.heard(NOW, server(), &data(4, 8)), Step::Ignored);
        assert_eq!(download.heard(NOW, server(), &data(2, 8)), Step::Ignored);
        assert_eq!(download.heard(NOW, server(), &data(3, 0)), Step::Whole(server(), ack(3)));
    }

    #[test]
    fn blocks_are_counted_on_beyond_65535() {
        let mut download = begin(1, "");
        download.blksize = 8;
        for block in 1..=70_000_u32 {
            assert_eq!(download.heard(NOW, server(), &data(block as u16, 8)), Step::Send(server(), ack(block as u16)));
        }
        assert_eq!(download.bytes, 560_000);
    }

    #[test]
    fn silence_repeats_the_last_word_and_ends() {
        let mut download = begin(1, "");
        assert!(matches!(download.woke(download.wakes_at), Step::Again(_, to, _) if to.port() == 69));
        download.heard(NOW, server(), &data(1, 512));
        for _ in 0..7 {
            assert_eq!(download.woke(download.wakes_at), Step::Again("no data", server(), ack(1)));
        }
        assert_eq!(download.woke(download.wakes_at), Step::GivenUp);
    }

    #[test]
    fn an_error_a_stranger_and_a_wrong_size_are_named() {
        let mut download = begin(1, "tsize\x0020\0blksize\x008\0");
        assert_eq!(download.heard(NOW, SocketAddrV4::new(AT, 4), &data(1, 8)), Step::Send(SocketAddrV4::new(AT, 4), error(5, "unknown transfer")));
        assert_eq!(download.heard(NOW, SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000), &data(1, 8)), Step::Ignored);
        assert_eq!(download.heard(NOW, server(), &data(1, 4)), Step::WrongSize);
        assert_eq!(download.heard(NOW, server(), &error(2, "no such host")), Step::Refused(2, "no such host".into()));
        for bytes in [&b""[..], b"\0", b"\0\x03\0", b"\0\x09ab"] {
            assert_eq!(download.heard(NOW, server(), bytes), Step::Ignored);
        }
    }

    #[test]
    fn a_probe_asks_for_the_size_and_breaks_off() {
        let (mut download, ..) = Download::begin(NOW, "x.efi", AT, 69, &Loader::default());
        let said = download.heard(NOW, server(), b"\0\x06tsize\x00512\0blksize\x001468\0");
        assert_eq!(said, Step::Probed(server(), error(8, "User aborted the transfer")));
        let (to, request) = download.fetch(NOW);
        assert_eq!(to.port(), 69);
        assert!(String::from_utf8(request).unwrap().ends_with("windowsize\x004\0"));
        let second = SocketAddrV4::new(AT, 40_001);
        assert_eq!(download.heard(NOW, second, b"\0\x06tsize\x00512\0blksize\x001468\0windowsize\x004\0"), Step::Send(second, ack(0)));
        assert_eq!(download.heard(NOW, second, &data(1, 512)), Step::Whole(second, ack(1)));
    }
}
