//! Refusals and faults as RFC 9457 problem documents: one exhaustive `match` from a story's end to status, stable code and hint.
//!
//! `detail` says what happened, `hint` what to do next, `code` is what programs look at. A fault of ours never looks like a refusal: 5xx
//! against 4xx, and "could not look" (503) is never "not there" (404).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// An answer that is not what was hoped for.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// `urn:bootwright:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, one sentence.
    pub detail: String,
    /// The stable word.
    pub code: String,
    /// What to do next.
    pub hint: String,
    /// More, by code: `findings`, `mistakes`, `build`, `version`, `template`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Problem {
    /// A problem with its four words.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:bootwright:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            hint: hint.into(),
            more: Map::new(),
        }
    }

    /// The same with one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.more.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// What was sent cannot be used.
    pub fn invalid(field: &str, text: impl Into<String>) -> Self {
        let hint = format!("correct `{field}` and send the request again");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", text, hint).with("field", field)
    }

    /// No route, or no such thing.
    pub fn nothing_here(path: &str) -> Self {
        let hint = "GET /api/v1/openapi.json lists every route";
        Self::new(StatusCode::NOT_FOUND, "no_such_route", format!("there is no route {path}"), hint)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_words_of_rfc_9457_and_a_code() {
        let problem = Problem::invalid("macs", "52 is not a MAC address");
        let json = serde_json::to_value(&problem).unwrap();
        for word in ["type", "title", "status", "detail", "code", "hint", "field"] {
            assert!(json.get(word).is_some(), "{word} is missing in {json}");
        }
        let response = problem.into_response();
        assert_eq!((response.status().as_u16(), &response.headers()[header::CONTENT_TYPE]), (422, &"application/problem+json".parse().unwrap()));
    }

    #[test]
    fn who_must_log_in_and_who_must_wait_are_told_how() {
        let headers = |status| Problem::new(status, "x", "y", "z").into_response().headers().clone();
        assert_eq!(headers(StatusCode::UNAUTHORIZED)[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(headers(StatusCode::SERVICE_UNAVAILABLE)[header::RETRY_AFTER], "5");
    }
}
