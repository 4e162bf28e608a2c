//! One commit carries many changes, and each of them fails alone unless the commit fails.
//!
//! Batches are made on purpose by keeping the writer inside a change until the others wait; a commit fails by a hook, a disk
//! is full by a limit of pages.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use tokio::task::JoinSet;

use super::*;
use crate::store::{
    JournalFilter, Sqlite,
    sqlite::open::{self, Place},
};

/// Keeps the writer busy in a change of its own until told to go on, so that what is written meanwhile becomes one batch.
async fn hold(store: &Arc<Sqlite>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (go, wait) = mpsc::channel();
    let (started, begun) = tokio::sync::oneshot::channel();
    let store = Arc::clone(store);
    let held = tokio::spawn(async move {
        let busy = store.write(Box::new(move |_| {
            started.send(()).unwrap();
            wait.recv().unwrap();
            Writes::default()
        }));
        busy.await.unwrap();
    });
    begun.await.unwrap();
    (go, held)
}

/// Writes that all wait while the writer is held; the answers in order.
async fn together(store: &Arc<Sqlite>, writes: Vec<Writes>) -> Vec<Result<Vec<Arc<Entry>>, StoreFault>> {
    let (go, held) = hold(store).await;
    let mut answers: Vec<_> = writes.into_iter().map(|writes| Box::pin(async move { put(&**store, writes).await })).collect();
    for answer in &mut answers {
        // One poll puts the write into the channel.
        assert!(futures_poll(answer).await.is_none());
    }
    go.send(()).unwrap();
    held.await.unwrap();
    let mut results = Vec::new();
    for answer in answers {
        results.push(answer.await);
    }
    results
}

async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_few_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(folder.path().join("bootwright.db")).unwrap());
    let mut writers = JoinSet::new();
    for n in 0..128 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for _ in 0..8 {
                let mut next = store.host(host(n).id).unwrap().map_or_else(|| host(n), |host| (*host).clone());
                next.attempt += 1;
                put(&*store, saving(vec![next])).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let counts = store.counts();
    assert_eq!((counts.writes, counts.entries, counts.faults), (1024, 1024, 0));
    assert!(counts.commits < counts.writes / 2, "{counts:?}");
    let seqs: Vec<_> =
        store.journal(JournalFilter { limit: 2000, ..JournalFilter::default() }).await.unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=1024).collect::<Vec<_>>());
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn of_a_batch_only_the_change_that_fails_is_lost() {
    let store = Arc::new(Sqlite::scratch().unwrap());
    let mut thief = host(2);
    thief.macs = host(1).macs;
    let results = together(&store, vec![saving(vec![host(1)]), saving(vec![thief]), saving(vec![host(3)])]).await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert!(matches!(results[1], Err(StoreFault::Taken { what: "mac", .. })), "{:?}", results[1]);
    assert_eq!(results[2].as_ref().unwrap()[0].seq, 2, "a dropped change uses up no number");
    assert_eq!(store.counts().commits, 1);
    assert_eq!(store.hosts().unwrap().len(), 2);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_batch_that_is_begun_anew_loses_nothing_before_and_after_what_fails() {
    let store = Arc::new(Sqlite::scratch().unwrap());
    let thief = |n: u16| Host { macs: host(1).macs, ..host(n) };
    let mut later = host(1);
    later.attempt = 7;
    let writes = [host(1), thief(2), host(3), thief(4), later.clone(), host(5)].map(|host| saving(vec![host])).into_iter().collect();
    let results = together(&store, writes).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false, true, true]);
    assert_eq!(store.host(later.id).unwrap().unwrap().attempt, 7);
    let mut names: Vec<_> = store.hosts().unwrap().iter().map(|host| host.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["n1", "n3", "n5"]);
    assert_eq!(store.journal(JournalFilter::default()).await.unwrap().len(), 4);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_change_that_panics_costs_nobody_else_anything() {
    let store = Sqlite::scratch().unwrap();
    let (panics, goes_on) = tokio::join!(store.write(Box::new(|_| panic!("a story fell over"))), put(&store, saving(vec![host(1)])));
    assert_eq!(panics, Err(StoreFault::Broke { detail: "a story fell over".to_owned() }));
    assert_eq!(goes_on.unwrap().len(), 1);
}

/// A store in a file whose commits fail while the flag is up.
fn failing(folder: &std::path::Path, fail: &Arc<AtomicBool>) -> Arc<Sqlite> {
    let place = Place::File(folder.join("bootwright.db"));
    let mut conn = open::writer(&place).unwrap();
    let fail = Arc::clone(fail);
    conn.commit_hook(Some(move || fail.load(Ordering::SeqCst))).unwrap();
    Arc::new(Sqlite::start(place, conn, None).unwrap())
}

#[tokio::test]
async fn when_the_commit_fails_everybody_hears_it_and_nobody_sees_a_thing() {
    let folder = tempfile::tempdir().unwrap();
    let fail = Arc::new(AtomicBool::new(false));
    let store = failing(folder.path(), &fail);
    put(&*store, saving(vec![host(1)])).await.unwrap();
    let mut follower = store.follow();
    let mut changed = host(1);
    changed.attempt = 5;
    fail.store(true, Ordering::SeqCst);
    let both = tokio::join!(put(&*store, saving(vec![changed.clone()])), put(&*store, saving(vec![host(2)])));
    for result in [both.0, both.1] {
        assert!(matches!(result, Err(StoreFault::Down { .. })), "{result:?}");
    }
    assert_eq!(store.host(host(1).id).unwrap().unwrap().attempt, 0);
    assert_eq!(store.host(host(2).id).unwrap(), None);
    fail.store(false, Ordering::SeqCst);
    assert_eq!(put(&*store, saving(vec![changed])).await.unwrap()[0].seq, 2, "numbers go on without a gap");
    assert_eq!(follower.recv().await.unwrap().seq, 2);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_full_disk_is_named_and_the_store_goes_on_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("bootwright.db"));
    let conn = open::writer(&place).unwrap();
    let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let _: i64 = conn.query_row(&format!("PRAGMA max_page_count = {}", pages + 20), [], |row| row.get(0)).unwrap();
    let store = Arc::new(Sqlite::start(place, conn, None).unwrap());
    let large = |n: u16| {
        let mut host = host(n);
        host.serial = Some("x".repeat(60_000));
        saving(vec![host])
    };
    let results = together(&store, vec![saving(vec![host(1)]), large(2), saving(vec![host(3)])]).await;
    assert!(results.iter().any(|result| matches!(result, Err(StoreFault::Full { .. }))), "{results:?}");
    let kept = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(store.hosts().unwrap().len(), kept, "what was answered with success is there, and nothing else");
    put(&*store, saving(vec![host(4)])).await.unwrap();
    assert_eq!(store.verify().await.unwrap(), []);
}
