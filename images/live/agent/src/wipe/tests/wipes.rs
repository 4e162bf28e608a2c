//! What becomes of disks that are erased, or that do not let themselves be erased.
//!
//! Verification is judged by the bytes and by what the result says of them.

use std::{sync::atomic::Ordering, time::Duration};

use super::{SIZE, carry_out, carry_out_watched, is_zero, plan, two_disks};
use crate::{
    contract::EraseMethod::{self, *},
    disks::shelf::{Faults, Shelf, says},
    wipe::Watch,
};

#[track_caller]
fn check_wiped(method: EraseMethod) {
    let shelf = two_disks();
    let decoy = shelf.bytes("vdb");
    let plan = plan(&shelf, &["vda"], &[method]);
    let watch = Watch::new();
    let (outcome, shelf) = carry_out_watched(shelf, &plan, &watch);
    let result = &outcome.results[0];
    assert_eq!((outcome.error.as_deref(), result.error.as_deref(), result.ok), (None, None, true));
    assert_eq!((result.method, result.name.as_str(), result.attempts.len()), (Some(method), "vda", 1));
    assert_eq!(result.verification.signatures, Vec::<String>::new());
    assert_eq!(shelf.bytes("vdb"), decoy, "a disk that is not planned");
    let progress = watch.progress();
    assert_eq!((progress.percent, progress.disks[0].step.as_str(), progress.eta_secs), (100, "done", Some(0)));
    assert!(outcome.tools.contains(&"wipefs from util-linux 2.38.1".to_owned()), "{:?}", outcome.tools);
    if method == MetadataOnly {
        assert_eq!((result.verification.marker_gone, result.verification.samples_read), (None, 2));
        assert!(is_zero(&shelf.bytes("vda")[..2 << 20]) && !is_zero(&shelf.bytes("vda")), "metadata only");
    } else {
        assert_eq!((result.verification.marker_gone, result.verification.samples_read, result.verification.samples_dirty), (Some(true), 102, 0));
        assert!(is_zero(&shelf.bytes("vda")));
    }
}

#[test]
fn a_disk_is_wiped_and_its_neighbour_is_not() {
    check_wiped(Overwrite);
    check_wiped(WriteZeroes);
    check_wiped(MetadataOnly);
}

#[test]
fn signatures_go_partition_by_partition_from_the_last() {
    let shelf = two_disks();
    let plan = plan(&shelf, &["vda"], &[MetadataOnly]);
    let (_, shelf) = carry_out(shelf, &plan);
    let asked = shelf.asked.lock().unwrap().clone();
    let orders: Vec<&str> = asked.iter().filter_map(|line| line.strip_prefix("wipefs --all --force ")).collect();
    assert_eq!(orders, ["/dev/vda2", "/dev/vda1", "/dev/vda"]);
    assert!(shelf.was_asked("sgdisk -Z /dev/vda"));
    assert_eq!(shelf.disks.lock().unwrap()["vda"].parts, []);
}

#[test]
fn a_write_error_falls_to_the_next_method_and_then_fails() {
    let shelf = two_disks();
    shelf.faulty("vda", Faults { write_fails_at: Some(10 << 20), ..Faults::default() });
    let plan = plan(&shelf, &["vda", "vdb"], &[WriteZeroes, Overwrite]);
    let (outcome, shelf) = carry_out(shelf, &plan);
    let [bad, good] = outcome.results.as_slice() else { panic!("two results") };
    assert!(!bad.ok && good.ok, "one bad disk does not stop the others");
    assert_eq!(bad.attempts.iter().map(|attempt| (attempt.method, attempt.ok)).collect::<Vec<_>>(), [(WriteZeroes, false), (Overwrite, false)]);
    let error = bad.error.clone().unwrap();
    assert!(error.contains("write_zeroes: at byte") && error.contains("overwrite: at byte") && error.contains("input/output error"), "{error}");
    assert!(is_zero(&shelf.bytes("vdb")));
    assert_eq!(outcome.error, None, "it had begun");
}

#[test]
fn a_drive_that_only_says_that_it_wrote_zeroes_is_found_out() {
    let shelf = two_disks();
    shelf.faulty("vda", Faults { lies_from: Some(0), ..Faults::default() });
    let alone = plan(&shelf, &["vda"], &[WriteZeroes]);
    let (outcome, _) = carry_out(shelf, &alone);
    let result = &outcome.results[0];
    assert!(!result.ok);
    assert_eq!(result.verification.marker_gone, Some(false));
    assert!(result.error.as_ref().unwrap().contains("marker"), "{:?}", result.error);

    let shelf = two_disks();
    shelf.faulty("vda", Faults { lies_from: Some(0), ..Faults::default() });
    let (outcome, shelf) = carry_out(shelf, &plan(&two_disks(), &["vda"], &[WriteZeroes, Overwrite]));
    assert_eq!((outcome.results[0].ok, outcome.results[0].method), (true, Some(Overwrite)), "the next method does it");
    assert!(is_zero(&shelf.bytes("vda")));
}

#[test]
fn blocks_that_a_drive_forgot_are_seen_by_the_samples() {
    let shelf = Shelf::default();
    shelf.virtio("vda", 4, "first", SIZE);
    // The marker lies before, so that only samples see it.
    shelf.faulty("vda", Faults { lies_from: Some(7 << 20), ..Faults::default() });
    let plan = plan(&shelf, &["vda"], &[WriteZeroes]);
    let (outcome, _) = carry_out(shelf, &plan);
    let result = &outcome.results[0];
    assert_eq!((result.ok, result.verification.marker_gone), (false, Some(true)));
    assert!(
        result.verification.samples_dirty > 10 && result.error.as_ref().unwrap().contains("blocks that were looked at are not zero"),
        "{result:?}"
    );
}

#[test]
fn a_disk_that_goes_away_fails_alone() {
    let shelf = two_disks();
    shelf.faulty("vda", Faults { gone_after: Some(2), ..Faults::default() });
    let plan = plan(&shelf, &["vda", "vdb"], &[Overwrite]);
    let (outcome, _) = carry_out(shelf, &plan);
    assert_eq!(outcome.results.iter().map(|result| result.ok).collect::<Vec<_>>(), [false, true]);
    assert!(outcome.results[0].error.as_ref().unwrap().contains("no such device"));
}

#[test]
fn another_disk_under_the_same_name_is_not_written_to() {
    let shelf = two_disks();
    let before = shelf.bytes("vda");
    shelf.faulty("vda", Faults { replaced: true, ..Faults::default() });
    let plan = plan(&shelf, &["vda"], &[WriteZeroes, Overwrite]);
    let (outcome, shelf) = carry_out(shelf, &plan);
    assert!(!outcome.results[0].ok);
    assert!(outcome.results[0].error.as_ref().unwrap().contains("vda is gone"), "{:?}", outcome.results[0].error);
    assert_eq!(shelf.bytes("vda"), before);
}

#[test]
fn a_disk_that_was_swapped_after_the_look_is_not_written_to() {
    let mut shelf = two_disks();
    let before = shelf.bytes("vda");
    // The look for what spans is after the match and before the first opening.
    shelf.tool("wipefs --no-act --json /dev/vdb", |shelf, _| {
        let path = shelf.disks.lock().unwrap()["vda"].path.clone();
        shelf.file(&format!("{path}/serial"), "another");
        says(r#"{"signatures":[]}"#)
    });
    let plan = plan(&shelf, &["vda"], &[WriteZeroes, Overwrite]);
    let (outcome, shelf) = carry_out(shelf, &plan);
    assert!(outcome.results[0].error.as_ref().unwrap().contains("vda is now another disk (serial:another)"), "{:?}", outcome.results[0].error);
    assert!(shelf.bytes("vda") == before);
}

#[test]
fn a_signature_that_the_last_scan_finds_is_no_success() {
    let mut shelf = two_disks();
    shelf.tool("wipefs --no-act --json /dev/vda", |_, ask| match ask.words.len() {
        3 => says(r#"{"signatures":[{"device":"vda","offset":"0x0","type":"ext4","uuid":"","label":null}]}"#),
        _ => says(r#"{"signatures":[]}"#),
    });
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    let (outcome, _) = carry_out(shelf, &plan);
    let result = &outcome.results[0];
    assert_eq!((result.ok, result.verification.signatures.join(" ").as_str()), (false, "ext4"));
    assert!(result.error.as_ref().unwrap().contains("there are still signatures on it: ext4"), "{:?}", result.error);
}

#[test]
fn an_abort_in_the_middle_stops_at_the_next_block() {
    let mut shelf = two_disks();
    let watch = std::sync::Arc::new(Watch::new());
    let stopper = watch.clone();
    // The marker is the first write, blocks of the erase follow.
    shelf.written = Some(Box::new(move |writes| {
        if writes == 2 {
            stopper.stop();
        }
    }));
    let plan = plan(&shelf, &["vda"], &[Overwrite, WriteZeroes]);
    let (outcome, shelf) = carry_out_watched(shelf, &plan, &watch);
    assert!(watch.stop_flag().load(Ordering::SeqCst));
    let result = &outcome.results[0];
    assert_eq!((result.ok, result.attempts.len()), (false, 1), "no other method after an abort");
    assert!(result.error.as_ref().unwrap().contains("stopped from outside"));
    assert_eq!(shelf.disks.lock().unwrap()["vda"].writes, 2, "nothing more is touched");
}

#[test]
fn an_abort_before_the_first_write_touches_nothing() {
    let shelf = two_disks();
    let before = shelf.bytes("vda");
    let watch = Watch::new();
    watch.stop();
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    let (outcome, shelf) = carry_out_watched(shelf, &plan, &watch);
    assert!(outcome.error.unwrap().contains("stopped from outside"));
    assert_eq!(shelf.bytes("vda"), before);
}

#[test]
fn a_passed_deadline_ends_the_disk() {
    let mut shelf = two_disks();
    shelf.per_write = Duration::from_secs(40);
    let mut plan = plan(&shelf, &["vda"], &[Overwrite, WriteZeroes]);
    plan.disks[0].hard_secs = 90;
    let (outcome, shelf) = carry_out(shelf, &plan);
    let result = &outcome.results[0];
    assert_eq!((result.ok, result.attempts.len()), (false, 1));
    assert!(result.error.as_ref().unwrap().contains("longer than the plan allows"), "{:?}", result.error);
    assert!(shelf.disks.lock().unwrap()["vda"].writes <= 4);
}

#[test]
fn a_partition_whose_signature_stays_is_no_success() {
    let mut shelf = two_disks();
    shelf.tool("wipefs --all --force /dev/vda2", |_, _| says(""));
    let plan = plan(&shelf, &["vda"], &[MetadataOnly]);
    let (outcome, _) = carry_out(shelf, &plan);
    assert!(outcome.results[0].error.as_ref().unwrap().contains("vda2 still has a signature of ext4"), "{:?}", outcome.results[0].error);
}

#[test]
fn a_tiny_disk_is_wiped_too() {
    let shelf = Shelf::default();
    shelf.virtio("vda", 4, "tiny", 512 << 10);
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    let (outcome, shelf) = carry_out(shelf, &plan);
    assert_eq!((outcome.results[0].ok, outcome.results[0].error.clone()), (true, None));
    assert!(is_zero(&shelf.bytes("vda")));
}
