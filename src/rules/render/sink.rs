//! The end of a rendering: a text of bounded size.
//!
//! The engine writes into it; beyond the limit it takes nothing more and remembers that, so that the fault can name the reason.

use std::io;

/// Collects bytes up to a limit.
pub struct Sink {
    bytes: Vec<u8>,
    limit_bytes: usize,
    full: bool,
}

impl Sink {
    /// An empty one.
    pub fn new(limit_bytes: usize) -> Self {
        Self { bytes: Vec::new(), limit_bytes, full: false }
    }

    /// Whether something did not fit.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// What was collected.
    pub fn into_text(self) -> String {
        // The engine writes whole `str`s, so nothing is ever replaced here.
        String::from_utf8(self.bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit_bytes {
            self.full = true;
            return Err(io::Error::other("limit"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
