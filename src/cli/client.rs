//! The one client of the REST API: an address, a token, requests in, replies or faults out.
//!
//! TLS is rustls with ring, only for `https://`; no proxy is ever used and no redirect followed, because a token must go nowhere else.
//! Problem documents become [`Fault::Problem`]; whoever does not answer is [`Fault::Unreachable`].

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::{
    Agent, AsSendBody, Body, SendBody,
    http::{Request, Response, request::Builder},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use super::{fault::Fault, problem::Problem};
use crate::model::Token;

/// Where the first start leaves the admin token.
const DEFAULT_TOKEN_FILE: &str = "/var/lib/bootwright/admin.token";
/// Where systems keep the certificates they trust.
const TRUSTED: [&str; 3] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// How long an ordinary request may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of an ordinary answer.
const ANSWER_LIMIT_BYTES: u64 = 256 << 20;

/// Which daemon, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub struct Remote {
    /// The daemon's admin listener
    #[arg(long, global = true, env = "BOOTWRIGHT_SERVER", default_value = "http://127.0.0.1:8067", value_name = "URL", help_heading = "Connection")]
    pub server: String,
    /// A file with the API token; else BOOTWRIGHT_TOKEN, else /var/lib/bootwright/admin.token
    #[arg(long, global = true, env = "BOOTWRIGHT_TOKEN_FILE", value_name = "FILE", help_heading = "Connection")]
    pub token_file: Option<PathBuf>,
    /// Certificates to trust for https://, PEM; else the system's
    #[arg(long, global = true, env = "BOOTWRIGHT_CA_FILE", value_name = "FILE", help_heading = "Connection")]
    pub ca_file: Option<PathBuf>,
}

/// A connection to one daemon.
pub struct Client {
    agent: Agent,
    server: String,
    token: Token,
}

/// A good answer.
#[derive(Debug)]
pub struct Reply {
    /// The body as it came.
    pub text: String,
    server: String,
}

impl Reply {
    /// The body as a value.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_str(&self.text).map_err(|why| Fault::Answer { server: self.server.clone(), why: why.to_string() })
    }

    /// The items of a page.
    pub fn items<T: DeserializeOwned>(&self) -> Result<Vec<T>, Fault> {
        #[derive(serde::Deserialize)]
        struct Page<T> {
            items: Vec<T>,
        }
        Ok(self.read::<Page<T>>()?.items)
    }
}

impl Client {
    /// Reads the token and prepares; nothing is sent yet.
    pub fn new(remote: &Remote) -> Result<Self, Fault> {
        let server = remote.server.trim_end_matches('/').to_owned();
        if !server.starts_with("http://") && !server.starts_with("https://") {
            return Err(Fault::Usage(format!("--server {server:?} must begin with http:// or https://, for example http://127.0.0.1:8067")));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("bootwright/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(PATIENCE));
        let config = if server.starts_with("https://") { config.tls_config(tls(remote.ca_file.as_deref())?) } else { config };
        Ok(Self { agent: config.build().into(), server, token: token(remote.token_file.as_deref())? })
    }

    /// GET.
    pub fn get(&self, path: &str) -> Result<Reply, Fault> {
        self.ask("GET", path, None, &[])
    }

    /// POST with JSON.
    pub fn post(&self, path: &str, body: &Value) -> Result<Reply, Fault> {
        self.ask("POST", path, Some(body), &[])
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Result<Reply, Fault> {
        self.ask("DELETE", path, None, &[])
    }

    /// Any request with JSON and headers.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Result<Reply, Fault> {
        let request = headers.iter().fold(self.request(method, path), |request, (name, value)| request.header(*name, *value));
        let response = match body {
            Some(body) => self.send(request.header("content-type", "application/json"), body.to_string(), Some(PATIENCE)),
            None => self.send(request, SendBody::none(), Some(PATIENCE)),
        }?;
        self.reply(response)
    }

    /// GET of an answer that takes its time.
    pub fn wait(&self, path: &str, limit: Duration) -> Result<Reply, Fault> {
        let response = self.send(self.request("GET", path), SendBody::none(), Some(limit))?;
        self.reply(response)
    }

    /// PUT of a file, streamed.
    pub fn upload(&self, path: &str, file: &fs::File) -> Result<Reply, Fault> {
        let request = self.request("PUT", path).header("content-type", "application/octet-stream");
        let response = self.send(request, file, None)?;
        self.reply(response)
    }

    /// GET of bytes without a limit.
    pub fn download(&self, path: &str) -> Result<impl Read + use<>, Fault> {
        let response = self.good(self.send(self.request("GET", path), SendBody::none(), None)?)?;
        Ok(response.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// GET of a stream that ends when the daemon or `limit` ends it.
    pub fn stream(&self, path: &str, last: Option<u64>, limit: Option<Duration>) -> Result<impl Read + use<>, Fault> {
        let request = self.request("GET", path).header("accept", "text/event-stream");
        let request = last.into_iter().fold(request, |request, seq| request.header("last-event-id", seq.to_string()));
        let response = self.good(self.send(request, SendBody::none(), limit)?)?;
        Ok(response.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// Every item of a list, over all its pages; a list of one page is as the daemon sent it.
    pub fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, Fault> {
        let mut reply = self.get(&with_query(path, &[query, &[("limit", "1000")]].concat()))?;
        let mut page: Value = reply.read()?;
        let mut items = Vec::new();
        while let Some(next) = page.get("next").and_then(Value::as_str).map(str::to_owned) {
            items.append(page["items"].as_array_mut().unwrap_or(&mut Vec::new()));
            let rest: Vec<(&str, &str)> = query.iter().copied().filter(|(name, _)| *name != "cursor").collect();
            page = self.get(&with_query(path, &[rest.as_slice(), &[("limit", "1000"), ("cursor", next.as_str())]].concat()))?.read()?;
            if page.get("next").is_none() {
                items.append(page["items"].as_array_mut().unwrap_or(&mut Vec::new()));
                reply.text = json!({ "items": items }).to_string();
            }
        }
        Ok(reply)
    }

    /// The daemon's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    fn request(&self, method: &str, path: &str) -> Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.server)).header("authorization", format!("Bearer {}", self.token.reveal()))
    }

    fn send(&self, request: Builder, body: impl AsSendBody, limit: Option<Duration>) -> Result<Response<Body>, Fault> {
        let request = request.body(body).map_err(|why| Fault::Usage(format!("{} is not an address: {why}", self.server)))?;
        let request = self.agent.configure_request(request).timeout_global(limit).build();
        self.agent.run(request).map_err(|why| self.unsent(&why))
    }

    fn unsent(&self, why: &ureq::Error) -> Fault {
        match why {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Fault::Usage(format!("{} is not an address: {why}", self.server)),
            ureq::Error::Protocol(_) => Fault::Answer { server: self.server.clone(), why: why.to_string() },
            _ => Fault::Unreachable { server: self.server.clone(), why: why.to_string() },
        }
    }

    fn reply(&self, response: Response<Body>) -> Result<Reply, Fault> {
        let text = self.good(response)?.into_body().with_config().limit(ANSWER_LIMIT_BYTES).read_to_string().map_err(|why| self.unsent(&why))?;
        Ok(Reply { text, server: self.server.clone() })
    }

    /// The response, if its status says yes.
    fn good(&self, mut response: Response<Body>) -> Result<Response<Body>, Fault> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.body_mut().with_config().limit(1 << 20).read_to_string().unwrap_or_default();
        Err(match Problem::read(&text) {
            Some(problem) => Fault::Problem(Box::new(problem)),
            None => Fault::Answer { server: self.server.clone(), why: format!("HTTP {status}") },
        })
    }
}

fn token(file: Option<&Path>) -> Result<Token, Fault> {
    let shown = env::var("BOOTWRIGHT_TOKEN").ok().filter(|_| file.is_none());
    let (from, text) = match (shown, file) {
        (Some(text), _) => ("BOOTWRIGHT_TOKEN".to_owned(), text),
        (None, file) => {
            let path = file.unwrap_or(Path::new(DEFAULT_TOKEN_FILE));
            let text = fs::read_to_string(path).map_err(|why| {
                let hint = "the first start of the daemon wrote an admin token to admin.token in its state folder, readable by its user only;\n  name a token file with --token-file or BOOTWRIGHT_TOKEN_FILE, or put the token into BOOTWRIGHT_TOKEN";
                Fault::no(format_args!("cannot read the token file {}: {why}\n  {hint}", path.display()))
            })?;
            (path.display().to_string(), text)
        }
    };
    Token::parse(text.trim()).ok_or_else(|| Fault::no(format_args!("{from} holds no token: a token is one word of 16 to 64 letters and digits")))
}

fn tls(file: Option<&Path>) -> Result<TlsConfig, Fault> {
    let path = file.map(Path::to_owned).or_else(|| TRUSTED.iter().map(PathBuf::from).find(|path| path.exists()));
    let path = path.ok_or_else(|| Fault::no("no trusted certificates are installed; name a PEM file with --ca-file"))?;
    let pem = fs::read(&path).map_err(Fault::file(&path))?;
    let certificates: Vec<Certificate<'static>> =
        parse_pem(&pem).filter_map(|item| if let Ok(PemItem::Certificate(one)) = item { Some(one) } else { None }).collect();
    if certificates.is_empty() {
        return Err(Fault::no(format_args!("{} holds no certificate in PEM", path.display())));
    }
    let roots = RootCerts::new_with_certs(&certificates);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder().unversioned_rustls_crypto_provider(provider).root_certs(roots).build())
}

/// One segment of a path, escaped.
pub fn segment(text: impl std::fmt::Display) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    text.to_string().bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A path of several segments; its slashes stay.
pub fn segments(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// A path with a query.
pub fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_cannot_leave_its_place_in_a_path() {
        assert_eq!(segment("52:54:00:00:00:01"), "52:54:00:00:00:01");
        assert_eq!(segment("../x?y=ü"), "..%2Fx%3Fy%3D%C3%BC");
        assert_eq!(segments("kickstart/rhel.ks"), "kickstart/rhel.ks");
        assert_eq!(with_query("/a", &[("q", "1 2"), ("r", "&")]), "/a?q=1%202&r=%26");
    }
}
