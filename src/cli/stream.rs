//! The live journal: Server-Sent Events read line by line, taken up again where they broke off.
//!
//! Every event carries its number; after a break the daemon is asked for what came after the last one, so nothing is missed and nothing is
//! told twice. A daemon that restarts is waited for, but not for ever.

use std::{
    io::{BufRead, BufReader},
    thread,
    time::{Duration, Instant},
};

use super::{Client, Fault};
use crate::model::Entry;

/// How often in a row, a second apart, a lost daemon is asked again.
const PATIENCE: u32 = 30;

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// The entry.
    pub entry: Entry,
    /// Its JSON as it came.
    pub json: String,
}

/// A reader of the stream.
pub struct Follow<'a> {
    client: &'a Client,
    path: String,
    last: u64,
    deadline: Option<Instant>,
    open: Option<Box<dyn BufRead>>,
    failures: u32,
}

impl<'a> Follow<'a> {
    /// Entries after number `last`, until the deadline.
    pub fn new(client: &'a Client, path: String, last: u64, deadline: Option<Instant>) -> Self {
        Self { client, path, last, deadline, open: None, failures: 0 }
    }

    /// The next entry; `None` when the deadline has passed.
    pub fn next(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(None);
            }
            if self.open.is_none() && !self.connect()? {
                continue;
            }
            let Some(reader) = &mut self.open else { continue };
            match read(reader.as_mut()) {
                Some(json) => {
                    let entry = self.entry(&json)?;
                    self.failures = 0;
                    if entry.seq > self.last {
                        self.last = entry.seq;
                        return Ok(Some(Event { entry, json }));
                    }
                }
                // The daemon stopped, the connection broke, or the time is over: the head of the loop knows.
                None => self.open = None,
            }
        }
    }

    /// Opens the stream; `false` if nobody answered this time.
    fn connect(&mut self) -> Result<bool, Fault> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match self.client.stream(&self.path, Some(self.last), left) {
            Ok(reader) => {
                self.open = Some(Box::new(BufReader::new(reader)));
                // A daemon that takes the request and closes at once is asked no faster than one that is away.
                if self.failures > 0 {
                    self.pause();
                }
                self.failures = 1;
                Ok(true)
            }
            Err(Fault::Unreachable { .. }) if self.failures < PATIENCE => {
                self.failures += 1;
                self.pause();
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    fn pause(&self) {
        let left = self.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        thread::park_timeout(left.min(Duration::from_secs(1)));
    }

    fn entry(&self, json: &str) -> Result<Entry, Fault> {
        serde_json::from_str(json).map_err(|why| Fault::Answer { server: self.client.server().to_owned(), why: why.to_string() })
    }
}

/// The data of the next event; `None` at the end, whatever ended it.
fn read(reader: &mut dyn BufRead) -> Option<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() && !data.is_empty() {
            return Some(data);
        }
        if let Some(part) = line.strip_prefix("data:") {
            if !data.is_empty() {
                data.push('\n');
            }
            data.push_str(part.strip_prefix(' ').unwrap_or(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_across_comments_fields_and_broken_ends() {
        let mut stream = ": hello\n\nid: 7\nevent: stage\ndata: {\"a\":\ndata: 1}\n\n:\n\r\ndata:x\r\n\r\ndata: cut off".as_bytes();
        assert_eq!(read(&mut stream).as_deref(), Some("{\"a\":\n1}"));
        assert_eq!(read(&mut stream).as_deref(), Some("x"));
        assert_eq!(read(&mut stream), None);
    }
}
