//! Names that people choose: hosts, networks, profiles, templates; and the SMBIOS UUID that a board was born with.
//!
//! Checked when parsed, because they travel into URLs, DHCP options, shell scripts and iPXE scripts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// Not a host name.
    #[error("{0:?} is not a host name: letters, digits and hyphens in labels of at most 63, at most 253 in all (RFC 1123)")]
    Host(String),
    /// Not a name of a network, profile or template.
    #[error("{0:?} is not a name: 1 to 63 of a-z A-Z 0-9 . _ -, beginning with a letter or digit")]
    Thing(String),
    /// Not a UUID.
    #[error("{0:?} is not a UUID; write it like 4c4c4544-0051-3510-8058-b4c04f4d3332")]
    Uuid(String),
}

macro_rules! text_type {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = NotAName;
            fn try_from(text: String) -> Result<Self, NotAName> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

/// A host name, one label or fully qualified, lower case (RFC 1123 section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

text_type!(HostName);

impl HostName {
    /// The part before the first dot.
    pub fn label(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// The part behind the first dot, if any.
    pub fn domain(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, domain)| domain)
    }
}

impl FromStr for HostName {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A name of digits and dots alone would be read as an address.
        let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if text.len() > 253 || numeric || !text.split('.').all(label_ok) {
            return Err(NotAName::Host(text.chars().take(80).collect()));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// The name of a network, a profile, a loader, an artifact or an operator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

text_type!(Name);

impl FromStr for Name {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let ok = (1..=63).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && !text.contains("..");
        if ok { Ok(Self(text.to_owned())) } else { Err(NotAName::Thing(text.chars().take(80).collect())) }
    }
}

/// The system UUID of SMBIOS structure 1 (DSP0134 7.2.1), also DHCP option 97.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SmbiosUuid(Uuid);

impl SmbiosUuid {
    /// From option 97's sixteen bytes, whose first three fields are little-endian (RFC 4578 2.3, SMBIOS 2.6). All zeros and
    /// all ones mean "not set" on cheap boards and are nobody's identity.
    pub fn from_wire(bytes: [u8; 16]) -> Option<Self> {
        let uuid = Uuid::from_bytes_le(bytes);
        (!uuid.is_nil() && !uuid.is_max()).then_some(Self(uuid))
    }
}

impl FromStr for SmbiosUuid {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let bad = || NotAName::Uuid(text.chars().take(80).collect());
        let uuid: Uuid = text.trim().parse().map_err(|_| bad())?;
        if uuid.is_nil() || uuid.is_max() { Err(bad()) } else { Ok(Self(uuid)) }
    }
}

impl fmt::Display for SmbiosUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<String> for SmbiosUuid {
    type Error = NotAName;
    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<SmbiosUuid> for String {
    fn from(uuid: SmbiosUuid) -> Self {
        uuid.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_follows_rfc_1123() {
        for good in ["n1", "Rack1-n2.example.net", "9p"] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a..b", "10.0.0.1", "a_b", "a b", "é"] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_never_leaves_its_folder() {
        for bad in ["", ".hidden", "a/b", "a..b", "-x", "a b"] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn option_97_reads_as_the_uuid_that_dmidecode_prints() {
        let wire = [0xf2, 0xb9, 0x02, 0x69, 0x23, 0xf1, 0xcd, 0xcd, 0x42, 0x8f, 0x23, 0xa3, 0xef, 0x2e, 0x4c, 0x63];
        assert_eq!(SmbiosUuid::from_wire(wire).unwrap().to_string(), "6902b9f2-f123-cdcd-428f-23a3ef2e4c63");
        assert_eq!(SmbiosUuid::from_wire([0; 16]), None);
        assert_eq!(SmbiosUuid::from_wire([255; 16]), None);
    }
}
