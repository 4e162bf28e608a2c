//! `/backup` and `/verify`: a sealed copy of the running store, streamed, and a look through all of it.
//!
//! A backup holds what installers are told, secrets included, so it is an admin's. Nothing of it stays on the server. An answer that breaks
//! off has no seal at its end, and no restore takes it.

use std::{fs::File, io, io::Read as _};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Admin, access::Caller, problem::Problem};
use crate::{
    app::{
        Fault, Told,
        backup::{Copied, Sealing},
    },
    model::Role,
    store::StoreFault,
};

/// Bytes of one piece.
const PIECE: usize = 256 << 10;

/// A consistent copy of the database while it is written, with its seal: what `bootwright restore` takes.
#[utoipa::path(get, path = "/api/v1/backup", tag = "store",
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = "default", body = Problem)))]
pub(super) async fn backup(State(admin): State<Admin>, caller: Caller) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Admin)?;
    let (house, actor, turn) = (admin.house.clone(), actor.clone(), admin.house.reading_turn().await);
    let copied = to_the_end(async move { house.backup(&actor, turn).await }).await?;
    let (send, receive) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        // Whoever hung up has no seal, and knows it.
        let _nobody_listens = pieces(copied, &send);
    });
    let name = "attachment; filename=\"bootwright.backup\"";
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CONTENT_DISPOSITION, name), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(ReceiverStream::new(receive))).into_response())
}

/// Goes on even if the asker hangs up: nothing half is left behind, and the next one begins when this one is over.
async fn to_the_end<R: Send + 'static>(reading: impl Future<Output = Told<R>> + Send + 'static) -> Told<R> {
    tokio::spawn(reading).await.unwrap_or_else(|error| Err(Fault::from(StoreFault::Broke { detail: error.to_string() }).into()))
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

fn pieces(copied: Copied, send: &Pieces) -> Result<(), mpsc::error::SendError<io::Result<Bytes>>> {
    let Copied { mut file, made } = copied;
    let mut sealing = Sealing::default();
    loop {
        let piece = piece(&mut file);
        let end = piece.as_ref().is_ok_and(Bytes::is_empty);
        if end {
            return send.blocking_send(Ok(sealing.line(made).into()));
        }
        let failed = piece.is_err();
        if let Ok(bytes) = &piece {
            sealing.see(bytes);
        }
        send.blocking_send(piece)?;
        if failed {
            return Ok(());
        }
    }
}

fn piece(file: &mut File) -> io::Result<Bytes> {
    let mut bytes = vec![0; PIECE];
    let read = file.read(&mut bytes)?;
    bytes.truncate(read);
    Ok(bytes.into())
}

/// One thing that is wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Finding {
    /// `the file`, `host 0190…`, `network lab`.
    pub what: String,
    /// What differs.
    pub text: String,
}

/// What was found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Verified {
    /// Whether everything is in order.
    pub sound: bool,
    /// What is not.
    pub items: Vec<Finding>,
}

/// Looks through the whole store: pages, references, leases, and whether every row is what its journal says. Takes seconds on a large one.
#[utoipa::path(get, path = "/api/v1/verify", tag = "store", responses((status = 200, body = Verified), (status = "default", body = Problem)))]
pub(super) async fn verify(State(admin): State<Admin>, caller: Caller) -> Result<Json<Verified>, Problem> {
    caller.needs(Role::Operator)?;
    let (house, turn) = (admin.house.clone(), admin.house.reading_turn().await);
    let found = to_the_end(async move { house.verify_store(turn).await }).await?;
    let items: Vec<_> = found.into_iter().map(|one| Finding { what: one.what, text: one.text }).collect();
    Ok(Json(Verified { sound: items.is_empty(), items }))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_ends_though_the_asker_hung_up() {
        let ((disk, is_ready), (end, ended)) = (oneshot::channel::<()>(), oneshot::channel());
        let asked = to_the_end(async move {
            is_ready.await.unwrap();
            end.send(()).unwrap();
            Ok(())
        });
        assert!(asked.now_or_never().is_none(), "the disk is slow, and the asker has gone");
        disk.send(()).unwrap();
        ended.await.unwrap();
    }
}
