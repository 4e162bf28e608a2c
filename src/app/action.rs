//! An operator's verb on a host: every transition of the lifecycle that somebody asks for, and the holds.
//!
//! The verbs are words of the API and the command line; what they may do is `rules::lifecycle`'s to say. A verb that would need the live image is
//! refused while there is none.

use std::sync::Arc;

use serde::Deserialize;

use super::{House, Refusal, Told, answer::is_version, duty};
use crate::{
    model::{Actor, BuildId, Deadlines, Host, PowerState, Stage, Then, Timestamp, WipePlan},
    rules::lifecycle::{Event, NewLive},
};

/// What comes with a verb; which fields matter is the verb's business.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// The host's name, typed again.
    pub confirm: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Anything else worth knowing.
    pub notes: Option<String>,
    /// For whom (`reserve`).
    #[serde(rename = "for")]
    pub user: Option<String>,
    /// Until when (`reserve`).
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// What it becomes (`release`, `clean`).
    pub then: Option<Then>,
    /// Without draining, or although the disks are not clean.
    pub force: bool,
    /// Parts were touched (`end_maintenance`).
    pub touched: bool,
    /// Give up a wipe that runs (`defective`).
    pub abandon: bool,
    /// What the power is (`power`).
    pub power: Option<PowerState>,
    /// Which stage was reached (`report_stage`).
    pub stage: Option<Stage>,
}

/// Every verb of this file, as the API and the command line spell it; the others are `duty`'s.
pub const VERBS: [&str; 25] = [
    "register",
    "cancel_register",
    "available",
    "unavailable",
    "reserve",
    "unreserve",
    "adopt",
    "waive",
    "release",
    "clean",
    "cancel_clean",
    "reregister",
    "maintenance",
    "end_maintenance",
    "defective",
    "repaired",
    "resolve",
    "decommission",
    "remove_from_rack",
    "lock",
    "unlock",
    "freeze",
    "unfreeze",
    "protect",
    "unprotect",
];

impl House {
    /// Carries out a verb.
    pub async fn act(&self, actor: &Actor, key: &str, version: Option<u64>, verb: &str, words: &Words) -> Told<Arc<Host>> {
        let newest = self.find(key)?.build.as_ref().map(|build| build.id);
        let event = self.event_of(verb, words, newest)?;
        let find = |house: &Self| house.find(key);
        self.draft(actor, find, |draft| {
            is_version(&draft.seen, version)?;
            draft.event(&event).map_err(Refusal::Lifecycle)?;
            self.live_image_or_refusal(&draft.seen, &draft.host).inspect_err(|_| draft.forget())?;
            Ok(())
        })
        .await?;
        self.find(key)
    }

    fn event_of(&self, verb: &str, words: &Words, newest: Option<BuildId>) -> Result<Event, Refusal> {
        let Words { confirm, reason, notes, user, until, then, force, touched, abandon, .. } = words.clone();
        let live = || self.new_live(None, None);
        // The wipe plan comes with `rules::wipe`; without one the lifecycle refuses.
        let wipe = live;
        let why = reason.clone().unwrap_or_default();
        Ok(match verb {
            "register" => Event::RegisterStart(live()),
            "cancel_register" => Event::RegisterCancel,
            "available" => Event::MarkAvailable,
            "unavailable" => Event::MarkUnavailable,
            "reserve" => Event::Reserve { user: user.ok_or_else(|| missing("for", "say for whom the host is reserved"))?, until },
            "unreserve" => Event::Unreserve,
            "adopt" => Event::Adopt { confirm },
            "waive" => Event::WaiveDisks { why: needed(why, "say why these disks need no wipe")?, confirm },
            "release" => Event::Release { then: then.unwrap_or(Then::Unavailable), confirm, live: wipe() },
            "clean" => Event::CleanStart { then: then.unwrap_or(Then::Unavailable), confirm, live: wipe() },
            "cancel_clean" => Event::CleanCancel,
            "reregister" => Event::Reregister(live()),
            "maintenance" => Event::MaintenanceStart { confirm },
            "end_maintenance" => Event::MaintenanceEnd { touched, live: live() },
            "defective" => {
                let reason = needed(why, "say what is defective, in a word or two")?;
                Event::MarkDefective { reason, notes: notes.unwrap_or_default(), abandon }
            }
            "repaired" => Event::Repaired(live()),
            "resolve" => Event::Resolve,
            "decommission" => Event::Decommission { force, reason },
            "remove_from_rack" => Event::RemoveFromRack { force, reason },
            "lock" => Event::AdminLock { force, confirm },
            "unlock" => Event::AdminUnlock,
            "freeze" => Event::Freeze { why: needed(why, "say why the host is frozen")? },
            "unfreeze" => Event::Unfreeze,
            "protect" => Event::Protect,
            "unprotect" => Event::Unprotect,
            other => return duty::event_of(other, words, newest),
        })
    }
}

impl House {
    /// A run of the live image that may be started; its token follows from its id.
    pub(super) fn new_live(&self, plan: Option<Box<WipePlan>>, deadlines: Option<Deadlines>) -> NewLive {
        let id = self.world.live_id();
        NewLive { id, token_hash: self.keys.live_token(id).hash(), plan, deadlines }
    }
}

pub(super) fn missing(field: &str, text: &str) -> Refusal {
    Refusal::Invalid { field: field.into(), text: text.into() }
}

pub(super) fn needed(reason: String, text: &str) -> Result<String, Refusal> {
    if reason.trim().is_empty() { Err(missing("reason", text)) } else { Ok(reason) }
}
