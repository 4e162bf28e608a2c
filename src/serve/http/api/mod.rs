//! The REST API: operators' nouns and verbs on the admin listener.
//!
//! Each file has the routes of one noun: it parses, asks one story and shapes the answer. Who may do what is `access`, how "no" looks is
//! `problem`, what is kept from whom is `types`. No route decides anything about a host. The OpenAPI document is made from the routes
//! themselves; `tests/golden/openapi.json` makes a change of it visible.

mod access;
mod apply;
mod backup;
mod builds;
mod duty;
mod explain;
mod health;
mod hosts;
mod journal;
mod nouns;
mod once;
mod page;
mod problem;
mod rules;
mod shelves;
mod types;
mod wipe;

use std::sync::Arc;

use axum::{Json, Router, extract::Request, middleware, routing::get};
use tokio_util::sync::CancellationToken;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::problem::Problem;
use super::counted::counted;
use crate::app::House;

/// What every route needs.
#[derive(Clone)]
pub struct Admin {
    /// The stories.
    pub house: Arc<House>,
    /// Ends long polls and streams when the server stops.
    pub stop: CancellationToken,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Bootwright", description = "Network-boot provisioning: hosts, builds and everything that happens to them."),
    // Paths with slashes in their last part are routed by hand below and described here.
    paths(shelves::template, shelves::artifact, shelves::put_artifact),
    modifiers(&Bearer)
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("bearer", scheme);
        document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    }
}

fn described() -> (Router<Admin>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(hosts::list, hosts::create))
        .routes(routes!(hosts::show, hosts::edit, hosts::remove))
        .routes(routes!(hosts::act))
        .routes(routes!(duty::report))
        .routes(routes!(wipe::plan))
        .routes(routes!(wipe::certificates))
        .routes(routes!(wipe::certificate))
        .routes(routes!(explain::explain))
        .routes(routes!(explain::preview))
        .routes(routes!(builds::enable, builds::of_host))
        .routes(routes!(builds::show))
        .routes(routes!(builds::document))
        .routes(routes!(builds::cancel))
        .routes(routes!(builds::retry))
        .routes(routes!(builds::rearm))
        .routes(routes!(builds::wait))
        .routes(routes!(journal::list))
        .routes(routes!(journal::of_host))
        .routes(routes!(journal::events))
        .routes(routes!(apply::apply))
        .routes(routes!(nouns::networks))
        .routes(routes!(nouns::network, nouns::put_network, nouns::remove_network))
        .routes(routes!(nouns::snippet))
        .routes(routes!(nouns::profiles))
        .routes(routes!(nouns::profile, nouns::put_profile, nouns::remove_profile))
        .routes(routes!(rules::list))
        .routes(routes!(rules::attempt))
        .routes(routes!(rules::show, rules::put, rules::remove))
        .routes(routes!(nouns::globals, nouns::put_globals))
        .routes(routes!(nouns::leases))
        .routes(routes!(nouns::tokens, nouns::make_token))
        .routes(routes!(nouns::revoke_token))
        .routes(routes!(shelves::templates))
        .routes(routes!(shelves::lint))
        .routes(routes!(shelves::reload))
        .routes(routes!(shelves::artifacts))
        .routes(routes!(shelves::loaders))
        .routes(routes!(backup::backup))
        .routes(routes!(backup::verify))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .split_for_parts()
}

/// The description of the API, OpenAPI 3.1.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().1
}

/// The routes of the admin listener.
pub fn routes(admin: Admin) -> Router {
    let counting = (admin.house.clone(), "admin");
    let (routes, document) = described();
    let document = Arc::new(document);
    routes
        .route("/api/v1/templates/{*name}", get(shelves::template))
        .route("/api/v1/artifacts/{name}/{version}/{*path}", get(shelves::artifact).put(shelves::put_artifact))
        .route("/api/v1/openapi.json", get(move || async move { Json(document.as_ref().clone()) }))
        .fallback(|request: Request| async move { Problem::nothing_here(request.uri().path()) })
        .method_not_allowed_fallback(|request: Request| async move { Problem::no_such_method(request.method(), request.uri().path()) })
        .layer(middleware::from_fn_with_state(once::Once::default(), once::once))
        .layer(middleware::from_fn_with_state(counting, counted))
        .with_state(admin)
}
