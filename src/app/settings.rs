//! Networks, profiles, rules, global parameters and API tokens: read and written one by one. The whole site at once is `apply`.
//!
//! What is written is a site of one noun (`apply`). A noun in use is not removed: the refusal names the user.

use std::{collections::BTreeMap, sync::Arc};

use super::{Failure, House, Refusal, Told, answer::invalid, house::Pen};
use crate::{
    model::{Actor, Name, Network, Params, Profile, Role, Rule, Token, What},
    rules::sitefile::Site,
    store::{ApiToken, Settings, View, Writes},
};

/// One noun written or removed.
#[derive(Debug, Clone)]
pub enum Edit {
    /// A network, new or in place of the one of its name.
    Network(Network),
    /// A profile, likewise.
    Profile(Profile),
    /// A rule, likewise.
    Rule(Rule),
    /// The global parameters, whole.
    Globals(Params),
    /// A network goes.
    NoNetwork(Name),
    /// A profile goes.
    NoProfile(Name),
    /// A rule goes.
    NoRule(Name),
}

impl House {
    /// A network by name.
    pub fn network(&self, name: &str) -> Told<Arc<Network>> {
        found("network", name, self.store.settings()?.networks.get(name))
    }

    /// A profile by name.
    pub fn profile(&self, name: &str) -> Told<Arc<Profile>> {
        found("profile", name, self.store.settings()?.profiles.get(name))
    }

    /// A rule by name.
    pub fn rule(&self, name: &str) -> Told<Arc<Rule>> {
        found("rule", name, self.store.settings()?.rules.get(name))
    }

    /// Writes or removes one noun.
    pub async fn edit_settings(&self, actor: &Actor, edit: Edit) -> Told<()> {
        let site = match edit {
            Edit::Network(network) => Site { networks: vec![network], ..Site::default() },
            Edit::Profile(profile) => Site { profiles: vec![profile], ..Site::default() },
            Edit::Rule(rule) => Site { rules: vec![rule], ..Site::default() },
            Edit::Globals(params) => Site { globals: Some(params), ..Site::default() },
            Edit::NoNetwork(name) => return self.remove_noun(actor, "network", name, without_network).await,
            Edit::NoProfile(name) => return self.remove_noun(actor, "profile", name, without_profile).await,
            Edit::NoRule(name) => return self.remove_noun(actor, "rule", name, without_rule).await,
        };
        self.lay(actor, "", move |_| Ok(site)).await.map(drop)
    }

    async fn remove_noun(&self, actor: &Actor, noun: &'static str, name: Name, without: Without) -> Told<()> {
        let pen = Pen::new(actor.clone(), self.now());
        self.change(move |view| match without(view, &name) {
            Err(refusal) => (Writes::default(), Err(Failure::from(refusal))),
            Ok(settings) => {
                let facts = vec![pen.write(noted(noun, &name, "deleted"), format!("{noun} {name} deleted"))];
                (Writes { settings: Some(settings), facts, ..Writes::default() }, Ok(()))
            }
        })
        .await?
    }

    /// Makes a token; the secret is in the answer and nowhere else.
    pub async fn create_token(&self, actor: &Actor, name: Name, role: Role) -> Told<Token> {
        let (token, now) = (self.world.token(), self.now());
        let (hash, pen) = (token.hash(), Pen::new(actor.clone(), now));
        let made: Told<()> = self
            .change(move |view| {
                let mut settings = Settings::clone(view.settings());
                if settings.tokens.contains_key(&name) {
                    let text = "there is a token of this name; revoke it first, or take another name";
                    return (Writes::default(), Err(invalid("name", text)));
                }
                let fact = pen.write(noted("token", &name, "created"), format!("token {name} made with role {role:?}"));
                settings.tokens.insert(name.clone(), ApiToken { name, role, hash, created: now });
                (Writes { settings: Some(settings), facts: vec![fact], ..Writes::default() }, Ok(()))
            })
            .await?;
        made.map(|()| token)
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, actor: &Actor, name: &str) -> Told<()> {
        let (pen, wanted) = (Pen::new(actor.clone(), self.now()), name.to_owned());
        self.change(move |view| {
            let mut settings = Settings::clone(view.settings());
            let Some(gone) = settings.tokens.remove(wanted.as_str()) else {
                return (Writes::default(), Err(Refusal::Unknown { noun: "token", name: wanted }.into()));
            };
            let fact = pen.write(noted("token", &gone.name, "deleted"), format!("token {} revoked", gone.name));
            (Writes { settings: Some(settings), facts: vec![fact], ..Writes::default() }, Ok(()))
        })
        .await?
    }

    /// Who shows this token, if anybody; every token is compared, so that the time taken says nothing.
    pub fn bearer(&self, token: &Token) -> Told<Option<Actor>> {
        let settings = self.store.settings()?;
        let mut bearer = None;
        for known in settings.tokens.values() {
            if known.hash.matches(token) {
                bearer = Some(Actor::Operator { name: known.name.clone(), role: known.role });
            }
        }
        Ok(bearer)
    }
}

fn found<T>(noun: &'static str, name: &str, found: Option<&Arc<T>>) -> Told<Arc<T>> {
    found.cloned().ok_or_else(|| Refusal::Unknown { noun, name: name.to_owned() }.into())
}

fn noted(noun: &str, name: &Name, verb: &str) -> What {
    What::Settings { noun: noun.into(), name: name.to_string(), verb: verb.into() }
}

/// The settings without one noun, or why it stays.
type Without = fn(&View<'_>, &Name) -> Result<Settings, Refusal>;

fn without_network(view: &View<'_>, name: &Name) -> Result<Settings, Refusal> {
    let mut settings = Settings::clone(view.settings());
    remove(&mut settings.networks, "network", name)?;
    unused("network", name, user_of_network(view, name))?;
    Ok(settings)
}

fn without_profile(view: &View<'_>, name: &Name) -> Result<Settings, Refusal> {
    let mut settings = Settings::clone(view.settings());
    remove(&mut settings.profiles, "profile", name)?;
    unused("profile", name, user_of_profile(view, name))?;
    Ok(settings)
}

fn without_rule(view: &View<'_>, name: &Name) -> Result<Settings, Refusal> {
    let mut settings = Settings::clone(view.settings());
    remove(&mut settings.rules, "rule", name)?;
    Ok(settings)
}

fn remove<T>(map: &mut BTreeMap<Name, Arc<T>>, noun: &'static str, name: &Name) -> Result<(), Refusal> {
    map.remove(name).map(drop).ok_or_else(|| Refusal::Unknown { noun, name: name.to_string() })
}

fn unused(noun: &'static str, name: &Name, user: Option<String>) -> Result<(), Refusal> {
    user.map_or(Ok(()), |by| Err(Refusal::InUse { noun, name: name.to_string(), by }))
}

fn user_of_network(view: &View<'_>, name: &Name) -> Option<String> {
    view.hosts().find(|host| host.network.as_ref() == Some(name)).map(|host| format!("host {}", host.name))
}

fn user_of_profile(view: &View<'_>, name: &Name) -> Option<String> {
    let by_host = view.hosts().find(|host| host.profile.as_ref() == Some(name) || host.open_build().is_some_and(|build| build.profile == *name));
    let settings = view.settings();
    let by_profile = settings.profiles.values().find(|profile| profile.extends.as_ref() == Some(name));
    let by_network = settings.networks.values().find(|network| network.profile.as_ref() == Some(name));
    let by_rule = settings.rules.values().find(|rule| rule.profile.as_ref() == Some(name));
    by_host
        .map(|host| format!("host {}", host.name))
        .or_else(|| by_profile.map(|profile| format!("profile {}", profile.name)))
        .or_else(|| by_network.map(|network| format!("network {}", network.name)))
        .or_else(|| by_rule.map(|rule| format!("rule {}", rule.name)))
}
