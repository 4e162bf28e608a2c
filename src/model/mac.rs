//! A hardware address (IEEE 802 MAC-48), the identity that firmware, iPXE, installer and operating system share.
//!
//! Accepts the spellings that people and programs use (`52:54:00:…`, `52-54-…`, `5254.00ab.cdef`, `525400abcdef`, and
//! PXELINUX's `01-52-…`), prints one. It refuses what no network card has: zeros, broadcast, multicast.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Six octets of an Ethernet address; printed and serialised as `52:54:00:ab:cd:ef`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

/// Why a text or a packet's `chaddr` is not a host's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAMac {
    /// The text has another shape.
    #[error("{0:?} is not a MAC address; write it like 52:54:00:ab:cd:ef")]
    Shape(String),
    /// All zeros, broadcast or multicast: no single card has it.
    #[error("{0} is a zero, broadcast or multicast address, not one of a network card")]
    NotUnicast(String),
}

impl Mac {
    /// From the octets on the wire; refuses zero, broadcast and multicast addresses.
    pub fn from_octets(octets: [u8; 6]) -> Result<Self, NotAMac> {
        let mac = Self(octets);
        if octets == [0; 6] || octets[0] & 1 == 1 {
            return Err(NotAMac::NotUnicast(mac.to_string()));
        }
        Ok(mac)
    }

    /// The six octets in transmission order.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let shape = || NotAMac::Shape(text.chars().take(40).collect());
        let trimmed = text.trim();
        let separated = trimmed.len() > 12;
        let bare = match trimmed.len() {
            20 if trimmed.starts_with("01-") || trimmed.starts_with("01:") => &trimmed[3..],
            12 | 14 | 17 => trimmed,
            _ => return Err(shape()),
        };
        if !bare.is_ascii() || (separated && !has_even_separators(bare)) {
            return Err(shape());
        }
        let digits: String = bare.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
        // Numbers may have a sign where they are read, and an address has none.
        if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(shape());
        }
        let mut octets = [0; 6];
        for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| shape())?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| shape())?;
        }
        Self::from_octets(octets)
    }
}

/// `aa:bb:…` and `aa-bb-…` in pairs, `aabb.ccdd.eeff` in fours, one separator throughout.
fn has_even_separators(text: &str) -> bool {
    [(':', 2), ('-', 2), ('.', 4)]
        .iter()
        .any(|&(mark, size)| text.split(mark).count() == 12 / size && text.split(mark).all(|part| part.len() == size))
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for Mac {
    type Error = NotAMac;
    fn try_from(text: String) -> Result<Self, NotAMac> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<&str>) {
        assert_eq!(text.parse::<Mac>().ok().map(|mac| mac.to_string()).as_deref(), want, "{text:?}");
    }

    #[test]
    fn every_common_spelling_reads_as_the_same_address() {
        for text in ["52:54:00:AB:cd:ef", "52-54-00-ab-cd-ef", "5254.00ab.cdef", "525400abcdef", "01-52-54-00-ab-cd-ef"] {
            check(text, Some("52:54:00:ab:cd:ef"));
        }
    }

    #[test]
    fn what_no_card_has_is_refused() {
        for text in [
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "01:00:5e:00:00:01",
            "52:54:00:ab:cd",
            "52:54:00:ab:cd:eg",
            "",
            "5:2540:0a:bc:de:f1",
            "é2540abcdef",
            "de00+cde0000",
            "+2:54:00:ab:cd:ef",
        ] {
            check(text, None);
        }
    }
}
