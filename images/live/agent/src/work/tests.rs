//! Whole power-ons against a server on 127.0.0.1 and a recorded machine: what is asked, what is done, how it ends.
//!
//! The hands that touch disks are replaced by ones that touch none; that a wipe begins at all is seen in what they report.

use std::time::Duration;

use super::*;
use crate::{
    console::tests::Screen,
    contract::{Action, DiskResult, sha256_hex},
    machine::recorded::Recorded,
    talk::server::{Asked, Line, PARTIAL, Server},
};

const PLAN: &str = r#"{"version":1,"host":"h","name":"r12-u07","policy":"clear","facts_at":"2026-11-20T10:15:00Z","disks":[{"id":"wwn:0x5","name":"sda","model":"M","serial":"S","wwn":"0x5","size_bytes":480103981056,"transport":"sata","methods":["overwrite"],"soft_secs":1,"hard_secs":2}],"left":[],"parallel":4}"#;

fn reply(action: Action, reason: &str) -> Reply {
    Reply { protocol: 1, action, host: "r12-u07".to_owned(), reason: reason.to_owned(), heartbeat_secs: 30, plan: None, plan_hash: None }
}

fn say(reply: &Reply) -> Line {
    Line::Say(200, "", serde_json::to_string(reply).unwrap())
}

fn order(action: Action, reason: &str) -> Line {
    say(&reply(action, reason))
}

fn clean() -> Reply {
    Reply { plan: Some(PLAN.to_owned()), plan_hash: Some(sha256_hex(PLAN)), ..reply(Action::Clean, "released by anna") }
}

fn denial(status: u16, code: &str) -> Line {
    Line::Say(status, "", format!(r#"{{"code":"{code}","text":"Words for {code}."}}"#))
}

/// Erases nothing and says that it did, unless it is stopped first.
fn wipe(_: &dyn Machine, plan: &WipePlan, watch: &Watch) -> Outcome {
    watch.say(|progress| progress.step = "erasing".to_owned());
    let at = "2026-11-20T10:15:00Z".parse().unwrap();
    let result = |id: &crate::contract::DiskId| DiskResult {
        id: id.clone(),
        name: String::new(),
        ok: true,
        method: None,
        attempts: Vec::new(),
        started: at,
        ended: at,
        verification: crate::contract::Verification::default(),
        error: None,
    };
    Outcome { results: plan.disks.iter().map(|disk| result(&disk.id)).collect(), tools: vec!["true 1.0".to_owned()], error: None }
}

/// Waits for the abort.
fn endless(machine: &dyn Machine, plan: &WipePlan, watch: &Watch) -> Outcome {
    let mut seen = 0;
    while !watch.stopped() {
        (seen, _) = watch.after(seen, Duration::from_secs(60));
    }
    wipe(machine, plan, watch)
}

struct Lived {
    code: u8,
    asked: Vec<Asked>,
    switched: Vec<String>,
    screen: String,
}

impl Lived {
    fn paths(&self) -> Vec<&str> {
        self.asked.iter().map(|asked| asked.path.rsplit('/').next().unwrap()).collect()
    }
}

/// One power-on with `mode` words on the kernel's command line and without heartbeats beside the job.
fn live(mode: &str, wipe: WipeBy, book: Vec<Line>) -> Lived {
    live_with(0, |_| (Vec::new(), Vec::new()), mode, wipe, book)
}

fn live_with(beats: usize, disks: DisksOf, mode: &str, wipe: WipeBy, book: Vec<Line>) -> Lived {
    let server = Server::with(book);
    let line = format!("bw.server={} bw.host=r12-u07 bw.session=00c0ffee5eed1234 bw.token=abcdefghijklmnop234567abcd {mode}", server.address);
    let recorded = Arc::new(
        Recorded::new()
            .beats(beats)
            .file(gate::MARKER, "Bootwright live image\n")
            .file(RELEASE, "IMAGE=6.1.0-40-amd64-ab12cd34\nKERNEL=6.1.0-40-amd64\n")
            .file("/proc/cmdline", line)
            .symlink("/sys/class/net/eth0/device", "../0000:04:00.0")
            .file("/sys/class/net/eth0/type", "1\n")
            .file("/sys/class/net/eth0/address", "52:54:00:12:34:56\n")
            .program(
                "ip -4 -o addr show scope global",
                "2: eth0    inet 10.12.0.50/24 brd 10.12.0.255 scope global eth0\\       valid_lft forever\n",
            ),
    );
    let (machine, screen): (Arc<dyn Machine>, _) = (Arc::<Recorded>::clone(&recorded), Screen::default());
    let code = super::live(&machine, &screen.console(), Hands { disks, wipe });
    let switched = recorded.asked().into_iter().filter(|asked| asked.starts_with("switch")).collect();
    Lived { code, asked: server.asked(), switched, screen: screen.text() }
}

/// A wipe that only an abort ends, with so many heartbeats beside it.
fn endlessly(beats: usize, book: Vec<Line>) -> Lived {
    live_with(beats, |_| (Vec::new(), Vec::new()), &to_clean(), endless, book)
}

fn to_clean() -> String {
    format!("bw.mode=clean bw.plan={}", sha256_hex(PLAN))
}

fn never(_: &dyn Machine, _: &WipePlan, _: &Watch) -> Outcome {
    panic!("a wipe began");
}

#[test]
fn a_registration_reports_and_boots_when_it_is_told() {
    let waiting = "registered; waiting for a profile";
    let book = vec![
        order(Action::Register, "registration started"),
        order(Action::Continue, ""),
        order(Action::Wait, waiting),
        order(Action::Wait, waiting),
        order(Action::Reboot, "a build is open"),
    ];
    // The disks take until the partial report has come.
    let disks: DisksOf = |_| {
        crate::machine::Real::new().wait_for(&PARTIAL, Duration::from_secs(60));
        (Vec::new(), Vec::new())
    };
    let lived = live_with(1, disks, "bw.mode=register bw.mac=52:54:00:12:34:56", never, book);
    let hello = &lived.asked[0].body;
    assert_eq!((hello["image"].as_str(), hello["macs"][0].as_str()), (Some("6.1.0-40-amd64-ab12cd34"), Some("52:54:00:12:34:56")));
    let reports: Vec<&Asked> = lived.asked.iter().filter(|asked| asked.path.ends_with("report")).collect();
    let whole = reports.last().unwrap();
    assert_eq!((reports.len(), reports[0].body["kind"].as_str()), (2, Some("partial")));
    assert_ne!(reports[0].body["report_id"], whole.body["report_id"]);
    assert_eq!((whole.body["kind"].as_str(), whole.body["facts"]["nics"][0]["boot"].as_bool()), (Some("facts"), Some(true)));
    assert_eq!((lived.code, lived.switched), (0, vec!["switch Reboot".to_owned()]));
    for line in [
        "live image 6.1.0-40-amd64-ab12cd34",
        "host r12-u07, session 00c0ffee5eed1234",
        "cards 52:54:00:12:34:56 (boot)",
        "address 10.12.0.50/24 on eth0",
        "mode REGISTER: reads the hardware, touches no disk",
        "reported facts",
        "waiting: registered; waiting for a profile",
        "rebooting: a build is open",
    ] {
        assert!(lived.screen.contains(line), "{line}: {}", lived.screen);
    }
}

#[test]
fn a_clean_erases_reports_and_powers_off() {
    let book = vec![say(&clean()), order(Action::Wait, "clean"), order(Action::Poweroff, "decommissioned")];
    let lived = live(&to_clean(), wipe, book);
    assert_eq!(lived.paths(), ["hello", "report", "heartbeat"]);
    let body = &lived.asked[1].body;
    assert_eq!((body["kind"].as_str(), body["plan_hash"].as_str()), (Some("wipe"), Some(sha256_hex(PLAN).as_str())));
    assert_eq!((body["results"][0]["ok"].as_bool(), lived.asked[2].body["step"].as_str()), (Some(true), Some("waiting")));
    assert_eq!(lived.switched, ["switch Off"]);
    for line in [
        "mode CLEAN: erases 1 disk by plan ",
        "erases wwn:0x5: sda M, 480.1 GB, serial S",
        "result wwn:0x5: erased and verified",
        "reported wipe",
        "powering off: decommissioned",
    ] {
        assert!(lived.screen.contains(line), "{line}: {}", lived.screen);
    }
}

#[test]
fn a_refused_wipe_is_reported_and_touches_nothing() {
    let lived = live("bw.mode=register", never, vec![say(&clean()), order(Action::Reboot, "again")]);
    let text = lived.asked[1].body["text"].as_str().unwrap();
    assert_eq!((lived.paths(), lived.asked[1].body["kind"].as_str()), (vec!["hello", "report"], Some("failed")));
    assert!(text.contains("bw.mode=register") && lived.screen.contains(text), "{text}");
}

#[test]
fn an_abort_stops_the_wipe_and_reports_nothing() {
    let book = vec![say(&clean()), order(Action::Continue, ""), order(Action::Abort, "cancelled by anna"), order(Action::Reboot, "a new order")];
    let lived = endlessly(2, book);
    assert_eq!(lived.paths(), ["hello", "heartbeat", "heartbeat", "heartbeat"]);
    assert!(
        lived.screen.contains("error: the server says stop: cancelled by anna") && lived.screen.contains("nothing more is touched"),
        "{}",
        lived.screen
    );
}

#[test]
fn a_token_that_nobody_knows_stops_the_wipe_and_boots_again() {
    for no in [denial(403, "unknown_token"), denial(409, "wrong_session")] {
        let lived = endlessly(1, vec![say(&clean()), no, denial(401, "unknown_token")]);
        assert_eq!(lived.paths(), ["hello", "heartbeat", "heartbeat"]);
        assert_eq!(lived.switched, ["switch Reboot"]);
        assert!(lived.screen.contains("rebooting: the server says no (401 unknown_token)"), "{}", lived.screen);
    }
}

#[test]
fn a_server_that_is_away_does_not_stop_a_wipe() {
    let book = vec![say(&clean()), Line::Say(503, "", String::new()), Line::Hang, order(Action::Abort, "now"), denial(401, "unknown_token")];
    let lived = endlessly(3, book);
    assert_eq!(lived.paths(), ["hello", "heartbeat", "heartbeat", "heartbeat", "heartbeat"]);
    assert!(lived.screen.contains("the work goes on"), "{}", lived.screen);
}

#[test]
fn an_order_to_clean_while_waiting_is_not_obeyed() {
    let book = vec![order(Action::Wait, "stay"), say(&clean()), order(Action::Register, ""), order(Action::Unknown, ""), order(Action::Reboot, "go")];
    let lived = live(&to_clean(), never, book);
    assert_eq!(lived.paths(), ["hello", "heartbeat", "heartbeat", "heartbeat", "heartbeat"]);
}

#[test]
fn a_report_that_was_given_up_is_sent_again_while_waiting() {
    // Twenty times 503 is more than ten minutes of our own waits; then the wait begins, and the server comes back.
    let mut book = vec![say(&clean())];
    book.extend((0..2).map(|_| Line::Say(503, "Retry-After: 300", String::new())));
    book.extend([Line::Say(503, "", String::new()), Line::Say(503, "", String::new()), order(Action::Wait, "taken"), order(Action::Reboot, "go")]);
    let lived = live(&to_clean(), wipe, book);
    assert_eq!(lived.paths(), ["hello", "report", "report", "report", "report", "report", "heartbeat"]);
    assert!(lived.asked[1..6].iter().all(|asked| asked == &lived.asked[1]), "the same id and the same results");
    assert!(lived.screen.contains("it is kept and sent again") && lived.screen.contains("waiting: taken"), "{}", lived.screen);
}

#[test]
fn a_report_that_is_malformed_is_replaced_by_a_word_about_it() {
    let lived = live(&to_clean(), wipe, vec![say(&clean()), denial(400, "malformed"), order(Action::Reboot, "go")]);
    assert_eq!(lived.paths(), ["hello", "report", "report"]);
    let failed = &lived.asked[2].body;
    assert_eq!(failed["kind"], "failed");
    assert!(failed["text"].as_str().unwrap().contains("Words for malformed."));
    assert_ne!(failed["report_id"], lived.asked[1].body["report_id"]);
    let lived = live("bw.mode=register", never, vec![say(&clean()), denial(400, "malformed"), order(Action::Reboot, "go")]);
    assert_eq!(lived.paths(), ["hello", "report", "heartbeat"], "a failure is not failed again");
}

#[test]
fn a_denied_hello_waits_for_a_newer_order() {
    let lived = live("bw.mode=register", never, vec![denial(409, "wrong_mode"), Line::Say(503, "", String::new()), order(Action::Poweroff, "off")]);
    assert_eq!((lived.paths(), lived.switched.join(",").as_str()), (vec!["hello", "heartbeat", "heartbeat"], "switch Off"));
    assert!(lived.screen.contains("last errors: the server says no (409 wrong_mode)"), "{}", lived.screen);
}

#[test]
fn a_bad_command_line_is_said_and_nothing_is_asked() {
    let machine: Arc<dyn Machine> = Arc::new(Recorded::new().file(gate::MARKER, "").file("/proc/cmdline", "quiet\n"));
    let screen = Screen::default();
    let code = super::live(&machine, &screen.console(), Hands { disks: |_| (Vec::new(), Vec::new()), wipe: never });
    assert_eq!(code, 2);
    assert!(screen.text().contains("error: the kernel's command line has no bw.server="), "{}", screen.text());
}

#[test]
fn a_silent_server_means_another_boot() {
    let line = "bw.server=http://127.0.0.1:1 bw.host=a bw.session=00c0ffee5eed1234 bw.token=abcdefghijklmnop234567abcd bw.mode=register";
    let recorded = Arc::new(Recorded::new().file(gate::MARKER, "").file("/proc/cmdline", line));
    let (machine, screen): (Arc<dyn Machine>, _) = (Arc::<Recorded>::clone(&recorded), Screen::default());
    super::live(&machine, &screen.console(), Hands { disks: |_| (Vec::new(), Vec::new()), wipe: never });
    assert!(recorded.asked().contains(&"switch Reboot".to_owned()) && screen.text().contains("rebooting: no answer within 10 minutes"));
}
