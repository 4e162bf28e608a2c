//! The boot decision: what a host is to do now, one answer for DHCP, TFTP and HTTP (lifecycle.md section 4).
//!
//! Every doubt — an unknown machine, contradicting identities, an expired token, a missing profile, a boot loop — ends in a wait, a
//! hold, local boot or silence, never in an installer or a wipe. `decide` looks at the host's record alone; which loader a
//! firmware gets is `rules::loaders`, how DHCP says it is `rules::offer`.

use crate::model::{
    Arch, AutoEnroll, Build, BuildEnd, Cause, DiskBoot, Firmware, Hold, Host, Lifecycle, LiveMode, Method, Network, Plan, Stage, Timestamp,
    Transport, lifecycle::ErrorFrom,
};

use super::{inherit::Effective, loops};

/// Seconds until a waiting or held host asks again (lifecycle.md section 4).
pub const RETRY_SECS: u32 = 60;

/// Everything the decision looks at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The host that asks; `None` if nobody recorded it.
    pub host: Option<&'a Host>,
    /// Why the identities it shows contradict each other, if they do (`rules::identity`).
    pub doubt: Option<&'a str>,
    /// The profile of its open build, or else its own.
    pub profile: Option<&'a Effective>,
    /// The network it asks from.
    pub network: Option<&'a Network>,
    /// What boots.
    pub firmware: Firmware,
    /// That there is a live image, or why there is none.
    pub live_image: Result<(), &'a str>,
    /// The time.
    pub now: Timestamp,
}

/// What DHCP may offer for a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DhcpBoot {
    /// No boot options at all: the firmware falls through at once.
    None {
        /// Why, for the journal.
        why: String,
    },
    /// A loader.
    Loader {
        /// Its name.
        name: String,
        /// How this firmware fetches it.
        over: Transport,
    },
    /// The script, for an iPXE that speaks HTTP.
    Script {
        /// Its URL.
        url: String,
    },
}

/// What is there to offer.
#[derive(Debug, Clone, Copy)]
pub struct Ways<'a> {
    /// The loader for this firmware and host, or why there is none.
    pub loader: Result<&'a str, &'a str>,
    /// The script's URL, with the session's nonce.
    pub script: &'a str,
}

/// What the host is to do now.
pub fn decide(facts: &Facts<'_>) -> Plan {
    let plan = match facts.host {
        None => stranger(facts),
        Some(host) => recorded(host, facts),
    };
    match (plan, facts.doubt) {
        (Plan::Install | Plan::Live { .. }, Some(doubt)) => {
            fault(format!("{doubt} Nothing is installed, registered or wiped until an operator has said which host this is."))
        }
        (plan, _) => plan,
    }
}

/// What DHCP may offer to this firmware for this plan, in the order that breaks the chain loop (netboot.md): an iPXE with HTTP
/// gets its script, everybody else a loader, a host that must not netboot nothing.
pub fn for_dhcp(plan: &Plan, firmware: &Firmware, ways: &Ways<'_>) -> DhcpBoot {
    match plan {
        Plan::NoAnswer { why } => return DhcpBoot::None { why: why.clone() },
        Plan::Local { how: DiskBoot::Silence, why } => return DhcpBoot::None { why: format!("{why}; by silence") },
        Plan::Local { .. } | Plan::Install | Plan::Live { .. } | Plan::Hold { .. } | Plan::Wait { .. } => {}
    }
    if firmware.ipxe && firmware.ipxe_http {
        return DhcpBoot::Script { url: ways.script.to_owned() };
    }
    // An iPXE without HTTP cannot fetch its replacement by HTTP either, whatever its vendor class copies from the firmware.
    let over = if firmware.ipxe { Transport::Tftp } else { firmware.transport };
    match ways.loader {
        Ok(name) => DhcpBoot::Loader { name: name.to_owned(), over },
        Err(why) => DhcpBoot::None { why: why.to_owned() },
    }
}

/// How a host starts from its disk: its own choice, its profile's, or what suits its firmware (netboot.md "Booting the disk"):
/// `exit` with status 0 tells UEFI that the boot succeeded, and many then stop at a menu.
pub fn disk_boot(host: Option<&Host>, profile: Option<&Effective>, arch: Arch) -> DiskBoot {
    host.and_then(|host| host.disk_boot).or_else(|| profile.and_then(|profile| profile.disk_boot)).unwrap_or(match arch {
        Arch::Bios | Arch::Unknown => DiskBoot::Exit,
        Arch::Ia32 | Arch::X64 | Arch::Arm32 | Arch::Arm64 | Arch::Riscv | Arch::Loongarch => DiskBoot::ExitOne,
        // It has no way back from a file tree: offered nothing, it goes on in its BOOT_ORDER.
        Arch::RaspberryPi => DiskBoot::Silence,
    })
}

fn stranger(facts: &Facts<'_>) -> Plan {
    match facts.network.map(|network| (network.auto_enroll, &network.name)) {
        Some((AutoEnroll::On, name)) => match has_live(facts) {
            Ok(()) => Plan::Live { mode: LiveMode::Register },
            Err(why) => local(facts, format!("nobody recorded this machine; network {name} would register it, but {why}")),
        },
        Some((AutoEnroll::Ask, name)) => local(facts, format!("nobody recorded this machine; on network {name} an operator decides about it")),
        Some((AutoEnroll::Off, name)) => local(facts, format!("nobody recorded this machine, and network {name} takes in no strangers")),
        None => local(facts, "nobody recorded this machine, and its network is not known here either".to_owned()),
    }
}

fn recorded(host: &Host, facts: &Facts<'_>) -> Plan {
    // Before the freeze: a host that left service gets no boot options whatever else holds it (invariant 8).
    if let Lifecycle::Decommissioned { .. } = host.lifecycle {
        return Plan::NoAnswer { why: "it is decommissioned".to_owned() };
    }
    // A frozen host is cleaned only because somebody deleted it (P5); the freeze must not keep its disks from being wiped.
    let frozen = host.holds.frozen.as_ref().filter(|_| !matches!(host.lifecycle, Lifecycle::Cleaning { .. }));
    if let Some(frozen) = frozen {
        return Plan::Hold { hold: Hold::Frozen { text: format!("Frozen by {}: {}", frozen.by, frozen.why) } };
    }
    match &host.lifecycle {
        Lifecycle::New => local(facts, "it is new and nobody has decided about it".to_owned()),
        Lifecycle::Unavailable => local(facts, "it is registered and not offered".to_owned()),
        Lifecycle::Available => local(facts, "it is available and no build is enabled".to_owned()),
        Lifecycle::Reserved { user, .. } => local(facts, format!("it is reserved for {user} and no build is enabled")),
        Lifecycle::Registering | Lifecycle::UsedRegistering => live(facts, LiveMode::Register),
        Lifecycle::Cleaning { .. } => live(facts, LiveMode::Clean),
        Lifecycle::Provisioning => provisioning(host, facts),
        Lifecycle::Used => local(facts, in_use(host, facts.now)),
        Lifecycle::Maintenance { .. } => local(facts, "it is in maintenance".to_owned()),
        Lifecycle::Error { from, cause } => wrong(host, from, cause, facts),
        Lifecycle::Defective { reason, .. } => local(facts, format!("it is marked defective ({reason})")),
        Lifecycle::Decommissioned { .. } => Plan::NoAnswer { why: "it is decommissioned".to_owned() },
    }
}

/// A disk that never comes up is said on the machine's own console too: whoever stands before it reads nothing else.
fn in_use(host: &Host, now: Timestamp) -> String {
    loops::local_boot(host, now).map_or_else(|| "it is in use and no build is enabled".to_owned(), |found| found.text)
}

fn local(facts: &Facts<'_>, why: String) -> Plan {
    Plan::Local { how: disk_boot(facts.host, facts.profile, facts.firmware.arch), why }
}

fn fault(text: String) -> Plan {
    Plan::Hold { hold: Hold::Fault { text } }
}

/// Without a live image both wait: a host that is to be wiped is never let at its disk (invariant 9).
fn live(facts: &Facts<'_>, mode: LiveMode) -> Plan {
    let why = match has_live(facts) {
        Ok(()) => return Plan::Live { mode },
        Err(why) => why,
    };
    let what = match mode {
        LiveMode::Register => "registered",
        LiveMode::Clean => "wiped",
    };
    Plan::Wait { secs: RETRY_SECS, why: format!("it is to be {what}, but {why}") }
}

/// Whether this machine can start the live image. Its kernel is for x86-64 alone; a firmware that did not say is taken for one.
fn has_live(facts: &Facts<'_>) -> Result<(), String> {
    match facts.firmware.arch {
        Arch::Bios | Arch::X64 | Arch::Unknown => facts.live_image.map_err(ToOwned::to_owned),
        other @ (Arch::Ia32 | Arch::Arm32 | Arch::Arm64 | Arch::RaspberryPi | Arch::Riscv | Arch::Loongarch) => {
            Err(format!("the live image is for x86-64, and this firmware is {other:?}").to_lowercase())
        }
    }
}

fn provisioning(host: &Host, facts: &Facts<'_>) -> Plan {
    let Some(build) = host.open_build() else {
        return fault("It is in provisioning without an open build; cancel and enable the build again.".to_owned());
    };
    if build.stage >= Stage::Built {
        return local(facts, "its build is done".to_owned());
    }
    if build.method == Method::Image {
        return local(facts, "its system comes as an image, not by the network".to_owned());
    }
    if build.loops.halted {
        return Plan::Hold { hold: Hold::BootLoop { text: halted(host, build) } };
    }
    if let Some(text) = waits_elsewhere(host, facts) {
        return local(facts, text);
    }
    if build.token_expires <= facts.now {
        return expired(build, facts);
    }
    install(build, facts)
}

/// Probably built, as far as an earlier power-on shows; within one power-on the installer is served on.
fn waits_elsewhere(host: &Host, facts: &Facts<'_>) -> Option<String> {
    let newest = host.session()?;
    if newest.system_seen.is_some() { None } else { loops::probably_built(host, facts.now) }
}

fn halted(host: &Host, build: &Build) -> String {
    let issue = host.issues.iter().find(|issue| issue.kind == crate::model::IssueKind::BootLoop);
    let evidence = issue.map_or_else(|| format!("Its build went in circles {} times.", build.loops.count), |issue| issue.text.clone());
    format!("{evidence} When it is mended, retry the build.")
}

/// After the token's time no installer is served. A disk that nothing was written to is started; one that may be half written is not.
fn expired(build: &Build, facts: &Facts<'_>) -> Plan {
    let text =
        format!("The build's token expired at {:.0}, at stage {}; cancel the build or enable it again.", build.token_expires, build.stage.word());
    if build.stage < Stage::KernelInitrdSent { local(facts, text) } else { fault(text) }
}

fn install(build: &Build, facts: &Facts<'_>) -> Plan {
    let Some(profile) = facts.profile else {
        return fault(format!("Its build needs profile {}, which is missing or does not resolve; mend the profile.", build.profile));
    };
    if profile.name != build.profile {
        return fault(format!("Its build is of profile {}, not of {}.", build.profile, profile.name));
    }
    if profile.kernel.is_none() {
        return fault(format!("Profile {} names no kernel; add one, then let the host ask again.", profile.name));
    }
    Plan::Install
}

fn wrong(host: &Host, from: &ErrorFrom, cause: &Cause, facts: &Facts<'_>) -> Plan {
    let text = sentence(cause);
    match (from, cause) {
        (ErrorFrom::Cleaning, _) => {
            Plan::Hold { hold: Hold::CleaningFailed { text: format!("Its wipe did not end well: {text} It is not started from its disk.") } }
        }
        (ErrorFrom::Provisioning { .. }, Cause::BootLoop(_)) => {
            Plan::Hold { hold: Hold::BootLoop { text: format!("{text} When it is mended, retry the build.") } }
        }
        (ErrorFrom::Provisioning { .. }, _) if built_after_all(host) => local(facts, "its build reported built".to_owned()),
        (ErrorFrom::Provisioning { .. }, _) => {
            Plan::Hold { hold: Hold::BuildFailed { text: format!("Its build failed: {text} Retry the build, or release the host.") } }
        }
        (ErrorFrom::Registering | ErrorFrom::Available | ErrorFrom::Reserved | ErrorFrom::Used | ErrorFrom::Maintenance, _) => {
            local(facts, format!("it is in error: {text}"))
        }
    }
}

fn built_after_all(host: &Host) -> bool {
    host.build.as_ref().is_some_and(|build| build.end == Some(BuildEnd::Built))
}

fn sentence(cause: &Cause) -> String {
    let (Cause::Reported(text) | Cause::Deadline(text) | Cause::BootLoop(text) | Cause::Fault(text) | Cause::Wipe(text) | Cause::Cancelled(text)) =
        cause;
    let text = text.trim();
    if text.is_empty() { "no reason was given.".to_owned() } else { format!("{}.", text.trim_end_matches('.')) }
}

#[cfg(test)]
mod tests;
