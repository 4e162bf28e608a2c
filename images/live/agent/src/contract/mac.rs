//! A hardware address as the server takes it: six octets of one single card.
//!
//! The server refuses a whole report for one address that no card can have (zeros, broadcast, multicast), so such an address never
//! becomes a [`Mac`] here; its card is left out and the collector says so.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Printed and serialised as `52:54:00:ab:cd:ef`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not the address of a network card; write it like 52:54:00:ab:cd:ef");
        let parts: Vec<&str> = text.trim().split([':', '-']).collect();
        if parts.len() != 6 || parts.iter().any(|part| part.len() != 2 || !part.is_ascii()) {
            return Err(bad());
        }
        let mut octets = [0; 6];
        for (octet, part) in octets.iter_mut().zip(parts) {
            *octet = u8::from_str_radix(part, 16).map_err(|_| bad())?;
        }
        if octets == [0; 6] || octets[0] & 1 == 1 { Err(bad()) } else { Ok(Self(octets)) }
    }
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
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
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

    #[test]
    fn only_the_address_of_a_single_card_is_one() {
        for (text, printed) in [("52:54:00:AB:cd:ef", "52:54:00:ab:cd:ef"), (" 52-54-00-ab-cd-ef\n", "52:54:00:ab:cd:ef")] {
            assert_eq!(text.parse::<Mac>().unwrap().to_string(), printed);
        }
        for bad in
            ["", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "52:54:00:ab:cd", "52:54:00:ab:cd:eg", "5:254:00:ab:cd:ef", "not set"]
        {
            assert!(bad.parse::<Mac>().unwrap_err().contains("52:54:00:ab:cd:ef"), "{bad}");
        }
    }
}
