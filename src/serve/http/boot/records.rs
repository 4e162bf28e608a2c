//! What is written down after an answer: that its last byte went out, or where it broke off.
//!
//! ```text
//! answer ─▶ last byte ─▶ record, in its turn ─▶ the story ─▶ the disk
//! next request ─▶ caught_up: behind all that wait for a turn ─▶ answer
//! ```
//! A machine does not wait for our disk before it has its file. But the next file waits until what came before is being written: whoever
//! fetches faster than the disk writes would otherwise fill the memory, and all that waits is lost when the power goes. It waits as long as a
//! script or a callback does, for which the disk is waited for as well; an error would end an installation that only has to be patient.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::TaskTracker;

use crate::store::BATCH;

/// The records of one listener, and the tasks that write them.
#[derive(Clone)]
pub struct Records {
    tasks: TaskTracker,
    /// As many are written at once as one commit of the store carries.
    turns: Arc<Semaphore>,
}

impl Default for Records {
    fn default() -> Self {
        Self { tasks: TaskTracker::new(), turns: Arc::new(Semaphore::new(BATCH)) }
    }
}

impl Records {
    /// Waits until everything that was to be written before has its turn. To be asked before anything is decided: by its end the
    /// world may be another.
    pub(super) async fn caught_up(&self) {
        drop(self.turn().await);
    }

    /// Writes something down when it is its turn, which it waits for from now on.
    pub(super) fn write(&self, what: impl Future<Output = ()> + Send + 'static) {
        let mut turn = Box::pin(self.turns.clone().acquire_owned());
        let at_once = turn.as_mut().now_or_never();
        self.follow(async move {
            let _turn = match at_once {
                Some(turn) => turn,
                None => turn.await,
            };
            what.await;
        });
    }

    /// Follows something whose course is written down step by step, each in its [`Records::turn`].
    pub(super) fn follow(&self, course: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(course);
    }

    /// A turn to write, in the order of asking. Nobody closes the semaphore, so there always is one.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Waits until all is written. To be called when nothing is answered any more.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn the_next_answer_waits_behind_all_that_is_still_to_be_written() {
        let (records, disk, begun) = (Records::default(), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        for _ in 0..BATCH + 1 {
            let (disk, begun) = (disk.clone(), begun.clone());
            records.write(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                disk.notified().await;
            });
        }
        assert!(records.caught_up().now_or_never().is_none(), "one has no turn yet");
        disk.notify_one();
        assert!(records.caught_up().now_or_never().is_none(), "nothing is done before somebody did it");
        let next = tokio::spawn({
            let records = records.clone();
            async move { records.caught_up().await }
        });
        while begun.load(Ordering::Relaxed) < BATCH {
            assert!(!next.is_finished(), "it passed those who came before");
            tokio::task::yield_now().await;
        }
        while !next.is_finished() {
            disk.notify_one();
            tokio::task::yield_now().await;
        }
        next.await.unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), BATCH + 1, "the last one had its turn first");
        while !records.tasks.is_empty() {
            disk.notify_waiters();
            tokio::task::yield_now().await;
        }
        records.finish().await;
    }
}
