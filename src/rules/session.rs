//! Boot sessions: which power-on a packet or request belongs to, and how far that power-on came (lifecycle.md section 6).
//!
//! ```text
//! firmware DHCP ─┬─ none open, or the open one has its loader ──▶ opens
//! iPXE DHCP ─────┼─ the open one has its script already ────────▶ opens (a reset machine with iPXE in its card)
//! HTTP, no nonce ┘  otherwise joins                      reached: dhcp ▸ loader ▸ script ▸ kernel ▸ document ▸ disk
//! ```
//! Whether a session means a boot loop is `rules::loops`; what the host is told is `rules::boot`. Nothing is drawn here: the nonce
//! of a session that may open is handed in.

use jiff::SignedDuration;

use crate::model::{Arch, Host, Opener, Reached, Session, SessionId, Timestamp, Transport};

/// How long a session that waits for its iPXE is remembered as the same power-on (lifecycle.md section 6).
pub const JOIN: SignedDuration = SignedDuration::from_mins(5);

/// Silence after which a session that never got beyond DHCP is over. A PXE ROM asks after 4, 8, 16 and 32 s (PXE 2.1 section
/// 2.2.1.1), so a pause of a minute is no retry but the next try of a machine that fell through.
pub const SILENCE: SignedDuration = SignedDuration::from_secs(60);

/// Within this time a script asked for again without a nonce is the same try (a lost answer), not a new power-on.
const REPEAT: SignedDuration = SignedDuration::from_secs(10);

/// How long after a document's use a DHCP of an unmarked system is still that installer's own network setup.
const INSTALLER: SignedDuration = SignedDuration::from_mins(2);

/// How much later a DHCP packet that changes nothing else must come to move [`Session::last_seen`]. A machine that only asks on would have its
/// record written, and a patch journalled for ever, with every packet. [`SILENCE`] and [`JOIN`] are true to within it.
const COARSE: SignedDuration = SignedDuration::from_secs(5);

/// The word in [`Session::plan`] of a host that was given no boot options on purpose.
pub const SILENCED: &str = "silence";

/// How many arrived paths a session remembers.
const ARRIVED: usize = 32;

/// One thing seen of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// DISCOVER or REQUEST of a firmware: `PXEClient` or `HTTPClient`, no iPXE user class.
    FirmwareDhcp {
        /// Its architecture.
        arch: Arch,
        /// How it fetches.
        transport: Transport,
    },
    /// DISCOVER or REQUEST of an iPXE.
    IpxeDhcp {
        /// Its architecture.
        arch: Arch,
    },
    /// DHCP of an installer or an installed system.
    OtherDhcp {
        /// Option 60, empty if there was none.
        class: String,
        /// Whether it only renewed what it had (`ciaddr` set).
        renewal: bool,
    },
    /// A loader arrived whole (last TFTP acknowledgement, last HTTP byte).
    LoaderDone {
        /// The nonce in the URL; TFTP has none.
        session: Option<SessionId>,
    },
    /// iPXE asked for its script.
    Script {
        /// The nonce in the URL.
        session: Option<SessionId>,
        /// `arch=` of the URL.
        arch: Option<Arch>,
    },
    /// An artifact arrived whole.
    ArtifactDone {
        /// The nonce in the URL.
        session: Option<SessionId>,
        /// Which, as `name/version/path`.
        path: String,
        /// Kernel and initrds of the host's open build; when all have arrived, `Reached::Kernel`.
        wanted: Vec<String>,
    },
    /// The script fetched its progress mark just before `boot`: kernel and initrds are in memory.
    Mark {
        /// The nonce in the URL.
        session: Option<SessionId>,
    },
    /// A document's complete body was sent.
    DocumentUsed {
        /// The nonce in the URL.
        session: Option<SessionId>,
    },
    /// A document or file was refused (counted once a session: installers retry at once).
    Refused {
        /// The nonce in the URL.
        session: Option<SessionId>,
    },
    /// The script told it to start from its disk.
    SentToDisk {
        /// The nonce in the URL.
        session: Option<SessionId>,
    },
    /// DHCP gave it no boot options, so that it starts from its disk.
    Silenced,
}

/// What a sign changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The host with its sessions brought up to date.
    pub host: Host,
    /// The session the sign belongs to, if any.
    pub session: Option<SessionId>,
    /// Whether it opened that session.
    pub opened: bool,
    /// The milestone that the session reached by this sign, if it is a new one.
    pub advanced: Option<Reached>,
    /// Whether the sign repeats what this session did before (a refusal that was counted already).
    pub again: bool,
}

/// Puts a sign into the host's sessions. `nonce` is fresh chance, used only if a session opens.
pub fn observe(host: &Host, sign: &Sign, nonce: SessionId, now: Timestamp) -> Observed {
    let mut next = host.clone();
    let (index, opened) = match place(host, sign, now) {
        Place::Joins(index) => (index, false),
        Place::Opens(opener, arch) => (open(&mut next, opener, arch, nonce, now), true),
        Place::Nowhere => return Observed { host: next, session: None, opened: false, advanced: None, again: false },
    };
    let session = &mut next.sessions[index];
    let before = host.sessions.get(index).filter(|_| !opened);
    let again = mark(session, sign, now);
    if let (Some(before), Sign::FirmwareDhcp { .. } | Sign::IpxeDhcp { .. } | Sign::Silenced) = (before, sign) {
        settle(session, before);
    }
    let advanced = before.is_none_or(|before| session.reached > before.reached).then_some(session.reached);
    Observed { session: Some(session.id), opened, advanced, again, host: next }
}

/// Notes the plan that a session's script carried, for the timeline and for the next sign.
pub fn answered(host: &Host, session: SessionId, plan: &str) -> Host {
    let mut next = host.clone();
    if let Some(found) = next.sessions.iter_mut().find(|one| one.id == session) {
        found.plan = Some(plan.to_owned());
    }
    next
}

/// The session that a request names, or the newest if it names none or one that is forgotten.
pub fn named(host: &Host, session: Option<SessionId>) -> Option<&Session> {
    session.and_then(|id| host.sessions.iter().find(|one| one.id == id)).or_else(|| host.session())
}

enum Place {
    Joins(usize),
    Opens(Opener, Arch),
    Nowhere,
}

fn place(host: &Host, sign: &Sign, now: Timestamp) -> Place {
    match sign {
        Sign::FirmwareDhcp { arch, .. } => join_or_open(host, Opener::Firmware, *arch, |open| firmware_joins(open, now)),
        Sign::IpxeDhcp { arch } => join_or_open(host, Opener::Ipxe, *arch, |open| ipxe_joins(open, now)),
        Sign::Script { session, arch } => match session.and_then(|id| position(host, id)) {
            Some(index) => Place::Joins(index),
            None => join_or_open(host, Opener::Http, arch.unwrap_or(Arch::Unknown), |open| script_joins(open, now)),
        },
        Sign::OtherDhcp { .. } | Sign::Silenced => newest(host),
        Sign::LoaderDone { session }
        | Sign::ArtifactDone { session, .. }
        | Sign::Mark { session }
        | Sign::DocumentUsed { session }
        | Sign::Refused { session }
        | Sign::SentToDisk { session } => session.and_then(|id| position(host, id)).map_or_else(|| newest(host), Place::Joins),
    }
}

fn newest(host: &Host) -> Place {
    host.sessions.len().checked_sub(1).map_or(Place::Nowhere, Place::Joins)
}

fn position(host: &Host, id: SessionId) -> Option<usize> {
    host.sessions.iter().position(|one| one.id == id)
}

fn join_or_open(host: &Host, opener: Opener, arch: Arch, joins: impl Fn(&Session) -> bool) -> Place {
    match host.sessions.len().checked_sub(1) {
        Some(last) if joins(&host.sessions[last]) => Place::Joins(last),
        _ => Place::Opens(opener, arch),
    }
}

/// A firmware asks several times in one power-on, but never after its loader arrived. One that is silenced asks on until it
/// gives up; it got no loader and its session is still that power-on.
fn firmware_joins(open: &Session, now: Timestamp) -> bool {
    let waits = open.reached == Reached::Dhcp || open.plan.as_deref() == Some(SILENCED);
    waits && open.opener == Opener::Firmware && since(open.last_seen, now) <= SILENCE && since(open.opened_at, now) <= JOIN
}

/// The iPXE that our loader started belongs to the firmware's session. One burnt into the card asks first, and asks again only
/// after a reset: a session that has had its script is an earlier power-on.
fn ipxe_joins(open: &Session, now: Timestamp) -> bool {
    match open.reached {
        Reached::Dhcp if open.opener == Opener::Firmware => since(open.opened_at, now) <= JOIN,
        Reached::Dhcp => since(open.opened_at, now) <= JOIN && since(open.last_seen, now) <= SILENCE,
        // The age of a slow loader's session does not matter, only how long ago it arrived.
        Reached::Loader => since(open.last_seen, now) <= JOIN,
        Reached::Disk if open.plan.as_deref() == Some(SILENCED) => since(open.last_seen, now) <= SILENCE,
        Reached::Script | Reached::Kernel | Reached::Document | Reached::Disk => false,
    }
}

/// Our own scripts name their session in every URL, so a request without a nonce comes from somebody else's DHCP and begins a
/// power-on, unless one waits for its script or had it this moment.
fn script_joins(open: &Session, now: Timestamp) -> bool {
    match open.reached {
        Reached::Dhcp | Reached::Loader => since(open.last_seen, now) <= JOIN,
        Reached::Script | Reached::Disk => since(open.last_seen, now) <= REPEAT,
        Reached::Kernel | Reached::Document => false,
    }
}

/// A clock that was set back reads as no time at all.
fn since(then: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(then).max(SignedDuration::ZERO)
}

fn open(host: &mut Host, opener: Opener, arch: Arch, id: SessionId, now: Timestamp) -> usize {
    host.sessions.push(Session {
        id,
        opener,
        opened_at: now,
        last_seen: now,
        reached: Reached::Dhcp,
        arch,
        transport: None,
        build: host.open_build().map(|build| build.id),
        arrived: Vec::new(),
        plan: None,
        system_seen: None,
        refused: false,
    });
    let surplus = host.sessions.len().saturating_sub(Host::SESSIONS);
    host.sessions.drain(..surplus);
    host.sessions.len() - 1
}

/// Writes the sign into its session; `true` if it repeats what was counted before.
fn mark(session: &mut Session, sign: &Sign, now: Timestamp) -> bool {
    let reached = match sign {
        Sign::FirmwareDhcp { transport, .. } => {
            session.transport.get_or_insert(*transport);
            Reached::Dhcp
        }
        Sign::IpxeDhcp { .. } => Reached::Dhcp,
        Sign::OtherDhcp { class, renewal } => return see_system(session, class, *renewal, now),
        Sign::Refused { .. } => {
            session.last_seen = session.last_seen.max(now);
            return std::mem::replace(&mut session.refused, true);
        }
        Sign::LoaderDone { .. } => Reached::Loader,
        Sign::Script { arch, .. } => {
            if let (Arch::Unknown, Some(arch)) = (session.arch, arch) {
                session.arch = *arch;
            }
            Reached::Script
        }
        Sign::ArtifactDone { path, wanted, .. } => arrive(session, path, wanted),
        Sign::Mark { .. } => Reached::Kernel,
        Sign::DocumentUsed { .. } => Reached::Document,
        Sign::SentToDisk { .. } => Reached::Disk,
        Sign::Silenced => {
            session.plan = Some(SILENCED.to_owned());
            Reached::Disk
        }
    };
    session.last_seen = session.last_seen.max(now);
    let again = session.reached >= reached;
    session.reached = session.reached.max(reached);
    again
}

/// Leaves a session as it was that was only heard of once more, a moment later.
fn settle(session: &mut Session, before: &Session) {
    let heard = session.last_seen;
    session.last_seen = before.last_seen;
    if *session != *before || since(before.last_seen, heard) >= COARSE {
        session.last_seen = heard;
    }
}

fn arrive(session: &mut Session, path: &str, wanted: &[String]) -> Reached {
    if !session.arrived.iter().any(|one| one == path) && session.arrived.len() < ARRIVED {
        session.arrived.push(path.to_owned());
    }
    let whole = !wanted.is_empty() && wanted.iter().all(|want| session.arrived.contains(want));
    if whole { Reached::Kernel } else { Reached::Dhcp }
}

/// An installed system asks afresh, without an installer's class, long after the document was used. `last_seen` stays: it is the
/// boot's, and the next sign's distance to it decides what opens.
fn see_system(session: &mut Session, class: &str, renewal: bool, now: Timestamp) -> bool {
    let later = since(session.last_seen, now) > INSTALLER;
    if session.reached >= Reached::Document && later && !renewal && !is_installer(class) && session.system_seen.is_none() {
        session.system_seen = Some(now);
        return false;
    }
    true
}

/// Whether a DHCP vendor class (option 60) is an installer's: anaconda, debian-installer, a dracut or busybox initramfs.
pub fn is_installer(class: &str) -> bool {
    let class = class.to_ascii_lowercase();
    class == "d-i" || ["anaconda", "dracut", "udhcp"].iter().any(|start| class.starts_with(start))
}

#[cfg(test)]
pub(crate) mod history;
#[cfg(test)]
mod tests;
