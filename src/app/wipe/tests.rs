//! The report of a wipe on a real store: once, wholly, and never for another plan or another state.
//!
//! The run is opened by the lifecycle's own event; the conversation with an agent is `app::agent`'s.

use std::sync::Arc;

use super::*;
use crate::{
    app::start,
    config::Config,
    model::{Actor, DiskState, EraseMethod, Facts, Role, Then, Timestamp, wipe::Verification},
    world::StillWorld,
};

struct Lab {
    folder: tempfile::TempDir,
    world: Arc<StillWorld>,
    house: House,
}

fn ada() -> Actor {
    Actor::Operator { name: "ada".parse().unwrap(), role: Role::Admin }
}

fn config(folder: &std::path::Path) -> Config {
    Config { state_dir: folder.to_owned(), ..Config::default() }
}

/// Two disks of a virtual machine.
fn facts() -> Facts {
    let disk =
        |id: &str, name: &str| serde_json::json!({ "id": id, "name": name, "size_bytes": 1_000_000, "transport": "virtio", "erase": ["overwrite"] });
    serde_json::from_value(serde_json::json!({ "disks": [disk("a", "vda"), disk("b", "vdb")] })).unwrap()
}

impl Lab {
    /// `n1` in `cleaning`, its agent has spoken.
    async fn wiping() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(StillWorld::at("2027-01-01T00:00:00Z".parse().unwrap()));
        let house = start::open_in(config(folder.path()), world.clone()).await.unwrap();
        let lab = Self { folder, world, house };
        let site = crate::rules::sitefile::SiteHost {
            name: Some("n1".parse().unwrap()),
            macs: Some(vec!["52:54:00:00:00:01".parse().unwrap()]),
            ..Default::default()
        };
        lab.house.create_host(&ada(), site).await.unwrap();
        lab.draft(&ada(), |draft| {
            draft.host.facts = Some(Arc::new(facts()));
            draft.host.facts_at = Some(lab.house.now());
            draft.note(What::Edited { fields: vec!["facts".into()] }, "for the test");
            draft.event(&Event::Adopt { confirm: Some("n1".into()) }).map(drop).unwrap();
            Ok(())
        })
        .await
        .unwrap();
        lab.draft(&ada(), |draft| {
            let plan = lab.house.plan_of(&draft.host, &WipeWish::default()).unwrap();
            let live = lab.house.new_live(Some(Box::new(plan.clone())), Some(wipe::deadlines(&plan)));
            draft.event(&Event::Release { then: Then::Available, confirm: Some("n1".into()), live }).map(drop).unwrap();
            Ok(())
        })
        .await
        .unwrap();
        lab.draft(&Actor::Host { mac: None, proven: true }, |draft| {
            let crew = crate::model::Crew { agent: "0.1.0".into(), image: "image-1".into() };
            draft.event(&Event::AgentHello { token_ok: true, session: crate::model::SessionId(1), crew }).map(drop).unwrap();
            Ok(())
        })
        .await
        .unwrap();
        lab
    }

    async fn draft(&self, actor: &Actor, tell: impl Fn(&mut Draft<'_>) -> Told<()>) -> Told<()> {
        self.house.draft(actor, |house| house.find("n1"), tell).await
    }

    async fn report(&self, report: &WipeReport) -> Told<()> {
        self.draft(&Actor::Host { mac: None, proven: true }, |draft| self.house.wiped(draft, report)).await
    }

    fn host(&self) -> Arc<Host> {
        self.house.find("n1").unwrap()
    }

    fn good(&self) -> WipeReport {
        let plan_hash = self.host().live.as_ref().unwrap().plan_hash.clone().unwrap();
        WipeReport { plan_hash, results: vec![good("a"), good("b")], tools: vec!["dd 9".into()], error: None }
    }

    async fn papers(&self) -> Vec<(Certificate, String)> {
        let mut papers = Vec::new();
        for entry in self.house.certificates(&self.host().id.to_string(), None, 100).await.unwrap() {
            let What::Certificate { sha256, ok, .. } = entry.what else { panic!("{entry:?}") };
            let (certificate, bytes) = self.house.certificate(&sha256).await.unwrap();
            assert_eq!((sha256_hex(&bytes), certificate.result.ok), (sha256.clone(), ok));
            papers.push((certificate, sha256));
        }
        papers
    }

    async fn restart(self) -> Self {
        let Self { folder, world, house } = self;
        house.store.close().await.unwrap();
        drop(house);
        let house = start::open_in(config(folder.path()), world.clone()).await.unwrap();
        Self { folder, world, house }
    }
}

fn good(id: &str) -> DiskResult {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    DiskResult {
        id: DiskId(id.into()),
        name: id.into(),
        ok: true,
        method: Some(EraseMethod::Overwrite),
        attempts: Vec::new(),
        started: at,
        ended: at,
        verification: Verification { marker_gone: Some(true), samples_read: 102, ..Verification::default() },
        error: None,
    }
}

fn code(told: Told<()>) -> &'static str {
    match told {
        Err(Failure::Refusal(refusal)) => refusal.code(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_report_cleans_the_host_and_leaves_a_certificate_for_each_disk() {
    let lab = Lab::wiping().await;
    lab.report(&lab.good()).await.unwrap();
    let host = lab.host();
    assert_eq!((&host.lifecycle, &host.disk_state), (&Lifecycle::Available, &DiskState::Clean));
    assert_eq!(host.live.as_ref().unwrap().results.len(), 2);
    let papers = lab.papers().await;
    assert_eq!(papers.iter().map(|(paper, _)| paper.disk.id.0.as_str()).collect::<Vec<_>>(), ["b", "a"], "newest first");
    let (paper, _) = &papers[0];
    assert_eq!(
        (paper.ordered_by.as_str(), paper.agent.as_str(), paper.image.as_str(), paper.tools.as_slice()),
        ("ada", "0.1.0", "image-1", &["dd 9".to_owned()][..])
    );
    assert_eq!(Some(&paper.plan_hash), host.live.as_ref().unwrap().plan_hash.as_ref());
}

#[tokio::test]
async fn the_same_report_again_changes_nothing_also_after_a_restart() {
    let lab = Lab::wiping().await;
    let report = lab.good();
    lab.report(&report).await.unwrap();
    let (before, papers) = (lab.host().version, lab.papers().await);
    assert_eq!(code(lab.report(&report).await), "not_from_here");
    let lab = lab.restart().await;
    assert_eq!(code(lab.report(&report).await), "not_from_here");
    assert_eq!((lab.host().version, lab.papers().await), (before, papers));
}

#[tokio::test]
async fn one_disk_that_is_not_proven_keeps_the_host_in_error_with_papers_for_both() {
    let lab = Lab::wiping().await;
    let mut report = lab.good();
    report.results[1].verification.samples_dirty = 7;
    lab.report(&report).await.unwrap();
    let host = lab.host();
    assert!(matches!(host.lifecycle, Lifecycle::Error { from: ErrorFrom::Cleaning, .. }), "{:?}", host.lifecycle);
    assert_eq!(host.disk_state, DiskState::Unknown);
    let oks: Vec<_> = lab.papers().await.into_iter().map(|(paper, _)| (paper.disk.id.0, paper.result.ok)).collect();
    assert_eq!(oks, [("b".to_owned(), false), ("a".to_owned(), true)]);
    // The retry is of what failed: its policy stays without being said again.
    let plan = lab.house.plan_of(&host, &WipeWish::default()).unwrap();
    assert_eq!(plan, **host.live.as_ref().unwrap().plan.as_ref().unwrap());
}

#[tokio::test]
async fn a_failure_that_names_no_disk_still_leaves_a_paper_for_each() {
    let lab = Lab::wiping().await;
    lab.report(&WipeReport { results: Vec::new(), error: Some("an unexpected disk sdz".into()), ..lab.good() }).await.unwrap();
    let papers = lab.papers().await;
    assert_eq!(papers.len(), 2);
    assert!(papers.iter().all(|(paper, _)| !paper.result.ok && paper.result.error.as_deref().unwrap().contains("sdz")));
}

#[tokio::test]
async fn a_report_about_another_plan_is_refused_and_leaves_nothing() {
    let lab = Lab::wiping().await;
    let before = lab.host();
    assert_eq!(code(lab.report(&WipeReport { plan_hash: "0".repeat(64), ..lab.good() }).await), "other_plan");
    assert_eq!((lab.host().version, lab.papers().await.len()), (before.version, 0));
    assert!(matches!(lab.host().lifecycle, Lifecycle::Cleaning { .. }));
}

#[tokio::test]
async fn certificates_outlive_pruning_and_the_record() {
    let lab = Lab::wiping().await;
    lab.report(&lab.good()).await.unwrap();
    let (id, papers) = (lab.host().id, lab.papers().await);
    lab.draft(&ada(), |draft| {
        let unavailable = draft.event(&Event::MarkUnavailable);
        unavailable.map(drop).unwrap();
        Ok(())
    })
    .await
    .unwrap();
    lab.house.remove_host(&ada(), "n1", None, "n1").await.unwrap();
    lab.world.pass(10 * 365 * 86_400);
    lab.house.store.prune(lab.house.now()).await.unwrap();
    let lab = lab.restart().await;
    assert_eq!(code(lab.house.certificates("n1", None, 10).await.map(drop)), "not_found");
    let listed = lab.house.certificates(&id.to_string(), None, 10).await.unwrap();
    assert_eq!(listed.len(), 2);
    for (paper, sha256) in papers {
        assert_eq!(lab.house.certificate(&sha256).await.unwrap().0, paper);
    }
}

#[tokio::test]
async fn what_is_no_certificate_is_not_given_out_by_its_hash() {
    let lab = Lab::wiping().await;
    lab.report(&lab.good()).await.unwrap();
    let (paper, _) = lab.papers().await.remove(0);
    // A document that looks like one, and one that does not: neither stands in the journal as a certificate.
    let forged = Bytes::from(wipe::bytes(&Certificate { ordered_by: "mallory".into(), ..paper }));
    for bytes in [forged, Bytes::from_static(b"password hunter2")] {
        let sha256 = sha256_hex(&bytes);
        let body = Body { sha256: sha256.clone(), bytes };
        lab.draft(&ada(), |draft| {
            draft.note(What::Served { document: "answer".into(), sha256: sha256.clone(), again: false }, "for the test");
            draft.bodies.push(body.clone());
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(code(lab.house.certificate(&sha256).await.map(drop)), "not_found");
    }
}
