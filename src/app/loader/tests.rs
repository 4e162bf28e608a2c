//! The loader's story in a house of its own: a scratch database, a clock that stands, a shelf of three files.
//!
//! Who gets a loader, who does not, what its arrival proves, and that a database that does not answer is no "not found".

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::*;
use crate::{
    app::{Failure, start},
    config::Config,
    model::{Fact, Host, Timestamp},
    rules::transfer::{Event, GivenUp},
    store::{BrokenStore, JournalFilter, Writes},
    world::StillWorld,
};

const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 11);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 99);
const DONE: Event = Event::Done { size_bytes: 3, took: Duration::from_millis(7), resent_packets: 0 };

struct Lab {
    house: House,
    _folder: tempfile::TempDir,
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn mac() -> Mac {
    "52:54:00:00:00:01".parse().unwrap()
}

async fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let shelf = folder.path().join("loaders");
    std::fs::create_dir(&shelf).unwrap();
    for name in ["snponly.efi", "grub.cfg", "special"] {
        std::fs::write(shelf.join(name), "abc").unwrap();
    }
    let text = format!("state_dir = {:?}\n[paths]\nloaders = [{shelf:?}]\n", folder.path().join("state"));
    let config = Config::parse(folder.path(), &text).unwrap();
    let house = start::open_in(config, Arc::new(StillWorld::at(now()))).await.unwrap();
    Lab { house, _folder: folder }
}

/// A host in the middle of a build whose firmware has asked by DHCP; `change` makes it another.
fn host(change: impl FnOnce(&mut Host)) -> Host {
    let id = serde_json::from_value(json!("01900000-0000-7000-8000-000000000001")).unwrap();
    let mut host = Host::new(id, "n1".parse().unwrap(), vec![mac()], now());
    host.lifecycle = crate::model::Lifecycle::Provisioning;
    let build = json!({
        "id": "01900000-0000-7000-8000-000000000002", "kind": "reinstall", "profile": "debian-12", "asked_by": "ops", "token_hash": "00",
        "token_expires": now(), "expected_boots": 1, "stage": "dhcp", "stage_entered": now(), "stages": [], "previous": {"state": "used"},
        "opened_at": now(),
    });
    host.build = Some(serde_json::from_value(build).unwrap());
    let session = json!({
        "id": "00000000000000aa", "opener": "firmware", "opened_at": now(), "last_seen": now(), "reached": "dhcp", "arch": "x64",
    });
    host.sessions = vec![serde_json::from_value(session).unwrap()];
    change(&mut host);
    host
}

impl Lab {
    async fn add(&self, host: Host) {
        let pen = Pen::new(Actor::Server, now()).of(&host);
        let facts: Vec<Fact> = vec![pen.write(What::Created, "n1 was recorded")];
        self.house.store.write(Box::new(move |_| Writes { hosts: vec![host], facts, ..Writes::default() })).await.unwrap();
    }

    fn lend(&self, peer: Ipv4Addr) {
        self.house.book().bind(&"lab".parse().unwrap(), mac(), peer, "2026-02-01T00:00:00Z".parse().unwrap(), None);
    }

    /// What the host's machine asks for.
    fn ask(&self, name: &str) -> LoaderAsk {
        self.house.loader_ask(name, PEER, None, 3).unwrap().unwrap()
    }

    fn host(&self) -> Arc<Host> {
        self.house.store.host_by_mac(mac()).unwrap().unwrap()
    }

    /// The journal since the record was made, as `kind: text`.
    async fn journal(&self) -> Vec<String> {
        let entries = self.house.store.journal(JournalFilter { host: Some(self.host().id), ..JournalFilter::default() }).await.unwrap();
        entries.iter().skip(1).map(|entry| format!("{}: {}", crate::store::kind_word(&entry.what), entry.text)).collect()
    }
}

#[tokio::test]
async fn machines_that_nobody_recorded_get_a_loader_and_leave_no_journal() {
    let lab = lab().await;
    assert_eq!(lab.house.loader("snponly.efi", STRANGER, None).unwrap(), "abc");
    assert_eq!(lab.house.loader("snponly.efi", STRANGER, Some(mac())).unwrap(), "abc");
    assert_eq!(lab.house.loader_ask("snponly.efi", STRANGER, Some(mac()), 3).unwrap(), None);
}

#[tokio::test]
async fn a_host_that_starts_from_its_disk_may_fetch_a_loader() {
    let lab = lab().await;
    lab.lend(PEER);
    lab.add(host(|host| (host.lifecycle, host.build) = (crate::model::Lifecycle::Used, None))).await;
    assert_eq!(lab.house.loader("snponly.efi", PEER, None).unwrap(), "abc");
}

#[tokio::test]
async fn a_host_that_gets_no_answer_gets_no_loader() {
    let lab = lab().await;
    lab.lend(PEER);
    let gone = json!({"state": "decommissioned", "reason": "retired"});
    lab.add(host(|host| (host.lifecycle, host.build) = (serde_json::from_value(gone).unwrap(), None))).await;
    match lab.house.loader("snponly.efi", PEER, None) {
        Err(Failure::Refusal(Refusal::Closed(text))) => assert_eq!(text, "host n1 gets no loader: it is decommissioned"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn not_there_and_could_not_look_are_different_answers() {
    let mut lab = lab().await;
    assert!(matches!(lab.house.loader("nothing.efi", STRANGER, None), Err(Failure::Refusal(Refusal::Unknown { noun: "loader", .. }))));
    lab.house.store = Arc::new(BrokenStore);
    assert!(matches!(lab.house.loader("nothing.efi", STRANGER, None), Err(Failure::Fault(_))));
    assert!(matches!(lab.house.loader("snponly.efi", STRANGER, None), Err(Failure::Fault(_))));
    assert!(matches!(lab.house.loader_ask("snponly.efi", PEER, None, 3), Err(Failure::Fault(_))));
}

#[tokio::test]
async fn only_the_last_acknowledgement_moves_the_build() {
    let lab = lab().await;
    lab.lend(PEER);
    lab.add(host(|_| ())).await;
    let ask = lab.ask("snponly.efi");
    let unfinished = [
        Event::Requested { size_bytes: 3 },
        Event::Progress { acked_bytes: 1, size_bytes: 3 },
        Event::Probed { size_bytes: 3 },
        Event::Aborted { code: 3, text: "full".into(), acked_bytes: 1, size_bytes: 3 },
        Event::TimedOut { acked_bytes: 0, size_bytes: 3, given_up: GivenUp::NoLastAck },
    ];
    for event in &unfinished {
        lab.house.loader_heard(&ask, event).await.unwrap();
    }
    lab.house.loader_refused(&ask, "too_many", "the server has 3 transfers").await.unwrap();
    lab.house.loader_ended(&ask, "aborted", 2).await.unwrap();
    assert_eq!(lab.host().build.as_ref().unwrap().stage, Stage::Dhcp);
    assert_eq!(
        lab.journal().await,
        [
            "transfer: snponly.efi asked for by TFTP, 3 bytes",
            "transfer: snponly.efi 33 %",
            "transfer: the size of snponly.efi asked for, 3 bytes; neither a failure nor a boot",
            "transfer: snponly.efi broken off by the machine after 1 of 3 bytes: error 3 \"full\"",
            "transfer: snponly.efi given up after 0 of 3 bytes: all was sent, but the last acknowledgement never came",
            "refused: snponly.efi by TFTP refused: the server has 3 transfers",
            "transfer: snponly.efi aborted after 2 of 3 bytes by HTTP",
        ]
    );
    lab.house.loader_heard(&ask, &DONE).await.unwrap();
    let host = lab.host();
    assert_eq!(host.build.as_ref().unwrap().stage, Stage::BootloaderSent);
    assert_eq!(host.session().unwrap().reached, crate::model::Reached::Loader);
    let journal = lab.journal().await;
    assert_eq!(journal[7], "transfer: snponly.efi arrived whole, 3 bytes in 7 ms, 0 packets sent twice");
    assert!(journal[8].starts_with("stage: "), "{journal:?}");
}

#[tokio::test]
async fn a_second_loader_moves_nothing_back_and_is_no_refusal() {
    let lab = lab().await;
    lab.lend(PEER);
    lab.add(host(|host| host.build.as_mut().unwrap().stage = Stage::IpxeScriptSent)).await;
    lab.house.loader_ended(&lab.ask("snponly.efi"), "done", 3).await.unwrap();
    assert_eq!(lab.host().build.as_ref().unwrap().stage, Stage::IpxeScriptSent);
    assert_eq!(lab.journal().await, ["transfer: snponly.efi arrived whole, 3 bytes by HTTP"]);
}

#[tokio::test]
async fn what_is_written_down_late_belongs_to_the_boot_that_it_was_fetched_for() {
    let lab = lab().await;
    lab.lend(PEER);
    lab.add(host(|_| ())).await;
    let ask = lab.ask("snponly.efi");
    // The disk was slow: meanwhile the machine was reset, and its build was begun anew.
    let next = host(|host| {
        let mut session = host.sessions[0].clone();
        session.id = "00000000000000bb".parse().unwrap();
        host.sessions.push(session);
        host.build.as_mut().unwrap().id = serde_json::from_value(json!("01900000-0000-7000-8000-000000000003")).unwrap();
    });
    lab.add(next).await;
    lab.house.loader_heard(&ask, &DONE).await.unwrap();
    let host = lab.host();
    use crate::model::Reached;
    assert_eq!(host.sessions.iter().map(|session| session.reached).collect::<Vec<_>>(), [Reached::Loader, Reached::Dhcp]);
    assert_eq!(host.build.as_ref().unwrap().stage, Stage::Dhcp, "the new build has seen no loader");
    assert_eq!(lab.journal().await[1..], ["transfer: snponly.efi arrived whole, 3 bytes in 7 ms, 0 packets sent twice"]);
}

#[tokio::test]
async fn a_configuration_is_no_loader_unless_the_host_names_it() {
    let lab = lab().await;
    lab.lend(PEER);
    lab.add(host(|host| host.loader = Some("special".parse().unwrap()))).await;
    lab.house.loader_heard(&lab.ask("grub.cfg"), &DONE).await.unwrap();
    assert_eq!(lab.host().build.as_ref().unwrap().stage, Stage::Dhcp);
    lab.house.loader_heard(&lab.ask("special"), &DONE).await.unwrap();
    assert_eq!(lab.host().build.as_ref().unwrap().stage, Stage::BootloaderSent);
}

#[tokio::test]
async fn a_host_is_known_by_its_lease_its_path_or_its_own_address() {
    let lab = lab().await;
    lab.add(host(|host| host.address = Some(PEER))).await;
    let known = |peer, claimed| lab.house.fetcher(None, peer, claimed).unwrap().is_some();
    assert!(known(PEER, None) && known(STRANGER, Some(mac())) && !known(STRANGER, None));
    lab.lend(STRANGER);
    assert!(known(STRANGER, None));
}
