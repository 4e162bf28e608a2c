//! What facts say about which machine this is: cards that nobody recorded, the board's UUID and serial number, and what contradicts the
//! record or belongs to somebody else.
//!
//! A record only gains by it: what an operator or an earlier registration wrote stays, and a contradiction is raised, not settled by force.
//! Who asks on the wire is `rules::identity`; here the machine itself has spoken, with its run's token.

use super::{cards, has_one_of};
use crate::{
    model::{Facts, Host, HostId, IssueKind, Mac, SmbiosUuid},
    rules::identity,
};

/// A host's identity after a registration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Its cards: the recorded ones, then the new ones.
    pub macs: Vec<Mac>,
    /// Its board.
    pub uuid: Option<SmbiosUuid>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Issues to raise on it, a sentence each.
    pub issues: Vec<(IssueKind, String)>,
    /// Issues that this registration has settled.
    pub settled: Vec<IssueKind>,
    /// Other hosts to raise an issue on.
    pub clashes: Vec<Clash>,
    /// What was learned, a sentence each.
    pub learned: Vec<String>,
}

/// What another host has to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Which host.
    pub host: HostId,
    /// The issue.
    pub kind: IssueKind,
    /// One sentence.
    pub text: String,
}

/// What the facts make of the host's identity. `others` must include every host that has one of the machine's addresses or its UUID.
pub fn identify(host: &Host, facts: &Facts, others: &[&Host]) -> Identity {
    let mut found = Identity { macs: host.macs.clone(), uuid: host.uuid, serial: host.serial.clone(), ..Identity::default() };
    if !is_this(host, facts) {
        let seen = facts.system.uuid.map_or_else(|| "without a UUID".to_owned(), |uuid| uuid.to_string());
        let text = format!(
            "None of its recorded cards is in the machine that registered (board {seen}); correct its record, or register the right machine."
        );
        found.issues.push((IssueKind::UuidMismatch, text));
        return found;
    }
    let others: Vec<&Host> = others.iter().copied().filter(|other| other.id != host.id).collect();
    found.cards(host, facts, &others);
    found.board(host, facts, &others);
    found.number(facts);
    if !found.issues.iter().any(|(kind, _)| *kind == IssueKind::DuplicateMac) {
        found.settled.push(IssueKind::DuplicateMac);
    }
    found
}

/// Whether a recorded card or the recorded board is in the machine: otherwise it is another one, and nothing of it is learned.
fn is_this(host: &Host, facts: &Facts) -> bool {
    let board = matches!((host.uuid, facts.system.uuid), (Some(recorded), Some(seen)) if identity::same_board(recorded, seen));
    board || host.macs.is_empty() || has_one_of(facts, &host.macs)
}

impl Identity {
    fn cards(&mut self, host: &Host, facts: &Facts, others: &[&Host]) {
        let mut taken: Vec<(&Host, Mac)> = Vec::new();
        for mac in cards(facts) {
            match others.iter().find(|other| other.macs.contains(&mac)) {
                Some(other) => taken.push((other, mac)),
                None if self.macs.contains(&mac) => {}
                None => {
                    self.macs.push(mac);
                    self.learned.push(format!("network card {mac} is new to its record"));
                }
            }
        }
        let mut told: Vec<String> = Vec::new();
        for (other, mac) in taken {
            told.push(format!("{mac} is recorded for {}", other.name));
            let text =
                format!("Its network card {mac} is inside {}, as that machine's registration found; correct one of the two records.", host.name);
            self.clashes.push(Clash { host: other.id, kind: IssueKind::DuplicateMac, text });
        }
        if !told.is_empty() {
            let text = format!("Its network cards belong to another host: {}; correct one of the records and register again.", told.join(", "));
            self.issues.push((IssueKind::DuplicateMac, text));
        }
    }

    fn board(&mut self, host: &Host, facts: &Facts, others: &[&Host]) {
        let Some(seen) = facts.system.uuid.filter(|uuid| identity::is_own_board(*uuid)) else { return };
        match host.uuid {
            Some(recorded) if identity::same_board(recorded, seen) => self.settled.push(IssueKind::UuidMismatch),
            Some(recorded) => {
                let text =
                    format!("It is recorded with board {recorded}, but registered from board {seen}; if the board was changed, edit its uuid.");
                self.issues.push((IssueKind::UuidMismatch, text));
            }
            None => match others.iter().find(|other| other.uuid.is_some_and(|uuid| identity::same_board(uuid, seen))) {
                Some(other) => self.twice(host, other, seen),
                None => {
                    self.uuid = Some(seen);
                    self.settled.push(IssueKind::UuidMismatch);
                    self.learned.push(format!("its board is {seen}"));
                }
            },
        }
    }

    /// One machine with two records; the word for that is the one of a card with two records.
    fn twice(&mut self, host: &Host, other: &Host, seen: SmbiosUuid) {
        let text = |one: &Host| format!("Its board {seen} is recorded for {}, too: one machine with two records; remove one of them.", one.name);
        let kind = IssueKind::DuplicateMac;
        match self.issues.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, told)) => *told = format!("{told} {}", text(other)),
            None => self.issues.push((kind, text(other))),
        }
        if !self.clashes.iter().any(|clash| clash.host == other.id) {
            self.clashes.push(Clash { host: other.id, kind, text: text(host) });
        }
    }

    fn number(&mut self, facts: &Facts) {
        let seen: String = facts.system.serial.trim().chars().filter(|c| !c.is_control()).take(128).collect();
        if !identity::is_serial(&seen) {
            return;
        }
        match self.serial.as_deref().map(str::trim) {
            None | Some("") => {
                self.learned.push(format!("its serial number is {seen}"));
                self.serial = Some(seen);
            }
            Some(recorded) if recorded != seen => {
                self.learned.push(format!("it says that its serial number is {seen}; {recorded} is recorded and stays"));
            }
            Some(_) => {}
        }
    }
}
