//! The command line against the real routes: what the API answers is what the client understands.
//!
//! The admin routes of a lab's house are served on the loopback; commands run on a thread of their own, as a shell would run them.

use std::{path::PathBuf, sync::Arc};

use bootwright::model::Role;

use crate::{
    cleaning::{self, Machine},
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
        Self::of(Site::new().await).await
    }

    async fn of(site: Site) -> Self {
        let site = Arc::new(site);
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
        ("rule list", "no rules; `bootwright rule set`"),
        ("rule set dell --when facts.disks|length>1 --profile os --tag dell --param size=3 --order -2", "rule dell is kept"),
        ("rule list", "dell"),
        ("rule show dell", "when       facts.disks|length>1"),
        ("rule try", "no host has facts yet"),
        ("rule delete dell", "rule dell deleted"),
        ("explain 52:54:00:00:77:77", "network lab: it stays a stranger (auto_enroll: off)"),
        ("host show n1", "registered   never"),
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

/// `n1` with facts, as a registration would leave it.
async fn with_facts(served: &Served) {
    let facts = serde_json::json!({
        "system": { "vendor": "Dell Inc.", "product": "PowerEdge R650", "serial": "8QX\u{1b}[2J1", "uuid": "4c4c4544-0051-3510-8058-b4c04f4d3332" },
        "cpu": { "model": "Xeon Gold 6330", "sockets": 2, "cores": 56, "threads": 112 },
        "memory": { "size_bytes": 137_438_953_472u64, "modules": [{ "slot": "A1", "size_bytes": 137_438_953_472u64, "kind": "DDR4", "speed_mts": 3200 }] },
        "nics": [{ "name": "eno1", "mac": "b4:96:91:00:00:01", "driver": "ice", "link": true, "speed_mbps": 25000, "boot": true,
            "lldp": { "system": "sw1", "port": "Eth1/7" } }],
        "disks": [{ "id": "wwn:1", "name": "nvme0n1", "size_bytes": 960_197_124_096u64, "transport": "nvme", "erase": ["nvme_sanitize_crypto", "overwrite"],
            "health": { "passed": true, "power_on_hours": 12 }, "signatures": ["gpt"] }],
        "controllers": [{ "address": "0000:00:1f.2", "class": "SATA controller", "vendor": "Intel", "product": "C620" }],
        "bmc": { "address": "10.0.0.9", "firmware": "7.0" },
        "boot": { "uefi": true, "secure_boot": false }, "tpm": "2.0",
        "collectors": [{ "name": "lldp", "took_ms": 30000, "error": "timed out" }],
    });
    let house = &served.site.house;
    let seen = house.find("n1").unwrap();
    let mut next = bootwright::model::Host::clone(&seen);
    next.facts = Some(std::sync::Arc::new(serde_json::from_value(facts).unwrap()));
    next.facts_at = Some(house.now());
    let pen = bootwright::app::house::Pen::new(crate::lab::admin(), house.now()).of(&seen);
    let fact = pen.write(bootwright::model::What::Edited { fields: vec!["facts".into()] }, "for the test");
    let writes = bootwright::store::Writes { facts: vec![fact], ..Default::default() };
    house.save(&seen, Some(next), writes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_are_told_in_tables_without_what_a_terminal_would_obey() {
    let served = Served::new().await;
    let none = served.run_as(Role::Viewer, "host facts n1").await;
    assert!(none.code == 1 && none.err.contains("`bootwright host register n1` collects them"), "{}", none.err);
    with_facts(&served).await;
    let told = served.good("host facts n1").await;
    for part in [
        "n1  registered 2026-01-01 00:00:00Z",
        "system       Dell Inc. PowerEdge R650",
        "serial       8QX[2J1",
        "boots by     UEFI, Secure Boot off",
        "cpu          Xeon Gold 6330: 2 sockets, 56 cores, 112 threads",
        "memory       128.0 GiB",
        "bmc          - at 10.0.0.9 firmware 7.0",
        "MEMORY MODULE",
        "25000 Mbit/s",
        "sw1",
        "Eth1/7",
        "good, 12 h",
        "nvme_sanitize_crypto,overwrite",
        "SATA controller",
        "! collector lldp: timed out",
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    assert!(!told.contains('\u{1b}'));
    let json: serde_json::Value = serde_json::from_str(&served.good("host facts n1 --json").await).unwrap();
    assert_eq!(json["cpu"]["cores"], 56);
    assert!(served.good("host show n1").await.contains("registered   2026-01-01 00:00:00Z; `bootwright host facts n1` shows what was found"));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_in_a_file_is_tried_before_it_is_kept() {
    let served = Served::new().await;
    with_facts(&served).await;
    let path = served.folder.path().join("rule.yaml");
    std::fs::write(&path, "name: fast\nwhen: facts.cpu.cores > 32\nprofile: os\ntags: [fast]\nparams: {size: 3}\n").unwrap();
    let told = served.good(&format!("rule try --host n1 -f {}", path.display())).await;
    let want = [
        "holds: fast",
        "! it is in use; rules give nothing to such a host",
        "+ tags fast  by fast",
        "+ params.size 3  by fast",
        "= profile stays: it has os; rule fast has os for it",
    ];
    for part in want {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    assert!(served.good("rule list").await.contains("no rules"));
    served.good(&format!("rule set fast -f {}", path.display())).await;
    let json: serde_json::Value = serde_json::from_str(&served.good("rule try --json").await).unwrap();
    assert_eq!((&json["items"][0]["host"], &json["items"][0]["holds"][0]), (&serde_json::json!("n1"), &serde_json::json!("fast")));
    std::fs::write(&path, "name: fast\nwhen: facts.cpu.coers > 32\ntags: [fast]\n").unwrap();
    let wrong = served.run_as(Role::Operator, &format!("rule set fast -f {}", path.display())).await;
    assert!(wrong.code == 1 && wrong.err.contains("facts.cpu has no coers; it has architecture, cores, model"), "{}", wrong.err);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wipe_is_shown_confirmed_followed_and_proven() {
    let served = Served::of(cleaning::site().await).await;
    let shown = served.run_as(Role::Operator, "host release n1 --then available").await;
    assert!(shown.code == 1 && shown.out.contains("vdb") && shown.out.contains("it is attached by USB"), "{shown:?}");
    let command = shown.err.lines().last().unwrap().trim().strip_prefix("bootwright ").unwrap().to_owned();
    let told = served.run_as(Role::Operator, &command).await;
    assert_eq!((told.code, told.out.as_str()), (0, "n1: release; now cleaning, locked\n"), "{command}: {}", told.err);
    let machine = Machine::wiping(&served.site).await;
    assert!(served.good("host show n1").await.contains("live image: wipe by plan "));
    let (waited, answer) = tokio::join!(
        served.run_as(Role::Viewer, "host wait n1 --state available --timeout 20"),
        machine.report("r1", serde_json::json!([cleaning::good("a"), cleaning::good("b")]))
    );
    assert_eq!((waited.code, waited.out.as_str(), answer.status), (0, "n1: available\n", 200), "{}", waited.err);
    let folder = served.folder.path().join("papers");
    let saved = served.good(&format!("host certificates n1 --save {}", folder.display())).await;
    assert_eq!((saved.lines().count(), std::fs::read_dir(&folder).unwrap().count()), (2, 2));
    assert!(served.good("host certificates n1").await.contains("Clear as NIST SP 800-88"));
    served.end().await;
}
