//! A wipe from its plan to its certificates, over the routes: what operators see and say, what the live image's agent hears and answers.
//!
//! Facts are put in as a registration would leave them; the machine is this test, by script and by `/agent/v1`.

use bootwright::{
    app::{Calendar, Saved, house::Pen},
    model::{
        DiskResult, DiskState, Host, Lifecycle,
        Role::{Admin, Operator, Viewer},
        What, WipePlan,
        token::sha256_hex,
    },
    rules::{lifecycle::Wiped, wipe},
    store::Writes,
};
use serde_json::{Value, json};

use crate::{
    http_site::{Answer, Site},
    lab::{self, Lab, MAC},
};

const NO: Value = Value::Null;
const DAY: u64 = 86_400;

fn disk(id: &str, name: &str, more: Value) -> Value {
    let mut disk = json!({ "id": id, "name": name, "model": "QEMU", "serial": id, "wwn": "", "size_bytes": 1_000_000_000, "transport": "virtio",
        "erase": ["write_zeroes", "overwrite"] });
    disk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    disk
}

/// Two disks of its own and one on a USB stick.
fn facts() -> Value {
    json!({ "system": { "serial": "CHASSIS" }, "disks": [disk("a", "vda", json!({})), disk("b", "vdb", json!({})), disk("u", "sda", json!({ "transport": "usb" }))] })
}

/// A site with a live image whose `n1` is used and was registered just now.
pub async fn site() -> Site {
    let site = Site::of(Lab::new().await.with_live_image()).await;
    know(&site, facts()).await;
    site
}

/// What a registration leaves behind.
async fn know(site: &Site, facts: Value) {
    let seen = site.house.find("n1").unwrap();
    let mut next = Host::clone(&seen);
    next.facts = Some(std::sync::Arc::new(serde_json::from_value(facts).unwrap()));
    next.facts_at = Some(site.house.now());
    let fact = Pen::new(lab::admin(), site.house.now()).of(&seen).write(What::Edited { fields: vec!["facts".into()] }, "for the test");
    let saved = site.house.save(&seen, Some(next), Writes { facts: vec![fact], ..Writes::default() }).await.unwrap();
    assert!(matches!(saved, Saved::Done(_)));
}

async fn plan_hash(site: &Site, query: &str) -> String {
    let answer = site.get(&format!("/hosts/n1/wipe-plan{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["plan_hash"].as_str().unwrap().to_owned()
}

async fn act(site: &Site, verb: &str, words: Value) -> Answer {
    site.ask(Operator, "POST", &format!("/hosts/n1/actions/{verb}"), words).await
}

/// Begins a wipe by `verb`, confirmed twice.
async fn begin(site: &Site, verb: &str, more: Value) {
    let mut words = json!({ "confirm": "n1", "plan_hash": plan_hash(site, "").await });
    words.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = act(site, verb, words).await;
    assert_eq!(answer.status, 200, "{verb}: {}", answer.text);
    assert_eq!(state(site), "cleaning");
}

fn state(site: &Site) -> &'static str {
    site.house.find("n1").unwrap().lifecycle.word()
}

/// A machine that was started from the network and runs the live image.
pub struct Machine<'s> {
    site: &'s Site,
    token: String,
    session: String,
    plan_hash: String,
}

impl<'s> Machine<'s> {
    /// Switched on: it has its script, and its agent has said hello and was told to wipe.
    pub async fn wiping(site: &'s Site) -> Self {
        site.world.pass(90);
        let script = site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.text;
        let word = |name: &str| {
            let rest = script.split(name).nth(1).unwrap_or_else(|| panic!("{name} is not in\n{script}"));
            rest.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(word("bw.mode="), "clean");
        let machine = Self { site, token: word("bw.token="), session: word("bw.session="), plan_hash: word("bw.plan=") };
        let hello = machine.say("hello", json!({ "agent": "0.1.0", "image": "1", "mode": "clean", "macs": [MAC] })).await;
        assert_eq!(hello.status, 200, "{}", hello.text);
        let reply = hello.json();
        assert_eq!((&reply["action"], reply["plan_hash"].as_str()), (&json!("clean"), Some(machine.plan_hash.as_str())));
        assert_eq!(sha256_hex(reply["plan"].as_str().unwrap().as_bytes()), machine.plan_hash, "the text is what was hashed");
        machine
    }

    async fn say(&self, word: &str, more: Value) -> Answer {
        let mut body = json!({ "protocol": 1, "session": self.session });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.site.machine("POST", &format!("/agent/v1/{word}"), &headers, &body.to_string()).await
    }

    pub async fn report(&self, id: &str, results: Value) -> Answer {
        self.say("report", json!({ "report_id": id, "kind": "wipe", "plan_hash": self.plan_hash, "results": results, "tools": ["blkdiscard 2.38"] }))
            .await
    }
}

/// The result of a disk that was wiped and verified.
pub fn good(id: &str) -> Value {
    json!({ "id": id, "name": "vdx", "ok": true, "method": "write_zeroes", "started": "2026-01-01T00:02:00Z", "ended": "2026-01-01T00:03:00Z",
        "attempts": [{ "method": "write_zeroes", "command": "blkdiscard -z /dev/vdx", "exit_code": 0, "ok": true }],
        "verification": { "marker_gone": true, "samples_read": 102, "samples_dirty": 0 } })
}

#[tokio::test]
async fn a_plan_is_shown_and_changes_nothing() {
    let site = site().await;
    let before = site.get("/hosts/n1").await.text;
    let answer = site.ask(Viewer, "GET", "/hosts/n1/wipe-plan?policy=metadata", NO).await;
    let shown = answer.json();
    assert_eq!(answer.status, 200, "{shown}");
    assert_eq!(shown["plan"]["disks"][0]["methods"], json!(["metadata_only"]));
    assert_eq!(shown["plan"]["left"][0]["id"], "u");
    assert_eq!(shown["summary"], "2 disks of n1 (vda, vdb) by policy metadata, 1 disk left alone; about 20 min, at most 1 h");
    assert!(shown["warnings"][0].as_str().unwrap().contains("NO SANITISATION"), "{shown}");
    assert_eq!(shown["deadlines"], json!({ "soft_secs": 1200, "hard_secs": 3600 }));
    let plan: WipePlan = serde_json::from_value(shown["plan"].clone()).unwrap();
    assert_eq!((plan.hash().as_str(), plan.hash().len()), (shown["plan_hash"].as_str().unwrap(), 64));
    let named = site.get("/hosts/n1/wipe-plan?include=u&include=a").await.json();
    assert_eq!((named["plan"]["disks"].as_array().unwrap().len(), &named["plan"]["left"]), (3, &json!([])));
    assert_eq!(site.get("/hosts/n1").await.text, before);
}

#[tokio::test]
async fn a_plan_that_cannot_be_is_refused_with_its_reason() {
    let site = site().await;
    for (query, status, code, reason) in [
        ("?policy=purge", 412, "no_plan", json!("no_purge")),
        ("?include=zz", 412, "no_plan", json!("unknown_disk")),
        ("?policy=rough", 422, "invalid", NO),
        ("?policies=clear", 422, "invalid", NO),
    ] {
        let answer = site.get(&format!("/hosts/n1/wipe-plan{query}")).await;
        assert_eq!((answer.problem(status).as_str(), &answer.json()["reason"]), (code, &reason), "{query}: {}", answer.text);
    }
    site.world.pass(31 * DAY);
    let answer = site.get("/hosts/n1/wipe-plan").await;
    assert_eq!((answer.problem(412).as_str(), &answer.json()["reason"]), ("no_plan", &json!("facts_stale")));
    assert_eq!(act(&site, "release", json!({ "confirm": "n1" })).await.problem(412), "no_plan");
    // Taken over as it is, never registered: the refusal says how that is mended.
    let adopted = Site::of(Lab::new().await.with_live_image()).await;
    let answer = act(&adopted, "release", json!({ "confirm": "n1" })).await;
    assert_eq!((answer.problem(412).as_str(), &answer.json()["reason"]), ("no_plan", &json!("no_facts")));
    assert!(answer.text.contains("reregister (T14)"), "{}", answer.text);
    assert_eq!(adopted.get("/hosts/nobody/wipe-plan").await.problem(404), "not_found");
}

#[tokio::test]
async fn without_a_live_image_that_is_said_before_anything_of_the_plan() {
    let site = Site::new().await;
    assert_eq!(act(&site, "release", json!({ "confirm": "n1" })).await.problem(409), "no_live_image");
    know(&site, facts()).await;
    assert_eq!(act(&site, "release", json!({ "confirm": "n1" })).await.problem(409), "no_live_image");
    assert_eq!(act(&site, "delete", json!({ "confirm": "n1", "plan_hash": "0".repeat(64) })).await.problem(409), "no_live_image");
    assert_eq!(state(&site), "used");
}

#[tokio::test]
async fn a_wipe_wants_the_name_and_the_plan_and_nothing_less() {
    let site = site().await;
    let hash = plan_hash(&site, "").await;
    let lines = site.get("/hosts/n1/journal?kind=transition").await.json()["items"].as_array().unwrap().len();
    let other = format!("{}{}", if hash.starts_with('0') { '1' } else { '0' }, &hash[1..]);
    for (words, status, code) in [
        (json!({ "plan_hash": hash }), 428, "needs_confirm"),
        (json!({ "plan_hash": hash, "confirm": "n2" }), 428, "needs_confirm"),
        (json!({ "confirm": "n1" }), 428, "plan_unconfirmed"),
        (json!({ "confirm": "n1", "plan_hash": " " }), 428, "plan_unconfirmed"),
        (json!({ "confirm": "n1", "plan_hash": hash[..11] }), 422, "invalid"),
        (json!({ "confirm": "n1", "plan_hash": format!("{hash}0") }), 422, "invalid"),
        (json!({ "confirm": "n1", "plan_hash": "not a hash at all" }), 422, "invalid"),
        (json!({ "confirm": "n1", "plan_hash": other }), 412, "plan_changed"),
        (json!({ "confirm": "n1", "plan_hash": hash, "policy": "metadata" }), 412, "plan_changed"),
        (json!({ "confirm": "n1", "plan_hash": hash, "include": ["u"] }), 412, "plan_changed"),
        (json!({ "confirm": "n1", "plan_hash": hash, "include": ["zz"] }), 412, "no_plan"),
        (json!({ "confirm": "n1", "plan_hash": hash, "policy": "rough" }), 422, "invalid"),
    ] {
        let answer = act(&site, "release", words.clone()).await;
        assert_eq!(answer.problem(status), code, "{words}");
        if code.starts_with("plan_") {
            let json = answer.json();
            assert!(json["plan_hash"].as_str().is_some_and(|hash| hash.len() == 64) && json["summary"].as_str().is_some(), "{json}");
            assert!(json["hint"].as_str().unwrap().contains("wipe-plan"), "{json}");
        }
    }
    assert_eq!(state(&site), "used");
    assert_eq!(site.get("/hosts/n1/journal?kind=transition").await.json()["items"].as_array().unwrap().len(), lines);
    assert_eq!(act(&site, "protect", NO).await.status, 200);
    assert_eq!(act(&site, "release", json!({ "confirm": "n1", "plan_hash": hash })).await.problem(423), "protected");
    assert_eq!(act(&site, "unprotect", NO).await.status, 200);
    let twelve = hash[..12].to_uppercase();
    assert_eq!(act(&site, "release", json!({ "confirm": "n1", "plan_hash": twelve })).await.status, 200);
    assert_eq!(state(&site), "cleaning");
}

#[tokio::test]
async fn facts_that_changed_since_the_plan_was_looked_at_make_another_plan() {
    let site = site().await;
    let hash = plan_hash(&site, "").await;
    let mut more = facts();
    more["disks"].as_array_mut().unwrap().push(disk("c", "vdc", json!({})));
    know(&site, more).await;
    assert_eq!(act(&site, "release", json!({ "confirm": "n1", "plan_hash": hash })).await.problem(412), "plan_changed");
    assert_eq!(state(&site), "used");
}

#[tokio::test]
async fn a_released_host_is_wiped_with_proof_and_offered() {
    let site = site().await;
    begin(&site, "release", json!({ "then": "available" })).await;
    let machine = Machine::wiping(&site).await;
    let beat =
        json!({ "step": "erasing", "percent": 40, "eta_secs": 60, "disks": [{ "id": "a", "step": "erasing", "percent": 80, "eta_secs": 12 }] });
    assert_eq!(machine.say("heartbeat", beat).await.json()["action"], "continue");
    let live = site.get("/hosts/n1").await.json()["live"].clone();
    assert_eq!((&live["progress"]["disks"][0]["percent"], &live["by"]), (&json!(80), &json!("olga")));
    assert_eq!(live["token_hash"], "(secret)");
    assert_eq!(machine.report("r1", json!([good("a"), good("b")])).await.status, 200);
    assert_eq!((state(&site), &site.house.find("n1").unwrap().disk_state), ("available", &DiskState::Clean));

    let listed = site.ask(Viewer, "GET", "/hosts/n1/certificates", NO).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    for item in listed["items"].as_array().unwrap() {
        let sha256 = item["sha256"].as_str().unwrap();
        let paper = site.ask(Viewer, "GET", &format!("/certificates/{sha256}"), NO).await;
        assert_eq!((paper.status, sha256_hex(paper.text.as_bytes()).as_str(), &item["ok"]), (200, sha256, &json!(true)));
        assert_eq!((paper.header("content-type"), paper.header("etag")), ("application/json", format!("\"{sha256}\"").as_str()));
        assert_eq!(paper.header("content-disposition"), format!("attachment; filename=\"wipe-n1-{}.json\"", &sha256[..12]));
        let said = paper.json();
        assert_eq!((&said["plan_hash"], &said["ordered_by"], &said["host_serial"]), (&json!(machine.plan_hash), &json!("olga"), &json!("CHASSIS")));
        assert_eq!((&said["category"], &said["agent"], &said["image"]), (&json!("clear"), &json!("0.1.0"), &json!("1")));
        assert_eq!(said["tools"], json!(["blkdiscard 2.38"]));
    }
    // The same report again: the same answer, no third paper.
    assert_eq!(machine.report("r1", json!([good("a"), good("b")])).await.status, 200);
    assert_eq!(site.get("/hosts/n1/certificates").await.json(), listed);
    let first = site.get("/hosts/n1/certificates?limit=1").await.json();
    let next = first["next"].as_str().unwrap();
    assert_eq!(site.get(&format!("/hosts/n1/certificates?limit=1&cursor={next}")).await.json()["items"][0], listed["items"][1]);
    assert_eq!(site.get("/hosts/n1/certificates?cursor=x").await.problem(422), "invalid");
    assert_eq!(site.get(&format!("/certificates/{}", "0".repeat(64))).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_document_is_not_given_out_as_a_certificate() {
    let site = Site::new().await;
    let pass = site.enable().await;
    assert_eq!(site.fetch(&format!("/t/{pass}/answer")).await.status, 200);
    let build = site.house.find("n1").unwrap().build.clone().unwrap();
    let sha256 = &build.served[0].sha256;
    assert_eq!(site.get(&format!("/certificates/{sha256}")).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_failed_wipe_holds_the_host_until_a_retry_with_a_plan_of_its_own() {
    let site = site().await;
    let hash = plan_hash(&site, "?policy=metadata&include=u").await;
    let words = json!({ "confirm": "n1", "plan_hash": hash, "policy": "metadata", "include": ["u"], "then": "available" });
    assert_eq!(act(&site, "release", words).await.status, 200);
    let machine = Machine::wiping(&site).await;
    assert_eq!(machine.report("r1", json!([good("a")])).await.status, 200);
    assert_eq!(state(&site), "error");
    let papers = site.get("/hosts/n1/certificates").await.json()["items"].clone();
    assert!(papers.as_array().unwrap().len() == 3 && papers.as_array().unwrap().iter().all(|paper| paper["ok"] == false), "{papers}");
    assert_eq!(act(&site, "release", json!({ "confirm": "n1" })).await.problem(409), "not_from_here");
    // What was named for the wipe that failed is named for its retry.
    assert_eq!(plan_hash(&site, "").await, hash);
    assert_eq!(act(&site, "retry-clean", json!({ "plan_hash": hash })).await.problem(428), "needs_confirm");
    assert_eq!(act(&site, "retry-clean", json!({ "confirm": "n1" })).await.problem(428), "plan_unconfirmed");
    assert_eq!(state(&site), "error");
    let clear = plan_hash(&site, "?policy=clear&include=a").await;
    assert_eq!(act(&site, "retry-clean", json!({ "confirm": "n1", "policy": "clear", "include": ["a"], "plan_hash": clear })).await.status, 200);
    // The old run's token opens nothing any more.
    assert_eq!(machine.report("r2", json!([good("a"), good("b")])).await.status, 403);
    let machine = Machine::wiping(&site).await;
    assert_eq!(machine.report("r3", json!([good("a"), good("b")])).await.status, 200);
    assert_eq!(state(&site), "available", "the goal is that of the wipe that failed");
}

#[tokio::test]
async fn what_an_agent_could_not_do_at_all_leaves_a_paper_for_each_disk_too() {
    let site = site().await;
    begin(&site, "release", json!({})).await;
    let machine = Machine::wiping(&site).await;
    assert_eq!(machine.say("report", json!({ "report_id": "r1", "kind": "failed", "text": "no marker file" })).await.status, 200);
    assert_eq!(state(&site), "error");
    let papers = site.get("/hosts/n1/certificates").await.json()["items"].clone();
    assert!(papers.as_array().unwrap().len() == 2 && papers[0]["text"].as_str().unwrap().contains("no marker file"), "{papers}");
}

#[tokio::test]
async fn waiving_needs_an_admin_a_reason_and_the_name_and_leaves_its_trace() {
    let site = site().await;
    begin(&site, "release", json!({})).await;
    Machine::wiping(&site).await.report("r1", json!([])).await;
    assert_eq!(state(&site), "error");
    assert_eq!(act(&site, "resolve", NO).await.problem(412), "disks_not_clean");
    let waive = |role, words: Value| site.ask(role, "POST", "/hosts/n1/actions/waive", words);
    assert_eq!(waive(Operator, json!({ "reason": "shredded", "confirm": "n1" })).await.problem(403), "role_too_low");
    assert_eq!(waive(Admin, json!({ "confirm": "n1" })).await.problem(422), "invalid");
    assert_eq!(waive(Admin, json!({ "reason": " ", "confirm": "n1" })).await.problem(422), "invalid");
    assert_eq!(waive(Admin, json!({ "reason": "shredded" })).await.problem(428), "needs_confirm");
    let waived = waive(Admin, json!({ "reason": "shredded", "confirm": "n1" })).await.json();
    assert_eq!(waived["disk_state"], json!({ "disk": "waived", "by": "anna", "why": "shredded" }));
    assert_eq!(waived["lifecycle"]["state"], "error");
    let line = site.get("/hosts/n1/journal?limit=1").await.json()["items"][0].clone();
    assert_eq!((&line["actor"]["name"], &line["text"]), (&json!("anna"), &json!("anna vouches for disks that were not wiped: shredded")));
    assert_eq!(act(&site, "resolve", NO).await.json()["lifecycle"]["state"], "available");
    assert_eq!(site.get("/hosts/n1").await.json()["disk_state"]["by"], "anna", "the waiver stays to be seen");
}

#[tokio::test]
async fn a_deleted_host_is_wiped_goes_and_leaves_its_certificates() {
    let site = site().await;
    assert_eq!(act(&site, "delete", json!({ "confirm": "n1" })).await.problem(428), "plan_unconfirmed");
    begin(&site, "delete", json!({})).await;
    let id = site.house.find("n1").unwrap().id.to_string();
    Machine::wiping(&site).await.report("r1", json!([good("a"), good("b")])).await;
    assert!(matches!(site.house.find("n1").unwrap().lifecycle, Lifecycle::Decommissioned { .. }));
    site.world.pass(31 * DAY);
    site.house.sweep(&mut Calendar::default()).await.unwrap();
    assert_eq!(site.get("/hosts/n1").await.problem(404), "not_found");
    assert_eq!(site.get("/hosts/n1/certificates").await.problem(404), "not_found");
    site.house.store.prune(site.house.now()).await.unwrap();
    let papers = site.get(&format!("/hosts/{id}/certificates")).await.json()["items"].clone();
    assert_eq!(papers.as_array().unwrap().len(), 2);
    let sha256 = papers[0]["sha256"].as_str().unwrap();
    assert_eq!(sha256_hex(site.get(&format!("/certificates/{sha256}")).await.text.as_bytes()), sha256);
}

#[tokio::test]
async fn a_host_that_nobody_uses_is_cleaned_and_a_wipe_that_has_not_begun_is_taken_back() {
    let site = site().await;
    begin(&site, "release", json!({})).await;
    assert_eq!(act(&site, "cancel-clean", NO).await.json()["lifecycle"]["state"], "used");
    begin(&site, "release", json!({ "then": "unavailable" })).await;
    Machine::wiping(&site).await.report("r1", json!([good("a"), good("b")])).await;
    assert_eq!(state(&site), "unavailable");
    assert_eq!(act(&site, "release", json!({ "confirm": "n1" })).await.problem(409), "not_from_here");
    let hash = plan_hash(&site, "").await;
    assert_eq!(act(&site, "clean", json!({ "confirm": "n1", "plan_hash": hash, "then": "decommissioned" })).await.problem(412), "wrong_goal");
    begin(&site, "clean", json!({ "then": "available" })).await;
    let machine = Machine::wiping(&site).await;
    assert_eq!(act(&site, "cancel-clean", NO).await.problem(409), "erase_begun");
    machine.report("r2", json!([good("a"), good("b")])).await;
    assert_eq!(state(&site), "available");
}

#[tokio::test]
async fn a_list_of_hosts_is_without_what_fills_a_page_of_its_own() {
    let site = site().await;
    begin(&site, "release", json!({})).await;
    let host = site.get("/hosts").await.json()["items"][0].clone();
    assert_eq!((&host["name"], &host["facts"], &host["live"]["plan"], &host["live"]["mode"]), (&json!("n1"), &NO, &NO, &json!("clean")));
    let whole = site.get("/hosts/n1").await.json();
    assert!(whole["facts"].is_object() && whole["live"]["plan"].is_object());
    for shown in [host, whole] {
        assert_eq!(shown["live"]["token_hash"], "(secret)");
    }
}

/// What agents of protocol 1 say is judged here as they mean it, for as long as there are such agents.
#[test]
fn the_golden_report_of_a_wipe_proves_two_disks_and_not_the_third() {
    let golden = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/agent").join(name);
        serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let (reply, report) = (golden("reply-clean-1.json"), golden("report-wipe-1.json"));
    let plan: WipePlan = serde_json::from_str(reply["plan"].as_str().unwrap()).unwrap();
    assert_eq!((plan.text().as_str(), plan.hash().as_str()), (reply["plan"].as_str().unwrap(), report["plan_hash"].as_str().unwrap()));
    let mut results: Vec<DiskResult> = serde_json::from_value(report["results"].clone()).unwrap();
    let Wiped::Failed { text } = wipe::judge(&plan, &results, None) else { panic!("sdb was not wiped") };
    assert!(text.starts_with("serial:ST4000NM0035-1V4107_ZC1A2B3C (sdb): every method failed") && !text.contains("nvme0n1"), "{text}");
    results.pop();
    let two = WipePlan { disks: plan.disks[..2].to_vec(), ..plan };
    assert_eq!(wipe::judge(&two, &results, None), Wiped::All);
}
