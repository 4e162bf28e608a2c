//! The shelf of artifacts: one folder, `NAME/VERSION/PATH`. What is on it never changes; a new content is a new version.
//!
//! Files come in by a temporary name, fsync and a link that refuses to replace, so a reader sees a whole file or none. Opening stays
//! beneath the folder whatever symbolic links say (`openat2`, Linux 5.6). Files that people copy in by hand are as good as
//! imported ones. Nothing is deleted here, and nothing knows which profile needs what.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
};
use sha2::{Digest, Sha256};

use crate::model::{ArtifactRef, Name, token::hex};

/// Why a file of the shelf was not had.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactFault {
    /// There is no such file: a refusal, not a fault of the disk.
    #[error("there is no artifact {0}; `bootwright artifact import` brings one in")]
    NotThere(ArtifactRef),
    /// A symbolic link leads out of the folder.
    #[error("artifact {0} leads out of the artifacts folder by a symbolic link; copy the file in instead")]
    Outside(ArtifactRef),
    /// It is a folder, a device or the like.
    #[error("artifact {0} is not a regular file")]
    NotAFile(ArtifactRef),
    /// Another content has this name already.
    #[error("artifact {artifact} is there already with another content (sha256 {sha256}); a version never changes: import it as a new version")]
    Different {
        /// Which.
        artifact: ArtifactRef,
        /// Of the file that is there.
        sha256: String,
    },
    /// The system said no.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl ArtifactFault {
    /// The stable word for API, metric and journal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotThere(_) => "artifact_not_there",
            Self::Outside(_) => "artifact_outside",
            Self::NotAFile(_) => "artifact_not_a_file",
            Self::Different { .. } => "artifact_different",
            Self::Io { .. } => "artifact_fault",
        }
    }
}

/// A file, ready to be sent.
#[derive(Debug)]
pub struct Opened {
    /// The file, at its start.
    pub file: File,
    /// Its size.
    pub size_bytes: u64,
    /// A strong validator: the SHA-256 where it is known, else what the file system says of the file.
    pub etag: String,
}

/// One version of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The artifact.
    pub name: Name,
    /// Its version.
    pub version: Name,
    /// Its files, by path.
    pub files: Vec<Listed>,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The path below the version.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256, if it was computed since the start.
    pub sha256: Option<String>,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed_ns: i128,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        let changed_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { inode: metadata.ino(), size: metadata.len(), changed_ns }
    }
}

/// The folder.
pub struct Artifacts {
    root: PathBuf,
    hashes: Mutex<HashMap<ArtifactRef, (Stamp, String)>>,
    arrivals: AtomicU64,
}

/// Where files wait until they are whole; no artifact's name begins with a dot.
const ARRIVING: &str = ".arriving";

impl Artifacts {
    /// The shelf in `root`, which is made if it is not there. Arrivals that a crash left behind are removed.
    pub fn open(root: &Path) -> Result<Self, ArtifactFault> {
        let arriving = root.join(ARRIVING);
        match fs::remove_dir_all(&arriving) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(io_at(&arriving)(fault)),
            _ => {}
        }
        fs::create_dir_all(root).map_err(io_at(root))?;
        Ok(Self { root: root.to_owned(), hashes: Mutex::default(), arrivals: AtomicU64::new(0) })
    }

    /// The shelf in `root` for somebody who only looks: nothing is made and nothing removed.
    pub fn look(root: &Path) -> Self {
        Self { root: root.to_owned(), hashes: Mutex::default(), arrivals: AtomicU64::new(0) }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Opens a file for reading.
    pub fn file(&self, artifact: &ArtifactRef) -> Result<Opened, ArtifactFault> {
        let root = File::open(&self.root).map_err(io_at(&self.root))?;
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let path = artifact.to_string();
        let file = match openat2(&root, path.as_str(), how) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Err(ArtifactFault::NotThere(artifact.clone())),
            Err(Errno::EXDEV | Errno::ELOOP) => return Err(ArtifactFault::Outside(artifact.clone())),
            Err(errno) => return Err(io_at(&self.root.join(path))(errno.into())),
        };
        let metadata = file.metadata().map_err(io_at(&self.root.join(&path)))?;
        if !metadata.is_file() {
            return Err(ArtifactFault::NotAFile(artifact.clone()));
        }
        let stamp = Stamp::of(&metadata);
        let etag = self.known_hash(artifact, stamp).unwrap_or_else(|| format!("{:x}-{:x}-{:x}", stamp.inode, stamp.size, stamp.changed_ns));
        Ok(Opened { file, size_bytes: metadata.len(), etag })
    }

    /// The SHA-256 of a file, computed once per state of the file. Reads all of it: for a thread that may wait.
    pub fn sha256(&self, artifact: &ArtifactRef) -> Result<String, ArtifactFault> {
        let path = self.root.join(artifact.to_string());
        let opened = self.file(artifact)?;
        let stamp = Stamp::of(&opened.file.metadata().map_err(io_at(&path))?);
        if let Some(known) = self.known_hash(artifact, stamp) {
            return Ok(known);
        }
        let hash = hash_of(opened.file).map_err(io_at(&path))?;
        self.remember(artifact, stamp, &hash);
        Ok(hash)
    }

    fn remember(&self, artifact: &ArtifactRef, stamp: Stamp, hash: &str) {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).insert(artifact.clone(), (stamp, hash.to_owned()));
    }

    fn known_hash(&self, artifact: &ArtifactRef, stamp: Stamp) -> Option<String> {
        let hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.get(artifact).filter(|(of, _)| *of == stamp).map(|(_, hash)| hash.clone())
    }

    /// Everything on the shelf, by name and version. Files whose names no URL can say are left out.
    pub fn list(&self) -> Result<Vec<Version>, ArtifactFault> {
        let mut versions = Vec::new();
        for (name, folder) in named_folders(&self.root)? {
            for (version, folder) in named_folders(&folder)? {
                let mut files = Vec::new();
                self.walk(&name, &version, &folder, "", &mut files)?;
                files.sort_by(|a: &Listed, b| a.path.cmp(&b.path));
                versions.push(Version { name: name.clone(), version, files });
            }
        }
        Ok(versions)
    }

    fn walk(&self, name: &Name, version: &Name, folder: &Path, below: &str, files: &mut Vec<Listed>) -> Result<(), ArtifactFault> {
        for entry in fs::read_dir(folder).map_err(io_at(folder))? {
            let entry = entry.map_err(io_at(folder))?;
            let Ok(last) = entry.file_name().into_string() else { continue };
            let path = format!("{below}{last}");
            // Links to folders are not followed: a ring of them would never end. Files behind links are served and listed.
            let kind = entry.file_type().map_err(io_at(folder))?;
            if kind.is_dir() {
                self.walk(name, version, &entry.path(), &format!("{path}/"), files)?;
                continue;
            }
            let Ok(artifact) = format!("{name}/{version}/{path}").parse::<ArtifactRef>() else { continue };
            if let Ok(opened) = self.file(&artifact) {
                let sha256 = Some(opened.etag).filter(|etag| etag.len() == 64);
                files.push(Listed { path, size_bytes: opened.size_bytes, sha256 });
            }
        }
        Ok(())
    }

    /// Begins to bring a file in. Nothing is visible until [`Arrival::finish`].
    pub fn begin(&self, artifact: ArtifactRef) -> Result<Arrival<'_>, ArtifactFault> {
        let folder = self.root.join(ARRIVING);
        fs::create_dir_all(&folder).map_err(io_at(&folder))?;
        let path = folder.join(self.arrivals.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::create_new(&path).map_err(io_at(&path))?;
        Ok(Arrival { shelf: self, artifact, file, path, hash: Sha256::new(), size_bytes: 0 })
    }

    /// Brings a whole file in.
    pub fn import(&self, artifact: ArtifactRef, mut from: impl Read) -> Result<Imported, ArtifactFault> {
        let mut arrival = self.begin(artifact)?;
        let mut piece = vec![0; 1 << 18];
        loop {
            match from.read(&mut piece).map_err(io_at(&arrival.path))? {
                0 => return arrival.finish(),
                count => arrival.write(&piece[..count])?,
            }
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Of the content.
    pub sha256: String,
    /// Its size.
    pub size_bytes: u64,
    /// Whether it was not there before.
    pub new: bool,
}

/// A file on its way in; dropped before the end, it leaves nothing.
pub struct Arrival<'a> {
    shelf: &'a Artifacts,
    artifact: ArtifactRef,
    file: File,
    path: PathBuf,
    hash: Sha256,
    size_bytes: u64,
}

impl Arrival<'_> {
    /// The next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ArtifactFault> {
        self.file.write_all(bytes).map_err(io_at(&self.path))?;
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Puts it on the shelf for good, or finds the same content there already.
    pub fn finish(self) -> Result<Imported, ArtifactFault> {
        self.file.sync_all().map_err(io_at(&self.path))?;
        let sha256 = hex(&self.hash.clone().finalize());
        let place = self.shelf.root.join(self.artifact.to_string());
        let folder = place.parent().unwrap_or(&self.shelf.root);
        fs::create_dir_all(folder).map_err(io_at(folder))?;
        self.stays_inside(folder)?;
        let new = match fs::hard_link(&self.path, &place) {
            Ok(()) => true,
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => false,
            Err(fault) => return Err(io_at(&place)(fault)),
        };
        if new {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at(folder))?;
            let stamp = Stamp::of(&self.file.metadata().map_err(io_at(&place))?);
            self.shelf.remember(&self.artifact, stamp, &sha256);
            return Ok(Imported { sha256, size_bytes: self.size_bytes, new });
        }
        match self.shelf.sha256(&self.artifact)? {
            there if there == sha256 => Ok(Imported { sha256, size_bytes: self.size_bytes, new }),
            there => Err(ArtifactFault::Different { artifact: self.artifact.clone(), sha256: there }),
        }
    }

    fn stays_inside(&self, folder: &Path) -> Result<(), ArtifactFault> {
        let real = |path: &Path| path.canonicalize().map_err(io_at(path));
        if real(folder)?.starts_with(real(&self.shelf.root)?) { Ok(()) } else { Err(ArtifactFault::Outside(self.artifact.clone())) }
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        // A leftover is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> ArtifactFault + use<> {
    let path = path.to_owned();
    move |source| ArtifactFault::Io { path: path.clone(), source }
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

/// Folders whose names are names, sorted.
fn named_folders(folder: &Path) -> Result<Vec<(Name, PathBuf)>, ArtifactFault> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let entry = entry.map_err(io_at(folder))?;
        let name = entry.file_name().into_string().ok().and_then(|name| name.parse::<Name>().ok());
        if let (Some(name), true) = (name, entry.path().is_dir()) {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn at(text: &str) -> ArtifactRef {
        text.parse().unwrap()
    }

    fn shelf() -> (tempfile::TempDir, Artifacts) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Artifacts::open(&folder.path().join("artifacts")).unwrap();
        (folder, shelf)
    }

    #[test]
    fn an_imported_file_is_whole_hashed_and_listed() {
        let (_folder, shelf) = shelf();
        let imported = shelf.import(at("debian-12/1/boot/linux"), &b"kernel"[..]).unwrap();
        assert!(imported.new && imported.size_bytes == 6 && imported.sha256.len() == 64);
        let mut opened = shelf.file(&at("debian-12/1/boot/linux")).unwrap();
        assert_eq!((opened.size_bytes, &opened.etag), (6, &imported.sha256));
        let mut text = String::new();
        opened.file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "kernel");
        let listed = shelf.list().unwrap();
        assert_eq!((listed.len(), listed[0].files[0].path.as_str()), (1, "boot/linux"));
        assert_eq!(listed[0].files[0].sha256.as_ref(), Some(&imported.sha256));
    }

    #[test]
    fn a_version_never_changes() {
        let (_folder, shelf) = shelf();
        shelf.import(at("a/1/f"), &b"one"[..]).unwrap();
        assert!(!shelf.import(at("a/1/f"), &b"one"[..]).unwrap().new);
        assert!(matches!(shelf.import(at("a/1/f"), &b"two"[..]), Err(ArtifactFault::Different { .. })));
        assert_eq!(fs::read_dir(shelf.root().join(ARRIVING)).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn no_symbolic_link_leads_out() {
        let (folder, shelf) = shelf();
        fs::write(folder.path().join("secret"), "s").unwrap();
        fs::create_dir_all(shelf.root().join("a/1")).unwrap();
        symlink(folder.path().join("secret"), shelf.root().join("a/1/absolute")).unwrap();
        symlink("../../../secret", shelf.root().join("a/1/relative")).unwrap();
        symlink(folder.path(), shelf.root().join("a/1/folder")).unwrap();
        symlink("ring", shelf.root().join("a/1/ring")).unwrap();
        for path in ["a/1/absolute", "a/1/relative", "a/1/folder/secret", "a/1/ring"] {
            assert!(matches!(shelf.file(&at(path)), Err(ArtifactFault::Outside(_))), "{path}");
        }
        assert!(matches!(shelf.import(at("a/1/folder/new"), &b"x"[..]), Err(ArtifactFault::Outside(_))));
        assert_eq!(shelf.list().unwrap()[0].files, []);
    }

    #[test]
    fn links_inside_work_and_what_is_no_file_is_named() {
        let (_folder, shelf) = shelf();
        shelf.import(at("a/1/real"), &b"x"[..]).unwrap();
        symlink("real", shelf.root().join("a/1/link")).unwrap();
        assert_eq!(shelf.file(&at("a/1/link")).unwrap().size_bytes, 1);
        fs::create_dir(shelf.root().join("a/1/folder")).unwrap();
        nix::unistd::mkfifo(&shelf.root().join("a/1/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(shelf.file(&at("a/1/folder")), Err(ArtifactFault::NotAFile(_))));
        assert!(matches!(shelf.file(&at("a/1/pipe")), Err(ArtifactFault::NotAFile(_))));
        assert!(matches!(shelf.file(&at("a/1/none")), Err(ArtifactFault::NotThere(_))));
        assert!(matches!(shelf.file(&at("a/1/real/below")), Err(ArtifactFault::NotThere(_))));
    }

    #[test]
    fn a_folder_that_is_gone_is_a_fault_and_not_a_missing_file() {
        let (_folder, shelf) = shelf();
        fs::remove_dir_all(shelf.root()).unwrap();
        assert!(matches!(shelf.file(&at("a/1/f")), Err(ArtifactFault::Io { .. })));
        assert!(matches!(shelf.list(), Err(ArtifactFault::Io { .. })));
    }

    #[test]
    fn a_file_that_was_copied_in_gets_its_hash_when_asked() {
        let (_folder, shelf) = shelf();
        fs::create_dir_all(shelf.root().join("a/1")).unwrap();
        fs::write(shelf.root().join("a/1/f"), "x").unwrap();
        let before = shelf.file(&at("a/1/f")).unwrap().etag;
        let hash = shelf.sha256(&at("a/1/f")).unwrap();
        assert_ne!(before, hash);
        assert_eq!(shelf.file(&at("a/1/f")).unwrap().etag, hash);
        fs::write(shelf.root().join("a/1/f"), "longer").unwrap();
        assert_ne!(shelf.file(&at("a/1/f")).unwrap().etag, hash, "a changed file has another validator");
    }
}
