//! Kickstart: sections that open and close, commands that exist, reports, passwords.
//!
//! Anaconda reads this after it was downloaded, and a syntax error there runs no hook: better found here. Options of commands are left to
//! ksvalidator, which knows each release.

use super::{callbacks, calls, finding, nearest, plain_password};
use crate::model::{Finding, Severity};

/// Commands of RHEL 8 to 10 and Fedora, those that are only accepted and ignored included.
const COMMANDS: [&str; 72] = [
    "auth",
    "authconfig",
    "authselect",
    "autopart",
    "autostep",
    "bootc",
    "bootloader",
    "btrfs",
    "cdrom",
    "clearpart",
    "cmdline",
    "device",
    "deviceprobe",
    "dmraid",
    "driverdisk",
    "eula",
    "fcoe",
    "firewall",
    "firstboot",
    "graphical",
    "group",
    "halt",
    "harddrive",
    "hmc",
    "ignoredisk",
    "install",
    "interactive",
    "iscsi",
    "iscsiname",
    "keyboard",
    "lang",
    "langsupport",
    "lilocheck",
    "liveimg",
    "logging",
    "logvol",
    "mediacheck",
    "method",
    "module",
    "mount",
    "mouse",
    "multipath",
    "network",
    "nfs",
    "nvdimm",
    "ostreecontainer",
    "ostreesetup",
    "part",
    "partition",
    "poweroff",
    "raid",
    "rdp",
    "realm",
    "reboot",
    "repo",
    "reqpart",
    "rescue",
    "rhsm",
    "rootpw",
    "selinux",
    "services",
    "shutdown",
    "skipx",
    "snapshot",
    "sshkey",
    "sshpw",
    "syspurpose",
    "text",
    "timesource",
    "timezone",
    "unsupported_hardware",
    "updates",
];
const MORE_COMMANDS: [&str; 10] = ["upgrade", "url", "user", "vnc", "volgroup", "xconfig", "zerombr", "zfcp", "zipl", "stage2"];
const SECTIONS: [&str; 10] = ["%packages", "%pre", "%pre-install", "%post", "%onerror", "%traceback", "%addon", "%anaconda", "%certificate", "%end"];

struct Open<'a> {
    section: &'a str,
    line: usize,
}

/// Every finding about one kickstart.
pub fn check(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open: Option<Open<'_>> = None;
    let (mut built, mut failed) = (false, false);
    for (at, line) in text.lines().enumerate() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if word.starts_with('%') && line.starts_with('%') && !matches!(word, "%include" | "%ksappend") {
            findings.extend(section(name, at + 1, word, &mut open));
        } else if let Some(open) = &open {
            built |= open.section == "%post" && calls(line, "built");
            failed |= matches!(open.section, "%post" | "%onerror") && calls(line, "failed");
        } else if !word.is_empty() && !word.starts_with('#') && !word.starts_with('%') {
            findings.extend(command(name, at + 1, word, line));
        }
    }
    if let Some(open) = open {
        findings.push(finding(Severity::Error, name, open.line, "section", format!("`{}` is never closed", open.section), "Add %end."));
    }
    findings.extend(callbacks(name, built, Some(failed)));
    findings
}

fn section<'a>(name: &str, line: usize, word: &'a str, open: &mut Option<Open<'a>>) -> Option<Finding> {
    let error = |message: String, hint: String| Some(finding(Severity::Error, name, line, "section", message, hint));
    if !SECTIONS.contains(&word) {
        // Inside a script a line may begin with a per cent sign; outside nothing else does.
        return if open.is_some() { None } else { error("there is no such section".into(), nearest::hint(word, SECTIONS)) };
    }
    match (word, open.take()) {
        ("%end", Some(_)) => None,
        ("%end", None) => error("`%end` closes nothing".into(), String::new()),
        (section, before) => {
            *open = Some(Open { section, line });
            before.and_then(|before| {
                error(format!("`{section}` begins before `{}` of line {} is closed", before.section, before.line), "Add %end.".into())
            })
        }
    }
}

fn command(name: &str, line: usize, word: &str, text: &str) -> Option<Finding> {
    if !COMMANDS.contains(&word) && !MORE_COMMANDS.contains(&word) {
        let hint = nearest::hint(word, COMMANDS.into_iter().chain(MORE_COMMANDS));
        return Some(finding(Severity::Error, name, line, "kickstart-command", "kickstart has no such command", hint));
    }
    let has = |option: &str| text.split_whitespace().any(|word| word == option);
    let plain = match word {
        "rootpw" | "sshpw" => !has("--iscrypted") && !has("--lock"),
        "user" => text.contains("--password") && !has("--iscrypted"),
        "bootloader" => text.contains("--password") && !has("--iscrypted"),
        _ => false,
    };
    plain.then(|| plain_password(name, line))
}
