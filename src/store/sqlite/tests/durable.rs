//! What is acknowledged is there again, however the daemon ended.
//!
//! A crash is played by dropping the store without closing it and by opening a copy of the files that a living store has
//! written so far; what a disk does with an fsync is the disk's affair and not tried here.

use super::*;
use crate::model::Param;
use crate::store::{JournalFilter, Sqlite};

#[tokio::test]
async fn what_was_written_is_there_after_a_drop_without_close() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    let store = Sqlite::open(&file).unwrap();
    put(&store, saving(vec![host(1)])).await.unwrap();
    drop(store);
    let store = Sqlite::open(&file).unwrap();
    assert_eq!(store.host(host(1).id).unwrap().unwrap().version, 1);
    let entries = put(&store, saving(vec![host(2)])).await.unwrap();
    assert_eq!(entries[0].seq, 2, "numbers go on");
}

/// The files as they lie on the disk while the daemon runs are what a power failure leaves behind.
#[tokio::test]
async fn what_was_acknowledged_is_in_the_files_of_a_store_that_is_still_open() {
    let (live, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Sqlite::open(live.path().join("bootwright.db")).unwrap();
    for n in 0..50 {
        put(&store, saving(vec![host(n)])).await.unwrap();
    }
    for side in ["bootwright.db", "bootwright.db-wal"] {
        std::fs::copy(live.path().join(side), copy.path().join(side)).unwrap();
    }
    let found = Sqlite::open(copy.path().join("bootwright.db")).unwrap();
    assert_eq!(found.hosts().unwrap().len(), 50);
    assert_eq!(found.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_closed_file_can_be_opened_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    for n in 0..3 {
        let store = Sqlite::open(&file).unwrap();
        put(&store, saving(vec![host(n)])).await.unwrap();
        assert_eq!(store.journal(JournalFilter::default()).await.unwrap().len(), usize::from(n) + 1);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_time_of_day_and_floats_say_survives_to_the_last_digit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    let mut one = host(1);
    one.since = Timestamp::from_nanosecond(1_700_000_000_123_456_789).unwrap();
    let odd = serde_json::json!({"load": 0.1 + 0.2, "tiny": 5e-324, "big": 9007199254740993_u64, "odd": 1.7976931348623157e308});
    one.params.change(|params| drop(params.insert("odd".parse().unwrap(), Param::Plain(odd))));
    let store = Sqlite::open(&file).unwrap();
    put(&store, saving(vec![one.clone()])).await.unwrap();
    drop(store);
    one.version = 1;
    assert_eq!(*Sqlite::open(&file).unwrap().host(one.id).unwrap().unwrap(), one);
}
