//! Answers with files: HEAD, one Range, If-Range, ETag, Content-Length always; never a whole file in memory.
//!
//! A file that is more than a piece goes by `sendfile` where the connection can (plain TCP). Otherwise bytes come by `preadv2(RWF_NOWAIT)`
//! on the connection's own task when the page cache has them, and from the blocking pool when it does not; at most one piece waits per
//! connection (the listener keeps hyper's buffer below that). No several ranges, no dates: boot clients use neither.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    os::{fd::AsRawFd, unix::fs::FileExt},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::Body as AnyBody,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
        header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE},
    },
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::{
    body::{Spoken, Watch, Witness},
    range::{self, Wanted},
    sendfile::{self, Cork, NOTE_BYTES, Stretch},
    socket::Outlet,
};

/// How much is read at once; more than this is worth a `sendfile`.
const PIECE_BYTES: u64 = 256 << 10;

/// Where the bytes are.
pub enum Source {
    /// An open file of `size` bytes that does not shrink.
    File(File, u64),
    /// Memory.
    Bytes(Bytes),
}

impl Source {
    fn size(&self) -> u64 {
        match self {
            Self::File(_, size) => *size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    fn body(self, first: u64, count: u64, outlet: Option<Outlet>, witness: Option<Witness>) -> AnyBody {
        match self {
            Self::File(file, _) => AnyBody::new(FileBody::new(file, first, count, outlet, witness)),
            Self::Bytes(bytes) => AnyBody::new(Spoken::new(bytes.slice(first as usize..(first + count) as usize), outlet, witness)),
        }
    }
}

/// What a file route has to say.
pub struct Answer {
    /// The bytes.
    pub source: Source,
    /// A strong validator without its quotes.
    pub etag: String,
    /// The media type.
    pub kind: &'static str,
    /// Whether the content under this URL never changes.
    pub immutable: bool,
}

impl Answer {
    /// Whether a GET or HEAD with these headers is answered with the whole body as a 200: what a witness is called for.
    pub fn goes_whole(&self, method: &Method, headers: &HeaderMap) -> bool {
        let etag = format!("\"{}\"", self.etag);
        method != Method::HEAD && !is_known(headers, &etag) && wanted(headers, &etag, self.source.size()) == Wanted::Whole
    }

    /// The response to a GET or HEAD with these headers. The witness is called for a whole 200 only: HEAD, Range and 304 count as nothing.
    pub fn to(self, method: &Method, headers: &HeaderMap, outlet: Option<Outlet>, witness: Option<Witness>) -> Response<AnyBody> {
        let size = self.source.size();
        let etag = format!("\"{}\"", self.etag);
        let mut response = Response::new(AnyBody::empty());
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(ETAG, &etag);
        set(ACCEPT_RANGES, "bytes");
        set(CONTENT_TYPE, self.kind);
        if self.immutable {
            set(axum::http::header::CACHE_CONTROL, "public, max-age=31536000, immutable");
        }
        if is_known(headers, &etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        let (first, count, status) = match wanted(headers, &etag, size) {
            Wanted::Whole => (0, size, StatusCode::OK),
            Wanted::Part { first, last } => {
                set(CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
                (first, last - first + 1, StatusCode::PARTIAL_CONTENT)
            }
            Wanted::Outside => {
                set(CONTENT_RANGE, &format!("bytes */{size}"));
                (0, 0, StatusCode::RANGE_NOT_SATISFIABLE)
            }
        };
        set(CONTENT_LENGTH, &count.to_string());
        *response.status_mut() = status;
        if method != Method::HEAD && count > 0 {
            let witness = witness.filter(|_| status == StatusCode::OK);
            *response.body_mut() = self.source.body(first, count, outlet, witness);
        }
        response
    }
}

/// Whether the client has it already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers.get(IF_NONE_MATCH).is_some_and(|value| names_any(value, etag))
}

/// `Range`, unless `If-Range` names another version.
fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let Some(range) = headers.get(RANGE).and_then(|value| value.to_str().ok()) else { return Wanted::Whole };
    match headers.get(IF_RANGE) {
        Some(version) if version.as_bytes() != etag.as_bytes() => Wanted::Whole,
        _ => range::read(range, size),
    }
}

/// Whether an `If-None-Match` list names this ETag (weak comparison, RFC 9110 13.1.2).
fn names_any(list: &HeaderValue, etag: &str) -> bool {
    let Ok(list) = list.to_str() else { return false };
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

/// A media type by a path's suffix, for people; boot clients do not look.
pub fn kind_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("ipxe" | "cfg" | "txt" | "ks" | "sh" | "log") => "text/plain; charset=utf-8",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("iso") => "application/x-iso9660-image",
        Some("efi") => "application/efi",
        _ => "application/octet-stream",
    }
}

/// Part of a file as a body.
pub struct FileBody {
    file: Arc<File>,
    at: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
    /// Where stretches are left for the socket, if it sends them itself.
    by_note: Option<Outlet>,
    /// Whether a stretch was promised already.
    begun: bool,
    watch: Watch,
}

impl FileBody {
    /// `count` bytes from `first`.
    pub fn new(file: File, first: u64, count: u64, outlet: Option<Outlet>, witness: Option<Witness>) -> Self {
        let by_note = outlet.clone().filter(|outlet| count > PIECE_BYTES && outlet.sends_files());
        Self { file: Arc::new(file), at: first, left: count, reading: None, by_note, begun: false, watch: Watch::new(count, outlet, witness) }
    }

    /// Leaves the next stretch for the socket to send, and a note in its place.
    fn promise(&mut self, outlet: &Outlet) -> Frame<Bytes> {
        let count = self.left.min(NOTE_BYTES);
        let cork = Cork::between(std::mem::replace(&mut self.begun, true), self.left > count);
        outlet.owe(Stretch::new(self.file.clone(), self.at, count, cork));
        self.at += count;
        self.left -= count;
        self.watch.moved(count);
        Frame::data(sendfile::note(count as usize))
    }

    /// Accounts for a piece that was read; an empty one means that the file shrank under us.
    fn hand_over(&mut self, piece: Vec<u8>) -> io::Result<Frame<Bytes>> {
        if piece.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
        }
        let count = piece.len() as u64;
        self.at += count;
        self.left -= count;
        self.watch.moved(count);
        Ok(Frame::data(Bytes::from(piece)))
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(outlet) = self.by_note.clone() {
            return Poll::Ready(Some(Ok(self.promise(&outlet))));
        }
        if self.reading.is_none() {
            let count = self.left.min(PIECE_BYTES) as usize;
            let mut piece = vec![0; count];
            match read_cached(&self.file, self.at, &mut IoSliceMut::new(&mut piece)) {
                Ok(Some(got)) => {
                    piece.truncate(got);
                    return Poll::Ready(Some(self.hand_over(piece)));
                }
                Err(fault) => return Poll::Ready(Some(Err(fault))),
                Ok(None) => {
                    let (file, at) = (self.file.clone(), self.at);
                    self.reading = Some(tokio::task::spawn_blocking(move || read_waiting(&file, at, count)));
                }
            }
        }
        let Some(reading) = &mut self.reading else { return Poll::Pending };
        let done = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let piece = done.map_err(io::Error::other).and_then(|piece| piece);
        Poll::Ready(Some(piece.and_then(|piece| self.hand_over(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// How much of `piece` the page cache filled, without waiting; `None` if the disk would have to be asked or the file system cannot say.
pub(super) fn read_cached(file: &File, at: u64, piece: &mut IoSliceMut<'_>) -> io::Result<Option<usize>> {
    let part: *const libc::iovec = std::ptr::from_ref(piece).cast();
    let at = libc::off_t::try_from(at).map_err(io::Error::other)?;
    // SAFETY: an IoSliceMut is an iovec by its ABI guarantee, and it names writable bytes that live until the call returns.
    let got = unsafe { libc::preadv2(file.as_raw_fd(), part, 1, at, libc::RWF_NOWAIT) };
    if let Ok(got) = usize::try_from(got) {
        return Ok(Some(got));
    }
    match io::Error::last_os_error() {
        fault if matches!(fault.raw_os_error(), Some(libc::EAGAIN | libc::EOPNOTSUPP | libc::EINTR | libc::ENOSYS)) => Ok(None),
        fault => Err(fault),
    }
}

/// The same from the disk, on a thread that may wait.
fn read_waiting(file: &File, at: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; count];
    loop {
        match file.read_at(&mut piece, at) {
            Ok(got) => {
                piece.truncate(got);
                return Ok(piece);
            }
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Err(fault),
        }
    }
}

#[cfg(test)]
mod tests;
