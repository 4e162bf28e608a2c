//! Watches the folder of site templates and has the set read again when something in it changed, and on SIGHUP; and looks every few
//! seconds whether the live image is another one.
//!
//! What a bad set or a broken image means is the story's business. The image's folder may be missing, or be a link that is turned
//! to the next build: three looks at it cost less than a watch that sees that.

use std::{sync::Arc, time::Duration};

use notify::{RecursiveMode, Watcher};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use crate::app::House;

/// Editors write in several steps; the set is read when they have been quiet for so long.
const QUIET: Duration = Duration::from_millis(300);

/// How often the live image's files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Runs until `stop`.
pub async fn run(house: Arc<House>, stop: CancellationToken) {
    let (tell, mut changed) = mpsc::channel::<()>(1);
    let _watcher = watcher(&house, tell);
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => Some(hangup),
        Err(fault) => {
            tracing::warn!(%fault, "SIGHUP cannot be received; templates are read again when their folder changes");
            None
        }
    };
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = changed.recv() => quiet(&mut changed).await,
            () = hung_up(&mut hangup) => look_at_live(&house).await,
            _ = looks.tick() => {
                look_at_live(&house).await;
                continue;
            }
        }
        let reading = house.clone();
        match tokio::task::spawn_blocking(move || reading.templates.reload()).await {
            Ok(Ok(changes)) if changes.is_nothing() => {}
            Ok(Ok(changes)) => {
                tracing::info!(added = ?changes.added, altered = ?changes.altered, removed = ?changes.removed, "templates read again");
            }
            Ok(Err(fault)) => {
                tracing::error!(%fault, "the changed templates are not taken; the set before stays in use");
                if let Err(why) = house.templates_not_taken(&fault).await {
                    tracing::error!(%why, "that was not journalled");
                }
            }
            Err(fault) => tracing::error!(%fault, "reading the templates failed"),
        }
    }
}

async fn look_at_live(house: &Arc<House>) {
    let looking = house.clone();
    match tokio::task::spawn_blocking(move || looking.reload_live_image()).await {
        Ok(None | Some(Ok(_))) => {}
        Ok(Some(Err(lost))) => {
            if let Err(why) = house.live_image_lost(&lost).await {
                tracing::error!(%why, "the loss of the live image was not journalled");
            }
        }
        Err(fault) => tracing::error!(%fault, "looking at the live image failed"),
    }
}

async fn hung_up(hangup: &mut Option<tokio::signal::unix::Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Waits until nothing has changed for a while.
async fn quiet(changed: &mut mpsc::Receiver<()>) {
    while tokio::time::timeout(QUIET, changed.recv()).await.is_ok_and(|more| more.is_some()) {}
}

fn watcher(house: &House, tell: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let site = house.templates.shelf().site()?;
    let watching = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // A full channel already says what there is to say.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = tell.try_send(());
        }
    })
    .and_then(|mut watcher| watcher.watch(site, RecursiveMode::Recursive).map(|()| watcher));
    match watching {
        Ok(watcher) => Some(watcher),
        Err(fault) => {
            tracing::warn!(folder = %site.display(), %fault, "the template folder cannot be watched; send SIGHUP after a change");
            None
        }
    }
}
