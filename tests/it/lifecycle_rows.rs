//! Each row of `lifecycle.md` section 2, one line a case: this host, this event, that row and state, or that refusal.
//!
//! What a row does beyond naming the next state has a test of its own below the tables.

use bootwright::model::lifecycle::{Decommission, ErrorFrom};
use bootwright::model::{
    Actor, Administrative, Availability, BuildEnd, BuildKind, Cause, Deadlines, DiskState, Host, HostId, IssueKind, Lifecycle, LoopClass, Method,
    PowerState, ReturnTo, Role, SessionId, Stage, TaskKind, Then, What,
};
use bootwright::rules::display::{api_status, display_state};
use bootwright::rules::expiry;
use bootwright::rules::lifecycle::{
    Ask, Clock, Event, Go, Health, NewBuild, NewLive, Stay, Times, Verdict, WhyKind, Wiped, created, decide, running,
};

use crate::lifecycle_samples::*;

/// `T9 provisioning`, `= code` or `✗ code`.
fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Go(go) => format!("{} {}", go.row, go.host.lifecycle.word()),
        Verdict::Stay(stay) => format!("= {}", stay.code()),
        Verdict::Refuse(why) => format!("✗ {}", why.code()),
    }
}

#[track_caller]
fn check(event: Event, host: &Host, want: &str) {
    check_at(0, event, host, want);
}

#[track_caller]
fn check_at(secs: i64, event: Event, host: &Host, want: &str) {
    let verdict = verdict(host, &event, secs);
    assert_eq!(word(&verdict), want, "{} in {}: {verdict:?}", event.word(), host.lifecycle.word());
}

#[track_caller]
fn check_by(actor: &Actor, event: Event, host: &Host, want: &str) {
    assert_eq!(word(&verdict_by(host, &event, 0, actor)), want, "{} by {actor:?} in {}", event.word(), host.lifecycle.word());
}

fn report(token_ok: bool, complete: bool, differs: bool, auto_available: bool) -> Event {
    Event::RegisterReport { facts: facts(2), token_ok, complete, changes: if differs { vec!["a disk".into()] } else { Vec::new() }, auto_available }
}

fn failed(token_ok: bool) -> Event {
    Event::RegisterFailed { text: "no carrier".into(), token_ok }
}

fn clean_report(outcome: Wiped) -> Event {
    Event::CleanReport { outcome, results: Vec::new(), token_ok: true, plan_ok: true }
}

fn sda() -> Wiped {
    Wiped::Failed { text: "sda".into() }
}

fn enable(change: impl FnOnce(&mut NewBuild)) -> Event {
    let mut build = new_build(2);
    change(&mut build);
    Event::EnableBuild { build, confirm: name() }
}

fn frozen(host: Host) -> Host {
    with(host, |host| *host = go(host, &Event::Freeze { why: "arrears".into() }))
}

fn protected(host: Host) -> Host {
    with(host, |host| *host = go(host, &Event::Protect))
}

fn restarting(host: &Host) -> Host {
    go(host, &Event::Restart)
}

const DAYS: i64 = 86_400;

// ── T1 ──

#[test]
fn a_recorded_host_is_new_locked_and_its_disks_unknown() {
    let (actor, times) = (alice(), Times::default());
    let ask = Ask { actor: &actor, now: now(), times: &times, power_control: false };
    let Go { row, host, notes } = created(HostId(uuid::Uuid::from_u128(1)), "n2".parse().unwrap(), vec![], &ask);
    assert_eq!((row, &host.lifecycle, &host.disk_state), ("T1", &Lifecycle::New, &DiskState::Unknown));
    assert_eq!((host.operational.administrative, host.operational.availability), (Administrative::Locked, Availability::Offline));
    assert_eq!(notes[0].0, What::Created);
}

// ── T2–T4c, T14–T16, T32 ──

#[test]
fn registration_collects_facts_and_never_wipes() {
    check(Event::RegisterStart(register()), &new(), "T2 registering");
    check_by(&Actor::Server, Event::RegisterStart(register()), &new(), "T2 registering");
    check(Event::RegisterStart(register()), &frozen(new()), "✗ frozen");
    check(Event::RegisterStart(register()), &protected(new()), "✗ protected");
    check(Event::RegisterStart(register()), &restarting(&new()), "✗ task_open");
    check(Event::RegisterStart(wipe()), &new(), "✗ plan_in_registration");
    check(Event::RegisterStart(register()), &used(), "✗ not_from_here");
    check(Event::RegisterStart(register()), &registering(), "= already");
    check(Event::RegisterStart(register()), &decommissioned(Decommission::Retired), "T32 registering");
    check(report(true, true, false, false), &registering(), "T3 unavailable");
    check(report(true, true, false, true), &registering(), "T3 unavailable");
    check(report(true, true, false, true), &with(registering(), |host| host.disk_state = DiskState::Clean), "T3a available");
    check(report(false, true, false, false), &registering(), "✗ not_proven");
    check(report(true, false, false, false), &registering(), "✗ facts_incomplete");
    check(failed(true), &registering(), "T4 registering");
    check(failed(false), &registering(), "✗ not_proven");
    check(failed(true), &with(registering(), |host| host.attempt = 3), "T4 error");
    check(Event::RegisterCancel, &registering(), "T4c new");
    check(Event::RegisterCancel, &go(&decommissioned(Decommission::Retired), &Event::RegisterStart(register())), "T4c decommissioned");
    check(Event::Reregister(register()), &used(), "T14 used_registering");
    check(Event::Reregister(wipe()), &used(), "✗ plan_in_registration");
    check(Event::Reregister(register()), &frozen(used()), "✗ frozen");
    check(Event::Reregister(register()), &protected(used()), "T14 used_registering");
    check(Event::Reregister(register()), &restarting(&used()), "✗ task_open");
    check(report(true, true, false, true), &used_registering(), "T15 used");
    check(failed(true), &used_registering(), "T16 used_registering");
    check(failed(true), &with(used_registering(), |host| host.attempt = 3), "T16 used");
    check(Event::RegisterCancel, &used_registering(), "T4c used");
}

#[test]
fn a_registration_that_hangs_is_tried_three_times() {
    check_at(1799, Event::HardDeadline(Clock::State), &registering(), "= not_due");
    let second = go_at(&registering(), &Event::HardDeadline(Clock::State), 1800).host;
    let third = go_at(&second, &Event::HardDeadline(Clock::State), 3600).host;
    assert_eq!((second.attempt, third.attempt, third.hard_deadline), (2, 3, Some(at(5400))));
    let last = go_at(&third, &Event::HardDeadline(Clock::State), 5400).host;
    assert!(matches!(last.lifecycle, Lifecycle::Error { from: ErrorFrom::Registering, cause: Cause::Deadline(_) }));
    assert_eq!(last.hard_deadline, None);
}

#[test]
fn a_failed_registration_of_a_used_host_leaves_an_issue_and_the_disks_alone() {
    let host = go(&with(used_registering(), |host| host.attempt = 3), &failed(true));
    assert_eq!((host.disk_state, host.issues[0].kind), (DiskState::Dirty, IssueKind::AgentLost));
    let differing = go(&used_registering(), &report(true, true, true, false));
    assert_eq!(differing.issues[0].kind, IssueKind::HardwareChanged);
}

#[test]
fn coming_back_from_decommissioned_forgets_facts_and_disks() {
    let host = go(&decommissioned(Decommission::Retired), &Event::RegisterStart(register()));
    assert_eq!((host.facts, host.disk_state), (None, DiskState::Unknown));
}

#[test]
fn the_agent_is_lost_after_two_minutes_and_given_up_after_five() {
    check(hello(false, 1), &cleaning(Then::Available), "✗ not_proven");
    check(hello(true, 1), &used(), "✗ not_from_here");
    check(beat(false), &erasing(), "✗ not_proven");
    check_at(30, beat(true), &erasing(), "agent cleaning");
    check_at(0, beat(true), &go(&erasing(), &beat(true)), "= already");
    check_at(30, beat(true), &cleaning(Then::Available), "✗ not_proven");
    check_at(30, beat(true), &registering(), "✗ not_proven");
    check_at(119, Event::AgentSilent, &erasing(), "= not_due");
    check_at(120, Event::AgentSilent, &erasing(), "agent cleaning");
    check_at(300, Event::AgentSilent, &erasing(), "T19 error");
    check_at(300, Event::AgentSilent, &cleaning(Then::Available), "= not_due");
    let lost = go_at(&erasing(), &Event::AgentSilent, 120).host;
    check_at(130, Event::AgentSilent, &lost, "= not_due");
    assert_eq!(lost.issues[0].kind, IssueKind::AgentLost);
    assert!(go_at(&lost, &beat(true), 140).host.issues.is_empty());
    let hello = go(&registering(), &hello(true, 1));
    check_at(300, Event::AgentSilent, &hello, "T4 registering");
}

#[test]
fn a_wipe_that_begins_again_after_a_reset_has_failed() {
    check(hello(true, 1), &erasing(), "= already");
    check(hello(true, 2), &erasing(), "T19 error");
    check(hello(false, 2), &erasing(), "✗ not_proven");
    let host = go(&erasing(), &hello(true, 2));
    assert_eq!((&host.disk_state, host.issues[0].kind), (&DiskState::Unknown, IssueKind::WipeUnverified));
    // A registration only reads: another power-on simply begins it again.
    let again = go(&go(&registering(), &hello(true, 1)), &hello(true, 2));
    assert_eq!((&again.lifecycle, again.live.unwrap().session), (&Lifecycle::Registering, Some(SessionId(2))));
}

#[test]
fn what_a_cancelled_registration_had_found_is_kept_with_its_run() {
    let some = |token_ok| Event::RegisterPartial { facts: facts(5), token_ok };
    for host in [registering(), used_registering()] {
        check(some(false), &host, "✗ not_proven");
        let kept = go(&host, &some(true));
        check(some(true), &kept, "= already");
        let cancelled = go(&kept, &Event::RegisterCancel);
        let run = cancelled.live.as_ref().unwrap();
        assert_eq!((run.partial.as_ref(), run.is_open()), (Some(&facts(5)), false));
        assert_eq!(cancelled.facts, host.facts, "partial facts are not the host's facts");
        check(some(true), &cancelled, "✗ not_from_here");
    }
}

#[test]
fn a_used_host_that_differs_is_said_to_and_stays_in_service() {
    let Go { host, notes, .. } = go_at(&used_registering(), &report(true, true, true, false), 0);
    assert_eq!((&host.lifecycle, host.issues[0].kind), (&Lifecycle::Used, IssueKind::HardwareChanged));
    assert!(host.issues[0].text.contains("a disk") && notes.iter().any(|(_, text)| text.contains("a disk")), "{notes:?}");
    let same = go(&used_registering(), &report(true, true, false, false));
    assert_eq!((same.issues.len(), same.facts, same.facts_at), (0, Some(facts(2)), Some(now())));
}

// ── T5–T8, T35 ──

#[test]
fn only_a_clean_known_and_sound_host_is_offered() {
    check(Event::MarkAvailable, &unavailable(DiskState::Clean), "T5 available");
    check(Event::MarkAvailable, &unavailable(DiskState::Waived { by: "a".into(), why: "b".into() }), "T5 available");
    check(Event::MarkAvailable, &unavailable(DiskState::Dirty), "✗ disks_not_clean");
    check(Event::MarkAvailable, &unavailable(DiskState::Unknown), "✗ disks_not_clean");
    check_at(31 * DAYS, Event::MarkAvailable, &unavailable(DiskState::Clean), "✗ facts_stale");
    check(
        Event::MarkAvailable,
        &with(unavailable(DiskState::Clean), |host| host.raise(IssueKind::DuplicateMac, "n9".into(), now())),
        "✗ blocking_issue",
    );
    check(Event::MarkAvailable, &restarting(&unavailable(DiskState::Clean)), "✗ task_open");
    check(Event::MarkAvailable, &defective(), "✗ not_from_here");
    check(Event::MarkAvailable, &decommissioned(Decommission::Retired), "✗ decommissioned");
    check(Event::MarkUnavailable, &available(), "T6 unavailable");
    check(Event::MarkUnavailable, &reserved(), "✗ not_from_here");
}

#[test]
fn a_reservation_has_a_user_and_an_end() {
    let reserve = |user: &str| Event::Reserve { user: user.into(), until: None };
    check(reserve("bob"), &available(), "T7 reserved");
    check(reserve(" "), &available(), "✗ no_user");
    check(reserve("bob"), &frozen(available()), "✗ frozen");
    check(reserve("bob"), &protected(available()), "✗ protected");
    check(reserve("alice"), &reserved(), "= already");
    check(reserve("bob"), &reserved(), "✗ not_from_here");
    check(Event::Unreserve, &reserved(), "T8 available");
    check(Event::Unreserve, &with(reserved(), |host| host.disk_state = DiskState::Dirty), "✗ disks_not_clean");
    check(Event::Unreserve, &restarting(&reserved()), "✗ task_open");
    check_at(59, Event::ReservationExpired, &reserved(), "= not_due");
    check_at(60, Event::ReservationExpired, &reserved(), "T8 available");
    // Nobody is there to confirm a wipe.
    check_at(60, Event::ReservationExpired, &with(reserved(), |host| host.disk_state = DiskState::Dirty), "T8 unavailable");
    check_at(60, Event::ReservationExpired, &restarting(&reserved()), "T8 available");
}

#[test]
fn adopting_keeps_what_is_on_the_disks() {
    for host in [new(), available(), unavailable(DiskState::Clean), reserved()] {
        check(Event::Adopt { confirm: name() }, &host, "T35 used");
        check(Event::Adopt { confirm: None }, &host, "✗ needs_confirm");
        assert_eq!(go(&host, &Event::Adopt { confirm: name() }).disk_state, DiskState::Dirty);
    }
    for host in [maintenance(ReturnTo::Available), error(ErrorFrom::Available)] {
        check(Event::Adopt { confirm: name() }, &host, "✗ not_from_here");
    }
    check(Event::Adopt { confirm: name() }, &defective(), "✗ defective");
    check(Event::Adopt { confirm: name() }, &decommissioned(Decommission::Retired), "✗ decommissioned");
}

#[test]
fn only_an_admin_vouches_for_disks_and_never_for_a_users() {
    let waive = |why: &str, confirm| Event::WaiveDisks { why: why.into(), confirm };
    check(waive("lab", name()), &unavailable(DiskState::Dirty), "waive unavailable");
    check(waive("lab", None), &unavailable(DiskState::Dirty), "✗ needs_confirm");
    check(waive(" ", name()), &unavailable(DiskState::Dirty), "✗ needs_reason");
    check(waive("lab", name()), &unavailable(DiskState::Clean), "= already");
    check(waive("lab", name()), &used(), "✗ not_from_here");
    check(waive("lab", name()), &error(ErrorFrom::Used), "✗ not_from_here");
    check_by(&operator("bob", Role::Operator), waive("lab", name()), &unavailable(DiskState::Dirty), "✗ role_too_low");
}

// ── T9–T13, T24 ──

#[test]
fn a_build_is_enabled_where_the_table_says() {
    let bob = operator("bob", Role::Operator);
    check(enable(|_| ()), &available(), "T9 provisioning");
    check(enable(|_| ()), &reserved(), "T9 provisioning");
    check_by(&bob, enable(|_| ()), &reserved(), "✗ reserved_for_other");
    check(enable(|build| build.kind = Some(BuildKind::Install)), &available(), "T9 provisioning");
    check(enable(|build| build.kind = Some(BuildKind::Rebuild)), &available(), "✗ wrong_kind");
    check(enable(|build| build.expected_boots = 0), &available(), "✗ no_boots");
    check(enable(|_| ()), &frozen(available()), "✗ frozen");
    check(enable(|_| ()), &protected(available()), "✗ protected");
    check(enable(|_| ()), &restarting(&reserved()), "✗ task_open");
    check(enable(|_| ()), &used(), "T13 provisioning");
    check(enable(|build| build.kind = Some(BuildKind::Install)), &used(), "✗ wrong_kind");
    check(Event::EnableBuild { build: new_build(2), confirm: None }, &used(), "✗ needs_confirm");
    check(Event::EnableBuild { build: new_build(2), confirm: Some("n2".into()) }, &used(), "✗ needs_confirm");
    check(enable(|_| ()), &protected(used()), "✗ protected");
    check(enable(|_| ()), &frozen(used()), "✗ frozen");
    check(enable(|_| ()), &restarting(&used()), "✗ task_open");
    check(enable(|_| ()), &provisioning(Stage::Dhcp), "✗ build_open");
    check(enable(|_| ()), &unavailable(DiskState::Clean), "✗ not_from_here");
    check(enable(|_| ()), &failed_build(), "✗ not_from_here");
    check(enable(|_| ()), &defective(), "✗ defective");
    check_by(&operator("eve", Role::Viewer), enable(|_| ()), &available(), "✗ role_too_low");
    check_by(&machine(true), enable(|_| ()), &available(), "✗ wrong_actor");
    check_by(&Actor::Server, enable(|_| ()), &available(), "✗ wrong_actor");
}

#[test]
fn every_build_kind_has_its_task_and_its_display() {
    for (host, kind, task, display, status) in [
        (available(), None, TaskKind::Creating, "Creating", "BUILD"),
        (used(), None, TaskKind::ReinstallingOs, "Reinstalling OS", "SHUTOFF"),
        (used(), Some(BuildKind::Rebuild), TaskKind::Rebuilding, "Rebuilding", "SHUTOFF"),
    ] {
        let host = go(&host, &enable(|build| build.kind = kind));
        assert_eq!(host.task.as_ref().map(|task| task.kind), Some(task));
        assert_eq!((display_state(&host), api_status(&host)), (display, Some(status)));
        assert_eq!(host.task.as_ref().and_then(|task| task.hard_deadline), host.build.as_ref().and_then(|build| build.hard_deadline));
    }
}

#[test]
fn the_same_idempotency_key_answers_the_same_build() {
    let keyed = || enable(|build| build.idempotency_key = Some("k".into()));
    let open = go(&available(), &keyed());
    for host in [open.clone(), go(&open, &Event::CancelBuild { build: None })] {
        let verdict = verdict(&host, &keyed(), 5);
        assert_eq!(verdict, Verdict::Stay(Stay::SameRequest { build: build_id(2) }));
    }
}

#[test]
fn a_failed_build_is_retried_with_a_new_token_and_without_loops() {
    let retry = || Event::RetryBuild(new_build(2));
    check(retry(), &failed_build(), "T24 provisioning");
    check(retry(), &error(ErrorFrom::Used), "✗ not_from_here");
    check(retry(), &error(ErrorFrom::Cleaning), "✗ not_from_here");
    check(retry(), &used(), "✗ not_from_here");
    check(retry(), &provisioning(Stage::Dhcp), "✗ build_open");
    check(retry(), &frozen(failed_build()), "✗ frozen");
    check(retry(), &protected(failed_build()), "✗ protected");
    check(retry(), &restarting(&failed_build()), "✗ task_open");
    check(retry(), &defective(), "✗ defective");
    check(Event::RetryBuild(Box::new(NewBuild { kind: Some(BuildKind::Rebuild), ..*new_build(2) })), &failed_build(), "✗ wrong_kind");
    let host = go(&go(&provisioning(Stage::ProvisionTemplateSent), &looped(LoopClass::Template, true, 9)), &retry());
    let build = host.open_build().unwrap();
    assert_eq!((build.id, build.kind, build.loops.count, build.loops.halted), (build_id(2), BuildKind::Install, 0, false));
    assert!(host.issues.is_empty());
}

#[test]
fn a_cancel_goes_back_only_while_the_disks_are_untouched() {
    let cancel = || Event::CancelBuild { build: None };
    check(cancel(), &provisioning(Stage::IpxeScriptSent), "T12 available");
    check(cancel(), &provisioning(Stage::KernelInitrdSent), "T12 error");
    check(cancel(), &go(&reserved(), &enable(|_| ())), "T12 reserved");
    check(cancel(), &go(&used(), &enable(|_| ())), "T12 used");
    check(cancel(), &go(&failed_build(), &Event::RetryBuild(new_build(2))), "T12 error");
    check(cancel(), &used(), "✗ no_open_build");
    check(Event::CancelBuild { build: Some(build_id(5)) }, &provisioning(Stage::Dhcp), "✗ other_build");
    check(Event::CancelBuild { build: Some(build_id(B1)) }, &provisioning(Stage::Dhcp), "T12 available");
    let host = go(&provisioning(Stage::Installing), &cancel());
    assert_eq!((&host.disk_state, end(&host), host.task.is_none()), (&DiskState::Unknown, Some(&BuildEnd::Cancelled), true));
}

#[test]
fn a_rearm_forgets_loops_and_uses_and_keeps_the_build() {
    let rearm = || Event::RearmBuild { build: None };
    let looping = go(&provisioning(Stage::ProvisionTemplateSent), &looped(LoopClass::Template, false, 9));
    check(rearm(), &looping, "rearm provisioning");
    check(Event::RearmBuild { build: Some(build_id(5)) }, &looping, "✗ other_build");
    check(rearm(), &provisioning(Stage::Dhcp), "= already");
    check(rearm(), &failed_build(), "✗ not_from_here");
    check(rearm(), &available(), "✗ no_open_build");
    check(rearm(), &used(), "✗ no_open_build");
    let host = go(&looping, &rearm());
    assert_eq!((host.open_build().unwrap().id, host.open_build().unwrap().loops.count, host.issues.len()), (build_id(B1), 0, 0));
}

// ── stages, T10, T11, loops ──

#[test]
fn stages_go_forward_with_gaps_and_never_back() {
    check(stage(Stage::Dhcp), &provisioning(Stage::BuildEnabled), "stage provisioning");
    check(stage(Stage::Installing), &provisioning(Stage::Dhcp), "stage provisioning");
    check(stage(Stage::Dhcp), &provisioning(Stage::Dhcp), "= not_further");
    check(stage(Stage::Dhcp), &provisioning(Stage::Installing), "= not_further");
    check(stage(Stage::BuildEnabled), &provisioning(Stage::Installing), "= not_further");
    check(stage(Stage::Built), &provisioning(Stage::Installing), "✗ wrong_stage");
    check(stage(Stage::LocalBoot), &provisioning(Stage::Installing), "✗ wrong_stage");
    check(stage(Stage::VmCreated), &provisioning(Stage::BuildEnabled), "✗ wrong_stage");
    check_by(&alice(), stage(Stage::Dhcp), &provisioning(Stage::BuildEnabled), "✗ wrong_stage");
    check_by(&alice(), stage(Stage::Installing), &provisioning(Stage::Dhcp), "stage provisioning");
    check_by(&machine(false), stage(Stage::Dhcp), &provisioning(Stage::BuildEnabled), "stage provisioning");
    check_by(&machine(false), stage(Stage::Installing), &provisioning(Stage::Dhcp), "✗ not_proven");
    check_by(&Actor::Server, stage(Stage::PreRunning), &provisioning(Stage::Dhcp), "✗ not_proven");
    check(Event::StageSeen { stage: Stage::Dhcp, evidence: "e".into(), build: build_id(9) }, &provisioning(Stage::BuildEnabled), "= other_build");
    check(stage(Stage::Dhcp), &failed_build(), "= build_ended");
    check(stage(Stage::Dhcp), &new(), "= other_build");
}

#[test]
fn an_image_build_has_stages_of_its_own() {
    let host = go(&available(), &Event::EnableBuild { build: Box::new(NewBuild { method: Method::Image, ..*new_build(B1) }), confirm: None });
    check(built(), &host, "✗ too_early");
    let host = go(&host, &stage(Stage::VmCreated));
    check(built(), &host, "T10 used");
    check(Event::CancelBuild { build: None }, &host, "T12 error");
}

#[test]
fn a_stage_restarts_the_clock_with_the_profiles_deadlines() {
    let deadlines = [(Stage::Dhcp, Deadlines { soft_secs: 7, hard_secs: 8 })].into();
    let host = go(&available(), &Event::EnableBuild { build: Box::new(NewBuild { deadlines, ..*new_build(B1) }), confirm: None });
    let overdue = go_at(&host, &Event::SoftDeadline(Clock::Build), 600).host;
    assert_eq!((overdue.build.as_ref().unwrap().overdue, overdue.issues[0].kind), (true, IssueKind::DidNotNetboot));
    let host = go_at(&overdue, &stage(Stage::Dhcp), 700).host;
    let build = host.open_build().unwrap();
    assert_eq!((build.soft_deadline, build.hard_deadline, build.overdue), (Some(at(707)), Some(at(708)), false));
    assert!(host.issues.is_empty());
    let host = go_at(&host, &stage(Stage::BootloaderSent), 701).host;
    assert_eq!(host.open_build().unwrap().hard_deadline, Some(at(701 + 300)));
    assert_eq!(host.task.unwrap().hard_deadline, Some(at(701 + 300)));
}

#[test]
fn built_needs_the_token_of_this_build_and_a_fetched_answer_file() {
    let say = |build, token_ok| Event::Built { build: build_id(build), token_ok, text: String::new() };
    check(say(B1, true), &provisioning(Stage::ProvisionTemplateSent), "T10 used");
    check(say(B1, true), &provisioning(Stage::FinishSent), "T10 used");
    check(say(B1, true), &provisioning(Stage::KernelInitrdSent), "✗ too_early");
    check(say(B1, false), &provisioning(Stage::FinishSent), "✗ not_proven");
    check(say(9, true), &provisioning(Stage::FinishSent), "= other_build");
    check(say(9, false), &provisioning(Stage::FinishSent), "= other_build");
    check_at(7 * 3600, say(B1, true), &provisioning(Stage::FinishSent), "T10 used");
    check_at(2 * DAYS, say(B1, true), &provisioning(Stage::FinishSent), "✗ token_too_old");
    check(say(B1, true), &fresh(), "= build_ended");
    check(say(9, true), &fresh(), "= other_build");
    check(say(B1, true), &strict_built(), "= already");
    let late = go_at(&provisioning(Stage::FinishSent), &say(B1, true), 7 * 3600).host;
    assert_eq!(late.issues[0].kind, IssueKind::TokenExpired);
    let host = fresh();
    assert_eq!((&host.disk_state, end(&host), &host.task), (&DiskState::Dirty, Some(&BuildEnd::Built), &None));
}

#[test]
fn the_local_boot_after_built_closes_the_list_of_stages() {
    check(stage(Stage::LocalBoot), &fresh(), "stage used");
    check(stage(Stage::LocalBoot), &used(), "= other_build");
    check(stage(Stage::Dhcp), &fresh(), "= not_further");
    check_at(900, Event::SoftDeadline(Clock::Build), &fresh(), "T36 used");
    check_at(1800, Event::HardDeadline(Clock::Build), &fresh(), "T36 used");
    check_at(1799, Event::HardDeadline(Clock::Build), &fresh(), "= not_due");
    let host = go(&fresh(), &stage(Stage::LocalBoot));
    assert_eq!((host.build.as_ref().unwrap().stage, host.build.as_ref().unwrap().hard_deadline, running(&host).len()), (Stage::LocalBoot, None, 0));
    check(stage(Stage::LocalBoot), &host, "= not_further");
    let given_up = go_at(&fresh(), &Event::HardDeadline(Clock::Build), 1800).host;
    assert_eq!((running(&given_up).len(), given_up.issues[0].kind), (0, IssueKind::Overdue));
}

#[test]
fn a_strict_build_waits_for_its_local_boot() {
    assert_eq!(strict_built().lifecycle, Lifecycle::Provisioning);
    check(stage(Stage::LocalBoot), &strict_built(), "T10 used");
    check_at(1800, Event::HardDeadline(Clock::Build), &strict_built(), "T11 error");
    check_at(900, Event::SoftDeadline(Clock::Build), &strict_built(), "T36 provisioning");
}

#[test]
fn a_build_fails_by_word_by_time_or_by_loop() {
    let fail = |build, token_ok| Event::BuildFailed { build: build_id(build), token_ok, text: "no disk".into() };
    check(fail(B1, true), &provisioning(Stage::Installing), "T11 error");
    check(fail(B1, false), &provisioning(Stage::Installing), "✗ not_proven");
    check(fail(9, true), &provisioning(Stage::Installing), "= other_build");
    check_at(2 * DAYS, fail(B1, true), &provisioning(Stage::Installing), "✗ token_too_old");
    check(fail(B1, true), &failed_build(), "= build_ended");
    check(fail(B1, true), &fresh(), "late used");
    check(built(), &failed_build(), "late error");
    check(built(), &go(&failed_build(), &built()), "= build_ended");
    check(Event::Built { build: build_id(B1), token_ok: false, text: String::new() }, &failed_build(), "✗ not_proven");
    check_at(299, Event::HardDeadline(Clock::Build), &provisioning(Stage::Dhcp), "= not_due");
    check_at(300, Event::HardDeadline(Clock::Build), &provisioning(Stage::Dhcp), "T11 error");
    let early = go_at(&provisioning(Stage::Dhcp), &Event::HardDeadline(Clock::Build), 300).host;
    assert_eq!(early.disk_state, DiskState::Clean, "nothing can have touched the disks before the kernel was sent");
    assert_eq!(failed_build().disk_state, DiskState::Unknown);
    assert_eq!(display_state(&failed_build()), "Faulty");
    assert!(matches!(end(&early), Some(BuildEnd::Failed { cause: Cause::Deadline(_) })));
}

#[test]
fn a_loop_is_counted_once_a_session_and_halts_when_the_policy_says() {
    let host = provisioning(Stage::ProvisionTemplateSent);
    let once = go(&host, &looped(LoopClass::Template, false, 9));
    check(looped(LoopClass::Template, false, 9), &once, "= counted_before");
    check(looped(LoopClass::Template, true, 9), &once, "= counted_before");
    check(looped(LoopClass::Template, true, 10), &once, "T11 error");
    let halted = go(&once, &looped(LoopClass::Template, true, 10));
    assert!(matches!(&halted.lifecycle, Lifecycle::Error { cause: Cause::BootLoop(text), .. } if text == "asked again"));
    assert_eq!((halted.build.as_ref().unwrap().loops.count, halted.build.as_ref().unwrap().loops.halted), (2, true));
    assert_eq!(once.issues[0].kind, IssueKind::BootLoop);
    check_by(&alice(), looped(LoopClass::Template, true, 9), &host, "✗ wrong_actor");
    check_by(&Actor::Server, looped(LoopClass::Template, true, 9), &host, "✗ wrong_actor");
    // A host in service is not taken out of it by a guess.
    check(looped(LoopClass::LocalBoot, true, 9), &fresh(), "loop used");
    assert!(!go(&fresh(), &looped(LoopClass::LocalBoot, true, 9)).build.unwrap().loops.halted);
    check(looped(LoopClass::LocalBoot, true, 9), &go(&fresh(), &looped(LoopClass::LocalBoot, true, 9)), "= counted_before");
    check(looped(LoopClass::LocalBoot, false, 9), &used(), "= noted");
    check(looped(LoopClass::Firmware, false, 9), &available(), "= noted");
}

#[test]
fn an_announced_boot_is_expected_and_progress_is_kept_as_log() {
    let announce = |build, token_ok| Event::BootAnnounced { build: build_id(build), token_ok };
    let note = |build, token_ok, text: &str| Event::ProgressNoted { build: build_id(build), token_ok, word: "packages".into(), text: text.into() };
    let host = provisioning(Stage::Installing);
    check(announce(B1, true), &host, "stage provisioning");
    check(announce(B1, false), &host, "✗ not_proven");
    check(announce(9, true), &host, "= other_build");
    check(announce(B1, true), &with(host.clone(), |host| host.build.as_mut().unwrap().expected_boots = 32), "= noted");
    check(announce(B1, true), &fresh(), "= build_ended");
    check(note(B1, true, "30 %"), &host, "stage provisioning");
    check(note(B1, false, "30 %"), &host, "✗ not_proven");
    check(note(9, true, "30 %"), &host, "= other_build");
    check(note(B1, true, "tail"), &failed_build(), "stage error");
    check(Event::ProgressNoted { build: build_id(B1), token_ok: true, word: String::new(), text: String::new() }, &host, "= noted");
    assert_eq!(go(&host, &announce(B1, true)).build.unwrap().expected_boots, 2);
    assert_eq!(go(&host, &note(B1, true, "30 %")).build.unwrap().log, "packages: 30 %\n");
    let full = go(&host, &note(B1, true, &"é".repeat(50_000)));
    assert!(full.build.unwrap().log.len() <= 64 * 1024);
}

// ── T17–T20, T23, P5 ──

#[test]
fn a_wipe_begins_only_with_confirmation_plan_and_no_hold() {
    let release = |confirm, live| Event::Release { then: Then::Available, confirm, live };
    let start = |then, confirm| Event::CleanStart { then, confirm, live: wipe() };
    check(release(name(), wipe()), &used(), "T17 cleaning");
    check(release(name(), wipe()), &reserved(), "T17 cleaning");
    check(release(None, wipe()), &used(), "✗ needs_confirm");
    check(release(name(), register()), &used(), "✗ no_plan");
    check(release(name(), NewLive { plan: Some(Box::new(plan(0))), ..wipe() }), &used(), "✗ no_plan");
    check(release(name(), wipe()), &frozen(used()), "✗ frozen");
    check(release(name(), wipe()), &protected(used()), "✗ protected");
    check(release(name(), wipe()), &restarting(&used()), "✗ task_open");
    check(release(name(), wipe()), &failed_build(), "T23 cleaning");
    check(release(name(), wipe()), &error(ErrorFrom::Used), "T23 cleaning");
    check(release(None, wipe()), &failed_build(), "✗ needs_confirm");
    check(release(name(), wipe()), &error(ErrorFrom::Cleaning), "✗ not_from_here");
    check(release(name(), wipe()), &available(), "✗ not_from_here");
    for host in [available(), unavailable(DiskState::Unknown), reserved()] {
        check(start(Then::Available, name()), &host, "T17b cleaning");
        check(start(Then::Unavailable, None), &host, "✗ needs_confirm");
        check(start(Then::Decommissioned, name()), &host, "✗ wrong_goal");
    }
    check(start(Then::Available, name()), &used(), "✗ not_from_here");
    check(start(Then::Available, name()), &new(), "✗ not_from_here");
    let delete = |confirm| Event::Delete { confirm, live: wipe() };
    check(delete(name()), &used(), "P5 cleaning");
    check(delete(name()), &frozen(used()), "P5 cleaning");
    check(delete(name()), &protected(used()), "✗ protected");
    check(delete(None), &used(), "✗ needs_confirm");
    check(delete(name()), &provisioning(Stage::Dhcp), "✗ not_from_here");
    check(delete(name()), &restarting(&used()), "✗ task_open");
    let deleting = go(&used(), &delete(name()));
    assert_eq!((display_state(&deleting), api_status(&deleting)), ("Deleting", Some("ACTIVE")));
    assert_eq!(deleting.task.as_ref().unwrap().hard_deadline, deleting.hard_deadline);
    let gone = go(&go(&deleting, &hello(true, 1)), &clean_report(Wiped::All));
    assert_eq!((display_state(&gone), api_status(&gone), &gone.task), ("Deleted", Some("DELETED"), &None));
}

#[test]
fn a_wipe_ends_where_it_was_to_end_or_in_error() {
    for (then, word) in [
        (Then::Available, "T18 available"),
        (Then::Unavailable, "T18 unavailable"),
        (Then::Decommissioned, "T18 decommissioned"),
        (Then::Deleted, "T18 decommissioned"),
    ] {
        check(clean_report(Wiped::All), &erasing_to(then), word);
        check(clean_report(Wiped::Waived { by: "alice".into(), why: "scrap".into() }), &erasing_to(then), word);
        check(clean_report(sda()), &erasing_to(then), "T19 error");
        // Nobody can have wiped anything before its agent said hello.
        check(clean_report(Wiped::All), &cleaning(then), "✗ not_proven");
    }
    check(Event::CleanReport { outcome: Wiped::All, results: Vec::new(), token_ok: false, plan_ok: true }, &erasing(), "✗ not_proven");
    check(Event::CleanReport { outcome: Wiped::All, results: Vec::new(), token_ok: true, plan_ok: false }, &erasing(), "✗ other_plan");
    check(clean_report(Wiped::All), &used(), "✗ not_from_here");
    check_at(1800, Event::HardDeadline(Clock::State), &cleaning(Then::Available), "T19 error");
    check_at(1799, Event::HardDeadline(Clock::State), &cleaning(Then::Available), "= not_due");
    check(Event::CleanCancel, &cleaning(Then::Available), "T19b used");
    check(Event::CleanCancel, &erasing(), "✗ erase_begun");
    assert_eq!(go(&erasing(), &clean_report(Wiped::All)).disk_state, DiskState::Clean);
    assert_eq!(erasing().disk_state, DiskState::Unknown);
    let slow = NewLive { deadlines: Some(Deadlines { soft_secs: 100, hard_secs: 9000 }), ..wipe() };
    let host = go(&used(), &Event::Release { then: Then::Available, confirm: name(), live: slow });
    assert_eq!((host.soft_deadline, host.hard_deadline), (Some(at(100)), Some(at(9000))));
}

#[test]
fn a_failed_wipe_is_tried_again_towards_its_goal() {
    let failed = go(&erasing_to(Then::Decommissioned), &clean_report(sda()));
    check(Event::CleanRetry(wipe()), &failed, "T20 cleaning");
    check(Event::CleanRetry(register()), &failed, "✗ no_plan");
    check(Event::CleanRetry(wipe()), &protected(failed.clone()), "✗ protected");
    check(Event::CleanRetry(wipe()), &frozen(failed.clone()), "✗ frozen");
    check(Event::CleanRetry(wipe()), &failed_build(), "✗ not_from_here");
    check(Event::CleanRetry(wipe()), &used(), "✗ not_from_here");
    let again = |host: &Host| go(&go(host, &Event::CleanRetry(wipe())), &hello(true, 2));
    check(clean_report(Wiped::All), &again(&failed), "T18 decommissioned");
    let mut host = failed;
    for _ in 0..2 {
        check_by(&Actor::Server, Event::CleanRetry(wipe()), &host, "T20 cleaning");
        host = go(&again(&host), &clean_report(sda()));
    }
    check_by(&Actor::Server, Event::CleanRetry(wipe()), &host, "✗ tries_spent");
    check(Event::CleanRetry(wipe()), &host, "T20 cleaning");
}

// ── T21, T22, T25–T34 ──

#[test]
fn where_maintenance_ends_is_computed() {
    let start = |confirm| Event::MaintenanceStart { confirm };
    let end = |touched| Event::MaintenanceEnd { touched, live: register() };
    check(start(None), &available(), "T25 maintenance");
    check(start(None), &unavailable(DiskState::Dirty), "T25 maintenance");
    check(start(name()), &used(), "T25 maintenance");
    check(start(None), &used(), "✗ needs_confirm");
    check(start(None), &reserved(), "✗ not_from_here");
    check(start(name()), &defective(), "✗ not_from_here");
    for (host, return_to) in [
        (error(ErrorFrom::Used), ReturnTo::Used),
        (error(ErrorFrom::Cleaning), ReturnTo::Unavailable),
        (error(ErrorFrom::Maintenance), ReturnTo::Unavailable),
        (failed_build(), ReturnTo::Unavailable),
        (with(error(ErrorFrom::Reserved), |host| host.disk_state = DiskState::Clean), ReturnTo::Available),
        (with(error(ErrorFrom::Used), |host| host.disk_state = DiskState::Unknown), ReturnTo::Unavailable),
    ] {
        check(start(None), &host, "T21 maintenance");
        assert_eq!(go(&host, &start(None)).lifecycle, Lifecycle::Maintenance { return_to });
    }
    check(end(false), &maintenance(ReturnTo::Available), "T26 available");
    check(end(false), &maintenance(ReturnTo::Unavailable), "T26 unavailable");
    check(end(false), &maintenance(ReturnTo::Used), "T26 used");
    check(end(true), &maintenance(ReturnTo::Available), "T26 registering");
    check(end(true), &maintenance(ReturnTo::Used), "T26 used_registering");
    check(end(false), &with(maintenance(ReturnTo::Unavailable), |host| host.facts = None), "T26 registering");
    check(end(false), &with(maintenance(ReturnTo::Available), |host| host.disk_state = DiskState::Dirty), "T26 unavailable");
    check(end(true), &frozen(maintenance(ReturnTo::Used)), "✗ frozen");
    check(Event::MaintenanceEnd { touched: true, live: wipe() }, &maintenance(ReturnTo::Used), "✗ plan_in_registration");
    check(end(false), &used(), "✗ not_from_here");
    check_at(8 * DAYS, Event::SoftDeadline(Clock::State), &go(&available(), &start(None)), "T36 maintenance");
}

#[test]
fn a_fault_leads_to_error_and_keeps_the_disks_of_a_used_host() {
    let fault = || Event::Fault { text: "psu".into() };
    for host in [available(), reserved(), registering(), maintenance(ReturnTo::Used)] {
        check(fault(), &host, "T27 error");
    }
    check(fault(), &cleaning(Then::Available), "T19 error");
    check(fault(), &used(), "T27b error");
    check_by(&Actor::Server, fault(), &used(), "T27b error");
    check_by(&machine(false), fault(), &used(), "✗ not_proven");
    check_by(&machine(false), fault(), &available(), "✗ not_proven");
    check(fault(), &provisioning(Stage::Dhcp), "✗ not_from_here");
    let host = go(&frozen(used()), &fault());
    assert_eq!((&host.disk_state, host.holds.frozen.is_some()), (&DiskState::Dirty, true));
}

#[test]
fn an_error_is_resolved_only_where_nothing_is_in_doubt() {
    let clean = |from| with(error(from), |host| host.disk_state = DiskState::Clean);
    check(Event::Resolve, &clean(ErrorFrom::Available), "T22 available");
    check(Event::Resolve, &error(ErrorFrom::Available), "✗ disks_not_clean");
    check(Event::Resolve, &error(ErrorFrom::Cleaning), "✗ disks_not_clean");
    check_at(31 * DAYS, Event::Resolve, &clean(ErrorFrom::Available), "✗ facts_stale");
    check(Event::Resolve, &with(clean(ErrorFrom::Available), |host| host.raise(IssueKind::UuidMismatch, "x".into(), now())), "✗ blocking_issue");
    check(Event::Resolve, &error(ErrorFrom::Used), "T27c used");
    check(Event::Resolve, &with(error(ErrorFrom::Used), |host| host.disk_state = DiskState::Unknown), "✗ disks_touched");
    check(Event::Resolve, &used(), "✗ not_from_here");
}

#[test]
fn a_defect_is_an_end_without_force() {
    let mark = |reason: &str, abandon| Event::MarkDefective { reason: reason.into(), notes: String::new(), abandon };
    for host in [new(), unavailable(DiskState::Dirty), available(), reserved(), registering(), maintenance(ReturnTo::Available), failed_build()] {
        check(mark("dimm", false), &host, "T28 defective");
    }
    check(mark(" ", false), &new(), "✗ needs_reason");
    check(mark("dimm", false), &cleaning(Then::Available), "T28 defective");
    check(mark("dimm", false), &erasing(), "✗ erase_begun");
    check(mark("dimm", true), &erasing(), "T28 defective");
    assert_eq!(go(&cleaning(Then::Available), &mark("dimm", false)).disk_state, DiskState::Unknown);
    for host in [used(), used_registering(), provisioning(Stage::Dhcp), error(ErrorFrom::Used)] {
        check(mark("dimm", true), &host, "✗ not_from_here");
    }
    check(Event::Repaired(register()), &defective(), "T29 available");
    check(Event::Repaired(register()), &with(defective(), |host| host.disk_state = DiskState::Unknown), "T29 unavailable");
    check_at(31 * DAYS, Event::Repaired(register()), &defective(), "T29 unavailable");
    check(Event::Repaired(register()), &with(defective(), |host| host.facts = None), "T29 registering");
    check(Event::Repaired(register()), &used(), "✗ not_from_here");
    check(Event::Reserve { user: "bob".into(), until: None }, &defective(), "✗ defective");
}

#[test]
fn leaving_service_needs_clean_disks_or_force_with_a_reason() {
    let leave = |force, reason: Option<&str>| Event::Decommission { force, reason: reason.map(str::to_owned) };
    let remove = |force, reason: Option<&str>| Event::RemoveFromRack { force, reason: reason.map(str::to_owned) };
    check(leave(false, None), &available(), "T31 decommissioned");
    check(leave(false, None), &unavailable(DiskState::Dirty), "✗ disks_not_clean");
    check(leave(true, None), &unavailable(DiskState::Dirty), "✗ needs_reason");
    check(leave(true, Some("old")), &unavailable(DiskState::Dirty), "T31 decommissioned");
    check(leave(false, None), &protected(available()), "✗ protected");
    check(leave(true, Some("old")), &defective(), "T31 decommissioned");
    for host in [used(), used_registering(), provisioning(Stage::Dhcp)] {
        check(leave(true, Some("old")), &host, "✗ not_from_here");
        check(remove(true, Some("old")), &host, "✗ not_from_here");
    }
    check(remove(false, None), &available(), "T34 decommissioned");
    check(remove(false, None), &decommissioned(Decommission::Retired), "T34 decommissioned");
    check(remove(false, None), &decommissioned(Decommission::RemovedFromRack), "= already");
    check(remove(false, None), &decommissioned(Decommission::Deleted), "✗ decommissioned");
    check(remove(false, None), &protected(decommissioned(Decommission::Retired)), "✗ protected");
    check_at(29 * DAYS, Event::RetentionPassed, &decommissioned(Decommission::Deleted), "= not_due");
    check_at(30 * DAYS, Event::RetentionPassed, &decommissioned(Decommission::Deleted), "T33 decommissioned");
    check_at(30 * DAYS, Event::RetentionPassed, &decommissioned(Decommission::Retired), "= not_due");
    assert!(go_at(&decommissioned(Decommission::Deleted), &Event::RetentionPassed, 30 * DAYS).is_purge());
}

#[test]
fn what_a_backup_calls_open_is_closed_and_what_it_offers_is_kept_back() {
    let restored = || Event::Restored { made: at(-3_600) };
    for stage in [Stage::BuildEnabled, Stage::Dhcp, Stage::ProvisionTemplateSent, Stage::Installing, Stage::PostRunning] {
        check(restored(), &provisioning(stage), "T37 error");
        let host = go(&provisioning(stage), &restored());
        assert!(host.open_build().is_none() && host.task.is_none() && host.disk_state == DiskState::Unknown, "{stage:?}");
        assert_eq!(end(&host), Some(&BuildEnd::Cancelled));
    }
    check(restored(), &strict_built(), "= noted");
    check(restored(), &protected(provisioning(Stage::Dhcp)), "T37 error");
    check(restored(), &cleaning(Then::Available), "T37 error");
    let host = go(&cleaning(Then::Deleted), &restored());
    assert!(host.live.as_ref().is_some_and(|run| !run.is_open()) && host.task.is_none(), "the run and the deletion are over");
    assert!(host.issues.iter().any(|issue| issue.kind == IssueKind::WipeUnverified));
    check(Event::MarkAvailable, &host, "✗ not_from_here");
    for host in [available(), reserved()] {
        check(restored(), &host, "T37 unavailable");
        check(Event::EnableBuild { build: new_build(7), confirm: None }, &go(&host, &restored()), "✗ not_from_here");
        check(Event::MarkAvailable, &go(&host, &restored()), "T5 available");
    }
    for host in [new(), used(), unavailable(DiskState::Dirty), error(ErrorFrom::Used), defective(), decommissioned(Decommission::Retired)] {
        check(restored(), &host, "= noted");
    }
}

// ── O1–O10 ──

#[test]
fn the_operational_state_follows_contact_health_and_time() {
    let availability = |host: &Host| host.operational.availability;
    let contact = |tested| Event::Contact { tested, booted: true };
    let power = |power, steady_secs, mass| Event::PowerRead { power, steady_secs, mass };
    let unlocked = go_powered(&used(), &Event::AdminUnlock, 0).host;
    check(contact(true), &used(), "O1 used");
    check(contact(true), &unlocked, "O3 used");
    check(contact(false), &unlocked, "O4 used");
    check_at(30, contact(true), &in_service(), "= noted");
    check_at(60, contact(true), &in_service(), "O1 used");
    check_at(719, Event::BootTimeout, &unlocked, "= not_due");
    check_at(720, Event::BootTimeout, &in_service(), "= not_due");
    check_at(720, Event::BootTimeout, &unlocked, "O1 used");
    check(Event::ContactLost { quiet_secs: 10 }, &in_service(), "= not_due");
    check(Event::ContactLost { quiet_secs: 11 }, &go(&used(), &contact(true)), "O2 used");
    check(Event::ContactLost { quiet_secs: 11 }, &in_service(), "O7 used");
    check(Event::ContactLost { quiet_secs: 11 }, &unlocked, "= already");
    check(Event::ContactLost { quiet_secs: 11 }, &broken(), "O7 used");
    check(Event::ContactLost { quiet_secs: 11 }, &go_at(&unlocked, &Event::BootTimeout, 720).host, "= not_due");
    for (health, want) in
        [(Health::Passed, Availability::Available), (Health::SomeFailed, Availability::Degraded), (Health::CriticalFailed, Availability::Failed)]
    {
        check(Event::Health(health), &in_tests(), "O4 used");
        assert_eq!(availability(&go(&in_tests(), &Event::Health(health))), want);
    }
    check(Event::Health(Health::SomeFailed), &in_service(), "O6 used");
    check(Event::Health(Health::Missed(5)), &in_service(), "= noted");
    assert_eq!(availability(&go(&in_service(), &Event::Health(Health::Missed(6)))), Availability::Degraded);
    assert_eq!(availability(&go(&in_service(), &Event::Health(Health::Missed(10)))), Availability::Failed);
    check(Event::Health(Health::Passed), &broken(), "= noted");
    check(Event::Health(Health::Passed), &used(), "= noted");
    check(Event::Health(Health::Passed), &in_service(), "= already");
    check_at(600, Event::TestTimeout, &in_tests(), "O4 used");
    check_at(599, Event::TestTimeout, &in_tests(), "= not_due");
    check(Event::AdminLock { force: false, confirm: None }, &in_service(), "O8 used");
    check(Event::AdminLock { force: true, confirm: None }, &in_service(), "✗ needs_confirm");
    check(Event::AdminLock { force: true, confirm: name() }, &in_service(), "O8 used");
    check(Event::AdminLock { force: false, confirm: None }, &used(), "= already");
    assert_eq!(availability(&go(&in_service(), &Event::AdminLock { force: false, confirm: None })), Availability::Online);
    check(Event::AdminUnlock, &used(), "O9 used");
    check(Event::AdminUnlock, &unlocked, "= already");
    check(Event::AdminUnlock, &available(), "✗ not_from_here");
    check(Event::AdminUnlock, &frozen(used()), "✗ frozen");
    check(power(PowerState::Off, 30, false), &used(), "O10 used");
    assert_eq!(availability(&go(&used(), &power(PowerState::Off, 30, false))), Availability::PoweredOff);
    check(power(PowerState::Off, 30, false), &in_service(), "O7 used");
    check(power(PowerState::Off, 9, false), &in_service(), "= not_due");
    check(power(PowerState::Off, 30, true), &in_service(), "= noted");
    check(power(PowerState::On, 30, false), &go(&used(), &power(PowerState::Off, 30, false)), "O10 used");
    check(power(PowerState::Unknown, 30, false), &used(), "= already");
}

#[test]
fn automatic_recovery_stops_at_its_threshold() {
    let mut host = broken();
    let mut secs = 0;
    for tries in 1..=2 {
        secs += 300;
        host = go_at(&host, &Event::RecoveryTimer, secs).host;
        assert_eq!((host.operational.availability, host.operational.recoveries), (Availability::Intest, tries));
        host = go_at(&host, &Event::Health(Health::CriticalFailed), secs).host;
    }
    check_at(secs + 299, Event::RecoveryTimer, &host, "= not_due");
    let host = go_at(&host, &Event::RecoveryTimer, secs + 300).host;
    assert_eq!((host.operational.availability, host.operational.deadline), (Availability::Failed, None));
    check_at(secs + 9000, Event::RecoveryTimer, &host, "= not_due");
}

// ── P1–P4, P9, P10 ──

#[track_caller]
fn check_powered(secs: i64, event: Event, host: &Host, want: &str) {
    let verdict = verdict_powered(host, &event, secs);
    assert_eq!(word(&verdict), want, "{} in {}: {verdict:?}", event.word(), host.lifecycle.word());
}

fn powered(state: PowerState) -> Host {
    with(used(), |host| host.power.state = state)
}

fn heard(booted: bool) -> Event {
    Event::Contact { tested: false, booted }
}

#[test]
fn power_tasks_come_one_at_a_time() {
    check(Event::Start, &powered(PowerState::Off), "P1 used");
    check(Event::Start, &powered(PowerState::PoweringOff), "✗ wrong_power");
    check(Event::Start, &frozen(powered(PowerState::Off)), "✗ frozen");
    check(Event::Start, &available(), "✗ not_from_here");
    check(Event::Stop, &powered(PowerState::On), "P2 used");
    check(Event::Stop, &protected(powered(PowerState::On)), "P2 used");
    check(Event::Stop, &frozen(used()), "P2 used");
    check(Event::Stop, &powered(PowerState::Off), "= already");
    check(Event::Stop, &restarting(&used()), "✗ task_open");
    check(Event::Stop, &new(), "✗ not_from_here");
    check(Event::Restart, &powered(PowerState::On), "P3 used");
    check(Event::Restart, &powered(PowerState::Off), "✗ wrong_power");
    check(Event::Restart, &powered(PowerState::PoweringOn), "✗ wrong_power");
    check(Event::Restart, &frozen(used()), "✗ frozen");
    check(Event::Restart, &cleaning(Then::Available), "✗ not_from_here");
    check(Event::Restart, &available(), "✗ not_from_here");
    check(Event::ForceRestart, &powered(PowerState::Off), "P4 used");
    check(Event::ForceRestart, &cleaning(Then::Available), "P4 cleaning");
    check(Event::ForceRestart, &frozen(used()), "✗ frozen");
    check(Event::ForceRestart, &erasing(), "✗ erase_begun");
    check(Event::ForceRestart, &provisioning(Stage::Dhcp), "✗ task_open");
    check(Event::Start, &restarting(&used()), "✗ task_open");
    let done = |kind| Event::TaskDone { kind };
    check(done(Some(TaskKind::Restarting)), &restarting(&used()), "P3 used");
    check(done(None), &restarting(&used()), "P3 used");
    check_by(&alice(), done(None), &restarting(&used()), "P3 used");
    check_by(&machine(true), done(None), &restarting(&used()), "✗ wrong_actor");
    check(done(Some(TaskKind::Starting)), &restarting(&used()), "= not_due");
    check(done(None), &provisioning(Stage::Dhcp), "= not_due");
    check(done(None), &used(), "= not_due");
    check_at(300, Event::SoftDeadline(Clock::Task), &restarting(&used()), "T36 used");
    check_at(299, Event::SoftDeadline(Clock::Task), &restarting(&used()), "= not_due");
    let start = go(&powered(PowerState::Off), &Event::Start);
    assert_eq!((display_state(&start), api_status(&start)), ("Starting", Some("SHUTOFF")));
    assert_eq!(go(&start, &Event::PowerRead { power: PowerState::On, steady_secs: 30, mass: false }).task, None);
    let stop = go(&powered(PowerState::On), &Event::Stop);
    assert_eq!(go(&stop, &Event::PowerRead { power: PowerState::Off, steady_secs: 30, mass: false }).task, None);
    let done = go(&stop, &done(None));
    assert_eq!((done.power.state, display_state(&done), api_status(&done)), (PowerState::Off, "Stopped", Some("SHUTOFF")));
}

#[test]
fn with_power_control_a_task_is_tried_twice_and_then_a_fault() {
    check_powered(0, Event::Start, &powered(PowerState::On), "= already");
    check_powered(899, Event::HardDeadline(Clock::Task), &restarting(&used()), "= not_due");
    let again = go_powered(&restarting(&used()), &Event::HardDeadline(Clock::Task), 900).host;
    assert_eq!((again.task.as_ref().unwrap().attempt, again.task.as_ref().unwrap().hard_deadline), (2, Some(at(1800))));
    check_powered(1800, Event::HardDeadline(Clock::Task), &again, "T27b error");
    for (host, want) in [(reserved(), "T27 error"), (maintenance(ReturnTo::Used), "T27 error"), (new(), "P3 new")] {
        check_powered(900, Event::HardDeadline(Clock::Task), &with(restarting(&host), |host| host.task.as_mut().unwrap().attempt = 2), want);
    }
    // The controller tells when a task is done; being heard does not.
    assert!(go_powered(&restarting(&used()), &heard(true), 9).host.task.is_some());
    let stopping = go(&go(&powered(PowerState::On), &heard(true)), &Event::Stop);
    assert!(go_powered(&stopping, &Event::ContactLost { quiet_secs: 60 }, 9).host.task.is_some());
    check_powered(720, Event::BootTimeout, &go_powered(&used(), &Event::AdminUnlock, 0).host, "O1 used");
}

#[test]
fn without_power_control_people_switch_and_contact_tells() {
    let says = |go: &Go, word: &str| assert!(go.notes.iter().any(|(_, text)| text.contains(word)), "{word}: {:?}", go.notes);
    for (host, event) in [(powered(PowerState::Off), Event::Start), (used(), Event::Restart), (used(), Event::ForceRestart), (used(), Event::Stop)] {
        says(&go_at(&host, &event, 0), "there is no power control: switch the machine");
    }
    // What was last heard to be on may have been switched off since.
    let starting = go(&powered(PowerState::On), &Event::Start);
    let off = go(&powered(PowerState::Off), &Event::Start);
    for booted in [false, true] {
        assert_eq!(go(&starting, &heard(booted)).task, None);
        let host = go(&off, &heard(booted));
        assert_eq!((host.task, host.power.state, host.power.observed_at), (None, PowerState::On, Some(now())));
    }
    let forced = go(&used(), &Event::ForceRestart);
    for host in [restarting(&used()), forced] {
        assert!(go(&host, &heard(false)).task.is_some(), "a renewed lease is no restart");
        assert_eq!(go(&host, &heard(true)).task, None);
        assert_eq!(go(&go(&host, &heard(false)), &heard(true)).task, None, "heard lately, but not booted");
    }
    let stopping = go(&go(&used(), &heard(true)), &Event::Stop);
    assert!(go_at(&stopping, &heard(true), 90).host.task.is_some());
    let stopped = go(&stopping, &Event::ContactLost { quiet_secs: 11 });
    assert_eq!((&stopped.task, stopped.power.state, stopped.operational.availability), (&None, PowerState::Off, Availability::Offline));
    let silent = go(&used(), &Event::Stop);
    check(Event::ContactLost { quiet_secs: 10 }, &silent, "= not_due");
    check(Event::ContactLost { quiet_secs: 11 }, &silent, "P2 used");
    // Nobody tried, so nothing failed: given up with an issue, wherever the host is.
    for host in [used(), reserved(), maintenance(ReturnTo::Used), new()] {
        check_at(899, Event::HardDeadline(Clock::Task), &restarting(&host), "= not_due");
        let Go { row, host: left, notes, .. } = go_at(&restarting(&host), &Event::HardDeadline(Clock::Task), 900);
        assert_eq!((row, &left.lifecycle, &left.task, left.issues[0].kind), ("P3", &host.lifecycle, &None, IssueKind::Overdue));
        assert!(matches!(&notes[0].0, What::Deadline { which } if which == "hard"));
        // Late, but there: nothing is overdue any more.
        assert!(go_at(&left, &heard(true), 1000).host.issues.is_empty());
        assert_eq!(go_at(&left, &heard(false), 1000).host.issues.len(), 1);
    }
}

#[test]
fn without_power_control_an_unlocked_host_waits_for_its_reboot_and_has_not_failed() {
    let Go { host, notes, .. } = go_at(&used(), &Event::AdminUnlock, 0);
    assert_eq!((host.operational.availability, host.operational.deadline), (Availability::Offline, None));
    assert!(notes[0].1.contains("nobody reboots it"), "{notes:?}");
    check_at(9000, Event::BootTimeout, &host, "= not_due");
    check_at(9000, heard(true), &host, "O4 used");
    // One that was in service and fell silent is another matter.
    let lost = go(&in_service(), &Event::ContactLost { quiet_secs: 11 });
    check_at(720, Event::BootTimeout, &lost, "O1 used");
    // And one that is known to be off is not waited for.
    let off = go(&in_service(), &Event::PowerRead { power: PowerState::Off, steady_secs: 30, mass: false });
    check_at(9000, Event::BootTimeout, &off, "= not_due");
    let on = go(&off, &Event::PowerRead { power: PowerState::On, steady_secs: 30, mass: false });
    check_at(720, Event::BootTimeout, &on, "O1 used");
}

#[test]
fn a_reported_health_makes_each_boot_wait_for_a_report() {
    let availability = |host: &Host| host.operational.availability;
    let heard_only = go(&go(&used(), &Event::AdminUnlock), &heard(true));
    assert_eq!(availability(&heard_only), Availability::Available);
    check(Event::Health(Health::Passed), &heard_only, "O6 used");
    let watched = go(&heard_only, &Event::Health(Health::Passed));
    check(Event::Health(Health::Passed), &watched, "= already");
    let back = go_at(&go(&watched, &Event::ContactLost { quiet_secs: 60 }), &heard(true), 100).host;
    assert_eq!(availability(&back), Availability::Intest);
    check_at(101, Event::Health(Health::SomeFailed), &back, "O4 used");
    // Locking forgets the monitor.
    let again = go(&go(&go(&watched, &Event::AdminLock { force: false, confirm: None }), &Event::AdminUnlock), &heard(true));
    assert_eq!(availability(&again), Availability::Available);
    // A locked host that misses its heartbeats is offline.
    let online = go(&used(), &heard(true));
    check(Event::Health(Health::Missed(9)), &online, "= noted");
    check(Event::Health(Health::Missed(10)), &online, "O2 used");
    assert_eq!(availability(&go(&online, &Event::Health(Health::Missed(10)))), Availability::Offline);
}

#[test]
fn the_live_images_agent_is_contact_and_its_silence_the_loss_of_it() {
    let availability = |host: &Host| host.operational.availability;
    let there = go(&registering(), &hello(true, 1));
    assert_eq!((availability(&there), there.operational.last_contact), (Availability::Online, Some(now())));
    let beaten = go_at(&with(there.clone(), |host| host.operational.availability = Availability::PoweredOff), &beat(true), 40).host;
    assert_eq!((availability(&beaten), beaten.operational.last_contact), (Availability::Online, Some(at(40))));
    assert_eq!(expiry_words(&there, 119), [""; 0]);
    assert_eq!(expiry_words(&there, 120), ["contact.lost", "agent.silent"]);
    let lost = go_at(&go_at(&there, &Event::ContactLost { quiet_secs: 120 }, 120).host, &Event::AgentSilent, 120).host;
    assert_eq!(availability(&lost), Availability::Offline);
    assert_eq!((expiry_words(&lost, 299).len(), expiry_words(&lost, 300)), (0, vec!["agent.silent"]));
    // One in service is judged by what it serves with.
    let used = go(&with(used_registering(), |host| host.operational = unlocked_offline().operational), &hello(true, 1));
    assert_eq!(availability(&used), Availability::Offline);
}

fn unlocked_offline() -> Host {
    go(&used(), &Event::AdminUnlock)
}

fn expiry_words(host: &Host, secs: i64) -> Vec<&'static str> {
    expiry::due(host, &Times::default(), at(-1_000_000), at(secs)).iter().map(Event::word).collect()
}

#[test]
fn holds_are_set_and_taken_away() {
    let bob = operator("bob", Role::Operator);
    check(Event::Freeze { why: "arrears".into() }, &used(), "P9 used");
    check(Event::Freeze { why: " ".into() }, &used(), "✗ needs_reason");
    check(Event::Freeze { why: "x".into() }, &frozen(used()), "= already");
    check(Event::Freeze { why: "x".into() }, &provisioning(Stage::Dhcp), "✗ not_from_here");
    check_by(&bob, Event::Freeze { why: "x".into() }, &used(), "✗ role_too_low");
    check_by(&bob, Event::Unfreeze, &frozen(used()), "✗ role_too_low");
    check(Event::Unfreeze, &frozen(used()), "P9 used");
    check(Event::Unfreeze, &used(), "= already");
    check(Event::Protect, &used(), "P10 used");
    check(Event::Protect, &protected(used()), "= already");
    check(Event::Unprotect, &protected(used()), "P10 used");
    check(Event::Unprotect, &used(), "= already");
    let running = with(restarting(&used()), |host| host.power.state = PowerState::On);
    assert_eq!(frozen(running).task.unwrap().kind, TaskKind::Stopping);
    assert_eq!(frozen(used()).task, None);
}

// ── refusals, display ──

#[test]
fn a_refusal_has_a_kind_for_the_edges() {
    for (event, host, kind) in [
        (enable(|_| ()), protected(used()), WhyKind::Locked),
        (enable(|_| ()), frozen(used()), WhyKind::Locked),
        (Event::EnableBuild { build: new_build(2), confirm: None }, used(), WhyKind::NeedsConfirm),
        (enable(|_| ()), provisioning(Stage::Dhcp), WhyKind::Conflict),
        (Event::MarkAvailable, unavailable(DiskState::Dirty), WhyKind::Precondition),
        (Event::Built { build: build_id(B1), token_ok: false, text: String::new() }, provisioning(Stage::FinishSent), WhyKind::Forbidden),
    ] {
        assert_eq!(refused(&host, &event, &actor_of(&event)).kind(), kind, "{event:?}");
    }
    let why = refused(&provisioning(Stage::Dhcp), &enable(|_| ()), &alice());
    assert_eq!(why.to_string(), format!("T9: build {} of alice is open; wait for it or cancel it (T12)", build_id(B1)));
}

#[test]
fn states_read_as_the_mapped_systems_call_them() {
    let on = |state| with(used(), |host| host.power.state = state);
    for (host, display, status) in [
        (new(), "New", None),
        (available(), "Available", None),
        (reserved(), "Available reserved", None),
        (provisioning(Stage::Dhcp), "Creating", Some("BUILD")),
        (on(PowerState::On), "Running", Some("ACTIVE")),
        (on(PowerState::Off), "Stopped", Some("SHUTOFF")),
        (used(), "Running", Some("ACTIVE")),
        (used_registering(), "Used registering", Some("ACTIVE")),
        (restarting(&used()), "Restarting", Some("REBOOT")),
        (go(&used(), &Event::ForceRestart), "Forcibly restarting", Some("HARD_REBOOT")),
        (go(&used(), &Event::Stop), "Stopping", Some("ACTIVE")),
        (frozen(used()), "Running", Some("SHUTOFF")),
        (cleaning(Then::Available), "Cleaning", None),
        (maintenance(ReturnTo::Used), "Maintenance", Some("ACTIVE")),
        (maintenance(ReturnTo::Available), "Maintenance", None),
        (failed_build(), "Faulty", Some("ERROR")),
        (error(ErrorFrom::Provisioning { kind: BuildKind::Reinstall }), "Reinstalling OS failed", Some("SHUTOFF")),
        (defective(), "Defective", Some("ERROR")),
        (decommissioned(Decommission::Retired), "Decommissioned", None),
        (decommissioned(Decommission::RemovedFromRack), "Removed from rack", None),
        (decommissioned(Decommission::Deleted), "Deleted", Some("DELETED")),
    ] {
        assert_eq!((display_state(&host), api_status(&host)), (display, status), "{:?}", host.lifecycle);
    }
}

#[test]
fn an_absurd_deadline_is_still_finite() {
    let deadlines = [(Stage::BuildEnabled, Deadlines { soft_secs: u64::MAX, hard_secs: u64::MAX })].into();
    let event = Event::EnableBuild { build: Box::new(NewBuild { deadlines, token_secs: Some(u64::MAX), ..*new_build(B1) }), confirm: None };
    let actor = alice();
    let verdict = decide(&event, &available(), &Ask { actor: &actor, now: now(), times: &Times::default(), power_control: false });
    let Verdict::Go(go) = verdict else { panic!("{verdict:?}") };
    assert!(go.host.open_build().unwrap().hard_deadline.is_some());
}
