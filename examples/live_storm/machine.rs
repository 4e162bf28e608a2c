//! One live image in the storm: script, hello, some facts, all facts, heartbeats. It speaks as the agent does and waits as little as it may.
//!
//! Its facts are as large as a real server's; what the server answers is believed only where the protocol allows it.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::{Duration, Instant},
};

use bootwright::{
    model::{
        DiskId, EraseMethod, Facts, LiveMode, Mac, Progress, SessionId, SmbiosUuid,
        facts::{BootFacts, Collector, Controller, Cpu, Disk, DiskHealth, Memory, MemoryModule, Nic, Part, System},
    },
    wire::agent::{Action, Content, Heartbeat, Hello, PROTOCOL, Reply, Report},
};
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
    time::{sleep_until, timeout},
};

use super::tally::Tally;

/// Heartbeats come so many times as often as the server asks for.
const FASTER: u32 = 15;

/// No request may take longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
pub struct Answer {
    /// 200 and the like.
    pub status: u16,
    /// The body.
    pub text: String,
}

/// One request on a connection of its own, from an address of the caller's choice.
pub async fn ask(from: Ipv4Addr, to: SocketAddrV4, method: &str, path: &str, bearer: Option<&str>, body: Option<&[u8]>) -> Result<Answer, String> {
    timeout(PATIENCE, converse(from, to, method, path, bearer, body)).await.map_err(|_| "no answer within 30 s".to_owned())?
}

async fn converse(from: Ipv4Addr, to: SocketAddrV4, method: &str, path: &str, bearer: Option<&str>, body: Option<&[u8]>) -> Result<Answer, String> {
    let socket = TcpSocket::new_v4().map_err(|why| format!("no socket: {why}"))?;
    socket.bind(SocketAddrV4::new(from, 0).into()).map_err(|why| format!("no address: {why}"))?;
    let mut stream = socket.connect(to.into()).await.map_err(|why| format!("no connection: {why}"))?;
    let bearer = bearer.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.map(|body| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\n{bearer}{length}Connection: close\r\n\r\n");
    let mut request = head.into_bytes();
    request.extend_from_slice(body.unwrap_or_default());
    stream.write_all(&request).await.map_err(|why| format!("cut off: {why}"))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|why| format!("cut off: {why}"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, text) = answer.split_once("\r\n\r\n").ok_or("no whole answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
    Ok(Answer { status, text: text.to_owned() })
}

/// A machine that was powered on.
struct Machine {
    number: u16,
    from: Ipv4Addr,
    server: SocketAddrV4,
    tally: Arc<Tally>,
    /// From the kernel's command line that its script named.
    session: SessionId,
    token: String,
}

/// Powers one on; it lives until `until`. What goes wrong stands in the tally.
pub async fn live(number: u16, server: SocketAddrV4, until: Instant, tally: Arc<Tally>) {
    let [high, low] = number.to_be_bytes();
    let from = Ipv4Addr::new(127, 1, high + 1, low);
    let mut machine = Machine { number, from, server, tally, session: SessionId(0), token: String::new() };
    if let Err((kind, why)) = machine.run(until).await {
        machine.tally.failed(kind, &why);
    }
}

impl Machine {
    async fn run(&mut self, until: Instant) -> Result<(), (&'static str, String)> {
        self.boot().await.map_err(|why| ("script", why))?;
        let facts = self.facts();
        let hello = Hello {
            protocol: PROTOCOL,
            agent: "0.1.0".into(),
            image: "storm".into(),
            session: self.session,
            mode: LiveMode::Register,
            macs: vec![self.mac(0)],
            uuid: Some(self.uuid()),
        };
        self.tell("hello", "/agent/v1/hello", &hello, Action::Register).await?;
        let some = Facts { system: facts.system.clone(), nics: facts.nics.clone(), ..Facts::default() };
        self.tell("partial", "/agent/v1/report", &self.report("partial", Content::Partial { facts: std::sync::Arc::new(some) }), Action::Continue)
            .await?;
        self.tell("facts", "/agent/v1/report", &self.report("facts", Content::Facts { facts: std::sync::Arc::new(facts) }), Action::Wait).await?;
        let mut next = Instant::now();
        loop {
            let beat = Heartbeat { protocol: PROTOCOL, session: self.session, progress: Progress { step: "waiting".into(), ..Progress::default() } };
            let reply = self.tell("heartbeat", "/agent/v1/heartbeat", &beat, Action::Wait).await?;
            // ± 20 %, each machine its own way
            next += Duration::from_secs(reply.heartbeat_secs) * (80 + u32::from(self.number % 41)) / 100 / FASTER;
            if next > until {
                return Ok(());
            }
            sleep_until(next.into()).await;
        }
    }

    /// Asks for the script, and reads what the live image would find on its command line.
    async fn boot(&mut self) -> Result<(), String> {
        let path = format!("/boot.ipxe?mac={}&uuid={}&serial={}&arch=x86_64&platform=pcbios", self.mac(0), self.uuid(), self.serial());
        let begin = Instant::now();
        let answer = ask(self.from, self.server, "GET", &path, None, None).await?;
        if answer.status != 200 {
            return Err(format!("{} {}", answer.status, answer.text));
        }
        let word =
            |name: &str| answer.text.split_whitespace().find_map(|word| word.strip_prefix(name)).ok_or_else(|| format!("no {name} in the script"));
        self.token = word("bw.token=")?.to_owned();
        self.session = word("bw.session=")?.parse().map_err(|_| "no session in the script".to_owned())?;
        self.tally.took("script", begin.elapsed());
        Ok(())
    }

    async fn tell(&self, kind: &'static str, path: &str, what: &impl Serialize, expected: Action) -> Result<Reply, (&'static str, String)> {
        let (body, begin) = (serde_json::to_vec(what).unwrap(), Instant::now());
        let answer = ask(self.from, self.server, "POST", path, Some(&self.token), Some(&body)).await.map_err(|why| (kind, why))?;
        if answer.status != 200 {
            return Err((kind, format!("{} {}", answer.status, answer.text)));
        }
        let reply: Reply = serde_json::from_str(&answer.text).map_err(|why| (kind, format!("{why}: {}", answer.text)))?;
        if reply.action != expected {
            return Err((kind, format!("told to {:?}, not to {expected:?}: {}", reply.action, reply.reason)));
        }
        self.tally.took(kind, begin.elapsed());
        Ok(reply)
    }

    fn report(&self, name: &str, content: Content) -> Report {
        Report { protocol: PROTOCOL, session: self.session, report_id: format!("{name}-{:016x}", self.session.0), content }
    }

    fn mac(&self, card: u8) -> Mac {
        let [high, low] = self.number.to_be_bytes();
        format!("02:5f:{card:02x}:00:{high:02x}:{low:02x}").parse().unwrap()
    }

    fn uuid(&self) -> SmbiosUuid {
        format!("5f000000-0000-4000-8000-{:012x}", self.number).parse().unwrap()
    }

    fn serial(&self) -> String {
        format!("STORM{:04}", self.number)
    }

    /// What a usual server of two sockets reports.
    fn facts(&self) -> Facts {
        let serial = |what: &str, at: usize| format!("{what}{:04}{at:02}", self.number);
        let facts = Facts {
            system: System {
                vendor: "Storm Inc.".into(),
                product: "Gale 2U".into(),
                serial: self.serial(),
                uuid: Some(self.uuid()),
                ..System::default()
            },
            board: Part { vendor: "Storm Inc.".into(), product: "G2-MB".into(), serial: serial("MB", 0), asset_tag: String::new() },
            cpu: Cpu { architecture: "x86_64".into(), model: "Storm Platinum 8380 CPU @ 2.30GHz".into(), sockets: 2, cores: 80, threads: 160 },
            memory: Memory { size_bytes: 512 << 30, modules: (0..16).map(|at| module(at, serial("DIMM", at))).collect() },
            nics: (0..4).map(|at| self.nic(at)).collect(),
            disks: (0..12).map(|at| disk(at, serial("DISK", at))).collect(),
            controllers: (0..14).map(controller).collect(),
            boot: BootFacts {
                uefi: true,
                secure_boot: Some(false),
                order: vec!["PXE IPv4 slot 1".into(), "disk 0".into()],
                kernel: "6.1.0-56-amd64".into(),
            },
            tpm: Some("2.0".into()),
            collectors: ["dmi", "cpu", "memory", "nics", "lldp", "disks", "health", "pci", "bmc", "boot"]
                .map(|name| Collector { name: name.into(), took_ms: 120, error: None })
                .into(),
            ..Facts::default()
        };
        let size = serde_json::to_vec(&facts).unwrap().len();
        assert!((8 << 10..=16 << 10).contains(&size), "facts of {size} bytes are not what a server sends");
        facts
    }

    fn nic(&self, at: u8) -> Nic {
        Nic {
            name: format!("ens{at}f0np0"),
            mac: self.mac(at),
            permanent_mac: Some(self.mac(at)),
            driver: "mlx5_core".into(),
            firmware: "16.35.2000 (MT_0000000080)".into(),
            bus: format!("0000:3b:00.{at}"),
            speed_mbps: (at < 2).then_some(25_000),
            link: at < 2,
            boot: at == 0,
            lldp: None,
        }
    }
}

fn module(at: usize, serial: String) -> MemoryModule {
    MemoryModule {
        slot: format!("DIMM_{}{}", if at < 8 { 'A' } else { 'B' }, at % 8 + 1),
        size_bytes: 32 << 30,
        kind: "DDR4".into(),
        speed_mts: 3200,
        vendor: "Storm Memory".into(),
        serial,
        part: "SM32G3200R".into(),
    }
}

fn disk(at: usize, serial: String) -> Disk {
    Disk {
        id: DiskId(format!("wwn:eui.0025{at:04x}{serial}")),
        name: format!("nvme{at}n1"),
        by_id: vec![format!("nvme-STORM_SSD_{serial}"), format!("nvme-eui.0025{at:04x}{serial}")],
        model: "STORM SSD PM9A3 3.84TB".into(),
        wwn: format!("eui.0025{at:04x}{serial}"),
        serial,
        firmware: "GDC5602Q".into(),
        size_bytes: 3_840_755_982_336,
        rotational: false,
        read_only: false,
        removable: false,
        transport: "nvme".into(),
        address: format!("0000:{at:02x}:00.0"),
        health: Some(DiskHealth { passed: Some(true), power_on_hours: Some(20_000), wear_percent: Some(3), celsius: Some(34) }),
        erase: vec![EraseMethod::NvmeSanitizeCrypto, EraseMethod::NvmeFormatCrypto, EraseMethod::Overwrite],
        erase_minutes: None,
        frozen: false,
        signatures: vec!["gpt".into(), "LVM2_member".into()],
    }
}

fn controller(at: usize) -> Controller {
    Controller {
        address: format!("0000:{at:02x}:00.0"),
        class: "Non-Volatile memory controller".into(),
        vendor: "Storm Semiconductor Co Ltd".into(),
        product: "NVMe SSD Controller PM9A1/PM9A3/980PRO".into(),
        driver: "nvme".into(),
    }
}
