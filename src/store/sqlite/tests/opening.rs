//! Every way in which a database cannot be opened has its own fault, and each message says what to do.
//!
//! Real files in a folder of their own: locked, missing, damaged, foreign, newer, altered, not to be written.

use std::{os::unix::fs::PermissionsExt, path::Path};

use rusqlite::Connection;

use super::*;
use crate::{model::token::sha256_hex, store::Sqlite};

fn refused(file: &Path) -> StoreFault {
    Sqlite::open(file).err().expect("it must not open")
}

#[track_caller]
fn check_message(fault: &StoreFault, word: &str, advice: &str) {
    assert_eq!(fault.word(), word, "{fault}");
    assert!(fault.to_string().contains(advice), "{fault}");
}

async fn with_hosts(file: &Path, hosts: u16) {
    let store = Sqlite::open(file).unwrap();
    put(&store, saving((0..hosts).map(host).collect())).await.unwrap();
    store.close().await.unwrap();
}

#[test]
fn a_second_daemon_is_refused_and_told_who_was_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    let first = Sqlite::open(&file).unwrap();
    check_message(&refused(&file), "store_locked", &format!("process {}", std::process::id()));
    drop(first);
    assert!(Sqlite::open(&file).is_ok());
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    check_message(&refused(&folder.path().join("gone/bootwright.db")), "store_missing", "gone does not exist; create it");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    std::fs::write(&file, vec![0x5a; 8192]).unwrap();
    check_message(&refused(&file), "store_corrupt", ".recover");
}

#[tokio::test]
async fn a_page_overwritten_in_the_middle_is_noticed_at_the_door() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    with_hosts(&file, 200).await;
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    check_message(&refused(&file), "store_corrupt", file.to_str().unwrap());
}

#[tokio::test]
async fn a_row_that_does_not_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    with_hosts(&file, 1).await;
    Connection::open(&file).unwrap().execute("UPDATE hosts SET json = '{\"name\": 7}'", []).unwrap();
    check_message(&refused(&file), "store_unreadable", "{\"name\": 7} does not read");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    with_hosts(&file, 1).await;
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    check_message(&refused(&file), "store_newer", "schema 99, this one knows 3");
}

#[tokio::test]
async fn a_file_of_the_first_schema_keeps_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    let conn = Connection::open(&file).unwrap();
    let first = include_str!("../schema/0001.sql");
    conn.execute_batch("CREATE TABLE migrations (version INTEGER PRIMARY KEY, sha256 TEXT NOT NULL) STRICT").unwrap();
    conn.execute_batch(first).unwrap();
    conn.execute("INSERT INTO migrations VALUES (1, ?1)", [sha256_hex(first.as_bytes())]).unwrap();
    conn.execute("INSERT INTO settings VALUES ('profile', 'p', '{\"name\": \"p\", \"args\": \"quiet\"}')", []).unwrap();
    conn.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(conn);
    let store = Sqlite::open(&file).unwrap();
    assert_eq!(store.settings().unwrap().profiles["p"].args.as_deref(), Some("quiet"));
}

#[tokio::test]
async fn a_schema_made_by_other_statements_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    with_hosts(&file, 1).await;
    Connection::open(&file).unwrap().execute("UPDATE migrations SET sha256 = 'other'", []).unwrap();
    check_message(&refused(&file), "store_altered", "schema 1");
}

#[test]
fn another_programs_database_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE mail (text)").unwrap();
    check_message(&refused(&file), "store_not_ours", "another program");
    let tables: i64 = Connection::open(&file).unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

/// Root may write anywhere, so the try runs on a thread of its own that touches files as nobody.
fn as_nobody(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if nix::unistd::geteuid().is_root() {
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65_534));
        }
        work();
    });
    thread.join().unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_else_goes_wrong() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o555)).unwrap();
    let file = folder.path().join("bootwright.db");
    as_nobody(move || check_message(&refused(&file), "store_read_only", "right to write"));
}

#[test]
fn only_the_owner_can_read_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    let _open = Sqlite::open(&file).unwrap();
    for side in ["bootwright.db", "bootwright.db-wal", "bootwright.db-shm", "bootwright.db.lock"] {
        let mode = std::fs::metadata(folder.path().join(side)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{side}");
    }
}
