//! DHCP of a recorded host: its packet is a sign in its boot session, its plan is decided, and lease, session and journal are
//! saved together, on condition that nobody changed the host meanwhile. If somebody did, the lease is taken back and it begins
//! again.

use std::sync::Arc;

use super::{Case, Desk, Probe, said};
use crate::{
    app::{
        Fault, Told,
        draft::Draft,
        house::{Saved, TRIES},
        scene::Scene,
        who::Doubt,
    },
    model::{Actor, DhcpMode, DiskBoot, Firmware, Host, Lease, LoopPolicy, Plan, SessionId, Stage, What},
    rules::{
        boot::DhcpBoot,
        lease::Undo,
        lifecycle::Event,
        loaders::Client,
        offer::{Answer, Silence, Verdict},
        session::{Sign, named},
    },
    store::Writes,
};

impl Desk {
    /// Answers a recorded host.
    pub(super) async fn answer_host(
        &self,
        case: &Case<'_>,
        host: Arc<Host>,
        doubt: Option<Doubt>,
        probe: &dyn Probe,
    ) -> Told<Result<Answer, Silence>> {
        let mut host = host;
        for _ in 0..TRIES {
            let mut draft = Draft::of(&self.house, host.clone(), Actor::Host { mac: Some(case.request().mac), proven: false }, case.now);
            let scene = self.house.scene(host.clone(), Some(case.server), Some(*case.ask.from.ip()))?;
            let boot = self.draft_boot(case, &scene, doubt.as_ref(), &mut draft);
            let verdict = self.probed(case, Some(&host), &boot, probe).await?;
            if let Some(told) = self.keep(case, draft, verdict).await? {
                return Ok(told);
            }
            host = self.house.store.host(host.id)?.unwrap_or(host);
        }
        Err(Fault::Contended(TRIES).into())
    }

    /// Puts the packet into the host's sessions and decides what it may boot.
    fn draft_boot(&self, case: &Case<'_>, scene: &Scene, doubt: Option<&Doubt>, draft: &mut Draft<'_>) -> DhcpBoot {
        let policy = scene.effective().map(|profile| profile.loop_policy).unwrap_or_default();
        let observed = draft.observe(&sign(case), policy);
        doubt.into_iter().for_each(|doubt| draft.doubt(doubt));
        let Client::Netboot(firmware) = case.client else { return super::desk::not_asked() };
        let plan = self.house.plan(&draft.host, doubt, scene, firmware);
        let session = observed.session.or_else(|| named(&draft.host, None).map(|session| session.id));
        let script = script_url(case, firmware, session);
        let boot = self.house.for_dhcp(&plan, &firmware, draft.host.loader.as_ref(), &script);
        self.draft_stage(case, &plan, &boot, draft);
        boot
    }

    /// What the packet means for the build: it asks by DHCP, or it goes to its disk because it is told nothing.
    fn draft_stage(&self, case: &Case<'_>, plan: &Plan, boot: &DhcpBoot, draft: &mut Draft<'_>) {
        // In a network that is not ours nobody hears us: neither is true there.
        if case.network.as_ref().is_none_or(|network| network.dhcp == DhcpMode::Off) {
            return;
        }
        let build = draft.host.build.as_ref().map(|build| (build.id, build.stage));
        let evidence = format!("{} from {}", case.request().kind.word(), case.request().class_text());
        match (plan, boot, build) {
            (Plan::Install, DhcpBoot::Loader { .. } | DhcpBoot::Script { .. }, Some((build, stage))) if stage < Stage::Dhcp => {
                draft.advance(&Event::StageSeen { stage: Stage::Dhcp, evidence, build });
            }
            (Plan::Local { how: DiskBoot::Silence, .. }, _, build) => {
                draft.observe(&Sign::Silenced, LoopPolicy::Warn);
                if let Some((build, Stage::Built)) = build {
                    draft.advance(&Event::StageSeen { stage: Stage::LocalBoot, evidence, build });
                }
            }
            _ => {}
        }
    }

    /// Saves draft, lease and journal together; `None`: somebody changed the host, begin again.
    async fn keep(&self, case: &Case<'_>, mut draft: Draft<'_>, verdict: Verdict) -> Told<Option<Result<Answer, Silence>>> {
        let pen = case.pen().of(&draft.host);
        let (told, lease, undo): (_, _, Option<Undo>) = match verdict {
            Verdict::Silence { why, lease, warning } => {
                draft.facts.extend(self.warn(case, &pen, warning));
                draft.facts.extend(self.remark(case, &pen, &why, false));
                let (lease, undo) = lease.map(|lease| *lease).unzip();
                (Err(why), lease, undo)
            }
            Verdict::Answer(mut answer) => {
                let (lease, undo) = answer.lease.take().unzip();
                draft.facts.push(match &lease {
                    Some(lease) => pen.write(What::Lease { what: "bound".into(), address: lease.address.to_string() }, said(case, &answer.text)),
                    None => pen.write(What::Seen { protocol: "dhcp".into() }, said(case, &answer.text)),
                });
                (Ok(*answer), lease, undo)
            }
        };
        // A session that was only heard of needs a line too: every change of a host has one.
        if draft.facts.is_empty() && draft.host != *draft.seen {
            let text = said(case, "no answer");
            draft.facts.push(pen.write(What::Seen { protocol: "dhcp".into() }, text));
        }
        let saved = self.save(draft, lease).await;
        if let (Err(_) | Ok(Saved::Stale), Some(undo)) = (&saved, undo) {
            self.house.book().undo(undo);
        }
        Ok(match saved? {
            Saved::Done(_) => Some(told),
            Saved::Stale => None,
        })
    }

    async fn save(&self, draft: Draft<'_>, lease: Option<Lease>) -> Result<Saved, Fault> {
        if draft.host == *draft.seen && draft.facts.is_empty() && lease.is_none() {
            return Ok(Saved::Done(Vec::new()));
        }
        let writes = Writes { facts: draft.facts, leases: lease.into_iter().collect(), ..Writes::default() };
        self.house.save(&draft.seen, Some(draft.host), writes).await
    }
}

/// What the packet says about the host's power-on.
fn sign(case: &Case<'_>) -> Sign {
    let renewal = !case.request().ciaddr.is_unspecified();
    match &case.client {
        Client::Netboot(firmware) if firmware.ipxe => Sign::IpxeDhcp { arch: firmware.arch },
        Client::Netboot(firmware) => Sign::FirmwareDhcp { arch: firmware.arch, transport: firmware.transport },
        Client::Installer(class) | Client::System(class) => Sign::OtherDhcp { class: class.clone(), renewal },
    }
}

/// The script's URL with everything that tells who asks; a firmware is never sent to a script, and gets none spelled.
pub(super) fn script_url(case: &Case<'_>, firmware: Firmware, session: Option<SessionId>) -> String {
    if !firmware.ipxe {
        return String::new();
    }
    let request = case.request();
    let mut parts = vec![format!("mac={}", request.mac)];
    parts.extend(request.uuid().map(|uuid| format!("uuid={uuid}")));
    parts.extend(serde_json::to_value(firmware.arch).ok().and_then(|word| Some(format!("arch={}", word.as_str()?))));
    parts.extend(session.map(|session| format!("s={session}")));
    format!("{}/boot.ipxe?{}", case.url, parts.join("&"))
}
