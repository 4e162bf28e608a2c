//! How an answer ended: written whole, or broken off and where. Stages of a build hang on that difference.
//!
//! A body carries a `Watch`; the watch tells a `Witness` (a closure of the story that wants to know). HEAD, Range and operators'
//! answers get none: they count as nothing. Rendered documents and loaders are [`Spoken`] from memory, files are `file::FileBody`.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::socket::Outlet;

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many bytes were handed over so far (about every tenth of a large file).
    Moved(u64),
    /// The last byte was handed to the socket.
    Whole,
    /// The connection ended first; about so many bytes had been written.
    Broken(u64),
}

/// Who wants to know. Must not block: it is called on the connection's task.
pub type Witness = Box<dyn FnMut(Step) + Send>;

/// Below this size no `Moved` is told.
const LARGE_BYTES: u64 = 4 << 20;

/// Follows one body to its end. The end is told exactly once, when the watch is dropped.
pub(super) struct Watch {
    witness: Option<Witness>,
    outlet: Option<Outlet>,
    written_before: Option<u64>,
    sent: u64,
    size: u64,
}

impl Watch {
    pub(super) fn new(size: u64, outlet: Option<Outlet>, witness: Option<Witness>) -> Self {
        Self { witness, outlet, written_before: None, sent: 0, size }
    }

    /// So many more bytes were handed to hyper.
    pub(super) fn moved(&mut self, count: u64) {
        if self.written_before.is_none() {
            self.written_before = self.outlet.as_ref().map(Outlet::written);
        }
        let tenth = |sent: u64| sent * 10 / self.size.max(1);
        let crossed = tenth(self.sent + count) > tenth(self.sent);
        self.sent += count;
        if crossed && self.size >= LARGE_BYTES && self.sent < self.size {
            let sent = self.sent;
            if let Some(witness) = &mut self.witness {
                witness(Step::Moved(sent));
            }
        }
    }

    /// What was written of what was handed over: the socket's count where there is one.
    fn written(sent: u64, outlet: Option<&Outlet>, before: Option<u64>) -> u64 {
        match (outlet, before) {
            (Some(outlet), Some(before)) => sent.min(outlet.written().saturating_sub(before)),
            _ => sent,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(mut witness) = self.witness.take() else { return };
        let (sent, before) = (self.sent, self.written_before);
        match self.outlet.take() {
            Some(outlet) if sent == self.size => {
                let seen = outlet.clone();
                outlet.when_flushed(Box::new(move |whole| match whole {
                    true => witness(Step::Whole),
                    false => witness(Step::Broken(Self::written(sent, Some(&seen), before))),
                }));
            }
            None if sent == self.size => witness(Step::Whole),
            outlet => witness(Step::Broken(Self::written(sent, outlet.as_ref(), before))),
        }
    }
}

/// A body from memory.
pub struct Spoken {
    bytes: Bytes,
    watch: Watch,
}

impl Spoken {
    /// `bytes` as one frame; `witness` hears how it ended.
    pub fn new(bytes: Bytes, outlet: Option<Outlet>, witness: Option<Witness>) -> Self {
        Self { watch: Watch::new(bytes.len() as u64, outlet, witness), bytes }
    }
}

impl Body for Spoken {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = std::mem::take(&mut self.bytes);
        self.watch.moved(bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http_body_util::BodyExt;

    use super::*;

    fn recorder() -> (Witness, Arc<Mutex<Vec<Step>>>) {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let ours = steps.clone();
        (Box::new(move |step| ours.lock().unwrap().push(step)), steps)
    }

    #[tokio::test]
    async fn a_body_read_to_its_end_is_whole_and_one_that_is_dropped_is_broken() {
        let (witness, steps) = recorder();
        Spoken::new(Bytes::from_static(b"#!ipxe\n"), None, Some(witness)).collect().await.unwrap();
        assert_eq!(*steps.lock().unwrap(), [Step::Whole]);

        let (witness, steps) = recorder();
        drop(Spoken::new(Bytes::from_static(b"#!ipxe\n"), None, Some(witness)));
        assert_eq!(*steps.lock().unwrap(), [Step::Broken(0)]);
    }

    #[test]
    fn a_large_body_tells_of_each_tenth_once() {
        let (witness, steps) = recorder();
        let mut watch = Watch::new(10 << 20, None, Some(witness));
        (0..40).for_each(|_| watch.moved(256 << 10));
        drop(watch);
        let expected = (1..10).map(|tenth| Step::Moved(tenth << 20)).chain([Step::Whole]).collect::<Vec<_>>();
        assert_eq!(*steps.lock().unwrap(), expected);
    }
}
