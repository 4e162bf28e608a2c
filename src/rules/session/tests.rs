//! What opens a session, what joins it, how far it comes.
//!
//! Wanted: `opens 2`, or the session with what it reached (`1 Script`), or `1 again` for nothing new.

use super::{
    history::{History, at},
    *,
};

#[track_caller]
fn check(before: &str, last: &str, want: &str) {
    let mut history = History::idle();
    if !before.is_empty() {
        history.play(before);
    }
    assert_eq!(history.play(last), want, "{before}; {last}");
}

#[test]
fn a_firmware_opens_one_session_however_often_it_asks() {
    check("", "0 firmware", "opens 1");
    check("0 firmware", "4 firmware", "1 again");
    check("0 firmware; 4 firmware; 12 firmware; 28 firmware", "60 firmware", "1 again");
}

#[test]
fn a_machine_that_only_asks_on_is_written_down_now_and_then() {
    let mut history = History::idle();
    history.play("0 firmware");
    let first = history.host.clone();
    history.play("1 firmware; 4 firmware");
    assert_eq!(history.host, first);
    history.play("5 firmware");
    assert_eq!(history.host.sessions[0].last_seen, at(5));
    history.play("6 loader");
    assert_eq!(history.host.sessions[0].last_seen, at(6), "what changes more is exact");
    history.play("20 script; 24 script");
    assert_eq!(history.host.sessions[0].last_seen, at(24), "and so is what is journalled with its hash anyhow");
}

#[test]
fn a_firmware_that_has_its_loader_and_asks_again_was_switched_on_again() {
    check("0 firmware; 2 loader", "9 firmware", "opens 2");
    check("0 firmware; 2 loader; 3 ipxe; 4 script; 5 disk", "30 firmware", "opens 2");
}

#[test]
fn a_firmware_that_fell_silent_for_a_minute_tries_anew() {
    check("0 firmware; 28 firmware", "89 firmware", "opens 2");
    check("0 firmware; 50 firmware; 100 firmware; 150 firmware; 200 firmware; 250 firmware; 300 firmware", "301 firmware", "opens 2");
}

#[test]
fn the_ipxe_that_our_loader_started_joins() {
    check("0 firmware; 2 loader", "4 ipxe", "1 again");
    check("0 firmware; 400 loader", "690 ipxe", "1 again");
    check("0 firmware; 2 loader", "303 ipxe", "opens 2");
    check("0 firmware", "300 ipxe", "1 again");
    check("0 firmware", "301 ipxe", "opens 2");
}

#[test]
fn an_ipxe_in_the_card_opens_and_opens_again_after_its_script() {
    check("", "0 ipxe", "opens 1");
    check("0 ipxe", "3 ipxe", "1 again");
    check("0 ipxe; 1 script", "20 ipxe", "opens 2");
    check("0 ipxe; 1 script; 5 mark; 9 document ks", "200 ipxe", "opens 2");
    check("0 ipxe; 30 ipxe", "91 ipxe", "opens 2");
}

#[test]
fn a_machine_that_is_silenced_asks_on_within_one_session() {
    check("0 firmware; 0 silenced; 4 firmware; 4 silenced", "12 firmware", "1 again");
    check("0 firmware; 0 silenced; 28 firmware; 28 silenced", "120 firmware", "opens 2");
    check("0 ipxe; 0 silenced", "3 ipxe", "1 again");
    check("0 ipxe; 0 silenced", "90 ipxe", "opens 2");
}

#[test]
fn installers_and_systems_never_open_a_session() {
    check("", "0 os MSFT 5.0", "nowhere");
    check("", "0 os d-i", "nowhere");
    check("", "0 loader", "nowhere");
    check("", "0 document ks", "nowhere");
    check("0 ipxe; 1 script; 2 disk", "99 os", "1 again");
}

#[test]
fn a_request_that_names_its_session_belongs_to_it() {
    check("0 ipxe; 1 script; 20 ipxe", "21 mark #1", "1 Kernel");
    check("0 ipxe; 1 script; 20 ipxe", "21 script #2", "2 Script");
    // One that is forgotten or made up belongs to the newest.
    check("0 ipxe; 1 script; 20 ipxe; 21 script", "22 mark #99", "2 Kernel");
}

#[test]
fn without_our_dhcp_the_script_opens_the_session() {
    check("", "0 plain-script", "opens 1");
    check("0 plain-script", "5 plain-script", "1 again");
    check("0 plain-script", "11 plain-script", "opens 2");
    check("0 plain-script; 2 mark; 3 document ks", "5 plain-script", "opens 2");
    check("0 firmware; 2 loader", "9 plain-script", "1 Script");
}

#[test]
fn a_session_only_goes_forward() {
    check("0 firmware; 2 loader; 3 ipxe", "4 script", "1 Script");
    check("0 ipxe; 1 script; 2 file linux", "3 file initrd", "1 Kernel");
    check("0 ipxe; 1 script; 2 file linux", "3 file linux", "1 again");
    check("0 ipxe; 1 script; 2 file linux; 3 file initrd", "4 mark", "1 again");
    check("0 ipxe; 1 script; 2 mark", "9 document ks", "1 Document");
    check("0 ipxe; 1 script; 2 mark; 9 document ks", "10 script", "1 again");
    check("0 ipxe; 1 script", "1 disk", "1 Disk");
}

#[test]
fn a_refusal_counts_once_a_session() {
    check("0 ipxe; 1 script", "2 refused", "1");
    check("0 ipxe; 1 script; 2 refused", "3 refused", "1 again");
}

#[test]
fn an_installed_system_shows_itself_well_after_the_document() {
    let seen = |steps: &str| {
        let mut history = History::idle();
        history.play(steps);
        history.host.session().unwrap().system_seen
    };
    assert_eq!(seen("0 ipxe; 1 script; 5 document ks; 900 os"), Some(at(900)));
    assert_eq!(seen("0 ipxe; 1 script; 5 document ks; 900 os MSFT 5.0; 950 os MSFT 5.0"), Some(at(900)));
    for installer in ["os anaconda-Linux 5.14", "os d-i", "os udhcp 1.36.1", "os dracut", "renew"] {
        assert_eq!(seen(&format!("0 ipxe; 1 script; 5 document ks; 900 {installer}")), None, "{installer}");
    }
    assert_eq!(seen("0 ipxe; 1 script; 5 document ks; 100 os"), None, "the installer's own network setup");
    assert_eq!(seen("0 ipxe; 1 script; 900 os"), None, "no document was used");
}

#[test]
fn a_host_remembers_its_newest_sessions_only() {
    let mut history = History::idle();
    for i in 0..30 {
        history.play(&format!("{} ipxe; {} script", i * 100, i * 100 + 1));
    }
    let ids: Vec<u64> = history.host.sessions.iter().map(|session| session.id.0).collect();
    let oldest = 31 - Host::SESSIONS as u64;
    assert_eq!(ids, (oldest..=30).collect::<Vec<_>>());
}

#[test]
fn a_session_knows_the_build_and_the_plan() {
    let mut history = History::building();
    history.play("0 ipxe");
    let host = answered(&history.host, SessionId(1), "install");
    assert_eq!(host.session().unwrap().plan.as_deref(), Some("install"));
    assert_eq!(host.session().unwrap().build, history.host.build.map(|build| build.id));
}

#[test]
fn a_clock_that_is_set_back_opens_nothing() {
    check("1000 firmware", "10 firmware", "1 again");
}
