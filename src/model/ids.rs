//! Identities that the server hands out: hosts, builds, runs of the live image, boot sessions.
//!
//! A host or build id is a UUID version 7 (RFC 9562), so that sorting by id sorts by birth. A session id is the 64-bit nonce
//! that travels in chain URLs and kernel arguments. Chance arrives from `world`; nothing is drawn here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// One host record, for ever; a re-created host gets a new one.
    HostId
);
uuid_id!(
    /// One build of one host.
    BuildId
);
uuid_id!(
    /// One run of the live image on one host.
    LiveId
);

/// The nonce of one boot session: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(pub u64);

/// The text is not 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a boot session is named by 16 hexadecimal digits")]
pub struct NotASession;

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for SessionId {
    type Err = NotASession;
    fn from_str(text: &str) -> Result<Self, NotASession> {
        // Digits alone: a number may have a sign where it is read.
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NotASession);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| NotASession)
    }
}

impl TryFrom<String> for SessionId {
    type Error = NotASession;
    fn try_from(text: String) -> Result<Self, NotASession> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.to_string()
    }
}
