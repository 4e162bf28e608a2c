//! The one thread that writes. It takes whatever waits, carries it out in one transaction and commits once.
//!
//! ```text
//! write ─┐                      ┌─ savepoint: closure → rows ─┐
//! write ─┼─→ channel → batch ───┼─ savepoint: closure → rows ─┼─→ COMMIT (one fsync) → memory → followers → answers
//! write ─┘                      └─ savepoint: …  undone alone ┘
//! ```
//! While one batch is being synced the next one gathers, so durability costs one fsync per batch. Nobody hears of a change, not
//! even by reading memory, before it is on the disk. A closure that panics loses its own change and nothing else.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{
    open::Place,
    record::{Recorded, record},
    rows::journal,
    schema,
    trouble::fault,
    watch::Watch,
};
use crate::{
    model::{Entry, Timestamp},
    store::{
        Counts, StoreFault, View, Write,
        state::{Overlay, State},
    },
};

/// How many changes one commit carries at most.
const BATCH: usize = 512;

/// What the writer and the readers share.
pub(super) struct Shared {
    pub place: Place,
    pub state: RwLock<State>,
    pub follow: broadcast::Sender<Arc<Entry>>,
    /// Whether the writer lives; without it memory is not to be believed.
    pub open: AtomicBool,
    pub tally: Tally,
    pub watch: Watch,
}

/// [`Counts`] while they count.
#[derive(Default)]
pub(super) struct Tally {
    writes: AtomicU64,
    commits: AtomicU64,
    entries: AtomicU64,
    faults: AtomicU64,
}

impl Tally {
    /// As they stand.
    pub fn counts(&self) -> Counts {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counts { writes: read(&self.writes), commits: read(&self.commits), entries: read(&self.entries), faults: read(&self.faults) }
    }
}

/// Where an answer goes. Whoever no longer waits for it does not get it; the change stands.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreFault>>;

/// What the writer is asked for.
pub(super) enum Job {
    Write {
        write: Write,
        answer: Answer<Vec<Arc<Entry>>>,
    },
    Prune {
        before: Timestamp,
        answer: Answer<u64>,
    },
    /// A write that changes nothing: does the disk take one? Answers with 1.
    Touch {
        answer: Answer<u64>,
    },
}

/// A job that has been carried out and waits for its commit.
enum Done {
    Write { recorded: Recorded, answer: Answer<Vec<Arc<Entry>>> },
    Prune { rows: u64, answer: Answer<u64> },
}

impl Done {
    fn wrote(&self) -> bool {
        match self {
            Self::Write { recorded, .. } => recorded.wrote,
            Self::Prune { rows, .. } => *rows > 0,
        }
    }

    fn fail(self, fault: StoreFault) {
        match self {
            Self::Write { answer, .. } => drop(answer.send(Err(fault))),
            Self::Prune { answer, .. } => drop(answer.send(Err(fault))),
        }
    }
}

/// The writer.
pub(super) struct Writer {
    pub conn: Connection,
    pub shared: Arc<Shared>,
    /// Number of the last entry that is durable.
    pub last: u64,
    /// What made SQLite give up the present transaction as a whole (disk full, I/O), if it did.
    pub broken_off: Option<StoreFault>,
}

impl Writer {
    /// Serves until every sender is gone.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let _mark = ClosedAtEnd(Arc::clone(&self.shared));
        let mut waiting = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut waiting, BATCH) > 0 {
            self.batch(&mut waiting);
        }
    }

    fn batch(&mut self, jobs: &mut Vec<Job>) {
        if let Err(fault) = self.shared.watch.undamaged().and_then(|()| self.sql("BEGIN IMMEDIATE")) {
            self.shared.watch.note(Err(&fault));
            tracing::error!(fault = %fault, waiting = jobs.len(), "store: no transaction");
            for job in jobs.drain(..) {
                self.shared.tally.faults.fetch_add(1, Ordering::Relaxed);
                job.fail(fault.clone());
            }
            return;
        }
        self.broken_off = None;
        let mut overlay = Overlay::default();
        let mut last = self.last;
        let done: Vec<Done> = {
            let shared = Arc::clone(&self.shared);
            let base = shared.state.read().unwrap_or_else(PoisonError::into_inner);
            jobs.drain(..).filter_map(|job| self.carry_out(job, &base, &mut overlay, &mut last)).collect()
        };
        let wrote = done.iter().any(Done::wrote);
        match self.commit(wrote) {
            Ok(()) => {
                if wrote {
                    self.shared.watch.note(Ok(()));
                }
                self.last = last;
                self.publish(overlay, done);
            }
            Err(fault) => {
                self.shared.watch.note(Err(&fault));
                tracing::error!(fault = %fault, waiting = done.len(), "store: commit failed");
                self.shared.tally.faults.fetch_add(done.len() as u64, Ordering::Relaxed);
                done.into_iter().for_each(|job| job.fail(fault.clone()));
            }
        }
    }

    /// One job in its own savepoint. `None`: it failed and has been answered.
    fn carry_out(&mut self, job: Job, base: &State, overlay: &mut Overlay, last: &mut u64) -> Option<Done> {
        match job {
            Job::Write { write, answer } => {
                let view = View::new(base, overlay);
                match self.guarded(|conn, path| record(conn, path, &view, write(&view), *last)) {
                    Ok(recorded) => {
                        recorded.lay_over(overlay);
                        *last += recorded.entries.len() as u64;
                        Some(Done::Write { recorded, answer })
                    }
                    Err(fault) => self.refuse(answer, fault),
                }
            }
            Job::Prune { before, answer } => match self.guarded(|conn, path| journal::prune(conn, path, before)) {
                Ok(rows) => Some(Done::Prune { rows, answer }),
                Err(fault) => self.refuse(answer, fault),
            },
            Job::Touch { answer } => match self.guarded(schema::touch) {
                Ok(rows) => Some(Done::Prune { rows, answer }),
                Err(fault) => self.refuse(answer, fault),
            },
        }
    }

    fn refuse<T>(&self, answer: Answer<T>, fault: StoreFault) -> Option<Done> {
        self.shared.watch.note(Err(&fault));
        tracing::warn!(fault = %fault, "store: one change dropped");
        self.shared.tally.faults.fetch_add(1, Ordering::Relaxed);
        drop(answer.send(Err(fault)));
        None
    }

    /// Runs `work` so that a fault or a panic in it undoes its rows and only its rows.
    fn guarded<T>(&mut self, work: impl FnOnce(&Connection, &Path) -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        if let Some(fault) = &self.broken_off {
            return Err(fault.clone());
        }
        self.sql("SAVEPOINT one")?;
        // Nothing outlives a panic half changed: rows are undone below, and memory is touched only after success.
        let guarded = catch_unwind(AssertUnwindSafe(|| work(&self.conn, self.shared.place.path())));
        let result = guarded.unwrap_or_else(|panic| Err(StoreFault::Broke { detail: message(&*panic) }));
        if let Err(fault) = &result {
            // On some errors SQLite ends the whole transaction by itself. A savepoint outside one would commit alone, so the
            // rest of the batch has to fail with it.
            if self.conn.is_autocommit() {
                self.broken_off = Some(fault.clone());
                return result;
            }
            self.sql("ROLLBACK TO one")?;
        }
        self.sql("RELEASE one")?;
        result
    }

    fn commit(&self, wrote: bool) -> Result<(), StoreFault> {
        if let Some(fault) = &self.broken_off {
            return Err(fault.clone());
        }
        // A file that was deleted or replaced takes writes and loses them: nobody is told that one was kept.
        let there = if wrote { self.shared.watch.still_there() } else { Ok(()) };
        let committed = there.and_then(|()| self.sql("COMMIT"));
        if committed.is_err() && !self.conn.is_autocommit() {
            self.sql("ROLLBACK")?;
        }
        if let Err(StoreFault::Gone { .. }) = &committed {
            self.shared.watch.save_log(&self.conn);
        }
        if committed.is_ok() && wrote {
            self.shared.tally.commits.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    /// What is durable becomes visible: memory first, then followers, then those who wait.
    fn publish(&self, overlay: Overlay, done: Vec<Done>) {
        let Shared { state, follow, tally, .. } = &*self.shared;
        state.write().unwrap_or_else(PoisonError::into_inner).merge(overlay);
        for job in done {
            tally.writes.fetch_add(1, Ordering::Relaxed);
            match job {
                Done::Write { recorded, answer } => {
                    tally.entries.fetch_add(recorded.entries.len() as u64, Ordering::Relaxed);
                    for entry in &recorded.entries {
                        // Nobody follows at the moment: fine. Thousands of entries wait for the slowest follower, so they go without their
                        // patches, which hold whole facts; who wants those reads the journal.
                        let _ = follow.send(if entry.patch.is_none() { Arc::clone(entry) } else { Arc::new(entry.without_patch()) });
                    }
                    drop(answer.send(Ok(recorded.entries)));
                }
                Done::Prune { rows, answer } => drop(answer.send(Ok(rows))),
            }
        }
    }

    fn sql(&self, statement: &str) -> Result<(), StoreFault> {
        let run = || self.conn.prepare_cached(statement)?.execute([]);
        run().map(drop).map_err(|error| fault(self.shared.place.path(), &error))
    }
}

impl Job {
    fn fail(self, fault: StoreFault) {
        match self {
            Self::Write { answer, .. } => drop(answer.send(Err(fault))),
            Self::Prune { answer, .. } | Self::Touch { answer } => drop(answer.send(Err(fault))),
        }
    }
}

/// However the writer ends, readers hear of it.
struct ClosedAtEnd(Arc<Shared>);

impl Drop for ClosedAtEnd {
    fn drop(&mut self) {
        self.0.open.store(false, Ordering::Release);
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
