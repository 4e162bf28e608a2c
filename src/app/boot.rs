//! The boot decision as every protocol asks for it: DHCP offers, loaders, scripts, kernels and documents all come through here, and
//! nowhere else do the stories ask `rules::boot`.
//!
//! Deciding changes nothing; what the answer looks like on the wire is the asking story's.

use super::{House, Refusal, live::Found, scene::Scene, who::Doubt};
use crate::{
    model::{Arch, Firmware, Host, Name, Network, Plan, SessionId},
    rules::{
        boot::{self, DhcpBoot},
        loaders, session,
    },
};

impl House {
    /// What a recorded host, as drafted, is to do now.
    pub(super) fn plan(&self, host: &Host, doubt: Option<&Doubt>, scene: &Scene, firmware: Firmware) -> Plan {
        let image = self.live_image();
        boot::decide(&boot::Facts {
            host: Some(host),
            doubt: doubt.map(|doubt| doubt.text.as_str()),
            profile: scene.effective(),
            network: scene.network.as_deref(),
            firmware,
            live_image: has(&image),
            now: scene.now,
        })
    }

    /// What a machine that nobody recorded is to do now, on this network.
    pub(super) fn plan_of_stranger(&self, network: Option<&Network>, firmware: Firmware) -> Plan {
        let image = self.live_image();
        boot::decide(&boot::Facts { host: None, doubt: None, profile: None, network, firmware, live_image: has(&image), now: self.now() })
    }

    /// Whether the decision is to install, for everything that only an installer may have.
    pub(super) fn admits(&self, host: &Host, scene: &Scene, session: Option<SessionId>) -> Result<(), Refusal> {
        let plan = self.plan(host, None, scene, Firmware::ipxe(arch(host, session)));
        if plan == Plan::Install { Ok(()) } else { Err(Refusal::Closed(reason(&plan))) }
    }

    /// What DHCP offers for a plan, with the loaders that are really there: the host's own (`asked`) or the firmware table's.
    pub(super) fn for_dhcp(&self, plan: &Plan, firmware: &Firmware, asked: Option<&Name>, script: &str) -> DhcpBoot {
        let loader = loaders::choose(firmware.arch, asked.map(AsRef::as_ref), &|name| self.loaders.has(name));
        let why = loader.as_ref().err().map(ToString::to_string).unwrap_or_default();
        boot::for_dhcp(plan, firmware, &boot::Ways { loader: loader.map_err(|_| why.as_str()), script })
    }
}

fn has(image: &Found) -> Result<(), &str> {
    image.as_ref().map(drop).map_err(AsRef::as_ref)
}

/// The architecture that a boot session's DHCP told: of the one that is named, else of the newest.
pub(super) fn arch(host: &Host, named: Option<SessionId>) -> Arch {
    session::named(host, named).map_or(Arch::Unknown, |session| session.arch)
}

/// Why a plan is what it is, in a sentence.
pub fn reason(plan: &Plan) -> String {
    match plan {
        Plan::Install => "a build is open".to_owned(),
        Plan::Live { mode } => format!("live image, mode {mode:?}").to_lowercase(),
        Plan::Hold { hold } => hold.text().to_owned(),
        Plan::Local { why, .. } | Plan::Wait { why, .. } | Plan::NoAnswer { why } => why.clone(),
    }
}
