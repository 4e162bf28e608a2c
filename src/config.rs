//! The settings of one daemon: where it listens, where its files are, how much it takes on. TOML, checked whole at the start.
//!
//! What belongs to the machines (networks, profiles, hosts) is not here but in the store. A wrong file is refused with its name, line,
//! column and field.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The database, the server's key and the first admin token live here.
    pub state_dir: PathBuf,
    /// The listener for machines.
    pub boot: Boot,
    /// The listener for operators.
    pub admin: Admin,
    /// DHCP.
    pub dhcp: Dhcp,
    /// TFTP.
    pub tftp: Tftp,
    /// Folders.
    pub paths: Paths,
    /// How long evidence is kept.
    pub retention: Retention,
    /// Limits.
    pub limits: Limits,
}

/// HTTP for machines.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Boot {
    /// Where it listens.
    pub listen: SocketAddrV4,
    /// How machines reach it, if not by the address their packet came to and the port above.
    pub url: Option<String>,
}

/// HTTP for operators.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// Its key, PEM.
    pub tls_key: Option<PathBuf>,
}

/// How a reply reaches a client that has no address yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DhcpReply {
    /// A raw frame to its MAC (CAP_NET_RAW), broadcast as the fall-back.
    #[default]
    Raw,
    /// Always broadcast.
    Broadcast,
}

/// DHCP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dhcp {
    /// The interfaces it listens on; none: no DHCP at all.
    pub interfaces: Vec<String>,
    /// How it answers clients without an address.
    pub reply: DhcpReply,
}

/// TFTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tftp {
    /// Where it listens.
    pub listen: SocketAddrV4,
    /// The largest block (RFC 2348) it agrees to, bytes.
    pub max_block: u16,
    /// The largest window (RFC 7440) it agrees to, blocks.
    pub max_window: u16,
    /// Answer from the listening port, for NAT and firewalls.
    pub single_port: bool,
    /// Threads that serve it; else one for each core, four at most.
    pub threads: Option<usize>,
}

/// Folders.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// Site templates; one of a shipped template's name takes its place. Else `/etc/bootwright/templates`, if that folder is there.
    pub templates: Option<PathBuf>,
    /// Artifacts as `NAME/VERSION/PATH`; else `artifacts` in the state folder.
    pub artifacts: Option<PathBuf>,
    /// Folders searched for loaders before the system's.
    pub loaders: Vec<PathBuf>,
    /// The live image that registers and wipes machines, as `make image` makes it; else `live` in the state folder, else `/usr/share/bootwright/live`.
    pub live: Option<PathBuf>,
}

/// How long evidence is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Journal entries that changed nothing, days.
    pub evidence_days: u32,
}

/// Limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// TFTP transfers at once.
    pub tftp_transfers: usize,
    /// TFTP transfers at once to one address.
    pub tftp_transfers_per_peer: usize,
    /// HTTP connections at once, per listener.
    pub http_connections: usize,
    /// HTTP connections at once from one address.
    pub http_connections_per_peer: usize,
    /// Large files (4 MiB and more) at once over HTTP to iPXE; more machines are told when to come again. One address has a sixteenth, four at least.
    pub http_transfers: usize,
    /// Bytes in a second that a peer must read of what it asked for, taken over 30 s.
    pub http_floor_bytes: u64,
    /// DHCP packets being worked on at once.
    pub dhcp_requests: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/bootwright".into(),
            boot: Boot::default(),
            admin: Admin::default(),
            dhcp: Dhcp::default(),
            tftp: Tftp::default(),
            paths: Paths::default(),
            retention: Retention::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Boot {
    fn default() -> Self {
        Self { listen: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 80), url: None }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8067)), tls_cert: None, tls_key: None }
    }
}

impl Default for Tftp {
    fn default() -> Self {
        Self { listen: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 69), max_block: 1468, max_window: 64, single_port: false, threads: None }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { evidence_days: 90 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tftp_transfers: 16_384,
            tftp_transfers_per_peer: 16,
            http_connections: 8192,
            http_connections_per_peer: 256,
            http_transfers: 1024,
            http_floor_bytes: 4096,
            dhcp_requests: 4096,
        }
    }
}

/// Why the settings cannot be used; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    /// The file cannot be read.
    #[error("cannot read the settings {path}: {source}; README.md shows what belongs there, and -c names another file")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what it should be; the parser's text has line, column and field.
    #[error("in {path}:\n{text}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        text: String,
    },
    /// It is well formed and wrong.
    #[error("in {path}, {field}: {text}")]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Which field.
        field: &'static str,
        /// What to do.
        text: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigFault> {
        let text = fs::read_to_string(path).map_err(|source| ConfigFault::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Checks a text; `path` is for the messages.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigFault> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigFault::Parse { path: path.to_owned(), text: said(&error) })?;
        match config.first_mistake() {
            Some((field, text)) => Err(ConfigFault::Wrong { path: path.to_owned(), field, text }),
            None => Ok(config),
        }
    }

    fn first_mistake(&self) -> Option<(&'static str, String)> {
        let tls = self.admin.tls_cert.is_some() && self.admin.tls_key.is_some();
        if self.admin.tls_cert.is_some() != self.admin.tls_key.is_some() {
            return Some(("admin.tls_cert", "a certificate and a key go together: set tls_cert and tls_key, or neither".into()));
        }
        if !self.admin.listen.ip().is_loopback() && !tls {
            let text = format!("{} can be reached from other machines; set tls_cert and tls_key, or listen on 127.0.0.1", self.admin.listen);
            return Some(("admin.listen", text));
        }
        if self.boot.listen.port() != 0 && overlap(self.boot.listen.into(), self.admin.listen) {
            return Some(("admin.listen", format!("{} is the machines' own, boot.listen; operators need another port", self.admin.listen)));
        }
        if !(8..=65464).contains(&self.tftp.max_block) {
            return Some(("tftp.max_block", "RFC 2348 allows 8 to 65464 bytes".into()));
        }
        if !(1..=64).contains(&self.tftp.max_window) {
            return Some(("tftp.max_window", "1 to 64 blocks".into()));
        }
        if self.tftp.threads.is_some_and(|threads| !(1..=64).contains(&threads)) {
            return Some(("tftp.threads", "1 to 64 threads".into()));
        }
        if let Some(mistake) = self.limits.first_mistake() {
            return Some(mistake);
        }
        if let Some(url) = self.boot.url.as_deref().filter(|url| !url.starts_with("http://") || url.ends_with('/')) {
            return Some(("boot.url", format!("{url:?} must begin with http:// and end without a slash")));
        }
        None
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.state_dir.join("bootwright.db")
    }

    /// The server's key.
    pub fn key_file(&self) -> PathBuf {
        self.state_dir.join("server.key")
    }

    /// The first admin token.
    pub fn admin_token_file(&self) -> PathBuf {
        self.state_dir.join("admin.token")
    }

    /// The folder of site templates, if there is one.
    pub fn templates(&self) -> Option<PathBuf> {
        let usual = PathBuf::from("/etc/bootwright/templates");
        self.paths.templates.clone().or_else(|| usual.is_dir().then_some(usual))
    }

    /// The artifacts.
    pub fn artifacts(&self) -> PathBuf {
        self.paths.artifacts.clone().unwrap_or_else(|| self.state_dir.join("artifacts"))
    }

    /// The folder of the live image, whether there is one or not.
    pub fn live(&self) -> PathBuf {
        let packaged = PathBuf::from("/usr/share/bootwright/live");
        let own = self.state_dir.join("live");
        self.paths.live.clone().unwrap_or_else(|| if !own.exists() && packaged.exists() { packaged } else { own })
    }

    /// The base URL of the boot listener as a machine that talks to `address` reaches it.
    pub fn boot_url(&self, address: Ipv4Addr) -> String {
        match (&self.boot.url, self.boot.listen.port()) {
            (Some(url), _) => url.clone(),
            (None, 80) => format!("http://{address}"),
            (None, port) => format!("http://{address}:{port}"),
        }
    }
}

impl Limits {
    /// A limit of nothing serves nobody, and one part must fit into the whole.
    fn first_mistake(&self) -> Option<(&'static str, String)> {
        let counts = [
            ("limits.tftp_transfers", self.tftp_transfers),
            ("limits.tftp_transfers_per_peer", self.tftp_transfers_per_peer),
            ("limits.http_connections", self.http_connections),
            ("limits.http_connections_per_peer", self.http_connections_per_peer),
            ("limits.http_transfers", self.http_transfers),
            ("limits.dhcp_requests", self.dhcp_requests),
        ];
        if let Some((field, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Some((field, "0 would serve nobody; leave it out for the default".into()));
        }
        if self.http_connections_per_peer > self.http_connections {
            let text = format!("one address would have more than all together, limits.http_connections = {}", self.http_connections);
            return Some(("limits.http_connections_per_peer", text));
        }
        (self.http_floor_bytes > 1 << 20).then(|| ("limits.http_floor_bytes", "more than 1 MiB a second would cut honest machines off".into()))
    }
}

/// Whether one listener would be in the other's way.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// The parser's words, and an example where they name a type.
fn said(error: &toml::de::Error) -> String {
    let example = if error.message().contains("socket address") { "write an address and a port, for example 0.0.0.0:80\n" } else { "" };
    format!("{error}{example}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, with: &[&str]) {
        let said = Config::parse(Path::new("site.toml"), text).unwrap_err().to_string();
        for part in with {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse(Path::new("x"), "").unwrap(), Config::default());
    }

    #[test]
    fn a_mistake_is_named_with_file_line_and_field() {
        refused("state_dir = 3", &["site.toml", "line 1", "state_dir"]);
        refused("[dhcp]\ninterface = ['br0']", &["line 2", "interface", "interfaces"]);
        refused("[admin]\nlisten = '0.0.0.0:80'", &["admin.listen", "tls_cert"]);
        refused("[admin]\ntls_key = 'k'", &["admin.tls_cert"]);
        refused("[boot]\nlisten = '80'", &["line 2", "listen", "0.0.0.0:80"]);
        refused("[boot]\nlisten = '0.0.0.0:8067'", &["admin.listen", "127.0.0.1:8067", "boot.listen"]);
        refused("[boot]\nlisten = '127.0.0.1:8067'", &["admin.listen"]);
        refused("[tftp]\nmax_block = 7", &["tftp.max_block"]);
        refused("[tftp]\nthreads = 0", &["tftp.threads"]);
        refused("[boot]\nurl = 'https://x'", &["boot.url", "http://"]);
        refused("[limits]\nhttp_transfers = 0", &["limits.http_transfers", "nobody"]);
        refused("[limits]\ntftp_transfers_per_peer = 0", &["limits.tftp_transfers_per_peer"]);
        refused("[limits]\nhttp_connections = 100", &["limits.http_connections_per_peer", "100"]);
        refused("[limits]\nhttp_floor_bytes = 99999999", &["limits.http_floor_bytes"]);
    }

    #[test]
    fn the_live_image_is_looked_for_where_the_settings_say() {
        let read = |text: &str| Config::parse(Path::new("x"), text).unwrap().live();
        assert_eq!(read("state_dir = '/nonexistent/state'\n[paths]\nlive = '/srv/live'"), PathBuf::from("/srv/live"));
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(state.path().join("live")).unwrap();
        assert_eq!(read(&format!("state_dir = '{}'", state.path().display())), state.path().join("live"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let said = Config::read(Path::new("/nonexistent/bootwright.toml")).unwrap_err().to_string();
        assert!(said.contains("/nonexistent/bootwright.toml") && said.contains("-c"), "{said}");
    }
}
