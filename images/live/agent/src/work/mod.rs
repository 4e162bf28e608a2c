//! One power-on of the live image: hello, the one job, its report, and the wait for what comes next.
//!
//! ```text
//! hello ─ register ─ collect ─ report ─┐
//!       ├ clean ─ gate ─ wipe ─ report ┼─ wait ─ reboot | poweroff
//!       └ anything else ───────────────┘
//! ```
//! The job is done once. An abort, a token that nobody knows any more or a refusal leads to the wait, never to a second try: only a new
//! power-on with a new order does. It decides nothing about erasing; that is `gate`.

mod beat;
mod wait;

use std::sync::Arc;

use crate::{
    cmdline::{self, Cmdline},
    console::{self, Console},
    contract::{Content, Facts, Hello, Mode, PROTOCOL, Reply, Report, WipePlan},
    facts::{self, DisksOf},
    gate::{self, Job},
    machine::{Ask, Machine, Switch, hex_of_chance},
    talk::{No, Talk},
    wipe::{Outcome, Watch},
};

/// The server's own default; until its first reply says another.
const HEARTBEAT_SECS: u64 = 30;

/// The image's own words, a line each, as its build writes them.
const RELEASE: &str = "/etc/bootwright-release";

/// What carries out a plan.
pub type WipeBy = fn(&dyn Machine, &WipePlan, &Watch) -> Outcome;

/// The two that touch disks; tests bring their own.
#[derive(Clone, Copy)]
pub struct Hands {
    /// Looks at disks.
    pub disks: DisksOf,
    /// Erases them.
    pub wipe: WipeBy,
}

/// One power-on.
pub struct Work<'a> {
    machine: Arc<dyn Machine>,
    console: &'a Console,
    cmdline: Cmdline,
    talk: Talk<'a>,
    hands: Hands,
}

/// Where the job has led.
struct After {
    /// The server's last order, if there was one.
    order: Option<Reply>,
    /// A report that the server has not taken yet.
    owed: Option<Report>,
}

impl After {
    fn nothing() -> Self {
        Self { order: None, owed: None }
    }
}

/// The whole of it. Returns only when the machine cannot be switched, or nothing can be done at all; then the exit code.
pub fn live(machine: &Arc<dyn Machine>, console: &Console, hands: Hands) -> u8 {
    let image = image(&**machine);
    console.say(&format!("agent {}, live image {}", env!("CARGO_PKG_VERSION"), if image.is_empty() { "unknown" } else { &image }));
    if !machine.exists(gate::MARKER) {
        console.error(&format!("{}; only `facts` and `version` run here", gate::Refusal::NotTheLiveImage));
        return 2;
    }
    let line = machine.word("/proc/cmdline").unwrap_or_default();
    let cmdline = match cmdline::parse(&line) {
        Ok(cmdline) => cmdline,
        Err(why) => {
            console.error(&why.to_string());
            return 2;
        }
    };
    let talk = Talk::new(&**machine, console, &cmdline);
    let work = Work { machine: Arc::clone(machine), console, cmdline, talk, hands };
    let how = work.run(image);
    match machine.switch(how) {
        Ok(()) => 0,
        Err(error) => {
            console.error(&format!(
                "the kernel refuses to {}: {error}; switch this machine by hand",
                if how == Switch::Off { "power off" } else { "reboot" }
            ));
            1
        }
    }
}

/// What the image calls itself: `IMAGE=…` in the file that its build leaves beside the marker.
fn image(machine: &dyn Machine) -> String {
    let text = machine.word(RELEASE).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("IMAGE=")).unwrap_or_default().to_owned()
}

impl Work<'_> {
    fn run(&self, image: String) -> Switch {
        let hello = self.hello(image);
        self.introduce(&hello);
        self.console.say(&format!("asking {} what to do", self.cmdline.server));
        let reply = match self.talk.hello(&hello) {
            Ok(reply) => reply,
            Err(no @ No::Denied { .. }) => {
                self.console.error(&no.to_string());
                return self.wait(After::nothing());
            }
            Err(no) => {
                self.console.error(&no.to_string());
                self.console.say("rebooting: no answer within 10 minutes, nothing was touched");
                return Switch::Reboot;
            }
        };
        let after = match gate::job(self.machine.exists(gate::MARKER), &self.cmdline, &reply) {
            Ok(Job::Register) => self.register(&reply),
            Ok(Job::Clean { plan, hash }) => self.clean(&reply, &plan, &hash),
            Ok(Job::Wait | Job::Reboot | Job::Poweroff) => After { order: Some(reply), owed: None },
            Err(refusal) => {
                self.console.error(&refusal.to_string());
                self.report(Content::Failed { text: refusal.to_string() })
            }
        };
        self.wait(after)
    }

    fn hello(&self, image: String) -> Hello {
        Hello {
            protocol: PROTOCOL,
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            image,
            session: self.cmdline.session.clone(),
            mode: self.cmdline.mode,
            macs: facts::nics::macs(&*self.machine, self.cmdline.mac),
            uuid: facts::uuid(&*self.machine),
        }
    }

    fn introduce(&self, hello: &Hello) {
        let Cmdline { host, session, mac, .. } = &self.cmdline;
        self.console.say(&format!("host {host}, session {session}"));
        let cards: Vec<String> = hello.macs.iter().map(|one| if *mac == Some(*one) { format!("{one} (boot)") } else { one.to_string() }).collect();
        self.console.say(&format!("cards {}", if cards.is_empty() { "none".to_owned() } else { cards.join(", ") }));
        // For people only: without the tool there is one line less.
        if let Ok(said) = self.machine.run(&Ask::new("ip", &["-4", "-o", "addr", "show", "scope", "global"], std::time::Duration::from_secs(5))) {
            for line in addresses(&said.stdout) {
                self.console.say(&line);
            }
        }
        self.console.say(&console::mode(self.cmdline.mode, None, self.cmdline.plan.as_deref()));
    }

    fn register(&self, reply: &Reply) -> After {
        let watch = Watch::new();
        let facts = self.with_heartbeats(reply.heartbeat_secs, &watch, || {
            let looks = facts::all(self.hands.disks, self.cmdline.mac);
            let step = |open: &[&str]| watch.say(|progress| progress.step = collecting(open));
            let mut partly = |facts| self.partial(&watch, facts);
            facts::collect(&self.machine, looks, self.cmdline.mac, &step, &mut partly)
        });
        for one in &facts.collectors {
            let error = one.error.as_ref().map(|error| format!(": error {error}")).unwrap_or_default();
            self.console.say(&format!("collector {} {} ms{error}", one.name, one.took_ms));
        }
        let Facts { nics, disks, memory, .. } = &facts;
        self.console.say(&format!("found {} network cards, {} disks, {} of memory", nics.len(), disks.len(), console::size(memory.size_bytes)));
        if self.is_stopped(&watch) {
            return After::nothing();
        }
        self.report(Content::Facts { facts: Box::new(facts) })
    }

    /// Sent once: the whole report comes soon.
    fn partial(&self, watch: &Watch, facts: Facts) {
        let answer = self.talk.report_once(&self.sealed(Content::Partial { facts: Box::new(facts) }));
        if answer.is_ok() {
            self.console.say("reported the first facts");
        }
        self.heed(watch, answer);
    }

    fn clean(&self, reply: &Reply, plan: &WipePlan, hash: &str) -> After {
        self.console.say(&console::mode(Mode::Clean, Some(plan.disks.len()), Some(hash)));
        for disk in &plan.disks {
            self.console.say(&format!(
                "erases {}: {} {}, {}, serial {}",
                disk.id,
                disk.name,
                disk.model,
                console::size(disk.size_bytes),
                disk.serial
            ));
        }
        for disk in &plan.left {
            self.console.say(&format!("leaves {}: {}, {}: {}", disk.id, disk.model, console::size(disk.size_bytes), disk.why));
        }
        let watch = Watch::new();
        let Outcome { results, tools, error } =
            self.with_heartbeats(reply.heartbeat_secs, &watch, || (self.hands.wipe)(&*self.machine, plan, &watch));
        for result in &results {
            let said = match (&result.error, result.ok) {
                (None, true) => "erased and verified".to_owned(),
                (error, _) => format!("NOT erased: {}", error.as_deref().unwrap_or("no reason was given")),
            };
            self.console.say(&format!("result {}: {said}", result.id));
        }
        if let Some(error) = &error {
            self.console.error(&format!("nothing was erased: {error}"));
        }
        if self.is_stopped(&watch) {
            return After::nothing();
        }
        self.report(Content::Wipe { plan_hash: hash.to_owned(), results, tools, error })
    }

    fn is_stopped(&self, watch: &Watch) -> bool {
        if watch.stopped() {
            self.console.say("stopped: nothing more is touched, nothing is reported");
        }
        watch.stopped()
    }

    /// Reports and says so. A report that the server will never take is replaced by a word about that.
    fn report(&self, content: Content) -> After {
        let report = self.sealed(content);
        let kind = kind(&report.content);
        match self.talk.report(&report) {
            Ok(reply) => {
                self.console.say(&format!("reported {kind}"));
                After { order: Some(reply), owed: None }
            }
            Err(no @ No::Denied { .. }) => {
                self.console.error(&format!("report of {kind}: {no}"));
                let is_malformed = matches!(no, No::Denied { status: 400 | 413, .. });
                if is_malformed && !matches!(report.content, Content::Failed { .. }) {
                    return self.report(Content::Failed { text: format!("The report of {kind} was not taken: {no}") });
                }
                After::nothing()
            }
            Err(no) => {
                self.console.error(&format!("report of {kind}: {no}; it is kept and sent again with every heartbeat"));
                After { order: None, owed: Some(report) }
            }
        }
    }

    /// Its id is drawn here, once.
    fn sealed(&self, content: Content) -> Report {
        Report { protocol: PROTOCOL, session: self.cmdline.session.clone(), report_id: hex_of_chance(&*self.machine, 16), content }
    }
}

/// The quick ones are gone before anybody could read their names.
fn collecting(open: &[&str]) -> String {
    if open.is_empty() { "collecting".to_owned() } else { format!("collecting: {}", open.join(", ")) }
}

fn kind(content: &Content) -> &'static str {
    match content {
        Content::Partial { .. } => "first facts",
        Content::Facts { .. } => "facts",
        Content::Wipe { .. } => "wipe",
        Content::Failed { .. } => "failure",
    }
}

/// `2: eth0    inet 10.12.0.50/24 brd …`
fn addresses(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let name = words.next()?;
        let address = words.skip_while(|word| *word != "inet").nth(1)?;
        Some(format!("address {address} on {name}"))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests;
