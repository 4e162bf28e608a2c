//! What the daemon would answer to a host now, and what a document would look like. Neither changes anything.
//!
//! Secrets are hidden, also from admins, unless an admin asks for them with `reveal=true`.

use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    Admin,
    access::{Asked, Caller},
    problem::Problem,
};
use crate::{
    app::{explain::Explanation, scene::Secrets},
    model::Role,
};

/// What the daemon would answer to this host now on each protocol, and why; with the origin of every parameter.
#[utoipa::path(get, path = "/api/v1/hosts/{host}/explain", tag = "hosts", params(("host" = String, Path)),
    responses((status = 200, body = Explanation), (status = "default", body = Problem)))]
pub(super) async fn explain(State(admin): State<Admin>, _: Caller, Path(key): Path<String>) -> Result<Json<Explanation>, Problem> {
    Ok(Json(admin.house.explain(&key)?))
}

/// Whether secrets are wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Reveal {
    /// Shows secrets; for admins.
    reveal: bool,
}

/// A document as this host would get it (`boot.ipxe` is the script).
#[utoipa::path(get, path = "/api/v1/hosts/{host}/preview/{document}", tag = "hosts", params(("host" = String, Path), ("document" = String, Path), Reveal),
    responses((status = 200, content_type = "text/plain", body = String), (status = 422, body = Problem, description = "the template does not render"),
        (status = "default", body = Problem)))]
pub(super) async fn preview(
    State(admin): State<Admin>,
    caller: Caller,
    Path((key, document)): Path<(String, String)>,
    Asked(Reveal { reveal }): Asked<Reveal>,
) -> Result<Response, Problem> {
    if reveal {
        caller.needs(Role::Admin)?;
    }
    let text = admin.house.preview(&key, &document, if reveal { Secrets::Shown } else { Secrets::Hidden })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
