//! Writing a block, series by series.

use kubemonitor_model::{EntityId, EntityKind, UnixMillis};

use crate::{
    Aspect, BlockError, ColumnKey, Footer, Series, Trailer,
    bytes::put_count,
    column::{PARTIAL, RESTARTED},
    footer::ColumnPlace,
    page::{self, Scratch},
    runs::Runs,
};

/// A block that is being written.
#[derive(Debug)]
pub struct BlockBuilder {
    footer: Footer,
    columns: Vec<PendingColumn>,
    /// What the series being added has in each column of its kind and aspect.
    pending: Vec<PendingValues>,
    /// How many series of each kind there are.
    of_kind: [usize; EntityKind::ALL.len()],
    scratch: Scratch,
}

#[derive(Debug)]
struct PendingColumn {
    key: ColumnKey,
    /// Of the pages so far, the series without any value included.
    lengths: Vec<usize>,
    pages: Vec<u8>,
}

#[derive(Debug, Default)]
struct PendingValues {
    present: Runs,
    restarts: Vec<u32>,
    values: Vec<u64>,
}

impl BlockBuilder {
    /// A block for rows at these times, which are ascending.
    pub fn new(ticks: Vec<UnixMillis>, attributes: Vec<u8>) -> Self {
        Self {
            footer: Footer { ticks, attributes, ..Footer::default() },
            columns: Vec::new(),
            pending: Vec::new(),
            of_kind: [0; EntityKind::ALL.len()],
            scratch: Scratch::default(),
        }
    }

    /// Begins a series.
    pub fn series(
        &mut self,
        kind: EntityKind,
        id: EntityId,
        attributes: Vec<u8>,
    ) -> SeriesBuilder<'_> {
        let slots = kind.metrics().len() * Aspect::ALL.len();
        if self.pending.len() < slots {
            self.pending.resize_with(slots, PendingValues::default);
        }
        let series = Series { kind, id, rows: Runs::default(), attributes };
        SeriesBuilder { block: self, series, next_tick: 0 }
    }

    /// The block's bytes.
    ///
    /// # Errors
    /// If it holds more than the format can say, or its ticks were not ascending.
    pub fn finish(self) -> Result<Vec<u8>, BlockError> {
        let Self { mut footer, columns, of_kind, .. } = self;
        let mut block = Vec::new();
        // Pages follow the order of series, which are told kind by kind.
        footer.series.sort_by_key(|series| series.kind);
        for column in columns {
            let start = block.len();
            for place in 0..of_kind[column.key.kind as usize] {
                put_count(&mut block, column.lengths.get(place).copied().unwrap_or(0));
            }
            block.extend_from_slice(&column.pages);
            let checksum = crc32fast::hash(&block[start..]);
            let (offset, length) = (start as u64, (block.len() - start) as u64);
            footer.columns.push((column.key, ColumnPlace { offset, length, checksum }));
        }
        let start = block.len();
        footer.encode(&mut block)?;
        let trailer = Trailer::of(&block[start..])?;
        trailer.encode(&mut block);
        Ok(block)
    }

    fn end(&mut self, series: Series) {
        let place = self.of_kind[series.kind as usize];
        self.of_kind[series.kind as usize] += 1;
        for (slot, pending) in self.pending.iter_mut().enumerate() {
            if pending.values.is_empty() {
                continue;
            }
            let metric = series.kind.metrics()[slot / Aspect::ALL.len()];
            let key = ColumnKey::of(series.kind, metric, Aspect::ALL[slot % Aspect::ALL.len()]);
            let found = self.columns.iter().position(|column| column.key == key);
            let column = found.unwrap_or_else(|| {
                self.columns.push(PendingColumn { key, lengths: Vec::new(), pages: Vec::new() });
                self.columns.len() - 1
            });
            let column = &mut self.columns[column];
            column.lengths.resize(place, 0);
            let start = column.pages.len();
            pending.encode(series.rows.len(), &mut self.scratch, &mut column.pages);
            column.lengths.push(column.pages.len() - start);
            pending.clear();
        }
        self.footer.series.push(series);
    }
}

impl PendingValues {
    fn encode(&self, rows: usize, scratch: &mut Scratch, out: &mut Vec<u8>) {
        let flag = |raised: bool, flag| if raised { flag } else { 0 };
        let is_partial = self.present.len() != rows;
        out.push(flag(is_partial, PARTIAL) | flag(!self.restarts.is_empty(), RESTARTED));
        if is_partial {
            self.present.encode(out);
        }
        if !self.restarts.is_empty() {
            put_count(out, self.restarts.len());
            let mut next = 0;
            for &row in &self.restarts {
                put_count(out, (row - next) as usize);
                next = row + 1;
            }
        }
        page::encode(&self.values, scratch, out);
    }

    fn clear(&mut self) {
        self.present.clear();
        self.restarts.clear();
        self.values.clear();
    }
}

/// A series that is being written. Ending it ([`SeriesBuilder::end`]) puts it into the block.
#[derive(Debug)]
pub struct SeriesBuilder<'a> {
    block: &'a mut BlockBuilder,
    series: Series,
    next_tick: usize,
}

impl SeriesBuilder<'_> {
    /// Adds the row at a time: values in the column order of the kind, with bitmaps of those that are
    /// present and of the counters among them that had started anew.
    ///
    /// # Errors
    /// If the time is none of the block's ticks, or not after the row before.
    pub fn row(
        &mut self,
        at: UnixMillis,
        present: u64,
        restarted: u64,
        values: &[u64],
    ) -> Result<(), BlockError> {
        let row = self.place(at)?;
        self.put(row, present, values, Aspect::Value);
        let mut restarted = restarted & present;
        while restarted != 0 {
            let column = restarted.trailing_zeros() as usize;
            restarted &= restarted - 1;
            self.block.pending[column * Aspect::ALL.len()].restarts.push(row);
        }
        Ok(())
    }

    /// Adds a downsampled row: counters at the end of the bucket and means of gauges, with the lowest and
    /// highest of the columns in `gauges`.
    ///
    /// # Errors
    /// If the time is none of the block's ticks, or not after the row before.
    pub fn bucket(
        &mut self,
        at: UnixMillis,
        (present, values): (u64, &[u64]),
        gauges: u64,
        lowest: &[u64],
        highest: &[u64],
    ) -> Result<(), BlockError> {
        let row = self.place(at)?;
        self.put(row, present, values, Aspect::Value);
        self.put(row, present & gauges, lowest, Aspect::Lowest);
        self.put(row, present & gauges, highest, Aspect::Highest);
        Ok(())
    }

    /// Puts the series into the block; one without a row leaves nothing behind.
    pub fn end(self) {
        if !self.series.rows.is_empty() {
            self.block.end(self.series);
        }
    }

    fn put(&mut self, row: u32, present: u64, values: &[u64], aspect: Aspect) {
        let mut columns = present;
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            let slot = column * Aspect::ALL.len() + aspect as usize;
            if let (Some(pending), Some(&value)) =
                (self.block.pending.get_mut(slot), values.get(column))
            {
                pending.present.push(row);
                pending.values.push(value);
            }
        }
    }

    /// The number of the row at a time.
    fn place(&mut self, at: UnixMillis) -> Result<u32, BlockError> {
        let later = &self.block.footer.ticks[self.next_tick..];
        let found = match later.first() {
            Some(first) if *first == at => Ok(0),
            _ => later.binary_search(&at),
        };
        let refused = BlockError::TooLarge { what: "a row at none of its ticks" };
        let tick = self.next_tick + found.map_err(|_| refused.clone())?;
        self.next_tick = tick + 1;
        let row = self.series.rows.len();
        self.series.rows.push(u32::try_from(tick).map_err(|_| refused.clone())?);
        u32::try_from(row).map_err(|_| refused)
    }
}
