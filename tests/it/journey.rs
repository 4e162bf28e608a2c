//! Whole journeys through the stories: a build from "enable" to local boot, circles, restarts, and every doubt on the way.
//!
//! What is asserted is what a person would ask: which stage, which state, what the console says, what the journal holds.

use bootwright::{
    app::{Calendar, Failure, Refusal, artifact::FetchEnd, build::BuildAsk},
    model::{BuildEnd, DiskState, IssueKind, Lifecycle, Report, Stage},
    store::{JournalFilter, fold},
};

use crate::lab::{Lab, admin};

fn refusal<T: std::fmt::Debug>(told: bootwright::app::Told<T>) -> Refusal {
    match told.unwrap_err() {
        Failure::Refusal(refusal) => refusal,
        Failure::Fault(fault) => panic!("a fault instead of a refusal: {fault}"),
    }
}

#[tokio::test]
async fn a_machine_goes_from_enable_build_to_its_own_disk() {
    let lab = Lab::new().await;
    lab.enable().await;
    let (script, session) = lab.power_on().await;
    assert_eq!(script.word, "install", "{}", script.text);
    assert!(session.is_some(), "the script names its session: {}", script.text);
    assert_eq!(lab.newest().stage, Stage::IpxeScriptSent);
    lab.fetch_boot_files(session).await;
    assert_eq!(lab.newest().stage, Stage::KernelInitrdSent);
    let document = lab.document(session).await.unwrap();
    assert!(String::from_utf8_lossy(&document.bytes).contains("host n1"));
    assert_eq!(lab.newest().stage, Stage::ProvisionTemplateSent);
    assert!(lab.call(Report::Started).await.applied);
    assert_eq!(lab.newest().stage, Stage::PreRunning);
    assert!(lab.call(Report::Built).await.applied);
    assert_eq!((lab.newest().stage, lab.newest().end), (Stage::Built, Some(BuildEnd::Built)));
    assert_eq!((&lab.host().lifecycle, &lab.host().disk_state), (&Lifecycle::Used, &DiskState::Dirty));
    let (script, _) = lab.power_on().await;
    assert_eq!(script.word, "local", "{}", script.text);
    assert_eq!(lab.newest().stage, Stage::LocalBoot);
    assert!(lab.host().issues.is_empty(), "{:?}", lab.host().issues);
}

#[tokio::test]
async fn files_that_arrived_for_one_build_do_not_move_the_next() {
    let lab = Lab::new().await;
    lab.enable().await;
    let (_, session) = lab.power_on().await;
    let fetches = lab.ask_for_boot_files(session).await;
    assert_eq!(fetches.len(), 2);
    // Meanwhile, before the disk had written their ends down:
    lab.house.cancel_build(&admin(), lab.newest().id).await.unwrap();
    lab.enable().await;
    for fetch in &fetches {
        lab.house.fetch_ended(fetch, FetchEnd::Whole).await.unwrap();
    }
    assert_eq!(lab.newest().stage, Stage::BuildEnabled);
    let filter = JournalFilter { kind: Some("transfer".into()), ..JournalFilter::default() };
    assert_eq!(lab.house.journal(filter).await.unwrap().len(), 2, "they did arrive");
}

#[tokio::test]
async fn without_a_build_nothing_that_installs_is_served() {
    let lab = Lab::new().await;
    let (script, session) = lab.power_on().await;
    assert_eq!(script.word, "local");
    let kernel = "os/1/linux".parse().unwrap();
    let told = lab.house.artifact(&kernel, lab.host().session().map(|one| one.id).or(session), "10.77.0.100".parse().unwrap()).await;
    assert_eq!(refusal(told.map(|_| ())).code(), "closed");
}

#[tokio::test]
async fn a_template_asked_again_from_new_boots_is_a_loop_and_halts() {
    let lab = Lab::new().await;
    lab.enable().await;
    for boot in 1..=4 {
        let (script, session) = lab.power_on().await;
        if boot == 4 {
            assert_eq!(script.word, "hold", "{}", script.text);
            assert!(script.text.contains("Template loop"), "{}", script.text);
            break;
        }
        assert_eq!(script.word, "install", "boot {boot}: {}", script.text);
        lab.fetch_boot_files(session).await;
        lab.document(session).await.unwrap();
        assert_eq!(lab.newest().loops.count, boot - 1);
    }
    let host = lab.host();
    assert!(matches!(host.lifecycle, Lifecycle::Error { .. }), "{:?}", host.lifecycle);
    assert!(host.issues.iter().any(|issue| issue.kind == IssueKind::BootLoop));
    assert_eq!(refusal(lab.document(None).await).code(), "closed");
    let retried = lab.house.retry_build(&admin(), lab.newest().id, &BuildAsk { confirm: Some("n1".into()), ..BuildAsk::default() }).await.unwrap();
    assert!(retried.fresh);
    assert_eq!(lab.power_on().await.0.word, "install");
}

#[tokio::test]
async fn many_fetches_within_one_boot_are_no_loop_and_get_the_same_bytes() {
    let lab = Lab::new().await;
    lab.enable().await;
    let (_, session) = lab.power_on().await;
    let first = lab.document(session).await.unwrap();
    for _ in 0..10 {
        lab.world.pass(1);
        assert_eq!(lab.document(session).await.unwrap().bytes, first.bytes);
    }
    assert_eq!(lab.newest().loops.count, 0);
    assert_eq!(lab.newest().used["answer"].count, 11);
    assert_eq!(lab.newest().served.len(), 1);
}

#[tokio::test]
async fn a_stale_token_opens_nothing_and_changes_nothing() {
    let lab = Lab::new().await;
    lab.enable().await;
    let old = lab.token();
    lab.house.cancel_build(&admin(), lab.newest().id).await.unwrap();
    lab.enable().await;
    let heard = lab.house.callback(&old, None, &bootwright::model::Callback { report: Report::Built, text: String::new() }).await.unwrap();
    assert!(!heard.applied);
    assert_eq!(lab.newest().stage, Stage::BuildEnabled);
    let guessed = bootwright::model::Token::parse("aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
    let told = lab.house.callback(&guessed, None, &bootwright::model::Callback { report: Report::Built, text: String::new() }).await;
    assert_eq!(refusal(told).code(), "not_found");
}

#[tokio::test]
async fn a_build_survives_a_restart_with_its_token_stage_and_deadline() {
    let lab = Lab::new().await;
    lab.enable().await;
    let (_, session) = lab.power_on().await;
    let (token, before) = (lab.token().reveal().to_owned(), lab.newest());
    let lab = lab.restart().await;
    assert_eq!(lab.newest(), before);
    assert_eq!(lab.token().reveal(), token);
    lab.fetch_boot_files(session).await;
    lab.document(session).await.unwrap();
    lab.call(Report::Built).await;
    assert_eq!(lab.newest().end, Some(BuildEnd::Built));
}

#[tokio::test]
async fn a_deadline_that_passed_while_the_daemon_was_down_is_told_at_its_start() {
    let lab = Lab::new().await;
    lab.enable().await;
    lab.power_on().await;
    let lab = lab.restart().await;
    lab.world.pass(3600);
    lab.house.sweep(&mut Calendar::default()).await.unwrap();
    let host = lab.host();
    assert!(matches!(&host.lifecycle, Lifecycle::Error { .. }), "{:?}", host.lifecycle);
    assert!(matches!(&lab.newest().end, Some(BuildEnd::Failed { .. })), "{:?}", lab.newest().end);
    assert_eq!(lab.power_on().await.0.word, "hold");
}

#[tokio::test]
async fn a_second_enable_is_refused_and_the_same_key_gets_the_same_build() {
    let lab = Lab::new().await;
    let ask = BuildAsk { confirm: Some("n1".into()), ..BuildAsk::default() };
    let first = lab.house.enable_build(&admin(), "n1", None, &ask, Some("key")).await.unwrap();
    let again = lab.house.enable_build(&admin(), "n1", None, &ask, Some("key")).await.unwrap();
    assert_eq!((first.build.id, first.fresh, again.fresh), (again.build.id, true, false));
    let refused = refusal(lab.house.enable_build(&admin(), "n1", None, &ask, Some("other")).await);
    assert!(refused.to_string().contains(&first.build.id.to_string()), "{refused}");
}

#[tokio::test]
async fn a_used_host_is_not_installed_without_its_name() {
    let lab = Lab::new().await;
    for confirm in [None, Some("n2".to_owned())] {
        let ask = BuildAsk { confirm, ..BuildAsk::default() };
        let refused = refusal(lab.house.enable_build(&admin(), "n1", None, &ask, None).await);
        assert!(refused.to_string().contains("n1"), "{refused}");
    }
    assert_eq!(lab.host().lifecycle, Lifecycle::Used);
    assert!(lab.host().build.is_none());
}

#[tokio::test]
async fn a_preflight_stops_a_build_whose_kernel_is_missing_or_whose_template_fails() {
    let lab = Lab::with_profile(serde_json::json!({ "kernel": "os/2/linux" })).await;
    let ask = BuildAsk { confirm: Some("n1".into()), ..BuildAsk::default() };
    let refused = refusal(lab.house.enable_build(&admin(), "n1", None, &ask, None).await);
    assert!(refused.to_string().contains("os/2/linux"), "{refused}");
    assert_eq!(lab.host().lifecycle, Lifecycle::Used);

    let lab = Lab::with_profile(serde_json::json!({ "args": "{{ params.nothing_here }}" })).await;
    let refused = refusal(lab.house.enable_build(&admin(), "n1", None, &ask, None).await);
    assert_eq!(refused.code(), "preflight");

    let lab = Lab::with_profile(serde_json::json!({ "documents": { "ks.cfg": "kickstart/nope.ks" } })).await;
    let refused = refusal(lab.house.enable_build(&admin(), "n1", None, &ask, None).await);
    let Refusal::Preflight(findings) = &refused else { panic!("{refused}") };
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert!(codes.contains(&"template_missing") && !codes.contains(&"no_callback"), "what is not there is not said to call nobody: {codes:?}");
}

#[tokio::test]
async fn a_stranger_is_sent_to_its_disk_and_noted() {
    let lab = Lab::new().await;
    let ask = bootwright::app::script::ScriptAsk {
        mac: Some("52:54:00:00:00:99".parse().unwrap()),
        uuid: None,
        serial: None,
        arch: None,
        session: None,
        peer: "10.77.0.150".parse().unwrap(),
        server: "10.77.0.1".parse().unwrap(),
    };
    let script = lab.house.script(&ask).await;
    assert_eq!(script.word, "unknown");
    assert!(script.text.starts_with("#!ipxe"), "{}", script.text);
    assert!(script.text.contains("echo See ........ bootwright journal\n"), "it names something that is there: {}", script.text);
    let entries = lab.house.journal(JournalFilter { kind: Some("refused".into()), ..JournalFilter::default() }).await.unwrap();
    assert!(entries.iter().any(|entry| entry.text.contains("stranger")), "{entries:?}");
}

#[tokio::test]
async fn a_host_that_comes_back_again_and_again_after_built_is_in_a_local_boot_loop() {
    let lab = Lab::new().await;
    lab.enable().await;
    let (_, session) = lab.power_on().await;
    lab.fetch_boot_files(session).await;
    lab.document(session).await.unwrap();
    lab.call(Report::Built).await;
    for _ in 0..6 {
        assert_eq!(lab.power_on().await.0.word, "local");
    }
    let issue = lab.host().issues.iter().find(|issue| issue.kind == IssueKind::BootLoop).cloned();
    assert!(issue.is_some_and(|issue| issue.text.contains("Local-boot loop")), "{:?}", lab.host().issues);
}

#[tokio::test]
async fn the_journal_folds_to_the_row() {
    let lab = Lab::new().await;
    lab.enable().await;
    let (_, session) = lab.power_on().await;
    lab.fetch_boot_files(session).await;
    lab.document(session).await.unwrap();
    lab.call(Report::Started).await;
    lab.call(Report::Built).await;
    lab.power_on().await;
    let filter = JournalFilter { host: Some(lab.host().id), limit: 10_000, ..JournalFilter::default() };
    let entries = lab.house.journal(filter).await.unwrap();
    let folded = fold(entries.iter()).unwrap().unwrap();
    assert_eq!(folded, serde_json::to_value(&*lab.host()).unwrap());
}

#[tokio::test]
async fn an_explanation_and_a_preview_change_nothing_and_show_no_secret() {
    let lab = Lab::with_profile(serde_json::json!({ "params": { "password": { "secret": "hunter2" } } })).await;
    lab.enable().await;
    let before = lab.host();
    let told = serde_json::to_string(&lab.house.explain("n1").unwrap()).unwrap();
    assert!(!told.contains("hunter2") && !told.contains(lab.token().reveal()), "{told}");
    assert!(told.contains("profile os"), "{told}");
    let preview = lab.house.preview("n1", "answer", bootwright::app::scene::Secrets::Hidden).unwrap();
    assert!(preview.contains("/cb/TOKEN/built"), "{preview}");
    assert_eq!(*lab.host(), *before);
}

#[tokio::test]
async fn a_rearmed_build_begins_again_without_a_loop() {
    let lab = Lab::new().await;
    lab.enable().await;
    lab.house.rearm_build(&admin(), lab.newest().id).await.unwrap();
    for _ in 0..4 {
        let (script, session) = lab.power_on().await;
        assert_eq!(script.word, "install", "{}", script.text);
        lab.fetch_boot_files(session).await;
        lab.document(session).await.unwrap();
        assert_eq!(lab.newest().loops.count, 0);
        lab.house.rearm_build(&admin(), lab.newest().id).await.unwrap();
    }
    assert!(lab.host().issues.is_empty());
}
