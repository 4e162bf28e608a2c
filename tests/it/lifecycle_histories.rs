//! Random histories of several hosts at once, and what must hold after each event: `lifecycle_invariants`.
//!
//! A history is a list of numbers; each draws one event, for one of the hosts, from whoever might send it: operators, machines with
//! the newest token, an older one or none, messages that were delayed or sent twice, the clock, which also jumps, and restarts of the
//! server. `LIFECYCLE_SEED=…` runs the same histories again and `LIFECYCLE_HISTORIES=…` more or fewer of them. A failing one is cut
//! down to the events that matter before it is shown.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use bootwright::model::lifecycle::ErrorFrom;
use bootwright::model::{
    Actor, Arch, BuildId, BuildKind, Deadlines, Firmware, Host, HostId, Lifecycle, LiveId, LoopClass, LoopPolicy, Method, Plan, PowerState, Role,
    SessionId, Stage, TaskKind, Then, TokenHash, WipePlan,
};
use bootwright::rules::boot;
use bootwright::rules::inherit::Effective;
use bootwright::rules::lifecycle::{Ask, Clock, Event, Health, NewBuild, NewLive, Times, Verdict, Wiped, decide, running};

use crate::lifecycle_invariants::{INVARIANTS, Step};
use crate::lifecycle_samples::*;

/// Events of one history.
const EVENTS: usize = 24;
/// Hosts of one history.
const HOSTS: usize = 2;
/// Histories without `LIFECYCLE_HISTORIES`; `tests/checks/histories` runs a million.
const HISTORIES: u64 = 20_000;
/// Each so-many-th history writes its journal and reads it back; that costs more than everything else together.
const JOURNALED: u64 = 256;

static TIMES: LazyLock<Times> = LazyLock::new(Times::default);
static WIPE: LazyLock<Box<WipePlan>> = LazyLock::new(|| Box::new(plan(1)));

/// SplitMix64: enough chance for histories, and the same everywhere.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers that a step draws its values from.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = mix(self.0);
        (self.0 >> 16) % count
    }

    fn once_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Usually yes: otherwise no history would come far.
    fn mostly(&mut self) -> bool {
        !self.once_in(8)
    }

    fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())].clone()
    }

    fn confirm(&mut self, name: &str) -> Option<String> {
        match self.below(16) {
            0 => None,
            1 => Some("n9".to_owned()),
            _ => Some(name.to_owned()),
        }
    }
}

/// Whose word a message is.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Token {
    Build(BuildId),
    Run(LiveId),
    /// One that nobody ever gave out.
    Forged,
}

/// What a machine sent; it may arrive late, twice, or both.
#[derive(Clone, Debug)]
struct Message {
    host: usize,
    token: Token,
    event: Event,
    /// The power-on that an agent speaks from.
    session: u64,
}

struct World {
    hosts: Vec<Host>,
    tainted: Vec<bool>,
    secs: i64,
    drawn: u128,
    /// Every token that was given out, with its host.
    tokens: Vec<(usize, Token)>,
    /// The last messages.
    sent: Vec<Message>,
    /// The journal of each host as patches, if this history keeps one.
    journal: Option<Vec<(serde_json::Value, serde_json::Value)>>,
}

/// What histories came through.
#[derive(Default)]
struct Tally {
    rows: BTreeMap<&'static str, u64>,
    tried: [u64; INVARIANTS.len()],
    events: u64,
    restarts: u64,
    folds: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        other.rows.iter().for_each(|(row, count)| *self.rows.entry(row).or_default() += count);
        self.tried.iter_mut().zip(other.tried).for_each(|(ours, theirs)| *ours += theirs);
        self.events += other.events;
        self.restarts += other.restarts;
        self.folds += other.folds;
    }
}

/// Not all from new: nearly every history would end before its first build.
static STARTS: LazyLock<Vec<Host>> = LazyLock::new(|| {
    let stages = [Stage::Dhcp, Stage::ProvisionTemplateSent, Stage::Installing];
    let mut starts =
        vec![new(), registering(), unavailable(bootwright::model::DiskState::Dirty), available(), available(), reserved(), used(), used()];
    starts.extend(stages.into_iter().map(provisioning));
    starts.extend([cleaning(Then::Available), erasing(), erasing_to(Then::Deleted), in_service(), used_registering(), failed_build()]);
    starts
});

/// The profile of every build.
static PROFILE: LazyLock<Effective> = LazyLock::new(|| Effective {
    name: "debian-12".parse().unwrap(),
    chain: vec!["debian-12".parse().unwrap()],
    kernel: Some("os/1/linux".parse().unwrap()),
    initrds: Vec::new(),
    args: None,
    documents: BTreeMap::new(),
    needs: Vec::new(),
    expected_boots: 1,
    loop_policy: LoopPolicy::Warn,
    deadlines: BTreeMap::new(),
    disk_boot: None,
    token_secs: 3600,
    levels: Vec::new(),
});

impl World {
    fn new(draw: &mut Draw, journaled: bool) -> Self {
        let mut hosts = Vec::with_capacity(HOSTS);
        let mut tokens = Vec::new();
        for (index, name) in NAMES.iter().enumerate() {
            let mut host = draw.pick(&STARTS);
            host.id = HostId(uuid::Uuid::from_u128(7 + index as u128));
            host.name = name.parse().unwrap();
            tokens.extend(host.build.as_ref().map(|build| (index, Token::Build(build.id))));
            tokens.extend(host.live.as_ref().map(|run| (index, Token::Run(run.id))));
            hosts.push(host);
        }
        let journal = journaled.then(|| hosts.iter().map(|host| (serde_json::to_value(host).unwrap(), serde_json::Value::Null)).collect());
        Self { tainted: vec![false; HOSTS], hosts, secs: 0, drawn: 100, tokens, sent: Vec::new(), journal }
    }

    fn fresh_id(&mut self) -> u128 {
        self.drawn += 1;
        self.drawn
    }

    fn live(&mut self, plan: Option<Box<WipePlan>>) -> NewLive {
        let id = LiveId(uuid::Uuid::from_u128(self.fresh_id()));
        NewLive { id, token_hash: TokenHash(id.0.as_u128().to_string()), plan, deadlines: None }
    }

    /// A run that wipes; sometimes its caller forgot the plan.
    fn wipe(&mut self, draw: &mut Draw) -> NewLive {
        let plan = draw.mostly().then(|| WIPE.clone());
        self.live(plan)
    }

    fn build(&mut self, draw: &mut Draw) -> Box<NewBuild> {
        let kinds = [None, None, None, Some(BuildKind::Install), Some(BuildKind::Rebuild), Some(BuildKind::Reinstall)];
        let id = BuildId(uuid::Uuid::from_u128(self.fresh_id()));
        let short = || BTreeMap::from([(Stage::Dhcp, Deadlines { soft_secs: 1, hard_secs: 2 })]);
        Box::new(NewBuild {
            id,
            kind: draw.pick(&kinds),
            method: if draw.mostly() { Method::Pxe } else { Method::Image },
            profile: PROFILE.name.clone(),
            token_hash: TokenHash(id.0.as_u128().to_string()),
            token_secs: None,
            expected_boots: u32::from(draw.mostly()),
            idempotency_key: draw.once_in(5).then(|| format!("k{}", draw.below(3))),
            deadlines: if draw.mostly() { BTreeMap::new() } else { short() },
            strict: draw.once_in(3),
        })
    }

    /// A message of a machine: new with the newest token or an older one, or one of the last again.
    fn message(&mut self, draw: &mut Draw) -> Message {
        if !self.sent.is_empty() && draw.once_in(4) {
            return draw.pick(&self.sent);
        }
        let host = draw.index(HOSTS);
        let newest = |host: &Host, draw: &mut Draw| {
            let (build, run) = (host.build.as_ref().map(|build| Token::Build(build.id)), host.live.as_ref().map(|run| Token::Run(run.id)));
            let registering = matches!(host.lifecycle, Lifecycle::Registering | Lifecycle::UsedRegistering | Lifecycle::Cleaning { .. });
            if registering != draw.once_in(8) { run.or(build) } else { build.or(run) }
        };
        let (host, token) = match draw.below(8) {
            0 if !self.tokens.is_empty() => draw.pick(&self.tokens),
            1 => (host, Token::Forged),
            _ => (host, newest(&self.hosts[host], draw).unwrap_or(Token::Forged)),
        };
        let session = self.hosts[host].live.as_ref().and_then(|run| run.session).map(|session| session.0);
        let session = if draw.mostly() { session.unwrap_or(1) } else { draw.below(3) };
        let event = match token {
            Token::Build(build) => build_event(draw, build),
            Token::Run(_) => agent_event(draw, session, &self.hosts[host].lifecycle),
            Token::Forged if draw.once_in(2) => agent_event(draw, session, &self.hosts[host].lifecycle),
            Token::Forged => {
                let build = self.hosts[host].build.as_ref().map_or(BuildId(uuid::Uuid::from_u128(5)), |build| build.id);
                build_event(draw, build)
            }
        };
        let message = Message { host, token, event, session };
        if self.sent.len() == 6 {
            self.sent.remove(0);
        }
        self.sent.push(message.clone());
        message
    }

    /// As the edge finds it out when the message arrives: whose token it is, and whether its power-on is the run's.
    fn arrives(&self, message: &Message) -> (Event, bool) {
        let host = &self.hosts[message.host];
        let knows = match message.token {
            Token::Build(id) => host.build.as_ref().is_some_and(|build| build.id == id),
            Token::Run(id) => host.live.as_ref().is_some_and(|run| run.id == id),
            Token::Forged => false,
        };
        let mut event = message.event.clone();
        let same_session = host.live.as_ref().is_some_and(|run| run.session == Some(SessionId(message.session)));
        match &mut event {
            // An older build's token is good for that build.
            Event::Built { token_ok, .. }
            | Event::BuildFailed { token_ok, .. }
            | Event::ProgressNoted { token_ok, .. }
            | Event::BootAnnounced { token_ok, .. } => *token_ok = message.token != Token::Forged,
            Event::AgentHeartbeat { token_ok, .. } => *token_ok = knows && same_session,
            Event::RegisterReport { token_ok, .. }
            | Event::RegisterPartial { token_ok, .. }
            | Event::RegisterFailed { token_ok, .. }
            | Event::AgentHello { token_ok, .. }
            | Event::CleanReport { token_ok, .. } => *token_ok = knows,
            _ => {}
        }
        (event, knows)
    }

    fn operator_event(&mut self, draw: &mut Draw, host: usize) -> Event {
        let name = NAMES[host];
        let then = draw.pick(&[Then::Available, Then::Unavailable, Then::Decommissioned, Then::Deleted]);
        match draw.below(30) {
            0 | 1 => Event::RegisterStart(self.live(None)),
            2 => Event::Reregister(self.live(None)),
            3 => Event::RegisterCancel,
            4 | 5 => Event::MarkAvailable,
            6 => Event::MarkUnavailable,
            7 => Event::Reserve { user: draw.pick(&["alice", "bob", " "]).to_owned(), until: draw.once_in(2).then(|| at(self.secs + 100)) },
            8 => Event::Unreserve,
            9 => Event::Adopt { confirm: draw.confirm(name) },
            10 => Event::WaiveDisks { why: draw.pick(&["lab", "lab", " "]).to_owned(), confirm: draw.confirm(name) },
            11..=13 => Event::EnableBuild { build: self.build(draw), confirm: draw.confirm(name) },
            14 => Event::RetryBuild(self.build(draw)),
            15 => Event::CancelBuild { build: None },
            16 => Event::RearmBuild { build: None },
            17 => Event::Release { then, confirm: draw.confirm(name), live: self.wipe(draw) },
            18 => Event::CleanStart { then, confirm: draw.confirm(name), live: self.wipe(draw) },
            19 | 20 => Event::CleanRetry(self.wipe(draw)),
            21 => Event::CleanCancel,
            22 => Event::MaintenanceStart { confirm: draw.confirm(name) },
            23 => Event::MaintenanceEnd { touched: draw.once_in(2), live: if draw.mostly() { self.live(None) } else { self.wipe(draw) } },
            24 => Event::Resolve,
            25 if draw.once_in(3) => Event::MarkDefective { reason: "r".to_owned(), notes: String::new(), abandon: draw.once_in(2) },
            25 | 26 => Event::Repaired(self.live(None)),
            27 if draw.once_in(3) => Event::Decommission { force: draw.mostly(), reason: draw.mostly().then(|| "why".to_owned()) },
            27 if draw.once_in(3) => Event::RemoveFromRack { force: draw.mostly(), reason: draw.mostly().then(|| "why".to_owned()) },
            28 => Event::Delete { confirm: draw.confirm(name), live: self.wipe(draw) },
            _ => Event::Fault { text: "psu".to_owned() },
        }
    }

    /// An event, its host, who causes it, and whether he knows the newest token.
    fn event(&mut self, draw: &mut Draw) -> (usize, Event, Actor, bool) {
        let kind = draw.below(16);
        if kind < 7 {
            let message = self.message(draw);
            let (event, knows) = self.arrives(&message);
            return (message.host, event, machine(knows), knows);
        }
        let host = draw.index(HOSTS);
        let event = match kind {
            7..=11 => self.operator_event(draw, host),
            12 | 13 => server_event(draw, &self.hosts[host]),
            _ => other_event(draw),
        };
        let actor = match actor_of(&event) {
            _ if draw.once_in(10) => draw.pick(&ACTORS),
            Actor::Host { .. } if draw.once_in(2) => alice(),
            Actor::Host { .. } => machine(draw.once_in(2)),
            actor => actor,
        };
        let knows = matches!(actor, Actor::Host { proven: true, .. });
        (host, event, actor, knows)
    }

    /// Some time passes, a little or until a deadline; and now and then the clock is set, forward or back.
    fn tick(&mut self, draw: &mut Draw) {
        match draw.below(48) {
            0 => self.secs += 3600 * i64::try_from(draw.below(24 * 40)).unwrap(),
            1 => self.secs -= i64::try_from(draw.below(7200)).unwrap(),
            2..=9 => {
                let host = draw.index(HOSTS);
                let deadlines: Vec<_> = running(&self.hosts[host]).iter().flat_map(|clock| [clock.soft, clock.hard]).flatten().collect();
                if !deadlines.is_empty() {
                    self.secs = draw.pick(&deadlines).as_second() - at(0).as_second();
                }
            }
            _ => self.secs += i64::try_from(draw.below(90)).unwrap(),
        }
    }

    /// The server stops and starts again: what it knows is what it wrote, deadlines included.
    fn restart(&mut self, tally: &mut Tally) -> Result<(), String> {
        tally.restarts += 1;
        for host in &mut self.hosts {
            let again: Host = serde_json::from_str(&serde_json::to_string(host).unwrap()).map_err(|fault| format!("5: not read again: {fault}"))?;
            if again != *host {
                return Err(format!("5: a restart changed the host\n before {host:#?}\n after {again:#?}"));
            }
            *host = again;
        }
        self.fold(tally)
    }

    /// 10: the journal, folded, is the present row.
    fn fold(&self, tally: &mut Tally) -> Result<(), String> {
        for (host, (_, folded)) in self.hosts.iter().zip(self.journal.iter().flatten()) {
            tally.folds += 1;
            if !folded.is_null() && *folded != serde_json::to_value(host).unwrap() {
                return Err("10: the journal does not fold to the row".to_owned());
            }
        }
        Ok(())
    }

    fn write(&mut self, host: usize) -> Result<(), String> {
        let Some(journal) = self.journal.as_mut() else { return Ok(()) };
        let now = serde_json::to_value(&self.hosts[host]).unwrap();
        let (before, folded) = &mut journal[host];
        if folded.is_null() {
            *folded = before.clone();
        }
        json_patch::patch(folded, &json_patch::diff(before, &now)).map_err(|fault| format!("10: a patch does not fit: {fault}"))?;
        *before = now;
        Ok(())
    }

    /// One step. `Err` names the invariant that broke.
    fn step(&mut self, number: u64, tally: &mut Tally, story: &mut Option<Vec<String>>) -> Result<(), String> {
        let mut draw = Draw(number);
        if draw.once_in(64) {
            self.restart(tally)?;
        }
        self.tick(&mut draw);
        let (index, event, actor, knows_token) = self.event(&mut draw);
        let (now, power_control) = (at(self.secs), draw.once_in(2));
        let before = &self.hosts[index];
        let verdict = decide(&event, before, &Ask { actor: &actor, now, times: &TIMES, power_control });
        tally.events += 1;
        let after = if let Verdict::Go(go) = &verdict { &go.host } else { before };
        let plan = boot_plan(after, now);
        let step =
            Step { before, event: &event, actor: &actor, verdict: &verdict, after, now, knows_token, plan: &plan, tainted: self.tainted[index] };
        if let Some(story) = story {
            let told = match &verdict {
                Verdict::Go(go) => format!("{} → {}", go.row, go.host.lifecycle.word()),
                Verdict::Stay(stay) => format!("= {}", stay.code()),
                Verdict::Refuse(why) => format!("✗ {}", why.code()),
            };
            story.push(format!("{:>8} s  {} {} by {actor:?}: {event:?}: {told}", self.secs, before.name, before.lifecycle.word()));
        }
        for ((name, check), tried) in INVARIANTS.iter().zip(&mut tally.tried) {
            match check(&step) {
                Ok(put) => *tried += u64::from(put),
                Err(what) => return Err(format!("{name}: {what}\n  before {before:#?}\n  after {after:#?}")),
            }
        }
        let Verdict::Go(go) = verdict else { return Ok(()) };
        *tally.rows.entry(go.row).or_default() += 1;
        self.goes(index, *go)
    }

    /// The host goes on from here.
    fn goes(&mut self, index: usize, go: bootwright::rules::lifecycle::Go) -> Result<(), String> {
        let before = &self.hosts[index];
        let given = |old: Option<Token>, new: Option<Token>| new.filter(|token| old != Some(*token)).map(|token| (index, token));
        let build = |host: &Host| host.build.as_ref().map(|build| Token::Build(build.id));
        let run = |host: &Host| host.live.as_ref().map(|run| Token::Run(run.id));
        let tokens = [given(build(before), build(&go.host)), given(run(before), run(&go.host))];
        self.tokens.extend(tokens.into_iter().flatten());
        self.tainted[index] = match go.host.lifecycle {
            Lifecycle::Defective { .. } | Lifecycle::Decommissioned { .. } | Lifecycle::Error { from: ErrorFrom::Cleaning, .. } => true,
            Lifecycle::New | Lifecycle::Unavailable | Lifecycle::Available | Lifecycle::Provisioning => false,
            _ => self.tainted[index],
        };
        if go.is_purge() {
            let mut next = new();
            next.name = before.name.clone();
            self.hosts[index] = next;
        } else {
            self.hosts[index] = go.host;
        }
        self.write(index)
    }
}

const NAMES: [&str; HOSTS] = ["n1", "n2"];

static ACTORS: LazyLock<Vec<Actor>> =
    LazyLock::new(|| vec![alice(), operator("eve", Role::Viewer), operator("bob", Role::Operator), machine(false), Actor::Server]);

fn build_event(draw: &mut Draw, build: BuildId) -> Event {
    let (token_ok, text) = (false, "words".to_owned());
    match draw.below(11) {
        0..=4 => Event::StageSeen { stage: draw.pick(&Stage::ALL), evidence: "seen".to_owned(), build },
        5 | 6 => Event::Built { build, token_ok, text },
        7 => Event::BuildFailed { build, token_ok, text },
        8 => Event::ProgressNoted { build, token_ok, word: "w".to_owned(), text },
        9 => Event::BootAnnounced { build, token_ok },
        _ => {
            let class = draw.pick(&[LoopClass::Firmware, LoopClass::Loader, LoopClass::Template, LoopClass::LocalBoot]);
            Event::LoopSeen { class, halt: draw.once_in(2), text, session: SessionId(draw.below(9)) }
        }
    }
}

fn agent_event(draw: &mut Draw, session: u64, state: &Lifecycle) -> Event {
    let (token_ok, text) = (false, "words".to_owned());
    let cleans = matches!(state, Lifecycle::Cleaning { .. }) != draw.once_in(8);
    match draw.below(8) {
        0..=2 => hello(token_ok, session),
        3 => beat(token_ok),
        4 if !cleans => Event::RegisterPartial { facts: facts(u32::try_from(draw.below(3)).unwrap()), token_ok },
        5 if !cleans => Event::RegisterFailed { text, token_ok },
        _ if cleans => {
            let failed = Wiped::Failed { text };
            let outcome = draw.pick(&[Wiped::All, Wiped::All, Wiped::Waived { by: "a".to_owned(), why: "b".to_owned() }, failed]);
            Event::CleanReport { outcome, results: Vec::new(), token_ok, plan_ok: draw.mostly() }
        }
        _ => {
            let changes = if draw.once_in(2) { vec!["a disk".to_owned()] } else { Vec::new() };
            let (complete, auto_available) = (draw.mostly(), draw.once_in(2));
            Event::RegisterReport { facts: facts(u32::try_from(draw.below(3)).unwrap()), token_ok, complete, changes, auto_available }
        }
    }
}

fn server_event(draw: &mut Draw, host: &Host) -> Event {
    let clock = running(host).first().map(|running| running.clock).filter(|_| draw.mostly());
    let clock = clock.unwrap_or_else(|| draw.pick(&[Clock::State, Clock::Build, Clock::Task]));
    match draw.below(10) {
        0 => Event::SoftDeadline(clock),
        1..=3 => Event::HardDeadline(clock),
        4 => Event::ReservationExpired,
        5 => Event::RetentionPassed,
        6 => Event::AgentSilent,
        7 => Event::BootTimeout,
        8 if draw.once_in(4) => Event::Restored { made: host.since },
        8 => Event::TestTimeout,
        _ => Event::RecoveryTimer,
    }
}

fn other_event(draw: &mut Draw) -> Event {
    let power = draw.pick(&[PowerState::On, PowerState::Off, PowerState::PoweringOn, PowerState::PoweringOff, PowerState::Unknown]);
    let health = [Health::Passed, Health::SomeFailed, Health::CriticalFailed, Health::Missed(3), Health::Missed(7), Health::Missed(11)];
    match draw.below(18) {
        0 | 1 => Event::Contact { tested: draw.once_in(2), booted: draw.once_in(2) },
        2 => Event::ContactLost { quiet_secs: draw.below(30) },
        3 => Event::Health(draw.pick(&health)),
        4 => Event::AdminLock { force: draw.once_in(2), confirm: draw.confirm(NAMES[0]) },
        5 | 6 => Event::AdminUnlock,
        7 => Event::PowerRead { power, steady_secs: draw.below(30), mass: !draw.mostly() },
        8 => Event::Start,
        9 => Event::Stop,
        10 => Event::Restart,
        11 => Event::ForceRestart,
        12 => Event::TaskDone { kind: draw.pick(&[None, Some(TaskKind::Starting), Some(TaskKind::Stopping), Some(TaskKind::Restarting)]) },
        13 if draw.once_in(4) => Event::Freeze { why: "arrears".to_owned() },
        14 if draw.once_in(4) => Event::Protect,
        15 => Event::Unprotect,
        _ => Event::Unfreeze,
    }
}

fn boot_plan(host: &Host, now: bootwright::model::Timestamp) -> Plan {
    let firmware = Firmware::ipxe(Arch::X64);
    boot::decide(&boot::Facts { host: Some(host), doubt: None, profile: Some(&PROFILE), network: None, firmware, live_image: Ok(()), now })
}

/// Lives a history; what broke, if anything.
fn live(first: u64, numbers: &[u64], journaled: bool, tally: &mut Tally, story: &mut Option<Vec<String>>) -> Result<(), String> {
    let mut world = World::new(&mut Draw(first), journaled);
    for number in numbers {
        world.step(*number, tally, story)?;
    }
    world.fold(tally)
}

/// Leaves out steps as long as it still breaks.
fn smallest(first: u64, mut numbers: Vec<u64>, journaled: bool) -> Vec<u64> {
    let breaks = |numbers: &[u64]| live(first, numbers, journaled, &mut Tally::default(), &mut None).is_err();
    let mut size = numbers.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < numbers.len() {
            let mut fewer = numbers.clone();
            fewer.drain(from..(from + size).min(numbers.len()));
            if breaks(&fewer) { numbers = fewer } else { from += size }
        }
        size /= 2;
    }
    numbers
}

/// The histories `from..to` of a seed.
fn histories(seed: u64, from: u64, to: u64) -> Tally {
    let mut tally = Tally::default();
    let mut numbers = Vec::with_capacity(EVENTS);
    for number in from..to {
        let first = mix(seed ^ mix(number));
        numbers.clear();
        numbers.extend((1..=EVENTS as u64).map(|step| mix(first.wrapping_add(step))));
        let journaled = number.is_multiple_of(JOURNALED);
        if live(first, &numbers, journaled, &mut tally, &mut None).is_err() {
            let least = smallest(first, numbers, journaled);
            let mut story = Some(Vec::new());
            let why = live(first, &least, journaled, &mut Tally::default(), &mut story).unwrap_err();
            panic!("LIFECYCLE_SEED={seed}, history {number}, {} events:\n{}\n{why}", least.len(), story.unwrap_or_default().join("\n"));
        }
    }
    tally
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_history_breaks_an_invariant() {
    let seed = setting("LIFECYCLE_SEED").unwrap_or_else(|| RandomState::new().hash_one(7_u8));
    let count = setting("LIFECYCLE_HISTORIES").unwrap_or(HISTORIES);
    println!("LIFECYCLE_SEED={seed} LIFECYCLE_HISTORIES={count}");
    let parts = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64).min(count.max(1));
    let bounds = move |part: u64| count * part / parts;
    let threads: Vec<_> = (0..parts).map(|part| std::thread::spawn(move || histories(seed, bounds(part), bounds(part + 1)))).collect();
    let mut all = Tally::default();
    for thread in threads {
        match thread.join() {
            Ok(tally) => all.add(&tally),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    println!("{count} histories of {HOSTS} hosts and {EVENTS} events: {} events, {} restarts, {} folds", all.events, all.restarts, all.folds);
    println!("rows taken: {:?}", all.rows);
    for ((name, _), tried) in INVARIANTS.iter().zip(all.tried) {
        println!("{tried:>10} × {name}");
        assert!(tried > 0 || count < 1000, "no history put this to the test: {name}");
    }
    assert!(all.rows.len() >= 55 || count < HISTORIES, "the histories came through {} rows only: {:?}", all.rows.len(), all.rows);
}
