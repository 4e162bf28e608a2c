//! What a transfer runs on: the site's limits, and the terms that one request and those limits come to (RFC 2347).
//!
//! An option is acknowledged only if it was asked for and makes sense; one that does not make sense is passed over, as RFC 2347
//! allows, and the transfer goes on with the default. Nothing here remembers anything.

use std::time::Duration;

use crate::wire::tftp::Options;

/// The site's limits. All times are lengths.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most bytes in a DATA packet, 8 to 65464. By default what fits 1500 bytes on the wire: MTU less 20 (IP), 8 (UDP), 4 (DATA).
    pub blksize: u16,
    /// The most packets in a window; each costs the network a burst and a lossy client a repetition.
    pub windowsize: u16,
    /// How long the first answer is waited for, before any round trip was measured.
    pub first_wait: Duration,
    /// What doubling ends at.
    pub longest_wait: Duration,
    /// How long a client may be silent before the transfer is given up.
    pub patience: Duration,
    /// How long a transfer may last, however busy its client is.
    pub longest: Duration,
    /// How far apart reports of progress are.
    pub report_every: Duration,
    /// How long an ended transfer is remembered, so that a late duplicate of its last ACK is no riddle.
    pub memory: Duration,
    /// Transfers at once to one address.
    pub per_peer: usize,
    /// Transfers at once in all.
    pub in_total: usize,
    /// ERROR packets to one address in a second; what it sends beyond that is not answered, nor looked at for long.
    pub errors_a_second: u32,
    /// Translated copies (netascii) at once in all: they alone take memory of their own.
    pub translated: usize,
    /// The most bytes in a file that is translated.
    pub translated_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blksize: 1468,
            windowsize: 64,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(4),
            patience: Duration::from_secs(30),
            longest: Duration::from_secs(30 * 60),
            report_every: Duration::from_secs(5),
            memory: Duration::from_secs(3),
            per_peer: 64,
            in_total: 16_384,
            errors_a_second: 256,
            translated: 64,
            translated_bytes: 2 << 20,
        }
    }
}

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Bytes in each DATA packet but the last; 512 unless negotiated.
    pub blksize: u16,
    /// DATA packets between acknowledgements; 1 unless negotiated.
    pub windowsize: u16,
    /// Never wait longer than this before sending again.
    pub longest_wait: Duration,
    /// What the OACK says; empty where nothing was asked that can be granted: then there is no OACK.
    pub granted: Options,
}

impl Terms {
    /// The terms of a request for a file of `size_bytes` (as transferred).
    pub fn agree(asked: &Options, size_bytes: u64, limits: &Limits) -> Self {
        let cap = u64::from(limits.blksize.clamp(8, 65464));
        let blksize = asked.blksize.filter(|size| *size >= 8).map(|size| size.min(cap));
        let windowsize = asked.windowsize.filter(|size| *size >= 1).map(|size| size.min(u64::from(limits.windowsize.max(1))));
        // RFC 2349: either this very number or none.
        let timeout = asked.timeout.filter(|secs| (1..=255).contains(secs));
        let tsize = asked.tsize.map(|_| size_bytes);
        Self {
            blksize: blksize.and_then(|size| u16::try_from(size).ok()).unwrap_or(512),
            windowsize: windowsize.and_then(|size| u16::try_from(size).ok()).unwrap_or(1),
            // The client's number bounds our patience; below it the measured round trip rules, which is sooner and finds losses early.
            longest_wait: timeout.map_or(limits.longest_wait, |secs| limits.longest_wait.min(Duration::from_secs(secs))),
            granted: Options { blksize, timeout, tsize, windowsize },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Options = Options { blksize: None, timeout: None, tsize: None, windowsize: None };

    #[track_caller]
    fn check(asked: Options, granted: Options, blksize: u16, windowsize: u16) {
        let terms = Terms::agree(&asked, 1000, &Limits::default());
        assert_eq!((terms.granted, terms.blksize, terms.windowsize), (granted, blksize, windowsize), "{asked:?}");
    }

    #[test]
    fn what_was_not_asked_is_not_granted() {
        check(NONE, NONE, 512, 1);
        check(Options { tsize: Some(0), ..NONE }, Options { tsize: Some(1000), ..NONE }, 512, 1);
    }

    #[test]
    fn sizes_are_cut_to_the_limits_and_never_raised() {
        check(Options { blksize: Some(1468), ..NONE }, Options { blksize: Some(1468), ..NONE }, 1468, 1);
        check(Options { blksize: Some(65464), ..NONE }, Options { blksize: Some(1468), ..NONE }, 1468, 1);
        check(Options { blksize: Some(u64::MAX), ..NONE }, Options { blksize: Some(1468), ..NONE }, 1468, 1);
        check(Options { blksize: Some(8), ..NONE }, Options { blksize: Some(8), ..NONE }, 8, 1);
        check(Options { windowsize: Some(4), ..NONE }, Options { windowsize: Some(4), ..NONE }, 512, 4);
        check(Options { windowsize: Some(65535), ..NONE }, Options { windowsize: Some(64), ..NONE }, 512, 64);
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        check(Options { blksize: Some(7), windowsize: Some(0), timeout: Some(0), ..NONE }, NONE, 512, 1);
        check(Options { timeout: Some(256), ..NONE }, NONE, 512, 1);
        check(Options { timeout: Some(255), ..NONE }, Options { timeout: Some(255), ..NONE }, 512, 1);
    }

    #[test]
    fn a_site_may_allow_larger_blocks() {
        let limits = Limits { blksize: 65464, ..Limits::default() };
        assert_eq!(Terms::agree(&Options { blksize: Some(65464), ..NONE }, 1, &limits).blksize, 65464);
    }

    #[test]
    fn a_clients_timeout_bounds_the_wait() {
        let of = |timeout| Terms::agree(&Options { timeout, ..NONE }, 1, &Limits::default()).longest_wait;
        assert_eq!(of(None), Duration::from_secs(4));
        assert_eq!(of(Some(1)), Duration::from_secs(1));
        assert_eq!(of(Some(6)), Duration::from_secs(4));
    }
}
