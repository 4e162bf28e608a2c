//! Time passes: deadlines, the end of reservations, and the age of evidence. (Leases end at the DHCP desk.)
//!
//! Deadlines are data, so a daemon that was down finds them passed and tells them in the order in which they did. Nothing else happens by itself.

use std::collections::{BTreeSet, HashMap};

use jiff::SignedDuration;

use super::{Fault, House, Told};
use crate::{
    model::{Actor, Host, HostId, Timestamp},
    rules::expiry,
};

/// A host whose deadline passed without effect is looked at again after so long.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// When something is due for whom: ten thousand hosts are not all looked at because one of them changed.
#[derive(Default)]
pub struct Calendar {
    when: HashMap<HostId, Timestamp>,
    order: BTreeSet<(Timestamp, HostId)>,
    /// Whether every host was looked at; before, nothing is known.
    is_known: bool,
}

impl Calendar {
    /// Looks at every host next time: news were missed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Looks at this host next time.
    pub fn look_at(&mut self, id: HostId) {
        self.put(id, Some(Timestamp::MIN));
    }

    fn put(&mut self, id: HostId, at: Option<Timestamp>) {
        let was = match at {
            Some(at) => self.when.insert(id, at),
            None => self.when.remove(&id),
        };
        if let Some(was) = was {
            self.order.remove(&(was, id));
        }
        self.order.extend(at.map(|at| (at, id)));
    }

    fn passed(&self, now: Timestamp) -> Vec<HostId> {
        self.order.iter().take_while(|(at, _)| *at <= now).map(|&(_, id)| id).collect()
    }

    fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|&(at, _)| at)
    }
}

impl House {
    /// Carries out what is due by now, of the hosts that the calendar has for now; when there will be something again, if ever.
    pub async fn sweep(&self, calendar: &mut Calendar) -> Told<Option<Timestamp>> {
        let now = self.now();
        let due = |host: &Host| expiry::next_due(host, &self.times, self.awake);
        if !calendar.is_known {
            self.store.hosts()?.iter().for_each(|host| calendar.put(host.id, due(host)));
            calendar.is_known = true;
        }
        for id in calendar.passed(now) {
            let host = self.store.host(id)?;
            if let Some(host) = host.filter(|host| due(host).is_some_and(|at| at <= now))
                && let Err(failure) = self.sweep_host(&host).await
            {
                if self.trouble().is_some() {
                    return Err(failure);
                }
                // One host that cannot be saved keeps nobody else's deadline.
                tracing::error!(host = %host.name, %failure, "a deadline could not be carried out; trying again");
            }
            let again = self.store.host(id)?.and_then(|host| due(&host));
            calendar.put(id, again.map(|at| if at > now { at } else { now.checked_add(AGAIN).unwrap_or(Timestamp::MAX) }));
        }
        Ok(calendar.next())
    }

    async fn sweep_host(&self, host: &Host) -> Told<()> {
        let find = |house: &Self| house.find(&host.id.to_string());
        self.draft(&Actor::Server, find, |draft| {
            for event in expiry::due(&draft.seen, &self.times, self.awake, self.now()) {
                // What was due may have been settled by what was due before it.
                if !expiry::due(&draft.host, &self.times, self.awake, self.now()).contains(&event) {
                    continue;
                }
                if let Err(why) = draft.event(&event) {
                    tracing::warn!(host = %draft.host.name, event = event.word(), %why, "a deadline passed without effect");
                }
            }
            Ok(())
        })
        .await
    }

    /// Deletes evidence that is older than the settings keep it; how many entries went.
    pub async fn prune(&self) -> Told<u64> {
        let days = i64::from(self.config.retention.evidence_days);
        let before = self.now().checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(self.store.prune(before).await.map_err(Fault::Store)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        app::start,
        config::Config,
        model::{Lifecycle, What},
        rules::sitefile::SiteHost,
        world::StillWorld,
    };

    struct Lab {
        house: House,
        world: Arc<StillWorld>,
        calendar: Calendar,
        _folder: tempfile::TempDir,
    }

    impl Lab {
        /// Two hosts that nothing is due for.
        async fn open() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let world = Arc::new(StillWorld::at("2027-01-01T00:00:00Z".parse().unwrap()));
            let house = start::open_in(Config { state_dir: folder.path().to_owned(), ..Config::default() }, world.clone()).await.unwrap();
            for number in 1..=2 {
                let site = SiteHost {
                    name: Some(format!("n{number}").parse().unwrap()),
                    macs: Some(vec![format!("52:54:00:00:00:0{number}").parse().unwrap()]),
                    ..Default::default()
                };
                house.create_host(&Actor::Server, site).await.unwrap();
            }
            Self { house, world, calendar: Calendar::default(), _folder: folder }
        }

        /// Gives a host a soft deadline so many seconds from now.
        async fn due(&self, name: &str, secs: i64) -> HostId {
            let at = self.house.now().checked_add(SignedDuration::from_secs(secs)).unwrap();
            let id = self.house.find(name).unwrap().id;
            let tell = |draft: &mut super::super::draft::Draft<'_>| {
                draft.host.lifecycle = Lifecycle::Registering;
                draft.host.soft_deadline = Some(at);
                draft.note(What::Edited { fields: vec!["soft_deadline".into()] }, "for the test");
                Ok(())
            };
            self.house.draft(&Actor::Server, |house: &House| house.find(name), tell).await.unwrap();
            id
        }

        /// Sweeps; in how many seconds something is due again, and which hosts are overdue.
        async fn sweep(&mut self) -> (Option<i64>, Vec<String>) {
            let next = self.house.sweep(&mut self.calendar).await.unwrap();
            let overdue = self.house.store.hosts().unwrap().into_iter().filter(|host| host.overdue).map(|host| host.name.to_string());
            (next.map(|at| at.duration_since(self.house.now()).as_secs()), overdue.collect())
        }
    }

    fn nobody() -> Vec<String> {
        Vec::new()
    }

    #[tokio::test]
    async fn what_is_due_is_told_on_time_and_once() {
        let mut lab = Lab::open().await;
        lab.due("n1", 60).await;
        assert_eq!(lab.sweep().await, (Some(60), nobody()));
        lab.world.pass(60);
        assert_eq!(lab.sweep().await, (None, vec!["n1".to_owned()]));
    }

    #[tokio::test]
    async fn a_host_that_changed_is_looked_at_when_somebody_says_so() {
        let mut lab = Lab::open().await;
        assert_eq!(lab.sweep().await, (None, nobody()));
        let id = lab.due("n2", 5).await;
        assert_eq!(lab.sweep().await, (None, nobody()), "nobody said so");
        lab.calendar.look_at(id);
        assert_eq!(lab.sweep().await, (Some(5), nobody()));
        lab.due("n2", 50).await;
        lab.calendar.look_at(id);
        assert_eq!(lab.sweep().await, (Some(50), nobody()), "the earlier time is forgotten");
    }

    #[tokio::test]
    async fn who_missed_news_looks_at_everybody() {
        let mut lab = Lab::open().await;
        lab.sweep().await;
        lab.due("n1", 7).await;
        lab.calendar.forget();
        assert_eq!(lab.sweep().await, (Some(7), nobody()));
    }

    #[tokio::test]
    async fn a_host_that_cannot_be_saved_keeps_nobody_elses_deadline() {
        let mut lab = Lab::open().await;
        let damaged = lab.due("n1", 5).await;
        lab.due("n2", 6).await;
        let rows = rusqlite::Connection::open(lab.house.config.state_dir.join("bootwright.db")).unwrap();
        assert_eq!(rows.execute("UPDATE hosts SET json = 'nonsense' WHERE id = ?1", [damaged.0.as_bytes()]).unwrap(), 1);
        lab.world.pass(7);
        assert_eq!(lab.sweep().await, (Some(AGAIN.as_secs()), vec!["n2".to_owned()]));
    }

    #[tokio::test]
    async fn a_host_that_is_gone_is_due_for_nothing() {
        let mut lab = Lab::open().await;
        lab.calendar.put(HostId(uuid::Uuid::nil()), Some(lab.house.now()));
        lab.calendar.is_known = true;
        assert_eq!(lab.sweep().await, (None, nobody()));
    }
}
