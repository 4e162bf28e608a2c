//! A house in a folder of its own, in a world whose clock stands until it is moved: what the journeys are told in.
//!
//! One network, one profile with a kernel and an initrd of a few bytes, one host. Everything goes through the stories, as from the edges.

use std::{fs, net::Ipv4Addr, sync::Arc};

use bootwright::{
    app::{
        House,
        artifact::{Fetch, FetchEnd},
        build::{BuildAsk, Enabled},
        document::{Document, DocumentAsk},
        script::{Script, ScriptAsk},
        settings::Edit,
        start,
    },
    config::Config,
    model::{Actor, Build, Callback, Host, Mac, Report, Role, SessionId, Token},
    rules::sitefile::SiteHost,
    world::StillWorld,
};

/// A house and its folder.
pub struct Lab {
    pub house: House,
    pub world: Arc<StillWorld>,
    pub config: Config,
    _folder: Option<tempfile::TempDir>,
}

pub const MAC: &str = "52:54:00:00:00:01";
const KERNEL: &str = "os/1/linux";
const INITRD: &str = "os/1/initrd.gz";

/// An operator with the role admin.
pub fn admin() -> Actor {
    Actor::Operator { name: "ada".parse().unwrap(), role: Role::Admin }
}

pub fn mac() -> Mac {
    MAC.parse().unwrap()
}

impl Lab {
    /// A house with a network, a profile and the host `n1`, adopted, so that a build can be enabled.
    pub async fn new() -> Self {
        Self::with_profile(serde_json::json!({})).await
    }

    /// The same with more words in the profile.
    pub async fn with_profile(more: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        fs::create_dir_all(config.artifacts().join("os/1")).unwrap();
        fs::write(config.artifacts().join(KERNEL), b"kernel").unwrap();
        fs::write(config.artifacts().join(INITRD), b"initrd").unwrap();
        fs::create_dir_all(folder.path().join("loaders")).unwrap();
        fs::write(folder.path().join("loaders/undionly.kpxe"), b"loader").unwrap();
        let world = Arc::new(StillWorld::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let house = start::open_in(config.clone(), world.clone()).await.unwrap();
        let lab = Self { house, world, config, _folder: Some(folder) };
        lab.furnish(more).await;
        lab
    }

    /// The same with a live image of a few bytes, so that the host can be registered and wiped.
    pub fn with_live_image(self) -> Self {
        put_live_image(&self.config.live(), "1");
        self.house.reload_live_image().unwrap().unwrap();
        self
    }

    async fn furnish(&self, more: serde_json::Value) {
        let network = serde_json::json!({ "name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "server": "10.77.0.1",
            "pools": [{ "first": "10.77.0.100", "last": "10.77.0.200" }] });
        let mut profile = serde_json::json!({ "name": "os", "kernel": KERNEL, "initrds": [INITRD],
            "args": "url={{ documents }}/answer", "documents": { "answer": "answer.cfg" } });
        profile.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.house.edit_settings(&admin(), Edit::Network(serde_json::from_value(network).unwrap())).await.unwrap();
        self.house.edit_settings(&admin(), Edit::Profile(serde_json::from_value(profile).unwrap())).await.unwrap();
        let host = SiteHost {
            name: Some("n1".parse().unwrap()),
            macs: Some(vec![mac()]),
            network: Some(Some("lab".parse().unwrap())),
            profile: Some(Some("os".parse().unwrap())),
            ..SiteHost::default()
        };
        self.house.create_host(&admin(), host).await.unwrap();
        self.act("adopt").await;
    }

    /// The daemon stops and starts again on the same folder.
    pub async fn restart(self) -> Self {
        self.house.store.close().await.unwrap();
        self.reopen().await
    }

    /// It starts again after its store was closed.
    pub async fn reopen(self) -> Self {
        let Self { house, world, config, _folder } = self;
        drop(house);
        let house = start::open_in(config.clone(), world.clone()).await.unwrap();
        Self { house, world, config, _folder }
    }

    /// The house for the edges, its clock, and the folder that lives as long as they do.
    pub fn share(self) -> (Arc<House>, Arc<StillWorld>, Option<tempfile::TempDir>) {
        (Arc::new(self.house), self.world, self._folder)
    }

    pub async fn act(&self, verb: &str) {
        let words = serde_json::from_value(serde_json::json!({ "confirm": "n1", "reason": "a test" })).unwrap();
        self.house.act(&admin(), "n1", None, verb, &words).await.unwrap();
    }

    pub async fn enable(&self) -> Enabled {
        let ask = BuildAsk { confirm: Some("n1".into()), ..BuildAsk::default() };
        self.house.enable_build(&admin(), "n1", None, &ask, None).await.unwrap()
    }

    pub fn host(&self) -> Arc<Host> {
        self.house.find("n1").unwrap()
    }

    pub fn newest(&self) -> Build {
        self.host().build.clone().unwrap()
    }

    pub fn token(&self) -> Token {
        self.house.keys.build_token(self.newest().id)
    }

    /// A power-on that goes straight to iPXE and asks for its script; a minute and a half passes first, so that it is a new session.
    pub async fn power_on(&self) -> (Script, Option<SessionId>) {
        self.world.pass(90);
        let script = self.script(None).await;
        let session = script.text.split("s=").nth(1).and_then(|rest| rest.get(..16)).and_then(|text| text.parse().ok());
        (script, session)
    }

    pub async fn script(&self, session: Option<SessionId>) -> Script {
        let (peer, server) = (Ipv4Addr::new(10, 77, 0, 100), Ipv4Addr::new(10, 77, 0, 1));
        self.house.script(&ScriptAsk { mac: Some(mac()), uuid: None, serial: None, arch: None, session, peer, server }).await
    }

    /// Kernel and initrd arrive whole.
    pub async fn fetch_boot_files(&self, session: Option<SessionId>) {
        for fetch in self.ask_for_boot_files(session).await {
            self.house.fetch_ended(&fetch, FetchEnd::Whole).await.unwrap();
        }
    }

    /// Kernel and initrd are on their way.
    pub async fn ask_for_boot_files(&self, session: Option<SessionId>) -> Vec<Fetch> {
        let mut fetches = Vec::new();
        for path in [KERNEL, INITRD] {
            let (_, fetch) = self.house.artifact(&path.parse().unwrap(), session, Ipv4Addr::new(10, 77, 0, 100)).await.unwrap();
            fetches.extend(fetch);
        }
        fetches
    }

    pub async fn document(&self, session: Option<SessionId>) -> bootwright::app::Told<Document> {
        let (peer, server) = (Ipv4Addr::new(10, 77, 0, 100), Ipv4Addr::new(10, 77, 0, 1));
        let ask = DocumentAsk { token: self.token(), session, name: "answer".into(), peer, server };
        let document = self.house.document(&ask).await?;
        self.house.document_sent(&document).await?;
        Ok(document)
    }

    pub async fn call(&self, report: Report) -> bootwright::app::callback::Heard {
        self.house.callback(&self.token(), None, &Callback { report, text: String::new() }).await.unwrap()
    }
}

/// A live image of a few bytes, whole as the shelf wants it.
pub fn put_live_image(folder: &std::path::Path, version: &str) {
    let entry = |text: &str| serde_json::json!({ "sha256": bootwright::model::token::sha256_hex(text.as_bytes()), "size_bytes": text.len() });
    let (kernel, initrd) = (format!("live kernel {version}"), format!("live initrd {version}"));
    let manifest = serde_json::json!({ "format": 1, "version": version, "architecture": "x86_64", "protocol": 1, "agent": "0.1.0", "kernel": "6.1",
        "files": { "vmlinuz": entry(&kernel), "initrd": entry(&initrd) } });
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("vmlinuz"), kernel).unwrap();
    fs::write(folder.join("initrd"), initrd).unwrap();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

fn config(folder: &std::path::Path) -> Config {
    let mut config = Config { state_dir: folder.join("state"), ..Config::default() };
    config.paths.templates = Some(folder.join("templates"));
    config.paths.loaders = vec![folder.join("loaders")];
    fs::create_dir_all(folder.join("templates")).unwrap();
    fs::write(folder.join("templates/answer.cfg"), "host {{ host.name }}\ncall {{ callback }}/built\n").unwrap();
    config
}
