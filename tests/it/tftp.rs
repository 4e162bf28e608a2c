//! The TFTP server over real sockets on the loopback: its answers, its address, its limits, its end.
//!
//! The client is a few lines of this file; async-tftp stands beside us as the peer where both should do the same. What a
//! transfer decides is tested in `rules::transfer`; here it is only shown that packets get in and out.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bootwright::{
    rules::transfer::{Event, GivenUp, Limits, Refusal, Silence},
    serve::tftp::{Files, Server, Settings},
    wire::tftp::{ErrorCode, FileName, Mode, Options, Packet, Request},
};
use bytes::Bytes;
use tokio::{net::UdpSocket, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const NONE: Options = Options { blksize: None, timeout: None, tsize: None, windowsize: None };
const WAIT: Duration = Duration::from_secs(10);

/// Files in memory that tell what they hear.
struct Memory {
    files: BTreeMap<String, Bytes>,
    told: Mutex<mpsc::UnboundedSender<String>>,
}

#[async_trait]
impl Files for Memory {
    async fn open(&self, _: SocketAddrV4, name: &FileName) -> Result<Bytes, Refusal> {
        if name.as_str() == "never" {
            std::future::pending::<()>().await;
        }
        let missing = || Refusal::new(ErrorCode::NotFound, "no_such_file", format!("there is no {name}"));
        self.files.get(name.as_str()).cloned().ok_or_else(missing)
    }

    fn event(&self, _: SocketAddrV4, name: &FileName, event: &Event) {
        let text = match event {
            Event::Done { size_bytes, .. } => format!("{name} done {size_bytes}"),
            Event::TimedOut { given_up, .. } => format!("{name} {}", given_up.code()),
            Event::Progress { .. } => return,
            other => format!("{name} {}", other.word()),
        };
        self.tell(text);
    }

    fn refused(&self, _: SocketAddrV4, name: &str, refusal: &Refusal) {
        self.tell(format!("{name} refused {}", refusal.word));
    }

    fn silent(&self, _: SocketAddrV4, why: Silence) {
        // On a busy machine packets are sent twice; the client's answers to those are not what these tests are about.
        if matches!(why, Silence::Malformed | Silence::Broadcast | Silence::Searching) {
            self.tell(format!("silent {}", why.code()));
        }
    }
}

impl Memory {
    fn tell(&self, text: String) {
        // A test that listens no more does not mind.
        let _ = self.told.lock().unwrap().send(text);
    }
}

/// A running server; stopped by [`Lab::stop`], or with the runtime of its test.
struct Lab {
    server: SocketAddrV4,
    told: mpsc::UnboundedReceiver<String>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

fn bytes(count: usize) -> Bytes {
    (0..count).map(|at| (at * 31 % 251) as u8).collect::<Vec<_>>().into()
}

fn files() -> BTreeMap<String, Bytes> {
    [("small", 700), ("even", 1024), ("empty", 0), ("medium", 100_000), ("loader.efi", 1 << 20)]
        .map(|(name, size)| (name.to_owned(), bytes(size)))
        .into()
}

fn lab(change: impl FnOnce(&mut Settings)) -> Lab {
    let mut settings = Settings::at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    settings.grace = Duration::from_millis(50);
    change(&mut settings);
    let (tell, told) = mpsc::unbounded_channel();
    let server = Server::bind(settings).unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let running = tokio::spawn(server.run(Arc::new(Memory { files: files(), told: Mutex::new(tell) }), stop.clone()));
    Lab { server: address, told, stop, running }
}

impl Lab {
    #[track_caller]
    fn heard(&mut self, text: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let next = tokio::time::timeout(WAIT, self.told.recv()).await;
            assert_eq!(next.ok().flatten().as_deref(), Some(text), "at {place}");
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(WAIT, self.running).await.expect("it stops in time").unwrap();
    }
}

/// A client's socket; what arrives and from where.
struct Client(UdpSocket);

impl Client {
    async fn new() -> Self {
        Self(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap())
    }

    async fn send(&self, to: impl Into<SocketAddr>, packet: Packet<'_>) {
        self.0.send_to(&packet.to_bytes(), to.into()).await.unwrap();
    }

    async fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 70_000];
        let (length, from) = tokio::time::timeout(WAIT, self.0.recv_from(&mut buffer)).await.expect("an answer").unwrap();
        buffer.truncate(length);
        (buffer, from)
    }

    async fn error(&self) -> (u16, String) {
        match Packet::parse(&self.receive().await.0) {
            Ok(Packet::Error { code, text }) => (code, text),
            other => panic!("not an error: {other:?}"),
        }
    }

    /// Reads a whole file as a well-behaved client does; also the OACK, and from where the data came.
    async fn fetch(&self, server: impl Into<SocketAddr>, name: &str, asked: Options) -> (Vec<u8>, Options, SocketAddr) {
        self.send(server, read(name, asked)).await;
        let (mut granted, mut file, mut block, mut in_window) = (NONE, Vec::new(), 0_u16, 0);
        loop {
            let (bytes, from) = self.receive().await;
            match Packet::parse(&bytes) {
                Ok(Packet::OptionAck(options)) => {
                    granted = options;
                    self.send(from, Packet::Ack { block: 0 }).await;
                }
                Ok(Packet::Data { block: number, bytes }) if number == block.wrapping_add(1) => {
                    (block, in_window) = (number, in_window + 1);
                    file.extend_from_slice(bytes);
                    let last = bytes.len() < granted.blksize.unwrap_or(512) as usize;
                    if last || in_window >= granted.windowsize.unwrap_or(1) {
                        in_window = 0;
                        self.send(from, Packet::Ack { block }).await;
                    }
                    if last {
                        return (file, granted, from);
                    }
                }
                Ok(Packet::Data { .. }) => self.send(from, Packet::Ack { block }).await,
                other => panic!("{other:?}"),
            }
        }
    }
}

fn read(name: &str, options: Options) -> Packet<'static> {
    Packet::Read(Request { name: name.as_bytes().to_vec(), mode: Mode::Octet, options })
}

#[tokio::test]
async fn files_of_every_size_arrive_with_and_without_options() {
    let mut lab = lab(|_| ());
    let asked = Options { tsize: Some(0), blksize: Some(1468), windowsize: Some(4), timeout: Some(2) };
    for (name, size) in [("empty", 0), ("small", 700), ("even", 1024), ("loader.efi", 1 << 20)] {
        for options in [NONE, asked] {
            let (file, granted, _) = Client::new().await.fetch(lab.server, name, options).await;
            assert!(file == bytes(size), "{name}");
            let wanted = if options == NONE { NONE } else { Options { tsize: Some(size as u64), ..asked } };
            assert_eq!(granted, wanted, "{name}");
            lab.heard(&format!("{name} requested")).await;
            lab.heard(&format!("{name} done {size}")).await;
        }
    }
    lab.stop().await;
}

#[tokio::test]
async fn windows_arrive_whole_with_and_without_the_kernels_cutting() {
    for segmentation in [true, false] {
        let lab = lab(|settings| {
            settings.segmentation = segmentation;
            settings.limits.blksize = 65464;
        });
        for (blksize, windowsize) in [(1468, 16), (8, 64), (512, 64), (1468, 5), (8192, 8), (65464, 4)] {
            let options = Options { blksize: Some(blksize), windowsize: Some(windowsize), ..NONE };
            let (file, granted, _) = Client::new().await.fetch(lab.server, "loader.efi", options).await;
            assert!(file == bytes(1 << 20), "{segmentation} {options:?}");
            assert_eq!(granted, options);
        }
        lab.stop().await;
    }
}

#[tokio::test]
async fn the_answer_comes_from_the_address_that_was_asked() {
    for single_port in [false, true] {
        let lab = lab(|settings| {
            settings.listen = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
            settings.single_port = single_port;
        });
        for last in [1, 9, 77] {
            let asked = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), lab.server.port());
            let (file, _, from) = Client::new().await.fetch(asked, "small", Options { windowsize: Some(8), ..NONE }).await;
            assert!(file == bytes(700));
            assert_eq!(from.ip(), *asked.ip());
            assert_eq!(from.port() == asked.port(), single_port);
        }
        lab.stop().await;
    }
}

#[tokio::test]
async fn refusals_are_errors_with_a_reason_and_silences_are_told() {
    let mut lab = lab(|_| ());
    let client = Client::new().await;
    client.send(lab.server, read("nothing.efi", NONE)).await;
    assert_eq!(client.error().await, (1, "there is no nothing.efi".into()));
    lab.heard("nothing.efi refused no_such_file").await;
    client.send(lab.server, read("..\\..\\etc/passwd", NONE)).await;
    assert_eq!(client.error().await.0, 2);
    lab.heard("..\\..\\etc/passwd refused name_leaves_root").await;
    client.send(lab.server, Packet::Write(Request { name: b"up".to_vec(), mode: Mode::Octet, options: NONE })).await;
    assert_eq!(client.error().await, (2, "this server only gives files and takes none".into()));
    lab.heard("up refused write_refused").await;
    client.send(lab.server, Packet::Ack { block: 7 }).await;
    assert_eq!(client.error().await, (5, "there is no such transfer".into()));
    client.0.send_to(b"\0\x09what", lab.server).await.unwrap();
    lab.heard("silent malformed").await;
    client.0.send_to(&[0; 4000], lab.server).await.unwrap();
    lab.heard("silent malformed").await;
    lab.stop().await;
}

#[tokio::test]
async fn a_request_to_everybody_is_not_answered() {
    let mut lab = lab(|settings| settings.listen = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
    let client = Client::new().await;
    client.0.set_broadcast(true).unwrap();
    client.send(SocketAddrV4::new(Ipv4Addr::new(127, 255, 255, 255), lab.server.port()), read("small", NONE)).await;
    lab.heard("silent broadcast").await;
    lab.stop().await;
}

#[tokio::test]
async fn the_size_probe_of_edk2_is_followed_by_the_real_request() {
    let mut lab = lab(|_| ());
    let client = Client::new().await;
    client.send(lab.server, read("loader.efi", Options { tsize: Some(0), blksize: Some(1468), windowsize: Some(4), ..NONE })).await;
    let (oack, from) = client.receive().await;
    let granted = Options { tsize: Some(1 << 20), blksize: Some(1468), windowsize: Some(4), ..NONE };
    assert_eq!(Packet::parse(&oack), Ok(Packet::OptionAck(granted)));
    client.send(from, Packet::Error { code: 8, text: "User aborted the transfer".into() }).await;
    lab.heard("loader.efi requested").await;
    lab.heard("loader.efi probed").await;
    let (file, ..) = client.fetch(lab.server, "loader.efi", Options { blksize: Some(1468), windowsize: Some(4), ..NONE }).await;
    assert!(file == bytes(1 << 20));
    lab.heard("loader.efi requested").await;
    lab.heard("loader.efi done 1048576").await;
    lab.stop().await;
}

#[tokio::test]
async fn a_lost_packet_is_sent_again_without_being_asked() {
    let lab = lab(|_| ());
    let client = Client::new().await;
    client.send(lab.server, read("small", NONE)).await;
    let first = client.receive().await;
    assert_eq!(client.receive().await, first);
    client.send(first.1, Packet::Ack { block: 1 }).await;
    let (second, _) = client.receive().await;
    assert_eq!(second[..4], [0, 3, 0, 2]);
    lab.stop().await;
}

#[tokio::test]
async fn one_slow_file_delays_nobody_and_is_given_up() {
    let mut lab = lab(|settings| settings.open_within = Duration::from_millis(50));
    let (slow, quick) = (Client::new().await, Client::new().await);
    slow.send(lab.server, read("never", NONE)).await;
    let (file, ..) = quick.fetch(lab.server, "small", NONE).await;
    assert!(file == bytes(700));
    assert_eq!(slow.error().await, (0, "the server could not look for the file in time; try again".into()));
    lab.heard("small requested").await;
    lab.stop().await;
}

#[tokio::test]
async fn searches_for_files_do_not_pile_up_however_often_a_request_is_taken_back() {
    let mut lab = lab(|settings| (settings.openings, settings.threads, settings.open_within) = (4, 1, 2 * WAIT));
    let client = Client::new().await;
    for _ in 0..5 {
        client.send(lab.server, read("never", NONE)).await;
        client.send(lab.server, Packet::Error { code: 0, text: "not any more".into() }).await;
    }
    lab.heard("silent searching").await;
    lab.stop().await;
}

#[tokio::test]
async fn a_stop_lets_transfers_end_and_takes_nothing_new() {
    // A thread that serves nobody ends at once, and what waits in its socket then is lost as on the way.
    let mut lab = lab(|settings| (settings.threads, settings.grace) = (1, 2 * WAIT));
    let client = Client::new().await;
    client.send(lab.server, read("small", NONE)).await;
    let (_, from) = client.receive().await;
    lab.heard("small requested").await;
    lab.stop.cancel();
    let late = Client::new().await;
    let refused = loop {
        // Until the server has seen the stop it may still take requests.
        late.send(lab.server, read("small", NONE)).await;
        match Packet::parse(&late.receive().await.0) {
            Ok(Packet::Error { code, text }) => break (code, text),
            Ok(Packet::Data { .. }) => late.send(lab.server, Packet::Error { code: 0, text: String::new() }).await,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused, (0, "the server is stopping; try again".into()));
    client.send(from, Packet::Ack { block: 1 }).await;
    client.receive().await;
    client.send(from, Packet::Ack { block: 2 }).await;
    tokio::time::timeout(WAIT, lab.running).await.expect("it stops as soon as the transfer is over").unwrap();
}

#[tokio::test]
async fn a_stop_waits_only_so_long() {
    let mut lab = lab(|settings| settings.grace = Duration::from_millis(20));
    let client = Client::new().await;
    client.send(lab.server, read("small", NONE)).await;
    client.receive().await;
    lab.heard("small requested").await;
    lab.stop.cancel();
    assert_eq!(client.error().await, (0, "the server stops".into()));
    lab.heard(&format!("small {}", GivenUp::Stopping.code())).await;
    tokio::time::timeout(WAIT, lab.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn limits_are_told_to_the_client() {
    let mut lab = lab(|settings| settings.limits = Limits { per_peer: 1, ..Limits::default() });
    let (first, second) = (Client::new().await, Client::new().await);
    first.send(lab.server, read("small", NONE)).await;
    first.receive().await;
    lab.heard("small requested").await;
    second.send(lab.server, read("small", NONE)).await;
    assert_eq!(second.error().await, (0, "your address has 1 transfers at once, which is the limit; try again".into()));
    lab.heard("small refused too_many_of_peer").await;
    lab.stop().await;
}

#[tokio::test]
async fn two_hundred_clients_at_once_all_arrive() {
    let lab = lab(|settings| settings.limits.per_peer = 1000);
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..200_u64 {
        let server = lab.server;
        clients.spawn(async move {
            let options = Options { blksize: Some(1468), windowsize: Some(1 + number % 8), ..NONE };
            Client::new().await.fetch(server, "medium", options).await.0 == bytes(100_000)
        });
    }
    assert!(clients.join_all().await.into_iter().all(|arrived| arrived));
    lab.stop().await;
}

/// Three threads on one port, or on one port and their data sockets: every client finds the thread that knows it, and all of them stop.
#[tokio::test]
async fn threads_share_a_port_the_limits_and_the_end() {
    for single_port in [false, true] {
        let mut lab = lab(|settings| {
            (settings.threads, settings.single_port) = (3, single_port);
            settings.limits.per_peer = 64;
        });
        let mut sources = std::collections::BTreeSet::new();
        let mut clients = Vec::new();
        for _ in 0..64 {
            let client = Client::new().await;
            client.send(lab.server, read("small", NONE)).await;
            let (first, from) = client.receive().await;
            assert_eq!(first[..4], [0, 3, 0, 1]);
            sources.insert(from);
            clients.push((client, from));
        }
        // 64 clients all on one of three: once in 10^30 runs.
        assert_eq!(sources.len() > 1, !single_port, "{sources:?}");
        let late = Client::new().await;
        late.send(lab.server, read("small", NONE)).await;
        assert_eq!(late.error().await, (0, "your address has 64 transfers at once, which is the limit; try again".into()));
        for (client, from) in &clients {
            client.send(*from, Packet::Ack { block: 1 }).await;
            assert_eq!(client.receive().await.0[..4], [0, 3, 0, 2]);
            client.send(*from, Packet::Ack { block: 2 }).await;
        }
        for _ in 0..64 {
            while lab.told.recv().await.as_deref() != Some("small done 700") {}
        }
        lab.stop().await;
    }
}

/// Sharing a port among threads does not share it with another server.
#[test]
fn an_address_that_is_taken_is_a_fault_that_names_it() {
    let at = |listen: SocketAddrV4, threads| Settings { threads, ..Settings::at(listen) };
    for (ours, theirs) in [(1, 1), (3, 3), (1, 3), (3, 1)] {
        let first = Server::bind(at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), ours)).unwrap();
        let fault = Server::bind(at(first.address(), theirs)).unwrap_err();
        assert!(fault.to_string().starts_with(&format!("TFTP cannot listen on {}: ", first.address())), "{fault}");
    }
}

/// The same client, the same file, async-tftp on the other side: our client and our packets are what another server understands.
#[tokio::test]
async fn async_tftp_gives_our_client_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("loader.efi"), bytes(1 << 20)).unwrap();
    let peer = async_tftp::server::TftpServerBuilder::with_dir_ro(folder.path()).unwrap().bind((Ipv4Addr::LOCALHOST, 0).into());
    let peer = peer.build().await.unwrap();
    let address = peer.listen_addr().unwrap();
    // It has no way to stop; it goes with the runtime.
    let serving = tokio::spawn(async move { peer.serve().await });
    let lab = lab(|_| ());
    for options in [NONE, Options { blksize: Some(1024), tsize: Some(0), windowsize: Some(4), ..NONE }] {
        let (theirs, granted_by_them, _) = Client::new().await.fetch(address, "loader.efi", options).await;
        let (ours, granted_by_us, _) = Client::new().await.fetch(lab.server, "loader.efi", options).await;
        assert!(theirs == ours && ours.len() == 1 << 20);
        assert_eq!(granted_by_us, granted_by_them);
    }
    serving.abort();
    lab.stop().await;
}
