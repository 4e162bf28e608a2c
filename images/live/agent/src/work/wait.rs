//! The wait after the job: heartbeats until the server wants the machine somewhere else.
//!
//! A report that was given up is tried again in place of each heartbeat, so that the results of a long wipe survive a long absence of
//! the server. A token that nobody knows means that there is a newer order: the machine boots again to get it. Nothing is erased from here.

use crate::{
    contract::{Action, Progress, Reply, Report},
    machine::Switch,
    patience::heartbeat,
    talk::{No, chance},
};

use super::{After, HEARTBEAT_SECS, Work, kind};

impl Work<'_> {
    /// Ends with how the machine is to be switched.
    pub(super) fn wait(&self, after: After) -> Switch {
        let After { mut order, mut owed } = after;
        let mut secs = HEARTBEAT_SECS;
        let mut is_first = true;
        loop {
            if let Some(reply) = order.take() {
                secs = reply.heartbeat_secs;
                if let Some(how) = self.obey(&reply) {
                    return how;
                }
            } else if is_first {
                self.console.say("waiting: for the server's next order");
            }
            if is_first {
                self.console.remind();
                is_first = false;
            }
            self.machine.pause(heartbeat(secs, chance(&*self.machine)));
            match self.ask(&mut owed) {
                Ok(reply) => order = Some(reply),
                Err(no) if no.is_unknown_token() => {
                    self.console.say(&format!("rebooting: {no}"));
                    return Switch::Reboot;
                }
                Err(no) => self.console.error(&no.to_string()),
            }
        }
    }

    fn obey(&self, reply: &Reply) -> Option<Switch> {
        let (how, words) = match reply.action {
            Action::Reboot => (Some(Switch::Reboot), "rebooting"),
            Action::Poweroff => (Some(Switch::Off), "powering off"),
            Action::Wait | Action::Continue | Action::Abort | Action::Register | Action::Clean | Action::Unknown => (None, "waiting"),
        };
        let reason = if reply.reason.is_empty() { "for the server's next order" } else { &reply.reason };
        self.console.say(&format!("{words}: {reason}"));
        how
    }

    fn ask(&self, owed: &mut Option<Report>) -> Result<Reply, No> {
        let Some(report) = owed else {
            return self.talk.heartbeat(&self.heartbeat(Progress { step: "waiting".to_owned(), percent: 100, ..Progress::default() }));
        };
        let answer = self.talk.report_once(report);
        match &answer {
            Ok(_) => self.console.say(&format!("reported {}", kind(&report.content))),
            // It would be denied again.
            Err(No::Denied { .. }) => {}
            Err(_) => return answer,
        }
        *owed = None;
        answer
    }
}
