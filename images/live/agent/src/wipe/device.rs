//! Real disks: a block device opened with `O_DIRECT`, and the few requests that a block device knows.
//!
//! Nothing is decided here, and there is no check of identity: [`super::block::open`] makes it for every opening. `O_DIRECT`, so that what
//! is read back was on the medium and not in memory. Its tests use files in the temporary folder, never a device.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsFd,
        unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    },
};

use rustix::{
    fs::{OFlags, major, minor},
    ioctl::{Getter, NoArg, Opcode, Setter, ioctl, opcode},
};

use super::block::{ALIGN, Aligned, Block, Doors};

const BLKRRPART: Opcode = opcode::none(0x12, 95);
const BLKFLSBUF: Opcode = opcode::none(0x12, 97);
const BLKGETSIZE64: Opcode = opcode::read::<usize>(0x12, 114);
const BLKZEROOUT: Opcode = opcode::none(0x12, 127);

/// The device files of this machine.
pub struct Devices;

impl Doors for Devices {
    fn open(&self, node: &str) -> io::Result<Box<dyn Block>> {
        let flags = (OFlags::DIRECT | OFlags::CLOEXEC).bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(node)?;
        if !file.metadata()?.file_type().is_block_device() {
            return Err(io::Error::other("it is no block device"));
        }
        Ok(Box::new(Device { file }))
    }
}

struct Device {
    file: File,
}

impl Device {
    fn plain<const REQUEST: Opcode>(&self) -> io::Result<()> {
        // SAFETY: BLKFLSBUF and BLKRRPART, the only two that this is called with, take no argument.
        unsafe { ioctl(self.file.as_fd(), NoArg::<REQUEST>::new()) }.map_err(io::Error::from)
    }
}

impl Block for Device {
    fn number(&self) -> io::Result<String> {
        let device = self.file.metadata()?.rdev();
        Ok(format!("{}:{}", major(device), minor(device)))
    }

    fn size(&self) -> io::Result<u64> {
        // SAFETY: BLKGETSIZE64 writes one u64, whatever its number says of a size_t.
        unsafe { ioctl(self.file.as_fd(), Getter::<BLKGETSIZE64, u64>::new()) }.map_err(io::Error::from)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if is_aligned(into) {
            return self.file.read_exact_at(into, at);
        }
        let mut aligned = Aligned::zeroed(into.len());
        self.file.read_exact_at(&mut aligned, at)?;
        into.copy_from_slice(&aligned);
        Ok(())
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if is_aligned(bytes) {
            return self.file.write_all_at(bytes, at);
        }
        let mut aligned = Aligned::zeroed(bytes.len());
        aligned.copy_from_slice(bytes);
        self.file.write_all_at(&aligned, at)
    }

    fn zero_out(&self, at: u64, len: u64) -> io::Result<()> {
        // SAFETY: BLKZEROOUT reads two u64: from where, how many bytes.
        unsafe { ioctl(self.file.as_fd(), Setter::<BLKZEROOUT, [u64; 2]>::new([at, len])) }.map_err(io::Error::from)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        self.plain::<BLKFLSBUF>()
    }

    fn reread(&self) -> io::Result<()> {
        self.plain::<BLKRRPART>()
    }
}

fn is_aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_block_device_is_not_opened() {
        let path = std::env::temp_dir().join(format!("bootwright-agent-no-device-{}", std::process::id()));
        std::fs::write(&path, [7; 8192]).unwrap();
        assert!(Devices.open(&path.to_string_lossy()).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), [7; 8192]);
        std::fs::remove_file(&path).unwrap();
        assert!(Devices.open("/dev/null").is_err());
    }

    #[test]
    fn memory_for_direct_reads_begins_where_it_must() {
        for len in [1, 512, 4096, 1 << 20] {
            let aligned = Aligned::zeroed(len);
            assert!(is_aligned(&aligned) && aligned.len() == len);
        }
    }
}
