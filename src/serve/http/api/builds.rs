//! Builds: enabled on a host, looked at, waited for, cancelled, retried, rearmed.
//!
//! `POST /hosts/{host}/builds` is the one door to an installation; the story behind it runs the preflight.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Admin,
    access::{Asked, Caller, IfMatch, Sent, idempotency_key},
    problem::Problem,
    types::{self, BuildView, EnabledView, WaitedView},
};
use crate::{
    app::{
        build::{BuildAsk, Enabled},
        journal::Until,
    },
    model::{Build, BuildId, BuildKind, HostId, Method, Name, Role},
};

/// What is to be done about the power; other words come with power control.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Nothing: whoever has the machine restarts it.
    #[default]
    None,
    /// A power cycle with a boot from the network.
    Cycle,
}

/// A wish to build.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BuildWish {
    /// Install, rebuild or reinstall; left out, the host's state says which.
    kind: Option<BuildKind>,
    /// Another profile than the host's.
    profile: Option<Name>,
    /// The host's name, typed again; needed for a used host.
    confirm: Option<String>,
    /// Goes on in spite of findings that may be overridden.
    force: bool,
    /// The host is in service only after its local boot.
    strict: bool,
    /// How the system comes to the disk.
    method: Method,
    /// What is to be done about the power.
    power: Power,
}

impl BuildWish {
    fn ask(self) -> Result<BuildAsk, Problem> {
        if self.power == Power::Cycle {
            return Err(Problem::invalid("power", "this server has no power control; restart the machine yourself, or leave `power` out"));
        }
        let Self { kind, profile, confirm, force, strict, method, power: _ } = self;
        Ok(BuildAsk { kind, profile, confirm, force, strict, method })
    }
}

fn id_of(text: &str) -> Result<BuildId, Problem> {
    text.parse().map_err(|_| {
        let hint = "GET /api/v1/hosts/{host}/builds lists the builds of a host";
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no build {text:?}: a build is named by its id"), hint)
    })
}

fn view(admin: &Admin, host: HostId, build: Build) -> Result<BuildView, Problem> {
    let name = admin.house.store.host(host).map_err(crate::app::Failure::from)?.map(|host| host.name.to_string());
    Ok(BuildView { host: host.to_string(), host_name: name, build: types::build(build) })
}

async fn enabled(admin: &Admin, enabled: Enabled) -> Result<Response, Problem> {
    let (host, build) = admin.house.build(enabled.build.id).await?;
    let status = if enabled.fresh { StatusCode::CREATED } else { StatusCode::OK };
    let place = [(header::LOCATION, format!("/api/v1/builds/{}", build.id))];
    let view = EnabledView { build: view(admin, host, build)?, findings: enabled.findings };
    Ok((status, place, Json(view)).into_response())
}

/// Enables a build, after a preflight.
#[utoipa::path(post, path = "/api/v1/hosts/{host}/builds", tag = "builds", request_body = BuildWish,
    params(("host" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header, description = "the same key answers the same build")),
    responses((status = 201, body = EnabledView), (status = 200, body = EnabledView, description = "the same key asked before"), (status = 409, body = Problem, description = "a build is open: `build` names it"),
        (status = 422, body = Problem, description = "the preflight's `findings`"), (status = "default", body = Problem)))]
pub(super) async fn enable(
    State(admin): State<Admin>,
    caller: Caller,
    Path(key): Path<String>,
    IfMatch(version): IfMatch,
    headers: HeaderMap,
    Sent(wish): Sent<BuildWish>,
) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Operator)?;
    let told = admin.house.enable_build(actor, &key, version, &wish.ask()?, idempotency_key(&headers)).await?;
    enabled(&admin, told).await
}

/// The builds of a host, newest first.
#[utoipa::path(get, path = "/api/v1/hosts/{host}/builds", tag = "builds", params(("host" = String, Path)),
    responses((status = 200, body = Vec<BuildView>), (status = "default", body = Problem)))]
pub(super) async fn of_host(State(admin): State<Admin>, _: Caller, Path(key): Path<String>) -> Result<Json<Vec<BuildView>>, Problem> {
    let host = admin.house.find(&key)?;
    let builds = admin.house.builds(&host).await?;
    builds.into_iter().map(|build| view(&admin, host.id, build)).collect::<Result<_, _>>().map(Json)
}

/// One build: stages with times and evidence, documents served, log, loops.
#[utoipa::path(get, path = "/api/v1/builds/{build}", tag = "builds", params(("build" = BuildId, Path)),
    responses((status = 200, body = BuildView), (status = "default", body = Problem)))]
pub(super) async fn show(State(admin): State<Admin>, _: Caller, Path(id): Path<String>) -> Result<Json<BuildView>, Problem> {
    let (host, build) = admin.house.build(id_of(&id)?).await?;
    view(&admin, host, build).map(Json)
}

/// The bytes of a document that was served to a build. They hold secrets: admins only.
#[utoipa::path(get, path = "/api/v1/builds/{build}/documents/{sha256}", tag = "builds",
    params(("build" = BuildId, Path), ("sha256" = String, Path, description = "as `served` of the build names it")),
    responses((status = 200, content_type = "text/plain", body = String), (status = "default", body = Problem)))]
pub(super) async fn document(State(admin): State<Admin>, caller: Caller, Path((id, sha256)): Path<(String, String)>) -> Result<Response, Problem> {
    caller.needs(Role::Admin)?;
    let (_, build) = admin.house.build(id_of(&id)?).await?;
    let served = build.served.iter().any(|one| one.sha256 == sha256);
    let bytes = if served { admin.house.store.body(&sha256).await.map_err(crate::app::Failure::from)? } else { None };
    let bytes = bytes.ok_or_else(|| {
        let hint = "`served` of GET /api/v1/builds/{build} names the documents";
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("this build was not served a document {sha256}"), hint)
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], bytes).into_response())
}

/// Cancels an open build.
#[utoipa::path(post, path = "/api/v1/builds/{build}/cancel", tag = "builds", params(("build" = BuildId, Path)),
    responses((status = 200, body = BuildView), (status = "default", body = Problem)))]
pub(super) async fn cancel(State(admin): State<Admin>, caller: Caller, Path(id): Path<String>) -> Result<Json<BuildView>, Problem> {
    let build = admin.house.cancel_build(caller.needs(Role::Operator)?, id_of(&id)?).await?;
    let (host, build) = admin.house.build(build.id).await?;
    view(&admin, host, build).map(Json)
}

/// Opens a new build of the same kind after one that failed.
#[utoipa::path(post, path = "/api/v1/builds/{build}/retry", tag = "builds", params(("build" = BuildId, Path)), request_body = BuildWish,
    responses((status = 201, body = EnabledView), (status = "default", body = Problem)))]
pub(super) async fn retry(
    State(admin): State<Admin>,
    caller: Caller,
    Path(id): Path<String>,
    Sent(wish): Sent<BuildWish>,
) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Operator)?;
    let told = admin.house.retry_build(actor, id_of(&id)?, &wish.ask()?).await?;
    enabled(&admin, told).await
}

/// Forgets the loops and uses of an open build: the next boot is the first again.
#[utoipa::path(post, path = "/api/v1/builds/{build}/rearm", tag = "builds", params(("build" = BuildId, Path)),
    responses((status = 200, body = BuildView), (status = "default", body = Problem)))]
pub(super) async fn rearm(State(admin): State<Admin>, caller: Caller, Path(id): Path<String>) -> Result<Json<BuildView>, Problem> {
    let build = admin.house.rearm_build(caller.needs(Role::Operator)?, id_of(&id)?).await?;
    let (host, build) = admin.house.build(build.id).await?;
    view(&admin, host, build).map(Json)
}

/// What is waited for, and how long.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Waiting {
    /// `built`, `ended` or `local_boot`; `ended` if left out.
    r#for: Option<String>,
    /// Seconds, at most 3600; 60 if left out.
    timeout: Option<u64>,
}

/// Waits until a build is built, ended or started from its disk, or the time is over (`reached` says which).
#[utoipa::path(get, path = "/api/v1/builds/{build}/wait", tag = "builds", params(("build" = BuildId, Path), Waiting),
    responses((status = 200, body = WaitedView), (status = "default", body = Problem)))]
pub(super) async fn wait(
    State(admin): State<Admin>,
    _: Caller,
    Path(id): Path<String>,
    Asked(waiting): Asked<Waiting>,
) -> Result<Json<WaitedView>, Problem> {
    let until = match waiting.r#for.as_deref() {
        None | Some("ended") => Until::Ended,
        Some("built") => Until::Built,
        Some("local_boot") => Until::LocalBoot,
        Some(_) => return Err(Problem::invalid("for", "one waits for built, ended or local_boot")),
    };
    let limit = match waiting.timeout.unwrap_or(60) {
        secs @ 0..=3600 => Duration::from_secs(secs),
        _ => return Err(Problem::invalid("timeout", "at most 3600 seconds; ask again for more")),
    };
    let id = id_of(&id)?;
    let (build, reached) = tokio::select! {
        told = admin.house.wait(id, until, limit) => told?,
        () = admin.stop.cancelled() => (admin.house.build(id).await?.1, false),
    };
    let (host, _) = admin.house.build(id).await?;
    Ok(Json(WaitedView { build: view(&admin, host, build)?, reached }))
}
