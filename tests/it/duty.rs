//! Verbs on a host at work, over the API: power without power control, health reports, faults, and what an importer of images tells.
//!
//! What each event may do is `lifecycle_rows`; here is that the routes reach them, and that time ends what people do not.

use bootwright::{
    app::{Calendar, duty},
    model::Role::{Operator, Viewer},
};
use serde_json::{Value, json};

use crate::http_site::{Answer, Site};

const NO: Value = Value::Null;

async fn act(site: &Site, verb: &str, words: Value) -> Answer {
    site.ask(Operator, "POST", &format!("/hosts/n1/actions/{verb}"), words).await
}

async fn health(site: &Site, report: Value) -> Value {
    let answer = site.ask(Operator, "POST", "/hosts/n1/health", report).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["operational"]["availability"].clone()
}

async fn shown(site: &Site) -> (String, Value) {
    let host = site.get("/hosts/n1").await.json();
    (host["display_state"].as_str().unwrap().to_owned(), host["api_status"].clone())
}

#[tokio::test]
async fn people_switch_and_the_machine_being_heard_ends_the_task() {
    let site = Site::new().await;
    for (verb, state, status) in
        [("start", "Starting", "SHUTOFF"), ("restart", "Restarting", "REBOOT"), ("force-restart", "Forcibly restarting", "HARD_REBOOT")]
    {
        assert_eq!(act(&site, verb, NO).await.status, 200);
        assert_eq!(shown(&site).await, (state.to_owned(), json!(status)));
        let second = act(&site, "stop", NO).await;
        assert_eq!(second.problem(409), "task_open", "one task at a time");
        site.world.pass(90);
        site.fetch("/boot.ipxe?mac=52:54:00:00:00:01").await;
        assert_eq!(shown(&site).await, ("Running".to_owned(), json!("ACTIVE")), "{verb}");
        // Its next boot is another session.
        site.world.pass(600);
    }
    assert_eq!(act(&site, "stop", NO).await.status, 200);
    assert_eq!(shown(&site).await, ("Stopping".to_owned(), json!("ACTIVE")));
    assert_eq!(health(&site, json!({ "health": "lost", "quiet_secs": 60 })).await, "offline");
    assert_eq!(shown(&site).await, ("Stopped".to_owned(), json!("SHUTOFF")));
    assert_eq!(act(&site, "restart", NO).await.problem(409), "wrong_power");
}

#[tokio::test]
async fn a_task_that_nobody_carries_out_is_given_up_and_the_host_stays_where_it_is() {
    let site = Site::new().await;
    assert_eq!(act(&site, "start", NO).await.status, 200);
    let next = site.house.sweep(&mut Calendar::default()).await.unwrap();
    assert!(next.is_some(), "the task has a deadline");
    site.world.pass(600);
    site.house.sweep(&mut Calendar::default()).await.unwrap();
    let host = site.get("/hosts/n1").await.json();
    assert_eq!((&host["lifecycle"]["state"], &host["task"]), (&json!("used"), &NO));
    assert_eq!(host["issues"][0]["kind"], "overdue", "{host}");
    assert!(host["issues"][0]["text"].as_str().unwrap().contains("there is no power control"), "{host}");
    let journal = site.get("/hosts/n1/journal").await.text;
    assert!(journal.contains("switch the machine yourself") && journal.contains("is given up"), "{journal}");
    assert_eq!(act(&site, "start", NO).await.status, 200);
    assert_eq!(site.get("/hosts/n1").await.json()["issues"], NO, "asked for again, nothing is overdue");
    assert_eq!(act(&site, "task_done", NO).await.json()["power"]["state"], "on");
}

#[tokio::test]
async fn a_monitor_drives_the_operational_state() {
    let site = Site::new().await;
    let role = site.ask(Viewer, "POST", "/hosts/n1/health", json!({ "health": "passed" })).await;
    assert_eq!(role.problem(403), "role_too_low");
    for bad in [json!({}), json!({ "health": "fine" }), json!({ "health": "missed" }), json!({ "health": "missed", "count": -1 })] {
        assert_eq!(site.ask(Operator, "POST", "/hosts/n1/health", bad).await.problem(422), "invalid");
    }
    assert_eq!(site.ask(Operator, "POST", "/hosts/n9/health", json!({ "health": "passed" })).await.problem(404), "not_found");
    assert_eq!(health(&site, json!({ "health": "passed" })).await, "online", "O1: a locked host stays online");
    assert_eq!(act(&site, "unlock", NO).await.json()["operational"]["availability"], "offline");
    for (report, want) in [
        (json!({ "health": "passed" }), "available"),
        (json!({ "health": "missed", "count": 6 }), "degraded"),
        (json!({ "health": "missed", "count": 10 }), "failed"),
        (json!({ "health": "passed" }), "failed"),
        (json!({ "health": "lost", "quiet_secs": 9 }), "failed"),
        (json!({ "health": "lost", "quiet_secs": 60 }), "offline"),
        (json!({ "health": "degraded" }), "degraded"),
        (json!({ "health": "failed" }), "failed"),
    ] {
        assert_eq!(health(&site, report.clone()).await, want, "{report}");
    }
    // O5: after five minutes its tests run again, and this time they pass.
    site.world.pass(300);
    site.house.sweep(&mut Calendar::default()).await.unwrap();
    assert_eq!(site.get("/hosts/n1").await.json()["operational"]["availability"], "intest");
    assert_eq!(health(&site, json!({ "health": "passed" })).await, "available");
    let host = site.get("/hosts/n1").await.json();
    assert_eq!(host["enabled"], true);
}

#[tokio::test]
async fn a_fault_is_an_error_of_the_used_host_until_it_is_resolved() {
    let site = Site::new().await;
    assert_eq!(act(&site, "fault", NO).await.problem(422), "invalid");
    let host = act(&site, "fault", json!({ "reason": "PSU 2" })).await.json();
    assert_eq!((&host["lifecycle"]["state"], &host["api_status"], &host["disk_state"]["disk"]), (&json!("error"), &json!("ERROR"), &json!("dirty")));
    assert_eq!(act(&site, "resolve", NO).await.json()["lifecycle"]["state"], "used");
}

#[tokio::test]
async fn an_importer_of_images_tells_the_stages_that_nobody_else_sees() {
    let site = Site::new().await;
    assert_eq!(act(&site, "report_stage", json!({ "stage": "vm_created" })).await.problem(422), "invalid");
    let build = site.ask(Operator, "POST", "/hosts/n1/builds", json!({ "confirm": "n1", "method": "image" })).await;
    assert_eq!(build.status, 201, "{}", build.text);
    assert_eq!(act(&site, "report_stage", NO).await.problem(422), "invalid");
    assert_eq!(act(&site, "report_built", NO).await.problem(409), "too_early");
    for stage in ["vm_requested", "vm_created", "ssh_started"] {
        let host = act(&site, "report_stage", json!({ "stage": stage, "reason": "the importer says so" })).await;
        assert_eq!((host.status, &host.json()["build"]["stage"]), (200, &json!(stage)), "{}", host.text);
    }
    assert_eq!(act(&site, "report_stage", json!({ "stage": "dhcp" })).await.problem(409), "wrong_stage");
    assert_eq!(act(&site, "report_failed", NO).await.problem(422), "invalid");
    assert_eq!(act(&site, "report_built", json!({ "reason": "copied" })).await.json()["lifecycle"]["state"], "used");
    assert_eq!(shown(&site).await, ("Running".to_owned(), json!("ACTIVE")));
}

#[tokio::test]
async fn a_refusal_of_every_verb_names_its_row_and_the_way_out() {
    let site = Site::new().await;
    site.enable().await;
    for verb in duty::VERBS {
        let words = json!({ "reason": "why", "power": "on", "stage": "dhcp" });
        let answer = act(&site, verb, words).await;
        if answer.status != 200 {
            let text = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
            let named = ["P1:", "P3:", "P4:", "T10:", "T27:", "stage:"].iter().any(|row| text.starts_with(row));
            assert!(named && text.contains([';', ',']), "{verb}: {}", answer.text);
        }
    }
}
