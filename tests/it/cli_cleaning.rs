//! The wipe at a prompt, against a daemon by script: the plan and the command that confirms it, certificates, progress, and waiting for a state.
//!
//! What the real routes say is in `cleaning`; here is what people and scripts get to read.

use bootwright::model::{WipePlan, token::sha256_hex};
use serde_json::{Value, json};

use crate::cli::{Scripted, json as reply};

const HOST: &str = "01a1fa00-20ec-72b0-ba10-d0ace9e3e23f";
const AT: &str = "2026-01-01T00:00:00Z";

type Prepared = (&'static str, &'static str, String);

fn plan(policy: &str) -> WipePlan {
    let disk = json!({ "id": "wwn:1", "name": "nvme0n1", "model": "Fast", "serial": "S1", "wwn": "1", "size_bytes": 1_000_000_000_000_u64, "transport": "nvme",
        "methods": if policy == "metadata" { json!(["metadata_only"]) } else { json!(["nvme_sanitize_crypto", "overwrite"]) }, "soft_secs": 600, "hard_secs": 41_800 });
    serde_json::from_value(json!({ "version": 1, "host": HOST, "name": "n1", "policy": policy, "facts_at": AT, "disks": [disk],
        "left": [{ "id": "path:usb", "model": "Stick", "size_bytes": 16_000_000_000_u64, "why": "it is attached by USB" }], "parallel": 4 }))
    .unwrap()
}

fn plan_reply(policy: &str, warnings: &[&str]) -> Prepared {
    let plan = plan(policy);
    let deadlines = json!({ "soft_secs": 1200, "hard_secs": 43_600 });
    reply(json!({ "plan": plan, "plan_hash": plan.hash(), "deadlines": deadlines, "summary": "…", "warnings": warnings }).to_string())
}

fn refused(code: &str) -> Prepared {
    let text = json!({ "title": "Precondition Required", "status": 428, "detail": "say it twice", "code": code, "hint": "repeat" });
    ("428 Precondition Required", "application/problem+json", text.to_string())
}

fn host_with(lifecycle: Value, live: Value) -> String {
    let mut host = json!({ "id": HOST, "version": 3, "name": "n1", "macs": ["52:54:00:00:00:01"], "lifecycle": lifecycle, "since": AT, "created": AT,
        "display_state": "Cleaning", "api_status": null, "enabled": false });
    if !live.is_null() {
        host["live"] = live;
    }
    host.to_string()
}

fn cleaning() -> Value {
    json!({ "state": "cleaning", "then": "available", "from": { "state": "used" } })
}

fn run(percent: u32, step: &str) -> Value {
    let plan = plan("clear");
    json!({ "id": HOST, "mode": "clean", "token_hash": "0", "token_expires": AT, "plan_hash": plan.hash(), "plan": plan, "by": "ada", "from": { "state": "used" },
        "then": "available", "crew": { "agent": "0.1.0", "image": "img-1" }, "hello_at": AT, "heard_at": AT,
        "progress": { "step": "wiping", "percent": percent, "eta_secs": 5400, "disks": [{ "id": "wwn:1", "step": step, "percent": percent, "eta_secs": 60 }] } })
}

fn entry(seq: u64, what: Value, text: &str) -> Value {
    json!({ "seq": seq, "at": "2026-01-01T00:00:05Z", "actor": { "who": "server" }, "host": HOST, "what": what, "text": text })
}

fn stream(entries: &[Value]) -> Prepared {
    let events: String = entries.iter().map(|entry| format!("id: {}\nevent: x\ndata: {entry}\n\n", entry["seq"])).collect();
    ("200 OK", "text/event-stream", events)
}

#[test]
fn a_wipe_without_its_plan_shows_it_does_nothing_and_says_how_to_go_on() {
    let hash = plan("clear").hash();
    for (code, line, command) in [
        ("plan_unconfirmed", "host release n1 --confirm n1 --then available", "host release n1 --confirm n1 --then available --policy clear --plan "),
        ("needs_confirm", "host release n1", "host release n1 --confirm n1 --then unavailable --policy clear --plan "),
        (
            "needs_confirm",
            "host clean 52:54:00:00:00:01 --include path:usb",
            "host clean n1 --confirm n1 --then unavailable --policy clear --include 'path:usb' --plan ",
        ),
        ("needs_confirm", "host retry-clean n1", "host retry-clean n1 --confirm n1 --policy clear --plan "),
        ("needs_confirm", "host delete n1", "host delete n1 --confirm n1 --policy clear --plan "),
    ] {
        let daemon = Scripted::new(vec![
            ("POST /api/v1/hosts/", refused(code)),
            ("GET /api/v1/hosts/n1/wipe-plan", plan_reply("clear", &[])),
            ("GET /api/v1/hosts/52:54:00:00:00:01/wipe-plan", plan_reply("clear", &[])),
        ]);
        let ran = daemon.run(line);
        assert_eq!(ran.code, 1, "{line}: a script must not take it for done");
        assert!(ran.out.contains(&format!("plan {hash}\n")), "{}", ran.out);
        assert!(
            ran.err.ends_with(&format!("nothing was wiped yet. To carry this plan out:\n  bootwright {command}{}\n", &hash[..12])),
            "{}",
            ran.err
        );
        assert_eq!(daemon.asked().iter().filter(|asked| asked.starts_with("POST")).count(), 1);
    }
}

#[test]
fn a_plan_reads_as_disks_what_is_left_and_how_long_it_takes() {
    let daemon = Scripted::new(vec![(
        "GET /api/v1/hosts/n1/wipe-plan?policy=clear&include=wwn:1&include=u%2F1",
        plan_reply("clear", &["nvme0n1 is failing"]),
    )]);
    let ran = daemon.run("host wipe-plan n1 --policy clear --include wwn:1 --include u/1");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = format!(
        "wipe plan of n1, policy clear: every block that can be addressed is erased (NIST SP 800-88 Clear)\n  ! nvme0n1 is failing\n\
         \x20 DISK     SIZE       MODEL  SERIAL  METHODS                          REACHES            TAKES                          ID\n\
         \x20 nvme0n1  931.3 GiB  Fast   S1      nvme_sanitize_crypto, overwrite  purge, else clear  10 min, at most 11 h 36 min    wwn:1\n\
         left alone, with whatever is on them (--include ID wipes one nevertheless)\n  path:usb  14.9 GiB  Stick: it is attached by USB\n\
         takes about 20 min, at most 12 h 6 min, with the machine's start; 4 disks at once\n\
         rests on the registration of 2026-01-01 00:00:00Z; a disk that is in no line above stops the wipe\nplan {}\n",
        plan("clear").hash()
    );
    let squeezed = |text: &str| text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    assert_eq!(squeezed(&ran.out), squeezed(&expected));
}

#[test]
fn metadata_is_called_no_sanitisation_in_capitals() {
    let daemon = Scripted::new(vec![("GET /api/v1/hosts/n1/wipe-plan", plan_reply("metadata", &["METADATA IS NO SANITISATION: …"]))]);
    let ran = daemon.run("host wipe-plan n1 --policy metadata");
    assert!(ran.out.starts_with("wipe plan of n1, policy metadata: NO SANITISATION"), "{}", ran.out);
    assert!(ran.out.contains("  ! METADATA IS NO SANITISATION") && ran.out.contains("NOTHING"), "{}", ran.out);
}

#[test]
fn a_confirmed_plan_goes_to_the_daemon_as_it_was_typed() {
    let daemon = Scripted::new(vec![("POST /api/v1/hosts/n1/actions/release", reply(host_with(cleaning(), Value::Null)))]);
    let ran = daemon.run("host release n1 --confirm n1 --then available --policy purge --include u --plan 0123456789ab");
    assert_eq!((ran.code, ran.out.as_str()), (0, "n1: release; now cleaning, locked\n"), "{}", ran.err);
    let sent = r#"{"confirm":"n1","include":["u"],"plan_hash":"0123456789ab","policy":"purge","then":"available"}"#;
    assert!(daemon.asked()[0].ends_with(sent), "{:?}", daemon.asked());
    // A plan that is not the plan any more is a refusal, not another look.
    let changed = (
        "412 Precondition Failed",
        "application/problem+json",
        json!({ "status": 412, "detail": "the plan is not the one", "code": "plan_changed",
        "hint": "look at the plan again (GET /api/v1/hosts/{host}/wipe-plan) and repeat with its `plan_hash`" })
        .to_string(),
    );
    let daemon = Scripted::new(vec![("POST /api/v1/hosts/n1/actions/release", changed)]);
    let ran = daemon.run("host release n1 --confirm n1 --plan 0123456789ab");
    assert_eq!(
        ran.err,
        "bootwright: the plan is not the one [plan_changed]\n  look at the plan again (`bootwright host wipe-plan HOST`) and repeat with its --plan\n"
    );
}

#[test]
fn certificates_are_listed_and_saved_only_if_they_are_what_their_hash_says() {
    let paper = r#"{"version":1,"disk":"…"}"#;
    let sha256 = sha256_hex(paper.as_bytes());
    let line = |sha256: &str, ok: bool| json!({ "sha256": sha256, "disk": "wwn:1", "ok": ok, "at": AT, "seq": 9, "text": "nvme0n1: Clear" });
    let daemon = |text: &str, ok: bool| {
        let items = json!({ "items": [line(&sha256, ok)] }).to_string();
        Scripted::new(vec![("GET /api/v1/hosts/n1/certificates", reply(items)), ("GET /api/v1/certificates/", reply(text))])
    };
    let listed = daemon(paper, false).run("host certificates n1");
    assert!(listed.code == 0 && listed.out.contains("wwn:1") && listed.out.contains("NO") && listed.out.contains(&sha256), "{listed:?}");
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("papers");
    let line = format!("host certificates n1 --save {}", into.display());
    let saved = daemon(paper, true).run(&line);
    let file = into.join(format!("wipe-{sha256}.json"));
    assert_eq!((saved.code, saved.out.trim_end()), (0, file.to_str().unwrap()), "{}", saved.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), paper);
    std::fs::remove_file(&file).unwrap();
    let forged = daemon(r#"{"version":1,"disk":"forged"}"#, true).run(&line);
    assert!(forged.code == 1 && forged.err.contains("nothing was saved"), "{forged:?}");
    assert!(!file.exists());
    let none = Scripted::new(vec![("GET /api/v1/hosts/n1/certificates", reply(r#"{"items":[]}"#))]).run("host certificates n1");
    assert_eq!(none.out, "no certificates; a wipe makes one out for each disk\n");
}

#[test]
fn a_host_that_is_wiped_shows_each_disk_with_its_estimate() {
    let ran = Scripted::new(vec![("GET /api/v1/hosts/n1", reply(host_with(cleaning(), run(40, "erasing"))))]).run("host show n1");
    let short = &plan("clear").hash()[..12];
    for line in [
        format!("live image: wipe by plan {short}, policy clear, ordered by ada"),
        "  agent 0.1.0 of image img-1, last heard 2026-01-01 00:00:00Z".to_owned(),
        "  wiping 40 %, about 1 h 30 min to go".to_owned(),
        "    nvme0n1 (931.3 GiB, wwn:1)  erasing 40 %, about 1 min to go".to_owned(),
    ] {
        assert!(ran.out.lines().any(|have| have == line), "{line:?} is not in\n{}", ran.out);
    }
    let mut ended = run(40, "erasing");
    ended["ended_at"] = json!(AT);
    ended["results"] = json!([{ "id": "wwn:1", "ok": false, "method": "overwrite", "started": AT, "ended": AT, "error": "it burns" }]);
    let ran = Scripted::new(vec![("GET /api/v1/hosts/n1", reply(host_with(cleaning(), ended)))]).run("host show n1");
    assert!(ran.out.contains("nvme0n1 (931.3 GiB, wwn:1)  NOT WIPED by overwrite: it burns") && !ran.out.contains("to go"), "{}", ran.out);
    let mut silent = run(0, "waiting");
    (silent["crew"], silent["heard_at"], silent["progress"]) = (Value::Null, Value::Null, Value::Null);
    let ran = Scripted::new(vec![("GET /api/v1/hosts/n1", reply(host_with(cleaning(), silent)))]).run("host show n1");
    assert!(ran.out.contains("its agent has not spoken yet"), "{}", ran.out);
}

#[test]
fn a_watch_of_a_wipe_begins_with_it_and_tells_its_disks() {
    let begun = entry(7, json!({ "kind": "transition", "row": "T17", "from": "used", "to": "cleaning" }), "the disks are wiped by plan");
    let beat = entry(8, json!({ "kind": "changed", "row": "agent", "text": "…" }), "the agent is at work: wiping 40 %");
    let daemon = Scripted::new(vec![
        ("GET /api/v1/hosts/n1", reply(host_with(cleaning(), run(10, "erasing")))),
        ("GET /api/v1/hosts/01a1fa00-20ec-72b0-ba10-d0ace9e3e23f", reply(host_with(cleaning(), run(40, "erasing")))),
        ("GET /api/v1/hosts/01a1fa00-20ec-72b0-ba10-d0ace9e3e23f/journal?since=2026", reply(json!({ "items": [begun] }).to_string())),
        ("GET /api/v1/events", stream(&[beat])),
    ]);
    let ran = daemon.run("host watch n1 --timeout 2");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "n1: cleaning, then available, since 2026-01-01 00:00:00Z");
    assert!(
        lines.iter().any(|line| line.contains("erasing 10 %")) && lines.iter().any(|line| line.contains("erasing 40 %, about 1 min to go")),
        "{lines:?}"
    );
}

#[track_caller]
fn waited(line: &str, lifecycle: Value, code: u8, says: &str) {
    let daemon = Scripted::new(vec![
        ("GET /api/v1/journal?limit=1", reply(r#"{"items":[]}"#)),
        ("GET /api/v1/hosts/n1", reply(host_with(lifecycle, Value::Null))),
        ("GET /api/v1/events?host=", stream(&[])),
    ]);
    let ran = daemon.run(line);
    assert_eq!(ran.code, code, "{ran:?}");
    assert!(format!("{}{}", ran.out, ran.err).contains(says), "{ran:?} does not say {says:?}");
}

#[test]
fn a_wait_ends_with_the_state_with_an_error_or_with_the_time() {
    let error = || json!({ "state": "error", "from": { "state": "cleaning" }, "cause": { "cause": "wipe", "text": "vda burns" } });
    waited("host wait n1 --state available", json!({ "state": "available" }), 0, "n1: available\n");
    waited("host wait n1 --state available --state error", error(), 0, "n1: error: wipe: vda burns\n");
    waited("host wait n1 --state available", error(), 1, "n1 is error: wipe: vda burns and will not become available by itself");
    waited("host wait n1 --state available --timeout 1", cleaning(), 1, "n1 was not available within 1 s: it is cleaning, then available");
    waited("host wait n1 --state avialable", cleaning(), 2, "possible values");
}

#[test]
fn a_wait_goes_on_until_the_stream_says_that_something_moved() {
    let told = entry(7, json!({ "kind": "created" }), "n1 recorded");
    let moved = entry(9, json!({ "kind": "transition", "row": "T18", "from": "cleaning", "to": "available" }), "wiped");
    let noise = entry(8, json!({ "kind": "seen", "protocol": "http" }), "it asked");
    let daemon = Scripted::new(vec![
        ("GET /api/v1/journal?limit=1", reply(json!({ "items": [told] }).to_string())),
        ("GET /api/v1/hosts/n1", reply(host_with(cleaning(), Value::Null))),
        ("GET /api/v1/hosts/01a1fa00-20ec-72b0-ba10-d0ace9e3e23f", reply(host_with(json!({ "state": "available" }), Value::Null))),
        ("GET /api/v1/events?host=01a1fa00-20ec-72b0-ba10-d0ace9e3e23f", stream(&[told_again(), noise, moved])),
    ]);
    let ran = daemon.run("host wait n1 --state available --timeout 20");
    assert_eq!((ran.code, ran.out.as_str()), (0, "n1: available\n"), "{}", ran.err);
    assert_eq!(daemon.asked().iter().filter(|asked| asked.contains("/hosts/01a1")).count(), 1, "only what may have moved it is worth a look");
}

/// An entry that the journal's end had shown already.
fn told_again() -> Value {
    entry(7, json!({ "kind": "created" }), "n1 recorded")
}

#[test]
fn a_host_that_is_not_recorded_yet_is_waited_for() {
    let unknown = json!({ "status": 404, "detail": "there is no host \"n9\"", "code": "not_found", "hint": "list" }).to_string();
    let born = entry(3, json!({ "kind": "created" }), "n9 recorded");
    let daemon = Scripted::new(vec![
        ("GET /api/v1/journal?limit=1", reply(r#"{"items":[]}"#)),
        ("GET /api/v1/hosts/n9", ("404 Not Found", "application/problem+json", unknown)),
        ("GET /api/v1/events", stream(&[born])),
    ]);
    let ran = daemon.run("host wait n9 --state unavailable --timeout 1");
    assert!(ran.code == 1 && ran.err.contains("n9 was not unavailable within 1 s: there is no such host"), "{ran:?}");
    assert_eq!(daemon.asked().iter().filter(|asked| asked.contains("/hosts/n9")).count(), 2);
}
