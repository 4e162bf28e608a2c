//! The timeline that `host watch` draws: one line per event with the time since the build was asked for; a transfer is one line that moves.
//!
//! Pure: entries in, text for the terminal out. Without a terminal nothing is redrawn; a transfer then says 0, 25, 50, 75 and 100 %.

use std::collections::BTreeMap;

use super::entry;
use crate::model::{Entry, SessionId, Timestamp, What};

/// The drawing so far.
pub struct Timeline {
    start: Option<Timestamp>,
    is_terminal: bool,
    is_coloured: bool,
    /// A moving line stands at the bottom.
    is_moving: bool,
    /// The last quarter that was told, by session and file.
    quarters: BTreeMap<(Option<SessionId>, String), u64>,
}

impl Timeline {
    /// An empty drawing.
    pub fn new(is_terminal: bool, is_coloured: bool) -> Self {
        Self { start: None, is_terminal, is_coloured, is_moving: false, quarters: BTreeMap::new() }
    }

    /// From now on times count from here.
    pub fn start(&mut self, at: Timestamp) {
        self.start = Some(at);
    }

    /// What is to be written for an entry; empty if nothing.
    pub fn tell(&mut self, entry: &Entry) -> String {
        if matches!(&entry.what, What::Callback { report, applied: false } if report.starts_with("progress/")) && entry.text.contains("known already")
        {
            // It confirms what another evidence had shown already: the journal keeps it, a timeline need not.
            return String::new();
        }
        let What::Transfer { file, outcome, sent_bytes, size_bytes } = &entry.what else {
            return self.line(entry);
        };
        let is_over = !matches!(outcome.as_str(), "requested" | "progress");
        if is_over {
            self.quarters.remove(&(entry.session, file.clone()));
            return self.line(entry);
        }
        if self.is_terminal {
            let line = self.plain(entry);
            self.is_moving = true;
            return format!("\r\x1b[K{line}");
        }
        let quarter = entry::percent(*sent_bytes, *size_bytes) / 25;
        let told = self.quarters.insert((entry.session, file.clone()), quarter);
        if told.is_none_or(|told| quarter > told) { self.line(entry) } else { String::new() }
    }

    /// The end of the drawing: the cursor stands on a line of its own.
    pub fn end(&mut self) -> &'static str {
        if std::mem::take(&mut self.is_moving) { "\n" } else { "" }
    }

    /// A line that stays, in the place of a moving one.
    fn line(&mut self, entry: &Entry) -> String {
        let line = self.plain(entry);
        let clear = if std::mem::take(&mut self.is_moving) { "\r\x1b[K" } else { "" };
        let (on, off) = match (self.is_coloured, &entry.what) {
            (true, what) if entry::is_trouble(what) => ("\x1b[1;31m", "\x1b[0m"),
            (true, What::Stage { .. }) => ("\x1b[1m", "\x1b[0m"),
            _ => ("", ""),
        };
        format!("{clear}{on}{line}{off}\n")
    }

    fn plain(&mut self, entry: &Entry) -> String {
        let start = *self.start.get_or_insert(entry.at);
        let tenths = entry.at.duration_since(start).as_millis().max(0) / 100;
        let mark = match &entry.what {
            what if entry::is_trouble(what) => '!',
            What::Stage { .. } => '*',
            _ => ' ',
        };
        let text = entry::text(entry).replace(['\n', '\r'], " ");
        format!("{:>3}:{:02}.{} {mark} {:<24} {text}", tenths / 600, tenths / 10 % 60, tenths % 10, entry::label(&entry.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Actor;

    fn entry(secs: i64, what: What) -> Entry {
        let at = Timestamp::from_second(1_000_000 + secs).unwrap();
        let (host, mac, build, session) = (None, None, None, None);
        Entry { seq: 1, at, actor: Actor::Server, host, mac, build, session, what, text: "said".into(), version: None, patch: None }
    }

    fn transfer(secs: i64, outcome: &str, sent_bytes: u64) -> Entry {
        entry(secs, What::Transfer { file: "k".into(), outcome: outcome.into(), sent_bytes, size_bytes: 1000 })
    }

    #[test]
    fn times_count_from_the_build_and_stages_and_trouble_are_marked() {
        let mut timeline = Timeline::new(false, false);
        timeline.start(Timestamp::from_second(1_000_000).unwrap());
        let stage = entry(62, What::Stage { stage: crate::model::Stage::Dhcp });
        assert_eq!(timeline.tell(&stage), "  1:02.0 * dhcp                     said\n");
        let circle = entry(63, What::BootLoop { class: "template".into(), attempt: 3, halted: true });
        assert_eq!(timeline.tell(&circle), "  1:03.0 ! boot_loop: template loop 3, halted said\n");
    }

    #[test]
    fn without_a_terminal_a_transfer_says_its_quarters() {
        let mut timeline = Timeline::new(false, false);
        let told: Vec<bool> =
            [("requested", 0), ("progress", 100), ("progress", 260), ("progress", 270), ("progress", 900), ("done", 1000), ("requested", 0)]
                .into_iter()
                .map(|(outcome, sent)| !timeline.tell(&transfer(0, outcome, sent)).is_empty())
                .collect();
        assert_eq!(told, [true, false, true, false, true, true, true]);
    }

    #[test]
    fn on_a_terminal_a_transfer_moves_in_place_and_the_next_event_takes_its_line() {
        let mut timeline = Timeline::new(true, false);
        assert!(timeline.tell(&transfer(0, "requested", 0)).starts_with("\r\x1b[K"));
        let moving = timeline.tell(&transfer(1, "progress", 500));
        assert!(moving.ends_with("k  500 B of 1000 B, 50 %"), "{moving:?}");
        let done = timeline.tell(&transfer(2, "done", 1000));
        assert!(done.starts_with("\r\x1b[K") && done.ends_with("100 %\n"), "{done:?}");
        assert_eq!(timeline.end(), "");
    }
}
