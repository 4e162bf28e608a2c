//! Disks as tools and `/sys` show them, table by table.
//!
//! Outputs are written by hand after the tools' sources and real machines, with the lines that have misled programs before. Nothing here looks
//! at this computer's disks; the shelf is in memory.

use super::{
    ata, health, identity, list, nvme, place, scsi,
    shelf::{Shelf, fails, says},
    side_by_side, signs,
};
use crate::{contract::EraseMethod::*, machine::Machine};

const SECURITY: &str = "\n/dev/sda:\n\nATA device, with non-removable media\n\tModel Number:       ST4000NM0035-1V4107\n\
Capabilities:\n\tLBA, IORDY(can be disabled)\nCommands/features:\n\tEnabled\tSupported:\n\t   *\tSMART feature set\n\
\t    \tSecurity Mode feature set\nFEATURES\
Security: \n\tMaster password revision code = 65534\nSTATE\
\t4min for SECURITY ERASE UNIT. 8min for ENHANCED SECURITY ERASE UNIT.\n\
Logical Unit WWN Device Identifier: 5000c500a1b2c3d4\n\tNAA\t\t: 5\nChecksum: correct\n";

fn hdparm(features: &str, state: &str) -> ata::Security {
    ata::security(&SECURITY.replace("FEATURES", features).replace("STATE", state))
}

#[test]
fn security_lines_are_read_word_by_word() {
    let fresh =
        hdparm("", "\t\tsupported\n\tnot\tenabled\n\tnot\tlocked\n\tnot\tfrozen\n\tnot\texpired: security count\n\t\tsupported: enhanced erase\n");
    assert!(fresh.supported && fresh.enhanced && !fresh.enabled && !fresh.locked && !fresh.frozen);
    assert_eq!((fresh.minutes, fresh.enhanced_minutes), (Some(4), Some(8)));
    let famous =
        hdparm("", "\t\tsupported\n\tnot\tenabled\n\tnot\tlocked\n\t\tfrozen\n\tnot\texpired: security count\n\tnot\tsupported: enhanced erase\n");
    assert!(famous.supported && !famous.enhanced && famous.frozen);
    let held = hdparm("", "\t\tsupported\n\t\tenabled\n\t\tlocked\n\tnot\tfrozen\n");
    assert!(held.enabled && held.locked);
    let none = hdparm("", "\tnot\tsupported\n\tnot\tenabled\n\tnot\tlocked\n\tnot\tfrozen\n\tnot\tsupported: enhanced erase\n");
    assert!(!none.supported && !none.enhanced);
    assert_eq!(ata::security("HDIO_DRIVE_CMD(identify) failed: Invalid exchange\n"), ata::Security::default());
}

#[test]
fn a_long_erase_time_counts_as_its_bound() {
    let long = SECURITY.replace("4min for", "more than 508min for").replace("FEATURES", "").replace("STATE", "\t\tsupported\n");
    assert_eq!(ata::security(&long).minutes, Some(508));
}

#[test]
fn a_sanitize_needs_its_feature_set_and_its_command() {
    let all = hdparm("\t   *\tSANITIZE feature set\n\t   *\tCRYPTO_SCRAMBLE_EXT command\n\t   *\tOVERWRITE_EXT command\n", "");
    assert!(all.scramble && !all.block_erase);
    let block = hdparm("\t   *\tSANITIZE feature set\n\t   *\tBLOCK_ERASE_EXT command\n", "");
    assert!(block.block_erase && !block.scramble);
    assert!(!hdparm("\t   *\tBLOCK_ERASE_EXT command\n", "").block_erase);
    assert!(!hdparm("\t    \tSANITIZE feature set\n\t    \tBLOCK_ERASE_EXT command\n", "").block_erase, "supported, not enabled");
}

#[test]
fn an_nvme_controller_says_by_bits_what_it_can() {
    let has = |oacs: u64, fna: u64, sanicap: u64| {
        nvme::controller(&format!(r#"{{"vid":5197,"oacs":{oacs},"oncs":95,"fna":{fna},"sanicap":{sanicap}}}"#)).unwrap()
    };
    let all = has(0x5f, 0b100, 0b011);
    assert!(all.sanitize_crypto && all.sanitize_block && all.format && all.format_crypto && !all.format_reaches_all);
    assert_eq!(has(0, 0b100, 0), nvme::Controller::default(), "no format, no crypto format");
    assert!(has(2, 0b001, 0).format_reaches_all && has(2, 0b010, 0).format_reaches_all);
    assert!(!has(2, 0, 0b100).sanitize_block, "overwrite only");
    assert_eq!(nvme::controller("NVMe status: Invalid Field"), None);
    assert_eq!(nvme::controller("{}"), None);
}

#[test]
fn a_sanitize_log_is_read_in_both_its_forms() {
    let log = |sstat: &str, sprog: u32| {
        nvme::sanitize_log(&format!(
            r#"{{"nvme0":{{"sprog":{sprog},"sstat":{sstat},"cdw10_info":4,"time_block_erase":90,"time_crypto_erase":4294967295}}}}"#
        ))
    };
    let words = |number: u32| format!(r#"{{"global_erased":1,"no_cmplted_passes":0,"status":"({number}) Sanitize says so."}}"#);
    let runs = log(&words(2), 32768).unwrap();
    assert!(runs.runs() && !runs.completed() && runs.percent == 50);
    assert_eq!((runs.crypto_secs, runs.block_secs), (None, Some(90)));
    assert!(log(&words(1), 65535).unwrap().completed() && log(&words(257), 65535).unwrap().completed() && log(&words(4), 65535).unwrap().completed());
    assert!(!log(&words(3), 65535).unwrap().completed() && !log(&words(0), 65535).unwrap().completed());
    assert!(log("257", 65535).unwrap().completed() && log(r#"{"status":2}"#, 1).unwrap().runs());
    assert_eq!(log(r#""well""#, 1), None);
    assert_eq!(nvme::sanitize_log(r#"{"error":"no such device"}"#), None);
}

#[test]
fn a_scsi_command_is_supported_only_in_the_tools_own_words() {
    let said =
        |what: &str| scsi::supported(&format!("  Opcode=0x48  Service_action=0x0002\n  Command_name: Sanitize, block erase\n  Command is {what}\n"));
    assert!(said("supported [conforming to SCSI standard]") && said("supported [in a vendor specific manner]"));
    assert!(!said("NOT supported") && !said("not currently available") && !said("support reserved [0x2]"));
    assert!(scsi::supported("  Command supported (conforming to SCSI standard)\n"));
}

#[test]
fn health_comes_from_each_kind_of_disk() {
    let nvme = r#"{"smart_status":{"passed":true},"power_on_time":{"hours":11874},"temperature":{"current":34},
        "nvme_smart_health_information_log":{"percentage_used":3}}"#;
    let health = health::read(nvme).unwrap();
    assert_eq!((health.passed, health.power_on_hours, health.wear_percent, health.celsius), (Some(true), Some(11874), Some(3), Some(34)));
    let ata = r#"{"smart_status":{"passed":false},"ata_smart_attributes":{"table":[{"id":9,"name":"Power_On_Hours","value":96},
        {"id":177,"name":"Wear_Leveling_Count","value":89}]}}"#;
    let health = health::read(ata).unwrap();
    assert_eq!((health.passed, health.wear_percent), (Some(false), Some(11)));
    let other = r#"{"ata_smart_attributes":{"table":[{"id":177,"name":"Unknown_Attribute","value":89}]}}"#;
    assert_eq!(health::read(other).unwrap().wear_percent, None, "another maker's attribute");
    assert_eq!(health::read("smartctl 7.3"), None);
    let answers = |transport| health::exits_with_an_answer(transport).contains(&1);
    assert!(answers("usb") && !answers("sata"), "a bridge that smartctl does not know is no failure");
}

#[test]
fn only_names_that_are_given_once_are_world_wide() {
    for (wwid, wanted) in [
        ("naa.5002538E40A1B2C3", "0x5002538e40a1b2c3"),
        ("eui.0025385b01412345\n", "eui.0025385b01412345"),
        ("uuid.6a2f41a3-5c6b-4bdc-9f9a-2f0f5b3c9d10", "uuid.6a2f41a3-5c6b-4bdc-9f9a-2f0f5b3c9d10"),
        ("t10.ATA     QEMU HARDDISK   QM00001", ""),
        ("nvme.1b36-646561646265656600-51454d55-00000001", ""),
        ("naa.0000000000000000", ""),
        ("eui.0000000000000000", ""),
        ("uuid.", ""),
        ("", ""),
    ] {
        assert_eq!(identity::wwn(wwid), wanted, "{wwid}");
    }
}

#[test]
fn pages_give_serial_numbers_and_no_more_than_they_hold() {
    assert_eq!(identity::page_80(b"\0\x80\0\x0a  ZC1A2B3C"), "ZC1A2B3C");
    assert_eq!(identity::page_80(b"\0\x80\0\x40short"), "short");
    assert_eq!(identity::page_80(b"\0\x83\0\x04ABCD"), "");
    assert_eq!(identity::page_80(b""), "");
    assert_eq!(ata::identify(&[0; 100]), None);
}

#[test]
fn what_is_no_whole_disk_is_left_out() {
    for name in ["loop0", "ram3", "zram0", "dm-1", "md127", "md_d0", "sr0", "fd0", "nbd4", "mmcblk0boot0", "mmcblk0rpmb", "bcache0", "zd16"] {
        assert!(!list::whole(name), "{name}");
    }
    for name in ["sda", "sdaa", "vda", "nvme0n1", "mmcblk0", "xvda", "pmem0", "dasda"] {
        assert!(list::whole(name), "{name}");
    }
}

#[test]
fn transports_are_read_off_the_path() {
    let shelf = Shelf::default();
    let host = "/sys/devices/pci0000:00/0000:00:1f.2";
    for (name, path, transport, address, stable) in [
        ("vda", "/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda", "virtio", "0000:00:04.0", "pci-0000:00:04.0"),
        ("sda", &format!("{host}/ata3/host2/target2:0:0/2:0:0:0/block/sda"), "sata", "2:0:0:0", "pci-0000:00:1f.2-scsi-0:0:0:0"),
        (
            "sdb",
            "/sys/devices/pci0000:00/0000:03:00.0/host6/port-6:0/end_device-6:0/target6:0:0/6:0:0:0/block/sdb",
            "sas",
            "6:0:0:0",
            "pci-0000:03:00.0-scsi-0:0:0:0",
        ),
        (
            "sdc",
            "/sys/devices/platform/host8/session1/target8:0:0/8:0:0:1/block/sdc",
            "iscsi",
            "8:0:0:1",
            "platform-host8-session1-target8:0:0-8:0:0:1",
        ),
        (
            "sdd",
            "/sys/devices/pci0000:00/0000:05:00.0/host9/rport-9:0-2/target9:0:0/9:0:0:0/block/sdd",
            "fc",
            "9:0:0:0",
            "pci-0000:05:00.0-scsi-0:0:0:0",
        ),
        (
            "sde",
            "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host10/target10:0:0/10:0:0:0/block/sde",
            "usb",
            "10:0:0:0",
            "pci-0000:00:14.0-usb-1-2:1.0-0:0:0:0",
        ),
        (
            "sdf",
            "/sys/devices/pci0000:00/0000:00:06.0/virtio3/host0/target0:0:1/0:0:1:0/block/sdf",
            "scsi",
            "0:0:1:0",
            "pci-0000:00:06.0-scsi-0:0:1:0",
        ),
        ("mmcblk0", "/sys/devices/pci0000:00/0000:00:1a.0/mmc_host/mmc0/mmc0:0001/block/mmcblk0", "mmc", "0000:00:1a.0", "pci-0000:00:1a.0"),
    ] {
        let place = place::of(&shelf, name, path);
        assert_eq!((place.transport.as_str(), place.address.as_str(), place.stable.as_str()), (transport, address, stable), "{path}");
    }
}

#[test]
fn scsi_hosts_are_counted_from_their_controllers_first() {
    let shelf = Shelf::default();
    for host in [4, 5, 6] {
        shelf.symlink(
            &format!("/sys/class/scsi_host/host{host}"),
            &format!("../../devices/pci0000:00/0000:00:1f.2/ata{host}/host{host}/scsi_host/host{host}"),
        );
    }
    shelf.symlink("/sys/class/scsi_host/host0", "../../devices/pci0000:00/0000:00:05.0/host0/scsi_host/host0");
    let place = place::of(&shelf, "sda", "/sys/devices/pci0000:00/0000:00:1f.2/ata6/host6/target6:0:0/6:0:0:0/block/sda");
    assert_eq!(place.stable, "pci-0000:00:1f.2-scsi-2:0:0:0");
}

#[test]
fn a_namespace_behind_a_subsystem_finds_its_controller_and_a_fabric_says_so() {
    let shelf = Shelf::default();
    let sub = "/sys/devices/virtual/nvme-subsystem/nvme-subsys0";
    shelf.symlink(&format!("{sub}/nvme0"), "../../../../pci0000:00/0000:01:00.0/nvme/nvme0");
    shelf.file("/sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/transport", "pcie\n");
    shelf.file(&format!("{sub}/nvme0n1/nsid"), "1\n");
    let place = place::of(&shelf, "nvme0n1", &format!("{sub}/nvme0n1"));
    assert_eq!((place.transport.as_str(), place.address.as_str(), place.stable.as_str()), ("nvme", "0000:01:00.0", "pci-0000:01:00.0-ns1"));
    shelf.file("/sys/devices/virtual/nvme-fabrics/ctl/nvme1/transport", "tcp\n");
    assert_eq!(place::of(&shelf, "nvme1n1", "/sys/devices/virtual/nvme-fabrics/ctl/nvme1/nvme1n1").transport, "nvme-tcp");
}

/// One disk of each kind, with what its tools say.
fn one_of_each() -> Shelf {
    let mut shelf = Shelf::default();
    shelf.virtio("vda", 4, "vol-0001", 1 << 20);
    shelf.sata("sda", 0, "SAMSUNG MZ7LH480HAHQ-00005", "S45PNA0M812345", 1 << 20);
    shelf.scsi("sdb", 1, "ZC1A2B3C", "5000c500a1b2c3d4", 1 << 20);
    shelf.nvme(1, 1, "0025385b01412345", 1 << 20);
    shelf.part("sda", "sda1", 4096);
    shelf.part("sda", "sda2", 8192);
    shelf.sign("sda", "sda", "gpt", "", 512);
    shelf.sign("sda", "sda", "PMBR", "", 100);
    shelf.sign("sda", "sda2", "LVM2_member", "pv", 8192);
    shelf.tool("blkid -p -o export /dev/sda1", |_, _| says("DEVNAME=/dev/sda1\nPART_ENTRY_TYPE=37affc90-ef7d-4e96-91c3-2d7ae055b174\n"));
    shelf.tool("nvme id-ctrl -o json /dev/nvme1", |_, _| says(r#"{"oacs":2,"oncs":95,"fna":4,"sanicap":2}"#));
    shelf.tool("nvme sanitize-log", |_, _| says(r#"{"nvme1":{"sprog":65535,"sstat":{"status":"(0) Never"},"time_block_erase":61}}"#));
    shelf.tool("hdparm -I /dev/sda", |_, _| {
        says(
            &SECURITY
                .replace("FEATURES", "\t   *\tSANITIZE feature set\n\t   *\tBLOCK_ERASE_EXT command\n")
                .replace("STATE", "\t\tsupported\n\t\tfrozen\n\tnot\tsupported: enhanced erase\n"),
        )
    });
    shelf.tool("sg_opcodes", |_, ask| {
        if ask.words[0].ends_with(",2") { says("  Command is supported [conforming to SCSI standard]\n") } else { fails(9, "") }
    });
    shelf.tool("smartctl", |_, _| says(r#"{"smart_status":{"passed":true}}"#));
    shelf
}

#[test]
fn disks_are_found_with_their_names_and_what_can_erase_them() {
    let shelf = one_of_each();
    let (disks, problems) = super::collect(&shelf);
    assert_eq!(problems, []);
    let row = |at: usize| {
        let disk = &disks[at];
        (disk.name.as_str(), disk.id.0.as_str(), disk.transport.as_str(), disk.by_id.join(" "), disk.erase.clone(), disk.signatures.join(" "))
    };
    assert_eq!(
        row(0),
        (
            "nvme1n1",
            "wwn:eui.0025385b01412345",
            "nvme",
            "nvme-SAMSUNG_MZQL2_S64HNE0R501234 nvme-eui.0025385b01412345".to_owned(),
            vec![NvmeSanitizeBlock, NvmeFormatCrypto, NvmeFormatUserData, WriteZeroes, Overwrite],
            String::new()
        )
    );
    assert_eq!(disks[0].erase_minutes, Some(2));
    assert_eq!(
        row(1),
        (
            "sda",
            "serial:SAMSUNG_MZ7LH480HAHQ-00005_S45PNA0M812345",
            "sata",
            "ata-SAMSUNG_MZ7LH480HAHQ-00005_S45PNA0M812345".to_owned(),
            vec![AtaSanitizeBlock, AtaSecurityErase, WriteZeroes, Overwrite],
            "gpt LVM2_member gpfs".to_owned()
        )
    );
    assert_eq!(
        (disks[1].model.as_str(), disks[1].firmware.as_str(), disks[1].frozen, disks[1].erase_minutes),
        ("SAMSUNG MZ7LH480HAHQ-00005", "FW01", true, Some(4))
    );
    assert_eq!(
        row(2),
        (
            "sdb",
            "wwn:0x5000c500a1b2c3d4",
            "scsi",
            "scsi-35000c500a1b2c3d4 scsi-SSEAGATE_ST4000NM0025_ZC1A2B3C wwn-0x5000c500a1b2c3d4".to_owned(),
            vec![ScsiSanitizeBlock, WriteZeroes, Overwrite],
            String::new()
        )
    );
    assert_eq!(row(3), ("vda", "serial:vol-0001", "virtio", "virtio-vol-0001".to_owned(), vec![WriteZeroes, Overwrite], String::new()));
    assert_eq!(disks[0].health.as_ref().unwrap().passed, Some(true));
    assert_eq!(disks[3].health, None);
}

#[test]
fn a_disk_without_its_tools_is_still_a_disk() {
    let shelf = Shelf::default();
    shelf.sata("sda", 0, "M", "S", 1 << 20);
    let (disks, problems) = super::collect(&shelf);
    assert_eq!(disks[0].erase, [WriteZeroes, Overwrite]);
    let texts: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
    assert_eq!(texts, ["sda: there is no program hdparm here", "sda: there is no program smartctl here"]);
    assert_eq!(problems[1].collector, "health");
}

#[test]
fn the_same_name_twice_gives_way_to_places() {
    let shelf = Shelf::default();
    shelf.scsi("sda", 0, "SAME", "5000c500a1b2c3d4", 1 << 20);
    shelf.scsi("sdb", 1, "SAME", "5000c500a1b2c3d4", 1 << 20);
    shelf.scsi("sdc", 2, "000000000000", "", 1 << 20);
    let ids: Vec<String> = list(&shelf).0.into_iter().map(|found| found.disk.id.0).collect();
    let by_place = |target: u32| format!("path:pci-0000:00:05.0-scsi-0:0:{target}:0");
    assert_eq!(ids, [by_place(0), by_place(1), by_place(2)]);
    assert_eq!(list(&shelf).0[0].unit, list(&shelf).0[1].unit, "two ways to one unit");
}

#[test]
fn empty_slots_and_hidden_paths_are_no_disks_and_a_blind_spot_is_a_problem() {
    let shelf = Shelf::default();
    shelf.virtio("vda", 4, "a", 1 << 20);
    shelf.virtio("vdb", 5, "b", 1 << 20);
    shelf.virtio("vdc", 6, "c", 1 << 20);
    let path = |name: &str| shelf.disks.lock().unwrap()[name].path.clone();
    shelf.file(&format!("{}/size", path("vda")), "0");
    shelf.file(&format!("{}/removable", path("vda")), "1");
    shelf.file(&format!("{}/hidden", path("vdb")), "1");
    shelf.drop_below(&format!("{}/size", path("vdc")));
    let (found, problems) = list(&shelf);
    assert_eq!(found, []);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].text, "vdc: its size cannot be read");
    assert_eq!(list(&Shelf::default()).1.len(), 1, "no /sys/block at all is a problem");
}

#[test]
fn all_signatures_of_a_device_are_named() {
    let two =
        r#"{"signatures":[{"device":"sda","offset":"0x200","type":"gpt","uuid":null},{"device":"sda","offset":"0x438","type":"ext4","uuid":"3f"}]}"#;
    let kinds: Vec<String> = signs::read(two).unwrap().into_iter().map(|sign| sign.kind).collect();
    assert_eq!(kinds, ["gpt", "ext4"]);
    assert_eq!(signs::read("{\n   \"signatures\": [\n\n   ]\n}\n"), Some(Vec::new()));
    assert_eq!(signs::read("\n"), Some(Vec::new()));
    assert_eq!(signs::read("wipefs: error"), None);
}

#[test]
fn work_side_by_side_keeps_its_order() {
    let items: Vec<u32> = (0..50).collect();
    assert_eq!(side_by_side(7, &items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
    assert_eq!(side_by_side(7, &[], |item: &u32| *item), Vec::<u32>::new());
}

#[test]
fn the_shelf_looks_like_a_machine() {
    let shelf = Shelf::default();
    shelf.virtio("vda", 4, "a", 4096);
    assert!(shelf.exists("/sys/devices/pci0000:00/0000:00:04.0/virtio4/block/vda") && !shelf.exists("/sys/block/vdb"));
}
