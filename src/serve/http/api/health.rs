//! `/healthz`, `/readyz`, `/metrics` and the description of the API: for programs that watch, without a token.
//!
//! They tell nothing about any host: states are counted, never named.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{Admin, problem::Problem};
use crate::app::Failure;

/// The daemon's word on itself.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
    /// The release.
    pub version: &'static str,
}

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = Health)))]
pub(super) async fn healthz() -> Json<Health> {
    Json(OK)
}

/// The daemon can do its work: the store answers and takes writes. If not, the problem's `code` says what is wrong and `hint` what to do.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses((status = 200, body = Health), (status = 503, body = Problem)))]
pub(super) async fn readyz(State(admin): State<Admin>) -> Result<Json<Health>, Problem> {
    admin.house.store.settings().map_err(Failure::from)?;
    if let Some(trouble) = admin.house.trouble() {
        return Err(Failure::from(trouble).into());
    }
    Ok(Json(OK))
}

/// The counters, for Prometheus (OpenMetrics 1.0).
#[utoipa::path(get, path = "/metrics", tag = "health", security(()), responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub(super) async fn metrics(State(admin): State<Admin>) -> Response {
    // A store that cannot say leaves the gauges as they were; `readyz` tells that story.
    if let Ok(hosts) = admin.house.store.hosts() {
        admin.house.metrics.set_hosts(hosts.iter().map(AsRef::as_ref));
    }
    admin.house.metrics.store_did(admin.house.store.counts());
    admin.house.metrics.set_store_trouble(admin.house.store.trouble().map(|fault| fault.word()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], admin.house.metrics.encode()).into_response()
}
