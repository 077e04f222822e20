//! JSON arrays of any length, found and written on a thread for blocking work.
//!
//! Finding, sorting and writing 150,000 pods takes a second of CPU: frames must not wait for it.
//! Small answers leave whole, large ones in pieces that are written on all processors, as fast as
//! they are read.

use std::{
    collections::VecDeque,
    io,
    num::NonZero,
    panic::resume_unwind,
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
    let mut out = Out { pieces, buffer: Vec::new(), runtime: Handle::current(), place };
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
    runtime: Handle,
    place: Place,
}

impl Out {
    /// Writes as a JSON array what `show` makes of the items: a first piece here, and where there are
    /// more, the others on all processors. An error means that the reader has gone.
    pub(crate) fn array<I: Send, T: Serialize>(
        &mut self,
        items: Vec<I>,
        show: impl Fn(I) -> T + Sync,
    ) -> io::Result<()> {
        self.buffer.push(b'[');
        let (count, mut left) = (items.len(), items.into_iter());
        while self.buffer.len() < PIECE_BYTES
            && let Some(item) = left.next()
        {
            serde_json::to_writer(&mut self.buffer, &show(item))?;
            self.buffer.push(b',');
        }
        if left.len() > 0 {
            let in_piece = count - left.len();
            let bytes = std::mem::take(&mut self.buffer).into();
            self.send(Piece { bytes, is_last: false })?;
            self.pieces_of(left, in_piece, &show)?;
        }
        if count > 0 {
            // The last comma.
            self.buffer.pop();
        }
        self.buffer.push(b']');
        Ok(())
    }

    /// Writes the items, a comma behind each, so many a piece. The last piece stays in the buffer.
    fn pieces_of<I: Send, T: Serialize>(
        &mut self,
        mut items: std::vec::IntoIter<I>,
        in_piece: usize,
        show: &(impl Fn(I) -> T + Sync),
    ) -> io::Result<()> {
        let at_a_time = available_parallelism().map_or(1, NonZero::get) + 1;
        let piece_of = |items: Vec<I>| {
            let mut piece = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
            for item in items {
                serde_json::to_writer(&mut piece, &show(item))?;
                piece.push(b',');
            }
            io::Result::Ok(piece)
        };
        thread::scope(|scope| {
            let mut under_way = VecDeque::new();
            loop {
                while under_way.len() < at_a_time && items.len() > 0 {
                    let items: Vec<I> = items.by_ref().take(in_piece).collect();
                    under_way.push_back(scope.spawn(move || piece_of(items)));
                }
                let Some(first) = under_way.pop_front() else { return Ok(()) };
                let piece = first.join().unwrap_or_else(|panic| resume_unwind(panic))?;
                if under_way.is_empty() && items.len() == 0 {
                    self.buffer = piece;
                } else {
                    self.send(Piece { bytes: piece.into(), is_last: false })?;
                }
            }
        })
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

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::limits::{Making, Size};

    async fn answered(items: Vec<u64>, show: fn(u64) -> String) -> Vec<u8> {
        let place = Making::default().enter(Size::Large).await.unwrap();
        let prepare = move || Ok((HeaderMap::new(), move |out: &mut Out| out.array(items, show)));
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
                let whole = items.iter().copied().map(show).collect::<Vec<_>>();
                assert!(
                    answered(items, show).await == serde_json::to_vec(&whole).unwrap(),
                    "{count}"
                );
            }
        }
    }
}
