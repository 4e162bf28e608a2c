//! The four loops, and everything that looks like one and is none.
//!
//! Each case is a history (`session::history`): what the machine did, what it does last, and what that comes to.

use super::*;
use crate::{model::IssueKind, rules::session::history::*};

const BOOT: &str = "ipxe; {} script; {} mark; {} document ks";

/// One power-on that comes as far as the answer file, beginning at `start`.
fn boot(start: i64) -> String {
    let mut times = (1..).map(|second| (start + second * 5).to_string());
    format!("{start} ") + &BOOT.split("{}").map(str::to_owned).reduce(|whole, part| whole + &times.next().unwrap() + &part).unwrap()
}

#[track_caller]
fn check_in(mut history: History, before: &str, last: &str, want: &str) {
    if !before.is_empty() {
        history.play(before);
    }
    assert_eq!(history.play(last), want, "{before}; {last}");
}

#[track_caller]
fn check(before: &str, last: &str, want: &str) {
    check_in(History::building(), before, last, want);
}

#[test]
fn a_first_boot_is_no_loop() {
    check("", &boot(0), "1 Document");
    check("0 firmware; 2 loader; 3 ipxe", "4 script", "1 Script");
}

#[test]
fn asking_again_within_one_boot_is_a_retry() {
    check(&boot(0), "16 document ks", "1 again, retry");
    check(&boot(0), "17 script", "1 again, retry");
    check(&boot(0), "18 document meta-data", "1 again");
}

#[test]
fn firmware_loop() {
    check("0 firmware; 28 firmware", "100 firmware", "opens 2, firmware loop 1");
    check("0 firmware; 100 firmware", "200 firmware", "opens 3, firmware loop 2");
}

#[test]
fn loader_loop() {
    check("0 firmware; 2 loader", "70 firmware", "opens 2, loader loop 1");
    check("0 ipxe; 1 script; 60 ipxe", "61 script", "2 Script, loader loop 1");
    check("0 ipxe; 1 script; 3 file linux; 60 ipxe", "61 script", "2 Script, loader loop 1");
    check("0 ipxe; 1 script; 3 mark; 60 ipxe", "61 script", "2 Script, loader loop 1");
}

#[test]
fn template_loop() {
    check(&format!("{}; 600 ipxe", boot(0)), "601 script", "2 Script, template loop 1");
    check(&format!("{}; {}; 900 ipxe", boot(0), boot(600)), "901 script", "3 Script, template loop 2");
}

#[test]
fn a_loop_is_counted_once_a_session() {
    let twice = format!("{}; 600 ipxe; 601 script", boot(0));
    check(&twice, "602 script", "2 again, retry");
    check(&format!("{twice}; 603 mark"), "604 document ks", "2 Document");
    check(&format!("{twice}; 603 mark; 604 document ks"), "605 document ks", "2 again, retry");
    check("0 firmware; 100 firmware; 101 loader; 102 ipxe", "103 script", "2 Script");
}

#[test]
fn a_loader_without_a_script_is_judged_by_its_document() {
    check("0 firmware; 2 loader; 9 document grub.cfg; 200 firmware; 202 loader", "209 document grub.cfg", "2 Document, template loop 1");
}

#[test]
fn a_late_request_of_an_earlier_boot_is_no_loop() {
    let mut history = History::building();
    history.play(&format!("{}; 600 ipxe; 601 script", boot(0)));
    let late = on_template(&history.host, SessionId(1), SCRIPT, LoopPolicy::Halt, at(602));
    assert_eq!(late.verdict, Verdict::Retry);
}

#[test]
fn an_expected_boot_is_no_loop() {
    let windows = || History::building().with(|build| build.expected_boots = 2);
    let first = boot(0);
    check_in(windows(), &format!("{first}; 600 ipxe"), "601 script", "2 Script, excused");
    check_in(windows(), &format!("{first}; 600 ipxe; 601 script"), "602 script", "2 again, retry");
    check_in(windows(), &format!("{first}; 600 ipxe; 601 script"), "620 document ks", "2 Document");
    check_in(windows(), &format!("{first}; 600 ipxe; 601 script; 900 ipxe"), "901 script", "3 Script, loader loop 1");
}

#[test]
fn an_expected_boot_is_used_up_though_its_script_is_asked_for_twice_before_it_is_sent() {
    let mut history = History::building().with(|build| build.expected_boots = 2);
    history.play(&format!("{}; 600 ipxe", boot(0)));
    let first = on_template(&history.host, SessionId(2), SCRIPT, LoopPolicy::Halt, at(601));
    let second = on_template(&first.host, SessionId(2), SCRIPT, LoopPolicy::Halt, at(602));
    assert!(matches!(first.verdict, Verdict::Excused(_)));
    assert_eq!(second.verdict, Verdict::Fresh);
    assert_eq!(second.host.build.unwrap().expected_boots, 1);
}

#[test]
fn after_a_rearm_the_next_boot_is_the_first() {
    check(&format!("{}; 500 rearm; 600 ipxe", boot(0)), "601 script", "2 Script");
    check("0 firmware; 50 rearm", "100 firmware", "opens 2");
    check(&format!("{}; 500 rearm; 600 ipxe; 601 script; 900 ipxe", boot(0)), "901 script", "3 Script, loader loop 1");
}

#[test]
fn a_new_build_begins_without_loops() {
    let mut history = History::building();
    history.play(&format!("{}; 600 ipxe; 601 script", boot(0)));
    history.host.build = Some(Build { id: crate::model::BuildId(uuid::Uuid::from_u128(8)), ..open_build() });
    assert_eq!(history.play("900 ipxe; 901 script"), "3 Script");
}

#[test]
fn a_power_cycle_within_a_minute_and_before_any_template_is_no_loop() {
    check("0 firmware; 2 loader", "30 firmware", "opens 2, excused");
    check("0 firmware; 2 loader; 30 firmware; 31 loader", "60 firmware", "opens 3, loader loop 1");
    check("0 ipxe; 1 script; 30 ipxe", "31 script", "2 Script, loader loop 1");
}

#[test]
fn the_policy_says_when_to_halt() {
    let twice = format!("{}; 600 ipxe", boot(0));
    let thrice = format!("{}; {}; 1200 ipxe", boot(0), boot(600));
    check_in(History::building().policy(LoopPolicy::Halt), &twice, "601 script", "2 Script, template loop 1 halted");
    check_in(History::building().policy(LoopPolicy::HaltAfter(1)), &twice, "601 script", "2 Script, template loop 1 halted");
    check_in(History::building().policy(LoopPolicy::HaltAfter(2)), &thrice, "1201 script", "3 Script, template loop 2 halted");
    check_in(History::building().policy(LoopPolicy::Warn), &thrice, "1201 script", "3 Script, template loop 2");
    let fourth = format!("{}; {}; {}; 1800 ipxe", boot(0), boot(600), boot(1200));
    check(&fourth, "1801 script", "4 Script, template loop 3 halted");
}

#[test]
fn a_build_that_is_halted_or_ended_is_not_judged() {
    let halted = || History::building().policy(LoopPolicy::Halt);
    let twice = format!("{}; 600 ipxe; 601 script; 900 ipxe", boot(0));
    check_in(halted(), &twice, "901 script", "3 Script");
    let ended = || History::building().with(|build| build.end = Some(BuildEnd::Cancelled));
    check_in(ended(), &format!("{}; 600 ipxe", boot(0)), "601 script", "2 Script");
    let image = || History::building().with(|build| build.method = Method::Image);
    check_in(image(), &format!("{}; 600 ipxe", boot(0)), "601 script", "2 Script");
}

#[test]
fn a_strict_build_that_is_built_and_a_frozen_host_come_back_without_being_judged() {
    let twice = |change: fn(&mut Host)| {
        let mut history = History::building();
        history.play(&boot(0));
        change(&mut history.host);
        history.play("600 ipxe; 601 script")
    };
    assert_eq!(twice(|host| host.build.as_mut().unwrap().stage = Stage::Built), "2 Script");
    let frozen = crate::model::host::Frozen { by: "ann".to_owned(), why: "arrears".to_owned() };
    let mut history = History::building();
    history.play(&boot(0));
    history.host.holds.frozen = Some(frozen);
    assert_eq!(history.play("600 ipxe; 601 script"), "2 Script");
}

#[test]
fn a_lost_callback_is_probably_built_and_no_loop() {
    let ran = format!("{}; 900 os; 1100 ipxe", boot(0));
    check(&ran, "1101 script", "2 Script, probably built");
    check(&format!("{}; 900 os; 930 ipxe", boot(0)), "931 script", "2 Script, template loop 1");
    check(&format!("{ran}; 1101 script; 1102 rearm"), "1103 script", "2 again");
}

#[test]
fn it_is_probably_built_only_while_nobody_expects_another_boot() {
    let mut history = History::building();
    history.play(&format!("{}; 900 os", boot(0)));
    assert_eq!(probably_built(&history.host, at(1000)), None);
    assert!(probably_built(&history.host, at(1080)).unwrap().starts_with("Probably built: after stage provision_template_sent"));
    history.host.build.as_mut().unwrap().expected_boots = 2;
    assert_eq!(probably_built(&history.host, at(1080)), None);
    history.host.build.as_mut().unwrap().end = Some(BuildEnd::Built);
    assert_eq!(probably_built(&history.host, at(1080)), None);
}

/// So many boots from disk, so many seconds apart, as the local-boot rule sees them.
#[track_caller]
fn local(change: impl Fn(&mut Host), boots: i64, apart: i64, want: Option<u32>) {
    let mut history = History::building().with(|build| build.end = Some(BuildEnd::Built));
    history.host.lifecycle = Lifecycle::Used;
    change(&mut history.host);
    for i in 0..boots {
        history.play(&format!("{0} ipxe; {0} script; {0} disk", i * apart));
    }
    let found = local_boot(&history.host, history.now);
    assert_eq!(found.as_ref().map(|one| one.attempt), want);
    assert!(found.is_none_or(|one| one.class == LoopClass::LocalBoot && !one.halted && one.text.contains("times within 10 minutes")));
}

#[test]
fn local_boot_loop() {
    local(|_| {}, 5, 60, None);
    local(|_| {}, 6, 60, Some(1));
    local(|_| {}, 8, 60, Some(3));
    local(|_| {}, 6, 121, None);
    local(|host| host.build = None, 6, 60, Some(1));
    local(|host| (host.build, host.lifecycle) = (None, Lifecycle::Available), 9, 60, None);
}

#[test]
fn each_class_says_what_was_seen_and_what_to_look_at() {
    let text = |steps: &str| {
        let mut history = History::building();
        history.play(steps);
        let session = history.host.session().unwrap().id;
        let judged = [
            on_opening(&history.host, session, history.policy, history.now),
            on_template(&history.host, session, SCRIPT, history.policy, history.now),
        ];
        judged.iter().find_map(Judged::found).map(|found| found.text.clone()).unwrap_or_default()
    };
    // The last session opened, but was not judged yet by `play`.
    let parts = [
        ("0 ipxe; 1 script; 60 ipxe", "Loader loop, no. 1: it was switched on again after it had its script, but neither kernel"),
        ("0 ipxe; 1 script; 2 file linux; 60 ipxe", "only linux arrived whole"),
        ("0 ipxe; 1 script; 2 mark; 60 ipxe", "kernel and initrd arrived, but the installer never asked"),
        ("0 ipxe; 1 script; 2 mark; 9 document ks; 600 ipxe", "it had used ks, came to stage provision_template_sent and never reported built"),
    ];
    for (steps, part) in parts {
        assert!(text(steps).contains(part), "{steps}: {}", text(steps));
        assert!(text(steps).contains("Look "), "advice");
    }
}

#[test]
fn uses_are_counted_and_kept_with_their_newest_session() {
    let mut history = History::building();
    history.play(&format!("{}; 16 document ks; 17 document ks", boot(0)));
    let used = &history.host.build.as_ref().unwrap().used["ks"];
    assert_eq!((used.session, used.count, used.first, used.last), (SessionId(1), 3, at(15), at(17)));
    let idle = History::idle();
    assert_eq!(used_without_build(&idle.host), idle.host);
}

fn used_without_build(host: &Host) -> Host {
    used(host, SessionId(1), "ks", at(1))
}

#[test]
fn a_loop_becomes_the_lifecycle_s_event() {
    let found = Loop { class: LoopClass::Template, attempt: 3, stage: None, halted: true, text: "t".to_owned() };
    let event = Event::LoopSeen { class: LoopClass::Template, halt: true, text: "t".to_owned(), session: SessionId(4) };
    assert_eq!(found.event(SessionId(4)), event);
}

#[test]
fn a_rearm_settles_the_issue() {
    let mut history = History::building();
    history.host.raise(IssueKind::BootLoop, "x".to_owned(), at(0));
    history.play("1 rearm");
    assert!(history.host.issues.is_empty());
}

#[test]
fn a_firmware_that_goes_on_to_its_next_boot_entry_is_no_second_boot() {
    let boots = |count: i64| {
        let mut history = History::building().with(|build| build.end = Some(BuildEnd::Built));
        history.host.lifecycle = Lifecycle::Used;
        for i in 0..count {
            let at = i * 60;
            history.play(&format!("{at} firmware; {} script; {} disk", at + 3, at + 3));
            history.play(&format!("{} firmware-http; {} script; {} disk", at + 8, at + 11, at + 11));
        }
        local_boot(&history.host, history.now).map(|one| one.attempt)
    };
    assert_eq!(boots(5), None);
    assert_eq!(boots(6), Some(1));
}
