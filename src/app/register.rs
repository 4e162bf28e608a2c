//! The end of a registration: the facts are judged, the machine's identity is completed, the lifecycle moves (T3, T3a, T15), and rules
//! give a host that nobody uses what nobody has set.
//!
//! The caller has proven that the report is this run's. A report without the mandatory facts is a failed registration (T4, T16): the machine
//! boots once more, and the last try says why. Nothing here talks to the agent.

use std::sync::Arc;

use super::{House, Refusal, Told, draft::Draft, who::Doubt};
use crate::{
    model::{Facts, Host, IssueKind, Lifecycle, Network, What},
    rules::{
        assign::{Rules, Trial},
        facts::{self, Identity},
        lifecycle::Event,
    },
    store::Settings,
};

impl House {
    /// Takes a whole report in, whose token the caller has proven.
    pub(super) fn registered(&self, draft: &mut Draft<'_>, facts: Arc<Facts>) -> Told<()> {
        let settings = self.store.settings()?;
        let judged = facts::judge(&facts, draft.host.facts.as_deref());
        if !judged.missing.is_empty() {
            return failed(draft, &facts, &judged.missing);
        }
        let hosts = self.store.hosts()?;
        let others: Vec<&Host> = hosts.iter().map(AsRef::as_ref).collect();
        let identity = facts::identify(&draft.host, &facts, &others);
        let free = draft.host.lifecycle == Lifecycle::Registering;
        let auto_available = free && self.offers_by_itself(&draft.host, &identity, &settings);
        let event = Event::RegisterReport { facts: facts.clone(), token_ok: true, complete: true, changes: judged.changes.clone(), auto_available };
        draft.event(&event).map_err(Refusal::Lifecycle)?;
        if judged.changes.is_empty() {
            draft.host.settle(IssueKind::HardwareChanged);
        }
        self.complete(draft, identity);
        if free {
            assign(draft, &facts, &settings);
        }
        Ok(())
    }

    /// Whether the site offers a machine without asking: never one whose identity is in doubt (as T5).
    fn offers_by_itself(&self, host: &Host, identity: &Identity, settings: &Settings) -> bool {
        let open = host.issues.iter().any(|issue| issue.kind.blocks() && !identity.settled.contains(&issue.kind));
        let wished = self.network_of(host, settings).is_some_and(|network| network.auto_available);
        wished && !open && identity.issues.is_empty()
    }

    /// The network of a host: the recorded one, else the one that its address or lease is of.
    fn network_of(&self, host: &Host, settings: &Settings) -> Option<Arc<Network>> {
        let by_name = host.network.as_ref().and_then(|name| settings.networks.get(name));
        let by_address = || host.address.and_then(|address| settings.network_at(address));
        let by_lease = || {
            let leases = self.book().leases(self.now());
            let own = leases.into_iter().find(|lease| host.macs.contains(&lease.mac))?;
            settings.networks.get(&own.network)
        };
        by_name.or_else(by_address).or_else(by_lease).cloned()
    }

    /// Lays what was learned of the machine's identity over its record.
    fn complete(&self, draft: &mut Draft<'_>, identity: Identity) {
        let Identity { macs, uuid, serial, issues, settled, clashes, learned } = identity;
        (draft.host.macs, draft.host.uuid, draft.host.serial) = (macs, uuid, serial);
        if !learned.is_empty() {
            let text = learned.join("; ");
            draft.note(What::Changed { row: "identity".into(), text: text.clone() }, text);
        }
        for kind in settled {
            if draft.host.issues.iter().any(|issue| issue.kind == kind) {
                draft.host.settle(kind);
                let text = "what the machine shows and what is recorded agree again".to_owned();
                draft.note(What::Changed { row: "identity".into(), text: text.clone() }, text);
            }
        }
        for (issue, text) in issues {
            draft.doubt(&Doubt { issue, text });
        }
        draft.beside.extend(clashes.into_iter().map(|clash| (clash.host, Doubt { issue: clash.kind, text: clash.text })));
    }
}

/// A report that is whole and yet too little: said by its rule, then the run has failed.
fn failed(draft: &mut Draft<'_>, facts: &Facts, missing: &[&str]) -> Told<()> {
    let report =
        Event::RegisterReport { facts: Arc::new(facts.clone()), token_ok: true, complete: false, changes: Vec::new(), auto_available: false };
    draft.advance(&report);
    let troubles = facts.collectors.iter().filter_map(|one| Some(format!("{}: {}", one.name, one.error.as_deref()?)));
    let troubles: Vec<String> = troubles.take(5).collect();
    let because = if troubles.is_empty() { String::new() } else { format!(" ({})", troubles.join("; ")) };
    let text: String = format!("the live image did not find {}{because}", missing.join(", ")).chars().filter(|c| !c.is_control()).take(500).collect();
    draft.event(&Event::RegisterFailed { text, token_ok: true }).map_err(Refusal::Lifecycle)?;
    Ok(())
}

/// Gives the host what the rules have for it, each with its rule in the journal.
fn assign(draft: &mut Draft<'_>, facts: &Facts, settings: &Settings) {
    let Trial { gives, unjudged, .. } = Rules::new(settings.rules.values().cloned()).assign(&mut draft.host, facts);
    for given in gives {
        let text = match given.value {
            serde_json::Value::String(value) => format!("{} {value} by rule {}", given.field, given.rule),
            value => format!("{} {value} by rule {}", given.field, given.rule),
        };
        draft.note(What::Changed { row: "rule".into(), text: text.clone() }, text);
    }
    for one in unjudged {
        draft.note(What::Warning { word: "rule_unjudged".into() }, format!("{} It gave nothing.", one.text));
    }
}
