//! One simulated machine, without a socket and without a clock: packets and times go in, packets and wishes come out.
//!
//! ```text
//! off ─▶ DHCP ─▶ loader ─▶ DHCP ─▶ script ─▶ files ─▶ DHCP ─▶ documents ─▶ callbacks ─▶ off ─▶ … ─▶ script: disk
//!      firmware ────────────▶ boot (iPXE) ──────────▶ install                               asking: HTTP for both
//!  ▲                  │ nothing boots
//!  └── switched on again, as often as the scenario says
//! ```
//! Whoever drives it (`network`, or a test with a clock of its own) hands in what happened and carries out [`Output`]s until [`Output::Over`].

mod asking;
mod boot;
mod firmware;
mod install;
#[cfg(test)]
mod tests;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;

use self::{boot::Ipxe, install::Installer};
use super::{
    dora::{Bound, Dora},
    download::Download,
    host::Identity,
    record::{Failure, Record, Stage},
    scenario::{Goal, Scenario, Span},
};

/// What all machines of a run have in common.
#[derive(Debug, Clone)]
pub struct Rack {
    /// How they behave.
    pub scenario: Scenario,
    /// Whom they may talk to: the daemon, and who else was named.
    pub allowed: Vec<Ipv4Addr>,
    /// The relay's address: ours.
    pub relay: Ipv4Addr,
    /// The daemon's TFTP port.
    pub tftp_port: u16,
    /// The port that `http://ADDRESS/` means.
    pub http_port: u16,
    /// How long a host may take in all.
    pub timeout: Duration,
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The time of [`Machine::wakes_at`] has come.
    Wake,
    /// A DHCP answer.
    Dhcp(&'a [u8]),
    /// A datagram on the TFTP socket.
    Datagram(SocketAddrV4, &'a [u8]),
    /// How the last [`Output::Fetch`] ended.
    Http(Reply),
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An answer, with as much of its body as was to be kept.
    Answer {
        /// HTTP status.
        status: u16,
        /// The header, in seconds.
        retry_after: Option<u64>,
        /// The body's text; empty if it was not to be kept.
        body: String,
    },
    /// None, and why.
    Broken(String),
}

/// A request to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// To whom.
    pub peer: SocketAddrV4,
    /// Path and query.
    pub path: String,
    /// User-Agent.
    pub agent: String,
    /// A body with its type, for POST.
    pub post: Option<(&'static str, String)>,
    /// Whether the answer's body is wanted.
    pub keeps_body: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this to the DHCP server.
    Dhcp(Vec<u8>),
    /// A new TFTP socket in place of any other, at this address if hosts use their own.
    Open(Ipv4Addr),
    /// Send this from the TFTP socket.
    Datagram(SocketAddrV4, Vec<u8>),
    /// No more TFTP.
    Close,
    /// Make this request, from this address if hosts use their own.
    Fetch(Ipv4Addr, Fetch),
    /// The host has come to its end; [`Machine::record`] tells how.
    Over,
}

#[derive(Debug)]
enum Phase {
    Off { until: Duration },
    Dora(Dora),
    Download(Download),
    Ipxe(Ipxe),
    Installer,
    Over,
}

/// One machine.
#[derive(Debug)]
pub struct Machine {
    rack: Arc<Rack>,
    host: Identity,
    chance: Rng,
    phase: Phase,
    installer: Option<Box<Installer>>,
    stage: Stage,
    stage_began: Duration,
    began: Duration,
    /// What it was leased.
    bound: Bound,
    /// Whether its installer has said `built`.
    built: bool,
    power_ons: u32,
    /// The request under way, and when it is made again if the server asked for that.
    fetching: Option<Fetch>,
    again_at: Option<Duration>,
    /// What went wrong last.
    trouble: String,
    out: Vec<Output>,
    /// What it leaves behind.
    pub record: Record,
}

impl Machine {
    /// A machine that is switched on at `start`.
    pub fn new(rack: Arc<Rack>, host: Identity, chance: Rng, start: Duration) -> Self {
        Self {
            rack,
            host,
            chance,
            phase: Phase::Off { until: start },
            installer: None,
            stage: Stage::Dhcp,
            stage_began: start,
            began: start,
            bound: Bound { address: Ipv4Addr::UNSPECIFIED, server: None, file: String::new() },
            built: false,
            power_ons: 0,
            fetching: None,
            again_at: None,
            trouble: String::new(),
            out: Vec::new(),
            record: Record::default(),
        }
    }

    /// When it wants [`Input::Wake`]; never, when it waits for an answer that comes or fails by itself.
    pub fn wakes_at(&self) -> Option<Duration> {
        let own = match &self.phase {
            _ if self.again_at.is_some() => self.again_at,
            Phase::Off { until } => Some(*until),
            Phase::Dora(dora) => Some(dora.wakes_at),
            Phase::Download(download) => Some(download.wakes_at),
            Phase::Ipxe(ipxe) => ipxe.wakes_at(),
            Phase::Installer => self.installer.as_ref().and_then(|installer| installer.wakes_at()),
            Phase::Over => return None,
        };
        let last = self.began + self.rack.timeout;
        Some(own.map_or(last, |own| own.min(last)))
    }

    /// Who it is.
    pub fn host(&self) -> &Identity {
        &self.host
    }

    /// Takes what happened; `out` gets what is to be done about it.
    pub fn take(&mut self, now: Duration, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Wake if now >= self.began + self.rack.timeout => {
                let text = format!("in {} after {} s; {}", self.stage.word(), self.rack.timeout.as_secs(), self.trouble);
                self.fail(now, Failure::new("timeout", text));
            }
            Input::Wake if self.wakes_at().is_none_or(|at| at > now) => {}
            Input::Wake => self.woke(now),
            Input::Dhcp(bytes) => self.heard_dhcp(now, bytes),
            Input::Datagram(from, bytes) => {
                if let Phase::Download(download) = &mut self.phase {
                    let step = download.heard(now, from, bytes);
                    self.downloads(now, step);
                }
            }
            Input::Http(reply) => self.heard_http(now, reply),
        }
        out.append(&mut self.out);
    }

    fn woke(&mut self, now: Duration) {
        if self.again_at.take().is_some() {
            return self.fetch_again();
        }
        match &mut self.phase {
            Phase::Off { .. } => self.power_on(now),
            Phase::Dora(dora) => {
                let step = dora.woke(now, &self.host);
                self.leases(now, step);
            }
            Phase::Download(download) => {
                let step = download.woke(now);
                self.downloads(now, step);
            }
            Phase::Ipxe(_) => self.ipxe_woke(now),
            Phase::Installer => self.installer_woke(now),
            Phase::Over => {}
        }
    }

    /// The firmware has come to the end of its boot order: somebody switches it on again, or it is a failure.
    fn nothing_boots(&mut self, now: Duration, failure: Failure) {
        self.out.push(Output::Close);
        (self.fetching, self.again_at) = (None, None);
        let firmware = &self.rack.scenario.firmware;
        if self.power_ons > firmware.power_cycles {
            return self.fail(now, failure);
        }
        let off = firmware.power_off.0;
        self.note("nothing booted, switched on again", off);
        self.trouble = format!("{}: {}", failure.reason, failure.text);
        self.enter(now, Stage::Thinking);
        self.phase = Phase::Off { until: now + off };
    }

    /// The firmware, the loader or the script leaves the machine to its disk.
    fn told_disk(&mut self, now: Duration, how: &str) {
        match self.rack.scenario.goal {
            Goal::LocalBoot if self.built => self.arrive(now),
            Goal::Disk => self.arrive(now),
            _ => self.fail(now, Failure::new("disk_too_early", format!("told to start the disk ({how}): {}", self.trouble))),
        }
    }

    fn arrive(&mut self, now: Duration) {
        self.end(now, None);
    }

    fn fail(&mut self, now: Duration, failure: Failure) {
        self.end(now, Some(failure));
    }

    fn end(&mut self, now: Duration, failure: Option<Failure>) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        self.enter(now, self.stage);
        self.record.whole = now - self.began;
        self.record.failure = failure;
        self.phase = Phase::Over;
        self.out.push(Output::Over);
    }

    /// The time until now belongs to the stage so far. The second boot is one stage.
    fn enter(&mut self, now: Duration, stage: Stage) {
        self.record.add(self.stage, now.saturating_sub(self.stage_began));
        self.stage_began = now;
        let is_boot = stage < Stage::InstallerDhcp;
        self.stage = if self.built && is_boot { Stage::DiskBoot } else { stage };
    }

    fn note(&mut self, why: &'static str, lasted: Duration) {
        self.record.note(self.stage, why, lasted);
    }

    /// A length of time between two.
    fn between(&mut self, [least, most]: [Span; 2]) -> Duration {
        let (least, most) = (least.0.as_micros() as u64, most.0.as_micros() as u64);
        Duration::from_micros(self.chance.u64(least..=most))
    }
}
