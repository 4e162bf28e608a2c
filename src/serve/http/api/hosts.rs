//! `/hosts`: the inventory, and the operators' verbs on a host.
//!
//! `{host}` is an id, a name or any MAC address in any spelling. A host's version is its `ETag`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    Admin,
    access::{Asked, Caller, IfMatch, Sent},
    page::{Page, Paging},
    problem::Problem,
    types::{HostView, no_hidden},
};
use crate::{
    app::{action::Words, hosts::HostFilter},
    model::{Host, Role},
    rules::sitefile::SiteHost,
};

/// A host with its version as `ETag`.
pub(super) fn shown(status: StatusCode, host: &Arc<Host>, caller: &Caller) -> Response {
    let mut headers = HeaderMap::new();
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", host.version)) {
        headers.insert(header::ETAG, etag);
    }
    (status, headers, Json(HostView::of(host, caller))).into_response()
}

/// Every host that the filters admit, in the order of their birth; facts and wipe plans are in the answer about one host.
#[utoipa::path(get, path = "/api/v1/hosts", tag = "hosts", params(Paging,
    ("lifecycle" = Option<String>, Query, description = "the lifecycle's word"), ("network" = Option<String>, Query), ("profile" = Option<String>, Query),
    ("tag" = Option<String>, Query), ("search" = Option<String>, Query, description = "a part of the name or a MAC"),
    ("issues" = Option<bool>, Query, description = "only hosts with (or without) an open issue")),
    responses((status = 200, body = Page<HostView>), (status = "default", body = Problem)))]
pub(super) async fn list(
    State(admin): State<Admin>,
    caller: Caller,
    Asked(filter): Asked<HostFilter>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<HostView>>, Problem> {
    let hosts = admin.house.list(&filter)?;
    paging.page(hosts, |host| host.id.to_string(), |host| HostView::brief(&host, &caller)).map(Json)
}

/// Records a host, in state `new`.
#[utoipa::path(post, path = "/api/v1/hosts", tag = "hosts", request_body = SiteHost,
    responses((status = 201, body = HostView), (status = "default", body = Problem)))]
pub(super) async fn create(State(admin): State<Admin>, caller: Caller, Sent(wanted): Sent<SiteHost>) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Operator)?;
    no_hidden(wanted.params.as_ref().unwrap_or(&Default::default()))?;
    let host = admin.house.create_host(actor, wanted).await?;
    let mut response = shown(StatusCode::CREATED, &host, &caller);
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/hosts/{}", host.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// One host.
#[utoipa::path(get, path = "/api/v1/hosts/{host}", tag = "hosts", params(("host" = String, Path, description = "id, name or MAC")),
    responses((status = 200, body = HostView), (status = "default", body = Problem)))]
pub(super) async fn show(State(admin): State<Admin>, caller: Caller, Path(key): Path<String>) -> Result<Response, Problem> {
    Ok(shown(StatusCode::OK, &admin.house.find(&key)?, &caller))
}

/// Edits the inventory of a host; what is left out stays.
#[utoipa::path(patch, path = "/api/v1/hosts/{host}", tag = "hosts", request_body = SiteHost,
    params(("host" = String, Path), ("If-Match" = Option<String>, Header, description = "the version that was read")),
    responses((status = 200, body = HostView), (status = "default", body = Problem)))]
pub(super) async fn edit(
    State(admin): State<Admin>,
    caller: Caller,
    Path(key): Path<String>,
    IfMatch(version): IfMatch,
    Sent(wanted): Sent<SiteHost>,
) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Operator)?;
    no_hidden(wanted.params.as_ref().unwrap_or(&Default::default()))?;
    Ok(shown(StatusCode::OK, &admin.house.edit_host(actor, &key, version, wanted).await?, &caller))
}

/// The confirmation of a removal.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Confirmed {
    confirm: Option<String>,
}

/// Removes a record whose disks nobody depends on; its journal stays.
#[utoipa::path(delete, path = "/api/v1/hosts/{host}", tag = "hosts",
    params(("host" = String, Path), ("confirm" = String, Query, description = "the host's name, typed again"), ("If-Match" = Option<String>, Header)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove(
    State(admin): State<Admin>,
    caller: Caller,
    Path(key): Path<String>,
    IfMatch(version): IfMatch,
    Asked(Confirmed { confirm }): Asked<Confirmed>,
) -> Result<StatusCode, Problem> {
    let actor = caller.needs(Role::Operator)?;
    admin.house.remove_host(actor, &key, version, confirm.as_deref().unwrap_or("")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Carries out a verb of the lifecycle. Destructive ones need `confirm`.
#[utoipa::path(post, path = "/api/v1/hosts/{host}/actions/{verb}", tag = "hosts", request_body = Words,
    params(("host" = String, Path), ("verb" = String, Path, description = "`adopt`, `release`, `protect` …; hyphens are read as underscores"),
        ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = HostView), (status = "default", body = Problem)))]
pub(super) async fn act(
    State(admin): State<Admin>,
    caller: Caller,
    Path((key, verb)): Path<(String, String)>,
    IfMatch(version): IfMatch,
    Sent(words): Sent<Words>,
) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Operator)?;
    let host = admin.house.act(actor, &key, version, &verb.replace('-', "_"), &words).await?;
    Ok(shown(StatusCode::OK, &host, &caller))
}
