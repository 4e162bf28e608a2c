//! The loop of a TFTP thread: receive, ask the desk, fetch files, send, tell.
//!
//! One thread for a share of all transfers, with a data socket of its own: packets of many clients are handled in one wake-up and leave
//! by one call, whatever else the daemon is busy with. Nothing in here waits but [`Reactor::wait`]; files are looked for by tasks
//! elsewhere, which ring. What the network does not take now waits in the desk until it does.

use std::{
    os::fd::AsFd as _,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use tokio::{runtime::Handle, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    Files, Settings,
    bell::Bell,
    inbox::{Arrival, Inbox},
    outbox::Outbox,
    socket::Socket,
};
use crate::{
    rules::transfer::{
        Moment, Refusal, Silence,
        desk::{Desk, Notice, Wanted},
    },
    wire::tftp::{ErrorCode, Packet},
};

type Opened = (Wanted, Result<Bytes, Refusal>);

/// What a thread gets to work with.
pub(super) struct Reactor {
    settings: Settings,
    listener: Socket,
    data: Option<Socket>,
    files: Arc<dyn Files>,
    desk: Desk,
    orders: Orders,
    /// Where files are looked for.
    tasks: Handle,
    openings: JoinSet<()>,
    opened: (Sender<Opened>, Receiver<Opened>),
    start: Instant,
    /// The network takes nothing more for now.
    is_blocked: bool,
}

/// What a thread is told from outside; the bell says when to look.
#[derive(Clone)]
pub(super) struct Orders {
    /// Take nothing new, and end within the grace.
    pub(super) stop: CancellationToken,
    /// Nobody waits for the end any more.
    pub(super) abandon: CancellationToken,
    pub(super) bell: Arc<Bell>,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, Default)]
struct Ready {
    requests: bool,
    data: bool,
    room: bool,
    bell: bool,
}

impl Reactor {
    /// However much there is to receive, time-outs are looked at so often.
    const TICK: Duration = Duration::from_millis(50);
    /// Of the transfers that could wait longer, so many get a packet while nothing waits to be read.
    const SPARE: usize = 16;

    pub(super) fn new(settings: Settings, listener: Socket, data: Option<Socket>, desk: Desk, files: Arc<dyn Files>, orders: Orders) -> Self {
        Self {
            settings,
            listener,
            data,
            files,
            desk,
            orders,
            tasks: Handle::current(),
            openings: JoinSet::new(),
            opened: mpsc::channel(),
            start: Instant::now(),
            is_blocked: false,
        }
    }

    /// Serves until it is stopped, and hands back the tasks that still look for files, for whom nobody waits.
    pub(super) fn run(mut self) -> JoinSet<()> {
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        let (mut last_call, mut ticked, mut is_behind) = (None, Moment::ZERO, false);
        loop {
            let now = self.now();
            // While acknowledgements wait to be read, the silence of their senders proves nothing.
            if !is_behind || now >= ticked + Self::TICK {
                self.desk.on_tick(now);
                ticked = now;
            }
            let over = last_call.is_some_and(|last| now >= last);
            if over {
                self.desk.stop(now);
            }
            self.send(&mut outbox, if is_behind { 0 } else { Self::SPARE }, now);
            while over && self.desk.has_turns() && !self.is_blocked {
                self.send(&mut outbox, 0, now);
            }
            self.tell();
            if over || (last_call.is_some() && self.desk.busy() == 0) {
                return self.openings;
            }
            let ready = self.wait(last_call);
            self.is_blocked &= !ready.room;
            if ready.bell && self.answer_the_bell(&mut last_call) {
                return self.openings;
            }
            let behind_with_requests = ready.requests && self.receive(&mut inbox, true);
            let behind_with_data = ready.data && self.receive(&mut inbox, false);
            is_behind = behind_with_requests || behind_with_data;
        }
    }

    fn now(&self) -> Moment {
        self.start.elapsed()
    }

    /// Waits for packets, for room to send, for the bell, or for the desk's next moment.
    fn wait(&self, last_call: Option<Moment>) -> Ready {
        let data = self.data.as_ref().unwrap_or(&self.listener);
        let flags = if self.is_blocked { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        let mut watched = [
            PollFd::new(self.orders.bell.as_fd(), PollFlags::POLLIN),
            PollFd::new(data.as_fd(), flags),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        // With one port for everything there is one socket to watch.
        let count = if self.data.is_some() { 3 } else { 2 };
        if let Err(fault) = poll(&mut watched[..count], self.patience(last_call))
            && fault != Errno::EINTR
        {
            tracing::warn!(%fault, "TFTP cannot wait for packets");
        }
        let [bell, data, requests] = watched.map(|one| one.revents().unwrap_or(PollFlags::empty()));
        // An error of a socket shows, and is cleared, when it is read.
        let news = PollFlags::POLLIN | PollFlags::POLLERR;
        Ready { requests: requests.intersects(news), data: data.intersects(news), room: data.contains(PollFlags::POLLOUT), bell: !bell.is_empty() }
    }

    fn patience(&self, last_call: Option<Moment>) -> PollTimeout {
        if self.desk.has_turns() && !self.is_blocked {
            return PollTimeout::ZERO;
        }
        let due = [self.desk.deadline(), last_call].into_iter().flatten().min().unwrap_or(Duration::from_secs(3600));
        // To the next whole millisecond: woken too early it would only wait again.
        let millis = due.saturating_sub(self.now()).as_micros().div_ceil(1000);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    }

    /// Files that were found, or the end; whether there is nobody left to serve for.
    fn answer_the_bell(&mut self, last_call: &mut Option<Moment>) -> bool {
        self.orders.bell.silence();
        let now = self.now();
        while let Ok((wanted, found)) = self.opened.1.try_recv() {
            self.desk.on_opened(&wanted, found, now);
        }
        while let Some(ended) = self.openings.try_join_next() {
            if let Err(fault) = ended
                && fault.is_panic()
            {
                std::panic::resume_unwind(fault.into_panic());
            }
        }
        if last_call.is_none() && self.orders.stop.is_cancelled() {
            self.desk.close();
            *last_call = Some(now + self.settings.grace);
        }
        self.orders.abandon.is_cancelled()
    }

    /// Takes a batch from the port of the requests or from that of the transfers; whether more may wait.
    fn receive(&mut self, inbox: &mut Inbox, requests: bool) -> bool {
        let socket = if requests { &self.listener } else { self.data.as_ref().unwrap_or(&self.listener) };
        let arrived = inbox.receive(socket).unwrap_or_else(|fault| {
            tracing::warn!(%fault, "TFTP packets could not be received");
            0
        });
        let now = self.now();
        for at in 0..arrived {
            let arrival = inbox.arrival(at);
            if let Err(why) = self.hear(&arrival, now) {
                self.files.silent(arrival.peer, why);
            }
        }
        arrived == Inbox::ROOM
    }

    fn hear(&mut self, arrival: &Arrival<'_>, now: Moment) -> Result<(), Silence> {
        if arrival.is_broadcast {
            return Err(Silence::Broadcast);
        }
        let packet = if arrival.is_cut { None } else { Packet::parse(arrival.bytes).ok() };
        let packet = packet.ok_or(Silence::Malformed)?;
        // Where the socket cannot tell, it is bound to one address.
        let local = if arrival.local.is_unspecified() { *self.settings.listen.ip() } else { arrival.local };
        if self.is_crowded() && matches!(packet, Packet::Read(_)) {
            return Err(Silence::Searching);
        }
        if let Some(wanted) = self.desk.on_packet(arrival.peer, local, packet, now)? {
            self.look_for(wanted);
        }
        Ok(())
    }

    /// Whether nobody more is looked for: requests that are taken back leave their tasks behind for a moment.
    fn is_crowded(&self) -> bool {
        self.openings.len() >= self.settings.openings
    }

    /// A task looks for the file and rings.
    fn look_for(&mut self, wanted: Wanted) {
        let (files, within) = (Arc::clone(&self.files), self.settings.open_within);
        let (found, bell) = (self.opened.0.clone(), Arc::clone(&self.orders.bell));
        let look = async move {
            let file = tokio::time::timeout(within, files.open(wanted.peer, &wanted.name)).await.unwrap_or_else(|_| Err(too_slow()));
            // A thread that has ended wants no file.
            let _ = found.send((wanted, file));
            bell.ring();
        };
        self.openings.spawn_on(look, &self.tasks);
    }

    /// Sends a round of what waits; the rest follows after the next look at what came in.
    fn send(&mut self, outbox: &mut Outbox, spare: usize, now: Moment) {
        if self.is_blocked {
            return;
        }
        let socket = self.data.as_mut().unwrap_or(&mut self.listener);
        let left = outbox.send(socket, self.desk.round(Outbox::ROOM, spare, now));
        self.is_blocked = left.is_blocked;
        for block in left.blocks {
            self.desk.left(block, now);
        }
    }

    fn tell(&mut self) {
        while let Some(notice) = self.desk.take_notice() {
            match notice {
                Notice::Happened { peer, name, event } => self.files.event(peer, &name, &event),
                Notice::Refused { peer, name, refusal } => self.files.refused(peer, &name, &refusal),
            }
        }
    }
}

fn too_slow() -> Refusal {
    Refusal::new(ErrorCode::Undefined, "file_slow", "the server could not look for the file in time; try again")
}
