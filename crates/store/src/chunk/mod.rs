//! Runs of rows of one entity, compressed, with the times they span.

mod closed;
mod open;
mod span;

use std::{collections::VecDeque, sync::Arc};

use kubemonitor_model::{EntityKind, UnixMillis};

use self::{closed::Closed, open::Open, span::Span};
use crate::{
    codec::{Next, Point},
    disk::{Bodies, StoredChunk},
};

/// Rows in a chunk before the next one is begun: a quarter of an hour at 5 s. Whole chunks are what
/// retention drops and what a read has to decode.
const ROWS: u16 = 180;

/// Bytes that a chunk is given at its beginning, at most.
const MOST_ROOM: usize = 1024;

/// The compressed history of one entity: closed chunks and the one being appended to.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    closed: VecDeque<Closed>,
    /// It comes after all others.
    open: Option<Open>,
}

impl Chunks {
    /// Appends a row after all others. `last` is the row before it (anything, for the first one)
    /// and moves there. Says whether a new chunk was begun.
    pub(crate) fn append(
        &mut self,
        kind: EntityKind,
        step_ms: u32,
        last: &mut Point,
        next: Next<'_>,
    ) -> bool {
        if let Some(open) = &mut self.open
            && !open.is_full()
        {
            open.append(kind, last, next);
            return false;
        }
        self.end_open();
        // The next chunk gets as long as the one before, or at least this far: growing costs a sixth
        // of all the time that taking ticks in takes.
        let room = self.closed.back().map_or(0, |full| full.length().min(MOST_ROOM));
        last.rewind(next.at, step_ms);
        let open = self.open.insert(Open::begin(next.at, step_ms, room));
        open.append(kind, last, next);
        true
    }

    /// What comes next begins another chunk.
    fn end_open(&mut self) {
        self.closed.extend(self.open.take().map(Open::close));
    }

    /// Puts a row between others. `false` when there is one at that time already.
    pub(crate) fn insert(&mut self, kind: EntityKind, row: &Point) -> bool {
        let place = self.last_place(|span| span.first <= row.at);
        let Some(Span { step_ms, .. }) = self.spans().nth(place) else { return false };
        let (step_ms, is_closed) = (*step_ms, place < self.closed.len());
        let Some(mut rows) = self.all_rows(place, kind) else { return false };
        let Err(at) = rows.binary_search_by_key(&row.at, |point| point.at) else { return false };
        rows.insert(at, row.clone());
        // Late rows can make a chunk outgrow its bounds: it is cut in two where it gets too long.
        let half = if rows.len() > 2 * usize::from(ROWS) { rows.len() / 2 } else { 0 };
        let (front, back) = rows.split_at(half);
        let back = Open::of(kind, step_ms, back);
        if is_closed {
            self.closed[place] = back.close();
        } else {
            self.open = Some(back);
        }
        if !front.is_empty() {
            self.closed.insert(place, Open::of(kind, step_ms, front).close());
        }
        true
    }

    /// All rows of one chunk; `None` when some are gone from the disk.
    fn all_rows(&self, place: usize, kind: EntityKind) -> Option<Vec<Point>> {
        match (self.closed.get(place), &self.open) {
            (Some(closed), _) => closed.all_rows(kind),
            (None, Some(open)) => open.span.all_rows(&open.bytes, kind),
            (None, None) => None,
        }
    }

    /// Visits the rows from the last one before `from` (rates need it) to `to`.
    pub(crate) fn read(
        &self,
        kind: EntityKind,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(&Point),
    ) {
        let start = self.start(from);
        self.read_from(start, kind, from, to, &mut visit);
    }

    /// Like [`read`](Self::read), where rows without a counter of `counters` know what it last was, wherever that
    /// was: a chunk alone does not tell of what its first row lacks.
    pub(crate) fn read_counting(
        &self,
        kind: EntityKind,
        counters: u64,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(&Point),
    ) {
        let start = self.start(from);
        let lacks = counters != 0
            && self.first_present(start, kind).is_some_and(|present| counters & !present != 0);
        self.read_from(if lacks { 0 } else { start }, kind, from, to, &mut visit);
    }

    /// Which columns the first row of a chunk has.
    fn first_present(&self, place: usize, kind: EntityKind) -> Option<u64> {
        match (self.closed.get(place), &self.open) {
            (Some(closed), _) => Some(closed.first_present(kind)),
            (None, Some(open)) => Some(open.span.first_present(&open.bytes, kind)),
            (None, None) => None,
        }
    }

    /// Where the chunk ends that has the first row not before `at`.
    pub(crate) fn end_of_chunk_with(&self, at: UnixMillis) -> UnixMillis {
        let span = self.spans().find(|span| span.last >= at);
        span.map_or(UnixMillis(i64::MAX), |span| span.last)
    }

    /// The chunk that has the last row before `from`.
    fn start(&self, from: UnixMillis) -> usize {
        self.last_place(|span| span.first < from)
    }

    fn read_from(
        &self,
        start: usize,
        kind: EntityKind,
        from: UnixMillis,
        to: UnixMillis,
        visit: &mut impl FnMut(&Point),
    ) {
        let mut before = Point::origin(kind, from, 0);
        let mut has_before = false;
        let mut point = Point::origin(kind, from, 0);
        let mut pass = |point: &Point| {
            if point.at < from {
                before.copy_from(point);
                has_before = true;
            } else if point.at <= to {
                if std::mem::take(&mut has_before) {
                    visit(&before);
                }
                visit(point);
            }
        };
        for chunk in self.closed.iter().skip(start).take_while(|chunk| chunk.span.first <= to) {
            chunk.read(kind, &mut point, &mut pass);
        }
        if let Some(open) = self.open.as_ref().filter(|open| open.span.first <= to) {
            open.span.read(&open.bytes, kind, &mut point, pass);
        }
    }

    /// Drops the chunks that end before `horizon`, but never the last one.
    pub(crate) fn drop_before(&mut self, horizon: UnixMillis) {
        let kept = usize::from(self.open.is_none());
        while self.closed.len() > kept && self.closed[0].span.last < horizon {
            self.closed.pop_front();
        }
    }

    /// Drops the rows before `horizon`, but never the last one. Chunks go as a whole; where all of the
    /// last one's rows but its newest are to go, that one is left alone.
    pub(crate) fn release_before(&mut self, kind: EntityKind, horizon: UnixMillis) {
        if self.open.as_ref().is_some_and(|open| open.span.last <= horizon) {
            self.end_open();
        }
        self.drop_before(horizon);
        let Some(chunk) = self.closed.back_mut().filter(|_| self.open.is_none()) else { return };
        // What is on the disk, or on its way there, takes no memory to speak of, and a chunk of one row
        // would stand in its place.
        if chunk.span.last > horizon || chunk.span.rows < 2 || !chunk.is_in_memory_alone() {
            return;
        }
        if let Some(newest) = chunk.all_rows(kind).and_then(|mut rows| rows.pop()) {
            *chunk = Open::of(kind, chunk.span.step_ms, &[newest]).close();
        }
        self.closed.shrink_to_fit();
    }

    /// The time of the last row of as many chunks, from the one that holds `from` on, as have so many
    /// rows together; `None` where there are not more than that.
    pub(crate) fn end_of_part(&self, from: UnixMillis, rows: usize) -> Option<UnixMillis> {
        let mut counted = 0;
        let part = self.spans().skip_while(|span| span.last < from);
        part.map(|span| {
            counted += usize::from(span.rows);
            (counted, span.last)
        })
        .find_map(|(counted, last)| (counted >= rows).then_some(last))
    }

    /// Drops the rows after `end`.
    pub(crate) fn drop_after(&mut self, kind: EntityKind, end: UnixMillis) {
        self.end_open();
        while self.closed.back().is_some_and(|chunk| chunk.span.first > end) {
            self.closed.pop_back();
        }
        let Some(chunk) = self.closed.back_mut().filter(|chunk| chunk.span.last > end) else {
            return;
        };
        match chunk.all_rows(kind) {
            Some(mut rows) => {
                rows.retain(|row| row.at <= end);
                *chunk = Open::of(kind, chunk.span.step_ms, &rows).close();
            }
            None => drop(self.closed.pop_back()),
        }
    }

    /// Closes the chunk that is appended to, and gives what no block has yet.
    pub(crate) fn close(&mut self) -> Vec<StoredChunk> {
        self.end_open();
        self.closed.iter().filter_map(Closed::stored).collect()
    }

    /// What [`Chunks::close`] gave is in the node's block of this number, the first of it so far
    /// into its bodies. Gives where the next ones are.
    pub(crate) fn leave(&mut self, block: u32, at: u32) -> u32 {
        self.closed.iter_mut().fold(at, |at, chunk| chunk.leave(block, at))
    }

    /// A block will never be on the disk: what is in there goes into another one.
    pub(crate) fn stay(&mut self, block: u32) {
        self.closed.iter_mut().for_each(|chunk| chunk.stay(block));
    }

    /// A block is on the disk: what is in there need not be held any more.
    pub(crate) fn shelve(&mut self, block: u32, bodies: &Arc<Bodies>) {
        self.closed.iter_mut().for_each(|chunk| chunk.shelve(block, bodies));
    }

    /// Puts chunks of a rolled block behind those of earlier ones.
    pub(crate) fn restore(&mut self, chunks: Vec<StoredChunk>) {
        for stored in chunks {
            self.put(Closed::restored(stored));
        }
    }

    /// Puts chunks of a block that stay on disk behind those of earlier blocks; the first of them is
    /// so far into the bodies. Gives where the next ones are.
    pub(crate) fn restore_shelved(
        &mut self,
        chunks: &[StoredChunk],
        bodies: &Arc<Bodies>,
        mut at: u32,
    ) -> u32 {
        for stored in chunks {
            self.put(Closed::on_disk(stored, bodies, at));
            at = at.saturating_add(stored.length);
        }
        at
    }

    /// A chunk that was written again (late rows came) replaces what it covers.
    fn put(&mut self, chunk: Closed) {
        let Span { first, last, .. } = chunk.span;
        if self.closed.back().is_none_or(|newest| newest.span.last < first) {
            return self.closed.push_back(chunk);
        }
        self.closed.retain(|other| other.span.last < first || other.span.first > last);
        let place = self.closed.partition_point(|other| other.span.first < first);
        self.closed.insert(place, chunk);
    }

    /// The time of the first row.
    pub(crate) fn first(&self) -> Option<UnixMillis> {
        Some(self.spans().next()?.first)
    }

    /// The time of the last row.
    pub(crate) fn last(&self) -> Option<UnixMillis> {
        Some(self.spans().next_back()?.last)
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.spans().map(|span| usize::from(span.rows)).sum()
    }

    /// Memory they take beside their place in the series.
    pub(crate) fn memory_bytes(&self) -> usize {
        let closed: usize = self.closed.iter().map(Closed::memory_bytes).sum();
        let spare = (self.closed.capacity() - self.closed.len()) * size_of::<Closed>();
        closed + spare + self.open.as_ref().map_or(0, |open| open.bytes.capacity())
    }

    /// What the chunks tell of themselves, oldest first.
    fn spans(&self) -> impl DoubleEndedIterator<Item = &Span> {
        let closed = self.closed.iter().map(|chunk| &chunk.span);
        closed.chain(self.open.iter().map(|open| &open.span))
    }

    /// The place of the last chunk that fits, else of the first one.
    fn last_place(&self, fits: impl Fn(&Span) -> bool) -> usize {
        if self.open.as_ref().is_some_and(|open| fits(&open.span)) {
            return self.closed.len();
        }
        self.closed.iter().rposition(|chunk| fits(&chunk.span)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use kubemonitor_model::MAX_COLUMNS;

    use super::*;

    const KIND: EntityKind = EntityKind::Pod;

    fn filled(times: impl IntoIterator<Item = i64>) -> (Chunks, Point) {
        let mut chunks = Chunks::default();
        let mut last = Point::origin(KIND, UnixMillis(0), 5000);
        for at in times {
            let values = [at.unsigned_abs(); MAX_COLUMNS];
            let next = Next { at: UnixMillis(at), present: 1, restarted: 0, values: &values };
            chunks.append(KIND, 5000, &mut last, next);
        }
        (chunks, last)
    }

    fn times(chunks: &Chunks, from: i64, to: i64) -> Vec<i64> {
        let mut times = Vec::new();
        chunks.read(KIND, UnixMillis(from), UnixMillis(to), |point| {
            assert_eq!(point.values[0], point.at.0.unsigned_abs());
            times.push(point.at.0);
        });
        times
    }

    #[test]
    fn a_range_comes_with_the_row_before_it_across_chunks() {
        let (chunks, _) = filled((0..500).map(|i| i * 5000));
        assert_eq!(chunks.spans().count(), 3);
        assert_eq!(times(&chunks, 900_000, 905_000), [895_000, 900_000, 905_000]);
        assert_eq!(times(&chunks, -5, 0), [0]);
        assert!(times(&chunks, 9_000_000, 9_900_000).is_empty());
    }

    #[test]
    fn late_rows_find_their_place_once() {
        let (mut chunks, _) = filled((0..400).filter(|i| i % 7 != 3).map(|i| i * 5000));
        for at in (0..400).filter(|i| i % 7 == 3).map(|i| i * 5000) {
            let mut row = Point::origin(KIND, UnixMillis(at), 0);
            row.present = 1;
            row.values.fill(at.unsigned_abs());
            assert!(chunks.insert(KIND, &row));
            assert!(!chunks.insert(KIND, &row), "a second time it is a duplicate");
        }
        assert_eq!(times(&chunks, 0, i64::MAX), (0..400).map(|i| i * 5000).collect::<Vec<_>>());
    }

    #[test]
    fn appending_goes_on_after_a_late_row_in_the_open_chunk() {
        let (mut chunks, mut last) = filled([0, 5000, 15_000]);
        let mut row = Point::origin(KIND, UnixMillis(10_000), 0);
        row.present = 1;
        row.values.fill(10_000);
        assert!(chunks.insert(KIND, &row));
        let values = [20_000; MAX_COLUMNS];
        let next = Next { at: UnixMillis(20_000), present: 1, restarted: 0, values: &values };
        chunks.append(KIND, 5000, &mut last, next);
        assert_eq!(times(&chunks, 0, 20_000), [0, 5000, 10_000, 15_000, 20_000]);
    }

    #[test]
    fn rows_after_a_time_leave_and_appending_goes_on() {
        let (mut chunks, mut last) = filled((0..400).map(|i| i * 5000));
        chunks.drop_after(KIND, UnixMillis(1_000_001));
        assert_eq!(chunks.last(), Some(UnixMillis(1_000_000)));
        let values = [1_005_000; MAX_COLUMNS];
        let next = Next { at: UnixMillis(1_005_000), present: 1, restarted: 0, values: &values };
        chunks.append(KIND, 5000, &mut last, next);
        assert_eq!(times(&chunks, 0, i64::MAX), (0..202).map(|i| i * 5000).collect::<Vec<_>>());
        chunks.drop_after(KIND, UnixMillis(-1));
        assert_eq!(chunks.spans().count(), 0);
    }

    #[test]
    fn whole_chunks_leave_and_the_open_one_stays() {
        let (mut chunks, _) = filled((0..400).map(|i| i * 5000));
        chunks.drop_before(UnixMillis(900_000));
        assert_eq!(times(&chunks, 0, i64::MAX)[0], 900_000);
        chunks.drop_before(UnixMillis(i64::MAX));
        assert_eq!(chunks.spans().count(), 1);
    }
}
