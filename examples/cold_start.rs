//! How long a start takes: `cold_start DIR [HOSTS LEASES ENTRIES]` fills an empty folder with a site, then opens it a few times.
//!
//! Prints milliseconds of the median start: the database, and the whole house up to "ready to bind"; then of the search for damage that runs behind it.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that talks to whoever calls it")]

use std::{net::Ipv4Addr, path::PathBuf, time::Instant};

use bootwright::{
    app::start,
    config::Config,
    model::{Actor, Fact, Host, Lease, LeaseState, Mac, Timestamp, What},
    store::{Store, Writes, sqlite::Sqlite},
    world::{RealWorld, World as _},
};

const STARTS: usize = 7;
const BATCH: usize = 1_000;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let dir = PathBuf::from(words.first().expect("cold_start DIR [HOSTS LEASES ENTRIES]"));
    let number = |at: usize, usual: usize| words.get(at).map_or(usual, |word| word.parse().unwrap());
    let config = Config { state_dir: dir.clone(), ..Config::default() };
    if !config.database().exists() {
        std::fs::create_dir_all(&dir).unwrap();
        fill(&config, number(1, 10_000), number(2, 10_000), number(3, 300_000)).await;
    }
    println!("database {} MiB", std::fs::metadata(config.database()).unwrap().len() >> 20);
    let (mut opens, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begun = Instant::now();
        let store = Sqlite::open(config.database()).unwrap();
        opens.push(begun.elapsed().as_secs_f64() * 1e3);
        store.close().await.unwrap();
        let begun = Instant::now();
        let house = start::open(config.clone()).await.unwrap();
        starts.push(begun.elapsed().as_secs_f64() * 1e3);
        house.store.close().await.unwrap();
    }
    println!("open {:.0} ms, start {:.0} ms (medians of {STARTS})", median(opens), median(starts));
    let store = Sqlite::open(config.database()).unwrap();
    let begun = Instant::now();
    store.examine().await.unwrap();
    println!("search for damage behind the start {:.1} s", begun.elapsed().as_secs_f64());
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

async fn fill(config: &Config, hosts: usize, leases: usize, entries: usize) {
    let (store, now) = (Sqlite::open(config.database()).unwrap(), RealWorld.now());
    let of = |n: usize| Mac::from_octets([2, 0, (n >> 24) as u8, (n >> 16) as u8, (n >> 8) as u8, n as u8]).unwrap();
    let pieces = |all: usize| (0..all).step_by(BATCH).map(move |from| from..(from + BATCH).min(all));
    for piece in pieces(hosts) {
        let hosts: Vec<Host> = piece.map(|n| Host::new(RealWorld.host_id(), format!("n{n}").parse().unwrap(), vec![of(n)], now)).collect();
        let facts = hosts.iter().map(|host| fact(now, Some(host), What::Created)).collect();
        put(&store, Writes { hosts, facts, ..Writes::default() }).await;
    }
    for piece in pieces(leases) {
        let lease = |n: usize| Lease {
            network: "rack".parse().unwrap(),
            address: Ipv4Addr::from(0x0a00_0000 + n as u32),
            mac: of(n),
            state: LeaseState::Bound,
            expires: now,
            client_name: None,
        };
        put(&store, Writes { leases: piece.map(lease).collect(), ..Writes::default() }).await;
    }
    let all = store.hosts().unwrap();
    for piece in pieces(entries.saturating_sub(hosts)) {
        let facts = piece.map(|n| fact(now, all.get(n % all.len().max(1)).map(AsRef::as_ref), What::Seen { protocol: "dhcp".into() })).collect();
        put(&store, Writes { facts, ..Writes::default() }).await;
    }
    store.close().await.unwrap();
}

fn fact(at: Timestamp, host: Option<&Host>, what: What) -> Fact {
    let text = "DISCOVER by a firmware of class PXEClient:Arch:00007, offered an address and a loader".to_owned();
    Fact {
        at,
        actor: Actor::Server,
        host: host.map(|host| host.id),
        mac: host.and_then(|host| host.macs.first().copied()),
        build: None,
        session: None,
        what,
        text,
    }
}

async fn put(store: &Sqlite, writes: Writes) {
    store.write(Box::new(move |_| writes)).await.unwrap();
}
