//! One datagram on the TFTP port: its packet, its file name, and what is written is read again as the same.
//!
//! Promised: no name leads out of the folder that is served, and a name that was read reads as itself; an answer is no longer than it may be.

use bootwright::{
    model::Mac,
    rules::transfer::{Limits, Terms},
    wire::tftp::{FileName, Packet, to_netascii},
};

/// One input.
pub fn check(input: &[u8]) {
    if let Ok(packet) = Packet::parse(input) {
        let bytes = packet.to_bytes();
        let again = Packet::parse(&bytes).expect("what was written can be read");
        match (&packet, &again) {
            // Its text is cut to what fits a log, and again to what fits a packet.
            (Packet::Error { code, text }, Packet::Error { code: written, .. }) => {
                assert!(code == written && text.chars().count() <= 120 && !text.chars().any(char::is_control));
            }
            _ => assert_eq!(packet, again),
        }
        if let Packet::Read(request) | Packet::Write(request) = &packet {
            name(&request.name);
            terms(request);
        }
    }
    name(input);
    let text = to_netascii(input);
    assert!(text.len() <= 2 * input.len() && !text.windows(2).any(|two| two[0] == b'\r' && !matches!(two[1], b'\n' | 0)));
}

fn name(raw: &[u8]) {
    let Ok(name) = FileName::parse(raw) else { return };
    let path = name.as_str();
    assert!(path.len() <= FileName::LONGEST && !path.contains('\\') && !path.chars().any(char::is_control), "{path:?}");
    assert!(path.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{path:?}");
    let again = FileName::parse(path.as_bytes()).expect("what was read can be read");
    // A second folder that is named after a card is a first one now.
    let folder = path.split_once('/').is_some_and(|(folder, _)| folder.parse::<Mac>().is_ok());
    assert!(again.as_str() == path || folder, "{path:?} reads as {again}");
}

fn terms(request: &bootwright::wire::tftp::Request) {
    let limits = Limits::default();
    let terms = Terms::agree(&request.options, 300 << 10, &limits);
    assert!((8..=limits.blksize).contains(&terms.blksize) && (1..=limits.windowsize).contains(&terms.windowsize), "{terms:?}");
    assert!(terms.longest_wait <= limits.longest_wait && terms.granted.tsize.is_none_or(|size| size == 300 << 10));
}
