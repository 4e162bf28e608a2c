//! Heartbeats beside the job, and the progress on the screen: two threads that end with the job.
//!
//! A heartbeat that is not answered changes nothing: a wipe of many hours outlives a server that is restarted. An answer may stop the
//! job, and nothing can start it again. No order to reboot is carried out here: the job is stopped first, the wait asks again.

use std::{thread, time::Duration};

use crate::{
    console::Teller,
    contract::{Action, Heartbeat, PROTOCOL, Progress, Reply},
    machine::Bell,
    patience::heartbeat,
    talk::{No, chance},
    wipe::Watch,
};

use super::Work;

/// How soon the screen's thread sees that the job is over.
const GLANCE: Duration = Duration::from_millis(500);

/// Rings when the job is over, however it ends: the threads beside it must not outlive it.
struct AtEnd<'a>(&'a Bell);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.ring();
    }
}

impl Work<'_> {
    /// Does the job with heartbeats beside it.
    pub(super) fn with_heartbeats<T>(&self, secs: u64, watch: &Watch, job: impl FnOnce() -> T) -> T {
        let over = Bell::default();
        thread::scope(|scope| {
            scope.spawn(|| self.beat(secs, watch, &over));
            scope.spawn(|| self.show(watch, &over));
            let _end = AtEnd(&over);
            job()
        })
    }

    fn beat(&self, mut secs: u64, watch: &Watch, over: &Bell) {
        while !self.machine.wait_for(over, heartbeat(secs, chance(&*self.machine))) {
            let answer = self.talk.heartbeat(&self.heartbeat(watch.progress()));
            if let Ok(reply) = &answer {
                secs = reply.heartbeat_secs;
            }
            self.heed(watch, answer);
        }
    }

    pub(super) fn heartbeat(&self, progress: Progress) -> Heartbeat {
        Heartbeat { protocol: PROTOCOL, session: self.cmdline.session.clone(), progress }
    }

    /// What an answer means while the job goes on.
    pub(super) fn heed(&self, watch: &Watch, answer: Result<Reply, No>) {
        match answer {
            Ok(reply) => match reply.action {
                Action::Continue | Action::Register | Action::Clean | Action::Unknown => {}
                // The run is over for the server, whatever it wants next.
                Action::Abort | Action::Wait | Action::Reboot | Action::Poweroff => {
                    self.stop(watch, &format!("the server says stop: {}", reply.reason))
                }
            },
            Err(no @ No::Denied { status: 409, .. }) => self.stop(watch, &no.to_string()),
            Err(no) if no.is_unknown_token() => self.stop(watch, &no.to_string()),
            Err(no) => self.console.error(&format!("heartbeat: {no}; the work goes on")),
        }
    }

    fn stop(&self, watch: &Watch, why: &str) {
        if !watch.stopped() {
            self.console.error(why);
            watch.stop();
        }
    }

    fn show(&self, watch: &Watch, over: &Bell) {
        let (mut teller, mut seen) = (Teller::default(), 0);
        loop {
            let ends = over.has_rung();
            let (news, progress) = watch.after(seen, if ends { Duration::ZERO } else { GLANCE });
            seen = news;
            for line in teller.news(&progress) {
                self.console.say(&line);
            }
            if ends {
                return;
            }
        }
    }
}
