//! What gauges show of a time in which they were measured more than once.

use std::str::FromStr;

use kubemonitor_model::MetricKind;
use kubemonitor_store::{Extent, GroupExtents, GroupPast, GroupSample, History, Sample};
use utoipa::ToSchema;

/// Which of the values of a step, or of a bucket of longer history, a gauge shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Gauges {
    /// Their mean.
    #[default]
    Mean,
    /// The lowest.
    Min,
    /// The highest.
    Max,
}

impl FromStr for Gauges {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "mean" => Ok(Self::Mean),
            "min" => Ok(Self::Min),
            "max" => Ok(Self::Max),
            _ => Err("give mean, min or max"),
        }
    }
}

impl Gauges {
    /// The one to show of several values; `None` of nothing.
    pub(super) fn of(self, values: impl Iterator<Item = u64>) -> Option<u64> {
        let mut folding = Folding::default();
        values.for_each(|value| folding.add(value));
        folding.shown_as(self)
    }

    /// The samples of an entity, with what buckets kept of their gauges.
    pub(super) fn of_history(self, history: History) -> Vec<Sample> {
        let History { mut samples, extremes, .. } = history;
        for (sample, extreme) in samples.iter_mut().zip(extremes) {
            let kept = match self {
                Self::Mean => break,
                Self::Min => extreme.low,
                Self::Max => extreme.high,
            };
            let metrics = sample.row.kind().metrics().iter();
            for &metric in metrics.filter(|metric| metric.kind() == MetricKind::Gauge) {
                sample.row.set(metric, kept.get(metric));
            }
        }
        samples
    }

    /// Chooses mean, lowest or highest for a group, whose CPU is a sum of rates and has extremes too.
    pub(super) fn of_past(self, past: GroupPast) -> Vec<GroupSample> {
        let GroupPast { mut samples, extents, .. } = past;
        let end = |extent: Option<Extent>| {
            extent.map(|extent| if self == Self::Min { extent.low } else { extent.high })
        };
        for (sample, extent) in samples.iter_mut().zip(extents) {
            if self == Self::Mean {
                break;
            }
            let GroupExtents { cpu_nanocores, memory_working_set_bytes } = extent;
            sample.cpu_nanocores = end(cpu_nanocores);
            sample.memory_working_set_bytes = end(memory_working_set_bytes);
        }
        samples
    }
}

/// What is known of values of which some have come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Folding {
    sum: u128,
    count: u64,
    low: Option<u64>,
    high: Option<u64>,
}

impl Folding {
    /// Takes one in.
    pub(super) fn add(&mut self, value: u64) {
        self.sum += u128::from(value);
        self.count += 1;
        self.low = Some(self.low.map_or(value, |low| low.min(value)));
        self.high = self.high.max(Some(value));
    }

    /// The one to show; `None` of nothing. Means are rounded to the nearest.
    pub(super) fn shown_as(self, gauges: Gauges) -> Option<u64> {
        match gauges {
            Gauges::Min => self.low,
            Gauges::Max => self.high,
            Gauges::Mean => {
                let count = u128::from(self.count);
                let mean = (self.sum + count / 2).checked_div(count)?;
                // No mean is above its largest value.
                Some(u64::try_from(mean).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kubemonitor_model::{EntityKind, Metric, Row, UnixMillis};
    use kubemonitor_store::{Extremes, Rates, Resolution};

    use super::*;

    fn row(cpu: u64, load: Option<u64>) -> Row {
        let mut row = Row::new(EntityKind::Node);
        row.set(Metric::CpuUsage, Some(cpu));
        row.set(Metric::Load1, load);
        row
    }

    #[test]
    fn one_of_several_values_is_shown() {
        let of = |gauges: Gauges| gauges.of([4, 9, 2].into_iter());
        assert_eq!([Gauges::Mean, Gauges::Min, Gauges::Max].map(of), [Some(5), Some(2), Some(9)]);
        assert_eq!(Gauges::Min.of(std::iter::empty()), None);
    }

    #[test]
    fn buckets_show_what_was_kept_of_gauges_and_counters_as_they_are() {
        let history = || History {
            resolution: Resolution::Minutes,
            samples: vec![Sample {
                at: UnixMillis(60_000),
                row: row(7, Some(5)),
                rates: Rates::default(),
            }],
            extremes: vec![Extremes { low: row(0, Some(1)), high: row(0, Some(8)) }],
        };
        for (gauges, load) in [(Gauges::Mean, 5), (Gauges::Min, 1), (Gauges::Max, 8)] {
            let samples = gauges.of_history(history());
            assert_eq!(samples[0].row, row(7, Some(load)));
        }
    }

    #[test]
    fn sums_show_what_was_kept_of_cpu_and_memory() {
        let extent = |low, high| Some(Extent { low, high });
        let past = || GroupPast {
            resolution: Resolution::Quarters,
            samples: vec![GroupSample { cpu_nanocores: Some(5), ..GroupSample::default() }],
            extents: vec![GroupExtents {
                cpu_nanocores: extent(1, 8),
                memory_working_set_bytes: None,
            }],
        };
        for (gauges, cpu) in [(Gauges::Mean, 5), (Gauges::Min, 1), (Gauges::Max, 8)] {
            assert_eq!(gauges.of_past(past())[0].cpu_nanocores, Some(cpu));
        }
    }
}
