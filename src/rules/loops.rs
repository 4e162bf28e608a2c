//! Boot loops: whether a power-on repeats what an earlier one of the same build had already used (lifecycle.md section 6).
//!
//! ```text
//! a session opens ─── the one before never came to a script ──▶ firmware or loader loop
//! a template is asked for ─── an earlier session used it ─────▶ loader or template loop
//! sent to disk ─── more than 5 times in 10 minutes ───────────▶ local-boot loop
//! ```
//! Each session is judged once. The tally, the issue and a halt are written by `rules::lifecycle` (`LoopSeen`); here is only the
//! verdict. Looking at a host (`probably_built`, `local_boot`) changes nothing.

use jiff::SignedDuration;

use super::lifecycle::Event;
use crate::model::{Build, BuildEnd, Host, IssueKind, Lifecycle, LoopClass, LoopPolicy, Method, Reached, Session, SessionId, Stage, Timestamp, Used};

/// Power cycles this soon after the build's first sign are an operator's doing, while no template was used.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// How long an installed system must have run to be believed.
pub const RUNNING: SignedDuration = SignedDuration::from_mins(3);

/// The window of the local-boot rule.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// Boots from disk within [`WINDOW`] that are still no loop.
pub const BOOTS: usize = 5;

/// How soon a firmware comes to its next boot entry.
const NEXT_ENTRY: SignedDuration = SignedDuration::from_secs(30);

/// The iPXE script's name among a build's used templates.
pub const SCRIPT: &str = "boot.ipxe";

/// What to look at, for each class.
pub const fn advice(class: LoopClass) -> &'static str {
    match class {
        LoopClass::Firmware => {
            "Look at the path between them: TFTP (UDP 69) or HTTP blocked by a firewall, a second DHCP server that answers first, \
             or a loader that this firmware does not take (wrong architecture, Secure Boot)."
        }
        LoopClass::Loader => {
            "Look whether kernel and initrd exist and fit this machine: a missing artifact, HTTP blocked after TFTP worked, too \
             little memory, a driver that the initrd lacks, or kernel arguments that name no answer file."
        }
        LoopClass::Template => {
            "Look at the installer's console and the build's log: a syntax error in the answer file, a post script that fails, a \
             callback that cannot reach this server, or an installer that reboots on errors."
        }
        LoopClass::LocalBoot => {
            "Look at the disk and the boot order: the disk does not boot (no boot loader, wrong disk, BIOS or UEFI mismatch), or \
             the network comes before it. Another way to start the disk can be set (disk_boot)."
        }
    }
}

/// A loop that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loop {
    /// Which.
    pub class: LoopClass,
    /// How often by now, from 1.
    pub attempt: u32,
    /// The build's stage so far, where a build is open.
    pub stage: Option<Stage>,
    /// Whether the policy stops the build here.
    pub halted: bool,
    /// Evidence and advice for people.
    pub text: String,
}

impl Loop {
    /// What the lifecycle is told; it keeps the tally, raises the issue and, if `halted`, ends the build.
    pub fn event(&self, session: SessionId) -> Event {
        Event::LoopSeen { class: self.class, halt: self.halted, text: self.text.clone(), session }
    }
}

/// What asking again means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is repeated: serve.
    Fresh,
    /// The same session asks again: the same bytes, no more.
    Retry,
    /// A new session, and somebody said that it would come.
    Excused(&'static str),
    /// In circles.
    Loop(Loop),
    /// The installed system was seen running: the callback was lost, not the installation.
    ProbablyBuilt(String),
}

/// A verdict, and the host with one expected boot less if that excused it. A loop is not yet in the host: see [`Loop::event`].
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The next host.
    pub host: Host,
    /// The verdict.
    pub verdict: Verdict,
}

impl Judged {
    fn unchanged(host: &Host, verdict: Verdict) -> Self {
        Self { host: host.clone(), verdict }
    }

    /// The loop, if it is one.
    pub fn found(&self) -> Option<&Loop> {
        match &self.verdict {
            Verdict::Loop(found) => Some(found),
            _ => None,
        }
    }
}

/// Judges whatever `session::observe` saw: `document` is the template that the request is for ([`SCRIPT`] for the script), if it is
/// for one. The one call that a story needs; a loop goes to the lifecycle before the boot decision is asked.
pub fn on_sign(host: &Host, session: SessionId, opened: bool, document: Option<&str>, policy: LoopPolicy, now: Timestamp) -> Judged {
    if opened {
        let judged = on_opening(host, session, policy, now);
        if judged.verdict != Verdict::Fresh {
            return judged;
        }
    }
    match document {
        Some(document) => on_template(host, session, document, policy, now),
        None => Judged::unchanged(host, Verdict::Fresh),
    }
}

/// Judges a session that has just opened: ask this when `session::observe` says `opened`. Only a predecessor that never came to
/// a script counts here; everything later waits until the script is asked for.
pub fn on_opening(host: &Host, session: SessionId, policy: LoopPolicy, now: Timestamp) -> Judged {
    let Some(build) = judged_build(host) else { return Judged::unchanged(host, Verdict::Fresh) };
    match previous(host, build, session) {
        Some(before) if before.reached <= Reached::Loader => judge(host, build, session, policy, now),
        _ => Judged::unchanged(host, Verdict::Fresh),
    }
}

/// Judges a request for a template of the open build, before the boot decision; `document` is a name in the URL or [`SCRIPT`].
/// What is then sent is recorded by [`used`].
pub fn on_template(host: &Host, session: SessionId, document: &str, policy: LoopPolicy, now: Timestamp) -> Judged {
    let Some(build) = judged_build(host) else { return Judged::unchanged(host, Verdict::Fresh) };
    match build.used.get(document) {
        Some(one) if one.session == session => return Judged::unchanged(host, Verdict::Retry),
        None => return Judged::unchanged(host, Verdict::Fresh),
        Some(one) if !is_newer(host, session, one.session) => return Judged::unchanged(host, Verdict::Retry),
        Some(_) if was_judged(build, session) => return Judged::unchanged(host, Verdict::Fresh),
        Some(_) => {}
    }
    judge(host, build, session, policy, now)
}

/// Records that the complete body of a template was sent to a machine: not for HEAD, previews or operators.
pub fn used(host: &Host, session: SessionId, document: &str, now: Timestamp) -> Host {
    let mut next = host.clone();
    if let Some(build) = next.build.as_mut().filter(|build| build.is_open()) {
        let entry = build.used.entry(document.to_owned()).or_insert(Used { session, count: 0, first: now, last: now });
        let late = is_newer(host, entry.session, session);
        entry.session = if late { entry.session } else { session };
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
    }
    next
}

/// What `rearm` means for sessions and uses: none of them counts for the build any more. For the next host of the lifecycle's
/// `RearmBuild`, which resets the tally; doing it twice does no harm.
pub fn rearm(host: &Host) -> Host {
    let mut next = host.clone();
    if let Some(build) = next.build.as_mut().filter(|build| build.is_open()) {
        build.used.clear();
        build.loops = Default::default();
        let id = build.id;
        next.sessions.iter_mut().filter(|one| one.build == Some(id)).for_each(|one| one.build = None);
        next.sessions.iter_mut().for_each(|one| one.system_seen = None);
        next.settle(IssueKind::BootLoop);
    }
    next
}

/// Whether the open build most likely finished though nobody said so: its installed system asked by DHCP and ran for some minutes.
/// `now` counts only while that power-on is the newest.
pub fn probably_built(host: &Host, now: Timestamp) -> Option<String> {
    let build = judged_build(host).filter(|build| build.expected_boots <= 1)?;
    let index = host.sessions.iter().rposition(|one| one.system_seen.is_some() && belongs(build, one))?;
    let seen = host.sessions[index].system_seen?;
    let until = host.sessions.get(index + 1).map_or(now, |next| next.opened_at);
    (until.duration_since(seen) >= RUNNING).then(|| {
        format!(
            "Probably built: after stage {} the installed system asked for an address at {seen:.0} and ran on, but no callback said \
             that it is done. If it is, report the build as built; if not, rearm it or enable it again.",
            build.stage.word()
        )
    })
}

/// The local-boot loop, asked whenever a session is sent to its disk for the first time.
pub fn local_boot(host: &Host, now: Timestamp) -> Option<Loop> {
    let built = host.build.as_ref().is_some_and(|build| build.end == Some(BuildEnd::Built) || build.stage >= Stage::Built);
    if !built && !matches!(host.lifecycle, Lifecycle::Used) {
        return None;
    }
    let recent = |one: &Session| one.reached == Reached::Disk && now.duration_since(one.opened_at) <= WINDOW;
    let boots = (0..host.sessions.len()).filter(|&index| recent(&host.sessions[index]) && !is_next_entry(&host.sessions, index)).count();
    (boots > BOOTS).then(|| Loop {
        class: LoopClass::LocalBoot,
        attempt: u32::try_from(boots - BOOTS).unwrap_or(u32::MAX),
        stage: None,
        halted: false,
        text: format!(
            "Local-boot loop: sent to its disk {boots} times within {} minutes and back on the network each time. {}",
            WINDOW.as_mins(),
            advice(LoopClass::LocalBoot)
        ),
    })
}

/// Whether a session is the firmware going on to its next boot entry after `exit 1`: OVMF tries HTTP after PXE before it comes to the
/// disk, so one way to the disk looks like two power-ons.
fn is_next_entry(sessions: &[Session], index: usize) -> bool {
    let Some(before) = index.checked_sub(1).map(|before| &sessions[before]) else { return false };
    let other_way = matches!((before.transport, sessions[index].transport), (Some(one), Some(other)) if one != other);
    other_way && before.reached == Reached::Disk && sessions[index].opened_at.duration_since(before.last_seen) <= NEXT_ENTRY
}

/// The build that a repetition counts against. A strict build that is built but not yet seen at its disk comes back as it should,
/// and a frozen host is held, not served.
fn judged_build(host: &Host) -> Option<&Build> {
    let installs = |build: &&Build| build.method == Method::Pxe && !build.loops.halted && build.stage < Stage::Built;
    host.open_build().filter(installs).filter(|_| host.holds.frozen.is_none())
}

fn belongs(build: &Build, session: &Session) -> bool {
    session.build == Some(build.id) || build.used.values().any(|one| one.session == session.id)
}

fn was_judged(build: &Build, session: SessionId) -> bool {
    build.loops.session == Some(session) || build.used.values().any(|one| one.session == session)
}

/// The newest earlier session of this build.
fn previous<'a>(host: &'a Host, build: &Build, session: SessionId) -> Option<&'a Session> {
    let end = host.sessions.iter().position(|one| one.id == session).unwrap_or(host.sessions.len());
    host.sessions[..end].iter().rfind(|one| belongs(build, one))
}

/// Whether `session` opened after `earlier`; one that is forgotten is the older one.
fn is_newer(host: &Host, session: SessionId, earlier: SessionId) -> bool {
    let place = |id| host.sessions.iter().position(|one| one.id == id);
    session != earlier && place(session) > place(earlier)
}

fn judge(host: &Host, build: &Build, session: SessionId, policy: LoopPolicy, now: Timestamp) -> Judged {
    if was_judged(build, session) {
        return Judged::unchanged(host, Verdict::Fresh);
    }
    if build.expected_boots > 1 {
        return expected(host, session);
    }
    if build.used.is_empty() && first_sign(host, build).is_some_and(|first| now.duration_since(first) < GRACE) {
        return Judged::unchanged(host, Verdict::Excused("it was power-cycled within a minute, before any template was used"));
    }
    if let Some(text) = probably_built(host, now) {
        return Judged::unchanged(host, Verdict::ProbablyBuilt(text));
    }
    count(host, build, session, policy)
}

/// One announced boot is used up.
fn expected(host: &Host, session: SessionId) -> Judged {
    let mut next = host.clone();
    next.sessions.iter_mut().for_each(|one| one.system_seen = None);
    if let Some(build) = next.build.as_mut() {
        build.expected_boots -= 1;
        build.loops.session = Some(session);
    }
    Judged { host: next, verdict: Verdict::Excused("the profile or a callback announced this boot") }
}

/// When the build was first heard of on the wire.
fn first_sign(host: &Host, build: &Build) -> Option<Timestamp> {
    let stage = build.stages.iter().filter(|one| one.stage >= Stage::Dhcp).map(|one| one.at).min();
    let session = host.sessions.iter().filter(|one| one.build == Some(build.id)).map(|one| one.opened_at).min();
    stage.into_iter().chain(session).min()
}

fn count(host: &Host, build: &Build, session: SessionId, policy: LoopPolicy) -> Judged {
    let attempt = build.loops.count.saturating_add(1);
    let halted = match policy {
        LoopPolicy::Warn => false,
        LoopPolicy::Halt => true,
        LoopPolicy::HaltAfter(limit) => attempt >= limit,
    };
    let before = previous(host, build, session);
    let class = before.map_or_else(|| class_of_stage(build.stage), |before| class_of(before.reached));
    let text = format!("{} {}", evidence(class, before, build, attempt), advice(class));
    Judged::unchanged(host, Verdict::Loop(Loop { class, attempt, stage: Some(build.stage), halted, text }))
}

const fn class_of(reached: Reached) -> LoopClass {
    match reached {
        Reached::Dhcp => LoopClass::Firmware,
        Reached::Loader | Reached::Script | Reached::Kernel => LoopClass::Loader,
        Reached::Document | Reached::Disk => LoopClass::Template,
    }
}

fn class_of_stage(stage: Stage) -> LoopClass {
    match stage {
        Stage::BuildEnabled | Stage::VmRequested | Stage::VmCreated | Stage::SshStarted | Stage::Dhcp => LoopClass::Firmware,
        Stage::BootloaderSent | Stage::IpxeScriptSent | Stage::KernelInitrdSent => LoopClass::Loader,
        Stage::ProvisionTemplateSent
        | Stage::PreRunning
        | Stage::Installing
        | Stage::PostRunning
        | Stage::FinishSent
        | Stage::Built
        | Stage::LocalBoot => LoopClass::Template,
    }
}

fn evidence(class: LoopClass, before: Option<&Session>, build: &Build, attempt: u32) -> String {
    let what = match (class, before.map(|one| one.reached)) {
        (LoopClass::Firmware, _) => "its firmware asked by DHCP, but never fetched its loader".to_owned(),
        (LoopClass::Loader, Some(Reached::Loader)) => "its loader arrived, but never asked for its script".to_owned(),
        (LoopClass::Loader, Some(Reached::Kernel)) => "kernel and initrd arrived, but the installer never asked for its answer file".to_owned(),
        (LoopClass::Loader, _) => match before.map_or(&[][..], |one| &one.arrived) {
            [] => "it had its script, but neither kernel nor initrd arrived whole".to_owned(),
            some => format!("it had its script, but of kernel and initrd only {} arrived whole", some.join(", ")),
        },
        (LoopClass::Template | LoopClass::LocalBoot, _) => {
            let names: Vec<&str> = build.used.keys().map(String::as_str).filter(|name| *name != SCRIPT).collect();
            format!(
                "it had used {}, came to stage {} and never reported built",
                if names.is_empty() { "its script".to_owned() } else { names.join(", ") },
                build.stage.word()
            )
        }
    };
    let when = before.map_or_else(String::new, |one| format!(" (power-on of {:.0})", one.opened_at));
    let title = match class {
        LoopClass::Firmware => "Firmware loop",
        LoopClass::Loader => "Loader loop",
        LoopClass::Template => "Template loop",
        LoopClass::LocalBoot => "Local-boot loop",
    };
    format!("{title}, no. {attempt}: it was switched on again after {what}{when}.")
}

#[cfg(test)]
mod tests;
