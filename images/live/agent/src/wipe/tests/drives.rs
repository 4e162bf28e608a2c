//! Drives that erase themselves: the orders they get, what they answer, and what is done when they do not.
//!
//! The drives here are scripts of answers; what they erase are bytes on the shelf.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::{SIZE, carry_out, carry_out_watched, plan};
use crate::{
    contract::{DiskResult, EraseMethod::*},
    disks::shelf::{Shelf, fails, says},
    wipe::Watch,
};

fn log(status: u32) -> String {
    format!(r#"{{"nvme1":{{"sprog":32768,"sstat":{{"global_erased":0,"status":"({status}) as it is"}}}}}}"#)
}

/// A controller with one namespace whose sanitize ends with `status` after some looks, and erases if `erases`.
fn sanitising(status: u32, erases: bool) -> Shelf {
    let mut shelf = Shelf::default();
    shelf.nvme(1, 1, "0025385b01412345", SIZE);
    let looks = AtomicU32::new(u32::MAX);
    let looks = Arc::new(looks);
    let seen = looks.clone();
    shelf.tool("nvme sanitize-log", move |_, _| {
        let left = seen.load(Ordering::SeqCst);
        match left {
            u32::MAX => says(&log(0)),
            0 => says(&log(status)),
            // Now and then the controller does not answer while it works.
            2 => fails(1, "NVMe status: Command Aborted"),
            _ => says(&log(2)),
        }
        .also(|| seen.store(if left == u32::MAX { left } else { left.saturating_sub(1) }, Ordering::SeqCst))
    });
    shelf.tool("nvme sanitize /dev/nvme1", move |shelf, _| {
        looks.store(4, Ordering::SeqCst);
        if erases {
            shelf.erase("nvme1n1", 0x5a);
        }
        says("")
    });
    shelf.tool("nvme version", |_, _| says("nvme version 2.4 (git 2.4)\nlibnvme version 1.4\n"));
    shelf
}

trait Also: Sized {
    fn also(self, act: impl FnOnce()) -> Self {
        act();
        self
    }
}

impl<T> Also for T {}

fn only(shelf: Shelf, methods: &[crate::contract::EraseMethod]) -> (DiskResult, Arc<Shelf>) {
    let name = shelf.disks.lock().unwrap().keys().next().unwrap().clone();
    let plan = plan(&shelf, &[&name], methods);
    let (mut outcome, shelf) = carry_out(shelf, &plan);
    assert_eq!(outcome.error, None);
    (outcome.results.remove(0), shelf)
}

#[test]
fn a_sanitize_is_followed_to_its_end() {
    let shelf = sanitising(1, true);
    let plan = plan(&shelf, &["nvme1n1"], &[NvmeSanitizeCrypto]);
    let (outcome, _) = carry_out(shelf, &plan);
    let result = &outcome.results[0];
    assert_eq!((result.ok, result.error.clone()), (true, None));
    assert_eq!(result.verification.drive, "(1) as it is");
    assert_eq!(result.attempts[0].command, "nvme sanitize /dev/nvme1 --sanact=4");
    assert_eq!(result.attempts[0].exit_code, Some(0));
    assert!(outcome.tools.contains(&"nvme version 2.4 (git 2.4)".to_owned()), "{:?}", outcome.tools);
}

#[test]
fn a_sanitize_that_fails_or_erases_nothing_is_no_success() {
    let (result, _) = only(sanitising(3, false), &[NvmeSanitizeBlock]);
    assert!(result.error.unwrap().contains("the drive says: (3) as it is"));
    let (result, _) = only(sanitising(1, false), &[NvmeSanitizeBlock]);
    assert!(result.error.unwrap().contains("marker"), "completed, and everything is still there");
    assert_eq!(result.verification.marker_gone, Some(false));
}

#[test]
fn a_sanitize_of_an_earlier_run_is_waited_for() {
    let mut shelf = sanitising(1, true);
    let looks = Arc::new(AtomicU32::new(0));
    let seen = looks.clone();
    shelf.tool("nvme sanitize-log", move |_, _| says(&log(if seen.fetch_add(1, Ordering::SeqCst) < 3 { 2 } else { 1 })));
    let (result, shelf) = only(shelf, &[NvmeSanitizeBlock]);
    assert!(result.ok, "{result:?}");
    let asked = shelf.asked.lock().unwrap().clone();
    let order = asked.iter().position(|line| line.starts_with("nvme sanitize /dev")).unwrap();
    assert!(asked[..order].iter().filter(|line| line.starts_with("nvme sanitize-log")).count() >= 4);
}

#[test]
fn an_abort_of_a_sanitize_says_that_the_drive_goes_on() {
    let mut shelf = sanitising(1, true);
    let watch = Arc::new(Watch::new());
    let stopper = watch.clone();
    shelf.tool("nvme sanitize /dev/nvme1", move |_, _| says("").also(|| stopper.stop()));
    let plan = plan(&shelf, &["nvme1n1"], &[NvmeSanitizeBlock, Overwrite]);
    let (outcome, _) = carry_out_watched(shelf, &plan, &watch);
    let result = &outcome.results[0];
    assert_eq!((result.ok, result.attempts.len()), (false, 1));
    assert!(result.attempts[0].text.contains("cannot be stopped"), "{}", result.attempts[0].text);
}

#[test]
fn a_namespace_that_is_left_alone_forbids_what_would_reach_it() {
    for (fna, wanted) in [(0, true), (1, false), (2, false)] {
        let mut shelf = sanitising(1, true);
        shelf.nvme(1, 2, "0025385b01419999", SIZE);
        shelf.tool("nvme id-ctrl", move |_, _| says(&format!(r#"{{"oacs":2,"oncs":95,"fna":{fna},"sanicap":3}}"#)));
        shelf
            .tool("nvme format /dev/nvme1n1 --ses=1 --force", |shelf, _| says("Success formatting namespace:1\n").also(|| shelf.erase("nvme1n1", 0)));
        let left = shelf.bytes("nvme1n2");
        let (result, shelf) = only(shelf, &[NvmeSanitizeCrypto, NvmeFormatUserData]);
        assert!(result.attempts[0].text.contains("it would also erase nvme1n2"), "{result:?}");
        assert_eq!((result.ok, shelf.was_asked("nvme format")), (wanted, wanted), "fna {fna}");
        assert!(!shelf.was_asked("nvme sanitize /dev/nvme1"));
        assert!(shelf.bytes("nvme1n2") == left);
    }
}

#[test]
fn a_controller_that_says_nothing_may_reach_all_its_namespaces() {
    let mut shelf = sanitising(1, true);
    shelf.nvme(1, 2, "0025385b01419999", SIZE);
    shelf.tool("nvme id-ctrl", |_, _| fails(1, "NVMe status: Internal Error"));
    shelf.tool("nvme format", |shelf, _| says("").also(|| shelf.erase("nvme1n1", 0)));
    let (result, shelf) = only(shelf, &[NvmeFormatUserData]);
    assert!(result.error.unwrap().contains("it would also erase nvme1n2"));
    assert!(!shelf.was_asked("nvme format"));
}

/// What `hdparm -I` says of a disk with these states.
fn identify(enabled: bool, locked: bool, frozen: bool) -> String {
    let line = |is: bool, what: &str| if is { format!("\t\t{what}\n") } else { format!("\tnot\t{what}\n") };
    format!(
        "ATA device\nSecurity: \n\t\tsupported\n{}{}{}\tnot\texpired: security count\n\t\tsupported: enhanced erase\n",
        line(enabled, "enabled"),
        line(locked, "locked"),
        line(frozen, "frozen")
    )
}

/// A SATA disk whose password is set, used and taken off; `erases`: whether its erase works.
fn with_security(erases: bool, enabled: bool, frozen: bool) -> Shelf {
    let mut shelf = Shelf::default();
    shelf.sata("sda", 0, "ST4000NM0035-1V4107", "ZC1A2B3C", SIZE);
    let set = Arc::new(std::sync::atomic::AtomicBool::new(enabled));
    let (is, on, off, done) = (set.clone(), set.clone(), set.clone(), set);
    shelf.tool("hdparm -I /dev/sda", move |_, _| says(&identify(is.load(Ordering::SeqCst), false, frozen)));
    shelf.tool("hdparm --user-master u --security-set-pass bootwright /dev/sda", move |_, _| says("").also(|| on.store(true, Ordering::SeqCst)));
    shelf.tool("hdparm --user-master u --security-disable bootwright /dev/sda", move |_, _| says("").also(|| off.store(false, Ordering::SeqCst)));
    shelf.tool("hdparm --user-master u --security-unlock bootwright /dev/sda", |_, _| says(""));
    shelf.tool("hdparm --user-master u --security-erase-enhanced bootwright /dev/sda", move |shelf, _| {
        if !erases {
            return fails(5, "SG_IO: bad/missing sense data");
        }
        shelf.erase("sda", 0);
        done.store(false, Ordering::SeqCst);
        says("")
    });
    shelf
}

#[test]
fn a_security_erase_sets_its_password_and_leaves_none() {
    let (result, shelf) = only(with_security(true, false, false), &[AtaSecurityEraseEnhanced]);
    assert!(result.ok, "{result:?}");
    assert!(result.attempts[0].command.contains("--security-set-pass bootwright /dev/sda && hdparm --user-master u --security-erase-enhanced"));
    assert!(!shelf.was_asked("hdparm --user-master u --security-disable"));
}

#[test]
fn a_failed_security_erase_takes_the_password_off_and_the_next_method_runs() {
    let (result, shelf) = only(with_security(false, false, false), &[AtaSecurityEraseEnhanced, Overwrite]);
    assert_eq!((result.ok, result.method, result.attempts[0].exit_code), (true, Some(Overwrite), Some(5)));
    assert!(shelf.was_asked("hdparm --user-master u --security-unlock") && shelf.was_asked("hdparm --user-master u --security-disable"));
}

#[test]
fn a_security_erase_that_leaves_its_password_did_not_happen() {
    let mut shelf = with_security(true, false, false);
    shelf.tool("hdparm --user-master u --security-erase-enhanced", |shelf, _| says("").also(|| shelf.erase("sda", 0)));
    let (result, shelf) = only(shelf, &[AtaSecurityEraseEnhanced]);
    assert!(result.error.unwrap().contains("its password is still set"));
    assert!(shelf.was_asked("hdparm --user-master u --security-disable"));
}

#[test]
fn the_password_of_an_interrupted_run_is_taken_off_first() {
    let (result, shelf) = only(with_security(true, true, false), &[AtaSecurityEraseEnhanced]);
    assert!(result.ok, "{result:?}");
    assert!(shelf.was_asked("hdparm --user-master u --security-disable bootwright"));
}

#[test]
fn an_abort_during_a_security_erase_takes_the_password_off_all_the_same() {
    let mut shelf = with_security(true, false, false);
    let watch = Arc::new(Watch::new());
    let stopper = watch.clone();
    shelf.tool("hdparm --user-master u --security-erase-enhanced", move |_, _| fails(5, "interrupted").also(|| stopper.stop()));
    let plan = plan(&shelf, &["sda"], &[AtaSecurityEraseEnhanced, Overwrite]);
    let (outcome, shelf) = carry_out_watched(shelf, &plan, &watch);
    assert!(!outcome.results[0].ok);
    assert!(shelf.was_asked("hdparm --user-master u --security-disable bootwright /dev/sda"));
}

#[test]
fn a_frozen_disk_is_reported_and_its_next_method_runs() {
    let (result, shelf) = only(with_security(true, false, true), &[AtaSecurityEraseEnhanced, Overwrite]);
    assert_eq!((result.ok, result.method), (true, Some(Overwrite)));
    assert!(result.attempts[0].text.contains("frozen by the firmware"));
    assert!(!shelf.was_asked("hdparm --user-master"));
}

#[test]
fn a_disk_without_the_enhanced_erase_is_not_asked_for_it() {
    let mut shelf = with_security(true, false, false);
    shelf.tool("hdparm -I", |_, _| says(&identify(false, false, false).replace("\t\tsupported: enhanced", "\tnot\tsupported: enhanced")));
    let (result, shelf) = only(shelf, &[AtaSecurityEraseEnhanced]);
    assert!(result.error.unwrap().contains("it has no enhanced erase"));
    assert!(!shelf.was_asked("hdparm --user-master"));
}

#[test]
fn an_ata_sanitize_counts_when_the_drive_says_completed() {
    for (end, wanted) in [
        ("    State:    SD0 Sanitize Idle\n    Last Sanitize Operation Completed Without Error\n", true),
        ("    State:    SD0 Sanitize Idle\n", false),
    ] {
        let mut shelf = Shelf::default();
        shelf.sata("sda", 0, "M", "S", SIZE);
        shelf.tool("hdparm --yes-i-know-what-i-am-doing --sanitize-block-erase /dev/sda", |shelf, _| says("").also(|| shelf.erase("sda", 0)));
        let looks = AtomicU32::new(0);
        shelf.tool("hdparm --sanitize-status /dev/sda", move |_, _| {
            if looks.fetch_add(1, Ordering::SeqCst) < 2 {
                says("    State:    SD2 Sanitize operation In Process\n    Progress: 0x8000 (50%)\n")
            } else {
                says(end)
            }
        });
        let (result, _) = only(shelf, &[AtaSanitizeBlock]);
        assert_eq!(result.ok, wanted, "{result:?}");
    }
}

#[test]
fn a_scsi_sanitize_is_watched_until_the_disk_is_ready() {
    for (code, wanted) in [(0, true), (3, false)] {
        let mut shelf = Shelf::default();
        shelf.scsi("sda", 0, "ZC1A2B3C", "5000c500a1b2c3d4", SIZE);
        shelf.tool("sg_sanitize --overwrite --zero --quick --early /dev/sda", |shelf, _| says("").also(|| shelf.erase("sda", 0)));
        let looks = AtomicU32::new(0);
        shelf.tool("sg_turs --progress /dev/sda", move |_, _| match looks.fetch_add(1, Ordering::SeqCst) {
            0 => fails(6, "unit attention"),
            1 | 2 => says("Progress indication: 40.12% done\n"),
            _ if code == 0 => says(""),
            _ => fails(code, "medium or hardware error"),
        });
        let (result, _) = only(shelf, &[ScsiSanitizeOverwrite]);
        assert_eq!(result.ok, wanted, "{result:?}");
    }
}

#[test]
fn a_drive_that_comes_back_smaller_has_failed() {
    let mut shelf = Shelf::default();
    shelf.nvme(1, 1, "0025385b01412345", SIZE);
    shelf.tool("nvme format", |shelf, _| {
        says("").also(|| {
            let mut disks = shelf.disks.lock().unwrap();
            disks.get_mut("nvme1n1").unwrap().bytes = vec![0; SIZE / 2];
        })
    });
    let (result, _) = only(shelf, &[NvmeFormatUserData]);
    assert!(result.error.unwrap().contains("bytes now, and had"));
}

#[test]
fn a_tool_that_is_not_there_leaves_the_next_method() {
    let shelf = Shelf::default();
    shelf.scsi("sda", 0, "ZC1A2B3C", "5000c500a1b2c3d4", SIZE);
    let (result, _) = only(shelf, &[ScsiSanitizeCrypto, Overwrite]);
    assert_eq!((result.ok, result.method), (true, Some(Overwrite)));
    assert!(result.attempts[0].text.contains("there is no program sg_sanitize here"));
}
