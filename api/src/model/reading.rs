//! Values with the rates that lead to them, in the units people read.

use kubemonitor_model::{EntityKind, Metric, Row, UnixMillis};
use kubemonitor_store::{RATED, Sample, SeriesView};

use crate::query::SortBy;

const NANOS_PER_MILLICORE_SECOND: f64 = 1e6;

/// One entity at one moment: a sample, or the mean of several.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// The moment; of a mean, the start of its step.
    pub(crate) at: UnixMillis,
    row: Row,
    per_second: [Option<f64>; RATED.len()],
}

impl Reading {
    /// A reading from its parts; `per_second` in the order of [`RATED`].
    pub(crate) fn new(at: UnixMillis, row: Row, per_second: [Option<f64>; RATED.len()]) -> Self {
        Self { at, row, per_second }
    }

    /// A reading in which nothing is known.
    pub(crate) fn empty(kind: EntityKind, at: UnixMillis) -> Self {
        Self::new(at, Row::new(kind), [None; RATED.len()])
    }

    /// The metric's integer, as the catalogue has it.
    pub(crate) fn value(&self, metric: Metric) -> Option<u64> {
        self.row.get(metric)
    }

    /// The increase of a counter per second.
    pub(crate) fn rate(&self, metric: Metric) -> Option<f64> {
        let place = RATED.iter().position(|&rated| rated == metric)?;
        self.per_second[place]
    }

    /// CPU in use. What somebody else's collector computed stands before the counter.
    pub(crate) fn cpu_millicores(&self) -> Option<f64> {
        match self.value(Metric::CpuUsageRate) {
            Some(nanocores) => Some(nanocores as f64 / 1e6),
            None => Some(self.rate(Metric::CpuUsage)? / NANOS_PER_MILLICORE_SECOND),
        }
    }

    /// Share of the CFS periods in which the cgroup was throttled; `None` when none have passed.
    pub(crate) fn cpu_throttled_percent(&self) -> Option<f64> {
        let periods = self.rate(Metric::CpuPeriods)?;
        let throttled = self.rate(Metric::CpuThrottledPeriods)?;
        // Read one after the other, the two can be a period apart.
        (periods > 0.0).then(|| (100.0 * throttled / periods).min(100.0))
    }

    /// How much it has of what a list is sorted by.
    pub(crate) fn rank(&self, sort: SortBy) -> Option<f64> {
        let both = |one, other| sum_of_known(self.rate(one), self.rate(other));
        match sort {
            SortBy::Name => None,
            SortBy::Cpu => self.cpu_millicores(),
            SortBy::Memory => self.memory_used_bytes().map(|bytes| bytes as f64),
            SortBy::Network => both(Metric::NetworkRxBytes, Metric::NetworkTxBytes),
            SortBy::Disk => both(Metric::DiskReadBytes, Metric::DiskWriteBytes),
        }
    }

    /// How much the newest sample of a series has of what a list is sorted by.
    pub(crate) fn rank_of(series: &SeriesView<'_>, sort: SortBy) -> Option<f64> {
        // By name, which most lists are sorted by, nothing need be read.
        (sort != SortBy::Name).then(|| Self::from(series.latest()).rank(sort)).flatten()
    }

    /// Memory in use: of a node what is not available, of all else the working set.
    pub(crate) fn memory_used_bytes(&self) -> Option<u64> {
        let total = self.value(Metric::MemoryTotal);
        match total.zip(self.value(Metric::MemoryAvailable)) {
            Some((total, available)) => Some(total.saturating_sub(available)),
            // Others' collectors may push nothing but how much a node has in use.
            None => self.value(Metric::MemoryWorkingSet),
        }
    }
}

/// The sum of what is known; `None` where nothing is.
pub(super) fn sum_of_known(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or_default() + other.unwrap_or_default()),
    }
}

impl From<Sample> for Reading {
    fn from(sample: Sample) -> Self {
        let per_second = RATED.map(|metric| sample.rates.per_second(metric));
        Self::new(sample.at, sample.row, per_second)
    }
}
