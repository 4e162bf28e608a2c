//! A site laid over what there is, in one transaction or not at all: a whole document, or one network, profile, rule or host (`hosts`, `settings`).
//!
//! The same plan is shown by a dry run and carried out; whether it fits is `rules::sitefile`'s to say. What is not named stays, unless a
//! document says `prune`.

use std::sync::Arc;

use serde_json::Value;

use super::{Failure, House, Refusal, Told, house::Pen};
use crate::{
    model::{Actor, Host, HostId, HostName, What},
    rules::{
        lifecycle::{self, Ask},
        sitefile::{self, Change, Current, Difference, Edit, Noun, Plan, Site, SiteHost},
    },
    store::{Settings, View, Writes},
    world::World,
};

impl House {
    /// What applying `document` would change; nothing is changed.
    pub fn apply_dry(&self, document: Value) -> Told<Vec<Difference>> {
        let site = sitefile::read(document).map_err(Refusal::Site)?;
        let (settings, hosts) = (self.store.settings()?, self.store.hosts()?);
        Ok(plan(&site, &settings, &hosts)?.differences)
    }

    /// Applies `document`; what was changed.
    pub async fn apply(&self, actor: &Actor, document: Value) -> Told<Vec<Difference>> {
        let site = sitefile::read(document).map_err(Refusal::Site)?;
        Ok(self.lay(actor, " by a site file", move |_| Ok(site)).await?.0)
    }

    /// Lays the site that `describe` makes over the present one: what was changed, and the hosts that were recorded. `via` ends the
    /// journal's sentences.
    pub(super) async fn lay(
        &self,
        actor: &Actor,
        via: &'static str,
        describe: impl FnOnce(&View<'_>) -> Result<Site, Refusal> + Send + 'static,
    ) -> Told<(Vec<Difference>, Vec<HostId>)> {
        let (actor, now, times, world) = (actor.clone(), self.now(), self.times.clone(), self.world.clone());
        self.change(move |view| {
            let hosts: Vec<Arc<Host>> = view.hosts().cloned().collect();
            let planned = describe(view).map_err(Failure::Refusal).and_then(|site| plan(&site, view.settings(), &hosts));
            match planned {
                Err(failure) => (Writes::default(), Err(failure)),
                Ok(plan) => {
                    let writer =
                        Writer { view, world: &*world, via, ask: Ask { actor: &actor, now, times: &times, power_control: false }, born: Vec::new() };
                    let (writes, born) = writer.write(&plan);
                    (writes, Ok((plan.differences, born)))
                }
            }
        })
        .await?
    }
}

fn plan(site: &Site, settings: &Settings, hosts: &[Arc<Host>]) -> Told<Plan> {
    let current = Current { globals: &settings.globals, networks: &settings.networks, profiles: &settings.profiles, rules: &settings.rules, hosts };
    sitefile::plan(site, &current).map_err(|wrong| Failure::Refusal(Refusal::Site(wrong)))
}

/// Turns a plan into rows and facts.
struct Writer<'a, 'v> {
    view: &'a View<'v>,
    world: &'a dyn World,
    via: &'static str,
    ask: Ask<'a>,
    born: Vec<HostId>,
}

impl Writer<'_, '_> {
    fn write(mut self, plan: &Plan) -> (Writes, Vec<HostId>) {
        let mut writes = Writes::default();
        let mut settings = Settings::clone(self.view.settings());
        for (edit, difference) in plan.edits.iter().zip(&plan.differences) {
            match edit {
                Edit::Globals(params) => settings.globals = params.clone(),
                Edit::Network(network) => drop(settings.networks.insert(network.name.clone(), network.clone())),
                Edit::NoNetwork(name) => drop(settings.networks.remove(name)),
                Edit::Profile(profile) => drop(settings.profiles.insert(profile.name.clone(), profile.clone())),
                Edit::NoProfile(name) => drop(settings.profiles.remove(name)),
                Edit::Rule(rule) => drop(settings.rules.insert(rule.name.clone(), rule.clone())),
                Edit::NoRule(name) => drop(settings.rules.remove(name)),
                Edit::NewHost(name, wanted) => {
                    self.record(name, wanted, &mut writes);
                    continue;
                }
                Edit::Host(id, wanted) => {
                    self.edit(*id, wanted, difference, &mut writes);
                    continue;
                }
                Edit::NoHost(id) => {
                    self.remove(*id, &mut writes);
                    continue;
                }
            }
            let which = match difference.noun {
                Noun::Globals => "global parameters".to_owned(),
                Noun::Network | Noun::Profile | Noun::Rule | Noun::Host => format!("{} {}", noun(difference), difference.name),
            };
            let text = format!("{which} {}{}", verb(difference), self.via);
            writes.facts.push(self.pen().write(noted(difference), text));
        }
        if settings != **self.view.settings() {
            writes.settings = Some(settings);
        }
        (writes, self.born)
    }

    fn pen(&self) -> Pen {
        Pen::new(self.ask.actor.clone(), self.ask.now)
    }

    fn record(&mut self, name: &HostName, wanted: &SiteHost, writes: &mut Writes) {
        let created = lifecycle::created(self.world.host_id(), name.clone(), Vec::new(), &self.ask);
        let mut host = created.host;
        wanted.apply_to(&mut host);
        let pen = self.pen().of(&host);
        writes.facts.extend(created.notes.into_iter().map(|(what, text)| pen.write(what, format!("{text}{}", self.via))));
        self.born.push(host.id);
        writes.hosts.push(host);
    }

    fn edit(&self, id: HostId, wanted: &SiteHost, difference: &Difference, writes: &mut Writes) {
        let Some(seen) = self.view.host(id) else { return };
        let mut host = Host::clone(seen);
        wanted.apply_to(&mut host);
        let fields: Vec<String> = difference.fields.iter().map(|field| field.path.clone()).collect();
        let text = format!("edited{}: {}", self.via, fields.join(", "));
        writes.facts.push(self.pen().of(&host).write(What::Edited { fields }, text));
        writes.hosts.push(host);
    }

    fn remove(&self, id: HostId, writes: &mut Writes) {
        let Some(seen) = self.view.host(id) else { return };
        writes.facts.push(self.pen().of(seen).write(What::Deleted, format!("{} removed{}", seen.name, self.via)));
        writes.deleted.push(id);
    }
}

const fn noun(difference: &Difference) -> &'static str {
    match difference.noun {
        Noun::Globals => "global",
        Noun::Network => "network",
        Noun::Profile => "profile",
        Noun::Rule => "rule",
        Noun::Host => "host",
    }
}

fn noted(difference: &Difference) -> What {
    What::Settings { noun: noun(difference).into(), name: difference.name.clone(), verb: verb(difference).into() }
}

const fn verb(difference: &Difference) -> &'static str {
    match difference.change {
        Change::Create => "created",
        Change::Change => "changed",
        Change::Delete => "deleted",
    }
}
