//! A run of rows of one entity, compressed, with the times it spans.

use std::cell::RefCell;

use kubemonitor_model::{EntityKind, MAX_COLUMNS, UnixMillis};

use crate::{
    codec::{Coding, Decoder, Encoder, Next, Point},
    disk::{Bodies, Shelved, StoredChunk},
};

/// Rows in a chunk before the next one is begun: a quarter of an hour at 5 s. Whole chunks are what
/// retention drops and what a read has to decode.
const ROWS: u16 = 180;

/// Bytes that a chunk is given at its beginning, at most.
const MOST_ROOM: usize = 1024;

/// A run of compressed rows, readable without any other chunk.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    first: UnixMillis,
    last: UnixMillis,
    step_ms: u32,
    rows: u16,
    /// No row is appended any more.
    closed: bool,
    kept: Kept,
}

/// Where a chunk's bytes are.
#[derive(Clone, Debug)]
enum Kept {
    /// In memory alone.
    Memory { bytes: Vec<u8>, encoder: Encoder },
    /// In memory, and so far into the bodies of the node's block of this number, which is on its way
    /// to the disk.
    Leaving { bytes: Box<[u8]>, block: u32, at: u32 },
    /// On the disk.
    Shelved(Shelved),
}

thread_local! {
    /// Where chunks on the disk are read to.
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Chunk {
    /// An empty chunk whose first row will be at `first`, with room for so many bytes.
    fn begin(first: UnixMillis, step_ms: u32, room: usize) -> Self {
        let kept = Kept::Memory { bytes: Vec::with_capacity(room), encoder: Encoder::default() };
        Self { first, last: first, step_ms, rows: 0, closed: false, kept }
    }

    /// A chunk read back from disk.
    fn restored(stored: StoredChunk) -> Self {
        let StoredChunk { first, last, step_ms, rows, bytes, .. } = stored;
        let kept = Kept::Memory { bytes, encoder: Encoder::default() };
        Self { first, last, step_ms, rows, closed: true, kept }
    }

    /// A chunk that stays on disk.
    fn shelved(stored: &StoredChunk, shelved: Shelved) -> Self {
        let &StoredChunk { first, last, step_ms, rows, .. } = stored;
        Self { first, last, step_ms, rows, closed: true, kept: Kept::Shelved(shelved) }
    }

    /// The chunk for a block; `None` when one has it already.
    fn stored(&self) -> Option<StoredChunk> {
        let Kept::Memory { bytes, .. } = &self.kept else { return None };
        let (length, checksum) = (u32::try_from(bytes.len()).ok()?, crc32fast::hash(bytes));
        let Self { first, last, step_ms, rows, .. } = *self;
        Some(StoredChunk { first, last, step_ms, rows, length, checksum, bytes: bytes.clone() })
    }

    /// The time of the first row.
    pub(crate) fn first(&self) -> UnixMillis {
        self.first
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        usize::from(self.rows)
    }

    /// Bytes its rows are compressed to.
    fn length(&self) -> usize {
        match &self.kept {
            Kept::Memory { bytes, .. } => bytes.len(),
            Kept::Leaving { bytes, .. } => bytes.len(),
            Kept::Shelved(shelved) => shelved.length(),
        }
    }

    /// Memory the chunk takes, itself included.
    pub(crate) fn memory_bytes(&self) -> usize {
        let bytes = match &self.kept {
            Kept::Memory { bytes, .. } => bytes.capacity(),
            Kept::Leaving { bytes, .. } => bytes.len(),
            Kept::Shelved(_) => 0,
        };
        size_of::<Self>() + bytes
    }

    /// Appends to a chunk that is open.
    fn append(&mut self, kind: EntityKind, last: &mut Point, next: Next<'_>) {
        let Kept::Memory { bytes, encoder } = &mut self.kept else { return };
        if bytes.capacity() - bytes.len() < MAX_COLUMNS {
            // A quarter at a time: doubling would leave a third of all memory empty.
            bytes.reserve_exact((bytes.len() / 4).max(MAX_COLUMNS));
        }
        encoder.append(Coding::of(kind), self.step_ms, last, next, bytes);
        self.last = next.at;
        self.rows += 1;
    }

    fn shrink(&mut self) {
        if let Kept::Memory { bytes, .. } = &mut self.kept {
            bytes.shrink_to_fit();
        }
    }

    /// Visits the rows in order, at `point`, which comes from the chunk before if there is one. Of
    /// a chunk that is gone from the disk there are none.
    fn read(&self, kind: EntityKind, point: &mut Point, mut visit: impl FnMut(&Point)) {
        let decode = |bytes: &[u8]| {
            point.rewind(self.first, self.step_ms);
            let mut decoder = Decoder::new(kind, self.step_ms, bytes);
            while decoder.advance(point).is_some() {
                visit(point);
            }
        };
        self.with_bytes(decode);
    }

    /// Which columns the first row has; none where it is gone from the disk.
    fn first_present(&self, kind: EntityKind) -> u64 {
        let mut point = Point::origin(kind, self.first, self.step_ms);
        self.with_bytes(|bytes| {
            Decoder::new(kind, self.step_ms, bytes).advance(&mut point);
        });
        point.present
    }

    /// Lets `read` see the compressed rows, wherever they are, unless they are gone.
    fn with_bytes(&self, read: impl FnOnce(&[u8])) {
        match &self.kept {
            Kept::Memory { bytes, .. } => read(bytes),
            Kept::Leaving { bytes, .. } => read(bytes),
            Kept::Shelved(shelved) => READ.with_borrow_mut(|buffer| {
                if let Some(bytes) = shelved.read(buffer) {
                    read(bytes);
                }
            }),
        }
    }

    /// All rows; `None` when some are gone from the disk.
    fn all_rows(&self, kind: EntityKind) -> Option<Vec<Point>> {
        let mut rows = Vec::with_capacity(self.rows() + 1);
        let mut point = Point::origin(kind, self.first, self.step_ms);
        self.read(kind, &mut point, |point| rows.push(point.clone()));
        (rows.len() == self.rows()).then_some(rows)
    }
}

/// The compressed history of one entity: closed chunks and the one being appended to.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    list: std::collections::VecDeque<Chunk>,
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
        if let Some(open) = self.list.back_mut()
            && open.rows < ROWS
            && !open.closed
        {
            open.append(kind, last, next);
            return false;
        }
        // The next chunk gets as long as this one, or at least this far: growing costs a sixth of
        // all the time that taking ticks in takes.
        let mut room = 0;
        if let Some(full) = self.list.back_mut() {
            full.shrink();
            room = full.length().min(MOST_ROOM);
        }
        let mut chunk = Chunk::begin(next.at, step_ms, room);
        last.rewind(next.at, step_ms);
        chunk.append(kind, last, next);
        self.list.push_back(chunk);
        true
    }

    /// Puts a row between others. `false` when there is one at that time already.
    pub(crate) fn insert(&mut self, kind: EntityKind, row: &Point) -> bool {
        let place = self.list.iter().rposition(|chunk| chunk.first <= row.at).unwrap_or(0);
        let Some(chunk) = self.list.get(place) else { return false };
        let Some(mut rows) = chunk.all_rows(kind) else { return false };
        let Err(at) = rows.binary_search_by_key(&row.at, |point| point.at) else { return false };
        rows.insert(at, row.clone());
        // Late rows can make a chunk outgrow its bounds: it is cut in two where it gets too long.
        let half = if rows.len() > 2 * usize::from(ROWS) { rows.len() / 2 } else { rows.len() };
        let (front, back) = rows.split_at(half);
        let (step_ms, closed) = (chunk.step_ms, chunk.closed);
        self.list[place] = rebuilt(kind, step_ms, front);
        if back.is_empty() {
            self.list[place].closed = closed;
        } else {
            self.list.insert(place + 1, rebuilt(kind, step_ms, back));
            self.list[place + 1].closed = closed;
        }
        true
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

    /// The same, where rows without a counter of `counters` know what it last was, wherever that
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
        let lacks = |chunk: &Chunk| counters != 0 && counters & !chunk.first_present(kind) != 0;
        let start = if self.list.get(start).is_some_and(lacks) { 0 } else { start };
        self.read_from(start, kind, from, to, &mut visit);
    }

    /// The chunk that has the last row before `from`.
    fn start(&self, from: UnixMillis) -> usize {
        self.list.iter().rposition(|chunk| chunk.first < from).unwrap_or(0)
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
        for chunk in self.list.iter().skip(start).take_while(|chunk| chunk.first <= to) {
            chunk.read(kind, &mut point, |point| {
                if point.at < from {
                    before.copy_from(point);
                    has_before = true;
                } else if point.at <= to {
                    if std::mem::take(&mut has_before) {
                        visit(&before);
                    }
                    visit(point);
                }
            });
        }
    }

    /// Drops the chunks that end before `horizon`, but never the one being appended to.
    pub(crate) fn drop_before(&mut self, horizon: UnixMillis) {
        while self.list.len() > 1 && self.list[0].last < horizon {
            self.list.pop_front();
        }
    }

    /// Drops the rows after `end`.
    pub(crate) fn drop_after(&mut self, kind: EntityKind, end: UnixMillis) {
        while self.list.back().is_some_and(|chunk| chunk.first > end) {
            self.list.pop_back();
        }
        let Some(chunk) = self.list.back_mut().filter(|chunk| chunk.last > end) else { return };
        match chunk.all_rows(kind) {
            Some(mut rows) => {
                rows.retain(|row| row.at <= end);
                *chunk = Chunk { closed: true, ..rebuilt(kind, chunk.step_ms, &rows) };
            }
            None => drop(self.list.pop_back()),
        }
    }

    /// Closes the chunk that is appended to, and gives what no block has yet.
    pub(crate) fn close(&mut self) -> Vec<StoredChunk> {
        if let Some(open) = self.list.back_mut() {
            open.closed = true;
            open.shrink();
        }
        self.list.iter().filter_map(Chunk::stored).collect()
    }

    /// What [`Chunks::close`] gave is in the node's block of this number, the first of it so far
    /// into its bodies. Gives where the next ones are.
    pub(crate) fn leave(&mut self, block: u32, mut at: u32) -> u32 {
        for chunk in &mut self.list {
            if let Kept::Memory { bytes, .. } = &mut chunk.kept {
                let bytes = std::mem::take(bytes).into_boxed_slice();
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                chunk.kept = Kept::Leaving { bytes, block, at };
                at = at.saturating_add(length);
            }
        }
        at
    }

    /// A block will never be on the disk: what is in there goes into another one.
    pub(crate) fn stay(&mut self, number: u32) {
        for chunk in &mut self.list {
            if let Kept::Leaving { bytes, block, .. } = &mut chunk.kept
                && *block == number
            {
                let bytes = std::mem::take(bytes).into_vec();
                chunk.kept = Kept::Memory { bytes, encoder: Encoder::default() };
            }
        }
    }

    /// A block is on the disk: what is in there need not be held any more.
    pub(crate) fn shelve(&mut self, number: u32, bodies: &Bodies) {
        for chunk in &mut self.list {
            if let Kept::Leaving { bytes, block, at } = &chunk.kept
                && *block == number
            {
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                chunk.kept = Kept::Shelved(bodies.chunk(*at, length, crc32fast::hash(bytes)));
            }
        }
    }

    /// Puts chunks of a rolled block behind those of earlier ones.
    pub(crate) fn restore(&mut self, chunks: Vec<StoredChunk>) {
        for stored in chunks {
            self.put(Chunk::restored(stored));
        }
    }

    /// Puts chunks of a block that stay on disk behind those of earlier blocks; the first of them is
    /// so far into the bodies. Gives where the next ones are.
    pub(crate) fn restore_shelved(
        &mut self,
        chunks: &[StoredChunk],
        bodies: &Bodies,
        mut at: u32,
    ) -> u32 {
        for stored in chunks {
            let shelved = bodies.chunk(at, stored.length, stored.checksum);
            self.put(Chunk::shelved(stored, shelved));
            at = at.saturating_add(stored.length);
        }
        at
    }

    /// A chunk that was written again (late rows came) replaces what it covers.
    fn put(&mut self, chunk: Chunk) {
        if self.list.back().is_none_or(|newest| newest.last < chunk.first) {
            return self.list.push_back(chunk);
        }
        self.list.retain(|other| other.last < chunk.first || other.first > chunk.last);
        let place = self.list.partition_point(|other| other.first < chunk.first);
        self.list.insert(place, chunk);
    }

    /// The time of the last row.
    pub(crate) fn last(&self) -> Option<UnixMillis> {
        self.list.back().map(|chunk| chunk.last)
    }

    /// The chunks, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.list.iter()
    }
}

fn rebuilt(kind: EntityKind, step_ms: u32, rows: &[Point]) -> Chunk {
    let mut chunk = Chunk::begin(rows[0].at, step_ms, 0);
    let mut last = Point::origin(kind, rows[0].at, step_ms);
    for row in rows {
        chunk.append(kind, &mut last, row.as_next());
    }
    chunk
}

#[cfg(test)]
mod tests {
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
        assert_eq!(chunks.iter().count(), 3);
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
        assert_eq!(chunks.iter().count(), 0);
    }

    #[test]
    fn whole_chunks_leave_and_the_open_one_stays() {
        let (mut chunks, _) = filled((0..400).map(|i| i * 5000));
        chunks.drop_before(UnixMillis(900_000));
        assert_eq!(times(&chunks, 0, i64::MAX)[0], 900_000);
        chunks.drop_before(UnixMillis(i64::MAX));
        assert_eq!(chunks.iter().count(), 1);
    }
}
