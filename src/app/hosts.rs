//! The inventory: hosts are found, recorded, edited and removed. What they are for (lifecycle, builds) is told in other stories.
//!
//! Every spelling that a person would use finds a host: its id, its name, or any of its MAC addresses.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    Failure, Fault, House, Refusal, Saved, Told,
    answer::is_version,
    house::{Pen, TRIES},
};
use crate::{
    model::{Actor, Host, HostId, HostName, Mac, What},
    rules::{
        removal,
        sitefile::{Invalid, Mistake, Over, Site, SiteHost},
    },
    store::{View, Writes},
};

/// Which hosts a list shows; every given field must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HostFilter {
    /// The lifecycle's word.
    pub lifecycle: Option<String>,
    /// The network's name.
    pub network: Option<String>,
    /// The profile's name.
    pub profile: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// A part of the name or a MAC.
    pub search: Option<String>,
    /// Only hosts with an open issue.
    pub issues: Option<bool>,
}

impl HostFilter {
    fn admits(&self, host: &Host) -> bool {
        let same = |want: &Option<String>, have: Option<&str>| want.as_deref().is_none_or(|want| have == Some(want));
        same(&self.lifecycle, Some(host.lifecycle.word()))
            && same(&self.network, host.network.as_ref().map(AsRef::as_ref))
            && same(&self.profile, host.profile.as_ref().map(AsRef::as_ref))
            && self.tag.as_ref().is_none_or(|tag| host.tags.contains(tag))
            && self.issues.is_none_or(|want| want != host.issues.is_empty())
            && self
                .search
                .as_deref()
                .is_none_or(|part| host.name.as_ref().contains(part) || host.macs.iter().any(|mac| mac.to_string().contains(part)))
    }
}

impl House {
    /// A host by id, name or any spelling of a MAC.
    pub fn find(&self, key: &str) -> Told<Arc<Host>> {
        let found = if let Ok(id) = key.parse::<HostId>() {
            self.store.host(id)?
        } else if let Ok(mac) = key.parse::<Mac>() {
            self.store.host_by_mac(mac)?
        } else if let Ok(name) = key.parse::<HostName>() {
            self.store.host_by_name(&name)?
        } else {
            None
        };
        found.ok_or_else(|| Refusal::Unknown { noun: "host", name: key.to_owned() }.into())
    }

    /// The hosts that a filter admits, in the order of their birth.
    pub fn list(&self, filter: &HostFilter) -> Told<Vec<Arc<Host>>> {
        Ok(self.store.hosts()?.into_iter().filter(|host| filter.admits(host)).collect())
    }

    /// Records a host in state `new` (T1): a site of one host, which must not be there yet.
    pub async fn create_host(&self, actor: &Actor, host: SiteHost) -> Told<Arc<Host>> {
        let site = Site { hosts: vec![SiteHost { over: Over::Nothing, ..host }], ..Site::default() };
        let (_, born) = self.lay(actor, "", move |_| Ok(site)).await.map_err(of_one)?;
        let id = born.first().map(ToString::to_string).unwrap_or_default();
        self.find(&id)
    }

    /// Edits the inventory of a host: a site of this one host. `version` is `If-Match`'s.
    pub async fn edit_host(&self, actor: &Actor, key: &str, version: Option<u64>, host: SiteHost) -> Told<Arc<Host>> {
        let id = self.find(key)?.id;
        let describe = move |view: &View<'_>| {
            let seen = view.host(id).ok_or_else(|| Refusal::Unknown { noun: "host", name: id.to_string() })?;
            is_version(seen, version)?;
            Ok(Site { hosts: vec![SiteHost { over: Over::Record(id), ..host }], ..Site::default() })
        };
        self.lay(actor, "", describe).await.map_err(of_one)?;
        self.find(&id.to_string())
    }

    /// Removes a record: only of a host on whose disks nothing depends. Journal and builds stay.
    pub async fn remove_host(&self, actor: &Actor, key: &str, version: Option<u64>, confirm: &str) -> Told<()> {
        for _ in 0..TRIES {
            let seen = self.find(key)?;
            is_version(&seen, version)?;
            removal::decide(&seen, confirm).map_err(Refusal::Keep)?;
            let fact = Pen::new(actor.clone(), self.now()).of(&seen).write(What::Deleted, format!("{} removed", seen.name));
            let writes = Writes { deleted: vec![seen.id], facts: vec![fact], ..Writes::default() };
            if let Saved::Done(_) = self.save(&seen, None, writes).await? {
                return Ok(());
            }
        }
        Err(Fault::Contended(TRIES).into())
    }
}

/// What is wrong with the one host that was described, in its own words: its field, not its place in a file.
fn of_one(failure: Failure) -> Failure {
    let Failure::Refusal(Refusal::Site(wrong)) = &failure else { return failure };
    let Some(Invalid { path, text, mistake }) = wrong.first().cloned() else { return failure };
    let field = path.strip_prefix("hosts[0].").unwrap_or(&path).to_owned();
    Failure::Refusal(match mistake {
        Mistake::Wrong => Refusal::Invalid { field, text },
        Mistake::Unknown { noun, name } => Refusal::Unknown { noun, name },
        Mistake::Taken { noun, name, by } => Refusal::InUse { noun, name, by },
    })
}
