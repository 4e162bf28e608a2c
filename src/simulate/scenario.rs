//! Scenarios: what a simulated machine is like and how far it is to come. Small TOML files; three are shipped, a path names one's own.
//!
//! Everything but `goal` has a default, that of the shipped `build`. A mistake is told with file, line and field.

use std::{fs, path::Path, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

/// The shipped ones by name.
const SHIPPED: [(&str, &str); 3] = [
    ("build", include_str!("scenarios/build.toml")),
    ("script", include_str!("scenarios/script.toml")),
    ("storm", include_str!("scenarios/storm.toml")),
];

/// How far a host is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// A script, whatever it says.
    Script,
    /// A kernel and all that is loaded with it.
    Files,
    /// A whole installation, and then the start from the disk.
    LocalBoot,
    /// The start from the disk at the first boot.
    Disk,
    /// The hold screen.
    Hold,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// How far.
    pub goal: Goal,
    /// The card's or the board's own boot code.
    #[serde(default)]
    pub firmware: Firmware,
    /// The loader's transfer.
    #[serde(default)]
    pub loader: Loader,
    /// iPXE.
    #[serde(default)]
    pub ipxe: Ipxe,
    /// What the kernel runs.
    #[serde(default)]
    pub installer: Installer,
}

/// The card's or the board's own boot code.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Firmware {
    /// Option 93.
    pub arch: u16,
    /// How long an answer to each DISCOVER or REQUEST is waited for.
    pub dhcp_waits: Vec<Span>,
    /// How often the machine is switched on again when nothing boots.
    pub power_cycles: u32,
    /// How long it is off.
    pub power_off: Span,
}

/// The loader's transfer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loader {
    /// RFC 2348.
    pub blksize: u16,
    /// RFC 7440; 1 leaves the option out.
    pub windowsize: u16,
    /// Whether the size is asked for first, in a transfer of its own that is broken off.
    pub probe: bool,
    /// How long a packet is waited for.
    pub wait: Span,
    /// How often in a row.
    pub tries: u32,
}

/// iPXE.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ipxe {
    /// What its User-Agent says.
    pub version: String,
    /// The most that a script's `sleep` lasts.
    pub longest_sleep: Span,
}

/// What the kernel runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Installer {
    /// From the kernel's start to its DHCP, between these two.
    pub starts_in: [Span; 2],
    /// Between two callbacks.
    pub thinks: [Span; 2],
    /// From the last callback to the firmware's first packet.
    pub reboots_in: [Span; 2],
    /// How often a document or a callback is asked for.
    pub tries: u32,
    /// How long between two tries.
    pub wait: Span,
}

/// A length of time, written like `4s` or `250ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read: Result<jiff::SignedDuration, _> = text.parse();
        let span = read.ok().and_then(|span| Duration::try_from(span).ok()).filter(|span| *span <= Duration::from_secs(86_400));
        span.map(Self).ok_or_else(|| format!("{text:?} is not a length of time up to a day; write it like 4s, 250ms or 2m"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

const fn millis(count: u64) -> Span {
    Span(Duration::from_millis(count))
}

impl Default for Firmware {
    fn default() -> Self {
        Self { arch: 7, dhcp_waits: [4000, 8000, 16_000, 32_000].map(millis).to_vec(), power_cycles: 5, power_off: millis(5000) }
    }
}

impl Default for Loader {
    fn default() -> Self {
        Self { blksize: 1468, windowsize: 4, probe: true, wait: millis(1000), tries: 8 }
    }
}

impl Default for Ipxe {
    fn default() -> Self {
        Self { version: "1.21.1+ (g83449702e)".into(), longest_sleep: millis(5000) }
    }
}

impl Default for Installer {
    fn default() -> Self {
        let (starts_in, thinks, reboots_in) = ([200, 1000], [100, 500], [500, 2000]);
        Self { starts_in: starts_in.map(millis), thinks: thinks.map(millis), reboots_in: reboots_in.map(millis), tries: 10, wait: millis(2000) }
    }
}

/// Why there is no scenario; the text says where.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioFault {
    /// Neither shipped nor readable.
    #[error("{name}: {source}; the shipped scenarios are build, script and storm, anything else is a file")]
    Read {
        /// What was asked for.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not what it should be; the parser's text has line, column and field.
    #[error("in {name}:\n{text}")]
    Parse {
        /// Which file.
        name: String,
        /// Where and what.
        text: String,
    },
    /// A value that no machine has.
    #[error("in {name}, {field}: {text}")]
    Wrong {
        /// Which file.
        name: String,
        /// Which field.
        field: &'static str,
        /// What to do.
        text: &'static str,
    },
}

impl Scenario {
    /// A shipped one, or the file of this path.
    pub fn named(name: &str) -> Result<Self, ScenarioFault> {
        if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Self::parse(name, text);
        }
        let text = fs::read_to_string(Path::new(name)).map_err(|source| ScenarioFault::Read { name: name.to_owned(), source })?;
        Self::parse(name, &text)
    }

    /// Reads a text; `name` is for the messages.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioFault> {
        let name = name.to_owned();
        let scenario: Self = toml::from_str(text).map_err(|wrong| ScenarioFault::Parse { name: name.clone(), text: wrong.to_string() })?;
        match scenario.first_mistake() {
            Some((field, text)) => Err(ScenarioFault::Wrong { name, field, text }),
            None => Ok(scenario),
        }
    }

    fn first_mistake(&self) -> Option<(&'static str, &'static str)> {
        let (firmware, loader, installer) = (&self.firmware, &self.loader, &self.installer);
        if firmware.dhcp_waits.is_empty() || firmware.dhcp_waits.contains(&millis(0)) {
            return Some(("firmware.dhcp_waits", "at least one wait, none of them 0"));
        }
        if !(8..=9000).contains(&loader.blksize) {
            return Some(("loader.blksize", "8 to 9000 bytes"));
        }
        if !(1..=64).contains(&loader.windowsize) {
            return Some(("loader.windowsize", "1 to 64 blocks"));
        }
        if loader.wait == millis(0) || loader.tries == 0 {
            return Some(("loader.wait", "a loader is waited for: `wait` and `tries` are more than 0"));
        }
        if installer.tries == 0 {
            return Some(("installer.tries", "at least 1"));
        }
        let named =
            [("installer.starts_in", installer.starts_in), ("installer.thinks", installer.thinks), ("installer.reboots_in", installer.reboots_in)];
        named.iter().find(|(_, [least, most])| least > most).map(|(field, _)| (*field, "the shorter one comes first"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, with: &[&str]) {
        let said = Scenario::parse("mine.toml", text).unwrap_err().to_string();
        for part in with {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn the_shipped_ones_are_read_and_build_is_the_default() {
        let build = Scenario::named("build").unwrap();
        assert_eq!(build, Scenario::parse("x", "goal = 'local_boot'").unwrap());
        assert_eq!(Scenario::named("script").unwrap().goal, Goal::Script);
        assert_eq!(Scenario::named("storm").unwrap().loader.windowsize, 1);
    }

    #[test]
    fn a_mistake_is_told_with_file_line_and_field() {
        refused("", &["mine.toml", "goal"]);
        refused("goal = 'disk'\n[loader]\nblocksize = 3", &["mine.toml", "line 3", "blocksize", "blksize"]);
        refused("goal = 'disk'\n[loader]\nwait = 'soon'", &["line 3", "soon", "250ms"]);
        refused("goal = 'disk'\n[loader]\nwait = '2 days'", &["line 3", "up to a day"]);
        refused("goal = 'heaven'", &["line 1", "heaven", "local_boot"]);
        refused("goal = 'disk'\n[loader]\nblksize = 7", &["loader.blksize", "8 to"]);
        refused("goal = 'disk'\n[loader]\nwindowsize = 0", &["loader.windowsize"]);
        refused("goal = 'disk'\n[loader]\nwait = '0s'", &["loader.wait"]);
        refused("goal = 'disk'\n[firmware]\ndhcp_waits = []", &["firmware.dhcp_waits"]);
        refused("goal = 'disk'\n[installer]\ntries = 0", &["installer.tries"]);
        refused("goal = 'disk'\n[installer]\nthinks = ['2s', '1s']", &["installer.thinks", "shorter"]);
    }

    #[test]
    fn what_is_neither_shipped_nor_a_file_is_named() {
        let said = Scenario::named("/nonexistent/x.toml").unwrap_err().to_string();
        assert!(said.contains("/nonexistent/x.toml") && said.contains("storm"), "{said}");
    }
}
