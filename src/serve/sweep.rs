//! The clock of the daemon: calls the story of passing time when something is due, and the one of old evidence once a day.
//!
//! It sleeps until the next deadline or the next change of the journal, whichever comes first, and decides nothing.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{Calendar, House},
    model::{Entry, Timestamp},
};

/// How long it sleeps at most: a clock may jump.
const LONGEST: Duration = Duration::from_secs(10);
/// How long it sleeps at least: a burst of journal entries is one reason to look, not many.
const SHORTEST: Duration = Duration::from_millis(200);
/// How often the daemon looks at itself.
const LOOK: Duration = Duration::from_secs(5);
/// How often old evidence is removed.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Runs until `stop`.
pub async fn run(house: &House, stop: CancellationToken) {
    let mut pruned: Option<Timestamp> = None;
    let mut news = house.store.follow();
    let mut calendar = Calendar::default();
    let mut follows = true;
    while !stop.is_cancelled() {
        let now = house.now();
        let next = match house.sweep(&mut calendar).await {
            Ok(next) => next,
            Err(failure) => {
                tracing::error!(%failure, "deadlines could not be looked at; trying again");
                None
            }
        };
        if pruned.is_none_or(|at| now.duration_since(at) >= PRUNE_EVERY) {
            pruned = Some(now);
            if let Err(failure) = house.prune().await {
                tracing::error!(%failure, "old evidence could not be removed");
            }
        }
        let until = next.map_or(LONGEST, |at| Duration::try_from(at.duration_since(house.now())).unwrap_or(SHORTEST));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(until.clamp(SHORTEST, LONGEST)) => {}
            first = news.recv(), if follows => {
                tokio::time::sleep(SHORTEST).await;
                follows = take_in(first, &mut news, &mut calendar);
            }
        }
    }
}

/// Looks at the store and the clock until `stop`, whatever the sweep is waiting for.
pub async fn look(house: &House, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(looks.tick()).await.is_some() {
        if let Err(failure) = house.look_at_itself().await {
            tracing::warn!(%failure, "what became of the daemon's own health was not journalled");
        }
    }
}

/// Searches the database for damage, once, beside everything else.
pub async fn examine(house: &House, stop: CancellationToken) {
    let begun = std::time::Instant::now();
    match stop.run_until_cancelled(house.store.examine()).await {
        Some(Ok(())) => tracing::info!(secs = begun.elapsed().as_secs_f32(), "the database was searched for damage: there is none"),
        Some(Err(fault)) => tracing::error!(word = fault.word(), %fault, "the database was searched for damage"),
        None => {}
    }
    stop.cancelled().await;
}

/// What the journal says of a host may have brought it an earlier deadline. Whether there will be more of it.
fn take_in(first: Result<Arc<Entry>, RecvError>, news: &mut Receiver<Arc<Entry>>, calendar: &mut Calendar) -> bool {
    let mut heard = first;
    loop {
        match heard {
            Ok(entry) => entry.host.into_iter().for_each(|id| calendar.look_at(id)),
            Err(RecvError::Lagged(_)) => calendar.forget(),
            // The store is closed; the sweep says so.
            Err(RecvError::Closed) => return false,
        }
        heard = match news.try_recv() {
            Ok(entry) => Ok(entry),
            Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Closed) => return false,
        };
    }
}
