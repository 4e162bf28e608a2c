//! `GET /t/{token}/{document}`: a rendered document, whole or not at all. Foreman's addresses for the same below `/unattended`.
//!
//! It counts as used only when its last byte went out; that is told to the story afterwards. A Range is ignored: a document is small
//! and half of it is worth nothing.

use axum::{
    extract::{Path, State},
    http::{Response as HttpResponse, header},
    response::Response,
};

use super::{
    Boot,
    answer::{head, say, say_as_script},
    asker::{Asker, pass},
    callback,
};
use crate::{
    app::{
        Failure, Refusal, Told,
        document::{Document, DocumentAsk},
    },
    model::{SessionId, Token},
    serve::http::{
        body::{Spoken, Step, Witness},
        file::kind_of,
    },
};

/// The route.
pub(super) async fn document(State(boot): State<Boot>, Path((text, name)): Path<(String, String)>, asker: Asker) -> Response {
    match pass(&text) {
        Some((token, session)) => answer(&boot, &asker, token, session.or_else(|| asker.session()), &[&name]).await,
        None => say(&no_token()),
    }
}

/// Foreman's `/unattended/{kind}?token=`: `provision` is the answer file whatever its name, `user_data` has our hyphen.
pub(super) async fn unattended(State(boot): State<Boot>, Path(kind): Path<String>, asker: Asker) -> Response {
    let Some((token, session)) = asker.word("token").and_then(pass) else { return say(&no_token()) };
    let session = session.or_else(|| asker.session());
    if let "built" | "failed" = kind.as_str() {
        return callback::foreman(&boot, &asker, &token, session, &kind, String::new()).await;
    }
    let hyphened = kind.replace('_', "-");
    let names: &[&str] = match kind.as_str() {
        "provision" => &["provision", "kickstart", "preseed.cfg", "user-data", "autoinst.xml", "config.ign"],
        "preseed" => &["preseed.cfg", "preseed"],
        _ => &[&kind, &hyphened],
    };
    answer(&boot, &asker, token, session, names).await
}

/// No secret was shown that could be one.
pub(super) fn no_token() -> Failure {
    Refusal::Unknown { noun: "token", name: "…".into() }.into()
}

async fn answer(boot: &Boot, asker: &Asker, token: Token, session: Option<SessionId>, names: &[&str]) -> Response {
    if asker.head_only {
        // Only looked at: whether the token opens anything, from memory.
        return match boot.house.store.host_by_token(&token.hash()) {
            Ok(Some(_)) => head(),
            Ok(None) => say(&no_token()),
            Err(fault) => say(&fault.into()),
        };
    }
    boot.records.caught_up().await;
    let told = first(boot, asker, &token, session, names).await;
    match told {
        Ok(document) => send(boot, asker, document),
        Err(failure) if asker.ipxe => say_as_script(&failure, &format!("{}{}", boot.house.config.boot_url(asker.server), asker.path)),
        Err(failure) => say(&failure),
    }
}

/// The first of these documents that the profile has.
async fn first(boot: &Boot, asker: &Asker, token: &Token, session: Option<SessionId>, names: &[&str]) -> Told<Document> {
    let mut told = Err(no_token());
    for name in names {
        let ask = DocumentAsk { token: token.clone(), session, name: (*name).to_owned(), peer: asker.peer, server: asker.server };
        told = boot.house.document(&ask).await;
        if !matches!(told, Err(Failure::Refusal(Refusal::Unknown { noun: "document", .. }))) {
            break;
        }
    }
    told
}

fn send(boot: &Boot, asker: &Asker, document: Document) -> Response {
    let (house, records, bytes, kind) = (boot.house.clone(), boot.records.clone(), document.bytes.clone(), kind_of(&document.name));
    let size = bytes.len();
    let document = std::sync::Arc::new(document);
    let witness: Witness = Box::new(move |step| {
        if step != Step::Whole {
            return;
        }
        let (house, document) = (house.clone(), document.clone());
        records.write(async move {
            if let Err(failure) = house.document_sent(&document).await {
                tracing::error!(%failure, document = document.name, "the use of a document was not recorded");
            }
        });
    });
    let body = axum::body::Body::new(Spoken::new(bytes, asker.outlet.clone(), Some(witness)));
    let mut response: HttpResponse<_> = HttpResponse::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static(if kind == "application/octet-stream" { "text/plain; charset=utf-8" } else { kind }),
    );
    headers.insert(header::CONTENT_LENGTH, size.into());
    headers.insert(header::CACHE_CONTROL, axum::http::HeaderValue::from_static("no-store"));
    response
}
