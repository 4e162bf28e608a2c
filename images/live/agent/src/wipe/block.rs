//! The wiper's own door to the disks: raw reads and writes of one opened device, and the check of whose device it is.
//!
//! A name such as `sda` is not a disk: another one may have it after an unplugging. So a device is opened first, and then, on what is open,
//! its number, size and identity are compared with the disk that the plan means ([`open`]). As long as it stays open the kernel gives its name
//! to no other disk; tools that take names are only run meanwhile. Tests have disks in memory behind the same [`Doors`].

use std::io;

use crate::{
    disks::{self, Found},
    machine::Machine,
};

/// An opened disk. Places and lengths are multiples of its logical block.
pub trait Block: Send {
    /// The device number of what is open, `8:0`.
    ///
    /// # Errors
    /// As the kernel says; so for all below.
    fn number(&self) -> io::Result<String>;

    /// Its bytes, as the open device says now.
    ///
    /// # Errors
    /// See [`Block::number`].
    fn size(&self) -> io::Result<u64>;

    /// Fills `into` from the medium, not from a cache.
    ///
    /// # Errors
    /// See [`Block::number`].
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// See [`Block::number`].
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Has the drive (else the kernel) write zeroes.
    ///
    /// # Errors
    /// See [`Block::number`].
    fn zero_out(&self, at: u64, len: u64) -> io::Result<()>;

    /// Everything written is on the medium, and nothing of it is cached.
    ///
    /// # Errors
    /// See [`Block::number`].
    fn sync(&self) -> io::Result<()>;

    /// Has the kernel read the partition table again.
    ///
    /// # Errors
    /// See [`Block::number`].
    fn reread(&self) -> io::Result<()>;
}

/// What opens disks.
pub trait Doors: Sync {
    /// Opens a device file for reading and writing, whatever it may be: see [`open`].
    ///
    /// # Errors
    /// As the kernel says.
    fn open(&self, node: &str) -> io::Result<Box<dyn Block>>;
}

/// Opens the disk `meant`, and no other.
///
/// # Errors
/// In one sentence: it cannot be opened, it is gone, or what has its name is another disk.
pub fn open(machine: &dyn Machine, doors: &dyn Doors, meant: &Found) -> Result<Box<dyn Block>, String> {
    let name = &meant.disk.name;
    let block = doors.open(&meant.node()).map_err(|error| format!("{name} cannot be opened for writing: {error}"))?;
    let number = block.number().map_err(|error| format!("{name}: its device number cannot be read: {error}"))?;
    let size = block.size().map_err(|error| format!("{name}: its size cannot be read: {error}"))?;
    // Looked at after the opening: what is open now keeps its name.
    let (all, _problems) = disks::list(machine);
    let now = all.iter().find(|found| found.number == number).ok_or_else(|| format!("{name} is gone"))?;
    if now.disk.name != *name || !same(now, meant) {
        return Err(format!("{name} is now another disk ({})", now.disk.id));
    }
    if size != meant.disk.size_bytes {
        return Err(format!("{name} has {size} bytes now, and had {}", meant.disk.size_bytes));
    }
    Ok(block)
}

fn same(one: &Found, other: &Found) -> bool {
    let who =
        |found: &Found| [found.disk.id.0.clone(), found.disk.serial.clone(), found.disk.wwn.clone(), found.disk.model.clone(), found.path.clone()];
    who(one) == who(other)
}

/// Memory that a direct read or write takes as it is: it begins at a multiple of [`ALIGN`].
pub struct Aligned {
    held: Vec<u8>,
    from: usize,
    len: usize,
}

/// The largest logical block that disks have.
pub const ALIGN: usize = 4096;

impl Aligned {
    /// Zeroes.
    pub fn zeroed(len: usize) -> Self {
        let held = vec![0; len + ALIGN];
        let from = held.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { held, from, len }
    }
}

impl std::ops::Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.held[self.from..self.from + self.len]
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.held[self.from..self.from + self.len]
    }
}
