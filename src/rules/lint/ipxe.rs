//! iPXE scripts: the first line, commands, labels and gotos, and that a screen which must not lead to a disk does not.
//!
//! iPXE itself tells such things only on a console that nobody watches, and the end of a script hands the machine back to its firmware.

use std::collections::BTreeMap;

use super::{finding, nearest};
use crate::model::{Finding, Severity};

/// Commands of iPXE builds from 2019 to 2025 with every option on.
const COMMANDS: [&str; 82] = [
    "autoboot",
    "boot",
    "cert",
    "certfree",
    "certstat",
    "certstore",
    "chain",
    "choose",
    "clear",
    "colour",
    "config",
    "console",
    "cpair",
    "cpuid",
    "dhcp",
    "digest",
    "echo",
    "exit",
    "fcels",
    "fcstat",
    "fdt",
    "form",
    "goto",
    "gunzip",
    "help",
    "ibmgmt",
    "ifclose",
    "ifconf",
    "iflinkwait",
    "ifopen",
    "ifstat",
    "imgargs",
    "imgdecrypt",
    "imgexec",
    "imgextract",
    "imgfetch",
    "imgfree",
    "imgload",
    "imgmem",
    "imgselect",
    "imgset",
    "imgsha1",
    "imgsingle",
    "imgstat",
    "imgtrust",
    "imgverify",
    "initrd",
    "inc",
    "ipstat",
    "iseq",
    "isset",
    "item",
    "iwlist",
    "iwstat",
    "kernel",
    "login",
    "lotest",
    "md5sum",
    "menu",
    "module",
    "neighbour",
    "nslookup",
    "nstat",
    "ntp",
    "param",
    "params",
    "pciscan",
    "ping",
    "poweroff",
    "present",
    "profstat",
    "prompt",
    "read",
    "reboot",
    "route",
    "sanboot",
    "sanhook",
    "sanunhook",
    "set",
    "sha1sum",
    "shell",
    "show",
];
const MORE_COMMANDS: [&str; 13] =
    ["shim", "sleep", "startpxe", "stoppxe", "sync", "time", "usbscan", "vcreate", "vdestroy", "vlan", "sha256sum", "sha512sum", "imgdigest"];

/// Plans whose script must never end by itself.
const STAYING: [&str; 5] = ["hold", "wait", "fault", "install", "live"];
/// Commands that cannot fail once their words are right.
const SAFE: [&str; 5] = ["echo", "goto", "set", "clear", "param"];

struct Command<'a> {
    line: usize,
    words: Vec<&'a str>,
    /// Whether `||` follows it.
    guarded: bool,
}

/// Every finding about one script.
pub fn check(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut error = |line, rule: &str, message: String, hint: String| findings.push(finding(Severity::Error, name, line, rule, message, hint));
    if text.lines().next().map(str::trim_end) != Some("#!ipxe") {
        error(
            1,
            "ipxe-first-line",
            "the first line is not `#!ipxe`: iPXE would not take this for a script".into(),
            "Nothing may stand before it, no comment either.".into(),
        );
    }
    let labels = labels(text, &mut error);
    let commands = commands(text);
    for command in &commands {
        let word = command.words[0];
        if !word.contains("${") && !COMMANDS.contains(&word) && !MORE_COMMANDS.contains(&word) {
            error(command.line, "ipxe-command", "iPXE has no such command".into(), nearest::hint(word, COMMANDS.into_iter().chain(MORE_COMMANDS)));
        }
        if let ("goto", Some(target)) = (word, command.words.get(1))
            && !target.contains("${")
            && !labels.contains_key(target)
        {
            error(command.line, "ipxe-label", format!("there is no label `:{target}`"), nearest::hint(target, labels.keys().copied()));
        }
    }
    let plan = name.strip_prefix("ipxe/").and_then(|file| file.strip_suffix(".ipxe")).unwrap_or_default();
    if STAYING.contains(&plan) {
        findings.extend(leaks(name, &commands));
    }
    findings
}

fn labels<'a>(text: &'a str, error: &mut impl FnMut(usize, &str, String, String)) -> BTreeMap<&'a str, usize> {
    let mut labels = BTreeMap::new();
    for (line, label) in text.lines().enumerate().filter_map(|(at, line)| line.trim().strip_prefix(':').map(|label| (at + 1, label.trim()))) {
        if let Some(first) = labels.insert(label, line) {
            error(line, "ipxe-label", format!("the label `:{label}` is also on line {first}"), "iPXE takes the first one.".into());
        }
    }
    labels
}

/// Commands in order; a line can hold several, joined by `||`, `&&` and `;`.
fn commands(text: &str) -> Vec<Command<'_>> {
    let mut commands = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let mut words = Vec::new();
        for word in line.split_whitespace().take_while(|word| !word.starts_with('#')) {
            if matches!(word, "||" | "&&" | ";") {
                push(&mut commands, at + 1, std::mem::take(&mut words));
                // `a && b || c`: the guard covers the whole line before it.
                if word == "||" {
                    commands.iter_mut().filter(|command: &&mut Command<'_>| command.line == at + 1).for_each(|command| command.guarded = true);
                }
            } else {
                words.push(word);
            }
        }
        push(&mut commands, at + 1, words);
    }
    commands
}

fn push<'a>(commands: &mut Vec<Command<'a>>, line: usize, words: Vec<&'a str>) {
    if words.first().is_some_and(|word| !word.starts_with(':')) {
        commands.push(Command { line, words, guarded: false });
    }
}

/// Ways out of a script that must stay.
fn leaks(name: &str, commands: &[Command<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for command in commands {
        let word = command.words[0];
        if matches!(word, "exit" | "sanboot" | "autoboot") {
            findings.push(finding(
                Severity::Error,
                name,
                command.line,
                "leads-to-disk",
                "this screen must not lead to the disk or to another boot",
                "Wait, and chain the retry URL again.",
            ));
        } else if !command.guarded && !SAFE.contains(&word) {
            let message = "if this command fails, the script ends and the firmware boots something else";
            findings.push(finding(Severity::Error, name, command.line, "unguarded", message, "Put `||` or `|| goto …` behind it."));
        }
    }
    if commands.last().is_some_and(|command| command.words[0] != "goto") {
        let message = "the script can come to its end, and then the firmware boots something else";
        findings.push(finding(
            Severity::Error,
            name,
            commands.last().map_or(0, |command| command.line),
            "leads-to-disk",
            message,
            "End with a `goto`.",
        ));
    }
    findings
}
