//! `/hosts/{host}/health`: what a monitor says of a host.
//!
//! A monitor is an operator's program with an operator's token. The other verbs on a host at work are actions like all others.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use super::{
    Admin,
    access::{Caller, Sent},
    hosts::shown,
    problem::Problem,
    types::HostView,
};
use crate::{app::duty::Report, model::Role};

/// Reports a host's health: it passed its tests, or some or all of them failed, or heartbeats were missed, or nothing is heard of it.
#[utoipa::path(post, path = "/api/v1/hosts/{host}/health", tag = "hosts", request_body = Report, params(("host" = String, Path)),
    responses((status = 200, body = HostView), (status = "default", body = Problem)))]
pub(super) async fn report(
    State(admin): State<Admin>,
    caller: Caller,
    Path(key): Path<String>,
    Sent(report): Sent<Report>,
) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Operator)?;
    Ok(shown(StatusCode::OK, &admin.house.report_health(actor, &key, report).await?, &caller))
}
