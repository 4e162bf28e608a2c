//! libFuzzer around one target, which FUZZ_TARGET names.
//!
//! `tests/checks/fuzz` builds it with counted edges and starts it. By itself it is libFuzzer as its manual describes it: files are tried,
//! folders are corpora.

#![no_main]

use std::{
    env,
    io::{self, Write},
    path::Path,
    process,
    sync::OnceLock,
};

use fuzz::{Target, corpus};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn target() -> &'static Target {
    TARGET.get_or_init(|| {
        let name = env::var("FUZZ_TARGET").unwrap_or_default();
        let names: Vec<&str> = fuzz::TARGETS.iter().map(|target| target.name).collect();
        fuzz::find(&name).unwrap_or_else(|| panic!("FUZZ_TARGET={name}: there are {}", names.join(", ")))
    })
}

/// FUZZ_LIST=1: the targets are told, and that is all. FUZZ_UNPACK=FOLDER: seeds and kept inputs are laid there before anything else. FUZZ_PACK=FOLDER: its files become the kept inputs, and that is all.
fn prepare() {
    if env::var_os("FUZZ_LIST").is_some() {
        fuzz::TARGETS.iter().for_each(|target| told(target).expect("a standard output"));
        process::exit(0);
    }
    let target = target();
    if let Some(folder) = env::var_os("FUZZ_UNPACK") {
        corpus::unpack(target, Path::new(&folder)).expect("a folder for the seeds");
    }
    if let Some(folder) = env::var_os("FUZZ_PACK") {
        corpus::pack(target, Path::new(&folder)).expect("inputs that can be kept");
        process::exit(0);
    }
}

fn told(target: &Target) -> io::Result<()> {
    writeln!(io::stdout(), "{} {} {}", target.name, target.most_bytes, target.what)
}

libfuzzer_sys::fuzz_target!(init: prepare(), |input: &[u8]| target().run(input));
