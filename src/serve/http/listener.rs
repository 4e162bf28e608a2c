//! The accept loop: one socket, many connections, each with limits that a hostile or broken peer meets before anybody else feels it.
//!
//! ```text
//! accept ─ places left? ─ no → 503 with Retry-After, counted ─ close
//!             │ yes
//!         TCP_NODELAY → (TLS) → hyper, HTTP/1.1: head within 5 s, writes that move, bodies bounded, panics answered
//!             │ stop
//!         drain: answers under way are finished, for a while
//! ```
//! Not axum's own `serve`: it sets no TCP_NODELAY (40 ms per small answer) and lets half a request stay for ever.

use std::{
    any::Any,
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    http::{Request, Response, StatusCode},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::{catch_panic::CatchPanicLayer, timeout::RequestBodyTimeoutLayer};

use super::socket::{Outlet, Socket};

/// How much one listener bears.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once.
    pub total: usize,
    /// Connections at once from one address.
    pub per_peer: usize,
    /// A request's head must be whole within this time; an idle connection is closed after it.
    pub head: Duration,
    /// A request's body must move, and an answer must be read, within this time.
    pub stall: Duration,
    /// Largest request body, unless a route says otherwise.
    pub body_bytes: usize,
    /// How long answers may take to finish when the server stops.
    pub drain: Duration,
}

impl Limits {
    /// For machines: many at once, small requests.
    pub fn boot() -> Self {
        Self {
            total: 8192,
            per_peer: 256,
            head: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            body_bytes: 1 << 20,
            drain: Duration::from_secs(5),
        }
    }

    /// For operators: few, larger documents.
    pub fn admin() -> Self {
        Self { total: 512, per_peer: 128, body_bytes: 8 << 20, ..Self::boot() }
    }
}

/// Who is at the other end: found in every request's extensions.
#[derive(Clone)]
pub struct Peer {
    /// Its address.
    pub remote: SocketAddr,
    /// Ours, as it reached us.
    pub local: SocketAddr,
    /// Where bodies learn that they were written.
    pub outlet: Outlet,
}

/// Why a connection was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// All places are taken.
    Full,
    /// This peer has all the places it may have.
    PeerFull,
}

impl Turned {
    /// The stable word in log and metric.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "connections_full",
            Self::PeerFull => "peer_connections_full",
        }
    }
}

/// The places of a listener.
struct Places {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    peers: HashMap<IpAddr, usize>,
}

/// One place, given back when dropped.
struct Place {
    places: Arc<Places>,
    peer: IpAddr,
}

impl Places {
    fn take(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Turned> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.limits.total {
            return Err(Turned::Full);
        }
        let mine = taken.peers.entry(peer).or_insert(0);
        if *mine >= self.limits.per_peer {
            return Err(Turned::PeerFull);
        }
        *mine += 1;
        taken.total += 1;
        Ok(Place { places: self.clone(), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if let Some(mine) = taken.peers.get_mut(&self.peer) {
            *mine -= 1;
            if *mine == 0 {
                taken.peers.remove(&self.peer);
            }
        }
    }
}

/// One listener, ready to serve.
pub struct Listener {
    /// Its name in logs and metrics: `boot` or `admin`.
    pub name: &'static str,
    /// The bound socket.
    pub socket: TcpListener,
    /// The routes.
    pub routes: Router,
    /// Its limits.
    pub limits: Limits,
    /// TLS, if it speaks it.
    pub tls: Option<TlsAcceptor>,
    /// Told of each connection that was turned away.
    pub refused: Box<dyn Fn(Turned) + Send + Sync>,
}

impl Listener {
    /// Serves until `stop`, then finishes what is under way within the drain time. Every connection's task has ended when it returns.
    pub async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        let tasks = tokio_util::task::TaskTracker::new();
        let graceful = GracefulShutdown::new();
        let cut = CancellationToken::new();
        let places = Arc::new(Places { limits: self.limits.clone(), taken: Mutex::default() });
        let routes = guarded(self.routes, &self.limits);
        loop {
            let (stream, remote) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.socket.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(fault) => {
                        rest_after(self.name, &fault).await;
                        continue;
                    }
                },
            };
            match places.take(remote.ip().to_canonical()) {
                Ok(place) => {
                    let one = Connection { routes: routes.clone(), limits: self.limits.clone(), tls: self.tls.clone(), remote };
                    let (watcher, cut) = (graceful.watcher(), cut.clone());
                    tasks.spawn(async move {
                        tokio::select! { () = one.run(stream, watcher) => {}, () = cut.cancelled() => {} }
                        drop(place);
                    });
                }
                Err(why) => {
                    (self.refused)(why);
                    tracing::warn!(listener = self.name, %remote, why = why.word(), "connection refused");
                    turn_away(stream);
                }
            }
        }
        drop(self.socket);
        let _finished_or_cut = tokio::time::timeout(self.limits.drain, graceful.shutdown()).await;
        cut.cancel();
        tasks.close();
        tasks.wait().await;
        Ok(())
    }
}

/// One accepted connection.
struct Connection {
    routes: Router,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    remote: SocketAddr,
}

impl Connection {
    async fn run(self, stream: TcpStream, watcher: Watcher) {
        let Ok(local) = stream.local_addr() else { return };
        if let Err(fault) = stream.set_nodelay(true) {
            tracing::debug!(remote = %self.remote, %fault, "no TCP_NODELAY");
        }
        match self.tls.clone() {
            None => self.speak(stream, local, watcher).await,
            Some(tls) => match tokio::time::timeout(self.limits.head, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.speak(stream, local, watcher).await,
                Ok(Err(fault)) => tracing::debug!(remote = %self.remote, %fault, "TLS handshake failed"),
                Err(_) => tracing::debug!(remote = %self.remote, "TLS handshake took too long"),
            },
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, local: SocketAddr, watcher: Watcher) {
        let socket = Socket::new(stream, self.limits.stall);
        let peer = Peer { remote: self.remote, local, outlet: socket.outlet() };
        let routes = self.routes.map_request(move |mut request: Request<_>| {
            request.extensions_mut().insert(peer.clone());
            request
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_headers(64)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(socket), TowerToHyperService::new(routes));
        if let Err(fault) = watcher.watch(connection).await {
            tracing::debug!(remote = %self.remote, %fault, "connection ended");
        }
    }
}

/// The layers that every route gets. A route that streams a larger body (an artifact's upload) bounds it itself.
fn guarded(routes: Router, limits: &Limits) -> Router {
    routes.layer(DefaultBodyLimit::max(limits.body_bytes)).layer(RequestBodyTimeoutLayer::new(limits.stall)).layer(CatchPanicLayer::custom(apologise))
}

/// A panic is a bug: it is logged loudly and answered, and only its own request suffers.
fn apologise(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a request met a bug");
    let mut response = Response::new(Body::from("The server met a bug of its own; its log says more.\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Says 503 without waiting: whoever is turned away must not cost a task. The answer may be lost if the peer has not been heard yet.
fn turn_away(stream: TcpStream) {
    const NO: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 10\r\n\r\ntoo busy.\n";
    let _best_effort = stream.try_write(NO);
    if let Ok(stream) = stream.into_std() {
        let _best_effort = stream.shutdown(std::net::Shutdown::Write);
    }
}

/// `accept` fails when descriptors run out; a rest lets some be closed instead of spinning.
async fn rest_after(name: &'static str, fault: &io::Error) {
    tracing::error!(listener = name, %fault, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(50)).await;
}
