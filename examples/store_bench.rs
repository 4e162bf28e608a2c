//! What durable writes and rendered answers cost: leases of strangers, scripts and kickstarts in stories without HTTP, memory per host, loading.
//!
//! `store_bench [HOSTS [FLIGHT]]`, `cargo run --release`: a state folder of its own below the temporary folder, FLIGHT stories at once. A line
//! for each kind of work: how many a second, CPU microseconds of the whole process for each (the only figure that a busy machine does not
//! spoil much), and how many changes a commit carried. Absolute figures mean nothing from one machine to the next; compare two builds.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that talks to whoever calls it, and stops at the first surprise")]

use std::{collections::VecDeque, fs, net::Ipv4Addr, path::Path, sync::Arc, time::Instant};

use bootwright::{
    app::{House, action::Words, build::BuildAsk, document::DocumentAsk, script::ScriptAsk, settings::Edit, start},
    config::Config,
    model::{Actor, Fact, Lease, LeaseState, Mac, Role, SessionId, Timestamp, What},
    rules::sitefile::SiteHost,
    store::{Store, Writes, sqlite::Sqlite},
};
use tokio::task::JoinHandle;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn main() {
    let number = |index, otherwise| std::env::args().nth(index).map_or(otherwise, |text: String| text.parse().unwrap());
    let (hosts, flight) = (number(1, 1_000_usize), number(2, 64_usize));
    let folder = std::env::temp_dir().join(format!("store-bench-{}", std::process::id()));
    let config = furnished(&folder);
    // One worker, as on a server with one core; the store's writer is the other thread.
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime().block_on(stories(config.clone(), hosts, flight));
    runtime().block_on(loading(&config, hosts));
    fs::remove_dir_all(&folder).unwrap();
}

fn furnished(folder: &Path) -> Config {
    let config = Config { state_dir: folder.join("state"), ..Config::default() };
    fs::create_dir_all(config.artifacts().join("os/1")).unwrap();
    for file in ["os/1/linux", "os/1/initrd.gz"] {
        fs::write(config.artifacts().join(file), b"bytes").unwrap();
    }
    config
}

async fn stories(config: Config, hosts: usize, flight: usize) {
    let house = Arc::new(start::open(config).await.unwrap());
    settle(&house).await;
    measure(&house, "hosts made, adopted, builds enabled", hosts, flight, |house, n| async move { enrol(&house, n).await }).await;
    measure(&house, "leases of strangers", hosts * 4, flight, |house, n| async move { lease(&house, n).await }).await;
    measure(&house, "first scripts (a session opens)", hosts, flight, |house, n| async move { drop(script(&house, n, None).await) }).await;
    measure(&house, "scripts again", hosts * 2, flight, move |house, n| async move { drop(script(&house, n % hosts, None).await) }).await;
    measure(&house, "first kickstarts", hosts, flight, |house, n| async move { kickstart(&house, n).await }).await;
    measure(&house, "kickstarts again", hosts * 2, flight, move |house, n| async move { kickstart(&house, n % hosts).await }).await;
    house.store.close().await.unwrap();
}

/// What a start has to read, and what it keeps in memory.
async fn loading(config: &Config, hosts: usize) {
    let (before, begun) = (resident_kib(), Instant::now());
    let store = Sqlite::open(config.database()).unwrap();
    let (took, after) = (begun.elapsed(), resident_kib());
    let leases = store.leases().await.unwrap().len();
    assert_eq!(store.hosts().unwrap().len(), hosts);
    println!("{:<38} {:>8.1} ms, {} leases", "opened", took.as_secs_f64() * 1e3, leases);
    let bytes = (after.saturating_sub(before) * 1024) / hosts.max(1) as u64;
    println!("{:<38} {bytes:>8} bytes each, {} KiB in all", "hosts in memory", after.saturating_sub(before));
}

/// Runs `count` stories, `flight` of them at once.
async fn measure<F: Future<Output = ()> + Send + 'static>(
    house: &Arc<House>,
    what: &str,
    count: usize,
    flight: usize,
    story: impl Fn(Arc<House>, usize) -> F,
) {
    let (begun, cpu, counts) = (Instant::now(), cpu_micros(), house.store.counts());
    let mut running: VecDeque<JoinHandle<()>> = VecDeque::with_capacity(flight);
    for n in 0..count {
        if running.len() == flight {
            running.pop_front().unwrap().await.unwrap();
        }
        running.push_back(tokio::spawn(story(Arc::clone(house), n)));
    }
    for story in running {
        story.await.unwrap();
    }
    let (took, cpu, now) = (begun.elapsed().as_secs_f64(), cpu_micros() - cpu, house.store.counts());
    let (writes, commits) = (now.writes - counts.writes, now.commits - counts.commits);
    let per_commit = writes as f64 / commits.max(1) as f64;
    println!("{what:<38} {:>8.0}/s {:>8.1} us CPU each, {per_commit:.0} changes a commit", count as f64 / took, cpu as f64 / count as f64);
}

async fn settle(house: &House) {
    let network = serde_json::json!({ "name": "lab", "subnet": "10.0.0.0/8", "dhcp": "full", "server": SERVER, "gateway": SERVER, "dns": [SERVER],
        "pools": [{ "first": "10.1.0.0", "last": "10.255.0.0" }], "domain": "example.net" });
    let profile = serde_json::json!({ "name": "os", "kernel": "os/1/linux", "initrds": ["os/1/initrd.gz"], "args": "inst.ks={{ documents }}/kickstart",
        "documents": { "kickstart": "kickstart/rhel.ks" },
        "params": { "disk": "/dev/sda", "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE somebody@example.net"], "repo": "http://mirror.example.net/os" } });
    house.edit_settings(&operator(), Edit::Network(serde_json::from_value(network).unwrap())).await.unwrap();
    house.edit_settings(&operator(), Edit::Profile(serde_json::from_value(profile).unwrap())).await.unwrap();
}

async fn enrol(house: &House, n: usize) {
    let name = format!("n{n}");
    let words = serde_json::json!({ "name": name, "macs": [mac(n)], "network": "lab", "profile": "os", "address": address(n) });
    let host: SiteHost = serde_json::from_value(words).unwrap();
    house.create_host(&operator(), host).await.unwrap();
    let words = Words { confirm: Some(name.clone()), reason: Some("a measurement".into()), ..Words::default() };
    house.act(&operator(), &name, None, "adopt", &words).await.unwrap();
    let ask = BuildAsk { confirm: Some(name.clone()), force: true, ..BuildAsk::default() };
    house.enable_build(&operator(), &name, None, &ask, None).await.unwrap();
}

async fn lease(house: &House, n: usize) {
    let (now, address) = (house.now(), address(n));
    let mac = mac(n + 1_000_000);
    let expires = Timestamp::from_second(now.as_second() + 3600).unwrap();
    let lease = Lease { network: "lab".parse().unwrap(), address, mac, state: LeaseState::Bound, expires, client_name: None };
    let what = What::Lease { what: "bound".into(), address: address.to_string() };
    let text = format!("REQUEST (PXEClient:Arch:00007:UNDI:003016): ACK of {address}");
    let fact = Fact { at: now, actor: Actor::Server, host: None, mac: Some(mac), build: None, session: None, what, text };
    let writes = Writes { leases: vec![lease], facts: vec![fact], ..Writes::default() };
    house.write(Box::new(move |_| writes)).await.unwrap();
}

async fn script(house: &House, n: usize, session: Option<SessionId>) -> String {
    let ask = ScriptAsk { mac: Some(mac(n)), uuid: None, serial: None, arch: None, session, peer: address(n), server: SERVER };
    let script = house.script(&ask).await;
    assert_eq!(script.word, "install", "{}", script.text);
    script.text
}

async fn kickstart(house: &House, n: usize) {
    let host = house.find(&format!("n{n}")).unwrap();
    let token = house.keys.build_token(host.build.as_ref().unwrap().id);
    let session = host.session().map(|session| session.id);
    let ask = DocumentAsk { token, session, name: "kickstart".into(), peer: address(n), server: SERVER };
    let document = house.document(&ask).await.unwrap();
    house.document_sent(&document).await.unwrap();
}

fn operator() -> Actor {
    Actor::Operator { name: "bench".parse().unwrap(), role: Role::Admin }
}

fn mac(n: usize) -> Mac {
    let [.., a, b, c, d] = n.to_be_bytes();
    Mac::from_octets([0x02, 0, a, b, c, d]).unwrap()
}

fn address(n: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + u32::try_from(n).unwrap())
}

/// User and system time of the whole process.
fn cpu_micros() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec into a place that is ours.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0);
    (time.tv_sec * 1_000_000 + time.tv_nsec / 1_000).unsigned_abs()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}
