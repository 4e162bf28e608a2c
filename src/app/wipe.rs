//! The wipe's two stories beside the verbs: the plan that somebody asks to see, and the report that ends a run.
//!
//! A plan is made anew from the facts each time; what makes it the same one is its hash. A report changes the host and leaves one certificate per
//! planned disk, good or bad, in the same transaction: their bytes by their hash, the hash in the journal. Who may report is `app::agent`'s to say.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use super::{Failure, House, Refusal, Told, action::Words, draft::Draft};
use crate::{
    model::{
        Certificate, DiskId, DiskResult, Entry, Host, HostId, Lifecycle, LiveMode, PlannedDisk, What, WipePlan, WipePolicy, lifecycle::ErrorFrom,
        token::sha256_hex,
    },
    rules::{
        lifecycle::{Event, NewLive, Why, Wiped},
        wipe::{self, NoPlan, Paper},
    },
    store::{Body, JournalFilter},
};

/// Digits of a plan's hash that tell it from every other plan that anybody will see.
const SHORTEST_HASH: usize = 12;

/// How a host is to be wiped, as an operator says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WipeWish {
    /// How thoroughly; left out: as the wipe that failed, else `clear`.
    pub policy: Option<WipePolicy>,
    /// Foreign disks that are to be wiped nevertheless.
    pub include: Vec<DiskId>,
}

/// What an agent says at the end of a wipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WipeReport {
    /// The plan that it carried out.
    pub plan_hash: String,
    /// Disk by disk.
    pub results: Vec<DiskResult>,
    /// Tools and their versions.
    pub tools: Vec<String>,
    /// What stopped the whole.
    pub error: Option<String>,
}

impl House {
    /// The plan for a host as it is, or why there is none.
    pub fn plan_of(&self, host: &Host, wish: &WipeWish) -> Result<WipePlan, NoPlan> {
        let facts = wipe::facts(host, self.now(), self.times.facts_secs)?;
        // A retry is of what failed: its policy, and the foreign disks that were named for it and are still there.
        let failed = failed_plan(host);
        let policy = wish.policy.or(failed.map(|plan| plan.policy)).unwrap_or_default();
        let again = failed.filter(|_| wish.include.is_empty()).into_iter().flat_map(|plan| &plan.disks).map(|disk| disk.id.clone());
        let mut include: Vec<DiskId> = again.filter(|id| facts.disks.iter().any(|disk| disk.id == *id)).collect();
        include.extend(wish.include.iter().cloned());
        wipe::plan(host, facts, policy, &include)
    }

    /// The plan for a host of this name, id or MAC, with the facts that it rests on.
    pub fn wipe_plan(&self, key: &str, wish: &WipeWish) -> Told<(WipePlan, Arc<Host>)> {
        let host = self.find(key)?;
        Ok((self.plan_of(&host, wish).map_err(Refusal::NoPlan)?, host))
    }

    /// Begins a wipe in the draft, if the lifecycle lets it, there is a live image, and the caller has confirmed the plan as it is now. `event` is
    /// the verb's for a run of the live image.
    pub(super) fn begin_wipe(&self, draft: &mut Draft<'_>, words: &Words, event: &dyn Fn(NewLive) -> Result<Event, Refusal>) -> Result<(), Refusal> {
        let plan = self.plan_of(&draft.seen, &WipeWish { policy: words.policy, include: words.include.clone() });
        let live =
            plan.as_ref().map_or_else(|_| self.new_live(None, None), |plan| self.new_live(Some(Box::new(plan.clone())), Some(wipe::deadlines(plan))));
        let event = event(live)?;
        let begun = draft.event(&event);
        match (begun, plan) {
            // The lifecycle has nothing else against it.
            (Err(Why::NoPlan { .. }), Err(why)) => {
                self.live_image_for("cleaning")?;
                Err(Refusal::NoPlan(why))
            }
            (Err(why), _) => Err(Refusal::Lifecycle(why)),
            (Ok(_), Err(_)) => Ok(()),
            (Ok(_), Ok(plan)) => {
                let sure = self.live_image_or_refusal(&draft.seen, &draft.host).and_then(|()| confirmed(&draft.seen, &event, words, &plan));
                sure.inspect_err(|_| draft.forget())
            }
        }
    }

    /// The report that ends a wipe, into the draft of its host. The same report again is refused by the lifecycle, because the run is over.
    pub(super) fn wiped(&self, draft: &mut Draft<'_>, report: &WipeReport) -> Told<()> {
        let run = draft.host.live.clone().filter(|run| run.is_open() && run.mode == LiveMode::Clean);
        let plan = run.as_ref().and_then(|run| run.plan.as_deref());
        let outcome = plan.map_or_else(
            || Wiped::Failed { text: "no wipe is under way".to_owned() },
            |plan| wipe::judge(plan, &report.results, report.error.as_deref()),
        );
        let plan_ok = plan.is_some_and(|plan| plan.hash() == report.plan_hash);
        let event = Event::CleanReport { outcome, results: report.results.clone(), token_ok: true, plan_ok };
        draft.event(&event).map_err(Refusal::Lifecycle)?;
        if let (Some(run), Some(plan)) = (&run, plan) {
            let host = draft.host.clone();
            let error = report.error.as_deref();
            let (results, tools) = (report.results.as_slice(), report.tools.as_slice());
            let paper = Paper { host: &host, run, plan, results, tools, error, server: env!("CARGO_PKG_VERSION"), now: self.now() };
            plan.disks.iter().for_each(|disk| certify(draft, &paper, disk));
        }
        Ok(())
    }

    /// The certificates of a host, newest first, also of one whose record is gone: then by its id.
    pub async fn certificates(&self, key: &str, before: Option<u64>, limit: usize) -> Told<Vec<Entry>> {
        let id = match self.find(key) {
            Ok(host) => host.id,
            Err(Failure::Refusal(refusal)) => key.parse().map_err(|_| refusal)?,
            Err(fault) => return Err(fault),
        };
        let filter = JournalFilter { kind: Some("certificate".into()), after_seq: before, newest_first: true, limit, ..of(id) };
        Ok(self.store.journal(filter).await?)
    }

    /// The bytes of a certificate. What has that hash and is none is not given out: documents hold secrets.
    pub async fn certificate(&self, sha256: &str) -> Told<(Certificate, Bytes)> {
        let unknown = || Refusal::Unknown { noun: "certificate", name: sha256.to_owned() };
        let bytes = self.store.body(sha256).await?.ok_or_else(unknown)?;
        let certificate: Certificate = serde_json::from_slice(&bytes).map_err(|_| unknown())?;
        let mut before = None;
        loop {
            let page = self.certificates(&certificate.host.to_string(), before, 1_000).await?;
            if page.iter().any(|entry| matches!(&entry.what, What::Certificate { sha256: ours, .. } if ours == sha256)) {
                return Ok((certificate, bytes));
            }
            before = Some(page.last().ok_or_else(unknown)?.seq);
        }
    }
}

/// Whether the caller has seen this very plan. A retry is confirmed by the host's name like every other wipe: it has a plan of its own.
fn confirmed(host: &Host, event: &Event, words: &Words, plan: &WipePlan) -> Result<(), Refusal> {
    let name = host.name.as_ref();
    if matches!(event, Event::CleanRetry(_)) && words.confirm.as_deref() != Some(name) {
        return Err(Refusal::Lifecycle(Why::NeedsConfirm { row: "T20", event: event.word(), name: name.to_owned() }));
    }
    let (hash, summary) = (plan.hash(), wipe::summary(plan));
    let Some(asked) = words.plan_hash.as_deref().map(str::trim).filter(|asked| !asked.is_empty()) else {
        return Err(Refusal::PlanUnconfirmed { hash, summary });
    };
    if !(SHORTEST_HASH..=hash.len()).contains(&asked.len()) || !asked.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = format!("a plan's hash has {} hexadecimal digits; give all of them, or the first {SHORTEST_HASH} or more", hash.len());
        return Err(Refusal::Invalid { field: "plan_hash".into(), text });
    }
    if hash.starts_with(&asked.to_ascii_lowercase()) { Ok(()) } else { Err(Refusal::PlanChanged { hash, summary }) }
}

fn of(host: HostId) -> JournalFilter {
    JournalFilter { host: Some(host), ..JournalFilter::default() }
}

/// The plan of the wipe that failed, if the host waits for a retry.
fn failed_plan(host: &Host) -> Option<&WipePlan> {
    let waits = matches!(host.lifecycle, Lifecycle::Error { from: ErrorFrom::Cleaning, .. });
    host.live.as_ref().filter(|_| waits)?.plan.as_deref()
}

/// Makes out the certificate of one disk: its bytes to the bodies, its hash into the journal.
fn certify(draft: &mut Draft<'_>, paper: &Paper<'_>, disk: &PlannedDisk) {
    let certificate = wipe::certificate(paper, disk);
    let bytes = Bytes::from(wipe::bytes(&certificate));
    let sha256 = sha256_hex(&bytes);
    let ok = certificate.result.ok;
    let why = certificate.result.error.as_deref().filter(|_| !ok).map_or_else(String::new, |why| format!(": {why}"));
    // virtual disks often have no model
    let model = if disk.model.is_empty() { String::new() } else { format!("{}, ", disk.model) };
    let text = format!("{} ({model}serial {}): {}{why}", disk.name, disk.serial, certificate.statement);
    draft.note(What::Certificate { disk: disk.id.to_string(), sha256: sha256.clone(), ok }, text);
    draft.bodies.push(Body { sha256, bytes });
}

#[cfg(test)]
mod tests;
