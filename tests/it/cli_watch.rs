//! `host watch` and `journal --follow` over recorded journals and streams: what a person would have seen, line by line.
//!
//! The records are what the real daemon sent; streams break off in the middle, as they do when a daemon restarts.

use serde_json::{Value, json};

use crate::cli::{Ran, Scripted, json as reply};

const HOST: &str = "01a1fa00-20ec-72b0-ba10-d0ace9e3e23f";
const BUILD: &str = "01a1fa00-2138-7066-a7dc-04fa0b56f7ac";
const OPENED: &str = "2026-01-01T00:00:00Z";

/// The build at a stage, ended or not.
fn build(stage: &str, end: Value) -> Value {
    let mut build = json!({
        "id": BUILD, "host": HOST, "host_name": "n1", "kind": "reinstall", "profile": "linux", "asked_by": "ci", "token_hash": "0",
        "token_expires": OPENED, "expected_boots": 1, "stage": stage, "stage_entered": OPENED,
        "stages": [{"stage": "build_enabled", "at": OPENED, "evidence": "asked"}, {"stage": stage, "at": "2026-01-01T00:01:05Z", "evidence": "seen"}],
        "loop": {"count": 0, "halted": false}, "previous": {"state": "used"}, "opened_at": OPENED,
    });
    if !end.is_null() {
        build["end"] = end;
    }
    build
}

fn host(build: Value) -> String {
    json!({
        "id": HOST, "version": 3, "name": "n1", "macs": ["52:54:00:00:00:01"], "lifecycle": {"state": "provisioning"}, "since": OPENED,
        "created": OPENED, "build": build, "display_state": "Reinstalling OS", "api_status": null, "enabled": false,
    })
    .to_string()
}

fn entry(seq: u64, at: &str, what: Value, text: &str) -> Value {
    json!({"seq": seq, "at": format!("2026-01-01T00:{at}Z"), "actor": {"who": "server"}, "host": HOST, "build": BUILD, "what": what, "text": text})
}

fn stream(entries: &[Value]) -> (&'static str, &'static str, String) {
    let events = entries.iter().map(|entry| format!("id: {}\nevent: x\ndata: {entry}\n\n", entry["seq"]));
    ("200 OK", "text/event-stream", format!(": hello\n\n{}id: 99\ndata: {{\"cut", events.collect::<String>()))
}

/// A watch of a build that was enabled before and ends as `after` while `news` arrive.
fn watch(line: &str, after: Value, news: &[Value]) -> (Ran, Vec<String>) {
    let enabled = entry(7, "00:00", json!({"kind": "stage", "stage": "build_enabled"}), "enabled by ci");
    let daemon = Scripted::new(vec![
        ("GET /api/v1/hosts/n1", reply(host(build("build_enabled", Value::Null)))),
        ("GET /api/v1/hosts/01a1fa00-20ec-72b0-ba10-d0ace9e3e23f/journal", reply(json!({"items": [enabled]}).to_string())),
        ("GET /api/v1/hosts/01a1fa00-20ec-72b0-ba10-d0ace9e3e23f/journal?cursor=7", reply(r#"{"items":[]}"#)),
        ("GET /api/v1/events", stream(news)),
        ("GET /api/v1/builds/", reply(after.to_string())),
    ]);
    (daemon.run(line), daemon.asked())
}

#[test]
fn a_watch_tells_what_was_and_ends_when_the_goal_is_reached() {
    let (ran, asked) = watch("host watch n1 --until built --timeout 20", build("built", json!({"how": "built"})), &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "n1: reinstall with profile linux, asked for at 2026-01-01 00:00:00Z");
    assert_eq!(lines[1], "  0:00.0 * build_enabled            enabled by ci");
    assert_eq!(lines[2], "n1: built at built +1:05.0");
    assert!(asked[1].contains("/journal?since=2026-01-01T00:00:00Z&order=oldest"), "{}", asked[1]);
}

#[test]
fn a_build_that_failed_or_was_cancelled_ends_a_watch_with_1() {
    let end = json!({"how": "failed", "cause": "boot_loop", "text": "template loop, 3 times"});
    for goal in ["built", "ended", "local_boot"] {
        let (ran, _) = watch(&format!("host watch n1 --until {goal} --timeout 20"), build("provision_template_sent", end.clone()), &[]);
        assert_eq!(ran.code, 1, "{goal}");
        assert!(ran.err.contains("the build failed: boot_loop: template loop, 3 times"), "{}", ran.err);
    }
    let (ran, _) = watch("host watch n1 --until built", build("dhcp", json!({"how": "cancelled"})), &[]);
    assert!(ran.code == 1 && ran.err.contains("cancelled"), "{ran:?}");
}

#[test]
fn a_wipe_is_timed_from_its_own_beginning_although_an_old_build_is_named() {
    let mut old = build("local_boot", json!({"how": "built"}));
    old["ended_at"] = OPENED.into();
    let mut wiping: Value = serde_json::from_str(&host(old.clone())).unwrap();
    wiping["lifecycle"] = json!({"state": "cleaning", "then": "available", "from": {"state": "used"}});
    wiping["since"] = "2026-01-01T00:10:00Z".into();
    let heard = entry(8, "10:13", json!({"kind": "changed", "row": "O1", "text": "heard"}), "heard");
    let done = entry(9, "10:16", json!({"kind": "transition", "row": "T18", "from": "cleaning", "to": "available"}), "wiped");
    let daemon = Scripted::new(vec![
        ("GET /api/v1/hosts/n1", reply(wiping.to_string())),
        ("GET /api/v1/hosts/01a1fa00-20ec-72b0-ba10-d0ace9e3e23f/journal", reply(r#"{"items":[]}"#)),
        ("GET /api/v1/events", stream(&[heard, done])),
        ("GET /api/v1/builds/", reply(old.to_string())),
    ]);
    let ran = daemon.run("host watch n1 --timeout 1");
    assert!(ran.out.contains("  0:13.0   changed O1") && ran.out.contains("  0:16.0   T18"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_stream_that_breaks_off_is_taken_up_after_its_last_entry_and_the_time_ends_it() {
    let transfer = |outcome: &str, sent: u64| json!({"kind": "transfer", "file": "lab/1/initrd.gz", "outcome": outcome, "sent_bytes": sent, "size_bytes": 4 << 20});
    let news = [
        entry(8, "00:04.250", json!({"kind": "seen", "protocol": "dhcp"}), "DHCPDISCOVER from firmware"),
        entry(9, "00:05", transfer("requested", 0), "asked"),
        entry(10, "00:06", transfer("progress", 1 << 20), "on its way"),
        entry(11, "00:07", transfer("done", 4 << 20), "whole"),
        entry(12, "01:05", json!({"kind": "boot_loop", "class": "template", "attempt": 1, "halted": false}), "preseed.cfg again"),
    ];
    let (ran, asked) = watch("host watch n1 --until built --timeout 2", build("dhcp", Value::Null), &news);
    assert_eq!(ran.code, 1);
    let told: Vec<&str> = ran.out.lines().skip(2).collect();
    assert_eq!(
        told,
        [
            "  0:04.2   dhcp seen                DHCPDISCOVER from firmware",
            "  0:05.0   transfer requested       lab/1/initrd.gz  0 B of 4.0 MiB, 0 %",
            "  0:06.0   transfer progress        lab/1/initrd.gz  1.0 MiB of 4.0 MiB, 25 %",
            "  0:07.0   transfer done            lab/1/initrd.gz  4.0 MiB, 100 %",
            "  1:05.0 ! boot_loop: template loop 1 preseed.cfg again",
            "n1: open at dhcp +1:05.0",
        ]
    );
    assert!(ran.err.contains("built did not come within 2 s: the build is at dhcp"), "{}", ran.err);
    assert!(asked.iter().filter(|line| line.starts_with("GET /api/v1/events?host=")).count() >= 2, "{asked:?}");
}

#[test]
fn with_json_a_watch_is_one_entry_per_line() {
    let (ran, _) = watch("--json host watch n1 --until built", build("built", json!({"how": "built"})), &[]);
    let entries: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((ran.code, entries.len(), &entries[0]["seq"]), (0, 1, &json!(7)));
}

#[test]
fn a_wait_says_how_the_build_ended() {
    let path = "GET /api/v1/builds/01a1fa00-2138-7066-a7dc-04fa0b56f7ac";
    let waited = |mut build: Value, reached: bool| {
        build["reached"] = json!(reached);
        reply(build.to_string())
    };
    for (end, reached, code, said) in [
        (json!({"how": "built"}), true, 0, ""),
        (json!({"how": "failed", "cause": "reported", "text": "no disk"}), true, 1, "reported: no disk"),
        (Value::Null, false, 1, "did not come within 0 s"),
    ] {
        let daemon = Scripted::new(vec![(path, waited(build("installing", end), reached))]);
        let ran = daemon.run(&format!("build wait {BUILD} --for ended --timeout 0"));
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn a_host_without_a_build_has_none_to_wait_for() {
    let daemon = Scripted::new(vec![("GET /api/v1/hosts/n1", reply(host(Value::Null)))]);
    let ran = daemon.run("build wait n1 --for built");
    assert!(ran.code == 1 && ran.err.contains("n1 has no build; `bootwright build enable n1` opens one"), "{ran:?}");
}

#[test]
fn a_journal_is_told_oldest_first_with_names() {
    let newer = entry(9, "00:09", json!({"kind": "refused", "why": "not_confirmed"}), "host release refused");
    let older = entry(8, "00:08", json!({"kind": "created"}), "n1 recorded");
    let daemon = Scripted::new(vec![
        ("GET /api/v1/journal?host=n1&limit=2", reply(json!({"items": [newer, older]}).to_string())),
        ("GET /api/v1/hosts/01a1fa00", reply(host(Value::Null))),
    ]);
    let ran = daemon.run("journal --host n1 --limit 2");
    let lines = [
        "2026-01-01 00:00:08Z  n1             created                  n1 recorded",
        "2026-01-01 00:00:09Z  n1           ! refused not_confirmed    host release refused",
    ];
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), lines, "{}", ran.err);
}
