//! The story of a check before the start: do the folders, the key, the loaders, the templates, the artifacts and the live image hold
//! what the daemon needs?
//!
//! It reads what the start would read and writes nothing. Sockets and privileges are the caller's; the settings were read before.

use std::{
    fmt, fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use crate::{
    config::Config,
    model::{Arch, Severity},
    rules::{lint, loaders},
    store::shelf::{
        artifacts::Artifacts,
        live::{LiveFault, LiveImage},
        loaders::Loaders,
        templates::TemplateShelf,
    },
};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good.
    Ok,
    /// The daemon works, but somebody should look.
    Warn,
    /// The daemon cannot do its work.
    Fail,
}

/// One check and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it went.
    pub level: Level,
    /// What was looked at.
    pub what: String,
    /// What was found, and what to do.
    pub text: String,
}

impl Line {
    /// It is good.
    pub fn ok(what: impl fmt::Display, text: impl fmt::Display) -> Self {
        Self { level: Level::Ok, what: what.to_string(), text: text.to_string() }
    }

    /// Somebody should look.
    pub fn warn(what: impl fmt::Display, text: impl fmt::Display) -> Self {
        Self { level: Level::Warn, ..Self::ok(what, text) }
    }

    /// It is not good.
    pub fn fail(what: impl fmt::Display, text: impl fmt::Display) -> Self {
        Self { level: Level::Fail, ..Self::ok(what, text) }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        write!(f, "{word:<4}  {}: {}", self.what, self.text)
    }
}

/// Everything that lies in files.
pub fn files(config: &Config) -> Vec<Line> {
    let mut lines = vec![state_folder(&config.state_dir)];
    lines.extend(secret(&config.key_file(), "server key"));
    lines.extend(secret(&config.admin_token_file(), "admin token"));
    loader_lines(&Loaders::find(&config.paths.loaders), &mut lines);
    lines.extend(templates(config));
    lines.push(artifacts(&config.artifacts()));
    lines.push(live(&config.live()));
    lines
}

fn state_folder(path: &Path) -> Line {
    let what = format!("state folder {}", path.display());
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => Line::fail(what, "is not a folder; name another in state_dir"),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => Line::warn(what, "others can look into it; the start makes it private (0700)"),
        Ok(found) => Line::ok(what, format_args!("private, owned by user {}", found.uid())),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => missing_folder(path, &what),
        Err(fault) => Line::fail(what, format_args!("{fault}; give it to the daemon's user")),
    }
}

/// The start makes the folder if it can; whether it can is its nearest ancestor's say.
fn missing_folder(path: &Path, what: &str) -> Line {
    let parent = path.ancestors().skip(1).find(|parent| parent.exists()).unwrap_or(Path::new("/"));
    let may_write = nix::unistd::access(if parent.as_os_str().is_empty() { Path::new(".") } else { parent }, nix::unistd::AccessFlags::W_OK);
    match may_write {
        Ok(()) => Line::ok(what, "will be made at the first start"),
        Err(fault) => {
            Line::fail(what, format_args!("is not there and cannot be made in {}: {fault}; create it for the daemon's user", parent.display()))
        }
    }
}

fn secret(path: &Path, what: &str) -> Option<Line> {
    let what = format!("{what} {}", path.display());
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Some(Line::fail(what, format_args!("others can read it; chmod 600 {}", path.display())))
        }
        Ok(_) => Some(Line::ok(what, "private")),
        // Made at the first start; an admin may have taken the token away.
        Err(_) => None,
    }
}

fn loader_lines(shelf: &Loaders, lines: &mut Vec<Line>) {
    lines.extend(shelf.faults().iter().map(|fault| Line::warn("loaders", fault)));
    let common = [Arch::Bios, Arch::X64];
    let rare = [Arch::Arm64, Arch::Ia32, Arch::Arm32, Arch::Riscv, Arch::Loongarch];
    for arch in common.into_iter().chain(rare) {
        let word = serde_json::to_value(arch).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
        let what = format!("loader for {word}");
        match loaders::choose(arch, None, &|name| shelf.has(name)) {
            Ok(name) => {
                let path = shelf.get(name).map(|loader| loader.path.display().to_string()).unwrap_or_default();
                lines.push(Line::ok(what, format_args!("{name} ({path})")));
            }
            Err(_) => {
                let name = loaders::names(arch).first().copied().unwrap_or_default();
                let text = format!("none; to serve such machines: {}", Loaders::hint(name));
                // Machines of this kind are everywhere, the others are not.
                lines.push(if common.contains(&arch) { Line::warn(what, text) } else { Line::ok(what, text) });
            }
        }
    }
}

fn templates(config: &Config) -> Vec<Line> {
    let shelf = TemplateShelf::new(config.templates());
    let place = config.templates().map_or_else(|| "shipped only".to_owned(), |path| format!("shipped and {}", path.display()));
    let sources = match shelf.read() {
        Ok(sources) => sources,
        Err(fault) => return vec![Line::fail("templates", fault)],
    };
    let count = sources.len();
    let findings = lint::set(sources);
    let bad = findings.iter().any(|finding| finding.severity == Severity::Error);
    let told = |finding: &crate::model::Finding| match finding.severity {
        Severity::Error => Line::fail("template", &finding.fault),
        Severity::Warning => Line::warn("template", &finding.fault),
    };
    let mut lines: Vec<Line> = findings.iter().map(told).collect();
    if !bad {
        lines.push(Line::ok("templates", format_args!("{count} parse ({place})")));
    }
    lines
}

fn artifacts(root: &Path) -> Line {
    let what = format!("artifacts {}", root.display());
    match root.try_exists() {
        Ok(true) => {}
        Ok(false) => return Line::warn(what, "not there yet; `bootwright artifact import NAME VERSION FILE…` brings kernels in"),
        Err(fault) => return Line::fail(what, format_args!("cannot be looked at: {fault}; run the check as the daemon's user or as root")),
    }
    match Artifacts::look(root).list() {
        Ok(versions) if versions.is_empty() => Line::warn(what, "empty; `bootwright artifact import NAME VERSION FILE…` brings kernels in"),
        Ok(versions) => {
            let files: usize = versions.iter().map(|version| version.files.len()).sum();
            let names: Vec<String> = versions.iter().map(|version| format!("{}/{}", version.name, version.version)).collect();
            Line::ok(what, format_args!("{files} files in {}", names.join(", ")))
        }
        Err(fault) => Line::fail(what, fault),
    }
}

fn live(folder: &Path) -> Line {
    let what = format!("live image {}", folder.display());
    match LiveImage::open(folder) {
        Ok(image) => Line::ok(what, format_args!("{}, agent {}, whole", image.version, image.agent)),
        Err(fault @ LiveFault::NoManifest(_)) => Line::warn(what, format_args!("{fault}; without one no machine is registered or wiped")),
        Err(fault) => Line::fail(what, fault),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Settings over an empty folder, with site templates and artifacts in it.
    fn site() -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { state_dir: folder.path().join("state"), ..Config::default() };
        config.paths.templates = Some(folder.path().join("templates"));
        config.paths.artifacts = Some(folder.path().join("artifacts"));
        (folder, config)
    }

    #[track_caller]
    fn check(config: &Config, level: Level, what: &str, text: &str) {
        let lines = files(config);
        let fits = |line: &&Line| line.level == level && line.what.contains(what) && line.text.contains(text);
        assert!(lines.iter().any(|line| fits(&line)), "{level:?} {what} {text}: {lines:#?}");
    }

    #[test]
    fn artifacts_that_cannot_be_looked_at_are_not_called_absent() {
        let (folder, mut config) = site();
        let file = folder.path().join("a-file");
        fs::write(&file, "").unwrap();
        config.paths.artifacts = Some(file.join("artifacts"));
        check(&config, Level::Fail, "artifacts", "cannot be looked at");
    }

    #[test]
    fn a_site_before_its_first_start_can_be_started_and_nothing_is_made() {
        let (folder, config) = site();
        check(&config, Level::Ok, "state folder", "will be made");
        check(&config, Level::Ok, "templates", "parse");
        check(&config, Level::Warn, "artifacts", "artifact import");
        assert!(files(&config).iter().all(|line| line.level != Level::Fail));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_live_image_is_worth_a_look_and_a_broken_one_fails() {
        let (_folder, config) = site();
        check(&config, Level::Warn, "live image", "make image");
        fs::create_dir_all(config.live()).unwrap();
        fs::write(config.live().join("manifest.json"), "{").unwrap();
        check(&config, Level::Fail, "live image", "manifest.json");
    }

    #[test]
    fn a_secret_that_others_can_read_fails() {
        let (_folder, config) = site();
        fs::create_dir_all(&config.state_dir).unwrap();
        check(&config, Level::Warn, "state folder", "0700");
        fs::write(config.key_file(), "k").unwrap();
        fs::set_permissions(config.key_file(), fs::Permissions::from_mode(0o644)).unwrap();
        check(&config, Level::Fail, "server key", "chmod 600");
        fs::set_permissions(config.key_file(), fs::Permissions::from_mode(0o600)).unwrap();
        check(&config, Level::Ok, "server key", "private");
    }

    #[test]
    fn a_state_folder_that_is_a_file_fails() {
        let (_folder, config) = site();
        fs::write(&config.state_dir, "").unwrap();
        check(&config, Level::Fail, "state folder", "is not a folder");
    }

    #[test]
    fn a_template_with_a_mistake_fails_with_its_place() {
        let (_folder, config) = site();
        let own = config.paths.templates.clone().unwrap();
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("own.ks"), "one\n{% if %}\n").unwrap();
        check(&config, Level::Fail, "template", "own.ks:2:");
    }

    #[test]
    fn artifacts_are_listed_and_arrivals_under_way_left_alone() {
        let (_folder, config) = site();
        let root = config.artifacts();
        fs::create_dir_all(root.join("debian-12/1")).unwrap();
        fs::create_dir_all(root.join(".arriving")).unwrap();
        fs::write(root.join("debian-12/1/linux"), "kernel").unwrap();
        fs::write(root.join(".arriving/0"), "half").unwrap();
        check(&config, Level::Ok, "artifacts", "1 files in debian-12/1");
        assert!(root.join(".arriving/0").exists());
    }

    #[test]
    fn a_loader_that_is_missing_says_what_to_install() {
        let mut lines = Vec::new();
        loader_lines(&Loaders::find_in(&[PathBuf::from("/nonexistent/loaders")], &[]), &mut lines);
        let find = |what: &str| lines.iter().find(|line| line.what == what).unwrap();
        assert!(find("loader for bios").level == Level::Warn && find("loader for bios").text.contains("apt install ipxe"));
        assert_eq!((find("loader for riscv").level, find("loaders").level), (Level::Ok, Level::Warn));
    }
}
