//! Time passes: deadlines, the end of reservations, and the age of evidence. (Leases end at the DHCP desk.)
//!
//! Deadlines are data, so a daemon that was down finds them passed and tells them in the order in which they did. Nothing else happens by itself.

use jiff::SignedDuration;

use super::{Fault, House, Told};
use crate::{
    model::{Actor, Host, Timestamp},
    rules::expiry,
};

impl House {
    /// Carries out what is due by now; when there will be something again, if ever.
    pub async fn sweep(&self) -> Told<Option<Timestamp>> {
        let now = self.now();
        let mut next = None;
        for host in self.store.hosts()? {
            if expiry::next_due(&host, &self.times, self.awake).is_some_and(|at| at <= now) {
                self.sweep_host(&host).await?;
            }
            let again = self.store.host(host.id)?.and_then(|host| expiry::next_due(&host, &self.times, self.awake)).filter(|at| *at > now);
            next = next.into_iter().chain(again).min();
        }
        self.metrics.set_hosts(self.store.hosts()?.iter().map(AsRef::as_ref));
        Ok(next)
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
