//! The live image's agent against the stories: registrations and wipes from the script to the last order, and everything that may go
//! wrong between: resets, restarts of the daemon at every step, other machines, repeated and late words.
//!
//! The agent here is what a script's kernel line makes of it, and knows nothing else.

use std::sync::Arc;

use bootwright::{
    app::{Calendar, Failure, Refusal, Told, action::Words, script::ScriptAsk},
    model::{
        AutoEnroll, Availability, DiskResult, DiskState, Facts, IssueKind, Lifecycle, LiveMode, Mac, Progress, SessionId, SmbiosUuid, Token, What,
        lifecycle::{Cause, ErrorFrom},
    },
    store::JournalFilter,
    wire::agent::{Action, Content, Heartbeat, Hello, Reply, Report},
};
use serde_json::{Value, json};

use crate::lab::{Lab, MAC, admin, mac};

const BOARD: &str = "4c4c4544-0058-4b10-8032-b7c04f4d3933";
const OTHER_BOARD: &str = "11111111-2222-4333-8444-555555555555";

/// An agent, as a script's kernel line makes it.
#[derive(Debug, Clone)]
pub struct Agent {
    pub token: Token,
    pub session: SessionId,
    pub mode: LiveMode,
    pub plan: Option<String>,
    pub macs: Vec<Mac>,
    pub uuid: Option<SmbiosUuid>,
}

/// A word of the kernel's command line.
pub fn word<'s>(script: &'s str, name: &str) -> Option<&'s str> {
    script.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

impl Agent {
    #[track_caller]
    pub fn of(script: &str) -> Self {
        let word = |name| word(script, name).unwrap_or_else(|| panic!("{name} is not in {script}"));
        let mode = serde_json::from_value(json!(word("bw.mode"))).unwrap();
        Self {
            token: Token::parse(word("bw.token")).unwrap(),
            session: word("bw.session").parse().unwrap(),
            mode,
            plan: (mode == LiveMode::Clean).then(|| word("bw.plan").to_owned()),
            macs: vec![mac()],
            uuid: Some(BOARD.parse().unwrap()),
        }
    }

    async fn hello(&self, lab: &Lab) -> Told<Reply> {
        let (macs, agent, image) = (self.macs.clone(), "0.1.0".into(), "1".into());
        let hello = Hello { protocol: 1, agent, image, session: self.session, mode: self.mode, macs, uuid: self.uuid };
        lab.house.agent_hello(&self.token, &hello).await
    }

    async fn beat(&self, lab: &Lab, step: &str) -> Told<Reply> {
        let progress = Progress { step: step.into(), ..Progress::default() };
        lab.house.agent_heartbeat(&self.token, &Heartbeat { protocol: 1, session: self.session, progress }).await
    }

    async fn report(&self, lab: &Lab, id: &str, content: Content) -> Told<Reply> {
        lab.house.agent_report(&self.token, &Report { protocol: 1, session: self.session, report_id: id.into(), content }).await
    }
}

pub fn facts() -> Arc<Facts> {
    let disk = |name: &str, wwn: &str| {
        json!({ "id": format!("wwn:{wwn}"), "name": name, "wwn": wwn, "model": "M", "serial": name, "size_bytes": 1 << 30, "transport": "sata",
                "erase": ["write_zeroes", "overwrite"] })
    };
    let facts = json!({ "system": { "vendor": "V", "product": "P", "serial": "7XK2M93", "uuid": BOARD },
        "nics": [{ "name": "eth0", "mac": MAC, "link": true, "boot": true }], "disks": [disk("sda", "0x1"), disk("sdb", "0x2")] });
    Arc::new(serde_json::from_value(facts).unwrap())
}

/// The results of a wipe of the host's planned disks; `bad` is the one that failed.
fn results(lab: &Lab, bad: Option<&str>) -> Vec<DiskResult> {
    let plan = lab.host().live.clone().unwrap().plan.unwrap();
    let result = |id: &str| {
        let ok = bad != Some(id);
        json!({ "id": id, "name": "sda", "ok": ok, "method": ok.then_some("write_zeroes"), "started": "2026-01-01T00:10:00Z",
            "attempts": [{ "method": "write_zeroes", "command": "blkdiscard -z", "exit_code": i32::from(!ok), "ok": ok }],
            "ended": "2026-01-01T00:20:00Z", "error": (!ok).then_some("I/O error"),
            "verification": { "marker_gone": ok, "samples_read": 100, "samples_dirty": 0, "signatures": [] } })
    };
    plan.disks.iter().map(|disk| serde_json::from_value(result(&disk.id.0)).unwrap()).collect()
}

fn wipe(lab: &Lab, agent: &Agent, bad: Option<&str>) -> Content {
    Content::Wipe { plan_hash: agent.plan.clone().unwrap(), results: results(lab, bad), tools: vec!["blkdiscard 2.38".into()], error: None }
}

#[track_caller]
fn code(told: Told<Reply>) -> &'static str {
    match told.unwrap_err() {
        Failure::Refusal(refusal) => refusal.code(),
        Failure::Fault(fault) => panic!("a fault instead of a refusal: {fault}"),
    }
}

#[track_caller]
fn told(reply: Told<Reply>, action: Action) -> Reply {
    let reply = reply.unwrap();
    assert_eq!(reply.action, action, "{reply:?}");
    assert_eq!(reply.host, "n1");
    reply
}

async fn journal(lab: &Lab, kind: &str) -> Vec<String> {
    let filter = JournalFilter { kind: Some(kind.into()), limit: 10_000, ..JournalFilter::default() };
    lab.house.journal(filter).await.unwrap().into_iter().map(|entry| entry.text).collect()
}

async fn entries(lab: &Lab) -> usize {
    lab.house.journal(JournalFilter { limit: 10_000, ..JournalFilter::default() }).await.unwrap().len()
}

/// A used host with facts, to be registered again.
async fn lab() -> Lab {
    Lab::new().await.with_live_image()
}

/// The agent of the next power-on.
async fn boot(lab: &Lab) -> Agent {
    let (script, _) = lab.power_on().await;
    assert_eq!(script.word, "live", "{}", script.text);
    Agent::of(&script.text)
}

/// A used host that was registered and is to be wiped.
async fn cleaning(lab: Lab) -> Lab {
    lab.act("reregister").await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Register);
    told(agent.report(&lab, "facts", Content::Facts { facts: facts() }).await, Action::Reboot);
    release(&lab, "release", json!({})).await;
    lab
}

async fn release(lab: &Lab, verb: &str, more: Value) {
    let (plan, _) = lab.house.wipe_plan("n1", &bootwright::app::wipe::WipeWish::default()).unwrap();
    let mut words = json!({ "confirm": "n1", "plan_hash": plan.hash(), "then": "available" });
    words.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let words: Words = serde_json::from_value(words).unwrap();
    lab.house.act(&admin(), "n1", None, verb, &words).await.unwrap();
}

#[track_caller]
fn wipe_failed(lab: &Lab, part: &str) {
    let host = lab.host();
    let Lifecycle::Error { from: ErrorFrom::Cleaning, cause: Cause::Wipe(text) } = &host.lifecycle else { panic!("{:?}", host.lifecycle) };
    assert!(text.contains(part), "{text}");
    assert_eq!(host.disk_state, DiskState::Unknown);
    assert!(host.issues.iter().any(|issue| issue.kind == IssueKind::WipeUnverified));
}

#[tokio::test]
async fn a_used_host_registers_again_and_goes_back_to_its_disk() {
    let lab = lab().await;
    lab.act("reregister").await;
    let agent = boot(&lab).await;
    assert_eq!((agent.mode, &agent.plan), (LiveMode::Register, &None));
    let reply = told(agent.hello(&lab).await, Action::Register);
    assert_eq!((reply.plan, reply.plan_hash, reply.heartbeat_secs), (None, None, 30));
    let run = lab.host().live.clone().unwrap();
    assert_eq!((run.session, run.crew.unwrap().image.as_str()), (Some(agent.session), "1"));
    told(agent.beat(&lab, "collecting").await, Action::Continue);
    told(agent.report(&lab, "p", Content::Partial { facts: facts() }).await, Action::Continue);
    assert!(lab.host().live.clone().unwrap().partial.is_some());
    told(agent.report(&lab, "f", Content::Facts { facts: facts() }).await, Action::Reboot);
    let host = lab.host();
    assert_eq!((&host.lifecycle, &host.disk_state), (&Lifecycle::Used, &DiskState::Dirty));
    assert_eq!(host.facts.as_ref().unwrap().disks.len(), 2);
    assert_eq!(host.live.as_ref().unwrap().report.as_deref(), Some("f"));
    assert_eq!(lab.power_on().await.0.word, "local");
}

#[tokio::test]
async fn an_unknown_machine_is_recorded_registered_and_offered_a_build() {
    let lab = lab().await;
    let network = json!({ "name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "server": "10.77.0.1", "auto_enroll": "on",
        "naming": "s{mac}", "pools": [{ "first": "10.77.0.100", "last": "10.77.0.200" }] });
    let network: bootwright::model::Network = serde_json::from_value(network).unwrap();
    assert_eq!(network.auto_enroll, AutoEnroll::On);
    lab.house.edit_settings(&admin(), bootwright::app::settings::Edit::Network(network)).await.unwrap();
    let new: Mac = "52:54:00:00:00:77".parse().unwrap();
    let ask = ScriptAsk {
        mac: Some(new),
        uuid: None,
        serial: None,
        arch: None,
        session: None,
        peer: "10.77.0.120".parse().unwrap(),
        server: "10.77.0.1".parse().unwrap(),
    };
    let script = lab.house.script(&ask).await;
    assert_eq!(script.word, "live", "{}", script.text);
    let agent = Agent { macs: vec![new], ..Agent::of(&script.text) };
    assert_eq!(agent.mode, LiveMode::Register);
    let name = word(&script.text, "bw.host").unwrap().to_owned();
    let reply = agent.hello(&lab).await.unwrap();
    assert_eq!((reply.action, reply.host.as_str()), (Action::Register, name.as_str()));
    let mut found = facts();
    Arc::make_mut(&mut found).nics[0].mac = new;
    assert_eq!(agent.report(&lab, "f", Content::Facts { facts: found }).await.unwrap().action, Action::Wait);
    let host = lab.house.find(&name).unwrap();
    assert_eq!(host.lifecycle, Lifecycle::Unavailable);
    assert_eq!(agent.beat(&lab, "waiting").await.unwrap().action, Action::Wait);
    let act = |verb: &'static str, words: Value| {
        let (house, name) = (&lab.house, name.clone());
        async move { house.act(&admin(), &name, None, verb, &serde_json::from_value(words).unwrap()).await.unwrap() }
    };
    act("waive", json!({ "reason": "new from the factory", "confirm": name })).await;
    act("available", json!({})).await;
    assert_eq!(agent.beat(&lab, "waiting").await.unwrap().action, Action::Wait);
    let build = bootwright::app::build::BuildAsk { profile: Some("os".parse().unwrap()), ..Default::default() };
    lab.house.enable_build(&admin(), &name, None, &build, None).await.unwrap();
    assert_eq!(agent.beat(&lab, "waiting").await.unwrap().action, Action::Reboot);
}

#[tokio::test]
async fn a_released_host_is_wiped_with_proof_and_offered_again() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    assert_eq!(agent.mode, LiveMode::Clean);
    let reply = told(agent.hello(&lab).await, Action::Clean);
    let text = reply.plan.unwrap();
    assert_eq!(reply.plan_hash.as_ref(), agent.plan.as_ref(), "the reply and the kernel's command line agree");
    assert_eq!(bootwright::model::token::sha256_hex(text.as_bytes()), reply.plan_hash.unwrap());
    assert_eq!(lab.host().disk_state, DiskState::Unknown, "from the hello on nobody can say");
    told(agent.beat(&lab, "erasing").await, Action::Continue);
    told(agent.report(&lab, "w", wipe(&lab, &agent, None)).await, Action::Wait);
    let host = lab.host();
    assert_eq!((&host.lifecycle, &host.disk_state), (&Lifecycle::Available, &DiskState::Clean));
    assert_eq!(host.live.as_ref().unwrap().results.len(), 2);
    assert_eq!(journal(&lab, "certificate").await.len(), 2);
    told(agent.beat(&lab, "waiting").await, Action::Wait);
}

#[tokio::test]
async fn one_failed_disk_or_an_agent_that_gives_up_fails_the_wipe() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    told(agent.report(&lab, "w", wipe(&lab, &agent, Some("wwn:0x2"))).await, Action::Wait);
    wipe_failed(&lab, "0x2");
    assert_eq!(lab.power_on().await.0.word, "hold", "it is never started from its disk");
    release(&lab, "retry_clean", json!({})).await;
    assert_eq!(code(agent.beat(&lab, "waiting").await), "not_found", "the new run has another token: the edge says unknown_token");
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    told(agent.report(&lab, "x", Content::Failed { text: "an unexpected disk: sdc".into() }).await, Action::Wait);
    wipe_failed(&lab, "an unexpected disk: sdc");
    release(&lab, "retry_clean", json!({})).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    told(agent.report(&lab, "y", wipe(&lab, &agent, None)).await, Action::Wait);
    assert_eq!((&lab.host().lifecycle, &lab.host().disk_state), (&Lifecycle::Available, &DiskState::Clean));
}

#[tokio::test]
async fn a_machine_reset_in_the_middle_of_its_wipe_has_failed_it() {
    let lab = cleaning(lab().await).await;
    let first = boot(&lab).await;
    told(first.hello(&lab).await, Action::Clean);
    told(first.beat(&lab, "erasing").await, Action::Continue);
    let again = boot(&lab).await;
    assert_ne!(again.session, first.session, "it gets the same image, from another power-on");
    assert_eq!((again.token.hash(), &again.plan), (first.token.hash(), &first.plan));
    let reply = told(again.hello(&lab).await, Action::Wait);
    assert_eq!(reply.plan, None);
    wipe_failed(&lab, "reset in the middle");
    told(first.beat(&lab, "erasing").await, Action::Abort);
    told(again.beat(&lab, "waiting").await, Action::Wait);
    told(first.report(&lab, "w", wipe(&lab, &first, None)).await, Action::Wait);
    wipe_failed(&lab, "reset in the middle");
    assert!(journal(&lab, "refused").await.iter().any(|text| text.contains("came too late")));
}

#[tokio::test]
async fn a_registration_reset_in_the_middle_begins_again_with_the_newest_power_on() {
    let lab = lab().await;
    lab.act("reregister").await;
    let first = boot(&lab).await;
    told(first.hello(&lab).await, Action::Register);
    let again = boot(&lab).await;
    told(again.hello(&lab).await, Action::Register);
    assert_eq!(code(first.beat(&lab, "collecting").await), "wrong_session");
    assert_eq!(code(first.report(&lab, "f", Content::Facts { facts: facts() }).await), "wrong_session");
    told(again.report(&lab, "f", Content::Facts { facts: facts() }).await, Action::Reboot);
}

#[tokio::test]
async fn whoever_is_cancelled_or_marked_defective_is_stopped() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    let words = json!({ "reason": "smoke", "abandon": true, "confirm": "n1" });
    lab.house.act(&admin(), "n1", None, "defective", &serde_json::from_value(words).unwrap()).await.unwrap();
    let reply = told(agent.beat(&lab, "erasing").await, Action::Abort);
    assert!(reply.reason.contains("smoke"), "{reply:?}");
    assert_eq!(lab.host().disk_state, DiskState::Unknown);
    assert_eq!(lab.power_on().await.0.word, "local", "a defective host is left alone; what is on its disks nobody vouches for");

    let lab = Lab::new().await.with_live_image();
    lab.act("reregister").await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Register);
    lab.act("cancel_register").await;
    told(agent.beat(&lab, "collecting").await, Action::Reboot);
    told(agent.report(&lab, "f", Content::Facts { facts: facts() }).await, Action::Reboot);
    assert!(lab.host().facts.is_none(), "a late report changes nothing");
}

#[tokio::test]
async fn a_word_of_another_mode_power_on_or_token_changes_nothing() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    let before = lab.host();
    let registering = Agent { mode: LiveMode::Register, ..agent.clone() };
    assert_eq!(code(registering.hello(&lab).await), "wrong_mode");
    assert_eq!(code(agent.beat(&lab, "erasing").await), "no_hello");
    assert_eq!(code(agent.report(&lab, "w", wipe(&lab, &agent, None)).await), "no_hello");
    let guessed = Agent { token: Token::parse("aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap(), ..agent.clone() };
    assert_eq!(code(guessed.hello(&lab).await), "not_found");
    let build = Agent { token: lab.house.keys.build_token(bootwright::model::BuildId(before.live.clone().unwrap().id.0)), ..agent.clone() };
    assert_eq!(code(build.hello(&lab).await), "not_found", "a build's token is no run's, whatever its id");
    assert_eq!((lab.host().live.clone(), lab.host().lifecycle.clone()), (before.live.clone(), before.lifecycle.clone()));
    told(agent.hello(&lab).await, Action::Clean);
    let other = Agent { session: SessionId(1), ..agent.clone() };
    assert_eq!(code(other.beat(&lab, "erasing").await), "wrong_session");
    assert_eq!(code(other.report(&lab, "w", wipe(&lab, &agent, None)).await), "wrong_session");
    assert_eq!(code(agent.report(&lab, "f", Content::Facts { facts: facts() }).await), "wrong_mode");
    let another = Agent { plan: Some("0".repeat(64)), ..agent.clone() };
    assert_eq!(code(agent.report(&lab, "w", wipe(&lab, &another, None)).await), "other_plan");
    assert!(matches!(lab.host().lifecycle, Lifecycle::Cleaning { .. }), "{:?}", lab.host().lifecycle);
    told(agent.report(&lab, "w", wipe(&lab, &agent, None)).await, Action::Wait);
}

#[tokio::test]
async fn two_agents_at_once_are_told_apart_by_their_power_on() {
    let lab = lab().await;
    lab.act("reregister").await;
    let one = boot(&lab).await;
    let two = Agent { session: SessionId(2), ..one.clone() };
    let (first, second) = tokio::join!(one.hello(&lab), two.hello(&lab));
    told(first, Action::Register);
    told(second, Action::Register);
    let speaks = lab.host().live.clone().unwrap().session.unwrap();
    let (owner, other) = if speaks == one.session { (&one, &two) } else { (&two, &one) };
    assert_eq!(code(other.beat(&lab, "collecting").await), "wrong_session");
    let (good, bad) =
        tokio::join!(owner.report(&lab, "a", Content::Facts { facts: facts() }), other.report(&lab, "b", Content::Facts { facts: facts() }));
    told(good, Action::Reboot);
    // The other one came before or after the end; in neither case did it count.
    assert!(bad.as_ref().map_or(true, |reply| reply.reason.contains("changes nothing")), "{bad:?}");
    assert_eq!(lab.host().live.clone().unwrap().report.as_deref(), Some("a"));

    let lab = cleaning(Lab::new().await.with_live_image()).await;
    let one = boot(&lab).await;
    let two = Agent { session: SessionId(2), ..one.clone() };
    let (first, second) = tokio::join!(one.hello(&lab), two.hello(&lab));
    let cleans = [first.unwrap().action, second.unwrap().action].into_iter().filter(|action| *action == Action::Clean).count();
    assert!(cleans <= 1, "never two at one set of disks");
    wipe_failed(&lab, "reset in the middle");
}

#[tokio::test]
async fn the_same_word_twice_gets_the_same_answer_and_changes_nothing() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    let first = agent.hello(&lab).await.unwrap();
    let (host, written) = (lab.host(), entries(&lab).await);
    for _ in 0..3 {
        assert_eq!(agent.hello(&lab).await.unwrap(), first);
    }
    assert_eq!((lab.host(), entries(&lab).await), (host, written));
    let content = wipe(&lab, &agent, None);
    let first = agent.report(&lab, "w", content.clone()).await.unwrap();
    let (host, written) = (lab.host(), entries(&lab).await);
    for _ in 0..3 {
        assert_eq!(agent.report(&lab, "w", content.clone()).await.unwrap(), first);
    }
    assert_eq!((lab.host(), entries(&lab).await), (host, written));
}

#[tokio::test]
async fn a_failed_registration_is_tried_three_times_from_the_network() {
    let lab = lab().await;
    lab.act("reregister").await;
    for attempt in 1..=3 {
        let agent = boot(&lab).await;
        told(agent.hello(&lab).await, Action::Register);
        let id = format!("r{attempt}");
        let failed = || Content::Failed { text: "no disk was found".into() };
        let reply = told(agent.report(&lab, &id, failed()).await, Action::Reboot);
        let written = entries(&lab).await;
        assert_eq!(agent.report(&lab, &id, failed()).await.unwrap(), reply, "try {attempt}");
        assert_eq!(entries(&lab).await, written);
    }
    let host = lab.host();
    assert_eq!(host.lifecycle, Lifecycle::Used, "a used host stays in use");
    assert!(host.issues.iter().any(|issue| issue.text.contains("no disk was found")), "{:?}", host.issues);
}

#[tokio::test]
async fn a_registration_whose_agent_fell_silent_goes_on_at_its_next_power_on() {
    let lab = lab().await;
    lab.act("reregister").await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Register);
    lab.world.pass(301);
    lab.house.sweep(&mut Calendar::default()).await.unwrap();
    assert_eq!((lab.host().lifecycle.clone(), lab.host().attempt), (Lifecycle::UsedRegistering, 2));
    assert_eq!(code(agent.report(&lab, "f", Content::Facts { facts: facts() }).await), "no_hello");
    told(agent.beat(&lab, "waiting").await, Action::Reboot);
    let again = boot(&lab).await;
    told(again.hello(&lab).await, Action::Register);
    told(again.report(&lab, "g", Content::Facts { facts: facts() }).await, Action::Reboot);
    assert_eq!(lab.host().lifecycle, Lifecycle::Used);
}

#[tokio::test]
async fn a_report_after_the_deadline_is_noted_and_changes_nothing() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    lab.world.pass(7 * 86_400);
    lab.house.sweep(&mut Calendar::default()).await.unwrap();
    wipe_failed(&lab, "");
    let content = wipe(&lab, &agent, None);
    told(agent.report(&lab, "w", content).await, Action::Wait);
    wipe_failed(&lab, "");
    assert!(journal(&lab, "refused").await.iter().any(|text| text.contains("the results of a wipe) came too late")));
}

#[tokio::test]
async fn a_silent_agent_fails_its_wipe_after_five_minutes() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    for _ in 0..8 {
        lab.world.pass(30);
        told(agent.beat(&lab, "erasing").await, Action::Continue);
        lab.house.sweep(&mut Calendar::default()).await.unwrap();
    }
    assert!(matches!(lab.host().lifecycle, Lifecycle::Cleaning { .. }));
    lab.world.pass(301);
    lab.house.sweep(&mut Calendar::default()).await.unwrap();
    wipe_failed(&lab, "nothing heard of the agent");
    told(agent.beat(&lab, "erasing").await, Action::Abort);
}

#[tokio::test]
async fn heartbeats_are_written_once_a_minute_or_when_they_say_something() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    told(agent.beat(&lab, "erasing").await, Action::Continue);
    let written = entries(&lab).await;
    lab.world.pass(29);
    told(agent.beat(&lab, "erasing").await, Action::Continue);
    lab.world.pass(29);
    told(agent.beat(&lab, "erasing").await, Action::Continue);
    assert_eq!(entries(&lab).await, written);
    lab.world.pass(2);
    told(agent.beat(&lab, "erasing").await, Action::Continue);
    let later = entries(&lab).await;
    assert!(later > written);
    told(agent.beat(&lab, "verifying").await, Action::Continue);
    assert!(entries(&lab).await > later);
    assert_eq!(lab.host().operational.availability, Availability::Online);
}

#[tokio::test]
async fn who_waits_in_the_live_image_costs_a_line_an_hour() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    told(agent.report(&lab, "w", wipe(&lab, &agent, None)).await, Action::Wait);
    let written = entries(&lab).await;
    for _ in 0..144 {
        lab.world.pass(600);
        told(agent.beat(&lab, "waiting").await, Action::Wait);
    }
    let lines = entries(&lab).await - written;
    assert!((23..=25).contains(&lines), "{lines} lines in a day");
}

#[tokio::test]
async fn another_machine_is_never_wiped_with_a_hosts_token() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    let before = lab.host().lifecycle.clone();
    let others = [
        Agent { uuid: Some(OTHER_BOARD.parse().unwrap()), ..agent.clone() },
        Agent { macs: vec!["52:54:00:00:00:99".parse().unwrap()], uuid: None, ..agent.clone() },
        Agent { macs: Vec::new(), uuid: None, ..agent.clone() },
    ];
    for other in others {
        assert_eq!(code(other.hello(&lab).await), "identity", "{other:?}");
        let host = lab.host();
        assert!(host.issues.iter().any(|issue| issue.kind == IssueKind::UuidMismatch), "{:?}", host.issues);
        assert_eq!((&host.lifecycle, &host.live.as_ref().unwrap().hello_at), (&before, &None), "nothing began");
    }
    told(agent.hello(&lab).await, Action::Clean);
    let swapped = Agent { uuid: Some(OTHER_BOARD.parse().unwrap()), ..agent.clone() };
    assert_eq!(code(swapped.hello(&lab).await), "identity", "not even in the same power-on");
}

#[tokio::test]
async fn a_machine_of_another_host_registers_under_an_issue() {
    let lab = lab().await;
    let other = json!({ "name": "n2", "macs": ["52:54:00:00:00:02"] });
    lab.house.create_host(&admin(), serde_json::from_value(other).unwrap()).await.unwrap();
    lab.act("reregister").await;
    let agent = Agent { macs: vec!["52:54:00:00:00:02".parse().unwrap()], uuid: None, ..boot(&lab).await };
    told(agent.hello(&lab).await, Action::Register);
    let issue = lab.host().issues.iter().find(|issue| issue.kind == IssueKind::UuidMismatch).cloned().unwrap();
    assert!(issue.text.contains("those of n2"), "{}", issue.text);
}

#[tokio::test]
async fn a_doubt_about_the_machine_gets_no_live_image_and_no_token() {
    let lab = cleaning(lab().await).await;
    let ask = ScriptAsk {
        mac: Some(mac()),
        uuid: Some(OTHER_BOARD.parse().unwrap()),
        serial: None,
        arch: None,
        session: None,
        peer: "10.77.0.100".parse().unwrap(),
        server: "10.77.0.1".parse().unwrap(),
    };
    let script = lab.house.script(&ask).await;
    assert_eq!(script.word, "hold", "{}", script.text);
    assert!(!script.text.contains("bw.token") && !script.text.contains("/live/"), "{}", script.text);
}

#[tokio::test]
async fn too_many_words_are_slowed_down_and_keep_nobody_from_reporting() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    let mut slowed = 0;
    for _ in 0..100 {
        slowed += usize::from(agent.beat(&lab, "erasing").await.is_err_and(|failure| matches!(failure, Failure::Refusal(Refusal::TooOften))));
    }
    assert!(slowed >= 40, "{slowed}");
    told(agent.report(&lab, "w", wipe(&lab, &agent, None)).await, Action::Wait);
}

#[tokio::test]
async fn without_an_image_hosts_wait_with_the_reason_and_verbs_are_refused_with_it() {
    let lab = cleaning(lab().await).await;
    std::fs::write(lab.config.live().join("initrd"), "half").unwrap();
    assert!(lab.house.reload_live_image().unwrap().is_err());
    let (script, _) = lab.power_on().await;
    assert_eq!(script.word, "wait", "{}", script.text);
    assert!(script.text.contains("initrd has 4 bytes"), "{}", script.text);
    crate::lab::put_live_image(&lab.config.live(), "2");
    lab.house.reload_live_image().unwrap().unwrap();
    let (script, _) = lab.power_on().await;
    assert!(script.text.contains("/live/2/vmlinuz"), "{}", script.text);

    let lab = Lab::new().await;
    let words = serde_json::from_value(json!({})).unwrap();
    let Err(Failure::Refusal(refusal)) = lab.house.act(&admin(), "n1", None, "reregister", &words).await else { panic!("taken") };
    assert!(refusal.to_string().contains("manifest.json") && refusal.to_string().contains("make image"), "{refusal}");
}

#[tokio::test]
async fn the_script_says_everything_that_the_contract_says_and_the_sites_own_words_after_it() {
    let lab = cleaning(lab().await).await;
    lab.house
        .edit_settings(
            &admin(),
            bootwright::app::settings::Edit::Globals(serde_json::from_value(json!({ "live_args": "console=ttyS0,115200" })).unwrap()),
        )
        .await
        .unwrap();
    let (script, session) = lab.power_on().await;
    let kernel = script.text.lines().find(|line| line.starts_with("kernel ")).unwrap();
    let session = session.unwrap();
    assert!(kernel.starts_with(&format!("kernel http://10.77.0.1/live/1/vmlinuz?s={session} initrd=initrd ")), "{kernel}");
    let run = lab.host().live.clone().unwrap();
    let token = lab.house.keys.live_token(run.id);
    let args = format!(
        "bw.server=http://10.77.0.1 bw.host=n1 bw.session={session} bw.mode=clean bw.token={} bw.plan={} bw.mac={MAC} console=ttyS0,115200 ||",
        token.reveal(),
        run.plan_hash.unwrap()
    );
    assert!(kernel.contains(&args), "{kernel}\n{args}");
    assert!(script.text.contains(&format!("initrd --name initrd http://10.77.0.1/live/1/initrd?s={session}")), "{}", script.text);
    assert!(script.text.contains("WIPED") && script.text.contains("live image, clean"), "{}", script.text);
    let explained = lab.house.explain("n1").unwrap();
    assert!(!explained.script.contains(token.reveal()) && explained.script.contains("bw.token=TOKEN"), "{}", explained.script);
    let served = lab.house.journal(JournalFilter { kind: Some("served".into()), ..JournalFilter::default() }).await.unwrap();
    assert!(served.iter().any(|entry| matches!(&entry.what, What::Served { .. }) && entry.text.contains("mode clean")), "{served:?}");
    assert!(served.iter().all(|entry| !entry.text.contains(token.reveal())));
}

#[tokio::test]
async fn words_of_the_site_that_would_become_commands_hold_the_host() {
    for bad in [json!("quiet || shell"), json!(["a"]), json!("${net0/mac}")] {
        let lab = cleaning(lab().await).await;
        let globals = serde_json::from_value(json!({ "live_args": bad })).unwrap();
        lab.house.edit_settings(&admin(), bootwright::app::settings::Edit::Globals(globals)).await.unwrap();
        let (script, _) = lab.power_on().await;
        assert_eq!(script.word, "fault", "{}", script.text);
        assert!(!script.text.contains("bw.token"), "{}", script.text);
    }
}

#[tokio::test]
async fn machines_that_cannot_run_it_wait_with_the_reason() {
    let lab = cleaning(lab().await).await;
    let ask = |arch: &str| ScriptAsk {
        mac: Some(mac()),
        uuid: None,
        serial: None,
        arch: Some(serde_json::from_value(json!(arch)).unwrap()),
        session: None,
        peer: "10.77.0.100".parse().unwrap(),
        server: "10.77.0.1".parse().unwrap(),
    };
    for (arch, word) in [("arm64", "wait"), ("ia32", "wait"), ("bios", "live"), ("x64", "live")] {
        lab.world.pass(90);
        let script = lab.house.script(&ask(arch)).await;
        assert_eq!(script.word, word, "{arch}: {}", script.text);
        assert!(word == "live" || script.text.contains("for x86-64"), "{}", script.text);
    }
}

/// A daemon that stops at any step of a registration: the agent goes on as if nothing had been.
#[tokio::test]
async fn a_restart_at_any_step_of_a_registration_loses_nothing() {
    for step in 0..6 {
        let mut lab = lab().await;
        let stop = |lab: Lab, here: usize| async move { if here == step { lab.restart().await } else { lab } };
        lab.act("reregister").await;
        lab = stop(lab, 0).await;
        let agent = boot(&lab).await;
        lab = stop(lab, 1).await;
        told(agent.hello(&lab).await, Action::Register);
        lab = stop(lab, 2).await;
        told(agent.hello(&lab).await, Action::Register);
        told(agent.report(&lab, "p", Content::Partial { facts: facts() }).await, Action::Continue);
        lab = stop(lab, 3).await;
        told(agent.beat(&lab, "collecting").await, Action::Continue);
        assert!(lab.host().live.clone().unwrap().partial.is_some(), "step {step}");
        lab = stop(lab, 4).await;
        let answer = told(agent.report(&lab, "f", Content::Facts { facts: facts() }).await, Action::Reboot);
        lab = stop(lab, 5).await;
        // The answer was lost: the same report again gets the same answer.
        let (before, written) = (lab.host(), entries(&lab).await);
        assert_eq!(agent.report(&lab, "f", Content::Facts { facts: facts() }).await.unwrap(), answer);
        assert_eq!((lab.host(), entries(&lab).await), (before, written), "step {step}");
        assert_eq!(lab.host().lifecycle, Lifecycle::Used);
        assert_eq!(lab.host().live.clone().unwrap().token_hash, agent.token.hash());
    }
}

/// The same of a wipe: the plan is given out once to one power-on, and no restart begins an erase again.
#[tokio::test]
async fn a_restart_at_any_step_of_a_wipe_loses_nothing_and_wipes_nothing_twice() {
    for step in 0..6 {
        let mut lab = cleaning(lab().await).await;
        let stop = |lab: Lab, here: usize| async move { if here == step { lab.restart().await } else { lab } };
        lab = stop(lab, 0).await;
        let agent = boot(&lab).await;
        lab = stop(lab, 1).await;
        let hello = told(agent.hello(&lab).await, Action::Clean);
        lab = stop(lab, 2).await;
        assert_eq!(agent.hello(&lab).await.unwrap(), hello, "the same plan, to a byte");
        told(agent.beat(&lab, "erasing").await, Action::Continue);
        lab = stop(lab, 3).await;
        told(agent.beat(&lab, "verifying").await, Action::Continue);
        lab = stop(lab, 4).await;
        let content = wipe(&lab, &agent, None);
        let answer = told(agent.report(&lab, "w", content.clone()).await, Action::Wait);
        lab = stop(lab, 5).await;
        let (before, written) = (lab.host(), entries(&lab).await);
        assert_eq!(agent.report(&lab, "w", content).await.unwrap(), answer);
        assert_eq!((lab.host(), entries(&lab).await), (before, written), "step {step}");
        assert_eq!((&lab.host().lifecycle, &lab.host().disk_state), (&Lifecycle::Available, &DiskState::Clean));
        assert_eq!(journal(&lab, "certificate").await.len(), 2);
        told(agent.hello(&lab).await, Action::Wait);
        assert_eq!(lab.power_on().await.0.word, "local", "and nothing is begun again");
    }
}

/// The silence that a daemon slept through is not the agent's.
#[tokio::test]
async fn a_wipe_goes_on_though_the_daemon_was_away_for_long() {
    let lab = cleaning(lab().await).await;
    let agent = boot(&lab).await;
    told(agent.hello(&lab).await, Action::Clean);
    lab.world.pass(600);
    let lab = lab.restart().await;
    lab.house.sweep(&mut Calendar::default()).await.unwrap();
    assert!(matches!(lab.host().lifecycle, Lifecycle::Cleaning { .. }), "{:?}", lab.host().lifecycle);
    told(agent.beat(&lab, "erasing").await, Action::Continue);
    lab.world.pass(301);
    lab.house.sweep(&mut Calendar::default()).await.unwrap();
    wipe_failed(&lab, "nothing heard of the agent");
}

/// A reset that comes while the daemon is away is still a reset.
#[tokio::test]
async fn a_restart_does_not_hide_a_reset_in_the_middle_of_a_wipe() {
    let lab = cleaning(lab().await).await;
    let first = boot(&lab).await;
    told(first.hello(&lab).await, Action::Clean);
    let lab = lab.restart().await;
    let again = boot(&lab).await;
    told(again.hello(&lab).await, Action::Wait);
    wipe_failed(&lab, "reset in the middle");
    let lab = lab.restart().await;
    assert_eq!(lab.power_on().await.0.word, "hold");
    told(first.beat(&lab, "erasing").await, Action::Abort);
}
