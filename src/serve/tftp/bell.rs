//! A bell by which other threads wake a reactor that waits for packets (eventfd(2)).
//!
//! It says only "look": what there is to see lies elsewhere, where it was put before the bell was rung.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// The bell.
#[derive(Debug)]
pub struct Bell(EventFd);

impl Bell {
    /// A bell that does not ring.
    pub fn new() -> io::Result<Self> {
        Ok(Self(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
    }

    /// Rings it; ringing twice is ringing once.
    pub fn ring(&self) {
        // It fails only when it has been rung 2^64 times without being heard.
        let _ = self.0.write(1);
    }

    /// Hears it out.
    pub fn silence(&self) {
        // It fails only when it does not ring.
        let _ = self.0.read();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
