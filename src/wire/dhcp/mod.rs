//! DHCPv4 on the wire: a client's packet becomes a [`Request`], a [`Reply`] becomes bytes.
//!
//! ```text
//! bytes ─ Request::parse ─▶ Request ─ rules::offer ─▶ Reply ─ Reply::encode ─▶ bytes
//!              └▶ Malformed (a named reason, never a panic)
//! ```
//! dhcproto reads the packet (its borrowed form: the owned one stops at the first option it dislikes); everything that its reader
//! would panic on is refused before. What an answer *should* say is not decided here.

pub mod code;
mod freeform;
mod malformed;
mod reply;
mod request;

pub use freeform::{NotAnOption, freeform};
pub use malformed::Malformed;
pub use reply::{Encoded, Reply, ReplyKind, vendor};
pub use request::{Ipxe, Relay, Request, RequestKind};

/// The port that servers and relays listen on (RFC 2131 4.1).
pub const SERVER_PORT: u16 = 67;
/// The port that clients listen on.
pub const CLIENT_PORT: u16 = 68;
/// The port of a PXE boot server beside a foreign DHCP server (PXE 2.1, 2.2.3).
pub const PROXY_PORT: u16 = 4011;
/// Where options begin: the fixed header and the magic cookie.
pub const HEADER_BYTES: usize = 240;
/// Longer packets than this are not read whole and therefore refused.
pub const MAX_BYTES: usize = 2048;
/// `99.130.83.99` before the options (RFC 2131 3).
pub const MAGIC: [u8; 4] = [99, 130, 83, 99];
