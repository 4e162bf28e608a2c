//! Tables of the proof: which claims count, what the whole comes to, what a certificate says.
//!
//! Disks and plans are those of the tables beside it.

use std::sync::Arc;

use super::*;
use crate::model::{
    Crew, DiskResult, LiveId, LiveMode, LiveRun, Then, TokenHash,
    wipe::{Attempt, Verification},
};
use crate::rules::lifecycle::Wiped;

/// A result that proves a wipe by zeroes.
fn good(id: &str) -> DiskResult {
    DiskResult {
        id: DiskId(id.into()),
        name: "vda".into(),
        ok: true,
        method: Some(M::WriteZeroes),
        attempts: vec![Attempt { method: M::WriteZeroes, command: "blkdiscard -z".into(), exit_code: Some(0), ok: true, text: String::new() }],
        started: at(0),
        ended: at(9),
        verification: Verification { marker_gone: Some(true), samples_read: 102, ..Verification::default() },
        error: None,
    }
}

/// What is said of a result that was changed in one place; `None`: it proves the wipe.
#[track_caller]
fn judged(policy: WipePolicy, change: impl FnOnce(&mut DiskResult), says: Option<&str>) {
    let disk = if policy == Purge { nvme("a") } else { virtio("a") };
    let plan = made(&[disk], policy, &[]).unwrap();
    let mut result = good("a");
    result.method = Some(plan.disks[0].methods[0]);
    result.attempts[0].method = plan.disks[0].methods[0];
    change(&mut result);
    match (judge(&plan, &[result], None), says) {
        (Wiped::All, None) => {}
        (Wiped::Failed { text }, Some(says)) => assert!(text.contains(says) && text.contains("a ("), "{text:?} does not say {says:?}"),
        (other, _) => panic!("{other:?}, {says:?}"),
    }
}

#[test]
fn a_claim_counts_when_everything_else_agrees_with_it() {
    judged(Clear, |_| {}, None);
    judged(Clear, |one| one.method = Some(M::Overwrite), None);
    judged(Clear, |one| one.attempts.clear(), None);
    judged(Purge, |_| {}, None);
    // A crypto erase leaves noise: that is no sign against it.
    judged(Purge, |one| one.verification.samples_dirty = 100, None);
    judged(Metadata, |_| {}, None);
    judged(Metadata, |one| one.verification.marker_gone = None, None);
    judged(Metadata, |one| (one.verification.samples_read, one.verification.samples_dirty) = (9, 9), None);
}

#[test]
fn ok_alone_proves_nothing() {
    judged(Clear, |one| one.ok = false, Some("without a reason"));
    judged(Clear, |one| (one.ok, one.error) = (false, Some("it burns".into())), Some("it burns"));
    judged(Clear, |one| one.error = Some("yet it burns".into()), Some("yet it burns"));
    judged(Clear, |one| one.method = None, Some("not by what"));
    judged(Clear, |one| one.method = Some(M::NvmeSanitizeCrypto), Some("nvme_sanitize_crypto, which the plan does not have"));
    judged(Clear, |one| one.method = Some(M::MetadataOnly), Some("which the plan does not have"));
    judged(Clear, |one| one.attempts[0].ok = false, Some("every try of that failed"));
    judged(Clear, |one| one.ended = at(-1), Some("before it began"));
    for policy in [Clear, Purge] {
        judged(policy, |one| one.verification.marker_gone = None, Some("nobody looked"));
        judged(policy, |one| one.verification.signatures.push("ext4".into()), Some("ext4"));
    }
    for policy in [Clear, Purge, Metadata] {
        judged(policy, |one| one.verification.marker_gone = Some(false), Some("marker"));
        judged(policy, |one| one.id = DiskId("b".into()), Some("nothing was reported"));
    }
    judged(Metadata, |one| one.verification.signatures.push("gpt".into()), Some("gpt"));
    judged(Clear, |one| one.verification.samples_dirty = 1, Some("1 of 102 samples"));
    judged(Clear, |one| one.verification.samples_read = 0, Some("no sample"));
    judged(Clear, |one| (one.method, one.verification.samples_dirty) = (Some(M::Overwrite), 1), Some("samples"));
}

#[test]
fn a_plan_with_a_method_below_its_policy_proves_nothing() {
    let mut plan = made(&[nvme("a")], Purge, &[]).unwrap();
    plan.disks[0].methods.push(M::Overwrite);
    let result = DiskResult { method: Some(M::Overwrite), ..good("a") };
    assert!(matches!(judge(&plan, &[result], None), Wiped::Failed { text } if text.contains("overwrite does not reach policy purge")));
}

#[test]
fn the_whole_is_as_good_as_its_worst_disk() {
    let plan = made(&[virtio("a"), virtio("b")], Clear, &[]).unwrap();
    let failed = |results: &[DiskResult], error: Option<&str>| match judge(&plan, results, error) {
        Wiped::Failed { text } => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(judge(&plan, &[good("b"), good("a")], None), Wiped::All);
    assert_eq!(failed(&[good("a")], None), "b (vda): nothing was reported of it");
    assert_eq!(failed(&[good("a"), good("b"), good("b")], None), "b (vda): it was reported more than once");
    assert_eq!(failed(&[good("a"), good("b"), good("c")], None), "c: it was reported, and the plan does not name it");
    assert_eq!(failed(&[good("a"), good("b")], Some("an unexpected disk")), "an unexpected disk");
    assert_eq!(failed(&[good("a"), good("b")], Some(" ")), "the agent failed without a reason");
    assert_eq!(failed(&[], Some("x")), "x; a (vda): nothing was reported of it; b (vda): nothing was reported of it");
    let empty = WipePlan { disks: Vec::new(), ..plan.clone() };
    assert!(matches!(judge(&empty, &[], None), Wiped::Failed { .. }), "a plan without disks is never done");
}

fn run(plan: &WipePlan) -> LiveRun {
    LiveRun {
        plan_hash: Some(plan.hash()),
        plan: Some(Box::new(plan.clone())),
        by: "ada".into(),
        from: Lifecycle::Used,
        then: Some(Then::Available),
        crew: Some(Crew { agent: "0.1.0".into(), image: "20260101-aa".into() }),
        hello_at: Some(at(5)),
        ..LiveRun::new(LiveId(uuid::Uuid::nil()), LiveMode::Clean, TokenHash(String::new()), at(99))
    }
}

#[test]
fn every_planned_disk_gets_a_paper_that_says_what_is_proven() {
    let plan = made(&[virtio("a"), virtio("b"), virtio("c")], Clear, &[]).unwrap();
    let run = run(&plan);
    let mut facts = found(&[]);
    facts.system.serial = "CHASSIS".into();
    let host = Host { facts: Some(Arc::new(facts)), ..host() };
    let liar = DiskResult { verification: Verification::default(), ..good("b") };
    let results = [good("a"), liar];
    let tools = ["blkdiscard 2.38".to_owned()];
    let paper = Paper { host: &host, run: &run, plan: &plan, results: &results, tools: &tools, error: Some("stopped"), server: "9.9", now: at(60) };
    let [a, b, c] = [0, 1, 2].map(|disk| certificate(&paper, &plan.disks[disk]));
    assert_eq!((a.category, a.result.ok, a.result.clone()), (Category::Clear, true, good("a")));
    assert_eq!(
        (a.host_serial.as_deref(), a.ordered_by.as_str(), a.agent.as_str(), a.image.as_str(), a.server.as_str()),
        (Some("CHASSIS"), "ada", "0.1.0", "20260101-aa", "9.9")
    );
    assert_eq!(
        (a.plan_hash.clone(), a.tools.clone(), a.made, a.disk.clone(), a.version),
        (plan.hash(), tools.to_vec(), at(60), plan.disks[0].clone(), 1)
    );
    assert!(a.statement.starts_with("Clear as NIST SP 800-88"), "{}", a.statement);
    assert_eq!((b.category, b.result.ok), (Category::None, false), "an agent's ok is not copied");
    assert!(b.result.error.as_deref().unwrap().contains("nobody looked") && b.statement.starts_with("NOT WIPED"));
    assert_eq!((c.result.ok, c.result.started, c.result.ended), (false, at(5), at(60)));
    assert_eq!(c.result.error.as_deref(), Some("nothing was reported of it; the agent stopped: stopped"));
    assert_eq!(serde_json::from_slice::<crate::model::Certificate>(&bytes(&a)).unwrap(), a);
}

#[test]
fn a_statement_says_which_standard_or_that_it_is_none() {
    for (policy, reached, begins) in [
        (Purge, Some(Category::Purge), "Purge as NIST"),
        (Clear, Some(Category::Purge), "Purge as NIST"),
        (Clear, Some(Category::Clear), "Clear as NIST"),
        (Metadata, Some(Category::None), "NO SANITISATION"),
        (Metadata, None, "NOT WIPED"),
        (Purge, None, "NOT WIPED"),
    ] {
        assert!(statement(policy, reached).starts_with(begins), "{policy:?} {reached:?}");
    }
}
