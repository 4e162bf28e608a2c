//! The live image over HTTP: its two files, its agent's three words, every "no" with its code, and the golden conversation.
//!
//! What the words do is told in `live_agent`; here it is what goes over the wire.

use std::{fs, path::PathBuf, sync::Arc};

use axum::{body::Body, http::Request};
use bootwright::{
    model::{Role, token::sha256_hex},
    serve::http::boot::{self, Boot},
    store::{BrokenStore, JournalFilter},
    wire::agent::{Action, Denial, PROTOCOL, Reply, read},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    http_site::{Answer, Site, send},
    lab::{Lab, MAC, put_live_image},
    live_agent::{facts, word},
};

/// A site with a live image, whose host registers again; the words of its script.
async fn site() -> (Site, String) {
    let site = Site::of(Lab::new().await.with_live_image()).await;
    let answer = site.ask(Role::Operator, "POST", "/hosts/n1/actions/reregister", json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    site.world.pass(90);
    let script = site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.text;
    (site, script)
}

async fn say(site: &Site, token: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    site.machine("POST", &format!("/agent/v1/{path}"), &[("authorization", &bearer), ("content-type", "application/json")], body).await
}

fn hello(script: &str) -> Value {
    json!({ "protocol": 1, "agent": "0.1.0", "image": "1", "session": word(script, "bw.session"), "mode": "register", "macs": [MAC] })
}

#[track_caller]
fn denied(answer: &Answer, status: u16, code: &str, part: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{}", answer.text);
    let denial: Denial = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(denial.code, code, "{denial:?}");
    assert!(denial.text.contains(part), "{denial:?}");
}

#[track_caller]
fn told(answer: &Answer, action: &str) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let reply = answer.json();
    assert_eq!((&reply["action"], &reply["protocol"], &reply["heartbeat_secs"]), (&json!(action), &json!(1), &json!(30)));
    reply
}

#[tokio::test]
async fn a_registration_goes_over_the_wire() {
    let (site, script) = site().await;
    let token = word(&script, "bw.token").unwrap();
    let session = word(&script, "bw.session").unwrap();
    for name in ["vmlinuz", "initrd"] {
        let path = format!("/live/1/{name}?s={session}");
        let whole = site.fetch(&path).await;
        let text = if name == "vmlinuz" { "live kernel 1" } else { "live initrd 1" };
        assert_eq!((whole.status, whole.text.as_str(), whole.header("content-length")), (200, text, text.len().to_string().as_str()));
        assert_eq!(whole.header("etag"), format!("\"{}\"", sha256_hex(text.as_bytes())));
        let part = site.machine("GET", &path, &[("range", "bytes=5-9")], "").await;
        assert_eq!((part.status, part.text.as_str()), (206, &text[5..10]));
        let head = site.machine("HEAD", &path, &[], "").await;
        assert_eq!((head.status, head.text.as_str(), head.header("content-length")), (200, "", text.len().to_string().as_str()));
    }
    let sent = site.house.journal(JournalFilter { kind: Some("transfer".into()), ..JournalFilter::default() }).await.unwrap();
    assert_eq!(sent.len(), 2, "HEAD and Range count as nothing: {sent:?}");
    let reached = site.house.find("n1").unwrap().session().unwrap().reached;
    assert_eq!(serde_json::to_value(reached).unwrap(), "kernel", "a script asked for now is another power-on");

    let reply = told(&say(&site, token, "hello", &hello(&script).to_string()).await, "register");
    assert_eq!(reply["host"], "n1");
    let beat = json!({ "protocol": 1, "session": session, "step": "collecting", "percent": 10 });
    told(&say(&site, token, "heartbeat", &beat.to_string()).await, "continue");
    let report = json!({ "protocol": 1, "session": session, "report_id": "r1", "kind": "facts", "facts": facts() });
    told(&say(&site, token, "report", &report.to_string()).await, "reboot");
    assert_eq!(site.get("/hosts/n1").await.json()["lifecycle"]["state"], "used");
}

#[tokio::test]
async fn only_the_present_version_is_there_and_only_its_two_files() {
    let (site, _) = site().await;
    for path in ["/live/0/vmlinuz", "/live/1/manifest.json", "/live/1/..%2fserver.key", "/live/..%2f..%2fserver.key/vmlinuz", "/live/1/"] {
        let answer = site.fetch(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        assert!(answer.text.ends_with('\n'), "{}", answer.text);
    }
    put_live_image(&site.house.config.live(), "2");
    site.house.reload_live_image().unwrap().unwrap();
    assert_eq!(site.fetch("/live/1/vmlinuz").await.status, 404);
    assert_eq!(site.fetch("/live/2/vmlinuz").await.text, "live kernel 2");
    fs::write(site.house.config.live().join("vmlinuz"), "half").unwrap();
    let replaced = site.fetch("/live/2/vmlinuz").await;
    assert_eq!((replaced.status, replaced.header("retry-after")), (503, "5"), "a file that is being replaced is no missing one");
    site.house.reload_live_image().unwrap().unwrap_err();
    assert_eq!(site.fetch("/live/2/initrd").await.status, 404, "nothing of a broken image is served");
    assert!(site.house.metrics.encode().contains("bootwright_live_image_ready 0"));
}

#[tokio::test]
async fn who_has_no_token_of_a_run_is_told_so_before_a_byte_of_its_body_is_kept() {
    let (site, script) = site().await;
    let token = word(&script, "bw.token").unwrap();
    let huge = "x".repeat(5 << 20);
    for path in ["hello", "heartbeat", "report"] {
        let bare = site.machine("POST", &format!("/agent/v1/{path}"), &[], "{}").await;
        denied(&bare, 401, "unknown_token", "Bearer");
        let basic = site.machine("POST", &format!("/agent/v1/{path}"), &[("authorization", "Basic aaaaaaaaaaaaaaaaaaaaaaaaaa")], "{}").await;
        denied(&basic, 401, "unknown_token", "Bearer");
        denied(&say(&site, "aaaaaaaaaaaaaaaaaaaaaaaaaa", path, &huge).await, 403, "unknown_token", "boot from the network");
        denied(&say(&site, token, path, &huge).await, 413, "too_large", "at most");
        denied(&say(&site, token, path, "{").await, 400, "malformed", "body");
        assert_eq!(site.fetch(&format!("/agent/v1/{path}")).await.status, 405);
    }
    let mut wrong = hello(&script);
    wrong["macs"] = json!(["52:54"]);
    denied(&say(&site, token, "hello", &wrong.to_string()).await, 400, "malformed", "macs[0]");
    let mut wrong = hello(&script);
    wrong["mode"] = json!("clean");
    denied(&say(&site, token, "hello", &wrong.to_string()).await, 409, "wrong_mode", "boot from the network");
    let report = json!({ "protocol": 1, "session": word(&script, "bw.session"), "report_id": "r", "kind": "failed", "text": "x" });
    denied(&say(&site, token, "report", &report.to_string()).await, 409, "no_hello", "hello");
    let metrics = site.house.metrics.encode();
    for (reason, times) in [("unknown_token", 9), ("too_large", 3), ("malformed", 4), ("wrong_mode", 1), ("no_hello", 1)] {
        assert!(metrics.contains(&format!("bootwright_agent_denials_total{{word=\"{reason}\"}} {times}\n")), "{reason}: {metrics}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again() {
    let (site, script) = site().await;
    let request = Request::post("/agent/v1/hello").header("authorization", format!("Bearer {}", word(&script, "bw.token").unwrap()));
    let pieces = [Ok("{"), Err(std::io::Error::other("the connection broke"))];
    let answer = send(&site.boot, request.body(Body::from_stream(tokio_stream::iter(pieces))).unwrap()).await;
    denied(&answer, 503, "too_slow", "send it again");
    assert!(site.house.metrics.encode().contains("bootwright_agent_denials_total{word=\"too_slow\"} 1\n"));
}

#[tokio::test]
async fn a_token_of_an_older_run_opens_nothing() {
    let (site, script) = site().await;
    let token = word(&script, "bw.token").unwrap();
    for verb in ["cancel_register", "reregister"] {
        assert_eq!(site.ask(Role::Operator, "POST", &format!("/hosts/n1/actions/{verb}"), json!({})).await.status, 200);
    }
    denied(&say(&site, token, "hello", &hello(&script).to_string()).await, 403, "unknown_token", "no present run");
}

#[tokio::test]
async fn facts_that_lack_what_is_mandatory_are_a_failed_try_and_the_next_one_may_have_them() {
    let (site, script) = site().await;
    let token = word(&script, "bw.token").unwrap();
    told(&say(&site, token, "hello", &hello(&script).to_string()).await, "register");
    let report = |script: &str, id: &str, facts: Value| {
        json!({ "protocol": 1, "session": word(script, "bw.session"), "report_id": id, "kind": "facts", "facts": facts }).to_string()
    };
    told(&say(&site, token, "report", &report(&script, "r1", json!({}))).await, "reboot");
    assert_eq!(site.get("/hosts/n1").await.json()["lifecycle"]["state"], "used_registering");
    site.world.pass(90);
    let script = site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.text;
    told(&say(&site, token, "hello", &hello(&script).to_string()).await, "register");
    told(&say(&site, token, "report", &report(&script, "r2", serde_json::to_value(facts()).unwrap())).await, "reboot");
    assert_eq!(site.get("/hosts/n1").await.json()["lifecycle"]["state"], "used");
}

#[tokio::test]
async fn too_often_is_429_and_a_store_that_cannot_say_503_with_a_time_to_come_again() {
    let (site, script) = site().await;
    let token = word(&script, "bw.token").unwrap();
    let mut last = say(&site, token, "hello", &hello(&script).to_string()).await;
    for _ in 0..80 {
        last = say(&site, token, "hello", &hello(&script).to_string()).await;
    }
    denied(&last, 429, "too_often", "more often");
    assert_eq!(last.header("retry-after"), "5");
    assert!(site.house.metrics.encode().contains("agent_denials_total{word=\"too_often\"}"));

    let mut lab = Lab::new().await;
    lab.house.store = Arc::new(BrokenStore);
    let (house, _world, _folder) = lab.share();
    let routes = boot::routes(Boot { house, records: boot::Records::default() });
    for path in ["hello", "heartbeat", "report"] {
        let request = axum::http::Request::post(format!("/agent/v1/{path}")).header("authorization", format!("Bearer {token}"));
        let answer = send(&routes, request.body(axum::body::Body::from("{}")).unwrap()).await;
        denied(&answer, 503, "unavailable", "ask again");
        assert_eq!(answer.header("retry-after"), "5");
    }
}

/// What the daemon at this address says of itself, once it says it.
async fn metrics_say(address: std::net::SocketAddr, part: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(50));
    let said = async {
        loop {
            pause.tick().await;
            let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else { continue };
            let mut text = String::new();
            let ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            if stream.write_all(ask).await.is_ok() && stream.read_to_string(&mut text).await.is_ok() && text.contains(part) {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), said).await.unwrap_or_else(|_| panic!("{part} was never said"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_sees_an_image_come_break_and_come_again() {
    let lab = Lab::new().await;
    let mut config = lab.config.clone();
    lab.house.store.close().await.unwrap();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config.admin.listen = address;
    config.boot.listen = "127.0.0.1:0".parse().unwrap();
    config.tftp.listen = "127.0.0.1:0".parse().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let daemon = tokio::spawn(bootwright::serve::run_until(config.clone(), stop.clone()));
    metrics_say(address, "bootwright_live_image_ready 0").await;
    put_live_image(&config.live(), "1");
    metrics_say(address, "bootwright_live_image_ready 1").await;
    fs::write(config.live().join("initrd"), "half").unwrap();
    metrics_say(address, "bootwright_live_image_ready 0").await;
    metrics_say(address, "bootwright_warnings_total 1").await;
    stop.cancel();
    daemon.await.unwrap().unwrap();
}

fn golden(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/agent").join(format!("{name}.json"));
    fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// An older agent's word is read to exactly what it says; a newer one's to the same, whatever else it holds.
#[track_caller]
fn heard<T: Serialize>(name: &str, read: fn(&[u8]) -> Result<T, read::Malformed>) {
    let text = golden(&format!("{name}-1"));
    let said = read(text.as_bytes()).unwrap_or_else(|malformed| panic!("{name}: {malformed}"));
    assert_eq!(serde_json::to_value(&said).unwrap(), serde_json::from_str::<Value>(&text).unwrap(), "{name}");
    let newer = read(golden(&format!("{name}-2x")).as_bytes()).unwrap_or_else(|malformed| panic!("{name}: {malformed}"));
    let mut newer = serde_json::to_value(&newer).unwrap();
    assert_eq!(newer["protocol"], 2);
    newer["protocol"] = json!(1);
    assert_eq!(newer, serde_json::to_value(&said).unwrap(), "{name}");
}

#[test]
fn every_golden_word_of_an_agent_is_understood() {
    heard("hello-register", read::hello);
    heard("hello-clean", read::hello);
    heard("heartbeat", read::heartbeat);
    for name in ["report-partial", "report-facts", "report-wipe", "report-failed"] {
        heard(name, read::report);
    }
}

#[test]
fn every_golden_answer_is_written_as_agents_know_it() {
    let actions = [
        ("register", Action::Register),
        ("clean", Action::Clean),
        ("continue", Action::Continue),
        ("abort", Action::Abort),
        ("wait", Action::Wait),
        ("reboot", Action::Reboot),
        ("poweroff", Action::Poweroff),
    ];
    for (word, action) in actions {
        let text = golden(&format!("reply-{word}-1"));
        let known: Value = serde_json::from_str(&text).unwrap();
        let field = |name: &str| known[name].as_str().map(ToOwned::to_owned);
        let reply = Reply {
            protocol: PROTOCOL,
            action,
            host: field("host").unwrap(),
            reason: field("reason").unwrap(),
            heartbeat_secs: known["heartbeat_secs"].as_u64().unwrap(),
            plan: field("plan"),
            plan_hash: field("plan_hash"),
        };
        assert_eq!(serde_json::to_value(&reply).unwrap(), known, "{word}");
        assert_eq!(reply.plan.is_some(), action == Action::Clean);
        let newer: Reply = serde_json::from_str(&golden(&format!("reply-{word}-2x"))).unwrap();
        assert_eq!(Reply { protocol: PROTOCOL, ..newer }, reply, "{word}");
    }
    let known: Value = serde_json::from_str(&golden("denial-1")).unwrap();
    let denial = Denial { code: "unknown_token".into(), text: known["text"].as_str().unwrap().into() };
    assert_eq!(serde_json::to_value(&denial).unwrap(), known);
    let newer: Denial = serde_json::from_str(&golden("denial-2x")).unwrap();
    assert_eq!(newer, denial);
}

#[test]
fn the_golden_plan_has_the_hash_that_travels_beside_it() {
    let reply: Reply = serde_json::from_str(&golden("reply-clean-1")).unwrap();
    let text = reply.plan.unwrap();
    let plan: bootwright::model::WipePlan = serde_json::from_str(&text).unwrap();
    assert_eq!((plan.text(), Some(plan.hash())), (text, reply.plan_hash));
}
