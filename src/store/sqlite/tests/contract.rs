//! What every store promises to its callers.
//!
//! Finding, changing, refusing what is taken, deleting, builds, leases, bodies, settings, journal pages, pruning, following,
//! closing. A second implementation of the trait would take the same tests.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::*;
use crate::{
    model::{Lease, LeaseState, Name, Session},
    store::{ApiToken, Body, BrokenStore, JournalFilter, Sqlite, kind_word},
};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_host_is_found_by_everything_that_names_it() {
    let store = Sqlite::scratch().unwrap();
    let mut wanted = host(7);
    wanted.uuid = Some("6902b9f2-f123-cdcd-428f-23a3ef2e4c63".parse().unwrap());
    wanted.address = Some(Ipv4Addr::new(10, 77, 0, 7));
    wanted.build = Some(build(1));
    wanted.live = Some(live(1));
    let session = serde_json::json!({"id": "00000000000000aa", "opener": "firmware", "opened_at": at(0), "last_seen": at(0), "reached": "dhcp", "arch": "bios"});
    wanted.sessions = vec![serde_json::from_value::<Session>(session).unwrap()];
    put(&store, saving(vec![host(3), wanted.clone()])).await.unwrap();
    wanted.version = 1;
    let found = [
        store.host(wanted.id),
        store.host_by_mac(wanted.macs[0]),
        store.host_by_uuid(wanted.uuid.unwrap()),
        store.host_by_name(&wanted.name),
        store.host_by_address(Ipv4Addr::new(10, 77, 0, 7)),
        store.host_by_token(&build(1).token_hash),
        store.host_by_session(crate::model::SessionId(0xaa)),
        store.host_by_build(build_id(1)),
        store.host_by_live(&live(1).token_hash),
    ];
    for one in found {
        assert_eq!(one.unwrap().as_deref(), Some(&wanted));
    }
    assert_eq!(store.hosts().unwrap().len(), 2);
    assert_eq!(store.host_by_name(&"n8".parse().unwrap()).unwrap(), None);
    assert_eq!(store.host_by_address(Ipv4Addr::new(10, 77, 0, 8)).unwrap(), None);
}

#[tokio::test]
async fn a_write_sees_what_is_there_and_what_its_batch_did_before_it() {
    let store = Sqlite::scratch().unwrap();
    let mut one = host(1);
    put(&store, saving(vec![one.clone(), host(2)])).await.unwrap();
    one.macs = host(9).macs;
    let rename = store.write(Box::new(move |_| saving(vec![one])));
    let look = change(&store, |view| {
        assert_eq!(view.by_mac(host(9).macs[0]).unwrap().name, host(1).name);
        assert_eq!(view.by_mac(host(1).macs[0]), None);
        (Writes::default(), view.hosts().count())
    });
    let (renamed, count) = tokio::join!(rename, look);
    assert_eq!((renamed.unwrap().len(), count.unwrap()), (1, 2));
}

#[tokio::test]
async fn a_version_rises_with_every_change_and_only_then() {
    let store = Sqlite::scratch().unwrap();
    let mut one = host(1);
    put(&store, saving(vec![one.clone()])).await.unwrap();
    one.version = 77;
    let same = put(&store, saving(vec![one.clone()])).await.unwrap();
    assert_eq!((same[0].version, same[0].patch.is_none()), (None, true), "an equal host is no change");
    one.tags = vec!["lab".to_owned()];
    let changed = put(&store, saving(vec![one.clone()])).await.unwrap();
    assert_eq!(changed[0].version, Some(2));
    assert_eq!(store.host(one.id).unwrap().unwrap().version, 2);
}

#[tokio::test]
async fn the_first_fact_of_a_host_carries_its_patch() {
    let store = Sqlite::scratch().unwrap();
    let one = host(1);
    let seen = |host| fact(host, What::Seen { protocol: "dhcp".to_owned() });
    let facts = vec![seen(None), seen(Some(one.id)), edited(&one)];
    let entries = put(&store, Writes { hosts: vec![one], facts, ..Writes::default() }).await.unwrap();
    let patched: Vec<_> = entries.iter().map(|entry| (entry.seq, entry.patch.is_some(), entry.version)).collect();
    assert_eq!(patched, [(1, false, None), (2, true, Some(1)), (3, false, None)]);
}

#[tokio::test]
#[cfg(debug_assertions)]
async fn a_change_without_a_fact_is_a_bug_that_keeps_nothing() {
    let store = Sqlite::scratch().unwrap();
    let fault = put(&store, Writes { hosts: vec![host(1)], ..Writes::default() }).await.unwrap_err();
    assert!(matches!(&fault, StoreFault::Broke { detail } if detail.contains("without a fact")), "{fault}");
    assert!(store.hosts().unwrap().is_empty());
}

#[track_caller]
fn check_taken(fault: &StoreFault, what: &str, by: &Host) {
    assert!(matches!(fault, StoreFault::Taken { what: kind, by: Some(owner), .. } if *kind == what && *owner == by.id), "{fault}");
}

#[tokio::test]
async fn a_name_mac_or_uuid_belongs_to_one_host() {
    let store = Sqlite::scratch().unwrap();
    let mut one = host(1);
    one.uuid = Some("6902b9f2-f123-cdcd-428f-23a3ef2e4c63".parse().unwrap());
    put(&store, saving(vec![one.clone()])).await.unwrap();
    for what in ["name", "mac", "uuid"] {
        let mut other = host(2);
        match what {
            "name" => other.name = one.name.clone(),
            "mac" => other.macs.extend(&one.macs),
            _ => other.uuid = one.uuid,
        }
        check_taken(&put(&store, saving(vec![other])).await.unwrap_err(), what, &one);
        assert_eq!(store.host(host(2).id).unwrap(), None);
    }
}

#[tokio::test]
async fn two_hosts_can_swap_their_cards_in_one_change() {
    let store = Sqlite::scratch().unwrap();
    let (mut one, mut two) = (host(1), host(2));
    put(&store, saving(vec![one.clone(), two.clone()])).await.unwrap();
    std::mem::swap(&mut one.macs, &mut two.macs);
    put(&store, saving(vec![one.clone(), two.clone()])).await.unwrap();
    assert_eq!(store.host_by_mac(one.macs[0]).unwrap().unwrap().id, one.id);
    assert_eq!(store.host_by_mac(two.macs[0]).unwrap().unwrap().id, two.id);
}

#[tokio::test]
async fn a_deleted_host_leaves_its_journal_and_builds_and_frees_its_names() {
    let store = Sqlite::scratch().unwrap();
    let mut one = host(1);
    one.build = Some(build(1));
    put(&store, saving(vec![one.clone()])).await.unwrap();
    let facts = vec![fact(Some(one.id), What::Deleted)];
    put(&store, Writes { deleted: vec![one.id], facts, ..Writes::default() }).await.unwrap();
    assert_eq!(store.host_by_mac(one.macs[0]).unwrap(), None);
    assert_eq!(store.builds(one.id).await.unwrap().len(), 1);
    assert_eq!(store.journal(JournalFilter { host: Some(one.id), ..JournalFilter::default() }).await.unwrap().len(), 2);
    let again = Host { id: host(50).id, ..host(1) };
    put(&store, saving(vec![again])).await.unwrap();
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn builds_are_remembered_newest_first_and_by_token() {
    let store = Sqlite::scratch().unwrap();
    let mut one = host(1);
    for n in [1, 2, 3] {
        one.build = Some(build(n));
        put(&store, saving(vec![one.clone()])).await.unwrap();
    }
    let ids: Vec<_> = store.builds(one.id).await.unwrap().into_iter().map(|build| build.id).collect();
    assert_eq!(ids, [build_id(3), build_id(2), build_id(1)]);
    assert_eq!(store.build(build_id(1)).await.unwrap().unwrap(), (one.id, build(1)));
    assert_eq!(store.build_by_token(&build(2).token_hash).await.unwrap().unwrap().1.id, build_id(2));
    assert_eq!(store.build(build_id(9)).await.unwrap(), None);
    assert_eq!(store.host_by_token(&build(2).token_hash).unwrap(), None, "only the newest build's token finds the host");
}

#[tokio::test]
async fn a_build_is_read_as_it_stands_while_it_is_open_and_as_it_was_left() {
    let store = Sqlite::scratch().unwrap();
    let mut one = host(1);
    let saying = |n, log: &str| Some(Build { log: log.into(), ..build(n) });
    for (n, log) in [(1, ""), (1, "a step"), (2, ""), (2, "another"), (2, "and another")] {
        one.build = saying(n, log);
        put(&store, saving(vec![one.clone()])).await.unwrap();
    }
    let logs = async || store.builds(one.id).await.unwrap().into_iter().map(|build| build.log).collect::<Vec<_>>();
    assert_eq!(logs().await, ["and another", "a step"]);
    assert_eq!(store.build_by_token(&build(2).token_hash).await.unwrap().unwrap().1.log, "and another");
    let gone = Writes { deleted: vec![one.id], facts: vec![fact(Some(one.id), What::Deleted)], ..Writes::default() };
    put(&store, gone).await.unwrap();
    assert_eq!(logs().await, ["and another", "a step"], "builds outlive their host");
}

#[tokio::test]
async fn only_the_newest_runs_token_finds_its_host_and_an_ended_run_keeps_its_own() {
    let store = Sqlite::scratch().unwrap();
    let mut one = host(1);
    one.live = Some(live(1));
    put(&store, saving(vec![one.clone()])).await.unwrap();
    one.live.as_mut().unwrap().ended_at = Some(at(5));
    put(&store, saving(vec![one.clone()])).await.unwrap();
    let found = |n| store.host_by_live(&live(n).token_hash).unwrap().map(|host| host.id);
    assert_eq!((found(1), found(2)), (Some(one.id), None));
    one.live = Some(live(2));
    put(&store, saving(vec![one.clone()])).await.unwrap();
    assert_eq!((found(1), found(2)), (None, Some(one.id)));
    assert_eq!(store.host_by_token(&live(2).token_hash).unwrap(), None, "a run's token is no build's");
    let facts = vec![fact(Some(one.id), What::Deleted)];
    put(&store, Writes { deleted: vec![one.id], facts, ..Writes::default() }).await.unwrap();
    assert_eq!(found(2), None);
    assert!(BrokenStore.host_by_live(&live(2).token_hash).is_err());
}

#[tokio::test]
async fn a_lease_replaces_the_one_of_its_address() {
    let store = Sqlite::scratch().unwrap();
    let lease = |n: u16, state| Lease {
        network: name("lab"),
        address: [10, 0, 0, 1].into(),
        mac: host(n).macs[0],
        state,
        expires: Timestamp::MAX,
        client_name: Some("pxe".to_owned()),
    };
    put(&store, Writes { leases: vec![lease(1, LeaseState::Bound)], ..Writes::default() }).await.unwrap();
    put(&store, Writes { leases: vec![lease(2, LeaseState::Declined)], ..Writes::default() }).await.unwrap();
    assert_eq!(store.leases().await.unwrap(), [lease(2, LeaseState::Declined)]);
}

#[tokio::test]
async fn a_body_is_kept_once_by_its_hash() {
    let store = Sqlite::scratch().unwrap();
    let body = Body { sha256: crate::model::token::sha256_hex(b"#!ipxe\n"), bytes: Bytes::from_static(b"#!ipxe\n") };
    for _ in 0..2 {
        put(&store, Writes { bodies: vec![body.clone()], ..Writes::default() }).await.unwrap();
    }
    assert_eq!(store.body(&body.sha256).await.unwrap(), Some(body.bytes));
    assert_eq!(store.body("none").await.unwrap(), None);
}

#[tokio::test]
async fn settings_are_kept_and_journalled_one_by_one() {
    let store = Sqlite::scratch().unwrap();
    let token = ApiToken { name: name("ci"), role: crate::model::Role::Viewer, hash: build(1).token_hash, created: at(0) };
    let entries = change(&store, move |view| {
        let mut settings = (**view.settings()).clone();
        settings.tokens.insert(name("ci"), token);
        let profile = serde_json::from_value(serde_json::json!({"name": "p", "args": "quiet"})).unwrap();
        settings.profiles.insert(name("p"), Arc::new(profile));
        let rule = serde_json::from_value(serde_json::json!({"name": "r", "when": "true"})).unwrap();
        settings.rules.insert(name("r"), Arc::new(rule));
        let set = |noun: &str, name: &str| fact(None, What::Settings { noun: noun.into(), name: name.into(), verb: "created".into() });
        (Writes { settings: Some(settings), facts: vec![set("token", "ci"), set("profile", "p"), set("rule", "r")], ..Writes::default() }, ())
    });
    entries.await.unwrap();
    let entries = store.journal(JournalFilter { kind: Some("settings".into()), ..JournalFilter::default() }).await.unwrap();
    assert!(entries.len() == 3 && entries.iter().all(|entry| entry.patch.is_some()));
    assert_eq!(store.settings().unwrap().profiles["p"].args.as_deref(), Some("quiet"));
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn the_journal_is_read_by_filter_and_page() {
    let store = Sqlite::scratch().unwrap();
    let mut facts: Vec<_> = (0..10).map(|n| Fact { at: at(n), ..fact(Some(host(1).id), What::Seen { protocol: "dhcp".into() }) }).collect();
    facts[4].what = What::SessionOpened;
    facts[5].host = Some(host(2).id);
    facts[6].build = Some(build_id(1));
    let built = Host { build: Some(build(1)), ..host(1) };
    put(&store, Writes { hosts: vec![built], facts, ..Writes::default() }).await.unwrap();
    let store = &store;
    let check = async |filter: JournalFilter, want: &[u64]| {
        let seqs: Vec<_> = store.journal(filter.clone()).await.unwrap().iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, want, "{filter:?}");
    };
    let all = JournalFilter::default;
    check(JournalFilter { kind: Some("session_opened".into()), ..all() }, &[5]).await;
    check(JournalFilter { host: Some(host(2).id), ..all() }, &[6]).await;
    check(JournalFilter { build: Some(build_id(1)), ..all() }, &[7]).await;
    check(JournalFilter { since: Some(at(8)), ..all() }, &[9, 10]).await;
    check(JournalFilter { until: Some(at(2)), ..all() }, &[1, 2]).await;
    check(JournalFilter { after_seq: Some(3), limit: 2, ..all() }, &[4, 5]).await;
    check(JournalFilter { after_seq: Some(3), newest_first: true, ..all() }, &[2, 1]).await;
    check(JournalFilter { newest_first: true, limit: 2, ..all() }, &[10, 9]).await;
}

#[tokio::test]
async fn pruning_takes_old_evidence_and_leaves_changes_and_the_last_number() {
    let store = Sqlite::scratch().unwrap();
    let one = host(1);
    let seen = (0..5_000).map(|_| fact(Some(one.id), What::Seen { protocol: "dhcp".into() }));
    let facts = std::iter::once(edited(&one)).chain(seen).collect();
    put(&store, Writes { hosts: vec![one], facts, ..Writes::default() }).await.unwrap();
    assert_eq!(store.prune(at(1)).await.unwrap(), 0);
    assert_eq!(store.prune(at(2)).await.unwrap(), 4_999);
    let left: Vec<_> = store.journal(JournalFilter::default()).await.unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(left, [1, 5_001]);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_follower_hears_every_entry_in_order() {
    let store = Sqlite::scratch().unwrap();
    let mut follower = store.follow();
    for n in 1..4 {
        put(&store, saving(vec![host(n)])).await.unwrap();
    }
    for seq in 1..4 {
        let entry = follower.recv().await.unwrap();
        assert_eq!((entry.seq, entry.patch.is_none()), (seq, true), "thousands of them wait in memory: no patches");
    }
}

#[tokio::test]
async fn a_closed_store_faults_and_never_says_that_nothing_is_there() {
    let store = Sqlite::scratch().unwrap();
    put(&store, saving(vec![host(1)])).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(store.host(host(1).id), Err(StoreFault::Closed));
    assert_eq!(store.settings(), Err(StoreFault::Closed));
    assert_eq!(store.leases().await, Err(StoreFault::Closed));
    assert_eq!(put(&store, saving(vec![host(2)])).await, Err(StoreFault::Closed));
}

#[tokio::test]
async fn a_broken_store_faults_whatever_is_asked() {
    let store = BrokenStore;
    let down = |fault: &StoreFault| assert!(matches!(fault, StoreFault::Down { .. }));
    down(&put(&store, Writes::default()).await.unwrap_err());
    down(&store.host_by_mac(host(1).macs[0]).unwrap_err());
    down(&store.settings().unwrap_err());
    down(&store.journal(JournalFilter::default()).await.unwrap_err());
    assert!(store.follow().recv().await.is_err());
}

#[test]
fn every_kind_has_the_word_of_its_json() {
    let text = String::new;
    let all = [
        What::Created,
        What::Edited { fields: Vec::new() },
        What::Deleted,
        What::Transition { row: text(), from: text(), to: text() },
        What::Changed { row: text(), text: text() },
        What::Stage { stage: crate::model::Stage::Dhcp },
        What::Seen { protocol: text() },
        What::Transfer { file: text(), outcome: text(), sent_bytes: 0, size_bytes: 0 },
        What::Served { document: text(), sha256: text(), again: false },
        What::Callback { report: text(), applied: false },
        What::SessionOpened,
        What::BootLoop { class: text(), attempt: 0, halted: false },
        What::Deadline { which: text() },
        What::Refused { why: text() },
        What::Silent { why: text() },
        What::Lease { what: text(), address: text() },
        What::Warning { word: text() },
        What::Settings { noun: text(), name: text(), verb: text() },
    ];
    for what in all {
        assert_eq!(serde_json::to_value(&what).unwrap()["kind"], kind_word(&what));
    }
}
