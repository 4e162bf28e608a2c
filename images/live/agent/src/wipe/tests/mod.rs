//! Whole wipes of disks in memory.
//!
//! Each test builds a shelf, derives the plan from what is on it as the server would, carries it out, and looks at the bytes afterwards. What
//! must not be touched is compared byte by byte. No device of this computer is opened: the doors lead to the shelf.

mod drives;
mod refusals;
mod wipes;

use std::{io, sync::Arc};

use super::{
    Outcome, Watch,
    block::{Block, Doors},
    with_doors,
};
use crate::{
    contract::{EraseMethod, LeftDisk, PlannedDisk, Timestamp, WipePlan, WipePolicy},
    disks::{
        self,
        shelf::{Shelf, Slot},
    },
};

/// 12 MiB: ends, room for the marker, and a tail that is no whole piece.
const SIZE: usize = (12 << 20) + 512;

struct Rack(Arc<Shelf>);

impl Doors for Rack {
    fn open(&self, node: &str) -> io::Result<Box<dyn Block>> {
        let name = node.trim_start_matches("/dev/").to_owned();
        let slot = Slot { shelf: self.0.clone(), name };
        slot.with(|_| Ok(()))?;
        Ok(Box::new(slot))
    }
}

impl Block for Slot {
    fn number(&self) -> io::Result<String> {
        self.with(|platter| Ok(if platter.faults.replaced { "8:240".to_owned() } else { platter.number.clone() }))
    }

    fn size(&self) -> io::Result<u64> {
        self.with(|platter| Ok(platter.bytes.len() as u64))
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(at).unwrap();
        self.with(|platter| {
            into.copy_from_slice(&platter.bytes[at..at + into.len()]);
            Ok(())
        })
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write(at, bytes.len() as u64, Some(bytes))
    }

    fn zero_out(&self, at: u64, len: u64) -> io::Result<()> {
        self.write(at, len, None)
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|_| Ok(()))
    }

    fn reread(&self) -> io::Result<()> {
        Slot::reread(self)
    }
}

/// The plan that erases `names` and leaves all other disks alone.
fn plan(shelf: &Shelf, names: &[&str], methods: &[EraseMethod]) -> WipePlan {
    let (found, problems) = disks::list(shelf);
    assert_eq!(problems, []);
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().map(|found| found.disk).partition(|disk| names.contains(&disk.name.as_str()));
    let planned = |disk: &crate::contract::Disk| PlannedDisk {
        id: disk.id.clone(),
        name: disk.name.clone(),
        model: disk.model.clone(),
        serial: disk.serial.clone(),
        wwn: disk.wwn.clone(),
        size_bytes: disk.size_bytes,
        transport: disk.transport.clone(),
        methods: methods.to_vec(),
        soft_secs: 60,
        hard_secs: 3600,
    };
    let left = |disk: &crate::contract::Disk| LeftDisk {
        id: disk.id.clone(),
        model: disk.model.clone(),
        size_bytes: disk.size_bytes,
        why: "data".to_owned(),
    };
    WipePlan {
        version: 1,
        host: "0199f2b0".to_owned(),
        name: "node-1".to_owned(),
        policy: if methods == [EraseMethod::MetadataOnly] { WipePolicy::Metadata } else { WipePolicy::Clear },
        facts_at: Timestamp::UNIX_EPOCH,
        disks: ours.iter().map(planned).collect(),
        left: others.iter().map(left).collect(),
        parallel: 4,
    }
}

/// Carries it out; the machine comes back for a look at its disks.
fn carry_out(shelf: Shelf, plan: &WipePlan) -> (Outcome, Arc<Shelf>) {
    carry_out_watched(shelf, plan, &Watch::new())
}

fn carry_out_watched(shelf: Shelf, plan: &WipePlan, watch: &Watch) -> (Outcome, Arc<Shelf>) {
    let shelf = Arc::new(shelf);
    let outcome = with_doors(&*shelf, &Rack(shelf.clone()), plan, watch);
    assert_eq!(outcome.results.len(), plan.disks.len(), "every planned disk has a result");
    (outcome, shelf)
}

/// Two virtio disks with a table, partitions and file systems; `vdb` is for leaving alone.
fn two_disks() -> Shelf {
    let shelf = Shelf::default();
    for (name, number, serial) in [("vda", 4, "first"), ("vdb", 5, "second")] {
        shelf.virtio(name, number, serial, SIZE);
        shelf.part(name, &format!("{name}1"), 1 << 20);
        shelf.part(name, &format!("{name}2"), 6 << 20);
        shelf.sign(name, name, "gpt", "", 512);
        shelf.sign(name, &format!("{name}1"), "vfat", "", (1 << 20) + 64);
        shelf.sign(name, &format!("{name}2"), "ext4", serial, (6 << 20) + 1080);
    }
    shelf
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes == vec![0; bytes.len()]
}
