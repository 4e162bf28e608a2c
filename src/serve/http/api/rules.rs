//! `/rules`: which profile, parameters and tags a host gets by what registration found, and the dry run of them.
//!
//! A rule is written whole by PUT under its name, like every noun. `/rules/try` changes nothing, also with a rule that is not kept yet.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{
    Admin,
    access::{Asked, Caller, Sent},
    nouns::{name_of, same_name},
    page::{Page, Paging},
    problem::Problem,
    types::{self, no_hidden},
};
use crate::{
    app::{
        Failure,
        rules::{HostTrial, tried},
        settings::Edit,
    },
    model::{Name, Role, Rule},
};

/// Every rule, by name.
#[utoipa::path(get, path = "/api/v1/rules", tag = "settings", params(Paging), responses((status = 200, body = Page<Rule>), (status = "default", body = Problem)))]
pub(super) async fn list(State(admin): State<Admin>, caller: Caller, Asked(paging): Asked<Paging>) -> Result<Json<Page<Rule>>, Problem> {
    let settings = admin.house.store.settings().map_err(Failure::from)?;
    paging.page(settings.rules.values(), |rule| rule.name.to_string(), |rule| types::rule(rule, &caller)).map(Json)
}

/// One rule.
#[utoipa::path(get, path = "/api/v1/rules/{name}", tag = "settings", params(("name" = Name, Path)), responses((status = 200, body = Rule), (status = "default", body = Problem)))]
pub(super) async fn show(State(admin): State<Admin>, caller: Caller, Path(name): Path<String>) -> Result<Json<Rule>, Problem> {
    Ok(Json(types::rule(&*admin.house.rule(&name)?, &caller)))
}

/// Writes a rule, new or in place of the one of its name. Hosts get it when they register; nothing changes now.
#[utoipa::path(put, path = "/api/v1/rules/{name}", tag = "settings", params(("name" = Name, Path)), request_body = Rule,
    responses((status = 200, body = Rule), (status = 422, body = Problem, description = "`mistakes` names what is wrong; nothing was changed"),
        (status = "default", body = Problem)))]
pub(super) async fn put(State(admin): State<Admin>, caller: Caller, Path(name): Path<String>, Sent(rule): Sent<Rule>) -> Result<Json<Rule>, Problem> {
    let actor = caller.needs(Role::Operator)?;
    same_name(&name_of("name", &name)?, &rule.name)?;
    no_hidden(&rule.params)?;
    admin.house.edit_settings(actor, Edit::Rule(rule)).await?;
    Ok(Json(types::rule(&*admin.house.rule(&name)?, &caller)))
}

/// Removes a rule; what it gave stays.
#[utoipa::path(delete, path = "/api/v1/rules/{name}", tag = "settings", params(("name" = Name, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove(State(admin): State<Admin>, caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let actor = caller.needs(Role::Operator)?;
    admin.house.edit_settings(actor, Edit::NoRule(name_of("name", &name)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is to be tried.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Attempt {
    /// On this host (id, name or MAC) instead of every registered one.
    pub host: Option<String>,
    /// With this rule, which is not kept, in place of the one of its name.
    pub rule: Option<Rule>,
}

/// A dry run, with a rule of one's own for operators: what the rules would give to registered hosts, what stays as it is, and which rules cannot be judged. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/rules/try", tag = "settings", params(Paging), request_body = Attempt,
    responses((status = 200, body = Page<HostTrial>), (status = 422, body = Problem, description = "the rule could not be kept, or the host has no facts"),
        (status = "default", body = Problem)))]
pub(super) async fn attempt(
    State(admin): State<Admin>,
    caller: Caller,
    Asked(paging): Asked<Paging>,
    Sent(Attempt { host, rule }): Sent<Attempt>,
) -> Result<Json<Page<HostTrial>>, Problem> {
    if rule.is_some() {
        // An expression of one's own costs the server time and memory.
        caller.needs(Role::Operator)?;
    }
    let rules = admin.house.rules_with(rule)?;
    let hosts = admin.house.registered_hosts(host.as_deref())?;
    paging.page(hosts, |host| host.id.to_string(), |host| tried(&rules, &host)).map(Json)
}
