//! A connection that knows what it has really written, and gives up on a peer that stops reading.
//!
//! hyper takes a body's last bytes long before the kernel does, so "the body was read" is not "the machine has it". hyper flushes its
//! stream exactly when its own buffer is empty; whoever waits in the [`Outlet`] at that moment has been written whole. What the
//! peer's kernel did with the bytes is not known here: the next request of the machine is the better proof.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use super::{
    places::Pulse,
    sendfile::{Stretch, is_note},
};

/// Called once: `true` when everything before it was written, `false` when the connection ended first.
pub type Flushed = Box<dyn FnOnce(bool) + Send>;

/// The writing side of one connection, as bodies see it.
#[derive(Clone, Default)]
pub struct Outlet(Arc<Inner>);

#[derive(Default)]
struct Inner {
    written: AtomicU64,
    turn: AtomicU64,
    anybody: AtomicBool,
    closed: AtomicBool,
    waiting: Mutex<Vec<Flushed>>,
    sends_files: bool,
    owed: Mutex<VecDeque<Stretch>>,
}

impl Outlet {
    /// Bytes written so far to the connection, heads included.
    pub fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Calls back when all bytes handed over so far are written, or the connection ends.
    pub fn when_flushed(&self, call: Flushed) {
        if self.0.closed.load(Ordering::Acquire) {
            return call(false);
        }
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        self.0.anybody.store(true, Ordering::Release);
    }

    /// Whether notes for stretches of files may be handed to this connection.
    pub(super) fn sends_files(&self) -> bool {
        self.0.sends_files
    }

    /// The stretch of the note that is handed over next.
    pub(super) fn owe(&self, stretch: Stretch) {
        self.0.owed.lock().unwrap_or_else(PoisonError::into_inner).push_back(stretch);
    }

    #[cfg(test)]
    pub(super) fn owed_corks(&self) -> Vec<super::sendfile::Cork> {
        self.0.owed.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|stretch| stretch.cork).collect()
    }

    fn settle(&self, whole: bool) {
        if self.0.anybody.swap(false, Ordering::AcqRel) {
            let calls = std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            calls.into_iter().for_each(|call| call(whole));
        }
    }
}

/// Drives a connection; each time that its task is polled is a turn, in which it may send [`STRETCHES`] of files.
pub(super) async fn in_turns<C: Future>(outlet: Outlet, connection: C) -> C::Output {
    let mut connection = std::pin::pin!(connection);
    std::future::poll_fn(|cx| {
        outlet.0.turn.fetch_add(1, Ordering::Relaxed);
        connection.as_mut().poll(cx)
    })
    .await
}

/// So many stretches each in turn: nobody waits for a whole file of another, and many readers that have something to read need to be woken less
/// often than one at a time. Of 1, 2 and no bound, 2 was the best or near it with 1, 16, 128 and 512 readers.
pub(super) const STRETCHES: u8 = 2;

/// How long a peer may take to read what is written for it.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Nothing at all may move for so long.
    pub stall: Duration,
    /// Over such a time, so many bytes in a second at least: one byte now and then holds no place.
    pub floor_bytes: u64,
}

/// A stretch of time in which the peer must read enough.
struct Watchdog {
    timer: Pin<Box<Sleep>>,
    /// What was written when the time began; `None` while nothing waits for the peer.
    began_with: Option<u64>,
}

/// Sends the stretch that comes next by the stream's own means.
type SendFile<S> = fn(&S, &mut Stretch, &mut Context<'_>) -> Poll<io::Result<usize>>;

/// A stream with an [`Outlet`] and a patience for peers that do not read.
pub struct Socket<S> {
    stream: S,
    outlet: Outlet,
    pulse: Arc<Pulse>,
    patience: Patience,
    watchdog: Watchdog,
    send_file: Option<SendFile<S>>,
    sending: Option<Stretch>,
    /// How many stretches went out to their end, in which turn.
    sent: (u64, u8),
}

impl<S> Socket<S> {
    /// Wraps a stream; a peer that reads too little for the patience ends it with `TimedOut`.
    pub fn new(stream: S, patience: Patience, pulse: Arc<Pulse>) -> Self {
        let watchdog = Watchdog { timer: Box::pin(tokio::time::sleep(patience.stall)), began_with: None };
        Self { stream, outlet: Outlet::default(), pulse, patience, watchdog, send_file: None, sending: None, sent: (0, 0) }
    }

    /// Its outlet.
    pub fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    /// Counts a write's result, or waits no longer than the patience.
    fn weigh(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(count)) => {
                self.pulse.beat();
                self.outlet.0.written.fetch_add(count as u64, Ordering::Relaxed);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
            Poll::Pending => self.wait(cx),
        }
    }

    /// The peer has no room. Each time that passes must have moved its floor; the first one of an answer begins here.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = self.outlet.written();
        let fresh = self.watchdog.began_with.is_none();
        let before = *self.watchdog.began_with.get_or_insert(written);
        if fresh {
            self.watchdog.timer.as_mut().reset(Instant::now() + self.patience.stall);
        }
        ready!(self.watchdog.timer.as_mut().poll(cx));
        let moved = written - before;
        if moved == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, STOPPED)));
        }
        if (moved as f64) < self.patience.floor_bytes as f64 * self.patience.stall.as_secs_f64() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, TOO_SLOW)));
        }
        self.watchdog.began_with = Some(written);
        self.watchdog.timer.as_mut().reset(Instant::now() + self.patience.stall);
        // The timer wants to be asked once more, or nobody wakes us.
        let _far_away = self.watchdog.timer.as_mut().poll(cx);
        Poll::Pending
    }

    /// Sends the file whose note of `rest` bytes comes next.
    fn poll_send_file(&mut self, cx: &mut Context<'_>, rest: usize) -> Poll<io::Result<usize>> {
        let turn = self.outlet.0.turn.load(Ordering::Relaxed);
        if self.sending.is_none() && self.sent == (turn, STRETCHES) {
            // hyper asks on in the same turn, and hears the same.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let sending = self.sending.take().or_else(|| self.outlet.0.owed.lock().unwrap_or_else(PoisonError::into_inner).pop_front());
        let (Some(mut stretch), Some(send_file)) = (sending, self.send_file) else { return Poll::Ready(Err(unowed())) };
        if stretch.left != rest as u64 {
            return Poll::Ready(Err(unowed()));
        }
        let result = send_file(&self.stream, &mut stretch, cx);
        let waits_for_disk = result.is_pending() && stretch.waits_for_disk();
        if stretch.left == 0 {
            self.sent = (turn, if self.sent.0 == turn { self.sent.1 + 1 } else { 1 });
        }
        self.sending = Some(stretch).filter(|stretch| stretch.left > 0);
        if waits_for_disk {
            self.pulse.beat();
            self.watchdog.began_with = None;
            return Poll::Pending;
        }
        self.weigh(cx, result)
    }

    /// Whether a note was handed over that has not come out here: its zeros would have gone to the peer as a file.
    fn owes(&self) -> bool {
        self.send_file.is_some() && (self.sending.is_some() || !self.outlet.0.owed.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
    }
}

/// What the peer did when nothing moved.
pub(super) const STOPPED: &str = "the peer stopped reading";
/// What it did when too little moved.
pub(super) const TOO_SLOW: &str = "the peer reads too slowly";

fn unowed() -> io::Error {
    io::Error::other("a note for a file did not come out of hyper as it went in")
}

impl Socket<TcpStream> {
    /// A plain connection, which sends files by itself.
    pub fn plain(stream: TcpStream, patience: Patience, pulse: Arc<Pulse>) -> Self {
        let mut socket = Self::new(stream, patience, pulse);
        socket.outlet = Outlet(Arc::new(Inner { sends_files: true, ..Inner::default() }));
        socket.send_file = Some(|stream, stretch, cx| stretch.poll_send(stream, cx));
        socket
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if result.is_ready() {
            self.pulse.beat();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if is_note(bytes) {
            return self.poll_send_file(cx, bytes.len());
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.weigh(cx, result)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let before = parts.iter().position(|part| is_note(part)).unwrap_or(parts.len());
        if before == 0 && !parts.is_empty() {
            return self.poll_send_file(cx, parts[0].len());
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, &parts[..before]);
        self.weigh(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.owes() {
            return Poll::Ready(Err(unowed()));
        }
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = result {
            self.watchdog.began_with = None;
            self.outlet.settle(true);
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> Drop for Socket<S> {
    fn drop(&mut self) {
        self.outlet.0.closed.store(true, Ordering::Release);
        self.outlet.settle(false);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn waiter() -> (Flushed, Arc<Mutex<Option<bool>>>) {
        let seen = Arc::new(Mutex::new(None));
        let ours = seen.clone();
        (Box::new(move |whole| *ours.lock().unwrap() = Some(whole)), seen)
    }

    fn socket<S>(stream: S, stall_ms: u64) -> Socket<S> {
        Socket::new(stream, Patience { stall: Duration::from_millis(stall_ms), floor_bytes: 1000 }, Arc::default())
    }

    #[tokio::test]
    async fn who_waits_is_called_when_the_bytes_before_are_flushed() {
        let (near, _far) = tokio::io::duplex(1024);
        let mut socket = socket(near, 5_000);
        let outlet = socket.outlet();
        socket.write_all(b"hello").await.unwrap();
        let (call, seen) = waiter();
        outlet.when_flushed(call);
        assert_eq!(*seen.lock().unwrap(), None);
        socket.flush().await.unwrap();
        assert_eq!((*seen.lock().unwrap(), outlet.written()), (Some(true), 5));
    }

    #[tokio::test]
    async fn who_waits_on_a_connection_that_ends_hears_that_too() {
        let (near, _far) = tokio::io::duplex(1024);
        let socket = socket(near, 5_000);
        let outlet = socket.outlet();
        let (early, seen_early) = waiter();
        outlet.when_flushed(early);
        drop(socket);
        let (late, seen_late) = waiter();
        outlet.when_flushed(late);
        assert_eq!((*seen_early.lock().unwrap(), *seen_late.lock().unwrap()), (Some(false), Some(false)));
    }

    #[tokio::test]
    async fn a_peer_that_stops_reading_is_given_up() {
        let (near, _far) = tokio::io::duplex(4);
        let mut socket = socket(near, 20);
        let fault = socket.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!((fault.kind(), fault.to_string().as_str()), (io::ErrorKind::TimedOut, STOPPED));
    }

    #[tokio::test]
    async fn a_disk_that_is_slow_is_no_fault_of_the_peer() {
        let (near, _far) = tokio::io::duplex(1024);
        let mut socket = socket(near, 20);
        socket.send_file = Some(|_, stretch, cx| stretch.poll_cached(cx).map_ok(|()| std::mem::take(&mut stretch.left) as usize));
        let (disk, is_done) = tokio::sync::oneshot::channel::<()>();
        let filling = tokio::spawn(async { is_done.await.map_err(io::Error::other) });
        socket.outlet().owe(Stretch::filled_by(tempfile::tempfile().unwrap(), 1000, filling));
        let note = super::super::sendfile::note(1000);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut socket).poll_write(&mut cx, &note).is_pending(), "the disk has not done yet");
        assert_eq!(socket.watchdog.began_with, None, "no time runs against the peer");
        disk.send(()).unwrap();
        socket.write_all(&note).await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_reads_less_than_the_floor_is_given_up_and_one_that_reads_more_is_not() {
        let slowly = read_by(Duration::from_millis(20), 100_000).await;
        assert_eq!(slowly, Err(TOO_SLOW.to_owned()));
        assert_eq!(read_by(Duration::ZERO, 100_000).await, Ok(()));
    }

    /// What writing so many bytes came to for a peer that reads four bytes and rests.
    async fn read_by(rest: Duration, count: usize) -> Result<(), String> {
        let (near, mut far) = tokio::io::duplex(4);
        let mut socket = socket(near, 200);
        let reading = tokio::spawn(async move {
            while tokio::io::AsyncReadExt::read(&mut far, &mut [0; 4]).await.is_ok_and(|got| got > 0) {
                if !rest.is_zero() {
                    tokio::time::sleep(rest).await;
                }
            }
        });
        let written = socket.write_all(&vec![0; count]).await.map_err(|fault| fault.to_string());
        drop(socket);
        reading.await.unwrap();
        written
    }
}
