//! JSON arrays of any length, found and written on a thread for blocking work.
//!
//! Finding, sorting and writing 150,000 pods takes a second of CPU: frames must not wait for it.
//! Small answers leave whole, large ones in pieces as fast as they are read.

use std::{io, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use serde::Serialize;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    task::spawn_blocking,
    time::timeout,
};

use crate::errors::ApiError;

const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 2;
/// How long a reader may leave a piece lying before its answer is cut off.
const READER_PATIENCE: Duration = Duration::from_secs(30);

/// Answers with what `prepare` finds and the function it returns writes, both on a thread for
/// blocking work. The permit is held until all is written.
pub(crate) async fn written<W: FnOnce(&mut Out) -> io::Result<()>>(
    permit: OwnedSemaphorePermit,
    prepare: impl FnOnce() -> Result<(HeaderMap, W), ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let (prepared, preparing) = oneshot::channel();
    let (pieces, mut arriving) = mpsc::channel(PIECES_AHEAD);
    let mut out = Out { pieces, buffer: Vec::new(), runtime: Handle::current() };
    spawn_blocking(move || {
        let _until_written = permit;
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
}

impl Out {
    /// Writes the items as a JSON array. An error means that the reader has gone.
    pub(crate) fn array<T: Serialize>(
        &mut self,
        items: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        self.buffer.push(b'[');
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                self.buffer.push(b',');
            }
            serde_json::to_writer(&mut self.buffer, &item)?;
            if self.buffer.len() >= PIECE_BYTES {
                // The next piece is about as long as this one: growing would copy it twice over.
                let next = Vec::with_capacity(self.buffer.len() + PIECE_BYTES / 8);
                let bytes = std::mem::replace(&mut self.buffer, next).into();
                self.send(Piece { bytes, is_last: false })?;
            }
        }
        self.buffer.push(b']');
        Ok(())
    }

    fn finish(mut self) {
        let bytes = std::mem::take(&mut self.buffer).into();
        // The last piece is of no use to a reader who has gone.
        let _ = self.send(Piece { bytes, is_last: true });
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        match self.runtime.block_on(timeout(READER_PATIENCE, self.pieces.send(piece))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
