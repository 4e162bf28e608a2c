//! `GET|POST /cb/{token}/{report}`: what an installer says of its build. Durable before it is answered.
//!
//! 204 when it changed something, 200 with `{"applied": false, "why": …}` when it changed nothing and that is right (twice the same
//! word, an older build). HEAD says nothing and changes nothing.

use axum::{
    Json,
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

/// The route.
pub(super) async fn callback(
    State(boot): State<Boot>,
    Path((text, report)): Path<(String, String)>,
    asker: Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some((token, session)) = pass(&text) else { return say(&no_token()) };
    if asker.head_only {
        return StatusCode::NO_CONTENT.into_response();
    }
    let callbacks = match read(&report, &asker, &headers, &body) {
        Ok(callbacks) => callbacks,
        Err(response) => return response,
    };
    hear(&boot, &token, session.or_else(|| asker.session()), callbacks).await
}

/// POST to Foreman's `/unattended/built` and `/unattended/failed`.
pub(super) async fn unattended(State(boot): State<Boot>, Path(kind): Path<String>, asker: Asker, headers: HeaderMap, body: Bytes) -> Response {
    let Some((token, session)) = asker.word("token").and_then(pass) else { return say(&no_token()) };
    let text = wire::callback::text(kind_of(&headers), &body, "");
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
    hear(boot, token, session, vec![Callback { report, text }]).await
}

fn kind_of(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("")
}

fn read(report: &str, asker: &Asker, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Callback>, Response> {
    if report == "events" {
        return wire::callback::events(body).map_err(|why| (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response());
    }
    let Some(meaning) = wire::callback::verb(report) else {
        let text = format!("There is no callback {report:?}: started, progress/STAGE, built, failed, firstboot, reboot, log, events.\n");
        return Err((StatusCode::NOT_FOUND, text).into_response());
    };
    let text = wire::callback::text(kind_of(headers), body, "");
    let text = if text.is_empty() { asker.word("text").or_else(|| asker.word("message")).unwrap_or("").to_owned() } else { text };
    Ok(vec![Callback { report: meaning, text }])
}

async fn hear(boot: &Boot, token: &Token, session: Option<SessionId>, callbacks: Vec<Callback>) -> Response {
    let mut heard = Heard { applied: false, why: None };
    for callback in &callbacks {
        match boot.house.callback(token, session, callback).await {
            Ok(one) => heard = Heard { applied: heard.applied || one.applied, why: one.why.or(heard.why) },
            Err(failure) => return say(&failure),
        }
    }
    if heard.applied { StatusCode::NO_CONTENT.into_response() } else { Json(json!({ "applied": false, "why": heard.why })).into_response() }
}
