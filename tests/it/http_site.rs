//! The two listeners' routes over a lab's house, called without sockets.
//!
//! A test sends requests as text would be sent; tokens of each role are made beforehand.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use bootwright::{
    app::House,
    model::Role,
    serve::http::{
        api::{self, Admin},
        boot::{self, Boot},
    },
    world::StillWorld,
};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::lab::{self, Lab};

/// Both listeners.
pub struct Site {
    pub house: Arc<House>,
    pub world: Arc<StillWorld>,
    pub boot: Router,
    pub admin: Router,
    pub stop: CancellationToken,
    records: boot::Records,
    tokens: [String; 3],
    _folder: Option<tempfile::TempDir>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// The problem's code.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        assert_eq!((self.status, self.header("content-type")), (status, "application/problem+json"), "{}", self.text);
        let json = self.json();
        for word in ["type", "title", "detail", "hint"] {
            assert!(json[word].as_str().is_some_and(|text| !text.is_empty()), "{word} is missing: {json}");
        }
        assert_eq!(json["status"], status);
        json["code"].as_str().unwrap().to_owned()
    }
}

/// Sends one request.
pub async fn send(routes: &Router, request: Request<Body>) -> Answer {
    let response = routes.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status.as_u16(), headers: head.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

impl Site {
    /// The lab's house, furnished: network `lab`, profile `os`, host `n1` in state used.
    pub async fn new() -> Self {
        Self::of(Lab::new().await).await
    }

    pub async fn of(lab: Lab) -> Self {
        let mut tokens = Vec::new();
        for (name, role) in [("vera", Role::Viewer), ("olga", Role::Operator), ("anna", Role::Admin)] {
            tokens.push(lab.house.create_token(&lab::admin(), name.parse().unwrap(), role).await.unwrap().reveal().to_owned());
        }
        let (house, world, folder) = lab.share();
        let (records, stop) = (boot::Records::default(), CancellationToken::new());
        let boot = boot::routes(Boot { house: house.clone(), records: records.clone() });
        let admin = api::routes(Admin { house: house.clone(), stop: stop.clone() });
        Self { house, world, boot, admin, stop, records, tokens: tokens.try_into().unwrap(), _folder: folder }
    }

    pub fn token(&self, role: Role) -> &str {
        &self.tokens[role as usize]
    }

    /// A request of an operator, with JSON.
    pub async fn ask(&self, role: Role, method: &str, path: &str, body: Value) -> Answer {
        self.ask_with(role, method, path, &[], body).await
    }

    pub async fn ask_with(&self, role: Role, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("/api/v1{path}")).header("authorization", format!("Bearer {}", self.token(role)));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        send(&self.admin, request.body(body).unwrap()).await
    }

    /// A request of an admin.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Role::Admin, "GET", path, Value::Null).await
    }

    /// A request of a machine; what it leads to has happened when this returns.
    pub async fn machine(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = send(&self.boot, request.body(Body::from(body.to_owned())).unwrap()).await;
        self.settle().await;
        answer
    }

    pub async fn fetch(&self, path: &str) -> Answer {
        self.machine("GET", path, &[], "").await
    }

    /// Waits for the tasks that outlive their request.
    pub async fn settle(&self) {
        self.records.finish().await;
    }

    /// Opens a build for `n1` and answers the pass of its URLs.
    pub async fn enable(&self) -> String {
        let answer = self.ask(Role::Operator, "POST", "/hosts/n1/builds", serde_json::json!({ "confirm": "n1" })).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        self.pass()
    }

    /// The token of the newest build of `n1`.
    pub fn pass(&self) -> String {
        let build = self.house.find("n1").unwrap().build.clone().unwrap();
        self.house.keys.build_token(build.id).reveal().to_owned()
    }

    pub fn stage(&self) -> &'static str {
        self.house.find("n1").unwrap().build.as_ref().map_or("none", |build| build.stage.word())
    }
}
