//! The shelf of loaders: iPXE as the system's packages bring it, or as a site puts it into a folder of its own, kept in memory.
//!
//! A loader's name is its file's name (or `folder/file`, as Fedora has it for arm64). Configured folders come first and may hold
//! anything; of the system's folders only network loaders are taken. Which architecture gets which name is `rules::loaders`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::model::token::sha256_hex;

/// Where Debian and Ubuntu (`ipxe`) and Fedora (`ipxe-bootimgs-*`) put iPXE.
pub const SYSTEM: [&str; 2] = ["/usr/lib/ipxe", "/usr/share/ipxe"];

/// Endings of loaders that firmware can start from the network.
const ENDINGS: [&str; 4] = [".efi", ".kpxe", ".kkpxe", ".pxe"];

/// No loader is larger; what is, lies there by mistake.
const MOST_BYTES: u64 = 32 << 20;

/// One loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loader {
    /// Its content, shared by all transfers.
    pub bytes: Bytes,
    /// SHA-256 of it.
    pub sha256: String,
    /// The file.
    pub path: PathBuf,
}

/// Every loader that was found when the shelf was filled.
#[derive(Debug, Clone, Default)]
pub struct Loaders {
    by_name: BTreeMap<String, Loader>,
    faults: Vec<String>,
}

impl Loaders {
    /// Reads the configured folders, then the system's; the first file of a name wins.
    pub fn find(configured: &[PathBuf]) -> Self {
        Self::find_in(configured, &SYSTEM.map(PathBuf::from))
    }

    /// The same with the system's folders given.
    pub fn find_in(configured: &[PathBuf], system: &[PathBuf]) -> Self {
        let mut loaders = Self::default();
        for folder in configured {
            if let Err(fault) = loaders.take(folder, "", &|_| true) {
                loaders.faults.push(format!("the configured loader folder {}: {fault}", folder.display()));
            }
        }
        for folder in system {
            match loaders.take(folder, "", &|name| ENDINGS.iter().any(|ending| name.ends_with(ending))) {
                Err(fault) if fault.kind() != io::ErrorKind::NotFound => loaders.faults.push(format!("{}: {fault}", folder.display())),
                _ => {}
            }
        }
        loaders
    }

    /// Takes the files of a folder and of the folders in it.
    fn take(&mut self, folder: &Path, below: &str, wanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
        let mut paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            let Some(last) = path.file_name().and_then(|last| last.to_str()) else { continue };
            let name = format!("{below}{last}");
            if path.is_dir() && below.is_empty() {
                self.take(&path, &format!("{name}/"), wanted)?;
            } else if path.is_file() && wanted(&name) && !self.by_name.contains_key(&name) {
                self.add(name, path);
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, path: PathBuf) {
        let read = || match fs::metadata(&path)?.len() {
            size if size > MOST_BYTES => Err(io::Error::other(format!("{size} bytes are too many for a loader"))),
            _ => fs::read(&path),
        };
        match read() {
            Ok(bytes) => {
                let loader = Loader { sha256: sha256_hex(&bytes), bytes: bytes.into(), path };
                self.by_name.insert(name, loader);
            }
            Err(fault) => self.faults.push(format!("{}: {fault}", path.display())),
        }
    }

    /// The loader of this name.
    pub fn get(&self, name: &str) -> Option<&Loader> {
        self.by_name.get(name)
    }

    /// Whether there is one.
    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Loader)> {
        self.by_name.iter().map(|(name, loader)| (name.as_str(), loader))
    }

    /// What could not be read, a sentence each.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// What to install to get a loader of this name, for people.
    pub fn hint(name: &str) -> &'static str {
        match name {
            name if name.contains("arm64") => {
                "Fedora: dnf install ipxe-bootimgs-aarch64; Debian 13, Ubuntu 22.04 or later: apt install ipxe; else build bin-arm64-efi/snponly.efi from iPXE and put it into a folder named in paths.loaders as snponly-arm64.efi"
            }
            name if name.contains("i386") || name.contains("ipxe32") || ["arm32", "riscv", "loong"].iter().any(|arch| name.contains(arch)) => {
                "no distribution packages it: build it from iPXE and put it into a folder named in paths.loaders under this name"
            }
            _ => "Debian, Ubuntu: apt install ipxe; Fedora, RHEL: dnf install ipxe-bootimgs-x86",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_configured_folder_comes_before_the_system() {
        let ours = folder(&[("snponly.efi", "ours"), ("grub.cfg", "set")]);
        let theirs =
            folder(&[("snponly.efi", "theirs"), ("undionly.kpxe", "u"), ("arm64-efi/snponly.efi", "a"), ("ipxe.iso", "iso"), ("e1000.rom", "r")]);
        let loaders = Loaders::find_in(&[ours.path().to_owned()], &[theirs.path().to_owned()]);
        let names = loaders.iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names, ["arm64-efi/snponly.efi", "grub.cfg", "snponly.efi", "undionly.kpxe"]);
        assert_eq!(loaders.get("snponly.efi").unwrap().bytes, "ours");
        assert!(loaders.faults().is_empty());
    }

    #[test]
    fn a_configured_folder_that_is_not_there_is_named_and_a_system_folder_is_not() {
        let gone = PathBuf::from("/nonexistent/loaders");
        let loaders = Loaders::find_in(std::slice::from_ref(&gone), std::slice::from_ref(&gone));
        assert_eq!(loaders.faults().len(), 1);
        assert!(loaders.faults()[0].contains("/nonexistent/loaders"), "{:?}", loaders.faults());
    }

    #[test]
    fn every_name_has_a_hint() {
        assert!(Loaders::hint("undionly.kpxe").contains("apt install ipxe"));
        assert!(Loaders::hint("snponly-arm64.efi").contains("ipxe-bootimgs-aarch64"));
        assert!(Loaders::hint("snponly-i386.efi").contains("build it"));
    }
}
