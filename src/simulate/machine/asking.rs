//! The machine's HTTP: whom it may ask, and what it makes of being told to come again.
//!
//! A URL that leads to somebody whom the user did not name is a failure before anything is sent.

use std::{net::SocketAddrV4, time::Duration};

use super::{Failure, Fetch, Machine, Output, Phase, Reply};
use crate::simulate::host::address;

impl Machine {
    /// Asks for a URL, if it leads to somebody that the user named.
    pub(super) fn fetch(&mut self, now: Duration, url: &str, agent: String, post: Option<(&'static str, String)>, keeps_body: bool) {
        match self.place(url) {
            Ok((peer, path)) => {
                self.fetching = Some(Fetch { peer, path, agent, post, keeps_body });
                self.fetch_again();
            }
            Err(failure) => self.fail(now, failure),
        }
    }

    pub(super) fn fetch_again(&mut self) {
        self.out.extend(self.fetching.clone().map(|fetch| Output::Fetch(self.bound.address, fetch)));
    }

    pub(super) fn place(&self, url: &str) -> Result<(SocketAddrV4, String), Failure> {
        let foreign = |why: &str| Failure::new("foreign_url", format!("{url}: {why}; nothing was sent"));
        let rest = url.strip_prefix("http://").ok_or_else(|| foreign("only http is spoken"))?;
        let (authority, path) = rest.find(['/', '?']).map_or((rest, "/"), |at| rest.split_at(at));
        let (name, port) = authority.split_once(':').unwrap_or((authority, ""));
        let port = if port.is_empty() { Ok(self.rack.http_port) } else { port.parse() };
        match (address(name), port) {
            (Some(host), Ok(port)) if self.rack.allowed.contains(&host) => Ok((SocketAddrV4::new(host, port), path.to_owned())),
            (Some(_), Ok(_)) => Err(foreign("an address that nobody allowed (--allow)")),
            _ => Err(foreign("names are not looked up, and ports are numbers")),
        }
    }

    pub(super) fn heard_http(&mut self, now: Duration, reply: Reply) {
        if self.fetching.is_none() || self.again_at.is_some() {
            return;
        }
        if let Reply::Answer { status: 429 | 503, retry_after: Some(secs), body } = &reply {
            let wait = Duration::from_secs((*secs).min(300));
            self.note("told to come again (Retry-After)", wait);
            self.trouble = format!("the server said: {}", first_line(body));
            self.again_at = Some(now + wait);
            return;
        }
        match &reply {
            Reply::Broken(why) => {
                self.note("a connection broke", Duration::ZERO);
                self.trouble.clone_from(why);
            }
            Reply::Answer { status: 400.., body, .. } => self.trouble = first_line(body).to_owned(),
            Reply::Answer { .. } => {}
        }
        self.fetching = None;
        match &mut self.phase {
            Phase::Ipxe(_) => self.ipxe_heard(now, reply),
            Phase::Installer => self.installer_heard(now, reply),
            Phase::Off { .. } | Phase::Dora(_) | Phase::Download(_) | Phase::Over => {}
        }
    }
}

/// What a refusal says, short.
fn first_line(body: &str) -> &str {
    let line = body.lines().next().unwrap_or("");
    line.char_indices().nth(200).map_or(line, |(at, _)| &line[..at])
}
