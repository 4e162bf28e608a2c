//! `POST /agent/v1/{hello,heartbeat,report}`: the live image's agent, JSON of `wire::agent` in both directions.
//!
//! The token comes first: without one that opens something not a byte of the body is kept. Every "no" is a [`Denial`] with its stable
//! code and is counted by it, and what is malformed names its field. The effect of a word is durable before it is answered.

use std::{error::Error, time::Duration};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::LengthLimitError;

use super::{
    Boot,
    answer::{RETRY_SECS, status},
};
use crate::{
    app::{Failure, Refusal, Told},
    model::{LiveMode, Token},
    wire::agent::{
        Denial, Reply,
        read::{self, Malformed},
    },
};

/// The largest report: facts of a machine with hundreds of disks are a tenth of it.
const REPORT_BYTES: usize = 4 << 20;
/// How long a body may take: nobody holds much of it back for long.
const BODY_TIME: Duration = Duration::from_secs(60);
/// The largest hello or heartbeat.
const WORD_BYTES: usize = 256 << 10;

/// The agent's first word.
pub(super) async fn hello(State(boot): State<Boot>, headers: HeaderMap, body: Body) -> Response {
    match listen(&boot, &headers, body, WORD_BYTES, read::hello).await {
        Ok((token, hello)) => answer(&boot, boot.house.agent_hello(&token, &hello).await),
        Err(no) => no,
    }
}

/// It is still there.
pub(super) async fn heartbeat(State(boot): State<Boot>, headers: HeaderMap, body: Body) -> Response {
    match listen(&boot, &headers, body, WORD_BYTES, read::heartbeat).await {
        Ok((token, beat)) => answer(&boot, boot.house.agent_heartbeat(&token, &beat).await),
        Err(no) => no,
    }
}

/// What it found or did.
pub(super) async fn report(State(boot): State<Boot>, headers: HeaderMap, body: Body) -> Response {
    match listen(&boot, &headers, body, REPORT_BYTES, read::report).await {
        Ok((token, report)) => answer(&boot, boot.house.agent_report(&token, &report).await),
        Err(no) => no,
    }
}

/// Token, then body, then what it says.
async fn listen<T>(
    boot: &Boot,
    headers: &HeaderMap,
    body: Body,
    most: usize,
    read: fn(&[u8]) -> Result<T, Malformed>,
) -> Result<(Token, T), Response> {
    let Some(token) = bearer(headers) else {
        let text = "the run's token is missing: Authorization: Bearer TOKEN, as the kernel's command line has it";
        return Err(deny(boot, StatusCode::UNAUTHORIZED, "unknown_token", text));
    };
    let most = match boot.house.hears_agent(&token) {
        // Facts are small; only the results of a wipe, which an operator has ordered, may be large.
        Ok(LiveMode::Register) => most.min(read::FACTS_BYTES),
        Ok(LiveMode::Clean) => most,
        Err(failure) => return Err(no(boot, &failure)),
    };
    let body: Bytes = match tokio::time::timeout(BODY_TIME, to_bytes(body, most)).await {
        Ok(Ok(body)) => body,
        Ok(Err(wrong)) if wrong.source().is_some_and(<dyn Error>::is::<LengthLimitError>) => {
            return Err(deny(boot, StatusCode::PAYLOAD_TOO_LARGE, "too_large", &format!("at most {most} bytes: {wrong}")));
        }
        // The agent tries again after a 503; what is too large stays so.
        Ok(Err(_)) | Err(_) => return Err(deny(boot, StatusCode::SERVICE_UNAVAILABLE, "too_slow", "the body did not come in time; send it again")),
    };
    let said = read(&body).map_err(|malformed| deny(boot, StatusCode::BAD_REQUEST, "malformed", &malformed.to_string()))?;
    Ok((token, said))
}

fn bearer(headers: &HeaderMap) -> Option<Token> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { Token::parse(token.trim()) } else { None }
}

fn answer(boot: &Boot, told: Told<Reply>) -> Response {
    told.map_or_else(|failure| no(boot, &failure), |reply| Json(reply).into_response())
}

/// A story's "no".
fn no(boot: &Boot, failure: &Failure) -> Response {
    let (code, text) = match failure {
        Failure::Refusal(Refusal::Unknown { noun: "token", .. }) => {
            ("unknown_token", "this token is of no present run of the live image; boot from the network again".to_owned())
        }
        Failure::Refusal(refusal) => (refusal.code(), refusal.to_string()),
        Failure::Fault(fault) => {
            tracing::error!(%fault, "the live image's agent could not be answered");
            ("unavailable", format!("the server could not look or could not keep it; ask again: {fault}"))
        }
    };
    deny(boot, status(failure), code, &text)
}

/// Says no by its stable code, and counts it by that.
fn deny(boot: &Boot, status: StatusCode, code: &'static str, text: &str) -> Response {
    boot.house.metrics.agent_denied(code);
    let mut response = (status, Json(Denial { code: code.to_owned(), text: text.to_owned() })).into_response();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_SECS));
    }
    response
}
