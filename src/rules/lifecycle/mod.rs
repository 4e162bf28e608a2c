//! The life of a host: one decision for everything that can happen to it.
//!
//! ```text
//! (event, host, who and when)  →  Go(the next host, with its row and its notes)
//!                                 Stay(nothing was wrong, nothing changed)
//!                                 Refuse(why not, and the way out)
//! ```
//! `table` is the match that names every cell; the files around it say what a cell does, by topic. `app` is the only caller, and no
//! lifecycle changes except by a `Go` from here. Nothing here looks at a clock, draws a number or sends anything.

mod build;
mod cleaning;
mod deadline;
mod entry;
pub mod event;
mod operational;
mod parts;
mod power;
mod progress;
mod registration;
mod restored;
mod service;
mod stay;
mod step;
mod table;
mod tenancy;
pub mod times;
mod why;

pub use event::{Event, Who};
pub use parts::{Clock, Health, NewBuild, NewLive, Wiped};
pub use stay::Stay;
pub use times::{Running, Times, running};
pub use why::{Why, WhyKind};

use crate::model::{Actor, Host, HostId, HostName, Mac, Role, Timestamp, What};

/// Who asks, when, and how patient the site is.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// When.
    pub now: Timestamp,
    /// The table of patience.
    pub times: &'a Times,
    /// Somebody (a management controller) carries out power tasks and tells when they are done. Otherwise people do, and the host's being
    /// heard tells.
    pub power_control: bool,
}

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub struct Go {
    /// The row of the table, `T9`.
    pub row: &'static str,
    /// The host as it is next; its version is still the old one.
    pub host: Host,
    /// What to write into the journal, in order; at least one.
    pub notes: Vec<(What, String)>,
}

impl Go {
    /// Whether the record itself goes (T33); `host` is then its last state.
    pub fn is_purge(&self) -> bool {
        self.notes.iter().any(|(what, _)| *what == What::Deleted)
    }
}

/// What an event comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The host changes.
    Go(Box<Go>),
    /// Nothing changes, and that is right.
    Stay(Stay),
    /// It may not be.
    Refuse(Why),
}

/// The next host for an event, or why not. Never changes `host.version`; the store does.
pub fn decide(event: &Event, host: &Host, ask: &Ask<'_>) -> Verdict {
    if let Some(why) = not_allowed(event, ask.actor) {
        return Verdict::Refuse(why);
    }
    let step = step::Step { host, ask, event };
    if let Some(stay) = build::repeated(&step) {
        return Verdict::Stay(stay);
    }
    match table::row(&step) {
        Ok(step::Outcome::Next(go)) => Verdict::Go(go),
        Ok(step::Outcome::Same(stay)) => Verdict::Stay(stay),
        Err(why) => Verdict::Refuse(why),
    }
}

/// T1 and O0: a host is recorded. Whether its MACs and UUID are unique is for the story, which sees the others.
pub fn created(id: HostId, name: HostName, macs: Vec<Mac>, ask: &Ask<'_>) -> Go {
    let host = Host::new(id, name, macs, ask.now);
    let text = format!("{} recorded: new, locked, disabled, offline, disks unknown", host.name);
    let transition = What::Transition { row: "T1".to_owned(), from: String::new(), to: host.lifecycle.word().to_owned() };
    Go { row: "T1", host, notes: vec![(What::Created, text.clone()), (transition, text)] }
}

/// Whether this actor may cause this event at all.
fn not_allowed(event: &Event, actor: &Actor) -> Option<Why> {
    let wrong = Why::WrongActor { event: event.word(), by: event.who() };
    let role = |role| (!actor.is_at_least(role)).then(|| Why::RoleTooLow { event: event.word(), role });
    match (event.who(), actor) {
        (Who::Operator | Who::OperatorOrServer | Who::Anyone, Actor::Operator { .. }) => role(Role::Operator),
        (Who::Admin, Actor::Operator { .. }) => role(Role::Admin),
        (Who::Host | Who::Anyone, Actor::Host { .. }) | (Who::Server | Who::OperatorOrServer | Who::Anyone, Actor::Server) => None,
        (Who::Operator | Who::Admin | Who::OperatorOrServer | Who::Server, Actor::Host { .. })
        | (Who::Operator | Who::Admin | Who::Host, Actor::Server)
        | (Who::Host | Who::Server, Actor::Operator { .. }) => Some(wrong),
    }
}
