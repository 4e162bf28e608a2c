//! The machine while iPXE has it: fetches its script, does what the script says, and begins again where that says so.
//!
//! A file that does not come is told to the script, which knows what to do; only a script that does not come at all leaves nothing to
//! boot. A hold screen is no failure of the network: it is named as what it is.

use std::time::Duration;

use super::{Failure, Machine, Phase, Reply, Stage};
use crate::simulate::{
    ipxe::{Script, Settings, Want},
    scenario::Goal,
};

/// iPXE at work.
#[derive(Debug)]
pub(super) struct Ipxe {
    script: Option<Script>,
    settings: Settings,
    doing: Doing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    FetchScript,
    FetchFile,
    Sleep { until: Duration },
}

impl Ipxe {
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        if let Doing::Sleep { until } = self.doing { Some(until) } else { None }
    }
}

impl Machine {
    /// DHCP is done: the script that it names.
    pub(super) fn run_ipxe(&mut self, now: Duration) {
        self.enter(now, Stage::Script);
        if self.bound.file.is_empty() {
            return self.told_disk(now, "the DHCP answer to iPXE names no script");
        }
        let settings = Settings {
            mac: self.host.mac.to_string(),
            uuid: self.host.uuid_text(),
            serial: self.host.name(),
            ip: self.bound.address.to_string(),
            server: self.bound.server.map(|server| server.to_string()).unwrap_or_default(),
        };
        let url = settings.expand(&self.bound.file);
        if !url.contains("://") {
            return self.nothing_boots(now, Failure::new("no_script", format!("iPXE was told {url}, which is no URL of a script")));
        }
        self.phase = Phase::Ipxe(Ipxe { script: None, settings, doing: Doing::FetchScript });
        self.ipxe_fetch(now, &url, true);
    }

    fn ipxe_fetch(&mut self, now: Duration, url: &str, keeps_body: bool) {
        let agent = format!("iPXE/{}", self.rack.scenario.ipxe.version);
        self.fetch(now, url, agent, None, keeps_body);
    }

    pub(super) fn ipxe_woke(&mut self, now: Duration) {
        self.script_goes_on(now, true);
    }

    pub(super) fn ipxe_heard(&mut self, now: Duration, reply: Reply) {
        let Phase::Ipxe(ipxe) = &mut self.phase else { return };
        if ipxe.doing == Doing::FetchFile {
            let came = matches!(reply, Reply::Answer { status: 200..=299, .. });
            return self.script_goes_on(now, came);
        }
        let script = match &reply {
            Reply::Answer { status: 200..=299, body, .. } => Script::read(body),
            _ => None,
        };
        match script {
            Some(script) => {
                ipxe.script = Some(script);
                self.script_begins(now);
            }
            // `chain ||`: the script that asked for another one goes on.
            None if ipxe.script.is_some() => self.script_goes_on(now, false),
            None => match reply {
                Reply::Answer { status: 404, .. } => self.told_disk(now, "404 for the script"),
                Reply::Answer { status, .. } => self.nothing_boots(now, Failure::new("no_script", format!("status {status}: {}", self.trouble))),
                Reply::Broken(why) => self.nothing_boots(now, Failure::new("no_script", why)),
            },
        }
    }

    fn script_begins(&mut self, now: Duration) {
        if self.rack.scenario.goal == Goal::Script {
            return self.arrive(now);
        }
        self.enter(now, Stage::Script);
        self.script_goes_on(now, true);
    }

    fn script_goes_on(&mut self, now: Duration, ended_well: bool) {
        let Phase::Ipxe(ipxe) = &mut self.phase else { return };
        let Some(script) = &mut ipxe.script else { return };
        let want = script.go_on(ended_well, &ipxe.settings);
        let is_held = script.title == "HELD";
        if is_held || matches!(want, Want::Disk(_) | Want::Sleep(_)) {
            self.trouble = format!("{}; {}", script.title, script.reason);
        }
        let goal = self.rack.scenario.goal;
        match want {
            Want::Sleep(_) if is_held && goal == Goal::Hold => self.arrive(now),
            Want::Sleep(_) if is_held => self.fail(now, Failure::new("held", self.trouble.clone())),
            Want::Sleep(time) => {
                let time = time.min(self.rack.scenario.ipxe.longest_sleep.0);
                ipxe.doing = Doing::Sleep { until: now + time };
                self.note("the script sleeps", time);
            }
            Want::File(url) => {
                ipxe.doing = Doing::FetchFile;
                self.enter(now, Stage::Files);
                self.ipxe_fetch(now, &url, false);
            }
            Want::Chain(url) => {
                ipxe.doing = Doing::FetchScript;
                self.ipxe_fetch(now, &url, true);
            }
            Want::Boot(_) if goal == Goal::Files => self.arrive(now),
            Want::Boot(_) if self.built => self.fail(now, Failure::new("installed_again", "the script after `built` starts an installer")),
            Want::Boot(_) if matches!(goal, Goal::Disk | Goal::Hold) => self.fail(now, Failure::new("told_to_install", self.trouble.clone())),
            Want::Boot(arguments) => self.start_kernel(now, &arguments),
            Want::Disk(how) => self.told_disk(now, how),
            Want::Restart => self.nothing_boots(now, Failure::new("script_restarts", self.trouble.clone())),
            Want::Ended(where_to) => self.nothing_boots(now, Failure::new("script_ended", where_to)),
            Want::Unknown(command) => self.fail(now, Failure::new("unknown_command", command)),
        }
    }
}
