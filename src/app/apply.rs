//! A whole site in one document: networks, profiles and hosts, laid over what there is, in one transaction or not at all.
//!
//! The same plan is shown by a dry run and carried out. What is not named stays, unless the document says `prune`.

use std::sync::Arc;

use serde_json::Value;

use super::{Failure, House, Refusal, Told, house::Pen};
use crate::{
    model::{Actor, Host, HostId, Timestamp, What},
    rules::{
        lifecycle::{self, Ask, Times},
        sitefile::{self, Change, Current, Difference, Edit, Noun, Plan, Site},
    },
    store::{Settings, View, Writes},
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
        let (actor, now, times) = (actor.clone(), self.now(), self.times.clone());
        let ids: Vec<HostId> = site.hosts.iter().map(|_| self.world.host_id()).collect();
        self.change(move |view| {
            let hosts: Vec<Arc<Host>> = view.hosts().cloned().collect();
            match plan(&site, view.settings(), &hosts) {
                Err(failure) => (Writes::default(), Err(failure)),
                Ok(plan) => {
                    let writes = Writer { view, ids: ids.into_iter(), actor: &actor, now, times: &times }.write(&plan);
                    (writes, Ok(plan.differences))
                }
            }
        })
        .await?
    }
}

fn plan(site: &Site, settings: &Settings, hosts: &[Arc<Host>]) -> Told<Plan> {
    let current = Current { globals: &settings.globals, networks: &settings.networks, profiles: &settings.profiles, hosts };
    sitefile::plan(site, &current).map_err(|wrong| Failure::Refusal(Refusal::Site(wrong)))
}

/// Turns a plan into rows and facts.
struct Writer<'a, 'v, I> {
    view: &'a View<'v>,
    ids: I,
    actor: &'a Actor,
    now: Timestamp,
    times: &'a Times,
}

impl<I: Iterator<Item = HostId>> Writer<'_, '_, I> {
    fn write(mut self, plan: &Plan) -> Writes {
        let mut writes = Writes::default();
        let mut settings = Settings::clone(self.view.settings());
        for (edit, difference) in plan.edits.iter().zip(&plan.differences) {
            match edit {
                Edit::Globals(params) => settings.globals = params.clone(),
                Edit::Network(network) => drop(settings.networks.insert(network.name.clone(), network.clone())),
                Edit::NoNetwork(name) => drop(settings.networks.remove(name)),
                Edit::Profile(profile) => drop(settings.profiles.insert(profile.name.clone(), profile.clone())),
                Edit::NoProfile(name) => drop(settings.profiles.remove(name)),
                Edit::NewHost(_) | Edit::Host(..) | Edit::NoHost(_) => {
                    self.host(edit, difference, &mut writes);
                    continue;
                }
            }
            writes.facts.push(
                Pen::new(self.actor.clone(), self.now).write(noted(difference), format!("by a site file: {} {}", difference.name, verb(difference))),
            );
        }
        if settings != **self.view.settings() {
            writes.settings = Some(settings);
        }
        writes
    }

    fn host(&mut self, edit: &Edit, difference: &Difference, writes: &mut Writes) {
        let pen = Pen::new(self.actor.clone(), self.now);
        match edit {
            Edit::NewHost(wanted) => {
                let Some(id) = self.ids.next() else { return };
                let ask = Ask { actor: self.actor, now: self.now, times: self.times };
                let created = lifecycle::created(id, wanted.name.clone(), wanted.macs.clone().unwrap_or_default(), &ask);
                let mut host = created.host;
                wanted.apply_to(&mut host);
                writes
                    .facts
                    .extend(created.notes.into_iter().map(|(what, text)| pen.clone().of(&host).write(what, format!("by a site file: {text}"))));
                writes.hosts.push(host);
            }
            Edit::Host(id, wanted) => {
                let Some(seen) = self.view.host(*id) else { return };
                let mut host = Host::clone(seen);
                wanted.apply_to(&mut host);
                let fields: Vec<String> = difference.fields.iter().map(|field| field.path.clone()).collect();
                let text = format!("edited by a site file: {}", fields.join(", "));
                writes.facts.push(pen.of(&host).write(What::Edited { fields }, text));
                writes.hosts.push(host);
            }
            Edit::NoHost(id) => {
                let Some(seen) = self.view.host(*id) else { return };
                writes.facts.push(pen.of(seen).write(What::Deleted, format!("{} removed by a site file", seen.name)));
                writes.deleted.push(*id);
            }
            Edit::Globals(_) | Edit::Network(_) | Edit::NoNetwork(_) | Edit::Profile(_) | Edit::NoProfile(_) => {}
        }
    }
}

fn noted(difference: &Difference) -> What {
    let noun = match difference.noun {
        Noun::Globals => "global",
        Noun::Network => "network",
        Noun::Profile => "profile",
        Noun::Host => "host",
    };
    What::Settings { noun: noun.into(), name: difference.name.clone(), verb: verb(difference).into() }
}

const fn verb(difference: &Difference) -> &'static str {
    match difference.change {
        Change::Create => "created",
        Change::Change => "changed",
        Change::Delete => "deleted",
    }
}
