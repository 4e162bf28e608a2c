//! The live image's agent: it says hello, goes on saying that it lives, and reports what it found or did.
//!
//! load (whose token) → decide (`rules::agent`, then the lifecycle) → save → answer. What was taken is durable before it is answered, and
//! the same word again changes nothing. A machine that is not the run's host is never given a wipe plan. What a report's facts or results
//! come to is `register`'s and `wipe`'s.

use std::sync::Arc;

use super::{
    House, Refusal, Told,
    draft::Draft,
    pace::Key,
    who::{Doubt, Who},
    wipe::WipeReport,
};
use crate::{
    model::{Actor, Crew, Host, IssueKind, LiveMode, Token, What},
    rules::{
        agent::{self, Denied, Order, Verdict},
        identity::Claim,
        lifecycle::Event,
    },
    wire::agent::{Action, Content, HEARTBEAT_SECS, Heartbeat, Hello, PROTOCOL, Reply, Report},
};

/// Whoever waits in the live image is heard for ever, and what is written down of a host is kept as long as the host: its contact is, once
/// in so many seconds.
const WAITING_CONTACT_SECS: u64 = 3_600;

/// The agent speaks with its run's token.
const AGENT: Actor = Actor::Host { mac: None, proven: true };

impl House {
    /// What the run of this token is for, before a byte of its agent's body is kept: nobody without one is heard, and none too often.
    pub fn hears_agent(&self, token: &Token) -> Told<LiveMode> {
        let host = self.of_agent(token)?;
        if !self.paces(Key::AgentBody(host.id)) {
            return Err(Refusal::TooOften.into());
        }
        Ok(host.live.as_ref().map_or(LiveMode::Register, |run| run.mode))
    }

    /// The agent's first word.
    pub async fn agent_hello(&self, token: &Token, hello: &Hello) -> Told<Reply> {
        self.calm(token, Key::Agent)?;
        self.draft(&AGENT, |house| house.of_agent(token), |draft| self.greet(draft, hello)).await
    }

    /// The agent is still there.
    pub async fn agent_heartbeat(&self, token: &Token, beat: &Heartbeat) -> Told<Reply> {
        self.calm(token, Key::Agent)?;
        self.draft(&AGENT, |house| house.of_agent(token), |draft| self.feel(draft, beat)).await
    }

    /// What the agent found or did.
    pub async fn agent_report(&self, token: &Token, report: &Report) -> Told<Reply> {
        self.calm(token, Key::Findings)?;
        self.draft(&AGENT, |house| house.of_agent(token), |draft| self.take_in(draft, report)).await
    }

    fn of_agent(&self, token: &Token) -> Told<Arc<Host>> {
        let host = self.store.host_by_live(&token.hash())?;
        host.ok_or_else(|| Refusal::Unknown { noun: "token", name: "…".into() }.into())
    }

    fn calm(&self, token: &Token, key: fn(crate::model::HostId) -> Key) -> Told<()> {
        if self.paces(key(self.of_agent(token)?.id)) { Ok(()) } else { Err(Refusal::TooOften.into()) }
    }

    fn greet(&self, draft: &mut Draft<'_>, hello: &Hello) -> Told<Reply> {
        let now = self.now();
        match agent::hello(&draft.host, hello.mode, hello.session, now) {
            Verdict::Take => {
                self.recognise(draft, hello)?;
                let crew = Crew { agent: hello.agent.clone(), image: hello.image.clone() };
                draft.event(&Event::AgentHello { token_ok: true, session: hello.session, crew }).map_err(Refusal::Lifecycle)?;
                // An earlier try's report is over: what comes now is this one's.
                if let Some(run) = draft.host.live.as_mut().filter(|run| run.is_open()) {
                    run.report = None;
                }
                reply(&draft.host, agent::order(&draft.host))
            }
            Verdict::Say(order) | Verdict::Late(order) => {
                if order.action == Action::Clean {
                    self.recognise(draft, hello)?;
                }
                reply(&draft.host, order)
            }
            Verdict::No(denied) => Err(self.denied(draft, denied).into()),
        }
    }

    /// Weighs what the hello shows against the run's host. A contradiction is an issue, and the end of a wipe before it began.
    fn recognise(&self, draft: &mut Draft<'_>, hello: &Hello) -> Told<()> {
        let claim = Claim { macs: &hello.macs, uuid: hello.uuid, serial: None };
        let shows = !hello.macs.is_empty() || hello.uuid.is_some();
        let doubt = match self.who(&claim)? {
            Who::Known(_, Some(doubt)) => Some(doubt),
            Who::Known(found, None) => agent::contradiction(&draft.host, Some((found.id, found.name.as_ref())), shows).map(mismatch),
            Who::Stranger => agent::contradiction(&draft.host, None, shows).map(mismatch),
        };
        let Some(doubt) = doubt else { return Ok(()) };
        draft.doubt(&doubt);
        match hello.mode {
            LiveMode::Register => Ok(()),
            LiveMode::Clean => Err(self.denied(draft, Denied::Identity { text: doubt.text }).into()),
        }
    }

    fn feel(&self, draft: &mut Draft<'_>, beat: &Heartbeat) -> Told<Reply> {
        let now = self.now();
        match agent::heartbeat(&draft.host, beat.session, now) {
            Verdict::Take => {
                if agent::is_news(&draft.host, &beat.progress, now) {
                    let event = Event::AgentHeartbeat { token_ok: true, progress: beat.progress.clone() };
                    draft.event(&event).map_err(Refusal::Lifecycle)?;
                }
                reply(&draft.host, Order { action: Action::Continue, reason: String::new() })
            }
            Verdict::Say(order) | Verdict::Late(order) => {
                if agent::is_quiet(&draft.host, WAITING_CONTACT_SECS, now) {
                    draft.advance(&Event::Contact { tested: false, booted: false });
                }
                reply(&draft.host, order)
            }
            // No line in the journal: it comes again every half minute for as long as the machine is on.
            Verdict::No(denied) => Err(Refusal::Agent(denied).into()),
        }
    }

    fn take_in(&self, draft: &mut Draft<'_>, report: &Report) -> Told<Reply> {
        match agent::report(&draft.host, report.session, &report.report_id, &report.content, self.now()) {
            Verdict::Take => {
                let order = self.settle(draft, report)?;
                reply(&draft.host, order)
            }
            Verdict::Say(order) => reply(&draft.host, order),
            Verdict::Late(order) => {
                draft.note(
                    What::Refused { why: "report_late".into() },
                    format!("a report of the live image ({}) came too late", word(&report.content)),
                );
                reply(&draft.host, order)
            }
            Verdict::No(denied) => Err(self.denied(draft, denied).into()),
        }
    }

    /// What a report that counts comes to.
    fn settle(&self, draft: &mut Draft<'_>, report: &Report) -> Told<Order> {
        match &report.content {
            Content::Partial { facts } => {
                let event = Event::RegisterPartial { facts: facts.clone(), token_ok: true };
                draft.event(&event).map_err(Refusal::Lifecycle)?;
                return Ok(Order { action: Action::Continue, reason: "Kept; the rest is waited for.".to_owned() });
            }
            Content::Facts { facts } => self.registered(draft, facts.clone())?,
            Content::Wipe { plan_hash, results, tools, error } => {
                let (plan_hash, results, tools, error) = (plan_hash.clone(), results.clone(), tools.clone(), error.clone());
                self.wiped(draft, &WipeReport { plan_hash, results, tools, error })?;
            }
            Content::Failed { text } => self.give_up(draft, text)?,
        }
        if let Some(run) = draft.host.live.as_mut() {
            run.report = Some(report.report_id.clone());
        }
        Ok(agent::after_report(&draft.host))
    }

    /// It could not do its work: the next try of a registration, or a failed wipe with a certificate that says so of every disk.
    fn give_up(&self, draft: &mut Draft<'_>, text: &str) -> Told<()> {
        let run = draft.host.live.as_ref().filter(|run| run.mode == LiveMode::Clean);
        if let Some(plan_hash) = run.and_then(|run| run.plan_hash.clone()) {
            let report = WipeReport { plan_hash, results: Vec::new(), tools: Vec::new(), error: Some(text.to_owned()) };
            return self.wiped(draft, &report);
        }
        draft.event(&Event::RegisterFailed { text: text.to_owned(), token_ok: true }).map_err(Refusal::Lifecycle)?;
        Ok(())
    }

    /// A "no" with its line in the journal.
    fn denied(&self, draft: &mut Draft<'_>, denied: Denied) -> Refusal {
        draft.note(What::Refused { why: denied.code().into() }, format!("the live image's agent: {denied}"));
        Refusal::Agent(denied)
    }
}

fn mismatch(text: String) -> Doubt {
    Doubt { issue: IssueKind::UuidMismatch, text }
}

/// The answer; with the plan where it is to be carried out, and only if it still is the one that was confirmed.
fn reply(host: &Host, order: Order) -> Told<Reply> {
    let Order { action, reason } = order;
    let mut reply =
        Reply { protocol: PROTOCOL, action, host: host.name.to_string(), reason, heartbeat_secs: HEARTBEAT_SECS, plan: None, plan_hash: None };
    if action == Action::Clean {
        let plan = host.live.as_ref().and_then(agent::confirmed_plan).ok_or(Refusal::Agent(Denied::Plan))?;
        (reply.plan, reply.plan_hash) = (Some(plan.text()), Some(plan.hash()));
    }
    Ok(reply)
}

const fn word(content: &Content) -> &'static str {
    match content {
        Content::Partial { .. } => "some facts",
        Content::Facts { .. } => "facts",
        Content::Wipe { .. } => "the results of a wipe",
        Content::Failed { .. } => "a failure",
    }
}
