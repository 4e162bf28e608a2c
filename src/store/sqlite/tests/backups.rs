//! A backup is one moment of a store that goes on being written, its seal tells every change of a byte, and nobody runs on it by mistake.
//!
//! Writers go on while copies are made. What a restore means for hosts is a story, and tried with one (tests/it/backup.rs).

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;
use crate::store::{
    JournalFilter, Sqlite,
    sqlite::{restore, seal_file, unseal},
};

/// A store with hosts and a sealed backup of it.
async fn sealed(folder: &Path, hosts: u16) -> (Sqlite, PathBuf) {
    let store = Sqlite::open(folder.join("bootwright.db")).unwrap();
    put(&store, saving((0..hosts).map(host).collect())).await.unwrap();
    let to = folder.join("one.backup");
    store.backup(&to).await.unwrap();
    seal_file(&to, at(7)).unwrap();
    (store, to)
}

#[track_caller]
fn check_unsound(file: &Path, words: &str) {
    let fault = unseal(file).unwrap_err();
    assert_eq!(fault.word(), "backup_unsound");
    assert!(fault.to_string().contains(words), "{fault}");
}

#[tokio::test]
async fn a_backup_is_whole_and_private_and_says_when_it_was_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (_store, file) = sealed(folder.path(), 20).await;
    let seal = unseal(&file).unwrap();
    assert_eq!(seal.made, at(7));
    assert_eq!(seal.verify(&file).unwrap(), []);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn every_way_of_spoiling_a_backup_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, file) = sealed(folder.path(), 5).await;
    let whole = std::fs::read(&file).unwrap();
    let spoil = |bytes: Vec<u8>| std::fs::write(&file, bytes).unwrap();
    spoil(whole[..whole.len() - 1].to_vec());
    check_unsound(&file, "cut off");
    spoil(whole[..whole.len() / 2].to_vec());
    check_unsound(&file, "cut off");
    for at in [0, 100, 5_000, whole.len() / 2, whole.len() - 60] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        spoil(bytes);
        assert!(unseal(&file).is_err(), "byte {at}");
    }
    spoil([&whole[..4096], &whole[8192..]].concat());
    check_unsound(&file, "cut off");
    spoil(b"something else".to_vec());
    check_unsound(&file, "something else");
    std::fs::remove_file(&file).unwrap();
    check_unsound(&file, "no such file");
}

#[tokio::test]
async fn a_backup_in_the_databases_place_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = sealed(folder.path(), 3).await;
    store.close().await.unwrap();
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(&file, other.path().join("bootwright.db")).unwrap();
    let fault = Sqlite::open(other.path().join("bootwright.db")).err().unwrap();
    assert_eq!(fault.word(), "store_is_backup");
    assert!(fault.to_string().contains("bootwright restore"), "{fault}");
}

#[tokio::test]
async fn a_restore_keeps_what_was_there_and_an_unfinished_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = sealed(folder.path(), 3).await;
    put(&store, saving(vec![host(50)])).await.unwrap();
    let database = folder.path().join("bootwright.db");
    assert_eq!(restore(&file, &database).err().unwrap().word(), "store_locked", "while a daemon has it");
    store.close().await.unwrap();

    let (waiting, copy) = restore(&file, &database).unwrap();
    assert_eq!(copy.hosts().unwrap().len(), 3);
    copy.close().await.unwrap();
    drop(waiting);
    assert_eq!(Sqlite::open(&database).err().unwrap().word(), "store_half_restored");

    let (waiting, copy) = restore(&file, &database).unwrap();
    copy.close().await.unwrap();
    let log = folder.path().join("bootwright.db.restoring-wal");
    std::fs::write(&log, "what could not be written back").unwrap();
    let refused = waiting.finish(at(9)).unwrap_err();
    assert!(refused.to_string().contains("restore again"), "{refused}");

    let (waiting, copy) = restore(&file, &database).unwrap();
    copy.close().await.unwrap();
    let kept = waiting.finish(at(9)).unwrap().unwrap();
    assert_eq!(Sqlite::open(&database).unwrap().hosts().unwrap().len(), 3);
    assert_eq!(Sqlite::open(&kept).unwrap().hosts().unwrap().len(), 4, "{}", kept.display());
}

#[tokio::test]
async fn a_database_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = sealed(folder.path(), 3).await;
    store.close().await.unwrap();
    let database = folder.path().join("bootwright.db");
    check_unsound(&database, "something else");
    std::fs::copy(&database, &file).unwrap();
    seal_file(&file, at(1)).unwrap();
    let fault = restore(&file, &database).err().unwrap();
    assert!(fault.to_string().contains("no backup"), "{fault}");
}

/// Writers go on while the copy is made, and each copy is one moment: as many hosts as journal entries, numbered without a gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_one_moment_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(folder.path().join("bootwright.db")).unwrap());
    put(&*store, saving((0..2_000).map(host).collect())).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut n = 2_000;
            while !stop.load(Ordering::Relaxed) {
                put(&*store, saving(vec![host(n)])).await.unwrap();
                n += 1;
            }
            n
        }
    });
    // A copy of few pages may be made between two writes; writes that fall into one do come.
    let (mut last, mut beside) = (0, 0);
    for n in 0..50 {
        let (to, before) = (folder.path().join(format!("{n}.backup")), store.counts().writes);
        store.backup(&to).await.unwrap();
        beside += store.counts().writes - before;
        seal_file(&to, at(n)).unwrap();
        assert_eq!(unseal(&to).unwrap().verify(&to).unwrap(), []);
        let other = tempfile::tempdir().unwrap();
        let (_waiting, copy) = restore(&to, &other.path().join("bootwright.db")).unwrap();
        let hosts = copy.hosts().unwrap().len();
        let filter = JournalFilter { newest_first: true, limit: 1, ..JournalFilter::default() };
        assert_eq!(copy.journal(filter).await.unwrap()[0].seq, hosts as u64);
        assert!(hosts > last, "time passes between two backups");
        last = hosts;
        if n >= 4 && beside > 0 {
            break;
        }
    }
    assert!(beside > 0, "the writer was held up");
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 2_000);
}
