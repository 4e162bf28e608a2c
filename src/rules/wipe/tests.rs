//! Tables of the plan: what is planned and what is left, how long it takes, what is said of it.
//!
//! Facts are made by hand, disk by disk; nothing here knows a real drive.

mod proof;

use std::sync::Arc;

use super::*;
use crate::model::{
    Deadlines, HostId,
    facts::{Collector, DiskHealth},
};
use EraseMethod as M;
use WipePolicy::{Clear, Metadata, Purge};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

fn host() -> Host {
    let mut host = Host::new(HostId(uuid::Uuid::from_u128(1)), "n1".parse().unwrap(), Vec::new(), at(0));
    host.facts_at = Some(at(0));
    host
}

const GB: u64 = 1_000_000_000;

/// An NVMe drive of 1 TB that can do everything.
fn nvme(id: &str) -> Disk {
    let disk = serde_json::json!({ "id": id, "name": "nvme0n1", "model": "M", "serial": "S", "wwn": "W", "size_bytes": 1000 * GB, "transport": "nvme",
        "erase": ["nvme_format_user_data", "nvme_sanitize_crypto", "nvme_sanitize_block", "overwrite", "write_zeroes", "nvme_sanitize_crypto"] });
    serde_json::from_value(disk).unwrap()
}

/// A disk of a virtual machine: nothing but writing.
fn virtio(id: &str) -> Disk {
    Disk { name: "vda".into(), transport: "virtio".into(), size_bytes: GB, erase: vec![M::Overwrite, M::WriteZeroes], ..nvme(id) }
}

fn found(disks: &[Disk]) -> Facts {
    Facts { disks: disks.to_vec(), ..Facts::default() }
}

fn made(disks: &[Disk], policy: WipePolicy, include: &[&str]) -> Result<WipePlan, NoPlan> {
    let include: Vec<DiskId> = include.iter().map(|id| DiskId((*id).to_owned())).collect();
    plan(&host(), &found(disks), policy, &include)
}

/// Which disks are wiped, and which are left with a reason that says this.
#[track_caller]
fn check(disks: &[Disk], include: &[&str], wiped: &[&str], left: &[(&str, &str)]) {
    let plan = made(disks, Clear, include).unwrap();
    assert_eq!(plan.disks.iter().map(|disk| disk.id.0.as_str()).collect::<Vec<_>>(), wiped);
    assert_eq!(plan.left.iter().map(|disk| disk.id.0.as_str()).collect::<Vec<_>>(), left.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    for (disk, (_, why)) in plan.left.iter().zip(left) {
        assert!(disk.why.contains(why), "{:?} does not say {why:?}", disk.why);
    }
    assert_eq!(plan.disks.len() + plan.left.len(), disks.len(), "every disk is in the plan");
}

#[track_caller]
fn refused(disks: &[Disk], policy: WipePolicy, include: &[&str], code: &str, says: &[&str]) {
    let why = made(disks, policy, include).unwrap_err();
    assert_eq!(why.code(), code);
    let text = why.to_string();
    says.iter().for_each(|word| assert!(text.contains(word), "{text:?} does not say {word:?}"));
}

#[track_caller]
fn in_order(disk: &Disk, policy: WipePolicy, methods: &[M]) {
    assert_eq!(made(std::slice::from_ref(disk), policy, &[]).unwrap().disks[0].methods, methods, "{policy:?}");
}

#[test]
fn the_same_facts_make_the_same_plan_and_any_difference_another() {
    let hash = |disks: &[Disk], policy| made(disks, policy, &[]).unwrap().hash();
    let one = hash(&[nvme("a"), virtio("b")], Clear);
    assert_eq!(one, hash(&[nvme("a"), virtio("b")], Clear));
    assert_ne!(one, hash(&[nvme("a"), virtio("b")], Metadata));
    assert_ne!(one, hash(&[nvme("a")], Clear));
    assert_ne!(one, hash(&[nvme("a"), Disk { serial: "T".into(), ..virtio("b") }], Clear));
    let later = Host { facts_at: Some(at(1)), ..host() };
    assert_ne!(one, plan(&later, &found(&[nvme("a"), virtio("b")]), Clear, &[]).unwrap().hash());
    // What is named and would be wiped anyway makes no other plan.
    assert_eq!(one, made(&[nvme("a"), virtio("b")], Clear, &["b"]).unwrap().hash());
}

#[test]
fn a_plan_has_what_the_agent_compares() {
    let plan = made(&[nvme("wwn:1")], Clear, &[]).unwrap();
    let disk = &plan.disks[0];
    assert_eq!((disk.model.as_str(), disk.serial.as_str(), disk.wwn.as_str(), disk.size_bytes), ("M", "S", "W", 1000 * GB));
    assert_eq!((plan.version, plan.parallel, plan.facts_at, plan.host), (1, 4, at(0), host().id));
    assert_eq!((plan.hash().len(), plan.hash()), (64, crate::model::token::sha256_hex(plan.text().as_bytes())));
}

#[test]
fn foreign_disks_are_left_unless_they_are_named() {
    let by = |transport: &str| Disk { transport: transport.into(), ..nvme("f") };
    for (transport, why) in [
        ("usb", "USB"),
        ("iscsi", "network"),
        ("FC", "network"),
        ("fcoe", "network"),
        ("nvme-fabrics", "NVMe over a network"),
        ("nvme-tcp", "NVMe over a network"),
        ("nbd", "not known to be inside"),
    ] {
        check(&[nvme("a"), by(transport)], &[], &["a"], &[("f", why)]);
        check(&[nvme("a"), by(transport)], &["f"], &["a", "f"], &[]);
    }
    check(&[nvme("a"), Disk { removable: true, ..virtio("cd") }], &[], &["a"], &[("cd", "removable")]);
    check(&[nvme("a"), Disk { removable: true, transport: "sata".into(), ..virtio("hotplug") }], &[], &["a", "hotplug"], &[]);
    for signature in ["VMFS", "VMFS_volume_member", "gfs2", "GFS", "ocfs2", "gpfs", "oracleasm", "mpath_member"] {
        let disk = Disk { signatures: vec!["gpt".into(), signature.into()], ..nvme("f") };
        check(&[nvme("a"), disk.clone()], &[], &["a"], &[("f", "other machines")]);
        check(&[disk], &["f"], &["f"], &[]);
    }
    for transport in ["", "nvme", "sata", "ata", "sas", "scsi", "virtio", "mmc"] {
        check(&[by(transport)], &[], &["f"], &[]);
    }
    for signature in ["gpt", "LVM2_member", "linux_raid_member", "ext4", "zfs_member", "ceph_bluestore", "vmfsish"] {
        check(&[Disk { signatures: vec![signature.into()], ..nvme("a") }], &[], &["a"], &[]);
    }
}

#[test]
fn there_is_no_plan_that_somebody_would_regret() {
    refused(&[nvme("a")], Clear, &["b"], "unknown_disk", &["\"b\"", "name a"]);
    refused(&[], Clear, &["b"], "unknown_disk", &["name none"]);
    refused(&[nvme("a"), Disk { read_only: true, ..virtio("b") }], Clear, &[], "read_only_disk", &["disk b (vda)", "writable", "waive"]);
    refused(&[nvme("a"), Disk { size_bytes: 0, ..virtio("b") }], Metadata, &[], "disk_without_bytes", &["disk b (vda)", "waive"]);
    refused(&[nvme("a"), nvme("a")], Clear, &[], "same_disk_id", &["themselves a", "two paths"]);
    let usb = Disk { transport: "usb".into(), ..nvme("a") };
    refused(&[nvme("a"), usb.clone()], Clear, &[], "same_disk_id", &["themselves a"]);
    refused(&[nvme("a"), virtio("b")], Purge, &[], "no_purge", &["disk b (vda)", "clear", "write_zeroes, overwrite", "waive"]);
    refused(&[], Clear, &[], "no_disks", &["no disk to wipe;", "include"]);
    refused(std::slice::from_ref(&usb), Clear, &[], "no_disks", &["1 are left alone"]);
    refused(&[Disk { read_only: true, ..usb.clone() }], Clear, &["a"], "read_only_disk", &["disk a"]);
    // A read-only disc in a drive that is left alone is nobody's trouble.
    check(&[nvme("n"), Disk { read_only: true, size_bytes: 0, removable: true, ..virtio("cd") }], &[], &["n"], &[("cd", "removable")]);
    // Two paths to somebody else's storage are left, both.
    check(&[nvme("n"), usb.clone(), usb], &[], &["n"], &[("a", "USB"), ("a", "USB")]);
    let never = Host { facts_at: None, ..host() };
    assert_eq!(plan(&never, &found(&[nvme("a")]), Clear, &[]).unwrap_err().code(), "no_facts");
}

#[test]
fn methods_follow_the_policy_best_first_and_overwriting_last() {
    in_order(&nvme("a"), Clear, &[M::NvmeSanitizeCrypto, M::NvmeSanitizeBlock, M::NvmeFormatUserData, M::WriteZeroes, M::Overwrite]);
    in_order(&nvme("a"), Purge, &[M::NvmeSanitizeCrypto, M::NvmeSanitizeBlock]);
    in_order(&nvme("a"), Metadata, &[M::MetadataOnly]);
    in_order(&virtio("a"), Clear, &[M::WriteZeroes, M::Overwrite]);
    in_order(&virtio("a"), Metadata, &[M::MetadataOnly]);
    // An agent that could not find out can still overwrite, and never gets away with metadata.
    in_order(&Disk { erase: vec![M::MetadataOnly], ..virtio("a") }, Clear, &[M::Overwrite]);
    for policy in [Clear, Purge] {
        let plan = made(&[nvme("a")], policy, &[]).unwrap();
        assert!(plan.disks[0].methods.iter().all(|method| method.category() >= if policy == Purge { Category::Purge } else { Category::Clear }));
    }
}

#[track_caller]
fn takes(disk: &Disk, methods: &[M], soft_secs: u64, hard_secs: u64) {
    assert_eq!(estimate::disk(disk, methods), Deadlines { soft_secs, hard_secs }, "{methods:?}");
}

#[test]
fn a_wipe_takes_what_the_drive_or_its_size_says() {
    let turning = |minutes| Disk { rotational: true, erase_minutes: minutes, size_bytes: 600 * GB, ..nvme("a") };
    takes(&nvme("a"), &[M::MetadataOnly], 600, 1800);
    takes(&nvme("a"), &[M::Overwrite], 20_000, 40_000);
    takes(&nvme("a"), &[M::WriteZeroes, M::Overwrite], 20_000, 40_000);
    takes(&turning(Some(60)), &[M::AtaSecurityErase], 5_400, 10_800);
    // The drive's own way may fail at its end, and the disk is still to be overwritten.
    takes(&turning(Some(60)), &[M::AtaSecurityErase, M::Overwrite], 5_400, 10_800 + 24_000);
    takes(&turning(None), &[M::AtaSecurityErase], 12_000, 24_000);
    takes(&nvme("a"), &[M::NvmeSanitizeBlock], 600, 40_000);
    takes(&Disk { size_bytes: GB, ..nvme("a") }, &[M::NvmeSanitizeCrypto], 600, 1800);
    // A tiny disk, and a drive that says "none", still get the time of their checks.
    takes(&Disk { size_bytes: 1, ..nvme("a") }, &[M::Overwrite], 120, 600);
    takes(&turning(Some(0)), &[M::AtaSecurityErase], 120, 1800);
    takes(
        &Disk { size_bytes: u64::MAX, erase_minutes: Some(u32::MAX), ..nvme("a") },
        &[M::AtaSecurityErase, M::Overwrite],
        386_547_056_550,
        773_094_113_100 + 737_869_762_950,
    );
}

#[test]
fn disks_are_wiped_four_at_once_after_the_machine_has_started() {
    let whole = |count: usize| {
        let disks: Vec<Disk> = (0..count).map(|at| Disk { serial: at.to_string(), ..nvme(&format!("d{at}")) }).collect();
        deadlines(&made(&disks, Metadata, &[]).unwrap())
    };
    for (count, rounds) in [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3)] {
        assert_eq!(whole(count), Deadlines { soft_secs: 600 + rounds * 600, hard_secs: 1800 + rounds * 1800 }, "{count} disks");
    }
    // Namespaces of one drive are wiped one after the other, whatever else is.
    let namespaces = [nvme("n1"), nvme("n2"), nvme("n3"), virtio("a")];
    assert_eq!(deadlines(&made(&namespaces, Metadata, &[]).unwrap()).soft_secs, 600 + 3 * 600);
    // A long disk and four short ones: the short ones share the other places.
    let mixed = [nvme("long"), virtio("a"), virtio("b"), virtio("c"), virtio("d")];
    let plan = WipePlan {
        disks: made(&mixed, Clear, &[]).unwrap().disks.into_iter().map(|disk| PlannedDisk { soft_secs: disk.size_bytes / GB, ..disk }).collect(),
        ..made(&mixed, Clear, &[]).unwrap()
    };
    assert_eq!(deadlines(&plan).soft_secs, 600 + 1000);
}

#[test]
fn times_are_told_in_units_that_fit() {
    let told = [5, 60, 61, 3600, 12_000, 86_400, 200_000].map(span);
    assert_eq!(told, ["5 s", "1 min", "2 min", "1 h", "3 h 20 min", "1 d", "2 d 7 h"]);
}

#[test]
fn facts_are_believed_as_long_as_the_site_says() {
    let known = Host { facts: Some(Arc::new(found(&[nvme("a")]))), ..host() };
    assert!(facts(&known, at(0), 86_400).is_ok());
    assert!(facts(&known, at(86_400), 86_400).is_ok());
    let stale = facts(&known, at(86_401), 86_400).unwrap_err();
    assert_eq!(stale.code(), "facts_stale");
    assert!(stale.to_string().contains("more than 1 days ago: register it again first"), "{stale}");
    for host in [host(), Host { facts_at: None, ..known.clone() }, Host { facts: None, ..known }] {
        assert_eq!(facts(&host, at(0), 86_400).unwrap_err().code(), "no_facts");
    }
}

#[test]
fn who_has_no_facts_is_told_how_to_get_them_from_where_it_is() {
    let error = |from| Lifecycle::Error { from, cause: crate::model::Cause::Fault("x".into()) };
    for (lifecycle, way) in [
        (Lifecycle::New, "(T2"),
        (Lifecycle::Used, "(T14)"),
        (Lifecycle::Reserved { user: "u".into(), until: None }, "(T35)"),
        (Lifecycle::Unavailable, "(T25)"),
        (Lifecycle::Available, "(T25)"),
        (Lifecycle::Maintenance { return_to: crate::model::ReturnTo::Used }, "(T26)"),
        (error(ErrorFrom::Used), "(T27c)"),
        (error(ErrorFrom::Cleaning), "(T21)"),
        (Lifecycle::Defective { reason: "r".into(), notes: String::new() }, "(T29)"),
        (Lifecycle::Registering, "wait"),
    ] {
        let text = facts(&Host { lifecycle: lifecycle.clone(), ..host() }, at(0), 1).unwrap_err().to_string();
        assert!(text.contains("never registered here") && text.contains(way), "{lifecycle:?}: {text}");
    }
}

#[test]
fn whoever_confirms_is_told_what_to_mind() {
    let sick = Disk { frozen: true, health: Some(DiskHealth { passed: Some(false), ..DiskHealth::default() }), ..nvme("a") };
    let usb = Disk { transport: "usb".into(), name: "sdx".into(), ..nvme("u") };
    let collector = Collector { name: "disks".into(), error: Some("lsblk died".into()), ..Collector::default() };
    let facts = Facts { collectors: vec![collector], ..found(&[sick, usb]) };
    let plan = plan(&host(), &facts, Metadata, &[DiskId("u".into())]).unwrap();
    let told = warnings(&plan, &facts).join("\n");
    for word in ["NO SANITISATION", "lsblk died", "frozen", "failing", "sdx is wiped because you named it"] {
        assert!(told.contains(word), "{told:?} does not say {word:?}");
    }
    assert_eq!(warnings(&made(&[nvme("a")], Clear, &[]).unwrap(), &found(&[nvme("a")])), Vec::<String>::new());
    assert_eq!(summary(&plan), "2 disks of n1 (nvme0n1, sdx) by policy metadata; about 20 min, at most 1 h");
    let one = made(&[virtio("a"), Disk { transport: "usb".into(), ..nvme("u") }], Clear, &[]).unwrap();
    assert_eq!(summary(&one), "1 disk of n1 (vda) by policy clear, 1 disk left alone; about 12 min, at most 40 min");
}

#[test]
fn words_are_those_of_the_api() {
    for policy in [Metadata, Clear, Purge] {
        assert_eq!(serde_json::to_value(policy).unwrap(), policy_word(policy));
    }
    assert_eq!(words(&[M::NvmeSanitizeCrypto, M::Overwrite]), "nvme_sanitize_crypto, overwrite");
}
