//! Every state of section 8 of the design: reached from a fresh record by legal events only, and listed in `docs/states.md`.
//!
//! A line of `states!` is a test and a line of the document. `UPDATE_GOLDEN=1` writes the document again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bootwright::model::{Administrative, BuildKind, Host, HostId, Lifecycle, LoopClass, Method, PowerState, ReturnTo, Stage, Then};
use bootwright::rules::display::{api_status, display_state};
use bootwright::rules::lifecycle::{Ask, Clock, Event, Health, NewBuild, Times, Verdict, Wiped, created, running};

use crate::lifecycle_samples::*;

/// A host's way so far.
#[derive(Clone)]
struct Story {
    host: Host,
    secs: i64,
    rows: Vec<&'static str>,
    purged: bool,
}

impl Story {
    /// A record that was just made (T1, O0).
    fn fresh() -> Self {
        let actor = alice();
        let ask = Ask { actor: &actor, now: at(0), times: &Times::default(), power_control: false };
        let go = created(HostId(uuid::Uuid::from_u128(7)), "n1".parse().unwrap(), vec!["52:54:00:00:00:01".parse().unwrap()], &ask);
        Self { host: go.host, secs: 0, rows: vec![go.row, "O0"], purged: false }
    }

    /// The event applies, by the actor that may cause it.
    #[track_caller]
    fn go(mut self, event: Event) -> Self {
        let go = go_at(&self.host, &event, self.secs);
        self.rows.push(go.row);
        self.purged = go.is_purge();
        self.host = go.host;
        self
    }

    /// Time passes.
    fn after(mut self, secs: i64) -> Self {
        self.secs += secs;
        self
    }

    #[track_caller]
    fn all(self, events: impl IntoIterator<Item = Event>) -> Self {
        events.into_iter().fold(self, Self::go)
    }

    /// The rows, each once, that lead to another lifecycle from here.
    fn ways_out(&self) -> String {
        let mut rows = BTreeSet::new();
        for (secs, event) in events() {
            if let Verdict::Go(go) = verdict(&self.host, &event, self.secs + secs)
                && (go.host.lifecycle.word() != self.host.lifecycle.word() || go.is_purge())
            {
                rows.insert(go.row);
            }
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|row| (row.starts_with('P'), row.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().unwrap_or(0), *row));
        if self.purged { "-".to_owned() } else { rows.join(" ") }
    }
}

fn all_registered() -> [Event; 3] {
    let report = Event::RegisterReport { facts: facts(1), token_ok: true, complete: true, changes: Vec::new(), auto_available: false };
    [Event::RegisterStart(register()), hello(true, 1), report]
}

fn wiped(event: Event) -> [Event; 3] {
    [event, hello(true, 2), Event::CleanReport { outcome: Wiped::All, results: Vec::new(), token_ok: true, plan_ok: true }]
}

fn release(then: Then) -> Event {
    Event::Release { then, confirm: name(), live: wipe() }
}

fn on_registering() -> Story {
    Story::fresh().go(Event::RegisterStart(register()))
}

fn on_unavailable() -> Story {
    Story::fresh().all(all_registered())
}

fn on_available() -> Story {
    on_unavailable().all(wiped(Event::CleanStart { then: Then::Available, confirm: name(), live: wipe() }))
}

fn on_reserved() -> Story {
    on_available().go(Event::Reserve { user: "alice".into(), until: None })
}

fn enable(kind: BuildKind, method: Method) -> Event {
    Event::EnableBuild { build: Box::new(NewBuild { kind: Some(kind), method, ..*new_build(B1) }), confirm: name() }
}

fn on_installing(stages: &[Stage]) -> Story {
    on_available().go(enable(BuildKind::Install, Method::Pxe)).all(stages.iter().map(|one| stage(*one)))
}

const TO_TEMPLATE: [Stage; 5] = [Stage::Dhcp, Stage::BootloaderSent, Stage::IpxeScriptSent, Stage::KernelInitrdSent, Stage::ProvisionTemplateSent];

fn on_used() -> Story {
    on_installing(&TO_TEMPLATE).go(built()).go(stage(Stage::LocalBoot))
}

fn on_image(stages: &[Stage]) -> Story {
    on_available().go(enable(BuildKind::Install, Method::Image)).all(stages.iter().map(|one| stage(*one)))
}

/// The used host again, by another build.
fn on_again(kind: BuildKind) -> Story {
    let build = Box::new(NewBuild { kind: Some(kind), ..*new_build(2) });
    on_used().go(Event::EnableBuild { build, confirm: name() })
}

fn on_cleaning() -> Story {
    on_used().go(release(Then::Available))
}

fn on_deleting() -> Story {
    on_used().go(Event::Delete { confirm: name(), live: wipe() })
}

fn on_deleted() -> Story {
    on_deleting().go(hello(true, 2)).go(Event::CleanReport { outcome: Wiped::All, results: Vec::new(), token_ok: true, plan_ok: true })
}

fn power(power: PowerState) -> Event {
    Event::PowerRead { power, steady_secs: 60, mass: false }
}

fn heard(tested: bool) -> Event {
    Event::Contact { tested, booted: true }
}

fn on_unlocked() -> Story {
    on_used().go(Event::AdminUnlock)
}

fn on_tested(health: Health) -> Story {
    on_unlocked().go(heard(true)).go(Event::Health(health))
}

fn fault() -> Event {
    Event::Fault { text: "psu".into() }
}

/// O1 to O7 as StarlingX numbers them.
fn on_every_transition() -> Story {
    let host = Story::fresh().go(heard(false)).go(Event::ContactLost { quiet_secs: 60 });
    let host = host.all(all_registered()).all(wiped(Event::CleanStart { then: Then::Available, confirm: name(), live: wipe() }));
    let host = host.go(Event::Adopt { confirm: name() }).go(Event::AdminUnlock).go(heard(true)).go(Event::Health(Health::CriticalFailed));
    let host = host.after(300).go(Event::RecoveryTimer).go(Event::Health(Health::Passed)).go(Event::Health(Health::SomeFailed));
    host.go(Event::ContactLost { quiet_secs: 60 })
}

/// Everything that tells a host's state, in words.
fn describe(story: &Story) -> Vec<String> {
    let host = &story.host;
    let mut parts = vec![match &host.lifecycle {
        Lifecycle::Reserved { user, .. } => format!("reserved{{for={user}}}"),
        Lifecycle::Cleaning { then, .. } => format!("cleaning{{then={then:?}}}").to_lowercase(),
        Lifecycle::Maintenance { return_to } => format!("maintenance{{return_to={return_to:?}}}").to_lowercase(),
        Lifecycle::Error { from, .. } => format!("error{{from={}}}", words(from)),
        Lifecycle::Defective { reason, .. } => format!("defective{{{reason}}}"),
        Lifecycle::Decommissioned { reason } => format!("decommissioned{{{}}}", words(reason)),
        other => other.word().to_owned(),
    }];
    if let Some(build) = &host.build {
        parts.push(format!("build {}", if build.is_open() { "open" } else { "ended" }));
        parts.push(format!("kind={}", words(&build.kind)));
        parts.push(format!("stage {}", build.stage.word()));
    } else {
        parts.push("no build".to_owned());
    }
    parts.extend(host.task.as_ref().map(|task| format!("task {}", words(&task.kind))));
    parts.push(format!("power {}", words(&host.power.state)));
    let locked = host.operational.administrative == Administrative::Locked;
    parts.push(if locked { "locked" } else { "unlocked" }.to_owned());
    parts.push(if host.operational.is_enabled() { "enabled" } else { "disabled" }.to_owned());
    parts.push(format!("availability {}", words(&host.operational.availability)));
    parts.extend(host.holds.frozen.as_ref().map(|_| "hold frozen".to_owned()));
    parts.extend(host.holds.lock.then(|| "hold lock".to_owned()));
    parts.extend(host.issues.iter().map(|issue| format!("issue {}", words(&issue.kind))));
    parts.extend(host.overdue.then(|| "overdue".to_owned()));
    parts.extend(story.purged.then(|| "purged".to_owned()));
    parts
}

/// A word as the API has it.
fn words(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value).unwrap() {
        serde_json::Value::String(word) => word,
        serde_json::Value::Object(fields) => {
            let kind = fields.get("kind").map(|kind| format!(", kind={}", words(kind))).unwrap_or_default();
            words(&fields["state"]) + &kind
        }
        other => other.to_string(),
    }
}

/// `I`: a hard deadline ends it; `S`: nothing does by itself.
fn kind(host: &Host) -> &'static str {
    let bounded = host.hard_deadline.is_some() || host.open_build().is_some() || host.task.is_some();
    let clocks = running(host).iter().any(|clock| clock.hard.is_some());
    assert!(!bounded || clocks, "an intermediate state has a hard deadline: {:?}", host.lifecycle);
    if bounded { "I" } else { "S" }
}

struct Line {
    system: &'static str,
    state: &'static str,
    ours: &'static str,
    shown: &'static str,
    kind: &'static str,
    test: &'static str,
    story: fn() -> Story,
}

impl Line {
    fn shown_of(host: &Host) -> String {
        format!("{}, {}", display_state(host), api_status(host).unwrap_or("-"))
    }

    #[track_caller]
    fn check(&self) {
        let story = (self.story)();
        let parts = describe(&story);
        for part in self.ours.split(" + ") {
            assert!(parts.iter().any(|have| have == part), "{part:?} is not in {parts:?}");
        }
        assert_eq!(Self::shown_of(&story.host), self.shown, "display_state, api_status of {parts:?}");
        assert_eq!(kind(&story.host), self.kind, "{parts:?}");
    }
}

macro_rules! states {
    ($($test:ident $system:literal $state:literal = $ours:literal, $shown:literal, $kind:literal, $story:expr;)*) => {
        $(#[test] fn $test() { lines().into_iter().find(|line| line.test == stringify!($test)).unwrap().check(); })*

        fn lines() -> Vec<Line> {
            vec![$(Line { system: $system, state: $state, ours: $ours, shown: $shown, kind: $kind, test: stringify!($test), story: || $story }),*]
        }
    };
}

#[rustfmt::skip]
states! {
    metalsoft_available "MetalSoft" "Available" = "available", "Available, -", "S", on_available();
    metalsoft_available_reserved "MetalSoft" "Available_reserved" = "reserved{for=alice}", "Available reserved, -", "S", on_reserved();
    metalsoft_used "MetalSoft" "Used" = "used", "Running, ACTIVE", "S", on_used();
    metalsoft_registering "MetalSoft" "Registering" = "registering", "Registering, -", "I", on_registering();
    metalsoft_cleaning "MetalSoft" "Cleaning" = "cleaning{then=available}", "Cleaning, -", "I", on_cleaning();
    metalsoft_defective "MetalSoft" "Defective" = "defective{dimm}", "Defective, ERROR", "S",
        on_available().go(Event::MarkDefective { reason: "dimm".into(), notes: "slot B2".into(), abandon: false });
    metalsoft_used_registering "MetalSoft" "Used_registering" = "used_registering", "Used registering, ACTIVE", "I", on_used().go(Event::Reregister(register()));
    metalsoft_decommissioned "MetalSoft" "Decommissioned" = "decommissioned{retired}", "Decommissioned, -", "S",
        on_available().go(Event::Decommission { force: false, reason: None });
    metalsoft_unavailable "MetalSoft" "unavailable" = "unavailable", "Unavailable, -", "S", on_unavailable();
    metalsoft_removed_from_rack "MetalSoft" "removed_from_rack" = "decommissioned{removed_from_rack}", "Removed from rack, -", "S",
        on_available().go(Event::RemoveFromRack { force: false, reason: None });
    metal_operator_initial "metal-operator" "Initial" = "new", "New, -", "S", Story::fresh();
    metal_operator_discovery "metal-operator" "Discovery" = "registering", "Registering, -", "I", on_registering();
    metal_operator_available "metal-operator" "Available" = "available", "Available, -", "S", on_available();
    metal_operator_reserved "metal-operator" "Reserved" = "reserved{for=alice}", "Available reserved, -", "S", on_reserved();
    metal_operator_reserved_and_booted "metal-operator" "Reserved, once booted" = "provisioning + stage dhcp", "Creating, BUILD", "I",
        on_reserved().go(enable(BuildKind::Install, Method::Pxe)).go(stage(Stage::Dhcp));
    metal_operator_claim_removed "metal-operator" "Cleanup" = "cleaning{then=available}", "Cleaning, -", "I", on_reserved().go(release(Then::Available));
    metal_operator_maintenance "metal-operator" "Maintenance" = "maintenance{return_to=available}", "Maintenance, -", "S",
        on_available().go(Event::MaintenanceStart { confirm: None });
    metal_operator_error "metal-operator" "Error" = "error{from=available}", "Faulty, ERROR", "S", on_available().go(fault());
    metal_operator_power_on "metal-operator" "power On" = "used + power on", "Running, ACTIVE", "S", on_used().go(power(PowerState::On));
    metal_operator_power_off "metal-operator" "power Off" = "used + power off", "Stopped, SHUTOFF", "S", on_used().go(power(PowerState::Off));
    foreman_host_created "Foreman" "Host Created" = "new + no build", "New, -", "S", Story::fresh();
    foreman_build "Foreman" "build" = "build open + kind=install + stage build_enabled", "Creating, BUILD", "I", on_installing(&[]);
    foreman_not_build "Foreman" "not build" = "build ended", "Running, ACTIVE", "S", on_used();
    foreman_dhcp "Foreman" "DHCP" = "provisioning + stage dhcp", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE[..1]);
    foreman_tftp "Foreman" "TFTP" = "provisioning + stage bootloader_sent", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE[..2]);
    foreman_ipxe "Foreman" "iPXE" = "provisioning + stage ipxe_script_sent", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE[..3]);
    foreman_kernel "Foreman" "kernel/initrd" = "provisioning + stage kernel_initrd_sent", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE[..4]);
    foreman_got_provision_script "Foreman" "got provision script" = "provisioning + stage provision_template_sent", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE);
    foreman_running_pre "Foreman" "running pre" = "provisioning + stage pre_running", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE).go(stage(Stage::PreRunning));
    foreman_installing "Foreman" "installing" = "provisioning + stage installing", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE).go(stage(Stage::Installing));
    foreman_running_post "Foreman" "running post" = "provisioning + stage post_running", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE).go(stage(Stage::PostRunning));
    foreman_finish_script "Foreman" "finish script" = "provisioning + stage finish_sent", "Creating, BUILD", "I", on_installing(&TO_TEMPLATE).go(stage(Stage::FinishSent));
    foreman_build_complete "Foreman" "Build Complete" = "used + build ended + stage built", "Running, ACTIVE", "S", on_installing(&TO_TEMPLATE).go(built());
    foreman_build_complete_and_booted "Foreman" "Build Complete, booted from its disk" = "used + stage local_boot", "Running, ACTIVE", "S", on_used();
    foreman_loop_arrows "Foreman" "loop arrows" = "provisioning + issue boot_loop", "Creating, BUILD", "I",
        on_installing(&TO_TEMPLATE).go(looped(LoopClass::Template, false, 9));
    foreman_loop_arrows_halted "Foreman" "loop arrows, halted" = "error{from=provisioning, kind=install} + issue boot_loop", "Faulty, ERROR", "S",
        on_installing(&TO_TEMPLATE).go(looped(LoopClass::Template, true, 9));
    foreman_vm_requested "Foreman" "vm requested" = "provisioning + stage vm_requested", "Creating, BUILD", "I", on_image(&[Stage::VmRequested]);
    foreman_vm_created "Foreman" "vm created" = "provisioning + stage vm_created", "Creating, BUILD", "I", on_image(&[Stage::VmRequested, Stage::VmCreated]);
    foreman_ssh_started "Foreman" "ssh started" = "provisioning + stage ssh_started", "Creating, BUILD", "I",
        on_image(&[Stage::VmRequested, Stage::VmCreated, Stage::SshStarted]);
    foreman_enable_build_used "Foreman" "Enable Build (used)" = "provisioning + kind=reinstall", "Reinstalling OS, SHUTOFF", "I", on_again(BuildKind::Reinstall);
    foreman_enable_build_available "Foreman" "Enable Build (available)" = "provisioning + kind=install", "Creating, BUILD", "I", on_installing(&[]);
    foreman_enable_build_error "Foreman" "Enable Build (failed)" = "provisioning + kind=install + stage build_enabled", "Creating, BUILD", "I",
        on_installing(&TO_TEMPLATE).go(Event::BuildFailed { build: build_id(B1), token_ok: true, text: "no disk".into() }).go(Event::RetryBuild(new_build(2)));
    huawei_creating "Huawei BMS" "Creating" = "provisioning + kind=install + task creating", "Creating, BUILD", "I", on_installing(&[]);
    huawei_starting "Huawei BMS" "Starting" = "used + task starting", "Starting, SHUTOFF", "I", on_used().go(power(PowerState::Off)).go(Event::Start);
    huawei_stopping "Huawei BMS" "Stopping" = "used + task stopping", "Stopping, ACTIVE", "I", on_used().go(Event::Stop);
    huawei_running "Huawei BMS" "Running" = "used + power on", "Running, ACTIVE", "S",
        on_used().go(power(PowerState::Off)).go(Event::Start).go(heard(false));
    huawei_stopped "Huawei BMS" "Stopped" = "used + power off", "Stopped, SHUTOFF", "S", on_used().go(Event::Stop).go(Event::TaskDone { kind: None });
    huawei_restarting "Huawei BMS" "Restarting" = "used + task restarting", "Restarting, REBOOT", "I", on_used().go(Event::Restart);
    huawei_forcibly_restarting "Huawei BMS" "Forcibly restarting" = "used + task force_restarting", "Forcibly restarting, HARD_REBOOT", "I", on_used().go(Event::ForceRestart);
    huawei_deleting "Huawei BMS" "Deleting" = "cleaning{then=deleted} + task deleting", "Deleting, ACTIVE", "I", on_deleting();
    huawei_deleted "Huawei BMS" "Deleted" = "decommissioned{deleted}", "Deleted, DELETED", "S", on_deleted();
    huawei_deleted_and_purged "Huawei BMS" "Deleted, after its retention" = "purged", "Deleted, DELETED", "S", on_deleted().after(30 * 86_400).go(Event::RetentionPassed);
    huawei_faulty "Huawei BMS" "Faulty" = "error{from=used}", "Faulty, ERROR", "S", on_used().go(fault());
    huawei_rebuilding "Huawei BMS" "Rebuilding" = "provisioning + kind=rebuild + task rebuilding", "Rebuilding, SHUTOFF", "I", on_again(BuildKind::Rebuild);
    huawei_reinstalling_os "Huawei BMS" "Reinstalling OS" = "provisioning + kind=reinstall + task reinstalling_os", "Reinstalling OS, SHUTOFF", "I", on_again(BuildKind::Reinstall);
    huawei_reinstalling_os_failed "Huawei BMS" "Reinstalling OS failed" = "error{from=provisioning, kind=reinstall}", "Reinstalling OS failed, SHUTOFF", "S",
        on_again(BuildKind::Reinstall).go(Event::BuildFailed { build: build_id(2), token_ok: true, text: "no disk".into() });
    huawei_freeze "Huawei BMS" "Freeze" = "used + hold frozen", "Running, SHUTOFF", "S", on_used().go(Event::Freeze { why: "arrears".into() });
    huawei_lock "Huawei BMS" "Lock" = "used + hold lock", "Running, ACTIVE", "S", on_used().go(Event::Protect);
    huawei_remains_for_a_long_time "Huawei BMS" "\"remains for a long time\"" = "registering + overdue + issue overdue", "Registering, -", "I",
        on_registering().after(600).go(Event::SoftDeadline(Clock::State));
    starlingx_locked "StarlingX" "Locked" = "locked + disabled + availability online", "Running, ACTIVE", "S",
        on_tested(Health::Passed).go(Event::AdminLock { force: false, confirm: None });
    starlingx_unlocked "StarlingX" "Unlocked" = "unlocked + disabled + availability offline", "Running, ACTIVE", "S", on_unlocked();
    starlingx_disabled "StarlingX" "Disabled" = "unlocked + disabled + availability failed", "Running, ACTIVE", "S", on_tested(Health::CriticalFailed);
    starlingx_enabled "StarlingX" "Enabled" = "unlocked + enabled + availability available", "Running, ACTIVE", "S", on_tested(Health::Passed);
    starlingx_offline "StarlingX" "Offline" = "availability offline", "Running, ACTIVE", "S", on_tested(Health::Passed).go(Event::ContactLost { quiet_secs: 60 });
    starlingx_online "StarlingX" "Online" = "locked + disabled + availability online", "New, -", "S", Story::fresh().go(heard(false));
    starlingx_intest "StarlingX" "InTest" = "unlocked + disabled + availability intest", "Running, ACTIVE", "S", on_unlocked().go(heard(true));
    starlingx_available "StarlingX" "Available" = "enabled + availability available", "Running, ACTIVE", "S", on_tested(Health::Passed);
    starlingx_degraded "StarlingX" "Degraded" = "enabled + availability degraded", "Running, ACTIVE", "S", on_tested(Health::SomeFailed);
    starlingx_failed "StarlingX" "Failed" = "disabled + availability failed", "Running, ACTIVE", "S", on_tested(Health::CriticalFailed);
    starlingx_new_host "StarlingX" "new host Offline" = "new + locked + disabled + availability offline", "New, -", "S", Story::fresh();
    starlingx_boot_timeout "StarlingX" "boot timeout" = "unlocked + availability failed", "Running, ACTIVE", "S",
        on_tested(Health::Passed).go(Event::ContactLost { quiet_secs: 60 }).after(720).go(Event::BootTimeout);
    starlingx_transitions "StarlingX" "transitions 1-7" = "unlocked + disabled + availability offline", "Running, ACTIVE", "S", on_every_transition();
}

const TAIL: &str = "
What has no line of its own:

- Huawei BMS, attribute I / S: the column *kind*; API status: the column *shown*.
- StarlingX, controller-0 Available: the server is not a host of its own inventory, so no record is pinned available.
- metal-operator, boot order and BIOS settings: the server changes neither; what a machine boots is decided when it asks (boot.md).
";

fn document() -> String {
    let mut out = include_str!("states_head.md").to_owned();
    for line in lines() {
        let story = (line.story)();
        let entered = story.rows.last().unwrap();
        let ours = line.ours.replace('|', "/");
        let (shown, kind, ways) = (Line::shown_of(&story.host), kind(&story.host), story.ways_out());
        writeln!(out, "| {} | {} | {ours} | {entered} | {ways} | {shown} | {kind} | `{}` |", line.system, line.state, line.test).unwrap();
    }
    out + TAIL
}

#[test]
fn the_document_of_states_is_the_one_that_is_reached() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/states.md");
    let now = document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap_or_default() == now, "docs/states.md is out of date; UPDATE_GOLDEN=1 writes it again");
}

#[test]
fn every_transition_of_starlingx_is_taken() {
    let rows = on_every_transition().rows;
    for row in ["O0", "O1", "O2", "O3", "O4", "O5", "O6", "O7", "O9"] {
        assert!(rows.contains(&row), "{row} is not in {rows:?}");
    }
}

#[test]
fn a_maintained_host_goes_back_to_what_it_was() {
    let back = |story: Story, return_to| {
        let story = story.go(Event::MaintenanceStart { confirm: name() });
        assert_eq!(story.host.lifecycle, Lifecycle::Maintenance { return_to });
        story.go(Event::MaintenanceEnd { touched: false, live: register() }).host.lifecycle
    };
    assert_eq!(back(on_used(), ReturnTo::Used), Lifecycle::Used);
    assert_eq!(back(on_available(), ReturnTo::Available), Lifecycle::Available);
    assert_eq!(back(on_used().go(fault()), ReturnTo::Used), Lifecycle::Used, "T21 after T27b");
}
