//! Files as answers: what is asked for, in how many pieces, and what becomes of one that shrinks.
//!
//! What hyper makes of bodies that leave notes is tried through hyper itself, over a connection of the loopback.

use std::{convert::Infallible, io::Write, sync::Mutex, time::Duration};

use axum::http;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    super::{
        body::Step,
        socket::{Patience, STRETCHES, Socket, in_turns},
    },
    *,
};

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 + i / 251) as u8).collect()
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn answer(bytes: &[u8]) -> Answer {
    Answer { source: Source::File(file_of(bytes), bytes.len() as u64), etag: "e1".into(), kind: kind_of("linux"), immutable: true }
}

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
}

#[track_caller]
fn check(method: Method, asked: &[(HeaderName, &str)], status: u16, length: Option<&str>, range: Option<&str>, body: &[u8]) {
    let bytes = content(1000);
    let steps = Arc::new(Mutex::new(Vec::new()));
    let ours = steps.clone();
    let witness: Witness = Box::new(move |step| ours.lock().unwrap().push(step));
    assert_eq!(answer(&bytes).goes_whole(&method, &headers(asked)), status == 200 && !body.is_empty());
    let response = answer(&bytes).to(&method, &headers(asked), None, Some(witness));
    let text = |name: HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((response.status().as_u16(), text(CONTENT_LENGTH).as_deref(), text(CONTENT_RANGE).as_deref()), (status, length, range));
    assert_eq!(text(ETAG).as_deref(), Some("\"e1\""));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let got = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
    assert_eq!(got, body);
    let counted = method == Method::GET && status == 200;
    assert_eq!(*steps.lock().unwrap() == [Step::Whole], counted, "HEAD, Range and 304 count as nothing");
}

#[test]
fn a_file_is_answered_as_asked() {
    let all = content(1000);
    check(Method::GET, &[], 200, Some("1000"), None, &all);
    check(Method::HEAD, &[], 200, Some("1000"), None, &[]);
    check(Method::GET, &[(RANGE, "bytes=10-19")], 206, Some("10"), Some("bytes 10-19/1000"), &all[10..20]);
    check(Method::HEAD, &[(RANGE, "bytes=10-19")], 206, Some("10"), Some("bytes 10-19/1000"), &[]);
    check(Method::GET, &[(RANGE, "bytes=-1")], 206, Some("1"), Some("bytes 999-999/1000"), &all[999..]);
    check(Method::GET, &[(RANGE, "bytes=1000-")], 416, Some("0"), Some("bytes */1000"), &[]);
    check(Method::GET, &[(RANGE, "bytes=0-4"), (IF_RANGE, "\"e1\"")], 206, Some("5"), Some("bytes 0-4/1000"), &all[..5]);
    check(Method::GET, &[(RANGE, "bytes=0-4"), (IF_RANGE, "\"old\"")], 200, Some("1000"), None, &all);
    check(Method::GET, &[(IF_NONE_MATCH, "\"x\", W/\"e1\"")], 304, None, None, &[]);
    check(Method::GET, &[(RANGE, "bytes=0-")], 206, Some("1000"), Some("bytes 0-999/1000"), &all);
    check(Method::GET, &[(IF_NONE_MATCH, "\"x\"")], 200, Some("1000"), None, &all);
}

#[tokio::test]
async fn a_large_file_arrives_in_pieces_and_unchanged() {
    let bytes = content(3 * PIECE_BYTES as usize + 17);
    let mut body = FileBody::new(file_of(&bytes), 0, bytes.len() as u64, None, None);
    let mut got = Vec::new();
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        assert!(piece.len() as u64 <= PIECE_BYTES);
        got.extend_from_slice(&piece);
    }
    assert!(got == bytes);
}

/// hyper asks on after it was told to wait, so this goes through it.
#[tokio::test]
async fn by_hyper_a_file_goes_by_turns() {
    let bytes = content(5 * NOTE_BYTES as usize + 17);
    let (file, size) = (file_of(&bytes), bytes.len() as u64);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let patience = Patience { stall: Duration::from_secs(30), floor_bytes: 0 };
    let socket = Socket::plain(listener.accept().await.unwrap().0, patience, Arc::default());
    let outlet = socket.outlet();
    let ours = outlet.clone();
    let answer = service_fn(move |_| {
        let body = FileBody::new(file.try_clone().unwrap(), 0, size, Some(ours.clone()), None);
        async { Ok::<_, Infallible>(http::Response::new(body)) }
    });
    let reading = tokio::spawn(async move {
        far.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        got
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer);
    let mut connection = std::pin::pin!(in_turns(outlet.clone(), connection));
    let mut turns = Vec::new();
    std::future::poll_fn(|cx| {
        let before = outlet.written();
        let polled = connection.as_mut().poll(cx);
        turns.push(outlet.written() - before);
        polled
    })
    .await
    .unwrap();
    let head = 1024;
    assert!(turns.iter().all(|sent| *sent <= u64::from(STRETCHES) * NOTE_BYTES + head), "{turns:?}");
    assert!(reading.await.unwrap().ends_with(&bytes));
}

#[test]
fn a_stretch_knows_whether_others_are_before_and_after_it() {
    let corks = |notes: u64| {
        let outlet = Outlet::default();
        let mut body = FileBody::new(file_of(b""), 0, notes * NOTE_BYTES, None, None);
        (0..notes).for_each(|_| drop(body.promise(&outlet)));
        outlet.owed_corks()
    };
    assert_eq!(corks(1), [Cork::None]);
    assert_eq!(corks(2), [Cork::In, Cork::Out]);
    assert_eq!(corks(3), [Cork::In, Cork::Stays, Cork::Out]);
}

#[tokio::test]
async fn a_file_that_became_shorter_ends_in_a_fault_and_is_not_whole() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let ours = steps.clone();
    let body = FileBody::new(file_of(b"short"), 0, 100, None, Some(Box::new(move |step| ours.lock().unwrap().push(step))));
    assert!(body.collect().await.is_err());
    assert_eq!(*steps.lock().unwrap(), [Step::Broken(5)]);
}

#[test]
fn the_blocking_read_gives_the_same_bytes() {
    let bytes = content(5000);
    let file = file_of(&bytes);
    assert_eq!(read_waiting(&file, 100, 300).unwrap(), bytes[100..400]);
    assert_eq!(read_waiting(&file, 4990, 300).unwrap(), bytes[4990..]);
    assert!(read_waiting(&file, 6000, 300).unwrap().is_empty());
}
