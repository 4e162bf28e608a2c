//! Attacks on registration and wiping: what somebody with a run's token, or with a screwdriver, tries, and what it comes to.
//!
//! The words of honest agents are told in `live_agent` and `live_http`, those of honest wipes in `cleaning`.

use std::fs;

use bootwright::model::Role::{Admin, Operator};
use serde_json::{Value, json};

use crate::{
    cleaning::{self, Machine, good},
    http_site::{Answer, Site},
    lab::{Lab, MAC},
    live_agent::word,
};

async fn act(site: &Site, verb: &str, words: Value) -> Answer {
    site.ask(Operator, "POST", &format!("/hosts/n1/actions/{verb}"), words).await
}

#[track_caller]
fn is_done(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// The token and the session of a run that registers `n1`.
async fn registering(site: &Site) -> (String, String) {
    site.world.pass(90);
    let script = site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.text;
    assert_eq!(word(&script, "bw.mode"), Some("register"), "{script}");
    (word(&script, "bw.token").unwrap().to_owned(), word(&script, "bw.session").unwrap().to_owned())
}

async fn say(site: &Site, token: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    site.machine("POST", &format!("/agent/v1/{path}"), &[("authorization", &bearer), ("content-type", "application/json")], body).await
}

/// Registers `n1` with these disks, from its hello to its facts.
async fn register(site: &Site, disks: Value) {
    let (token, session) = registering(site).await;
    let hello = json!({ "protocol": 1, "session": session, "mode": "register", "macs": [MAC] });
    is_done(&say(site, &token, "hello", &hello.to_string()).await);
    let facts = json!({ "system": { "serial": "CHASSIS" }, "nics": [{ "name": "eth0", "mac": MAC, "boot": true }], "disks": disks });
    let report = json!({ "protocol": 1, "session": session, "report_id": "r", "kind": "facts", "facts": facts });
    is_done(&say(site, &token, "report", &report.to_string()).await);
}

fn disk(id: &str, more: Value) -> Value {
    let mut disk = json!({ "id": id, "name": "vdx", "model": "QEMU", "serial": id, "size_bytes": 1_000_000_000, "transport": "virtio" });
    disk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    disk
}

/// `n1`, wiped and kept back, was opened by somebody and registered again with these disks: what is known of them, and whether it can be offered.
async fn check_reopened(disks: Value, known: &str, status: u16) {
    let site = cleaning::site().await;
    let plan = site.get("/hosts/n1/wipe-plan").await.json();
    is_done(&act(&site, "release", json!({ "confirm": "n1", "plan_hash": plan["plan_hash"] })).await);
    is_done(&Machine::wiping(&site).await.report("w", json!([good("a"), good("b")])).await);
    is_done(&act(&site, "maintenance", json!({ "confirm": "n1" })).await);
    is_done(&act(&site, "end_maintenance", json!({ "touched": true })).await);
    register(&site, disks).await;
    let host = site.get("/hosts/n1").await.json();
    assert_eq!((&host["lifecycle"]["state"], &host["disk_state"]["disk"]), (&json!("unavailable"), &json!(known)), "{host}");
    assert_eq!(act(&site, "available", json!({})).await.status, status);
}

#[tokio::test]
async fn a_disk_that_was_put_in_after_the_wipe_is_never_offered_as_clean() {
    let (a, b, usb) = (disk("a", json!({})), disk("b", json!({})), disk("u", json!({ "transport": "usb" })));
    check_reopened(json!([a, b, usb]), "clean", 200).await;
    check_reopened(json!([a, usb]), "clean", 200).await;
    check_reopened(json!([a, b, disk("stick", json!({ "transport": "usb" }))]), "clean", 200).await;
    check_reopened(json!([a, disk("c", json!({})), usb]), "unknown", 412).await;
    check_reopened(json!([a, b, disk("c", json!({}))]), "unknown", 412).await;
    check_reopened(json!([a, disk("b", json!({ "size_bytes": 2_000_000_000 })), usb]), "unknown", 412).await;
    check_reopened(json!([a, b, disk("u", json!({}))]), "unknown", 412).await;
}

#[tokio::test]
async fn a_run_that_registers_has_no_room_for_large_bodies() {
    let site = Site::of(Lab::new().await.with_live_image()).await;
    is_done(&act(&site, "reregister", json!({})).await);
    let (token, session) = registering(&site).await;
    let large = format!(r#"{{"pad":"{}"}}"#, "x".repeat(1 << 20));
    let answer = say(&site, &token, "report", &large).await;
    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!("too_large")));

    let disks = vec![r#"{"id":"a","name":"sda","size_bytes":1}"#; 1025].join(",");
    let body = format!(r#"{{"protocol":1,"session":"{session}","report_id":"r","kind":"facts","facts":{{"disks":[{disks}]}}}}"#);
    let answer = say(&site, &token, "report", &body).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("malformed")));
}

#[tokio::test]
async fn malformed_bodies_have_a_budget_too() {
    let site = Site::of(Lab::new().await.with_live_image()).await;
    is_done(&act(&site, "reregister", json!({})).await);
    let (token, _) = registering(&site).await;
    let mut last = say(&site, &token, "report", "{").await;
    assert_eq!(last.status, 400);
    for _ in 0..100 {
        last = say(&site, &token, "report", "{").await;
    }
    assert_eq!(last.status, 429, "{}", last.text);
    site.world.pass(60);
    assert_eq!(say(&site, &token, "report", "{").await.status, 400);
}

#[tokio::test]
async fn a_file_that_was_changed_after_it_was_hashed_is_not_served() {
    let site = Site::of(Lab::new().await.with_live_image()).await;
    let kernel = site.house.live_image().unwrap().kernel.path.clone();
    assert_eq!(site.fetch("/live/1/vmlinuz").await.text, "live kernel 1");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "lost secret 1").unwrap();

    fs::write(&kernel, "evil kernel 1").unwrap();
    assert_eq!(site.fetch("/live/1/vmlinuz").await.status, 503, "of the same size");
    fs::remove_file(&kernel).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), &kernel).unwrap();
    assert_eq!(site.fetch("/live/1/vmlinuz").await.status, 503, "a link out of the folder");
    fs::remove_file(&kernel).unwrap();
    nix::unistd::mkfifo(&kernel, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert_eq!(site.fetch("/live/1/vmlinuz").await.status, 503, "a pipe that nobody writes to");

    fs::remove_file(&kernel).unwrap();
    fs::write(&kernel, "live kernel 1").unwrap();
    site.house.reload_live_image().unwrap().unwrap();
    assert_eq!(site.fetch("/live/1/vmlinuz").await.text, "live kernel 1");
}

#[tokio::test]
async fn a_failure_of_many_disks_is_told_in_a_few_words() {
    let site = cleaning::site().await;
    let plan = site.get("/hosts/n1/wipe-plan").await.json();
    is_done(&site.ask(Admin, "POST", "/hosts/n1/actions/release", json!({ "confirm": "n1", "plan_hash": plan["plan_hash"] })).await);
    let strangers: Vec<Value> = (0..1000).map(|number| good(&format!("{number}{}", "x".repeat(1000)))).collect();
    is_done(&Machine::wiping(&site).await.report("w", json!(strangers)).await);
    let host = site.get("/hosts/n1").await.json();
    let cause = host["lifecycle"]["cause"]["text"].as_str().unwrap();
    assert!(cause.ends_with("; and 994 more") && cause.len() < 20_000, "{} bytes: {cause:.400}", cause.len());
}
