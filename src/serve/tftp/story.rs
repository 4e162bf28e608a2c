//! The TFTP edge of the loader's story: names and events in, TFTP's error codes out, and a queue so that sending never waits for the disk.
//!
//! Each client's events are recorded in their order, those of different clients side by side (the store commits them in groups). The
//! queues are bounded: how far transfers are is left out first, and what does not fit at all is counted, said in the log and lost for the
//! journal, never held against the transfers.

use std::{
    net::SocketAddrV4,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Files, Server};
use crate::{
    app::{self, Failure, House, loader::LoaderAsk, pace::Key},
    config::Config,
    model::Mac,
    rules::transfer::{Event, Limits, Refusal, Silence},
    serve::{complaint::Complaint, tftp::Settings},
    wire::tftp::{ErrorCode, FileName},
};

impl Settings {
    /// What the settings file says.
    pub fn of(config: &Config) -> Self {
        let mut settings = Self::at(config.tftp.listen);
        settings.single_port = config.tftp.single_port;
        settings.threads = config.tftp.threads.unwrap_or(settings.threads);
        settings.limits = Limits {
            blksize: config.tftp.max_block,
            windowsize: config.tftp.max_window,
            in_total: config.limits.tftp_transfers,
            per_peer: config.limits.tftp_transfers_per_peer,
            ..Limits::default()
        };
        settings
    }
}

/// Serves the house's loaders until `stop`, and returns when all that was heard is recorded.
pub async fn serve(server: Server, house: Arc<House>, stop: CancellationToken) {
    let (shelf, recorders) = Shelf::open(house);
    server.run(Arc::new(shelf), stop).await;
    recorders.join_all().await;
}

/// Something to record.
struct Heard {
    ask: LoaderAsk,
    what: Outcome,
}

enum Outcome {
    Event(Event),
    Refused(Refusal),
}

struct Shelf {
    house: Arc<House>,
    complaint: Mutex<Complaint>,
    queues: Vec<mpsc::Sender<Heard>>,
}

impl Shelf {
    /// Writes that wait for the disk at once; each client always uses the same one.
    const QUEUES: usize = 64;
    /// Events that wait in each.
    const WAITING: usize = 1024;

    fn open(house: Arc<House>) -> (Self, JoinSet<()>) {
        let mut recorders = JoinSet::new();
        let queues = (0..Self::QUEUES)
            .map(|_| {
                let (queue, heard) = mpsc::channel(Self::WAITING);
                recorders.spawn(record(house.clone(), heard));
                queue
            })
            .collect();
        (Self { house, complaint: Mutex::default(), queues }, recorders)
    }

    /// Who asks is found now; by the time that it is written down it may be another, or in its next power-on.
    fn enqueue(&self, peer: SocketAddrV4, name: &str, claimed: Option<Mac>, size_bytes: u64, what: Outcome) {
        let queue = &self.queues[u32::from(*peer.ip()) as usize % self.queues.len()];
        // How far a transfer is helps who watches; that it ended moves the build.
        if matches!(what, Outcome::Event(Event::Progress { .. })) && queue.capacity() < Self::WAITING / 2 {
            return;
        }
        let lost = match self.house.loader_ask(name, *peer.ip(), claimed, size_bytes) {
            Ok(Some(ask)) => queue.try_send(Heard { ask, what }).is_err().then_some("records_full"),
            Ok(None) => None,
            Err(failure) => {
                tracing::debug!(%peer, file = name, %failure, "whose TFTP transfer it was could not be looked up");
                Some("record_fault")
            }
        };
        if let Some(why) = lost {
            self.house.metrics.connection_refused("tftp", why);
            if let Some(lost) = self.complaint.lock().unwrap_or_else(PoisonError::into_inner).due() {
                tracing::error!(%peer, lost, why, "events of TFTP transfers could not be recorded and are lost for the journal");
            }
        }
    }
}

#[async_trait]
impl Files for Shelf {
    async fn open(&self, peer: SocketAddrV4, name: &FileName) -> Result<Bytes, Refusal> {
        self.house.loader(name.as_str(), *peer.ip(), name.mac()).map_err(|failure| refusal(peer, name, &failure))
    }

    fn event(&self, peer: SocketAddrV4, name: &FileName, event: &Event) {
        tracing::debug!(%peer, file = %name, event = event.word(), "TFTP");
        let (size_bytes, ended_bytes) = match event {
            Event::Requested { size_bytes } | Event::Progress { size_bytes, .. } => (*size_bytes, None),
            Event::Done { size_bytes, .. } => (*size_bytes, Some(*size_bytes)),
            Event::Probed { size_bytes } => (*size_bytes, Some(0)),
            Event::Aborted { acked_bytes, size_bytes, .. } | Event::TimedOut { acked_bytes, size_bytes, .. } => (*size_bytes, Some(*acked_bytes)),
        };
        if let Some(sent_bytes) = ended_bytes {
            self.house.metrics.transfer_ended("tftp", event.word(), sent_bytes);
        }
        self.enqueue(peer, name.as_str(), name.mac(), size_bytes, Outcome::Event(event.clone()));
    }

    fn refused(&self, peer: SocketAddrV4, name: &str, refusal: &Refusal) {
        self.house.metrics.transfer_ended("tftp", "refused", 0);
        self.house.metrics.connection_refused("tftp", refusal.word);
        // A flood is counted; told of is what a person could still read.
        if !self.house.paces(Key::Refusal(*peer.ip())) {
            return;
        }
        tracing::info!(%peer, file = name, why = refusal.word, "TFTP refused");
        let claimed = FileName::parse(name.as_bytes()).ok().and_then(|name| name.mac());
        self.enqueue(peer, name, claimed, 0, Outcome::Refused(refusal.clone()));
    }

    fn silent(&self, peer: SocketAddrV4, why: Silence) {
        tracing::debug!(%peer, why = why.code(), "TFTP not answered");
        self.house.metrics.connection_refused("tftp", why.code());
    }
}

async fn record(house: Arc<House>, mut heard: mpsc::Receiver<Heard>) {
    while let Some(Heard { ask, what }) = heard.recv().await {
        let recorded = match &what {
            Outcome::Event(event) => house.loader_heard(&ask, event).await,
            Outcome::Refused(refusal) => house.loader_refused(&ask, refusal.word, &refusal.text).await,
        };
        if let Err(failure) = recorded {
            tracing::error!(peer = %ask.peer, file = ask.name, %failure, "what became of a TFTP transfer could not be recorded");
        }
    }
}

/// "Not there" and "could not look" are different answers: the second asks the machine to try again.
fn refusal(peer: SocketAddrV4, name: &FileName, failure: &Failure) -> Refusal {
    match failure {
        Failure::Refusal(app::Refusal::Unknown { .. }) => Refusal::new(ErrorCode::NotFound, "no_such_file", House::loader_hint(name.as_str())),
        Failure::Refusal(app::Refusal::Closed(text)) => Refusal::new(ErrorCode::Access, "no_answer_plan", text.as_str()),
        Failure::Refusal(other) => Refusal::new(ErrorCode::Undefined, other.code(), other.to_string()),
        Failure::Fault(fault) => {
            tracing::error!(%peer, file = %name, %fault, "a loader could not be looked for");
            Refusal::new(ErrorCode::Undefined, "fault", "the server cannot look this up now; try again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{house::Pen, start},
        model::{Actor, Host, What},
        store::{BrokenStore, Writes},
    };

    #[tokio::test]
    async fn how_far_a_transfer_is_takes_no_room_from_how_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let house = Arc::new(start::open(Config { state_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap());
        let (queue, heard) = mpsc::channel(Shelf::WAITING);
        let mut host = Host::new(house.world.host_id(), "n1".parse().unwrap(), Vec::new(), house.now());
        host.address = Some([10, 77, 0, 9].into());
        let facts = vec![Pen::new(Actor::Server, house.now()).of(&host).write(What::Created, "n1 was recorded")];
        house.store.write(Box::new(move |_| Writes { hosts: vec![host], facts, ..Writes::default() })).await.unwrap();
        let shelf = Shelf { house: house.clone(), complaint: Mutex::default(), queues: vec![queue] };
        let (peer, name) = (SocketAddrV4::new([10, 77, 0, 9].into(), 9), FileName::parse(b"x.efi").unwrap());
        let tell = |count: usize, event: Event| (0..count).for_each(|_| shelf.event(peer, &name, &event));
        tell(2 * Shelf::WAITING, Event::Progress { acked_bytes: 1, size_bytes: 2 });
        let left = Shelf::WAITING - heard.len();
        assert!(left >= Shelf::WAITING / 2 - 1, "{left}");
        tell(left + 3, Event::Probed { size_bytes: 2 });
        assert_eq!(heard.len(), Shelf::WAITING);
        let counted = house.metrics.encode();
        assert!(counted.contains("connections_refused_total{listener=\"tftp\",reason=\"records_full\"} 3"), "{counted}");
    }

    #[tokio::test]
    async fn an_event_whose_machine_cannot_be_looked_up_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut house = start::open(Config { state_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        house.store = Arc::new(BrokenStore);
        let (house, (queue, heard)) = (Arc::new(house), mpsc::channel(1));
        let shelf = Shelf { house: house.clone(), complaint: Mutex::default(), queues: vec![queue] };
        let name = FileName::parse(b"x.efi").unwrap();
        shelf.event(SocketAddrV4::new([10, 77, 0, 9].into(), 9), &name, &Event::Probed { size_bytes: 2 });
        assert!(heard.is_empty());
        let counted = house.metrics.encode();
        assert!(counted.contains("connections_refused_total{listener=\"tftp\",reason=\"record_fault\"} 1"), "{counted}");
    }
}
