//! A stranger becomes a host: on a network that takes in unknown machines a record is made (T1), and where the network says so registration
//! begins with it (T2).
//!
//! What asks is not proven, so a record is all that comes of it, and there are only so many: [`MOST`] of one network that were never registered.
//! Beyond that, as with whatever contradicts itself, a stranger stays a stranger. Two requests at once make one record, because the writer
//! looks again.

use std::sync::Arc;

use super::{
    Fault, House, Told,
    house::Pen,
    pace::{self, Key},
    script::ScriptAsk,
};
use crate::{
    model::{Actor, AutoEnroll, Fact, Host, HostId, Lifecycle, Mac, Network, SmbiosUuid, Timestamp, What},
    rules::{
        identity::{self, Claim},
        lifecycle::{self, Ask, Event, NewLive, Verdict},
        naming::{self, Stranger},
    },
    store::{View, Writes},
};

/// Hosts of one network that were recorded here and never registered.
pub const MOST: usize = 1024;

/// What the writer made of a stranger.
enum Made {
    /// This host is its record, new or not.
    Host(HostId),
    /// None is made: the word and the sentence why.
    Not(&'static str, String),
}

/// Everything that the writer needs.
struct Enrolment {
    mac: Mac,
    uuid: Option<SmbiosUuid>,
    serial: Option<String>,
    from: String,
    network: Network,
    id: HostId,
    /// The run to begin, or why none begins.
    live: Result<NewLive, String>,
    times: lifecycle::Times,
    now: Timestamp,
}

impl House {
    /// The record made for a stranger that asks for its script on `network`; `None` where none is made.
    pub(super) async fn enroll(&self, ask: &ScriptAsk, network: &Network) -> Told<Option<Arc<Host>>> {
        if network.auto_enroll == AutoEnroll::Off {
            return Ok(None);
        }
        let Some(mac) = ask.mac.or_else(|| self.book().holder(ask.peer)) else {
            self.not_enrolled(network, None, "no_mac", "a stranger asks without its MAC address and has no lease here: no record can be made")
                .await?;
            return Ok(None);
        };
        if !self.paces(Key::Enrolment(network.subnet.network())) {
            let text = format!("strangers come faster than {} a second; {mac} is not recorded now and may ask again", pace::ENROLMENTS.rate());
            self.not_enrolled(network, Some(mac), "enrolment_pace", &text).await?;
            return Ok(None);
        }
        let enrolment = Enrolment {
            mac,
            uuid: ask.uuid.filter(|uuid| identity::is_own_board(*uuid)),
            serial: ask.serial.as_deref().map(plain).filter(|serial| identity::is_serial(serial)),
            from: ask.peer.to_string(),
            network: network.clone(),
            id: self.world.host_id(),
            live: self.live_for_stranger(network),
            times: self.times.clone(),
            now: self.now(),
        };
        match self.change(move |view| enrolment.write(view)).await? {
            Made::Host(id) => Ok(self.store.host(id)?),
            Made::Not(why, text) => {
                self.not_enrolled(network, Some(mac), why, &text).await?;
                Ok(None)
            }
        }
    }

    /// What would become of a stranger with this card on that network, in a sentence; nothing is changed.
    pub(super) fn would_enroll(&self, mac: Mac, network: &Network) -> Told<String> {
        let hosts = self.store.hosts()?;
        let name = || {
            let taken = |name: &str| hosts.iter().any(|host| host.name.as_ref() == name);
            naming::name(network.naming.as_deref(), &Stranger { mac, serial: None, uuid: None }, &taken)
        };
        if network.auto_enroll != AutoEnroll::Off && hosts.iter().filter(|host| never_registered(host, network)).count() >= MOST {
            return Ok(full(network));
        }
        Ok(match (network.auto_enroll, self.live_for_stranger(network)) {
            (AutoEnroll::Off, _) => "it stays a stranger (auto_enroll: off)".to_owned(),
            (AutoEnroll::Ask, _) => format!("it would be recorded as {}, and an operator decides about it (auto_enroll: ask)", name()),
            (AutoEnroll::On, Ok(_)) => format!("it would be recorded as {} and registered by the live image (auto_enroll: on)", name()),
            (AutoEnroll::On, Err(why)) => format!("it stays a stranger until it can be registered (auto_enroll: on): {why}"),
        })
    }

    /// The run to begin, where the network wants one and it can begin.
    fn live_for_stranger(&self, network: &Network) -> Result<NewLive, String> {
        if network.auto_enroll != AutoEnroll::On {
            return Err(format!("network {} leaves that to an operator", network.name));
        }
        // Whether there is a live image is one question for everybody who would need it.
        self.live_image_for(Lifecycle::Registering.word()).map_err(|refusal| refusal.to_string())?;
        Ok(self.new_live(None, None))
    }

    /// A line in the journal for it, once a minute: it comes as fast as anybody asks.
    async fn not_enrolled(&self, network: &Network, mac: Option<Mac>, why: &str, text: &str) -> Result<(), Fault> {
        if !self.paces(Key::NotEnrolled(network.subnet.network())) {
            return Ok(());
        }
        let pen = mac.into_iter().fold(Pen::new(Actor::Server, self.now()), Pen::mac);
        self.record(vec![pen.write(What::Refused { why: why.into() }, text)]).await
    }
}

impl Enrolment {
    fn write(self, view: &View<'_>) -> (Writes, Made) {
        let hosts: Vec<&Host> = view.hosts().map(AsRef::as_ref).collect();
        let claim = Claim { macs: &[self.mac], uuid: self.uuid, serial: self.serial.as_deref() };
        match identity::which(&claim, &hosts) {
            identity::Verdict::Host { id, .. } => return (Writes::default(), Made::Host(id)),
            identity::Verdict::Conflict(conflict) => return (Writes::default(), Made::Not("identity_conflict", conflict.to_string())),
            identity::Verdict::Unknown => {}
        }
        if hosts.iter().filter(|host| never_registered(host, &self.network)).count() >= MOST {
            return (Writes::default(), Made::Not("enrolment_full", full(&self.network)));
        }
        let (host, facts) = self.record(view);
        let made = Made::Host(host.id);
        (Writes { hosts: vec![host], facts, ..Writes::default() }, made)
    }

    /// T1, and T2 behind it: both or neither.
    fn record(&self, view: &View<'_>) -> (Host, Vec<Fact>) {
        let ask = Ask { actor: &Actor::Server, now: self.now, times: &self.times, power_control: false };
        let stranger = Stranger { mac: self.mac, serial: self.serial.as_deref(), uuid: self.uuid };
        let name = naming::name(self.network.naming.as_deref(), &stranger, &|name| view.by_name(name).is_some());
        let created = lifecycle::created(self.id, name, vec![self.mac], &ask);
        let mut host = created.host;
        (host.uuid, host.serial) = (self.uuid, self.serial.clone());
        (host.network, host.enrolled) = (Some(self.network.name.clone()), true);
        let seen = format!("unknown machine on network {} at {}: MAC {}{}", self.network.name, self.from, self.mac, self.shows());
        let pen = Pen::new(Actor::Server, self.now).of(&host).mac(self.mac);
        let mut facts: Vec<Fact> = created.notes.into_iter().map(|(what, text)| pen.write(what, format!("{text}; {seen}"))).collect();
        match self.live.as_ref().map(|live| lifecycle::decide(&Event::RegisterStart(live.clone()), &host, &ask)) {
            Ok(Verdict::Go(go)) => {
                host = go.host;
                facts.extend(go.notes.into_iter().map(|(what, text)| pen.write(what, text)));
            }
            Ok(Verdict::Stay(_)) => {}
            Ok(Verdict::Refuse(why)) => facts.push(pen.write(What::Refused { why: why.code().into() }, why.to_string())),
            Err(why) if self.network.auto_enroll == AutoEnroll::On => {
                facts.push(pen.write(What::Refused { why: "no_live_image".into() }, format!("registration does not begin: {why}")));
            }
            Err(_) => {}
        }
        (host, facts)
    }

    fn shows(&self) -> String {
        let uuid = self.uuid.map(|uuid| format!(", UUID {uuid}"));
        let serial = self.serial.as_ref().map(|serial| format!(", serial number {serial}"));
        uuid.into_iter().chain(serial).collect()
    }
}

/// A record that was made here and that nothing ever proved.
fn never_registered(host: &Host, network: &Network) -> bool {
    host.enrolled
        && host.facts.is_none()
        && host.network.as_ref() == Some(&network.name)
        && matches!(host.lifecycle, Lifecycle::New | Lifecycle::Registering)
}

fn full(network: &Network) -> String {
    format!(
        "network {} has {MOST} recorded machines that never registered; remove those that are not there, then strangers are taken in again",
        network.name
    )
}

/// What a machine wrote, short and on one line.
fn plain(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(128).collect()
}

#[cfg(test)]
mod tests;
