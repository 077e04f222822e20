//! JSON arrays of any length, found and written on a thread for blocking work.
//!
//! Finding, sorting and writing 150,000 pods takes a second of CPU: frames must not wait for it.
//! Small answers leave whole, large ones in pieces that are written on as many processors as are free,
//! as fast as they are read. What is written is never there as a whole: of each answer a few pieces are.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
    num::NonZero,
    panic::resume_unwind,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, available_parallelism},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use serde::Serialize;
use tokio::{
    runtime::Handle,
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    task::spawn_blocking,
};

use crate::{errors::ApiError, limits::Place};

const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 2;

/// Answers with what `prepare` finds and the function it returns writes, both on a thread for
/// blocking work. The place is left while a piece waits for its reader.
pub(crate) async fn written<W: FnOnce(&mut Out) -> io::Result<()>>(
    place: Place,
    prepare: impl FnOnce() -> Result<(HeaderMap, W), ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let (prepared, preparing) = oneshot::channel();
    let (pieces, mut arriving) = mpsc::channel(PIECES_AHEAD);
    let mut out = Out::new(pieces, place);
    spawn_blocking(move || {
        let (outcome, write) = match prepare() {
            Ok((headers, write)) => (Ok(headers), Some(write)),
            Err(error) => (Err(error), None),
        };
        // Where nobody listens any more, the client has gone.
        if let (Ok(()), Some(write)) = (prepared.send(outcome), write)
            && write(&mut out).is_ok()
        {
            out.finish();
        }
    });
    // The other ends are dropped before their time only in a panic, which has been logged.
    let headers = preparing.await.map_err(|_| ApiError::Internal)??;
    let first = arriving.recv().await.ok_or(ApiError::Internal)?;
    let body = if first.is_last { Body::from(first.bytes) } else { in_pieces(first, arriving) };
    let json = HeaderValue::from_static("application/json");
    Ok((headers, [(header::CONTENT_TYPE, json)], body).into_response())
}

/// A body that arrives piece by piece. One that does not come to its end is an error, so that half
/// an array cannot be taken for a whole answer.
fn in_pieces(first: Piece, arriving: mpsc::Receiver<Piece>) -> Body {
    let start = Some((Some(first), arriving));
    let pieces = stream::unfold(start, |state| async move {
        let (first, mut arriving) = state?;
        let piece = match first {
            Some(first) => Some(first),
            None => arriving.recv().await,
        };
        match piece {
            Some(Piece { bytes, is_last: true }) => Some((Ok(bytes), None)),
            Some(Piece { bytes, is_last: false }) => Some((Ok(bytes), Some((None, arriving)))),
            None => Some((Err(io::Error::other("the answer was cut off")), None)),
        }
    });
    // Compression asks once more after the end, which `unfold` does not bear.
    Body::from_stream(pieces.fuse())
}

struct Piece {
    bytes: Bytes,
    is_last: bool,
}

/// What an answer is written to.
pub(crate) struct Out {
    pieces: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
    has_elements: bool,
    has_sent: bool,
    runtime: Handle,
    place: Place,
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            let piece = std::mem::take(&mut self.buffer);
            self.piece(piece)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Out {
    fn new(pieces: mpsc::Sender<Piece>, place: Place) -> Self {
        let runtime = Handle::current();
        Self { pieces, buffer: Vec::new(), has_elements: false, has_sent: false, runtime, place }
    }

    /// Writes the items as a JSON array, each when it is its turn. An error means that the reader has
    /// gone.
    pub(crate) fn each<T: Serialize>(&mut self, items: impl Iterator<Item = T>) -> io::Result<()> {
        for item in items {
            self.element(&item)?;
        }
        self.end()
    }

    /// Writes as a JSON array what `show` makes of the items, without those of which it makes nothing:
    /// a first piece here, and where there are more, the others on all processors that are free. An
    /// error means that the reader has gone.
    pub(crate) fn array<I: Send, T: Serialize>(
        &mut self,
        items: Vec<I>,
        show: impl Fn(I) -> Option<T> + Sync,
    ) -> io::Result<()> {
        let (count, mut left) = (items.len(), items.into_iter());
        while !self.has_sent
            && let Some(item) = left.next()
        {
            if let Some(shown) = show(item) {
                self.element(&shown)?;
            }
        }
        let in_first = count - left.len();
        self.in_parts(left, in_first, &show)?;
        self.end()
    }

    /// Writes the items, so many at a time, after others.
    fn in_parts<I: Send, T: Serialize>(
        &mut self,
        mut items: std::vec::IntoIter<I>,
        at_a_time: usize,
        show: &(impl Fn(I) -> Option<T> + Sync),
    ) -> io::Result<()> {
        thread::scope(|scope| {
            let mut under_way = VecDeque::new();
            loop {
                while items.len() > 0
                    && let Some(helper) = Helper::free()
                {
                    let items: Vec<I> = items.by_ref().take(at_a_time).collect();
                    let (mut part, arriving) = Part::new(helper);
                    let write = move || part.write_all_of(items, show);
                    under_way.push_back((arriving, scope.spawn(write)));
                }
                if let Some((arriving, writing)) = under_way.pop_front() {
                    for piece in arriving {
                        self.append(piece)?;
                    }
                    writing.join().unwrap_or_else(|panic| resume_unwind(panic))?;
                } else if items.len() > 0 {
                    for shown in items.by_ref().take(at_a_time).filter_map(show) {
                        self.element(&shown)?;
                    }
                } else {
                    return Ok(());
                }
            }
        })
    }

    fn element(&mut self, shown: &impl Serialize) -> io::Result<()> {
        let before = if std::mem::replace(&mut self.has_elements, true) { b"," } else { b"[" };
        self.write_all(before)?;
        Ok(serde_json::to_writer(&mut *self, shown)?)
    }

    fn end(&mut self) -> io::Result<()> {
        self.write_all(if self.has_elements { b"]" } else { b"[]" })
    }

    /// Sends what was written elsewhere, after what was written here.
    fn append(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let before = std::mem::take(&mut self.buffer);
            self.piece(before)?;
        }
        self.piece(bytes)
    }

    fn piece(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.has_sent = true;
        self.send(Piece { bytes: bytes.into(), is_last: false })
    }

    fn finish(mut self) {
        let bytes = std::mem::take(&mut self.buffer).into();
        // The last piece is of no use to a reader who has gone.
        let _ = self.send(Piece { bytes, is_last: true });
    }

    fn send(&mut self, piece: Piece) -> io::Result<()> {
        let piece = match self.pieces.try_send(piece) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(TrySendError::Full(piece)) => piece,
        };
        match self.runtime.block_on(self.place.park(self.pieces.send(piece))) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// One of the threads that write parts of answers beside those that the answers have: as many as there
/// are processors, for all answers together.
struct Helper;

static HELPERS: AtomicUsize = AtomicUsize::new(0);

impl Helper {
    fn free() -> Option<Self> {
        let most = available_parallelism().map_or(1, NonZero::get);
        let below = |helpers: usize| (helpers < most).then_some(helpers + 1);
        HELPERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).ok().map(|_| Self)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        HELPERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A part of an array, with a comma before each element, on its way to its [`Out`].
struct Part {
    pieces: SyncSender<Vec<u8>>,
    buffer: Vec<u8>,
    _helper: Helper,
}

impl Part {
    /// One that waits where a piece has not been fetched.
    fn new(helper: Helper) -> (Self, Receiver<Vec<u8>>) {
        let (pieces, arriving) = sync_channel(1);
        (Self { pieces, buffer: Vec::new(), _helper: helper }, arriving)
    }

    fn write_all_of<I, T: Serialize>(
        &mut self,
        items: Vec<I>,
        show: &impl Fn(I) -> Option<T>,
    ) -> io::Result<()> {
        for shown in items.into_iter().filter_map(show) {
            self.write_all(b",")?;
            serde_json::to_writer(&mut *self, &shown)?;
        }
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.buffer);
        if piece.is_empty() {
            return Ok(());
        }
        self.pieces.send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl io::Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::limits::{Making, Size};

    async fn answered(items: Vec<u64>, show: fn(u64) -> String) -> Vec<u8> {
        let place = Making::default().enter(Size::Large).await.unwrap();
        let prepare = move || {
            Ok((HeaderMap::new(), move |out: &mut Out| {
                out.array(items, |n| (n % 5 != 4).then(|| show(n)))
            }))
        };
        let response = written(place, prepare).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn an_array_is_whole_and_in_order_however_many_pieces_it_takes() {
        // Short ones, ones of which a few make a piece, and ones that are longer than a piece.
        let shown: [fn(u64) -> String; 3] = [
            |n| n.to_string(),
            |n| n.to_string().repeat(usize::try_from(n % 100_000).unwrap()),
            |n| n.to_string().repeat(PIECE_BYTES),
        ];
        for (show, most) in shown.into_iter().zip([100_000, 50, 5]) {
            for count in [0, 1, 2, most] {
                let items: Vec<u64> = (0..count).map(|n| n * 7919).collect();
                let shown = items.iter().copied().filter(|n| n % 5 != 4);
                let whole = shown.map(show).collect::<Vec<_>>();
                assert!(
                    answered(items, show).await == serde_json::to_vec(&whole).unwrap(),
                    "{count}"
                );
            }
        }
    }
}
