//! The boot decision as a table: a host, and what it is told; then what DHCP offers for it.
//!
//! Wanted texts are beginnings: the reason a console shows is part of the decision, its last words are not.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::*;
use crate::{
    model::{BuildKind, DiskState, Profile, ReturnTo, Then, lifecycle::Decommission},
    rules::{
        inherit,
        session::history::{History, at, bare_host},
    },
};

const UEFI: Firmware = Firmware { arch: Arch::X64, transport: Transport::Tftp, ipxe_http: false, ipxe: false };

fn effective(extra: &Value) -> Effective {
    let mut json = json!({"name": "d12", "kernel": "d/1/linux", "initrds": ["d/1/i"]});
    json.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let profile: Profile = serde_json::from_value(json).unwrap();
    inherit::profile(&profile.name.clone(), &BTreeMap::from([(profile.name.clone(), Arc::new(profile))])).unwrap()
}

fn network(auto_enroll: &str) -> Network {
    serde_json::from_value(json!({"name": "lab", "subnet": "10.0.0.0/24", "auto_enroll": auto_enroll})).unwrap()
}

fn said(plan: &Plan) -> String {
    match plan {
        Plan::Local { how, why } => format!("local {} {why}", serde_json::to_value(how).unwrap().as_str().unwrap()),
        Plan::Install => "install".to_owned(),
        Plan::Live { mode } => format!("live {mode:?}"),
        Plan::Hold { hold } => format!("hold {}", hold.text()),
        Plan::Wait { secs, why } => format!("wait {secs} {why}"),
        Plan::NoAnswer { why } => format!("no answer {why}"),
    }
}

/// A recorded host at 1000 s, with live image and profile unless changed.
#[track_caller]
fn decided(host: &Host, change: impl FnOnce(&mut Facts<'_>), want: &str) {
    let (profile, network) = (effective(&json!({})), network("off"));
    let mut facts =
        Facts { host: Some(host), doubt: None, profile: Some(&profile), network: Some(&network), firmware: UEFI, live_image: Ok(()), now: at(1000) };
    change(&mut facts);
    let got = said(&decide(&facts));
    assert!(got.starts_with(want), "wanted {want:?}, got {got:?}");
}

#[track_caller]
fn in_state(lifecycle: Lifecycle, want: &str) {
    decided(&Host { lifecycle, ..bare_host() }, |_| {}, want);
}

fn error(from: ErrorFrom, cause: Cause) -> Lifecycle {
    Lifecycle::Error { from, cause }
}

fn building(change: impl FnOnce(&mut Build)) -> Host {
    History::building().with(change).host
}

#[test]
fn a_host_nobody_uses_starts_from_its_disk() {
    in_state(Lifecycle::New, "local exit-1 it is new");
    in_state(Lifecycle::Unavailable, "local exit-1 it is registered");
    in_state(Lifecycle::Available, "local exit-1 it is available");
    in_state(Lifecycle::Reserved { user: "ann".into(), until: None }, "local exit-1 it is reserved for ann");
    in_state(Lifecycle::Used, "local exit-1 it is in use");
    in_state(Lifecycle::Maintenance { return_to: ReturnTo::Used }, "local exit-1 it is in maintenance");
    in_state(Lifecycle::Defective { reason: "dimm".into(), notes: String::new() }, "local exit-1 it is marked defective (dimm)");
}

#[test]
fn a_disk_that_never_comes_up_is_said_on_the_console() {
    let mut history = History::building().with(|build| build.end = Some(crate::model::BuildEnd::Built));
    history.host.lifecycle = Lifecycle::Used;
    for i in 1..=5 {
        history.play(&format!("{0} ipxe; {0} script; {0} disk", i * 60));
    }
    let asked_at = |host: &Host, want| decided(host, |facts| facts.now = at(360), want);
    asked_at(&history.host, "local exit-1 it is in use");
    history.play("360 ipxe; 360 script; 360 disk");
    asked_at(&history.host, "local exit-1 Local-boot loop: sent to its disk 6 times within 10 minutes");
}

#[test]
fn the_live_image_registers_and_cleans() {
    in_state(Lifecycle::Registering, "live Register");
    in_state(Lifecycle::UsedRegistering, "live Register");
    in_state(Lifecycle::Cleaning { then: Then::Available, from: Box::new(Lifecycle::Used) }, "live Clean");
}

#[test]
fn without_a_live_image_a_host_waits_and_is_never_let_at_its_disk() {
    for lifecycle in
        [Lifecycle::Registering, Lifecycle::UsedRegistering, Lifecycle::Cleaning { then: Then::Available, from: Box::new(Lifecycle::Used) }]
    {
        decided(&Host { lifecycle, ..bare_host() }, |facts| facts.live_image = Err("there is none"), "wait 60 it is to be ");
    }
}

#[test]
fn errors_hold_where_the_disk_is_not_to_be_trusted() {
    in_state(error(ErrorFrom::Cleaning, Cause::Wipe("sdb".into())), "hold Its wipe did not end well: sdb. It is not started");
    in_state(error(ErrorFrom::Provisioning { kind: BuildKind::Install }, Cause::Reported("%post".into())), "hold Its build failed: %post. Retry");
    in_state(error(ErrorFrom::Provisioning { kind: BuildKind::Install }, Cause::BootLoop("Round.".into())), "hold Round. When it is mended");
    for from in [ErrorFrom::Registering, ErrorFrom::Available, ErrorFrom::Reserved, ErrorFrom::Used, ErrorFrom::Maintenance] {
        in_state(error(from, Cause::Fault(String::new())), "local exit-1 it is in error: no reason was given.");
    }
}

#[test]
fn a_decommissioned_host_gets_no_answer_even_if_frozen() {
    let mut host = Host { lifecycle: Lifecycle::Decommissioned { reason: Decommission::Retired }, ..bare_host() };
    decided(&host, |_| {}, "no answer it is decommissioned");
    host.holds.frozen = Some(crate::model::host::Frozen { by: "ann".into(), why: "arrears".into() });
    decided(&host, |_| {}, "no answer it is decommissioned");
}

#[test]
fn a_frozen_host_is_held_whatever_it_was_doing() {
    for lifecycle in [Lifecycle::Used, Lifecycle::Registering, Lifecycle::Provisioning] {
        let mut host = Host { lifecycle, ..building(|_| {}) };
        host.holds.frozen = Some(crate::model::host::Frozen { by: "ann".into(), why: "arrears".into() });
        decided(&host, |_| {}, "hold Frozen by ann: arrears");
    }
}

#[test]
fn a_frozen_host_that_is_deleted_is_wiped_all_the_same() {
    let mut host = Host { lifecycle: Lifecycle::Cleaning { then: Then::Deleted, from: Box::new(Lifecycle::Used) }, ..bare_host() };
    host.holds.frozen = Some(crate::model::host::Frozen { by: "ann".into(), why: "arrears".into() });
    decided(&host, |_| {}, "live Clean");
}

#[test]
fn an_open_build_installs_until_it_is_built() {
    for stage in Stage::ALL {
        let want = if stage >= Stage::Built { "local exit-1 its build is done" } else { "install" };
        decided(&building(|build| build.stage = stage), |_| {}, want);
    }
}

#[test]
fn every_doubt_about_a_build_ends_without_an_installer() {
    decided(&Host { lifecycle: Lifecycle::Provisioning, ..bare_host() }, |_| {}, "hold It is in provisioning without an open build");
    decided(&building(|build| build.end = Some(BuildEnd::Cancelled)), |_| {}, "hold It is in provisioning without an open build");
    decided(&building(|build| build.loops.halted = true), |_| {}, "hold Its build went in circles");
    decided(&building(|build| build.method = Method::Image), |_| {}, "local exit-1 its system comes as an image");
    decided(&building(|_| {}), |facts| facts.profile = None, "hold Its build needs profile d12, which is missing");
    let bare = effective(&json!({"kernel": null}));
    let host = building(|_| {});
    let facts = Facts { host: Some(&host), doubt: None, profile: Some(&bare), network: None, firmware: UEFI, live_image: Ok(()), now: at(1) };
    assert!(said(&decide(&facts)).starts_with("hold Profile d12 names no kernel"));
    decided(&building(|build| build.profile = "other".parse().unwrap()), |_| {}, "hold Its build is of profile other, not of d12");
    decided(&building(|_| {}), |facts| facts.doubt = Some("Two hosts have that card."), "hold Two hosts have that card. Nothing is installed");
}

#[test]
fn contradicting_identities_stop_a_wipe_and_change_nothing_else() {
    let cleaning = Lifecycle::Cleaning { then: Then::Available, from: Box::new(Lifecycle::Used) };
    decided(&Host { lifecycle: cleaning, ..bare_host() }, |facts| facts.doubt = Some("Whose?"), "hold Whose?");
    decided(&Host { lifecycle: Lifecycle::Used, ..bare_host() }, |facts| facts.doubt = Some("Whose?"), "local");
}

#[test]
fn an_expired_token_serves_no_installer() {
    let expired = |stage| building(|build| (build.token_expires, build.stage) = (at(1000), stage));
    decided(&building(|build| build.token_expires = at(1001)), |_| {}, "install");
    decided(&expired(Stage::BuildEnabled), |_| {}, "local exit-1 The build's token expired");
    decided(&expired(Stage::IpxeScriptSent), |_| {}, "local exit-1 The build's token expired");
    decided(&expired(Stage::KernelInitrdSent), |_| {}, "hold The build's token expired");
    decided(&expired(Stage::PostRunning), |_| {}, "hold The build's token expired");
    decided(&expired(Stage::Built), |_| {}, "local exit-1 its build is done");
}

#[test]
fn a_halted_host_reads_the_evidence_on_its_screen() {
    let mut host = building(|build| build.loops.halted = true);
    host.raise(crate::model::IssueKind::BootLoop, "Template loop, no. 3.".into(), at(0));
    decided(&host, |_| {}, "hold Template loop, no. 3. When it is mended, retry the build.");
}

#[test]
fn a_host_that_is_probably_built_starts_from_its_disk_and_its_installer_goes_on_undisturbed() {
    let mut history = History::building();
    history.play("0 ipxe; 1 script; 2 mark; 9 document ks; 300 os");
    decided(&history.host, |_| {}, "install");
    history.play("900 ipxe");
    decided(&history.host, |_| {}, "local exit-1 Probably built");
}

#[track_caller]
fn unknown(auto_enroll: Option<&str>, live_image: Result<(), &'static str>, want: &str) {
    let network = auto_enroll.map(network);
    let host = bare_host();
    decided(&host, |facts| (facts.host, facts.network, facts.live_image) = (None, None, live_image), "local exit-1 nobody recorded this machine");
    let facts = Facts { host: None, doubt: None, profile: None, network: network.as_ref(), firmware: UEFI, live_image, now: at(0) };
    let got = said(&decide(&facts));
    assert!(got.starts_with(want), "wanted {want:?}, got {got:?}");
}

#[test]
fn a_stranger_is_treated_as_its_network_says() {
    unknown(None, Ok(()), "local exit-1 nobody recorded this machine, and its network");
    unknown(Some("off"), Ok(()), "local exit-1 nobody recorded this machine, and network lab takes in no strangers");
    unknown(Some("ask"), Ok(()), "local exit-1 nobody recorded this machine; on network lab an operator decides");
    unknown(Some("on"), Ok(()), "live Register");
    unknown(Some("on"), Err("there is none"), "local exit-1 nobody recorded this machine; network lab would register it, but there is none");
}

#[track_caller]
fn disk(arch: Arch, profile: Option<DiskBoot>, host: Option<DiskBoot>, want: DiskBoot) {
    let mut effective = effective(&json!({}));
    effective.disk_boot = profile;
    assert_eq!(disk_boot(Some(&Host { disk_boot: host, ..bare_host() }), Some(&effective), arch), want);
}

#[test]
fn the_way_to_the_disk_is_the_host_s_the_profile_s_or_the_firmware_s() {
    disk(Arch::Bios, None, None, DiskBoot::Exit);
    disk(Arch::X64, None, None, DiskBoot::ExitOne);
    disk(Arch::Arm64, None, None, DiskBoot::ExitOne);
    disk(Arch::RaspberryPi, None, None, DiskBoot::Silence);
    disk(Arch::X64, Some(DiskBoot::Sanboot), None, DiskBoot::Sanboot);
    disk(Arch::X64, Some(DiskBoot::Sanboot), Some(DiskBoot::Silence), DiskBoot::Silence);
}

#[track_caller]
fn offered(plan: &Plan, firmware: Firmware, loader: Result<&str, &str>, want: &str) {
    let got = match for_dhcp(plan, &firmware, &Ways { loader, script: "http://10.0.0.1/boot.ipxe" }) {
        DhcpBoot::None { why } => format!("none: {why}"),
        DhcpBoot::Loader { name, over } => format!("{name} over {over:?}"),
        DhcpBoot::Script { url } => url,
    };
    assert_eq!(got, want);
}

#[test]
fn dhcp_breaks_the_chain_loop_in_order() {
    let loader = Ok("snponly.efi");
    let (ipxe, http) = (Firmware { ipxe: true, ..UEFI }, Firmware { transport: Transport::Http, ..UEFI });
    offered(&Plan::Install, Firmware { ipxe_http: true, ..ipxe }, loader, "http://10.0.0.1/boot.ipxe");
    // iPXE on an HTTP-booted machine copies the firmware's class; it still gets its script.
    offered(&Plan::Install, Firmware { ipxe: true, ipxe_http: true, ..http }, loader, "http://10.0.0.1/boot.ipxe");
    offered(&Plan::Install, http, loader, "snponly.efi over Http");
    offered(&Plan::Install, ipxe, loader, "snponly.efi over Tftp");
    offered(&Plan::Install, UEFI, loader, "snponly.efi over Tftp");
    offered(&Plan::Install, UEFI, Err("no loader for x64"), "none: no loader for x64");
}

#[test]
fn dhcp_offers_a_screen_to_everybody_but_the_silenced_and_the_decommissioned() {
    let local = |how| Plan::Local { how, why: "used".into() };
    let loader = Ok("undionly.kpxe");
    offered(&local(DiskBoot::Exit), UEFI, loader, "undionly.kpxe over Tftp");
    offered(&local(DiskBoot::NotFound), UEFI, loader, "undionly.kpxe over Tftp");
    offered(&local(DiskBoot::Silence), UEFI, loader, "none: used; by silence");
    offered(&local(DiskBoot::Silence), Firmware { ipxe: true, ipxe_http: true, ..UEFI }, loader, "none: used; by silence");
    offered(&Plan::NoAnswer { why: "gone".into() }, UEFI, loader, "none: gone");
    offered(&Plan::Wait { secs: 60, why: "w".into() }, UEFI, loader, "undionly.kpxe over Tftp");
    offered(&Plan::Hold { hold: Hold::Fault { text: "t".into() } }, UEFI, loader, "undionly.kpxe over Tftp");
    offered(&Plan::Live { mode: LiveMode::Clean }, UEFI, loader, "undionly.kpxe over Tftp");
}

#[test]
fn no_state_but_an_open_build_ever_installs() {
    let states = [
        Lifecycle::New,
        Lifecycle::Registering,
        Lifecycle::Unavailable,
        Lifecycle::Available,
        Lifecycle::Reserved { user: "a".into(), until: None },
        Lifecycle::Used,
        Lifecycle::UsedRegistering,
        Lifecycle::Cleaning { then: Then::Deleted, from: Box::new(Lifecycle::Used) },
        Lifecycle::Maintenance { return_to: ReturnTo::Available },
        error(ErrorFrom::Provisioning { kind: BuildKind::Rebuild }, Cause::Cancelled("x".into())),
        Lifecycle::Defective { reason: "x".into(), notes: String::new() },
        Lifecycle::Decommissioned { reason: Decommission::Deleted },
    ];
    for lifecycle in states {
        // Even with a build that was left open and clean disks.
        let host = Host { lifecycle, disk_state: DiskState::Clean, ..building(|_| {}) };
        let profile = effective(&json!({}));
        let facts = Facts { host: Some(&host), doubt: None, profile: Some(&profile), network: None, firmware: UEFI, live_image: Ok(()), now: at(1) };
        assert_ne!(decide(&facts), Plan::Install, "{}", host.lifecycle.word());
    }
}
