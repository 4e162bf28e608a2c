//! The command line against a daemon that says what a test wrote down: answers, problems, silence, a recorded stream.
//!
//! The daemon is a thread on the loopback that answers each request by its method and path and remembers it. Real routes are in
//! `cli_site`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use bootwright::cli::{self, console::Console};

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

/// Runs a command line; words are split at blanks.
pub fn run(server: &str, token_file: &Path, line: &str) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let global = ["bootwright", "--server", server, "--token-file", token_file.to_str().unwrap()];
    let words = global.into_iter().chain(line.split_whitespace()).map(Into::into);
    let code = cli::run(words, &mut Console::plain(&mut out, &mut err));
    Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// A token's file.
pub fn token_file(folder: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
    let path = folder.path().join("token");
    std::fs::write(&path, text).unwrap();
    path
}

/// One prepared answer: status line, content type, body.
type Prepared = (&'static str, &'static str, String);

/// A daemon by script.
pub struct Scripted {
    pub url: String,
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    serving: Option<JoinHandle<()>>,
}

impl Scripted {
    /// Answers the request line's `METHOD PATH` (the longest beginning that fits); anything else is 404 without a problem document.
    pub fn new(answers: Vec<(&'static str, Prepared)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let serving = thread::spawn(move || {
            for stream in listener.incoming() {
                if !serve(stream.unwrap(), &answers, &seen) {
                    break;
                }
            }
        });
        Self { url, folder: tempfile::tempdir().unwrap(), asked, serving: Some(serving) }
    }

    pub fn run(&self, line: &str) -> Ran {
        run(&self.url, &token_file(&self.folder, "abcdefghijklmnopqrstuvwxyz\n"), line)
    }

    /// Every request so far: its line, its authorization, its body.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        // The word that ends the thread.
        if let Ok(mut stream) = TcpStream::connect(self.url.trim_start_matches("http://")) {
            let _gone = stream.write_all(b"STOP / HTTP/1.1\r\n\r\n");
        }
        self.serving.take().map(JoinHandle::join);
    }
}

fn serve(stream: TcpStream, answers: &[(&'static str, Prepared)], seen: &Mutex<Vec<String>>) -> bool {
    let mut reader = BufReader::new(&stream);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let asked = head.first().cloned().unwrap_or_default();
    if asked.starts_with("STOP") {
        return false;
    }
    let token = head.iter().find(|line| line.to_ascii_lowercase().starts_with("authorization:")).cloned().unwrap_or_default();
    let request = asked.trim_end_matches(" HTTP/1.1").to_owned();
    seen.lock().unwrap().push(format!("{request}\n{token}\n{}", String::from_utf8_lossy(&body)));
    let nothing = ("404 Not Found", "text/plain", "nothing here".to_owned());
    let fitting = answers.iter().filter(|(path, _)| request.starts_with(path)).max_by_key(|(path, _)| path.len());
    let (status, kind, text) = fitting.map_or(&nothing, |(_, answer)| answer);
    // A stream ends with its connection; everything else has its length.
    let length = if kind.contains("event-stream") { String::new() } else { format!("content-length: {}\r\n", text.len()) };
    let _reader_may_be_gone = write!(&stream, "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{length}connection: close\r\n\r\n{text}");
    true
}

pub fn json(text: impl Into<String>) -> Prepared {
    ("200 OK", "application/json", text.into())
}

fn problem(status: &'static str, text: &str) -> Prepared {
    (status, "application/problem+json", text.to_owned())
}

const UNKNOWN: &str = r#"{"type":"urn:bootwright:problem:not_found","title":"Not Found","status":404,"detail":"there is no host \"x\"","code":"not_found","hint":"list what there is: GET /api/v1/hosts","later":[1]}"#;

#[test]
fn a_problem_is_told_with_what_to_do_next_and_exits_1() {
    let daemon = Scripted::new(vec![("GET /api/v1/hosts/x", problem("404 Not Found", UNKNOWN))]);
    let ran = daemon.run("host show x");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(ran.err, "bootwright: there is no host \"x\" [not_found]\n  list what there is: `bootwright host list`\n");
}

#[test]
fn with_json_a_problem_is_the_document_itself() {
    let daemon = Scripted::new(vec![("GET /api/v1/hosts/x", problem("404 Not Found", UNKNOWN))]);
    let ran = daemon.run("host show x --json");
    assert_eq!((ran.code, ran.out.trim_end()), (1, UNKNOWN));
}

#[test]
fn the_findings_of_a_preflight_stand_one_by_one() {
    let text = r#"{"title":"Unprocessable","status":422,"detail":"the preflight found: a b","code":"preflight","hint":"mend what `findings` says",
        "findings":[{"code":"artifact_missing","severity":"error","text":"no kernel","hint":"import it","overridable":true}]}"#;
    let daemon = Scripted::new(vec![("POST /api/v1/hosts/n1/builds", problem("422 Unprocessable Entity", text))]);
    let ran = daemon.run("build enable n1 --confirm n1 --kind reinstall --force");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("\n  error: no kernel [artifact_missing] (--force goes on)\n    import it\n"), "{}", ran.err);
    assert!(daemon.asked()[0].ends_with(r#"{"confirm":"n1","force":true,"kind":"reinstall"}"#), "{:?}", daemon.asked());
}

#[test]
fn a_daemon_that_does_not_answer_exits_3_and_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = run(&format!("http://127.0.0.1:{port}"), &token_file(&folder, "abcdefghijklmnopqrstuvwxyz"), "host list");
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains(&format!("127.0.0.1:{port}")) && ran.err.contains("BOOTWRIGHT_SERVER"), "{}", ran.err);
}

#[test]
fn something_else_that_answers_is_not_taken_for_a_refusal() {
    let daemon = Scripted::new(vec![("GET /api/v1/hosts", ("200 OK", "text/html", "<html>".to_owned()))]);
    for line in ["host list", "profile list"] {
        let ran = daemon.run(line);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("something else than Bootwright"), "{}", ran.err);
    }
}

#[test]
fn a_redirect_is_not_followed_with_the_token() {
    let daemon = Scripted::new(vec![("GET /api/v1/hosts", ("302 Found\r\nlocation: http://127.0.0.1:9/", "text/plain", String::new()))]);
    let ran = daemon.run("host list");
    assert_eq!((ran.code, daemon.asked().len()), (1, 1));
    assert!(ran.err.contains("302"), "{}", ran.err);
}

#[test]
fn a_token_file_that_is_missing_or_holds_no_token_is_named_and_nothing_is_sent() {
    let daemon = Scripted::new(vec![]);
    let folder = tempfile::tempdir().unwrap();
    let missing = run(&daemon.url, Path::new("/nonexistent/token"), "host list");
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("/nonexistent/token") && missing.err.contains("admin.token"), "{}", missing.err);
    let path = token_file(&folder, "two words\n");
    let bad = run(&daemon.url, &path, "host list");
    assert!(bad.code == 1 && bad.err.contains("holds no token"), "{}", bad.err);
    assert_eq!(daemon.asked(), Vec::<String>::new());
}

#[test]
fn the_token_goes_along_as_a_bearer() {
    let daemon = Scripted::new(vec![("GET /api/v1/leases", json(r#"{"items":[]}"#))]);
    let ran = daemon.run("lease list --network lab");
    assert_eq!((ran.code, ran.out.as_str()), (0, "no leases\n"));
    let asked = daemon.asked();
    assert!(asked[0].starts_with("GET /api/v1/leases?network=lab&limit=1000\nauthorization: Bearer abcdefghijklmnopqrstuvwxyz\n"), "{asked:?}");
}

#[test]
fn json_is_the_answer_as_it_came_and_pages_are_joined() {
    let one = r#"{"items":[ {"name":"a","odd":1} ]}"#;
    let daemon = Scripted::new(vec![("GET /api/v1/profiles", json(one))]);
    assert_eq!(daemon.run("--json profile list").out, format!("{one}\n"));

    let daemon = Scripted::new(vec![
        ("GET /api/v1/profiles?limit=1000", json(r#"{"items":[{"name":"a"}],"next":"a"}"#)),
        ("GET /api/v1/profiles?limit=1000&cursor=a", json(r#"{"items":[{"name":"b"}]}"#)),
    ]);
    assert_eq!(daemon.run("--json profile list").out, "{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}]}\n");
    assert_eq!(daemon.run("profile list").out, "NAME  EXTENDS  KERNEL  DOCUMENTS\na     -        -       -\nb     -        -       -\n");
}

#[test]
fn a_command_line_that_makes_no_sense_exits_2() {
    let daemon = Scripted::new(vec![]);
    for line in ["host", "host add n1 --mac 52:54", "build wait n1 --for ever", "network snippet lab --for bind", "host edit n1", "journal --limit 0"]
    {
        assert_eq!(daemon.run(line).code, 2, "{line}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run("127.0.0.1:8067", &token_file(&folder, "abcdefghijklmnopqrstuvwxyz"), "host list").code, 2);
    assert_eq!(daemon.asked(), Vec::<String>::new());
}

#[test]
fn help_and_version_go_to_standard_output() {
    let daemon = Scripted::new(vec![]);
    let help = daemon.run("build enable --help");
    assert!(help.code == 0 && help.out.contains("Example: bootwright build enable"), "{help:?}");
    assert!(daemon.run("--version").out.starts_with("bootwright "));
}

/// A dry run of `site` whose answer is `answer`.
fn apply(site: &str, answer: Prepared) -> (Ran, Vec<String>) {
    let daemon = Scripted::new(vec![("POST /api/v1/apply", answer)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.yaml");
    std::fs::write(&path, site).unwrap();
    let ran = daemon.run(&format!("apply --dry-run -f {}", path.display()));
    let place = path.display().to_string();
    let ran = Ran { out: ran.out, err: ran.err.replace(&place, "site.yaml"), ..ran };
    (ran, daemon.asked())
}

#[test]
fn a_dry_run_lists_what_would_be_created_changed_and_deleted() {
    let answer = r#"{"dry_run":true,"differences":[
        {"noun":"globals","name":"globals","change":"change","fields":[{"path":"params.timezone","before":null,"after":"UTC"}]},
        {"noun":"network","name":"lab","change":"change","fields":[{"path":"lease_secs","before":3600,"after":600},{"path":"dns","before":["10.0.0.1"],"after":null}]},
        {"noun":"host","name":"n1","change":"create","fields":[]},
        {"noun":"host","name":"n2","change":"delete","fields":[]}]}"#;
    let (ran, asked) = apply("globals: {timezone: UTC}\n", json(answer));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = [
        "~ globals",
        "    params.timezone: (none) → UTC",
        "~ network lab",
        "    lease_secs: 3600 → 600",
        "    dns: [\"10.0.0.1\"] → (none)",
        "+ host n1",
        "- host n2",
        "would create 1, change 2, delete 1; nothing was changed (dry run)",
    ];
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), lines);
    assert!(asked[0].starts_with("POST /api/v1/apply?dry_run=true\n") && asked[0].ends_with(r#"{"globals":{"timezone":"UTC"}}"#), "{asked:?}");
}

#[track_caller]
fn not_sent(site: &str, said: &str) {
    let (ran, asked) = apply(site, json("{}"));
    assert_eq!((ran.code, asked.len()), (1, 0), "{}", ran.err);
    assert!(ran.err.contains(said), "{said:?} is not in {}", ran.err);
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_place_and_nothing_is_sent() {
    not_sent("hosts:\n  - {name: n1,\n", "site.yaml:");
    not_sent("globals: {a: 1}\nglobals: {b: 2}\n", "site.yaml:2:1: ");
    not_sent("hosts:\n  - name: n1\n    macs: [\"52:54:00:00:00:01\"]\n  - name: n2\n    macs: [\"52\"]\n", "site.yaml:4:5: hosts[1].macs[0]: ");
    not_sent("networks: []\nguests: []\n", "site.yaml:2:");
}

#[test]
fn a_mistake_that_only_the_daemon_sees_stands_at_its_place_too() {
    let answer = r#"{"title":"Unprocessable","status":422,"detail":"the site document has mistakes: hosts[1].network: there is no network x",
        "code":"site","hint":"correct what `mistakes` names and send it again",
        "mistakes":[{"path":"hosts[1].network","text":"there is no network x"}]}"#;
    let site = "hosts:\n  - name: n1\n    macs: [\"52:54:00:00:00:01\"]\n  - name: n2\n    macs: [\"52:54:00:00:00:02\"]\n    network: x\n";
    let (ran, _) = apply(site, problem("422 Unprocessable Entity", answer));
    assert_eq!(ran.code, 1);
    let (before, after) = ran.err.split_once("site.yaml:4:5: hosts[1].network: there is no network x").unwrap_or_default();
    assert!(before.contains("has mistakes [site]") && !before.contains("no network x"), "said twice: {}", ran.err);
    assert!(after.contains("apply the file again"), "{}", ran.err);
}

#[test]
fn a_time_that_is_none_is_refused_before_anything_is_sent() {
    let ran = run("http://127.0.0.1:9", Path::new("/nonexistent"), "journal --since yesterday");
    assert!(ran.code == 2 && ran.err.contains("--since"), "{ran:?}");
}

#[test]
fn templates_that_were_not_taken_are_named_with_their_places() {
    let answer = r#"{"title":"Unprocessable Entity","status":422,"detail":"the templates were not taken","code":"template",
        "hint":"correct the templates that `templates` names; the set in use was not touched",
        "templates":[{"template":"preseed/debian.cfg","line":125,"column":26,"rule":"syntax","message":"unexpected end","hint":"close it"}]}"#;
    let daemon = Scripted::new(vec![("POST /api/v1/templates/reload", problem("422 Unprocessable Entity", answer))]);
    let ran = daemon.run("template reload");
    let lines = [
        "bootwright: the templates were not taken [template]",
        "  preseed/debian.cfg:125:26: unexpected end (syntax)",
        "    close it",
        "  correct what is listed above; the set in use was not touched",
    ];
    assert_eq!((ran.code, ran.err.lines().collect::<Vec<_>>()), (1, lines.to_vec()));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let daemon = Scripted::new(vec![]);
    let ran = daemon.run("apply -f /nonexistent/site.yaml");
    assert!(ran.code == 1 && ran.err.contains("/nonexistent/site.yaml"), "{ran:?}");
}

/// `check` over settings on the loopback; what it printed.
fn check(settings: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bootwright.toml");
    std::fs::write(&path, format!("state_dir = \"{}\"\n{settings}", folder.path().join("state").display())).unwrap();
    run("http://127.0.0.1:9", Path::new("/nonexistent"), &format!("check -c {}", path.display()))
}

#[test]
fn a_check_names_a_taken_port_and_a_missing_interface_and_needs_no_daemon() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let boot = taken.local_addr().unwrap();
    let rest = "[admin]\nlisten = \"127.0.0.1:0\"\n[tftp]\nlisten = \"127.0.0.1:0\"\n";
    let ran = check(&format!("[boot]\nlisten = \"{boot}\"\n{rest}[dhcp]\ninterfaces = [\"no-such-if\"]\n"));
    assert_eq!(ran.code, 1);
    for part in [
        &format!("FAIL  boot port {boot} (TCP): taken by another program"),
        "FAIL  interface no-such-if: is not there; there are ",
        "ok    tftp port",
    ] {
        assert!(ran.out.contains(part), "{part:?} is not in {}", ran.out);
    }
    let ran = check(&format!("[boot]\nlisten = \"127.0.0.1:0\"\n{rest}"));
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn a_check_of_settings_with_a_mistake_says_where() {
    let ran = check("[dhcp]\ninterface = [\"br0\"]\n");
    assert!(ran.code == 1 && ran.out.contains("FAIL  settings: in ") && ran.out.contains("line 3"), "{}", ran.out);
}

#[test]
fn templates_are_linted_and_rendered_without_a_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: String| run("http://127.0.0.1:9", Path::new("/nonexistent"), &line);
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("bad.ipxe"), "#!ipxe\n{% if %}\n").unwrap();
    let bad = run(format!("template lint {}", at("bad.ipxe")));
    assert!(bad.code == 1 && bad.out.contains("bad.ipxe:2:") && bad.out.contains("(syntax)"), "{bad:?}");
    std::fs::write(at("good.txt"), "hello {{ host.name }}\n").unwrap();
    assert_eq!(run(format!("template lint {}", at("good.txt"))).code, 0);
    std::fs::remove_file(at("bad.ipxe")).unwrap();
    std::fs::write(at("values.json"), r#"{"host": {"name": "n1"}}"#).unwrap();
    let rendered = run(format!("template render good.txt --context {} --templates {}", at("values.json"), at("")));
    assert_eq!((rendered.code, rendered.out.as_str()), (0, "hello n1\n"), "{}", rendered.err);
    let unknown = run(format!("template render no.txt --context {}", at("values.json")));
    assert!(unknown.code == 1 && unknown.err.contains("no.txt"), "{unknown:?}");
}
