//! `bootwright image check` as a person types it: a whole image is told, a broken one refused with what to do.
//!
//! The images here have a kernel and an initramfs of a few bytes; every single refusal is beside `store::shelf::live`, and what `make image`
//! builds is looked at by `tests/checks/image`.

use std::{fs, path::Path};

use bootwright::model::token::sha256_hex;
use serde_json::{Value, json};

use super::cli::{Ran, run};

/// A folder with a whole image.
fn whole() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let entry = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        json!({"sha256": sha256_hex(text.as_bytes()), "size_bytes": text.len()})
    };
    let manifest = json!({
        "format": 1, "version": "6.1.0-9-amd64-0123abcd", "architecture": "x86_64", "protocol": 1, "agent": "0.1.0", "kernel": "6.1.0-9-amd64",
        "files": {"vmlinuz": entry("vmlinuz", "kernel"), "initrd": entry("initrd", "initramfs")}, "packages": {"hdparm": "9.65+ds-1"},
    });
    fs::write(folder.path().join("manifest.json"), manifest.to_string()).unwrap();
    folder
}

/// No daemon is asked: nobody listens on port 1.
fn image(words: &str) -> Ran {
    run("http://127.0.0.1:1", Path::new("/nonexistent"), &format!("image {words}"))
}

#[test]
fn a_whole_image_is_told_with_version_sizes_and_packages() {
    let folder = whole();
    let ran = image(&format!("check {}", folder.path().display()));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for part in ["6.1.0-9-amd64-0123abcd", "is whole", "agent 0.1.0, protocol 1", "vmlinuz  6 B", &sha256_hex(b"initramfs"), "packages: 1"] {
        assert!(ran.out.contains(part), "{}\n lacks {part}", ran.out);
    }
    assert!(!ran.out.contains("hdparm"), "{}", ran.out);
    let listed = image(&format!("check -v {}", folder.path().display())).out;
    assert!(listed.contains("hdparm") && listed.contains("9.65+ds-1"), "{listed}");
    let told: Value = serde_json::from_str(&image(&format!("check {} --json", folder.path().display())).out).unwrap();
    assert_eq!((&told["files"]["initrd"]["size_bytes"], &told["packages"]["hdparm"]), (&json!(9), &json!("9.65+ds-1")));
}

#[test]
fn a_broken_image_is_refused_with_the_file_and_the_way_out() {
    let folder = whole();
    fs::write(folder.path().join("initrd"), "initramfz").unwrap();
    let ran = image(&format!("check {}", folder.path().display()));
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("initrd is not the file of the manifest") && ran.err.contains("make image"), "{}", ran.err);
}

#[test]
fn without_a_folder_the_settings_say_which() {
    let folder = whole();
    let settings = folder.path().join("bootwright.toml");
    fs::write(&settings, format!("[paths]\nlive = '{}'\n", folder.path().display())).unwrap();
    assert!(image(&format!("check -c {}", settings.display())).out.contains("is whole"));
    fs::write(&settings, "[paths]\nlive = '/nonexistent/live'\n").unwrap();
    let ran = image(&format!("check -c {}", settings.display()));
    assert!(ran.code == 1 && ran.err.contains("/nonexistent/live/manifest.json"), "{}", ran.err);
}
