//! The chunk that is appended to.

use kubemonitor_model::{EntityKind, MAX_COLUMNS, UnixMillis};

use super::{Closed, ROWS, span::Span};
use crate::codec::{Coding, Encoder, Next, Point};

/// A run of rows that goes on. It is part of its series, not somewhere else in memory: each tick
/// touches each of them.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) span: Span,
    pub(super) bytes: Vec<u8>,
    encoder: Encoder,
}

impl Open {
    /// An empty chunk whose first row will be at `first`, with room for so many bytes.
    pub(super) fn begin(first: UnixMillis, step_ms: u32, room: usize) -> Self {
        let span = Span { first, last: first, step_ms, rows: 0 };
        Self { span, bytes: Vec::with_capacity(room), encoder: Encoder::default() }
    }

    /// A chunk of these rows.
    pub(super) fn of(kind: EntityKind, step_ms: u32, rows: &[Point]) -> Self {
        let first = rows.first().map_or(UnixMillis(0), |row| row.at);
        let mut chunk = Self::begin(first, step_ms, 0);
        let mut last = Point::origin(kind, first, step_ms);
        for row in rows {
            chunk.append(kind, &mut last, row.as_next());
        }
        chunk
    }

    /// Whether the next row begins another one.
    pub(super) fn is_full(&self) -> bool {
        self.span.rows >= ROWS
    }

    /// Appends a row after all others.
    pub(super) fn append(&mut self, kind: EntityKind, last: &mut Point, next: Next<'_>) {
        let Self { span, bytes, encoder } = self;
        if bytes.capacity() - bytes.len() < MAX_COLUMNS {
            // A quarter at a time: doubling would leave a third of all memory empty.
            bytes.reserve_exact((bytes.len() / 4).max(MAX_COLUMNS));
        }
        encoder.append(Coding::of(kind), span.step_ms, last, next, bytes);
        span.last = next.at;
        span.rows += 1;
    }

    /// No row is appended any more.
    pub(super) fn close(self) -> Closed {
        // A copy, not the same memory made shorter: allocators leave up to half of it unused then.
        Closed::in_memory(self.span, Box::from(&*self.bytes))
    }
}
