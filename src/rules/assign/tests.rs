//! Rules over a machine of two disks: which hold, what they give and what stays.
//!
//! A condition is tried twice: on that machine, and as it is checked when somebody writes it.

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::model::{HostId, Timestamp};

fn facts() -> Facts {
    serde_json::from_value(json!({
        "system": { "vendor": "Dell Inc.", "product": "PowerEdge R650" },
        "cpu": { "cores": 56 },
        "nics": [{ "name": "a", "mac": "b4:96:91:00:00:01", "lldp": { "system": "sw1" } }, { "name": "b", "mac": "b4:96:91:00:00:02" }],
        "disks": [{ "id": "wwn:1", "name": "sda", "size_bytes": 4000, "rotational": true }, { "id": "wwn:2", "name": "sdb", "size_bytes": 900 }],
    }))
    .unwrap()
}

fn host() -> Host {
    let mut host = Host::new(HostId(Uuid::nil()), "n1".parse().unwrap(), vec!["b4:96:91:00:00:01".parse().unwrap()], Timestamp::UNIX_EPOCH);
    host.network = Some("lab".parse().unwrap());
    host.params.change(|params| drop(params.insert("rack".to_owned(), serde_json::from_value(json!("r7")).unwrap())));
    host
}

fn rule(json: serde_json::Value) -> Arc<Rule> {
    Arc::new(serde_json::from_value(json).unwrap())
}

/// A condition on that machine: `true`, `false`, or the sentence why not.
#[track_caller]
fn check_when(when: &str, want: &str) {
    let trial = Rules::new([rule(json!({ "name": "r", "when": when, "tags": ["t"] }))]).assign(&mut host(), &facts());
    let got = trial.unjudged.first().map_or_else(|| (!trial.holds.is_empty()).to_string(), |one| one.text.clone());
    assert!(got.starts_with(want), "{when}: {got}");
}

/// What is wrong with a condition before any host is asked; nothing: it is kept.
#[track_caller]
fn check_written(when: &str, want: &str) {
    let wrong = check(&rule(json!({ "name": "r", "when": when, "tags": ["t"] })));
    let got = wrong.first().map_or_else(String::new, |mistake| format!("{}: {}", mistake.field, mistake.text));
    assert!(if want.is_empty() { got.is_empty() } else { got.starts_with(want) }, "{when}: {got}");
}

#[test]
fn a_condition_asks_about_facts_and_host() {
    for when in [
        r#"facts.system.vendor == "Dell Inc." and facts.disks|length >= 2"#,
        r#"facts.disks|selectattr("rotational")|list|length == 1"#,
        r#"facts.disks|map(attribute="size_bytes")|sum > 4000"#,
        r#"facts.nics|selectattr("lldp.system", "equalto", "sw1")|list"#,
        r#"facts.system.product.startswith("PowerEdge")"#,
        r#"host.network == "lab" and host.name is startingwith("n")"#,
        r#"host.params.rack == "r7""#,
        "facts.tpm is none and not facts.bmc",
        r#""b4:96:91:00:00:01" in host.macs"#,
    ] {
        check_when(when, "true");
        check_written(when, "");
    }
    check_when(r#"facts.system.vendor == "HPE""#, "false");
    check_when(r#"facts.tpm == "2.0""#, "false");
    check_when("facts.bmc and facts.bmc.firmware", "false");
}

#[test]
fn a_name_that_is_not_there_is_a_fault_of_that_rule_and_never_a_quiet_no() {
    check_when(r#"facts.sytem.vendor == "x""#, "rule r: facts has no sytem; it has bios, bmc, board,");
    check_when(r#"facts.system.vendr is defined"#, "rule r: facts.system has no vendr; it has product, serial,");
    check_when("facts.disks[0].size", "rule r: facts.disks[] has no size; it has address,");
    check_when("facts.bmc.firmware == '1'", "rule r: `facts.bmc.firmware` has no value here");
    check_when("host.params.row == 'x'", "rule r: `host.params.row` has no value here");
    check_when("fact.cpu.cores > 3", "rule r: `fact.cpu.cores` has no value here");
    check_when("facts.disks[7].rotational", "rule r: `facts.disks[7].rotational` has no value here");
}

#[test]
fn a_condition_is_checked_when_it_is_written() {
    check_written("facts.system.vendor == ", "when: rule r: ");
    check_written("facts.cpu.cores >", "when: rule r: ");
    check_written(r#"facts.system.vendor == "x" and facts.cpu.coers > 3"#, "when: facts.cpu has no coers; it has architecture, cores,");
    check_written("fact.cpu.cores > 3", "when: there is no fact; there are facts and host");
    check_written("facts.disks[0].size > 3", "when: rule r: facts.disks[] has no size");
    check_written("facts.system.vendor|lowr == 'x'", "when: rule r: ");
    check_written("facts.cpu.cores is biggish", "when: rule r: ");
    check_written("range(100000)|list|length > 3 and foo(3)", "when: there is no foo");
    check_written(&format!("facts.system.vendor == '{}'", "x".repeat(5000)), "when: rule r: a condition has at most 4096 bytes");
    check_written("facts.disks[0].size_bytes > 3 or range(3)|length == 3", "");
    check_written("host.params.anything|default('') == 'x'", "");
}

#[test]
fn a_rule_that_gives_nothing_or_an_empty_tag_is_a_mistake() {
    let field = |json| check(&rule(json)).first().map(|mistake| mistake.field);
    assert_eq!(field(json!({ "name": "r", "when": "true" })), Some(""));
    assert_eq!(field(json!({ "name": "r", "when": "true", "tags": [" "] })), Some("tags"));
    assert_eq!(field(json!({ "name": "r", "when": "true", "profile": "os" })), None);
}

#[test]
fn the_first_rule_in_order_gives_each_field_and_what_is_set_stays() {
    let rules = Rules::new([
        rule(
            json!({ "name": "z-last", "when": "true", "order": 9, "profile": "fallback", "params": { "disk": "/dev/sdb" }, "tags": ["any", "dell"] }),
        ),
        rule(
            json!({ "name": "b", "when": "facts.disks|length == 2", "profile": "db", "params": { "disk": "/dev/sda", "rack": "r1" }, "tags": ["dell"] }),
        ),
        rule(json!({ "name": "a", "when": "facts.cpu.cores > 32", "tags": ["big"], "params": { "pass": { "secret": "hush" } } })),
        rule(json!({ "name": "c", "when": "false", "profile": "never" })),
        rule(json!({ "name": "d", "when": "facts.nope", "profile": "never" })),
    ]);
    let mut host = host();
    host.tags.push("big".to_owned());
    let trial = rules.assign(&mut host, &facts());
    let names = |names: &[Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(names(&trial.holds), "a b z-last");
    let gives: Vec<String> = trial.gives.iter().map(|one| format!("{} {} by {}", one.field, one.value, one.rule)).collect();
    let want =
        ["params.pass \"(secret)\" by a", "profile \"db\" by b", "params.disk \"/dev/sda\" by b", "tags \"dell\" by b", "tags \"any\" by z-last"];
    assert_eq!(gives, want);
    let keeps: Vec<String> = trial.keeps.iter().map(|one| format!("{} of {}: {}", one.field, one.rule, one.why)).collect();
    let want = [
        "tags of a: it has it",
        "params.rack of b: it is set",
        "profile of z-last: rule b gives it",
        "params.disk of z-last: rule b gives it",
        "tags of z-last: rule b gives it",
    ];
    assert_eq!(keeps, want);
    assert_eq!((trial.unjudged.len(), trial.unjudged[0].rule.as_ref()), (1, "d"));
    assert_eq!((host.profile.as_ref().map(AsRef::as_ref), host.tags.join(" ")), (Some("db"), "big dell any".to_owned()));
    let params = host.params.unpack();
    assert_eq!((params["rack"].value(), params["pass"].value()), (&json!("r7"), &json!("hush")));
    assert!(params["pass"].is_secret());
    let again = rules.assign(&mut host, &facts());
    assert!(again.gives.is_empty(), "{again:?}");
}
