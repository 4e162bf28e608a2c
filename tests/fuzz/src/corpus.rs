//! What a target begins with: seeds, made from the project's goldens, and the inputs that earlier runs found worth keeping.
//!
//! Kept inputs are lines of `corpus/TARGET`, bytes that are not printable escaped as Rust does it, so that a change of them can be read. They are
//! the ones that reach something no other reaches (libFuzzer's `-merge`), and every input that ever broke a promise.

use std::{fs, io, path::Path};

use crate::{Target, seeds};

/// Seeds and kept inputs of a target.
pub fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let mut inputs = seeds::of(target.name);
    inputs.extend(kept(target));
    inputs
}

fn file(target: &Target) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn kept(target: &Target) -> Vec<Vec<u8>> {
    let path = file(target);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => String::new(),
        Err(fault) => panic!("{}: {fault}", path.display()),
    };
    text.lines().map(|line| unescape(line).unwrap_or_else(|| panic!("{}: {line:?}", path.display()))).collect()
}

/// Writes them as files, as libFuzzer reads a corpus.
pub fn unpack(target: &Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, input) in inputs(target).iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), input)?;
    }
    Ok(())
}

/// The files of a folder become the kept inputs, but for those that are seeds.
pub fn pack(target: &Target, folder: &Path) -> io::Result<()> {
    let seeds = seeds::of(target.name);
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let input = fs::read(entry?.path())?;
        if !seeds.contains(&input) {
            lines.push(format!("{}\n", input.escape_ascii()));
        }
    }
    lines.sort_by_key(|line| (line.len(), line.clone()));
    fs::create_dir_all(file(target).parent().unwrap_or(Path::new(".")))?;
    fs::write(file(target), lines.concat())
}

/// What [`slice::escape_ascii`] wrote.
fn unescape(line: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match first {
            b'\\' => {
                let (letter, tail) = rest.split_first()?;
                rest = tail;
                match letter {
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b'\'' | b'"' | b'\\' => *letter,
                    b'x' => {
                        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                        rest = &rest[2..];
                        u8::from_str_radix(digits, 16).ok()?
                    }
                    _ => return None,
                }
            }
            byte => *byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_kept_as_it_was() {
        let every: Vec<u8> = (0..=255).chain(*b"\\x41\\n'\"").collect();
        assert_eq!(unescape(&every.escape_ascii().to_string()), Some(every));
        assert_eq!(unescape("\\q"), None);
    }
}
