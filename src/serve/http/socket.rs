//! A connection that knows what it has really written, and gives up on a peer that stops reading.
//!
//! hyper takes a body's last bytes long before the kernel does, so "the body was read" is not "the machine has it". hyper flushes its
//! stream exactly when its own buffer is empty; whoever waits in the [`Outlet`] at that moment has been written whole. What the
//! peer's kernel did with the bytes is not known here: the next request of the machine is the better proof.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// Called once: `true` when everything before it was written, `false` when the connection ended first.
pub type Flushed = Box<dyn FnOnce(bool) + Send>;

/// The writing side of one connection, as bodies see it.
#[derive(Clone, Default)]
pub struct Outlet(Arc<Inner>);

#[derive(Default)]
struct Inner {
    written: AtomicU64,
    anybody: AtomicBool,
    closed: AtomicBool,
    waiting: Mutex<Vec<Flushed>>,
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

    fn settle(&self, whole: bool) {
        if self.0.anybody.swap(false, Ordering::AcqRel) {
            let calls = std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            calls.into_iter().for_each(|call| call(whole));
        }
    }
}

/// A stream with an [`Outlet`] and a patience for stalled writes.
pub struct Socket<S> {
    stream: S,
    outlet: Outlet,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Socket<S> {
    /// Wraps a stream; a write that moves nothing for `patience` ends it with `TimedOut`.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, outlet: Outlet::default(), patience, stalled: None }
    }

    /// Its outlet.
    pub fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    /// Counts a write's result, or waits no longer than the patience.
    fn weigh(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(count)) => {
                self.stalled = None;
                self.outlet.0.written.fetch_add(count as u64, Ordering::Relaxed);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
            Poll::Pending => {
                let until = Instant::now() + self.patience;
                let sleep = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                match sleep.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer stopped reading"))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.weigh(cx, result)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.weigh(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = result {
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

    #[tokio::test]
    async fn who_waits_is_called_when_the_bytes_before_are_flushed() {
        let (near, _far) = tokio::io::duplex(1024);
        let mut socket = Socket::new(near, Duration::from_secs(5));
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
        let socket = Socket::new(near, Duration::from_secs(5));
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
        let mut socket = Socket::new(near, Duration::from_millis(20));
        let fault = socket.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
    }
}
