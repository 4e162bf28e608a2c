//! `POST /apply`: a whole site (networks, profiles, rules, hosts) as one document, YAML or JSON, applied at once or not at all.
//!
//! `?dry_run=true` answers the same differences and changes nothing. What the document does not name stays, unless it says `prune`.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Admin,
    access::{Asked, Caller, body},
    problem::Problem,
    types,
};
use crate::{model::Role, rules::sitefile::Difference};

/// Whether it is meant.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct How {
    /// Only says what would change.
    dry_run: bool,
}

/// What was changed, or would be.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Applied {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What differs, in the document's order; secrets are not shown.
    pub differences: Vec<Difference>,
}

/// Applies a site document.
#[utoipa::path(post, path = "/api/v1/apply", tag = "settings", params(How),
    request_body(description = "`globals`, `networks`, `profiles`, `rules`, `hosts`, `prune`; YAML or JSON", content((Value = "application/yaml"), (Value = "application/json"))),
    responses((status = 200, body = Applied), (status = 422, body = Problem, description = "`mistakes` names each by its path; nothing was changed"),
        (status = "default", body = Problem)))]
pub(super) async fn apply(
    State(admin): State<Admin>,
    caller: Caller,
    Asked(How { dry_run }): Asked<How>,
    request: Request,
) -> Result<Json<Applied>, Problem> {
    let actor = caller.needs(Role::Operator)?;
    let document = read(&body(request, &admin).await?)?;
    types::nothing_hidden(&document)?;
    let differences = if dry_run { admin.house.apply_dry(document)? } else { admin.house.apply(actor, document).await? };
    Ok(Json(Applied { dry_run, differences }))
}

/// JSON is YAML; one reader for both.
fn read(bytes: &[u8]) -> Result<Value, Problem> {
    let malformed = |wrong: String| {
        let detail = format!("the document is neither YAML nor JSON: {wrong}");
        Problem::new(StatusCode::BAD_REQUEST, "malformed", detail, "correct the document at that place; nothing was changed")
    };
    let text = std::str::from_utf8(bytes).map_err(|wrong| malformed(wrong.to_string()))?;
    serde_saphyr::from_str(text).map_err(|wrong| malformed(wrong.to_string()))
}
