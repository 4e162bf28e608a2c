//! `GET|POST /cb/{token}/{report}`: what an installer says of its build. Durable before it is answered.
//!
//! 204 when it changed something, 200 with `{"applied": false, "why": …}` when it changed nothing and that is right (twice the same
//! word, an older build). HEAD says nothing and changes nothing.

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::json;

use super::{
    Boot,
    answer::say,
    asker::{Asker, pass},
    document::no_token,
};
use crate::{
    app::callback::Heard,
    model::{Callback, Report, SessionId, Token},
    wire,
};

/// The largest body of a report; of its text the tail is kept.
const MOST_BYTES: usize = 1 << 20;

/// The route.
pub(super) async fn callback(
    State(boot): State<Boot>,
    Path((text, report)): Path<(String, String)>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some((token, session)) = pass(&text) else { return say(&no_token()) };
    if asker.head_only {
        return StatusCode::NO_CONTENT.into_response();
    }
    let body = match proven_body(&boot, &token, body).await {
        Ok(body) => body,
        Err(no) => return no,
    };
    let mut callback = match wire::callback::read(&report, kind_of(&headers), &body) {
        Ok(callback) => callback,
        Err(wrong) => return (StatusCode::NOT_FOUND, format!("{wrong}\n")).into_response(),
    };
    if let (true, Some(text)) = (callback.text.is_empty(), asker.word("text").or_else(|| asker.word("message"))) {
        callback.text = wire::callback::tail(text);
    }
    hear(&boot, &token, session.or_else(|| asker.session()), callback).await
}

/// POST to Foreman's `/unattended/built` and `/unattended/failed`.
pub(super) async fn unattended(State(boot): State<Boot>, Path(kind): Path<String>, asker: Asker, headers: HeaderMap, body: Body) -> Response {
    let Some((token, session)) = asker.word("token").and_then(pass) else { return say(&no_token()) };
    let body = match proven_body(&boot, &token, body).await {
        Ok(body) => body,
        Err(no) => return no,
    };
    let text = wire::callback::read("log", kind_of(&headers), &body).map(|callback| callback.text).unwrap_or_default();
    foreman(&boot, &asker, &token, session.or_else(|| asker.session()), &kind, text).await
}

/// `built` or `failed`, however it was asked.
pub(super) async fn foreman(boot: &Boot, asker: &Asker, token: &Token, session: Option<SessionId>, kind: &str, text: String) -> Response {
    let report = match kind {
        "built" => Report::Built,
        "failed" => Report::Failed,
        _ => return (StatusCode::NOT_FOUND, format!("There is no callback /unattended/{kind}.\n")).into_response(),
    };
    if asker.head_only {
        return StatusCode::NO_CONTENT.into_response();
    }
    hear(boot, token, session, Callback { report, text }).await
}

/// The body of whoever shows a token that opens something; nobody else has a byte kept.
async fn proven_body(boot: &Boot, token: &Token, body: Body) -> Result<Bytes, Response> {
    match boot.house.is_known(token).await {
        Ok(true) => {}
        Ok(false) => return Err(say(&no_token())),
        Err(failure) => return Err(say(&failure)),
    }
    to_bytes(body, MOST_BYTES)
        .await
        .map_err(|wrong| (StatusCode::PAYLOAD_TOO_LARGE, format!("The body could not be read: {wrong}\n")).into_response())
}

fn kind_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok())
}

async fn hear(boot: &Boot, token: &Token, session: Option<SessionId>, callback: Callback) -> Response {
    match boot.house.callback(token, session, &callback).await {
        Ok(Heard { applied: true, .. }) => StatusCode::NO_CONTENT.into_response(),
        Ok(Heard { applied: false, why }) => Json(json!({ "applied": false, "why": why })).into_response(),
        Err(failure) => say(&failure),
    }
}
