//! The inventory: hosts are found, recorded, edited and removed. What they are for (lifecycle, builds) is told in other stories.
//!
//! Every spelling that a person would use finds a host: its id, its name, or any of its MAC addresses.

use std::{net::Ipv4Addr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    House, Refusal, Saved, Told,
    answer::invalid,
    house::{Pen, TRIES},
};
use crate::{
    model::{Actor, DiskBoot, Host, HostId, HostName, Mac, Name, Params, SmbiosUuid, What},
    rules::removal,
    store::{Settings, View, Writes},
};

/// A host as an operator describes it. In an edit, what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Description {
    /// Its name; needed for a new host.
    #[schema(value_type = Option<String>)]
    pub name: Option<HostName>,
    /// Its addresses; at least one for a new host.
    #[schema(value_type = Option<Vec<String>>)]
    pub macs: Option<Vec<Mac>>,
    /// Its board's UUID.
    #[schema(value_type = Option<String>)]
    pub uuid: Option<SmbiosUuid>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its network.
    #[schema(value_type = Option<String>)]
    pub network: Option<Name>,
    /// Its profile.
    #[schema(value_type = Option<String>)]
    pub profile: Option<Name>,
    /// The address DHCP reserves for it.
    #[schema(value_type = Option<String>)]
    pub address: Option<Ipv4Addr>,
    /// A loader by name instead of the table's.
    #[schema(value_type = Option<String>)]
    pub loader: Option<Name>,
    /// How it starts from its disk.
    pub disk_boot: Option<DiskBoot>,
    /// Its own parameters, in place of the present ones.
    #[schema(value_type = Option<Object>)]
    pub params: Option<Params>,
    /// Its tags, in place of the present ones.
    pub tags: Option<Vec<String>>,
}

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

    /// Records a host in state `new` (T1).
    pub async fn create_host(&self, actor: &Actor, description: Description) -> Told<Arc<Host>> {
        let Some(name) = description.name.clone() else { return Err(invalid("name", "a host needs a name")) };
        if description.macs.as_ref().is_none_or(Vec::is_empty) {
            return Err(invalid("macs", "a host needs at least one MAC address"));
        }
        let (id, now, actor) = (self.world.host_id(), self.now(), actor.clone());
        let born: Told<()> = self
            .change(move |view| {
                let mut host = Host::new(id, name, Vec::new(), now);
                match describe(&mut host, &description, view) {
                    Err(refusal) => (Writes::default(), Err(refusal.into())),
                    Ok(_) => {
                        let text = format!("{} recorded with {}", host.name, spelled(&host.macs));
                        let facts = vec![Pen::new(actor, now).of(&host).write(What::Created, text)];
                        (Writes { hosts: vec![host], facts, ..Writes::default() }, Ok(()))
                    }
                }
            })
            .await?;
        born?;
        self.find(&id.to_string())
    }

    /// Edits the inventory of a host; `version` is `If-Match`'s.
    pub async fn edit_host(&self, actor: &Actor, key: &str, version: Option<u64>, description: Description) -> Told<Arc<Host>> {
        let (id, now, actor) = (self.find(key)?.id, self.now(), actor.clone());
        let edited: Told<()> = self
            .change(move |view| match edit(view, id, version, &description) {
                Err(refusal) => (Writes::default(), Err(refusal.into())),
                Ok((_, fields)) if fields.is_empty() => (Writes::default(), Ok(())),
                Ok((host, fields)) => {
                    let text = format!("edited: {}", fields.join(", "));
                    let facts = vec![Pen::new(actor, now).of(&host).write(What::Edited { fields }, text)];
                    (Writes { hosts: vec![host], facts, ..Writes::default() }, Ok(()))
                }
            })
            .await?;
        edited?;
        self.find(&id.to_string())
    }

    /// Removes a record: only of a host on whose disks nothing depends. Journal and builds stay.
    pub async fn remove_host(&self, actor: &Actor, key: &str, version: Option<u64>, confirm: &str) -> Told<()> {
        for _ in 0..TRIES {
            let seen = self.find(key)?;
            check_version(&seen, version)?;
            removal::decide(&seen, confirm).map_err(Refusal::Keep)?;
            let fact = Pen::new(actor.clone(), self.now()).of(&seen).write(What::Deleted, format!("{} removed", seen.name));
            let writes = Writes { deleted: vec![seen.id], facts: vec![fact], ..Writes::default() };
            if let Saved::Done(_) = self.save(&seen, None, writes).await? {
                return Ok(());
            }
        }
        Err(super::Fault::Contended(TRIES).into())
    }
}

/// `If-Match` holds, if it was given.
pub fn check_version(host: &Host, want: Option<u64>) -> Result<(), Refusal> {
    match want {
        Some(want) if want != host.version => Err(Refusal::Version { have: host.version, want }),
        _ => Ok(()),
    }
}

fn edit(view: &View<'_>, id: HostId, version: Option<u64>, description: &Description) -> Result<(Host, Vec<String>), Refusal> {
    let Some(seen) = view.host(id) else { return Err(Refusal::Unknown { noun: "host", name: id.to_string() }) };
    check_version(seen, version)?;
    let mut host = Host::clone(seen);
    let fields = describe(&mut host, description, view)?;
    Ok((host, fields))
}

/// Lays a description over a host; which fields changed. Refuses what belongs to another host or does not exist.
fn describe(host: &mut Host, description: &Description, view: &View<'_>) -> Result<Vec<String>, Refusal> {
    let before = host.clone();
    let Description { name, macs, uuid, serial, network, profile, address, loader, disk_boot, params, tags } = description.clone();
    name.into_iter().for_each(|name| host.name = name);
    macs.into_iter().for_each(|macs| host.macs = unique(macs));
    params.into_iter().for_each(|params| host.params = params);
    tags.into_iter().for_each(|tags| host.tags = tags);
    host.uuid = uuid.or(host.uuid);
    host.serial = serial.or(host.serial.take());
    host.network = network.or(host.network.take());
    host.profile = profile.or(host.profile.take());
    host.address = address.or(host.address);
    host.loader = loader.or(host.loader.take());
    host.disk_boot = disk_boot.or(host.disk_boot);
    nothing_is_shared(host, view)?;
    references_exist(host, view.settings())?;
    Ok(changed(&before, host))
}

fn unique(mut macs: Vec<Mac>) -> Vec<Mac> {
    let mut seen = std::collections::BTreeSet::new();
    macs.retain(|mac| seen.insert(*mac));
    macs
}

fn nothing_is_shared(host: &Host, view: &View<'_>) -> Result<(), Refusal> {
    let other = |found: Option<&Arc<Host>>| found.filter(|other| other.id != host.id).map(|other| other.name.to_string());
    let taken = |noun, name: String, by| Refusal::InUse { noun, name, by };
    if let Some(by) = other(view.by_name(&host.name)) {
        return Err(taken("the name", host.name.to_string(), by));
    }
    for mac in &host.macs {
        if let Some(by) = other(view.by_mac(*mac)) {
            return Err(taken("the MAC address", mac.to_string(), by));
        }
    }
    if let Some((uuid, by)) = host.uuid.and_then(|uuid| Some((uuid, other(view.by_uuid(uuid))?))) {
        return Err(taken("the UUID", uuid.to_string(), by));
    }
    let same_address = |address| other(view.hosts().find(|other| other.id != host.id && other.address == Some(address)));
    let address = host.address.and_then(|address| Some((address, same_address(address)?)));
    address.map_or(Ok(()), |(address, by)| Err(taken("the address", address.to_string(), by)))
}

fn references_exist(host: &Host, settings: &Settings) -> Result<(), Refusal> {
    if host.macs.is_empty() {
        return Err(Refusal::Invalid { field: "macs".into(), text: "a host needs at least one MAC address".into() });
    }
    if let Some(network) = host.network.as_ref().filter(|name| !settings.networks.contains_key(*name)) {
        return Err(Refusal::Unknown { noun: "network", name: network.to_string() });
    }
    if let Some(profile) = host.profile.as_ref().filter(|name| !settings.profiles.contains_key(*name)) {
        return Err(Refusal::Unknown { noun: "profile", name: profile.to_string() });
    }
    let network = host.network.as_ref().and_then(|name| settings.networks.get(name));
    match (host.address, network) {
        (Some(address), Some(network)) if !network.subnet.contains(&address) => {
            Err(Refusal::Invalid { field: "address".into(), text: format!("{address} is not in {} ({})", network.name, network.subnet) })
        }
        _ => Ok(()),
    }
}

/// The inventory fields in which two states of a host differ.
fn changed(before: &Host, after: &Host) -> Vec<String> {
    [
        ("name", before.name != after.name),
        ("macs", before.macs != after.macs),
        ("uuid", before.uuid != after.uuid),
        ("serial", before.serial != after.serial),
        ("network", before.network != after.network),
        ("profile", before.profile != after.profile),
        ("address", before.address != after.address),
        ("loader", before.loader != after.loader),
        ("disk_boot", before.disk_boot != after.disk_boot),
        ("params", before.params != after.params),
        ("tags", before.tags != after.tags),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then(|| field.to_owned()))
    .collect()
}

fn spelled(macs: &[Mac]) -> String {
    macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
