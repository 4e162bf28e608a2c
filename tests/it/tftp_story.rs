//! A loader fetched from a whole house over a real socket: what the machine gets, and what the host's timeline says afterwards.
//!
//! The house is a scratch one in a folder of its own; the client is a lock-step one. Transfers themselves are in `tftp.rs`.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    sync::Arc,
    time::Duration,
};

use bootwright::{
    app::{House, start},
    config::Config,
    model::{Actor, Fact, Host, Mac, Stage, What},
    serve::tftp::{self, Server, Settings},
    store::{BrokenStore, Writes},
    wire::tftp::{Mode, Options, Packet, Request},
    world::StillWorld,
};
use serde_json::json;
use tokio::{net::UdpSocket, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const NAME: &str = "snponly.efi";

fn mac() -> Mac {
    "52:54:00:00:00:01".parse().unwrap()
}

async fn house(folder: &Path) -> House {
    let shelf = folder.join("loaders");
    std::fs::create_dir(&shelf).unwrap();
    std::fs::write(shelf.join(NAME), [7; 5000]).unwrap();
    let text = format!("state_dir = {:?}\n[tftp]\nlisten = \"127.0.0.1:0\"\n[paths]\nloaders = [{shelf:?}]\n", folder.join("state"));
    let config = Config::parse(folder, &text).unwrap();
    start::open_in(config, Arc::new(StillWorld::at("2026-01-02T03:04:05Z".parse().unwrap()))).await.unwrap()
}

/// Records a host in the middle of a build, at 127.0.0.1.
async fn add_host(house: &House) {
    let now = house.world.now();
    let mut host = Host::new(house.world.host_id(), "n1".parse().unwrap(), vec![mac()], now);
    host.address = Some(Ipv4Addr::LOCALHOST);
    host.lifecycle = bootwright::model::Lifecycle::Provisioning;
    let build = json!({
        "id": house.world.build_id(), "kind": "reinstall", "profile": "debian-12", "asked_by": "ops", "token_hash": "00", "token_expires": now,
        "expected_boots": 1, "stage": "dhcp", "stage_entered": now, "stages": [], "previous": {"state": "used"}, "opened_at": now,
    });
    host.build = Some(serde_json::from_value(build).unwrap());
    let fact =
        Fact { at: now, actor: Actor::Server, host: Some(host.id), mac: None, build: None, session: None, what: What::Created, text: "n1".into() };
    house.store.write(Box::new(move |_| Writes { hosts: vec![host], facts: vec![fact], ..Writes::default() })).await.unwrap();
}

fn serve(house: &Arc<House>) -> (SocketAddrV4, CancellationToken, JoinHandle<()>) {
    let server = Server::bind(Settings::of(&house.config)).unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    (address, stop.clone(), tokio::spawn(tftp::serve(server, house.clone(), stop)))
}

/// Fetches in lock step; the file, or the server's ERROR.
async fn fetch(server: SocketAddrV4, name: &str) -> Result<Vec<u8>, (u16, String)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let request = Request { name: name.as_bytes().to_vec(), mode: Mode::Octet, options: Options::default() };
    socket.send_to(&Packet::Read(request).to_bytes(), server).await.unwrap();
    let (mut file, mut got) = (Vec::new(), 0);
    let mut buffer = [0; 600];
    loop {
        let (length, from) = tokio::time::timeout(Duration::from_secs(10), socket.recv_from(&mut buffer)).await.expect("an answer").unwrap();
        match Packet::parse(&buffer[..length]) {
            Ok(Packet::Data { block, bytes }) => {
                if block == got + 1 {
                    got = block;
                    file.extend_from_slice(bytes);
                }
                let last = bytes.len() < 512;
                socket.send_to(&Packet::Ack { block: got }.to_bytes(), from).await.unwrap();
                if last {
                    return Ok(file);
                }
            }
            Ok(Packet::Error { code, text }) => return Err((code, text)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_last_acknowledgement_of_a_loader_is_a_stage_of_the_build() {
    let folder = tempfile::tempdir().unwrap();
    let house = Arc::new(house(folder.path()).await);
    add_host(&house).await;
    let (address, stop, serving) = serve(&house);
    assert_eq!(fetch(address, NAME).await.unwrap(), [7; 5000]);
    assert_eq!(fetch(address, "autoexec.ipxe").await, Err((1, "there is no file autoexec.ipxe".into())));
    stop.cancel();
    serving.await.unwrap();
    let host = house.store.host_by_mac(mac()).unwrap().unwrap();
    assert_eq!(host.build.as_ref().unwrap().stage, Stage::BootloaderSent);
    let metrics = house.metrics.encode();
    assert!(metrics.contains("bootwright_transfers_total{protocol=\"tftp\",outcome=\"done\"} 1"), "{metrics}");
    assert!(metrics.contains("bootwright_transfers_total{protocol=\"tftp\",outcome=\"refused\"} 1"), "{metrics}");
    let kinds: Vec<String> = house.store.journal(Default::default()).await.unwrap().iter().map(|entry| entry.text.clone()).collect();
    assert!(kinds.iter().any(|text| text == "autoexec.ipxe by TFTP refused: there is no file autoexec.ipxe"), "{kinds:?}");
}

#[tokio::test]
async fn a_database_that_does_not_answer_asks_the_machine_to_try_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = house(folder.path()).await;
    house.store = Arc::new(BrokenStore);
    let house = Arc::new(house);
    let (address, stop, serving) = serve(&house);
    for name in [NAME, "nothing.efi"] {
        assert_eq!(fetch(address, name).await, Err((0, "the server cannot look this up now; try again".into())), "{name}");
    }
    stop.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_loader_that_is_not_installed_says_which_package_brings_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = Arc::new(house(folder.path()).await);
    let (address, stop, serving) = serve(&house);
    let (code, text) = fetch(address, "snponly-i386.efi").await.unwrap_err();
    assert_eq!(code, 1);
    assert!(text.starts_with("there is no loader snponly-i386.efi; no distribution packages it"), "{text}");
    stop.cancel();
    serving.await.unwrap();
}
