//! Time and chance, and the server's key: the only places where the outside world's whims come in.
//!
//! Stories ask `World`; tests hand in one whose clock and dice they hold. The key turns the id of a build or of a run of the live image into its token, so that the
//! database keeps hashes alone and a script can still be written again after a restart.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::{BuildId, HostId, LiveId, SessionId, Timestamp, Token};

/// The clock and the dice.
pub trait World: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
    /// Fills `bytes` with chance that nobody can foresee.
    fn dice(&self, bytes: &mut [u8]);

    /// A fresh host id.
    fn host_id(&self) -> HostId {
        HostId(self.uuid())
    }

    /// A fresh build id.
    fn build_id(&self) -> BuildId {
        BuildId(self.uuid())
    }

    /// A fresh id for a run of the live image.
    fn live_id(&self) -> LiveId {
        LiveId(self.uuid())
    }

    /// A fresh nonce for a boot session.
    fn session_id(&self) -> SessionId {
        let mut bytes = [0; 8];
        self.dice(&mut bytes);
        SessionId(u64::from_be_bytes(bytes))
    }

    /// A fresh secret.
    fn token(&self) -> Token {
        let mut bytes = [0; 16];
        self.dice(&mut bytes);
        Token::from_bytes(bytes)
    }

    /// A UUID version 7 (RFC 9562 5.7) of the present.
    fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 10];
        self.dice(&mut bytes);
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// The real clock and the kernel's randomness.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealWorld;

impl World for RealWorld {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// # Panics
    /// If the kernel has no randomness to give: nothing secret may be made without it.
    fn dice(&self, bytes: &mut [u8]) {
        assert!(getrandom::fill(bytes).is_ok(), "the kernel gave no random bytes");
    }
}

/// A world for tests: the clock stands until it is moved, the dice count.
#[derive(Debug)]
pub struct StillWorld {
    nanos: AtomicU64,
    rolls: AtomicU64,
}

impl StillWorld {
    /// A world that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { nanos: AtomicU64::new(u64::try_from(now.as_nanosecond()).unwrap_or(0)), rolls: AtomicU64::new(1) }
    }

    /// Moves the clock on.
    pub fn pass(&self, secs: u64) {
        self.nanos.fetch_add(secs * 1_000_000_000, Ordering::SeqCst);
    }
}

impl World for StillWorld {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.nanos.load(Ordering::SeqCst))).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn dice(&self, bytes: &mut [u8]) {
        let roll = self.rolls.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        for (index, byte) in bytes.iter_mut().rev().enumerate() {
            *byte = if index < 8 { roll[7 - index] } else { 0 };
        }
    }
}

/// The server's key, 32 bytes, in a file that only the service's user reads.
#[derive(Clone)]
pub struct Keys([u8; 32]);

/// The key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// Reading or making it failed.
    #[error("the key file {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It has another length.
    #[error("the key file {path} does not hold 32 bytes; restore it from a backup, or remove it (open builds then need a retry)")]
    Length {
        /// Which file.
        path: PathBuf,
    },
}

impl Keys {
    /// A key of known bytes, for tests.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the key, or makes one at the first start (mode 0600).
    pub fn open(path: &Path, world: &dyn World) -> Result<Self, KeyFault> {
        let io = |source| KeyFault::Io { path: path.to_owned(), source };
        match fs::read(path) {
            Ok(bytes) => bytes.try_into().map(Self).map_err(|_| KeyFault::Length { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = [0; 32];
                world.dice(&mut key);
                write_secret(path, &key).map_err(io)?;
                Ok(Self(key))
            }
            Err(error) => Err(io(error)),
        }
    }

    /// The token of a build.
    pub fn build_token(&self, build: BuildId) -> Token {
        self.token(b"build:", build.0)
    }

    /// The token of a run of the live image.
    pub fn live_token(&self, live: LiveId) -> Token {
        self.token(b"live:", live.0)
    }

    fn token(&self, kind: &[u8], id: uuid::Uuid) -> Token {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key");
        mac.update(kind);
        mac.update(id.as_bytes());
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Token::from_bytes(half)
    }
}

/// Writes a file that only its owner reads, durably: a half-written secret is never seen under its name.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_has_the_same_token_after_a_restart_and_another_build_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.key");
        let build = RealWorld.build_id();
        let before = Keys::open(&path, &RealWorld).unwrap().build_token(build);
        let after = Keys::open(&path, &RealWorld).unwrap();
        assert_eq!(before, after.build_token(build));
        assert_ne!(before, after.build_token(RealWorld.build_id()));
        assert_eq!(before.reveal().len(), 26);
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.key");
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Keys::open(&path, &RealWorld), Err(KeyFault::Length { .. })));
    }
}
