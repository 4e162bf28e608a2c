//! Builds: enabled after a preflight, retried, rearmed, cancelled. The one door to an installation.
//!
//! Enabling is edge-triggered: a second call names the open build, the same idempotency key answers the same one. The build is decided first, on
//! a draft, then everything it would serve is rendered and looked for; only then is it real.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    House, Refusal, Told,
    answer::{invalid, is_version},
    draft::Draft,
};
use crate::{
    model::{Actor, Build, BuildId, BuildKind, Host, Method, Name, What},
    rules::{
        inherit,
        lifecycle::{Event, NewBuild},
        loops,
        preflight::{self, Finding},
    },
};

/// What an operator asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BuildAsk {
    /// Install, rebuild or reinstall; left out, the host's state says which.
    pub kind: Option<BuildKind>,
    /// Another profile than the host's.
    #[schema(value_type = Option<String>)]
    pub profile: Option<Name>,
    /// The host's name, typed again; needed for a used host.
    pub confirm: Option<String>,
    /// Whether what the preflight says may be overridden, is.
    pub force: bool,
    /// Whether the host is in service only after its local boot.
    pub strict: bool,
    /// How the system comes to the disk.
    pub method: Method,
}

/// A build and what the preflight had to say.
#[derive(Debug, Clone)]
pub struct Enabled {
    /// The build.
    pub build: Build,
    /// Warnings, and obstacles that were overridden.
    pub findings: Vec<Finding>,
    /// Whether this call opened it; otherwise the same key did before.
    pub fresh: bool,
}

impl House {
    /// Opens a build (T9, T13; T24 for a host whose build failed is [`House::retry_build`]).
    pub async fn enable_build(&self, actor: &Actor, key: &str, version: Option<u64>, ask: &BuildAsk, idempotency: Option<&str>) -> Told<Enabled> {
        if let Some(enabled) = self.asked_before(key, idempotency).await? {
            return Ok(enabled);
        }
        self.open_build(actor, key, version, ask, idempotency, |build, confirm| Event::EnableBuild { build: Box::new(build), confirm }).await
    }

    /// Opens a new build of the same kind after one that failed (T24).
    pub async fn retry_build(&self, actor: &Actor, id: BuildId, ask: &BuildAsk) -> Told<Enabled> {
        let host = self.host_of(id)?;
        let ask = BuildAsk { profile: ask.profile.clone().or_else(|| host.build.as_ref().map(|build| build.profile.clone())), ..ask.clone() };
        self.open_build(actor, &host.id.to_string(), None, &ask, None, |build, _| Event::RetryBuild(Box::new(build))).await
    }

    /// Cancels an open build (T12).
    pub async fn cancel_build(&self, actor: &Actor, id: BuildId) -> Told<Build> {
        self.move_build(actor, id, Event::CancelBuild { build: Some(id) }).await
    }

    /// Forgets the loops of an open build and what it used: the next boot is the first again.
    pub async fn rearm_build(&self, actor: &Actor, id: BuildId) -> Told<Build> {
        let find = |house: &Self| house.host_of(id);
        self.draft(actor, find, |draft| {
            let moved = draft.event(&Event::RearmBuild { build: Some(id) }).map_err(Refusal::Lifecycle)?;
            draft.host = loops::rearm(&draft.host);
            if !moved {
                // Nothing was counted yet, but what sessions remember is forgotten all the same.
                draft.note(
                    What::Changed { row: "rearm".into(), text: "sessions forgotten".into() },
                    "the build was rearmed before anything was counted",
                );
            }
            Ok(())
        })
        .await?;
        Ok(self.build(id).await?.1)
    }

    async fn move_build(&self, actor: &Actor, id: BuildId, event: Event) -> Told<Build> {
        let find = |house: &Self| house.host_of(id);
        self.draft(actor, find, |draft| Ok(draft.event(&event).map(drop).map_err(Refusal::Lifecycle)?)).await?;
        Ok(self.build(id).await?.1)
    }

    /// The host whose newest build this is: an older one has no verbs.
    fn host_of(&self, id: BuildId) -> Told<Arc<Host>> {
        self.store.host_by_build(id)?.ok_or_else(|| Refusal::Unknown { noun: "present build", name: id.to_string() }.into())
    }

    /// The build of this host that was asked for with this key, however many came after it: a request that is delivered late must not install again.
    async fn asked_before(&self, key: &str, idempotency: Option<&str>) -> Told<Option<Enabled>> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        let builds = self.store.builds(self.find(key)?.id).await?;
        let build = builds.into_iter().find(|build| build.idempotency_key.as_deref() == Some(idempotency));
        Ok(build.map(|build| Enabled { build, findings: Vec::new(), fresh: false }))
    }

    async fn open_build(
        &self,
        actor: &Actor,
        key: &str,
        version: Option<u64>,
        ask: &BuildAsk,
        idempotency: Option<&str>,
        event: impl Fn(NewBuild, Option<String>) -> Event,
    ) -> Told<Enabled> {
        let find = |house: &Self| house.find(key);
        let (id, findings) = self
            .draft(actor, find, |draft| {
                is_version(&draft.seen, version)?;
                let new = self.new_build(&draft.seen, ask, idempotency)?;
                let id = new.id;
                let opened = draft.event(&event(new, ask.confirm.clone())).map_err(Refusal::Lifecycle)?;
                if !opened {
                    return Ok((None, Vec::new()));
                }
                let findings = self.passes(draft, ask.force).inspect_err(|_| draft.forget())?;
                Ok((Some(id), findings))
            })
            .await?;
        let Some(id) = id else {
            // The same request at the same time was quicker.
            let twin = self.asked_before(key, idempotency).await?;
            return twin.ok_or_else(|| Refusal::Closed("the build is open already".into()).into());
        };
        Ok(Enabled { build: self.build(id).await?.1, findings, fresh: true })
    }

    /// The build that would be opened: the named profile, else the host's, else its network's.
    fn new_build(&self, host: &Arc<Host>, ask: &BuildAsk, idempotency: Option<&str>) -> Told<NewBuild> {
        let settings = self.store.settings()?;
        let scene = self.scene(host.clone(), None, host.address)?;
        let of_network = || scene.network.as_ref().and_then(|network| network.profile.clone());
        let name = ask.profile.clone().or_else(|| host.profile.clone()).or_else(of_network);
        let name = name.ok_or_else(|| invalid("profile", "name a profile, for the build, the host or its network"))?;
        let profile =
            inherit::profile(&name, &settings.profiles).map_err(|why| Refusal::Invalid { field: "profile".into(), text: why.to_string() })?;
        let id = self.world.build_id();
        Ok(NewBuild {
            id,
            kind: ask.kind,
            method: ask.method,
            profile: name,
            token_hash: self.keys.build_token(id).hash(),
            token_secs: Some(profile.token_secs),
            expected_boots: profile.expected_boots,
            idempotency_key: idempotency.map(str::to_owned),
            deadlines: profile.deadlines,
            strict: ask.strict,
        })
    }

    /// The preflight of a drafted build: warnings if it may go on, a refusal if not.
    fn passes(&self, draft: &Draft<'_>, force: bool) -> Told<Vec<Finding>> {
        let findings = self.preflight(&draft.host)?;
        if preflight::passes(&findings, force) { Ok(findings) } else { Err(Refusal::Preflight(findings).into()) }
    }
}
