//! What the writer makes of strangers, asked directly: every reason not to make a record, and how often each is told.
//!
//! How a stranger comes to a record by its script is told in `tests/it/registration.rs`.

use serde_json::json;

use super::*;
use crate::{
    app::{settings::Edit, start},
    config::Config,
    model::Role,
    store::JournalFilter,
    world::StillWorld,
};

struct Lab {
    _folder: tempfile::TempDir,
    world: Arc<StillWorld>,
    house: House,
    network: Network,
}

async fn lab(mode: &str) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { state_dir: folder.path().to_owned(), ..Config::default() };
    let world = Arc::new(StillWorld::at(Timestamp::from_second(1_800_000_000).unwrap()));
    let house = start::open_in(config, world.clone()).await.unwrap();
    let network: Network = serde_json::from_value(json!({ "name": "lab", "subnet": "10.77.0.0/24", "auto_enroll": mode })).unwrap();
    let ada = Actor::Operator { name: "ada".parse().unwrap(), role: Role::Admin };
    house.edit_settings(&ada, Edit::Network(network.clone())).await.unwrap();
    Lab { _folder: folder, world, house, network }
}

fn mac(number: u32) -> Mac {
    let [_, a, b, c] = number.to_be_bytes();
    Mac::from_octets([0x52, 0x54, 1, a, b, c]).unwrap()
}

impl Lab {
    async fn enroll(&self, mac: Option<Mac>, uuid: Option<&str>) -> Option<Arc<Host>> {
        let ask = ScriptAsk {
            mac,
            uuid: uuid.map(|text| text.parse().unwrap()),
            serial: None,
            arch: None,
            session: None,
            peer: [10, 77, 0, 150].into(),
            server: [10, 77, 0, 1].into(),
        };
        self.house.enroll(&ask, &self.network).await.unwrap()
    }

    /// How often the journal says so.
    async fn told(&self, why: &str) -> usize {
        let filter = JournalFilter { kind: Some("refused".into()), ..JournalFilter::default() };
        let entries = self.house.store.journal(filter).await.unwrap();
        entries.iter().filter(|entry| entry.what == What::Refused { why: why.into() }).count()
    }

    /// So many records of earlier strangers, in one transaction.
    async fn fill(&self, count: u32) {
        let now = self.house.now();
        let stranger = |number| {
            let mut host = Host::new(self.house.world.host_id(), format!("old-{number}").parse().unwrap(), vec![mac(number)], now);
            (host.network, host.enrolled) = (Some(self.network.name.clone()), true);
            host
        };
        let hosts: Vec<Host> = (0..count).map(stranger).collect();
        let pen = Pen::new(Actor::Server, now);
        let facts = hosts.iter().map(|host| pen.clone().of(host).write(What::Created, "for the test")).collect();
        self.house.write(Box::new(move |_| Writes { hosts, facts, ..Writes::default() })).await.unwrap();
    }
}

#[tokio::test]
async fn a_network_that_takes_nobody_in_makes_no_record() {
    let lab = lab("off").await;
    assert!(lab.enroll(Some(mac(1)), None).await.is_none());
}

#[tokio::test]
async fn a_stranger_without_a_card_gets_no_record_and_is_told_of_once() {
    let lab = lab("ask").await;
    assert!(lab.enroll(None, None).await.is_none() && lab.enroll(None, None).await.is_none());
    assert_eq!(lab.told("no_mac").await, 1);
    lab.world.pass(60);
    lab.enroll(None, None).await;
    assert_eq!(lab.told("no_mac").await, 2);
}

#[tokio::test]
async fn without_a_live_image_the_record_stays_new_and_says_why() {
    let lab = lab("on").await;
    let host = lab.enroll(Some(mac(1)), None).await.unwrap();
    assert_eq!((host.lifecycle.word(), lab.told("no_live_image").await), ("new", 1));
}

#[tokio::test]
async fn the_writer_looks_again_at_who_it_is() {
    let lab = lab("ask").await;
    let (one, other) = ("4c4c4544-0051-3510-8058-b4c04f4d3332", "6902b9f2-f123-cdcd-428f-23a3ef2e4c63");
    let host = lab.enroll(Some(mac(1)), Some(one)).await.unwrap();
    lab.enroll(Some(mac(2)), Some(other)).await.unwrap();
    assert_eq!(lab.enroll(Some(mac(1)), None).await.unwrap().id, host.id, "recorded already");
    assert!(lab.enroll(Some(mac(1)), Some(other)).await.is_none(), "the card of one host and the board of another");
    assert_eq!((lab.told("identity_conflict").await, lab.house.store.hosts().unwrap().len()), (1, 2));
    assert!(lab.enroll(Some(mac(3)), Some("03000200-0400-0500-0006-000700080009")).await.unwrap().uuid.is_none(), "a vendor's sample");
}

#[tokio::test]
async fn a_full_network_is_told_of_once_a_minute() {
    let lab = lab("ask").await;
    lab.fill(u32::try_from(MOST).unwrap()).await;
    for number in 0..600 {
        assert!(lab.enroll(Some(mac(10_000 + number)), None).await.is_none());
    }
    assert_eq!((lab.told("enrolment_full").await, lab.told("enrolment_pace").await), (1, 0));
    lab.world.pass(60);
    assert!(lab.enroll(Some(mac(30_000)), None).await.is_none());
    assert_eq!(lab.told("enrolment_full").await, 2);
    let other = lab.house.explain(&mac(30_000).to_string()).unwrap().enrolment;
    assert!(other[0].contains("1024 recorded machines that never registered"), "{other:?}");
}

#[tokio::test]
async fn machines_that_come_too_fast_are_recorded_when_they_ask_again() {
    let lab = lab("ask").await;
    for _ in 0..1024 {
        lab.enroll(Some(mac(1)), None).await;
    }
    assert!(lab.enroll(Some(mac(2)), None).await.is_none());
    assert_eq!(lab.told("enrolment_pace").await, 1);
    lab.world.pass(1);
    assert!(lab.enroll(Some(mac(2)), None).await.is_some());
}
