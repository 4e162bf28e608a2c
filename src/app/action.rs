//! An operator's verb on a host: every transition of the lifecycle that somebody asks for, and the holds.
//!
//! The verbs are words of the API and the command line; what they may do is `rules::lifecycle`'s to say. A verb that would need the live image is
//! refused while there is none; one that would wipe is carried out only for the plan that its caller has seen (`app::wipe`).

use std::sync::Arc;

use serde::Deserialize;

use super::{House, Refusal, Told, answer::is_version, duty};
use crate::{
    model::{Actor, Deadlines, DiskId, Host, PowerState, Stage, Then, Timestamp, WipePlan, WipePolicy},
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
    /// How thoroughly the disks are wiped (`release`, `clean`, `retry_clean`, `delete`); left out: `clear`, or as the wipe that failed.
    pub policy: Option<WipePolicy>,
    /// Foreign disks that are to be wiped nevertheless, by their ids (the same verbs).
    #[schema(value_type = Vec<String>)]
    pub include: Vec<DiskId>,
    /// The hash of the plan that was looked at: its 64 digits, or the first 12 or more (the same verbs).
    pub plan_hash: Option<String>,
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
pub const VERBS: [&str; 27] = [
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
    "retry_clean",
    "delete",
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
        let event = match duty::event_of(verb, words, &*self.find(key)?)? {
            Some(event) => event,
            None => self.event_of(verb, words, self.new_live(None, None))?,
        };
        let find = |house: &Self| house.find(key);
        self.draft(actor, find, |draft| {
            is_version(&draft.seen, version)?;
            if wipes(&event) {
                return Ok(self.begin_wipe(draft, words, &|live| self.event_of(verb, words, live))?);
            }
            draft.event(&event).map_err(Refusal::Lifecycle)?;
            self.live_image_or_refusal(&draft.seen, &draft.host).inspect_err(|_| draft.forget())?;
            Ok(())
        })
        .await?;
        self.find(key)
    }

    fn event_of(&self, verb: &str, words: &Words, live: NewLive) -> Result<Event, Refusal> {
        let Words { confirm, reason, notes, user, until, then, force, touched, abandon, .. } = words.clone();
        let why = reason.clone().unwrap_or_default();
        Ok(match verb {
            "register" => Event::RegisterStart(live),
            "cancel_register" => Event::RegisterCancel,
            "available" => Event::MarkAvailable,
            "unavailable" => Event::MarkUnavailable,
            "reserve" => Event::Reserve { user: user.ok_or_else(|| missing("for", "say for whom the host is reserved"))?, until },
            "unreserve" => Event::Unreserve,
            "adopt" => Event::Adopt { confirm },
            "waive" => Event::WaiveDisks { why: needed(why, "say why these disks need no wipe")?, confirm },
            "release" => Event::Release { then: then.unwrap_or(Then::Unavailable), confirm, live },
            "clean" => Event::CleanStart { then: then.unwrap_or(Then::Unavailable), confirm, live },
            "retry_clean" => Event::CleanRetry(live),
            "delete" => Event::Delete { confirm, live },
            "cancel_clean" => Event::CleanCancel,
            "reregister" => Event::Reregister(live),
            "maintenance" => Event::MaintenanceStart { confirm },
            "end_maintenance" => Event::MaintenanceEnd { touched, live },
            "defective" => {
                let reason = needed(why, "say what is defective, in a word or two")?;
                Event::MarkDefective { reason, notes: notes.unwrap_or_default(), abandon }
            }
            "repaired" => Event::Repaired(live),
            "resolve" => Event::Resolve,
            "decommission" => Event::Decommission { force, reason },
            "remove_from_rack" => Event::RemoveFromRack { force, reason },
            "lock" => Event::AdminLock { force, confirm },
            "unlock" => Event::AdminUnlock,
            "freeze" => Event::Freeze { why: needed(why, "say why the host is frozen")? },
            "unfreeze" => Event::Unfreeze,
            "protect" => Event::Protect,
            "unprotect" => Event::Unprotect,
            other => return Err(Refusal::Unknown { noun: "verb", name: other.to_owned() }),
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

/// Whether an event begins a wipe, if the lifecycle lets it.
const fn wipes(event: &Event) -> bool {
    matches!(event, Event::Release { .. } | Event::CleanStart { .. } | Event::CleanRetry(_) | Event::Delete { .. })
}

pub(super) fn missing(field: &str, text: &str) -> Refusal {
    Refusal::Invalid { field: field.into(), text: text.into() }
}

pub(super) fn needed(reason: String, text: &str) -> Result<String, Refusal> {
    if reason.trim().is_empty() { Err(missing("reason", text)) } else { Ok(reason) }
}
