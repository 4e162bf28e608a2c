//! The command line against the real routes: what the API answers is what the client understands.
//!
//! The admin routes of a lab's house are served on the loopback; commands run on a thread of their own, as a shell would run them.

use std::{path::PathBuf, sync::Arc};

use bootwright::model::Role;

use crate::{
    cli::{self, Ran},
    http_site::Site,
};

/// A site whose admin routes listen on a port.
struct Served {
    site: Arc<Site>,
    url: String,
    folder: tempfile::TempDir,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn new() -> Self {
        let site = Arc::new(Site::new().await);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (routes, stop) = (site.admin.clone(), site.stop.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, routes).with_graceful_shutdown(async move { stop.cancelled().await }).await.unwrap();
        });
        Self { site, url, folder: tempfile::tempdir().unwrap(), serving }
    }

    fn token(&self, role: Role) -> PathBuf {
        cli::token_file(&self.folder, self.site.token(role))
    }

    async fn run_as(&self, role: Role, line: &str) -> Ran {
        let (url, token, line) = (self.url.clone(), self.token(role), line.to_owned());
        tokio::task::spawn_blocking(move || cli::run(&url, &token, &line)).await.unwrap()
    }

    /// Runs as admin and wants it to end well; what it said.
    #[track_caller]
    fn good(&self, line: &str) -> impl Future<Output = String> {
        let line = line.to_owned();
        async move {
            let ran = self.run_as(Role::Admin, &line).await;
            assert_eq!(ran.code, 0, "{line}: {}", ran.err);
            ran.out
        }
    }

    async fn end(self) {
        self.site.stop.cancel();
        self.serving.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_followed_from_the_wish_to_its_own_disk() {
    let served = Served::new().await;
    let list = served.good("host list").await;
    let heading: Vec<&str> = list.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["NAME", "STATE", "BUILD", "STAGE", "NETWORK", "ADDRESS", "MACS", "ISSUES"]);
    assert!(list.lines().any(|line| line.starts_with("n1 ") && line.contains(" used ")), "{list}");

    let told = served.good("build enable n1 --confirm n1").await;
    assert!(told.contains("is open: reinstall of n1"), "{told}");
    let again = served.run_as(Role::Operator, "build enable n1 --confirm n1").await;
    assert!(again.code == 1 && again.err.contains("[build_open]"), "{}", again.err);

    let watching = served.run_as(Role::Viewer, "host watch n1 --until built --timeout 30");
    let installing = async {
        let pass = served.site.pass();
        served.site.fetch("/boot.ipxe?mac=52:54:00:00:00:01").await;
        for verb in ["started", "built"] {
            let answer = served.site.machine("POST", &format!("/cb/{pass}/{verb}"), &[], "").await;
            assert_eq!(answer.status, 204, "{verb}: {}", answer.text);
        }
    };
    let (watched, ()) = tokio::join!(watching, installing);
    let told = format!("{}{}", watched.out, watched.err);
    assert!(told.contains("build_enabled") && told.contains("ipxe_script_sent"), "{told}");

    let build = served.site.house.find("n1").unwrap().build.clone().unwrap();
    for line in ["host show n1", "build show n1", "build list n1", "journal --host n1", "explain n1"] {
        let told = served.good(line).await;
        assert!(told.contains(build.stage.word()) || line == "explain n1", "{line}: {told}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_noun_is_understood() {
    let served = Served::new().await;
    for (line, part) in [
        ("host add n9 --mac 52-54-00-00-00-99 --network lab --tag new --param size=3 --secret word=hush", "n9 recorded: 52:54:00:00:00:99, new"),
        ("host edit n9 --param size=4 --no-param word", "n9 edited"),
        ("host adopt n9 --confirm n9", "n9: adopt; now used"),
        ("host start n9", "n9: start; now used"),
        ("host task-done n9", "n9: task_done; now used"),
        ("host restart n9", "n9: restart; now used"),
        ("host force-restart n1", "n1: force_restart; now used"),
        ("host health n9 passed", "n9: locked, availability online"),
        ("host health n9 missed 10", "n9: locked, availability offline"),
        ("host health n9 lost 60", "n9: locked, availability offline"),
        ("host task-done n9", "now used"),
        ("host stop n9", "now used"),
        ("host power n9 --power off", "now used"),
        ("host show n9", "Stopped"),
        ("host fault n9 --reason psu", "n9: fault; now error"),
        ("host resolve n9", "n9: resolve; now used"),
        ("host protect n9", "protected"),
        ("host show n9", "! protected"),
        ("host unprotect n9", "now used"),
        ("profile list", "NAME"),
        ("profile show os", "profile os"),
        ("network list", "lab"),
        ("network show lab", "10.77.0.0/24"),
        ("network snippet lab --for dnsmasq", "dhcp-boot"),
        ("lease list", ""),
        ("template list", "kickstart/rhel.ks"),
        ("template show ipxe/hold.ipxe", "#!ipxe"),
        ("template lint", "no findings"),
        ("template preview n1 boot.ipxe", "#!ipxe"),
        ("template reload", "nothing changed"),
        ("artifact list", ""),
        ("token create ci --role viewer", ""),
        ("token list", "viewer"),
        ("token revoke ci", "token ci revoked"),
        ("journal --limit 5", "token"),
    ] {
        let told = served.good(line).await;
        assert!(told.contains(part), "{line}: {part:?} is not in {told}");
    }
    let forbidden = served.run_as(Role::Viewer, "host protect n1").await;
    assert!(forbidden.code == 1 && forbidden.err.contains("[role_too_low]"), "{}", forbidden.err);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_file_is_applied_and_an_artifact_brought_in() {
    let served = Served::new().await;
    let path = served.folder.path().join("site.yaml");
    std::fs::write(&path, "profiles:\n  - {name: other, kernel: other/1/linux}\n").unwrap();
    let line = format!("apply -f {}", path.display());
    assert!(served.good(&format!("{line} --dry-run")).await.starts_with("+ profile other\nwould create 1"));
    assert_eq!(served.good(&line).await, "+ profile other\ncreated 1, changed 0, deleted 0\n");
    assert_eq!(served.good(&line).await, "nothing to change: the site is as the file says\n");

    let tree = served.folder.path().join("tree");
    std::fs::create_dir_all(tree.join("a b")).unwrap();
    std::fs::write(tree.join("a b/linux"), "kernel").unwrap();
    let line = format!("artifact import other 1 {}", tree.display());
    assert!(served.good(&line).await.starts_with("other/1/a b/linux  6 B  sha256 "));
    assert!(served.good("artifact list").await.contains("a b/linux"));
    std::fs::write(tree.join("a b/linux"), "another kernel").unwrap();
    let ran = served.run_as(Role::Admin, &line).await;
    assert!(ran.code == 1 && ran.err.contains("[artifact_different]"), "{}", ran.err);
    served.end().await;
}
