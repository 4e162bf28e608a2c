//! The land in which guards are weakened: a crate with the nouns, the lifecycle, what shows and boots a host, and their tests.
//!
//! It has the repository's manifest and lock file, so its dependencies are the ones that are built already. The tests are the
//! repository's own files, by path.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_else(|_| PathBuf::from("."))
}

/// What of `src/rules` is in the crate, beside the lifecycle.
const RULES: [&str; 5] = ["boot", "display", "expiry", "inherit", "loops"];

/// The tests, by their modules in `tests/it`.
const TESTS: [&str; 7] =
    ["lifecycle_samples", "lifecycle_rows", "lifecycle_guards", "lifecycle_grid", "lifecycle_invariants", "lifecycle_histories", "states"];

/// A crate.
pub struct Land {
    place: PathBuf,
}

type Done<T> = Result<T, String>;

fn told<T>(what: &str, path: &Path, done: io::Result<T>) -> Done<T> {
    done.map_err(|fault| format!("{what} {}: {fault}", path.display()))
}

/// The lifecycle as it is, optimised.
pub fn plain(place: &Path) -> Done<Land> {
    let land = Land::new(place, 3)?;
    for file in files(&root().join("src/rules/lifecycle"))? {
        land.write(&format!("src/rules/lifecycle/{}", name(&file)), &read(&file)?)?;
    }
    Ok(land)
}

/// A file's own name.
pub fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A file's text.
pub fn read(path: &Path) -> Done<String> {
    told("cannot read", path, fs::read_to_string(path))
}

/// The Rust files of a folder.
pub fn files(folder: &Path) -> Done<Vec<PathBuf>> {
    let entries = told("cannot list", folder, fs::read_dir(folder))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
    files.sort();
    Ok(files)
}

impl Land {
    /// Everything but the lifecycle itself.
    pub fn new(place: &Path, opt_level: u8) -> Done<Self> {
        let land = Self { place: place.to_owned() };
        let root = root();
        land.write("Cargo.toml", &manifest(&read(&root.join("Cargo.toml"))?, opt_level))?;
        land.write("Cargo.lock", &read(&root.join("Cargo.lock"))?)?;
        for (link, to) in [
            ("src/model", "src/model"),
            ("tests/golden", "tests/golden"),
            ("docs", "docs"),
            ("src/rules/wipe.rs", "src/rules/wipe.rs"),
            ("src/rules/wipe", "src/rules/wipe"),
        ] {
            land.link(link, &root.join(to))?;
        }
        let mut rules = String::from("pub mod lifecycle;\npub mod wipe;\n");
        for rule in RULES {
            let path = root.join(format!("src/rules/{rule}.rs"));
            rules.push_str(&format!("#[path = {:?}] pub mod {rule};\n", path.display().to_string()));
        }
        land.write("src/rules/mod.rs", &rules)?;
        land.write("src/lib.rs", &format!("#![allow(warnings)]\npub mod model;\npub mod rules;\n{SWITCH}"))?;
        let mut tests = String::from("#![allow(warnings)]\n");
        for test in TESTS {
            let path = root.join(format!("tests/it/{test}.rs"));
            tests.push_str(&format!("#[path = {:?}] mod {test};\n", path.display().to_string()));
        }
        land.write("tests/life.rs", &tests)?;
        Ok(land)
    }

    /// Writes a file, if it is not so already: what is not touched is not compiled again.
    pub fn write(&self, path: &str, text: &str) -> Done<()> {
        let path = self.place.join(path);
        if fs::read_to_string(&path).is_ok_and(|have| have == text) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            told("cannot make", folder, fs::create_dir_all(folder))?;
        }
        told("cannot write", &path, fs::write(&path, text))
    }

    fn link(&self, path: &str, to: &Path) -> Done<()> {
        let path = self.place.join(path);
        if fs::read_link(&path).is_ok_and(|have| have == to) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            told("cannot make", folder, fs::create_dir_all(folder))?;
        }
        // Another checkout with the same target folder left its own.
        if path.is_symlink() {
            told("cannot remove", &path, fs::remove_file(&path))?;
        }
        told("cannot link", &path, std::os::unix::fs::symlink(to, &path))
    }

    /// Compiles the tests; where they are.
    pub fn build(&self) -> Done<PathBuf> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--offline", "--no-run", "--test", "life"]).current_dir(&self.place);
        let out = told("cannot run cargo in", &self.place, cargo.output())?;
        let said = String::from_utf8_lossy(&out.stderr);
        let binary = said.lines().find(|line| line.contains("Executable")).and_then(|line| line.split_once('(')).map(|(_, rest)| rest);
        match binary.and_then(|rest| rest.split_once(')')) {
            // Relative to where cargo ran.
            Some((binary, _)) if out.status.success() => Ok(self.place.join(binary)),
            _ => Err(format!("the crate in {} does not compile:\n{said}", self.place.display())),
        }
    }
}

/// The repository's manifest for a crate that stands alone.
fn manifest(text: &str, opt_level: u8) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line {
            _ if line.starts_with("members") => out.push_str("members = []"),
            _ if line.starts_with("default-members") => continue,
            "name = \"bootwright\"" => out.push_str("name = \"weakened\""),
            "[dependencies]" => out.push_str("[lib]\nname = \"bootwright\"\n\n[dependencies]"),
            "[profile.dev]" => out.push_str(&format!("[profile.dev]\nopt-level = {opt_level}")),
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// The switch: `MUTANT=n` weakens guard n. Without it nothing is weakened.
const SWITCH: &str = r#"
pub mod mutant {
    use std::sync::LazyLock;

    static CURRENT: LazyLock<usize> = LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0));

    pub fn is(number: usize) -> bool {
        *CURRENT == number
    }

    /// `bool` and `&bool`: `!` takes both.
    pub trait Held {
        fn held(self) -> bool;
    }

    impl Held for bool {
        fn held(self) -> bool {
            self
        }
    }

    impl Held for &bool {
        fn held(self) -> bool {
            *self
        }
    }

    pub fn bool(number: usize, held: impl Held) -> bool {
        match CURRENT.wrapping_sub(number) {
            0 => true,
            1 => false,
            _ => held.held(),
        }
    }

    pub fn or<T>(number: usize, held: T, other: T) -> T {
        if is(number) { other } else { held }
    }
}
"#;
