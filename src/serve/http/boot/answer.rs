//! How "no" looks to a machine: a status that its software understands and a text that a person at its console does.
//!
//! One exhaustive `match`. "Not there" is 404, "could not look" is 503 with Retry-After; an iPXE that asks for a script gets a valid one
//! that says so and waits. Never half a document.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    app::{Failure, Refusal},
    rules::{agent::Denied, lifecycle::WhyKind, render::fault_script},
};

/// Seconds after which a machine may ask again when we could not look.
pub(super) const RETRY_SECS: &str = "5";

/// Seconds that an iPXE waits at its screen.
const RETRY_SCRIPT_SECS: u32 = 60;

/// Marks the answer to whoever showed a token that opens nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forged;

impl Forged {
    /// Whether this is why there is no answer.
    fn is(failure: &Failure) -> bool {
        matches!(failure, Failure::Refusal(Refusal::Unknown { noun: "token", .. }))
    }
}

/// The status of a story's end.
pub(super) fn status(failure: &Failure) -> StatusCode {
    match failure {
        Failure::Fault(_) => StatusCode::SERVICE_UNAVAILABLE,
        Failure::Refusal(refusal) => match refusal {
            // A secret that opens nothing is no missing page.
            Refusal::Unknown { noun: "token", .. } | Refusal::Role { .. } => StatusCode::FORBIDDEN,
            Refusal::Unknown { .. } => StatusCode::NOT_FOUND,
            Refusal::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Template(_) | Refusal::Invalid { .. } | Refusal::Preflight(_) | Refusal::Site(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Lifecycle(why) => match why.kind() {
                WhyKind::Forbidden => StatusCode::FORBIDDEN,
                WhyKind::Locked => StatusCode::LOCKED,
                WhyKind::Conflict | WhyKind::Precondition | WhyKind::NeedsConfirm => StatusCode::CONFLICT,
            },
            Refusal::Agent(Denied::Token) => StatusCode::FORBIDDEN,
            Refusal::Closed(_)
            | Refusal::Agent(_)
            | Refusal::NoLiveImage { .. }
            | Refusal::NoPlan(_)
            | Refusal::PlanUnconfirmed { .. }
            | Refusal::PlanChanged { .. }
            | Refusal::BuildOpen { .. }
            | Refusal::Version { .. }
            | Refusal::Keep(_)
            | Refusal::InUse { .. } => StatusCode::CONFLICT,
        },
    }
}

/// The whole answer, for software that reads text.
pub(super) fn say(failure: &Failure) -> Response {
    let status = status(failure);
    if let Failure::Fault(fault) = failure {
        tracing::error!(%fault, "a machine could not be answered");
    }
    let mut response = (status, format!("{failure}\n")).into_response();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_SECS));
    }
    mark(response, failure)
}

fn mark(mut response: Response, failure: &Failure) -> Response {
    if Forged::is(failure) {
        response.extensions_mut().insert(Forged);
    }
    response
}

/// The same for an iPXE that asked for a document of its own: it prints the reason, waits and asks `retry` again; it never falls
/// through to a disk.
pub(super) fn say_as_script(failure: &Failure, retry: &str) -> Response {
    mark(script(StatusCode::OK, fault_script(&failure.to_string(), retry, RETRY_SCRIPT_SECS)), failure)
}

/// An iPXE script.
pub(super) fn script(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// The answer to a HEAD whose GET would do something: that there is something, and nothing more.
pub(super) fn head() -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")]).into_response()
}
