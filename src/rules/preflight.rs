//! The preflight of *enable build*: everything that would stop the machine half-way, said before it starts.
//!
//! The facts are gathered by the story (rendering, the artifact shelf, leases, loaders); the verdict is pure. An error refuses
//! the build unless it may be overridden and the operator says `force`; a warning is only shown. Whether the lifecycle allows a
//! build at all is `rules::lifecycle`.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::model::{Arch, ArtifactRef, DhcpMode, Host, Method, Network, Severity, TemplateFault};

use super::inherit::{self, Effective};

/// How far two clocks may differ before certificates and tokens suffer.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What the story found out.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The host.
    pub host: &'a Host,
    /// How the system comes to the disk; an image needs no boot files.
    pub method: Method,
    /// Its profile with what it inherits; `Err(None)` if no profile is named anywhere.
    pub profile: Result<&'a Effective, Option<&'a inherit::Why>>,
    /// Its network, if one is named or known.
    pub network: Option<&'a Network>,
    /// Documents (or `kernel arguments`) that do not render.
    pub broken: &'a [(String, TemplateFault)],
    /// Documents whose template does not exist.
    pub absent: &'a [(String, String)],
    /// Of kernel, initrds and needs: those that are not on the shelf.
    pub missing: &'a [ArtifactRef],
    /// The architecture the host last booted with, where known.
    pub arch: Option<Arch>,
    /// Why there is no loader for that architecture, or for none at all.
    pub no_loader: Option<&'a str>,
    /// Who else has the host's reserved address: a host's name or a MAC.
    pub address_in_use: Option<&'a str>,
    /// The host's clock less ours, as far as its requests showed it.
    pub clock_skew: Option<SignedDuration>,
    /// Whether any answer file calls back: without a callback the build never ends.
    pub calls_back: bool,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// The stable word.
    pub code: String,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, one sentence.
    pub text: String,
    /// What to do.
    pub hint: String,
    /// Whether `force` goes on in spite of it.
    pub overridable: bool,
}

impl Finding {
    fn error(code: &str, text: String, hint: &str) -> Self {
        Self { code: code.to_owned(), severity: Severity::Error, text, hint: hint.to_owned(), overridable: false }
    }

    fn warning(code: &str, text: String, hint: &str) -> Self {
        Self { severity: Severity::Warning, overridable: true, ..Self::error(code, text, hint) }
    }

    fn overridable(self) -> Self {
        Self { overridable: true, ..self }
    }
}

/// Every finding, errors first.
pub fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    identity(facts, &mut all);
    profile(facts, &mut all);
    documents(facts, &mut all);
    if facts.method == Method::Pxe {
        files(facts, &mut all);
        network(facts, &mut all);
        loader(facts, &mut all);
    }
    address(facts, &mut all);
    clock(facts, &mut all);
    all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    all
}

/// Whether the build may start.
pub fn passes(findings: &[Finding], force: bool) -> bool {
    findings.iter().all(|finding| finding.severity == Severity::Warning || (force && finding.overridable))
}

fn identity(facts: &Facts<'_>, all: &mut Vec<Finding>) {
    if facts.host.macs.is_empty() {
        let text = format!("{} has no MAC address, so nothing on the wire can be recognised as it.", facts.host.name);
        all.push(Finding::error("no_mac", text, "Add one: bootwright host edit NAME --mac MAC."));
    }
}

fn profile(facts: &Facts<'_>, all: &mut Vec<Finding>) {
    match facts.profile {
        Err(None) => {
            let text = format!("{} has no profile, and neither the request nor its network names one.", facts.host.name);
            all.push(Finding::error("no_profile", text, "Name one: --profile PROFILE, or set it on the host."));
        }
        Err(Some(why)) => all.push(Finding::error(why.code(), format!("{why}."), "Mend the profiles: bootwright profile list.")),
        Ok(profile) => {
            if facts.method == Method::Pxe && profile.kernel.is_none() {
                let text = format!("Profile {} names no kernel.", profile.name);
                all.push(Finding::error("no_kernel", text, "Set its kernel: NAME/VERSION/PATH of an imported artifact."));
            }
            if profile.documents.is_empty() {
                let text = format!("Profile {} serves no document, so the installer would ask a person.", profile.name);
                all.push(Finding::warning("no_documents", text, "Add its answer file under documents."));
            } else if !facts.calls_back {
                let text = format!("No document of profile {} calls back when it is done, so the build would end by its deadline.", profile.name);
                all.push(Finding::warning("no_callback", text, "Include the callback snippet, or POST to {{ callback }}/built at the end."));
            }
            all.extend(mixed(profile));
            all.extend(half_a_seed(profile));
        }
    }
}

/// cloud-init's NoCloud takes a seed only with both files; without `meta-data` it ignores the other and asks a person.
fn half_a_seed(profile: &Effective) -> Option<Finding> {
    let has = |document: &str| profile.documents.contains_key(document);
    (has("user-data") && !has("meta-data")).then(|| {
        let text = format!("Profile {} serves user-data without meta-data, so cloud-init takes neither.", profile.name);
        Finding::warning("no_meta_data", text, "Add meta-data: autoinstall/meta-data to its documents.")
    })
}

/// Kernel and initrd of different versions start, and fail in ways that nobody understands.
fn mixed(profile: &Effective) -> Option<Finding> {
    let kernel = profile.kernel.as_ref()?;
    let other = profile.initrds.iter().find(|initrd| initrd.name == kernel.name && initrd.version != kernel.version)?;
    let text = format!("Kernel {kernel} and initrd {other} are of different versions.");
    Some(Finding::warning("mixed_versions", text, "Take both from one version; a parent profile may have set the other one."))
}

fn documents(facts: &Facts<'_>, all: &mut Vec<Finding>) {
    for (document, template) in facts.absent {
        let text = format!("Document {document} wants template {template}, which does not exist.");
        all.push(Finding::error("template_missing", text, "See bootwright template list."));
    }
    for (document, fault) in facts.broken {
        let text = format!("Document {document} does not render: {}:{}:{}: {}", fault.template, fault.line, fault.column, fault.message);
        let hint = if fault.hint.is_empty() { "See bootwright template preview HOST DOCUMENT." } else { &fault.hint };
        all.push(Finding::error("template_fault", text, hint));
    }
}

fn files(facts: &Facts<'_>, all: &mut Vec<Finding>) {
    let Ok(profile) = facts.profile else { return };
    for artifact in facts.missing {
        let boots = profile.kernel.as_ref() == Some(artifact) || profile.initrds.contains(artifact);
        let hint = "Import it: bootwright artifact import NAME VERSION FILE….";
        all.push(if boots {
            Finding::error("artifact_missing", format!("{artifact} is not on the shelf; the machine boots with it."), hint)
        } else {
            // An installer may fetch it from a mirror after all.
            Finding::error("artifact_missing", format!("{artifact} is not on the shelf; the installer fetches it."), hint).overridable()
        });
    }
}

fn network(facts: &Facts<'_>, all: &mut Vec<Finding>) {
    match facts.network {
        None => {
            let text = format!("It is not known on which network {} boots.", facts.host.name);
            all.push(Finding::warning("no_network", text, "Name it on the host, so that its address and options are known."));
        }
        Some(network) if network.dhcp == DhcpMode::Off => {
            let text = format!("DHCP is off on network {}; another server has to send the machine here.", network.name);
            all.push(Finding::warning("dhcp_off", text, "Set up that server: bootwright network snippet NETWORK --for dnsmasq|kea|isc."));
        }
        Some(network) if network.dhcp == DhcpMode::Full && network.pools.is_empty() && facts.host.address.is_none() => {
            let text = format!("Network {} has no pool, and {} has no address reserved.", network.name, facts.host.name);
            all.push(Finding::error("no_address", text, "Add a pool to the network or an address to the host."));
        }
        Some(_) => {}
    }
}

fn loader(facts: &Facts<'_>, all: &mut Vec<Finding>) {
    let Some(why) = facts.no_loader else { return };
    let hint = "See bootwright check for what to install.";
    match facts.arch {
        Some(_) => all.push(Finding::error("no_loader", format!("There is no loader for this machine: {why}."), hint).overridable()),
        None => all.push(Finding::warning("no_loader", format!("There may be no loader for this machine: {why}."), hint)),
    }
}

fn address(facts: &Facts<'_>, all: &mut Vec<Finding>) {
    let Some(address) = facts.host.address else { return };
    if let Some(network) = facts.network
        && !network.subnet.contains(&address)
    {
        let text = format!("The reserved address {address} is not in network {} ({}).", network.name, network.subnet);
        all.push(Finding::error("address_outside", text, "Correct the host's address or its network."));
    }
    if let Some(who) = facts.address_in_use {
        let text = format!("The reserved address {address} is in use by {who}.");
        all.push(Finding::error("address_in_use", text, "Wait until that lease ends, release it, or choose another address.").overridable());
    }
}

fn clock(facts: &Facts<'_>, all: &mut Vec<Finding>) {
    if let Some(skew) = facts.clock_skew.filter(|skew| skew.abs() > SKEW) {
        let text = format!("The machine's clock is {} s off from this server's.", skew.as_secs());
        all.push(Finding::warning("clock_skew", text, "Give the network an ntp server, or set the machine's clock."));
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::model::{HostId, Name, Profile, Timestamp};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn effective(json: serde_json::Value) -> Effective {
        let profile: Profile = serde_json::from_value(json).unwrap();
        inherit::profile(&profile.name.clone(), &BTreeMap::from([(profile.name.clone(), Arc::new(profile))])).unwrap()
    }

    fn good_profile() -> Effective {
        effective(serde_json::json!({"name": "d12", "kernel": "d/1/linux", "initrds": ["d/1/initrd.gz"], "needs": ["d/1/iso"],
            "documents": {"preseed.cfg": "preseed/debian.cfg"}}))
    }

    fn network(extra: serde_json::Value) -> Network {
        let mut json =
            serde_json::json!({"name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "pools": [{"first": "10.77.0.100", "last": "10.77.0.200"}]});
        json.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    fn host() -> Host {
        Host::new(HostId(uuid::Uuid::nil()), "n1".parse().unwrap(), vec!["52:54:00:00:00:01".parse().unwrap()], Timestamp::UNIX_EPOCH)
    }

    fn sound<'a>(host: &'a Host, profile: &'a Effective, network: &'a Network) -> Facts<'a> {
        Facts {
            host,
            method: Method::Pxe,
            profile: Ok(profile),
            network: Some(network),
            broken: &[],
            absent: &[],
            missing: &[],
            arch: Some(Arch::X64),
            no_loader: None,
            address_in_use: None,
            clock_skew: None,
            calls_back: true,
        }
    }

    /// What one change to sound facts leads to: `!` marks an error, `~` one that may be overridden.
    #[track_caller]
    fn check(change: impl Fn(&mut Facts<'_>), want: &str) {
        let (host, profile, network) = (host(), good_profile(), network(serde_json::json!({})));
        let mut facts = sound(&host, &profile, &network);
        change(&mut facts);
        verdict(&facts, want);
    }

    #[track_caller]
    fn verdict(facts: &Facts<'_>, want: &str) {
        let all = findings(facts);
        let mark = |one: &Finding| match (one.severity, one.overridable) {
            (Severity::Warning, _) => one.code.clone(),
            (Severity::Error, true) => format!("~{}", one.code),
            (Severity::Error, false) => format!("!{}", one.code),
        };
        assert_eq!(all.iter().map(mark).collect::<Vec<_>>().join(" "), want);
        assert!(all.iter().all(|one| !one.text.is_empty() && !one.hint.is_empty()));
        assert_eq!(passes(&all, false), !want.contains(['!', '~']), "without force");
        assert_eq!(passes(&all, true), !want.contains('!'), "with force");
    }

    fn template_fault() -> TemplateFault {
        let (template, message) = ("preseed/debian.cfg".to_owned(), "x is undefined".to_owned());
        TemplateFault { template, line: 3, column: 7, rule: "undefined".to_owned(), message, hint: String::new() }
    }

    #[test]
    fn sound_facts_have_no_findings() {
        check(|_| {}, "");
    }

    #[test]
    fn what_is_missing_is_named() {
        check(|facts| facts.profile = Err(None), "!no_profile");
        check(|facts| facts.network = None, "no_network");
        check(|facts| facts.calls_back = false, "no_callback");
        check(|facts| facts.no_loader = Some("no snponly.efi"), "~no_loader");
        check(|facts| (facts.no_loader, facts.arch) = (Some("no snponly.efi"), None), "no_loader");
    }

    #[test]
    fn a_profile_that_does_not_resolve_says_why() {
        let why = inherit::Why::Unknown(name("d12"));
        let (host, network) = (host(), network(serde_json::json!({})));
        let profile = good_profile();
        verdict(&Facts { profile: Err(Some(&why)), ..sound(&host, &profile, &network) }, "!profile_unknown");
    }

    #[test]
    fn boot_files_are_needed_and_other_artifacts_may_be_overridden() {
        let missing: Vec<ArtifactRef> = vec!["d/1/iso".parse().unwrap(), "d/1/linux".parse().unwrap()];
        let (host, profile, network) = (host(), good_profile(), network(serde_json::json!({})));
        let facts = Facts { missing: &missing, ..sound(&host, &profile, &network) };
        verdict(&facts, "~artifact_missing !artifact_missing");
        verdict(&Facts { method: Method::Image, ..facts }, "");
    }

    #[test]
    fn a_template_that_does_not_render_is_shown_with_its_place() {
        let broken = [("preseed.cfg".to_owned(), template_fault())];
        let absent = [("user-data".to_owned(), "autoinstall/x".to_owned())];
        let (host, profile, network) = (host(), good_profile(), network(serde_json::json!({})));
        let facts = Facts { broken: &broken, absent: &absent, ..sound(&host, &profile, &network) };
        verdict(&facts, "!template_missing !template_fault");
        assert!(findings(&facts)[1].text.contains("preseed/debian.cfg:3:7: x is undefined"));
    }

    #[test]
    fn a_profile_without_kernel_or_documents_cannot_install_by_itself() {
        let (host, network) = (host(), network(serde_json::json!({})));
        verdict(&sound(&host, &effective(serde_json::json!({"name": "bare"})), &network), "!no_kernel no_documents");
        let mixed = effective(serde_json::json!({"name": "m", "kernel": "d/1/linux", "initrds": ["d/2/i"], "documents": {"a": "b"}}));
        verdict(&sound(&host, &mixed, &network), "mixed_versions");
        let seed = effective(serde_json::json!({"name": "u", "kernel": "d/1/linux", "initrds": ["d/1/i"], "documents": {"user-data": "b"}}));
        verdict(&sound(&host, &seed, &network), "no_meta_data");
    }

    #[test]
    fn a_reserved_address_must_be_its_network_s_and_free() {
        let (mut host, profile, network) = (host(), good_profile(), network(serde_json::json!({})));
        host.address = Some([10, 78, 0, 5].into());
        verdict(&sound(&host, &profile, &network), "!address_outside");
        host.address = Some([10, 77, 0, 5].into());
        verdict(&Facts { address_in_use: Some("n2"), ..sound(&host, &profile, &network) }, "~address_in_use");
    }

    #[test]
    fn a_network_that_cannot_give_an_address_is_found() {
        let (mut host, profile) = (host(), good_profile());
        verdict(&sound(&host, &profile, &network(serde_json::json!({"dhcp": "off"}))), "dhcp_off");
        verdict(&sound(&host, &profile, &network(serde_json::json!({"pools": []}))), "!no_address");
        host.address = Some([10, 77, 0, 5].into());
        verdict(&sound(&host, &profile, &network(serde_json::json!({"pools": []}))), "");
        host.macs.clear();
        verdict(&sound(&host, &profile, &network(serde_json::json!({}))), "!no_mac");
    }

    #[test]
    fn a_clock_that_is_far_off_is_mentioned() {
        check(|facts| facts.clock_skew = Some(SignedDuration::from_secs(-301)), "clock_skew");
        check(|facts| facts.clock_skew = Some(SignedDuration::from_secs(300)), "");
    }
}
