//! `Idempotency-Key`: a write that is sent twice is done once, and the second answer is the first one again.
//!
//! Remembered in memory for a day, only for answers that did something (2xx); a refused request may be sent again with the same key. Builds
//! also carry their key in the store, so that they survive a restart. The same key on another request is refused.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::problem::Problem;

const DAY: Duration = Duration::from_secs(86_400);
/// Keys remembered at once; the oldest go first.
const MOST_KEYS: usize = 4096;
/// Larger answers and requests are not taken with a key.
const MOST_BYTES: usize = 8 << 20;
/// Larger answers are not remembered, or a day's keys could fill the memory.
const KEPT_BYTES: usize = 64 << 10;

/// The header's name.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What was answered to which key.
#[derive(Clone, Default)]
pub struct Once(Arc<Mutex<HashMap<[u8; 32], Seen>>>);

#[derive(Clone)]
struct Seen {
    request: [u8; 32],
    at: Instant,
    answer: Option<(StatusCode, HeaderMap, Bytes)>,
}

enum Turn {
    First,
    Again(Box<Seen>),
}

impl Once {
    fn take(&self, key: [u8; 32], request: [u8; 32]) -> Turn {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.get(&key).filter(|known| known.at.elapsed() < DAY) {
            return Turn::Again(Box::new(known.clone()));
        }
        if seen.len() >= MOST_KEYS
            && let Some(oldest) = seen.iter().min_by_key(|(_, seen)| seen.at).map(|(key, _)| *key)
        {
            seen.remove(&oldest);
        }
        seen.insert(key, Seen { request, at: Instant::now(), answer: None });
        Turn::First
    }

    fn settle(&self, key: &[u8; 32], answer: Option<(StatusCode, HeaderMap, Bytes)>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(answer) => {
                if let Some(known) = seen.get_mut(key) {
                    known.answer = Some(answer);
                }
            }
            None => {
                seen.remove(key);
            }
        }
    }
}

/// Gives the key back if the request's task ends without an answer.
struct Claim {
    once: Once,
    key: [u8; 32],
    settled: bool,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.settled {
            self.once.settle(&self.key, None);
        }
    }
}

/// The layer around all routes of the API.
pub async fn once(State(once): State<Once>, request: Request, next: Next) -> Response {
    let writes = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    let Some(key) = request.headers().get(IDEMPOTENCY_KEY).filter(|_| writes).cloned() else { return next.run(request).await };
    if key.is_empty() || key.len() > 200 {
        return Problem::invalid("Idempotency-Key", "an Idempotency-Key has 1 to 200 characters").into_response();
    }
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BYTES).await else {
        return Problem::invalid("Idempotency-Key", "a request this large cannot carry an Idempotency-Key").into_response();
    };
    // The bearer belongs to the key: nobody can fetch another one's answer by guessing a key.
    let bearer = head.headers.get(header::AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
    let key = digest(&[bearer, key.as_bytes()]);
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let asked = digest(&[head.method.as_str().as_bytes(), path.as_bytes(), &body]);
    match once.take(key, asked) {
        Turn::Again(seen) => again(*seen, asked),
        Turn::First => {
            let mut claim = Claim { once: once.clone(), key, settled: false };
            let answer = next.run(Request::from_parts(head, Body::from(body))).await;
            let (response, kept) = keep(answer).await;
            claim.settled = true;
            once.settle(&key, kept);
            response
        }
    }
}

fn again(seen: Seen, asked: [u8; 32]) -> Response {
    if seen.request != asked {
        let detail = "this Idempotency-Key was used for another request";
        return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail, "take a fresh key for each request").into_response();
    }
    let Some((status, mut headers, body)) = seen.answer else {
        let detail = "the first request with this Idempotency-Key is still under way";
        return Problem::new(StatusCode::CONFLICT, "idempotency_key_busy", detail, "ask again in a moment").into_response();
    };
    headers.insert("idempotent-replay", HeaderValue::from_static("true"));
    (status, headers, body).into_response()
}

/// The answer, and what of it is remembered.
async fn keep(response: Response) -> (Response, Option<(StatusCode, HeaderMap, Bytes)>) {
    if !response.status().is_success() {
        return (response, None);
    }
    let (head, body) = response.into_parts();
    match to_bytes(body, MOST_BYTES).await {
        Ok(body) => {
            let kept = (body.len() <= KEPT_BYTES).then(|| (head.status, head.headers.clone(), body.clone()));
            (Response::from_parts(head, Body::from(body)), kept)
        }
        Err(_) => {
            let detail = "the answer is too large to be remembered under an Idempotency-Key";
            (Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "answer_too_large", detail, "repeat the request without the key").into_response(), None)
        }
    }
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::{Router, middleware, routing::post};
    use tower::ServiceExt;

    use super::*;

    fn routes() -> (Router, Arc<AtomicU32>) {
        let count = Arc::new(AtomicU32::new(0));
        let ours = count.clone();
        let act = move |body: String| async move {
            let nth = ours.fetch_add(1, Ordering::SeqCst) + 1;
            if body == "no" { (StatusCode::CONFLICT, "no".to_owned()) } else { (StatusCode::CREATED, format!("{body} {nth}")) }
        };
        (Router::new().route("/x", post(act)).layer(middleware::from_fn_with_state(Once::default(), once)), count)
    }

    async fn send(routes: &Router, bearer: &str, key: &str, body: &str) -> (u16, String, bool) {
        let request =
            Request::post("/x").header(header::AUTHORIZATION, bearer).header(IDEMPOTENCY_KEY, key).body(Body::from(body.to_owned())).unwrap();
        let response = routes.clone().oneshot(request).await.unwrap();
        let (status, replay) = (response.status().as_u16(), response.headers().contains_key("idempotent-replay"));
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap(), replay)
    }

    #[tokio::test]
    async fn a_request_sent_twice_is_done_once() {
        let (routes, count) = routes();
        assert_eq!(send(&routes, "a", "k", "go").await, (201, "go 1".into(), false));
        assert_eq!(send(&routes, "a", "k", "go").await, (201, "go 1".into(), true));
        assert_eq!(send(&routes, "b", "k", "go").await, (201, "go 2".into(), false), "another bearer's key is another key");
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_key_on_another_request_is_refused_and_a_refusal_is_not_kept() {
        let (routes, count) = routes();
        send(&routes, "a", "k", "go").await;
        let (status, text, _) = send(&routes, "a", "k", "other").await;
        assert!(status == 422 && text.contains("idempotency_key_reused"), "{text}");
        assert_eq!(send(&routes, "a", "n", "no").await.0, 409);
        assert_eq!(send(&routes, "a", "n", "no").await.0, 409);
        assert_eq!(count.load(Ordering::SeqCst), 3, "the refused one was tried again");
        assert_eq!(send(&routes, "a", "", "go").await.0, 422);
    }
}
