//! The accept loop: one socket, many connections, each with limits that a hostile or broken peer meets before anybody else feels it.
//!
//! ```text
//! accept ─ a place left (see `places`)? ─ no → 503 with Retry-After, counted ─ close
//!             │ yes
//!         TCP_NODELAY → (TLS) → hyper, HTTP/1.1: head within 5 s, writes that move, bodies bounded, panics answered
//!             │ stop, or its place is needed
//!         drain: answers under way are finished, for a while
//! ```
//! Not axum's own `serve`: it sets no TCP_NODELAY (40 ms per small answer) and lets half a request stay for ever.

use std::{
    any::Any,
    error::Error,
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
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
use tower_http::{
    catch_panic::CatchPanicLayer,
    timeout::{RequestBodyDeadlineLayer, RequestBodyTimeoutLayer},
};

use super::super::complaint::Complaint;
pub use super::places::Turned;
use super::{
    places::{Place, Places, Seat},
    socket::{Outlet, Patience, STOPPED, Socket, TOO_SLOW, in_turns},
};

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
    /// Bytes in a second that a peer must read of an answer, over each such time.
    pub floor_bytes: u64,
    /// Largest request body, unless a route says otherwise.
    pub body_bytes: usize,
    /// A request's body must be whole within this time, however it trickles; operators' uploads take as long as they take.
    pub body: Option<Duration>,
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
            floor_bytes: 4096,
            body_bytes: 1 << 20,
            body: Some(Duration::from_secs(60)),
            drain: Duration::from_secs(5),
        }
    }

    /// For operators: few, larger documents.
    pub fn admin() -> Self {
        Self { total: 512, per_peer: 128, body_bytes: 8 << 20, body: None, ..Self::boot() }
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
    /// Told of each connection that was turned away, or sent away.
    pub refused: Arc<dyn Fn(Turned) + Send + Sync>,
}

impl Listener {
    /// Serves until `stop`, then finishes what is under way within the drain time. Every connection's task has ended when it returns.
    pub async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        let tasks = tokio_util::task::TaskTracker::new();
        let graceful = GracefulShutdown::new();
        let cut = CancellationToken::new();
        let places = Places::new(self.limits.total, self.limits.per_peer);
        let routes = guarded(self.routes, &self.limits);
        let mut complaint = Complaint::default();
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
            match places.take(remote.ip().to_canonical(), Instant::now()) {
                Ok((place, made_room)) => {
                    if made_room {
                        (self.refused)(Turned::MadeRoom);
                    }
                    let (limits, tls, refused) = (self.limits.clone(), self.tls.clone(), self.refused.clone());
                    let one = Connection { routes: routes.clone(), limits, tls, remote, refused, seat: place.seat.clone() };
                    tasks.spawn(one.live(stream, graceful.watcher(), cut.clone(), place));
                }
                Err(why) => {
                    (self.refused)(why);
                    if let Some(connections) = complaint.due() {
                        tracing::warn!(listener = self.name, %remote, why = why.word(), connections, "connections refused");
                    }
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
    refused: Arc<dyn Fn(Turned) + Send + Sync>,
    seat: Arc<Seat>,
}

impl Connection {
    /// Until it ends, the server does, or its place is needed; then the place is free.
    async fn live(self, stream: TcpStream, watcher: Watcher, cut: CancellationToken, place: Place) {
        tokio::select! {
            () = self.run(stream, watcher) => {}
            () = cut.cancelled() => {}
            () = place.seat.leave.cancelled() => {}
        }
    }

    async fn run(self, stream: TcpStream, watcher: Watcher) {
        let Ok(local) = stream.local_addr() else { return };
        if let Err(fault) = stream.set_nodelay(true) {
            tracing::debug!(remote = %self.remote, %fault, "no TCP_NODELAY");
        }
        let (patience, pulse) = (Patience { stall: self.limits.stall, floor_bytes: self.limits.floor_bytes }, self.seat.pulse.clone());
        match self.tls.clone() {
            None => self.speak(Socket::plain(stream, patience, pulse), local, watcher).await,
            Some(tls) => match tokio::time::timeout(self.limits.head, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.speak(Socket::new(stream, patience, pulse), local, watcher).await,
                Ok(Err(fault)) => tracing::debug!(remote = %self.remote, %fault, "TLS handshake failed"),
                Err(_) => {
                    (self.refused)(Turned::SlowHead);
                    tracing::debug!(remote = %self.remote, "TLS handshake took too long");
                }
            },
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, socket: Socket<S>, local: SocketAddr, watcher: Watcher) {
        let outlet = socket.outlet();
        let peer = Peer { remote: self.remote, local, outlet: outlet.clone() };
        let (begins, ends) = (self.seat.clone(), self.seat.clone());
        let routes = self.routes.map_request(move |mut request: Request<_>| {
            begins.is_served.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer.clone());
            request
        });
        let routes = routes.map_response(move |response| {
            ends.pulse.beat();
            ends.is_served.store(false, Ordering::Relaxed);
            response
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_headers(64)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(socket), TowerToHyperService::new(routes));
        if let Err(fault) = in_turns(outlet, watcher.watch(connection)).await {
            if let Some(why) = blamed(&fault) {
                (self.refused)(why);
            }
            tracing::debug!(remote = %self.remote, %fault, "connection ended");
        }
    }
}

/// What the peer did that ended its connection; `None` if it went away by itself.
fn blamed(fault: &hyper::Error) -> Option<Turned> {
    let said = fault.source().and_then(|source| source.downcast_ref::<io::Error>()).map(ToString::to_string);
    match said.as_deref() {
        Some(STOPPED) => Some(Turned::Stalled),
        Some(TOO_SLOW) => Some(Turned::TooSlow),
        _ if fault.is_timeout() => Some(Turned::SlowHead),
        _ if fault.is_parse() => Some(Turned::BadHead),
        _ => None,
    }
}

/// The layers that every route gets. A route that streams a larger body (an artifact's upload) bounds it itself.
fn guarded(routes: Router, limits: &Limits) -> Router {
    let moving = routes.layer(DefaultBodyLimit::max(limits.body_bytes)).layer(RequestBodyTimeoutLayer::new(limits.stall));
    let whole = match limits.body {
        Some(body) => moving.layer(RequestBodyDeadlineLayer::new(body)),
        None => moving,
    };
    whole.layer(CatchPanicLayer::custom(apologise))
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
