//! The golden conversation: what is written here is what the server reads, and the reverse.
//!
//! Requests are read and written again and must come out as they are in the file; replies must come to exactly one value. The files are
//! never edited; a newer protocol adds new ones. It does not talk to a server.

use std::{fmt::Debug, fs};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::*;

fn golden(name: &str) -> String {
    let path = format!("{}/../../../tests/golden/agent/{name}.json", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What is read from the file is written as the file says; what the future adds is left out and changes nothing but the protocol.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str) -> T {
    let now = golden(&format!("{name}-1"));
    let read: T = serde_json::from_str(&now).unwrap_or_else(|error| panic!("{name}-1: {error}"));
    let file: Value = serde_json::from_str(&now).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), file, "{name}-1");

    let future: T = serde_json::from_str(&golden(&format!("{name}-2x"))).unwrap_or_else(|error| panic!("{name}-2x: {error}"));
    let (mut future, mut now) = (serde_json::to_value(future).unwrap(), file);
    for one in [&mut future, &mut now] {
        one.as_object_mut().unwrap().remove("protocol");
    }
    assert_eq!(future, now, "{name}-2x");
    read
}

#[test]
fn requests_are_written_as_the_server_reads_them() {
    assert_eq!(check::<Hello>("hello-register").mode, Mode::Register);
    assert_eq!(check::<Hello>("hello-clean").mode, Mode::Clean);
    assert_eq!(check::<Heartbeat>("heartbeat").progress.disks.len(), 3);
    assert!(matches!(check::<Report>("report-partial").content, Content::Partial { facts } if facts.disks.is_empty()));
    assert!(matches!(check::<Report>("report-facts").content, Content::Facts { facts } if facts.disks.len() == 4 && facts.nics.len() == 3));
    assert!(matches!(check::<Report>("report-wipe").content, Content::Wipe { results, .. } if results.len() == 3));
    assert!(matches!(check::<Report>("report-failed").content, Content::Failed { .. }));
}

#[test]
fn replies_come_to_exactly_one_value() {
    for (name, action, reason) in [
        ("reply-register", Action::Register, "registration started by the server"),
        ("reply-continue", Action::Continue, ""),
        ("reply-abort", Action::Abort, "cancelled by anna"),
        ("reply-wait", Action::Wait, "registered; waiting for a profile"),
        ("reply-reboot", Action::Reboot, "a build is open: the machine boots into it"),
        ("reply-poweroff", Action::Poweroff, "decommissioned"),
    ] {
        let said =
            Reply { protocol: 1, action, host: "r12-u07".to_owned(), reason: reason.to_owned(), heartbeat_secs: 30, plan: None, plan_hash: None };
        assert_eq!(check::<Reply>(name), said, "{name}");
    }
    assert_eq!(check::<Denial>("denial").code, "unknown_token");
}

#[test]
fn the_golden_plan_has_the_hash_that_it_says() {
    let reply = check::<Reply>("reply-clean");
    let text = reply.plan.unwrap();
    assert_eq!(reply.plan_hash, Some(sha256_hex(&text)));
    let plan: WipePlan = serde_json::from_str(&text).unwrap();
    assert_eq!((plan.version, plan.disks.len(), plan.left.len(), plan.parallel), (PLAN_VERSION, 3, 1, 4));
    assert_eq!(serde_json::to_string(&plan).unwrap(), text, "the server writes its plan in this order");
    assert!(matches!(check::<Report>("report-wipe").content, Content::Wipe { plan_hash, .. } if plan_hash == sha256_hex(&text)));
}

#[test]
fn a_word_of_a_newer_server_is_no_order() {
    let reply: Reply = serde_json::from_str(r#"{"protocol":3,"action":"dance","heartbeat_secs":30}"#).unwrap();
    assert_eq!(reply.action, Action::Unknown);
}

#[test]
fn a_plan_with_a_method_that_is_not_known_does_not_parse() {
    let text = serde_json::from_str::<Reply>(&golden("reply-clean-1")).unwrap().plan.unwrap();
    assert!(serde_json::from_str::<WipePlan>(&text.replace("nvme_sanitize_crypto", "degauss")).is_err());
}
