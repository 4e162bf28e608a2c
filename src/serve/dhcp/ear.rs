//! One socket's task: takes packets by the batch, works on each at once, and sends what is ready by the batch.
//!
//! ```text
//! recvmmsg ─▶ parse ─▶ queue ─▶ the story, begun at once ─┬─ ready ────────────────────────────┬─▶ sendmmsg
//!                                                         └─ waits (disk, probe) ─ all in here ┘
//! ```
//! Nothing is spawned for a packet: all that wait are woken together when their group is on the disk, and leave together.

use std::{
    any::Any,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Door,
    queue::{Peer, Queue, Turn},
    socket::{Arrival, Batch, Letter, Socket},
};
use crate::{
    app::offer::{Desk, OfferAsk, Sending},
    model::Mac,
    rules::offer::Destination,
    wire::dhcp::{CLIENT_PORT, Request, SERVER_PORT},
};

/// All clients of a link.
const EVERYBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
/// How long a stop waits for packets being worked on.
const GRACE: Duration = Duration::from_secs(5);
/// How long nothing is received after an error: an interface that went away reports it again and again.
const REST: Duration = Duration::from_secs(1);

/// What a packet that waited came to. Something malformed has no peer.
type Done = (Option<Peer>, Option<Sending>);

/// One socket and what is worked on for it.
pub(super) struct Ear {
    door: Arc<Door>,
    socket: usize,
    desk: Arc<Desk>,
    queue: Queue<OfferAsk>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    ready: Vec<(Mac, Sending)>,
}

impl Ear {
    /// An ear at one of a door's sockets, with room for so many packets that wait.
    pub(super) fn new(door: Arc<Door>, socket: usize, desk: Arc<Desk>, room: usize) -> Self {
        Self { door, socket, desk, queue: Queue::new(room), work: FuturesUnordered::new(), ready: Vec::new() }
    }

    /// Listens until `stop`, then finishes what is being worked on.
    pub(super) async fn listen(mut self, stop: CancellationToken) {
        let door = self.door.clone();
        let mut batch = Batch::new();
        let mut stopped = std::pin::pin!(stop.cancelled());
        // What waits goes on meanwhile.
        let mut rests_until: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => break,
                Some(done) = self.work.next(), if !self.work.is_empty() => self.finish(done),
                heard = door.sockets[self.socket].receive(&mut batch), if rests_until.is_none() => {
                    rests_until = self.hear(heard, &batch).is_err().then(|| Instant::now() + REST);
                }
                () = tokio::time::sleep_until(rests_until.unwrap_or_else(Instant::now)), if rests_until.is_some() => rests_until = None,
            }
            self.settle();
            self.send();
        }
        let finish = async {
            while let Some(done) = self.work.next().await {
                self.finish(done);
                self.send();
            }
        };
        if tokio::time::timeout(GRACE, finish).await.is_err() {
            tracing::warn!(left = self.work.len(), "DHCP packets were still being worked on at the end");
        }
    }

    fn hear(&mut self, heard: io::Result<u32>, batch: &Batch) -> io::Result<()> {
        let dropped = heard.inspect_err(|why| tracing::warn!(interface = self.door.interface.name(), %why, "dhcp: cannot receive"))?;
        if dropped > 0 {
            self.desk.overrun(dropped);
        }
        batch.packets().for_each(|(bytes, arrival)| self.take(bytes, arrival));
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], arrival: Arrival) {
        let request = match Request::parse(bytes) {
            Ok(request) => request,
            Err(why) => {
                let desk = self.desk.clone();
                let story = async move {
                    desk.malformed(why, arrival.from).await;
                    None
                };
                return self.begin(None, guarded(self.desk.clone(), None, story));
            }
        };
        let peer = Peer { mac: request.mac, link: request.giaddr };
        let addresses = self.door.interface.addresses();
        let was_broadcast = arrival.to == Ipv4Addr::BROADCAST || !addresses.contains(&arrival.to);
        let ask = OfferAsk { request, from: arrival.from, port: self.socket().port(), addresses, was_broadcast };
        match self.queue.admit(peer, ask, || self.desk.is_recorded(peer.mac)) {
            Turn::Now(ask) => self.begin(Some(peer), self.story(peer, ask)),
            Turn::Behind => {}
            Turn::Busy => self.desk.busy(),
        }
    }

    fn story(&self, peer: Peer, ask: OfferAsk) -> BoxFuture<'static, Done> {
        let (door, desk) = (self.door.clone(), self.desk.clone());
        let story = async move {
            let sending = desk.offer(&ask, &door.echo).await;
            if let Some(delay_ms) = sending.as_ref().map(|sending| sending.delay_ms).filter(|delay_ms| *delay_ms > 0) {
                tokio::time::sleep(Duration::from_millis(delay_ms.into())).await;
            }
            sending
        };
        guarded(self.desk.clone(), Some(peer), story)
    }

    /// Most answers are ready at once and never take part in the waiting.
    fn begin(&mut self, peer: Option<Peer>, mut story: BoxFuture<'static, Done>) {
        match story.as_mut().now_or_never() {
            Some((_, sending)) => self.ready.extend(peer.and_then(|peer| Some((peer.mac, sending?)))),
            None => {
                if let Some(peer) = peer {
                    self.queue.waits(peer);
                }
                // Polled once more by `settle`, which is when it hears of being woken.
                self.work.push(story);
            }
        }
    }

    fn finish(&mut self, (peer, sending): Done) {
        let Some(peer) = peer else { return };
        self.ready.extend(sending.map(|sending| (peer.mac, sending)));
        if let Some((next, ask)) = self.queue.done(peer) {
            // Its room is taken already.
            self.work.push(self.story(next, ask));
        }
    }

    /// Takes in everything that is ready now, so that it leaves in one batch.
    fn settle(&mut self) {
        while let Some(Some(done)) = self.work.next().now_or_never() {
            self.finish(done);
        }
    }

    fn socket(&self) -> &Socket {
        &self.door.sockets[self.socket]
    }

    fn send(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let ready = std::mem::take(&mut self.ready);
        let by_udp: Vec<(Mac, Letter<'_>)> = ready
            .iter()
            .filter_map(|(mac, sending)| Some((*mac, Letter { bytes: &sending.bytes, to: self.by_udp(sending)?, source: sending.source })))
            .collect();
        let (macs, letters): (Vec<Mac>, Vec<Letter<'_>>) = by_udp.into_iter().unzip();
        for (index, why) in self.socket().send(&letters, self.door.interface.index()) {
            self.desk.unsent(macs[index], &why.to_string());
        }
    }

    /// The address that UDP carries an answer to; `None`: a frame carried it.
    fn by_udp(&self, sending: &Sending) -> Option<SocketAddrV4> {
        match sending.to {
            Destination::Relay(relay) => Some(SocketAddrV4::new(relay, SERVER_PORT)),
            Destination::Unicast(peer) => Some(peer),
            Destination::Broadcast => Some(EVERYBODY),
            Destination::Frame { mac, address } => {
                match self.door.frames.as_ref().map(|frames| frames.send(&sending.bytes, mac, address, sending.source)) {
                    Some(Ok(())) => None,
                    Some(Err(why)) => {
                        tracing::debug!(%mac, %why, "a frame could not be sent; broadcast instead");
                        Some(EVERYBODY)
                    }
                    None => Some(EVERYBODY),
                }
            }
        }
    }
}

/// A story that panics costs its own packet; the ear hears everybody else.
fn guarded(desk: Arc<Desk>, peer: Option<Peer>, story: impl Future<Output = Option<Sending>> + Send + 'static) -> BoxFuture<'static, Done> {
    let told = move |done: Result<_, _>| (peer, done.unwrap_or_else(|_panic: Box<dyn Any + Send>| desk.broke(peer.map(|peer| peer.mac))));
    AssertUnwindSafe(story).catch_unwind().map(told).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::start, config::Config};

    #[tokio::test]
    async fn a_story_that_panics_is_counted_and_has_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let house = Arc::new(start::open(Config { state_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap());
        let desk = Arc::new(Desk::new(house.clone()));
        let peer = Peer { mac: "52:54:00:00:00:01".parse().unwrap(), link: Ipv4Addr::UNSPECIFIED };
        for whose in [Some(peer), None] {
            let (found, sending) = guarded(desk.clone(), whose, async { panic!("on purpose") }).await;
            assert!(found.map(|peer| peer.mac) == whose.map(|peer| peer.mac) && sending.is_none());
        }
        let counted = house.metrics.encode();
        assert!(counted.contains("dhcp_silences_total{word=\"bug\"} 2"), "{counted}");
    }
}
