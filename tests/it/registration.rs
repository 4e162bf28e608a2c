//! From a stranger that asks for its script to a host that is offered: enrolment, naming, the report, identity, rules, and coming again.
//!
//! Told in the lab's house: strangers ask as machines do, the agent speaks as the boot listener lets it.

use std::{net::Ipv4Addr, sync::Arc};

use bootwright::{
    app::{house::Pen, rules::tried, script::ScriptAsk, settings::Edit},
    model::{Actor, Host, Lifecycle, LiveMode, Mac, Role, Rule, What},
    store::{JournalFilter, Writes},
    wire::agent::{Action, Content, Hello, PROTOCOL, Report},
};
use serde_json::{Value, json};

use crate::{
    http_site::Site,
    lab::{self, Lab, admin},
};

const CARD: &str = "52:54:00:aa:00:01";
const BOARD: &str = "4c4c4544-0051-3510-8058-b4c04f4d3332";

/// A lab whose network has more words, with a live image.
async fn site(more: Value) -> Lab {
    let lab = Lab::new().await.with_live_image();
    network(&lab, more).await;
    lab
}

async fn network(lab: &Lab, more: Value) {
    let mut network = json!({ "name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "server": "10.77.0.1",
        "pools": [{ "first": "10.77.0.100", "last": "10.77.0.200" }] });
    network.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    lab.house.edit_settings(&admin(), Edit::Network(serde_json::from_value(network).unwrap())).await.unwrap();
}

fn ask(mac: &str, uuid: Option<&str>, serial: Option<&str>) -> ScriptAsk {
    ScriptAsk {
        mac: Some(mac.parse().unwrap()),
        uuid: uuid.map(|text| text.parse().unwrap()),
        serial: serial.map(str::to_owned),
        arch: None,
        session: None,
        peer: Ipv4Addr::new(10, 77, 0, 150),
        server: Ipv4Addr::new(10, 77, 0, 1),
    }
}

fn machine(number: u32) -> String {
    let [_, a, b, c] = number.to_be_bytes();
    format!("52:54:01:{a:02x}:{b:02x}:{c:02x}")
}

fn find(lab: &Lab, key: &str) -> Option<Arc<Host>> {
    lab.house.find(key).ok()
}

/// The texts of the journal's entries of one kind, oldest first.
async fn journal(lab: &Lab, kind: &str) -> Vec<String> {
    let filter = JournalFilter { kind: Some(kind.into()), limit: 10_000, ..JournalFilter::default() };
    lab.house.store.journal(filter).await.unwrap().into_iter().map(|entry| entry.text).collect()
}

async fn refusals(lab: &Lab, why: &str) -> usize {
    let filter = JournalFilter { kind: Some("refused".into()), limit: 10_000, ..JournalFilter::default() };
    let is = |what: &What| matches!(what, What::Refused { why: word } if word == why);
    lab.house.store.journal(filter).await.unwrap().iter().filter(|entry| is(&entry.what)).count()
}

fn report(card: &str, uuid: &str) -> Value {
    json!({
        "system": { "vendor": "QEMU", "product": "Standard PC", "serial": "SN-4711", "uuid": uuid },
        "cpu": { "cores": 4 },
        "nics": [{ "name": "eth0", "mac": card, "boot": true }, { "name": "eth1", "mac": "52:54:00:aa:00:02" }],
        "disks": [{ "id": "wwn:1", "name": "sda", "size_bytes": 1_000_000_000 }],
    })
}

/// The agent of the host's newest run says hello and reports; what it is told in the end.
async fn register(lab: &Lab, name: &str, facts: Value) -> Action {
    let host = lab.house.find(name).unwrap();
    let token = lab.house.keys.live_token(host.live.as_ref().unwrap().id);
    let session = "00000000000000aa".parse().unwrap();
    let macs: Vec<Mac> = facts["nics"].as_array().unwrap().iter().map(|nic| nic["mac"].as_str().unwrap().parse().unwrap()).collect();
    let uuid = facts["system"]["uuid"].as_str().map(|text| text.parse().unwrap());
    let hello = Hello { protocol: PROTOCOL, agent: "0.1.0".into(), image: "1".into(), session, mode: LiveMode::Register, macs, uuid };
    assert_eq!(lab.house.agent_hello(&token, &hello).await.unwrap().action, Action::Register);
    let content = Content::Facts { facts: std::sync::Arc::new(serde_json::from_value(facts).unwrap()) };
    let report = Report { protocol: PROTOCOL, session, report_id: format!("r{}", host.version), content };
    lab.house.agent_report(&token, &report).await.unwrap().action
}

/// The verb of an operator.
async fn act(lab: &Lab, name: &str, verb: &str) {
    let words = serde_json::from_value(json!({ "confirm": name, "reason": "a test", "touched": true })).unwrap();
    lab.house.act(&admin(), name, None, verb, &words).await.unwrap();
}

/// A stranger is taken in and registers; the host as it then is.
async fn taken_in(lab: &Lab, facts: Value) -> Arc<Host> {
    lab.house.script(&ask(CARD, None, None)).await;
    let name = find(lab, CARD).unwrap().name.to_string();
    register(lab, &name, facts).await;
    find(lab, CARD).unwrap()
}

async fn rule(lab: &Lab, rule: Value) {
    lab.house.edit_settings(&admin(), Edit::Rule(serde_json::from_value(rule).unwrap())).await.unwrap();
}

fn issues(host: &Host) -> Vec<String> {
    host.issues.iter().map(|issue| serde_json::to_value(issue.kind).unwrap().as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_network_takes_strangers_in_as_it_says() {
    let lab = site(json!({})).await;
    assert_eq!(lab.house.script(&ask(CARD, None, None)).await.word, "unknown");
    assert!(find(&lab, CARD).is_none());

    network(&lab, json!({ "auto_enroll": "ask" })).await;
    assert_eq!(lab.house.script(&ask(CARD, Some(BOARD), Some("SN-4711"))).await.word, "local");
    let host = find(&lab, CARD).unwrap();
    assert_eq!((host.lifecycle.word(), host.name.as_ref(), host.enrolled, host.live.is_some()), ("new", "host-525400aa0001", true, false));
    assert_eq!((host.serial.as_deref(), host.network.as_ref().map(AsRef::as_ref)), (Some("SN-4711"), Some("lab")));
    let told = journal(&lab, "created").await;
    let want = format!("unknown machine on network lab at 10.77.0.150: MAC {CARD}, UUID {BOARD}, serial number SN-4711");
    assert!(told.last().unwrap().ends_with(&want), "{told:?}");

    network(&lab, json!({ "auto_enroll": "on" })).await;
    assert_eq!(lab.house.script(&ask(CARD, None, None)).await.word, "local", "an operator decides about what is recorded already");
    assert_eq!(lab.house.script(&ask(&machine(1), None, None)).await.word, "live");
    let host = find(&lab, &machine(1)).unwrap();
    assert_eq!((host.lifecycle.word(), host.live.as_ref().unwrap().by.as_str()), ("registering", "the server"));
}

#[tokio::test]
async fn without_a_live_image_a_stranger_stays_one_and_is_told_why() {
    let lab = Lab::new().await;
    network(&lab, json!({ "auto_enroll": "on" })).await;
    assert_eq!(lab.house.script(&ask(CARD, None, None)).await.word, "unknown");
    let told = lab.house.explain(CARD).unwrap().enrolment;
    assert!(told[0].starts_with("network lab: it stays a stranger until it can be registered"), "{told:?}");
}

#[tokio::test]
async fn two_requests_at_once_and_every_later_one_make_one_record() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    let (one, other) = (ask(CARD, None, None), ask(CARD, None, None));
    let told = tokio::join!(lab.house.script(&one), lab.house.script(&other));
    assert_eq!((told.0.word, told.1.word), ("live", "live"));
    lab.house.script(&one).await;
    assert_eq!(lab.house.store.hosts().unwrap().len(), 2, "n1 and the stranger");
    assert_eq!(journal(&lab, "created").await.len(), 2);
}

#[tokio::test]
async fn what_contradicts_itself_gets_no_record() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    lab.house.script(&ask(CARD, Some(BOARD), None)).await;
    let other = "6902b9f2-f123-cdcd-428f-23a3ef2e4c63";
    lab.house.script(&ask(CARD, Some(other), None)).await;
    assert_eq!(lab.house.store.hosts().unwrap().len(), 2);
    assert_eq!(issues(&find(&lab, CARD).unwrap()), ["uuid_mismatch"]);
    lab.house.script(&ask(&machine(5), Some(BOARD), None)).await;
    assert!(find(&lab, &machine(5)).is_none(), "a new card of a recorded board is that host");
}

#[tokio::test]
async fn a_stranger_is_asked_for_the_serial_number_that_its_name_needs() {
    let lab = site(json!({ "auto_enroll": "ask", "naming": "srv-{serial}" })).await;
    let question = |mac: &str, serial: Option<&str>| lab.house.serial_question(&ask(mac, None, serial));
    let asked = question(CARD, None).unwrap();
    assert!(asked.contains(&format!("boot.ipxe?mac={CARD}&serial=${{serial:uristring}}")), "{asked}");
    assert_eq!(question(CARD, Some("8QX12")), None, "it was said");
    lab.house.script(&ask(CARD, None, None)).await;
    assert_eq!(question(CARD, None), None, "it is no stranger");
    for more in [json!({ "auto_enroll": "ask", "naming": "n{number}" }), json!({ "auto_enroll": "off", "naming": "srv-{serial}" })] {
        network(&lab, more).await;
        assert_eq!(lab.house.serial_question(&ask(&machine(1), None, None)), None, "nothing is named by it");
    }
}

#[tokio::test]
async fn names_follow_the_network_s_pattern_and_are_nobody_else_s() {
    let lab = site(json!({ "auto_enroll": "ask", "naming": "srv-{serial}" })).await;
    for (number, serial, want) in [(1, Some("8QX 12"), "srv-8qx-12"), (2, Some("8QX-12"), "srv-8qx-12-2"), (3, None, "srv-525401000003")] {
        lab.house.script(&ask(&machine(number), None, serial)).await;
        assert_eq!(find(&lab, &machine(number)).unwrap().name.as_ref(), want);
    }
    network(&lab, json!({ "auto_enroll": "ask", "naming": "n{number}" })).await;
    lab.house.script(&ask(&machine(4), None, None)).await;
    assert_eq!(find(&lab, &machine(4)).unwrap().name.as_ref(), "n2", "n1 is the lab's own");
    let wrong = json!({ "name": "lab", "subnet": "10.77.0.0/24", "naming": "srv-{rack}" });
    let told = lab.house.edit_settings(&admin(), Edit::Network(serde_json::from_value(wrong).unwrap())).await.unwrap_err().to_string();
    assert!(told.contains("naming: {rack} is not known; there are {mac}, {serial}, {uuid} and {number}"), "{told}");
}

/// Records as earlier strangers have left them, in one transaction.
async fn left_behind(lab: &Lab, machines: std::ops::Range<u32>) {
    let now = lab.house.now();
    let hosts: Vec<Host> = machines
        .map(|number| {
            let mut host =
                Host::new(lab.house.world.host_id(), format!("old-{number}").parse().unwrap(), vec![machine(number).parse().unwrap()], now);
            (host.network, host.enrolled) = (Some("lab".parse().unwrap()), true);
            host
        })
        .collect();
    let pen = Pen::new(Actor::Server, now);
    let facts = hosts.iter().map(|host| pen.clone().of(host).write(What::Created, "for the test")).collect();
    lab.house.write(Box::new(move |_| Writes { hosts, facts, ..Writes::default() })).await.unwrap();
}

/// As many requests as one address may make for strangers go through at once; then the clock moves.
async fn flood(lab: &Lab, machines: std::ops::Range<u32>) {
    for number in machines {
        if number % 40 == 0 {
            lab.world.pass(30);
        }
        lab.house.script(&ask(&machine(number), None, None)).await;
    }
}

#[tokio::test]
async fn invented_machines_make_no_more_than_so_many_records_and_no_flood_of_lines() {
    let lab = site(json!({ "auto_enroll": "ask" })).await;
    left_behind(&lab, 0..1000).await;
    flood(&lab, 1000..1100).await;
    let hosts = lab.house.store.hosts().unwrap();
    assert_eq!(hosts.iter().filter(|host| host.enrolled).count(), 1024);
    let lines = refusals(&lab, "enrolment_full").await;
    assert!((1..=3).contains(&lines), "one a minute: {lines}");
    let told = lab.house.explain(&machine(5000)).unwrap().enrolment;
    assert!(told[0].contains("network lab has 1024 recorded machines that never registered"), "{told:?}");
    lab.house.remove_host(&admin(), &machine(7), None, find(&lab, &machine(7)).unwrap().name.as_ref()).await.unwrap();
    lab.world.pass(60);
    lab.house.script(&ask(&machine(5000), None, None)).await;
    assert!(find(&lab, &machine(5000)).is_some(), "there is room again");
}

#[tokio::test]
async fn a_registration_completes_the_record_and_leaves_the_offer_to_an_operator() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    let host = taken_in(&lab, report(CARD, BOARD)).await;
    assert_eq!((host.lifecycle.word(), host.serial.as_deref()), ("unavailable", Some("SN-4711")));
    assert_eq!(host.macs.iter().map(ToString::to_string).collect::<Vec<_>>(), [CARD, "52:54:00:aa:00:02"]);
    assert_eq!(host.uuid.map(|uuid| uuid.to_string()).as_deref(), Some(BOARD));
    assert_eq!((host.facts.as_ref().unwrap().cpu.cores, host.issues.len()), (4, 0));
    let told = journal(&lab, "changed").await;
    assert!(told.iter().any(|text| text.contains("network card 52:54:00:aa:00:02 is new to its record; its board is")), "{told:?}");
}

#[tokio::test]
async fn a_site_may_offer_what_is_clean_without_asking_but_never_whose_identity_is_in_doubt() {
    let lab = site(json!({ "auto_enroll": "on", "auto_available": true })).await;
    let host = taken_in(&lab, report(CARD, BOARD)).await;
    assert_eq!(host.lifecycle.word(), "unavailable", "nobody vouches for its disks");
    let name = host.name.as_ref();
    let again = |facts: Value| {
        let lab = &lab;
        async move {
            act(lab, name, "waive").await;
            act(lab, name, "maintenance").await;
            act(lab, name, "end_maintenance").await;
            register(lab, name, facts).await;
            find(lab, CARD).unwrap()
        }
    };
    let host = again(report(CARD, "6902b9f2-f123-cdcd-428f-23a3ef2e4c63")).await;
    assert_eq!((host.lifecycle.word(), issues(&host).join(" ").as_str()), ("unavailable", "uuid_mismatch hardware_changed"));
    let host = again(report(CARD, BOARD)).await;
    assert_eq!((host.lifecycle.word(), issues(&host).join(" ").as_str()), ("available", "hardware_changed"), "board and record agree again");
}

#[tokio::test]
async fn a_report_without_the_mandatory_facts_is_a_failed_try_and_the_last_one_says_why() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    lab.house.script(&ask(CARD, None, None)).await;
    let mut facts = report(CARD, BOARD);
    facts["disks"] = json!([]);
    facts["collectors"] = json!([{ "name": "disks", "took_ms": 1, "error": "lsblk: timed out" }]);
    for round in 1..=3 {
        let told = register(&lab, CARD, facts.clone()).await;
        let host = find(&lab, CARD).unwrap();
        assert_eq!((host.lifecycle.word(), host.attempt), if round < 3 { ("registering", round + 1) } else { ("error", 0) });
        assert_eq!(told == Action::Reboot, round < 3, "{told:?}");
    }
    let Lifecycle::Error { cause, .. } = &find(&lab, CARD).unwrap().lifecycle else { panic!("no error") };
    let told = serde_json::to_string(cause).unwrap();
    assert!(told.contains("did not find a disk (disks: lsblk: timed out)"), "{told}");
    assert_eq!(refusals(&lab, "facts_incomplete").await, 3);
}

#[tokio::test]
async fn rules_give_a_fresh_host_what_nobody_set_and_the_journal_names_them() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    rule(&lab, json!({ "name": "small", "when": "facts.cpu.cores < 8", "profile": "os", "params": { "role": "web" }, "tags": ["small"] })).await;
    rule(&lab, json!({ "name": "late", "order": 5, "when": "true", "params": { "role": "any" }, "tags": ["all"] })).await;
    rule(&lab, json!({ "name": "odd", "when": "facts.bmc.firmware == '1'", "tags": ["odd"] })).await;
    lab.house.script(&ask(CARD, None, None)).await;
    let set = serde_json::from_value(json!({ "params": { "rack": "r1" }, "tags": ["mine"] })).unwrap();
    lab.house.edit_host(&admin(), CARD, None, set).await.unwrap();
    register(&lab, CARD, report(CARD, BOARD)).await;
    let host = find(&lab, CARD).unwrap();
    assert_eq!((host.profile.as_ref().map(AsRef::as_ref), host.tags.join(" ")), (Some("os"), "mine small all".to_owned()));
    let params = host.params.unpack();
    assert_eq!((params["role"].value(), params["rack"].value()), (&json!("web"), &json!("r1")));
    let told = journal(&lab, "changed").await;
    for line in ["profile os by rule small", "params.role web by rule small", "tags small by rule small", "tags all by rule late"] {
        assert!(told.iter().any(|text| text == line), "{line}: {told:?}");
    }
    let told = journal(&lab, "warning").await;
    assert!(told.iter().any(|text| text.starts_with("rule odd: `facts.bmc.firmware` has no value here")), "{told:?}");
}

#[tokio::test]
async fn a_dry_run_says_what_rules_would_give_and_changes_nothing() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    let host = taken_in(&lab, report(CARD, BOARD)).await;
    let wish: Rule = serde_json::from_value(json!({ "name": "new", "when": "facts.system.vendor == 'QEMU'", "profile": "os" })).unwrap();
    let rules = lab.house.rules_with(Some(wish.clone())).unwrap();
    let hosts = lab.house.registered_hosts(None).unwrap();
    assert_eq!(hosts.iter().map(|host| host.name.as_ref()).collect::<Vec<_>>(), [host.name.as_ref()], "n1 has no facts");
    let trial = tried(&rules, &hosts[0]);
    assert_eq!((trial.trial.gives.len(), trial.unasked), (1, None));
    assert_eq!((find(&lab, CARD).unwrap(), lab.house.rule("new").is_err()), (host, true));
    assert!(lab.house.registered_hosts(Some("n1")).unwrap_err().to_string().contains("n1 has no facts yet"));
    let wrong = Rule { when: "facts.cpu.coers > 1".into(), ..wish };
    let told = lab.house.rules_with(Some(wrong)).err().unwrap().to_string();
    assert!(told.contains("rules[0].when: facts.cpu has no coers; it has architecture, cores"), "{told}");
}

#[tokio::test]
async fn a_profile_that_a_rule_gives_stays() {
    let lab = site(json!({})).await;
    let other = serde_json::from_value(json!({ "name": "spare" })).unwrap();
    lab.house.edit_settings(&admin(), Edit::Profile(other)).await.unwrap();
    rule(&lab, json!({ "name": "r", "when": "true", "profile": "spare" })).await;
    let told = lab.house.edit_settings(&admin(), Edit::NoProfile("spare".parse().unwrap())).await.unwrap_err().to_string();
    assert_eq!(told, "profile spare is used by rule r");
    let lab = lab.restart().await;
    assert_eq!(lab.house.rule("r").unwrap().when, "true", "rules are remembered");
    lab.house.edit_settings(&admin(), Edit::NoRule("r".parse().unwrap())).await.unwrap();
    lab.house.edit_settings(&admin(), Edit::NoProfile("spare".parse().unwrap())).await.unwrap();
}

#[tokio::test]
async fn a_used_host_that_registers_again_keeps_everything_but_its_facts() {
    let lab = site(json!({})).await;
    let edit = serde_json::from_value(json!({ "profile": null })).unwrap();
    lab.house.edit_host(&admin(), "n1", None, edit).await.unwrap();
    rule(&lab, json!({ "name": "all", "when": "true", "profile": "os", "tags": ["any"] })).await;
    let facts = |mac: &str, cores: u32| {
        let mut facts = report(mac, BOARD);
        facts["nics"].as_array_mut().unwrap().truncate(1);
        facts["cpu"]["cores"] = json!(cores);
        facts
    };
    for (cores, changed) in [(4, false), (4, false), (2, true), (2, false)] {
        let before = lab.host();
        act(&lab, "n1", "reregister").await;
        assert_eq!(register(&lab, "n1", facts(lab::MAC, cores)).await, Action::Reboot);
        let after = lab.host();
        assert_eq!((after.lifecycle.word(), after.facts.as_ref().unwrap().cpu.cores), ("used", cores));
        assert_eq!((&after.disk_state, &after.profile, &after.tags, &after.params), (&before.disk_state, &None, &before.tags, &before.params));
        assert_eq!(issues(&after), if changed { vec!["hardware_changed"] } else { vec![] });
        assert!(!changed || after.issues[0].text.ends_with("cores: 2, were 4"), "{:?}", after.issues);
    }
}

#[tokio::test]
async fn a_card_inside_another_machine_is_raised_on_both_and_stays_where_it_is_recorded() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    let mut facts = report(CARD, BOARD);
    facts["nics"][1]["mac"] = json!(lab::MAC);
    // The hello shows both hosts' cards already; the report is what settles whose they are.
    let host = taken_in(&lab, facts).await;
    assert_eq!((issues(&host), host.macs.len()), (vec!["duplicate_mac".to_owned()], 1));
    assert!(host.issues[0].text.contains(&format!("{} is recorded for n1", lab::MAC)), "{:?}", host.issues);
    let other = lab.host();
    assert_eq!((issues(&other), other.macs.len(), other.lifecycle.word()), (vec!["duplicate_mac".to_owned()], 1, "used"));
    assert!(other.issues[0].text.contains(&format!("{} is inside {}", lab::MAC, host.name)), "{:?}", other.issues);
}

#[tokio::test]
async fn what_a_machine_learns_survives_a_restart() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    let host = taken_in(&lab, report(CARD, BOARD)).await;
    let lab = lab.restart().await;
    let again = find(&lab, CARD).unwrap();
    assert_eq!((again.facts.clone(), again.macs.clone(), again.enrolled), (host.facts.clone(), host.macs.clone(), true));
    assert_eq!(find(&lab, "52:54:00:aa:00:02").unwrap().id, host.id, "found by the card that it brought");
}

#[tokio::test]
async fn rules_are_read_written_and_tried_over_the_api() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    let name = taken_in(&lab, report(CARD, BOARD)).await.name.to_string();
    let site = Site::of(lab).await;
    let wish =
        json!({ "name": "small", "when": "facts.cpu.cores < 8", "profile": "os", "params": { "pass": { "secret": "hush" } }, "tags": ["small"] });
    let path = "/rules/small";
    assert_eq!(site.ask(Role::Viewer, "PUT", path, wish.clone()).await.problem(403), "role_too_low");
    assert_eq!(site.ask(Role::Operator, "PUT", "/rules/other", wish.clone()).await.problem(422), "invalid");
    let kept = site.ask(Role::Operator, "PUT", path, wish.clone()).await;
    assert_eq!((kept.status, &kept.json()["params"]["pass"]["secret"]), (200, &json!("(secret)")));
    assert_eq!(site.ask(Role::Operator, "PUT", path, kept.json()).await.problem(422), "invalid", "a hidden secret is not stored");
    assert_eq!(site.ask(Role::Admin, "GET", path, Value::Null).await.json()["params"]["pass"]["secret"], "hush");
    assert_eq!(site.ask(Role::Viewer, "GET", "/rules", Value::Null).await.json()["items"][0]["name"], "small");

    let wrong = json!({ "name": "bad", "when": "facts.cpu.coers < 8", "tags": ["x"] });
    let told = site.ask(Role::Operator, "PUT", "/rules/bad", wrong.clone()).await;
    assert_eq!(told.problem(422), "invalid_site");
    assert!(told.json()["mistakes"][0]["text"].as_str().unwrap().contains("facts.cpu has no coers"), "{}", told.text);

    let tried = site.ask(Role::Viewer, "POST", "/rules/try", json!({})).await.json();
    assert_eq!((tried["items"].as_array().unwrap().len(), &tried["items"][0]["host"]), (1, &json!(name)));
    let gives: Vec<&str> = tried["items"][0]["gives"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert_eq!(gives, ["profile", "params.pass", "tags"]);
    assert!(!tried.to_string().contains("hush"), "{tried}");
    let with = json!({ "host": name, "rule": { "name": "small", "when": "false", "tags": ["x"] } });
    assert_eq!(site.ask(Role::Viewer, "POST", "/rules/try", with.clone()).await.problem(403), "role_too_low");
    assert_eq!(site.ask(Role::Operator, "POST", "/rules/try", with).await.json()["items"][0]["holds"], json!([]));
    assert_eq!(site.ask(Role::Operator, "POST", "/rules/try", json!({ "rule": wrong })).await.problem(422), "invalid_site");
    assert_eq!(site.ask(Role::Viewer, "POST", "/rules/try", json!({ "host": "n1" })).await.problem(422), "invalid");
    assert_eq!(site.ask(Role::Viewer, "POST", "/rules/try", json!({ "host": "gone" })).await.problem(404), "not_found");
    assert_eq!(site.house.find(&name).unwrap().profile, None, "a dry run");

    assert_eq!(site.ask(Role::Operator, "DELETE", path, Value::Null).await.status, 204);
    assert_eq!(site.ask(Role::Operator, "DELETE", path, Value::Null).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_list_of_hosts_has_no_facts_and_the_answer_about_one_has() {
    let lab = site(json!({ "auto_enroll": "on" })).await;
    let name = taken_in(&lab, report(CARD, BOARD)).await.name.to_string();
    let site = Site::of(lab).await;
    let list = site.get("/hosts").await.json();
    let listed = list["items"].as_array().unwrap().iter().find(|host| host["name"] == json!(name)).unwrap();
    assert!(listed.get("facts").is_none() && listed["facts_at"].is_string() && listed["enrolled"] == json!(true), "{listed}");
    let one = site.get(&format!("/hosts/{name}")).await.json();
    assert_eq!((&one["facts"]["cpu"]["cores"], &one["live"]["token_hash"]), (&json!(4), &json!("(secret)")));
}

#[tokio::test]
async fn the_site_file_in_the_docs_is_one() {
    let lab = Lab::new().await;
    let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/site.example.yaml")).unwrap();
    let mut document: Value = serde_saphyr::from_str(&text).unwrap();
    // The lab has a host of the name n1 on a network of its own, with the card of the example.
    for host in document["hosts"].as_array_mut().unwrap() {
        host["name"] = json!(format!("x-{}", host["name"].as_str().unwrap()));
        host["macs"] = json!([host["macs"][0].as_str().unwrap().replace("52", "56")]);
    }
    document["networks"][1]["name"] = json!("other");
    let told = lab.house.apply_dry(document).unwrap();
    assert!(told.iter().any(|one| one.name == "nvme-db"), "{told:?}");
}
