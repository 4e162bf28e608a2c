//! Who asks and what they may: bearer tokens, roles, and the shapes of requests that every route shares.
//!
//! *viewer* reads everything but secrets, *operator* changes hosts, networks and profiles, *admin* handles tokens and sees secrets. A token
//! that is not known is 401, a role that does not suffice 403, a store that cannot say 503: never one for the other.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;

use super::{Admin, problem::Problem};
use crate::model::{Actor, Role, Token};

/// The bearer of a known token.
pub struct Caller(pub Actor);

impl Caller {
    /// The caller, if its role suffices.
    pub fn needs(&self, role: Role) -> Result<&Actor, Problem> {
        if self.0.is_at_least(role) {
            return Ok(&self.0);
        }
        let word = serde_json::to_value(role).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
        let hint = format!("use a token of role {word}; `bootwright token create NAME --role {word}` makes one");
        Err(Problem::new(StatusCode::FORBIDDEN, "role_too_low", format!("this needs the role {word}"), hint))
    }

    /// Whether secrets may be shown.
    pub fn sees_secrets(&self) -> bool {
        self.0.is_at_least(Role::Admin)
    }
}

impl FromRequestParts<Admin> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let who = |detail: &str| {
            let hint = "send `Authorization: Bearer TOKEN`; the first start wrote an admin token to admin.token in the state folder";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail, hint)
        };
        let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(|| who("no token was shown"))?;
        let (scheme, token) =
            header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(|| who("the Authorization header is not `Bearer TOKEN`"))?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(who("the Authorization header is not `Bearer TOKEN`"));
        }
        let unknown = "this token is not known; it may have been revoked";
        let token = Token::parse(token.trim()).ok_or_else(|| who(unknown))?;
        admin.house.bearer(&token)?.map(Self).ok_or_else(|| who(unknown))
    }
}

/// `If-Match`: the version that the writer has read.
pub struct IfMatch(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or("").trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text.trim_matches('"').parse();
        version.map(|version| Self(Some(version))).map_err(|_| Problem::invalid("If-Match", "If-Match is a version as `ETag` gave it, like \"7\""))
    }
}

/// The query, or a problem that names what is wrong with it.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri).map_err(|wrong| Problem::invalid("query", wrong.body_text()))?;
        Ok(Self(query.0))
    }
}

/// A JSON body, or a problem that says where it is wrong. An empty body is `{}`.
pub struct Sent<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = body(request, state).await?;
        read(if bytes.is_empty() { b"{}" } else { &bytes }).map(Self)
    }
}

/// The bytes of a body within the limit.
pub(super) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|wrong| {
        let hint = "send less; large files go to /api/v1/artifacts, which has no such limit";
        Problem::new(wrong.status(), "body", wrong.body_text(), hint)
    })
}

/// Reads JSON; the problem has line and column.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|wrong| {
        if wrong.is_data() {
            return Problem::invalid("body", wrong.to_string());
        }
        Problem::new(StatusCode::BAD_REQUEST, "malformed", format!("the body is not JSON: {wrong}"), "correct the JSON at that place")
    })
}

/// The `Idempotency-Key`, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Option<&str> {
    headers.get(super::once::IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok())
}
