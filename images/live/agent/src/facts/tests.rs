//! The collectors together: time-outs, the partial report, the order of the pieces; and what their own tests share.
//!
//! No tool of this computer is run. A collector that hangs waits for a bell that rings when its test ends.

use std::sync::Mutex;

use super::*;
use crate::{
    contract::{Disk, Nic},
    machine::{Bell, recorded::Recorded},
};

/// A recorded output.
pub fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The facts of one collector alone; its own entry is the first.
pub fn facts_of(found: Found) -> Facts {
    assemble(&[("alone", Duration::ZERO, true)], &[State::Done(rename(found), Duration::ZERO)], None)
}

fn rename(mut found: Found) -> Found {
    for problem in &mut found.problems {
        problem.collector = "alone";
    }
    found
}

fn machine() -> Arc<dyn Machine> {
    Arc::new(Recorded::new())
}

fn kernel(name: &'static str, quick: bool) -> Look {
    Look::new(name, 3600, quick, move |_| Found::new(move |facts| facts.boot.kernel.push_str(name), Vec::new()))
}

fn nics() -> Look {
    let nic: Nic = serde_json::from_str(r#"{"name":"eth0","mac":"52:54:00:12:34:56"}"#).unwrap();
    Look::new("nics", 3600, true, move |_| Found::new(move |facts| facts.nics = vec![nic.clone()], Vec::new()))
}

/// Rings when it is dropped, so that a thread that hangs ends with its test.
struct AtEnd(Arc<Bell>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.ring();
    }
}

fn hangs(name: &'static str, secs: u64, bell: &AtEnd) -> Look {
    let bell = Arc::clone(&bell.0);
    Look::new(name, secs, false, move |_| {
        let real = crate::machine::Real::new();
        real.wait_for(&bell, Duration::from_secs(3600));
        Found::new(|_| {}, Vec::new())
    })
}

#[test]
fn a_collector_that_hangs_costs_its_own_facts_only() {
    let end = AtEnd(Arc::default());
    let mut partial = Vec::new();
    let facts =
        collect(&machine(), vec![kernel("one", true), hangs("bmc", 0, &end), kernel("two", false)], None, &|_| {}, &mut |facts| partial.push(facts));
    assert_eq!(facts.boot.kernel, "onetwo");
    let said: Vec<(&str, Option<&str>)> = facts.collectors.iter().map(|one| (one.name.as_str(), one.error.as_deref())).collect();
    assert_eq!(said, [("one", None), ("bmc", Some("did not come to an end within 0 s")), ("two", None)]);
}

#[test]
fn what_is_quick_goes_out_before_what_is_slow() {
    let bell = Arc::new(Bell::default());
    let slow = {
        let bell = Arc::clone(&bell);
        Look::new("disks", 3600, false, move |_| {
            crate::machine::Real::new().wait_for(&bell, Duration::from_secs(3600));
            Found::new(|facts| facts.boot.kernel.push_str("slow"), Vec::new())
        })
    };
    let (mut partial, steps) = (Vec::new(), Mutex::new(Vec::new()));
    let facts = collect(&machine(), vec![kernel("quick", true), slow], None, &|open| steps.lock().unwrap().push(open.to_vec()), &mut |facts| {
        partial.push(facts);
        bell.ring();
    });
    assert_eq!((partial.len(), partial[0].boot.kernel.as_str(), partial[0].collectors.len()), (1, "quick", 1));
    assert_eq!(facts.boot.kernel, "quickslow");
    assert_eq!(steps.into_inner().unwrap(), [vec![], vec!["disks"]]);
}

#[test]
fn nothing_slow_means_no_partial_report() {
    let mut partial = 0;
    collect(&machine(), vec![kernel("one", true)], None, &|_| {}, &mut |_| partial += 1);
    assert_eq!(partial, 0);
}

#[test]
fn the_card_of_the_boot_is_marked() {
    let boot = Some("52:54:00:12:34:56".parse().unwrap());
    assert!(collect(&machine(), vec![nics()], boot, &|_| {}, &mut |_| {}).nics[0].boot);
    assert!(!collect(&machine(), vec![nics()], None, &|_| {}, &mut |_| {}).nics[0].boot);
}

#[test]
fn a_collector_may_speak_for_another() {
    let disks: DisksOf = |_| {
        let problem = |collector, text: &str| Problem { collector, text: text.to_owned() };
        (Vec::<Disk>::new(), vec![problem("disks", "sda: a"), problem("health", "sda: b"), problem("health", "sdb: c")])
    };
    let look = all(disks, None).into_iter().filter(|look| look.name == "disks").collect();
    let facts = collect(&machine(), look, None, &|_| {}, &mut |_| {});
    let said: Vec<(&str, Option<&str>)> = facts.collectors.iter().map(|one| (one.name.as_str(), one.error.as_deref())).collect();
    assert_eq!(said, [("disks", Some("sda: a")), ("health", Some("sda: b; sdb: c"))]);
}

#[test]
fn every_collector_says_something_about_an_empty_machine() {
    let facts = collect(&machine(), all(|_| (Vec::new(), Vec::new()), None), None, &|_| {}, &mut |_| {});
    let names: Vec<&str> = facts.collectors.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["dmi", "cpu", "memory", "nics", "pci", "boot", "tpm", "disks", "lldp", "bmc"]);
}

/// A panic would end the whole program in the live image, so no text of a tool may cause one: every beginning of every recording is read.
#[test]
fn a_text_that_ends_anywhere_panics_nowhere() {
    let every_end = |name: &str, line: &str, look: fn(&dyn Machine) -> Found| {
        let text = fixture(name);
        for (end, _) in text.char_indices() {
            let machine = Recorded::new().file("/dev/ipmi0", "").file("/sys/firmware/efi/x", "").program(line, &text[..end]);
            assert_eq!(facts_of(look(&machine)).collectors.len(), 1, "{name} until {end}");
        }
    };
    every_end("dmidecode-2-3-39.txt", "dmidecode -t 2,3,39", dmi::look);
    every_end("dmidecode-17.txt", "dmidecode -t 17", memory::look);
    every_end("lldpcli.json", "lldpcli -f json0 show neighbors", lldp::look);
    every_end("lspci.txt", "lspci -Dvmmknn", pci::look);
    every_end("ipmitool-lan.txt", "ipmitool lan print", bmc::look);
    every_end("efibootmgr.txt", "efibootmgr", boot::look);
}
