//! What is ours in a request's head: ranges, the token and session in a path, the path of an artifact.
//!
//! Promised: a part lies inside the file; a pass and a path are written as they were read; no path leads out of its folder.

use bootwright::{
    model::ArtifactRef,
    serve::http::{
        boot::pass,
        range::{self, Wanted},
    },
};

use crate::feed::Feed;

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let (which, size) = (feed.byte(), u64::from(feed.u16()));
    let Some(text) = feed.text() else { return };
    match which % 3 {
        0 => {
            let size = if size == 0xffff { u64::MAX } else { size };
            if let Wanted::Part { first, last } = range::read(text, size) {
                assert!(first <= last && last < size, "{first} to {last} of {size}");
            }
        }
        1 => {
            let Some((token, session)) = pass(text) else { return };
            let written = session.map_or_else(|| token.reveal().to_owned(), |session| format!("{}.{session}", token.reveal()));
            assert!(text.eq_ignore_ascii_case(&written), "{text:?} is written {written:?}");
            assert_eq!(pass(&written).map(|(token, session)| (token.hash(), session)), Some((token.hash(), session)));
        }
        _ => {
            let Ok(artifact) = text.parse::<ArtifactRef>() else { return };
            assert_eq!(artifact.to_string(), text);
            assert!(text.split('/').all(|part| !matches!(part, "" | "." | "..")) && !text.starts_with('/') && !text.contains('\0'));
        }
    }
}
