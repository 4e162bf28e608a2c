//! Words as people and programs write them: addresses, names, ids, option values, patterns of names.
//!
//! ```text
//!   which  text
//! ```
//! Promised: what was read, written and read again is the same, and what is written has no character that its place could not bear.

use std::{fmt::Display, str::FromStr};

use bootwright::{
    model::{ArtifactRef, HostId, HostName, Mac, Name, SessionId, SmbiosUuid, network::Pool},
    rules::naming::{self, Stranger},
    wire::dhcp::freeform,
};

use crate::feed::Feed;

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let (which, number) = (feed.byte(), feed.byte());
    let Some(text) = feed.text() else { return };
    match which % 10 {
        0 => mac(text),
        1 => {
            let name = same::<HostName>(text);
            assert!(name.is_none_or(|name| name.as_ref().len() <= 253 && name.as_ref() == name.as_ref().to_ascii_lowercase()));
        }
        2 => assert!(same::<Name>(text).is_none_or(|name| name.as_ref() == text)),
        3 => drop(same::<SmbiosUuid>(text)),
        4 => session(text),
        5 => drop(same::<ArtifactRef>(text)),
        6 => drop(same::<HostId>(text)),
        7 => {
            let Ok(bytes) = freeform(number, text) else { return };
            assert!((1..=1024).contains(&bytes.len()));
            let hexadecimal = format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            assert_eq!(freeform(number, &hexadecimal), Ok(bytes));
        }
        8 => pattern(text),
        _ => {
            if let Ok(pool) = serde_json::from_str::<Pool>(text) {
                let written = serde_json::to_string(&pool).expect("it can be written");
                assert_eq!(serde_json::from_str::<Pool>(&written).ok(), Some(pool));
            }
        }
    }
}

fn same<T: FromStr + Display + PartialEq>(text: &str) -> Option<T> {
    let read = text.parse::<T>().ok()?;
    let written = read.to_string();
    assert!(written.parse::<T>().is_ok_and(|again| again == read), "{text:?} is written {written:?}");
    Some(read)
}

fn mac(text: &str) {
    let Some(mac) = same::<Mac>(text) else { return };
    assert_eq!(Mac::from_octets(mac.octets()), Ok(mac));
    assert!(text.trim().bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'-' | b'.')), "{text:?} is no address");
}

fn session(text: &str) {
    if same::<SessionId>(text).is_some() {
        assert!(text.bytes().all(|b| b.is_ascii_hexdigit()), "{text:?} is no session");
    }
}

/// A pattern, and a machine whose serial number is the same text.
fn pattern(text: &str) {
    let good = naming::check(text);
    let mac = Mac::from_octets([0x52, 0x54, 0, 0, 0, 1]).expect("an address");
    let stranger = Stranger { mac, serial: Some(text), uuid: None };
    let first = naming::name(Some(text), &stranger, &|_| false);
    let second = naming::name(Some(text), &stranger, &|name| name == first.as_ref());
    assert_ne!(first, second, "a name that is taken");
    assert!(good.is_ok() || first.as_ref() == "host-525400000001", "{first}");
    drop(naming::name(Some("{serial}.lab"), &stranger, &|_| false));
}
