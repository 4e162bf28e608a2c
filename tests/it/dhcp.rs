//! The DHCP server over real sockets: two network namespaces, a veth pair between them, and a client of a few lines.
//!
//! The test starts itself again under `unshare`, so that it needs no root and nothing ever leaves its namespaces. What is answered
//! is tested in `rules::offer`; here it is shown that broadcasts come in, that frames reach a client without an address, that a
//! conflict is noticed and that a lease is on the disk when its ACK arrives.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    process::Command,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use bootwright::{
    app::{offer::Desk, start},
    config::{Config, DhcpReply},
    model::{Actor, Fact, Lease, LeaseState, Network, What},
    serve::dhcp::{Server, Settings},
    store::Writes,
};
use tokio_util::sync::CancellationToken;

const INSIDE: &str = "BOOTWRIGHT_TEST_INSIDE_NAMESPACE";
const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

#[test]
fn a_client_on_a_wire_gets_its_address() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut unshare = Command::new("unshare");
    // Root needs no user namespace, and in some containers may not make one.
    // SAFETY: it only reads.
    if unsafe { libc::geteuid() } != 0 {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--net", "--"]).arg(std::env::current_exe().unwrap());
    let args = ["--exact", "dhcp::a_client_on_a_wire_gets_its_address", "--nocapture"];
    let output = unshare.args(args).env(INSIDE, "1").output().expect("unshare (util-linux) is needed");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn inside() {
    // The client's thread lives in a namespace of its own, at the other end of the wire.
    let (tell_thread, thread_id) = mpsc::channel();
    let (plugged, wait) = mpsc::channel();
    let (ask, asked) = mpsc::channel::<Vec<u8>>();
    let (tell, told) = mpsc::channel();
    let client = thread::spawn(move || {
        // SAFETY: plain system calls of this thread alone.
        let (unshared, id) = unsafe { (libc::unshare(libc::CLONE_NEWNET), libc::gettid()) };
        assert_eq!(unshared, 0, "{}", io::Error::last_os_error());
        tell_thread.send(id).unwrap();
        wait.recv().unwrap();
        ip("link set c0 address 52:54:00:00:00:01 up");
        // Somebody without a lease sits on 10.77.0.100.
        ip("addr add 10.77.0.100/32 dev c0");
        ip("route add 10.77.0.0/24 dev c0");
        let wire = Wire::open();
        for payload in asked {
            wire.send(&payload);
            tell.send(wire.receive()).unwrap();
        }
    });
    ip(&format!("link add s0 type veth peer name c0 netns {}", thread_id.recv().unwrap()));
    ip("addr add 10.77.0.1/24 dev s0");
    ip("link set s0 up");
    plugged.send(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(serve(move |payload| {
        ask.send(payload).unwrap();
        told.recv().unwrap()
    }));
    client.join().unwrap();
}

async fn serve(exchange: impl Fn(Vec<u8>) -> Option<Vec<u8>> + Send + 'static) {
    let folder = tempfile::tempdir().unwrap();
    let house = Arc::new(start::open(Config { state_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap());
    add_network(&house).await;
    let settings = Settings { interfaces: vec!["s0".into()], reply: DhcpReply::Raw, requests: 16 };
    let (server, stop) = (Server::bind(&settings).unwrap(), CancellationToken::new());
    let running = tokio::spawn(server.run(Arc::new(Desk::new(house.clone())), stop.clone()));
    let client = tokio::task::spawn_blocking(move || converse(exchange));
    let address = client.await.unwrap();
    let leases = house.store.leases().await.unwrap();
    let state = |address| leases.iter().find(|lease: &&Lease| lease.address == address).map(|lease| lease.state);
    assert_eq!(state(address), Some(LeaseState::Bound));
    assert_eq!(state(Ipv4Addr::new(10, 77, 0, 100)), Some(LeaseState::Declined), "the conflict is remembered");
    let text = house.metrics.encode();
    for counted in ["dhcp_requests_total{word=\"DISCOVER\"} 1", "dhcp_replies_total{word=\"ACK\"} 1", "dhcp_silences_total{word=\"not_a_request\"} 1"]
    {
        assert!(text.contains(counted), "{counted} in {text}");
    }
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap();
}

/// DISCOVER, REQUEST, and something malformed that is not answered.
fn converse(exchange: impl Fn(Vec<u8>) -> Option<Vec<u8>>) -> Ipv4Addr {
    let offer = exchange(packet(1, &[50, 4, 10, 77, 0, 100])).expect("an offer");
    assert_eq!((&offer[..6], offer[12..14].to_vec()), (&MAC[..], vec![8, 0]), "a frame to the client itself");
    let dhcp = &offer[42..];
    let address = Ipv4Addr::from(<[u8; 4]>::try_from(&dhcp[16..20]).unwrap());
    assert_ne!(address, Ipv4Addr::new(10, 77, 0, 100), "somebody is there");
    assert_eq!(&offer[30..34], address.octets());
    let mut chosen = vec![50, 4];
    chosen.extend(address.octets());
    chosen.extend([54, 4, 10, 77, 0, 1]);
    let ack = exchange(packet(3, &chosen)).expect("an acknowledgement");
    assert_eq!(ack[42 + 240..42 + 243], [53, 1, 5]);
    let mut reply = packet(1, &[]);
    reply[0] = 2;
    assert_eq!(exchange(reply), None);
    address
}

async fn add_network(house: &bootwright::app::House) {
    let network: Network = serde_json::from_value(serde_json::json!({
        "name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "pools": [{"first": "10.77.0.100", "last": "10.77.0.101"}],
    }))
    .unwrap();
    let at = house.now();
    house
        .store
        .write(Box::new(move |view| {
            let mut settings = bootwright::store::Settings::clone(view.settings());
            settings.networks.insert(network.name.clone(), Arc::new(network));
            let what = What::Settings { noun: "network".into(), name: "lab".into(), verb: "created".into() };
            let fact = Fact { at, actor: Actor::Server, host: None, mac: None, build: None, session: None, what, text: "for the test".into() };
            Writes { settings: Some(settings), facts: vec![fact], ..Writes::default() }
        }))
        .await
        .unwrap();
}

fn packet(kind: u8, options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 236];
    bytes[..8].copy_from_slice(&[1, 1, 6, 0, 1, 2, 3, 4]);
    bytes[28..34].copy_from_slice(&MAC);
    bytes.extend([99, 130, 83, 99, 53, 1, kind]);
    bytes.extend(options);
    bytes.push(255);
    bytes
}

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().expect("ip (iproute2) is needed");
    assert!(done.success(), "ip {arguments}");
}

/// The client's end: sends DHCP by UDP, hears every frame that comes to it.
struct Wire {
    udp: socket2::Socket,
    frames: OwnedFd,
}

impl Wire {
    fn open() -> Self {
        let udp = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        udp.set_broadcast(true).unwrap();
        udp.bind_device(Some(b"c0")).unwrap();
        udp.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68).into()).unwrap();
        let protocol = i32::from(0x0800_u16.to_be());
        // SAFETY: a plain system call.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: just opened.
        Self { udp, frames: unsafe { OwnedFd::from_raw_fd(fd) } }
    }

    fn send(&self, payload: &[u8]) {
        self.udp.send_to(payload, &SocketAddrV4::new(Ipv4Addr::BROADCAST, 67).into()).unwrap();
    }

    /// The next DHCP answer, if one comes within two seconds.
    fn receive(&self) -> Option<Vec<u8>> {
        let end = std::time::Instant::now() + Duration::from_secs(2);
        loop {
            let left = end.checked_duration_since(std::time::Instant::now())?;
            let time = nix::sys::time::TimeVal::new(left.as_secs() as i64, i64::from(left.subsec_micros()).max(1));
            nix::sys::socket::setsockopt(&self.frames, nix::sys::socket::sockopt::ReceiveTimeout, &time).unwrap();
            let mut frame = vec![0; 2048];
            let len = nix::sys::socket::recv(self.frames.as_raw_fd(), &mut frame, nix::sys::socket::MsgFlags::empty()).ok()?;
            frame.truncate(len);
            // UDP to port 68 from port 67.
            if len > 282 && frame[23] == 17 && frame[34..38] == [0, 67, 0, 68] {
                return Some(frame);
            }
        }
    }
}
