//! The template shelf: the shipped texts, and over them the site's folder, by name.
//!
//! Read as a whole, so that a set is either all new or not new at all. Only regular files inside the folder count: a link that leads
//! out of it, a file that is too large or not UTF-8 is a fault and not a surprise. Parsing is `rules::render`.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use crate::model::{Source, Sources, TemplateOrigin};

/// The largest template file, bytes.
pub const FILE_LIMIT_BYTES: u64 = 1 << 20;
/// The most files of a site's folder.
pub const FILES_LIMIT: usize = 2_000;
/// The deepest folder below the site's folder.
const DEPTH_LIMIT: usize = 16;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $name)))),*]
    };
}

/// Every shipped template; a test compares it with the folder.
static SHIPPED: &[(&str, &str)] = &shipped![
    "autoinstall/meta-data",
    "autoinstall/network-config",
    "autoinstall/user-data",
    "autoinstall/vendor-data",
    "ipxe/fault.ipxe",
    "ipxe/hold.ipxe",
    "ipxe/install.ipxe",
    "ipxe/live.ipxe",
    "ipxe/local.ipxe",
    "ipxe/unknown.ipxe",
    "ipxe/wait.ipxe",
    "kickstart/rhel.ks",
    "preseed/debian.cfg",
    "preseed/late.sh",
    "snippets/again.ipxe",
    "snippets/banner.ipxe",
    "snippets/curl.sh",
    "snippets/firstboot.sh",
    "snippets/keys.sh",
    "snippets/load.ipxe",
    "snippets/users.sh",
    "snippets/wget.sh",
];

/// Why the site's folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ShelfFault {
    /// The system said no.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A link that leads out of the folder.
    #[error("{path} is a link that leads out of the templates folder; copy the file instead")]
    Outside {
        /// The link.
        path: PathBuf,
    },
    /// Neither file nor folder.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// The thing.
        path: PathBuf,
    },
    /// Too large for a template.
    #[error("{path} is larger than {FILE_LIMIT_BYTES} bytes; a template is not the place for it")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not text.
    #[error("{path} is not UTF-8 text, first at byte {at}")]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is not.
        at: usize,
    },
    /// Too much of it.
    #[error("{path} holds more than {FILES_LIMIT} files or is deeper than {DEPTH_LIMIT} folders; is it the right folder?")]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// The shipped templates and, if set, a site's folder.
#[derive(Debug, Clone)]
pub struct TemplateShelf {
    site: Option<PathBuf>,
}

impl TemplateShelf {
    /// A shelf over that folder; a folder that does not exist is an empty one.
    pub fn new(site: Option<PathBuf>) -> Self {
        Self { site }
    }

    /// The site's folder, to watch.
    pub fn site(&self) -> Option<&Path> {
        self.site.as_deref()
    }

    /// The whole set as it is now: the shipped templates, replaced and joined by the site's.
    pub fn read(&self) -> Result<Sources, ShelfFault> {
        let mut sources = shipped();
        if let Some(site) = &self.site {
            sources.extend(folder(site)?);
        }
        Ok(sources)
    }
}

/// The shipped templates alone.
pub fn shipped() -> Sources {
    SHIPPED.iter().map(|&(name, text)| (name.to_owned(), Source { text: text.to_owned(), origin: TemplateOrigin::Shipped })).collect()
}

/// Every template file of one folder, by its path below it with forward slashes. Names that begin with a dot and those of editors'
/// copies (`x~`, `x.swp`), `README.md` and JSON schemas are no templates.
pub fn folder(root: &Path) -> Result<Sources, ShelfFault> {
    let root = match fs::canonicalize(root) {
        Ok(root) => root,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(ShelfFault::Unreadable { path: root.to_owned(), error }),
    };
    let mut sources = BTreeMap::new();
    walk(&root, &root, 0, &mut sources)?;
    Ok(sources)
}

fn walk(root: &Path, dir: &Path, depth: usize, sources: &mut Sources) -> Result<(), ShelfFault> {
    let unreadable = |error| ShelfFault::Unreadable { path: dir.to_owned(), error };
    if depth > DEPTH_LIMIT {
        return Err(ShelfFault::TooMany { path: root.to_owned() });
    }
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_ignored(&path) {
            continue;
        }
        let real = fs::canonicalize(&path).map_err(|error| ShelfFault::Unreadable { path: path.clone(), error })?;
        if !real.starts_with(root) {
            return Err(ShelfFault::Outside { path });
        }
        if real.is_dir() {
            walk(root, &path, depth + 1, sources)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        sources.insert(name, Source { text: text(&path, &real)?, origin: TemplateOrigin::Site(path.display().to_string()) });
        if sources.len() > FILES_LIMIT {
            return Err(ShelfFault::TooMany { path: root.to_owned() });
        }
    }
    Ok(())
}

fn is_ignored(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~') || name.ends_with(".swp") || name == "README.md" || name == "schema.json"
}

fn text(path: &Path, real: &Path) -> Result<String, ShelfFault> {
    let unreadable = |error| ShelfFault::Unreadable { path: path.to_owned(), error };
    // Asked before opening: to open a pipe would wait for its other end.
    if !fs::metadata(real).map_err(unreadable)?.is_file() {
        return Err(ShelfFault::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    fs::File::open(real).and_then(|file| file.take(FILE_LIMIT_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_LIMIT_BYTES {
        return Err(ShelfFault::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| ShelfFault::NotText { path: path.to_owned(), at: error.utf8_error().valid_up_to() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_table_of_shipped_templates_is_the_folder() {
        let folder = folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")).unwrap();
        let texts = |sources: &Sources| sources.iter().map(|(name, source)| (name.clone(), source.text.clone())).collect::<Vec<_>>();
        assert_eq!(texts(&shipped()), texts(&folder));
    }

    #[test]
    fn a_site_file_replaces_and_joins_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("ipxe")).unwrap();
        fs::write(dir.path().join("ipxe/hold.ipxe"), "mine").unwrap();
        fs::write(dir.path().join("own.cfg"), "new").unwrap();
        fs::write(dir.path().join(".own.cfg.swp"), "no").unwrap();
        fs::write(dir.path().join("own.cfg~"), "no").unwrap();
        let set = TemplateShelf::new(Some(dir.path().to_owned())).read().unwrap();
        assert_eq!(set["ipxe/hold.ipxe"].text, "mine");
        assert!(matches!(&set["own.cfg"].origin, TemplateOrigin::Site(path) if path.ends_with("own.cfg")));
        assert_eq!(set.len(), SHIPPED.len() + 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_empty_one() {
        assert_eq!(TemplateShelf::new(Some("/nonexistent/templates".into())).read().unwrap().len(), SHIPPED.len());
    }

    #[track_caller]
    fn check(make: impl FnOnce(&Path), want: fn(&ShelfFault) -> bool) {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        let fault = folder(dir.path()).unwrap_err();
        assert!(want(&fault), "{fault}");
    }

    #[test]
    fn what_is_no_template_is_named() {
        check(|dir| symlink("/etc/passwd", dir.join("x")).unwrap(), |fault| matches!(fault, ShelfFault::Outside { .. }));
        check(|dir| symlink(dir, dir.join("loop")).unwrap(), |fault| matches!(fault, ShelfFault::TooMany { .. }));
        check(|dir| symlink("nowhere", dir.join("x")).unwrap(), |fault| matches!(fault, ShelfFault::Unreadable { .. }));
        check(
            |dir| fs::write(dir.join("x"), vec![b'x'; (FILE_LIMIT_BYTES + 1) as usize]).unwrap(),
            |fault| matches!(fault, ShelfFault::TooLarge { .. }),
        );
        check(|dir| fs::write(dir.join("x"), b"ab\xff").unwrap(), |fault| matches!(fault, ShelfFault::NotText { at: 2, .. }));
        check(|dir| drop(std::os::unix::net::UnixListener::bind(dir.join("x")).unwrap()), |fault| matches!(fault, ShelfFault::NotAFile { .. }));
    }

    #[test]
    fn a_link_within_the_folder_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "text").unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert_eq!(folder(dir.path()).unwrap()["b"].text, "text");
    }
}
