//! What the DHCP stories keep between packets: who reserved which address, and what was said a moment ago.
//!
//! Both are caches: a reservation is read again when the journal says that its host's record changed, what was said is forgotten
//! after a minute. Losing them loses nothing, and neither is ever searched through for one packet.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::SignedDuration;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::Case;
use crate::{
    app::{House, Told, house::Pen, who::Who},
    model::{Actor, Entry, Host, HostId, Mac, Timestamp, What},
    rules::{
        boot::DhcpBoot,
        identity::Claim,
        loaders::Client,
        offer::{self, Facts, Known, Verdict},
    },
    store::Store,
};

/// How long the same remark about the same client is not repeated.
const QUIET: SignedDuration = SignedDuration::from_secs(60);
/// How often room is made for new remarks, when there are too many.
const SWEEP: SignedDuration = SignedDuration::from_secs(1);
/// How many remarks are remembered at most.
const REMARKS: usize = 4096;

/// The DHCP stories' desk.
pub struct Desk {
    pub(super) house: Arc<House>,
    reserved: Mutex<Reserved>,
    remarks: Mutex<Remarks>,
    swept: Mutex<Timestamp>,
}

/// Of whom something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whom {
    /// A client.
    Client(Mac),
    /// Whoever sent what cannot be read.
    Sender(Ipv4Addr),
}

impl From<Mac> for Whom {
    // Most remarks are about a client.
    fn from(mac: Mac) -> Self {
        Self::Client(mac)
    }
}

/// What was said of whom, and when.
#[derive(Default)]
struct Remarks {
    said: HashMap<(Whom, &'static str), Timestamp>,
    swept: Timestamp,
}

/// Which host reserves which address.
struct Reserved {
    heard: Receiver<Arc<Entry>>,
    is_stale: bool,
    of: HashMap<Ipv4Addr, HostId>,
    by: HashMap<HostId, Ipv4Addr>,
}

impl Reserved {
    /// As the store has it now: a changed host is read alone, since a hall that is recorded at once changes thousands.
    fn refresh(&mut self, store: &dyn Store) -> Told<()> {
        loop {
            match self.heard.try_recv() {
                Ok(entry) if matches!(entry.what, What::Created | What::Edited { .. } | What::Deleted) => match entry.host {
                    Some(id) if !self.is_stale => self.read(id, store)?,
                    _ => self.is_stale = true,
                },
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => self.is_stale = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if self.is_stale {
            let hosts = store.hosts()?;
            self.by = hosts.iter().filter_map(|host| Some((host.id, host.address?))).collect();
            self.of = self.by.iter().map(|(id, address)| (*address, *id)).collect();
            self.is_stale = false;
        }
        Ok(())
    }

    fn read(&mut self, id: HostId, store: &dyn Store) -> Told<()> {
        // Read first: a store that cannot look leaves the old reservation in force, and the whole to be read again.
        self.is_stale = true;
        let now = store.host(id)?.and_then(|host| host.address);
        self.is_stale = false;
        if let Some(before) = self.by.remove(&id)
            && self.of.get(&before) == Some(&id)
        {
            self.of.remove(&before);
        }
        if let Some(address) = now {
            self.by.insert(id, address);
            self.of.insert(address, id);
        }
        Ok(())
    }
}

impl Desk {
    /// A desk in this house.
    pub fn new(house: Arc<House>) -> Self {
        let reserved = Reserved { heard: house.store.follow(), is_stale: true, of: HashMap::new(), by: HashMap::new() };
        let swept = Mutex::new(house.now());
        Self { house, reserved: Mutex::new(reserved), remarks: Mutex::default(), swept }
    }

    /// Whether this was not said of this client within the last minute.
    pub(super) fn is_news(&self, whom: impl Into<Whom>, word: &'static str, now: Timestamp) -> bool {
        let whom = whom.into();
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if remarks.said.get(&(whom, word)).is_some_and(|then| now.duration_since(*then) < QUIET) {
            return false;
        }
        if remarks.said.len() >= REMARKS && now.duration_since(remarks.swept) >= SWEEP {
            remarks.said.retain(|_, then| now.duration_since(*then) < QUIET);
            remarks.swept = now;
        }
        // Thousands of strangers within a minute: somebody plays; the counters go on.
        let room = remarks.said.len() < REMARKS;
        if room {
            remarks.said.insert((whom, word), now);
        }
        room
    }

    /// Who asks, by card and board.
    pub(super) fn identify(&self, case: &Case<'_>) -> Told<Who> {
        let macs = [case.request().mac];
        self.house.who(&Claim { macs: &macs, uuid: case.request().uuid(), serial: None })
    }

    /// One decision of `rules::offer`, with the lease book held.
    pub(super) fn decide(&self, case: &Case<'_>, host: Option<&Host>, boot: &DhcpBoot) -> Told<Verdict> {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.refresh(&*self.house.store)?;
        let own = &case.ask.addresses;
        let mine = host.map(|host| host.id);
        let is_taken = |address: Ipv4Addr| own.contains(&address) || reserved.of.get(&address).is_some_and(|id| Some(*id) != mine);
        let facts = Facts {
            network: case.network.as_deref(),
            host: host.map(|host| Known { name: &host.name, address: host.address }),
            client: &case.client,
            boot,
            server: case.server,
            own,
            url: &case.url,
            from: case.ask.from,
            port: case.ask.port,
            is_taken: &is_taken,
        };
        Ok(offer::decide(case.request(), &facts, &mut self.house.book(), case.now))
    }

    /// What a machine that nobody recorded may boot.
    pub(super) fn stranger_boot(&self, case: &Case<'_>) -> DhcpBoot {
        let Client::Netboot(firmware) = case.client else { return not_asked() };
        let plan = self.house.plan_of_stranger(case.network.as_deref(), firmware);
        let script = super::host::script_url(case, firmware, None);
        self.house.for_dhcp(&plan, &firmware, None, &script)
    }

    /// Forgets what is over and tells the journal which leases ended since the last time.
    pub async fn expire(&self) -> Told<()> {
        let now = self.house.now();
        let last = std::mem::replace(&mut *self.swept.lock().unwrap_or_else(PoisonError::into_inner), now);
        let over = self.house.book().expire(last, now);
        if over.is_empty() {
            return Ok(());
        }
        let pen = Pen::new(Actor::Server, now);
        let facts: Vec<_> = over
            .iter()
            .map(|lease| {
                let what = What::Lease { what: "expired".into(), address: lease.address.to_string() };
                pen.clone().mac(lease.mac).write(what, format!("the lease of {} ended and was not renewed", lease.address))
            })
            .collect();
        Ok(self.house.record(facts).await?)
    }
}

/// What a client gets that does not want to boot from the network.
pub(super) fn not_asked() -> DhcpBoot {
    DhcpBoot::None { why: "it did not ask".into() }
}
