//! What a guard lets pass and what it changes on the way: the cases beside the rows that `lifecycle_rows` tells.
//!
//! Each of these is here because nothing else noticed when the guard was weakened (`tests/mutants`). Some hosts are such as no history
//! leads to: a record that somebody damaged must not make a rule do more than it may.

use std::sync::Arc;

use bootwright::model::lifecycle::Decommission;
use bootwright::model::{
    Administrative, Availability, BuildKind, DiskState, Facts, Host, IssueKind, Lifecycle, LoopClass, Method, PowerState, ReturnTo, Role, Stage,
    TaskKind, Then, Used, What, WipePolicy,
};
use bootwright::rules::lifecycle::{Clock, Event, Go, Health, NewBuild, Verdict, Wiped, running};

use crate::lifecycle_samples::*;

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Go(go) => format!("{} {}", go.row, go.host.lifecycle.word()),
        Verdict::Stay(stay) => format!("= {}", stay.code()),
        Verdict::Refuse(why) => format!("✗ {}", why.code()),
    }
}

#[track_caller]
fn check(secs: i64, event: Event, host: &Host, want: &str) {
    let verdict = verdict(host, &event, secs);
    assert_eq!(word(&verdict), want, "{} in {}: {verdict:?}", event.word(), host.lifecycle.word());
}

fn enable(change: impl FnOnce(&mut NewBuild)) -> Event {
    let mut build = new_build(2);
    change(&mut build);
    Event::EnableBuild { build, confirm: name() }
}

fn heard() -> Event {
    Event::Contact { tested: false, booted: true }
}

fn read(power: PowerState) -> Event {
    Event::PowerRead { power, steady_secs: 30, mass: false }
}

fn freeze() -> Event {
    Event::Freeze { why: "arrears".into() }
}

fn says(go: &Go, text: &str) -> bool {
    go.notes.iter().any(|(_, note)| note.contains(text))
}

fn issues(host: &Host) -> Vec<IssueKind> {
    host.issues.iter().map(|issue| issue.kind).collect()
}

fn raised(host: Host, kind: IssueKind) -> Host {
    with(host, |host| host.raise(kind, "said before".into(), now()))
}

const HOURS: i64 = 3600;
const DAYS: i64 = 24 * HOURS;

// ── builds ──

#[test]
fn another_key_is_another_request() {
    let open = go(&available(), &enable(|build| build.idempotency_key = Some("k".into())));
    check(0, enable(|build| build.idempotency_key = Some("other".into())), &open, "✗ build_open");
}

#[test]
fn the_holder_of_a_reservation_and_any_admin_may_build() {
    for actor in [operator("alice", Role::Operator), operator("root", Role::Admin)] {
        assert_eq!(word(&verdict_by(&reserved(), &enable(|_| ()), 0, &actor)), "T9 provisioning", "{actor:?}");
    }
}

#[test]
fn a_retry_may_name_the_kind_that_failed() {
    check(0, Event::RetryBuild(Box::new(NewBuild { kind: Some(BuildKind::Install), ..*new_build(2) })), &failed_build(), "T24 provisioning");
}

#[test]
fn a_rearm_has_something_to_forget_if_a_loop_a_use_or_the_issue_is_there() {
    let rearm = || Event::RearmBuild { build: None };
    let host = provisioning(Stage::Dhcp);
    check(0, rearm(), &with(host.clone(), |host| host.build.as_mut().unwrap().loops.count = 1), "rearm provisioning");
    check(0, rearm(), &raised(host.clone(), IssueKind::BootLoop), "rearm provisioning");
    check(0, rearm(), &raised(host.clone(), IssueKind::Overdue), "= already");
    let used = with(host, |host| {
        let used: Used =
            serde_json::from_value(serde_json::json!({ "session": "0000000000000001", "count": 1, "first": now(), "last": now() })).unwrap();
        host.build.as_mut().unwrap().used.insert("answer".into(), used);
    });
    check(0, rearm(), &used, "rearm provisioning");
}

#[test]
fn a_closed_build_is_not_cancelled() {
    let damaged = with(provisioning(Stage::Dhcp), |host| host.build.as_mut().unwrap().end = Some(bootwright::model::BuildEnd::Cancelled));
    check(0, Event::CancelBuild { build: None }, &damaged, "✗ no_open_build");
}

#[test]
fn an_image_that_was_only_asked_for_touched_no_disk() {
    let image = go(&available(), &Event::EnableBuild { build: Box::new(NewBuild { method: Method::Image, ..*new_build(B1) }), confirm: None });
    check(0, Event::CancelBuild { build: None }, &go(&image, &stage(Stage::VmRequested)), "T12 available");
}

#[test]
fn a_token_lasts_to_its_last_second_and_so_does_its_grace() {
    let host = provisioning(Stage::FinishSent);
    assert_eq!(issues(&go_at(&host, &built(), 6 * HOURS).host), []);
    assert_eq!(issues(&go_at(&host, &built(), 6 * HOURS + 1).host), [IssueKind::TokenExpired]);
    check(6 * HOURS + DAYS, built(), &host, "T10 used");
    check(6 * HOURS + DAYS + 1, built(), &host, "✗ token_too_old");
}

#[test]
fn what_the_installer_said_is_the_evidence() {
    let say = |text: &str| Event::Built { build: build_id(B1), token_ok: true, text: text.into() };
    let evidence = |text: &str| go(&provisioning(Stage::FinishSent), &say(text)).build.unwrap().stages.last().unwrap().evidence.clone();
    assert_eq!((evidence("done in 300 s"), evidence("")), ("done in 300 s".to_owned(), "the installer said built".to_owned()));
    let fail =
        |text: &str| go_at(&provisioning(Stage::FinishSent), &Event::BuildFailed { build: build_id(B1), token_ok: true, text: text.into() }, 0);
    assert!(says(&fail("no disk"), "no disk") && says(&fail(" "), "without a reason"));
    let note = |word: &str, text: &str| {
        let event = Event::ProgressNoted { build: build_id(B1), token_ok: true, word: word.into(), text: text.into() };
        go_at(&provisioning(Stage::Installing), &event, 0).notes.remove(0).0
    };
    assert_eq!(note("packages", "30 %"), What::Callback { report: "progress/packages".into(), applied: true });
    assert_eq!(note("", "a line"), What::Callback { report: "log".into(), applied: true });
}

#[test]
fn a_log_that_is_full_of_the_same_line_is_not_written_again() {
    let full = with(provisioning(Stage::Installing), |host| host.build.as_mut().unwrap().log = "x\n".repeat(32 * 1024));
    let note = |text: &str| Event::ProgressNoted { build: build_id(B1), token_ok: true, word: String::new(), text: text.into() };
    check(0, note("x"), &full, "= noted");
    check(0, note("y"), &full, "stage provisioning");
}

#[test]
fn a_late_callback_is_said_beside_other_issues() {
    check(0, built(), &raised(failed_build(), IssueKind::Overdue), "late error");
}

#[test]
fn after_built_only_that_builds_local_boot_is_waited_for() {
    let other = Event::StageSeen { stage: Stage::LocalBoot, evidence: "e".into(), build: build_id(9) };
    check(0, other, &fresh(), "= other_build");
    let cancelled = go(&go(&used(), &Event::EnableBuild { build: new_build(B1), confirm: name() }), &Event::CancelBuild { build: None });
    check(0, stage(Stage::LocalBoot), &cancelled, "= build_ended");
    let timed = |host: Host| {
        with(host, |host| {
            let build = host.build.as_mut().unwrap();
            (build.soft_deadline, build.hard_deadline) = (Some(now()), Some(now()));
        })
    };
    let damaged = with(cancelled.clone(), |host| host.build.as_mut().unwrap().stage = Stage::Built);
    for host in [timed(cancelled), timed(damaged), timed(go(&fresh(), &stage(Stage::LocalBoot)))] {
        check(1, Event::SoftDeadline(Clock::Build), &host, "= not_due");
        check(1, Event::HardDeadline(Clock::Build), &host, "= not_due");
        assert_eq!(running(&host), []);
    }
}

// ── clocks ──

#[test]
fn a_builds_task_is_overdue_with_it_and_a_power_task_is_not() {
    let late = go_at(&provisioning(Stage::Dhcp), &Event::SoftDeadline(Clock::Build), 60).host;
    assert!(late.task.unwrap().overdue);
    let restarting = go(&fresh(), &Event::Restart);
    let late = go_at(&restarting, &Event::SoftDeadline(Clock::Build), 900).host;
    assert!(!late.task.clone().unwrap().overdue);
    assert_eq!(go(&restarting, &stage(Stage::LocalBoot)).task, restarting.task, "a stage does not move a power task's time");
}

#[test]
fn the_running_clocks_are_those_that_can_still_ring() {
    let clocks = |host: &Host| running(host).iter().map(|one| (one.clock, one.soft.is_some(), one.hard.is_some())).collect::<Vec<_>>();
    assert_eq!(clocks(&registering()), [(Clock::State, true, true)]);
    assert_eq!(clocks(&go_at(&registering(), &Event::SoftDeadline(Clock::State), 600).host), [(Clock::State, false, true)]);
    assert_eq!(clocks(&go(&available(), &Event::MaintenanceStart { confirm: None })), [(Clock::State, true, false)]);
    assert_eq!(clocks(&provisioning(Stage::Dhcp)), [(Clock::Build, true, true)], "the build's task is its shadow");
    assert_eq!(clocks(&go(&used(), &Event::Restart)), [(Clock::Task, true, true)]);
    assert_eq!(clocks(&fresh()), [(Clock::Build, true, true)]);
}

#[test]
fn leaving_a_state_ends_what_belonged_to_it_and_nothing_else() {
    let released = go(&fresh(), &Event::Release { then: Then::Available, confirm: name(), live: wipe() });
    assert_eq!(released.build.unwrap().hard_deadline, None, "nobody waits for its local boot any more");
    let maintained = go(&go(&used(), &Event::Restart), &Event::MaintenanceStart { confirm: name() });
    assert_eq!(maintained.task.unwrap().kind, TaskKind::Restarting, "a power task outlives the state");
    let clean = go(&erasing(), &Event::CleanReport { outcome: Wiped::All, results: Vec::new(), token_ok: true, plan_ok: true });
    let later = go_at(&clean, &Event::Reserve { user: "bob".into(), until: None }, 500).host;
    assert_eq!(later.live.unwrap().ended_at, Some(now()), "a run ends once");
}

#[test]
fn a_runs_token_lasts_for_all_its_tries() {
    let expires = |host: &Host| host.live.as_ref().unwrap().token_expires;
    assert_eq!((expires(&registering()), expires(&cleaning(Then::Available))), (at(3 * 1800), at(1800)));
}

#[test]
fn a_deletion_after_failed_wipes_counts_its_own_tries() {
    let failed = Event::CleanReport { outcome: Wiped::Failed { text: "sda".into() }, results: Vec::new(), token_ok: true, plan_ok: true };
    let twice = go(&go(&go(&go(&erasing(), &failed), &Event::CleanRetry(wipe())), &hello(true, 2)), &failed);
    assert_eq!(twice.attempt, 2);
    assert_eq!(go(&twice, &Event::Delete { confirm: name(), live: wipe() }).attempt, 1);
}

// ── registration ──

#[test]
fn a_first_registration_keeps_what_is_known_of_the_disks() {
    let waived = go(&new(), &Event::WaiveDisks { why: "lab".into(), confirm: name() });
    let registering = go(&go(&waived, &Event::RegisterStart(register())), &hello(true, 1));
    assert_eq!(registering.disk_state, waived.disk_state);
    let report = |auto_available| Event::RegisterReport { facts: facts(1), token_ok: true, complete: true, changes: Vec::new(), auto_available };
    check(0, report(false), &registering, "T3 unavailable");
    check(0, report(true), &registering, "T3a available");
}

/// Facts with these disks; the last one's medium can be taken out.
fn with_disks(ids: &[&str], removable: bool) -> Arc<Facts> {
    let mut facts = facts(1);
    let found = Arc::make_mut(&mut facts);
    let disk = |id: &&str| serde_json::from_value(serde_json::json!({ "id": id, "name": "sda", "size_bytes": 1 })).unwrap();
    found.disks = ids.iter().map(disk).collect();
    found.disks.last_mut().unwrap().removable = removable;
    facts
}

#[test]
fn a_disk_that_came_after_the_wipe_is_not_clean() {
    let host = with(maintenance(ReturnTo::Available), |host| host.facts = Some(with_disks(&["a", "b"], false)));
    let registering = go(&go(&host, &Event::MaintenanceEnd { touched: true, live: register() }), &hello(true, 1));
    let report = |facts| Event::RegisterReport { facts, token_ok: true, complete: true, changes: Vec::new(), auto_available: true };
    let told = |host: &Host, ids: &[&str], removable| {
        let go = go_at(host, &report(with_disks(ids, removable)), 0);
        assert_eq!(says(&go, "disk c came to the machine since its disks were called"), ids.contains(&"c") && !removable);
        (go.row, go.host.disk_state)
    };
    assert_eq!(told(&registering, &["a", "b"], false), ("T3a", DiskState::Clean));
    assert_eq!(told(&registering, &["b"], false), ("T3a", DiskState::Clean), "one less is no doubt");
    assert_eq!(told(&registering, &["a", "c"], false), ("T3", DiskState::Unknown));
    assert_eq!(told(&registering, &["a", "b", "c"], true), ("T3a", DiskState::Clean), "a medium is no disk");
    let dirty = with(registering.clone(), |host| host.disk_state = DiskState::Dirty);
    assert_eq!(go_at(&dirty, &report(with_disks(&["a", "c"], false)), 0).host.disk_state, DiskState::Dirty, "and what is dirty stays it");
    let waived = with(registering, |host| host.disk_state = DiskState::Waived { by: "ann".into(), why: "lab".into() });
    assert_eq!(told(&waived, &["a", "b", "c"], false), ("T3", DiskState::Unknown));
    let used = with(used_registering(), |host| host.facts = Some(with_disks(&["a"], false)));
    assert_eq!(go(&used, &report(with_disks(&["a", "c"], false))).disk_state, DiskState::Dirty, "its user's disks are his as before");
}

#[test]
fn a_disk_is_the_wiped_one_by_name_size_and_place_in_the_machine() {
    let before = |change: &dyn Fn(&mut Facts), now: &[&str]| {
        let mut known = with_disks(&["a", "b"], false);
        change(Arc::make_mut(&mut known));
        let host = with(maintenance(ReturnTo::Available), |host| host.facts = Some(known));
        let registering = go(&go(&host, &Event::MaintenanceEnd { touched: true, live: register() }), &hello(true, 1));
        let facts = with_disks(now, false);
        go_at(&registering, &Event::RegisterReport { facts, token_ok: true, complete: true, changes: Vec::new(), auto_available: true }, 0)
    };
    assert_eq!(before(&|_| {}, &["a", "b"]).host.disk_state, DiskState::Clean);
    assert_eq!(before(&|facts| facts.disks[0].size_bytes = 2, &["a", "b"]).host.disk_state, DiskState::Unknown, "another size");
    assert_eq!(before(&|facts| facts.disks[0].transport = "iscsi".into(), &["a", "b"]).host.disk_state, DiskState::Unknown, "it was foreign");
    assert!(says(&before(&|_| {}, &["a", "c", "d", "e", "f"]), "disks c, d, e and 1 more came"));
    assert!(says(&before(&|_| {}, &["a", "c", "d", "e"]), "disk c, d, e came"));
}

#[test]
fn a_disk_that_is_added_in_service_says_nothing_of_a_wipe() {
    let host = with(used_registering(), |host| (host.facts, host.disk_state) = (Some(with_disks(&["a"], false)), DiskState::Clean));
    let facts = with_disks(&["a", "b"], false);
    let report = Event::RegisterReport { facts, token_ok: true, complete: true, changes: Vec::new(), auto_available: false };
    let go = go_at(&go(&host, &hello(true, 1)), &report, 0);
    assert_eq!((go.row, go.host.disk_state), ("T15", DiskState::Clean));
}

#[test]
fn the_whole_facts_take_the_place_of_the_first_ones() {
    let kept = go(&registering(), &Event::RegisterPartial { facts: facts(5), token_ok: true });
    let report = Event::RegisterReport { facts: facts(1), token_ok: true, complete: true, changes: Vec::new(), auto_available: false };
    assert_eq!(go(&kept, &report).live.unwrap().partial, None);
}

#[test]
fn a_quick_wipe_says_that_it_is_no_sanitisation() {
    let report = Event::CleanReport { outcome: Wiped::All, results: Vec::new(), token_ok: true, plan_ok: true };
    let quick = with(erasing(), |host| host.live.as_mut().unwrap().plan.as_mut().unwrap().policy = WipePolicy::Metadata);
    assert!(says(&go_at(&quick, &report, 0), "NO SANITISATION"));
    assert!(says(&go_at(&erasing(), &report, 0), "wiped and verified"));
}

#[test]
fn an_agent_speaks_for_an_open_run_only() {
    for host in [registering(), used_registering(), cleaning(Then::Available)] {
        let ended = with(host, |host| host.live.as_mut().unwrap().ended_at = Some(now()));
        check(0, hello(true, 1), &ended, "✗ not_proven");
        check(0, beat(true), &with(ended.clone(), |host| host.live.as_mut().unwrap().hello_at = Some(now())), "✗ not_proven");
        if !matches!(ended.lifecycle, Lifecycle::Cleaning { .. }) {
            check(0, Event::RegisterPartial { facts: facts(1), token_ok: true }, &ended, "✗ not_proven");
        }
    }
}

#[test]
fn a_registration_without_its_run_is_cancelled_to_where_nobody_is_harmed() {
    check(0, Event::RegisterCancel, &with(registering(), |host| host.live = None), "T4c new");
    check(0, Event::RegisterCancel, &with(used_registering(), |host| host.live = None), "T4c used");
}

#[test]
fn the_same_progress_later_is_a_new_heartbeat() {
    let beaten = go(&erasing(), &beat(true));
    check(0, beat(true), &beaten, "= already");
    check(30, beat(true), &beaten, "agent cleaning");
}

#[test]
fn a_silent_agent_is_lost_beside_other_issues() {
    check(120, Event::AgentSilent, &raised(erasing(), IssueKind::Overdue), "agent cleaning");
}

// ── offering and service ──

#[test]
fn facts_are_believed_for_thirty_days_to_the_second() {
    let host = unavailable(DiskState::Clean);
    check(30 * DAYS - 1800, Event::MarkAvailable, &host, "T5 available");
    check(30 * DAYS - 1799, Event::MarkAvailable, &host, "✗ facts_stale");
    check(0, Event::MarkAvailable, &with(host, |host| host.facts = None), "✗ facts_stale");
}

#[test]
fn only_issues_of_identity_and_wipes_block() {
    let host = |kind| raised(unavailable(DiskState::Clean), kind);
    for kind in [IssueKind::DuplicateMac, IssueKind::UuidMismatch, IssueKind::WipeUnverified] {
        check(0, Event::MarkAvailable, &host(kind), "✗ blocking_issue");
        check(0, Event::Repaired(register()), &raised(defective(), kind), "T29 unavailable");
    }
    for kind in [IssueKind::Overdue, IssueKind::HardwareChanged, IssueKind::BootLoop, IssueKind::AgentLost] {
        check(0, Event::MarkAvailable, &host(kind), "T5 available");
        check(0, Event::Repaired(register()), &raised(defective(), kind), "T29 available");
    }
}

#[test]
fn maintenance_goes_back_behind_the_gate_it_came_from() {
    let host = go(&unavailable(DiskState::Clean), &Event::MaintenanceStart { confirm: None });
    assert_eq!(host.lifecycle, Lifecycle::Maintenance { return_to: ReturnTo::Unavailable });
    let unknown = with(maintenance(ReturnTo::Used), |host| host.facts = None);
    check(0, Event::MaintenanceEnd { touched: false, live: register() }, &unknown, "T26 used");
    let doubted = raised(maintenance(ReturnTo::Available), IssueKind::UuidMismatch);
    check(0, Event::MaintenanceEnd { touched: false, live: register() }, &doubted, "T26 unavailable");
}

#[test]
fn a_fault_in_service_means_somebodys_disks() {
    let host = go(&with(used(), |host| host.disk_state = DiskState::Unknown), &Event::Fault { text: "psu".into() });
    assert_eq!((host.disk_state, host.lifecycle.word()), (DiskState::Dirty, "error"));
}

#[test]
fn a_defect_says_nothing_of_clean_disks() {
    let mark = Event::MarkDefective { reason: "dimm".into(), notes: String::new(), abandon: false };
    assert_eq!(go(&available(), &mark).disk_state, DiskState::Clean);
    check(0, mark, &go(&registering(), &hello(true, 1)), "T28 defective");
    check(0, Event::ForceRestart, &go(&registering(), &hello(true, 1)), "P4 registering");
}

#[test]
fn a_forced_leave_has_a_reason_that_says_something() {
    let leave = |reason: &str| Event::Decommission { force: true, reason: Some(reason.into()) };
    check(0, leave(""), &unavailable(DiskState::Dirty), "✗ needs_reason");
    check(0, leave(" "), &unavailable(DiskState::Dirty), "✗ needs_reason");
    assert_eq!(go(&erasing(), &leave("scrap")).disk_state, DiskState::Unknown);
    assert_eq!(go(&erasing(), &leave("scrap")).lifecycle, Lifecycle::Decommissioned { reason: Decommission::Retired });
}

// ── operational state ──

#[test]
fn only_an_unlocked_host_that_may_run_is_waited_for() {
    let lost = |host: &Host| go(host, &Event::ContactLost { quiet_secs: 60 }).operational;
    assert_eq!(lost(&go(&used(), &heard())).deadline, None, "locked");
    assert_eq!(lost(&in_service()).deadline, Some(at(720)));
    assert_eq!(lost(&with(in_service(), |host| host.power.state = PowerState::Off)).deadline, None, "off");
    let damaged = with(used(), |host| host.operational.deadline = Some(now()));
    check(1, Event::BootTimeout, &damaged, "= not_due");
}

#[test]
fn passing_the_tests_forgets_the_recoveries() {
    let again = go_at(&broken(), &Event::RecoveryTimer, 300).host;
    assert_eq!(again.operational.recoveries, 1);
    assert_eq!(go_at(&again, &Event::Health(Health::SomeFailed), 310).host.operational.recoveries, 1);
    assert_eq!(go_at(&again, &Event::Health(Health::Passed), 310).host.operational.recoveries, 0);
}

#[test]
fn the_first_report_counts_like_any_other() {
    let heard_only = go(&go(&used(), &Event::AdminUnlock), &heard());
    assert_eq!(go(&heard_only, &Event::Health(Health::SomeFailed)).operational.availability, Availability::Degraded);
    check(0, Event::Health(Health::CriticalFailed), &go(&used(), &heard()), "= noted");
}

#[test]
fn a_reading_is_believed_from_the_hold_off_on() {
    let read = |steady_secs| Event::PowerRead { power: PowerState::Off, steady_secs, mass: false };
    check(0, read(9), &used(), "= not_due");
    check(0, read(10), &used(), "O10 used");
}

#[test]
fn a_reading_ends_the_task_that_it_answers() {
    let (starting, stopping) = (go(&used(), &Event::Start), go(&used(), &Event::Stop));
    assert!(go(&starting, &read(PowerState::Off)).task.is_some() && go(&starting, &read(PowerState::On)).task.is_none());
    assert!(go(&stopping, &read(PowerState::On)).task.is_some() && go(&stopping, &read(PowerState::Off)).task.is_none());
    assert!(go(&go(&used(), &Event::Restart), &read(PowerState::On)).task.is_some());
}

#[test]
fn a_reading_moves_availability_as_far_as_it_says_something() {
    let unlocked = go(&used(), &Event::AdminUnlock);
    let read_of = |host: &Host, power| go(host, &read(power)).operational;
    assert_eq!(read_of(&unlocked, PowerState::Off).availability, Availability::Offline, "powered_off is for locked hosts");
    assert_eq!(read_of(&unlocked, PowerState::On).deadline, Some(at(720)));
    assert_eq!(read_of(&used(), PowerState::On).deadline, None, "a locked host is not waited for");
    assert_eq!(read_of(&in_service(), PowerState::On).deadline, None, "one that is heard is not waited for");
    assert_eq!(read_of(&in_tests(), PowerState::On).deadline, Some(at(600)), "nor do its tests get more time");
    assert_eq!(read_of(&unlocked, PowerState::PoweringOn).deadline, None);
}

#[test]
fn the_agent_takes_no_host_out_of_the_state_it_serves_in() {
    let agent = |host: Host| go(&with(host, |host| host.lifecycle = Lifecycle::UsedRegistering), &beat(true)).operational.availability;
    let speaking = |operational| {
        with(go(&used_registering(), &hello(true, 1)), |host| {
            host.operational = operational;
        })
    };
    for host in [in_service(), broken(), go(&used(), &Event::AdminUnlock)] {
        assert_eq!(host.operational.administrative, Administrative::Unlocked);
        assert_eq!(agent(speaking(host.operational)), host.operational.availability);
    }
}

// ── power ──

#[test]
fn being_heard_says_that_a_host_is_not_off_and_no_more() {
    assert_eq!(go(&used(), &heard()).power.state, PowerState::Unknown);
    let off = with(used(), |host| host.power.state = PowerState::Off);
    assert_eq!(go(&off, &heard()).power.state, PowerState::On);
    assert_eq!(go_powered(&off, &heard(), 0).host.power.state, PowerState::Off, "the controller's readings count");
}

#[test]
fn the_end_of_a_task_is_told_where_there_is_one() {
    let done = "the power task is done";
    assert!(says(&go_at(&go(&used(), &Event::Start), &heard(), 0), done));
    assert!(!says(&go_at(&used(), &heard(), 0), done));
    for event in [Event::Start, Event::Stop, Event::Restart, Event::ForceRestart, Event::AdminUnlock] {
        assert!(says(&go_at(&used(), &event, 0), "there is no power control"), "{event:?}");
        assert!(!says(&go_powered(&used(), &event, 0), "no power control"), "{event:?}");
    }
    assert!(says(&go_powered(&used(), &Event::AdminUnlock, 0), "it reboots"));
    let on = with(used(), |host| host.power.state = PowerState::On);
    assert!(says(&go_powered(&on, &freeze(), 0), "it is stopped") && says(&go_at(&on, &freeze(), 0), "switch the machine off yourself"));
    assert!(!says(&go_at(&used(), &freeze(), 0), "yourself"));
    assert_eq!(go(&go(&used(), &Event::Restart), &Event::TaskDone { kind: None }).power.state, PowerState::On);
}

#[test]
fn a_task_that_ends_takes_its_issue_with_it_unless_something_else_is_overdue() {
    let late = |host: &Host| go_at(host, &Event::SoftDeadline(Clock::Task), 300).host;
    let done = |host: &Host| issues(&go_at(host, &Event::TaskDone { kind: None }, 310).host);
    let heard_at = |host: &Host| issues(&go_at(host, &heard(), 310).host);
    let restarting = late(&go(&used(), &Event::Restart));
    assert_eq!(issues(&restarting), [IssueKind::Overdue]);
    assert_eq!((done(&restarting), heard_at(&restarting)), (vec![], vec![]));
    let fine = late(&go(&fresh(), &Event::Restart));
    assert_eq!(done(&fine), [], "its build waits, but is not overdue");
    let built_late = with(late(&go(&fresh(), &Event::Restart)), |host| host.build.as_mut().unwrap().overdue = true);
    assert_eq!((done(&built_late), heard_at(&built_late)), (vec![IssueKind::Overdue], vec![IssueKind::Overdue]));
    let state_late = with(late(&go(&registering(), &Event::ForceRestart)), |host| host.overdue = true);
    assert_eq!(done(&state_late), [IssueKind::Overdue]);
}

#[test]
fn a_boot_relieves_a_host_whose_task_was_given_up_and_no_other() {
    let waiting = raised(go(&used(), &heard()), IssueKind::Overdue);
    assert_eq!(issues(&go_at(&waiting, &heard(), 1).host), [], "heard lately, but this boot is news");
    check(1, Event::Contact { tested: false, booted: false }, &waiting, "= noted");
    let working = raised(go(&go(&used(), &heard()), &Event::Restart), IssueKind::Overdue);
    assert_eq!(word(&verdict_powered(&working, &heard(), 1)), "= noted", "the controller has not said that it is done");
    check(1, heard(), &raised(go(&used(), &heard()), IssueKind::BootLoop), "= noted");
    check(1, heard(), &with(waiting, |host| host.overdue = true), "= noted");
}

#[test]
fn a_freeze_stops_a_host_that_is_on_and_keeps_only_a_stop() {
    let on = |host: Host| with(host, |host| host.power.state = PowerState::On);
    let task = |host: &Host| go(host, &freeze()).task.map(|task| task.kind);
    assert_eq!(task(&on(available())), None, "an available host has no task");
    assert_eq!(task(&on(used())), Some(TaskKind::Stopping));
    assert_eq!(task(&go(&used(), &Event::Stop)), Some(TaskKind::Stopping));
    assert_eq!(task(&go(&used(), &Event::Restart)), None);
}

#[test]
fn a_counted_loop_is_a_new_sessions() {
    let host = go(&provisioning(Stage::ProvisionTemplateSent), &looped(LoopClass::Template, false, 9));
    check(0, looped(LoopClass::Template, false, 10), &host, "loop provisioning");
}
