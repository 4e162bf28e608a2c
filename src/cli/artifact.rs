//! `bootwright artifact`: kernels, initrds and trees, listed and brought in.
//!
//! A file is streamed to the daemon, which hashes it on its way; a folder is brought in with everything below it. A version never changes:
//! what is there already with the same content is fine, with another content refused.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    Client, Console, Done, Fault,
    client::{segment, segments},
    table::{Table, bytes},
};
use crate::model::Name;

/// The commands on artifacts.
#[derive(Debug, clap::Subcommand)]
pub enum ArtifactCommand {
    /// List artifacts with their files
    #[command(after_help = "Example: bootwright artifact list")]
    List,
    /// Bring files or folders in as NAME/VERSION
    #[command(after_help = "Example: bootwright artifact import debian-12 20240211 linux initrd.gz")]
    Import {
        /// The artifact
        name: Name,
        /// Its version; a version never changes
        version: Name,
        /// Files keep their names; of a folder, the paths below it
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

#[derive(Deserialize)]
struct Version {
    name: String,
    version: String,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    size_bytes: u64,
    sha256: Option<String>,
}

impl ArtifactCommand {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        match self {
            Self::List => list(client, console),
            Self::Import { name, version, files } => {
                let wanted = files.iter().map(|path| below(path)).collect::<Result<Vec<_>, _>>()?;
                wanted.into_iter().flatten().try_for_each(|(path, file)| import(&name, &version, &path, &file, client, console))
            }
        }
    }
}

fn list(client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.list("/api/v1/artifacts", &[])?;
    if console.json(&reply)? {
        return Ok(());
    }
    let mut table = Table::new(["NAME", "VERSION", "PATH", "SIZE", "SHA256"], console.is_terminal);
    for version in reply.items::<Version>()? {
        for file in version.files {
            let sha256 = file.sha256.map_or_else(|| "-".to_owned(), |sha256| sha256.chars().take(16).collect());
            table.row([version.name.clone(), version.version.clone(), file.path, bytes(file.size_bytes), sha256]);
        }
    }
    console.table(&table, "no artifacts; `bootwright artifact import` brings kernels in")
}

/// The files to send, with their paths below the version.
fn below(path: &Path) -> Result<Vec<(String, PathBuf)>, Fault> {
    let mut found = Vec::new();
    if fs::metadata(path).map_err(Fault::file(path))?.is_dir() {
        walk(path, "", &mut found)?;
        found.sort();
    } else {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Fault::Usage(format!("{} has no name that a URL could say", path.display())))?;
        found.push((name.to_owned(), path.to_owned()));
    }
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) -> Done {
    for entry in fs::read_dir(folder).map_err(Fault::file(folder))? {
        let entry = entry.map_err(Fault::file(folder))?;
        let name = entry.file_name().into_string().map_err(|name| Fault::no(format_args!("{}: a name that is not UTF-8", name.display())))?;
        // Links to folders are not followed: a ring of them would never end.
        if entry.file_type().map_err(Fault::file(entry.path()))?.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), found)?;
        } else {
            found.push((format!("{prefix}{name}"), entry.path()));
        }
    }
    Ok(())
}

fn import(name: &Name, version: &Name, path: &str, file: &Path, client: &Client, console: &mut Console<'_>) -> Done {
    let open = fs::File::open(file).map_err(Fault::file(file))?;
    let reply = client.upload(&format!("/api/v1/artifacts/{}/{}/{}", segment(name), segment(version), segments(path)), &open)?;
    if console.json(&reply)? {
        return Ok(());
    }
    let told: File = reply.read()?;
    console.line(format_args!("{name}/{version}/{path}  {}  sha256 {}", bytes(told.size_bytes), told.sha256.unwrap_or_default()))
}
