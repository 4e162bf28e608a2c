//! A boot session: one power-on of one host, as far as packets show it.
//!
//! "The host asked for this template before" means something only within or across sessions. A host remembers its newest
//! sessions (`Host::sessions`, newest last); `rules::session` opens them and `rules::loops` reads them.

use serde::{Deserialize, Serialize};

use super::{Arch, BuildId, SessionId, Timestamp, Transport};

/// What opened a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Opener {
    /// A firmware's DHCPDISCOVER (`PXEClient` or `HTTPClient`).
    Firmware,
    /// A DHCPDISCOVER of an iPXE that is burnt into the card.
    Ipxe,
    /// An HTTP request that named no session and found none (DHCP is somebody else's).
    Http,
}

/// How far a session came; monotone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// It asked for an address or a loader's name.
    Dhcp,
    /// A loader arrived whole.
    Loader,
    /// iPXE asked for its script.
    Script,
    /// Kernel and initrds arrived whole.
    Kernel,
    /// A document was used.
    Document,
    /// The server told it to start from its disk.
    Disk,
}

/// One power-on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Session {
    /// Its nonce.
    #[schema(value_type = String)]
    pub id: SessionId,
    /// What opened it.
    pub opener: Opener,
    /// When.
    #[schema(value_type = String)]
    pub opened_at: Timestamp,
    /// When it was last heard of, to within five seconds where it only asked on by DHCP.
    #[schema(value_type = String)]
    pub last_seen: Timestamp,
    /// How far it came.
    pub reached: Reached,
    /// The firmware's architecture.
    pub arch: Arch,
    /// How that firmware fetches, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// The build that was open when it began.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildId>,
    /// Artifact paths that arrived whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrived: Vec<String>,
    /// The plan of its last script, in a word (`local`, `install`, `hold` …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// When an installed system was first seen by DHCP, well after a document was used: it booted from its disk, unseen by us.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_seen: Option<Timestamp>,
    /// The file fetch that was refused or failed was already counted in this session (installers retry at once).
    #[serde(default)]
    pub refused: bool,
}
