//! The daemon under the storm: started with a scratch state folder and a tiny live image, watched through `/proc`, ended by its number.
//!
//! The live image has the real manifest and no real kernel: nobody boots it here.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bootwright::model::token::sha256_hex;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::machine::{Answer, ask};

/// Kernel ticks per second in `/proc/PID/stat`: always 100 for user space (`USER_HZ`).
const TICKS: f64 = 100.0;

/// A running daemon.
pub struct Daemon {
    /// Its boot listener.
    pub boot: SocketAddrV4,
    admin: SocketAddrV4,
    folder: TempDir,
    child: Child,
}

/// What it has used so far.
pub struct Used {
    /// Of the processor, user and system.
    pub processor_secs: f64,
    /// The largest resident memory.
    pub peak_mib: f64,
}

/// A port that was free a moment ago.
fn port() -> SocketAddrV4 {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, socket.local_addr().unwrap().port())
}

fn write_live_image(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let mut files = serde_json::Map::new();
    for name in ["vmlinuz", "initrd"] {
        fs::write(folder.join(name), name).unwrap();
        files.insert(name.into(), json!({"sha256": sha256_hex(name.as_bytes()), "size_bytes": name.len()}));
    }
    let manifest = json!({"format": 1, "version": "storm", "architecture": "x86_64", "protocol": 1, "agent": "0", "kernel": "0", "files": files, "packages": {}});
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

impl Daemon {
    /// Starts it and waits until its sockets are bound.
    pub async fn start(program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (boot, admin, tftp) = (port(), port(), port());
        write_live_image(&folder.path().join("live"));
        let config = folder.path().join("bootwright.toml");
        let state = folder.path().join("state");
        fs::create_dir(&state).unwrap();
        let text = format!(
            "state_dir = {state:?}\n[boot]\nlisten = \"{boot}\"\n[admin]\nlisten = \"{admin}\"\n[tftp]\nlisten = \"{tftp}\"\n[paths]\nlive = {:?}\n",
            folder.path().join("live")
        );
        fs::write(&config, text).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(["serve", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Self { boot, admin, folder, child };
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        for _ in 0..400 {
            ticks.tick().await;
            assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended:\n{}", daemon.last_words());
            if daemon.log().contains("serve: ready") {
                return daemon;
            }
        }
        panic!("the daemon is not ready after 20 s:\n{}", daemon.last_words());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    async fn admin(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let token = fs::read_to_string(self.folder.path().join("state/admin.token")).unwrap();
        let answer = ask(Ipv4Addr::LOCALHOST, self.admin, method, path, Some(token.trim()), body.map(str::as_bytes)).await;
        answer.unwrap_or_else(|why| panic!("{method} {path}: {why}\n{}", self.last_words()))
    }

    /// A network where unknown machines are taken in.
    pub async fn open_network(&self) {
        let site = json!({"networks": [{"name": "storm", "subnet": "127.1.0.0/16", "auto_enroll": "on", "naming": "m-{serial}"}]});
        let answer = self.admin("POST", "/api/v1/apply", Some(&site.to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// How many hosts are in which lifecycle.
    pub async fn lifecycles(&self) -> BTreeMap<String, usize> {
        let (mut found, mut cursor) = (BTreeMap::new(), None::<String>);
        loop {
            let more = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let answer = self.admin("GET", &format!("/api/v1/hosts?limit=100{more}"), None).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let page: Value = serde_json::from_str(&answer.text).unwrap();
            for host in page["items"].as_array().unwrap() {
                let lifecycle = &host["lifecycle"];
                let word = lifecycle.as_str().or_else(|| lifecycle["state"].as_str()).map_or_else(|| lifecycle.to_string(), ToOwned::to_owned);
                *found.entry(word).or_default() += 1;
            }
            cursor = page["next"].as_str().map(ToOwned::to_owned);
            if cursor.is_none() {
                return found;
            }
        }
    }

    /// What the kernel says that it has used.
    pub fn used(&self) -> Used {
        let id = self.child.id();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // the name in parentheses may hold anything; user and system time are fields 14 and 15
        let ticks: f64 = stat.rsplit_once(") ").unwrap().1.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        Used { processor_secs: ticks / TICKS, peak_mib: kib / 1024.0 }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
