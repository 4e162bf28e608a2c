//! What a report proves: disk by disk, and for the whole; and the paper that is made out for each disk.
//!
//! An agent's `ok` is a claim. It counts when everything else in the result agrees with it: the plan's method, the policy's category, the marker,
//! the samples, the scan. One disk that does not is enough for the whole to have failed (T19).

use crate::model::{Category, Certificate, DiskResult, EraseMethod, Host, LiveRun, PlannedDisk, Timestamp, WipePlan, WipePolicy};
use crate::rules::lifecycle::Wiped;

use super::{policy_word, words};

/// The category that a policy promises.
const fn promised(policy: WipePolicy) -> Category {
    match policy {
        WipePolicy::Metadata => Category::None,
        WipePolicy::Clear => Category::Clear,
        WipePolicy::Purge => Category::Purge,
    }
}

/// Reasons that are told of a wipe that failed; the certificates have all of them.
const MOST_REASONS: usize = 8;

/// What a report comes to. `error` is what stopped the whole.
pub fn judge(plan: &WipePlan, results: &[DiskResult], error: Option<&str>) -> Wiped {
    let mut wrong: Vec<String> = error
        .into_iter()
        .map(|error| if error.trim().is_empty() { "the agent failed without a reason".to_owned() } else { error.to_owned() })
        .collect();
    for disk in &plan.disks {
        if let Err(why) = proven(plan, disk, results) {
            wrong.push(format!("{} ({}): {why}", disk.id, disk.name));
        }
    }
    for result in results.iter().filter(|result| !plan.disks.iter().any(|disk| disk.id == result.id)) {
        wrong.push(format!("{}: it was reported, and the plan does not name it", result.id));
    }
    if wrong.is_empty() && !plan.disks.is_empty() {
        return Wiped::All;
    }
    let more = wrong.len().saturating_sub(MOST_REASONS);
    wrong.truncate(MOST_REASONS);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    Wiped::Failed { text: wrong.join("; ") }
}

/// The one result of a planned disk, if it proves that the disk was wiped.
fn proven<'r>(plan: &WipePlan, disk: &PlannedDisk, results: &'r [DiskResult]) -> Result<&'r DiskResult, String> {
    let mut ours = results.iter().filter(|result| result.id == disk.id);
    let result = match (ours.next(), ours.next()) {
        (None, _) => return Err("nothing was reported of it".to_owned()),
        (Some(_), Some(_)) => return Err("it was reported more than once".to_owned()),
        (Some(result), None) => result,
    };
    if !result.ok || result.error.is_some() {
        return Err(result.error.clone().unwrap_or_else(|| "not wiped, without a reason".to_owned()));
    }
    let Some(method) = result.method else { return Err("said to be wiped, but not by what".to_owned()) };
    if !disk.methods.contains(&method) {
        return Err(format!("wiped by {}, which the plan does not have", words(&[method])));
    }
    if method.category() < promised(plan.policy) {
        return Err(format!("{} does not reach policy {}", words(&[method]), policy_word(plan.policy)));
    }
    if result.ended < result.started {
        return Err("it ended before it began".to_owned());
    }
    tried(result, method)?;
    verified(plan.policy, result, method).map(|()| result)
}

/// The list of tries must not speak against the method.
fn tried(result: &DiskResult, method: EraseMethod) -> Result<(), String> {
    let mut tries = result.attempts.iter().filter(|attempt| attempt.method == method).peekable();
    if tries.peek().is_some() && !tries.any(|attempt| attempt.ok) {
        return Err(format!("said to be wiped by {}, but every try of that failed", words(&[method])));
    }
    Ok(())
}

/// What the check afterwards found must agree with `ok`.
fn verified(policy: WipePolicy, result: &DiskResult, method: EraseMethod) -> Result<(), String> {
    let found = &result.verification;
    let writes_marker = policy != WipePolicy::Metadata;
    match found.marker_gone {
        Some(false) => return Err("the marker that was written before is still there".to_owned()),
        None if writes_marker => return Err("nobody looked whether the marker that was written before is gone".to_owned()),
        Some(true) | None => {}
    }
    let zeroes = matches!(method, EraseMethod::WriteZeroes | EraseMethod::Overwrite);
    if zeroes && found.samples_read == 0 {
        return Err("no sample was read afterwards".to_owned());
    }
    if zeroes && found.samples_dirty > 0 {
        return Err(format!("{} of {} samples are not empty", found.samples_dirty, found.samples_read));
    }
    if !found.signatures.is_empty() {
        return Err(format!("signatures are still there: {}", found.signatures.join(", ")));
    }
    Ok(())
}

/// What was reached, in words for an auditor; `None`: the disk was not wiped, or nobody can prove it.
pub const fn statement(policy: WipePolicy, reached: Option<Category>) -> &'static str {
    match (reached, policy) {
        (None, _) => "NOT WIPED, or not proven to be: treat this disk as holding its old data.",
        (Some(Category::Purge), _) => "Purge as NIST SP 800-88 Rev. 1, section 2.5, defines it: by the drive's own sanitisation, verified.",
        (Some(Category::Clear), _) => "Clear as NIST SP 800-88 Rev. 1, section 2.5, defines it: every block that can be addressed, verified.",
        (Some(Category::None), _) => {
            "NO SANITISATION: only partition tables, signatures and both ends were erased; the data are still on the disk and can be read."
        }
    }
}

/// What is the same on every certificate of one report.
#[derive(Debug, Clone, Copy)]
pub struct Paper<'a> {
    /// Whose disks, as they are after the report.
    pub host: &'a Host,
    /// The run that reported.
    pub run: &'a LiveRun,
    /// The plan that it carried out.
    pub plan: &'a WipePlan,
    /// What it reported.
    pub results: &'a [DiskResult],
    /// Tools and their versions, as the agent says.
    pub tools: &'a [String],
    /// What stopped the whole, if anything.
    pub error: Option<&'a str>,
    /// The server's version.
    pub server: &'a str,
    /// When it is made out.
    pub now: Timestamp,
}

/// The certificate of one planned disk, also when it was not wiped. Whether it was, as judged here, is `result.ok`.
pub fn certificate(paper: &Paper<'_>, disk: &PlannedDisk) -> Certificate {
    let Paper { host, run, plan, .. } = *paper;
    let verdict = proven(plan, disk, paper.results);
    let reached = verdict.as_ref().ok().and_then(|result| result.method).map(EraseMethod::category);
    let result = match verdict {
        Ok(result) => result.clone(),
        Err(why) => failed(paper, disk, why),
    };
    let crew = run.crew.clone().unwrap_or_default();
    let serial = host.facts.as_ref().map(|facts| facts.system.serial.clone()).filter(|serial| !serial.is_empty());
    Certificate {
        version: 1,
        host: host.id,
        name: host.name.clone(),
        host_serial: host.serial.clone().or(serial),
        disk: disk.clone(),
        policy: plan.policy,
        category: reached.unwrap_or(Category::None),
        statement: statement(plan.policy, reached).to_owned(),
        result,
        plan_hash: plan.hash(),
        ordered_by: run.by.clone(),
        agent: crew.agent,
        image: crew.image,
        tools: paper.tools.to_vec(),
        server: paper.server.to_owned(),
        made: paper.now,
    }
}

/// The result of a disk that was not wiped: what was reported with our reason, or what we know when nothing was.
fn failed(paper: &Paper<'_>, disk: &PlannedDisk, why: String) -> DiskResult {
    let reported = paper.results.iter().find(|result| result.id == disk.id).cloned();
    let since = paper.run.hello_at.unwrap_or(paper.now);
    let nothing = || DiskResult {
        id: disk.id.clone(),
        name: disk.name.clone(),
        ok: false,
        method: None,
        attempts: Vec::new(),
        started: since,
        ended: paper.now,
        verification: crate::model::wipe::Verification::default(),
        error: None,
    };
    let error = match (&reported, paper.error) {
        (None, Some(error)) => format!("{why}; the agent stopped: {error}"),
        _ => why,
    };
    DiskResult { ok: false, error: Some(error), ..reported.unwrap_or_else(nothing) }
}

/// The bytes that are kept, hashed and given out: JSON in the order of the fields, without blanks.
pub fn bytes(certificate: &Certificate) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "a struct of strings, numbers and enums has no way to fail")]
    serde_json::to_vec(certificate).expect("a certificate is JSON")
}
