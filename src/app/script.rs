//! The iPXE script: a machine asks what to do, and always gets a valid script, also when the answer is "we cannot say".
//!
//! load (who asks, its surroundings) → decide (session, loops, boot) → render → save (stage, session) → answer. A script is rendered before
//! anything is saved: a stage is never recorded for a script that could not be made.

use std::{net::Ipv4Addr, sync::Arc};

use serde_json::{Value, json};

use super::{
    Failure, House, Refusal, Told,
    boot::{arch, reason},
    draft::Draft,
    house::{Pen, Saved, TRIES},
    pace::Key,
    scene::{Pass, Scene, Secrets},
    who::{Doubt, Who},
};
use crate::{
    model::{Actor, Arch, AutoEnroll, DiskBoot, Firmware, Hold, Host, Mac, Plan, SessionId, SmbiosUuid, Stage, What},
    rules::{
        boot,
        identity::Claim,
        lifecycle::Event,
        loops,
        render::{Catalog, Context},
        session::Sign,
    },
};

/// What a machine says of itself when it asks for its script.
#[derive(Debug, Clone)]
pub struct ScriptAsk {
    /// `mac=`.
    pub mac: Option<Mac>,
    /// `uuid=`.
    pub uuid: Option<SmbiosUuid>,
    /// `serial=`.
    pub serial: Option<String>,
    /// `arch=`.
    pub arch: Option<Arch>,
    /// The session's nonce.
    pub session: Option<SessionId>,
    /// Where it asks from.
    pub peer: Ipv4Addr,
    /// Our address that it asked.
    pub server: Ipv4Addr,
}

/// What it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// A whole iPXE script.
    pub text: String,
    /// What it does, in a word: a plan's word, `unknown` or `fault`.
    pub word: &'static str,
    /// The plan is "not found": the edge answers 404, so that the loader gives up.
    pub not_found: bool,
}

impl House {
    /// The script for whoever asks.
    pub async fn script(&self, ask: &ScriptAsk) -> Script {
        let told = self.script_or_failure(ask).await;
        told.unwrap_or_else(|failure| {
            match &failure {
                Failure::Refusal(Refusal::TooOften) => {
                    self.metrics.connection_refused("boot", Refusal::TooOften.code());
                    tracing::debug!(peer = %ask.peer, mac = ?ask.mac, "a script is asked for too often");
                }
                _ => tracing::error!(peer = %ask.peer, mac = ?ask.mac, why = %failure, "no script could be made"),
            }
            self.excuse(ask, &failure)
        })
    }

    /// For a stranger that did not say its serial number where the network names new machines by it: a script that asks once more, with it.
    /// DHCP carries no serial numbers, so the first question never has one.
    pub fn serial_question(&self, ask: &ScriptAsk) -> Option<String> {
        let settings = self.store.settings().ok()?;
        let network = settings.network_at(ask.peer)?;
        let wanted = network.auto_enroll != AutoEnroll::Off && network.naming.as_deref().is_some_and(|pattern| pattern.contains("{serial}"));
        let asks = wanted && ask.serial.is_none() && matches!(self.identify(ask), Ok(Who::Stranger));
        asks.then(|| crate::rules::render::serial_script(&retry(&self.config.boot_url(network.server.unwrap_or(ask.server)), ask, ask.session)))
    }

    async fn script_or_failure(&self, ask: &ScriptAsk) -> Told<Script> {
        for attempt in 0..TRIES {
            let who = self.identify(ask)?;
            let whose = if let Who::Known(host, _) = &who { Some(host.id) } else { None };
            if attempt == 0 && !self.paces(Key::Script(ask.peer, whose)) {
                return Err(Refusal::TooOften.into());
            }
            let (host, doubt) = match who {
                Who::Stranger => match self.take_in_stranger(ask).await? {
                    Some(host) => (host, None),
                    None => return self.script_for_stranger(ask).await,
                },
                Who::Known(host, doubt) => (host, doubt),
            };
            let scene = self.scene(host.clone(), Some(ask.server), Some(ask.peer))?;
            let actor = Actor::Host { mac: ask.mac, proven: false };
            let mut draft = Draft::of(self, host, actor, scene.now);
            let script = self.tell_script(ask, &scene, doubt.as_ref(), &mut draft);
            if let Saved::Done(_) = draft.save().await? {
                return Ok(script);
            }
        }
        Err(super::Fault::Contended(TRIES).into())
    }

    fn tell_script(&self, ask: &ScriptAsk, scene: &Scene, doubt: Option<&Doubt>, draft: &mut Draft<'_>) -> Script {
        let policy = scene.effective().map(|profile| profile.loop_policy).unwrap_or_default();
        let sign = Sign::Script { session: ask.session, arch: ask.arch };
        let observed = draft.observe_asking(&sign, Some(loops::SCRIPT), policy);
        let session = observed.session;
        doubt.into_iter().for_each(|doubt| draft.doubt(doubt));
        let plan = self.plan(&draft.host, doubt, scene, ipxe(ask, &draft.host, session));
        let scene = scene.with(Arc::new(draft.host.clone()));
        match self.render_plan(&plan, &scene, ask, session, Secrets::Shown) {
            Ok(text) => {
                self.keep_script(&plan, &text, session, draft, scene.now);
                Script { word: plan.word(), not_found: matches!(plan, Plan::Local { how: DiskBoot::NotFound, .. }), text }
            }
            Err(text) => {
                draft.note(What::Refused { why: "script_template".into() }, format!("the script for plan {} does not render: {text}", plan.word()));
                let plan = Plan::Hold { hold: Hold::Fault { text } };
                Script {
                    text: self
                        .render_plan(&plan, &scene, ask, session, Secrets::Shown)
                        .unwrap_or_else(|why| last_resort(&why, &scene.url, ask, session)),
                    word: "fault",
                    not_found: false,
                }
            }
        }
    }

    /// Records what the script that was just rendered means for the host.
    fn keep_script(&self, plan: &Plan, text: &str, session: Option<SessionId>, draft: &mut Draft<'_>, now: crate::model::Timestamp) {
        let sha256 = crate::model::token::sha256_hex(text.as_bytes());
        let said = format!("script for plan {}: {}", plan.word(), reason(plan));
        let evidence = session.map_or_else(|| "script asked for".to_owned(), |session| format!("script asked for by session {session}"));
        let stage = match plan {
            Plan::Install => Some(Stage::IpxeScriptSent),
            Plan::Local { .. } => draft.host.build.as_ref().filter(|build| build.stage == Stage::Built).map(|_| Stage::LocalBoot),
            Plan::Live { .. } | Plan::Hold { .. } | Plan::Wait { .. } | Plan::NoAnswer { .. } => None,
        };
        draft.note(What::Served { document: loops::SCRIPT.into(), sha256, again: false }, said);
        if let (Some(stage), Some(build)) = (stage, draft.host.build.as_ref().map(|build| build.id)) {
            draft.advance(&Event::StageSeen { stage, evidence, build });
        }
        let Some(session) = session else { return };
        draft.host = crate::rules::session::answered(&draft.host, session, plan.word());
        match plan {
            Plan::Install => draft.host = loops::used(&draft.host, session, loops::SCRIPT, now),
            Plan::Local { .. } => self.sent_to_disk(draft, session, now),
            Plan::Live { .. } | Plan::Hold { .. } | Plan::Wait { .. } | Plan::NoAnswer { .. } => {}
        }
    }

    fn sent_to_disk(&self, draft: &mut Draft<'_>, session: SessionId, now: crate::model::Timestamp) {
        let observed = draft.observe(&Sign::SentToDisk { session: Some(session) }, crate::model::LoopPolicy::Warn);
        if observed.advanced.is_none() {
            return;
        }
        if let Some(found) = loops::local_boot(&draft.host, now) {
            draft.advance(&found.event(session));
        }
    }

    /// Renders the template of a plan; an error is one sentence with its place.
    pub(super) fn render_plan(
        &self,
        plan: &Plan,
        scene: &Scene,
        ask: &ScriptAsk,
        session: Option<SessionId>,
        secrets: Secrets,
    ) -> Result<String, String> {
        let token = scene.host.open_build().map(|build| self.keys.build_token(build.id));
        let pass = Pass { token: token.as_ref().filter(|_| *plan == Plan::Install), session };
        let mut context = scene.context(pass, secrets);
        let catalog = self.templates.catalog();
        let words = match plan {
            Plan::Install => self.install_words(&catalog, scene, &context, session)?,
            Plan::Local { how, .. } => json!({ "how": how }),
            Plan::Wait { secs, .. } => json!({ "secs": secs }),
            Plan::Hold { .. } => json!({ "secs": boot::RETRY_SECS }),
            Plan::Live { mode } => self.live_words(&catalog, scene, &context, (*mode, ask.mac, session))?,
            Plan::NoAnswer { .. } => json!({}),
        };
        context.lay(&words);
        context.lay(&common(plan, scene, ask, session));
        let name = match plan {
            Plan::NoAnswer { .. } => "ipxe/hold.ipxe".to_owned(),
            plan => format!("ipxe/{}.ipxe", plan.word()),
        };
        let rendered = catalog.render(&name, &context).map_err(|fault| fault.to_string());
        self.metrics.rendered(if rendered.is_ok() { "ok" } else { "fault" });
        rendered
    }

    fn install_words(&self, catalog: &Catalog, scene: &Scene, context: &Context, session: Option<SessionId>) -> Result<Value, String> {
        let profile = scene.effective().ok_or("the profile does not resolve")?;
        let kernel = profile.kernel.as_ref().ok_or_else(|| format!("profile {} names no kernel", profile.name))?;
        for file in profile.kernel.iter().chain(&profile.initrds) {
            self.artifacts.file(file).map_err(|fault| fault.to_string())?;
        }
        let query = session.map_or_else(String::new, |session| format!("?s={session}"));
        let url = |file: &crate::model::ArtifactRef| format!("{}/artifact/{file}{query}", scene.url);
        let label = format!("args of profile {}", profile.name);
        let written = profile.args.as_deref().unwrap_or("");
        let args = catalog.render_args(&label, written, context).map_err(|fault| fault.to_string())?;
        let initrds: Vec<_> =
            profile.initrds.iter().enumerate().map(|(index, file)| json!({ "name": format!("initrd{index}"), "url": url(file) })).collect();
        let callback = context.text("callback");
        Ok(json!({ "kernel": url(kernel), "args": args.trim(), "initrds": initrds, "progress": format!("{callback}/progress/kernel_initrd_sent") }))
    }

    /// The record that is made of a stranger where its network takes strangers in; with a live image it is registered at once.
    async fn take_in_stranger(&self, ask: &ScriptAsk) -> Told<Option<Arc<Host>>> {
        let settings = self.store.settings()?;
        let Some(network) = settings.network_at(ask.peer) else { return Ok(None) };
        let plan = self.plan_of_stranger(Some(network), Firmware::ipxe(ask.arch.unwrap_or(Arch::Unknown)));
        match (network.auto_enroll, plan) {
            (AutoEnroll::On, Plan::Live { .. }) | (AutoEnroll::Ask, _) => self.enroll(ask, network).await,
            (AutoEnroll::On | AutoEnroll::Off, _) => Ok(None),
        }
    }

    async fn script_for_stranger(&self, ask: &ScriptAsk) -> Told<Script> {
        let settings = self.store.settings()?;
        let network = settings.network_at(ask.peer);
        let firmware = Firmware::ipxe(ask.arch.unwrap_or(Arch::Unknown));
        let plan = self.plan_of_stranger(network.map(AsRef::as_ref), firmware);
        let url = self.config.boot_url(network.and_then(|network| network.server).unwrap_or(ask.server));
        let why = match &plan {
            Plan::Live { .. } => "nobody recorded this machine, and no record was made of it; the journal says why".to_owned(),
            plan => reason(plan),
        };
        let how = if let Plan::Local { how, .. } = &plan { *how } else { boot::disk_boot(None, None, firmware.arch) };
        let context = json!({
            "plan": "unknown", "reason": why, "how": how, "host": { "mac": ask.mac, "name": "unknown" }, "state": "unknown", "stage": "none",
            "server": { "url": url, "address": ask.server, "version": env!("CARGO_PKG_VERSION") }, "secs": boot::RETRY_SECS,
            "time": self.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "page": "bootwright journal", "retry": retry(&url, ask, None), "params": {}, "network": {},
        });
        let text =
            self.templates.catalog().render("ipxe/unknown.ipxe", &context).unwrap_or_else(|fault| last_resort(&fault.to_string(), &url, ask, None));
        let mut pen = Pen::new(Actor::Host { mac: ask.mac, proven: false }, self.now());
        if let Some(mac) = ask.mac {
            pen = pen.mac(mac);
        }
        let fact = pen.write(What::Refused { why: "unknown_host".into() }, format!("a script was asked for by a stranger: {why}"));
        self.record(vec![fact]).await?;
        Ok(Script { text, word: "unknown", not_found: false })
    }

    /// The script of a failure: say so, wait, ask again.
    fn excuse(&self, ask: &ScriptAsk, failure: &Failure) -> Script {
        let url = self.config.boot_url(ask.server);
        let context = json!({
            "plan": "fault", "reason": failure.to_string(), "secs": boot::RETRY_SECS, "retry": retry(&url, ask, ask.session), "page": "bootwright journal", "state": "unknown",
            "stage": "none", "host": { "mac": ask.mac, "name": "unknown" }, "time": self.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "server": { "url": url, "address": ask.server, "version": env!("CARGO_PKG_VERSION") }, "params": {}, "network": {},
        });
        let text = self
            .templates
            .catalog()
            .render("ipxe/fault.ipxe", &context)
            .unwrap_or_else(|fault| last_resort(&fault.to_string(), &url, ask, ask.session));
        Script { text, word: "fault", not_found: false }
    }

    /// Who asks: by its MAC (or whose address it has from us), its board, its serial number; by the session it names if nobody has those.
    fn identify(&self, ask: &ScriptAsk) -> Told<Who> {
        let macs: Vec<Mac> = ask.mac.or_else(|| self.book().holder(ask.peer)).into_iter().collect();
        let claim = Claim { macs: &macs, uuid: ask.uuid, serial: ask.serial.as_deref() };
        Ok(match (self.who(&claim)?, self.of_session(ask.session)?) {
            (Who::Stranger, Some(host)) => Who::Known(host, None),
            (who, _) => who,
        })
    }
}

/// The words that every plan's template has.
fn common(plan: &Plan, scene: &Scene, ask: &ScriptAsk, session: Option<SessionId>) -> Value {
    json!({
        "plan": plan.word(),
        "reason": reason(plan),
        "page": format!("bootwright host show {}", scene.host.name),
        "retry": retry(&scene.url, ask, session),
    })
}

/// The URL of this very script, without a session that was not there: a retry belongs to its own power-on.
fn retry(url: &str, ask: &ScriptAsk, session: Option<SessionId>) -> String {
    let mut parts = Vec::new();
    parts.extend(ask.mac.map(|mac| format!("mac={mac}")));
    parts.extend(ask.uuid.map(|uuid| format!("uuid={uuid}")));
    parts.extend(ask.arch.and_then(|arch| Some(format!("arch={}", serde_json::to_value(arch).ok()?.as_str()?))));
    parts.extend(session.map(|session| format!("s={session}")));
    format!("{url}/boot.ipxe?{}", parts.join("&"))
}

/// The firmware below an iPXE that asks: as its session's DHCP said, or as the URL says.
fn ipxe(ask: &ScriptAsk, host: &Host, session: Option<SessionId>) -> Firmware {
    match arch(host, session) {
        Arch::Unknown => Firmware::ipxe(ask.arch.unwrap_or(Arch::Unknown)),
        known => Firmware::ipxe(known),
    }
}

/// When even the template of faults does not render: a script that waits and asks again, and never falls through to a disk.
fn last_resort(why: &str, url: &str, ask: &ScriptAsk, session: Option<SessionId>) -> String {
    crate::rules::render::fault_script(why, &retry(url, ask, session), boot::RETRY_SECS)
}
