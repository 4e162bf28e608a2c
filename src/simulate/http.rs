//! One HTTP request of a simulated host: a connection, a question, an answer whose body is counted and thrown away or kept.
//!
//! hyper's client on a plain connection, from the host's own address if hosts have theirs; no proxy, no redirect, no names. The network's
//! weather may break it at any point: before the question is out, before the answer, or in the middle of the body.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::machine::{Fetch, Reply};

/// The most of a body that is kept: a document of this size would be none.
const KEPT_BYTES: usize = 4 << 20;
/// How long nothing may come: iPXE and curl both give up about then.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks. `from` is the host's own address, `breaks_at` the part of the exchange that goes well before the connection breaks.
pub async fn fetch(from: Option<Ipv4Addr>, fetch: Fetch, breaks_at: Option<f64>) -> Reply {
    ask(from, fetch, breaks_at).await.unwrap_or_else(Reply::Broken)
}

async fn ask(from: Option<Ipv4Addr>, fetch: Fetch, breaks_at: Option<f64>) -> Result<Reply, String> {
    let stream = patient(connect(from, fetch.peer)).await?.map_err(|why| format!("no connection to {}: {why}", fetch.peer))?;
    if breaks_at.is_some_and(|part| part < 0.2) {
        return Err("the simulated network broke the connection before the request".into());
    }
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
    let keeps_body = fetch.keeps_body;
    let request = request(fetch)?;
    let exchange = async {
        let response = patient(sender.send_request(request)).await?.map_err(said)?;
        if breaks_at.is_some_and(|part| part < 0.5) {
            return Err("the simulated network broke the connection before the answer".into());
        }
        answer(response, keeps_body, breaks_at.map(|part| (part - 0.5) * 2.0)).await
    };
    tokio::pin!(exchange);
    // The connection moves the bytes; it ends by itself only when something is wrong, and then the exchange knows.
    tokio::select! {
        biased;
        reply = &mut exchange => reply,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(why) => Err(said(why)),
        },
    }
}

async fn connect(from: Option<Ipv4Addr>, peer: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from {
        socket.bind(SocketAddr::from((from, 0)))?;
    }
    let stream = socket.connect(peer.into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn request(fetch: Fetch) -> Result<Request<Full<Bytes>>, String> {
    let builder = Request::builder().uri(fetch.path).header(header::HOST, fetch.peer.to_string()).header(header::USER_AGENT, fetch.agent);
    let built = match fetch.post {
        None => builder.body(Full::default()),
        Some((kind, body)) => builder.method("POST").header(header::CONTENT_TYPE, kind).body(Full::from(body)),
    };
    built.map_err(|why| why.to_string())
}

async fn answer(response: Response<Incoming>, keeps_body: bool, breaks_at: Option<f64>) -> Result<Reply, String> {
    let status = response.status().as_u16();
    let number = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse::<u64>().ok());
    let retry_after = number(header::RETRY_AFTER);
    let break_byte = breaks_at.map(|part| (part * number(header::CONTENT_LENGTH).unwrap_or(0) as f64) as u64);
    let (mut body, mut kept, mut came) = (response.into_body(), Vec::new(), 0_u64);
    loop {
        if break_byte.is_some_and(|at| came >= at) {
            return Err(format!("the simulated network broke the connection after {came} bytes"));
        }
        let Some(frame) = patient(body.frame()).await? else { break };
        let Ok(bytes) = frame.map_err(said)?.into_data() else { continue };
        came += bytes.len() as u64;
        if (keeps_body || status >= 400) && kept.len() + bytes.len() <= KEPT_BYTES {
            kept.extend_from_slice(&bytes);
        }
    }
    Ok(Reply::Answer { status, retry_after, body: String::from_utf8_lossy(&kept).into_owned() })
}

async fn patient<T>(what: impl Future<Output = T>) -> Result<T, String> {
    timeout(PATIENCE, what).await.map_err(|_| format!("nothing came for {} s", PATIENCE.as_secs()))
}

/// hyper's error with what is behind it.
fn said(why: hyper::Error) -> String {
    match std::error::Error::source(&why) {
        Some(source) => format!("{why}: {source}"),
        None => why.to_string(),
    }
}
