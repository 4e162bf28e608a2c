//! The end of a registration: the facts are judged, the machine's identity is completed, the lifecycle moves (T3, T3a, T15), and rules
//! give a fresh host what nobody has set.
//!
//! The caller has proven that the report is this run's. Nothing here talks to the agent.

use super::{House, Refusal, Told, draft::Draft};
use crate::{
    model::Facts,
    rules::{facts, lifecycle::Event},
};

impl House {
    /// Takes a whole report in, whose token the caller has proven.
    #[allow(dead_code, reason = "called by the story of the agent")]
    pub(super) fn registered(&self, draft: &mut Draft<'_>, facts: Box<Facts>) -> Told<()> {
        let judged = facts::judge(&facts, draft.host.facts.as_deref());
        let event =
            Event::RegisterReport { facts, token_ok: true, complete: judged.missing.is_empty(), changes: judged.changes, auto_available: false };
        draft.event(&event).map_err(Refusal::Lifecycle)?;
        Ok(())
    }
}
