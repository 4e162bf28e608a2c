//! The HTTP listener met by peers that behave and by peers that do not.
//!
//! Every peer here is a plain socket on the loopback, so that what is on the wire is what the test says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Extension, Router,
    http::{HeaderMap, Method},
    routing::{get, post},
};
use bootwright::{
    app::metrics::Metrics,
    serve::http::{
        body::Step,
        file::{Answer, Source},
        listener::{Limits, Listener, Peer, Turned},
        tls,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(10);
const LARGE: usize = 32 << 20;

struct Server {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    steps: mpsc::UnboundedReceiver<Step>,
    release: Arc<tokio::sync::Notify>,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

/// `/large` is a file, `/slow` answers when released, `/bug` panics, `/in` reads a body.
fn routes(tell: mpsc::UnboundedSender<Step>, release: Arc<tokio::sync::Notify>) -> Router {
    let large = move |method: Method, headers: HeaderMap, Extension(peer): Extension<Peer>| async move {
        let file = tempfile::tempfile().unwrap();
        file.set_len(LARGE as u64).unwrap();
        let answer = Answer { source: Source::File(file, LARGE as u64), etag: "large".into(), kind: "application/octet-stream", immutable: true };
        let tell = Mutex::new(tell);
        let witness = Box::new(move |step| {
            let _test_may_be_over = tell.lock().unwrap().send(step);
        });
        answer.to(&method, &headers, Some(peer.outlet), Some(witness))
    };
    let slow = move || async move {
        release.notified().await;
        "done"
    };
    Router::new()
        .route("/large", get(large))
        .route("/slow", get(slow))
        .route("/small", get(|| async { "small" }))
        .route(
            "/bug",
            get(|| async {
                if true {
                    panic!("on purpose")
                }
            }),
        )
        .route("/in", post(|body: bytes::Bytes| async move { body.len().to_string() }))
}

async fn serve(limits: Limits, tls: Option<tokio_rustls::TlsAcceptor>) -> Server {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (tell, steps) = mpsc::unbounded_channel();
    let (metrics, stop, release) = (Arc::new(Metrics::new()), CancellationToken::new(), Arc::new(tokio::sync::Notify::new()));
    let counted = metrics.clone();
    let refused = Arc::new(move |why: Turned| counted.connection_refused("boot", why.word()));
    let listener = Listener { name: "boot", socket, routes: routes(tell, release.clone()), limits, tls, refused };
    let task = tokio::spawn(listener.serve(stop.clone()));
    Server { address, metrics, steps, release, stop, task }
}

impl Server {
    async fn connect_from(&self, local: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{local}:0").parse().unwrap()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    async fn connect(&self) -> TcpStream {
        self.connect_from("127.0.0.1").await
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

async fn ask(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Reads until the peer closes.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _reset_is_an_end_too = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

/// Reads one answer with a Content-Length: head and body.
async fn answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut bytes)).await.unwrap().unwrap(), 0, "{}", String::from_utf8_lossy(&bytes));
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse::<usize>().unwrap());
    let mut body = bytes.split_off(head_end);
    while body.len() < length {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut body)).await.unwrap().unwrap(), 0);
    }
    (head, body)
}

fn impatient() -> Limits {
    Limits { head: Duration::from_millis(300), stall: Duration::from_millis(300), drain: Duration::from_millis(500), ..Limits::boot() }
}

#[tokio::test]
async fn a_connection_carries_several_requests() {
    let server = serve(Limits::boot(), None).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        ask(&mut stream, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let (head, body) = answer(&mut stream).await;
        assert!(head.starts_with("http/1.1 200") && head.contains("content-length: 5"), "{head}");
        assert_eq!(body, b"small");
    }
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn half_a_request_is_given_up_after_the_head_time() {
    let server = serve(impatient(), None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "GET /small HTTP/1.1\r\nHost:").await;
    let said = rest(&mut stream).await;
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&said));
    let mut silent = server.connect().await;
    rest(&mut silent).await;
    server.end().await;
}

#[tokio::test]
async fn a_peer_gets_only_its_share_of_places_and_the_total_holds() {
    let server = serve(Limits { per_peer: 2, total: 3, ..Limits::boot() }, None).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        ask(stream, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n").await;
        answer(stream).await;
    }
    let said = rest(&mut server.connect().await).await;
    assert!(said.starts_with(b"HTTP/1.1 503") && String::from_utf8_lossy(&said).contains("Retry-After"), "{}", String::from_utf8_lossy(&said));
    let mut other = server.connect_from("127.0.0.2").await;
    ask(&mut other, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(answer(&mut other).await.1, b"small");
    let said = rest(&mut server.connect_from("127.0.0.3").await).await;
    assert!(said.starts_with(b"HTTP/1.1 503"));
    let text = server.metrics.encode();
    for reason in ["peer_connections_full", "connections_full"] {
        assert!(text.contains(&format!("connections_refused_total{{listener=\"boot\",reason=\"{reason}\"}} 1")), "{text}");
    }
    drop((first, second, other));
    server.end().await;
}

#[tokio::test]
async fn a_flood_from_one_address_costs_that_address_its_quiet_connections_first() {
    let server = serve(Limits { per_peer: 3, total: 3, head: PATIENCE, ..Limits::boot() }, None).await;
    let mut flood = [server.connect().await, server.connect().await, server.connect().await];
    // Until one of them has been quiet for a second, there is no place.
    let other = loop {
        let mut other = server.connect_from("127.0.0.2").await;
        ask(&mut other, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut first = [0; 12];
        if timeout(PATIENCE, other.read_exact(&mut first)).await.unwrap().is_ok() && &first == b"HTTP/1.1 200" {
            break other;
        }
    };
    assert!(rest(&mut flood[0]).await.is_empty(), "the quietest was closed");
    assert!(server.metrics.encode().contains("connections_refused_total{listener=\"boot\",reason=\"made_room\"} 1"));
    drop((flood, other));
    server.end().await;
}

#[tokio::test]
async fn what_ends_a_connection_is_named_and_counted() {
    let server = serve(impatient(), None).await;
    let mut half = server.connect().await;
    ask(&mut half, "GET /small HTTP/1.1\r\nHost:").await;
    rest(&mut half).await;
    let mut huge = server.connect().await;
    let _the_peer_may_close_first = huge.write_all(format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5000)).as_bytes()).await;
    rest(&mut huge).await;
    let mut stopped = server.connect().await;
    ask(&mut stopped, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    for reason in ["slow_head", "bad_head", "stalled"] {
        let line = format!("connections_refused_total{{listener=\"boot\",reason=\"{reason}\"}} 1");
        let counted = async {
            while !server.metrics.encode().contains(&line) {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(PATIENCE, counted).await.is_ok(), "{reason}\n{}", server.metrics.encode());
    }
    server.end().await;
}

#[tokio::test]
async fn a_peer_that_reads_less_than_the_floor_is_named_and_counted() {
    let server = serve(Limits { floor_bytes: 1 << 40, ..impatient() }, None).await;
    let mut slow = server.connect().await;
    ask(&mut slow, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut piece = vec![0; 128 << 10];
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    let reading = async {
        while matches!(slow.read(&mut piece).await, Ok(1..)) {
            beat.tick().await;
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    let metrics = server.metrics.clone();
    server.end().await;
    let told = metrics.encode();
    assert!(told.contains("connections_refused_total{listener=\"boot\",reason=\"too_slow\"} 1"), "{told}");
}

#[tokio::test]
async fn a_request_body_that_trickles_is_given_up_however_steadily() {
    let server = serve(Limits { body: Some(Duration::from_millis(300)), ..Limits::boot() }, None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n").await;
    let trickling = async {
        while stream.write_all(b"x").await.is_ok() {
            let mut said = [0; 64];
            if let Ok(Ok(got)) = timeout(Duration::from_millis(20), stream.read(&mut said)).await {
                return String::from_utf8_lossy(&said[..got]).into_owned();
            }
        }
        String::new()
    };
    let said = timeout(PATIENCE, trickling).await.unwrap();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    server.end().await;
}

#[tokio::test]
async fn a_thousand_requests_at_once_on_one_connection_are_answered_one_by_one() {
    let server = serve(Limits::boot(), None).await;
    let mut stream = server.connect().await;
    let (mut reading, mut writing) = stream.split();
    let asking = async { writing.write_all("GET /small HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000).as_bytes()).await.unwrap() };
    let hearing = async {
        let mut said = Vec::new();
        while said.windows(5).filter(|five| five == b"small").count() < 1000 {
            assert_ne!(timeout(PATIENCE, reading.read_buf(&mut said)).await.unwrap().unwrap(), 0);
        }
    };
    tokio::join!(asking, hearing);
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn large_files_and_small_answers_follow_each_other_on_one_connection() {
    let server = serve(Limits::boot(), None).await;
    let mut stream = server.connect().await;
    // Asked for at once: the head of the second answer may wait behind the last note of the first.
    ask(&mut stream, &"GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /small HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2)).await;
    let mut bytes = Vec::new();
    while !(bytes.len() > 2 * LARGE && bytes.ends_with(b"small")) {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut bytes)).await.unwrap().unwrap(), 0);
    }
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    assert_eq!((bytes.len() - text.len(), String::from_utf8(text).unwrap().matches("HTTP/1.1 200").count()), (2 * LARGE, 4));
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn a_file_read_to_its_end_is_whole_and_tells_its_way() {
    let mut server = serve(Limits::boot(), None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (head, body) = answer(&mut stream).await;
    assert!(head.contains(&format!("content-length: {LARGE}")) && head.contains("etag: \"large\""), "{head}");
    assert_eq!(body.len(), LARGE);
    let mut steps = Vec::new();
    while steps.last() != Some(&Step::Whole) {
        steps.push(timeout(PATIENCE, server.steps.recv()).await.unwrap().unwrap());
    }
    assert!(steps.len() >= 9, "{steps:?}");
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn a_peer_that_goes_away_leaves_a_broken_file_with_its_count() {
    let mut server = serve(Limits::boot(), None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    stream.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
    drop(stream);
    loop {
        match timeout(PATIENCE, server.steps.recv()).await.unwrap().unwrap() {
            Step::Moved(_) => {}
            Step::Broken(count) => break assert!((1 << 19..LARGE as u64).contains(&count), "{count}"),
            Step::Whole => panic!("it did not arrive"),
        }
    }
    server.end().await;
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_given_up() {
    let mut server = serve(impatient(), None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    loop {
        match timeout(PATIENCE, server.steps.recv()).await.unwrap().unwrap() {
            Step::Moved(_) => {}
            step => break assert!(matches!(step, Step::Broken(count) if count < LARGE as u64), "{step:?}"),
        }
    }
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn a_bug_costs_one_answer_and_not_the_server() {
    let server = serve(Limits::boot(), None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "GET /bug HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer(&mut stream).await.0.starts_with("http/1.1 500"));
    ask(&mut stream, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(answer(&mut stream).await.1, b"small");
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = serve(Limits { body_bytes: 10, ..Limits::boot() }, None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789").await;
    assert_eq!(answer(&mut stream).await.1, b"10");
    ask(&mut stream, "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n0123456789a").await;
    assert!(answer(&mut stream).await.0.starts_with("http/1.1 413"));
    server.end().await;
}

#[tokio::test]
async fn nonsense_on_the_wire_gets_an_answer_or_an_end() {
    let server = serve(impatient(), None).await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5000));
    for text in ["\0\0\0\0", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02", &long, &many] {
        let mut stream = server.connect().await;
        let _the_peer_may_close_first = stream.write_all(text.as_bytes()).await;
        let said = rest(&mut stream).await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{:?}", String::from_utf8_lossy(&said));
    }
    server.end().await;
}

#[tokio::test]
async fn a_stop_lets_the_answer_under_way_finish() {
    let server = serve(Limits::boot(), None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // A second connection is answered after the first one's request was taken up or not; the drain covers both.
    let mut other = server.connect().await;
    ask(&mut other, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n").await;
    answer(&mut other).await;
    server.stop.cancel();
    server.release.notify_one();
    assert_eq!(answer(&mut stream).await.1, b"done");
    timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let server = serve(impatient(), None).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server.end().await;
    assert!(rest(&mut stream).await.is_empty());
}

fn golden(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tls").join(name)
}

#[tokio::test]
async fn tls_is_spoken_with_the_given_certificate() {
    let server = serve(Limits::admin(), Some(tls::acceptor(&golden("test.crt"), &golden("test.key")).unwrap())).await;
    let mut roots = rustls::RootCertStore::empty();
    let chain = std::fs::read(golden("test.crt")).unwrap();
    for certificate in <rustls_pki_types::CertificateDer as rustls_pki_types::pem::PemObject>::pem_slice_iter(&chain) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().unwrap(), server.connect().await).await.unwrap();
    stream.write_all(b"GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut said)).await.unwrap().unwrap();
    assert!(said.ends_with(b"small"), "{}", String::from_utf8_lossy(&said));
    let mut plain = server.connect().await;
    ask(&mut plain, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!rest(&mut plain).await.starts_with(b"HTTP"), "no plain HTTP beside TLS");
    server.end().await;
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let said = |chain: &str, key: &str| tls::acceptor(&golden(chain), &golden(key)).err().unwrap().to_string();
    assert!(said("none.crt", "test.key").contains("none.crt"));
    assert!(said("test.crt", "none.key").contains("none.key"));
    assert!(said("test.key", "test.key").contains("holds no certificate"));
    assert!(said("test.crt", "test.crt").contains("private key"));
}
