//! A machine with disks in memory, for tests: `/sys` as the kernel shows them, and tools that act on their bytes.
//!
//! A signature is real bytes at a real place, so whatever zeroes the place removes it, and nothing else does. `wipefs`, `sgdisk` and `blkid` are
//! here; drives' own tools are given by each test ([`Shelf::tool`]). Time moves by pauses and writes only. Nothing of this computer is touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    contract::Timestamp,
    machine::{Ask, Bell, End, Machine, NoRun, Said, Switch},
};

/// What a drive does wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Writes that reach this byte fail.
    pub write_fails_at: Option<u64>,
    /// Orders for zeroes succeed and do nothing from this byte on.
    pub lies_from: Option<u64>,
    /// Another device has its name by the time that it is opened.
    pub replaced: bool,
    /// It is gone after so many writes.
    pub gone_after: Option<u32>,
}

/// A disk's bytes and what lies on them.
#[derive(Debug, Clone, Default)]
pub struct Platter {
    /// Its device number.
    pub number: String,
    /// Its folder in `/sys`.
    pub path: String,
    /// What is on it.
    pub bytes: Vec<u8>,
    /// Name, first byte.
    pub parts: Vec<(String, u64)>,
    /// Device, kind, UUID, place.
    pub signs: Vec<(String, String, String, u64)>,
    /// What it does wrong.
    pub faults: Faults,
    /// How often it was written to.
    pub writes: u32,
}

type Tool = Box<dyn Fn(&Shelf, &Ask<'_>) -> Said + Send + Sync>;
type Written = Box<dyn Fn(u32) + Send + Sync>;

/// The machine.
#[derive(Default)]
pub struct Shelf {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    links: Mutex<BTreeMap<String, String>>,
    /// Its disks, by name.
    pub disks: Mutex<BTreeMap<String, Platter>>,
    tools: Vec<(String, Tool)>,
    /// Every command and every write to `/sys`, in order.
    pub asked: Mutex<Vec<String>>,
    clock: Mutex<Duration>,
    /// Time that a write takes.
    pub per_write: Duration,
    /// Told of every write: how many there were.
    pub written: Option<Written>,
    drawn: Mutex<u64>,
}

/// A tool that ends with 0.
pub fn says(stdout: &str) -> Said {
    Said { end: End::Exit(0), stdout: stdout.to_owned(), stderr: String::new() }
}

/// A tool that fails.
pub fn fails(code: i32, stderr: &str) -> Said {
    Said { end: End::Exit(code), stdout: String::new(), stderr: stderr.to_owned() }
}

fn magic(kind: &str) -> Vec<u8> {
    format!("<{kind}>").into_bytes()
}

impl Shelf {
    /// A SCSI disk's files; `ata` and `virtio` build on it.
    fn disk(&self, name: &str, device: &str, number: u32, size: usize) {
        let path = format!("{device}/block/{name}");
        self.links.lock().unwrap().insert(format!("/sys/block/{name}"), format!("..{}", path.trim_start_matches("/sys")));
        let mut seed = u64::from(number) + 1;
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()[0]
        };
        let block: Vec<u8> = (0..1 << 15).map(|_| noise()).collect();
        let mut bytes = block.repeat(size / block.len() + 1);
        bytes.truncate(size);
        let platter = Platter { number: format!("8:{number}"), path: path.clone(), bytes, ..Platter::default() };
        for (file, text) in
            [("size", (size / 512).to_string()), ("dev", platter.number.clone()), ("ro", "0".to_owned()), ("removable", "0".to_owned())]
        {
            self.file(&format!("{path}/{file}"), text);
        }
        self.file(&format!("{path}/queue/rotational"), "0");
        self.file(&format!("{path}/queue/write_zeroes_max_bytes"), "4194304");
        self.disks.lock().unwrap().insert(name.to_owned(), platter);
        for table in ["/proc/self/mountinfo", "/proc/swaps"] {
            self.files.lock().unwrap().entry(table.to_owned()).or_default();
        }
    }

    /// A file of `/sys` or `/proc`.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        self.files.lock().unwrap().insert(path.to_owned(), content.as_ref().to_vec());
    }

    /// A link.
    pub fn symlink(&self, path: &str, target: &str) {
        self.links.lock().unwrap().insert(path.to_owned(), target.to_owned());
    }

    /// Takes files and links below a path away.
    pub fn drop_below(&self, path: &str) {
        let below = |one: &String| one != path && !one.starts_with(&format!("{path}/"));
        self.files.lock().unwrap().retain(|one, _| below(one));
        self.links.lock().unwrap().retain(|one, _| below(one));
    }

    /// A virtio disk; only a serial number.
    pub fn virtio(&self, name: &str, number: u32, serial: &str, size: usize) {
        let device = format!("/sys/devices/pci0000:00/0000:00:0{number}.0/virtio{number}");
        self.disk(name, &device, number, size);
        self.file(&format!("{device}/block/{name}/serial"), serial);
    }

    /// A SCSI disk of a controller at 0000:00:05.0.
    pub fn scsi(&self, name: &str, number: u32, serial: &str, naa: &str, size: usize) {
        let device = format!("/sys/devices/pci0000:00/0000:00:05.0/host0/target0:0:{number}/0:0:{number}:0");
        self.disk(name, &device, number, size);
        self.file(&format!("{device}/vendor"), "SEAGATE ");
        self.file(&format!("{device}/model"), "ST4000NM0025    ");
        self.file(&format!("{device}/rev"), "N003");
        let len = u8::try_from(serial.len()).unwrap();
        self.file(&format!("{device}/vpd_pg80"), [&[0, 0x80, 0, len], serial.as_bytes()].concat());
        if !naa.is_empty() {
            self.file(&format!("{device}/wwid"), format!("naa.{naa}"));
        }
    }

    /// A SATA disk; its IDENTIFY page has the whole model.
    pub fn sata(&self, name: &str, number: u32, model: &str, serial: &str, size: usize) {
        let device = format!("/sys/devices/pci0000:00/0000:00:1f.2/ata{}/host{number}/target{number}:0:0/{number}:0:0:0", number + 1);
        self.disk(name, &device, number, size);
        self.file(&format!("{device}/vendor"), "ATA     ");
        self.file(&format!("{device}/model"), &model[..model.len().min(16)]);
        let mut page = vec![0; 572];
        page[1] = 0x89;
        for (from, len, text) in [(10, 20, serial), (23, 8, "FW01"), (27, 40, model)] {
            let text = format!("{text:<len$}");
            for (at, pair) in text.as_bytes().chunks(2).enumerate() {
                page[60 + 2 * (from + at)] = pair[1];
                page[60 + 2 * (from + at) + 1] = pair[0];
            }
        }
        self.file(&format!("{device}/vpd_pg89"), page);
        self.file(&format!("{device}/wwid"), format!("t10.ATA     {model}   {serial}"));
    }

    /// An NVMe namespace of a controller of its own number.
    pub fn nvme(&self, controller: u32, nsid: u32, eui: &str, size: usize) {
        let device = format!("/sys/devices/pci0000:00/0000:0{controller}:00.0/nvme/nvme{controller}");
        let name = format!("nvme{controller}n{nsid}");
        self.disk(&name, &device, 20 + controller * 10 + nsid, size);
        // Namespaces lie directly below their controller.
        let from = format!("{device}/block/{name}");
        let to = format!("{device}/{name}");
        let mut files = self.files.lock().unwrap();
        let moved: Vec<String> = files.keys().filter(|path| path.starts_with(&from)).cloned().collect();
        for path in moved {
            let content = files.remove(&path).unwrap();
            files.insert(path.replace(&from, &to), content);
        }
        drop(files);
        self.disks.lock().unwrap().get_mut(&name).unwrap().path.clone_from(&to);
        self.symlink(&format!("/sys/block/{name}"), &format!("..{}", to.trim_start_matches("/sys")));
        for (file, text) in [("model", "SAMSUNG MZQL2"), ("serial", "S64HNE0R501234"), ("firmware_rev", "GDC5602Q"), ("transport", "pcie")] {
            self.file(&format!("{device}/{file}"), format!("{text}     \n"));
        }
        self.file(&format!("{device}/subsysnqn"), format!("nqn.2014.08.org:s{controller}"));
        self.file(&format!("{to}/nsid"), nsid.to_string());
        self.file(&format!("{to}/wwid"), format!("eui.{eui}"));
    }

    /// A partition that begins at a byte; its table's signature is the disk's first.
    pub fn part(&self, disk: &str, part: &str, from: u64) {
        let mut disks = self.disks.lock().unwrap();
        let platter = disks.get_mut(disk).unwrap();
        platter.parts.push((part.to_owned(), from));
        let number = platter.parts.len();
        let (path, dev) = (platter.path.clone(), format!("{}{number}", platter.number));
        drop(disks);
        self.file(&format!("{path}/{part}/partition"), number.to_string());
        self.file(&format!("{path}/{part}/dev"), dev);
    }

    /// A signature of a device at a byte of the disk.
    pub fn sign(&self, disk: &str, device: &str, kind: &str, uuid: &str, at: u64) {
        let mut disks = self.disks.lock().unwrap();
        let platter = disks.get_mut(disk).unwrap();
        let from = usize::try_from(at).unwrap();
        platter.bytes[from..from + magic(kind).len()].copy_from_slice(&magic(kind));
        platter.signs.push((device.to_owned(), kind.to_owned(), uuid.to_owned(), at));
    }

    /// What a disk does wrong.
    pub fn faulty(&self, disk: &str, faults: Faults) {
        self.disks.lock().unwrap().get_mut(disk).unwrap().faults = faults;
    }

    /// A tool of a test: for every command that begins so. The last one given goes first.
    pub fn tool(&mut self, start: &str, act: impl Fn(&Shelf, &Ask<'_>) -> Said + Send + Sync + 'static) {
        self.tools.insert(0, (start.to_owned(), Box::new(act)));
    }

    /// The bytes of a disk.
    pub fn bytes(&self, disk: &str) -> Vec<u8> {
        self.disks.lock().unwrap()[disk].bytes.clone()
    }

    /// Erases a disk as its own firmware would.
    pub fn erase(&self, disk: &str, with: u8) {
        self.disks.lock().unwrap().get_mut(disk).unwrap().bytes.fill(with);
    }

    /// Whether a command that begins so was run.
    pub fn was_asked(&self, start: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|line| line.starts_with(start))
    }

    fn signs_of(&self, node: &str) -> Vec<(String, String, String)> {
        let device = node.trim_start_matches("/dev/");
        let disks = self.disks.lock().unwrap();
        let alive = |platter: &Platter, kind: &str, at: u64| platter.bytes[usize::try_from(at).unwrap()..].starts_with(&magic(kind));
        let all = disks.values().flat_map(|platter| platter.signs.iter().map(move |sign| (platter, sign)));
        all.filter(|(platter, sign)| sign.0 == device && alive(platter, &sign.1, sign.3))
            .map(|(_, sign)| (sign.0.clone(), sign.1.clone(), sign.2.clone()))
            .collect()
    }

    fn wipefs(&self, ask: &Ask<'_>) -> Said {
        let nodes = ask.words.iter().filter(|word| word.starts_with("/dev/"));
        if ask.words.iter().any(|word| word == "--no-act") {
            let rows: Vec<serde_json::Value> = nodes
                .flat_map(|node| self.signs_of(node))
                .map(|(device, kind, uuid)| serde_json::json!({"device": device, "offset": "0x0", "type": kind, "uuid": uuid, "label": null}))
                .collect();
            return says(&serde_json::json!({ "signatures": rows }).to_string());
        }
        for node in nodes {
            let device = node.trim_start_matches("/dev/");
            for platter in self.disks.lock().unwrap().values_mut() {
                for (_, kind, _, at) in platter.signs.clone().iter().filter(|sign| sign.0 == device) {
                    let at = usize::try_from(*at).unwrap();
                    platter.bytes[at..at + magic(kind).len()].fill(0);
                }
            }
        }
        says("")
    }
}

impl Machine for Shelf {
    fn run(&self, ask: &Ask<'_>) -> Result<Said, NoRun> {
        let line = ask.line();
        self.asked.lock().unwrap().push(line.clone());
        if ask.stop.is_some_and(|stop| stop.load(std::sync::atomic::Ordering::SeqCst)) {
            return Ok(Said { end: End::Stopped, stdout: String::new(), stderr: String::new() });
        }
        if let Some((_, tool)) = self.tools.iter().find(|(start, _)| line.starts_with(start.as_str())) {
            return Ok(tool(self, ask));
        }
        match ask.program {
            "wipefs" if ask.words == ["--version"] => Ok(says("wipefs from util-linux 2.38.1\n")),
            "wipefs" => Ok(self.wipefs(ask)),
            "blkid" | "sgdisk" => Ok(says("")),
            _ => Err(NoRun::NotThere(ask.program.to_owned())),
        }
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.files.lock().unwrap().get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let below = format!("{}/", path.trim_end_matches('/'));
        let (files, links) = (self.files.lock().unwrap(), self.links.lock().unwrap());
        let name = |one: &String| one.strip_prefix(&below).and_then(|rest| rest.split('/').next()).map(str::to_owned);
        let names: BTreeSet<String> = files.keys().chain(links.keys()).filter_map(name).collect();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names.into_iter().collect()) }
    }

    fn link(&self, path: &str) -> io::Result<String> {
        self.links.lock().unwrap().get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn write(&self, path: &str, text: &str) -> io::Result<()> {
        self.asked.lock().unwrap().push(format!("write {path}: {text}"));
        Ok(())
    }

    fn uptime(&self) -> Duration {
        *self.clock.lock().unwrap()
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(self.uptime()).unwrap()
    }

    fn chance(&self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap();
        for byte in bytes {
            *drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = u8::try_from(*drawn >> 56).unwrap();
        }
    }

    fn pause(&self, how_long: Duration) {
        *self.clock.lock().unwrap() += how_long;
    }

    fn wait_for(&self, bell: &Bell, at_most: Duration) -> bool {
        self.pause(at_most);
        bell.has_rung()
    }

    fn switch(&self, _how: Switch) -> io::Result<()> {
        Err(io::Error::other("a shelf has no switch"))
    }
}

/// The shelf as raw disks.
pub struct Slot {
    /// Whose.
    pub shelf: Arc<Shelf>,
    /// Which disk.
    pub name: String,
}

impl Slot {
    /// Reads or changes the bytes, as far as the disk lets one.
    pub fn with<R>(&self, act: impl FnOnce(&mut Platter) -> io::Result<R>) -> io::Result<R> {
        let mut disks = self.shelf.disks.lock().unwrap();
        let platter = disks.get_mut(&self.name).ok_or_else(|| io::Error::other("no such device or address"))?;
        if platter.faults.gone_after.is_some_and(|writes| platter.writes >= writes) {
            return Err(io::Error::other("no such device or address"));
        }
        act(platter)
    }

    /// A write, or an order for zeroes.
    pub fn write(&self, at: u64, len: u64, bytes: Option<&[u8]>) -> io::Result<()> {
        *self.shelf.clock.lock().unwrap() += self.shelf.per_write;
        let writes = self.with(|platter| {
            platter.writes += 1;
            if platter.faults.write_fails_at.is_some_and(|first| at + len > first) {
                return Err(io::Error::other("input/output error"));
            }
            let end = if bytes.is_none() { platter.faults.lies_from.unwrap_or(u64::MAX).clamp(at, at + len) } else { at + len };
            let place = usize::try_from(at).unwrap()..usize::try_from(end).unwrap();
            match bytes {
                Some(bytes) => platter.bytes[place].copy_from_slice(bytes),
                None => platter.bytes[place].fill(0),
            }
            Ok(platter.writes)
        })?;
        if let Some(written) = &self.shelf.written {
            written(writes);
        }
        Ok(())
    }

    /// The kernel looks for partitions again: without a table there are none.
    pub fn reread(&self) -> io::Result<()> {
        let node = format!("/dev/{}", self.name);
        if self.shelf.signs_of(&node).iter().any(|(_, kind, _)| kind == "gpt" || kind == "dos") {
            return Ok(());
        }
        let (path, parts) = self.with(|platter| Ok((platter.path.clone(), std::mem::take(&mut platter.parts))))?;
        for (part, _) in parts {
            self.shelf.drop_below(&format!("{path}/{part}"));
        }
        Ok(())
    }
}
