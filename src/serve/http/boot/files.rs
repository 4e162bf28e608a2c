//! `GET /loader/{name}`, `GET /artifact/{name}/{version}/{path}` and `GET /live/{version}/{file}`: files, by `http::file`.
//!
//! What a body's end means is told to the story after the last byte went out, on a task of its own: a machine must not wait for our
//! disk to have its file (see `records`). HEAD, Range and 304 tell nothing. Large ones take a place in the waves until they end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::{Path, State},
    http::{
        HeaderMap, Method, StatusCode,
        header::{CONNECTION, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{Boot, answer::say, asker::Asker};
use crate::{
    app::{
        Failure, House, Refusal,
        artifact::{Fetch, FetchEnd},
        live::LiveFetch,
    },
    model::ArtifactRef,
    serve::http::{
        body::{Step, Witness},
        file::{Answer, Source, kind_of},
        waves::{LARGE_BYTES, Ride, Waves},
    },
};

/// Loaders, from memory.
pub(super) async fn loader(State(boot): State<Boot>, Path(name): Path<String>, method: Method, headers: HeaderMap, asker: Asker) -> Response {
    if !asker.head_only {
        boot.records.caught_up().await;
    }
    let bytes = match boot.house.loader(&name, asker.peer, None) {
        Ok(bytes) => bytes,
        Err(Failure::Refusal(Refusal::Unknown { .. })) => return (StatusCode::NOT_FOUND, format!("{}\n", House::loader_hint(&name))).into_response(),
        Err(failure) => return say(&failure),
    };
    let (size, etag) = (bytes.len() as u64, boot.house.loaders.get(&name).map(|loader| loader.sha256.clone()).unwrap_or_default());
    let answer = Answer { source: Source::Bytes(bytes), etag, kind: kind_of(&name), immutable: false };
    let ask = match boot.house.loader_ask(&name, asker.peer, None, size) {
        Ok(ask) => ask,
        Err(failure) => return say(&failure),
    };
    let (house, records) = (boot.house.clone(), boot.records.clone());
    let witness: Witness = Box::new(move |step| {
        let (outcome, sent_bytes) = match step {
            Step::Moved(_) => return,
            Step::Whole => ("done", size),
            Step::Broken(sent) => ("aborted", sent),
        };
        house.metrics.transfer_ended("http", outcome, sent_bytes);
        let (house, Some(ask)) = (house.clone(), ask.clone()) else { return };
        records.write(async move {
            if let Err(failure) = house.loader_ended(&ask, outcome, sent_bytes).await {
                tracing::error!(peer = %ask.peer, %failure, "the end of a loader was not recorded");
            }
        });
    });
    answer.to(&method, &headers, asker.outlet, Some(witness))
}

/// Kernels, initrds, stage2, trees.
pub(super) async fn artifact(
    State(boot): State<Boot>,
    Path((name, version, path)): Path<(String, String, String)>,
    method: Method,
    headers: HeaderMap,
    Extension(waves): Extension<Arc<Waves>>,
    asker: Asker,
) -> Response {
    let artifact = match format!("{name}/{version}/{path}").parse::<ArtifactRef>() {
        Ok(artifact) => artifact,
        Err(wrong) => return (StatusCode::NOT_FOUND, format!("{wrong}\n")).into_response(),
    };
    if !asker.head_only {
        boot.records.caught_up().await;
    }
    let (opened, fetch) = match boot.house.artifact(&artifact, asker.session(), asker.peer).await {
        Ok(told) => told,
        Err(failure) => return say(&failure),
    };
    let size = opened.size_bytes;
    let answer = Answer { source: Source::File(opened.file, size), etag: opened.etag, kind: kind_of(&artifact.path), immutable: true };
    let ride = match ride(&waves, &asker, size, answer.goes_whole(&method, &headers)) {
        Ok(ride) => ride,
        Err(wait) => return later(&boot, &asker, wait),
    };
    let tell = fetch.map(|fetch| recorder(&boot, fetch));
    let house = boot.house.clone();
    let witness: Witness = Box::new(move |step| {
        let _until_the_end = &ride;
        let ended = match step {
            Step::Moved(_) => None,
            Step::Whole => Some(("done", size)),
            Step::Broken(sent_bytes) => Some(("aborted", sent_bytes)),
        };
        if let Some((outcome, sent_bytes)) = ended {
            house.metrics.transfer_ended("http", outcome, sent_bytes);
            house.metrics.artifact_sent(sent_bytes);
        }
        if let Some(tell) = &tell {
            // Nobody listens any more only when the daemon is being torn down.
            let _ = tell.send(step);
        }
    });
    answer.to(&method, &headers, asker.outlet, Some(witness))
}

/// Kernel and initrd of the live image, of the present version alone.
pub(super) async fn live(
    State(boot): State<Boot>,
    Path((version, name)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    Extension(waves): Extension<Arc<Waves>>,
    asker: Asker,
) -> Response {
    if !asker.head_only {
        boot.records.caught_up().await;
    }
    let opened = match boot.house.live_file(&version, &name) {
        Ok(opened) => opened,
        Err(failure) => return say(&failure),
    };
    let size_bytes = opened.size_bytes;
    let answer = Answer { source: Source::File(opened.file, size_bytes), etag: opened.sha256, kind: kind_of(&name), immutable: true };
    let ride = match ride(&waves, &asker, size_bytes, answer.goes_whole(&method, &headers)) {
        Ok(ride) => ride,
        Err(wait) => return later(&boot, &asker, wait),
    };
    let (house, records) = (boot.house.clone(), boot.records.clone());
    let fetch = asker.session().map(|session| LiveFetch { file: format!("live/{version}/{name}"), session, size_bytes });
    let witness: Witness = Box::new(move |step| {
        let _until_the_end = &ride;
        let (outcome, end, sent_bytes) = match step {
            Step::Moved(_) => return,
            Step::Whole => ("done", FetchEnd::Whole, size_bytes),
            Step::Broken(sent_bytes) => ("aborted", FetchEnd::Broken { sent_bytes }, sent_bytes),
        };
        house.metrics.transfer_ended("http", outcome, sent_bytes);
        let Some(fetch) = fetch.clone() else { return };
        let house = house.clone();
        records.write(async move {
            if let Err(failure) = house.live_file_ended(&fetch, end).await {
                tracing::error!(file = fetch.file, %failure, "the end of a fetch of the live image was not recorded");
            }
        });
    });
    answer.to(&method, &headers, asker.outlet, Some(witness))
}

/// A place in the waves for a large file that goes whole, or when there will be one.
fn ride(waves: &Arc<Waves>, asker: &Asker, size_bytes: u64, goes_whole: bool) -> Result<Option<Ride>, Duration> {
    match (goes_whole && size_bytes >= LARGE_BYTES, asker.ipxe) {
        (false, _) => Ok(None),
        (true, false) => Ok(Some(waves.enter_anyway(asker.peer.into(), Instant::now()))),
        (true, true) => waves.enter(asker.peer.into(), Instant::now()).map(Some),
    }
}

/// Says when to ask again, and closes the connection: whoever waits holds no place.
fn later(boot: &Boot, asker: &Asker, wait: Duration) -> Response {
    boot.house.metrics.connection_refused("boot", "transfers_full");
    tracing::debug!(peer = %asker.peer, wait_secs = wait.as_secs(), "all places for large files are taken");
    let text = format!("Many machines are being served; there will be a place in {} s.\n", wait.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, wait.as_secs().to_string()), (CONNECTION, "close".to_owned())], text).into_response()
}

/// One task that records the course of one fetch, in order. It ends when the fetch does, or when nothing will come of it (HEAD, Range).
fn recorder(boot: &Boot, fetch: Fetch) -> UnboundedSender<Step> {
    let (tell, mut steps) = unbounded_channel();
    let (house, records) = (boot.house.clone(), boot.records.clone());
    boot.records.follow(async move {
        while let Some(mut step) = steps.recv().await {
            let _turn = records.turn().await;
            // How far it was meanwhile is no news any more.
            while let (Step::Moved(_), Ok(newer)) = (step, steps.try_recv()) {
                step = newer;
            }
            let told = match step {
                Step::Moved(sent_bytes) => house.fetch_progress(&fetch, sent_bytes).await,
                Step::Whole => house.fetch_ended(&fetch, FetchEnd::Whole).await,
                Step::Broken(sent_bytes) => house.fetch_ended(&fetch, FetchEnd::Broken { sent_bytes }).await,
            };
            if let Err(failure) = told {
                tracing::error!(%failure, "the course of a fetch was not recorded");
            }
        }
    });
    tell
}
