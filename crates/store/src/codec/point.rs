//! Rows as they stand between two deltas.

use kubemonitor_model::{EntityKind, UnixMillis};

/// A point in the stream: the row that the next one is written against.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) at: UnixMillis,
    /// Columns that are present.
    pub(crate) present: u64,
    /// Counter columns that started anew at this row.
    pub(crate) restarted: u64,
    /// Values in column order. An absent column keeps what it last was.
    pub(crate) values: Box<[u64]>,
}

impl Point {
    /// Where a stream begins, so that its first row falls on `first` without a time token.
    pub(crate) fn origin(kind: EntityKind, first: UnixMillis, step_ms: u32) -> Self {
        Self {
            at: first.minus(i64::from(step_ms)),
            present: 0,
            restarted: 0,
            values: vec![0; kind.metrics().len()].into(),
        }
    }

    /// Starts over, as [`Point::origin`] would.
    pub(crate) fn rewind(&mut self, first: UnixMillis, step_ms: u32) {
        self.at = first.minus(i64::from(step_ms));
        self.present = 0;
        self.restarted = 0;
    }

    /// Becomes what another point of the same kind is, without taking memory.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        (self.at, self.present, self.restarted) = (other.at, other.present, other.restarted);
        self.values.copy_from_slice(&other.values);
    }

    /// The value in a column; `None` where it is absent.
    pub(crate) fn column(&self, column: usize) -> Option<u64> {
        (self.present >> column & 1 == 1).then(|| self.values[column])
    }

    /// What a column's new value is written against. One that comes back counts from 0: what it was
    /// before it went may lie in rows that came late, which the appending side has not seen.
    pub(super) fn base(&self, returned: u64, column: usize) -> u64 {
        let is_back = returned >> column & 1 == 1;
        if is_back { 0 } else { self.values.get(column).copied().unwrap_or(0) }
    }

    /// The row as something to append.
    pub(crate) fn as_next(&self) -> Next<'_> {
        let Self { at, present, restarted, ref values } = *self;
        Next { at, present, restarted, values }
    }

    /// Becomes the next row, which differs in these columns.
    pub(super) fn move_to(&mut self, next: Next<'_>, mut columns: u64) {
        self.at = next.at;
        self.present = next.present;
        self.restarted = next.restarted;
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            self.values[column] = next.values[column];
        }
    }

    pub(super) fn clear(&mut self, mut columns: u64) {
        while columns != 0 {
            if let Some(value) = self.values.get_mut(columns.trailing_zeros() as usize) {
                *value = 0;
            }
            columns &= columns - 1;
        }
    }
}

/// The places in which two rows of one kind differ.
pub(crate) fn different(one: &[u64], other: &[u64]) -> u64 {
    let places = one.iter().zip(other).enumerate();
    places.fold(0, |differ, (place, (one, other))| differ | u64::from(one != other) << place)
}

/// A row to append.
#[derive(Clone, Copy)]
pub(crate) struct Next<'a> {
    pub(crate) at: UnixMillis,
    pub(crate) present: u64,
    pub(crate) restarted: u64,
    pub(crate) values: &'a [u64],
}
