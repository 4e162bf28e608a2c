//! What the daemon would answer to a host now, and why; and what a document would look like. Both change nothing.
//!
//! The same decisions as for real requests, on the same reading of the host, with secrets hidden unless an admin asks.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use serde::Serialize;
use serde_json::json;

use super::{
    Failure, House, Refusal, Told,
    boot::{arch, reason},
    scene::{Pass, Scene, Secrets},
    script::ScriptAsk,
};
use crate::{
    model::{Arch, BuildKind, Firmware, Host, Mac, Network, Plan, Timestamp, Transport},
    rules::{
        boot::DhcpBoot,
        display,
        inherit::{self, Origin},
    },
};

/// What DHCP would offer to one kind of firmware.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DhcpAnswer {
    /// Which firmware, for people.
    pub client: String,
    /// A loader's name, a script's URL, or "nothing".
    pub offer: String,
    /// How it is fetched, or why nothing is offered.
    pub why: String,
}

/// The whole explanation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The host's name.
    pub host: String,
    /// The lifecycle's word.
    pub lifecycle: String,
    /// What is shown to people.
    pub display_state: String,
    /// The build's stage, if there is a build.
    pub stage: Option<String>,
    /// The plan's word.
    pub plan: String,
    /// Why.
    pub reason: String,
    /// By firmware.
    pub dhcp: Vec<DhcpAnswer>,
    /// The script, secrets hidden; or why it does not render.
    pub script: String,
    /// Document name → template, with its hash.
    pub documents: BTreeMap<String, String>,
    /// Every parameter with its origin, secrets hidden.
    pub params: BTreeMap<String, Origin>,
    /// The profile and its ancestors, the oldest first; or why it does not resolve.
    pub profile: String,
    /// The network.
    pub network: Option<String>,
    /// Of a MAC that nobody recorded: what would become of it on each network, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enrolment: Vec<String>,
    /// When something will happen by itself.
    #[schema(value_type = Option<String>)]
    pub next_deadline: Option<Timestamp>,
}

impl House {
    /// What the daemon would answer to this host now.
    pub fn explain(&self, key: &str) -> Told<Explanation> {
        let host = match (self.find(key), key.parse::<Mac>()) {
            (Err(Failure::Refusal(Refusal::Unknown { .. })), Ok(mac)) => return self.explain_stranger(mac),
            (found, _) => found?,
        };
        let scene = self.scene(host.clone(), None, host.address)?;
        let plan = self.plan(&host, None, &scene, Firmware::ipxe(arch(&host, None)));
        Ok(Explanation {
            host: host.name.to_string(),
            lifecycle: host.lifecycle.word().into(),
            display_state: display::display_state(&host).into(),
            stage: host.build.as_ref().map(|build| build.stage.word().into()),
            plan: plan.word().into(),
            reason: reason(&plan),
            dhcp: self.dhcp_answers(&scene),
            script: self.script_preview(&plan, &scene, Secrets::Hidden),
            documents: self.documents(&scene),
            params: inherit::redacted(&scene.params()),
            profile: match scene.profile.as_deref() {
                None => "none".into(),
                Some(Ok(profile)) => profile.chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → "),
                Some(Err(why)) => why.to_string(),
            },
            network: scene.network.as_ref().map(|network| network.name.to_string()),
            enrolment: Vec::new(),
            next_deadline: crate::rules::expiry::next_due(&host, &self.times, self.awake),
        })
    }

    /// What the daemon would answer to a machine that nobody recorded: on the network where it has a lease, else on each.
    fn explain_stranger(&self, mac: Mac) -> Told<Explanation> {
        let settings = self.store.settings()?;
        let lease = self.book().leases(self.now()).into_iter().find(|lease| lease.mac == mac);
        let own = lease.and_then(|lease| settings.networks.get(&lease.network));
        let plan = self.plan_of_stranger(own.map(AsRef::as_ref), Firmware::ipxe(Arch::Unknown));
        let on = |network: &Arc<Network>| Ok(format!("network {}: {}", network.name, self.would_enroll(mac, network)?));
        let enrolment = match own {
            Some(network) => vec![on(network)?],
            None => settings.networks.values().map(on).collect::<Told<_>>()?,
        };
        Ok(Explanation {
            host: mac.to_string(),
            lifecycle: "unknown".into(),
            display_state: "unknown".into(),
            stage: None,
            plan: plan.word().into(),
            reason: match own {
                Some(_) => reason(&plan),
                None => "nobody recorded this machine; what happens is its network's to say, and it has no lease here".to_owned(),
            },
            dhcp: Vec::new(),
            script: String::new(),
            documents: BTreeMap::new(),
            params: BTreeMap::new(),
            profile: "none".into(),
            network: own.map(|network| network.name.to_string()),
            enrolment,
            next_deadline: None,
        })
    }

    /// A document as the host would get it. `secrets` is the caller's to decide: only an admin who asks sees them.
    pub fn preview(&self, key: &str, document: &str, secrets: Secrets) -> Told<String> {
        let host = self.find(key)?;
        let scene = self.scene(host.clone(), None, host.address)?;
        if document == crate::rules::loops::SCRIPT {
            let plan = self.plan(&host, None, &scene, Firmware::ipxe(arch(&host, None)));
            return Ok(self.script_preview(&plan, &scene, secrets));
        }
        let template = scene.effective().and_then(|profile| profile.documents.get(document));
        let template = template.ok_or_else(|| Refusal::Unknown { noun: "document", name: document.to_owned() })?;
        self.preview_template(&scene, template, secrets)
    }

    /// A template with a scene's words and placeholders for the token and, before there is a build, for that too: whoever writes a
    /// template wants to see it before a machine is at stake.
    pub(super) fn preview_template(&self, scene: &Scene, template: &str, secrets: Secrets) -> Told<String> {
        let mut context = scene.context(Pass { token: None, session: None }, secrets);
        if scene.host.build.is_none() {
            context.put("build", &json!({ "id": "BUILD", "kind": BuildKind::Reinstall, "attempt": 1 }));
        }
        Ok(self.templates.catalog().render(template, &context).map_err(Refusal::Template)?)
    }

    fn dhcp_answers(&self, scene: &Scene) -> Vec<DhcpAnswer> {
        let clients = [
            ("BIOS PXE", Firmware::plain(Arch::Bios, Transport::Tftp)),
            ("UEFI x64 PXE", Firmware::plain(Arch::X64, Transport::Tftp)),
            ("UEFI x64 HTTP boot", Firmware::plain(Arch::X64, Transport::Http)),
            ("UEFI arm64 PXE", Firmware::plain(Arch::Arm64, Transport::Tftp)),
            ("iPXE", Firmware::ipxe(Arch::Unknown)),
        ];
        let script = format!("{}/boot.ipxe", scene.url);
        let answer = |(client, firmware): (&str, Firmware)| {
            let plan = self.plan(&scene.host, None, scene, firmware);
            let (offer, why) = match self.for_dhcp(&plan, &firmware, scene.host.loader.as_ref(), &script) {
                DhcpBoot::None { why } => ("nothing".to_owned(), why),
                DhcpBoot::Loader { name, over: Transport::Tftp } => (name, "by TFTP".to_owned()),
                DhcpBoot::Loader { name, over: Transport::Http } => (format!("{}/loader/{name}", scene.url), "by HTTP".to_owned()),
                DhcpBoot::Script { url } => (url, "iPXE fetches its script".to_owned()),
            };
            DhcpAnswer { client: client.into(), offer, why }
        };
        clients.into_iter().map(answer).collect()
    }

    fn script_preview(&self, plan: &Plan, scene: &Scene, secrets: Secrets) -> String {
        let host = &scene.host;
        let ask = ScriptAsk {
            mac: host.macs.first().copied(),
            uuid: None,
            serial: None,
            arch: None,
            session: None,
            peer: host.address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            server: scene.server,
        };
        match self.render_plan(plan, scene, &ask, None, secrets) {
            Ok(text) => hide_token(self, host, &text),
            Err(why) => format!("does not render: {why}"),
        }
    }

    fn documents(&self, scene: &Scene) -> BTreeMap<String, String> {
        let catalog = self.templates.catalog();
        let documents = scene.effective().map(|profile| profile.documents.clone()).unwrap_or_default();
        let told = |template: String| match catalog.hash(&template) {
            Some(hash) => format!("{template} ({})", &hash[..12]),
            None => format!("{template} (there is no such template)"),
        };
        documents.into_iter().map(|(document, template)| (document, told(template))).collect()
    }
}

/// The tokens of an open build and of the live image's run are secrets, and a preview is not the machine.
fn hide_token(house: &House, host: &Arc<Host>, text: &str) -> String {
    let build = host.open_build().map(|build| house.keys.build_token(build.id));
    let live = host.live.as_ref().map(|run| house.keys.live_token(run.id));
    build.iter().chain(&live).fold(text.to_owned(), |text, token| text.replace(token.reveal(), "TOKEN"))
}
