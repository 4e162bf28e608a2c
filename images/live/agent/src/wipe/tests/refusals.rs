//! What stops the whole before any disk is touched: each reason once, and the bytes of all disks afterwards as before.
//!
//! Each plan is right but for one thing, so that the reason is that one.

use std::sync::Arc;

use super::{SIZE, carry_out, plan, two_disks};
use crate::{
    contract::{EraseMethod::*, WipePlan},
    disks::shelf::{Faults, Shelf, fails, says},
};

/// The plan is refused for this reason and nothing is touched.
#[track_caller]
fn check(shelf: Shelf, plan: &WipePlan, reason: &str) -> Arc<Shelf> {
    let before: Vec<Vec<u8>> = shelf.disks.lock().unwrap().values().map(|platter| platter.bytes.clone()).collect();
    let (outcome, shelf) = carry_out(shelf, plan);
    let error = outcome.error.expect("the whole is refused");
    assert!(error.contains(reason), "{error}");
    assert!(outcome.results.iter().all(|result| !result.ok && result.attempts.is_empty() && result.error.is_some()));
    let after: Vec<Vec<u8>> = shelf.disks.lock().unwrap().values().map(|platter| platter.bytes.clone()).collect();
    assert!(before == after, "nothing is touched");
    for order in ["pvremove", "mdadm --zero-superblock", "wipefs --all", "sgdisk", "nvme format", "nvme sanitize"] {
        assert!(!shelf.was_asked(order), "{order}");
    }
    shelf
}

/// The same, after the plan was changed.
#[track_caller]
fn check_plan(change: impl FnOnce(&mut WipePlan), reason: &str) {
    let shelf = two_disks();
    let mut plan = plan(&shelf, &["vda"], &[Overwrite]);
    change(&mut plan);
    check(shelf, &plan, reason);
}

#[test]
fn a_disk_that_is_not_the_planned_one_stops_the_whole() {
    check_plan(|plan| plan.disks[0].serial = "other".to_owned(), "its serial number is “first”, planned is “other”");
    check_plan(|plan| plan.disks[0].wwn = "0x5000".to_owned(), "its WWN is");
    check_plan(|plan| plan.disks[0].model = "other".to_owned(), "its model is");
    check_plan(|plan| plan.disks[0].size_bytes += 512, "planned are");
    check_plan(|plan| plan.disks[0].id.0 = "serial:third".to_owned(), "serial:third (vda");
}

#[test]
fn a_plan_that_makes_no_sense_stops_the_whole() {
    check_plan(|plan| plan.version = 2, "plans of version 1, not 2");
    check_plan(|plan| plan.disks[0].methods.clear(), "no method for");
    check_plan(|plan| plan.disks[0].methods.push(MetadataOnly), "not those of the plan's policy");
    check_plan(|plan| plan.disks[0].methods = vec![MetadataOnly], "not those of the plan's policy");
    check_plan(|plan| plan.policy = crate::contract::WipePolicy::Metadata, "not those of the plan's policy");
    check_plan(|plan| plan.disks.push(plan.disks[0].clone()), "twice");
}

#[test]
fn a_disk_that_appeared_since_stops_the_whole() {
    let shelf = two_disks();
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    shelf.virtio("vdc", 6, "third", SIZE);
    check(shelf, &plan, "serial:third (vdc, 12583424 bytes) is there and the plan does not know it");
    check_plan(|plan| plan.left[0].size_bytes += 1, "is not the one which the plan leaves alone");
}

#[test]
fn a_disk_with_the_name_of_the_planned_one_stops_the_whole() {
    let shelf = two_disks();
    shelf.virtio("vdc", 6, "", SIZE);
    let plan = plan(&shelf, &["vdc"], &[Overwrite]);
    shelf.virtio("vdd", 6, "", SIZE);
    check(shelf, &plan, "vdc and vdd are both called path:");
}

#[test]
fn a_stick_that_somebody_plugged_in_does_not_stop_it() {
    let shelf = two_disks();
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    shelf.virtio("vdc", 6, "stick", SIZE);
    let path = shelf.disks.lock().unwrap()["vdc"].path.clone();
    shelf.file(&format!("{path}/removable"), "1");
    let stick = shelf.bytes("vdc");
    let (outcome, shelf) = carry_out(shelf, &plan);
    assert!(outcome.results[0].ok && shelf.bytes("vdc") == stick);
}

#[test]
fn a_missing_disk_stops_the_whole_and_is_named() {
    let shelf = two_disks();
    let plan = plan(&shelf, &["vda", "vdb"], &[Overwrite]);
    let path = shelf.disks.lock().unwrap()["vdb"].path.clone();
    shelf.drop_below("/sys/block/vdb");
    shelf.drop_below(&path);
    let (outcome, _) = carry_out(shelf, &plan);
    assert!(outcome.results[0].error.as_ref().unwrap().starts_with("not begun"));
    assert_eq!(outcome.results[1].error.as_deref(), Some("serial:second (vdb, 12583424 bytes) is not there"));
}

#[test]
fn a_read_only_disk_stops_the_whole() {
    let shelf = two_disks();
    let plan = plan(&shelf, &["vda", "vdb"], &[Overwrite]);
    let path = shelf.disks.lock().unwrap()["vda"].path.clone();
    shelf.file(&format!("{path}/ro"), "1");
    check(shelf, &plan, "it is read-only");
}

#[test]
fn a_disk_that_cannot_be_looked_at_stops_the_whole() {
    let shelf = two_disks();
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    let path = shelf.disks.lock().unwrap()["vdb"].path.clone();
    shelf.drop_below(&format!("{path}/size"));
    check(shelf, &plan, "vdb: its size cannot be read");
}

#[test]
fn an_array_over_a_planned_and_another_disk_stops_the_whole() {
    for kind in ["linux_raid_member", "btrfs", "zfs_member"] {
        let shelf = two_disks();
        for disk in ["vda", "vdb"] {
            shelf.sign(disk, &format!("{disk}1"), kind, "one-array", (1 << 20) + 4096);
        }
        let plan = plan(&shelf, &["vda"], &[Overwrite]);
        check(shelf, &plan, &format!("vda1 and vdb1 belong to the same {kind}"));
    }
}

#[test]
fn members_without_a_uuid_count_as_one_array() {
    for kind in ["isw_raid_member", "nvidia_raid_member"] {
        let shelf = two_disks();
        shelf.sign("vda", "vda", kind, "", 4096);
        let alone = plan(&shelf, &["vda"], &[Overwrite]);
        let (outcome, _) = carry_out(shelf, &alone);
        assert!(outcome.results[0].ok, "a member alone spans nothing: {outcome:?}");
        let shelf = two_disks();
        shelf.sign("vda", "vda", kind, "", 4096);
        shelf.sign("vdb", "vdb", kind, "", 4096);
        let plan = plan(&shelf, &["vda"], &[Overwrite]);
        check(shelf, &plan, &format!("vda and vdb belong to the same {kind}"));
    }
}

#[test]
fn an_array_over_planned_disks_only_is_erased() {
    let shelf = two_disks();
    for disk in ["vda", "vdb"] {
        shelf.sign(disk, &format!("{disk}1"), "linux_raid_member", "one-array", (1 << 20) + 4096);
    }
    let plan = plan(&shelf, &["vda", "vdb"], &[Overwrite]);
    let (outcome, shelf) = carry_out(shelf, &plan);
    assert!(outcome.results.iter().all(|result| result.ok), "{outcome:?}");
    assert!(shelf.was_asked("mdadm --zero-superblock /dev/vda1") && shelf.was_asked("mdadm --zero-superblock /dev/vdb1"));
}

fn with_volumes(pvs: &'static str) -> Shelf {
    let mut shelf = two_disks();
    for disk in ["vda", "vdb"] {
        shelf.sign(disk, &format!("{disk}2"), "LVM2_member", disk, (6 << 20) + 8192);
    }
    shelf.tool("pvs", move |_, _| if pvs.is_empty() { fails(5, "cannot scan") } else { says(pvs) });
    shelf.tool("vgchange", |_, _| says("0 logical volume(s) in volume group now active\n"));
    shelf.tool("pvremove", |_, _| says("Labels wiped\n"));
    shelf
}

#[test]
fn a_volume_group_over_a_planned_and_another_disk_stops_the_whole() {
    let spans = r#"{"report":[{"pv":[{"pv_name":"/dev/vda2","vg_name":"data"},{"pv_name":"/dev/vdb2","vg_name":"data"}]}]}"#;
    let shelf = with_volumes(spans);
    let planned = plan(&shelf, &["vda"], &[Overwrite]);
    check(shelf, &planned, "the volume group data lies on a planned disk and on /dev/vdb2");
    let shelf = with_volumes("");
    check(shelf, &planned, "it cannot be said whether a volume group spans several disks");
}

#[test]
fn only_planned_volumes_are_removed() {
    let shelf = with_volumes(
        r#"{"report":[{"pv":[{"pv_name":"/dev/vda2","vg_name":"ours"},{"pv_name":"/dev/vdb2","vg_name":"theirs"},{"pv_name":"[unknown]","vg_name":"ours"}]}]}"#,
    );
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    let (outcome, shelf) = carry_out(shelf, &plan);
    assert!(outcome.results[0].ok, "{outcome:?}");
    let asked = shelf.asked.lock().unwrap().clone();
    let orders: Vec<&String> =
        asked.iter().filter(|line| (line.starts_with("vgchange") || line.starts_with("pvremove")) && !line.ends_with("--version")).collect();
    assert_eq!(orders.len(), 2, "{orders:?}");
    assert!(orders[0].starts_with("vgchange -an") && orders[0].ends_with(" ours"));
    assert!(orders[1].starts_with("pvremove -ff -y") && orders[1].ends_with(" /dev/vda2"));
}

/// `md0` on `vda1`, and on what else `slaves` says.
fn with_running_array(stops: bool, slaves: &[&str]) -> Shelf {
    let mut shelf = two_disks();
    let path = shelf.disks.lock().unwrap()["vda"].path.clone();
    shelf.symlink("/sys/block/md0", "../devices/virtual/block/md0");
    shelf.file("/sys/devices/virtual/block/md0/dev", "9:0");
    shelf.symlink(&format!("{path}/vda1/holders/md0"), "../../../../../../virtual/block/md0");
    for slave in slaves {
        shelf.symlink(&format!("/sys/devices/virtual/block/md0/slaves/{slave}"), "x");
    }
    shelf.tool("mdadm --stop", move |shelf, _| {
        if !stops {
            return fails(1, "mdadm: Cannot get exclusive access to /dev/md0");
        }
        shelf.drop_below(&format!("{path}/vda1/holders/md0"));
        shelf.drop_below("/sys/devices/virtual/block/md0");
        shelf.drop_below("/sys/block/md0");
        says("")
    });
    shelf
}

#[test]
fn a_running_array_is_stopped_or_stops_the_whole() {
    let shelf = with_running_array(true, &["vda1"]);
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    let (outcome, shelf) = carry_out(shelf, &plan);
    assert!(outcome.results[0].ok, "{outcome:?}");
    assert!(shelf.was_asked("mdadm --stop /dev/md0"));
    check(with_running_array(false, &["vda1"]), &plan, "vda is still held by md0");
    let shelf = check(with_running_array(true, &["vda1", "vdb1"]), &plan, "md0 lies on a planned disk and on vdb1");
    assert!(!shelf.was_asked("mdadm --stop"));
}

#[test]
fn what_stays_mounted_or_swapped_to_stops_the_whole() {
    let shelf = two_disks();
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    shelf.file("/proc/self/mountinfo", "22 1 0:2 / / rw - rootfs rootfs rw\n30 22 8:42 / /mnt/old\\040root rw - ext4 /dev/vda2 rw\n");
    let shelf = check(shelf, &plan, "/mnt/old root is still mounted");
    assert!(shelf.was_asked("umount /mnt/old root"));
    let shelf = two_disks();
    shelf.file("/proc/swaps", "Filename Type Size Used Priority\n/dev/vda1 partition 1 0 -2\n/dev/vdb1 partition 1 0 -3\n");
    let shelf = check(shelf, &plan, "/dev/vda1 on a planned disk is still used for swapping");
    assert!(shelf.was_asked("swapoff /dev/vda1") && !shelf.was_asked("swapoff /dev/vdb1"));
}

#[test]
fn two_ways_to_one_disk_are_erased_together_or_not_at_all() {
    let shelf = Shelf::default();
    shelf.scsi("sda", 0, "S", "5000c500a1b2c3d4", SIZE);
    shelf.scsi("sdb", 1, "S", "5000c500a1b2c3d4", SIZE);
    let plan = plan(&shelf, &["sda"], &[Overwrite]);
    check(shelf, &plan, "sda and sdb are two ways to the same disk");
}

#[test]
fn a_blind_spot_beside_members_stops_the_whole() {
    let mut shelf = two_disks();
    shelf.sign("vda", "vda1", "linux_raid_member", "array", (1 << 20) + 4096);
    shelf.tool("wipefs --no-act --json /dev/vdb", |_, _| fails(1, "wipefs: error: /dev/vdb: probing initialization failed"));
    let plan = plan(&shelf, &["vda"], &[Overwrite]);
    check(shelf, &plan, "it cannot be said whether something spans several disks: vdb:");
    let ok = two_disks();
    ok.faulty("vda", Faults::default());
    let (outcome, _) = carry_out(ok, &plan);
    assert!(outcome.results[0].ok);
}
