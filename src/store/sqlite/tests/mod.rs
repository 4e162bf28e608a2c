//! The store's contract, tried on a real file and in memory; and the words that the tests share.
//!
//! Every test that can runs on [`Sqlite`] alone; a second implementation of the trait would take the same tests.

mod backups;
mod contract;
mod durable;
mod folding;
mod grouping;
mod opening;
mod trouble;

use std::sync::Arc;

use crate::{
    model::{Actor, Build, BuildId, Entry, Fact, Host, HostId, LiveRun, Mac, Timestamp, What},
    store::{Store, StoreFault, View, Writes},
};

/// A write that also answers what it saw.
async fn change<R: Send + 'static>(store: &dyn Store, tell: impl FnOnce(&View<'_>) -> (Writes, R) + Send + 'static) -> Result<R, StoreFault> {
    let (send, heard) = std::sync::mpsc::channel();
    let write = store.write(Box::new(move |view| {
        let (writes, answer) = tell(view);
        send.send(answer).unwrap();
        writes
    }));
    write.await?;
    Ok(heard.try_recv().unwrap())
}

/// A fixed day.
fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + secs).unwrap()
}

/// Host number `n`: name `n7`, MAC `52:54:00:00:00:07`.
fn host(n: u16) -> Host {
    let [high, low] = n.to_be_bytes();
    let mac = Mac::from_octets([0x52, 0x54, 0, 0, high, low]).unwrap();
    Host::new(HostId(uuid::Uuid::from_u128(u128::from(n) + 1)), format!("n{n}").parse().unwrap(), vec![mac], at(0))
}

fn fact(host: Option<HostId>, what: What) -> Fact {
    Fact { at: at(1), actor: Actor::Server, host, mac: None, build: None, session: None, what, text: "Because a test said so.".to_owned() }
}

fn edited(host: &Host) -> Fact {
    fact(Some(host.id), What::Edited { fields: Vec::new() })
}

/// Hosts with a fact each.
fn saving(hosts: Vec<Host>) -> Writes {
    Writes { facts: hosts.iter().map(edited).collect(), hosts, ..Writes::default() }
}

async fn put(store: &dyn Store, writes: Writes) -> Result<Vec<Arc<Entry>>, StoreFault> {
    store.write(Box::new(move |_| writes)).await
}

fn build(n: u128) -> Build {
    let json = serde_json::json!({
        "id": uuid::Uuid::from_u128(n), "kind": "install", "profile": "p", "asked_by": "test", "token_hash": format!("{n:064x}"),
        "token_expires": at(100), "expected_boots": 1, "stage": "build_enabled", "stage_entered": at(n as i64), "stages": [],
        "previous": {"state": "available"}, "opened_at": at(n as i64),
    });
    serde_json::from_value(json).unwrap()
}

fn live(n: u128) -> LiveRun {
    let json = serde_json::json!({
        "id": uuid::Uuid::from_u128(n), "mode": "register", "token_hash": format!("{:064x}", n + 1_000), "token_expires": at(100),
        "from": {"state": "new"},
    });
    serde_json::from_value(json).unwrap()
}

fn build_id(n: u128) -> BuildId {
    BuildId(uuid::Uuid::from_u128(n))
}
