//! Sockets and HTTP live here and nowhere else: dhcp, tftp, http (boot, admin). And the daemon as a whole: started, watched over, stopped.
//!
//! ```text
//! open the house → bind every socket → "ready" → dhcp, tftp, boot, admin, sweep, templates in parallel
//!                                                     │ SIGTERM, SIGINT, or one of them ends
//!                                                     ▼
//!                                    cancel → finish what is under way → join all → close the store
//! ```
//! Each edge spells bytes into the model, calls one story and spells its answer; it decides nothing. No task is left unjoined.

mod complaint;
pub mod dhcp;
pub mod http;
mod link;
mod sweep;
pub mod tftp;
mod watch;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::http::boot::Records;
use crate::{
    app::{House, offer::Desk, start},
    config::Config,
    store::StoreFault,
};

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeFault {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] start::StartFault),
    /// A TCP port cannot be had.
    #[error("cannot listen on {address} for {what}: {source}{}", advice(.source))]
    Listen {
        /// `machines` or `operators`.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// TFTP cannot listen.
    #[error(transparent)]
    Tftp(#[from] tftp::CannotListen),
    /// DHCP cannot listen.
    #[error(transparent)]
    Dhcp(#[from] dhcp::CannotListen),
    /// The certificate of the admin listener.
    #[error(transparent)]
    Tls(#[from] http::tls::TlsFault),
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(#[source] io::Error),
    /// The store did not close well.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A part ended by itself, which it never should.
    #[error("{part} ended by itself: {why}")]
    Ended {
        /// Which.
        part: &'static str,
        /// What it said.
        why: String,
    },
}

fn advice(fault: &io::Error) -> &'static str {
    match fault.kind() {
        io::ErrorKind::AddrInUse => "; another program listens there: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need root or CAP_NET_BIND_SERVICE",
        _ => "",
    }
}

/// Starts the daemon and serves until a signal; whatever is under way has some seconds to finish.
pub async fn run(config: Config) -> Result<(), ServeFault> {
    let stop = CancellationToken::new();
    let signals = stop_on_signals(stop.clone()).map_err(ServeFault::Signals)?;
    let ended = run_until(config, stop.clone()).await;
    // It would otherwise wait for a second signal and end the process as if the first had not been heard.
    stop.cancel();
    // It waits for a second signal, or for the patience with a stop that hangs: there is neither any more.
    signals.abort();
    ended
}

/// The same until `stop` is cancelled: for tests, and for whoever embeds the daemon.
pub async fn run_until(config: Config, stop: CancellationToken) -> Result<(), ServeFault> {
    let house = Arc::new(start::open(config).await?);
    let records = Records::default();
    let mut parts = Parts { running: JoinSet::new(), stop: stop.clone() };
    let bound = bind(&house, &records, &mut parts).await;
    let ended = match bound {
        Ok(()) => {
            tracing::info!(boot = %house.config.boot.listen, admin = %house.config.admin.listen, tftp = %house.config.tftp.listen,
                dhcp = ?house.config.dhcp.interfaces, "ready");
            let (stop, examined) = (parts.stop.clone(), house.clone());
            parts.start("the search for damage", async move { sweep::examine(&examined, stop).await });
            parts.first_end().await
        }
        Err(fault) => Err(fault),
    };
    stop.cancel();
    parts.join().await;
    records.finish().await;
    let closed = house.store.close().await;
    // A copy that was being made hears of it, and clears away what there was of it.
    drop(house.reading_turn().await);
    closed?;
    ended
}

/// Binds everything before anything is served: a daemon that has half its ports is worse than none.
async fn bind(house: &Arc<House>, records: &Records, parts: &mut Parts) -> Result<(), ServeFault> {
    let config = &house.config;
    let boot = listen("machines", config.boot.listen.into())?;
    let admin = listen("operators", config.admin.listen)?;
    let tls = match (&config.admin.tls_cert, &config.admin.tls_key) {
        (Some(chain), Some(key)) => Some(http::tls::acceptor(chain, key)?),
        _ => None,
    };
    let of_tftp = tftp::Settings::of(config);
    let tftp = match tftp::Server::bind(of_tftp.clone()) {
        Err(fault) if fault.source.kind() == io::ErrorKind::AddrNotAvailable => {
            tracing::warn!(listen = %of_tftp.listen, "no interface has this address: no TFTP until one has; `ip address` lists what there is");
            None
        }
        tried => Some(tried?),
    };
    let of_dhcp = dhcp::Settings::of(config);
    let of_dhcp = dhcp::Settings { requests: of_dhcp.requests / of_dhcp.interfaces.len().max(1), ..of_dhcp };
    let links = of_dhcp.interfaces.iter().map(|name| link::Link::open(name, &of_dhcp)).collect::<Result<Vec<_>, _>>()?;
    match tftp {
        Some(tftp) => parts.start("TFTP", tftp::serve(tftp, house.clone(), parts.stop.clone())),
        None => parts.start("TFTP", link::tftp_late(of_tftp, house.clone(), parts.stop.clone())),
    }
    let desk = Arc::new(Desk::new(house.clone()));
    for link in links {
        parts.start("DHCP", link.run(house.clone(), desk.clone(), parts.stop.clone()));
    }
    let routes = http::boot::routes(http::boot::Boot { house: house.clone(), records: records.clone() });
    parts.serve(listener(house, "boot", boot, routes, None));
    parts.serve(listener(house, "admin", admin, http::api::routes(http::api::Admin { house: house.clone(), stop: parts.stop.clone() }), tls));
    let (stop, swept) = (parts.stop.clone(), house.clone());
    parts.start("the sweep", async move { sweep::run(&swept, stop).await });
    let (stop, looked) = (parts.stop.clone(), house.clone());
    parts.start("the look at itself", async move { sweep::look(&looked, stop).await });
    let (stop, watched) = (parts.stop.clone(), house.clone());
    parts.start("the template watch", async move { watch::run(watched, stop).await });
    Ok(())
}

fn listener(
    house: &Arc<House>,
    name: &'static str,
    socket: TcpListener,
    routes: axum::Router,
    tls: Option<tokio_rustls::TlsAcceptor>,
) -> http::listener::Listener {
    let limits = &house.config.limits;
    let shape = if name == "boot" { http::listener::Limits::boot() } else { http::listener::Limits::admin() };
    let shape = http::listener::Limits { floor_bytes: limits.http_floor_bytes, ..shape };
    let limits = if name == "boot" {
        http::listener::Limits { total: limits.http_connections, per_peer: limits.http_connections_per_peer, ..shape }
    } else {
        shape
    };
    let counting = house.clone();
    let refused = Arc::new(move |why: http::listener::Turned| counting.metrics.connection_refused(name, why.word()));
    http::listener::Listener { name, socket, routes, limits, tls, refused }
}

/// A rack that is switched on connects within a moment: the queue is as long as the system allows it to be (usually 4096).
const BACKLOG: i32 = 16384;

/// Binds a TCP port, also at an address that no interface has yet: it is served from the moment that one has it (ip(7), IP_FREEBIND).
fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, ServeFault> {
    let bind = || -> io::Result<(TcpListener, bool)> {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        let here = socket.bind(&address.into());
        let late = here.as_ref().is_err_and(|why| why.kind() == io::ErrorKind::AddrNotAvailable) && address.is_ipv4();
        if late {
            socket.set_freebind_v4(true)?;
            socket.bind(&address.into())?;
        } else {
            here?;
        }
        socket.listen(BACKLOG)?;
        Ok((TcpListener::from_std(socket.into())?, late))
    };
    let (listener, late) = bind().map_err(|source| ServeFault::Listen { what, address, source })?;
    if late {
        tracing::warn!(%address, what, "no interface has this address: nobody is served there until one has; `ip address` lists what there is");
    }
    Ok(listener)
}

/// The parts of the daemon that run side by side.
struct Parts {
    running: JoinSet<(&'static str, String)>,
    stop: CancellationToken,
}

impl Parts {
    fn start(&mut self, part: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            run.await;
            (part, "it came to its end".to_owned())
        });
    }

    fn serve(&mut self, listener: http::listener::Listener) {
        let (name, stop) = (listener.name, self.stop.clone());
        self.running
            .spawn(async move { (name, listener.serve(stop).await.err().map_or_else(|| "it came to its end".into(), |fault| fault.to_string())) });
    }

    /// Waits for the order to stop, or for a part that ends without one: that is a bug, and the whole daemon ends with it.
    async fn first_end(&mut self) -> Result<(), ServeFault> {
        let ended = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            ended = self.running.join_next() => ended,
        };
        match ended {
            _ if self.stop.is_cancelled() => Ok(()),
            Some(Ok((part, why))) => Err(ServeFault::Ended { part, why }),
            Some(Err(fault)) => Err(ServeFault::Ended { part: "a part", why: fault.to_string() }),
            None => Ok(()),
        }
    }

    async fn join(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            if let Err(fault) = ended {
                tracing::error!(%fault, "a part of the daemon failed while it stopped");
            }
        }
    }
}

/// The first SIGTERM or SIGINT asks for a graceful end; a second one ends the process at once.
fn stop_on_signals(stop: CancellationToken) -> io::Result<tokio::task::JoinHandle<()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            // By itself; it may hang all the same.
            () = stop.cancelled() => {}
        }
        tracing::info!("stopping; what is under way has some seconds to finish");
        stop.cancel();
        let again = tokio::select! {
            _ = term.recv() => true,
            _ = int.recv() => true,
            () = tokio::time::sleep(Duration::from_secs(30)) => false,
        };
        tracing::warn!("{}", if again { "asked to stop again: ending at once" } else { "what was under way did not finish in time: ending at once" });
        std::process::exit(1);
    }))
}
