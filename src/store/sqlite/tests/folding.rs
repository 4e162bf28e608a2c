//! The journal is the source of truth: whatever was written, its fold is the row.
//!
//! Random histories of a few hosts, also after reopening; and that `verify` finds what does not fold.

use proptest::prelude::*;

use super::*;
use crate::{
    model::{Lifecycle, Param, params::Secret},
    store::{JournalFilter, Settings, Sqlite, fold},
};

/// One random change of one of a few hosts.
#[derive(Debug, Clone)]
enum Step {
    Tags(u16, Vec<String>),
    Macs(u16, Vec<u16>),
    Facts(u16, f64),
    Build(u16, u128, String),
    Reserve(u16, String),
    Params(u16, String, bool),
    Delete(u16),
    Global(String),
    Evidence(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = 0..5_u16;
    let step = prop_oneof![
        (n.clone(), prop::collection::vec("[a-z/~ ]{0,3}", 0..5)).prop_map(|(n, tags)| Step::Tags(n, tags)),
        (n.clone(), prop::collection::vec(0..9_u16, 0..4)).prop_map(|(n, macs)| Step::Macs(n, macs)),
        (n.clone(), prop::num::f64::NORMAL).prop_map(|(n, load)| Step::Facts(n, load)),
        (n.clone(), 0..6_u128, ".{0,20}").prop_map(|(n, build, log)| Step::Build(n, build, log)),
        (n.clone(), "[a-z]{1,5}").prop_map(|(n, user)| Step::Reserve(n, user)),
        (n.clone(), "[a-z/~\"é]{0,4}", any::<bool>()).prop_map(|(n, key, secret)| Step::Params(n, key, secret)),
        n.clone().prop_map(Step::Delete),
        "[a-z/~]{0,3}".prop_map(Step::Global),
        n.prop_map(Step::Evidence),
    ];
    prop::collection::vec(step, 1..40)
}

impl Step {
    fn host(&self) -> Option<u16> {
        match *self {
            Self::Tags(n, _) | Self::Macs(n, _) | Self::Facts(n, _) | Self::Build(n, ..) | Self::Reserve(n, _) | Self::Params(n, ..) => Some(n),
            Self::Delete(_) | Self::Global(_) | Self::Evidence(_) => None,
        }
    }

    fn edit(self, host: &mut Host) {
        match self {
            Self::Tags(_, tags) => host.tags = tags,
            Self::Macs(_, macs) => host.macs = macs.into_iter().flat_map(|n| super::host(n).macs).collect(),
            Self::Facts(_, load) => host.params.change(|params| {
                drop(params.insert("load".parse().unwrap(), Param::Plain(serde_json::json!({"load": load, "disks": [1, {"": null}]}))))
            }),
            Self::Build(_, n, log) => host.build = Some(Build { log, ..build(n) }),
            Self::Reserve(_, user) => host.lifecycle = Lifecycle::Reserved { user, until: None },
            Self::Params(_, key, true) => host.params.change(|params| drop(params.insert(key, Param::Secret(Secret { secret: "s".into() })))),
            Self::Params(_, key, false) => host.params.change(|params| drop(params.insert(key, Param::Plain(serde_json::json!([1, {"a": "b"}]))))),
            Self::Delete(_) | Self::Global(_) | Self::Evidence(_) => {}
        }
    }
}

async fn carry_out(store: &Sqlite, step: Step) {
    let written =
        change(store, move |view| (writes(view.settings(), |n| view.host(host(n).id).map_or_else(|| host(n), |host| (**host).clone()), step), ()));
    match written.await {
        Ok(()) | Err(StoreFault::Taken { .. }) => {}
        Err(fault) => panic!("{fault}"),
    }
}

fn writes(settings: &Settings, find: impl Fn(u16) -> Host, step: Step) -> Writes {
    if let Some(n) = step.host() {
        let mut host = find(n);
        step.edit(&mut host);
        return saving(vec![host]);
    }
    match step {
        Step::Delete(n) => Writes { deleted: vec![host(n).id], facts: vec![fact(Some(host(n).id), What::Deleted)], ..Writes::default() },
        Step::Global(key) => {
            let mut settings = settings.clone();
            settings.globals.insert(key, Param::Plain(1.into()));
            let what = What::Settings { noun: "global".into(), name: "globals".into(), verb: "changed".into() };
            Writes { settings: Some(settings), facts: vec![fact(None, what)], ..Writes::default() }
        }
        Step::Evidence(n) => Writes { facts: vec![fact(Some(host(n).id), What::SessionOpened)], ..Writes::default() },
        _ => Writes::default(),
    }
}

async fn check_folds(store: &Sqlite) {
    assert_eq!(store.verify().await.unwrap(), []);
    for n in 0..5 {
        let id = host(n).id;
        let entries = store.journal(JournalFilter { host: Some(id), ..JournalFilter::default() }).await.unwrap();
        let row = store.host(id).unwrap().map(|host| serde_json::to_value(&*host).unwrap());
        assert_eq!(fold(&entries).unwrap(), row);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_of_every_journal_is_its_row_also_after_reopening(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bootwright.db");
        runtime.block_on(async {
            let store = Sqlite::open(&file).unwrap();
            for step in steps {
                carry_out(&store, step).await;
            }
            check_folds(&store).await;
            let (hosts, settings) = (store.hosts().unwrap(), store.settings().unwrap());
            drop(store);
            let store = Sqlite::open(&file).unwrap();
            assert_eq!((store.hosts().unwrap(), store.settings().unwrap()), (hosts, settings));
            check_folds(&store).await;
        });
    }
}

#[test]
fn a_host_that_never_was_folds_to_nothing() {
    assert_eq!(fold([]).unwrap(), None);
}

#[tokio::test]
async fn a_row_changed_behind_the_journals_back_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    let store = Sqlite::open(&file).unwrap();
    put(&store, saving(vec![host(1), host(2), host(3)])).await.unwrap();
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.pragma_update(None, "foreign_keys", true).unwrap();
    conn.execute("UPDATE hosts SET json = json_set(json, '$.attempt', 9) WHERE json ->> 'name' = 'n1'", []).unwrap();
    conn.execute("DELETE FROM hosts WHERE json ->> 'name' = 'n2'", []).unwrap();
    conn.execute("DELETE FROM journal WHERE host = ?1", [host(3).id.0.as_bytes().as_slice()]).unwrap();
    let found: Vec<_> = store.verify().await.unwrap().into_iter().map(|one| (one.what, one.text)).collect();
    let of = |n: u16| format!("host {}", host(n).id);
    let want = [
        (of(1), "its row differs from its journal in /attempt".to_owned()),
        (of(2), "its row differs from its journal in ".to_owned()),
        (of(3), "has a row but no journal".to_owned()),
    ];
    assert_eq!(found, want);
}

/// A release that writes a new field must not break the journal of rows written before it.
#[tokio::test]
async fn a_row_of_an_older_release_still_folds_after_its_next_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootwright.db");
    let store = Sqlite::open(&file).unwrap();
    put(&store, saving(vec![host(1)])).await.unwrap();
    drop(store);
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute("UPDATE hosts SET json = json_remove(json, '$.overdue')", []).unwrap();
    conn.execute("UPDATE journal SET json = json_remove(json, '$.patch[0].value.overdue')", []).unwrap();
    drop(conn);
    let store = Sqlite::open(&file).unwrap();
    assert_eq!(store.verify().await.unwrap(), []);
    let mut one = host(1);
    one.attempt = 2;
    put(&store, saving(vec![one])).await.unwrap();
    assert_eq!(store.verify().await.unwrap(), []);
}
