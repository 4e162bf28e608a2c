//! The conversation with a real socket on 127.0.0.1 and a clock that stands still: lost answers, overload, denials.
//!
//! Ten minutes of waiting cost nothing here, because the recorded machine does not wait. What a no means is tested with `work`.

use super::{
    server::{Line, Server},
    *,
};
use crate::{
    cmdline,
    console::tests::Screen,
    contract::{Action, Content, Progress},
    machine::recorded::Recorded,
};

fn reply(action: &str) -> String {
    format!(r#"{{"protocol":1,"action":"{action}","host":"r12-u07","reason":"","heartbeat_secs":30,"new":1}}"#)
}

fn denial(code: &str) -> String {
    format!(r#"{{"code":"{code}","text":"Words for {code}."}}"#)
}

fn report() -> Report {
    Report { protocol: 1, session: "00c0ffee5eed1234".to_owned(), report_id: "aa".repeat(16), content: Content::Failed { text: "x".to_owned() } }
}

fn cmdline(server: &str) -> Cmdline {
    let line = format!("bw.server={server} bw.host=r12-u07 bw.session=00c0ffee5eed1234 bw.mode=register bw.token=abcdefghijklmnop234567abcd");
    cmdline::parse(&line).unwrap()
}

struct Heard {
    answer: Result<Reply, No>,
    asked: Vec<super::server::Asked>,
    waited: Duration,
    screen: String,
}

fn with(book: Vec<Line>, say: impl Fn(&Talk<'_>) -> Result<Reply, No>) -> Heard {
    let (server, machine, screen) = (Server::with(book), Recorded::new(), Screen::default());
    let console = screen.console();
    let answer = say(&Talk::new(&machine, &console, &cmdline(&server.address)));
    Heard { answer, asked: server.asked(), waited: machine.uptime(), screen: screen.text() }
}

fn ok(action: &str) -> Line {
    Line::Say(200, "", reply(action))
}

#[test]
fn a_request_carries_the_token_and_its_json() {
    let heard = with(vec![ok("continue")], |talk| {
        talk.heartbeat(&Heartbeat { protocol: 1, session: "00c0ffee5eed1234".to_owned(), progress: Progress { percent: 5, ..Progress::default() } })
    });
    assert_eq!(heard.answer.unwrap().action, Action::Continue);
    assert_eq!((heard.asked[0].path.as_str(), heard.asked[0].authorization.as_str()), ("/agent/v1/heartbeat", "Bearer abcdefghijklmnop234567abcd"));
    assert_eq!(heard.asked[0].body["percent"], 5);
    assert_eq!(heard.waited, Duration::ZERO);
}

#[test]
fn a_lost_answer_sends_the_same_report_again() {
    let heard = with(vec![Line::Hang, Line::Hang, ok("wait")], |talk| talk.report(&report()));
    assert_eq!(heard.answer.unwrap().action, Action::Wait);
    assert_eq!(heard.asked.len(), 3);
    assert!(heard.asked.iter().all(|asked| *asked == heard.asked[0] && asked.body["report_id"] == "aa".repeat(16)));
    assert!(heard.screen.contains("report: the server does not answer"), "{}", heard.screen);
}

#[test]
fn an_overloaded_server_is_asked_again_when_it_wants() {
    let book = vec![
        Line::Say(503, "Retry-After: 7", denial("busy")),
        Line::Say(429, "Retry-After: 120", String::new()),
        Line::Say(500, "", "<html>".to_owned()),
        ok("wait"),
    ];
    let heard = with(book, |talk| talk.report(&report()));
    assert_eq!((heard.answer.unwrap().action, heard.asked.len()), (Action::Wait, 4));
    let last = heard.waited - Duration::from_secs(127);
    assert!((Duration::from_secs(2)..=Duration::from_secs(4)).contains(&last), "our own third wait: {last:?}");
    assert!(heard.screen.contains("503: Words for busy."), "{}", heard.screen);
}

#[test]
fn a_denial_is_final() {
    for (status, code) in [(403, "unknown_token"), (401, "unknown_token"), (409, "wrong_mode"), (400, "malformed"), (413, "too_large")] {
        let heard = with(vec![Line::Say(status, "", denial(code))], |talk| talk.report(&report()));
        let no = heard.answer.unwrap_err();
        assert_eq!(no.is_unknown_token(), code == "unknown_token");
        assert_eq!(no.to_string(), format!("the server says no ({status} {code}): Words for {code}."));
        assert_eq!((heard.asked.len(), heard.waited), (1, Duration::ZERO));
    }
}

#[test]
fn a_server_that_is_not_there_is_given_up_after_ten_minutes() {
    let (machine, screen) = (Recorded::new(), Screen::default());
    let console = screen.console();
    let hello: Hello = serde_json::from_str(r#"{"protocol":1,"session":"00c0ffee5eed1234","mode":"register"}"#).unwrap();
    // Port 1 of the loopback: nobody listens.
    let no = Talk::new(&machine, &console, &cmdline("http://127.0.0.1:1")).hello(&hello).unwrap_err();
    assert!(matches!(no, No::Later { .. }) && no.to_string().contains("does not answer"), "{no}");
    assert_eq!(machine.uptime(), GIVE_UP);
}

#[test]
fn what_is_no_answer_is_asked_again() {
    let heard = with(vec![Line::Say(200, "", "<html>portal</html>".to_owned()), Line::Say(404, "", "Not Found".to_owned()), ok("wait")], |talk| {
        talk.report(&report())
    });
    assert_eq!(heard.answer.unwrap().action, Action::Wait);
    assert!(heard.screen.contains("what answers is not the server") && heard.screen.contains("status 404"), "{}", heard.screen);
}

#[test]
fn a_heartbeat_is_tried_once() {
    let heartbeat = Heartbeat { protocol: 1, session: "00c0ffee5eed1234".to_owned(), progress: Progress::default() };
    let heard = with(vec![Line::Say(503, "", String::new())], |talk| talk.heartbeat(&heartbeat));
    assert!(matches!(heard.answer, Err(No::Later { .. })));
    let heard = with(vec![Line::Hang], |talk| talk.report_once(&report()));
    assert!(matches!(heard.answer, Err(No::Later { .. })));
}
