//! Refusals and faults as RFC 9457 problem documents: one exhaustive `match` from a story's end to status, stable code and hint.
//!
//! `detail` says what happened, `hint` what to do next, `code` is what programs look at. A fault of ours never looks like a refusal: 5xx
//! against 4xx, and "could not look" (503) is never "not there" (404).

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    app::{Failure, Fault, Refusal},
    rules::{
        lifecycle::{Why, WhyKind},
        removal::Keep,
    },
    store::{StoreFault, shelf::artifacts::ArtifactFault},
};

/// An answer that is not what was hoped for.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// `urn:bootwright:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened, one sentence.
    pub detail: String,
    /// The stable word.
    pub code: &'static str,
    /// What to do next.
    pub hint: String,
    /// More, by code: `findings`, `mistakes`, `build`, `version`, `template`, `plan_hash`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub more: Option<Box<Map<String, Value>>>,
}

impl Problem {
    /// A problem with its four words.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:bootwright:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            hint: hint.into(),
            more: None,
        }
    }

    /// The same with one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.more.get_or_insert_default().insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
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

impl Problem {
    /// The route has no such method.
    pub fn no_such_method(method: &Method, path: &str) -> Self {
        let hint = "GET /api/v1/openapi.json lists every route with its methods";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", format!("{path} does not take {method}"), hint)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refusal(refusal) => Self::from(refusal),
            Failure::Fault(fault) => Self::from(fault),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (code, detail) = (refusal.code(), refusal.to_string());
        let say = |status, hint: &str| Self::new(status, code, &detail, hint);
        match refusal {
            Refusal::Unknown { noun, .. } => say(StatusCode::NOT_FOUND, &format!("list what there is: GET /api/v1/{}", plural(noun))),
            Refusal::Lifecycle(why) => of_lifecycle(&why),
            Refusal::Version { have, .. } => {
                say(StatusCode::PRECONDITION_FAILED, "read the host again, look at what changed, and repeat with its new version")
                    .with("version", have)
            }
            Refusal::BuildOpen { build } => say(StatusCode::CONFLICT, "wait for its end, or cancel it").with("build", build),
            Refusal::Role { .. } => say(StatusCode::FORBIDDEN, "use a token of that role"),
            Refusal::Invalid { field, .. } => {
                say(StatusCode::UNPROCESSABLE_ENTITY, &format!("correct `{field}` and send the request again")).with("field", field)
            }
            Refusal::Preflight(findings) => {
                let hint = "mend what `findings` says; `force: true` goes on in spite of those that are overridable";
                say(StatusCode::UNPROCESSABLE_ENTITY, hint).with("findings", findings)
            }
            Refusal::Site(mistakes) => {
                say(StatusCode::UNPROCESSABLE_ENTITY, "correct what `mistakes` names and send it again").with("mistakes", mistakes)
            }
            Refusal::Template(fault) => say(StatusCode::UNPROCESSABLE_ENTITY, "correct the template at that place").with("template", fault),
            Refusal::Closed(_) => say(StatusCode::CONFLICT, "enable a build first"),
            Refusal::NoLiveImage { .. } => {
                say(StatusCode::CONFLICT, "`detail` says what is wrong with the live image; `adopt` takes a host over as it is")
            }
            Refusal::Agent(_) => say(StatusCode::CONFLICT, "boot the machine from the network again"),
            Refusal::NoPlan(why) => {
                say(StatusCode::PRECONDITION_FAILED, "do first what `detail` names, then ask for the plan again").with("reason", why.code())
            }
            Refusal::PlanUnconfirmed { hash, summary } => {
                let hint = "look at the plan (GET /api/v1/hosts/{host}/wipe-plan) and repeat with `plan_hash`, all of it or its first 12 digits";
                say(StatusCode::PRECONDITION_REQUIRED, hint).with("plan_hash", hash).with("summary", summary)
            }
            Refusal::PlanChanged { hash, summary } => {
                let hint = "look at the plan again (GET /api/v1/hosts/{host}/wipe-plan) and repeat with its `plan_hash`";
                say(StatusCode::PRECONDITION_FAILED, hint).with("plan_hash", hash).with("summary", summary)
            }
            Refusal::TooOften => say(StatusCode::TOO_MANY_REQUESTS, "wait a moment and repeat"),
            Refusal::Keep(Keep::State { .. }) => say(StatusCode::CONFLICT, "release or decommission the host first"),
            Refusal::Keep(Keep::Held { .. }) => say(StatusCode::LOCKED, "take the hold away first: `unprotect`, or `unfreeze` by an admin"),
            Refusal::Keep(Keep::Unconfirmed { .. }) => say(StatusCode::PRECONDITION_REQUIRED, "repeat with `confirm` = the host's name"),
            Refusal::InUse { .. } => say(StatusCode::CONFLICT, "change what uses it first, or choose another"),
        }
    }
}

fn of_lifecycle(why: &Why) -> Problem {
    let (status, hint) = match why.kind() {
        WhyKind::Conflict => (StatusCode::CONFLICT, "look at the host's state; `detail` names the row of the table and what would make it possible"),
        WhyKind::Locked => (StatusCode::LOCKED, "a hold forbids it: `unprotect`, or `unfreeze` by an admin"),
        WhyKind::Forbidden => (StatusCode::FORBIDDEN, "use a token whose role or name may do this"),
        WhyKind::Precondition => (StatusCode::PRECONDITION_FAILED, "do first what `detail` names, then repeat"),
        WhyKind::NeedsConfirm => (StatusCode::PRECONDITION_REQUIRED, "repeat with `confirm` = the host's name, or with a `reason`, as `detail` says"),
    };
    let problem = Problem::new(status, why.code(), why.to_string(), hint);
    match why {
        Why::BuildOpen { build, .. } => problem.with("build", build),
        _ => problem,
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let detail = fault.to_string();
        let (status, code, hint) = match &fault {
            // The store's own uniqueness caught what a story had not seen yet: a refusal, by timing.
            Fault::Store(StoreFault::Taken { .. }) => (StatusCode::CONFLICT, "in_use", "choose another value, or change the other host first"),
            Fault::Store(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault.word(), "nothing was changed; mend what `detail` says, then repeat"),
            Fault::File { .. } => (StatusCode::SERVICE_UNAVAILABLE, "file_fault", "look at that file and the disk, then repeat"),
            Fault::Contended(_) => (StatusCode::SERVICE_UNAVAILABLE, "contended", "repeat in a moment"),
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(code, %detail, "an operator could not be answered");
        }
        Self::new(status, code, detail, hint)
    }
}

impl From<ArtifactFault> for Problem {
    fn from(fault: ArtifactFault) -> Self {
        let (status, hint) = match &fault {
            ArtifactFault::NotThere(_) => (StatusCode::NOT_FOUND, "list what there is: GET /api/v1/artifacts"),
            ArtifactFault::Outside(_) | ArtifactFault::NotAFile(_) => (StatusCode::CONFLICT, "put a regular file into the artifacts folder"),
            ArtifactFault::Different { .. } => (StatusCode::CONFLICT, "import it as a new version"),
            ArtifactFault::Io { .. } => (StatusCode::SERVICE_UNAVAILABLE, "look at that path and the disk, then repeat"),
        };
        Self::new(status, fault.word(), fault.to_string(), hint)
    }
}

/// The list of a noun's things.
fn plural(noun: &str) -> &'static str {
    match noun {
        "network" => "networks",
        "profile" => "profiles",
        "rule" => "rules",
        "token" => "tokens",
        "artifact" => "artifacts",
        "template" | "document" => "templates",
        "verb" => "openapi.json",
        "certificate" => "hosts/{host}/certificates",
        _ => "hosts",
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
    use crate::rules::wipe::NoPlan;

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

    #[track_caller]
    fn check(problem: impl Into<Problem>, status: u16, code: &str, member: Option<&str>) {
        let problem = problem.into();
        assert_eq!((problem.status, problem.code), (status, code), "{problem:?}");
        assert!(!problem.hint.is_empty() && !problem.detail.is_empty());
        let json = serde_json::to_value(&problem).unwrap();
        assert!(member.is_none_or(|name| json.get(name).is_some()), "{member:?} is missing in {json}");
    }

    fn fault() -> crate::model::TemplateFault {
        let word = |text: &str| text.to_owned();
        crate::model::TemplateFault { template: word("a"), line: 1, column: 2, rule: word("syntax"), message: word("m"), hint: word("h") }
    }

    #[test]
    fn every_refusal_has_its_status_and_code() {
        let name = || "n1".to_owned();
        let build = crate::model::BuildId(uuid::Uuid::nil());
        check(Refusal::Unknown { noun: "host", name: name() }, 404, "not_found", None);
        check(Refusal::Version { have: 2, want: 1 }, 412, "version_mismatch", Some("version"));
        check(Refusal::BuildOpen { build }, 409, "build_open", Some("build"));
        check(Refusal::Role { needs: crate::model::Role::Admin }, 403, "role_too_low", None);
        check(Refusal::Invalid { field: name(), text: name() }, 422, "invalid", Some("field"));
        check(Refusal::Preflight(Vec::new()), 422, "preflight", Some("findings"));
        check(Refusal::Site(Vec::new()), 422, "invalid_site", Some("mistakes"));
        check(Refusal::Template(fault()), 422, "template", Some("template"));
        check(Refusal::Closed(name()), 409, "closed", None);
        check(Refusal::Agent(crate::rules::agent::Denied::NoHello), 409, "no_hello", None);
        check(Refusal::NoLiveImage { state: "cleaning", why: "it was not built".into() }, 409, "no_live_image", None);
        check(Refusal::NoPlan(NoPlan::NoDisks { left: String::new() }), 412, "no_plan", Some("reason"));
        check(Refusal::PlanUnconfirmed { hash: name(), summary: name() }, 428, "plan_unconfirmed", Some("plan_hash"));
        check(Refusal::PlanChanged { hash: name(), summary: name() }, 412, "plan_changed", Some("summary"));
        check(Refusal::Keep(Keep::State { name: name(), state: "used" }), 409, "not_removable", None);
        check(Refusal::Keep(Keep::Held { name: name() }), 423, "locked", None);
        check(Refusal::Keep(Keep::Unconfirmed { name: name() }), 428, "confirm", None);
        check(Refusal::InUse { noun: "profile", name: name(), by: name() }, 409, "in_use", None);
        check(Refusal::Lifecycle(Why::BuildOpen { row: "T9", build, by: name() }), 409, "build_open", Some("build"));
        check(Refusal::Lifecycle(Why::NeedsReason { row: "T31", event: "decommission" }), 428, "needs_reason", None);
        check(Refusal::Lifecycle(Why::FactsIncomplete { row: "T3" }), 412, "facts_incomplete", None);
        check(Refusal::Lifecycle(Why::Protected { row: "T17", event: "release" }), 423, "protected", None);
        check(Refusal::Lifecycle(Why::NotProven { row: "T10", event: "built" }), 403, "not_proven", None);
    }

    #[test]
    fn a_fault_is_503_and_a_race_for_a_name_is_409() {
        let taken = StoreFault::Taken { what: "name", value: "n1".into(), by: None };
        check(Fault::Store(taken), 409, "in_use", None);
        check(Fault::Store(StoreFault::Closed), 503, "store_closed", None);
        check(Fault::File { path: "/x".into(), source: std::io::Error::other("gone") }, 503, "file_fault", None);
        check(Fault::Contended(16), 503, "contended", None);
        let artifact = || "a/1/f".parse().unwrap();
        check(ArtifactFault::NotThere(artifact()), 404, "artifact_not_there", None);
        check(ArtifactFault::Outside(artifact()), 409, "artifact_outside", None);
        check(ArtifactFault::NotAFile(artifact()), 409, "artifact_not_a_file", None);
        check(ArtifactFault::Io { path: "/x".into(), source: std::io::Error::other("gone") }, 503, "artifact_fault", None);
    }
}
