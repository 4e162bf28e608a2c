//! A site goes back to yesterday: what was open then is closed, what was offered is kept back, and the commands say so.
//!
//! The story and the commands on a stopped daemon; a running one is backed up and restored under load by tests/checks/faults.

use std::path::Path;

use bootwright::{
    app::{backup, start},
    model::{DiskState, Lifecycle},
    store::sqlite,
};

use crate::lab::{Lab, admin};

/// Backs the lab's daemon up as the API does, into a sealed file.
async fn take(lab: &Lab, to: &Path) {
    let mut copied = lab.house.backup(&admin(), lab.house.reading_turn().await).await.unwrap();
    let mut file = std::fs::File::create(to).unwrap();
    std::io::copy(&mut copied.file, &mut file).unwrap();
    sqlite::seal_file(to, copied.made).unwrap();
}

fn bootwright(words: &[&str]) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let line = std::iter::once("bootwright").chain(words.iter().copied()).map(Into::into);
    let code = bootwright::cli::run(line, &mut bootwright::cli::console::Console::plain(&mut out, &mut err));
    (code, String::from_utf8([out, err].concat()).unwrap())
}

#[tokio::test]
async fn a_build_that_was_open_in_the_backup_is_not_open_again() {
    let lab = Lab::new().await;
    lab.enable().await;
    let token = lab.token();
    let file = lab.config.state_dir.join("../yesterday");
    take(&lab, &file).await;
    let (_, session) = lab.power_on().await;
    lab.fetch_boot_files(session).await;
    lab.document(session).await.unwrap();
    assert!(!lab.config.state_dir.join("backup.part").exists(), "nothing of a backup stays on the server");
    let (config, world) = (lab.config.clone(), lab.world.clone());
    lab.house.store.close().await.unwrap();
    let restored = backup::restore(&file, &config.state_dir, &*world).await.unwrap();
    assert_eq!((restored.builds.as_slice(), restored.hosts), (&["n1".to_owned()][..], 1));
    let kept = restored.kept.clone().unwrap();

    let lab = lab.reopen().await;
    let host = lab.host();
    assert!(matches!(host.lifecycle, Lifecycle::Error { .. }) && host.open_build().is_none(), "{:?}", host.lifecycle);
    assert_eq!(host.disk_state, DiskState::Unknown);
    let (script, _) = lab.power_on().await;
    assert!(!script.text.contains(token.reveal()) && !script.text.contains("linux"), "{}", script.text);
    assert_eq!(lab.house.store.verify().await.unwrap(), []);
    let lines = lab.house.store.journal(Default::default()).await.unwrap();
    assert!(lines.iter().any(|line| line.text.contains("restored from the backup of")), "the journal says so");
    assert!(kept.file_name().unwrap().to_str().unwrap().starts_with("bootwright.db.before-restore-"));
}

#[tokio::test]
async fn the_commands_copy_check_and_restore_a_stopped_daemons_state() {
    let lab = Lab::new().await;
    let (config, folder) = (lab.config.clone(), tempfile::tempdir().unwrap());
    let state = config.state_dir.to_str().unwrap().to_owned();
    let file = folder.path().join("one").to_str().unwrap().to_owned();
    let (code, said) = bootwright(&["backup", &file, "--state-dir", &state]);
    assert!(code == 1 && said.contains("the daemon runs"), "{said}");
    lab.house.store.close().await.unwrap();

    let (code, said) = bootwright(&["backup", &file, "--state-dir", &state]);
    assert!(code == 0 && said.contains("bootwright restore"), "{said}");
    let (code, said) = bootwright(&["backup", &file, "--state-dir", &state]);
    assert!(code == 1 && said.contains("--replace"), "{said}");
    assert_eq!(bootwright(&["backup", &file, "--replace", "--state-dir", &state]).0, 0);
    for words in [&["verify", &file][..], &["verify", "--state-dir", &state]] {
        let (code, said) = bootwright(words);
        assert!(code == 0 && said.contains("is sound"), "{said}");
    }
    let (code, said) = bootwright(&["restore", &file, "--state-dir", &state]);
    assert!(code == 1 && said.contains("--replace"), "{said}");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[9_000] ^= 1;
    let spoiled = folder.path().join("spoiled").to_str().unwrap().to_owned();
    std::fs::write(&spoiled, bytes).unwrap();
    let (code, said) = bootwright(&["verify", &spoiled]);
    assert!(code == 1 && said.contains("not a whole backup"), "{said}");
}

#[tokio::test]
async fn a_restore_into_an_empty_folder_needs_no_replace_and_names_the_missing_key() {
    let lab = Lab::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one");
    take(&lab, &file).await;
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let words = ["restore", file.to_str().unwrap(), "--state-dir", state.to_str().unwrap()].map(str::to_owned);
    let (code, said) = tokio::task::spawn_blocking(move || bootwright(&words.iter().map(String::as_str).collect::<Vec<_>>())).await.unwrap();
    assert!(code == 0 && said.contains("server.key is not there") && said.contains("1 hosts"), "{said}");
    let config = bootwright::config::Config { state_dir: state, ..lab.config.clone() };
    let house = start::open_in(config, lab.world.clone()).await.unwrap();
    assert_eq!(house.store.hosts().unwrap().len(), 1);
}
