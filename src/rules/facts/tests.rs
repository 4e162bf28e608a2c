//! Reports as the agent sends them, changed in one place each, and the sentences that come of it.
//!
//! Sentences are compared whole: people read them in issues and the journal.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::model::{Host, HostId, IssueKind, Timestamp};

/// A server with one disk of each kind and two cards.
fn report() -> Value {
    json!({
        "system": { "vendor": "Dell Inc.", "product": "PowerEdge R650", "serial": "8QX1234", "uuid": "4c4c4544-0051-3510-8058-b4c04f4d3332" },
        "bios": { "version": "1.2.3" },
        "cpu": { "architecture": "x86_64", "model": "Xeon Gold 6330", "sockets": 2, "cores": 56, "threads": 112 },
        "memory": { "size_bytes": 137_438_953_472u64, "modules": [
            { "slot": "A1", "size_bytes": 68_719_476_736u64, "serial": "AA", "part": "M393" },
            { "slot": "A2", "size_bytes": 68_719_476_736u64, "serial": "BB", "part": "M393" }] },
        "nics": [
            { "name": "eno1", "mac": "b4:96:91:00:00:01", "driver": "ice", "speed_mbps": 25_000, "link": true, "boot": true,
              "lldp": { "system": "sw1", "port": "Eth1" } },
            { "name": "eno2", "mac": "02:00:00:00:00:99", "permanent_mac": "b4:96:91:00:00:02", "driver": "ice" }],
        "disks": [
            { "id": "wwn:0x5000c500a1", "name": "sda", "model": "ST4000", "size_bytes": 4_000_787_030_016u64, "address": "0:0:1:0", "firmware": "SN04",
              "health": { "passed": true, "power_on_hours": 10 }, "signatures": ["gpt"] },
            { "id": "wwn:eui.0025", "name": "nvme0n1", "model": "PM9A3", "size_bytes": 960_197_124_096u64, "address": "0000:01:00.0" }],
        "controllers": [{ "address": "0000:02:00.0", "class": "RAID controller", "vendor": "Broadcom", "product": "MegaRAID" }],
        "boot": { "uefi": true, "secure_boot": false, "kernel": "6.1.0", "order": ["PXE", "disk"] },
        "collectors": [{ "name": "disks", "took_ms": 3 }, { "name": "nics", "took_ms": 2 }, { "name": "dmi", "took_ms": 2 }],
    })
}

fn facts(change: impl FnOnce(&mut Value)) -> Facts {
    let mut report = report();
    change(&mut report);
    serde_json::from_value(report).unwrap()
}

#[track_caller]
fn check(change: impl FnOnce(&mut Value), want: &[&str]) {
    assert_eq!(judge(&facts(change), Some(&facts(|_| {}))).changes, want);
}

#[track_caller]
fn check_missing(change: impl FnOnce(&mut Value), want: &[&str]) {
    let judged = judge(&facts(change), None);
    assert_eq!((judged.missing.as_slice(), judged.changes.as_slice()), (want, &[] as &[String]));
}

#[test]
fn a_report_is_complete_with_an_identity_a_card_and_a_disk() {
    check_missing(|_| {}, &[]);
    check_missing(|report| report["system"]["uuid"] = Value::Null, &[]);
    check_missing(|report| report["system"]["serial"] = json!("Default string"), &[]);
    let nobody =
        |report: &mut Value| report["system"] = json!({ "serial": "To be filled by O.E.M.", "uuid": "03000200-0400-0500-0006-000700080009" });
    check_missing(nobody, &["a UUID or serial number of its own"]);
    check_missing(|report| report["nics"] = json!([]), &["a network card"]);
    check_missing(|report| report["disks"] = json!([]), &["a disk"]);
    check_missing(|report| *report = json!({}), &["a UUID or serial number of its own", "a network card", "a disk"]);
}

#[test]
fn the_link_to_the_management_controller_is_no_card_of_the_machine() {
    let usb = json!([{ "name": "usb0", "mac": "be:3a:f2:b6:05:9f", "driver": "cdc_ether" }]);
    check_missing(|report| report["nics"] = usb, &["a network card"]);
}

#[test]
fn what_changes_by_itself_is_no_change() {
    check(|_| {}, &[]);
    check(
        |report| {
            report["nics"][0]["name"] = json!("eth7");
            report["nics"][0]["link"] = json!(false);
            report["nics"][0]["speed_mbps"] = Value::Null;
            report["nics"][0]["lldp"] = Value::Null;
            report["disks"][0]["name"] = json!("sdq");
            report["disks"][0]["address"] = json!("4:0:1:0");
            report["disks"][0]["health"] = json!({ "passed": false, "power_on_hours": 11 });
            report["disks"][0]["signatures"] = json!([]);
            report["boot"]["kernel"] = json!("6.12");
            report["boot"]["order"] = json!(["disk", "PXE"]);
            report["memory"]["size_bytes"] = json!(137_338_953_472u64);
            report["collectors"] = json!([{ "name": "disks", "took_ms": 99 }]);
        },
        &[],
    );
    check(
        |report| report["disks"].as_array_mut().unwrap().push(json!({ "id": "usb:stick", "name": "sdz", "size_bytes": 1, "removable": true })),
        &[],
    );
    check(|report| report["disks"].as_array_mut().unwrap().reverse(), &[]);
}

#[test]
fn what_was_not_looked_at_is_not_gone() {
    let failed = |name: &str| json!([{ "name": name, "took_ms": 1, "error": "timed out" }]);
    check(
        |report| {
            report["disks"] = json!([]);
            report["collectors"] = failed("disks");
        },
        &[],
    );
    check(
        |report| {
            report["nics"].as_array_mut().unwrap().pop();
            report["collectors"] = failed("nics");
        },
        &[],
    );
    check(
        |report| {
            report["system"] = json!({});
            report["memory"]["modules"] = json!([]);
            report["controllers"] = json!([]);
        },
        &[],
    );
}

#[test]
fn a_disk_is_gone_new_replaced_or_of_another_size() {
    let another = json!({ "id": "wwn:0x5000c500b2", "name": "sda", "model": "ST8000", "size_bytes": 8_001_563_222_016u64, "address": "0:0:1:0" });
    check(|report| drop(report["disks"].as_array_mut().unwrap().remove(0)), &["disk wwn:0x5000c500a1 (ST4000, 4000.7 GB) is gone"]);
    check(
        |report| report["disks"][0] = another.clone(),
        &["disk wwn:0x5000c500a1 (ST4000, 4000.7 GB) at 0:0:1:0 was replaced by wwn:0x5000c500b2 (ST8000, 8001.5 GB)"],
    );
    check(
        |report| {
            report["disks"].as_array_mut().unwrap().push(another);
            report["disks"][2]["address"] = json!("0:0:2:0");
        },
        &["disk wwn:0x5000c500b2 (ST8000, 8001.5 GB) is new"],
    );
    check(|report| report["disks"][0]["size_bytes"] = json!(2_000_000_000_000u64), &["disk wwn:0x5000c500a1 has 2000.0 GB, had 4000.7 GB"]);
    check(|report| report["disks"][0]["firmware"] = json!("SN05"), &["the firmware of disk wwn:0x5000c500a1 is SN05, was SN04"]);
}

#[test]
fn memory_processors_cards_and_firmware_are_told() {
    check(
        |report| {
            report["memory"]["size_bytes"] = json!(68_719_476_736u64);
            report["memory"]["modules"].as_array_mut().unwrap().pop();
        },
        &["memory is 64 GiB, was 128 GiB", "the memory module in A2 is gone (64 GiB)"],
    );
    check(
        |report| report["memory"]["modules"][0]["serial"] = json!("CC"),
        &["the memory module in A1 was replaced: 64 GiB M393 CC, was 64 GiB M393 AA"],
    );
    check(
        |report| report["memory"]["modules"][1]["slot"] = json!("B1"),
        &["the memory module in A2 is gone (64 GiB)", "there is a new memory module in B1 (64 GiB)"],
    );
    check(|report| report["cpu"]["sockets"] = json!(1), &["processors: 1, were 2"]);
    check(|report| report["cpu"]["model"] = json!("Xeon Gold 6430"), &["the processor is Xeon Gold 6430, was Xeon Gold 6330"]);
    check(
        |report| report["nics"][1]["permanent_mac"] = json!("b4:96:91:00:00:03"),
        &["network card b4:96:91:00:00:02 (ice) is gone", "network card b4:96:91:00:00:03 (ice) is new"],
    );
    check(|report| report["bios"]["version"] = json!("1.3.0"), &["the BIOS version is 1.3.0, was 1.2.3"]);
    check(|report| report["system"]["serial"] = json!("OTHER1"), &["the serial number is OTHER1, was 8QX1234"]);
    check(|report| report["boot"]["uefi"] = json!(false), &["it boots by BIOS, booted by UEFI"]);
    check(|report| report["boot"]["secure_boot"] = json!(true), &["Secure Boot is on, was off"]);
    check(
        |report| report["controllers"][0]["product"] = json!("HBA 9500"),
        &["at 0000:02:00.0 there is RAID controller Broadcom HBA 9500, was RAID controller Broadcom MegaRAID"],
    );
    check(|report| report["controllers"][0]["address"] = json!("0000:03:00.0"), &[]);
}

#[test]
fn supplies_the_tpm_and_the_management_controller_are_told() {
    let with = |serial: &str, tpm: &str, firmware: &str| {
        facts(|report| {
            report["power_supplies"] = json!([{ "product": "PSU", "serial": serial }]);
            report["tpm"] = json!(tpm);
            report["bmc"] = json!({ "address": "10.0.0.9", "firmware": firmware });
        })
    };
    let told = judge(&with("S2", "2.0", "7.1"), Some(&with("S1", "1.2", "7.0"))).changes;
    let want = [
        "the TPM's version is 2.0, was 1.2",
        "the management controller's firmware is 7.1, was 7.0",
        "power supply PSU S1 is gone",
        "power supply PSU S2 is new",
    ];
    assert_eq!(told, want);
}

#[test]
fn another_machine_altogether_is_told_within_bounds() {
    let disks: Vec<Value> = (0..100).map(|n| json!({ "id": format!("path:{n}\u{1b}[2J"), "name": "x", "size_bytes": 1 })).collect();
    let changes = judge(&facts(|report| report["disks"] = json!(disks)), Some(&facts(|_| {}))).changes;
    assert_eq!((changes.len(), changes.last().unwrap().as_str()), (21, "and 82 more differences"));
    assert!(changes.iter().all(|text| !text.contains('\u{1b}')));
}

const OTHER_BOARD: &str = "6902b9f2-f123-cdcd-428f-23a3ef2e4c63";

fn host(number: u128, macs: &[&str], uuid: Option<&str>, serial: Option<&str>) -> Host {
    let macs = macs.iter().map(|mac| mac.parse().unwrap()).collect();
    let mut host = Host::new(HostId(Uuid::from_u128(number)), format!("n{number}").parse().unwrap(), macs, Timestamp::UNIX_EPOCH);
    host.uuid = uuid.map(|text| text.parse().unwrap());
    host.serial = serial.map(str::to_owned);
    host
}

/// What becomes of n1, recorded with its first card, beside others: cards, board, serial number; issues raised and settled; others hit.
#[track_caller]
fn whose(change: impl FnOnce(&mut Value), recorded: (Option<&str>, Option<&str>), others: &[Host], want: &str) {
    let host = host(1, &["b4:96:91:00:00:01"], recorded.0, recorded.1);
    let found = identify(&host, &facts(change), &others.iter().collect::<Vec<_>>());
    let last = |mac: &Mac| mac.to_string()[15..].to_owned();
    let kinds = |kinds: Vec<IssueKind>| kinds.iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join("+");
    let got = format!(
        "cards {} board {} serial {} raised {} settled {} hit {}",
        found.macs.iter().map(last).collect::<Vec<_>>().join(","),
        found.uuid.map_or("-".to_owned(), |uuid| uuid.to_string()[..4].to_owned()),
        found.serial.as_deref().unwrap_or("-"),
        kinds(found.issues.iter().map(|(kind, _)| *kind).collect()),
        kinds(found.settled.clone()),
        found.clashes.len(),
    );
    assert_eq!(got, want, "{found:?}");
}

#[test]
fn a_fresh_record_learns_cards_board_and_serial_number() {
    whose(|_| {}, (None, None), &[], "cards 01,02 board 4c4c serial 8QX1234 raised  settled UuidMismatch+DuplicateMac hit 0");
    let fillers = |report: &mut Value| report["system"] = json!({ "serial": "None", "uuid": "03000200-0400-0500-0006-000700080009" });
    whose(fillers, (None, None), &[], "cards 01,02 board - serial - raised  settled DuplicateMac hit 0");
}

#[test]
fn what_is_recorded_stays() {
    whose(|_| {}, (None, Some("RACK-7")), &[], "cards 01,02 board 4c4c serial RACK-7 raised  settled UuidMismatch+DuplicateMac hit 0");
    let told = identify(&host(1, &[], None, Some("RACK-7")), &facts(|_| {}), &[]).learned;
    assert!(told.contains(&"it says that its serial number is 8QX1234; RACK-7 is recorded and stays".to_owned()), "{told:?}");
}

#[test]
fn another_board_is_raised_and_settled_when_they_agree_again() {
    whose(|_| {}, (Some(OTHER_BOARD), None), &[], "cards 01,02 board 6902 serial 8QX1234 raised UuidMismatch settled DuplicateMac hit 0");
    let same = Some("4c4c4544-0051-3510-8058-b4c04f4d3332");
    whose(|_| {}, (same, None), &[], "cards 01,02 board 4c4c serial 8QX1234 raised  settled UuidMismatch+DuplicateMac hit 0");
    let nothing = |report: &mut Value| report["system"]["uuid"] = Value::Null;
    whose(nothing, (same, None), &[], "cards 01,02 board 4c4c serial 8QX1234 raised  settled DuplicateMac hit 0");
}

#[test]
fn a_machine_without_any_recorded_card_or_board_is_another_one_and_teaches_nothing() {
    let cards = |report: &mut Value| report["nics"] = json!([{ "name": "a", "mac": "b4:96:91:00:00:77" }]);
    whose(cards, (None, None), &[], "cards 01 board - serial - raised UuidMismatch settled  hit 0");
    let same = Some("4c4c4544-0051-3510-8058-b4c04f4d3332");
    whose(cards, (same, None), &[], "cards 01,77 board 4c4c serial 8QX1234 raised  settled UuidMismatch+DuplicateMac hit 0");
    let used = |report: &mut Value| report["nics"][0] = json!({ "name": "a", "mac": "b4:96:91:00:00:01", "permanent_mac": "b4:96:91:00:00:77" });
    whose(used, (None, None), &[], "cards 01,77,02 board 4c4c serial 8QX1234 raised  settled UuidMismatch+DuplicateMac hit 0");
}

#[test]
fn a_card_or_board_of_another_host_stays_there_and_is_raised_on_both() {
    let card = host(2, &["b4:96:91:00:00:02"], None, None);
    whose(|_| {}, (None, None), &[card], "cards 01 board 4c4c serial 8QX1234 raised DuplicateMac settled UuidMismatch hit 1");
    let board = host(3, &[], Some("4c4c4544-0051-3510-8058-b4c04f4d3332"), None);
    whose(|_| {}, (None, None), &[board], "cards 01,02 board - serial 8QX1234 raised DuplicateMac settled  hit 1");
    let itself = host(1, &["b4:96:91:00:00:02"], None, None);
    whose(|_| {}, (None, None), &[itself], "cards 01,02 board 4c4c serial 8QX1234 raised  settled UuidMismatch+DuplicateMac hit 0");
}

#[test]
fn addresses_that_software_made_up_name_nobody_when_two_cards_share_them() {
    let twins = |report: &mut Value| {
        report["nics"] = json!([
            { "name": "a", "mac": "b4:96:91:00:00:01" }, { "name": "b", "mac": "02:00:00:00:00:09" }, { "name": "c", "mac": "02:00:00:00:00:09" },
            { "name": "d", "mac": "52:54:00:00:00:07" }, { "name": "usb0", "mac": "be:3a:f2:b6:05:9f", "driver": "rndis_host" }])
    };
    whose(twins, (None, None), &[], "cards 01,07 board 4c4c serial 8QX1234 raised  settled UuidMismatch+DuplicateMac hit 0");
}
