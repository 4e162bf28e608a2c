//! The REST API: every route once as it should be, every refusal with its status and code.
//!
//! The OpenAPI document is compared with its golden copy; `UPDATE_GOLDEN=1` rewrites that.

use std::sync::Arc;

use axum::{body::Body, http::Request};
use bootwright::{
    model::Role::{Admin, Operator, Viewer},
    serve::http::api::{self, Admin as Edge},
    store::BrokenStore,
};
use serde_json::{Value, json};

use crate::{
    http_site::{Site, send},
    lab::{Lab, MAC},
};

const NO: Value = Value::Null;

#[tokio::test]
async fn without_a_known_token_everything_but_health_is_401() {
    let site = Site::new().await;
    let bare = |path: &str, header: Option<&str>| {
        let mut request = Request::get(path);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        request.body(Body::empty()).unwrap()
    };
    for header in [None, Some("Bearer aaaaaaaaaaaaaaaaaaaaaaaaaa"), Some("Basic eDp5"), Some("Bearer"), Some("Bearer no good")] {
        let answer = send(&site.admin, bare("/api/v1/hosts", header)).await;
        assert_eq!((answer.problem(401).as_str(), answer.header("www-authenticate")), ("unauthorized", "Bearer"), "{header:?}");
    }
    for path in ["/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"] {
        assert_eq!(send(&site.admin, bare(path, None)).await.status, 200, "{path}");
    }
    let spoken = format!("bearer {}", site.token(Viewer));
    assert_eq!(send(&site.admin, bare("/api/v1/hosts", Some(&spoken))).await.status, 200);
}

#[tokio::test]
async fn a_role_that_does_not_suffice_is_403_and_changes_nothing() {
    let site = Site::new().await;
    for (role, method, path, body) in [
        (Viewer, "POST", "/hosts", json!({ "name": "n2", "macs": ["52:54:00:00:00:02"] })),
        (Viewer, "PATCH", "/hosts/n1", json!({ "tags": ["x"] })),
        (Viewer, "DELETE", "/hosts/n1?confirm=n1", NO),
        (Viewer, "POST", "/hosts/n1/actions/protect", NO),
        (Viewer, "POST", "/hosts/n1/builds", json!({ "confirm": "n1" })),
        (Viewer, "POST", "/builds/01900000-0000-7000-8000-000000000001/cancel", NO),
        (Viewer, "POST", "/builds/01900000-0000-7000-8000-000000000001/retry", NO),
        (Viewer, "POST", "/builds/01900000-0000-7000-8000-000000000001/rearm", NO),
        (Viewer, "PUT", "/networks/lab", json!({ "name": "lab", "subnet": "10.0.0.0/8" })),
        (Viewer, "DELETE", "/networks/lab", NO),
        (Viewer, "PUT", "/profiles/os", json!({ "name": "os" })),
        (Viewer, "DELETE", "/profiles/os", NO),
        (Viewer, "PUT", "/globals", json!({})),
        (Viewer, "PUT", "/artifacts/a/1/f", json!(1)),
        (Operator, "POST", "/templates/reload", NO),
        (Operator, "GET", "/tokens", NO),
        (Operator, "POST", "/tokens", json!({ "name": "x", "role": "admin" })),
        (Operator, "DELETE", "/tokens/anna", NO),
        (Operator, "GET", "/hosts/n1/preview/answer?reveal=true", NO),
        (Operator, "GET", "/builds/01900000-0000-7000-8000-000000000001/documents/00", NO),
    ] {
        let before = site.get("/hosts/n1").await.text;
        assert_eq!(site.ask(role, method, path, body).await.problem(403), "role_too_low", "{method} {path}");
        assert_eq!(site.get("/hosts/n1").await.text, before);
    }
    assert_eq!(site.ask(Operator, "POST", "/hosts/n1/actions/freeze", json!({ "reason": "x" })).await.problem(403), "role_too_low");
}

#[tokio::test]
async fn a_host_is_recorded_found_edited_and_removed() {
    let site = Site::new().await;
    let wish = json!({ "name": "n2", "macs": ["5254.0000.0002"], "network": "lab", "address": "10.77.0.12", "tags": ["rack-1"] });
    let made = site.ask(Operator, "POST", "/hosts", wish).await;
    assert_eq!((made.status, made.header("etag")), (201, "\"1\""), "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), format!("/api/v1/hosts/{id}"));
    for key in [&id, "n2", "52:54:00:00:00:02", "52-54-00-00-00-02", "525400000002", "01-52-54-00-00-00-02"] {
        let shown = site.ask(Viewer, "GET", &format!("/hosts/{key}"), NO).await;
        assert_eq!(shown.json()["id"], id.as_str(), "{key}: {}", shown.text);
    }
    let shown = site.get("/hosts/n2").await.json();
    assert_eq!((&shown["lifecycle"]["state"], &shown["display_state"], &shown["api_status"]), (&json!("new"), &json!("New"), &NO));
    let edited = site.ask_with(Operator, "PATCH", "/hosts/n2", &[("if-match", "\"1\"")], json!({ "serial": "S1" })).await;
    assert_eq!((edited.status, edited.header("etag"), &edited.json()["serial"]), (200, "\"2\"", &json!("S1")), "{}", edited.text);
    assert_eq!(edited.json()["tags"], json!(["rack-1"]), "what is left out stays");
    let removed = site.ask(Operator, "DELETE", "/hosts/n2?confirm=n2", NO).await;
    assert_eq!((removed.status, removed.text.as_str()), (204, ""));
    assert_eq!(site.get("/hosts/n2").await.problem(404), "not_found");
}

#[tokio::test]
async fn what_cannot_be_a_host_is_refused_with_its_field() {
    let site = Site::new().await;
    let post = |body: Value| site.ask(Operator, "POST", "/hosts", body);
    assert_eq!(post(json!({ "macs": ["52:54:00:00:00:02"] })).await.problem(422), "invalid");
    assert_eq!(post(json!({ "name": "n2" })).await.problem(422), "invalid");
    assert_eq!(post(json!({ "name": "n2", "macs": ["ff:ff:ff:ff:ff:ff"] })).await.problem(422), "invalid");
    assert_eq!(post(json!({ "name": "-", "macs": ["52:54:00:00:00:02"] })).await.problem(422), "invalid");
    assert_eq!(post(json!({ "name": "n2", "macs": ["52:54:00:00:00:02"], "colour": "red" })).await.problem(422), "invalid");
    assert_eq!(post(json!({ "name": "n1", "macs": ["52:54:00:00:00:02"] })).await.problem(409), "in_use");
    assert_eq!(post(json!({ "name": "n2", "macs": [MAC] })).await.problem(409), "in_use");
    assert_eq!(post(json!({ "name": "n2", "macs": ["52:54:00:00:00:02"], "network": "moon" })).await.problem(404), "not_found");
    assert_eq!(post(json!({ "name": "n2", "macs": ["52:54:00:00:00:02"], "network": "lab", "address": "10.1.1.1" })).await.problem(422), "invalid");
    let broken =
        Request::post("/api/v1/hosts").header("authorization", format!("Bearer {}", site.token(Admin))).body(Body::from("{\"name\": ")).unwrap();
    let answer = send(&site.admin, broken).await;
    assert_eq!(answer.problem(400), "malformed");
    assert!(answer.text.contains("line 1 column"), "{}", answer.text);
}

#[tokio::test]
async fn an_edit_changes_what_it_says_clears_what_is_null_and_takes_nothing_from_another_host() {
    let site = Site::new().await;
    site.ask(Operator, "POST", "/hosts", json!({ "name": "n2", "macs": ["52:54:00:00:00:02"], "serial": "S2", "address": "10.77.0.2" })).await;
    let edit = |body: Value| site.ask(Operator, "PATCH", "/hosts/52-54-00-00-00-02", body);
    let renamed = edit(json!({ "name": "n3", "serial": null })).await.json();
    assert_eq!((&renamed["name"], &renamed["serial"], &renamed["address"]), (&json!("n3"), &Value::Null, &json!("10.77.0.2")));
    assert_eq!(edit(json!({ "name": "n1" })).await.problem(409), "in_use");
    assert_eq!(edit(json!({ "macs": [MAC] })).await.problem(409), "in_use");
    assert_eq!(edit(json!({ "macs": [] })).await.problem(422), "invalid");
    assert_eq!(edit(json!({ "profile": "moon" })).await.problem(404), "not_found");
    let seen = site.get("/hosts/n3/journal").await.json()["items"].as_array().unwrap().len();
    assert_eq!(edit(json!({ "name": "n3" })).await.status, 200);
    assert_eq!(site.get("/hosts/n3/journal").await.json()["items"].as_array().unwrap().len(), seen, "nothing changed, nothing is told");
}

#[tokio::test]
async fn a_version_that_is_not_the_present_one_is_412() {
    let site = Site::new().await;
    for (method, path, body) in [
        ("PATCH", "/hosts/n1", json!({ "tags": ["x"] })),
        ("DELETE", "/hosts/n1?confirm=n1", NO),
        ("POST", "/hosts/n1/actions/protect", NO),
        ("POST", "/hosts/n1/builds", json!({ "confirm": "n1" })),
    ] {
        let answer = site.ask_with(Operator, method, path, &[("if-match", "\"77\"")], body).await;
        assert_eq!(answer.problem(412), "version_mismatch", "{method} {path}");
        assert_eq!(answer.json()["version"], site.house.find("n1").unwrap().version);
    }
    assert_eq!(site.ask_with(Operator, "PATCH", "/hosts/n1", &[("if-match", "abc")], json!({})).await.problem(422), "invalid");
    assert_eq!(site.ask_with(Operator, "PATCH", "/hosts/n1", &[("if-match", "*")], json!({ "tags": ["x"] })).await.status, 200);
}

#[tokio::test]
async fn verbs_move_a_host_and_what_may_not_be_is_refused_by_kind() {
    let site = Site::new().await;
    let act = |verb: &str, words: Value| {
        let path = format!("/hosts/n1/actions/{verb}");
        let site = &site;
        async move { site.ask(Admin, "POST", &path, words).await }
    };
    assert_eq!(act("protect", NO).await.json()["holds"]["lock"], true);
    assert_eq!(act("release", json!({ "confirm": "n1" })).await.problem(423), "protected");
    assert_eq!(act("unprotect", NO).await.json()["holds"]["lock"], false);
    assert_eq!(act("maintenance", NO).await.problem(428), "needs_confirm");
    assert_eq!(act("available", NO).await.problem(409), "not_from_here");
    assert_eq!(act("freeze", NO).await.problem(422), "invalid");
    assert_eq!(act("freeze", json!({ "reason": "arrears" })).await.json()["holds"]["frozen"]["why"], "arrears");
    assert_eq!(act("unfreeze", NO).await.status, 200);
    assert_eq!(act("reregister", NO).await.problem(409), "no_live_image");
    assert_eq!(act("release", json!({ "confirm": "n1" })).await.problem(409), "no_live_image");
    assert_eq!(act("release", json!({ "confirm": "n2" })).await.problem(428), "needs_confirm");
    assert_eq!(act("maintenance", json!({ "confirm": "n1" })).await.json()["lifecycle"]["state"], "maintenance");
    assert_eq!(act("end-maintenance", NO).await.json()["lifecycle"]["state"], "used", "hyphens are underscores");
    assert_eq!(act("dance", NO).await.problem(404), "not_found");
    assert_eq!(act("protect", json!({ "why": "?" })).await.problem(422), "invalid");
    assert_eq!(site.ask(Admin, "POST", "/hosts/nobody/actions/protect", NO).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_host_in_use_is_not_removed() {
    let site = Site::new().await;
    assert_eq!(site.ask(Operator, "DELETE", "/hosts/n1?confirm=n1", NO).await.problem(409), "not_removable");
    site.ask(Operator, "POST", "/hosts", json!({ "name": "n2", "macs": ["52:54:00:00:00:02"] })).await;
    assert_eq!(site.ask(Operator, "DELETE", "/hosts/n2", NO).await.problem(428), "confirm");
    site.ask(Operator, "POST", "/hosts/n2/actions/protect", NO).await;
    assert_eq!(site.ask(Operator, "DELETE", "/hosts/n2?confirm=n2", NO).await.problem(423), "locked");
}

#[tokio::test]
async fn hosts_are_listed_in_pages_and_filtered() {
    let site = Site::new().await;
    for n in 2..=5 {
        site.ask(Operator, "POST", "/hosts", json!({ "name": format!("n{n}"), "macs": [format!("52:54:00:00:00:0{n}")], "tags": ["new"] })).await;
    }
    let (mut names, mut path) = (Vec::new(), "/hosts?limit=2".to_owned());
    loop {
        let page = site.get(&path).await.json();
        names.extend(page["items"].as_array().unwrap().iter().map(|host| host["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = format!("/hosts?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["n1", "n2", "n3", "n4", "n5"]);
    let count = |path: &'static str| async { site.get(path).await.json()["items"].as_array().unwrap().len() };
    assert_eq!(count("/hosts?lifecycle=used").await, 1);
    assert_eq!(count("/hosts?tag=new").await, 4);
    assert_eq!(count("/hosts?search=00:03").await, 1);
    assert_eq!(count("/hosts?network=lab").await, 1);
    assert_eq!(site.get("/hosts?limit=0").await.problem(422), "invalid");
    assert_eq!(site.get("/hosts?limit=many").await.problem(422), "invalid");
}

#[tokio::test]
async fn a_build_is_enabled_once_watched_cancelled_and_retried() {
    let site = Site::new().await;
    let wish = json!({ "confirm": "n1", "kind": "reinstall" });
    let key = [("idempotency-key", "k1")];
    let first = site.ask_with(Operator, "POST", "/hosts/n1/builds", &key, wish.clone()).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let build = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!((first.json()["host_name"].clone(), first.json()["stage"].clone()), (json!("n1"), json!("build_enabled")));
    assert_eq!(first.header("location"), format!("/api/v1/builds/{build}"));
    let again = site.ask_with(Operator, "POST", "/hosts/n1/builds", &key, wish.clone()).await;
    assert_eq!((again.status, again.json()["id"].as_str(), again.header("idempotent-replay")), (201, Some(build.as_str()), "true"));
    let refused = site.ask(Operator, "POST", "/hosts/n1/builds", wish.clone()).await;
    assert_eq!(refused.problem(409), "build_open");
    assert_eq!(refused.json()["build"], build.as_str());
    let other = site.ask_with(Operator, "POST", "/hosts/n1/builds", &key, json!({ "confirm": "n2" })).await;
    assert_eq!(other.problem(422), "idempotency_key_reused");
    assert_eq!(site.get(&format!("/builds/{build}")).await.json()["id"], build.as_str());
    assert_eq!(site.get("/hosts/n1/builds").await.json().as_array().unwrap().len(), 1);
    assert_eq!(site.ask(Operator, "POST", &format!("/builds/{build}/rearm"), NO).await.status, 200);
    let waited = site.get(&format!("/builds/{build}/wait?for=built&timeout=0")).await;
    assert_eq!(waited.json()["reached"], false);
    let cancelled = site.ask(Operator, "POST", &format!("/builds/{build}/cancel"), NO).await;
    assert_eq!((cancelled.status, &cancelled.json()["end"]["how"]), (200, &json!("cancelled")), "{}", cancelled.text);
    assert_eq!(site.get(&format!("/builds/{build}/wait")).await.json()["reached"], true);
    assert_eq!(site.ask(Operator, "POST", &format!("/builds/{build}/cancel"), NO).await.problem(409), "no_open_build");
    assert_eq!(site.ask(Operator, "POST", &format!("/builds/{build}/retry"), json!({ "confirm": "n1" })).await.problem(409), "not_from_here");
}

#[tokio::test]
async fn the_store_knows_a_key_when_memory_has_forgotten_it() {
    let site = Site::new().await;
    let key = [("idempotency-key", "k1")];
    let first = site.ask_with(Operator, "POST", "/hosts/n1/builds", &key, json!({ "confirm": "n1" })).await.json();
    // Another build has come and gone since: a request that is delivered late must not install again.
    for _ in 0..2 {
        let open = site.house.find("n1").unwrap().build.clone().unwrap().id;
        assert_eq!(site.ask(Operator, "POST", &format!("/builds/{open}/cancel"), NO).await.status, 200);
        if open.to_string() == first["id"] {
            assert_eq!(site.ask(Operator, "POST", "/hosts/n1/builds", json!({ "confirm": "n1" })).await.status, 201);
        }
    }
    let restarted = api::routes(Edge { house: site.house.clone(), stop: site.stop.clone() });
    let request = Request::post("/api/v1/hosts/n1/builds")
        .header("authorization", format!("Bearer {}", site.token(Operator)))
        .header("idempotency-key", "k1")
        .body(Body::from(json!({ "confirm": "n1" }).to_string()))
        .unwrap();
    let again = send(&restarted, request).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &first["id"]));
    assert!(site.house.find("n1").unwrap().open_build().is_none());
}

#[tokio::test]
async fn two_requests_with_one_key_at_the_same_time_open_one_build() {
    let site = Site::new().await;
    // Two edges, so that neither remembers what the other one was asked.
    let edges = [0, 1].map(|_| api::routes(Edge { house: site.house.clone(), stop: site.stop.clone() }));
    let request = || {
        Request::post("/api/v1/hosts/n1/builds")
            .header("authorization", format!("Bearer {}", site.token(Operator)))
            .header("idempotency-key", "k1")
            .body(Body::from(json!({ "confirm": "n1" }).to_string()))
            .unwrap()
    };
    let (one, other) = tokio::join!(send(&edges[0], request()), send(&edges[1], request()));
    let mut told = [one.status, other.status];
    told.sort_unstable();
    assert_eq!((told, &one.json()["id"]), ([200, 201], &other.json()["id"]), "{} {}", one.text, other.text);
    assert_eq!(site.get("/hosts/n1/builds").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_build_is_retried_and_a_wait_hears_of_its_end() {
    let site = Arc::new(Site::new().await);
    let pass = site.enable().await;
    let build = site.house.find("n1").unwrap().build.clone().unwrap().id;
    let waiting = {
        let site = site.clone();
        tokio::spawn(async move { site.get(&format!("/builds/{build}/wait?for=ended&timeout=20")).await })
    };
    site.machine("POST", &format!("/cb/{pass}/failed"), &[], "no disk").await;
    let waited = waiting.await.unwrap().json();
    assert_eq!((&waited["reached"], &waited["end"]["how"]), (&json!(true), &json!("failed")), "{waited}");
    let retried = site.ask(Operator, "POST", &format!("/builds/{build}/retry"), json!({ "confirm": "n1" })).await;
    assert_eq!(retried.status, 201, "{}", retried.text);
    assert_ne!(retried.json()["id"], build.to_string());
}

#[tokio::test]
async fn builds_that_are_no_builds_are_refused() {
    let site = Site::new().await;
    let post = |body: Value| site.ask(Operator, "POST", "/hosts/n1/builds", body);
    assert_eq!(post(json!({})).await.problem(428), "needs_confirm");
    assert_eq!(post(json!({ "confirm": "n1", "power": "cycle" })).await.problem(422), "invalid");
    assert_eq!(post(json!({ "confirm": "n1", "kind": "magic" })).await.problem(422), "invalid");
    assert_eq!(post(json!({ "confirm": "n1", "profile": "none" })).await.problem(422), "invalid");
    assert_eq!(site.get("/builds/xyz").await.problem(404), "not_found");
    assert_eq!(site.get("/builds/01900000-0000-7000-8000-000000000009").await.problem(404), "not_found");
    assert_eq!(site.ask(Operator, "POST", "/builds/01900000-0000-7000-8000-000000000009/cancel", NO).await.problem(404), "not_found");
    site.enable().await;
    let build = site.house.find("n1").unwrap().build.clone().unwrap().id;
    assert_eq!(site.get(&format!("/builds/{build}/wait?for=lunch")).await.problem(422), "invalid");
    assert_eq!(site.get(&format!("/builds/{build}/wait?timeout=99999")).await.problem(422), "invalid");
    assert_eq!(site.get(&format!("/builds/{build}/documents/00")).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_preflight_says_what_is_missing() {
    let site = Site::of(Lab::with_profile(json!({ "kernel": "os/9/linux" })).await).await;
    let answer = site.ask(Operator, "POST", "/hosts/n1/builds", json!({ "confirm": "n1" })).await;
    assert_eq!(answer.problem(422), "preflight");
    let findings = answer.json()["findings"].clone();
    assert!(findings.as_array().unwrap().iter().any(|finding| finding["text"].as_str().unwrap().contains("os/9/linux")), "{findings}");
}

#[tokio::test]
async fn secrets_are_shown_to_admins_only_and_never_stored_hidden() {
    let site = Site::new().await;
    let secret = json!({ "params": { "root_password": { "secret": "hunter2" }, "zone": "UTC" } });
    site.ask(Admin, "PATCH", "/hosts/n1", secret.clone()).await;
    site.ask(Admin, "PUT", "/globals", json!({ "api_key": { "secret": "hunter2" } })).await;
    let mut profile = site.get("/profiles/os").await.json();
    profile["params"] = secret["params"].clone();
    site.ask(Admin, "PUT", "/profiles/os", profile).await;
    let mut network = site.get("/networks/lab").await.json();
    network["params"] = secret["params"].clone();
    site.ask(Admin, "PUT", "/networks/lab", network).await;
    for path in
        ["/hosts/n1", "/hosts", "/profiles/os", "/profiles", "/networks/lab", "/networks", "/globals", "/journal?limit=1000", "/hosts/n1/journal"]
    {
        assert!(site.get(path).await.text.contains("hunter2"), "{path} shows an admin everything");
        for role in [Viewer, Operator] {
            let answer = site.ask(role, "GET", path, NO).await;
            assert!(answer.status == 200 && !answer.text.contains("hunter2"), "{path} shows {role:?} a secret");
        }
    }
    assert!(!site.get("/hosts/n1/explain").await.text.contains("hunter2"));
    let hidden = site.ask(Operator, "GET", "/hosts/n1", NO).await.json()["params"].clone();
    assert_eq!(hidden, json!({ "root_password": { "secret": "(secret)" }, "zone": "UTC" }));
    for (method, path, body) in [("PATCH", "/hosts/n1", json!({ "params": hidden })), ("PUT", "/globals", hidden.clone())] {
        assert_eq!(site.ask(Operator, method, path, body).await.problem(422), "invalid", "{path}");
    }
    assert!(site.get("/hosts/n1").await.text.contains("hunter2"));
}

#[tokio::test]
async fn explain_and_preview_change_nothing() {
    let site = Site::new().await;
    site.enable().await;
    let before = site.house.find("n1").unwrap();
    let explained = site.ask(Viewer, "GET", "/hosts/n1/explain", NO).await.json();
    assert_eq!((&explained["plan"], &explained["host"]), (&json!("install"), &json!("n1")), "{explained}");
    let preview = site.ask(Viewer, "GET", "/hosts/n1/preview/answer", NO).await;
    assert_eq!((preview.status, preview.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(preview.text.contains("host n1"), "{}", preview.text);
    for path in ["/hosts/n1/explain", "/hosts/n1/preview/boot.ipxe", "/hosts/n1/preview/answer?reveal=true"] {
        let answer = site.get(path).await;
        assert!(answer.status == 200 && !answer.text.contains(&site.pass()), "{path} shows the build's token");
    }
    assert_eq!(site.get("/hosts/n1/preview/none").await.problem(404), "not_found");
    let templates = site.house.config.paths.templates.clone().unwrap();
    std::fs::write(templates.join("answer.cfg"), "{{ params.missing }}\n").unwrap();
    site.house.templates.reload().unwrap();
    let refused = site.get("/hosts/n1/preview/answer").await;
    assert_eq!((refused.problem(422), &refused.json()["template"]["line"]), ("template".into(), &json!(1)));
    assert_eq!(*site.house.find("n1").unwrap(), *before);
}

#[tokio::test]
async fn a_document_is_previewed_before_there_is_a_build() {
    let site = Site::new().await;
    let templates = site.house.config.paths.templates.clone().unwrap();
    std::fs::write(templates.join("answer.cfg"), "{{ build.kind }} {{ build.id }} {{ build.attempt }}\n").unwrap();
    site.house.templates.reload().unwrap();
    assert!(site.house.find("n1").unwrap().build.is_none());
    let preview = site.get("/hosts/n1/preview/answer").await;
    assert_eq!((preview.status, preview.text.as_str()), (200, "reinstall BUILD 1\n"));
}

#[tokio::test]
async fn a_document_that_was_served_is_kept_for_admins() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let served = site.fetch(&format!("/t/{pass}/answer")).await.text;
    let build = site.house.find("n1").unwrap().build.clone().unwrap();
    let shown = site.get(&format!("/builds/{}/documents/{}", build.id, build.served[0].sha256)).await;
    assert_eq!((shown.status, shown.text), (200, served));
}

#[tokio::test]
async fn networks_and_profiles_are_written_whole_and_kept_while_used() {
    let site = Site::new().await;
    let lan = json!({ "name": "lan", "subnet": "192.168.7.0/24", "dhcp": "off" });
    assert_eq!(site.ask(Operator, "PUT", "/networks/lan", lan.clone()).await.json()["subnet"], "192.168.7.0/24");
    assert_eq!(site.get("/networks").await.json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(site.ask(Operator, "PUT", "/networks/other", lan).await.problem(422), "invalid");
    assert_eq!(site.ask(Operator, "PUT", "/networks/lan", json!({ "name": "lan", "subnet": "x" })).await.problem(422), "invalid");
    assert_eq!(site.ask(Operator, "DELETE", "/networks/lan", NO).await.status, 204);
    assert_eq!(site.ask(Operator, "DELETE", "/networks/lan", NO).await.problem(404), "not_found");
    assert_eq!(site.get("/networks/lan").await.problem(404), "not_found");
    assert_eq!(site.ask(Operator, "DELETE", "/networks/lab", NO).await.problem(409), "in_use");
    assert_eq!(site.ask(Operator, "PUT", "/profiles/new", json!({ "name": "new", "extends": "os" })).await.status, 200);
    assert_eq!(site.ask(Operator, "DELETE", "/profiles/os", NO).await.problem(409), "in_use");
    assert_eq!(site.ask(Operator, "DELETE", "/profiles/new", NO).await.status, 204);
    assert_eq!(site.get("/profiles/new").await.problem(404), "not_found");
    assert_eq!(site.get("/leases?network=lab").await.json()["items"], json!([]));
}

#[tokio::test]
async fn tokens_are_made_used_and_revoked_and_their_secret_is_shown_once() {
    let site = Site::new().await;
    let made = site.ask(Admin, "POST", "/tokens", json!({ "name": "ci", "role": "viewer" })).await;
    assert_eq!(made.status, 201);
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    let get = |token: &str| Request::get("/api/v1/hosts").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    assert_eq!(send(&site.admin, get(&secret)).await.status, 200);
    let listed = site.get("/tokens").await.text;
    assert!(listed.contains("\"ci\"") && !listed.contains(&secret) && !listed.contains("hash"), "{listed}");
    assert_eq!(site.ask(Admin, "POST", "/tokens", json!({ "name": "ci", "role": "viewer" })).await.problem(422), "invalid");
    assert_eq!(site.ask(Admin, "DELETE", "/tokens/ci", NO).await.status, 204);
    assert_eq!(send(&site.admin, get(&secret)).await.problem(401), "unauthorized");
    assert_eq!(site.ask(Admin, "DELETE", "/tokens/ci", NO).await.problem(404), "not_found");
}

#[tokio::test]
async fn shelves_are_listed_checked_and_filled() {
    let site = Site::new().await;
    let templates = site.get("/templates?limit=1000").await.json();
    assert!(templates["items"].as_array().unwrap().iter().any(|one| one["name"] == "answer.cfg" && one["origin"] == "site"), "{templates}");
    assert!(site.get("/templates/answer.cfg").await.json()["text"].as_str().unwrap().contains("host.name"));
    assert_eq!(site.get("/templates/none/at.all").await.problem(404), "not_found");
    assert_eq!(site.ask(Viewer, "POST", "/templates/lint", NO).await.status, 200);
    let folder = site.house.config.paths.templates.clone().unwrap();
    std::fs::write(folder.join("bad.cfg"), "{% if %}").unwrap();
    let refused = site.ask(Admin, "POST", "/templates/reload", NO).await;
    assert_eq!(refused.problem(422), "template");
    assert_eq!(refused.json()["templates"][0]["template"], "bad.cfg");
    std::fs::write(folder.join("bad.cfg"), "good").unwrap();
    assert_eq!(site.ask(Admin, "POST", "/templates/reload", NO).await.json()["added"], json!(["bad.cfg"]));
    let loaders = site.get("/loaders").await.json();
    assert!(loaders["loaders"].as_array().unwrap().iter().any(|one| one["name"] == "undionly.kpxe"), "{loaders}");
    assert!(loaders["architectures"].as_array().unwrap().iter().all(|one| one["loader"].is_string() != one["hint"].is_string()), "{loaders}");
}

#[tokio::test]
async fn an_artifact_comes_in_whole_and_never_changes() {
    let site = Site::new().await;
    let put = |path: &str, body: &'static str| {
        let request = Request::put(format!("/api/v1/artifacts/{path}")).header("authorization", format!("Bearer {}", site.token(Operator)));
        request.body(Body::from(body)).unwrap()
    };
    let made = send(&site.admin, put("iso/1/boot/stage2.img", "stage2")).await;
    assert_eq!((made.status, &made.json()["size_bytes"]), (201, &json!(6)), "{}", made.text);
    assert_eq!(send(&site.admin, put("iso/1/boot/stage2.img", "stage2")).await.status, 200);
    assert_eq!(send(&site.admin, put("iso/1/boot/stage2.img", "other")).await.problem(409), "artifact_different");
    assert_eq!(send(&site.admin, put("iso/1/a%2f..%2fb", "x")).await.problem(422), "invalid");
    assert_eq!(site.get("/artifacts/iso/1/boot/stage2.img").await.json()["sha256"], made.json()["sha256"]);
    assert_eq!(site.get("/artifacts/iso/1/none").await.problem(404), "artifact_not_there");
    let listed = site.get("/artifacts").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    let broken = Body::from_stream(tokio_stream::iter([Ok(bytes::Bytes::from_static(b"half")), Err(std::io::Error::other("gone"))]));
    let request = Request::put("/api/v1/artifacts/iso/2/f").header("authorization", format!("Bearer {}", site.token(Operator))).body(broken).unwrap();
    assert_eq!(send(&site.admin, request).await.problem(400), "upload_broken");
    assert_eq!(site.get("/artifacts/iso/2/f").await.problem(404), "artifact_not_there");
}

#[tokio::test]
async fn the_journal_is_paged_and_filtered() {
    let site = Site::new().await;
    site.enable().await;
    let all = site.get("/journal?order=oldest&limit=1000").await.json()["items"].as_array().unwrap().clone();
    let (mut numbers, mut path) = (Vec::new(), "/journal?limit=2".to_owned());
    loop {
        let page = site.get(&path).await.json();
        numbers.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/journal?limit=2&cursor={next}");
    }
    numbers.reverse();
    assert_eq!(numbers, all.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect::<Vec<_>>());
    let kinds = site.get("/hosts/n1/journal?kind=transition").await.json();
    assert!(kinds["items"].as_array().unwrap().iter().all(|entry| entry["what"]["kind"] == "transition"), "{kinds}");
    assert_eq!(site.get("/journal?order=sideways").await.problem(422), "invalid");
    assert_eq!(site.get("/journal?since=yesterday").await.problem(422), "invalid");
    assert_eq!(site.get("/hosts/nobody/journal").await.problem(404), "not_found");
}

/// Reads events until `count` have come: their numbers.
async fn listen(site: &Site, path: &str, last: Option<u64>, count: usize) -> Vec<u64> {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let mut request = Request::get(format!("/api/v1{path}")).header("authorization", format!("Bearer {}", site.token(Viewer)));
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    let response = site.admin.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut body, mut text) = (response.into_body(), String::new());
    while text.matches("\n\n").count() < count {
        let frame = tokio::time::timeout(std::time::Duration::from_secs(10), body.frame()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    assert!(!text.contains("\"patch\""), "a viewer sees no patches: {text}");
    text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect()
}

#[tokio::test]
async fn the_stream_resumes_after_the_last_event_and_goes_on_live() {
    let site = Arc::new(Site::new().await);
    let seen = site.get("/journal?order=oldest&limit=1000").await.json()["items"].as_array().unwrap().len() as u64;
    assert!(seen > 3);
    let from_two = listen(&site, "/events", Some(2), seen as usize - 2).await;
    assert_eq!(from_two, (3..=seen).collect::<Vec<_>>(), "what was missed comes from the store");
    let live = {
        let site = site.clone();
        tokio::spawn(async move { listen(&site, "/events?after=0&host=n1", None, 4).await })
    };
    site.ask(Operator, "POST", "/hosts", json!({ "name": "n2", "macs": ["52:54:00:00:00:02"] })).await;
    for verb in ["protect", "unprotect", "protect"] {
        site.ask(Operator, "POST", &format!("/hosts/n1/actions/{verb}"), NO).await;
    }
    let heard = live.await.unwrap();
    assert!(heard.len() >= 4 && heard.is_sorted(), "{heard:?}");
    assert_eq!(site.ask_with(Viewer, "GET", "/events", &[("last-event-id", "x")], NO).await.problem(422), "invalid");
    assert_eq!(site.get("/events?host=nobody").await.problem(404), "not_found");
}

#[tokio::test]
async fn a_stop_ends_streams_and_waits() {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let site = Arc::new(Site::new().await);
    site.enable().await;
    let build = site.house.find("n1").unwrap().build.clone().unwrap().id;
    let request = Request::get("/api/v1/events").header("authorization", format!("Bearer {}", site.token(Viewer))).body(Body::empty()).unwrap();
    let stream = site.admin.clone().oneshot(request).await.unwrap().into_body();
    let waiting = {
        let site = site.clone();
        tokio::spawn(async move { site.get(&format!("/builds/{build}/wait?timeout=3600")).await })
    };
    site.stop.cancel();
    let limit = std::time::Duration::from_secs(10);
    tokio::time::timeout(limit, stream.collect()).await.unwrap().unwrap();
    assert_eq!(tokio::time::timeout(limit, waiting).await.unwrap().unwrap().json()["reached"], false);
}

#[tokio::test]
async fn a_store_that_cannot_say_is_503_everywhere_and_never_401_or_404() {
    let mut lab = Lab::new().await;
    lab.house.store = Arc::new(BrokenStore);
    let (house, _world, _folder) = lab.share();
    let routes = api::routes(Edge { house, stop: tokio_util::sync::CancellationToken::new() });
    for path in ["/api/v1/hosts", "/api/v1/hosts/n1", "/api/v1/journal", "/api/v1/networks/lab", "/readyz"] {
        let request = Request::get(path).header("authorization", "Bearer aaaaaaaaaaaaaaaaaaaaaaaaaa").body(Body::empty()).unwrap();
        let answer = send(&routes, request).await;
        assert_eq!((answer.problem(503).as_str(), answer.header("retry-after")), ("store_down", "5"), "{path}");
    }
    let request = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(send(&routes, request).await.status, 200, "the process lives all the same");
}

#[tokio::test]
async fn a_path_that_is_no_route_and_a_method_that_is_none_are_named() {
    let site = Site::new().await;
    assert_eq!(site.get("/nothing").await.problem(404), "no_such_route");
    assert_eq!(site.ask(Admin, "DELETE", "/hosts", NO).await.problem(405), "method");
}

#[tokio::test]
async fn the_gauges_follow_the_hosts() {
    let site = Site::new().await;
    site.enable().await;
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let answer = send(&site.admin, request).await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    for line in ["bootwright_hosts{word=\"provisioning\"} 1", "bootwright_hosts{word=\"used\"} 0", "bootwright_builds_open 1", "# EOF"] {
        assert!(answer.text.lines().any(|have| have == line), "{line} is not in\n{}", answer.text);
    }
}

#[test]
fn the_description_of_the_api_is_the_golden_one() {
    let text = api::openapi().to_pretty_json().unwrap() + "\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "the API changed; look at the difference and run again with UPDATE_GOLDEN=1");
    let document: Value = serde_json::from_str(&text).unwrap();
    for path in ["/api/v1/hosts/{host}/builds", "/api/v1/artifacts/{name}/{version}/{path}", "/api/v1/events", "/metrics"] {
        assert!(document["paths"].get(path).is_some(), "{path} is not described");
    }
}

#[tokio::test]
async fn a_whole_site_is_applied_at_once_or_not_at_all() {
    let site = Site::new().await;
    let send_text = |role, path: &str, text: &str| {
        let token = format!("Bearer {}", site.token(role));
        let request = Request::post(format!("/api/v1/apply{path}")).header("authorization", token).body(Body::from(text.to_owned())).unwrap();
        let routes = site.admin.clone();
        async move { send(&routes, request).await }
    };
    let good = "globals: {timezone: UTC, key: {secret: hunter2}}\nhosts:\n  - {name: n2, macs: ['52:54:00:00:00:02'], network: lab}\n";
    assert_eq!(send_text(Viewer, "", good).await.problem(403), "role_too_low");
    let dry = send_text(Operator, "?dry_run=true", good).await;
    assert_eq!((dry.status, dry.json()["differences"].as_array().unwrap().len()), (200, 2), "{}", dry.text);
    assert!(!dry.text.contains("hunter2"));
    assert_eq!(site.get("/hosts/n2").await.status, 404, "a dry run changes nothing");
    let applied = send_text(Operator, "", good).await;
    assert_eq!((applied.status, &applied.json()["differences"]), (200, &dry.json()["differences"]));
    assert_eq!(site.get("/hosts/n2").await.json()["network"], "lab");
    assert_eq!(send_text(Operator, "", good).await.json()["differences"], json!([]), "twice is once");
    let bad = "hosts:\n  - {name: n3, macs: ['52:54:00:00:00:03']}\n  - {name: n4, macs: [nonsense]}\n";
    let refused = send_text(Operator, "", bad).await;
    assert_eq!(refused.problem(422), "invalid_site");
    assert_eq!(refused.json()["mistakes"][0]["path"], "hosts[1].macs[0]", "{}", refused.text);
    assert_eq!(site.get("/hosts/n3").await.status, 404);
    assert_eq!(send_text(Operator, "", "hosts: [").await.problem(400), "malformed");
    assert_eq!(send_text(Operator, "", "globals: {key: {secret: (secret)}}").await.problem(422), "invalid");
    assert_eq!(send_text(Operator, "", &json!({ "globals": { "timezone": "CET" } }).to_string()).await.status, 200, "JSON is YAML");
}

#[tokio::test]
async fn what_other_dhcp_servers_need_is_printed() {
    let site = Site::new().await;
    for dialect in ["dnsmasq", "kea", "isc"] {
        let answer = site.ask(Viewer, "GET", &format!("/networks/lab/snippet?for={dialect}"), NO).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"), "{}", answer.text);
        assert!(answer.text.contains("http://10.77.0.1/boot.ipxe"), "{}", answer.text);
    }
    assert_eq!(site.get("/networks/lab/snippet?for=bind").await.problem(422), "invalid");
    assert_eq!(site.get("/networks/lab/snippet").await.problem(422), "invalid");
    assert_eq!(site.get("/networks/moon/snippet?for=kea").await.problem(404), "not_found");
    site.ask(Operator, "PUT", "/networks/lan", json!({ "name": "lan", "subnet": "192.168.7.0/24" })).await;
    let refused = site.get("/networks/lan/snippet?for=kea").await;
    assert_eq!((refused.problem(422), &refused.json()["field"]), ("invalid".into(), &json!("server")));
}

#[tokio::test]
async fn what_happens_to_hosts_is_counted_where_operators_look() {
    let site = Site::new().await;
    let pass = site.enable().await;
    site.fetch(&format!("/boot.ipxe?mac={MAC}")).await;
    site.fetch(&format!("/t/{pass}/answer")).await;
    site.machine("POST", &format!("/cb/{pass}/failed"), &[], "no disk").await;
    site.ask(Operator, "POST", "/hosts/n1/actions/available", NO).await;
    let build = site.house.find("n1").unwrap().build.clone().unwrap().id;
    site.ask(Operator, "POST", &format!("/builds/{build}/retry"), json!({ "confirm": "n1" })).await;
    let build = site.house.find("n1").unwrap().build.clone().unwrap().id;
    site.ask(Operator, "POST", &format!("/builds/{build}/cancel"), NO).await;
    let text = send(&site.admin, Request::get("/metrics").body(Body::empty()).unwrap()).await.text;
    for line in [
        "bootwright_boot_sessions_total{word=\"opened\"} 1",
        "bootwright_build_stages_total{word=\"ipxe_script_sent\"} 1",
        "bootwright_build_stages_total{word=\"provision_template_sent\"} 1",
        "bootwright_builds_ended_total{word=\"failed\"} 1",
        "bootwright_builds_ended_total{word=\"cancelled\"} 1",
        "bootwright_callbacks_total{word=\"applied\"} 1",
        "bootwright_hosts{word=\"error\"} 1",
        "bootwright_http_requests_total{listener=\"admin\",route=\"/api/v1/hosts/{host}/actions/{verb}\",status=\"409\"} 1",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }
    for begun in ["bootwright_template_renders_total{word=\"ok\"} ", "bootwright_store_writes_total{word=\"ok\"} ", "bootwright_store_commits_total "]
    {
        assert!(text.lines().any(|have| have.strip_prefix(begun).is_some_and(|count| count != "0")), "{begun} did not move:\n{text}");
    }
}
