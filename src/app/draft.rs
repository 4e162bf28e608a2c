//! A draft: a copy of a host on which the rules are tried one after the other, with the journal facts they bring. Nothing is real until
//! `House::save` has it.
//!
//! Every story that changes a host because of traffic works on one: signs go to `rules::session`, circles to `rules::loops`, stages and
//! callbacks to `rules::lifecycle`.

use std::sync::Arc;

use super::{
    Fault, Told,
    house::{House, Pen, Saved, TRIES},
    who::Doubt,
};
use crate::{
    model::{Actor, Fact, Host, HostId, LoopPolicy, Opener, SessionId, Timestamp, What},
    rules::{
        lifecycle::{self, Ask, Event, Verdict, Why},
        loops::{self, Judged},
        session::{self, Observed, Sign},
    },
    store::{Body, View, Writes},
};

/// A host as it may become.
pub struct Draft<'h> {
    house: &'h House,
    /// The host as it was read.
    pub seen: Arc<Host>,
    /// The host as it would be.
    pub host: Host,
    /// What would stand in the journal.
    pub facts: Vec<Fact>,
    /// Whether the record itself goes (T33).
    pub purged: bool,
    /// Bodies to keep.
    pub bodies: Vec<Body>,
    /// What came to light about other hosts: raised on them in the same transaction.
    pub beside: Vec<(HostId, Doubt)>,
    actor: Actor,
    now: Timestamp,
}

impl<'h> Draft<'h> {
    /// A draft of `seen`, changed by `actor`.
    pub fn of(house: &'h House, seen: Arc<Host>, actor: Actor, now: Timestamp) -> Self {
        Self { house, host: Host::clone(&seen), seen, facts: Vec::new(), purged: false, bodies: Vec::new(), beside: Vec::new(), actor, now }
    }

    /// Notes a fact.
    pub fn note(&mut self, what: What, text: impl Into<String>) {
        let fact = Pen::new(self.actor.clone(), self.now).of(&self.host).write(what, text);
        self.facts.push(fact);
    }

    /// Puts a sign into the host's boot sessions. The answer's host is the one before: the one after is drafted.
    pub fn observe(&mut self, sign: &Sign, policy: LoopPolicy) -> Observed {
        self.observe_asking(sign, None, policy)
    }

    /// Puts a sign into the host's boot sessions and judges it: a session that opens, and the template that is asked for, if one is.
    /// The answer's host is the one before.
    pub fn observe_asking(&mut self, sign: &Sign, document: Option<&str>, policy: LoopPolicy) -> Observed {
        let mut observed = session::observe(&self.host, sign, self.house.world.session_id(), self.now);
        std::mem::swap(&mut self.host, &mut observed.host);
        if let (true, Some(session)) = (observed.opened, observed.session) {
            let how = self.host.session().map_or("unknown", |session| opener(session.opener));
            self.note(What::SessionOpened, format!("boot session {session} opened by {how}"));
        }
        // A machine that boots, or whose system asks for an address, is there (O1); whether that moves anything is the table's to say.
        // A renewed lease shows that it runs, everything else that it began to.
        let booted = observed.opened || matches!(sign, Sign::OtherDhcp { renewal: false, .. });
        if booted || matches!(sign, Sign::OtherDhcp { .. }) {
            self.advance(&Event::Contact { tested: false, booted });
        }
        if let Some(session) = observed.session {
            let judged = loops::on_sign(&self.host, session, observed.opened, document, policy, self.now);
            self.judge(judged, session);
        }
        observed
    }

    /// Takes a verdict over templates or sessions in: a circle goes through the lifecycle, everything else only updates the tally.
    /// Whether the host is in a circle.
    pub fn judge(&mut self, judged: Judged, session: SessionId) -> bool {
        let Some(found) = judged.found().cloned() else {
            self.host = judged.host;
            return false;
        };
        self.advance(&found.event(session));
        true
    }

    /// Raises the issue that speaks against the host being this one; a line in the journal where that is new.
    pub fn doubt(&mut self, doubt: &Doubt) {
        let before = self.host.issues.clone();
        self.host.raise(doubt.issue, doubt.text.clone(), self.now);
        if self.host.issues != before {
            self.note(What::Warning { word: "identity_conflict".into() }, doubt.text.clone());
        }
    }

    /// Lets the lifecycle decide on one event; whether the host moved.
    pub fn event(&mut self, event: &Event) -> Result<bool, Why> {
        // There is no power driver yet, so nobody but people switches a machine.
        let ask = Ask { actor: &self.actor, now: self.now, times: &self.house.times, power_control: false };
        match lifecycle::decide(event, &self.host, &ask) {
            Verdict::Refuse(why) => Err(why),
            Verdict::Stay(_) => Ok(false),
            Verdict::Go(go) => {
                self.purged |= go.is_purge();
                self.host = go.host;
                for (what, text) in go.notes {
                    self.note(what, text);
                }
                Ok(true)
            }
        }
    }

    /// Lets the lifecycle decide where its "no" is worth a line in the journal and nothing more.
    pub fn advance(&mut self, event: &Event) {
        if let Err(why) = self.event(event) {
            self.note(What::Refused { why: why.code().into() }, why.to_string());
        }
    }

    /// Forgets everything that was drafted.
    pub fn forget(&mut self) {
        self.host = Host::clone(&self.seen);
        self.facts.clear();
        self.purged = false;
        self.bodies.clear();
        self.beside.clear();
    }

    /// Makes it real, if the host is still as it was read.
    pub async fn save(mut self) -> Result<Saved, Fault> {
        if self.host == *self.seen && self.facts.is_empty() {
            return Ok(Saved::Done(Vec::new()));
        }
        if self.facts.is_empty() {
            // A session that was only heard of, a boot that was excused: every change of a host has a line.
            self.note(What::Seen { protocol: "http".into() }, "it asked, and its boot session was brought up to date");
        }
        let deleted = if self.purged { vec![self.seen.id] } else { Vec::new() };
        let next = (!self.purged).then_some(self.host);
        let writes = Writes { facts: self.facts, bodies: self.bodies, deleted, ..Writes::default() };
        let pen = Pen::new(self.actor, self.now);
        let now = self.now;
        self.house.save_with(&self.seen, next, writes, move |view, writes| raise(&self.beside, view, &pen, now, writes)).await
    }
}

/// Raises doubts on other hosts as they are now, where that is news.
fn raise(beside: &[(HostId, Doubt)], view: &View<'_>, pen: &Pen, now: Timestamp, writes: &mut Writes) {
    for (id, doubt) in beside {
        let Some(seen) = view.host(*id).filter(|host| !writes.hosts.iter().any(|next| next.id == host.id)) else { continue };
        let mut host = Host::clone(seen);
        host.raise(doubt.issue, doubt.text.clone(), now);
        if host != **seen {
            writes.facts.push(pen.clone().of(&host).write(What::Warning { word: "identity_conflict".into() }, doubt.text.clone()));
            writes.hosts.push(host);
        }
    }
}

const fn opener(opener: Opener) -> &'static str {
    match opener {
        Opener::Firmware => "a firmware's DHCP request",
        Opener::Ipxe => "an iPXE's DHCP request",
        Opener::Http => "an HTTP request without a session",
    }
}

impl House {
    /// Reads a host, drafts what `tell` says, saves it; again from the beginning if somebody changed the host meanwhile.
    pub async fn draft<R>(&self, actor: &Actor, find: impl Fn(&Self) -> Told<Arc<Host>>, tell: impl Fn(&mut Draft<'_>) -> Told<R>) -> Told<R> {
        for _ in 0..TRIES {
            let mut draft = Draft::of(self, find(self)?, actor.clone(), self.now());
            let told = tell(&mut draft);
            // A refusal may have left facts worth keeping: they are saved before it is told.
            if let Saved::Done(_) = draft.save().await? {
                return told;
            }
        }
        Err(Fault::Contended(TRIES).into())
    }
}
