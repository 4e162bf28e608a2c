//! A rendered document before the linter of its kind.
//!
//! ```text
//!   name  text
//! ```
//! Promised: it ends, and every finding has a sentence and a line of the document.

use bootwright::rules::lint;

use super::template::NAMES;
use crate::feed::Feed;

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let which = usize::from(feed.byte());
    let Some(text) = feed.text() else { return };
    let more = ["autoinstall/network-config", "site.json", "site.yaml", "ipxe/hold.ipxe", "ipxe/menu.ipxe"];
    let names: Vec<&str> = NAMES.into_iter().chain(more).collect();
    let lines = u32::try_from(text.split('\n').count() + 1).expect("a number");
    for finding in lint::document(names[which % names.len()], text) {
        assert!(!finding.fault.message.is_empty() && finding.fault.line <= lines, "{}", finding.fault);
    }
}
