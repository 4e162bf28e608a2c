//! The name of a file as firmware spells it, made into one path below a root.
//!
//! Names arrive with backslashes (Windows' loaders), leading slashes (GRUB), a folder named after the MAC (`01-52-54-…/`, as
//! dnsmasq and U-Boot do) and a trailing 0xFF (ROMs that take DHCP's end mark for a letter). All are the same file. A name that
//! would leave the root is refused, never trimmed into something else. Nothing is looked up here.

use std::fmt;

use crate::model::Mac;

/// A relative path of one or more segments, none of them empty, `.` or `..`; forward slashes; at most [`FileName::LONGEST`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName {
    path: String,
    mac: Option<Mac>,
}

/// Why a name is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAFileName {
    /// Nothing is left.
    #[error("the request names no file")]
    Empty,
    /// More than [`FileName::LONGEST`] bytes.
    #[error("the file name is longer than 255 bytes")]
    TooLong,
    /// Not UTF-8, or with control characters.
    #[error("the file name is not printable text")]
    NotText,
    /// A segment is `..`.
    #[error("the file name {0:?} leaves the folder that is served")]
    LeavesRoot(String),
}

impl NotAFileName {
    /// The stable word for counters and the journal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "name_empty",
            Self::TooLong => "name_too_long",
            Self::NotText => "name_not_text",
            Self::LeavesRoot(_) => "name_leaves_root",
        }
    }
}

impl FileName {
    /// Bytes in the longest name that is read.
    pub const LONGEST: usize = 255;

    /// Reads the name of a request.
    pub fn parse(raw: &[u8]) -> Result<Self, NotAFileName> {
        let end = raw.iter().rposition(|byte| *byte != 0xff).map_or(0, |last| last + 1);
        let raw = &raw[..end];
        if raw.len() > Self::LONGEST {
            return Err(NotAFileName::TooLong);
        }
        let text = std::str::from_utf8(raw).map_err(|_| NotAFileName::NotText)?;
        if text.chars().any(char::is_control) {
            return Err(NotAFileName::NotText);
        }
        let mut segments: Vec<&str> = text.split(['/', '\\']).filter(|segment| !matches!(*segment, "" | ".")).collect();
        if segments.contains(&"..") {
            return Err(NotAFileName::LeavesRoot(text.to_owned()));
        }
        let mac = if segments.len() > 1 { mac_folder(segments[0]) } else { None };
        if mac.is_some() {
            segments.remove(0);
        }
        if segments.is_empty() {
            return Err(NotAFileName::Empty);
        }
        Ok(Self { path: segments.join("/"), mac })
    }

    /// The path below the root.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// The address that the first folder named, if it did.
    pub fn mac(&self) -> Option<Mac> {
        self.mac
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// Only spellings with separators: twelve bare digits may be anybody's folder.
fn mac_folder(segment: &str) -> Option<Mac> {
    if segment.contains(['-', ':']) { segment.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(raw: &[u8], want: Result<(&str, Option<&str>), NotAFileName>) {
        let got = FileName::parse(raw).map(|name| (name.as_str().to_owned(), name.mac().map(|mac| mac.to_string())));
        assert_eq!(got, want.map(|(path, mac)| (path.to_owned(), mac.map(str::to_owned))), "{}", raw.escape_ascii());
    }

    #[test]
    fn every_spelling_of_a_name_is_the_same_file() {
        for raw in ["snponly.efi", "/snponly.efi", "\\snponly.efi", "//./snponly.efi", "snponly.efi/"] {
            check(raw.as_bytes(), Ok(("snponly.efi", None)));
        }
        check(b"undionly.kpxe\xff", Ok(("undionly.kpxe", None)));
        check(b"undionly.kpxe\xff\xff", Ok(("undionly.kpxe", None)));
        check(b"Boot\\x64\\wdsnbp.com", Ok(("Boot/x64/wdsnbp.com", None)));
        check(b"/grub/x86_64-efi/fs.lst", Ok(("grub/x86_64-efi/fs.lst", None)));
    }

    #[test]
    fn a_folder_named_after_the_card_says_who_asks() {
        check(b"01-52-54-00-ab-cd-ef/ipxe.efi", Ok(("ipxe.efi", Some("52:54:00:ab:cd:ef"))));
        check(b"/52:54:00:AB:CD:EF/a/b", Ok(("a/b", Some("52:54:00:ab:cd:ef"))));
        check(b"52-54-00-ab-cd-ef\\ipxe.efi", Ok(("ipxe.efi", Some("52:54:00:ab:cd:ef"))));
        check(b"pxelinux.cfg/01-52-54-00-ab-cd-ef", Ok(("pxelinux.cfg/01-52-54-00-ab-cd-ef", None)));
        check(b"01-52-54-00-ab-cd-ef", Ok(("01-52-54-00-ab-cd-ef", None)));
        check(b"525400abcdef/ipxe.efi", Ok(("525400abcdef/ipxe.efi", None)));
        check(b"ff-ff-ff-ff-ff-ff/ipxe.efi", Ok(("ff-ff-ff-ff-ff-ff/ipxe.efi", None)));
    }

    #[test]
    fn a_name_that_leaves_the_root_is_refused() {
        for raw in ["..", "../etc/passwd", "a/../../b", "\\..\\..\\boot.ini", "/a/..", "01-52-54-00-ab-cd-ef/../x", "..\\x"] {
            check(raw.as_bytes(), Err(NotAFileName::LeavesRoot(raw.into())));
        }
        check(b"a..b/...", Ok(("a..b/...", None)));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for raw in [&b""[..], b"/", b"\\", b"./", b"\xff"] {
            check(raw, Err(NotAFileName::Empty));
        }
        check(&[b'a'; 256], Err(NotAFileName::TooLong));
        check(b"a\xffb", Err(NotAFileName::NotText));
        check(b"a\nb", Err(NotAFileName::NotText));
    }

    proptest! {
        #[test]
        fn no_name_ever_leaves_the_root(raw in "[a./\\\\-]{0,40}", tail in proptest::collection::vec(any::<u8>(), 0..8)) {
            if let Ok(name) = FileName::parse(&[raw.as_bytes(), &tail].concat()) {
                prop_assert!(!name.as_str().starts_with('/') && !name.as_str().contains('\\'));
                prop_assert!(name.as_str().split('/').all(|segment| !matches!(segment, "" | "." | "..")));
            }
        }
    }
}
