//! What a hostile machine on the provisioning network can try by HTTP, and what it gets for it.
//!
//! Paths, parameters, other hosts' tokens and sessions, callbacks in every order, and floods; nobody gets in, no doubt installs, and
//! nothing grows with the number of requests alone.

use bootwright::{
    model::{Lifecycle, Stage},
    store::JournalFilter,
};
use serde_json::json;
use tokio_stream::StreamExt;

use crate::{
    http_site::Site,
    lab::{Lab, MAC},
};

const OTHER: &str = "52:54:00:00:00:02";

async fn entries(site: &Site) -> usize {
    site.house.journal(JournalFilter::default()).await.unwrap().len()
}

/// A site with a second host, both with an open build; their passes.
async fn two() -> (Site, String, String) {
    let site = Site::new().await;
    let first = site.enable().await;
    let wish = json!({ "name": "n2", "macs": [OTHER], "network": "lab", "profile": "os" });
    assert_eq!(site.ask(bootwright::model::Role::Admin, "POST", "/hosts", wish).await.status, 201);
    for (path, body) in [("/hosts/n2/actions/adopt", json!({ "confirm": "n2", "reason": "x" })), ("/hosts/n2/builds", json!({ "confirm": "n2" }))] {
        let answer = site.ask(bootwright::model::Role::Admin, "POST", path, body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
    }
    let build = site.house.find("n2").unwrap().build.clone().unwrap().id;
    let second = site.house.keys.build_token(build).reveal().to_owned();
    (site, first, second)
}

fn session(script: &str) -> String {
    script.split("s=").nth(1).and_then(|rest| rest.get(..16)).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn no_path_leads_out_of_a_shelf() {
    let site = Site::new().await;
    std::os::unix::fs::symlink("/etc/passwd", site.house.config.artifacts().join("os/1/out")).unwrap();
    std::os::unix::fs::symlink(site.house.config.admin_token_file(), site.house.config.artifacts().join("os/1/token")).unwrap();
    for path in [
        "/artifact/os/1/../../../admin.token",
        "/artifact/os/1/%2e%2e/%2e%2e/x",
        "/artifact/os/1/..%2f..%2fx",
        "/artifact/os/%2e%2e/x",
        "/artifact/os/1/a%00b",
        "/artifact/os/1//linux",
        "/artifact/os/1/./linux",
        "/artifact/os/1/out",
        "/artifact/os/1/token",
        "/artifact/os/1/%5c..%5cx",
        "/artifact/os/1/linux%0d%0aX:y",
        "/artifact/os/1/",
        "/loader/../../etc/passwd",
        "/loader/%2e%2e%2fadmin.token",
        "/loader/%5c..%5cx",
        "/loader/undionly.kpxe%00",
        "/t/x/y",
        "/cb/%2e%2e/built",
    ] {
        let answer = site.fetch(path).await;
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
        assert!(!answer.text.contains("root:"), "{path}");
    }
}

#[tokio::test]
async fn nothing_that_a_machine_says_of_itself_becomes_a_command_of_the_script() {
    let site = Site::new().await;
    for query in [
        "mac=52:54:00:00:00:01%0ashell",
        "mac=${shell}",
        "mac=52:54:00:00:00:99&serial=%0A%23!ipxe%0Ashell",
        "uuid=%24%7bshell%7d&serial=$%7bshell}||shell",
        "mac=52:54:00:00:00:99&arch=x||shell",
        "mac=52:54:00:00:00:01&s=%0ashell&arch=%0ashell",
        "serial=$%7b%7bshell%7d%7d",
        "platform=%0ashell&arch=x86_64",
    ] {
        let answer = site.fetch(&format!("/boot.ipxe?{query}")).await;
        assert!(answer.text.starts_with("#!ipxe\n") && !answer.text.contains("shell"), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_parameter_does_not_become_a_command_after_the_kernels_arguments() {
    for value in ["a || shell", "a && shell", "a\n||\nshell", "${shell}", "a ||"] {
        let lab = Lab::with_profile(json!({ "args": "x={{ params.x }} m=${netX/mac}", "params": { "x": "fine" } })).await;
        let site = Site::of(lab).await;
        site.enable().await;
        let sound = site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.text;
        assert!(sound.contains("x=fine m=${netX/mac} || goto failed"), "{sound}");
        let edit = json!({ "params": { "x": value } });
        assert_eq!(site.ask(bootwright::model::Role::Operator, "PATCH", "/hosts/n1", edit).await.status, 200);
        site.world.pass(90);
        let script = site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.text;
        assert!(!script.contains("shell") && !script.contains("\nkernel "), "{value:?}: {script}");
        assert!(script.contains("CANNOT GO ON") || script.contains("HELD"), "{value:?}: {script}");
        assert!(script.contains("args of profile os"), "it says where: {script}");
    }
}

#[tokio::test]
async fn one_hosts_session_opens_nothing_of_another() {
    let (site, first, second) = two().await;
    let ours = session(&site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.text);
    let theirs = session(&site.fetch(&format!("/boot.ipxe?mac={OTHER}")).await.text);
    let document = site.fetch(&format!("/t/{first}.{theirs}/answer")).await;
    assert!(document.text.contains("host n1") && !document.text.contains(&second), "{}", document.text);
    assert_eq!(site.house.find("n2").unwrap().build.as_ref().unwrap().stage, Stage::IpxeScriptSent, "n2 is not moved by it");
    let script = site.fetch(&format!("/boot.ipxe?mac={MAC}&s={theirs}")).await.text;
    assert!(script.contains("Host ....... n1") && !script.contains(&second), "{script}");
    for pass in [format!("{first}.{ours}x"), format!("{}.{ours}", &first[1..]), format!("{first}.."), second[..25].to_owned(), first.to_uppercase()] {
        let answer = site.fetch(&format!("/t/{pass}/answer")).await;
        assert_eq!(answer.status, 403, "{pass}: {}", answer.text);
        assert_eq!(site.fetch(&format!("/cb/{pass}/built")).await.status, 403, "{pass}");
    }
}

#[tokio::test]
async fn a_refused_fetch_is_refused_again_and_again_with_the_same_answer() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let session = session(&site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.text);
    site.fetch(&format!("/t/{pass}.{session}/answer")).await;
    let build = site.house.find("n1").unwrap().build.clone().unwrap().id;
    assert_eq!(site.ask(bootwright::model::Role::Operator, "POST", &format!("/builds/{build}/cancel"), json!(null)).await.status, 200);
    for path in [format!("/t/{pass}.{session}/answer"), format!("/artifact/os/1/linux?s={session}")] {
        for time in 1..=5 {
            site.world.pass(1);
            let answer = site.fetch(&path).await;
            assert_eq!(answer.status, 409, "{path}, time {time}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn verdicts_that_race_change_a_build_once_and_the_first_one_stands() {
    let (site, first, second) = two().await;
    for (pass, mac) in [(&first, MAC), (&second, OTHER)] {
        let session = session(&site.fetch(&format!("/boot.ipxe?mac={mac}")).await.text);
        assert_eq!(site.fetch(&format!("/t/{pass}.{session}/answer")).await.status, 200);
    }
    let path = format!("/cb/{first}/built");
    let told: Vec<u16> = futures_join((0..8).map(|_| site.fetch(&path)).collect()).await.iter().map(|answer| answer.status).collect();
    assert_eq!((told.iter().filter(|status| **status == 204).count(), told.iter().filter(|status| **status == 200).count()), (1, 7), "{told:?}");
    site.fetch(&format!("/cb/{first}/failed")).await;
    let host = site.house.find("n1").unwrap();
    assert_eq!(
        (&host.lifecycle, host.build.as_ref().unwrap().stage),
        (&Lifecycle::Used, Stage::Built),
        "failed after built is an issue, not a state"
    );
    assert_eq!(site.fetch(&format!("/cb/{second}/failed")).await.status, 204);
    site.fetch(&format!("/cb/{second}/built")).await;
    let host = site.house.find("n2").unwrap();
    assert!(matches!(host.lifecycle, Lifecycle::Error { .. }), "built after failed is an issue, not a state: {:?}", host.lifecycle);
    assert_eq!(host.issues.len(), 1);
}

/// Runs futures together without another crate.
async fn futures_join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
                *done = Some(output);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_flood_of_requests_does_not_fill_the_journal() {
    let (site, first, second) = two().await;
    let before = entries(&site).await;
    for number in 0..600 {
        site.fetch(&format!("/boot.ipxe?mac=02:00:00:00:{:02x}:{:02x}", number / 256, number % 256)).await;
        site.fetch(&format!("/boot.ipxe?mac={MAC}")).await;
        site.fetch(&format!("/cb/{first}/progress/step-{number}")).await;
        site.fetch(&format!("/cb/{second}/built")).await;
    }
    let grown = entries(&site).await - before;
    assert!(grown < 1200, "{grown}");
    let slowed = site.fetch(&format!("/cb/{first}/progress/x")).await;
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, "5"), "{}", slowed.text);
    let script = site.fetch(&format!("/boot.ipxe?mac={MAC}")).await;
    assert!(script.text.starts_with("#!ipxe") && script.text.contains("more often"), "{}", script.text);
    let metrics = site.house.metrics.encode();
    assert!(metrics.contains("connections_refused_total{listener=\"boot\",reason=\"too_often\"}"), "{metrics}");
    // The verdict is heard all the same.
    site.world.pass(60);
    site.fetch(&format!("/t/{first}/answer")).await;
    for number in 0..600 {
        site.fetch(&format!("/cb/{first}/progress/more-{number}")).await;
    }
    assert_eq!(site.fetch(&format!("/cb/{first}/built")).await.status, 204);
    assert_eq!(site.stage(), "built");
}

#[tokio::test]
async fn who_shows_no_token_has_no_byte_of_his_body_kept() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let body = "x".repeat(900_000);
    let endless = || {
        let read = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counting = read.clone();
        let frames = tokio_stream::iter(0..1000).map(move |_| {
            counting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(&[b'x'; 1000]))
        });
        (axum::body::Body::from_stream(frames), read)
    };
    let (frames, read) = endless();
    let request = axum::http::Request::post("/cb/aaaaaaaaaaaaaaaaaaaaaaaaaa/log").body(frames).unwrap();
    assert_eq!(crate::http_site::send(&site.boot, request).await.status, 403);
    assert_eq!(read.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(site.machine("POST", &format!("/cb/{pass}/log"), &[], &body).await.status, 204);
    assert_eq!(site.machine("POST", &format!("/cb/{pass}/log"), &[], &"x".repeat(2 << 20)).await.status, 413);
}

#[tokio::test]
async fn hostile_bodies_of_callbacks_are_bounded_and_readable() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let deep = "[".repeat(900_000);
    for (path, kind, body) in [
        ("events", "application/json", deep.as_str()),
        ("log", "text/plain", &"\u{1b}[2J\u{7}x\n".repeat(90_000)),
        ("failed", "application/json", "{\"text\": \"\\u001b]0;x\\u0007 why\"}"),
    ] {
        let answer = site.machine("POST", &format!("/cb/{pass}/{path}"), &[("content-type", kind)], body).await;
        assert!([200, 204].contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
    }
    let build = site.house.find("n1").unwrap().build.clone().unwrap();
    assert!(build.log.len() <= 64 * 1024, "{}", build.log.len());
    assert!(!build.log.contains('\u{1b}') && !build.log.contains('\u{7}'), "no terminal is told what to do");
    let entries = site.house.journal(JournalFilter::default()).await.unwrap();
    assert!(entries.iter().all(|entry| !entry.text.chars().any(|c| c.is_control() && c != '\n')), "{entries:?}");
}

#[tokio::test]
async fn a_kernel_that_is_gone_since_the_build_was_enabled_holds_the_machine_with_the_reason() {
    let site = Site::new().await;
    let pass = site.enable().await;
    std::fs::remove_file(site.house.config.artifacts().join("os/1/linux")).unwrap();
    let script = site.fetch(&format!("/boot.ipxe?mac={MAC}")).await;
    assert!(script.text.starts_with("#!ipxe") && script.text.contains("os/1/linux"), "{}", script.text);
    assert!(!script.text.contains("\nkernel ") && script.text.contains("goto again"), "{}", script.text);
    let session = site.house.find("n1").unwrap().session().unwrap().id;
    assert_eq!(site.fetch(&format!("/artifact/os/1/linux?s={session}")).await.status, 404);
    assert_eq!(site.stage(), "build_enabled", "a script that could not be made is no stage");
    assert_eq!(site.fetch(&format!("/t/{pass}.{session}/other")).await.status, 404);
}

#[tokio::test]
async fn of_many_who_enable_a_build_at_once_one_wins() {
    let site = Site::new().await;
    let ask = || site.ask(bootwright::model::Role::Operator, "POST", "/hosts/n1/builds", json!({ "confirm": "n1" }));
    let mut told: Vec<u16> = futures_join((0..10).map(|_| ask()).collect()).await.iter().map(|answer| answer.status).collect();
    told.sort_unstable();
    assert_eq!((told[0], &told[1..]), (201, &[409; 9][..]));
}
