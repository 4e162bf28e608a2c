//! Who sees what: every answer of the API, searched for what its reader may not know.
//!
//! Secrets are planted everywhere a site can put one; then every route that reads is read by every role.

use bootwright::model::Role::{self, Admin, Operator, Viewer};
use serde_json::{Value, json};

use crate::{
    http_site::Site,
    lab::{Lab, MAC},
};

const NO: Value = Value::Null;
const PLANTED: [&str; 4] = ["plantedGlobal", "plantedNetwork", "plantedProfile", "plantedHost"];

/// A site whose globals, network, profile and host have a secret each, one of them in the kernel's arguments, with an open build.
async fn planted() -> Site {
    let words = json!({
        "args": "url={{ documents }}/answer pw={{ params.profile_pw }}", "params": { "profile_pw": { "secret": PLANTED[2] } },
    });
    let site = Site::of(Lab::with_profile(words).await).await;
    let network = json!({ "name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "server": "10.77.0.1",
        "pools": [{ "first": "10.77.0.100", "last": "10.77.0.200" }], "params": { "network_pw": { "secret": PLANTED[1] } } });
    for (method, path, body) in [
        ("PUT", "/globals", json!({ "global_pw": { "secret": PLANTED[0] } })),
        ("PUT", "/networks/lab", network),
        ("PATCH", "/hosts/n1", json!({ "params": { "host_pw": { "secret": PLANTED[3] } } })),
        ("POST", "/hosts", json!({ "name": "n2", "macs": ["52:54:00:00:00:02"], "params": { "pw": { "secret": PLANTED[3] } } })),
    ] {
        let answer = site.ask(Admin, method, path, body).await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
    }
    site.enable().await;
    site
}

async fn readable(site: &Site) -> Vec<String> {
    let build = site.house.find("n1").unwrap().build.clone().unwrap().id;
    let fixed =
        ["/hosts", "/hosts/n1", "/hosts/n2", "/hosts/n1/explain", "/hosts/n1/preview/answer", "/hosts/n1/preview/boot.ipxe", "/hosts/n1/builds"];
    let more =
        ["/journal?limit=1000", "/hosts/n1/journal?limit=1000", "/profiles", "/profiles/os", "/networks", "/networks/lab", "/globals", "/leases"];
    let shelves = ["/templates", "/artifacts", "/loaders"];
    let all = fixed.iter().chain(&more).chain(&shelves).map(|path| (*path).to_owned());
    all.chain([format!("/builds/{build}"), format!("/builds/{build}/wait?timeout=0"), "/networks/lab/snippet?for=dnsmasq".into()]).collect()
}

#[tokio::test]
async fn no_answer_shows_a_secret_or_a_tokens_hash_to_viewers_and_operators() {
    let site = planted().await;
    let pass = site.pass();
    let hash = site.house.find("n1").unwrap().build.clone().unwrap().token_hash.0;
    for role in [Viewer, Operator] {
        for path in readable(&site).await {
            let answer = site.ask(role, "GET", &path, NO).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            for secret in PLANTED.iter().copied().chain([pass.as_str(), hash.as_str()]) {
                assert!(!answer.text.contains(secret), "{role:?} finds {secret} at {path}: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn a_preview_of_the_script_hides_secrets_unless_an_admin_asks() {
    let site = planted().await;
    for (role, query, shown) in [(Admin, "", false), (Admin, "?reveal=true", true)] {
        let answer = site.ask(role, "GET", &format!("/hosts/n1/preview/boot.ipxe{query}"), NO).await;
        assert_eq!((answer.status, answer.text.contains(PLANTED[2])), (200, shown), "{query}: {}", answer.text);
        assert!(!answer.text.contains(&site.pass()), "the token is nobody's but the machine's");
    }
}

#[tokio::test]
async fn the_live_stream_carries_no_patch_to_viewers_and_operators() {
    let site = planted().await;
    for role in [Viewer, Operator] {
        let request = axum::http::Request::get("/api/v1/events?after=0").header("authorization", format!("Bearer {}", site.token(role)));
        let response = tower::ServiceExt::oneshot(site.admin.clone(), request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        let mut body = response.into_body();
        let mut heard = String::new();
        while !heard.contains("T13") && !heard.contains("build_enabled") {
            let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
            heard.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
        }
        for secret in PLANTED {
            assert!(!heard.contains(secret), "{role:?}: {heard}");
        }
        assert!(!heard.contains("\"patch\""), "{heard}");
    }
}

#[tokio::test]
async fn the_live_stream_carries_the_patches_of_news_to_admins() {
    let site = planted().await;
    let request = axum::http::Request::get("/api/v1/events").header("authorization", format!("Bearer {}", site.token(Admin)));
    let response = tower::ServiceExt::oneshot(site.admin.clone(), request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let answer = site.ask(Admin, "PATCH", "/hosts/n1", json!({ "tags": ["news"] })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (mut body, mut heard) = (response.into_body(), String::new());
    while !heard.contains("news") {
        let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
        heard.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
    }
    assert!(heard.contains("\"patch\"") && heard.contains("/tags"), "{heard}");
}

#[tokio::test]
async fn every_answer_to_a_refused_write_is_free_of_what_was_sent() {
    let site = planted().await;
    let bad = json!({ "name": "n3", "macs": ["nonsense"], "params": { "pw": { "secret": "plantedInError" } } });
    for (method, path, body) in [
        ("POST", "/hosts", bad.clone()),
        ("PUT", "/profiles/os", json!({ "name": "os", "params": { "pw": { "secret": "plantedInError", "more": 1 } } })),
        ("PUT", "/globals", json!({ "pw": { "deep": { "secret": "plantedInError" } } })),
        ("POST", "/apply", json!({ "hosts": [bad] })),
        ("POST", "/apply?dry_run=true", json!({ "globals": { "pw": { "secret": "plantedInError", "more": 1 } } })),
    ] {
        let answer = site.ask(Operator, method, path, body).await;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.text);
        assert!(!answer.text.contains("plantedInError"), "{path}: {}", answer.text);
    }
}

/// Every route of the description, with every role that is too low or missing: nothing gets through.
#[tokio::test]
async fn every_route_of_the_description_wants_a_token() {
    let site = Site::new().await;
    let document: Value = serde_json::to_value(bootwright::serve::http::api::openapi()).unwrap();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|word| ["get", "put", "post", "patch", "delete"].contains(&word.as_str())) {
            if ["/healthz", "/readyz", "/metrics"].contains(&path.as_str()) {
                continue;
            }
            let path = path.replace("{host}", "n1").replace("{name}", "os").replace("{build}", "01900000-0000-7000-8000-000000000001");
            let path: String = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
            for header in [None, Some("Bearer aaaaaaaaaaaaaaaaaaaaaaaaaa"), Some("Bearer ../../etc"), Some("")] {
                let mut request = axum::http::Request::builder().method(method.to_uppercase().as_str()).uri(&path);
                if let Some(header) = header {
                    request = request.header("authorization", header);
                }
                let answer = crate::http_site::send(&site.admin, request.body(axum::body::Body::from("{}")).unwrap()).await;
                assert_eq!(answer.status, 401, "{method} {path} {header:?}: {}", answer.text);
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "{asked}");
    assert_eq!(site.ask(Role::Viewer, "GET", &format!("/hosts/{MAC}"), NO).await.status, 200);
}
