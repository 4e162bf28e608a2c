//! Bodies as installers really send them, and what they mean.
//!
//! Events are those of curtin, subiquity and cloud-init as their webhooks post them.

use super::*;

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const JSON: Option<&str> = Some("application/json; charset=utf-8");

fn said(report: &Report) -> String {
    match report {
        Report::Progress { word, stage } => format!("progress {word} {}", stage.map_or("-", Stage::word)),
        Report::Started => "started".into(),
        Report::Built => "built".into(),
        Report::Failed => "failed".into(),
        Report::FirstBoot => "firstboot".into(),
        Report::WillReboot => "reboot".into(),
        Report::Log => "log".into(),
    }
}

#[track_caller]
fn check(verb: &str, media_type: Option<&str>, body: &str, report: &str, text: &str) {
    let got = read(verb, media_type, body.as_bytes()).unwrap();
    assert_eq!((said(&got.report).as_str(), got.text.as_str()), (report, text));
}

#[track_caller]
fn event(body: &str, report: &str) -> String {
    let got = read("events", JSON, body.as_bytes()).unwrap();
    assert_eq!(said(&got.report), report);
    got.text
}

#[test]
fn every_verb_is_read_with_an_empty_body() {
    for verb in ["started", "built", "failed", "firstboot", "reboot", "log"] {
        check(verb, None, "", verb, "");
        check(verb, FORM, "", verb, "");
        check(verb, JSON, "{}", verb, "");
    }
}

#[test]
fn what_is_no_callback_is_named() {
    for verb in ["", "done", "built/now", "../built", "Built"] {
        assert_eq!(read(verb, None, b"").unwrap_err().0, verb, "{verb}");
    }
}

#[test]
fn progress_words_move_the_stages_that_only_a_callback_can_show() {
    check("progress/partitioning", None, "", "progress partitioning installing", "");
    check("progress/pre-running", None, "", "progress pre-running pre_running", "");
    check("progress/late", None, "", "progress late post_running", "");
    check("progress/coffee", None, "", "progress coffee -", "");
    // iPXE's mark just before `boot`.
    check("progress/kernel_initrd_sent", None, "", "progress kernel_initrd_sent kernel_initrd_sent", "");
    // A progress callback must not finish a build or fake what the server sees by itself.
    for word in ["built", "local_boot", "ipxe_script_sent"] {
        check(&format!("progress/{word}"), None, "", &format!("progress {word} -"), "");
    }
}

#[test]
fn a_log_keeps_its_newlines_whatever_its_label() {
    let log = "Traceback (most recent call last):\n  File \"x.py\", line 1\nOSError: a=b & c=d\n";
    check("failed", Some("text/plain"), log, "failed", log);
    check("failed", FORM, log, "failed", log);
    check("failed", JSON, log, "failed", log);
    check("failed", None, log, "failed", log);
}

#[test]
fn phone_home_is_read_as_a_form() {
    check("failed", FORM, "a=%+5", "failed", "a=%+5");
    let body = "pub_key_ed25519=ssh-ed25519+AAAAC3Nza+root%40n1%0A&instance_id=i-1&hostname=n1";
    check("firstboot", FORM, body, "firstboot", "pub_key_ed25519: ssh-ed25519 AAAAC3Nza root@n1\n\ninstance_id: i-1\nhostname: n1\n");
}

#[test]
fn a_single_text_field_is_the_text() {
    check("failed", FORM, "message=disk%20too+small", "failed", "disk too small");
    check("failed", JSON, r#"{"message": "disk too small\nsecond line"}"#, "failed", "disk too small\nsecond line");
    check("failed", JSON, r#""just this""#, "failed", "just this");
}

#[test]
fn json_without_words_is_shown_whole() {
    check("built", JSON, r#"{"fqdn":"n1.lab"}"#, "built", "{\n  \"fqdn\": \"n1.lab\"\n}");
}

#[test]
fn what_is_not_utf_8_is_kept_as_well_as_it_goes() {
    let got = read("failed", None, b"caf\xe9\nend").unwrap();
    assert_eq!(got.text, "caf\u{fffd}\nend");
}

#[test]
fn of_a_long_log_the_tail_is_kept_from_a_line_s_beginning() {
    let log: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
    let got = read("failed", Some("text/plain"), log.as_bytes()).unwrap().text;
    assert!(got.len() <= KEPT_BYTES && got.len() > KEPT_BYTES - 1024, "{}", got.len());
    assert!(got.starts_with("line ") && got.ends_with("line 19999\n"));
    let one_line = "é".repeat(KEPT_BYTES);
    assert_eq!(tail(&one_line).len(), KEPT_BYTES);
    assert_eq!(tail(&format!("x{one_line}")).len(), KEPT_BYTES);
}

#[test]
fn curtin_s_events_move_the_stage() {
    let start = r#"{"name": "cmd-install/stage-partitioning/builtin/cmd-block-meta", "description": "curtin command block-meta",
        "event_type": "start", "origin": "curtin", "timestamp": 1700000000.0, "level": "DEBUG"}"#;
    let text = event(start, "progress cmd-install/stage-partitioning/builtin/cmd-block-meta installing");
    assert_eq!(text, "start: curtin command block-meta");
    event(r#"{"name": "cmd-install/stage-early", "event_type": "start"}"#, "progress cmd-install/stage-early pre_running");
    event(r#"{"name": "cmd-install/stage-late", "event_type": "start"}"#, "progress cmd-install/stage-late post_running");
    let nested = "subiquity/Install/install/curtin_install/run_curtin_step/cmd-install/stage-late";
    event(&format!(r#"{{"name": "{nested}", "event_type": "start"}}"#), &format!("progress {nested} post_running"));
}

#[test]
fn subiquity_s_and_cloud_init_s_events_move_the_stage() {
    for (name, stage) in [
        ("subiquity/Early/run", "pre_running"),
        ("subiquity/Install/install", "installing"),
        ("subiquity/Install/install/postinstall/run_unattended_upgrades", "post_running"),
        ("subiquity/Late/run/command_0", "post_running"),
        ("subiquity/Meta/status_GET", "-"),
        ("subiquity/Installer", "-"),
        ("init-network/check-cache", "pre_running"),
        ("modules-config/config-apt-configure", "installing"),
        ("modules-final", "post_running"),
    ] {
        event(&format!(r#"{{"name": "{name}", "event_type": "start", "description": "d"}}"#), &format!("progress {name} {stage}"));
    }
}

#[test]
fn a_fail_that_ends_the_installation_is_a_failure_with_its_log() {
    let body = r#"{"name": "cmd-install", "description": "curtin command install", "event_type": "finish", "origin": "curtin",
        "timestamp": 1700000000.1, "level": "ERROR", "result": "FAIL",
        "files": [{"path": "/var/log/curtin/install.log", "encoding": "base64", "content": "bGluZSBvbmUKbGluZSB0d28K"}]}"#;
    let text = event(body, "failed");
    assert_eq!(text, "finish: curtin command install: FAIL\n==> /var/log/curtin/install.log <==\nline one\nline two\n");
    event(r#"{"name": "modules-final", "event_type": "finish", "origin": "cloudinit", "result": "FAIL"}"#, "failed");
    event(r#"{"name": "subiquity/Late/run", "event_type": "finish", "result": "FAIL"}"#, "failed");
}

#[test]
fn a_fail_the_installer_goes_on_after_is_progress() {
    let name = "subiquity/Refresh/check_for_update";
    let text = event(&format!(r#"{{"name": "{name}", "event_type": "finish", "result": "FAIL"}}"#), &format!("progress {name} -"));
    assert_eq!(text, "finish: FAIL");
    event(
        r#"{"name": "cmd-install/stage-curthooks/probe", "event_type": "finish", "result": "FAIL"}"#,
        "progress cmd-install/stage-curthooks/probe installing",
    );
}

#[test]
fn no_event_says_built() {
    event(r#"{"name": "cmd-install", "event_type": "finish", "result": "SUCCESS"}"#, "progress cmd-install installing");
}

#[test]
fn an_event_that_is_none_is_a_log() {
    assert_eq!(event("not json\n", "log"), "not json\n");
    assert_eq!(event("[1, 2]", "log"), "");
}

#[test]
fn attached_files_are_decoded_with_and_without_padding() {
    for (content, want) in [
        ("YQ==", "a"),
        ("YQ", "a"),
        ("YWI=", "ab"),
        ("YWJj", "abc"),
        ("YW\nJj", "abc"),
        ("Y", "(not readable as base64)"),
        ("!!", "(not readable as base64)"),
    ] {
        let body = serde_json::json!({"name": "x", "files": [{"path": "p", "encoding": "base64", "content": content}]});
        assert_eq!(event(&body.to_string(), "progress x -"), format!("\n==> p <==\n{want}"));
    }
}

#[test]
fn no_name_of_an_event_commands_a_terminal() {
    let body = "{\"name\": \"cmd-install/cu\\u001b[31m\\u007frtin\", \"event_type\": \"start\"}";
    check("events", None, body, "progress cmd-install/cu[31mrtin installing", "start");
}
