//! The daemon's own health: is the store in order, and does the clock run as it should? Looked at every few seconds.
//!
//! A store in trouble cannot be told in its own journal; log, metric and `readyz` tell it while it lasts, and the journal when it is over.

use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

use super::{Fault, House, Told};
use crate::{
    model::{Timestamp, What},
    store::StoreFault,
};

/// What was wrong when it was last looked at.
#[derive(Debug, Default)]
pub struct Health {
    trouble: Mutex<Option<(StoreFault, Timestamp)>>,
    clock_is_off: Mutex<bool>,
}

impl House {
    /// Looks at the store and at the clock; a line for what begins or ends.
    pub async fn look_at_itself(&self) -> Told<()> {
        self.look_at_store().await?;
        self.look_at_clock().await
    }

    /// What keeps the store from its work, if anything.
    pub fn trouble(&self) -> Option<Fault> {
        self.store.trouble().map(Fault::Store)
    }

    async fn look_at_store(&self) -> Told<()> {
        // What ended between two looks, or by the probe's own write, was there all the same.
        let seen = self.store.trouble_since().map(|fault| (fault, self.now()));
        let found = match self.store.probe().await {
            Ok(()) => None,
            Err(fault) => Some(self.store.trouble().unwrap_or(fault)),
        };
        let known = self.health.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let before = if found.is_none() { known.or(seen) } else { known };
        let since = before.as_ref().map_or_else(|| self.now(), |(_, since)| *since);
        match (&before, &found) {
            (Some((was, _)), Some(is)) if was.word() == is.word() => return Ok(()),
            (_, Some(is)) => tracing::error!(word = is.word(), fault = %is, "the store is in trouble: nothing is acknowledged until it is over"),
            (Some((was, _)), None) => {
                tracing::info!(was = was.word(), %since, "the store is in order again");
                let text =
                    format!("the store was in trouble since {since} ({}): {was}. Nothing was acknowledged meanwhile that is not kept.", was.word());
                self.warn(What::Warning { word: was.word().into() }, text).await?;
            }
            (None, None) => return Ok(()),
        }
        *self.health.trouble.lock().unwrap_or_else(PoisonError::into_inner) = found.map(|fault| (fault, since));
        Ok(())
    }

    async fn look_at_clock(&self) -> Told<()> {
        let off = self.world.ahead();
        let is_off = !off.is_zero();
        {
            let mut was_off = self.health.clock_is_off.lock().unwrap_or_else(PoisonError::into_inner);
            if *was_off == is_off {
                return Ok(());
            }
            *was_off = is_off;
        }
        let text = if is_off { clock_text(off) } else { "the daemon's clock has caught up with the system's".to_owned() };
        tracing::warn!("{text}");
        Ok(self.warn(What::Warning { word: "clock_jump".into() }, text).await?)
    }
}

fn clock_text(off: SignedDuration) -> String {
    let (way, secs) = if off.is_negative() { ("back", off.as_secs().unsigned_abs()) } else { ("forward", off.as_secs().unsigned_abs()) };
    format!(
        "the system's clock was set {way} by {secs} seconds; leases and deadlines go on as if it had not been, and the daemon's clock follows slowly. \
         Look at the time service (chronyc tracking, timedatectl); a restart takes the system's time at once."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_named_with_its_way_and_what_to_do() {
        let said = clock_text(SignedDuration::from_hours(-2));
        assert!(said.contains("back by 7200 seconds") && said.contains("restart"), "{said}");
        assert!(clock_text(SignedDuration::from_mins(1)).contains("forward by 60"));
    }
}
