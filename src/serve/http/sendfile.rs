//! Bytes of files that never pass through this program: hyper carries a note of the right length, the socket sends the file in its place.
//!
//! ```text
//! body ── note: so many bytes, never looked at ──▶ hyper counts them ──▶ Socket knows the note by its address ── sendfile(2) ──▶ kernel
//!   └──── which stretch of which file ────▶ Outlet ──────────────────────────▲
//! ```
//! hyper has no sendfile and wants the bytes of a body in memory. A note is memory of which no page was ever touched, so 512 transfers
//! hold no buffer at all, a reader that stops holds none either, and a file that is cut short under us is an error of the call and no
//! SIGBUS. Should hyper ever copy a note instead of passing it on, the stretch stays owed and the connection ends (see `socket`).
//! `sendfile` waits for the disk when the page cache lacks a page; so it is asked first, and a thread that may wait fills it.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    os::{fd::AsRawFd, unix::fs::FileExt},
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream, sync::Semaphore, task::JoinHandle};

/// The longest note, and the most that one call sends: as much as a socket buffer takes at best.
pub(super) const NOTE_BYTES: u64 = 2 << 20;

/// The page cache is asked for one byte in so many. It is filled, and loses, long runs of pages.
const SAMPLE_BYTES: u64 = 512 << 10;

/// For so long the cache is taken to keep what it was seen to have.
const REMEMBERED: Duration = Duration::from_secs(1);

/// How many threads may wait for the disk at once, so that the blocking pool is there for others too.
static READERS: Semaphore = Semaphore::const_new(16);

/// What notes are made of. The system gives zeroed memory without touching it, and nobody reads it.
static NOTE: LazyLock<Bytes> = LazyLock::new(|| vec![0; NOTE_BYTES as usize].into());

/// A note of so many bytes, at most [`NOTE_BYTES`].
pub(super) fn note(count: usize) -> Bytes {
    NOTE.slice(..count)
}

/// Whether these bytes are (the rest of) a note.
pub(super) fn is_note(bytes: &[u8]) -> bool {
    !bytes.is_empty() && NOTE.as_ptr_range().contains(&bytes.as_ptr())
}

/// Part of an open file, to be sent where its note stands.
pub(super) struct Stretch {
    file: Arc<File>,
    at: u64,
    /// Bytes that are still owed.
    pub(super) left: u64,
    filling: Option<JoinHandle<io::Result<()>>>,
    /// When the page cache was seen to have all of it.
    seen: Option<Instant>,
    pub(super) cork: Cork,
}

/// What a stretch is to the packets of its file: none leaves that is not full while others follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cork {
    /// The file's only one.
    None,
    /// The first of several: holds back what fills no packet.
    In,
    /// Neither the first nor the last.
    Stays,
    /// The last: when it is sent, the rest leaves as well.
    Out,
}

impl Cork {
    /// Of a stretch with others `before` it and `after` it.
    pub(super) const fn between(before: bool, after: bool) -> Self {
        match (before, after) {
            (false, false) => Self::None,
            (false, true) => Self::In,
            (true, true) => Self::Stays,
            (true, false) => Self::Out,
        }
    }
}

impl Stretch {
    pub(super) const fn new(file: Arc<File>, at: u64, left: u64, cork: Cork) -> Self {
        Self { file, at, left, filling: None, seen: None, cork }
    }

    /// A stretch for which a disk is at work.
    #[cfg(test)]
    pub(super) fn filled_by(file: File, left: u64, filling: JoinHandle<io::Result<()>>) -> Self {
        Self { filling: Some(filling), ..Self::new(Arc::new(file), 0, left, Cork::None) }
    }

    /// Whether it is the disk that is waited for, and not the peer.
    pub(super) const fn waits_for_disk(&self) -> bool {
        self.filling.is_some()
    }

    /// Sends what the socket takes now; the count is never 0.
    pub(super) fn poll_send(&mut self, stream: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            // Nothing is looked up for a peer that does not read.
            ready!(stream.poll_write_ready(cx))?;
            ready!(self.poll_cached(cx))?;
            if self.cork == Cork::In {
                SockRef::from(stream).set_tcp_cork(true)?;
                self.cork = Cork::Stays;
            }
            let (mut at, mut sent) = (self.at, 0);
            match stream.try_io(Interest::WRITABLE, || send(&self.file, stream, &mut at, self.left as usize, &mut sent)) {
                Err(fault) if fault.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(fault)),
                _ if sent > 0 => {
                    (self.at, self.left) = (at, self.left - sent as u64);
                    if (self.left, self.cork) == (0, Cork::Out) {
                        SockRef::from(stream).set_tcp_cork(false)?;
                    }
                    return Poll::Ready(Ok(sent));
                }
                _ => {}
            }
        }
    }

    /// Ready when the page cache has the whole stretch. A file system that cannot say is read by a thread each time.
    pub(super) fn poll_cached(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.seen.is_some_and(|seen| seen.elapsed() < REMEMBERED) {
            return Poll::Ready(Ok(()));
        }
        if self.filling.is_none() {
            if is_cached(&self.file, self.at, self.left)? {
                self.seen = Some(Instant::now());
                return Poll::Ready(Ok(()));
            }
            self.filling = Some(tokio::spawn(fill(self.file.clone(), self.at, self.left)));
        }
        let Some(filling) = &mut self.filling else { return Poll::Pending };
        let done = ready!(Pin::new(filling).poll(cx));
        (self.filling, self.seen) = (None, Some(Instant::now()));
        Poll::Ready(done.map_err(io::Error::other).and_then(|done| done))
    }
}

/// Sends until the socket is full (`WouldBlock`, whatever was sent) or all is sent.
fn send(file: &File, stream: &TcpStream, at: &mut u64, count: usize, sent: &mut usize) -> io::Result<()> {
    while *sent < count {
        let mut from = libc::off_t::try_from(*at).map_err(io::Error::other)?;
        // SAFETY: both descriptors are open while the references live, and `from` is a place of our own.
        let got = unsafe { libc::sendfile(stream.as_raw_fd(), file.as_raw_fd(), &mut from, count - *sent) };
        match usize::try_from(got) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent")),
            Ok(got) => (*at, *sent) = (*at + got as u64, *sent + got),
            Err(_) => match io::Error::last_os_error() {
                fault if fault.kind() == io::ErrorKind::Interrupted => {}
                fault => return Err(fault),
            },
        }
    }
    Ok(())
}

/// Whether the page cache has these bytes, by samples. Pages that were dropped between two of them cost a wait for the disk for each of the
/// kernel's readaheads, four at most.
fn is_cached(file: &File, at: u64, count: u64) -> io::Result<bool> {
    for from in (at..at + count).step_by(SAMPLE_BYTES as usize).chain([at + count - 1]) {
        let mut byte = [0];
        if super::file::read_cached(file, from, &mut IoSliceMut::new(&mut byte))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Brings these bytes into the page cache, on a thread that may wait.
async fn fill(file: Arc<File>, at: u64, count: u64) -> io::Result<()> {
    let _permit = READERS.acquire().await.map_err(io::Error::other)?;
    let fill = move || {
        let mut piece = vec![0; (count as usize).min(256 << 10)];
        let mut from = at;
        while from < at + count {
            match file.read_at(&mut piece, from) {
                // Shorter than it was: the sending will say so.
                Ok(0) => return Ok(()),
                Ok(got) => from += got as u64,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(fill).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (near, listener.accept().await.unwrap().0)
    }

    fn file_of(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    #[test]
    fn a_note_is_known_by_where_it_lies_and_nothing_else_is_one() {
        let note = note(1000);
        assert!(is_note(&note) && is_note(&note[999..]));
        assert!(!is_note(&note[1000..]) && !is_note(&[0; 1000]) && !is_note(b""));
    }

    #[tokio::test]
    async fn a_stretch_is_sent_whole_and_in_order_however_little_the_peer_takes() {
        let bytes: Vec<u8> = (0..6_000_000_u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let (near, mut far) = pair().await;
        let mut stretch = Stretch::new(file_of(&bytes), 1234, bytes.len() as u64 - 1234, Cork::None);
        let reading = tokio::spawn(async move {
            let mut got = Vec::new();
            far.read_to_end(&mut got).await.unwrap();
            got
        });
        while stretch.left > 0 {
            std::future::poll_fn(|cx| stretch.poll_send(&near, cx)).await.unwrap();
        }
        drop(near);
        assert!(reading.await.unwrap() == bytes[1234..]);
    }

    #[tokio::test]
    async fn the_socket_is_corked_from_the_first_stretch_to_the_end_of_the_last() {
        let (near, mut far) = pair().await;
        let file = file_of(&[7; 3000]);
        let mut corks = Vec::new();
        for (at, cork) in [(0, Cork::In), (1000, Cork::Stays), (2000, Cork::Out)] {
            let mut stretch = Stretch::new(file.clone(), at, 1000, cork);
            assert_eq!(std::future::poll_fn(|cx| stretch.poll_send(&near, cx)).await.unwrap(), 1000);
            corks.push(SockRef::from(&near).tcp_cork().unwrap());
        }
        assert_eq!(corks, [true, true, false]);
        far.read_exact(&mut [0; 3000]).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error_and_not_a_signal() {
        let (near, _far) = pair().await;
        let file = file_of(&[7; 5000]);
        let mut stretch = Stretch::new(file.clone(), 0, 5000, Cork::None);
        file.set_len(100).unwrap();
        let mut sent = 0;
        let fault = loop {
            match std::future::poll_fn(|cx| stretch.poll_send(&near, cx)).await {
                Ok(count) => sent += count,
                Err(fault) => break fault,
            }
        };
        assert!(sent <= 100 && fault.kind() == io::ErrorKind::UnexpectedEof, "{sent} {fault}");
    }

    #[tokio::test]
    async fn what_the_page_cache_lacks_is_read_by_a_thread_first() {
        let file = file_of(&[7; 300_000]);
        file.sync_all().unwrap();
        fill(file.clone(), 0, 300_000).await.unwrap();
        assert!(is_cached(&file, 0, 300_000).unwrap() || read_nothing_without_waiting(&file), "this file system can say, or never says");
        let (near, mut far) = pair().await;
        let mut stretch = Stretch::new(file, 0, 300_000, Cork::None);
        // As if a sample had missed.
        stretch.filling = Some(tokio::spawn(fill(stretch.file.clone(), 0, 300_000)));
        let reading = tokio::spawn(async move { far.read_exact(&mut vec![0; 300_000]).await });
        while stretch.left > 0 {
            std::future::poll_fn(|cx| stretch.poll_send(&near, cx)).await.unwrap();
        }
        reading.await.unwrap().unwrap();
    }

    fn read_nothing_without_waiting(file: &File) -> bool {
        super::super::file::read_cached(file, 0, &mut IoSliceMut::new(&mut [0])).unwrap().is_none()
    }
}
