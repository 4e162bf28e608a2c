//! A callback: what an installer says of its build, proven by the build's token.
//!
//! Idempotent: the same word twice changes nothing the second time. A callback for an older build is recorded, answered, and changes nothing.
//! Its effect is durable before it is answered.

use super::{House, Refusal, Told, draft::Draft, house::Pen, pace::Key, who::Bearer};
use crate::{
    model::{Actor, BuildId, Callback, Host, HostId, LoopPolicy, Report, SessionId, Stage, Token, What},
    rules::{lifecycle::Event, session::Sign},
};

/// How many bytes of an installer's log are kept: the tail tells.
const LOG_BYTES: usize = 64 * 1024;

/// What became of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whether it changed anything.
    pub applied: bool,
    /// Why not, otherwise.
    pub why: Option<String>,
}

impl House {
    /// Takes a callback in.
    pub async fn callback(&self, token: &Token, session: Option<SessionId>, callback: &Callback) -> Told<Heard> {
        let is_calm = match self.bearer_of(token).await? {
            Bearer::Older(host, build) => return self.late_callback(host, build.id, callback).await,
            Bearer::Newest(host) => self.paces(Key::Report(host.id)),
        };
        if !is_calm && !is_verdict(&callback.report) {
            return Err(Refusal::TooOften.into());
        }
        let find = |house: &Self| {
            let host = house.store.host_by_token(&token.hash())?;
            host.ok_or_else(|| Refusal::Unknown { noun: "token", name: "…".into() }.into())
        };
        self.draft(&Actor::Host { mac: None, proven: true }, find, |draft| Ok(self.hear(draft, session, callback, is_calm))).await
    }

    /// Whether the token is one of a build, also of an older one.
    pub async fn is_known(&self, token: &Token) -> Told<bool> {
        let hash = token.hash();
        Ok(self.store.host_by_token(&hash)?.is_some() || self.store.build_by_token(&hash).await?.is_some())
    }

    fn hear(&self, draft: &mut Draft<'_>, session: Option<SessionId>, callback: &Callback, is_calm: bool) -> Heard {
        let Some(build) = draft.host.build.as_ref().map(|build| build.id) else {
            return Heard { applied: false, why: Some("the host has no build".into()) };
        };
        if callback.report == progress(Stage::KernelInitrdSent) {
            draft.observe(&Sign::Mark { session }, LoopPolicy::Warn);
        }
        keep_log(&mut draft.host, &callback.text);
        let mut heard = Heard { applied: false, why: None };
        for event in events(build, draft.host.build.as_ref().map_or(Stage::BuildEnabled, |build| build.stage), callback) {
            match draft.event(&event) {
                Ok(moved) => heard.applied |= moved,
                Err(why) => heard.why = Some(why.to_string()),
            }
        }
        if !is_calm && !heard.applied {
            draft.forget();
            return heard;
        }
        let said = callback.text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
        let outcome = heard.why.clone().unwrap_or_else(|| if heard.applied { "applied".into() } else { "known already".into() });
        let text = format!("{}: {outcome}{}{}", word(&callback.report), if said.is_empty() { "" } else { " — " }, clip(said));
        draft.note(What::Callback { report: word(&callback.report), applied: heard.applied }, text);
        heard
    }

    /// A callback with the token of an older build.
    async fn late_callback(&self, host: HostId, build: BuildId, callback: &Callback) -> Told<Heard> {
        if !self.paces(Key::Report(host)) {
            return Err(Refusal::TooOften.into());
        }
        let why = format!("build {build} is over and another one took its place; recorded, nothing changed");
        let mut fact = Pen::new(Actor::Host { mac: None, proven: true }, self.now())
            .write(What::Callback { report: word(&callback.report), applied: false }, format!("{}: {why}", word(&callback.report)));
        fact.host = Some(host);
        fact.build = Some(build);
        self.record(vec![fact]).await?;
        Ok(Heard { applied: false, why: Some(why) })
    }
}

/// What a build's end hangs on is heard however often it is said.
const fn is_verdict(report: &Report) -> bool {
    matches!(report, Report::Built | Report::Failed | Report::FirstBoot)
}

fn progress(stage: Stage) -> Report {
    Report::Progress { word: stage.word().to_owned(), stage: Some(stage) }
}

/// The lifecycle's events for a report, in order. A first boot of the installed system implies "built".
fn events(build: BuildId, at: Stage, callback: &Callback) -> Vec<Event> {
    let token_ok = true;
    let text = clip(&callback.text);
    let stage = |stage: Stage| Event::StageSeen { stage, evidence: format!("callback {}", word(&callback.report)), build };
    match &callback.report {
        Report::Started => vec![stage(Stage::PreRunning)],
        Report::Progress { stage: Some(seen), .. } => vec![stage(*seen)],
        Report::Progress { word, stage: None } => vec![Event::ProgressNoted { build, token_ok, word: word.clone(), text }],
        Report::Built => vec![Event::Built { build, token_ok, text }],
        Report::Failed => vec![Event::BuildFailed { build, token_ok, text }],
        Report::FirstBoot if at < Stage::Built => {
            let text = "the installed system's first boot, though nobody said built".to_owned();
            vec![Event::Built { build, token_ok, text }, Event::ProgressNoted { build, token_ok, word: "firstboot".into(), text: String::new() }]
        }
        Report::FirstBoot => vec![Event::ProgressNoted { build, token_ok, word: "firstboot".into(), text }],
        Report::WillReboot => vec![Event::BootAnnounced { build, token_ok }],
        Report::Log => vec![Event::ProgressNoted { build, token_ok, word: String::new(), text }],
    }
}

fn word(report: &Report) -> String {
    match report {
        Report::Started => "started".into(),
        Report::Progress { word, .. } => format!("progress/{word}"),
        Report::Built => "built".into(),
        Report::Failed => "failed".into(),
        Report::FirstBoot => "firstboot".into(),
        Report::WillReboot => "will_reboot".into(),
        Report::Log => "log".into(),
    }
}

/// Adds to the build's log and keeps its tail, cut at a character.
fn keep_log(host: &mut Host, text: &str) {
    let Some(build) = host.build.as_mut().filter(|_| !text.trim().is_empty()) else { return };
    build.log.push_str(text);
    if !build.log.ends_with('\n') {
        build.log.push('\n');
    }
    let over = build.log.len().saturating_sub(LOG_BYTES);
    let cut = (over..build.log.len()).find(|at| build.log.is_char_boundary(*at)).unwrap_or(0);
    build.log.drain(..cut);
}

/// The last 400 characters: enough for a journal line.
fn clip(text: &str) -> String {
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(400);
    text.chars().skip(skip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_tail_and_whole_characters() {
        let now = crate::model::Timestamp::UNIX_EPOCH;
        let mut host = Host::new(crate::model::HostId(uuid::Uuid::nil()), "n1".parse().unwrap(), Vec::new(), now);
        keep_log(&mut host, "nobody hears this");
        assert!(host.build.is_none());
        assert_eq!(clip(&"é".repeat(500)).chars().count(), 400);
    }
}
