//! What our own disk gives back: rows of the database and the journal, and the manifest of the live image. It may be damaged, or of another
//! release.
//!
//! ```text
//!   which  JSON
//! ```
//! Promised: a record that can be read is written as itself; a patch from one to another leads from one to the other; a manifest that does
//! not fit its files opens no image.

use std::{fmt::Debug, fs, path::PathBuf, sync::LazyLock};

use bootwright::{
    model::{Build, Entry, Host, Lease, Network, Profile, Rule, WipePlan},
    store::{
        fold,
        shelf::live::{LiveImage, MANIFEST},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::feed::Feed;

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let which = feed.byte();
    match which % 10 {
        0 => drop(same::<Host>(feed.rest())),
        1 => journal(feed.rest()),
        2 => drop(same::<Lease>(feed.rest())),
        3 => drop(same::<Build>(feed.rest())),
        4 => drop(same::<Network>(feed.rest())),
        5 => drop(same::<Profile>(feed.rest())),
        6 => drop(same::<Rule>(feed.rest())),
        7 => drop(same::<WipePlan>(feed.rest())),
        8 => patched(&mut feed),
        _ => manifest(feed.rest()),
    }
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(json: &[u8]) -> Option<T> {
    let record: T = serde_json::from_slice(json).ok()?;
    let value = serde_json::to_value(&record).expect("it can be written");
    let again: T = serde_json::from_value(value.clone()).expect("what was written can be read");
    assert_eq!(again, record);
    assert_eq!(serde_json::to_value(&again).ok(), Some(value));
    Some(record)
}

/// Entries one after the other, folded.
fn journal(json: &[u8]) {
    let Some(entries) = same::<Vec<Entry>>(json) else { return };
    // The daemon never writes them, and a row of them in a row fills any memory.
    let copies = entries.iter().flat_map(|entry| entry.patch.iter().flat_map(|patch| patch.iter()));
    if copies.into_iter().any(|operation| matches!(operation, json_patch::PatchOperation::Copy(_) | json_patch::PatchOperation::Move(_))) {
        return;
    }
    let first = fold(&entries);
    assert_eq!(first.as_ref().ok(), fold(&entries).as_ref().ok());
}

/// From one record to another as the journal would write it.
fn patched(feed: &mut Feed<'_>) {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    let (Some(before), Some(after)) = (read(feed.line()), read(feed.line())) else { return };
    let mut row = before.clone();
    let patch = json_patch::diff(&before, &after);
    let kept: json_patch::Patch = serde_json::from_value(serde_json::to_value(&patch).expect("it can be written")).expect("it can be read");
    json_patch::patch(&mut row, &kept).expect("it fits");
    assert_eq!(row, after);
}

/// A folder with a kernel and an initramfs of a few bytes, one for each process.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("bootwright-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("vmlinuz"), "kernel").expect("a kernel");
    fs::write(folder.join("initrd"), "initramfs").expect("an initramfs");
    folder
});

fn manifest(json: &[u8]) {
    fs::write(FOLDER.join(MANIFEST), json).expect("a manifest");
    match LiveImage::open(&FOLDER) {
        Ok(image) => {
            assert!((image.kernel.size_bytes, image.initrd.size_bytes) == (6, 9) && image.version.parse::<bootwright::model::Name>().is_ok())
        }
        Err(fault) => assert!(fault.word().starts_with("live_") && !fault.to_string().is_empty()),
    }
}
