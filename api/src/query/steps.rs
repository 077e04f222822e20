//! Samples folded into steps: means (or extremes) of gauges, rates of counters over each step.

use kubemonitor_model::{EntityKind, MetricKind, Row, UnixMillis};
use kubemonitor_store::{GroupSample, RATED, Sample, Traffic};

use super::{
    Span,
    gauges::{Folding, Gauges},
};
use crate::model::Reading;

/// The samples as readings: one each, or one per step of the span that has any.
pub(crate) fn readings(
    samples: impl Iterator<Item = Sample>,
    &Span { step, gauges, .. }: &Span,
) -> impl Iterator<Item = Reading> {
    let mut samples = samples.peekable();
    std::iter::from_fn(move || {
        let first = samples.next()?;
        let Some(step) = step else { return Some(Reading::from(first)) };
        let start = start_of(first.at, step);
        let mut folded = Folded::begin(&first);
        while let Some(sample) = samples.next_if(|sample| start_of(sample.at, step) == start) {
            folded.add(&sample);
        }
        Some(folded.reading(start, gauges))
    })
}

/// The start of the step that a moment lies in. Steps are aligned to the epoch, so that those of all
/// entities meet.
fn start_of(at: UnixMillis, step: i64) -> UnixMillis {
    UnixMillis(at.0.div_euclid(step) * step)
}

/// What is known of a step after some of its samples.
struct Folded {
    kind: EntityKind,
    /// By the places of the kind's metrics.
    values: Vec<Values>,
    /// By the places of [`RATED`]: what counters grew by, and in how many microseconds.
    growth: [(u64, u64); RATED.len()],
}

/// The values of a metric in a step.
#[derive(Clone, Default)]
struct Values {
    all: Folding,
    last: Option<u64>,
}

impl Folded {
    fn begin(first: &Sample) -> Self {
        let kind = first.row.kind();
        let values = vec![Values::default(); kind.metrics().len()];
        let mut folded = Self { kind, values, growth: [(0, 0); RATED.len()] };
        folded.add(first);
        folded
    }

    fn add(&mut self, sample: &Sample) {
        for (values, &metric) in self.values.iter_mut().zip(self.kind.metrics()) {
            if let Some(value) = sample.row.get(metric) {
                values.all.add(value);
                values.last = Some(value);
            }
        }
        for ((grown, elapsed_us), metric) in self.growth.iter_mut().zip(RATED) {
            if let Some(increase) = sample.rates.increase(metric) {
                *grown = grown.saturating_add(increase);
                *elapsed_us = elapsed_us.saturating_add(sample.rates.elapsed_us(metric));
            }
        }
    }

    fn reading(self, at: UnixMillis, gauges: Gauges) -> Reading {
        let mut row = Row::new(self.kind);
        for (values, &metric) in self.values.iter().zip(self.kind.metrics()) {
            row.set(
                metric,
                match metric.kind() {
                    MetricKind::Counter => values.last,
                    MetricKind::Gauge => values.all.shown_as(gauges),
                },
            );
        }
        let per_second = self.growth.map(|(grown, elapsed_us)| {
            (elapsed_us > 0).then(|| grown as f64 * 1e6 / elapsed_us as f64)
        });
        Reading::new(at, row, per_second)
    }
}

/// Sums of groups: as they are, or one per step of the span that has any.
pub(crate) fn sums(samples: Vec<GroupSample>, span: &Span) -> Vec<GroupSample> {
    match span.step {
        None => samples,
        Some(step) => {
            chunks(&samples, step).map(|(at, samples)| step_sum(at, samples, span.gauges)).collect()
        }
    }
}

/// Runs of sums that lie in the same step, with its start.
fn chunks(
    samples: &[GroupSample],
    step: i64,
) -> impl Iterator<Item = (UnixMillis, &[GroupSample])> {
    samples
        .chunk_by(move |one, next| start_of(one.at, step) == start_of(next.at, step))
        .map(move |chunk| (start_of(chunk[0].at, step), chunk))
}

fn step_sum(at: UnixMillis, samples: &[GroupSample], gauges: Gauges) -> GroupSample {
    let traffic = std::array::from_fn(|place| {
        let traffic = || samples.iter().map(move |sample| sample.traffic[place]);
        Traffic {
            total_bytes: traffic().filter_map(|t| t.total_bytes).next_back(),
            bytes_per_second: mean_f64(traffic().filter_map(|t| t.bytes_per_second)),
        }
    });
    let pods = Gauges::Mean.of(samples.iter().map(|sample| u64::from(sample.pods)));
    GroupSample {
        at,
        pods: pods.and_then(|pods| u32::try_from(pods).ok()).unwrap_or_default(),
        cpu_nanocores: gauges.of(samples.iter().filter_map(|sample| sample.cpu_nanocores)),
        memory_working_set_bytes: gauges
            .of(samples.iter().filter_map(|sample| sample.memory_working_set_bytes)),
        traffic,
    }
}

fn mean_f64(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use kubemonitor_model::{EntityId, EntityRow, Metric, NodeName, Tick};
    use kubemonitor_store::{Settings, Store, TimeRange};

    use super::*;

    const T0: i64 = 1_700_000_000_000;

    fn in_steps(step: Option<i64>, gauges: Gauges) -> Span {
        Span { range: TimeRange::ALL, step, gauges, asked_at: UnixMillis(T0) }
    }

    fn in_turn(samples: Vec<Sample>, span: Span) -> Vec<Reading> {
        readings(samples.into_iter(), &span).collect()
    }

    /// A node's samples each 5 s: CPU nanoseconds (a counter) and load (a gauge).
    fn measured(values: &[(u64, u64)]) -> Vec<Sample> {
        let store = Store::new(Settings::default());
        let node: NodeName = "n".parse().unwrap();
        for (sequence, &(cpu, load)) in (0_u32..).zip(values) {
            let mut row = Row::new(EntityKind::Node);
            row.set(Metric::CpuUsage, Some(cpu));
            row.set(Metric::Load1, Some(load));
            let id = EntityId::parse("n");
            let entity = EntityRow { id, parent: None, qos: None, newborn: false, row };
            let tick = Tick {
                node: node.clone(),
                instance: 1,
                sequence: u64::from(sequence),
                at: UnixMillis(T0 + i64::from(sequence) * 5000),
                read_delay_us: 0,
                interval_ms: 5000,
                rows: vec![entity],
            };
            store.ingest(&tick, tick.at).unwrap();
        }
        let range = TimeRange { from: UnixMillis(T0), to: UnixMillis(T0 + 3_600_000) };
        let read = |view: &kubemonitor_store::NodeView<'_>| {
            view.series(EntityKind::Node).next().unwrap().window(range)
        };
        store.node(&node, read).unwrap()
    }

    #[test]
    fn without_a_step_every_sample_is_a_reading() {
        let samples = measured(&[(0, 1), (5_000_000_000, 3)]);
        let readings = in_turn(samples, in_steps(None, Gauges::Mean));
        assert_eq!(readings.len(), 2);
        assert_eq!(readings[1].cpu_millicores(), Some(1000.0));
    }

    #[test]
    fn a_step_has_the_mean_of_gauges_and_the_rate_of_counters() {
        let samples =
            measured(&[(0, 100), (5_000_000_000, 200), (5_000_000_000, 400), (15_000_000_000, 9)]);
        let steps = in_turn(samples.clone(), in_steps(Some(15_000), Gauges::Mean));
        // The epoch's multiples of 15 s: T0 is 5 s into one.
        assert_eq!(steps[0].at, UnixMillis(T0 - 5000));
        assert_eq!(steps[0].value(Metric::Load1), Some(150));
        assert_eq!(steps[0].cpu_millicores(), Some(1000.0));
        assert_eq!(steps[1].value(Metric::Load1), Some(205));
        assert_eq!(steps[1].cpu_millicores(), Some(1000.0));
        assert_eq!(steps[1].value(Metric::CpuUsage), Some(15_000_000_000));
        assert_eq!(steps.len(), 2);
        let highest = in_turn(samples, in_steps(Some(15_000), Gauges::Max));
        assert_eq!(highest[0].value(Metric::Load1), Some(200));
        assert_eq!(highest[1].value(Metric::Load1), Some(400));
        assert_eq!(highest[1].cpu_millicores(), Some(1000.0));
    }

    #[test]
    fn sums_are_averaged_and_their_totals_kept() {
        let sum = |at, cpu, total| GroupSample {
            at: UnixMillis(at),
            pods: 2,
            cpu_nanocores: cpu,
            traffic: [Traffic { total_bytes: Some(total), bytes_per_second: Some(total as f64) };
                4],
            ..GroupSample::default()
        };
        let steps = sums(
            vec![sum(0, None, 10), sum(5000, Some(30), 20)],
            &in_steps(Some(10_000), Gauges::Mean),
        );
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].pods, steps[0].cpu_nanocores), (2, Some(30)));
        assert_eq!(steps[0].memory_working_set_bytes, None);
        let traffic = Traffic { total_bytes: Some(20), bytes_per_second: Some(15.0) };
        assert_eq!(steps[0].traffic, [traffic; 4]);
    }
}
