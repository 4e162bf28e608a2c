//! The boot listener: what machines fetch and what they tell. Plain HTTP on the provisioning network; no operator's verb is here.
//!
//! ```text
//! /boot.ipxe                    the script of the host's plan; always a valid script
//! /loader/{name}                loaders, for HTTP boot
//! /artifact/{name}/{v}/{path}   kernels, initrds, trees
//! /live/{version}/{file}        kernel and initrd of the live image
//! /agent/v1/{word}              what the live image's agent says
//! /t/{token}/{document}         rendered documents, while a build is open
//! /cb/{token}/{report}          what the installer says
//! /unattended/{kind}?token=     documents and callbacks at Foreman's addresses
//! ```
//! HEAD never reaches a story: it counts as nothing. `answer` is the one place where a story's "no" becomes a status and a text.

mod agent;
mod answer;
mod asker;
mod callback;
mod document;
mod files;
mod pass;
mod records;
mod script;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
pub use pass::pass;
pub use records::Records;

use self::{answer::Forged, asker::Asker};
use super::{counted::counted, waves::Waves};
use crate::app::House;

/// What every route needs: the stories, and what is written down after an answer.
#[derive(Clone)]
pub struct Boot {
    /// The stories.
    pub house: Arc<House>,
    /// What outlives a request (a file's end is recorded after its last byte); finished by whoever stops the listener.
    pub records: Records,
}

/// The routes of the boot listener.
pub fn routes(boot: Boot) -> Router {
    let counting = (boot.house.clone(), "boot");
    let waves = Waves::new(boot.house.config.limits.http_transfers);
    Router::new()
        .route("/boot.ipxe", get(script::script))
        .route("/loader/{*name}", get(files::loader))
        .route("/artifact/{name}/{version}/{*path}", get(files::artifact))
        .route("/live/{version}/{file}", get(files::live))
        .route("/agent/v1/hello", post(agent::hello))
        .route("/agent/v1/heartbeat", post(agent::heartbeat))
        .route("/agent/v1/report", post(agent::report))
        .route("/t/{pass}/{document}", get(document::document))
        .route("/cb/{pass}/{*report}", get(callback::callback).post(callback::callback))
        .route("/unattended/{kind}", get(document::unattended).post(callback::unattended))
        .fallback(nothing_here)
        .layer(Extension(waves))
        .layer(middleware::from_fn_with_state(boot.clone(), noticed))
        .layer(middleware::from_fn_with_state(counting, counted))
        .with_state(boot)
}

/// Tells the story of forged tokens, after the answer.
async fn noticed(State(boot): State<Boot>, asker: Asker, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.extensions().get::<Forged>().is_some() && boot.house.forged(asker.peer) {
        boot.records.clone().write(async move {
            if let Err(failure) = boot.house.tell_of_forged(asker.peer).await {
                tracing::error!(peer = %asker.peer, %failure, "a forged token was not recorded");
            }
        });
    }
    response
}

async fn nothing_here(request: Request) -> Response {
    let text = format!("There is nothing at {}.\n", request.uri().path());
    (StatusCode::NOT_FOUND, text).into_response()
}
