//! The shelf of the live image: one folder with `manifest.json`, `vmlinuz` and `initrd`, as `make image` leaves it.
//!
//! The image wipes disks, so nothing of it is served that was not found whole: the manifest is read, its format, architecture and
//! protocol are compared with ours, and both files are hashed. Every way to be wrong has its own fault, which names the file and the
//! way out. It does not watch the folder and does not serve: a caller opens it again when the manifest has changed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    model::{Name, token::hex},
    wire::agent::PROTOCOL,
};

/// The manifest's name in the folder.
pub const MANIFEST: &str = "manifest.json";
/// The kernel's name in the folder.
pub const KERNEL: &str = "vmlinuz";
/// The initramfs's name in the folder.
pub const INITRD: &str = "initrd";

/// The layout of the manifest that we read.
const FORMAT: u32 = 1;
/// The one architecture that images are made for.
const ARCHITECTURE: &str = "x86_64";
/// No manifest is longer; what is, lies there by mistake.
const MANIFEST_MOST_BYTES: u64 = 1 << 20;

/// Why there is no live image to boot machines with.
#[derive(Debug, thiserror::Error)]
pub enum LiveFault {
    /// Nobody has built one, or the settings name another folder.
    #[error("there is no live image: {0} does not exist; build one with `make image` and name its folder in paths.live")]
    NoManifest(PathBuf),
    /// The manifest cannot be understood.
    #[error("the live image's manifest {path} cannot be used: {why}; build the image again with `make image`")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong in it.
        why: String,
    },
    /// The manifest was written by a newer or a foreign build script.
    #[error("{path} has format {format}, this daemon reads format {FORMAT}; build the image with the daemon's own sources (`make image`)")]
    Format {
        /// The manifest.
        path: PathBuf,
        /// What it says.
        format: u32,
    },
    /// The image is for other machines.
    #[error("{path} is for {architecture}, this daemon boots {ARCHITECTURE}; build that with `make image`")]
    Architecture {
        /// The manifest.
        path: PathBuf,
        /// What it says.
        architecture: String,
    },
    /// Its agent speaks a later version of `wire::agent` than we do.
    #[error(
        "the agent of the live image {path} speaks protocol {protocol}, this daemon at most {PROTOCOL}; update the daemon, or build the image with the daemon's own sources (`make image`)"
    )]
    NewerProtocol {
        /// The manifest.
        path: PathBuf,
        /// What it says.
        protocol: u32,
    },
    /// The manifest lacks an entry.
    #[error("{path} does not list {file}; build the image again with `make image`")]
    NotListed {
        /// The manifest.
        path: PathBuf,
        /// The entry.
        file: &'static str,
    },
    /// A file of the image is missing.
    #[error("the live image is not whole: {0} does not exist; copy the folder again, or build it with `make image`")]
    NoFile(PathBuf),
    /// A symbolic link leads out of the folder.
    #[error("{0} leads out of the live image's folder by a symbolic link; copy the file in instead (`cp -L`)")]
    Outside(PathBuf),
    /// It is a folder, a device or the like.
    #[error("{0} is not a regular file; copy the folder again, or build it with `make image`")]
    NotAFile(PathBuf),
    /// Cut off, or of another build.
    #[error("{path} has {is} bytes, the manifest says {should}; copy the folder again, or build it with `make image`")]
    Size {
        /// Which file.
        path: PathBuf,
        /// What it has.
        is: u64,
        /// What the manifest says.
        should: u64,
    },
    /// Damaged, changed, or of another build.
    #[error("{path} is not the file of the manifest: SHA-256 {is} instead of {should}; copy the folder again, or build it with `make image`")]
    Hash {
        /// Which file.
        path: PathBuf,
        /// What it has.
        is: String,
        /// What the manifest says.
        should: String,
    },
    /// The system said no.
    #[error("{path}: {source}; the daemon's user must be able to read it")]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl LiveFault {
    /// The stable word for API, metric and journal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoManifest(_) => "live_not_there",
            Self::Manifest { .. } | Self::NotListed { .. } => "live_manifest",
            Self::Format { .. } => "live_format",
            Self::Architecture { .. } => "live_architecture",
            Self::NewerProtocol { .. } => "live_newer_protocol",
            Self::NoFile(_) => "live_file_missing",
            Self::Outside(_) => "live_outside",
            Self::NotAFile(_) => "live_not_a_file",
            Self::Size { .. } => "live_size",
            Self::Hash { .. } => "live_hash",
            Self::Io { .. } => "live_fault",
        }
    }
}

/// An image that was found whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveImage {
    /// Its version, from its content; fit for a URL.
    pub version: String,
    /// The folder, links resolved: a later build under the same name does not change what is in it.
    pub folder: PathBuf,
    /// The agent's version.
    pub agent: String,
    /// The version of `wire::agent` that its agent speaks.
    pub protocol: u32,
    /// The kernel's release, as `uname -r` says it.
    pub release: String,
    /// The kernel.
    pub kernel: LiveFile,
    /// The initramfs.
    pub initrd: LiveFile,
    /// The packages that it was made from, with their versions.
    pub packages: BTreeMap<String, String>,
}

/// One file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256, checked.
    pub sha256: String,
    /// Its size, checked.
    pub size_bytes: u64,
}

/// `manifest.json`; fields that we do not know are left alone.
#[derive(Deserialize)]
struct Manifest {
    version: Name,
    architecture: String,
    protocol: u32,
    agent: String,
    kernel: String,
    files: BTreeMap<String, Entry>,
    #[serde(default)]
    packages: BTreeMap<String, String>,
}

/// What is asked first: another format may have none of the fields above.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Deserialize)]
struct Entry {
    sha256: String,
    size_bytes: u64,
}

impl LiveImage {
    /// Opens and checks the image in `folder`. Reads all of it: for a thread that may wait.
    pub fn open(folder: &Path) -> Result<Self, LiveFault> {
        let path = folder.join(MANIFEST);
        let folder = match folder.canonicalize() {
            Ok(folder) => folder,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Err(LiveFault::NoManifest(path)),
            Err(source) => return Err(LiveFault::Io { path: folder.to_owned(), source }),
        };
        let manifest = Manifest::read(&folder)?;
        let kernel = manifest.file(&folder, KERNEL)?;
        let initrd = manifest.file(&folder, INITRD)?;
        let Manifest { version, agent, protocol, kernel: release, packages, .. } = manifest;
        Ok(Self { version: version.to_string(), folder, agent, protocol, release, kernel, initrd, packages })
    }
}

impl Manifest {
    /// Reads and judges the manifest alone.
    fn read(folder: &Path) -> Result<Self, LiveFault> {
        let path = folder.join(MANIFEST);
        let wrong = |why: String| LiveFault::Manifest { path: path.clone(), why };
        let file = match open_beneath(folder, MANIFEST) {
            Err(LiveFault::NoFile(path)) => return Err(LiveFault::NoManifest(path)),
            file => file?,
        };
        let mut text = String::new();
        match file.take(MANIFEST_MOST_BYTES + 1).read_to_string(&mut text) {
            Err(fault) if fault.kind() == io::ErrorKind::InvalidData => return Err(wrong("it is no text".to_owned())),
            Err(source) => return Err(LiveFault::Io { path, source }),
            Ok(_) if text.len() as u64 > MANIFEST_MOST_BYTES => return Err(wrong(format!("it is longer than {MANIFEST_MOST_BYTES} bytes"))),
            Ok(_) => {}
        }
        let head: Head = serde_json::from_str(&text).map_err(|why| wrong(why.to_string()))?;
        if head.format != FORMAT {
            return Err(LiveFault::Format { path, format: head.format });
        }
        let manifest: Self = serde_json::from_str(&text).map_err(|why| wrong(why.to_string()))?;
        match manifest.protocol {
            _ if manifest.architecture != ARCHITECTURE => Err(LiveFault::Architecture { path, architecture: manifest.architecture }),
            0 => Err(wrong("protocol 0 does not exist".to_owned())),
            protocol if protocol > PROTOCOL => Err(LiveFault::NewerProtocol { path, protocol }),
            _ => Ok(manifest),
        }
    }

    /// One file, compared with its entry.
    fn file(&self, folder: &Path, name: &'static str) -> Result<LiveFile, LiveFault> {
        let path = folder.join(name);
        let entry = self.files.get(name).ok_or_else(|| LiveFault::NotListed { path: folder.join(MANIFEST), file: name })?;
        let file = open_beneath(folder, name)?;
        let at = |source| LiveFault::Io { path: path.clone(), source };
        let is = file.metadata().map_err(at)?.len();
        if is != entry.size_bytes {
            return Err(LiveFault::Size { path, is, should: entry.size_bytes });
        }
        let sha256 = hash_of(file).map_err(at)?;
        if sha256 != entry.sha256 {
            return Err(LiveFault::Hash { path, is: sha256, should: entry.sha256.clone() });
        }
        Ok(LiveFile { path, sha256, size_bytes: is })
    }
}

/// Opens a regular file of the folder, whatever symbolic links say.
fn open_beneath(folder: &Path, name: &str) -> Result<File, LiveFault> {
    let path = folder.join(name);
    let at = |source| LiveFault::Io { path: path.clone(), source };
    let root = File::open(folder).map_err(at)?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = match openat2(&root, name, how) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::ENOENT) => return Err(LiveFault::NoFile(path)),
        Err(Errno::EXDEV | Errno::ELOOP) => return Err(LiveFault::Outside(path)),
        Err(errno) => return Err(at(errno.into())),
    };
    if file.metadata().map_err(at)?.is_file() { Ok(file) } else { Err(LiveFault::NotAFile(path)) }
}

fn hash_of(mut file: File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 18];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&piece[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use serde_json::{Value, json};

    use super::*;
    use crate::model::token::sha256_hex;

    /// A whole image with a kernel and an initramfs of a few bytes.
    fn whole() -> (tempfile::TempDir, Value) {
        let folder = tempfile::tempdir().unwrap();
        let entry = |text: &str| json!({"sha256": sha256_hex(text.as_bytes()), "size_bytes": text.len()});
        fs::write(folder.path().join(KERNEL), "kernel").unwrap();
        fs::write(folder.path().join(INITRD), "initramfs").unwrap();
        let manifest = json!({
            "format": 1, "version": "6.1.0-9-amd64-0123abcd", "architecture": "x86_64", "protocol": 1, "agent": "0.1.0",
            "kernel": "6.1.0-9-amd64", "files": {KERNEL: entry("kernel"), INITRD: entry("initramfs")}, "packages": {"hdparm": "9.65"},
            "made_later": "is no matter",
        });
        write(folder.path(), &manifest);
        (folder, manifest)
    }

    fn write(folder: &Path, manifest: &Value) {
        fs::write(folder.join(MANIFEST), manifest.to_string()).unwrap();
    }

    /// A whole image, spoilt by `spoil`, is refused with this word, and the text has all of `parts`.
    #[track_caller]
    fn refused(word: &str, parts: &[&str], spoil: impl FnOnce(&Path, &mut Value)) {
        let (folder, mut manifest) = whole();
        let before = manifest.clone();
        spoil(folder.path(), &mut manifest);
        if manifest != before {
            write(folder.path(), &manifest);
        }
        let fault = LiveImage::open(folder.path()).unwrap_err();
        assert_eq!(fault.word(), word, "{fault}");
        for part in parts {
            assert!(fault.to_string().contains(part), "{fault}\n  lacks {part}");
        }
    }

    #[test]
    fn a_whole_image_opens_with_everything_that_is_served() {
        let (folder, _) = whole();
        let image = LiveImage::open(folder.path()).unwrap();
        assert_eq!((image.version.as_str(), image.agent.as_str(), image.protocol), ("6.1.0-9-amd64-0123abcd", "0.1.0", 1));
        assert_eq!((image.release.as_str(), image.packages["hdparm"].as_str()), ("6.1.0-9-amd64", "9.65"));
        assert_eq!(fs::read(&image.kernel.path).unwrap(), b"kernel");
        assert_eq!((image.initrd.size_bytes, image.initrd.sha256), (9, sha256_hex(b"initramfs")));
    }

    #[test]
    fn a_folder_behind_a_link_is_the_folder_it_led_to() {
        let (folder, _) = whole();
        let link = folder.path().join("live");
        symlink(folder.path(), &link).unwrap();
        assert_eq!(LiveImage::open(&link).unwrap().folder, folder.path().canonicalize().unwrap());
    }

    #[test]
    fn an_image_that_was_never_built_says_how_to_build_one() {
        let gone = LiveImage::open(Path::new("/nonexistent/live")).unwrap_err();
        assert_eq!(gone.word(), "live_not_there");
        assert!(gone.to_string().contains("/nonexistent/live/manifest.json") && gone.to_string().contains("make image"), "{gone}");
        refused("live_not_there", &[MANIFEST, "paths.live"], |folder, _| fs::remove_file(folder.join(MANIFEST)).unwrap());
    }

    #[test]
    fn a_manifest_that_cannot_be_understood_is_refused() {
        let says = |text: &'static [u8]| move |folder: &Path, _: &mut Value| fs::write(folder.join(MANIFEST), text).unwrap();
        refused("live_manifest", &[MANIFEST, "line 1", "make image"], says(b"{\"format\":1,"));
        refused("live_manifest", &["no text"], says(b"\xff\xfe"));
        refused("live_manifest", &["`format`"], says(b"{}"));
        refused("live_manifest", &["longer than 1048576"], |folder, _| fs::write(folder.join(MANIFEST), " ".repeat(1 << 21)).unwrap());
        refused("live_manifest", &["`agent`"], |_, manifest| drop(manifest.as_object_mut().unwrap().remove("agent")));
        refused("live_manifest", &["not a name"], |_, manifest| manifest["version"] = json!("../../etc"));
        refused("live_manifest", &["protocol 0"], |_, manifest| manifest["protocol"] = json!(0));
        refused("live_manifest", &["list vmlinuz"], |_, manifest| drop(manifest["files"].as_object_mut().unwrap().remove(KERNEL)));
        refused("live_manifest", &["list initrd"], |_, manifest| drop(manifest["files"].as_object_mut().unwrap().remove(INITRD)));
    }

    #[test]
    fn an_image_for_another_daemon_is_refused_and_an_older_one_is_not() {
        refused("live_format", &["format 2", "format 1"], |_, manifest| *manifest = json!({"format": 2}));
        refused("live_architecture", &["aarch64", "x86_64"], |_, manifest| manifest["architecture"] = json!("aarch64"));
        refused("live_newer_protocol", &["update the daemon"], |_, manifest| manifest["protocol"] = json!(PROTOCOL + 1));
        for protocol in 1..=PROTOCOL {
            let (folder, mut manifest) = whole();
            manifest["protocol"] = json!(protocol);
            write(folder.path(), &manifest);
            assert_eq!(LiveImage::open(folder.path()).unwrap().protocol, protocol);
        }
    }

    #[test]
    fn a_file_that_is_not_the_manifests_is_refused() {
        for name in [KERNEL, INITRD] {
            refused("live_file_missing", &[name, "make image"], |folder, _| fs::remove_file(folder.join(name)).unwrap());
            refused("live_size", &[name, "1 bytes"], |folder, _| fs::write(folder.join(name), "k").unwrap());
        }
        refused("live_hash", &[KERNEL, "make image"], |folder, _| fs::write(folder.join(KERNEL), "kernal").unwrap());
        refused("live_hash", &[INITRD, &sha256_hex(b"initramfx")], |folder, _| fs::write(folder.join(INITRD), "initramfx").unwrap());
    }

    #[test]
    fn no_link_leads_out_and_only_files_are_files() {
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        let link = |name: &'static str| {
            let target = elsewhere.path().to_owned();
            move |folder: &Path, _: &mut Value| {
                fs::remove_file(folder.join(name)).unwrap();
                symlink(target, folder.join(name)).unwrap();
            }
        };
        refused("live_outside", &[KERNEL, "cp -L"], link(KERNEL));
        refused("live_outside", &[INITRD], link(INITRD));
        refused("live_outside", &[MANIFEST], link(MANIFEST));
        refused("live_not_a_file", &[INITRD], |folder, _| {
            fs::remove_file(folder.join(INITRD)).unwrap();
            fs::create_dir(folder.join(INITRD)).unwrap();
        });
        refused("live_not_a_file", &[KERNEL], |folder, _| {
            fs::remove_file(folder.join(KERNEL)).unwrap();
            nix::unistd::mkfifo(&folder.join(KERNEL), nix::sys::stat::Mode::S_IRWXU).unwrap();
        });
    }

    #[test]
    fn a_folder_that_cannot_be_looked_into_is_a_fault_and_not_a_missing_image() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(LiveImage::open(file.path()).unwrap_err().word(), "live_fault");
    }
}
