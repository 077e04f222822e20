//! What every chunk tells of itself, and how its rows are read.

use kubemonitor_model::{EntityKind, UnixMillis};

use crate::codec::{Decoder, Point};

/// The times that a chunk spans, and how many rows it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: UnixMillis,
    pub(super) last: UnixMillis,
    pub(super) step_ms: u32,
    pub(super) rows: u16,
}

impl Span {
    /// Visits the rows in order, at `point`, which comes from the chunk before if there is one.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        kind: EntityKind,
        point: &mut Point,
        mut visit: impl FnMut(&Point),
    ) {
        point.rewind(self.first, self.step_ms);
        let mut decoder = Decoder::new(kind, self.step_ms, bytes);
        while decoder.advance(point).is_some() {
            visit(point);
        }
    }

    /// Which columns the first row has.
    pub(super) fn first_present(&self, bytes: &[u8], kind: EntityKind) -> u64 {
        let mut point = Point::origin(kind, self.first, self.step_ms);
        Decoder::new(kind, self.step_ms, bytes).advance(&mut point);
        point.present
    }

    /// All rows; `None` when some are broken.
    pub(super) fn all_rows(&self, bytes: &[u8], kind: EntityKind) -> Option<Vec<Point>> {
        let mut rows = Vec::with_capacity(usize::from(self.rows) + 1);
        let mut point = Point::origin(kind, self.first, self.step_ms);
        self.read(bytes, kind, &mut point, |point| rows.push(point.clone()));
        (rows.len() == usize::from(self.rows)).then_some(rows)
    }
}
