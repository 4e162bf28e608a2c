//! The machine while an installer has it: DHCP, the documents that its kernel arguments name, the callbacks that those speak of, restart.
//!
//! It does what `tests/lab/init` does in real machines: it calls only what a document tells it to call. Nothing is installed anywhere.

use std::time::Duration;

use super::{Failure, Machine, Phase, Reply, Stage};
use crate::simulate::{
    document::{self, Call, Documents},
    dora::Who,
};

/// What an event says when an installation is through, as subiquity writes it.
const EVENT: &str = concat!(
    r#"{"name":"subiquity/Install/install","description":"simulated","event_type":"finish","origin":"curtin","#,
    r#""timestamp":1700000000.0,"level":"INFO","result":"SUCCESS"}"#
);

/// An installer at work.
#[derive(Debug)]
pub(super) struct Installer {
    documents: Documents,
    fetched: usize,
    calls: Vec<Call>,
    called: usize,
    tries: u32,
    doing: Doing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// The kernel starts.
    Start(Duration),
    /// DHCP, or a request is under way.
    Ask,
    /// It asks for the next thing then, or for the same one again.
    Think(Duration),
    /// The machine restarts.
    Restart(Duration),
}

impl Installer {
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        match self.doing {
            Doing::Start(until) | Doing::Think(until) | Doing::Restart(until) => Some(until),
            Doing::Ask => None,
        }
    }
}

impl Machine {
    /// `boot`: the kernel starts with these arguments.
    pub(super) fn start_kernel(&mut self, now: Duration, arguments: &str) {
        let Some(documents) = Documents::named(arguments) else {
            return self.fail(now, Failure::new("no_document", format!("the kernel's arguments name none (ks=, ds=nocloud, url=): {arguments}")));
        };
        self.enter(now, Stage::Thinking);
        let doing = Doing::Start(now + self.between(self.rack.scenario.installer.starts_in));
        self.installer = Some(Box::new(Installer { documents, fetched: 0, calls: Vec::new(), called: 0, tries: 0, doing }));
        self.phase = Phase::Installer;
    }

    pub(super) fn installer_woke(&mut self, now: Duration) {
        let Some(installer) = &mut self.installer else { return };
        let doing = std::mem::replace(&mut installer.doing, Doing::Ask);
        match doing {
            Doing::Start(_) => {
                let class = installer.documents.class;
                self.enter(now, Stage::InstallerDhcp);
                // udhcpc and NetworkManager: seconds apart, for a minute or so.
                let waits = [2, 3, 4, 5, 8, 10, 15, 20].map(Duration::from_secs).to_vec();
                self.ask_dhcp(now, Who::Installer(class), waits);
            }
            Doing::Think(_) => self.ask_next(now),
            Doing::Restart(_) => self.power_on(now),
            Doing::Ask => {}
        }
    }

    /// DHCP is done: the documents.
    pub(super) fn fetch_documents(&mut self, now: Duration) {
        self.phase = Phase::Installer;
        self.ask_next(now);
    }

    /// The next document, or behind them the next callback.
    fn ask_next(&mut self, now: Duration) {
        let Some(installer) = &self.installer else { return };
        let agent = installer.documents.agent.to_owned();
        if let Some(url) = installer.documents.urls.get(installer.fetched).cloned() {
            self.enter(now, Stage::Document);
            return self.fetch(now, &url, agent, None, true);
        }
        let Some(call) = installer.calls.get(installer.called).cloned() else { return };
        let post = match call.is_post {
            true if call.is_event() => Some(("application/json", EVENT.to_owned())),
            true => Some(("text/plain", String::new())),
            false => None,
        };
        self.enter(now, Stage::Callbacks);
        self.fetch(now, &call.url, agent, post, true);
    }

    pub(super) fn installer_heard(&mut self, now: Duration, reply: Reply) {
        let Some(installer) = &mut self.installer else { return };
        let is_document = installer.fetched < installer.documents.urls.len();
        let body = match reply {
            Reply::Answer { status: 200..=299, body, .. } => body,
            // What a 4xx says it will say again; the shipped templates ask on for a while all the same.
            Reply::Answer { status: status @ 400..=499, .. } => {
                let reason = if is_document { "document_refused" } else { "callback_refused" };
                return self.fail(now, Failure::new(reason, format!("status {status}: {}", self.trouble)));
            }
            Reply::Answer { .. } | Reply::Broken(_) => return self.ask_later(now, is_document),
        };
        installer.tries = 0;
        if is_document {
            self.read_document(now, &body);
        } else {
            self.called(now);
        }
    }

    fn ask_later(&mut self, now: Duration, is_document: bool) {
        let (most, wait) = (self.rack.scenario.installer.tries, self.rack.scenario.installer.wait.0);
        let Some(installer) = &mut self.installer else { return };
        installer.tries += 1;
        if installer.tries >= most {
            let reason = if is_document { "no_document" } else { "no_callback" };
            return self.fail(now, Failure::new(reason, format!("asked {most} times: {}", self.trouble)));
        }
        installer.doing = Doing::Think(now + wait);
        self.note("asked again", wait);
    }

    fn read_document(&mut self, now: Duration, text: &str) {
        let Some(installer) = &mut self.installer else { return };
        installer.fetched += 1;
        installer.calls.extend(document::calls(text));
        let is_read = installer.fetched == installer.documents.urls.len();
        if is_read && !installer.calls.iter().any(Call::is_last) {
            return self.fail(now, Failure::new("no_built_callback", "no document speaks of the callback `built`: the build would never end"));
        }
        if is_read { self.think(now) } else { self.ask_next(now) }
    }

    fn called(&mut self, now: Duration) {
        let Some(installer) = &mut self.installer else { return };
        let was_last = installer.calls.get(installer.called).is_some_and(Call::is_last);
        installer.called += 1;
        if !was_last {
            return self.think(now);
        }
        self.enter(now, Stage::Thinking);
        self.built = true;
        let until = now + self.between(self.rack.scenario.installer.reboots_in);
        if let Some(installer) = &mut self.installer {
            installer.doing = Doing::Restart(until);
        }
    }

    fn think(&mut self, now: Duration) {
        self.enter(now, Stage::Thinking);
        let until = now + self.between(self.rack.scenario.installer.thinks);
        if let Some(installer) = &mut self.installer {
            installer.doing = Doing::Think(until);
        }
    }
}
