//! The machine that this program really runs on.
//!
//! Nothing is remembered between two questions, and nothing is judged. Reads are bounded, because a file of `/sys` or `/proc` may be
//! endless; a chance that cannot be drawn ends the program, because a report id that repeats would be worse.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use rustix::{
    rand::GetRandomFlags,
    system::{RebootCommand, reboot},
};

use super::{Ask, Bell, Machine, NoRun, Said, Switch, run};
use crate::contract::Timestamp;

/// The most that is read of one file.
const MOST: u64 = 4 << 20;

/// How long the disks have to take what was written.
const SYNC: Duration = Duration::from_secs(20);

/// This machine.
pub struct Real {
    start: Instant,
}

impl Real {
    /// From now on.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for Real {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine for Real {
    fn run(&self, ask: &Ask<'_>) -> Result<Said, NoRun> {
        run::run(ask)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn link(&self, path: &str) -> io::Result<String> {
        Ok(fs::read_link(path)?.to_string_lossy().into_owned())
    }

    fn write(&self, path: &str, text: &str) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn chance(&self, bytes: &mut [u8]) {
        // The system call and nothing else: minutes after power-on the kernel may have too little chance, and only a caller that waits in
        // `getrandom` makes it gather some (Linux 5.4). Whoever polls /dev/random instead, as a static program does by way of the
        // getrandom crate, waits for ever on a machine without RDRAND.
        let mut open = bytes;
        while !open.is_empty() {
            match rustix::rand::getrandom(&mut *open, GetRandomFlags::empty()) {
                Ok(drawn) => open = &mut std::mem::take(&mut open)[drawn..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("the kernel gives no random bytes: {error}"),
            }
        }
    }

    fn pause(&self, how_long: Duration) {
        let end = Instant::now() + how_long;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
    }

    fn wait_for(&self, bell: &Bell, at_most: Duration) -> bool {
        bell.wait(at_most)
    }

    fn switch(&self, how: Switch) -> io::Result<()> {
        // A disk that hangs would hang the sync with it; no file system is mounted, so nothing is lost without.
        let synced = std::sync::Arc::new(Bell::default());
        let ring = std::sync::Arc::clone(&synced);
        std::thread::spawn(move || {
            rustix::fs::sync();
            ring.ring();
        });
        let _late = synced.wait(SYNC);
        reboot(match how {
            Switch::Reboot => RebootCommand::Restart,
            Switch::Off => RebootCommand::PowerOff,
        })?;
        Ok(())
    }

    fn exists(&self, path: &str) -> bool {
        fs::symlink_metadata(path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_says_so() {
        let real = Real::new();
        assert_eq!(real.read("/proc/no-such-file").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(real.list("/proc/no-such-folder").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(real.word("/proc/no-such-file"), None);
        assert!(real.exists("/proc/self") && !real.exists("/proc/no-such-file"));
        assert!(real.list("/proc/self").unwrap().contains(&"status".to_owned()));
    }

    #[test]
    fn two_draws_differ() {
        let real = Real::new();
        let draw = || crate::machine::hex_of_chance(&real, 16);
        assert_eq!(draw().len(), 32);
        assert_ne!(draw(), draw());
    }
}
