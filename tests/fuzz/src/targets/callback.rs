//! Callbacks of installers: every verb, every media type, any body.
//!
//! ```text
//!   media type  verb \n body
//! ```
//! Promised: the text that is kept is bounded and cannot command a terminal, and reads as itself; a word is bounded; what is no callback is
//! refused by name.

use bootwright::{
    model::Report,
    wire::callback::{KEPT_BYTES, read, tail},
};

use crate::feed::Feed;

const TYPES: [Option<&str>; 5] =
    [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/json; charset=utf-8"), Some("APPLICATION/JSON")];

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let media_type = TYPES[usize::from(feed.byte()) % TYPES.len()];
    let verb = String::from_utf8_lossy(feed.line()).into_owned();
    let body = feed.rest();
    match read(&verb, media_type, body) {
        Ok(callback) => {
            let text = &callback.text;
            assert!(text.len() <= KEPT_BYTES, "{} bytes are kept", text.len());
            assert!(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "it could command a terminal");
            assert_eq!(tail(text), *text, "what is kept changes when it is kept again");
            if let Report::Progress { word, .. } = &callback.report {
                assert!(word.chars().count() <= 200 && !word.chars().any(char::is_control), "{word:?}");
            }
        }
        Err(no) => assert!(no.0.chars().count() <= 80),
    }
}
