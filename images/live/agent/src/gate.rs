//! May this run do what the server says? The only place that lets a wipe begin.
//!
//! A wipe needs every one of these, and each that is missing is a sentence of its own: this is the live image; the kernel was told
//! `clean`; the server says `clean`; the plan's hash is the same on the kernel's command line, in the reply and over the plan's text; the
//! plan reads and is of a version that is known here. It touches nothing itself, and asks nobody for permission to go round it.

use std::fmt;

use crate::{
    cmdline::Cmdline,
    contract::{Action, Mode, PLAN_VERSION, Reply, WipePlan, sha256_hex},
};

/// The file that only the live image has.
pub const MARKER: &str = "/etc/bootwright-live";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Collect and report.
    Register,
    /// Erase by this plan.
    Clean {
        /// The plan.
        plan: Box<WipePlan>,
        /// Its hash, checked.
        hash: String,
    },
    /// Nothing; wait for an order.
    Wait,
    /// Boot again.
    Reboot,
    /// Switch off.
    Poweroff,
}

/// Why the work may not begin. Nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The marker is missing.
    NotTheLiveImage,
    /// The kernel was told `register`, the server says `clean`.
    StartedToRegister,
    /// The reverse.
    StartedToClean,
    /// No `bw.plan`.
    NoPlanOnCmdline,
    /// The server sent no plan.
    NoPlanInReply,
    /// The server sent no hash.
    NoHashInReply,
    /// The kernel was told of another plan than the server sent.
    OtherPlan,
    /// The plan's text has another hash than the server says.
    HashIsNotOfText,
    /// The plan does not read.
    Unreadable(String),
    /// The plan is of another version.
    Version(u32),
    /// The plan names no disk.
    Empty,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTheLiveImage => write!(f, "there is no {MARKER}: this is not the live image, and no disk is touched outside it"),
            Self::StartedToRegister => {
                f.write_str("the server says clean, but this machine was started with bw.mode=register; boot it again to clean it")
            }
            Self::StartedToClean => {
                f.write_str("the server says register, but this machine was started with bw.mode=clean; boot it again to register it")
            }
            Self::NoPlanOnCmdline => {
                f.write_str("bw.mode=clean without bw.plan=: the kernel was told of no plan; boot again with the server's own script")
            }
            Self::NoPlanInReply => f.write_str("the server says clean and sent no plan; look at the server's log"),
            Self::NoHashInReply => f.write_str("the server says clean and sent no plan_hash; look at the server's log"),
            Self::OtherPlan => {
                f.write_str("the plan's hash on the kernel's command line is not the one that the server sent; boot again to get the newest plan")
            }
            Self::HashIsNotOfText => {
                f.write_str("the plan's text does not have the hash that the server says: it was changed on its way; look at the network")
            }
            Self::Unreadable(why) => write!(f, "the plan cannot be read by this image ({why}); build the live image of the server's version"),
            Self::Version(version) => {
                write!(f, "the plan is of version {version}, this image knows {PLAN_VERSION}; build the live image of the server's version")
            }
            Self::Empty => f.write_str("the plan names no disk to erase; make a new plan on the server"),
        }
    }
}

/// What the reply to the hello comes to.
///
/// # Errors
/// It may not be done.
pub fn job(in_live_image: bool, cmdline: &Cmdline, reply: &Reply) -> Result<Job, Refusal> {
    match reply.action {
        Action::Register if cmdline.mode == Mode::Clean => Err(Refusal::StartedToClean),
        Action::Register => Ok(Job::Register),
        Action::Clean => clean(in_live_image, cmdline, reply),
        Action::Reboot => Ok(Job::Reboot),
        Action::Poweroff => Ok(Job::Poweroff),
        Action::Wait | Action::Continue | Action::Abort | Action::Unknown => Ok(Job::Wait),
    }
}

fn clean(in_live_image: bool, cmdline: &Cmdline, reply: &Reply) -> Result<Job, Refusal> {
    if !in_live_image {
        return Err(Refusal::NotTheLiveImage);
    }
    if cmdline.mode != Mode::Clean {
        return Err(Refusal::StartedToRegister);
    }
    let told = cmdline.plan.as_ref().ok_or(Refusal::NoPlanOnCmdline)?;
    let text = reply.plan.as_ref().ok_or(Refusal::NoPlanInReply)?;
    let said = reply.plan_hash.as_ref().ok_or(Refusal::NoHashInReply)?;
    if told != said {
        return Err(Refusal::OtherPlan);
    }
    let hash = sha256_hex(text);
    if hash != *said {
        return Err(Refusal::HashIsNotOfText);
    }
    let plan = read(text)?;
    if plan.disks.is_empty() { Err(Refusal::Empty) } else { Ok(Job::Clean { plan: Box::new(plan), hash }) }
}

/// The version before the rest: a plan of another version may well not read as one of ours.
fn read(text: &str) -> Result<WipePlan, Refusal> {
    let unreadable = |error: serde_json::Error| Refusal::Unreadable(error.to_string());
    let any: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
    match any.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version != u64::from(PLAN_VERSION) => return Err(Refusal::Version(u32::try_from(version).unwrap_or(u32::MAX))),
        _ => {}
    }
    serde_json::from_str(text).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmdline;

    struct Case {
        live: bool,
        mode: &'static str,
        told: Option<String>,
        reply: Reply,
    }

    fn golden(name: &str) -> Reply {
        let path = format!("{}/../../../tests/golden/agent/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Everything as it should be.
    fn good() -> Case {
        let reply = golden("reply-clean-1");
        Case { live: true, mode: "clean", told: reply.plan_hash.clone(), reply }
    }

    fn decide(case: &Case) -> Result<Job, Refusal> {
        let plan = case.told.as_ref().map(|told| format!("bw.plan={told}")).unwrap_or_default();
        let line = format!(
            "bw.server=http://10.0.0.1 bw.host=a bw.session=0123456789abcdef bw.token=aaaaaaaaaaaaaaaaaaaaaaaaaa bw.mode={} {plan}",
            case.mode
        );
        job(case.live, &cmdline::parse(&line).unwrap(), &case.reply)
    }

    /// One thing changed comes to exactly this refusal.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Case), refusal: &Refusal, says: &str) {
        let mut case = good();
        change(&mut case);
        assert_eq!(decide(&case), Err(refusal.clone()));
        assert!(refusal.to_string().contains(says), "{refusal}");
    }

    /// Another text, with its own right hash everywhere.
    fn other_text(case: &mut Case, change: impl FnOnce(&str) -> String) {
        let text = change(case.reply.plan.as_ref().unwrap());
        case.told = Some(sha256_hex(&text));
        case.reply.plan_hash.clone_from(&case.told);
        case.reply.plan = Some(text);
    }

    #[test]
    fn a_wipe_runs_when_everything_agrees() {
        let Job::Clean { plan, hash } = decide(&good()).unwrap() else { panic!("no wipe") };
        assert_eq!((plan.disks.len(), Some(hash)), (3, good().told));
        let future = golden("reply-clean-2x");
        assert!(matches!(decide(&Case { told: future.plan_hash.clone(), reply: future, ..good() }), Ok(Job::Clean { .. })));
    }

    #[test]
    fn each_thing_that_is_missing_refuses_the_wipe() {
        check(|case| case.live = false, &Refusal::NotTheLiveImage, "/etc/bootwright-live");
        check(|case| case.mode = "register", &Refusal::StartedToRegister, "bw.mode=register");
        check(|case| case.told = None, &Refusal::NoPlanOnCmdline, "bw.plan=");
        check(|case| case.reply.plan = None, &Refusal::NoPlanInReply, "no plan");
        check(|case| case.reply.plan_hash = None, &Refusal::NoHashInReply, "no plan_hash");
        check(|case| case.told = Some("0".repeat(64)), &Refusal::OtherPlan, "command line");
        check(|case| case.reply.plan_hash = Some("0".repeat(64)), &Refusal::OtherPlan, "command line");
        check(|case| case.reply.plan = Some("{}".to_owned()), &Refusal::HashIsNotOfText, "changed on its way");
        check(
            |case| {
                case.told = Some("0".repeat(64));
                case.reply.plan_hash = Some("0".repeat(64));
            },
            &Refusal::HashIsNotOfText,
            "does not have the hash",
        );
        check(|case| other_text(case, |text| text.replace("\"version\":1", "\"version\":2")), &Refusal::Version(2), "version 2");
        check(|case| other_text(case, |_| "{\"version\":7}".to_owned()), &Refusal::Version(7), "knows 1");
    }

    #[test]
    fn a_plan_that_does_not_read_refuses_the_wipe() {
        for (from, to) in [("\"overwrite\"", "\"degauss\""), ("\"disks\"", "\"discs\""), ("{\"version\"", "{{"), ("\"version\":1,", "")] {
            let mut case = good();
            other_text(&mut case, |text| text.replace(from, to));
            let refusal = decide(&case).unwrap_err();
            assert!(matches!(refusal, Refusal::Unreadable(_)) && refusal.to_string().contains("cannot be read"), "{from}: {refusal}");
        }
    }

    #[test]
    fn a_plan_without_disks_is_no_wipe() {
        let empty = |text: &str| {
            let mut plan: WipePlan = serde_json::from_str(text).unwrap();
            plan.disks.clear();
            serde_json::to_string(&plan).unwrap()
        };
        check(|case| other_text(case, empty), &Refusal::Empty, "no disk");
    }

    #[test]
    fn only_the_word_clean_can_begin_a_wipe() {
        for (word, job) in [
            (Action::Wait, Job::Wait),
            (Action::Continue, Job::Wait),
            (Action::Abort, Job::Wait),
            (Action::Unknown, Job::Wait),
            (Action::Reboot, Job::Reboot),
            (Action::Poweroff, Job::Poweroff),
        ] {
            let mut case = good();
            case.reply.action = word;
            assert_eq!(decide(&case), Ok(job), "{word:?}");
        }
        check(|case| case.reply.action = Action::Register, &Refusal::StartedToClean, "bw.mode=clean");
        let register = Case { mode: "register", told: None, reply: golden("reply-register-1"), ..good() };
        assert_eq!(decide(&register), Ok(Job::Register));
    }
}
