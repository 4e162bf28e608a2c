//! The words of the live image's agent: hello, heartbeat, report; and what registration makes of the facts.
//!
//! ```text
//!   which  body
//! ```
//! Promised: what was read, written and read again is the same; a mistake names its field; facts do not differ from themselves, whoever
//! they belong to.

use std::fmt::Debug;

use bootwright::{
    model::{Facts, Host, HostId, Timestamp},
    rules::facts::{identify, judge},
    wire::agent::{
        Content,
        read::{FACTS_BYTES, Malformed, heartbeat, hello, report},
    },
};
use serde::Serialize;

use crate::feed::Feed;

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    match feed.byte() % 3 {
        0 => drop(read(hello, feed.rest())),
        1 => {
            let beat = read(heartbeat, feed.rest());
            assert!(beat.is_none_or(|beat| beat.progress.percent <= 100));
        }
        _ => {
            if let Some(report) = read(report, feed.rest())
                && let Content::Partial { facts } | Content::Facts { facts } = &report.content
            {
                judged(facts);
            }
        }
    }
}

fn read<T: Serialize + PartialEq + Debug>(parser: fn(&[u8]) -> Result<T, Malformed>, body: &[u8]) -> Option<T> {
    match parser(body) {
        Ok(said) => {
            let written = serde_json::to_vec(&said).expect("it can be written");
            // Fields that were left out are written, so a body at the limit may come to lie beyond it.
            if written.len() <= FACTS_BYTES {
                assert_eq!(parser(&written).as_ref(), Ok(&said));
            }
            Some(said)
        }
        Err(Malformed { field, text }) => {
            assert!(!text.is_empty(), "{field}: no text");
            None
        }
    }
}

fn judged(facts: &Facts) {
    let twice = judge(facts, Some(facts));
    assert_eq!(twice.changes, Vec::<String>::new(), "facts differ from themselves");
    assert_eq!(twice.missing, judge(facts, None).missing);
    let name = "n1".parse().expect("a name");
    let mut host = Host::new(HostId(uuid::Uuid::nil()), name, Vec::new(), Timestamp::UNIX_EPOCH);
    let first = identify(&host, facts, &[]);
    (host.macs, host.uuid, host.serial) = (first.macs.clone(), first.uuid, first.serial.clone());
    let second = identify(&host, facts, &[]);
    assert_eq!((second.macs, second.uuid, second.serial), (first.macs, first.uuid, first.serial), "learned twice");
    assert!(second.issues.is_empty() && second.clashes.is_empty(), "it contradicts itself: {:?}", second.issues);
}
