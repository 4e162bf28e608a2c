//! A machine against a server made of a table, with a clock of its own: every way of arriving late, and every way of not arriving.
//!
//! The server answers everything well and at once unless a case says otherwise, so each case reads as the one thing that goes wrong.

use std::collections::BTreeMap;

use super::*;
use crate::{
    simulate::{dora::tests::answer, weather::chance},
    wire::dhcp::{ReplyKind, Request, RequestKind},
};

/// What a case makes of an output: answers instead of the usual ones.
type Odd<'a> = &'a mut dyn FnMut(&Ask, usize) -> Option<Vec<Back>>;

/// What the machine sent, as the cases talk of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    Discover,
    Request,
    Rrq,
    Ack,
    Get(String),
    Other,
}

/// What comes back.
#[derive(Debug, Clone)]
enum Back {
    Dhcp(Vec<u8>),
    Nak,
    File(&'static str),
    Tftp(Vec<u8>),
    Http(Reply),
}

struct Run {
    record: Record,
    asked: Vec<Ask>,
    fetched: Vec<Fetch>,
}

fn golden(name: &str) -> String {
    let path = format!("{}/tests/golden/templates/plain/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().replace("10.77.0.1", "10.0.0.1")
}

fn said(status: u16, body: impl Into<String>) -> Back {
    Back::Http(Reply::Answer { status, retry_after: None, body: body.into() })
}

fn broken() -> Option<Vec<Back>> {
    Some(vec![Back::Http(Reply::Broken("reset".into()))])
}

fn nothing() -> Option<Vec<Back>> {
    Some(Vec::new())
}

fn script(body: &str) -> Option<Vec<Back>> {
    Some(vec![said(200, format!("#!ipxe\n{body}"))])
}

fn ask_of(output: &Output) -> Ask {
    match output {
        Output::Dhcp(bytes) if Request::parse(bytes).unwrap().kind == RequestKind::Discover => Ask::Discover,
        Output::Dhcp(_) => Ask::Request,
        Output::Datagram(_, bytes) if bytes[1] == 1 => Ask::Rrq,
        Output::Datagram(_, bytes) if bytes[1] == 4 => Ask::Ack,
        Output::Fetch(_, fetch) => Ask::Get(fetch.path.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned()),
        _ => Ask::Other,
    }
}

/// The usual answer of a good server whose host has been `built` or not.
fn usual(output: &Output, ask: &Ask, built: bool) -> Vec<Back> {
    let file = |bytes: &[u8]| {
        let request = Request::parse(bytes).unwrap();
        match () {
            () if request.has_user_class("iPXE") => "http://10.0.0.1/boot.ipxe?mac=${netX/mac}",
            () if request.archs.is_empty() => "",
            () => "snponly.efi",
        }
    };
    match (output, ask) {
        (Output::Dhcp(bytes), Ask::Discover) => vec![Back::Dhcp(answer(bytes, ReplyKind::Offer, file(bytes)))],
        (Output::Dhcp(bytes), _) => vec![Back::Dhcp(answer(bytes, ReplyKind::Ack, file(bytes)))],
        (Output::Datagram(..), Ask::Rrq) => vec![Back::Tftp(b"\0\x06tsize\x003\0blksize\x001468\0".to_vec())],
        (Output::Datagram(..), Ask::Ack) => vec![Back::Tftp(b"\0\x03\0\x01efi".to_vec())],
        (Output::Fetch(..), Ask::Get(name)) => vec![match name.as_str() {
            "boot.ipxe" if built => said(200, golden("ipxe/local.ipxe")),
            "boot.ipxe" => said(200, golden("ipxe/install.ipxe")),
            "ks" => said(200, golden("kickstart/rhel.ks")),
            "vmlinuz" | "initrd.img" => said(200, ""),
            _ => said(204, ""),
        }],
        _ => Vec::new(),
    }
}

fn rack(goal: Goal) -> Rack {
    let mut scenario = Scenario::named("build").unwrap();
    scenario.goal = goal;
    scenario.firmware.power_cycles = 1;
    scenario.installer.tries = 3;
    let server = Ipv4Addr::new(10, 0, 0, 1);
    let relay = Ipv4Addr::new(10, 0, 0, 2);
    Rack { scenario, allowed: vec![server], relay, tftp_port: 69, http_port: 80, timeout: Duration::from_secs(600) }
}

/// A machine's whole life. `odd` is asked with every request and how often the like has been asked before.
fn live(rack: Rack, odd: Odd<'_>) -> Run {
    let host = Identity::new("02:00:00:00:00:00".parse().unwrap(), 5).unwrap();
    let mut machine = Machine::new(Arc::new(rack), host, chance(1, 5, 0), Duration::from_secs(1));
    let (mut now, mut built, mut counts) = (Duration::ZERO, false, BTreeMap::new());
    let (mut asked, mut fetched, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        now = machine.wakes_at().map_or(now, |at| at.max(now));
        machine.take(now, Input::Wake, &mut outputs);
        while !outputs.is_empty() {
            let output = outputs.remove(0);
            if output == Output::Over {
                return Run { record: machine.record, asked, fetched };
            }
            let ask = ask_of(&output);
            let count = counts.entry(ask.clone()).or_insert(0);
            let backs = odd(&ask, *count).unwrap_or_else(|| usual(&output, &ask, built));
            *count += 1;
            built |= ask == Ask::Get("built".into()) && backs.iter().any(|back| matches!(back, Back::Http(Reply::Answer { status: 204, .. })));
            if let Output::Fetch(_, fetch) = &output {
                fetched.push(fetch.clone());
            }
            for back in backs {
                let dhcp = |kind, file| if let Output::Dhcp(bytes) = &output { answer(bytes, kind, file) } else { panic!("no DHCP") };
                let from = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 40_000);
                match back {
                    Back::Dhcp(bytes) => machine.take(now, Input::Dhcp(&bytes), &mut outputs),
                    Back::Nak => machine.take(now, Input::Dhcp(&dhcp(ReplyKind::Nak, "")), &mut outputs),
                    Back::File(file) if ask == Ask::Discover => machine.take(now, Input::Dhcp(&dhcp(ReplyKind::Offer, file)), &mut outputs),
                    Back::File(file) => machine.take(now, Input::Dhcp(&dhcp(ReplyKind::Ack, file)), &mut outputs),
                    Back::Tftp(bytes) => machine.take(now, Input::Datagram(from, &bytes), &mut outputs),
                    Back::Http(reply) => machine.take(now, Input::Http(reply), &mut outputs),
                }
            }
            asked.push(ask);
        }
    }
}

fn get(name: &str) -> Ask {
    Ask::Get(name.into())
}

/// The build arrives in spite of it, and the record says what it cost.
#[track_caller]
fn arrives(odd: Odd<'_>, stage: Stage, why: &str, times: u32, secs: u64) -> Run {
    let run = live(rack(Goal::LocalBoot), odd);
    assert_eq!(run.record.failure, None);
    let note = run.record.notes.iter().find(|note| note.stage == stage && note.why == why);
    let cost = note.map(|note| (note.times, note.lasted.as_secs()));
    assert_eq!(cost, Some((times, secs)), "{:?}", run.record.notes);
    run
}

/// It ends with this reason, and the text says this.
#[track_caller]
fn fails(goal: Goal, odd: Odd<'_>, reason: &str, text: &str) -> Run {
    let run = live(rack(goal), odd);
    let failure = run.record.failure.as_ref().expect("it arrived");
    assert_eq!(failure.reason, reason, "{failure:?}");
    assert!(failure.text.contains(text), "{failure:?}");
    run
}

#[test]
fn a_whole_build_asks_for_everything_in_its_order_and_its_times_add_up() {
    let run = live(rack(Goal::LocalBoot), &mut |_, _| None);
    assert_eq!(run.record.failure, None);
    let paths: Vec<&str> = run.asked.iter().filter_map(|ask| if let Ask::Get(name) = ask { Some(name.as_str()) } else { None }).collect();
    let callbacks = ["started", "installing", "post_running", "built"];
    assert_eq!(paths, [&["boot.ipxe", "vmlinuz", "initrd.img", "kernel", "ks"][..], &callbacks, &["boot.ipxe"]].concat());
    assert_eq!(run.asked.iter().filter(|ask| **ask == Ask::Discover).count(), 5, "firmware, iPXE, installer, firmware, iPXE");
    assert!(run.fetched[0].agent.starts_with("iPXE/") && run.fetched[0].path == "/boot.ipxe?mac=02:00:00:00:00:05");
    assert!(run.fetched.iter().filter(|fetch| fetch.path.starts_with("/cb/") && fetch.agent == "anaconda").all(|fetch| fetch.post.is_some()));
    let sum: Duration = Stage::ALL.into_iter().filter_map(|stage| run.record.span(stage)).sum();
    assert_eq!(sum, run.record.whole);
    assert_eq!(live(rack(Goal::LocalBoot), &mut |_, _| None).record.whole, run.record.whole, "the same chances, the same life");
}

#[test]
fn what_the_network_loses_costs_what_firmware_waits() {
    arrives(&mut |ask, count| if *ask == Ask::Discover && count == 0 { nothing() } else { None }, Stage::Dhcp, "no DHCP answer", 1, 4);
    arrives(&mut |ask, count| if *ask == Ask::Request && count < 2 { nothing() } else { None }, Stage::Dhcp, "no DHCP answer", 2, 12);
    arrives(&mut |ask, count| if *ask == Ask::Discover && count == 1 { nothing() } else { None }, Stage::IpxeDhcp, "no DHCP answer", 1, 1);
    arrives(&mut |ask, count| if *ask == Ask::Request && count == 0 { Some(vec![Back::Nak]) } else { None }, Stage::Dhcp, "DHCPNAK", 1, 0);
    arrives(&mut |ask, count| if *ask == Ask::Rrq && count == 1 { nothing() } else { None }, Stage::Loader, "no answer to the request", 1, 1);
    arrives(&mut |ask, count| if *ask == Ask::Ack && count < 3 { nothing() } else { None }, Stage::Loader, "no data", 3, 3);
}

#[test]
fn a_doubled_packet_changes_nothing() {
    let data = || Back::Tftp(b"\0\x03\0\x01efi".to_vec());
    let run = live(rack(Goal::LocalBoot), &mut |ask, count| if *ask == Ask::Ack && count == 0 { Some(vec![data(), data()]) } else { None });
    assert_eq!((run.record.failure, run.record.notes.iter().any(|note| note.stage == Stage::Loader)), (None, false));
}

#[test]
fn a_broken_connection_is_repeated_by_whoever_had_it() {
    let first = |name: &'static str| move |ask: &Ask, count: usize| if *ask == get(name) && count == 0 { broken() } else { None };
    // iPXE's own script: it waits as it says (60 s, cut to the scenario's 5) and asks for itself again.
    arrives(&mut first("vmlinuz"), Stage::Files, "the script sleeps", 1, 5);
    arrives(&mut first("boot.ipxe"), Stage::Script, "nothing booted, switched on again", 1, 5);
    arrives(&mut first("ks"), Stage::Document, "asked again", 1, 2);
    arrives(&mut first("built"), Stage::Callbacks, "asked again", 1, 2);
    let run = arrives(&mut first("kernel"), Stage::Files, "a connection broke", 1, 0);
    assert_eq!(run.asked.iter().filter(|ask| **ask == get("vmlinuz")).count(), 1, "the progress mark is not worth another try");
}

#[test]
fn who_is_told_to_come_again_comes_when_it_was_told() {
    let busy = |name: &'static str| {
        move |ask: &Ask, count: usize| {
            let later = Reply::Answer { status: 503, retry_after: Some(7), body: "too busy.".into() };
            if *ask == get(name) && count == 0 { Some(vec![Back::Http(later)]) } else { None }
        }
    };
    for (name, stage) in [("boot.ipxe", Stage::Script), ("vmlinuz", Stage::Files), ("ks", Stage::Document), ("built", Stage::Callbacks)] {
        arrives(&mut busy(name), stage, "told to come again (Retry-After)", 1, 7);
    }
}

#[test]
fn a_hold_screen_is_named_as_one() {
    let hold = &mut |ask: &Ask, _: usize| if *ask == get("boot.ipxe") { Some(vec![said(200, golden("ipxe/hold.ipxe"))]) } else { None };
    fails(Goal::LocalBoot, hold, "held", "HELD; build 0190a1b2 is open");
    assert_eq!(live(rack(Goal::Hold), hold).record.failure, None);
    assert_eq!(live(rack(Goal::Script), hold).record.failure, None);
    fails(Goal::Hold, &mut |_, _| None, "told_to_install", "");
    arrives(
        &mut |ask, count| if *ask == get("boot.ipxe") && count < 2 { Some(vec![said(200, golden("ipxe/wait.ipxe"))]) } else { None },
        Stage::Script,
        "the script sleeps",
        2,
        10,
    );
}

#[test]
fn the_disk_is_where_a_build_ends_and_not_where_it_begins() {
    let local = &mut |ask: &Ask, _: usize| if *ask == get("boot.ipxe") { Some(vec![said(200, golden("ipxe/local.ipxe"))]) } else { None };
    fails(Goal::LocalBoot, local, "disk_too_early", "start from disk (exit); build 0190a1b2 is open");
    assert_eq!(live(rack(Goal::Disk), local).record.failure, None);
    let silence = &mut |ask: &Ask, _: usize| if *ask == Ask::Discover || *ask == Ask::Request { Some(vec![Back::File("")]) } else { None };
    fails(Goal::LocalBoot, silence, "disk_too_early", "names no boot file");
    fails(Goal::LocalBoot, &mut |ask, _| if *ask == get("boot.ipxe") { Some(vec![said(404, "")]) } else { None }, "disk_too_early", "404");
    let again = &mut |ask: &Ask, _: usize| if *ask == get("boot.ipxe") { Some(vec![said(200, golden("ipxe/install.ipxe"))]) } else { None };
    fails(Goal::LocalBoot, again, "installed_again", "after `built`");
    assert_eq!(live(rack(Goal::Files), &mut |_, _| None).record.failure, None);
}

#[test]
fn nobody_is_talked_to_whom_the_user_did_not_name() {
    let to = |url: &'static str| move |ask: &Ask, _: usize| if *ask == get("boot.ipxe") { script(&format!("kernel {url}")) } else { None };
    for url in [
        "http://192.0.2.9/vmlinuz",
        "http://boot.example/vmlinuz",
        "https://10.0.0.1/vmlinuz",
        "http://10.0.0.1:x/vmlinuz",
        "ftp://10.0.0.1/v",
        "http://10.0.0.1@192.0.2.9/",
    ] {
        let run = fails(Goal::LocalBoot, &mut to(url), "foreign_url", url);
        assert_eq!(run.fetched.len(), 1, "{url}: only the script");
    }
    let mut rack = rack(Goal::LocalBoot);
    rack.allowed = vec![Ipv4Addr::new(10, 0, 0, 9)];
    let run = live(rack, &mut |_, _| None);
    assert_eq!(run.record.failure.unwrap().reason, "foreign_address");
    assert!(!run.asked.contains(&Ask::Rrq));
}

#[test]
fn firmware_that_gets_nowhere_is_switched_on_again_and_then_named() {
    let silent = |what: Ask| move |ask: &Ask, _: usize| if *ask == what { nothing() } else { None };
    for (what, reason) in [(Ask::Discover, "no_offer"), (Ask::Request, "no_ack"), (Ask::Ack, "tftp_timeout")] {
        let run = fails(Goal::LocalBoot, &mut silent(what), reason, "");
        let again = run.record.notes.iter().find(|note| note.why == "nothing booted, switched on again").unwrap();
        assert_eq!(again.times, 1, "{reason}");
    }
    fails(
        Goal::LocalBoot,
        &mut |ask, _| if *ask == Ask::Rrq { Some(vec![Back::Tftp(b"\0\x05\0\x02not you\0".to_vec())]) } else { None },
        "tftp_refused",
        "2 not you",
    );
    fails(
        Goal::LocalBoot,
        &mut |ask, _| if *ask == Ask::Ack { Some(vec![Back::Tftp(b"\0\x03\0\x01ef".to_vec())]) } else { None },
        "tftp_wrong_size",
        "snponly.efi",
    );
    let named =
        |file: &'static str| move |ask: &Ask, _: usize| if matches!(ask, Ask::Discover | Ask::Request) { Some(vec![Back::File(file)]) } else { None };
    fails(Goal::LocalBoot, &mut named("http://10.0.0.1/x.efi"), "no_loader", "http://10.0.0.1/x.efi");
    fails(Goal::LocalBoot, &mut named("snponly.efi"), "no_script", "snponly.efi");
}

#[test]
fn a_script_that_leads_nowhere_is_named() {
    let is = |body: &'static str| move |ask: &Ask, _: usize| if *ask == get("boot.ipxe") { script(body) } else { None };
    fails(Goal::LocalBoot, &mut is("menu x"), "unknown_command", "menu, line 2");
    fails(Goal::LocalBoot, &mut is("kernel http://10.0.0.1/vmlinuz quiet\nboot"), "no_document", "quiet");
    fails(Goal::LocalBoot, &mut is("echo end"), "script_ended", "end of the script");
    fails(Goal::LocalBoot, &mut is("reboot"), "script_restarts", "");
    fails(Goal::LocalBoot, &mut |ask, _| if *ask == get("boot.ipxe") { Some(vec![said(500, "sorry")]) } else { None }, "no_script", "500: sorry");
    let run = fails(Goal::LocalBoot, &mut is(":a\nsleep 3\ngoto a"), "timeout", "in script after 600 s");
    assert_eq!(run.record.whole, Duration::from_secs(600));
}

#[test]
fn an_installer_that_is_refused_says_by_whom() {
    let is = |name: &'static str, status: u16, body: &'static str| {
        move |ask: &Ask, _: usize| if *ask == get(name) { Some(vec![said(status, body)]) } else { None }
    };
    fails(Goal::LocalBoot, &mut is("ks", 403, "the build is closed\nmore"), "document_refused", "status 403: the build is closed");
    fails(Goal::LocalBoot, &mut is("ks", 409, "not now"), "document_refused", "status 409: not now");
    fails(Goal::LocalBoot, &mut is("ks", 500, "broken"), "no_document", "asked 3 times: broken");
    fails(Goal::LocalBoot, &mut is("ks", 200, "nothing"), "no_built_callback", "`built`");
    fails(Goal::LocalBoot, &mut is("started", 404, "no such token"), "callback_refused", "no such token");
    fails(Goal::LocalBoot, &mut is("built", 502, "bad"), "no_callback", "asked 3 times: bad");
}
