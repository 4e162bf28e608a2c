//! The part of iPXE that runs scripts: enough of its language for the shipped templates, and a name for whatever is beyond that.
//!
//! Lines run in order; `&&` and `||` join commands as in a shell; a line that fails ends the script, and so does `exit`. What takes time
//! (fetching, sleeping) is [`Want`]ed from outside, and [`Script::go_on`] is told how it ended. Nothing here waits or sends.

use std::{collections::VecDeque, time::Duration};

/// What the script needs to go on, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// A file of this URL; `kernel`, `initrd` and `imgfetch` say which.
    File(String),
    /// The script of this URL, in place of this one.
    Chain(String),
    /// To do nothing for so long.
    Sleep(Duration),
    /// The kernel starts, with these arguments.
    Boot(String),
    /// The machine's disk starts, or its firmware goes on to it; the word says how.
    Disk(&'static str),
    /// The machine is switched off or starts again.
    Restart,
    /// A line failed, or the text ended: back to the firmware. With what was said last.
    Ended(String),
    /// A command that this reader does not know.
    Unknown(String),
}

/// What the machine knows of itself, for `${…}`.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `${netX/mac}`.
    pub mac: String,
    /// `${uuid}`.
    pub uuid: String,
    /// `${serial}`.
    pub serial: String,
    /// `${ip}`.
    pub ip: String,
    /// `${next-server}`.
    pub server: String,
}

impl Settings {
    fn value(&self, name: &str) -> String {
        let (name, format) = name.split_once(':').unwrap_or((name, ""));
        let value = match name.rsplit_once('/').map_or(name, |(_, name)| name) {
            "mac" => &self.mac,
            "uuid" => &self.uuid,
            "serial" => &self.serial,
            "ip" => &self.ip,
            "next-server" => &self.server,
            "buildarch" => "x86_64",
            "platform" => "efi",
            // iPXE too takes an unknown one for nothing.
            _ => "",
        };
        match format {
            "hexhyp" => value.replace(':', "-"),
            "hexraw" => value.replace(':', ""),
            _ => value.to_owned(),
        }
    }

    /// A text with its settings.
    pub fn expand(&self, text: &str) -> String {
        let (mut done, mut rest) = (String::with_capacity(text.len()), text);
        while let Some((before, (name, after))) = rest.split_once("${").and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
            done.push_str(before);
            done.push_str(&self.value(name));
            rest = after;
        }
        done + rest
    }
}

/// How a command follows the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    Always,
    OnSuccess,
    OnFailure,
}

/// A script that runs.
#[derive(Debug)]
pub struct Script {
    lines: Vec<Box<str>>,
    next: usize,
    commands: VecDeque<(Joint, Vec<String>)>,
    failed: bool,
    kernel: Option<String>,
    /// The last lines that it wrote on the screen: what a person would read there.
    pub title: String,
    /// The reason on the banner, or the last line.
    pub reason: String,
}

impl Script {
    /// Reads a text; `None` if iPXE would not take it for a script.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next().filter(|line| line.trim_end() == "#!ipxe")?;
        let lines = lines.map(Into::into).collect();
        let (title, reason) = (String::new(), String::new());
        Some(Self { lines, next: 0, commands: VecDeque::new(), failed: false, kernel: None, title, reason })
    }

    /// Goes on; `ended_well` is how the last want went.
    pub fn go_on(&mut self, ended_well: bool, settings: &Settings) -> Want {
        self.failed = !ended_well;
        loop {
            while let Some((joint, words)) = self.commands.pop_front() {
                let runs = match joint {
                    Joint::Always => true,
                    Joint::OnSuccess => !self.failed,
                    Joint::OnFailure => self.failed,
                };
                if !runs {
                    continue;
                }
                match self.run(&words, settings) {
                    Ok(well) => self.failed = !well,
                    Err(want) => return want,
                }
            }
            let line = self.next.checked_sub(1).and_then(|at| self.lines.get(at)).map_or("", |line| line);
            if self.failed {
                return Want::Ended(format!("line {}: {line}", self.next + 1));
            }
            let Some(line) = self.lines.get(self.next) else { return Want::Ended(format!("the end of the script; {}", self.reason)) };
            self.next += 1;
            if !line.starts_with(['#', ':']) {
                self.commands = commands(&settings.expand(line));
            }
        }
    }

    /// One command: whether it went well, or what it needs.
    fn run(&mut self, words: &[String], settings: &Settings) -> Result<bool, Want> {
        let Some((command, rest)) = words.split_first() else { return Ok(true) };
        let arguments = without_options(rest);
        let first = arguments.first().copied().unwrap_or("");
        match command.as_str() {
            "echo" => Ok(self.says(&rest.join(" "))),
            "sleep" => Err(Want::Sleep(Duration::from_secs(first.parse().unwrap_or(1)))),
            "prompt" => Ok(true),
            "imgfree" | "imgstat" => Ok(true),
            "kernel" => {
                self.kernel = Some(arguments.get(1..).unwrap_or_default().join(" "));
                Err(Want::File(first.to_owned()))
            }
            "initrd" | "imgfetch" | "module" => Err(Want::File(first.to_owned())),
            "chain" => Err(Want::Chain(first.to_owned())),
            "boot" => self.kernel.clone().map_or(Ok(false), |arguments| Err(Want::Boot(arguments))),
            "goto" => Ok(self.goes_to(first)),
            "isset" => Ok(!first.is_empty()),
            "iseq" => Ok(arguments.first() == arguments.get(1)),
            "exit" => Err(Want::Disk(if first == "1" { "exit 1" } else { "exit" })),
            "sanboot" => Err(Want::Disk("sanboot")),
            "reboot" | "poweroff" => Err(Want::Restart),
            _ => Err(Want::Unknown(format!("{command}, line {} of {}", self.next + 1, settings.mac))),
        }
    }

    /// Keeps what the banner says: its title, and the first line of its reason.
    fn says(&mut self, text: &str) -> bool {
        if let Some((_, title)) = text.strip_prefix("Bootwright ").and_then(|rest| rest.split_once("- ")) {
            title.clone_into(&mut self.title);
        } else if let Some(reason) = text.strip_prefix("Reason .....") {
            reason.trim().clone_into(&mut self.reason);
        }
        true
    }

    fn goes_to(&mut self, label: &str) -> bool {
        let found = self.lines.iter().position(|line| line.strip_prefix(':').is_some_and(|name| name.trim_end() == label));
        if let Some(at) = found {
            self.next = at + 1;
            self.commands.clear();
        }
        found.is_some()
    }
}

/// What a command means behind its options. Of those in use only `--name` and `--drive` have a value.
fn without_options(words: &[String]) -> Vec<&str> {
    let (mut found, mut words) = (Vec::new(), words.iter());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--name" | "--drive" | "-n" | "-d" | "--timeout" if found.is_empty() => drop(words.next()),
            option if found.is_empty() && option.starts_with("--") => {}
            word => found.push(word),
        }
    }
    found
}

/// A line's commands with what joins them.
fn commands(line: &str) -> VecDeque<(Joint, Vec<String>)> {
    let (mut found, mut joint, mut words) = (VecDeque::new(), Joint::Always, Vec::new());
    for word in line.split_ascii_whitespace() {
        let next = match word {
            "&&" => Joint::OnSuccess,
            "||" => Joint::OnFailure,
            ";" => Joint::Always,
            _ => {
                words.push(word.to_owned());
                continue;
            }
        };
        found.push_back((joint, std::mem::take(&mut words)));
        joint = next;
    }
    found.push_back((joint, words));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { mac: "02:00:00:00:00:01".into(), uuid: "u-u".into(), ip: "10.0.0.7".into(), ..Settings::default() }
    }

    fn golden(name: &str) -> Script {
        let path = format!("{}/tests/golden/templates/plain/ipxe/{name}.ipxe", env!("CARGO_MANIFEST_DIR"));
        Script::read(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// The wants of a script whose every want but those with `bad` in them ends well, until one is final or the sixth.
    fn wants(mut script: Script, bad: &str) -> Vec<String> {
        let (mut said, mut well) = (Vec::new(), true);
        for _ in 0..6 {
            let want = script.go_on(well, &settings());
            let text = match &want {
                Want::File(url) | Want::Chain(url) => url.rsplit_once('/').unwrap().1.to_owned(),
                Want::Sleep(time) => format!("sleep {}", time.as_secs()),
                other => format!("{other:?}"),
            };
            well = bad.is_empty() || !text.contains(bad);
            said.push(text);
            if !matches!(want, Want::File(_) | Want::Chain(_) | Want::Sleep(_)) {
                break;
            }
        }
        said
    }

    #[test]
    fn the_shipped_scripts_do_what_they_are_for() {
        let (vmlinuz, initrd) = ("vmlinuz?s=00c0ffee00c0ffee", "initrd.img?s=00c0ffee00c0ffee");
        let boot =
            "Boot(\"initrd=initrd.img inst.ks=http://10.77.0.1/t/TOKEN.00c0ffee00c0ffee/ks ip=dhcp BOOTIF=01-02-00-00-00-00-01 console=ttyS0\")";
        assert_eq!(wants(golden("install"), ""), [vmlinuz, initrd, "kernel", boot]);
        assert_eq!(wants(golden("local"), ""), ["sleep 2", "Disk(\"exit\")"]);
        let again = "boot.ipxe?mac=52:54:00:00:00:01&s=00c0ffee00c0ffee";
        for name in ["hold", "wait", "fault"] {
            assert_eq!(wants(golden(name), "boot.ipxe"), ["sleep 60", again, "sleep 60", again, "sleep 60", again], "{name}");
        }
        assert_eq!(wants(golden("unknown"), ""), ["sleep 5", "Disk(\"exit\")"]);
        assert_eq!(wants(golden("live"), "").last().unwrap(), boot);
    }

    #[test]
    fn a_file_that_does_not_come_leads_to_another_try_and_never_to_a_boot() {
        let again = "boot.ipxe?mac=52:54:00:00:00:01&s=00c0ffee00c0ffee";
        assert_eq!(wants(golden("install"), "vmlinuz")[1..3], ["sleep 60", again]);
        assert_eq!(wants(golden("install"), "initrd.img?")[2..4], ["sleep 60", again]);
        assert!(wants(golden("install"), "kernel")[3].starts_with("Boot"), "the progress mark may fail");
    }

    #[test]
    fn the_banner_is_remembered() {
        let mut script = golden("hold");
        script.go_on(true, &settings());
        assert_eq!((script.title.as_str(), script.reason.as_str()), ("HELD", "build 0190a1b2 is open"));
    }

    #[track_caller]
    fn check(body: &str, want: &Want) {
        assert_eq!(&Script::read(&format!("#!ipxe\n{body}")).unwrap().go_on(true, &settings()), want, "{body}");
    }

    #[test]
    fn joints_are_those_of_a_shell() {
        let disk = Want::Disk("exit 1");
        check("isset ${nothing} && goto nowhere ||\nexit 1", &disk);
        check("isset ${ip} && exit 1 || goto nowhere", &disk);
        check("isset ${nothing} || exit 1", &disk);
        check("isset ${nothing}\nexit 1", &Want::Ended("line 2: isset ${nothing}".into()));
        check("goto end\nexit\n:end\nexit 1", &disk);
        check("boot ||\nexit 1", &disk);
        check("iseq ${netX/mac:hexraw} 020000000001 && exit 1", &disk);
    }

    #[test]
    fn what_is_beyond_us_has_a_name() {
        check("menu Choose", &Want::Unknown("menu, line 2 of 02:00:00:00:00:01".into()));
        assert!(Script::read("<html>").is_none() && Script::read("").is_none());
        check("echo", &Want::Ended("the end of the script; ".into()));
        check("reboot", &Want::Restart);
        check("chain http://x/${uuid}", &Want::Chain("http://x/u-u".into()));
    }
}
