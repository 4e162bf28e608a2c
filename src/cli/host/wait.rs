//! `bootwright host wait`: until a host is in a state, for scripts.
//!
//! The journal's stream says when to look again, so nothing is polled; the host itself is then asked. A host that ends where nobody waits for
//! it (an error, a defect, out of service) ends the wait at once, and one that is not recorded yet is waited for, because it may enrol itself.

use std::time::{Duration, Instant};

use super::{Shown, path, show};
use crate::{
    cli::{Client, Console, Done, Fault, client::with_query, stream::Follow},
    model::{Entry, Host, Lifecycle, What},
};

/// Which host, which state, how long.
#[derive(Debug, clap::Args)]
pub struct Wait {
    /// Name, id or MAC address; need not be recorded yet
    host: String,
    /// The state; may be repeated, then any of them
    #[arg(long, required = true, value_name = "STATE", value_parser = Lifecycle::WORDS)]
    state: Vec<String>,
    /// Give up after so many seconds
    #[arg(long, default_value_t = 3600, value_name = "SECS")]
    timeout: u64,
}

impl Wait {
    /// Waits.
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        // The journal's end is read before the host, so that nothing can happen between the two unheard.
        let newest: Vec<Entry> = client.get("/api/v1/journal?limit=1")?.items()?;
        let mut seen = self.look(&self.host, client, console)?;
        if self.is_over(seen.as_ref())? {
            return Ok(());
        }
        let id = seen.as_ref().map(|host| host.id.to_string());
        let events = id.as_deref().map_or_else(|| "/api/v1/events".to_owned(), |id| with_query("/api/v1/events", &[("host", id)]));
        let mut follow = Follow::new(client, events, newest.first().map_or(0, |entry| entry.seq), Some(deadline));
        while let Some(event) = follow.next()? {
            let moves = matches!(event.entry.what, What::Created | What::Transition { .. } | What::Edited { .. } | What::Deleted);
            if moves {
                // By its id, once that is known: a host may be renamed meanwhile.
                let key = seen.as_ref().map_or_else(|| self.host.clone(), |host| host.id.to_string());
                seen = self.look(&key, client, console)?.or(seen);
                if self.is_over(seen.as_ref())? {
                    return Ok(());
                }
            }
        }
        let now = seen.map_or_else(|| "there is no such host".to_owned(), |host| format!("it is {}", show::state(&host.lifecycle)));
        Err(Fault::no(format_args!("{} was not {} within {} s: {now}", self.host, self.state.join(" or "), self.timeout)))
    }

    /// The host as it is, said once it is where it should be; `None`: not recorded.
    fn look(&self, key: &str, client: &Client, console: &mut Console<'_>) -> Result<Option<Host>, Fault> {
        let reply = match client.get(&path(key)) {
            Err(Fault::Problem(problem)) if problem.status == 404 => return Ok(None),
            told => told?,
        };
        let host = reply.read::<Shown>()?.host;
        if self.wants(&host) && !console.json(&reply)? {
            console.line(format_args!("{}: {}", host.name, show::state(&host.lifecycle)))?;
        }
        Ok(Some(host))
    }

    fn wants(&self, host: &Host) -> bool {
        self.state.iter().any(|state| state == host.lifecycle.word())
    }

    /// Whether the wait is over: the state has come, or it will not come by itself.
    fn is_over(&self, host: Option<&Host>) -> Result<bool, Fault> {
        let Some(host) = host else { return Ok(false) };
        if self.wants(host) {
            return Ok(true);
        }
        match host.lifecycle {
            Lifecycle::Error { .. } | Lifecycle::Defective { .. } | Lifecycle::Decommissioned { .. } => Err(Fault::no(format_args!(
                "{} is {} and will not become {} by itself",
                host.name,
                show::state(&host.lifecycle),
                self.state.join(" or ")
            ))),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_waited_for() {
        let words: Vec<String> = Lifecycle::WORDS.map(ToOwned::to_owned).to_vec();
        let wait = Wait { host: "n1".into(), state: words, timeout: 1 };
        let mut host = Host::new(crate::model::HostId(uuid::Uuid::nil()), "n1".parse().unwrap(), Vec::new(), crate::model::Timestamp::UNIX_EPOCH);
        for lifecycle in [Lifecycle::New, Lifecycle::UsedRegistering, Lifecycle::Defective { reason: "r".into(), notes: String::new() }] {
            host.lifecycle = lifecycle;
            assert!(wait.wants(&host) && wait.is_over(Some(&host)).unwrap());
        }
        let other = Wait { state: vec!["available".into()], ..wait };
        assert!(other.is_over(Some(&host)).unwrap_err().to_string().contains("will not become available by itself"));
        assert!(!other.is_over(None).unwrap());
    }
}
