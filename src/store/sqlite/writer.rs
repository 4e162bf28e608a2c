//! The one thread that writes. It takes whatever waits, carries it out in one transaction and commits once.
//!
//! ```text
//! write ─┐                      ┌─ closure → plan → rows ─┐
//! write ─┼─→ channel → batch ───┼─ closure → plan → rows ─┼─→ COMMIT (one fsync) → memory → followers → answers
//! write ─┘                      └─ …         undone alone ┘
//! ```
//! While one batch is being synced the next one gathers, so durability costs one fsync per batch. Nobody hears of a change, not
//! even by reading memory, before it is on the disk. A closure that panics loses its own change and nothing else.
//!
//! A savepoint around every change would let SQLite undo one alone, but it copies every page that the change touches and costs as much as the
//! change itself. So rows are laid down plainly. Only when one breaks off, the batch is begun anew: what was done before it is laid down again
//! from what was planned, and from there on every change of this batch has its savepoint.

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
    record::{self, Recorded},
    rows::journal,
    schema,
    trouble::fault,
    watch::Watch,
};
use crate::{
    model::{Entry, Timestamp},
    store::{
        BATCH, Counts, StoreFault, View, Write,
        state::{Overlay, State},
    },
};

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

/// A job that waits for its commit. What it does to the rows can be done again in a transaction that was begun anew.
enum Work {
    Change { recorded: Recorded, answer: Answer<Vec<Arc<Entry>>> },
    Prune { before: Timestamp, rows: u64, answer: Answer<u64> },
    Touch { answer: Answer<u64> },
}

impl Work {
    fn lay_down(&mut self, conn: &Connection, path: &Path) -> Result<(), StoreFault> {
        match self {
            Self::Change { recorded, .. } => recorded.save(conn, path),
            Self::Prune { before, rows, .. } => journal::prune(conn, path, *before).map(|pruned| *rows = pruned),
            Self::Touch { .. } => schema::touch(conn, path).map(drop),
        }
    }

    fn wrote(&self) -> bool {
        match self {
            Self::Change { recorded, .. } => recorded.writes(),
            Self::Prune { rows, .. } => *rows > 0,
            Self::Touch { .. } => true,
        }
    }

    fn fail(self, fault: StoreFault) {
        match self {
            Self::Change { answer, .. } => drop(answer.send(Err(fault))),
            Self::Prune { answer, .. } | Self::Touch { answer } => drop(answer.send(Err(fault))),
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
    /// Whether the present batch was begun anew, so that every change has its savepoint.
    pub careful: bool,
}

impl Writer {
    /// Serves until every sender is gone.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let _mark = ClosedAtEnd(Arc::clone(&self.shared));
        let mut waiting = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut waiting, BATCH) > 0 {
            gather(&mut jobs, &mut waiting);
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
        (self.broken_off, self.careful) = (None, false);
        let mut overlay = Overlay::default();
        let mut last = self.last;
        let mut done: Vec<Work> = Vec::with_capacity(jobs.len());
        {
            let shared = Arc::clone(&self.shared);
            let base = shared.state.read().unwrap_or_else(PoisonError::into_inner);
            for job in jobs.drain(..) {
                self.carry_out(job, &base, &mut overlay, &mut last, &mut done);
            }
        }
        let wrote = done.iter().any(Work::wrote);
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
                done.into_iter().for_each(|work| work.fail(fault.clone()));
            }
        }
    }

    /// One job after those that are `done`; if it fails it is answered here.
    fn carry_out(&mut self, job: Job, base: &State, overlay: &mut Overlay, last: &mut u64, done: &mut Vec<Work>) {
        let mut work = match job {
            Job::Write { write, answer } => {
                let view = View::new(base, overlay);
                match self.caught(|conn, path| record::plan(conn, path, &view, write(&view), *last)) {
                    Ok(recorded) => Work::Change { recorded, answer },
                    Err(fault) => return self.refuse(fault, done, |fault| drop(answer.send(Err(fault)))),
                }
            }
            Job::Prune { before, answer } => Work::Prune { before, rows: 0, answer },
            Job::Touch { answer } => Work::Touch { answer },
        };
        if let Err(fault) = self.lay_down(&mut work, done) {
            return self.refuse(fault, done, |fault| work.fail(fault));
        }
        if let Work::Change { recorded, .. } = &work {
            recorded.lay_over(overlay);
            *last += recorded.entries.len() as u64;
        }
        done.push(work);
    }

    fn refuse(&mut self, fault: StoreFault, done: &mut [Work], answer: impl FnOnce(StoreFault)) {
        self.shared.watch.note(Err(&fault));
        tracing::warn!(fault = %fault, "store: one change dropped");
        self.shared.tally.faults.fetch_add(1, Ordering::Relaxed);
        answer(fault);
        // A read that failed may have ended the transaction too; outside of one, rows would be committed one by one.
        if self.broken_off.is_none() && self.conn.is_autocommit() {
            self.begin_anew(done);
        }
    }

    /// Writes the rows of one change so that a fault or a panic in it undoes its rows and only its rows.
    fn lay_down(&mut self, work: &mut Work, done: &mut [Work]) -> Result<(), StoreFault> {
        if !self.careful {
            match self.caught(|conn, path| work.lay_down(conn, path)) {
                Ok(()) => return Ok(()),
                Err(fault) => tracing::debug!(fault = %fault, done = done.len(), "store: the batch is begun anew"),
            }
            self.begin_anew(done);
        }
        let result = self.caught(|conn, path| {
            sql(conn, "SAVEPOINT one").map_err(|error| fault(path, &error))?;
            work.lay_down(conn, path)
        });
        // On some errors SQLite ends the whole transaction by itself, and then the rest of the batch has to fail with this one.
        let released = match &result {
            Err(fault) if self.conn.is_autocommit() => Err(fault.clone()),
            Err(_) => self.sql("ROLLBACK TO one").and_then(|()| self.sql("RELEASE one")),
            Ok(()) => self.sql("RELEASE one"),
        };
        self.broken_off = self.broken_off.take().or(released.err());
        result.and_then(|()| self.broken_off.clone().map_or(Ok(()), Err))
    }

    /// Undoes the batch so far and lays down again what is `done`, of which everything went well the first time.
    fn begin_anew(&mut self, done: &mut [Work]) {
        self.careful = true;
        let undone = if self.conn.is_autocommit() { Ok(()) } else { self.sql("ROLLBACK") };
        let begun = undone.and_then(|()| self.sql("BEGIN IMMEDIATE"));
        let again = begun.and_then(|()| done.iter_mut().try_for_each(|one| self.caught(|conn, path| one.lay_down(conn, path))));
        self.broken_off = again.err();
    }

    /// Runs a part of a job; a panic is a fault of that job alone. Nothing outlives it half changed: rows are undone by the caller, and memory
    /// is touched only after success.
    fn caught<T>(&self, work: impl FnOnce(&Connection, &Path) -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        if let Some(fault) = &self.broken_off {
            return Err(fault.clone());
        }
        let caught = catch_unwind(AssertUnwindSafe(|| work(&self.conn, self.shared.place.path())));
        caught.unwrap_or_else(|panic| Err(StoreFault::Broke { detail: message(&*panic) }))
    }

    fn commit(&self, wrote: bool) -> Result<(), StoreFault> {
        if let Some(fault) = &self.broken_off {
            if !self.conn.is_autocommit() {
                self.sql("ROLLBACK")?;
            }
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
    fn publish(&self, overlay: Overlay, done: Vec<Work>) {
        let Shared { state, tally, .. } = &*self.shared;
        state.write().unwrap_or_else(PoisonError::into_inner).merge(overlay);
        for work in done {
            tally.writes.fetch_add(1, Ordering::Relaxed);
            match work {
                Work::Change { recorded, answer } => {
                    tally.entries.fetch_add(recorded.entries.len() as u64, Ordering::Relaxed);
                    self.tell(&recorded.entries);
                    drop(answer.send(Ok(recorded.entries)));
                }
                Work::Prune { rows, answer, .. } => drop(answer.send(Ok(rows))),
                Work::Touch { answer } => drop(answer.send(Ok(1))),
            }
        }
    }

    /// Thousands of entries wait for the slowest follower, so they go without their patches, which hold whole facts; who wants those reads the
    /// journal. Nobody follows at the moment: fine.
    fn tell(&self, entries: &[Arc<Entry>]) {
        for entry in entries.iter().filter(|_| self.shared.follow.receiver_count() > 0) {
            let _ = self.shared.follow.send(if entry.patch.is_none() { Arc::clone(entry) } else { Arc::new(entry.without_patch()) });
        }
    }

    fn sql(&self, statement: &str) -> Result<(), StoreFault> {
        sql(&self.conn, statement).map_err(|error| fault(self.shared.place.path(), &error))
    }
}

/// How often a batch waits for more: each time may cost a slice of the core.
const YIELDS: usize = 4;

/// Those who are about to ask on this core do so now, and share the sync. On a core where nobody is, nothing is lost.
fn gather(jobs: &mut mpsc::Receiver<Job>, waiting: &mut Vec<Job>) {
    let mut had = 0;
    for _ in 0..YIELDS {
        if had == waiting.len() || waiting.len() >= BATCH {
            return;
        }
        had = waiting.len();
        std::thread::yield_now();
        waiting.extend(std::iter::from_fn(|| jobs.try_recv().ok()).take(BATCH - had));
    }
}

fn sql(conn: &Connection, statement: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(statement)?.execute([]).map(drop)
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
