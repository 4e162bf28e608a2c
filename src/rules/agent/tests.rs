//! The table: lifecycle × run open or ended × mode × session, and what each word gets there.
//!
//! One line per case; `A` is the power-on of the hello, `B` another one.

use std::sync::Arc;

use super::*;
use crate::model::{
    DiskId, Issue, LiveId, PlannedDisk, ReturnTo, Then, TokenHash, WipePolicy,
    host::Frozen,
    lifecycle::{Decommission, ErrorFrom},
};

const A: SessionId = SessionId(0xa);
const B: SessionId = SessionId(0xb);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

fn plan() -> WipePlan {
    let disk = PlannedDisk {
        id: DiskId("wwn:1".into()),
        name: "sda".into(),
        model: String::new(),
        serial: String::new(),
        wwn: "1".into(),
        size_bytes: 1,
        transport: "sata".into(),
        methods: Vec::new(),
        soft_secs: 1,
        hard_secs: 2,
    };
    let (host, name) = (HostId(uuid::Uuid::nil()), "n1".parse().unwrap());
    WipePlan { version: 1, host, name, policy: WipePolicy::Clear, facts_at: at(0), disks: vec![disk], left: Vec::new(), parallel: 4 }
}

fn run(mode: LiveMode) -> LiveRun {
    let plan = (mode == LiveMode::Clean).then(plan);
    let begun = LiveRun::new(LiveId(uuid::Uuid::nil()), mode, TokenHash("h".into()), at(1_000));
    LiveRun { plan_hash: plan.as_ref().map(WipePlan::hash), plan: plan.map(Box::new), by: "ada".into(), ..begun }
}

fn host(lifecycle: Lifecycle, run: LiveRun) -> Host {
    let host = Host::new(HostId(uuid::Uuid::nil()), "n1".parse().unwrap(), vec!["52:54:00:00:00:01".parse().unwrap()], at(0));
    Host { lifecycle, live: Some(run), ..host }
}

fn cleaning() -> Lifecycle {
    Lifecycle::Cleaning { then: Then::Available, from: Box::new(Lifecycle::Used) }
}

/// An open run, whose agent said hello from `session`, if it did.
fn open_run(mode: LiveMode, session: Option<SessionId>) -> Host {
    let state = if mode == LiveMode::Clean { cleaning() } else { Lifecycle::Registering };
    host(state, LiveRun { session, hello_at: session.map(|_| at(10)), heard_at: session.map(|_| at(10)), ..run(mode) })
}

/// A run that ended, with its agent's report or without.
fn ended_run(lifecycle: Lifecycle, report: Option<&str>) -> Host {
    let run = LiveRun { session: Some(A), hello_at: Some(at(10)), ended_at: Some(at(20)), report: report.map(Into::into), ..run(LiveMode::Register) };
    host(lifecycle, run)
}

fn states() -> Vec<(Lifecycle, Action)> {
    use Action::{Poweroff, Reboot, Wait};
    vec![
        (Lifecycle::New, Wait),
        (Lifecycle::Registering, Wait),
        (Lifecycle::Unavailable, Wait),
        (Lifecycle::Available, Wait),
        (Lifecycle::Reserved { user: "ann".into(), until: None }, Wait),
        (Lifecycle::Provisioning, Reboot),
        (Lifecycle::Used, Reboot),
        (Lifecycle::UsedRegistering, Reboot),
        (cleaning(), Wait),
        (Lifecycle::Maintenance { return_to: ReturnTo::Unavailable }, Wait),
        (Lifecycle::Error { from: ErrorFrom::Cleaning, cause: Cause::Wipe("sda".into()) }, Wait),
        (Lifecycle::Defective { reason: "dimm".into(), notes: String::new() }, Wait),
        (Lifecycle::Decommissioned { reason: Decommission::Retired }, Poweroff),
    ]
}

fn said(verdict: Verdict) -> String {
    match verdict {
        Verdict::Take => "take".into(),
        Verdict::Say(order) => format!("say {:?}", order.action).to_lowercase(),
        Verdict::Late(order) => format!("late {:?}", order.action).to_lowercase(),
        Verdict::No(denied) => format!("no {}", denied.code()),
    }
}

fn facts() -> Content {
    Content::Facts { facts: Arc::default() }
}

fn wiped() -> Content {
    Content::Wipe { plan_hash: plan().hash(), results: Vec::new(), tools: Vec::new(), error: None }
}

fn failed() -> Content {
    Content::Failed { text: "no disk".into() }
}

#[track_caller]
fn greets(host: &Host, mode: LiveMode, session: SessionId, want: &str) {
    assert_eq!(said(hello(host, mode, session, at(100))), want);
}

#[track_caller]
fn beats(host: &Host, session: SessionId, want: &str) {
    assert_eq!(said(heartbeat(host, session, at(100))), want);
}

#[track_caller]
fn reports(host: &Host, session: SessionId, id: &str, content: &Content, want: &str) {
    assert_eq!(said(report(host, session, id, content, at(100))), want);
}

#[test]
fn an_open_run_takes_the_hello_of_its_mode_and_repeats_itself_to_the_same_power_on() {
    use LiveMode::{Clean, Register};
    for (mode, other, same) in [(Register, Clean, "say register"), (Clean, Register, "say clean")] {
        greets(&open_run(mode, None), mode, A, "take");
        greets(&open_run(mode, Some(A)), mode, A, same);
        greets(&open_run(mode, Some(A)), mode, B, "take");
        for session in [None, Some(A)] {
            greets(&open_run(mode, session), other, A, "no wrong_mode");
        }
    }
}

#[test]
fn a_heartbeat_is_taken_from_the_power_on_that_said_hello() {
    for mode in [LiveMode::Register, LiveMode::Clean] {
        beats(&open_run(mode, Some(A)), A, "take");
        beats(&open_run(mode, Some(A)), B, "no wrong_session");
    }
    beats(&open_run(LiveMode::Clean, None), A, "no no_hello");
}

#[test]
fn an_agent_whose_try_was_given_up_boots_for_the_next_one() {
    beats(&open_run(LiveMode::Register, None), A, "say reboot");
    let used = Host { lifecycle: Lifecycle::UsedRegistering, ..open_run(LiveMode::Register, None) };
    beats(&used, A, "say reboot");
    reports(&used, A, "r", &facts(), "no no_hello");
}

#[test]
fn a_report_is_taken_from_the_power_on_that_said_hello_and_only_of_its_work() {
    let (register, clean) = (open_run(LiveMode::Register, Some(A)), open_run(LiveMode::Clean, Some(A)));
    let some = Content::Partial { facts: Arc::default() };
    for (content, of_register, of_clean) in
        [(facts(), "take", "no wrong_mode"), (some, "take", "no wrong_mode"), (wiped(), "no wrong_mode", "take"), (failed(), "take", "take")]
    {
        reports(&register, A, "r", &content, of_register);
        reports(&clean, A, "r", &content, of_clean);
        reports(&register, B, "r", &content, "no wrong_session");
        reports(&clean, B, "r", &content, "no wrong_session");
        reports(&open_run(LiveMode::Clean, None), A, "r", &content, "no no_hello");
    }
}

#[test]
fn after_the_end_everybody_is_told_what_there_is_to_do_and_nothing_counts() {
    for (state, action) in states() {
        let action = format!("{action:?}").to_lowercase();
        let host = ended_run(state, Some("r"));
        for session in [A, B] {
            greets(&host, LiveMode::Register, session, &format!("say {action}"));
            greets(&host, LiveMode::Clean, session, &format!("say {action}"));
            beats(&host, session, &format!("say {action}"));
            reports(&host, session, "r", &facts(), &format!("say {action}"));
            for content in [facts(), wiped(), failed()] {
                reports(&host, session, "other", &content, &format!("late {action}"));
            }
        }
    }
}

#[test]
fn whoever_may_be_at_work_when_its_run_is_ended_is_stopped() {
    for (state, action) in states() {
        let host = ended_run(state, None);
        let own = if action == Action::Wait { "say abort".to_owned() } else { format!("say {action:?}").to_lowercase() };
        beats(&host, A, &own);
        beats(&host, B, &format!("say {action:?}").to_lowercase());
        greets(&host, LiveMode::Register, A, &format!("say {action:?}").to_lowercase());
    }
}

#[test]
fn a_frozen_host_is_switched_off_whatever_it_is() {
    for (state, _) in states() {
        let mut host = ended_run(state, Some("r"));
        host.holds.frozen = Some(Frozen { by: "ann".into(), why: "arrears".into() });
        beats(&host, A, "say poweroff");
    }
}

#[test]
fn a_failed_try_sends_it_to_the_network_once_more_however_often_it_says_so() {
    let mut host = open_run(LiveMode::Register, None);
    host.live.as_mut().unwrap().report = Some("r".into());
    reports(&host, A, "r", &failed(), "say reboot");
    reports(&host, A, "another", &failed(), "no no_hello");
    beats(&host, A, "say reboot");
}

#[test]
fn a_token_has_its_time_while_the_run_is_open_and_none_after_it() {
    for mode in [LiveMode::Register, LiveMode::Clean] {
        let mut host = open_run(mode, Some(A));
        host.live.as_mut().unwrap().token_expires = at(100);
        greets(&host, mode, A, "no unknown_token");
        beats(&host, A, "no unknown_token");
        reports(&host, A, "r", &failed(), "no unknown_token");
        host.live.as_mut().unwrap().ended_at = Some(at(50));
        host.lifecycle = Lifecycle::Unavailable;
        beats(&host, B, "say wait");
    }
    let stranger = Host { live: None, ..open_run(LiveMode::Register, None) };
    greets(&stranger, LiveMode::Register, A, "no unknown_token");
    reports(&stranger, A, "r", &facts(), "no unknown_token");
}

#[test]
fn a_plan_that_does_not_read_as_it_was_confirmed_is_not_carried_out() {
    let mut host = open_run(LiveMode::Clean, None);
    greets(&host, LiveMode::Clean, A, "take");
    host.live.as_mut().unwrap().plan.as_mut().unwrap().disks[0].size_bytes = 2;
    greets(&host, LiveMode::Clean, A, "no other_plan");
    host.live.as_mut().unwrap().plan = None;
    greets(&host, LiveMode::Clean, A, "no other_plan");
}

#[track_caller]
fn news(change: impl FnOnce(&mut Host, &mut Progress), secs: i64, want: bool) {
    let step = |step: &str| crate::model::wipe::DiskProgress { id: DiskId("wwn:1".into()), step: step.into(), percent: 1, eta_secs: None };
    let mut progress = Progress { step: "erasing".into(), percent: 1, eta_secs: None, disks: vec![step("erasing")] };
    let mut host = open_run(LiveMode::Clean, Some(A));
    host.live.as_mut().unwrap().progress = Some(progress.clone());
    change(&mut host, &mut progress);
    assert_eq!(is_news(&host, &progress, at(secs)), want);
}

#[test]
fn a_heartbeat_is_written_down_once_a_minute_or_when_it_says_something() {
    news(|_, _| {}, 69, false);
    news(|_, _| {}, 70, true);
    news(|_, progress| (progress.percent, progress.disks[0].percent, progress.eta_secs) = (50, 50, Some(9)), 30, false);
    news(|_, progress| progress.step = "verifying".into(), 30, true);
    news(|_, progress| progress.disks[0].step = "verifying".into(), 30, true);
    news(|_, progress| progress.disks.clear(), 30, true);
    news(|host, _| host.live.as_mut().unwrap().progress = None, 30, true);
    news(|host, _| host.issues.push(Issue { kind: IssueKind::AgentLost, since: at(0), text: String::new() }), 30, true);
    news(|_, _| {}, 5, true);
}

#[test]
fn only_the_machine_that_the_run_is_for_is_its_machine() {
    let (register, clean) = (open_run(LiveMode::Register, None), open_run(LiveMode::Clean, None));
    let other = HostId(uuid::Uuid::from_u128(9));
    for host in [&register, &clean] {
        assert_eq!(contradiction(host, Some((host.id, "n1")), true), None);
        assert!(contradiction(host, Some((other, "n2")), true).unwrap().contains("those of n2"));
        assert!(contradiction(host, None, true).unwrap().contains("no card and no board of it"));
    }
    assert_eq!(contradiction(&register, None, false), None);
    assert!(contradiction(&clean, None, false).unwrap().contains("neither cards nor a board"));
}

#[test]
fn a_waiting_machines_contact_is_written_down_seldom() {
    let mut host = ended_run(Lifecycle::Unavailable, Some("r"));
    assert!(is_quiet(&host, 600, at(0)), "never heard");
    host.operational.availability = Availability::Online;
    host.operational.last_contact = Some(at(0));
    for (secs, want) in [(599, false), (600, true), (-1, true)] {
        assert_eq!(is_quiet(&host, 600, at(secs)), want, "{secs}");
    }
    host.operational.availability = Availability::Offline;
    assert!(is_quiet(&host, 600, at(1)));
    host.operational.administrative = Administrative::Unlocked;
    assert!(!is_quiet(&host, 600, at(1)), "in service: a live image is no service");
}
