//! Reads of what is not kept in memory (journal, builds, bodies, leases): a few connections beside the writer's.
//!
//! SQLite's write-ahead log lets them read while the writer writes. They run on the runtime's blocking threads.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::open::Place;
use crate::store::StoreFault;

/// How many reads run at once; more wait.
const AT_ONCE: usize = 4;

/// The connections that are not in use.
pub(super) struct Readers {
    place: Place,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Readers {
    /// None open yet.
    pub fn new(place: Place) -> Arc<Self> {
        Arc::new(Self { place, idle: Mutex::default(), turns: Semaphore::new(AT_ONCE) })
    }

    /// Runs one read.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection, &std::path::Path) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let _turn = self.turns.acquire().await.map_err(|_| StoreFault::Closed)?;
        let readers = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let conn = match readers.idle().pop() {
                Some(conn) => conn,
                None => readers.place.reader()?,
            };
            let result = work(&conn, readers.place.path());
            if !readers.turns.is_closed() {
                readers.idle().push(conn);
            }
            result
        });
        // A panic in a read costs that connection and no other.
        read.await.unwrap_or_else(|error| Err(StoreFault::Broke { detail: error.to_string() }))
    }

    /// No more reads; closes what is idle.
    pub fn close(&self) {
        self.turns.close();
        self.idle().clear();
    }

    /// Whether the store closes: a long read had better end.
    pub fn is_closed(&self) -> bool {
        self.turns.is_closed()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
