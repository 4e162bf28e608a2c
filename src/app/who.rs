//! Who asks: the recorded host behind a packet or a request, by whatever it shows.
//!
//! Claims (card, board, serial number) are weighed by `rules::identity`, which finds what contradicts itself. A file's fetch shows less, its
//! session or the address that it comes from; a document's asker shows the most, the build's token. That nobody recorded it is an answer; a
//! store that cannot look is a fault.

use std::{net::Ipv4Addr, sync::Arc};

use super::{House, Refusal, Told, pace::Key};
use crate::{
    model::{Build, BuildId, Host, HostId, IssueKind, Mac, SessionId, Token},
    rules::{
        identity::{self, Claim, Verdict},
        session,
    },
    store::StoreFault,
};

/// Who asks.
pub enum Who {
    /// Nobody recorded.
    Stranger,
    /// A host, and what speaks against it being that one.
    Known(Arc<Host>, Option<Doubt>),
}

/// What a machine shows, or its registration found, contradicts itself or the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The issue to raise.
    pub issue: IssueKind,
    /// The contradiction, one sentence.
    pub text: String,
}

/// Whose boot a file is fetched for, as it stood then. What became of the fetch is written down after it, perhaps long after it on a slow
/// disk, and must not count for a later power-on or another build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetcher {
    host: HostId,
    peer: Ipv4Addr,
    session: Option<SessionId>,
    build: Option<BuildId>,
}

impl Fetcher {
    /// The host, in the session that the request names or else in its newest.
    pub(super) fn of(host: &Host, named: Option<SessionId>, peer: Ipv4Addr) -> Self {
        let session = session::named(host, named).map(|session| session.id);
        Self { host: host.id, peer, session, build: host.open_build().map(|build| build.id) }
    }

    /// The power-on that it was fetched in, if it is still remembered.
    pub(super) fn session(&self, host: &Host) -> Option<SessionId> {
        self.session.filter(|id| host.sessions.iter().any(|one| one.id == *id))
    }

    /// The build that it was fetched for, if that one is still open.
    pub(super) fn build<'h>(&self, host: &'h Host) -> Option<&'h Build> {
        host.open_build().filter(|build| Some(build.id) == self.build)
    }
}

/// Whose a token is.
pub enum Bearer {
    /// The host whose newest build, open or ended, has it.
    Newest(Arc<Host>),
    /// An older build, and its host; it opens nothing any more.
    Older(HostId, Box<Build>),
}

impl House {
    /// Which recorded host a claim means, and whether its identities contradict each other.
    pub(super) fn who(&self, claim: &Claim<'_>) -> Told<Who> {
        let candidates = self.candidates(claim)?;
        let borrowed: Vec<&Host> = candidates.iter().map(AsRef::as_ref).collect();
        let (id, doubt) = match identity::which(claim, &borrowed) {
            Verdict::Unknown => return Ok(Who::Stranger),
            Verdict::Host { id, .. } => (Some(id), None),
            Verdict::Conflict(conflict) => (conflict.hosts().first().copied(), Some(Doubt { issue: conflict.issue(), text: conflict.to_string() })),
        };
        let host = candidates.into_iter().find(|host| Some(host.id) == id);
        Ok(host.map_or(Who::Stranger, |host| Who::Known(host, doubt)))
    }

    /// The hosts that any of the claimed identities point at; the serial number is looked for only where nothing better is there.
    fn candidates(&self, claim: &Claim<'_>) -> Result<Vec<Arc<Host>>, StoreFault> {
        let mut found: Vec<Arc<Host>> = Vec::new();
        for mac in claim.macs {
            found.extend(self.store.host_by_mac(*mac)?);
        }
        if let Some(uuid) = claim.uuid {
            found.extend(self.store.host_by_uuid(uuid)?);
        }
        if let (true, Some(serial)) = (found.is_empty(), claim.serial) {
            found.extend(self.store.hosts()?.into_iter().filter(|host| host.serial.as_deref() == Some(serial)));
        }
        found.sort_by_key(|host| host.id);
        found.dedup_by_key(|host| host.id);
        Ok(found)
    }

    /// The host of a boot session that is still remembered.
    pub(super) fn of_session(&self, session: Option<SessionId>) -> Told<Option<Arc<Host>>> {
        Ok(session.map(|session| self.store.host_by_session(session)).transpose()?.flatten())
    }

    /// Who fetches a file: by the session in its URL, else by the address we lent, else by what its path claims, else by the address that a
    /// record reserves (where somebody else's DHCP server lends them). The later ones are nothing to vouch for: no secret rests on them.
    pub(super) fn fetcher(&self, session: Option<SessionId>, peer: Ipv4Addr, claimed: Option<Mac>) -> Told<Option<Arc<Host>>> {
        if let Some(host) = self.of_session(session)? {
            return Ok(Some(host));
        }
        let lent = self.book().holder(peer);
        for mac in [lent, claimed].into_iter().flatten() {
            if let Some(host) = self.store.host_by_mac(mac)? {
                return Ok(Some(host));
            }
        }
        Ok(self.store.host_by_address(peer)?)
    }

    /// The host of a fetch that is to be told of, unless its record is gone or too much is told of it already.
    pub(super) fn told_of(&self, fetcher: &Fetcher) -> Told<Option<Arc<Host>>> {
        if !self.paces(Key::File(fetcher.peer, fetcher.host)) {
            return Ok(None);
        }
        Ok(self.store.host(fetcher.host)?)
    }

    /// Whose build a token is of; nobody's is refused.
    pub(super) async fn bearer_of(&self, token: &Token) -> Told<Bearer> {
        let hash = token.hash();
        if let Some(host) = self.store.host_by_token(&hash)? {
            return Ok(Bearer::Newest(host));
        }
        let older = self.store.build_by_token(&hash).await?;
        let (host, build) = older.ok_or_else(|| Refusal::Unknown { noun: "token", name: "…".into() })?;
        Ok(Bearer::Older(host, Box::new(build)))
    }
}
