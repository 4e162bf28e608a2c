//! Time and chance, and the server's key: the only places where the outside world's whims come in.
//!
//! Stories ask `World`; tests hand in one whose clock and dice they hold. The key turns the id of a build or of a run of the live image into its token, so that the
//! database keeps hashes alone and a script can still be written again after a restart.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use sha2::Sha256;

use crate::model::{BuildId, HostId, LiveId, SessionId, Timestamp, Token};

/// The clock and the dice.
pub trait World: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
    /// How far the system's clock has jumped ahead of this one (behind, if negative); zero while both go together.
    fn ahead(&self) -> SignedDuration {
        SignedDuration::ZERO
    }
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

/// The real world with a clock that never jumps: what lasts an hour lasts an hour, whoever sets the system's clock meanwhile.
///
/// Leases and deadlines are points in time. If the system's clock jumps ahead by hours they would all be over at once, and an address
/// that a machine still uses would be lent to the next; so this clock follows a jump slowly, twenty seconds in a thousand.
#[derive(Debug)]
pub struct SteadyWorld {
    began: Instant,
    clock: Mutex<SteadyClock>,
}

impl Default for SteadyWorld {
    fn default() -> Self {
        Self { began: Instant::now(), clock: Mutex::new(SteadyClock::at(Timestamp::now())) }
    }
}

impl SteadyWorld {
    fn clock(&self) -> MutexGuard<'_, SteadyClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World for SteadyWorld {
    fn now(&self) -> Timestamp {
        self.clock().tell(self.began.elapsed(), Timestamp::now())
    }

    fn ahead(&self) -> SignedDuration {
        self.clock().ahead
    }

    fn dice(&self, bytes: &mut [u8]) {
        RealWorld.dice(bytes);
    }
}

/// The rule of [`SteadyWorld`]'s clock, without a clock of its own.
#[derive(Debug)]
struct SteadyClock {
    elapsed: Duration,
    told: Timestamp,
    ahead: SignedDuration,
}

impl SteadyClock {
    /// A difference up to this is a clock that is kept in step, and taken over at once.
    const STEP: SignedDuration = SignedDuration::from_secs(5);

    const fn at(now: Timestamp) -> Self {
        Self { elapsed: Duration::ZERO, told: now, ahead: SignedDuration::ZERO }
    }

    /// The time, `elapsed` after the beginning, while the system says `wall`.
    fn tell(&mut self, elapsed: Duration, wall: Timestamp) -> Timestamp {
        let passed = SignedDuration::try_from(elapsed.saturating_sub(self.elapsed)).unwrap_or(SignedDuration::ZERO);
        self.elapsed = elapsed.max(self.elapsed);
        let on = self.told.checked_add(passed).unwrap_or(wall);
        let off = wall.duration_since(on);
        if off.abs() <= Self::STEP {
            self.ahead = SignedDuration::ZERO;
            self.told = wall;
        } else {
            let most = passed / 50;
            let follow = if off.is_negative() { -most } else { most };
            self.ahead = off;
            self.told = on.checked_add(follow).unwrap_or(on);
        }
        self.told
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

    fn clock() -> (SteadyClock, Timestamp) {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        (SteadyClock::at(start), start)
    }

    fn secs(n: i64) -> SignedDuration {
        SignedDuration::from_secs(n)
    }

    #[test]
    fn a_clock_that_is_kept_in_step_is_followed() {
        let (mut clock, start) = clock();
        for n in 1..100_u32 {
            let wall = start + secs(i64::from(n)) + SignedDuration::from_millis(i64::from(n) * 3);
            assert_eq!(clock.tell(Duration::from_secs(n.into()), wall), wall);
            assert_eq!(clock.ahead, SignedDuration::ZERO);
        }
    }

    /// Six hours forward: a lease of an hour still has most of its hour.
    #[test]
    fn a_jump_changes_no_duration_by_more_than_a_fiftieth_and_is_caught_up_with() {
        for jump in [6 * 3600, -6 * 3600] {
            let (mut clock, start) = clock();
            let mut last = start;
            for n in 1..=3600_u32 {
                let now = clock.tell(Duration::from_secs(n.into()), start + secs(i64::from(n) + jump));
                assert!(now > last, "it stands still or goes back");
                last = now;
            }
            let off = last.duration_since(start + secs(3600));
            assert!(off.abs() <= secs(72) && off.abs() > secs(60), "{jump}: {off}");
            assert_eq!(clock.ahead.is_negative(), jump < 0);
            let late = 51 * 6 * 3600;
            for n in (3600..late).step_by(60) {
                last = clock.tell(Duration::from_secs(n), start + secs(n.cast_signed() + jump));
            }
            assert_eq!((clock.ahead, last.duration_since(start + secs(jump)) > secs(late.cast_signed() - 120)), (SignedDuration::ZERO, true));
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.key");
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Keys::open(&path, &RealWorld), Err(KeyFault::Length { .. })));
    }
}
