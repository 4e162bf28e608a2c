//! The DHCP stories on a real store and on a broken one: what is saved before the answer, and what a fault leaves behind.
//!
//! The clock stands, the wire is a counter; sockets have their own test in `tests/it/dhcp.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    app::{House, start},
    config::Config,
    model::{Host, IssueKind},
    store::{BrokenStore, JournalFilter},
    world::StillWorld,
};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Answers "used" to the first so many questions.
struct Wire(AtomicUsize);

#[async_trait]
impl Probe for Wire {
    async fn is_used(&self, _: Ipv4Addr) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

struct Lab {
    _folder: tempfile::TempDir,
    world: Arc<StillWorld>,
    house: Arc<House>,
    desk: Desk,
}

fn mac(last: u8) -> Mac {
    Mac::from_octets([0x52, 0x54, 0, 0, 0, last]).unwrap()
}

async fn lab(mode: &str) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let loaders = folder.path().join("loaders");
    std::fs::create_dir(&loaders).unwrap();
    std::fs::write(loaders.join("snponly.efi"), "a loader").unwrap();
    let mut config = Config { state_dir: folder.path().to_owned(), ..Config::default() };
    config.paths.loaders = vec![loaders];
    let world = Arc::new(StillWorld::at(Timestamp::from_second(1_800_000_000).unwrap()));
    let house = Arc::new(start::open_in(config, world.clone()).await.unwrap());
    let network: Network = serde_json::from_value(serde_json::json!({
        "name": "lab", "subnet": "10.77.0.0/24", "dhcp": mode, "pools": [{"first": "10.77.0.100", "last": "10.77.0.103"}],
    }))
    .unwrap();
    let at = house.now();
    let mut host = Host::new(house.world.host_id(), "n1".parse().unwrap(), vec![mac(1)], at);
    host.address = Some([10, 77, 0, 101].into());
    host.uuid = Some("6902b9f2-f123-cdcd-428f-23a3ef2e4c63".parse().unwrap());
    let pen = Pen::new(Actor::Server, at);
    let facts = vec![
        pen.write(What::Settings { noun: "network".into(), name: "lab".into(), verb: "created".into() }, "for the test"),
        pen.of(&host).write(What::Created, "for the test"),
    ];
    let write = house.store.write(Box::new(move |view| {
        let mut settings = crate::store::Settings::clone(view.settings());
        settings.networks.insert(network.name.clone(), Arc::new(network));
        Writes { settings: Some(settings), hosts: vec![host], facts, ..Writes::default() }
    }));
    write.await.unwrap();
    Lab { _folder: folder, world, desk: Desk::new(house.clone()), house }
}

/// A packet with these options, as it comes from a broadcast on the link.
fn ask(kind: u8, last: u8, options: &[u8]) -> OfferAsk {
    let mut bytes = vec![0; 236];
    bytes[..4].copy_from_slice(&[1, 1, 6, 0]);
    bytes[28..34].copy_from_slice(&mac(last).octets());
    bytes.extend([99, 130, 83, 99, 53, 1, kind]);
    bytes.extend(options);
    OfferAsk {
        request: Request::parse(&bytes).unwrap(),
        from: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
        port: 67,
        addresses: [SERVER].into(),
        was_broadcast: true,
    }
}

/// Options 93 and 60 of UEFI PXE.
fn uefi() -> Vec<u8> {
    let mut options = vec![93, 2, 0, 7, 60, 32];
    options.extend(b"PXEClient:Arch:00007:UNDI:003000");
    options
}

fn yiaddr(sending: &Sending) -> Ipv4Addr {
    <[u8; 4]>::try_from(&sending.bytes[16..20]).unwrap().into()
}

impl Lab {
    async fn offer(&self, ask: &OfferAsk) -> Option<Sending> {
        self.desk.offer(ask, &Wire(AtomicUsize::new(0))).await
    }

    fn host(&self) -> Arc<Host> {
        self.house.store.host_by_mac(mac(1)).unwrap().unwrap()
    }

    async fn kinds(&self) -> Vec<String> {
        let entries = self.house.store.journal(JournalFilter::default()).await.unwrap();
        entries.iter().map(|entry| serde_json::to_value(&entry.what).unwrap()["kind"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    fn counted(&self, series: &str) {
        let text = self.house.metrics.encode();
        assert!(text.contains(&format!("bootwright_{series}")), "{series} is not in {text}");
    }
}

#[tokio::test]
async fn a_recorded_host_gets_its_address_and_its_boot_is_a_session() {
    let lab = lab("full").await;
    let offer = lab.offer(&ask(1, 1, &uefi())).await.unwrap();
    assert_eq!((yiaddr(&offer), offer.source, offer.kind), ([10, 77, 0, 101].into(), SERVER, ReplyKind::Offer));
    assert_eq!(lab.host().sessions.len(), 1);
    let mut chosen = uefi();
    chosen.extend([50, 4, 10, 77, 0, 101, 54, 4, 10, 77, 0, 1]);
    assert_eq!(lab.offer(&ask(3, 1, &chosen)).await.unwrap().kind, ReplyKind::Ack);
    let leases = lab.house.store.leases().await.unwrap();
    assert_eq!((leases.len(), leases[0].mac), (1, mac(1)));
    let kinds = lab.kinds().await;
    assert!(["session_opened", "seen", "lease"].iter().all(|kind| kinds.contains(&(*kind).to_owned())), "{kinds:?}");
    lab.counted("dhcp_replies_total{word=\"ACK\"} 1");
}

#[tokio::test]
async fn an_ipxe_gets_a_script_url_that_names_its_session() {
    let lab = lab("full").await;
    let mut ipxe = uefi();
    ipxe.extend(b"\x4d\x04iPXE\xaf\x03\x13\x01\x01");
    let offer = lab.offer(&ask(1, 1, &ipxe)).await.unwrap();
    let session = lab.host().session().unwrap().id;
    let url = format!("http://10.77.0.1/boot.ipxe?mac=52:54:00:00:00:01&arch=x64&s={session}");
    assert!(String::from_utf8_lossy(&offer.bytes).contains(&url), "{url}");
}

#[tokio::test]
async fn a_strangers_packets_are_told_once_a_minute_and_reservations_are_not_lent_to_them() {
    let lab = lab("full").await;
    let first = lab.offer(&ask(1, 9, &[50, 4, 10, 77, 0, 101])).await.unwrap();
    assert_ne!(yiaddr(&first), Ipv4Addr::new(10, 77, 0, 101));
    lab.offer(&ask(1, 9, &[])).await.unwrap();
    let seen = lab.kinds().await.iter().filter(|kind| *kind == "seen").count();
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn an_address_that_somebody_uses_is_skipped_and_too_many_are_a_named_silence() {
    let lab = lab("full").await;
    let ask = ask(1, 9, &[]);
    let offer = lab.desk.offer(&ask, &Wire(AtomicUsize::new(2))).await.unwrap();
    let leases = lab.house.store.leases().await.unwrap();
    assert_eq!(leases.len(), 2);
    assert!(leases.iter().all(|lease| lease.state == crate::model::LeaseState::Declined && lease.address != yiaddr(&offer)));
    let crowded = self::lab("full").await;
    assert_eq!(crowded.desk.offer(&ask, &Wire(AtomicUsize::new(9))).await, None);
    crowded.counted("dhcp_silences_total{word=\"conflicts\"} 1");
}

#[tokio::test]
async fn another_board_behind_a_recorded_card_is_an_issue() {
    let lab = lab("full").await;
    let mut options = uefi();
    options.extend([97, 17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    lab.offer(&ask(1, 1, &options)).await.unwrap();
    assert!(lab.host().issues.iter().any(|issue| issue.kind == IssueKind::UuidMismatch));
}

#[tokio::test]
async fn a_rogue_server_is_a_warning_and_a_release_is_saved() {
    let lab = lab("full").await;
    assert_eq!(lab.offer(&ask(3, 9, &[50, 4, 10, 77, 0, 50, 54, 4, 10, 77, 0, 66])).await, None);
    assert!(lab.kinds().await.contains(&"warning".to_owned()));
    lab.counted("dhcp_silences_total{word=\"other_server\"} 1");
    lab.offer(&ask(3, 9, &[50, 4, 10, 77, 0, 100, 54, 4, 10, 77, 0, 1])).await.unwrap();
    let mut release = ask(7, 9, &[]);
    release.request.ciaddr = [10, 77, 0, 100].into();
    assert_eq!(lab.offer(&release).await, None);
    assert_eq!(lab.house.store.leases().await.unwrap()[0].state, crate::model::LeaseState::Released);
}

#[tokio::test]
async fn a_store_that_fails_means_silence_and_no_lease() {
    let lab = lab("full").await;
    lab.house.store.close().await.unwrap();
    assert_eq!(lab.offer(&ask(3, 9, &[50, 4, 10, 77, 0, 100, 54, 4, 10, 77, 0, 1])).await, None);
    lab.counted("dhcp_silences_total{word=\"store\"} 1");
    assert!(lab.house.book().leases(lab.house.now()).is_empty(), "the book is as before");
}

#[tokio::test]
async fn what_could_not_be_saved_never_was_neither_lease_nor_release_nor_decline() {
    let lab = lab("full").await;
    let request = ask(3, 9, &[50, 4, 10, 77, 0, 100, 54, 4, 10, 77, 0, 1]);
    lab.offer(&request).await.unwrap();
    let before = lab.house.book().leases(lab.house.now());
    // Reads come from memory and go on; every write of a lease fails from here.
    let database = rusqlite::Connection::open(lab.house.config.state_dir.join("bootwright.db")).unwrap();
    database.execute_batch("ALTER TABLE leases RENAME TO hidden").unwrap();
    lab.world.pass(10);
    let mut release = ask(7, 9, &[]);
    release.request.ciaddr = [10, 77, 0, 100].into();
    let decline = ask(4, 9, &[50, 4, 10, 77, 0, 100, 54, 4, 10, 77, 0, 1]);
    let recorded = ask(3, 1, &[50, 4, 10, 77, 0, 101, 54, 4, 10, 77, 0, 1]);
    for ask in [&request, &release, &decline, &recorded] {
        assert_eq!(lab.offer(ask).await, None);
        assert_eq!(lab.house.book().leases(lab.house.now()), before, "{:?}", ask.request.kind);
    }
    lab.counted("dhcp_silences_total{word=\"store\"} 4");
    database.execute_batch("ALTER TABLE hidden RENAME TO leases").unwrap();
    assert_eq!(lab.offer(&release).await, None);
    lab.counted("dhcp_silences_total{word=\"released\"} 1");
    assert!(lab.house.book().leases(lab.house.now()).is_empty(), "and what can be saved again is");
}

#[tokio::test]
async fn invented_clients_are_turned_away_by_the_link_and_everybody_known_is_served() {
    let lab = lab("full").await;
    let relayed = |last: u8, relay: u8| {
        let mut ask = ask(1, last, &[]);
        ask.request.giaddr = [10, 77, 0, relay].into();
        ask
    };
    assert!(lab.offer(&relayed(9, 250)).await.is_some());
    while lab.house.paces(Key::Newcomers([10, 77, 0, 250].into())) {}
    for last in 20..23 {
        assert_eq!(lab.offer(&relayed(last, 250)).await, None);
    }
    lab.counted("dhcp_silences_total{word=\"newcomers\"} 3");
    assert_eq!(lab.kinds().await.iter().filter(|kind| *kind == "silent").count(), 1, "told once for the link");
    assert!(lab.offer(&relayed(9, 250)).await.is_some(), "it has an offer already");
    assert!(lab.offer(&relayed(1, 250)).await.is_some(), "a host on record");
    assert!(lab.offer(&relayed(10, 251)).await.is_some(), "another link");
}

#[tokio::test]
async fn a_store_that_cannot_be_read_means_silence() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = start::open(Config { state_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
    house.store = Arc::new(BrokenStore);
    let house = Arc::new(house);
    let desk = Desk::new(house.clone());
    assert_eq!(desk.offer(&ask(1, 1, &uefi()), &Wire(AtomicUsize::new(0))).await, None);
    assert!(house.metrics.encode().contains("bootwright_dhcp_silences_total{word=\"store\"} 1"));
}

#[tokio::test]
async fn a_lease_that_ended_is_told_once() {
    let lab = lab("full").await;
    lab.offer(&ask(3, 9, &[50, 4, 10, 77, 0, 100, 54, 4, 10, 77, 0, 1])).await.unwrap();
    for (secs, told) in [(3000, 0), (1000, 1), (1000, 1)] {
        lab.world.pass(secs);
        lab.desk.expire().await.unwrap();
        let entries = lab.house.store.journal(JournalFilter::default()).await.unwrap();
        let expired = entries.iter().filter(|entry| matches!(&entry.what, What::Lease { what, .. } if what == "expired")).count();
        assert_eq!(expired, told);
    }
}

#[tokio::test]
async fn a_reservation_made_later_is_respected_at_once() {
    let lab = lab("full").await;
    assert_eq!(yiaddr(&lab.offer(&ask(1, 9, &[50, 4, 10, 77, 0, 103])).await.unwrap()), Ipv4Addr::new(10, 77, 0, 103));
    let mut host = Host::new(lab.house.world.host_id(), "n2".parse().unwrap(), vec![mac(2)], lab.house.now());
    host.address = Some([10, 77, 0, 102].into());
    let fact = Pen::new(Actor::Server, lab.house.now()).of(&host).write(What::Created, "for the test");
    lab.house.store.write(Box::new(|_| Writes { hosts: vec![host], facts: vec![fact], ..Writes::default() })).await.unwrap();
    let other = lab.offer(&ask(1, 8, &[50, 4, 10, 77, 0, 102])).await.unwrap();
    assert_ne!(yiaddr(&other), Ipv4Addr::new(10, 77, 0, 102));
    assert_eq!(yiaddr(&lab.offer(&ask(1, 2, &[])).await.unwrap()), Ipv4Addr::new(10, 77, 0, 102));
    let (mut host, at) = (Host::clone(&lab.house.store.host_by_mac(mac(2)).unwrap().unwrap()), lab.house.now());
    host.address = None;
    let fact = Pen::new(Actor::Server, at).of(&host).write(What::Edited { fields: vec!["address".into()] }, "for the test");
    lab.house.store.write(Box::new(|_| Writes { hosts: vec![host], facts: vec![fact], ..Writes::default() })).await.unwrap();
    lab.house.book().withdraw(&"lab".parse().unwrap(), mac(2));
    assert_eq!(yiaddr(&lab.offer(&ask(1, 7, &[50, 4, 10, 77, 0, 102])).await.unwrap()), Ipv4Addr::new(10, 77, 0, 102), "and no longer than it lasts");
}

#[tokio::test]
async fn what_is_dropped_before_or_after_the_story_is_counted_too() {
    let lab = lab("full").await;
    lab.desk.busy();
    lab.desk.unsent(mac(9), "the link is down");
    lab.desk.overrun(4);
    for _ in 0..3 {
        lab.desk.malformed(Malformed::NoMagic, SocketAddrV4::new([10, 77, 0, 66].into(), 68)).await;
    }
    assert_eq!(lab.kinds().await.iter().filter(|kind| *kind == "silent").count(), 1, "told once a minute");
    for (word, count) in [("busy", 1), ("unsent", 1), ("overrun", 4), ("no_magic", 3)] {
        lab.counted(&format!("dhcp_silences_total{{word=\"{word}\"}} {count}"));
    }
}

#[tokio::test]
async fn a_host_that_is_told_nothing_is_sent_to_its_disk_by_silence() {
    let lab = lab("full").await;
    let (mut host, at) = (Host::clone(&lab.host()), lab.house.now());
    host.disk_boot = Some(crate::model::DiskBoot::Silence);
    let fact = Pen::new(Actor::Server, at).of(&host).write(What::Edited { fields: vec!["disk_boot".into()] }, "for the test");
    lab.house.store.write(Box::new(|_| Writes { hosts: vec![host], facts: vec![fact], ..Writes::default() })).await.unwrap();
    let offer = lab.offer(&ask(1, 1, &uefi())).await.unwrap();
    assert!(!String::from_utf8_lossy(&offer.bytes).contains("PXEClient"));
    assert_eq!(lab.host().session().unwrap().reached, crate::model::Reached::Disk);
}

#[tokio::test]
async fn a_client_that_floods_fills_neither_the_journal_nor_the_log() {
    let lab = lab("full").await;
    for _ in 0..500 {
        lab.offer(&ask(1, 1, &uefi())).await;
        lab.offer(&ask(3, 9, &[50, 4, 10, 77, 0, 100, 54, 4, 10, 77, 0, 1])).await;
    }
    let kinds = lab.kinds().await;
    assert!(kinds.len() < 150, "{}", kinds.len());
    assert_eq!(kinds.iter().filter(|kind| *kind == "silent").count(), 2, "one remark for each of the two");
    lab.counted("dhcp_silences_total{word=\"flood\"} 920");
    assert!(lab.offer(&ask(1, 2, &[])).await.is_some(), "and others are served");
}

#[tokio::test]
async fn a_client_that_declines_everything_is_named_and_leaves_addresses_for_others() {
    let lab = lab("full").await;
    let decline = |address: Ipv4Addr| {
        let [a, b, c, d] = address.octets();
        ask(4, 9, &[50, 4, a, b, c, d, 54, 4, 10, 77, 0, 1])
    };
    let network: Network = serde_json::from_value(serde_json::json!({
        "name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "pools": [{"first": "10.77.0.100", "last": "10.77.0.119"}],
    }))
    .unwrap();
    lab.house.edit_settings(&Actor::Server, crate::app::settings::Edit::Network(network)).await.unwrap();
    while let Some(offer) = lab.offer(&ask(1, 9, &[])).await {
        lab.offer(&decline(yiaddr(&offer))).await;
    }
    lab.counted("dhcp_silences_total{word=\"declines\"} 1");
    assert!(lab.kinds().await.contains(&"silent".to_owned()));
    assert!(lab.offer(&ask(1, 8, &[])).await.is_some());
}
