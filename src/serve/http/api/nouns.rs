//! Networks, profiles, global parameters, leases and tokens: read by everybody, written by operators, tokens by admins.
//!
//! A noun is written whole by PUT under its name. The whole site at once is `/apply`.

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Admin,
    access::{Asked, Caller, Sent},
    page::{Page, Paging},
    problem::Problem,
    types::{self, no_hidden},
};
use crate::{
    app::{Failure, settings::Edit},
    model::{Lease, Name, Network, Param, Params, Profile, Role, Timestamp},
    rules::snippets::{self, Dialect},
    store::ApiToken,
};

pub(super) fn name_of(noun: &str, text: &str) -> Result<Name, Problem> {
    text.parse().map_err(|wrong: crate::model::name::NotAName| Problem::invalid(noun, wrong.to_string()))
}

pub(super) fn same_name(in_path: &Name, in_body: &Name) -> Result<(), Problem> {
    if in_path == in_body { Ok(()) } else { Err(Problem::invalid("name", format!("the path says {in_path}, the body {in_body}; they must agree"))) }
}

/// Every network.
#[utoipa::path(get, path = "/api/v1/networks", tag = "settings", params(Paging), responses((status = 200, body = Page<Network>), (status = "default", body = Problem)))]
pub(super) async fn networks(State(admin): State<Admin>, caller: Caller, Asked(paging): Asked<Paging>) -> Result<Json<Page<Network>>, Problem> {
    let settings = admin.house.store.settings().map_err(Failure::from)?;
    paging.page(settings.networks.values(), |network| network.name.to_string(), |network| types::network(network, &caller)).map(Json)
}

/// One network.
#[utoipa::path(get, path = "/api/v1/networks/{name}", tag = "settings", params(("name" = Name, Path)), responses((status = 200, body = Network), (status = "default", body = Problem)))]
pub(super) async fn network(State(admin): State<Admin>, caller: Caller, Path(name): Path<String>) -> Result<Json<Network>, Problem> {
    Ok(Json(types::network(&*admin.house.network(&name)?, &caller)))
}

/// Writes a network, new or in place of the one of its name.
#[utoipa::path(put, path = "/api/v1/networks/{name}", tag = "settings", params(("name" = Name, Path)), request_body = Network,
    responses((status = 200, body = Network), (status = "default", body = Problem)))]
pub(super) async fn put_network(
    State(admin): State<Admin>,
    caller: Caller,
    Path(name): Path<String>,
    Sent(network): Sent<Network>,
) -> Result<Json<Network>, Problem> {
    let actor = caller.needs(Role::Operator)?;
    same_name(&name_of("name", &name)?, &network.name)?;
    no_hidden(&network.params)?;
    admin.house.edit_settings(actor, Edit::Network(network)).await?;
    Ok(Json(types::network(&*admin.house.network(&name)?, &caller)))
}

/// Removes a network that nothing uses.
#[utoipa::path(delete, path = "/api/v1/networks/{name}", tag = "settings", params(("name" = Name, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove_network(State(admin): State<Admin>, caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let actor = caller.needs(Role::Operator)?;
    admin.house.edit_settings(actor, Edit::NoNetwork(name_of("name", &name)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose configuration is wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct For {
    /// `dnsmasq`, `kea` or `isc`.
    r#for: String,
}

/// What to write into the site's own DHCP server so that its clients boot from here.
#[utoipa::path(get, path = "/api/v1/networks/{name}/snippet", tag = "settings", params(("name" = Name, Path), For),
    responses((status = 200, content_type = "text/plain", body = String), (status = "default", body = Problem)))]
pub(super) async fn snippet(State(admin): State<Admin>, _: Caller, Path(name): Path<String>, Asked(whose): Asked<For>) -> Result<Response, Problem> {
    let network = admin.house.network(&name)?;
    let dialect = whose.r#for.parse::<Dialect>().map_err(|wrong| Problem::invalid("for", wrong.to_string()))?;
    let listen = admin.house.config.boot.listen.ip();
    let server = network.server.or(Some(*listen).filter(|ip| !ip.is_unspecified()));
    let server = server.ok_or_else(|| {
        let text = format!("network {name} has no `server`: set it to our address as the machines there reach it");
        Problem::invalid("server", text)
    })?;
    let url = admin.house.config.boot_url(server);
    let text = snippets::snippet(dialect, &network, server, &url, &|loader| admin.house.loaders.has(loader));
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Every profile.
#[utoipa::path(get, path = "/api/v1/profiles", tag = "settings", params(Paging), responses((status = 200, body = Page<Profile>), (status = "default", body = Problem)))]
pub(super) async fn profiles(State(admin): State<Admin>, caller: Caller, Asked(paging): Asked<Paging>) -> Result<Json<Page<Profile>>, Problem> {
    let settings = admin.house.store.settings().map_err(Failure::from)?;
    paging.page(settings.profiles.values(), |profile| profile.name.to_string(), |profile| types::profile(profile, &caller)).map(Json)
}

/// One profile, as it was written (without what it inherits).
#[utoipa::path(get, path = "/api/v1/profiles/{name}", tag = "settings", params(("name" = Name, Path)), responses((status = 200, body = Profile), (status = "default", body = Problem)))]
pub(super) async fn profile(State(admin): State<Admin>, caller: Caller, Path(name): Path<String>) -> Result<Json<Profile>, Problem> {
    Ok(Json(types::profile(&*admin.house.profile(&name)?, &caller)))
}

/// Writes a profile, new or in place of the one of its name.
#[utoipa::path(put, path = "/api/v1/profiles/{name}", tag = "settings", params(("name" = Name, Path)), request_body = Profile,
    responses((status = 200, body = Profile), (status = "default", body = Problem)))]
pub(super) async fn put_profile(
    State(admin): State<Admin>,
    caller: Caller,
    Path(name): Path<String>,
    Sent(profile): Sent<Profile>,
) -> Result<Json<Profile>, Problem> {
    let actor = caller.needs(Role::Operator)?;
    same_name(&name_of("name", &name)?, &profile.name)?;
    no_hidden(&profile.params)?;
    admin.house.edit_settings(actor, Edit::Profile(profile)).await?;
    Ok(Json(types::profile(&*admin.house.profile(&name)?, &caller)))
}

/// Removes a profile that nothing uses.
#[utoipa::path(delete, path = "/api/v1/profiles/{name}", tag = "settings", params(("name" = Name, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove_profile(State(admin): State<Admin>, caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let actor = caller.needs(Role::Operator)?;
    admin.house.edit_settings(actor, Edit::NoProfile(name_of("name", &name)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The parameters of every host.
#[utoipa::path(get, path = "/api/v1/globals", tag = "settings", responses((status = 200, body = std::collections::BTreeMap<String, Param>), (status = "default", body = Problem)))]
pub(super) async fn globals(State(admin): State<Admin>, caller: Caller) -> Result<Json<Params>, Problem> {
    Ok(Json(types::params(&admin.house.store.settings().map_err(Failure::from)?.globals, &caller)))
}

/// Writes the parameters of every host, whole.
#[utoipa::path(put, path = "/api/v1/globals", tag = "settings", request_body = std::collections::BTreeMap<String, Param>,
    responses((status = 200, body = std::collections::BTreeMap<String, Param>), (status = "default", body = Problem)))]
pub(super) async fn put_globals(State(admin): State<Admin>, caller: Caller, Sent(params): Sent<Params>) -> Result<Json<Params>, Problem> {
    let actor = caller.needs(Role::Operator)?;
    no_hidden(&params)?;
    admin.house.edit_settings(actor, Edit::Globals(params)).await?;
    Ok(Json(types::params(&admin.house.store.settings().map_err(Failure::from)?.globals, &caller)))
}

/// Whose leases are wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfNetwork {
    network: Option<Name>,
}

/// Every lease that is in force, by network and address.
#[utoipa::path(get, path = "/api/v1/leases", tag = "settings", params(Paging, ("network" = Option<Name>, Query)),
    responses((status = 200, body = Page<Lease>), (status = "default", body = Problem)))]
pub(super) async fn leases(
    State(admin): State<Admin>,
    _: Caller,
    Asked(of): Asked<OfNetwork>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<Lease>>, Problem> {
    let leases = admin.house.book().leases(admin.house.now());
    let wanted = leases.into_iter().filter(|lease| of.network.as_ref().is_none_or(|network| lease.network == *network));
    let key = |lease: &Lease| format!("{} {:08x}", lease.network, u32::from(lease.address));
    paging.page(wanted, key, |lease| lease).map(Json)
}

/// A token without its secret, which nobody has but its bearer.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TokenView {
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
}

/// A token that is wanted.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenWish {
    /// Its name, which the journal calls its bearer.
    pub name: Name,
    /// What it may do.
    pub role: Role,
}

/// A token that was made.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TokenMade {
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// The secret; it is shown this once.
    pub token: String,
}

/// Every token, without the secrets.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(Paging), responses((status = 200, body = Page<TokenView>), (status = "default", body = Problem)))]
pub(super) async fn tokens(State(admin): State<Admin>, caller: Caller, Asked(paging): Asked<Paging>) -> Result<Json<Page<TokenView>>, Problem> {
    caller.needs(Role::Admin)?;
    let settings = admin.house.store.settings().map_err(Failure::from)?;
    let view = |token: &ApiToken| TokenView { name: token.name.clone(), role: token.role, created: token.created };
    paging.page(settings.tokens.values(), |token| token.name.to_string(), view).map(Json)
}

/// Makes a token; the answer holds its secret.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenWish, responses((status = 201, body = TokenMade), (status = "default", body = Problem)))]
pub(super) async fn make_token(State(admin): State<Admin>, caller: Caller, Sent(wish): Sent<TokenWish>) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Admin)?;
    let token = admin.house.create_token(actor, wish.name.clone(), wish.role).await?;
    let made = TokenMade { name: wish.name, role: wish.role, token: token.reveal().to_owned() };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Revokes a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "tokens", params(("name" = Name, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(super) async fn revoke_token(State(admin): State<Admin>, caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let actor = caller.needs(Role::Admin)?;
    admin.house.revoke_token(actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
