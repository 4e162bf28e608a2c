//! The journal: pages of it, and the live stream.
//!
//! The stream is Server-Sent Events: `id` is the entry's number, `event` its kind, `data` the entry. Who comes back with `Last-Event-ID`
//! misses nothing: the store fills the gap, also for a reader that was too slow.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_stream::Stream;

use super::{
    Admin,
    access::{Asked, Caller},
    page::Page,
    problem::Problem,
    types,
};
use crate::{
    app::Failure,
    model::{BuildId, Entry, HostId, Timestamp},
    store::{JournalFilter, kind_word},
};

/// Which entries are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Of this host: id, name or MAC.
    host: Option<String>,
    /// Of this kind: `transition`, `stage`, `boot_loop` …
    kind: Option<String>,
    /// Of this build.
    build: Option<BuildId>,
    /// At or after, RFC 3339.
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Before, RFC 3339.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// `newest` (the default) or `oldest` first.
    order: Option<String>,
    /// At most so many, 1 to 1000; 100 if left out.
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<u64>,
}

impl Wanted {
    fn filter(&self, host: Option<HostId>) -> Result<JournalFilter, Problem> {
        let newest_first = match self.order.as_deref() {
            None | Some("newest") => true,
            Some("oldest") => false,
            Some(_) => return Err(Problem::invalid("order", "the order is newest or oldest")),
        };
        let limit = super::page::Paging { limit: self.limit, cursor: None }.limit()?;
        let Self { kind, build, since, until, cursor, .. } = self.clone();
        Ok(JournalFilter { host, kind, build, since, until, after_seq: cursor, newest_first, limit })
    }
}

async fn page(admin: &Admin, caller: &Caller, wanted: &Wanted, host: Option<HostId>) -> Result<Json<Page<Entry>>, Problem> {
    let filter = wanted.filter(host)?;
    let limit = filter.limit;
    let entries = admin.house.journal(filter).await?;
    let next = if entries.len() == limit { entries.last().map(|entry| entry.seq.to_string()) } else { None };
    Ok(Json(Page { items: entries.into_iter().map(|entry| types::entry(entry, caller)).collect(), next }))
}

/// What happened, everywhere.
#[utoipa::path(get, path = "/api/v1/journal", tag = "journal", params(Wanted),
    responses((status = 200, body = Page<Entry>), (status = "default", body = Problem)))]
pub(super) async fn list(State(admin): State<Admin>, caller: Caller, Asked(wanted): Asked<Wanted>) -> Result<Json<Page<Entry>>, Problem> {
    let host = wanted.host.as_deref().map(|key| admin.house.find(key)).transpose()?.map(|host| host.id);
    page(&admin, &caller, &wanted, host).await
}

/// What happened to a host.
#[utoipa::path(get, path = "/api/v1/hosts/{host}/journal", tag = "journal", params(("host" = String, Path), Wanted),
    responses((status = 200, body = Page<Entry>), (status = "default", body = Problem)))]
pub(super) async fn of_host(
    State(admin): State<Admin>,
    caller: Caller,
    Path(key): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Page<Entry>>, Problem> {
    let host = admin.house.find(&key)?.id;
    page(&admin, &caller, &wanted, Some(host)).await
}

/// Which part of the stream is wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Following {
    /// Only of this host: id, name or MAC.
    host: Option<String>,
    /// Entries after this number first, as `Last-Event-ID`.
    after: Option<u64>,
}

/// The journal as it grows, as Server-Sent Events; resumes after `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/events", tag = "journal", params(Following, ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = Entry), (status = "default", body = Problem)))]
pub(super) async fn events(
    State(admin): State<Admin>,
    caller: Caller,
    headers: HeaderMap,
    Asked(following): Asked<Following>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let host = following.host.as_deref().map(|key| admin.house.find(key)).transpose()?.map(|host| host.id);
    let last = match headers.get("last-event-id").map(|id| id.to_str().unwrap_or("").parse()) {
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(Problem::invalid("Last-Event-ID", "Last-Event-ID is an entry's number")),
        None => following.after,
    };
    // Followed before anything is read: what happens between the two is in both, and told once by its number.
    let news = admin.house.store.follow();
    let after = match last {
        Some(after) => after,
        None => newest(&admin).await?,
    };
    let mut feed = Feed { admin, caller, host, news, after, waiting: VecDeque::new(), behind: last.is_some() };
    let (send, receive) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let stop = feed.admin.stop.clone();
        while let Some(event) = tokio::select! { event = feed.next() => event, () = stop.cancelled() => None, () = send.closed() => None } {
            if send.send(Ok(event)).await.is_err() {
                break;
            }
        }
    });
    let stream = tokio_stream::wrappers::ReceiverStream::new(receive);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

async fn newest(admin: &Admin) -> Result<u64, Failure> {
    let filter = JournalFilter { newest_first: true, limit: 1, ..JournalFilter::default() };
    Ok(admin.house.journal(filter).await?.first().map_or(0, |entry| entry.seq))
}

/// One reader of the stream.
struct Feed {
    admin: Admin,
    caller: Caller,
    host: Option<HostId>,
    news: Receiver<Arc<Entry>>,
    after: u64,
    waiting: VecDeque<Entry>,
    behind: bool,
}

impl Feed {
    /// The next event; `None` when there will be no more.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return self.tell(entry);
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            match self.news.recv().await {
                Ok(entry) if entry.seq <= self.after || self.host.is_some_and(|host| entry.host != Some(host)) => {}
                // News come without patches: whoever may see them is told from the journal.
                Ok(_) if self.caller.sees_secrets() => self.behind = true,
                Ok(entry) => self.waiting.push_back(Entry::clone(&entry)),
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Reads a page of what was missed. A store that cannot say ends the stream: the reader comes back and resumes.
    async fn catch_up(&mut self) -> Option<()> {
        let filter = JournalFilter { host: self.host, after_seq: Some(self.after), limit: 500, ..JournalFilter::default() };
        let entries = self.admin.house.journal(filter).await.inspect_err(|fault| tracing::warn!(%fault, "an event stream ends")).ok()?;
        self.behind = entries.len() == 500;
        self.waiting.extend(entries);
        Some(())
    }

    fn tell(&mut self, entry: Entry) -> Option<Event> {
        self.after = entry.seq;
        let event = Event::default().id(entry.seq.to_string()).event(kind_word(&entry.what));
        event.json_data(types::entry(entry, &self.caller)).ok()
    }
}
