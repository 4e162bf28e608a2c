//! Random histories of one host, and what must hold after each step: the invariants of `lifecycle.md` section 3 that the rules decide.
//!
//! The seed is printed with every failure; `LIFECYCLE_SEED=…` runs the same histories again. A history is a list of numbers, so a
//! failing one shrinks to the few steps that matter.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use bootwright::model::lifecycle::ErrorFrom;
use bootwright::model::{
    Actor, Administrative, Availability, BuildKind, Deadlines, DiskState, Host, Lifecycle, LoopClass, Method, PowerState, Role, SessionId, Stage,
    TaskKind, Then,
};
use bootwright::rules::lifecycle::{Ask, Clock, Event, Go, Health, NewBuild, NewLive, Times, Verdict, Wiped, decide, running};
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::lifecycle_samples::*;

/// Numbers that a step draws its values from.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: u64) -> u64 {
        let drawn = self.0 % count;
        self.0 = (self.0 / count).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 3;
        drawn
    }

    /// Usually yes: otherwise no history would come far.
    fn mostly(&mut self) -> bool {
        self.below(8) != 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    fn confirm(&mut self) -> Option<String> {
        self.mostly().then(|| "n1".to_owned())
    }

    fn live(&mut self) -> NewLive {
        if self.mostly() { wipe() } else { register() }
    }
}

/// A history under way.
struct History {
    host: Host,
    secs: i64,
    builds: u128,
    /// Since a defect, a failed wipe or the end of service, until it is known and offered or kept back again.
    tainted: bool,
}

impl History {
    fn build(&mut self, draw: &mut Draw) -> Box<NewBuild> {
        self.builds += 1;
        let kinds = [None, None, None, Some(BuildKind::Install), Some(BuildKind::Rebuild), Some(BuildKind::Reinstall)];
        let short: BTreeMap<_, _> = [(Stage::Dhcp, Deadlines { soft_secs: 1, hard_secs: 2 })].into();
        Box::new(NewBuild {
            id: build_id(self.builds),
            kind: draw.pick(&kinds),
            method: if draw.mostly() { Method::Pxe } else { Method::Image },
            profile: "debian-12".parse().unwrap(),
            token_hash: wipe().token_hash,
            token_secs: None,
            expected_boots: u32::from(draw.mostly()),
            idempotency_key: (draw.below(5) == 0).then(|| format!("k{}", draw.below(3))),
            deadlines: if draw.mostly() { BTreeMap::new() } else { short },
            strict: draw.below(3) == 0,
        })
    }

    /// The open build, usually; otherwise an older one or one that never was.
    fn some_build(&self, draw: &mut Draw) -> bootwright::model::BuildId {
        match &self.host.build {
            Some(build) if draw.mostly() => build.id,
            _ => build_id(u128::from(draw.below(4))),
        }
    }

    fn machine_event(&self, draw: &mut Draw) -> Event {
        let (build, token_ok, text) = (self.some_build(draw), draw.mostly(), "words".to_owned());
        match draw.below(13) {
            0..=3 => Event::StageSeen { stage: draw.pick(&Stage::ALL), evidence: "seen".to_owned(), build },
            4 | 5 => Event::Built { build, token_ok, text },
            6 => Event::BuildFailed { build, token_ok, text },
            7 => Event::ProgressNoted { build, token_ok, word: "w".to_owned(), text },
            8 => Event::BootAnnounced { build, token_ok },
            9 => {
                let class = draw.pick(&[LoopClass::Firmware, LoopClass::Loader, LoopClass::Template, LoopClass::LocalBoot]);
                Event::LoopSeen { class, halt: draw.below(2) == 0, text, session: SessionId(draw.below(9)) }
            }
            10 => hello(token_ok, draw.below(3)),
            11 => beat(token_ok),
            _ => Event::Fault { text },
        }
    }

    fn live_event(draw: &mut Draw) -> Event {
        let (token_ok, text) = (draw.mostly(), "words".to_owned());
        match draw.below(5) {
            0 | 1 => {
                let (complete, auto_available) = (draw.mostly(), draw.below(2) == 0);
                let changes = if draw.below(2) == 0 { vec!["a disk".to_owned()] } else { Vec::new() };
                Event::RegisterReport { facts: facts(u32::try_from(draw.below(3)).unwrap()), token_ok, complete, changes, auto_available }
            }
            2 => Event::RegisterFailed { text, token_ok },
            _ => {
                let failed = Wiped::Failed { text };
                let outcome = draw.pick(&[Wiped::All, Wiped::All, Wiped::Waived { by: "a".to_owned(), why: "b".to_owned() }, failed]);
                Event::CleanReport { outcome, results: Vec::new(), token_ok, plan_ok: draw.mostly() }
            }
        }
    }

    fn operator_event(&mut self, draw: &mut Draw) -> Event {
        let then = draw.pick(&[Then::Available, Then::Unavailable, Then::Decommissioned, Then::Deleted]);
        let (confirm, force, reason) = (draw.confirm(), draw.mostly(), draw.mostly().then(|| "why".to_owned()));
        match draw.below(26) {
            0 => Event::RegisterStart(register()),
            1 => Event::Reregister(register()),
            2 => Event::RegisterCancel,
            3 | 4 => Event::MarkAvailable,
            5 => Event::MarkUnavailable,
            6 => Event::Reserve { user: "alice".to_owned(), until: (draw.below(2) == 0).then(|| at(self.secs + 100)) },
            7 => Event::Unreserve,
            8 => Event::Adopt { confirm },
            9 => Event::WaiveDisks { why: "lab".to_owned(), confirm },
            10..=12 => Event::EnableBuild { build: self.build(draw), confirm },
            13 => Event::RetryBuild(self.build(draw)),
            14 => Event::CancelBuild { build: None },
            15 => Event::RearmBuild { build: None },
            16 => Event::Release { then, confirm, live: draw.live() },
            17 => Event::CleanStart { then, confirm, live: draw.live() },
            18 => Event::CleanRetry(draw.live()),
            19 => Event::CleanCancel,
            20 => Event::MaintenanceStart { confirm },
            21 => Event::MaintenanceEnd { touched: draw.below(2) == 0, live: register() },
            22 => Event::Resolve,
            23 if draw.below(4) == 0 => Event::MarkDefective { reason: "r".to_owned(), notes: String::new(), abandon: draw.below(2) == 0 },
            23 | 24 => Event::Repaired(register()),
            _ if draw.below(2) == 0 => Event::MarkAvailable,
            _ if draw.below(3) == 0 => Event::Decommission { force, reason },
            _ if draw.below(3) == 0 => Event::RemoveFromRack { force, reason },
            _ => Event::Unprotect,
        }
    }

    fn server_event(draw: &mut Draw) -> Event {
        let clock = draw.pick(&[Clock::State, Clock::Build, Clock::Task]);
        match draw.below(9) {
            0 => Event::SoftDeadline(clock),
            1 | 2 => Event::HardDeadline(clock),
            3 => Event::ReservationExpired,
            4 => Event::RetentionPassed,
            5 => Event::AgentSilent,
            6 => Event::BootTimeout,
            7 => Event::TestTimeout,
            _ => Event::RecoveryTimer,
        }
    }

    fn other_event(draw: &mut Draw) -> Event {
        let power = draw.pick(&[PowerState::On, PowerState::Off, PowerState::PoweringOn, PowerState::PoweringOff, PowerState::Unknown]);
        let health =
            draw.pick(&[Health::Passed, Health::SomeFailed, Health::CriticalFailed, Health::Missed(3), Health::Missed(7), Health::Missed(11)]);
        match draw.below(16) {
            0 => Event::Contact { tested: draw.below(2) == 0, booted: draw.below(2) == 0 },
            1 => Event::ContactLost { quiet_secs: draw.below(30) },
            2 => Event::Health(health),
            3 => Event::AdminLock { force: draw.below(2) == 0, confirm: draw.confirm() },
            4 => Event::AdminUnlock,
            5 => Event::PowerRead { power, steady_secs: draw.below(30), mass: !draw.mostly() },
            6 => Event::Start,
            7 => Event::Stop,
            8 => Event::Restart,
            9 => Event::ForceRestart,
            10 => Event::TaskDone { kind: draw.pick(&[None, Some(TaskKind::Starting), Some(TaskKind::Stopping), Some(TaskKind::Restarting)]) },
            11 => Event::Delete { confirm: draw.confirm(), live: draw.live() },
            12 if draw.below(4) == 0 => Event::Freeze { why: "arrears".to_owned() },
            13 if draw.below(4) == 0 => Event::Protect,
            12 | 13 => Event::Unprotect,
            _ => Event::Unfreeze,
        }
    }

    fn event(&mut self, draw: &mut Draw) -> Event {
        match draw.below(16) {
            0..=4 => self.machine_event(draw),
            5 | 6 => Self::live_event(draw),
            7..=11 => self.operator_event(draw),
            12 | 13 => Self::server_event(draw),
            _ => Self::other_event(draw),
        }
    }

    /// The actor, usually the one who may.
    fn actor(event: &Event, draw: &mut Draw) -> Actor {
        if draw.mostly() {
            return match crate::lifecycle_samples::actor_of(event) {
                Actor::Host { .. } => machine(draw.mostly()),
                actor => actor,
            };
        }
        draw.pick(&[alice(), operator("eve", Role::Viewer), operator("bob", Role::Operator), machine(true), machine(false), Actor::Server])
    }

    /// Some time passes: a little, or until a deadline of the host.
    fn tick(&mut self, draw: &mut Draw) {
        let deadlines: Vec<_> = running(&self.host).iter().flat_map(|clock| [clock.soft, clock.hard]).flatten().collect();
        if !deadlines.is_empty() && draw.below(6) == 0 {
            let at = draw.pick(&deadlines).as_second() - at(0).as_second();
            self.secs = self.secs.max(at);
        } else {
            self.secs += i64::try_from(draw.below(90)).unwrap();
        }
    }

    /// One step. `Err` names the invariant that broke.
    fn step(&mut self, number: u64, rows: &mut BTreeMap<&'static str, u32>) -> Result<(), String> {
        let mut draw = Draw(number);
        self.tick(&mut draw);
        let event = self.event(&mut draw);
        let actor = Self::actor(&event, &mut draw);
        let verdict =
            decide(&event, &self.host, &Ask { actor: &actor, now: at(self.secs), times: &Times::default(), power_control: draw.below(2) == 0 });
        let Verdict::Go(go) = verdict else { return Ok(()) };
        let told = |what: &str| format!("{what}\n  by {} of {actor:?}: {event:?}\n  before {:#?}\n  after {:#?}", go.row, self.host, go.host);
        went(&self.host, &event, &actor, &go).map_err(told)?;
        sound(&go.host).map_err(told)?;
        if go.host.lifecycle == Lifecycle::Used && self.tainted && self.host.lifecycle != Lifecycle::Used && go.row != "T35" {
            return Err(told("3: used came from a defect, a failed wipe or out of service"));
        }
        self.tainted = match go.host.lifecycle {
            Lifecycle::Defective { .. } | Lifecycle::Decommissioned { .. } | Lifecycle::Error { from: ErrorFrom::Cleaning, .. } => true,
            Lifecycle::New | Lifecycle::Unavailable | Lifecycle::Available | Lifecycle::Provisioning => false,
            _ => self.tainted,
        };
        *rows.entry(go.row).or_default() += 1;
        self.host = if go.is_purge() { new() } else { go.host };
        Ok(())
    }
}

fn must(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

/// What must hold of every step that goes.
fn went(before: &Host, event: &Event, actor: &Actor, go: &Go) -> Result<(), &'static str> {
    let after = &go.host;
    must(after != before || go.is_purge(), "a go changes something")?;
    must(!go.notes.is_empty() && go.notes.iter().all(|(_, text)| !text.is_empty()), "a go carries a note")?;
    must(after.version == before.version, "the version is the store's")?;
    let moved = after.lifecycle != before.lifecycle;
    let operator = matches!(actor, Actor::Operator { role, .. } if *role >= Role::Operator);
    if let (Lifecycle::Cleaning { .. }, true) = (&after.lifecycle, moved) {
        let confirmed = match event {
            Event::Release { confirm, .. } | Event::CleanStart { confirm, .. } | Event::Delete { confirm, .. } => confirm.as_deref() == Some("n1"),
            Event::CleanRetry(_) => matches!(before.lifecycle, Lifecycle::Error { from: ErrorFrom::Cleaning, .. }),
            _ => false,
        };
        must(confirmed && (operator || matches!(event, Event::CleanRetry(_))), "a wipe state needs an operator's confirm")?;
        must(after.live.as_ref().is_some_and(|run| run.plan.is_some() && run.plan_hash.is_some()), "1: a wipe state has a plan")?;
    }
    if matches!(after.lifecycle, Lifecycle::Registering | Lifecycle::UsedRegistering) {
        must(after.live.as_ref().is_some_and(|run| run.plan.is_none() && run.plan_hash.is_none()), "1: a registration has no plan")?;
    }
    if let (Some(old), Some(new)) = (&before.build, &after.build)
        && old.id == new.id
    {
        must(new.stage >= old.stage && new.stages.len() >= old.stages.len(), "7: stages never go back")?;
        must(old.is_open() || !new.is_open(), "an ended build stays ended")?;
        must(
            !new.loops.halted || old.loops.halted || matches!((event, actor), (Event::LoopSeen { .. }, Actor::Host { .. })),
            "11: halts are traffic's",
        )?;
    }
    if let Event::Built { build, token_ok, .. } | Event::BuildFailed { build, token_ok, .. } | Event::BootAnnounced { build, token_ok } = event {
        must(before.build.as_ref().is_some_and(|newest| newest.id == *build), "7: an older build's callback changes nothing")?;
        must(*token_ok, "12: a callback without the token changes nothing")?;
        must(!moved || before.open_build().is_some(), "7: a closed build's callback moves nothing")?;
    }
    if let (true, Actor::Host { proven: false, .. }) = (moved, actor) {
        let shown = matches!(
            event,
            Event::Built { .. } | Event::BuildFailed { .. } | Event::RegisterReport { .. } | Event::RegisterFailed { .. } | Event::AgentHello { .. }
        );
        let local_boot = matches!(event, Event::StageSeen { stage: Stage::LocalBoot, .. });
        let clean = matches!(event, Event::CleanReport { .. });
        must(shown || local_boot || clean || matches!(event, Event::LoopSeen { halt: true, .. }), "12: a stranger moves no lifecycle")?;
    }
    match (&before.lifecycle, &after.lifecycle) {
        (Lifecycle::Defective { .. } | Lifecycle::Decommissioned { .. } | Lifecycle::Error { from: ErrorFrom::Cleaning, .. }, Lifecycle::Used) => {
            Err("3: no edge into used")
        }
        (Lifecycle::Defective { .. }, Lifecycle::Provisioning | Lifecycle::Reserved { .. }) => Err("T30: a defect is an end"),
        (Lifecycle::Decommissioned { .. }, Lifecycle::Registering | Lifecycle::Decommissioned { .. }) => Ok(()),
        (Lifecycle::Decommissioned { .. }, _) => Err("T32: the only exit is register.start"),
        (Lifecycle::Used | Lifecycle::UsedRegistering, Lifecycle::Available | Lifecycle::Unavailable) => {
            Err("T17: a used host is wiped before it is free")
        }
        (Lifecycle::Cleaning { .. }, Lifecycle::Available) if go.row != "T18" && go.row != "T19b" => Err("T19: a failed wipe is never available"),
        _ => Ok(()),
    }
}

/// What must hold of every host.
fn sound(host: &Host) -> Result<(), &'static str> {
    let clean = matches!(host.disk_state, DiskState::Clean | DiskState::Waived { .. });
    if host.lifecycle == Lifecycle::Available {
        must(clean && host.open_build().is_none() && host.task.is_none(), "2: available means clean, no build, no task")?;
    }
    match host.lifecycle {
        Lifecycle::Registering | Lifecycle::UsedRegistering | Lifecycle::Cleaning { .. } => {
            must(host.hard_deadline.is_some() && host.soft_deadline.is_some(), "5: an intermediate state has deadlines")?;
            must(host.attempt >= 1 && host.live.as_ref().is_some_and(|run| run.is_open()), "an intermediate state has a run and a try")?;
        }
        Lifecycle::Provisioning => {
            must(
                host.open_build().is_some_and(|build| build.hard_deadline.is_some() && build.soft_deadline.is_some()),
                "5: an open build has deadlines",
            )?;
            must(
                host.task.as_ref().is_some_and(|task| task.hard_deadline == host.open_build().and_then(|build| build.hard_deadline)),
                "its task keeps time",
            )?;
        }
        _ => must(host.hard_deadline.is_none(), "a stable state fails by nobody's clock")?,
    }
    must(host.task.as_ref().is_none_or(|task| task.hard_deadline.is_some()), "5: a task has a deadline")?;
    must(host.open_build().is_some() == (host.lifecycle == Lifecycle::Provisioning), "6: a build is open exactly while provisioning")?;
    let legal = match host.operational.administrative {
        Administrative::Locked => {
            matches!(
                host.operational.availability,
                Availability::NotInstalled | Availability::PoweredOff | Availability::Offline | Availability::Online
            )
        }
        Administrative::Unlocked => {
            !matches!(host.operational.availability, Availability::NotInstalled | Availability::PoweredOff | Availability::Online)
        }
    };
    must(legal, "section 1c: a legal combination")
}

/// After a restart the host is the same, deadlines included.
fn survives_a_restart(host: &Host) -> bool {
    serde_json::from_str::<Host>(&serde_json::to_string(host).unwrap()).is_ok_and(|again| again == *host)
}

#[test]
fn no_history_breaks_an_invariant() {
    let seed = std::env::var("LIFECYCLE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| RandomState::new().hash_one(7_u8));
    println!("LIFECYCLE_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: 20_000, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let rows = std::cell::RefCell::new(BTreeMap::new());
    // Not all from new: nearly every history would end before its first build.
    let starts = [
        new(),
        available(),
        available(),
        reserved(),
        used(),
        provisioning(Stage::Dhcp),
        provisioning(Stage::ProvisionTemplateSent),
        erasing(),
        in_service(),
    ];
    let outcome = runner.run(&vec(proptest::num::u64::ANY, 1..80), |numbers| {
        let mut draw = Draw(numbers[0]);
        let mut history = History { host: draw.pick(&starts), secs: 0, builds: 10, tainted: false };
        for number in numbers {
            history.step(number, &mut rows.borrow_mut()).map_err(TestCaseError::fail)?;
        }
        if survives_a_restart(&history.host) { Ok(()) } else { Err(TestCaseError::fail("5: a restart changes the host")) }
    });
    if let Err(TestError::Fail(why, numbers)) = outcome {
        panic!("LIFECYCLE_SEED={seed}, {} steps {numbers:?}: {why}", numbers.len());
    }
    let rows = rows.into_inner();
    println!("rows taken: {rows:?}");
    assert!(rows.len() > 55, "the histories came through {} rows only: {rows:?}", rows.len());
}
