//! The values of one entity at one tick.

use crate::{EntityKind, MAX_COLUMNS, Metric};

/// Values of one entity in the column order of its kind. A column that is absent was not known:
/// the kernel has no such file, or it could not be read. Absent is never 0.
#[derive(Clone)]
pub struct Row {
    kind: EntityKind,
    present: u64,
    values: [u64; MAX_COLUMNS],
}

impl Row {
    /// A row in which nothing is known.
    pub fn new(kind: EntityKind) -> Self {
        Self { kind, present: 0, values: [0; MAX_COLUMNS] }
    }

    /// The kind whose columns these are.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// The value of a metric; `None` when it is absent or the kind does not have it.
    #[inline]
    pub fn get(&self, metric: Metric) -> Option<u64> {
        self.column(self.kind.column(metric)?)
    }

    /// Sets a metric, or marks it absent. A metric the kind does not have is left out.
    #[inline]
    pub fn set(&mut self, metric: Metric, value: Option<u64>) {
        if let Some(column) = self.kind.column(metric) {
            self.set_column(column, value);
        }
    }

    /// The value in a column.
    #[inline]
    pub fn column(&self, column: usize) -> Option<u64> {
        (self.present >> column & 1 == 1).then(|| self.values[column])
    }

    /// Sets a column, or marks it absent.
    #[inline]
    pub fn set_column(&mut self, column: usize, value: Option<u64>) {
        if let Some(value) = value {
            self.present |= 1 << column;
            self.values[column] = value;
        } else {
            self.present &= !(1 << column);
            self.values[column] = 0;
        }
    }

    /// Which columns are present, as a bitmap.
    #[inline]
    pub fn present(&self) -> u64 {
        self.present
    }

    /// The values in column order; what is absent reads 0 here.
    #[inline]
    pub fn values(&self) -> &[u64] {
        &self.values[..self.kind.metrics().len()]
    }

    /// Makes the row empty again, for another kind perhaps.
    #[inline]
    pub fn reset(&mut self, kind: EntityKind) {
        *self = Self::new(kind);
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.present == other.present && self.values() == other.values()
    }
}

impl Eq for Row {}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(
                self.kind
                    .metrics()
                    .iter()
                    .filter_map(|&metric| Some((metric.name(), self.get(metric)?))),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_not_zero() {
        let mut row = Row::new(EntityKind::Pod);
        assert_eq!(row.get(Metric::CpuUsage), None);
        row.set(Metric::CpuUsage, Some(0));
        assert_eq!(row.get(Metric::CpuUsage), Some(0));
        row.set(Metric::CpuUsage, None);
        assert_eq!((row.get(Metric::CpuUsage), row.present()), (None, 0));
    }

    #[test]
    fn a_metric_of_another_kind_is_left_out() {
        let mut row = Row::new(EntityKind::Container);
        row.set(Metric::Load1, Some(7));
        assert_eq!(row, Row::new(EntityKind::Container));
    }
}
