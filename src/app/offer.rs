//! DHCP: a packet comes, and an answer leaves only when everything that it promises is durable.
//!
//! load (network, host, what its sessions say) → decide (`rules::session`, `rules::boot`, `rules::offer` with the lease book) → probe a
//! fresh address → save (lease, session, journal in one transaction) → answer. A store that fails means silence: the client asks again,
//! and nobody was promised anything. The lease book is changed before the save and changed back if the save fails.

mod desk;
mod host;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
};

use async_trait::async_trait;

pub use desk::Desk;

use super::{Told, house::Pen, pace::Key, who::Who};
use crate::{
    model::{Actor, Fact, Host, Lease, LeaseState, Mac, Network, Timestamp, What},
    rules::{
        boot::DhcpBoot,
        lease::Undo,
        loaders::{self, Client},
        offer::{self, Answer, Destination, Link, Silence, Verdict},
    },
    store::Writes,
    wire::dhcp::{Encoded, Malformed, PROXY_PORT, ReplyKind, Request, RequestKind},
};

/// A packet and how it came.
#[derive(Debug, Clone)]
pub struct OfferAsk {
    /// The packet.
    pub request: Request,
    /// Who sent it.
    pub from: SocketAddrV4,
    /// The port it came to, 67 or 4011.
    pub port: u16,
    /// The addresses of the interface it came in by.
    pub addresses: Arc<[Ipv4Addr]>,
    /// Whether it was sent to everybody on the link.
    pub was_broadcast: bool,
}

/// Bytes to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// The UDP payload.
    pub bytes: Vec<u8>,
    /// Where to.
    pub to: Destination,
    /// From which address of ours.
    pub source: Ipv4Addr,
    /// After so many milliseconds.
    pub delay_ms: u16,
    /// For the counters.
    pub kind: ReplyKind,
}

/// Asks the wire whether somebody has an address. Not being able to ask counts as "nobody": most networks have no conflicts.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Whether somebody answers on it within half a second.
    async fn is_used(&self, address: Ipv4Addr) -> bool;
}

/// How many addresses in a row may turn out to be in use.
const PROBES: usize = 3;

/// One packet with what was loaded for it.
struct Case<'a> {
    ask: &'a OfferAsk,
    network: Option<Arc<Network>>,
    client: Client,
    /// Our address as the client is to see it.
    server: Ipv4Addr,
    /// The base URL of the boot listener for this client.
    url: String,
    now: Timestamp,
}

impl Case<'_> {
    fn request(&self) -> &Request {
        &self.ask.request
    }

    fn pen(&self) -> Pen {
        let mac = self.request().mac;
        Pen::new(Actor::Host { mac: Some(mac), proven: false }, self.now).mac(mac)
    }
}

impl Desk {
    /// Answers one packet, or says in the journal, the log and the metrics why not.
    pub async fn offer(&self, ask: &OfferAsk, probe: &dyn Probe) -> Option<Sending> {
        let metrics = &self.house.metrics;
        metrics.dhcp_request(ask.request.kind.word());
        match self.answer(ask, probe).await {
            Ok(Ok((answer, source))) => {
                let Encoded { bytes, left_out } = answer.reply.encode();
                if !left_out.is_empty() {
                    tracing::warn!(mac = %ask.request.mac, ?left_out, limit = ask.request.max_bytes, "options did not fit into the answer");
                }
                metrics.dhcp_reply(answer.reply.kind.word());
                tracing::debug!(mac = %ask.request.mac, asked = ask.request.kind.word(), said = answer.text, to = ?answer.to, "dhcp");
                Some(Sending { bytes, to: answer.to, source, delay_ms: answer.delay_ms, kind: answer.reply.kind })
            }
            Ok(Err(why)) => {
                self.count(&why, ask);
                None
            }
            Err(failure) => {
                self.count(&Silence::Store(failure.to_string()), ask);
                None
            }
        }
    }

    /// A packet was dropped before it was worked on, for want of hands.
    pub fn busy(&self) {
        self.house.metrics.dhcp_silence(Silence::Busy.word());
    }

    /// A story broke off by a panic, which is a bug and was told by its own message: there is no answer. `None`: nobody's, it was malformed.
    pub fn broke(&self, mac: Option<Mac>) -> Option<Sending> {
        self.house.metrics.dhcp_silence(Silence::Bug.word());
        tracing::error!(mac = mac.map(tracing::field::display), "dhcp: {}", Silence::Bug);
        None
    }

    /// The kernel dropped so many packets, of whomever, because its buffer was full.
    pub fn overrun(&self, count: u32) {
        self.house.metrics.dhcp_silences(Silence::Overrun.word(), count.into());
        tracing::debug!(count, "dhcp: {}", Silence::Overrun);
    }

    /// Whether somebody recorded this client. A store that cannot look says no: this only decides who comes first.
    pub fn is_recorded(&self, mac: Mac) -> bool {
        self.house.store.host_by_mac(mac).is_ok_and(|host| host.is_some())
    }

    /// What came is no request.
    pub async fn malformed(&self, why: Malformed, from: SocketAddrV4) {
        let now = self.house.now();
        self.house.metrics.dhcp_request("malformed");
        self.house.metrics.dhcp_silence(why.word());
        if self.is_news(desk::Whom::Sender(*from.ip()), why.word(), now) {
            let text = format!("a packet from {from} is no DHCP request: {why}");
            tracing::info!(%from, %why, "dhcp: malformed");
            let fact = Pen::new(Actor::Host { mac: None, proven: false }, now).write(What::Silent { why: why.word().into() }, text);
            if let Err(fault) = self.house.record(vec![fact]).await {
                tracing::warn!(%fault, "dhcp: a malformed packet was not journalled");
            }
        }
    }

    /// The answer did not leave.
    pub fn unsent(&self, mac: Mac, why: &str) {
        self.house.metrics.dhcp_silence(Silence::Unsent(String::new()).word());
        tracing::warn!(%mac, why, "dhcp: the answer could not be sent");
    }

    fn count(&self, why: &Silence, ask: &OfferAsk) {
        self.house.metrics.dhcp_silence(why.word());
        let (mac, asked) = (ask.request.mac, ask.request.kind.word());
        match why {
            Silence::Store(_) | Silence::Conflicts | Silence::NoAddress(_) | Silence::Flood if self.is_news(mac, "logged", self.house.now()) => {
                tracing::warn!(%mac, asked, why = %why, "dhcp: no answer");
            }
            _ => tracing::debug!(%mac, asked, why = %why, "dhcp: no answer"),
        }
    }

    /// The answer and the address of ours that it is sent from.
    async fn answer(&self, ask: &OfferAsk, probe: &dyn Probe) -> Told<Result<(Answer, Ipv4Addr), Silence>> {
        let case = self.load(ask)?;
        if !self.house.paces(Key::Client(case.request().mac)) {
            let facts = self.remark(&case, &case.pen(), &Silence::Flood, false).into_iter().collect();
            self.write(facts, None).await?;
            return Ok(Err(Silence::Flood));
        }
        let told = match case.request().kind {
            RequestKind::Release | RequestKind::Decline => Err(self.settle(&case).await?),
            RequestKind::Discover | RequestKind::Request | RequestKind::Inform => match self.identify(&case)? {
                Who::Known(host, doubt) => self.answer_host(&case, host, doubt, probe).await?,
                Who::Stranger if !self.has_room_for(&case) => Err(self.turn_away(&case).await?),
                Who::Stranger => self.answer_stranger(&case, probe).await?,
            },
        };
        Ok(told.map(|answer| (answer, source(ask, case.network.as_deref()))))
    }

    fn load<'a>(&self, ask: &'a OfferAsk) -> Told<Case<'a>> {
        let settings = self.house.store.settings()?;
        let link = Link { addresses: &ask.addresses, was_broadcast: ask.was_broadcast };
        let network = offer::network_of(&ask.request, link, settings.networks.values().map(AsRef::as_ref));
        let network = network.and_then(|network| settings.networks.get(&network.name)).cloned();
        let server = network.as_ref().and_then(|network| network.server).unwrap_or_else(|| source(ask, network.as_deref()));
        let url = self.house.config.boot_url(server);
        Ok(Case { ask, client: loaders::client(&ask.request), network, server, url, now: self.house.now() })
    }

    /// Whether a stranger has an address here, or is one of no more newcomers than a link may bring.
    fn has_room_for(&self, case: &Case<'_>) -> bool {
        let mac = case.request().mac;
        let is_seen = case.network.as_ref().is_some_and(|network| self.house.book().knows(&network.name, mac));
        is_seen || self.house.paces(Key::Newcomers(link(case)))
    }

    /// Told once a minute for the whole link: every one of them has another MAC.
    async fn turn_away(&self, case: &Case<'_>) -> Told<Silence> {
        let why = Silence::Newcomers(link(case));
        if self.is_news(desk::Whom::Sender(link(case)), why.word(), case.now) {
            tracing::warn!(link = %link(case), "dhcp: {why}");
            self.write(vec![case.pen().write(What::Silent { why: why.word().into() }, said(case, &format!("no answer: {why}")))], None).await?;
        }
        Ok(why)
    }

    /// RELEASE and DECLINE: no answer, but the lease changes.
    async fn settle(&self, case: &Case<'_>) -> Told<Silence> {
        let verdict = self.decide(case, None, &DhcpBoot::None { why: String::new() })?;
        let Verdict::Silence { why, lease, .. } = verdict else { return Ok(Silence::NotForBootServer) };
        let mut facts: Vec<Fact> = lease.iter().map(|lease| self.lease_fact(case, &lease.0, why.to_string())).collect();
        facts.extend(self.remark(case, &case.pen(), &why, lease.is_some()));
        self.write_or_undo(facts, lease.map(|lease| *lease)).await?;
        Ok(why)
    }

    /// A client that nobody recorded.
    async fn answer_stranger(&self, case: &Case<'_>, probe: &dyn Probe) -> Told<Result<Answer, Silence>> {
        let boot = self.stranger_boot(case);
        let verdict = self.probed(case, None, &boot, probe).await?;
        let pen = case.pen();
        match verdict {
            Verdict::Silence { why, lease, warning } => {
                let mut facts: Vec<Fact> = self.warn(case, &pen, warning).into_iter().collect();
                facts.extend(self.remark(case, &pen, &why, false));
                self.write_or_undo(facts, lease.map(|lease| *lease)).await?;
                Ok(Err(why))
            }
            Verdict::Answer(mut answer) => {
                let lease = answer.lease.take();
                let mut facts: Vec<Fact> = lease.iter().map(|(lease, _)| self.lease_fact(case, lease, answer.text.clone())).collect();
                // A stranger's every packet would let anybody fill the journal.
                if lease.is_none() && self.is_news(case.request().mac, "seen", case.now) {
                    facts.push(pen.write(What::Seen { protocol: "dhcp".into() }, said(case, &answer.text)));
                }
                self.write_or_undo(facts, lease).await?;
                Ok(Ok(*answer))
            }
        }
    }

    async fn write_or_undo(&self, facts: Vec<Fact>, lease: Option<(Lease, Undo)>) -> Told<()> {
        let (lease, undo) = lease.unzip();
        let written = self.write(facts, lease).await;
        if let (Err(_), Some(undo)) = (&written, undo) {
            self.house.book().undo(undo);
        }
        written
    }

    async fn write(&self, facts: Vec<Fact>, lease: Option<Lease>) -> Told<()> {
        if facts.is_empty() && lease.is_none() {
            return Ok(());
        }
        let writes = Writes { facts, leases: lease.into_iter().collect(), ..Writes::default() };
        self.house.write(Box::new(move |_| writes)).await?;
        Ok(())
    }

    /// The decision, repeated with another address as long as the wire says that the chosen one is in use.
    async fn probed(&self, case: &Case<'_>, host: Option<&Host>, boot: &DhcpBoot, probe: &dyn Probe) -> Told<Verdict> {
        for _ in 0..PROBES {
            let verdict = self.decide(case, host, boot)?;
            let (Verdict::Answer(answer), Some(network)) = (&verdict, &case.network) else { return Ok(verdict) };
            let Some(address) = answer.probe else { return Ok(verdict) };
            if !probe.is_used(address).await {
                return Ok(verdict);
            }
            let lease = self.house.book().conflict(&network.name, case.request().mac, address, self.house.now());
            let text = format!("somebody without a lease answers on {address}; it is not offered for ten minutes");
            let fact = self.lease_fact(case, &lease, text);
            self.write(vec![fact], Some(lease)).await?;
        }
        Ok(Silence::Conflicts.into())
    }

    fn lease_fact(&self, case: &Case<'_>, lease: &Lease, text: String) -> Fact {
        let what = match lease.state {
            LeaseState::Bound => "bound",
            LeaseState::Released => "released",
            LeaseState::Declined => "declined",
        };
        case.pen().write(What::Lease { what: what.into(), address: lease.address.to_string() }, said(case, &text))
    }

    /// A silence worth a line, once a minute for each client and reason.
    fn remark(&self, case: &Case<'_>, pen: &Pen, why: &Silence, already_told: bool) -> Option<Fact> {
        let news = why.is_remarkable() && !already_told && self.is_news(case.request().mac, why.word(), case.now);
        news.then(|| pen.write(What::Silent { why: why.word().into() }, said(case, &format!("no answer: {why}"))))
    }

    fn warn(&self, case: &Case<'_>, pen: &Pen, warning: Option<offer::Warning>) -> Option<Fact> {
        let (warning, network) = (warning?, case.network.as_deref()?);
        tracing::warn!(mac = %case.request().mac, network = %network.name, warning = warning.word(), "{}", warning.text(network));
        let news = self.is_news(case.request().mac, warning.word(), case.now);
        news.then(|| pen.write(What::Warning { word: warning.word().into() }, warning.text(network)))
    }
}

/// The address of ours that an answer is sent from: one on the client's network, if the interface has one.
fn source(ask: &OfferAsk, network: Option<&Network>) -> Ipv4Addr {
    let own = &ask.addresses;
    let named = network.and_then(|network| network.server).filter(|server| own.contains(server));
    let inside = || own.iter().copied().find(|address| network.is_some_and(|network| network.subnet.contains(address)));
    named.or_else(inside).or_else(|| own.first().copied()).unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// The relay that a packet came by, or our own address on the link.
fn link(case: &Case<'_>) -> Ipv4Addr {
    let relay = case.request().giaddr;
    if relay.is_unspecified() { case.ask.addresses.first().copied().unwrap_or(relay) } else { relay }
}

/// `DISCOVER from PXEClient:Arch:…: OFFER of …`.
fn said(case: &Case<'_>, text: &str) -> String {
    let request = case.request();
    let class = request.class_text();
    let from = if class.is_empty() { String::new() } else { format!(" ({class})") };
    let port = if case.ask.port == PROXY_PORT { " on 4011" } else { "" };
    format!("{}{from}{port}: {text}", request.kind.word())
}

#[cfg(test)]
mod tests;
