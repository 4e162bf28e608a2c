//! The conversation with the server: one request, or one that is tried until it is answered.
//!
//! Plain HTTP to the boot listener with the run's token as bearer. Each request is a connection of its own, because minutes lie between
//! them. An answer is a [`Reply`] or a [`No`]; what a no means for the work is decided by `work`, and a report that is tried again is
//! byte for byte the same.

use std::{fmt, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use ureq::http::{Response, StatusCode};

use crate::{
    cmdline::{Cmdline, Token},
    console::Console,
    contract::{Denial, Heartbeat, Hello, Reply, Report},
    machine::Machine,
    patience::{GIVE_UP, Patience},
};

/// To connect.
const CONNECT: Duration = Duration::from_secs(5);

/// For a whole hello or report; a report is large and the network of a machine room at power-on is slow.
const WHOLE: Duration = Duration::from_secs(60);

/// For a whole heartbeat, which is small and which the end of a job has to wait for.
const SHORT: Duration = Duration::from_secs(15);

/// The most that an answer may have; a plan of a thousand disks has less.
const MOST: u64 = 4 << 20;

/// No reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum No {
    /// Nobody answered, or the server cannot answer now: try again.
    Later {
        /// Why.
        why: String,
        /// What it asks for (`Retry-After`).
        after: Option<Duration>,
    },
    /// The server says no, and would say it again.
    Denied {
        /// The HTTP status.
        status: u16,
        /// Its words.
        denial: Denial,
    },
    /// It answered with something that is no answer: a proxy, another server.
    Nonsense(String),
}

impl No {
    /// Whether nobody knows this run any more.
    pub fn is_unknown_token(&self) -> bool {
        matches!(self, Self::Denied { denial, .. } if denial.code == "unknown_token")
    }
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Later { why, .. } => write!(f, "the server does not answer ({why})"),
            Self::Denied { status, denial } => write!(f, "the server says no ({status} {}): {}", denial.code, denial.text),
            Self::Nonsense(why) => write!(f, "what answers is not the server ({why}); look at bw.server and at what is in between"),
        }
    }
}

/// A line to the server.
pub struct Talk<'a> {
    machine: &'a dyn Machine,
    console: &'a Console,
    http: ureq::Agent,
    server: String,
    token: Token,
}

impl<'a> Talk<'a> {
    /// To the server of the kernel's command line. Nothing is sent yet.
    pub fn new(machine: &'a dyn Machine, console: &'a Console, cmdline: &Cmdline) -> Self {
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("bootwright-agent/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Self { machine, console, http, server: cmdline.server.clone(), token: cmdline.token.clone() }
    }

    /// Says who we are; tries for ten minutes.
    ///
    /// # Errors
    /// The last no.
    pub fn hello(&self, hello: &Hello) -> Result<Reply, No> {
        self.until_answered("hello", hello)
    }

    /// Says how far we are; tries once, the next one comes soon.
    ///
    /// # Errors
    /// The no.
    pub fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<Reply, No> {
        self.post("heartbeat", heartbeat, SHORT)
    }

    /// Reports; tries for ten minutes.
    ///
    /// # Errors
    /// The last no.
    pub fn report(&self, report: &Report) -> Result<Reply, No> {
        self.until_answered("report", report)
    }

    /// Reports, once: for what was given up before.
    ///
    /// # Errors
    /// The no.
    pub fn report_once(&self, report: &Report) -> Result<Reply, No> {
        self.post("report", report, WHOLE)
    }

    fn until_answered<T: Serialize>(&self, what: &str, body: &T) -> Result<Reply, No> {
        let mut patience = Patience::new(self.machine.uptime(), GIVE_UP);
        loop {
            let no = match self.post(what, body, WHOLE) {
                Ok(reply) => return Ok(reply),
                Err(no @ No::Denied { .. }) => return Err(no),
                Err(no) => no,
            };
            let asked = if let No::Later { after, .. } = &no { *after } else { None };
            let Some(wait) = patience.next(self.machine.uptime(), asked, chance(self.machine)) else { return Err(no) };
            self.console.error(&format!("{what}: {no}; next try in {} s", wait.as_secs().max(1)));
            self.machine.pause(wait);
        }
    }

    fn post<T: Serialize>(&self, what: &str, body: &T, whole: Duration) -> Result<Reply, No> {
        let body = serde_json::to_vec(body).map_err(|error| No::Nonsense(format!("our own {what} cannot be written: {error}")))?;
        let sent = self
            .http
            .post(format!("{}/agent/v1/{what}", self.server))
            .config()
            .timeout_global(Some(whole))
            .build()
            .header("Authorization", format!("Bearer {}", self.token.reveal()))
            .header("Content-Type", "application/json")
            .send(&body[..]);
        let mut answer = sent.map_err(|error| No::Later { why: why(&error, whole), after: None })?;
        let status = answer.status();
        let after = retry_after(&answer);
        let text = match answer.body_mut().with_config().limit(MOST).read_to_string() {
            Ok(text) => text,
            // The connection broke in the middle: whether the server took it is open, so the same is said again.
            Err(error) => return Err(No::Later { why: why(&error, whole), after }),
        };
        read(status, after, &text)
    }
}

fn why(error: &ureq::Error, whole: Duration) -> String {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Global) => format!("no answer within {} s", whole.as_secs()),
        ureq::Error::Timeout(_) => format!("no connection within {} s", CONNECT.as_secs()),
        other => other.to_string(),
    }
}

fn retry_after<B>(answer: &Response<B>) -> Option<Duration> {
    let text = answer.headers().get("Retry-After")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn read(status: StatusCode, after: Option<Duration>, text: &str) -> Result<Reply, No> {
    if status.is_success() {
        return parse(text).map_err(No::Nonsense);
    }
    let denial = parse::<Denial>(text);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        let why = denial.map_or_else(|_| status.to_string(), |denial| format!("{}: {}", status.as_u16(), denial.text));
        return Err(No::Later { why, after });
    }
    let denial = denial.map_err(|why| No::Nonsense(format!("status {}: {why}", status.as_u16())))?;
    Err(No::Denied { status: status.as_u16(), denial })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{error} in {:?}", text.chars().take(60).collect::<String>()))
}

/// Any number.
pub fn chance(machine: &dyn Machine) -> u32 {
    let mut bytes = [0; 4];
    machine.chance(&mut bytes);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
pub mod server;
#[cfg(test)]
mod tests;
