//! What a running store does when its files are spoiled, taken away or locked under it: it says what, keeps nothing it cannot keep, and goes on
//! by itself where that is possible.
//!
//! Real files, spoiled as an operator or a disk would; what a slow or refusing disk does is tried on the whole daemon (tests/checks/faults-slow).

use std::{fs, path::PathBuf};

use rusqlite::Connection;

use super::*;
use crate::store::{JournalFilter, Sqlite};

async fn opened(hosts: u16) -> (tempfile::TempDir, PathBuf, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    let store = Sqlite::open(&file).unwrap();
    put(&store, saving((0..hosts).map(host).collect())).await.unwrap();
    (folder, file, store)
}

#[track_caller]
fn check<T: std::fmt::Debug>(result: Result<T, StoreFault>, word: &str) {
    assert_eq!(result.unwrap_err().word(), word);
}

#[tokio::test]
async fn a_database_that_is_taken_away_takes_no_more_writes_until_it_is_back() {
    let (folder, file, store) = opened(3).await;
    fs::rename(&file, folder.path().join("elsewhere")).unwrap();
    check(put(&store, saving(vec![host(9)])).await, "store_gone");
    check(store.probe().await, "store_gone");
    check(store.journal(JournalFilter::default()).await, "store_gone");
    assert_eq!(store.trouble().unwrap().word(), "store_gone");
    fs::rename(folder.path().join("elsewhere"), &file).unwrap();
    store.probe().await.unwrap();
    assert_eq!(store.trouble(), None);
    put(&store, saving(vec![host(9)])).await.unwrap();
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn another_file_in_the_databases_place_is_not_written() {
    let (_folder, file, store) = opened(3).await;
    fs::remove_file(&file).unwrap();
    fs::write(&file, b"").unwrap();
    check(put(&store, saving(vec![host(9)])).await, "store_gone");
    assert_eq!(fs::metadata(&file).unwrap().len(), 0);
}

#[tokio::test]
async fn a_log_that_is_deleted_costs_nothing_that_was_acknowledged() {
    let (_folder, file, store) = opened(40).await;
    fs::remove_file(file.with_file_name("bootwright.db-wal")).unwrap();
    check(put(&store, saving(vec![host(90)])).await, "store_gone");
    store.close().await.unwrap();
    let again = Sqlite::open(&file).unwrap();
    assert_eq!(again.hosts().unwrap().len(), 40);
    assert_eq!(again.verify().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_another_program_is_named_and_its_end_is_noticed() {
    let (_folder, file, store) = opened(3).await;
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = Arc::new(store);
    check(put(&*store, saving(vec![host(9)])).await, "store_busy");
    assert_eq!(store.hosts().unwrap().len(), 3, "reading goes on");
    assert!(store.trouble().unwrap().to_string().contains("locked by another program"));
    other.execute_batch("ROLLBACK").unwrap();
    store.probe().await.unwrap();
    assert_eq!(store.trouble(), None);
    assert_eq!(store.trouble_since().map(|fault| fault.word()), Some("store_busy"), "it is over, and not untold");
    assert_eq!(store.trouble_since(), None, "told once");
    put(&*store, saving(vec![host(9)])).await.unwrap();
}

/// The page of a journal that nobody reads at the start.
#[tokio::test]
async fn damage_deep_in_a_large_file_is_found_behind_the_start_and_ends_every_answer() {
    let (_folder, file, store) = opened(1).await;
    for batch in 0..60_u16 {
        let facts = (0..300).map(|n| fact(None, What::Warning { word: format!("w{batch}-{n}").repeat(20) })).collect();
        put(&store, Writes { facts, ..Writes::default() }).await.unwrap();
    }
    store.close().await.unwrap();
    let mut bytes = fs::read(&file).unwrap();
    assert!(bytes.len() > 5 << 20, "{} is small", bytes.len());
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    fs::write(&file, bytes).unwrap();

    let store = Sqlite::open(&file).expect("a start does not read all of it");
    assert_eq!(store.hosts().unwrap().len(), 1);
    check(store.examine().await, "store_corrupt");
    check(store.hosts(), "store_corrupt");
    check(store.settings(), "store_corrupt");
    check(put(&store, saving(vec![host(9)])).await, "store_corrupt");
    let said = store.trouble().unwrap().to_string();
    assert!(said.contains("bootwright restore") && said.contains("is damaged"), "{said}");
}

#[tokio::test]
async fn a_sound_file_is_searched_to_its_end() {
    let (_folder, _file, store) = opened(500).await;
    store.examine().await.unwrap();
    assert_eq!((store.trouble(), store.hosts().unwrap().len()), (None, 500));
}

#[tokio::test]
async fn a_row_changed_by_hand_and_a_reference_without_its_row_are_found_by_verify() {
    let (_folder, file, store) = opened(2).await;
    store.close().await.unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute("UPDATE hosts SET json = json_set(json, '$.serial', 'X') WHERE rowid = 1", []).unwrap();
    drop(other);
    let found = Sqlite::verify_stopped(&file).unwrap();
    assert!(found.len() == 1 && found[0].text.contains("/serial"), "{found:?}");
    let other = Connection::open(&file).unwrap();
    other.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM hosts WHERE rowid = 1").unwrap();
    drop(other);
    let found = Sqlite::verify_stopped(&file).unwrap();
    assert!(found.iter().any(|one| one.text.contains("refers to a row of hosts")), "{found:?}");
}
