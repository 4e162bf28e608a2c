//! Verbs on a host at work: its power, its health, what somebody saw of its build, and faults.
//!
//! The daemon switches and pings nothing by itself. An operator asks for what people then do, and whoever watches a host (a monitor, an
//! importer of images) tells what he saw; what follows from either is `rules::lifecycle`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    House, Refusal, Told,
    action::{Words, missing, needed},
};
use crate::{
    model::{Actor, Host},
    rules::lifecycle::{self, Event},
};

/// Every verb of this file, as the API and the command line spell it.
pub const VERBS: [&str; 10] =
    ["start", "stop", "restart", "force_restart", "task_done", "power", "fault", "report_stage", "report_built", "report_failed"];

/// What a monitor says of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "health", deny_unknown_fields)]
pub enum Report {
    /// Every test passed.
    Passed,
    /// Something failed that the service can live without.
    Degraded,
    /// Something failed that it cannot live without.
    Failed,
    /// So many heartbeats in a row did not come.
    Missed {
        /// How many.
        count: u32,
    },
    /// Nothing was heard of it.
    Lost {
        /// For so many seconds.
        quiet_secs: u64,
    },
}

impl Report {
    /// The lifecycle's events for it, in order. Whoever is tested was heard.
    fn events(self) -> Vec<Event> {
        let tested = |health| vec![Event::Contact { tested: true, booted: false }, Event::Health(health)];
        match self {
            Self::Passed => tested(lifecycle::Health::Passed),
            Self::Degraded => tested(lifecycle::Health::SomeFailed),
            Self::Failed => tested(lifecycle::Health::CriticalFailed),
            Self::Missed { count } => vec![Event::Health(lifecycle::Health::Missed(count))],
            Self::Lost { quiet_secs } => vec![Event::ContactLost { quiet_secs }],
        }
    }
}

impl House {
    /// Takes a health report in.
    pub async fn report_health(&self, actor: &Actor, key: &str, report: Report) -> Told<Arc<Host>> {
        let find = |house: &Self| house.find(key);
        self.draft(actor, find, |draft| {
            for event in report.events() {
                draft.event(&event).map_err(Refusal::Lifecycle)?;
            }
            Ok(())
        })
        .await?;
        self.find(key)
    }
}

/// The event of a verb, if it is one of [`VERBS`]. An operator speaks for the newest build: his own token is the proof.
pub(super) fn event_of(verb: &str, words: &Words, host: &Host) -> Result<Option<Event>, Refusal> {
    let why = words.reason.clone().unwrap_or_default();
    let build = || host.build.as_ref().map(|build| build.id).ok_or_else(|| missing("host", "it has no build; enable one first (T9, T13)"));
    let token_ok = true;
    Ok(Some(match verb {
        "start" => Event::Start,
        "stop" => Event::Stop,
        "restart" => Event::Restart,
        "force_restart" => Event::ForceRestart,
        "task_done" => Event::TaskDone { kind: None },
        "power" => {
            let power = words.power.ok_or_else(|| missing("power", "say what the power is: on, off, powering_on, powering_off or unknown"))?;
            Event::PowerRead { power, steady_secs: u64::MAX, mass: false }
        }
        "fault" => Event::Fault { text: needed(why, "say what is broken")? },
        "report_stage" => {
            let stage =
                words.stage.ok_or_else(|| missing("stage", "say which stage was reached: vm_requested, vm_created, ssh_started, installing …"))?;
            let evidence = if why.is_empty() { "told by an operator".to_owned() } else { why };
            Event::StageSeen { stage, evidence, build: build()? }
        }
        "report_built" => Event::Built { build: build()?, token_ok, text: why },
        "report_failed" => Event::BuildFailed { build: build()?, token_ok, text: needed(why, "say what failed")? },
        _ => return Ok(None),
    }))
}
