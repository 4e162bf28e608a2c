//! The verbs of the lifecycle as commands: `host adopt n1 --confirm n1`.
//!
//! One macro makes each verb a command with its own help; a test compares the words with those of the story.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::{Shown, path, wipe};
use crate::cli::{Client, Console, Done, Fault};

/// What comes with a verb; the daemon says which it needs.
#[derive(Debug, Clone, clap::Args)]
pub struct Words {
    /// Name, id or MAC address
    host: String,
    /// The host's name, typed again; destructive verbs want it
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Anything else worth knowing
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
    /// For whom
    #[arg(long = "for", value_name = "USER")]
    user: Option<String>,
    /// Until when, RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// What it becomes: available, unavailable, decommissioned
    #[arg(long, value_name = "STATE")]
    then: Option<String>,
    /// How thoroughly the disks are wiped: metadata, clear, purge
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// Wipe this foreign disk too, by its id; may be repeated
    #[arg(long, value_name = "ID")]
    include: Vec<String>,
    /// The hash of the plan that you looked at, or its first 12 digits; without it the plan is shown and nothing is done
    #[arg(long, value_name = "HASH")]
    plan: Option<String>,
    /// Without draining, or although the disks are not clean
    #[arg(long)]
    force: bool,
    /// Parts were touched
    #[arg(long)]
    touched: bool,
    /// Give up a wipe that runs
    #[arg(long)]
    abandon: bool,
    /// What the power is: on, off, unknown
    #[arg(long, value_name = "STATE")]
    power: Option<String>,
    /// Which stage was reached
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    /// Only if the host is still at this version
    #[arg(long, value_name = "VERSION")]
    if_match: Option<u64>,
}

macro_rules! verbs {
    ($($name:ident $word:literal $about:literal $example:literal)*) => {
        /// Every verb that an operator has.
        #[derive(Debug, Clone, Subcommand)]
        pub enum Verb {
            $(#[doc = $about] #[command(after_help = concat!("Example: bootwright host ", $example))] $name(Words),)*
        }

        impl Verb {
            /// The API's word.
            fn parts(&self) -> (&'static str, &Words) {
                match self {
                    $(Self::$name(words) => ($word, words),)*
                }
            }
        }

        const WORDS: &[&str] = &[$($word),*];
    };
}

verbs! {
    Register "register" "Collect facts with the live image; touches no disk" "register n1"
    CancelRegister "cancel_register" "Give up a registration" "cancel-register n1"
    Available "available" "Offer the host" "available n1"
    Unavailable "unavailable" "Keep the host back" "unavailable n1"
    Reserve "reserve" "Keep the host for one user" "reserve n1 --for alice --until 2030-01-01T00:00:00Z"
    Unreserve "unreserve" "End a reservation" "unreserve n1"
    Adopt "adopt" "Take a host over as it is, its system untouched: it is in use" "adopt n1 --confirm n1"
    Waive "waive" "Say that the disks need no wipe (admin)" "waive n1 --reason 'new disks' --confirm n1"
    Release "release" "End the use of a host and wipe it; shows the plan first" "release n1 --then available   (then again with --confirm and --plan, as it says)"
    Clean "clean" "Wipe a host that nobody uses; shows the plan first" "clean n1 --then available   (then again with --confirm and --plan, as it says)"
    RetryClean "retry_clean" "Wipe again after a wipe that failed; shows the plan first" "retry-clean n1   (then again with --confirm and --plan, as it says)"
    Delete "delete" "Wipe a host and take it out of service; shows the plan first" "delete n1   (then again with --confirm and --plan, as it says)"
    CancelClean "cancel_clean" "Give up a wipe that has not begun" "cancel-clean n1"
    Reregister "reregister" "Collect the facts of a used host again; touches no disk" "reregister n1"
    Maintenance "maintenance" "Hands off: parts or firmware are worked on" "maintenance n1 --confirm n1"
    EndMaintenance "end_maintenance" "End maintenance" "end-maintenance n1 --touched"
    Defective "defective" "Say that the hardware is bad" "defective n1 --reason 'DIMM B2'"
    Repaired "repaired" "Say that the hardware is good again" "repaired n1"
    Resolve "resolve" "Say that an error is settled" "resolve n1"
    Decommission "decommission" "Take a host out of service" "decommission n1 --reason retired"
    RemoveFromRack "remove_from_rack" "Take a host out of service: it left its rack" "remove-from-rack n1"
    Lock "lock" "X.731: out of service by decision" "lock n1"
    Unlock "unlock" "X.731: in service by decision" "unlock n1"
    Freeze "freeze" "Keep a host off (admin)" "freeze n1 --reason arrears"
    Unfreeze "unfreeze" "End a freeze (admin)" "unfreeze n1"
    Protect "protect" "Refuse destructive verbs" "protect n1"
    Unprotect "unprotect" "Allow destructive verbs again" "unprotect n1"
    Start "start" "Ask for a used host's power to be switched on" "start n1"
    Stop "stop" "Ask for a used host's power to be switched off" "stop n1"
    Restart "restart" "Ask for a host to be restarted" "restart n1"
    ForceRestart "force_restart" "The same, also in the middle of work" "force-restart n1"
    TaskDone "task_done" "Say that the power task is done" "task-done n1"
    Power "power" "Say what the power is" "power n1 --power off"
    Fault "fault" "Say that something is broken: the host is in error" "fault n1 --reason 'PSU 2'"
    ReportStage "report_stage" "Say which stage an image's build has reached" "report-stage n1 --stage vm_created"
    ReportBuilt "report_built" "Say that the newest build is built" "report-built n1"
    ReportFailed "report_failed" "Say that the newest build failed" "report-failed n1 --reason 'no space'"
}

/// The flags of [`Words`] that each verb has a use for. The others are taken, since the daemon is who refuses them, but its help is silent about them.
fn flags(verb: &str) -> &'static [&'static str] {
    match verb {
        "reserve" => &["user", "until"],
        "adopt" | "maintenance" => &["confirm"],
        "waive" => &["reason", "confirm"],
        "release" | "clean" => &["then", "policy", "include", "confirm", "plan"],
        "retry-clean" | "delete" => &["policy", "include", "confirm", "plan"],
        "end-maintenance" => &["touched"],
        "defective" => &["reason", "notes", "abandon"],
        "decommission" | "remove-from-rack" => &["reason", "force"],
        "lock" => &["force", "confirm"],
        "freeze" | "fault" | "report-built" | "report-failed" => &["reason"],
        "power" => &["power"],
        "report-stage" => &["stage"],
        _ => &[],
    }
}

/// Leaves the other verbs' flags out of a verb's help; other commands stay as they are.
pub fn of_its_own(command: clap::Command) -> clap::Command {
    if !WORDS.contains(&command.get_name().replace('-', "_").as_str()) {
        return command;
    }
    const FOR_SOME: [&str; 13] =
        ["confirm", "reason", "notes", "user", "until", "then", "policy", "include", "plan", "force", "touched", "abandon", "power"];
    let own = flags(command.get_name());
    let is_foreign = |id: &str| (FOR_SOME.contains(&id) || id == "stage") && !own.contains(&id);
    command.mut_args(|arg| if is_foreign(arg.get_id().as_str()) { arg.hide(true) } else { arg })
}

impl Verb {
    /// Asks and prints the new state.
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let (verb, words) = self.parts();
        let version = words.if_match.map(|version| format!("\"{version}\""));
        let headers: Vec<(&str, &str)> = version.as_deref().map(|version| ("if-match", version)).into_iter().collect();
        let asked = client.ask("POST", &format!("{}/actions/{verb}", path(&words.host)), Some(&words.body()), &headers);
        let reply = match asked {
            Err(Fault::Problem(problem)) if words.lacks_plan(verb, &problem.code) => return words.show_plan(verb, client, console),
            told => told?,
        };
        if console.json(&reply)? {
            return Ok(());
        }
        let Shown { host, .. } = reply.read()?;
        let holds = [(host.holds.lock, " protected"), (host.holds.frozen.is_some(), " frozen")];
        let holds: String = holds.into_iter().filter_map(|(held, word)| held.then_some(word)).collect();
        let administrative = crate::cli::table::word(host.operational.administrative);
        console.line(format_args!("{}: {verb}; now {}{holds}, {administrative}", host.name, host.lifecycle.word()))
    }
}

/// The verbs that wipe.
const WIPES: [&str; 4] = ["release", "clean", "retry_clean", "delete"];

impl Words {
    /// Whether a wipe was refused because nobody has confirmed its plan, so that the plan is what its caller wants to see.
    fn lacks_plan(&self, verb: &str, code: &str) -> bool {
        WIPES.contains(&verb) && self.plan.is_none() && ["needs_confirm", "plan_unconfirmed"].contains(&code)
    }

    /// Shows the plan and how it is confirmed. Nothing was done, so this is no success.
    fn show_plan(&self, verb: &str, client: &Client, console: &mut Console<'_>) -> Done {
        let Self { host, policy, include, then, .. } = self.clone();
        let shown = wipe::Asked { host, policy, include: include.clone() }.show(client, console)?;
        let name = shown.name();
        let mut command = format!("bootwright host {} {name} --confirm {name}", verb.replace('_', "-"));
        if matches!(verb, "release" | "clean") {
            command.push_str(&format!(" --then {}", then.as_deref().unwrap_or("unavailable")));
        }
        command.push_str(&format!(" --policy {}", shown.policy()));
        include.iter().for_each(|id| command.push_str(&format!(" --include '{id}'")));
        command.push_str(&format!(" --plan {}", shown.short()));
        Err(Fault::no(format_args!("nothing was wiped yet. To carry this plan out:\n  {command}")))
    }

    fn body(&self) -> Value {
        let Self { confirm, reason, notes, user, until, then, policy, plan, power, stage, .. } = self;
        let texts = [
            ("confirm", confirm),
            ("reason", reason),
            ("notes", notes),
            ("for", user),
            ("until", until),
            ("then", then),
            ("policy", policy),
            ("plan_hash", plan),
            ("power", power),
            ("stage", stage),
        ];
        let mut body: Map<String, Value> = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))).collect();
        let flags = [("force", self.force), ("touched", self.touched), ("abandon", self.abandon)];
        body.extend(flags.into_iter().filter(|(_, on)| *on).map(|(name, _)| (name.to_owned(), json!(true))));
        body.extend((!self.include.is_empty()).then(|| ("include".to_owned(), json!(self.include))));
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_help(verb: &str, has: &[&str], lacks: &[&str]) {
        let help = crate::cli::Line::read(["bootwright", "host", verb, "--help"].map(Into::into)).unwrap_err().to_string();
        assert!(has.iter().all(|flag| help.contains(flag)), "{help}");
        assert!(!lacks.iter().any(|flag| help.contains(flag)), "{help}");
    }

    #[test]
    fn the_help_of_a_verb_has_its_own_flags() {
        check_help("release", &["--then", "--plan", "--policy", "--if-match"], &["--until", "--touched", "--stage", "--power", "--abandon"]);
        check_help("reserve", &["--for", "--until"], &["--plan", "--confirm", "--force"]);
        check_help("register", &["--if-match", "<HOST>"], &["--confirm", "--reason", "--then"]);
        check_help("report-stage", &["--stage"], &["--reason"]);
    }

    #[test]
    fn every_verb_of_the_story_is_a_command() {
        let mut ours = WORDS.to_vec();
        let mut theirs: Vec<_> = crate::app::action::VERBS.into_iter().chain(crate::app::duty::VERBS).collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }
}
