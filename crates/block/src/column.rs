//! One metric of all series of a kind.

use kubemonitor_model::{EntityKind, Metric, UnixMillis};

use crate::{BlockError, Series, bytes::Input, page, runs::Runs};

/// Which of a gauge's values a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aspect {
    /// As measured; of downsampled rows, a counter at the end of the bucket and a gauge's mean.
    Value = 0,
    /// A gauge's lowest in the bucket.
    Lowest = 1,
    /// A gauge's highest in the bucket.
    Highest = 2,
}

impl Aspect {
    /// Every aspect, in the order of their numbers in a block.
    pub const ALL: [Self; 3] = [Self::Value, Self::Lowest, Self::Highest];
}

/// Names a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnKey {
    /// The series that have it.
    pub kind: EntityKind,
    /// The metric's number in the catalogue, of this program's or of a later one.
    pub wire_id: u16,
    /// Which of its values.
    pub aspect: Aspect,
}

impl ColumnKey {
    /// The column of a metric's values.
    pub fn of(kind: EntityKind, metric: Metric, aspect: Aspect) -> Self {
        Self { kind, wire_id: metric.wire_id(), aspect }
    }

    /// The metric, if this program knows it.
    pub fn metric(self) -> Option<Metric> {
        Metric::from_wire_id(u64::from(self.wire_id))
    }
}

/// A page has presence: not every row of the series has a value.
pub(crate) const PARTIAL: u8 = 1;
/// A page has restarts: rows at which a counter started anew.
pub(crate) const RESTARTED: u8 = 2;

const PART: &str = "column";

/// A column, checked, to be read series by series.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    lengths: Input<'a>,
    pages: &'a [u8],
    series: usize,
}

impl<'a> Column<'a> {
    /// The column in these bytes, which has pages for so many series.
    pub(crate) fn open(bytes: &'a [u8], series: usize) -> Result<Self, BlockError> {
        let lengths = Input::new(bytes);
        let mut input = lengths;
        for _ in 0..series {
            input.varint().ok_or(BlockError::Malformed { part: PART, what: "it ends early" })?;
        }
        Ok(Self { lengths, pages: input.rest(), series })
    }

    /// The pages in the order of the series of the kind, those of series without any value empty.
    pub fn pages(&self) -> impl Iterator<Item = Result<&'a [u8], BlockError>> + use<'a> {
        let (mut lengths, mut pages) = (self.lengths, Input::new(self.pages));
        (0..self.series).map(move |_| {
            let length = lengths.varint().and_then(|length| usize::try_from(length).ok());
            let page = length.and_then(|length| pages.take(length));
            page.ok_or(BlockError::Malformed { part: PART, what: "a page ends early" })
        })
    }

    /// Reads the values of a series: the one at this place among those of its kind.
    pub fn read(
        &self,
        place: usize,
        series: &Series,
        values: &mut Values,
    ) -> Result<(), BlockError> {
        match self.pages().nth(place) {
            Some(page) => values.read(page?, series.rows.len()),
            None => Err(BlockError::Malformed { part: PART, what: "it lacks a series" }),
        }
    }
}

/// The values of one series in one column. Its memory is used again from series to series.
#[derive(Clone, Debug, Default)]
pub struct Values {
    present: Runs,
    restarts: Vec<u32>,
    numbers: Vec<u64>,
}

impl Values {
    /// Reads a page of a series that has so many rows.
    pub fn read(&mut self, page: &[u8], rows: usize) -> Result<(), BlockError> {
        self.present.clear();
        self.restarts.clear();
        self.numbers.clear();
        if page.is_empty() {
            return Ok(());
        }
        self.decode(page, rows)
            .ok_or(BlockError::Malformed { part: PART, what: "a page says what cannot be" })
    }

    fn decode(&mut self, page: &[u8], rows: usize) -> Option<()> {
        let (mut input, rows) = (Input::new(page), u32::try_from(rows).ok()?);
        let flags = input.byte()?;
        if flags & PARTIAL != 0 {
            self.present.decode(&mut input, rows)?;
        } else {
            self.present = Runs::first(rows);
        }
        if flags & RESTARTED != 0 {
            let mut next = 0;
            for _ in 0..input.count()? {
                let row = u32::try_from(input.varint()?).ok()?.checked_add(next)?;
                next = row.checked_add(1)?;
                (row < rows).then(|| self.restarts.push(row))?;
            }
        }
        page::decode(&mut input, self.present.len(), &mut self.numbers)?;
        input.is_empty().then_some(())
    }

    /// The rows (by their number in the series) that have a value.
    pub fn present(&self) -> &Runs {
        &self.present
    }

    /// The rows, ascending, at which a counter had started anew.
    pub fn restarts(&self) -> &[u32] {
        &self.restarts
    }

    /// The values of the rows that have one, in order.
    pub fn values(&self) -> &[u64] {
        &self.numbers
    }

    /// Visits the values with their times, in pieces without a hole.
    pub fn segments(
        &self,
        series: &Series,
        ticks: &[UnixMillis],
        mut visit: impl FnMut(&[UnixMillis], &[u64]),
    ) {
        series.rows.select(&self.present, |tick, value, length| {
            let times = ticks.get(tick..tick + length);
            if let Some((times, values)) = times.zip(self.numbers.get(value..value + length)) {
                visit(times, values);
            }
        });
    }
}
