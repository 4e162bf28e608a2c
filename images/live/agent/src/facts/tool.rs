//! Running a collector's tool: its output, or one sentence on why there is none.
//!
//! And the small readings that several collectors share: `Key: value` lines, and the words with which makers say nothing.

use std::time::Duration;

use crate::{
    disks::Problem,
    machine::{Ask, Machine},
};

/// The tool's output.
///
/// # Errors
/// It is not there, took too long or failed; the sentence names it.
pub fn output(machine: &dyn Machine, program: &str, words: &[&str], secs: u64) -> Result<String, String> {
    let ask = Ask::new(program, words, Duration::from_secs(secs));
    let said = machine.run(&ask).map_err(|why| why.to_string())?;
    if said.ok() { Ok(said.stdout) } else { Err(format!("{}: {}", ask.line(), said.why())) }
}

/// The problems of one collector.
pub struct Problems {
    collector: &'static str,
    list: Vec<Problem>,
}

impl Problems {
    /// None yet.
    pub fn of(collector: &'static str) -> Self {
        Self { collector, list: Vec::new() }
    }

    /// One more; the same again (a tool that is missing, asked for each card) is said once.
    pub fn add(&mut self, text: impl Into<String>) {
        let problem = Problem { collector: self.collector, text: text.into() };
        if !self.list.contains(&problem) {
            self.list.push(problem);
        }
    }

    /// The value, or one more problem.
    pub fn take<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|why| self.add(why)).ok()
    }

    /// All of them.
    pub fn list(self) -> Vec<Problem> {
        self.list
    }
}

/// The value of `key: value` in lines of any indentation; the first one that has the key.
pub fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == key).then(|| value.trim())
    })
}

/// What makers write when they write nothing.
const NOTHING: [&str; 24] = [
    "none",
    "n/a",
    "na",
    "unknown",
    "not specified",
    "not available",
    "not applicable",
    "not present",
    "not provided",
    "no asset tag",
    "no asset information",
    "default string",
    "to be filled by o.e.m.",
    "to be filled by o.e.m",
    "o.e.m.",
    "oem",
    "system serial number",
    "system product name",
    "system manufacturer",
    "system version",
    "base board serial number",
    "chassis serial number",
    "<bad index>",
    "undefined",
];

/// The text, or nothing where a maker forgot it.
pub fn meant(text: &str) -> String {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let filler = !text.is_empty() && text.chars().all(|c| matches!(c, '0' | ' ' | '-' | '.' | 'x' | 'X' | '*' | '_'));
    let counted = lower.starts_with("0123456789") || lower == "123456789" || lower == "1234567890";
    if NOTHING.contains(&lower.as_str()) || filler || counted { String::new() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{End, recorded::Recorded};

    #[test]
    fn what_makers_forgot_is_nothing() {
        for nothing in [
            "",
            " To Be Filled By O.E.M. ",
            "Default string",
            "Not Specified",
            "0000000000",
            "........",
            "XXXXXXX",
            "0123456789ABCDEF",
            "System Serial Number",
        ] {
            assert_eq!(meant(nothing), "", "{nothing}");
        }
        for meaning in ["7XK2M93", " Dell Inc. ", "0.1", "OEM-17", "NAS-4", "1234567"] {
            assert_eq!(meant(meaning), meaning.trim());
        }
    }

    #[test]
    fn a_tool_that_fails_is_one_sentence() {
        let machine = Recorded::new().program_ends("lspci -D", End::Exit(1), "", "lspci: Cannot open /sys\n").program_ends(
            "ipmitool mc info",
            End::TimedOut,
            "",
            "",
        );
        assert_eq!(output(&machine, "lspci", &["-D"], 1).unwrap_err(), "lspci -D: exit code 1: lspci: Cannot open /sys");
        assert_eq!(output(&machine, "ipmitool", &["mc", "info"], 1).unwrap_err(), "ipmitool mc info: took too long and was ended");
        assert_eq!(output(&machine, "lscpu", &[], 1).unwrap_err(), "there is no program lscpu here");
    }

    #[test]
    fn a_key_is_found_whole() {
        let text = "IP Address Source       : Static Address\nIP Address              : 10.12.0.7\nMAC Address : b4:45:06:e1:0a:0e\n";
        assert_eq!(
            (value(text, "IP Address"), value(text, "MAC Address"), value(text, "Address")),
            (Some("10.12.0.7"), Some("b4:45:06:e1:0a:0e"), None)
        );
    }
}
