//! Hosts and events for the lifecycle's tests: one of every state that the table tells apart, and one of every event.
//!
//! Values are fixed: the same sample is the same host in every run, so that goldens stay still.

use std::sync::Arc;

use std::collections::BTreeMap;

use bootwright::model::lifecycle::{Decommission, ErrorFrom};
use bootwright::model::{
    Actor, BuildEnd, BuildId, BuildKind, Cause, Crew, DiskId, DiskState, EraseMethod, Facts, Host, HostId, Lifecycle, LiveId, LoopClass, Method,
    PlannedDisk, PowerState, Progress, ReturnTo, Role, SessionId, Stage, TaskKind, Then, Timestamp, TokenHash, WipePlan, WipePolicy,
};
use bootwright::rules::lifecycle::{Ask, Clock, Event, Go, Health, NewBuild, NewLive, Times, Verdict, Who, Why, Wiped, decide};
use uuid::Uuid;

/// The moment at which the samples live.
pub fn now() -> Timestamp {
    at(0)
}

/// So many seconds after [`now`].
pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + secs).unwrap()
}

pub fn alice() -> Actor {
    Actor::Operator { name: "alice".parse().unwrap(), role: Role::Admin }
}

pub fn operator(name: &str, role: Role) -> Actor {
    Actor::Operator { name: name.parse().unwrap(), role }
}

pub fn machine(proven: bool) -> Actor {
    Actor::Host { mac: Some("52:54:00:00:00:01".parse().unwrap()), proven }
}

/// The actor that may cause an event.
pub fn actor_of(event: &Event) -> Actor {
    match event.who() {
        Who::Operator | Who::Admin | Who::OperatorOrServer => alice(),
        Who::Host | Who::Anyone => machine(true),
        Who::Server => Actor::Server,
    }
}

pub fn build_id(number: u128) -> BuildId {
    BuildId(Uuid::from_u128(number))
}

pub const B1: u128 = 1;

pub fn new_build(number: u128) -> Box<NewBuild> {
    Box::new(NewBuild {
        id: build_id(number),
        kind: None,
        method: Method::Pxe,
        profile: "debian-12".parse().unwrap(),
        token_hash: TokenHash(format!("{number:064x}")),
        token_secs: None,
        expected_boots: 1,
        idempotency_key: None,
        deadlines: BTreeMap::new(),
        strict: false,
    })
}

pub fn register() -> NewLive {
    NewLive { id: LiveId(uuid::Uuid::from_u128(1)), token_hash: TokenHash("a".repeat(64)), plan: None, deadlines: None }
}

pub fn wipe() -> NewLive {
    NewLive { id: LiveId(uuid::Uuid::from_u128(2)), token_hash: TokenHash("b".repeat(64)), plan: Some(Box::new(plan(1))), deadlines: None }
}

/// A plan that wipes so many disks.
pub fn plan(disks: u64) -> WipePlan {
    let disk = |number: u64| PlannedDisk {
        id: DiskId(format!("serial:S{number}")),
        name: format!("sd{number}"),
        model: "M".into(),
        serial: format!("S{number}"),
        wwn: String::new(),
        size_bytes: 1 << 30,
        transport: "sata".into(),
        methods: vec![EraseMethod::Overwrite],
        soft_secs: 100,
        hard_secs: 200,
    };
    WipePlan {
        version: 1,
        host: HostId(uuid::Uuid::nil()),
        name: "n1".parse().unwrap(),
        policy: WipePolicy::Clear,
        facts_at: at(0),
        disks: (0..disks).map(disk).collect(),
        left: Vec::new(),
        parallel: 4,
    }
}

/// Facts of a machine with so many cores.
pub fn facts(cores: u32) -> Arc<Facts> {
    let mut facts = Facts::default();
    facts.cpu.cores = cores;
    Arc::new(facts)
}

/// The agent's first word from this power-on.
pub fn hello(token_ok: bool, session: u64) -> Event {
    Event::AgentHello { token_ok, session: SessionId(session), crew: Crew::default() }
}

/// A word of the agent at work.
pub fn beat(token_ok: bool) -> Event {
    Event::AgentHeartbeat { token_ok, progress: Progress::default() }
}

pub fn name() -> Option<String> {
    Some("n1".to_owned())
}

/// A new host, its record an hour old.
pub fn new() -> Host {
    let mut host = Host::new(HostId(Uuid::from_u128(7)), "n1".parse().unwrap(), vec!["52:54:00:00:00:01".parse().unwrap()], at(-3600));
    host.version = 1;
    host
}

fn with_facts(mut host: Host, disk: DiskState) -> Host {
    host.facts = Some(facts(1));
    host.facts_at = Some(at(-1800));
    host.disk_state = disk;
    host
}

fn put(lifecycle: Lifecycle, disk: DiskState) -> Host {
    let mut host = with_facts(new(), disk);
    host.lifecycle = lifecycle;
    host
}

pub fn available() -> Host {
    put(Lifecycle::Available, DiskState::Clean)
}

pub fn unavailable(disk: DiskState) -> Host {
    put(Lifecycle::Unavailable, disk)
}

pub fn reserved() -> Host {
    put(Lifecycle::Reserved { user: "alice".to_owned(), until: Some(at(60)) }, DiskState::Clean)
}

pub fn used() -> Host {
    put(Lifecycle::Used, DiskState::Dirty)
}

pub fn maintenance(return_to: ReturnTo) -> Host {
    put(Lifecycle::Maintenance { return_to }, if return_to == ReturnTo::Used { DiskState::Dirty } else { DiskState::Clean })
}

pub fn error(from: ErrorFrom) -> Host {
    let disk = if from == ErrorFrom::Used { DiskState::Dirty } else { DiskState::Unknown };
    put(Lifecycle::Error { from, cause: Cause::Fault("it broke".to_owned()) }, disk)
}

pub fn defective() -> Host {
    put(Lifecycle::Defective { reason: "dimm".to_owned(), notes: String::new() }, DiskState::Clean)
}

pub fn decommissioned(reason: Decommission) -> Host {
    put(Lifecycle::Decommissioned { reason }, DiskState::Clean)
}

/// What becomes of a host by an event that must apply.
#[track_caller]
pub fn go_at(host: &Host, event: &Event, secs: i64) -> Go {
    let actor = actor_of(event);
    let ask = Ask { actor: &actor, now: at(secs), times: &Times::default(), power_control: false };
    match decide(event, host, &ask) {
        Verdict::Go(go) => *go,
        other => panic!("{} in {} is {other:?}", event.word(), host.lifecycle.word()),
    }
}

#[track_caller]
pub fn go(host: &Host, event: &Event) -> Host {
    go_at(host, event, 0).host
}

pub fn stage(stage: Stage) -> Event {
    Event::StageSeen { stage, evidence: format!("saw {}", stage.word()), build: build_id(B1) }
}

pub fn built() -> Event {
    Event::Built { build: build_id(B1), token_ok: true, text: String::new() }
}

/// A build of an available host, in this stage.
pub fn provisioning(at_stage: Stage) -> Host {
    let host = go(&available(), &Event::EnableBuild { build: new_build(B1), confirm: None });
    if at_stage == Stage::BuildEnabled { host } else { go(&host, &stage(at_stage)) }
}

pub fn strict_built() -> Host {
    let build = Box::new(NewBuild { strict: true, ..*new_build(B1) });
    let host = go(&available(), &Event::EnableBuild { build, confirm: None });
    go(&go(&host, &stage(Stage::ProvisionTemplateSent)), &built())
}

/// Built, its local boot not yet seen.
pub fn fresh() -> Host {
    go(&provisioning(Stage::ProvisionTemplateSent), &built())
}

pub fn registering() -> Host {
    go(&new(), &Event::RegisterStart(register()))
}

pub fn used_registering() -> Host {
    go(&used(), &Event::Reregister(register()))
}

pub fn cleaning(then: Then) -> Host {
    go(&used(), &Event::Release { then, confirm: name(), live: wipe() })
}

pub fn erasing() -> Host {
    erasing_to(Then::Available)
}

/// A wipe towards this, its agent at work.
pub fn erasing_to(then: Then) -> Host {
    go(&cleaning(then), &hello(true, 1))
}

/// A circle, seen in this session.
pub fn looped(class: LoopClass, halt: bool, session: u64) -> Event {
    Event::LoopSeen { class, halt, text: "asked again".to_owned(), session: SessionId(session) }
}

/// Unlocked and heard, its tests under way.
pub fn in_tests() -> Host {
    go(&go(&used(), &Event::AdminUnlock), &Event::Contact { tested: true, booted: true })
}

/// Unlocked, heard and healthy.
pub fn in_service() -> Host {
    go(&in_tests(), &Event::Health(Health::Passed))
}

/// Unlocked and failed.
pub fn broken() -> Host {
    go(&in_tests(), &Event::Health(Health::CriticalFailed))
}

/// A build that failed late.
pub fn failed_build() -> Host {
    let event = Event::BuildFailed { build: build_id(B1), token_ok: true, text: "no disk".to_owned() };
    go(&provisioning(Stage::Installing), &event)
}

pub fn with(mut host: Host, change: impl FnOnce(&mut Host)) -> Host {
    change(&mut host);
    host
}

/// Every state that the table tells apart, with a label.
pub fn hosts() -> Vec<(&'static str, Host)> {
    use DiskState::{Clean, Dirty};
    vec![
        ("new", new()),
        ("registering", registering()),
        ("registering, last try", with(registering(), |host| host.attempt = 3)),
        ("unavailable, clean", unavailable(Clean)),
        ("unavailable, dirty", unavailable(Dirty)),
        ("available", available()),
        ("reserved", reserved()),
        ("reserved, dirty", with(reserved(), |host| host.disk_state = Dirty)),
        ("provisioning, build_enabled", provisioning(Stage::BuildEnabled)),
        ("provisioning, ipxe_script_sent", provisioning(Stage::IpxeScriptSent)),
        ("provisioning, looping", go(&provisioning(Stage::ProvisionTemplateSent), &looped(LoopClass::Template, false, 8))),
        ("provisioning, installing", provisioning(Stage::Installing)),
        ("provisioning, built (strict)", strict_built()),
        ("used", used()),
        ("used, just built", fresh()),
        ("used, unlocked", with(used(), |host| *host = go(host, &Event::AdminUnlock))),
        ("used, in tests", in_tests()),
        ("used, in service", in_service()),
        ("used, out of order", broken()),
        ("used, off", with(used(), |host| host.power.state = PowerState::Off)),
        ("used, frozen", go(&used(), &Event::Freeze { why: "arrears".to_owned() })),
        ("used, protected", go(&used(), &Event::Protect)),
        ("used, restarting", go(&used(), &Event::Restart)),
        ("used_registering", used_registering()),
        ("cleaning, before hello", cleaning(Then::Available)),
        ("cleaning, erasing", erasing()),
        ("maintenance to available", maintenance(ReturnTo::Available)),
        ("maintenance to used", maintenance(ReturnTo::Used)),
        ("error from registering", error(ErrorFrom::Registering)),
        ("error from provisioning", failed_build()),
        ("error from provisioning, reinstall", error(ErrorFrom::Provisioning { kind: BuildKind::Reinstall })),
        (
            "error from cleaning",
            go(&erasing(), &Event::CleanReport { outcome: Wiped::Failed { text: "sda".into() }, results: Vec::new(), token_ok: true, plan_ok: true }),
        ),
        ("error from available, clean", with(error(ErrorFrom::Available), |host| host.disk_state = Clean)),
        ("error from used", error(ErrorFrom::Used)),
        ("defective", defective()),
        ("decommissioned, retired", decommissioned(Decommission::Retired)),
        ("decommissioned, removed", decommissioned(Decommission::RemovedFromRack)),
        ("decommissioned, deleted", decommissioned(Decommission::Deleted)),
    ]
}

/// One of every event, with the values that let it pass, and when it happens.
#[expect(clippy::too_many_lines, reason = "one line an event")]
pub fn events() -> Vec<(i64, Event)> {
    let later = 365 * 86_400;
    let (build, token_ok) = (build_id(B1), true);
    vec![
        (0, Event::RegisterStart(register())),
        (0, Event::Reregister(register())),
        (0, Event::RegisterReport { facts: facts(1), token_ok, complete: true, changes: Vec::new(), auto_available: false }),
        (0, Event::RegisterFailed { text: "no carrier".into(), token_ok }),
        (0, Event::RegisterCancel),
        (0, hello(token_ok, 1)),
        (0, Event::RegisterPartial { facts: facts(1), token_ok }),
        (30, beat(token_ok)),
        (600, Event::AgentSilent),
        (0, Event::MarkAvailable),
        (0, Event::MarkUnavailable),
        (0, Event::Reserve { user: "bob".into(), until: None }),
        (0, Event::Unreserve),
        (90, Event::ReservationExpired),
        (0, Event::Adopt { confirm: name() }),
        (0, Event::WaiveDisks { why: "lab".into(), confirm: name() }),
        (0, Event::EnableBuild { build: new_build(2), confirm: name() }),
        (0, Event::RetryBuild(new_build(2))),
        (0, Event::CancelBuild { build: None }),
        (0, Event::RearmBuild { build: None }),
        (0, stage(Stage::KernelInitrdSent)),
        (0, stage(Stage::LocalBoot)),
        (0, Event::Built { build, token_ok, text: String::new() }),
        (0, Event::BuildFailed { build, token_ok, text: "no disk".into() }),
        (0, Event::ProgressNoted { build, token_ok, word: "packages".into(), text: "30 %".into() }),
        (0, Event::BootAnnounced { build, token_ok }),
        (0, looped(LoopClass::Template, false, 9)),
        (0, looped(LoopClass::Template, true, 9)),
        (0, Event::Release { then: Then::Available, confirm: name(), live: wipe() }),
        (0, Event::CleanStart { then: Then::Available, confirm: name(), live: wipe() }),
        (0, Event::CleanRetry(wipe())),
        (0, Event::CleanReport { outcome: Wiped::All, results: Vec::new(), token_ok, plan_ok: true }),
        (0, Event::CleanReport { outcome: Wiped::Waived { by: "alice".into(), why: "scrap".into() }, results: Vec::new(), token_ok, plan_ok: true }),
        (0, Event::CleanReport { outcome: Wiped::Failed { text: "sda".into() }, results: Vec::new(), token_ok, plan_ok: true }),
        (0, Event::CleanCancel),
        (0, Event::MaintenanceStart { confirm: name() }),
        (0, Event::MaintenanceEnd { touched: false, live: register() }),
        (0, Event::MaintenanceEnd { touched: true, live: register() }),
        (0, Event::Fault { text: "psu".into() }),
        (0, Event::Resolve),
        (0, Event::MarkDefective { reason: "dimm".into(), notes: String::new(), abandon: false }),
        (0, Event::Repaired(register())),
        (0, Event::Decommission { force: true, reason: Some("old".into()) }),
        (0, Event::RemoveFromRack { force: true, reason: Some("moved".into()) }),
        (later, Event::RetentionPassed),
        (0, Event::Restored { made: at(-3_600) }),
        (later, Event::SoftDeadline(Clock::State)),
        (later, Event::SoftDeadline(Clock::Build)),
        (later, Event::SoftDeadline(Clock::Task)),
        (later, Event::HardDeadline(Clock::State)),
        (later, Event::HardDeadline(Clock::Build)),
        (later, Event::HardDeadline(Clock::Task)),
        (0, Event::Contact { tested: true, booted: true }),
        (0, Event::ContactLost { quiet_secs: 60 }),
        (later, Event::BootTimeout),
        (0, Event::Health(Health::Passed)),
        (later, Event::TestTimeout),
        (later, Event::RecoveryTimer),
        (0, Event::AdminLock { force: false, confirm: None }),
        (0, Event::AdminUnlock),
        (0, Event::PowerRead { power: PowerState::Off, steady_secs: 30, mass: false }),
        (0, Event::Start),
        (0, Event::Stop),
        (0, Event::Restart),
        (0, Event::ForceRestart),
        (0, Event::TaskDone { kind: Some(TaskKind::Restarting) }),
        (0, Event::Delete { confirm: name(), live: wipe() }),
        (0, Event::Freeze { why: "arrears".into() }),
        (0, Event::Unfreeze),
        (0, Event::Protect),
        (0, Event::Unprotect),
    ]
}

/// The verdict on an event by the actor that may cause it.
pub fn verdict(host: &Host, event: &Event, secs: i64) -> Verdict {
    verdict_by(host, event, secs, &actor_of(event))
}

pub fn verdict_by(host: &Host, event: &Event, secs: i64, actor: &Actor) -> Verdict {
    decide(event, host, &Ask { actor, now: at(secs), times: &Times::default(), power_control: false })
}

/// What becomes of a host where a management controller carries out power tasks.
#[track_caller]
pub fn go_powered(host: &Host, event: &Event, secs: i64) -> Go {
    match verdict_powered(host, event, secs) {
        Verdict::Go(go) => *go,
        other => panic!("{} in {} is {other:?}", event.word(), host.lifecycle.word()),
    }
}

/// The verdict where a management controller carries out power tasks.
pub fn verdict_powered(host: &Host, event: &Event, secs: i64) -> Verdict {
    decide(event, host, &Ask { actor: &actor_of(event), now: at(secs), times: &Times::default(), power_control: true })
}

#[track_caller]
pub fn refused(host: &Host, event: &Event, actor: &Actor) -> Why {
    match verdict_by(host, event, 0, actor) {
        Verdict::Refuse(why) => why,
        other => panic!("{} in {} is {other:?}", event.word(), host.lifecycle.word()),
    }
}

/// How the newest build ended.
pub fn end(host: &Host) -> Option<&BuildEnd> {
    host.build.as_ref().and_then(|build| build.end.as_ref())
}
