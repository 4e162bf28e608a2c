//! The wipe as operators see it before and after: the plan to confirm, and the certificates of what was done.
//!
//! A plan is made anew for each request and changes nothing. A certificate is given out in exactly the bytes whose hash the journal has.

use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    Admin,
    access::{Asked, Caller},
    page::{Page, Paging},
    problem::Problem,
};
use crate::{
    app::wipe::WipeWish,
    model::{Certificate, Deadlines, DiskId, Entry, Timestamp, What, WipePlan},
    rules::wipe,
};

/// A plan with what has to be known to confirm it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(super) struct PlanView {
    /// The plan; its compact JSON is what is hashed.
    plan: WipePlan,
    /// SHA-256 of it, to be sent back as `plan_hash`.
    plan_hash: String,
    /// Seconds until the wipe is overdue and until it has failed.
    deadlines: Deadlines,
    /// The plan in one sentence.
    summary: String,
    /// What should be read before it is confirmed.
    warnings: Vec<String>,
}

/// The policy and the named disks of a query; `include` may stand there more than once.
fn wish(query: Vec<(String, String)>) -> Result<WipeWish, Problem> {
    let mut wish = WipeWish::default();
    for (name, value) in query {
        match name.as_str() {
            "include" => wish.include.push(DiskId(value)),
            "policy" => {
                let policy =
                    serde_json::from_value(value.into()).map_err(|_| Problem::invalid("policy", "the policy is metadata, clear or purge"))?;
                wish.policy = Some(policy);
            }
            other => return Err(Problem::invalid("query", format!("a plan has policy and include, not {other}"))),
        }
    }
    Ok(wish)
}

/// How the disks of a host would be wiped; nothing is done. Send `plan_hash` with the verb that is to do it.
#[utoipa::path(get, path = "/api/v1/hosts/{host}/wipe-plan", tag = "hosts",
    params(("host" = String, Path, description = "id, name or MAC"), ("policy" = Option<crate::model::WipePolicy>, Query, description = "`clear` if left out, or that of the wipe that failed"),
        ("include" = Option<Vec<String>>, Query, description = "the id of a foreign disk that is to be wiped nevertheless; again for each")),
    responses((status = 200, body = PlanView), (status = 412, body = Problem, description = "there is no plan: `reason` says which rule"), (status = "default", body = Problem)))]
pub(super) async fn plan(
    State(admin): State<Admin>,
    _: Caller,
    Path(key): Path<String>,
    Asked(query): Asked<Vec<(String, String)>>,
) -> Result<Json<PlanView>, Problem> {
    let (plan, host) = admin.house.wipe_plan(&key, &wish(query)?)?;
    let warnings = host.facts.as_deref().map_or_else(Vec::new, |facts| wipe::warnings(&plan, facts));
    Ok(Json(PlanView { plan_hash: plan.hash(), deadlines: wipe::deadlines(&plan), summary: wipe::summary(&plan), warnings, plan }))
}

/// A certificate in a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(super) struct CertificateLine {
    /// SHA-256 of its bytes, by which it is fetched.
    sha256: String,
    /// The disk.
    disk: String,
    /// Whether that was wiped and verified.
    ok: bool,
    /// When it was made out.
    #[schema(value_type = String)]
    at: Timestamp,
    /// The number of its journal entry.
    seq: u64,
    /// The disk and what was reached, in words.
    text: String,
}

fn line(entry: Entry) -> Option<CertificateLine> {
    let What::Certificate { disk, sha256, ok } = entry.what else { return None };
    Some(CertificateLine { sha256, disk, ok, at: entry.at, seq: entry.seq, text: entry.text })
}

/// The certificates of a host, newest first; of one whose record is gone by its id.
#[utoipa::path(get, path = "/api/v1/hosts/{host}/certificates", tag = "hosts", params(("host" = String, Path, description = "id, name or MAC"), Paging),
    responses((status = 200, body = Page<CertificateLine>), (status = "default", body = Problem)))]
pub(super) async fn certificates(
    State(admin): State<Admin>,
    _: Caller,
    Path(key): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<CertificateLine>>, Problem> {
    let limit = paging.limit()?;
    let before =
        paging.cursor.map(|cursor| cursor.parse()).transpose().map_err(|_| Problem::invalid("cursor", "a cursor is the `next` of a page"))?;
    let entries = admin.house.certificates(&key, before, limit).await?;
    let next = if entries.len() == limit { entries.last().map(|entry| entry.seq.to_string()) } else { None };
    Ok(Json(Page { items: entries.into_iter().filter_map(line).collect(), next }))
}

/// A certificate, in the bytes that were hashed.
#[utoipa::path(get, path = "/api/v1/certificates/{sha256}", tag = "hosts", params(("sha256" = String, Path)),
    responses((status = 200, body = Certificate), (status = "default", body = Problem)))]
pub(super) async fn certificate(State(admin): State<Admin>, _: Caller, Path(sha256): Path<String>) -> Result<Response, Problem> {
    let (certificate, bytes) = admin.house.certificate(&sha256).await?;
    let short = sha256.get(..12).unwrap_or(&sha256);
    let name = format!("attachment; filename=\"wipe-{}-{short}.json\"", certificate.name);
    let headers =
        [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name), (header::ETAG, format!("\"{sha256}\""))];
    Ok((headers, bytes).into_response())
}
