//! What machines fetch and tell, from the request line to the stage in the timeline.
//!
//! Every refusal is here with its status, and what counts as nothing is shown to count as nothing.

use bootwright::{
    model::{Role, What},
    serve::http::{
        boot::{self, Boot},
        listener::{Limits, Listener},
    },
    store::{BrokenStore, JournalFilter},
};

use crate::{
    http_site::{Site, send},
    lab::{Lab, MAC},
};

/// The script, and the session that its URLs name.
async fn power_on(site: &Site) -> (String, String) {
    site.world.pass(90);
    let script = site.fetch(&format!("/boot.ipxe?mac={MAC}&arch=x64")).await;
    assert_eq!((script.status, script.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(script.text.starts_with("#!ipxe"), "{}", script.text);
    let session = script.text.split("s=").nth(1).and_then(|rest| rest.get(..16)).unwrap_or_default().to_owned();
    (script.text, session)
}

#[tokio::test]
async fn a_machine_is_installed_by_http_alone() {
    let site = Site::new().await;
    let pass = site.enable().await;
    assert_eq!(site.fetch("/loader/undionly.kpxe").await.text, "loader");
    let (script, session) = power_on(&site).await;
    assert!(script.contains("/artifact/os/1/linux?s="), "{script}");
    assert_eq!(site.stage(), "ipxe_script_sent");
    let kernel = site.fetch(&format!("/artifact/os/1/linux?s={session}")).await;
    assert_eq!((kernel.status, kernel.header("content-length"), kernel.text.as_str()), (200, "6", "kernel"));
    site.fetch(&format!("/artifact/os/1/initrd.gz?s={session}")).await;
    assert_eq!(site.stage(), "kernel_initrd_sent");
    let document = site.fetch(&format!("/t/{pass}.{session}/answer")).await;
    assert_eq!(document.status, 200, "{}", document.text);
    assert!(document.text.contains(&format!("/cb/{pass}.{session}/built")), "{}", document.text);
    assert_eq!(document.header("content-length"), document.text.len().to_string());
    assert_eq!(site.stage(), "provision_template_sent");
    for (path, stage) in [("started", "pre_running"), ("progress/installing", "installing"), ("progress/post-running", "post_running")] {
        assert_eq!(site.machine("POST", &format!("/cb/{pass}.{session}/{path}"), &[], "").await.status, 204, "{path}");
        assert_eq!(site.stage(), stage);
    }
    assert_eq!(site.fetch(&format!("/cb/{pass}/built")).await.status, 204);
    assert_eq!(site.stage(), "built");
    let again = site.fetch(&format!("/cb/{pass}/built")).await;
    assert_eq!((again.status, &again.json()["applied"]), (200, &serde_json::json!(false)), "twice the same word changes nothing");
    let (script, _) = power_on(&site).await;
    assert!(!script.contains("/artifact/"), "{script}");
    assert_eq!(site.stage(), "local_boot");
}

#[tokio::test]
async fn the_in_band_mark_before_boot_moves_the_stage() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let (script, session) = power_on(&site).await;
    let mark =
        script.split_whitespace().find(|word| word.contains("/cb/") && word.contains("kernel_initrd_sent")).unwrap_or_else(|| panic!("{script}"));
    let path = mark.split_once("/cb/").unwrap().1;
    assert!(path.starts_with(&format!("{pass}.{session}")), "{path}");
    let told = site.fetch(&format!("/cb/{path}")).await;
    assert_eq!(told.status, 204, "{}", told.text);
    assert_eq!(site.stage(), "kernel_initrd_sent");
}

#[tokio::test]
async fn head_and_range_count_as_nothing() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let (_, session) = power_on(&site).await;
    let before = site.house.find("n1").unwrap();
    let entries = || async { site.house.journal(JournalFilter::default()).await.unwrap().len() };
    let written = entries().await;
    for path in [
        format!("/boot.ipxe?mac={MAC}"),
        "/loader/undionly.kpxe".into(),
        format!("/artifact/os/1/linux?s={session}"),
        format!("/t/{pass}.{session}/answer"),
        format!("/cb/{pass}/built"),
        format!("/unattended/provision?token={pass}"),
        format!("/unattended/built?token={pass}"),
    ] {
        let answer = site.machine("HEAD", &path, &[], "").await;
        assert!(answer.status < 300 && answer.text.is_empty(), "{path}: {}", answer.status);
    }
    let part = site.machine("GET", &format!("/artifact/os/1/linux?s={session}"), &[("range", "bytes=1-2")], "").await;
    assert_eq!((part.status, part.text.as_str(), part.header("content-range")), (206, "er", "bytes 1-2/6"));
    let beyond = site.machine("GET", "/loader/undionly.kpxe", &[("range", "bytes=99-")], "").await;
    assert_eq!(beyond.status, 416);
    assert_eq!(*site.house.find("n1").unwrap(), *before);
    assert_eq!(entries().await, written);
}

#[track_caller]
fn refused(answer: &crate::http_site::Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.text.contains(part) && answer.text.ends_with('\n'), "{}", answer.text);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_says_what_to_do() {
    let site = Site::new().await;
    let pass = site.enable().await;
    refused(&site.fetch("/nothing").await, 404, "/nothing");
    refused(&site.fetch("/loader/none.efi").await, 404, "none.efi");
    refused(&site.fetch("/loader/../../etc/passwd").await, 404, "");
    refused(&site.fetch("/artifact/os/9/linux").await, 404, "os/9/linux");
    refused(&site.fetch("/artifact/os/1/..%2f..%2fsecret").await, 404, "name/version/path");
    refused(&site.fetch(&format!("/t/{pass}/none.cfg")).await, 404, "none.cfg");
    refused(&site.fetch(&format!("/cb/{pass}/nonsense")).await, 404, "nonsense");
    refused(&site.machine("POST", &format!("/unattended/nonsense?token={pass}"), &[], "").await, 404, "nonsense");
}

#[tokio::test]
async fn a_token_that_opens_nothing_is_403() {
    let site = Site::new().await;
    site.enable().await;
    let guessed = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    for path in [format!("/t/{guessed}/answer"), "/t/short/answer".into(), format!("/t/{guessed}.zz/answer"), "/unattended/provision".into()] {
        refused(&site.fetch(&path).await, 403, "token");
    }
    refused(&site.fetch(&format!("/cb/{guessed}/built")).await, 403, "token");
    refused(&site.machine("POST", "/unattended/built?token=x", &[], "").await, 403, "token");
    assert_eq!(site.stage(), "build_enabled");
}

#[tokio::test]
async fn a_document_of_a_closed_build_is_409_and_noted_once_in_a_session() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let (_, session) = power_on(&site).await;
    let build = site.house.find("n1").unwrap().build.clone().unwrap().id;
    site.house.cancel_build(&crate::lab::admin(), build).await.unwrap();
    for _ in 0..5 {
        assert_eq!(site.fetch(&format!("/t/{pass}.{session}/answer")).await.status, 409);
    }
    let noted = site.house.journal(JournalFilter { kind: Some("refused".into()), ..JournalFilter::default() }).await.unwrap();
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!(site.fetch(&format!("/artifact/os/1/linux?s={session}")).await.status, 409);
}

#[tokio::test]
async fn a_card_on_another_board_gets_no_kernel_as_it_gets_no_script() {
    let site = Site::new().await;
    let (recorded, other) = ("4c4c4544-0051-3510-8058-b4c04f4d3332", "6902b9f2-f123-cdcd-428f-23a3ef2e4c63");
    let changed = site.ask(Role::Operator, "PATCH", "/hosts/n1", serde_json::json!({ "uuid": recorded })).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    site.enable().await;
    site.world.pass(90);
    let asks = |board: &str| format!("/boot.ipxe?mac={MAC}&arch=x64&uuid={board}");
    let held = site.fetch(&asks(other)).await.text;
    let session = held.split("&s=").nth(1).and_then(|rest| rest.get(..16)).unwrap_or_default();
    assert!(!held.contains("/artifact/") && session.len() == 16, "{held}");
    refused(&site.fetch(&format!("/artifact/os/1/linux?s={session}")).await, 409, "hold screen");
    site.world.pass(90);
    let script = site.fetch(&asks(recorded)).await.text;
    let session = script.split("?s=").nth(1).and_then(|rest| rest.get(..16)).unwrap_or_default();
    assert_eq!(site.fetch(&format!("/artifact/os/1/linux?s={session}")).await.status, 200, "{script}");
}

#[tokio::test]
async fn a_template_that_fails_is_422_for_an_installer_and_a_script_for_ipxe() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let (_, session) = power_on(&site).await;
    let templates = site.house.config.paths.templates.clone().unwrap();
    std::fs::write(templates.join("answer.cfg"), "fine\n{{ params.missing }}\n").unwrap();
    site.house.templates.reload().unwrap();
    let path = format!("/t/{pass}.{session}/answer");
    refused(&site.fetch(&path).await, 422, "answer.cfg:2");
    let script = site.machine("GET", &path, &[("user-agent", "iPXE/1.21.1")], "").await;
    assert_eq!(script.status, 200);
    for part in ["#!ipxe", "answer.cfg:2", "sleep", &path] {
        assert!(script.text.contains(part), "{part} is not in {}", script.text);
    }
    assert_eq!(site.stage(), "ipxe_script_sent", "what was not served moves nothing");
}

#[tokio::test]
async fn a_script_is_valid_for_whoever_asks_and_whatever_is_missing() {
    let site = Site::new().await;
    for query in ["", "?mac=", "?mac=nonsense&uuid=1&arch=vax", "?mac=52:54:00:00:00:99", "?mac=$%7Bnet0/mac%7D&s=zz", "?%ff%fe=%zz"] {
        let answer = site.fetch(&format!("/boot.ipxe{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
        assert!(answer.text.starts_with("#!ipxe"), "{query}: {}", answer.text);
        assert!(!answer.text.contains("/artifact/"), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_profile_that_says_so_gets_404_instead_of_a_script() {
    let site = Site::of(Lab::with_profile(serde_json::json!({ "disk_boot": "not-found" })).await).await;
    assert_eq!(site.fetch(&format!("/boot.ipxe?mac={MAC}")).await.status, 404);
}

#[tokio::test]
async fn callbacks_are_heard_in_every_spelling() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let (_, session) = power_on(&site).await;
    site.fetch(&format!("/t/{pass}.{session}/answer")).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let json = [("content-type", "application/json")];
    site.machine("POST", &format!("/cb/{pass}/log"), &form, "log=from+a+form").await;
    site.machine("POST", &format!("/cb/{pass}/log"), &[], "line one\nline two\n").await;
    site.fetch(&format!("/cb/{pass}/log?text=from%20the%20query")).await;
    let event = r#"{"name": "subiquity/Install/install", "event_type": "start", "description": "installing system", "origin": "curtin"}"#;
    site.machine("POST", &format!("/cb/{pass}/events"), &json, event).await;
    let log = site.house.find("n1").unwrap().build.clone().unwrap().log;
    for part in ["from a form", "line one\nline two", "from the query"] {
        assert!(log.contains(part), "{part:?} is not in {log:?}");
    }
    assert_eq!(site.machine("POST", &format!("/cb/{pass}/failed"), &json, r#"{"message": "no disk"}"#).await.status, 204);
    let build = site.house.find("n1").unwrap().build.clone().unwrap();
    assert!(format!("{:?}", build.end).contains("no disk"), "{:?}", build.end);
}

#[tokio::test]
async fn foremans_addresses_do_the_same() {
    let site =
        Site::of(Lab::with_profile(serde_json::json!({ "documents": { "preseed.cfg": "answer.cfg", "user-data": "answer.cfg" } })).await).await;
    let pass = site.enable().await;
    power_on(&site).await;
    for kind in ["provision", "preseed", "user_data"] {
        let answer = site.fetch(&format!("/unattended/{kind}?token={pass}")).await;
        assert!(answer.status == 200 && answer.text.contains("host n1"), "{kind}: {}", answer.text);
    }
    refused(&site.fetch(&format!("/unattended/finish?token={pass}")).await, 404, "finish");
    assert_eq!(site.machine("POST", &format!("/unattended/built?token={pass}"), &[], "").await.status, 204);
    assert_eq!(site.stage(), "built");
}

#[tokio::test]
async fn a_store_that_cannot_say_is_503_and_never_404() {
    let mut lab = Lab::new().await;
    lab.house.store = std::sync::Arc::new(BrokenStore);
    let (house, _world, _folder) = lab.share();
    let routes = boot::routes(Boot { house, records: boot::Records::default() });
    let token = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    for path in
        [format!("/t/{token}/answer"), format!("/cb/{token}/built"), "/artifact/os/1/linux?s=0123456789abcdef".into(), "/loader/undionly.kpxe".into()]
    {
        let request = axum::http::Request::get(&path).body(axum::body::Body::empty()).unwrap();
        let answer = send(&routes, request).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{path}: {}", answer.text);
    }
    let request = axum::http::Request::get(format!("/boot.ipxe?mac={MAC}")).body(axum::body::Body::empty()).unwrap();
    let script = send(&routes, request).await;
    assert!(script.status == 200 && script.text.starts_with("#!ipxe") && script.text.contains("sleep"), "{}", script.text);
}

#[tokio::test]
async fn while_the_store_cannot_record_no_document_goes_out() {
    let site = Site::new().await;
    let pass = site.enable().await;
    let (_, session) = power_on(&site).await;
    let document = format!("/t/{pass}.{session}/answer");
    assert_eq!(site.fetch(&document).await.status, 200);
    let database = site.house.config.state_dir.join("bootwright.db");
    let aside = database.with_extension("aside");
    std::fs::rename(&database, &aside).unwrap();
    assert_eq!(site.machine("POST", &format!("/cb/{pass}/started"), &[], "").await.status, 503);
    refused(&site.fetch(&document).await, 503, "bootwright.db");
    std::fs::rename(&aside, &database).unwrap();
    site.house.store.probe().await.unwrap();
    assert_eq!(site.fetch(&document).await.status, 200, "when it can again, it goes on by itself");
}

#[tokio::test]
async fn every_answer_is_counted_by_its_pattern() {
    let site = Site::new().await;
    site.fetch("/loader/undionly.kpxe").await;
    site.fetch("/t/aaaaaaaaaaaaaaaaaaaaaaaaaa/answer").await;
    site.fetch("/etc/passwd").await;
    let text = site.house.metrics.encode();
    for line in [
        "http_requests_total{listener=\"boot\",route=\"/loader/{*name}\",status=\"200\"} 1",
        "http_requests_total{listener=\"boot\",route=\"/t/{pass}/{document}\",status=\"403\"} 1",
        "http_requests_total{listener=\"boot\",route=\"none\",status=\"404\"} 1",
        "transfers_total{protocol=\"http\",outcome=\"done\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("aaaaaaaa") && !text.contains("passwd"));
}

#[tokio::test]
async fn forged_tokens_are_all_counted_and_told_of_as_often_as_somebody_could_read() {
    let site = Site::new().await;
    for number in 0..300 {
        let path = if number % 2 == 0 { format!("/t/forged{number:010}/answer") } else { format!("/cb/forged{number:010}/built") };
        assert_eq!(site.fetch(&path).await.status, 403, "{path}");
    }
    let count = "bootwright_connections_refused_total{listener=\"boot\",reason=\"unknown_token\"} 300";
    assert!(site.house.metrics.encode().contains(count), "{}", site.house.metrics.encode());
    let filter = JournalFilter { kind: Some("refused".into()), ..JournalFilter::default() };
    let told: Vec<_> = site.house.journal(filter).await.unwrap().into_iter().filter(|entry| entry.text.contains("opens nothing")).collect();
    assert_eq!(told.len(), 40, "the burst, in a world whose clock stands");
    assert!(told.iter().all(|entry| entry.text.contains("127.0.0.1") && !entry.text.contains("forged0")), "{told:?}");
}

#[tokio::test]
async fn large_files_go_out_in_waves_and_who_must_wait_is_told_how_long() {
    let mut lab = Lab::new().await;
    lab.house.config.limits.http_transfers = 1;
    let site = Site::of(lab).await;
    let folder = site.house.config.artifacts().join("tree/1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("large"), vec![0; 5 << 20]).unwrap();
    std::fs::write(folder.join("small"), "small").unwrap();
    let ipxe = |path: &str| {
        axum::http::Request::get(format!("/artifact/tree/1/{path}")).header("user-agent", "iPXE/1.21.1").body(axum::body::Body::empty()).unwrap()
    };
    let under_way = tower::ServiceExt::oneshot(site.boot.clone(), ipxe("large")).await.unwrap();
    assert_eq!(under_way.status(), 200);
    for expected in ["10", "20", "30"] {
        let later = send(&site.boot, ipxe("large")).await;
        assert_eq!((later.status, later.header("retry-after"), later.header("connection")), (503, expected, "close"), "{}", later.text);
    }
    assert_eq!(send(&site.boot, ipxe("small")).await.status, 200, "small files wait for nobody");
    let part = [("user-agent", "iPXE/1.21.1"), ("range", "bytes=0-9")];
    assert_eq!(site.machine("GET", "/artifact/tree/1/large", &part, "").await.status, 206, "nor do parts");
    assert_eq!(site.machine("HEAD", "/artifact/tree/1/large", &[("user-agent", "iPXE/1.21.1")], "").await.status, 200);
    assert_eq!(site.fetch("/artifact/tree/1/large").await.status, 200, "an installer's downloader would give up");
    assert_eq!(site.machine("GET", &format!("/boot.ipxe?mac={MAC}&arch=x64"), &[("user-agent", "iPXE/1.21.1")], "").await.status, 200);
    let count = "bootwright_connections_refused_total{listener=\"boot\",reason=\"transfers_full\"} 3";
    assert!(site.house.metrics.encode().contains(count), "{}", site.house.metrics.encode());
    drop(under_way);
    assert_eq!(send(&site.boot, ipxe("large")).await.status, 200);
}

/// Kernel fetches over a real socket: what was cut is no evidence, what arrived whole is.
#[tokio::test]
async fn a_kernel_that_breaks_off_moves_nothing_and_one_that_arrives_does() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const SIZE: usize = 24 << 20;
    let site = Site::new().await;
    site.enable().await;
    std::fs::write(site.house.config.artifacts().join("os/1/linux"), vec![7; SIZE]).unwrap();
    let (_, session) = power_on(&site).await;
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let listener =
        Listener { name: "boot", socket, routes: site.boot.clone(), limits: Limits::boot(), tls: None, refused: std::sync::Arc::new(|_| ()) };
    let served = tokio::spawn(listener.serve(stop.clone()));
    let ask = format!("GET /artifact/os/1/linux?s={session} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for read in [1 << 20, usize::MAX] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(ask.as_bytes()).await.unwrap();
        let got = if read == usize::MAX {
            stream.read_to_end(&mut Vec::new()).await.unwrap()
        } else {
            stream.read_exact(&mut vec![0; read]).await.unwrap()
        };
        assert!(got > SIZE || read < SIZE);
    }
    stop.cancel();
    served.await.unwrap().unwrap();
    site.settle().await;
    assert_eq!(site.fetch(&format!("/artifact/os/1/initrd.gz?s={session}")).await.status, 200);
    assert_eq!(site.stage(), "kernel_initrd_sent");
    let filter = JournalFilter { kind: Some("transfer".into()), ..JournalFilter::default() };
    let told: Vec<(String, u64)> = site
        .house
        .journal(filter)
        .await
        .unwrap()
        .into_iter()
        .filter_map(|entry| match entry.what {
            What::Transfer { file, outcome, sent_bytes, .. } if file == "os/1/linux" => Some((outcome, sent_bytes)),
            _ => None,
        })
        .collect();
    let count = |word: &str| told.iter().filter(|(outcome, _)| outcome == word).count();
    assert_eq!((count("aborted"), count("done")), (1, 1), "{told:?}");
    // A step that is overtaken while the disk is at work is not told.
    assert!((2..=18).contains(&count("progress")), "{told:?}");
    let second = told.iter().skip_while(|(outcome, _)| outcome != "aborted").skip(1);
    assert!(second.is_sorted_by_key(|(_, sent)| *sent) && told.last().unwrap().0 == "done", "in order: {told:?}");
    assert!(told.iter().any(|(outcome, sent)| outcome == "aborted" && (1 << 20..SIZE as u64).contains(sent)), "{told:?}");
}
