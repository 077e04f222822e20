//! Longer history at lower resolution: rows of one entity rolled into buckets.
//!
//! A bucket is named by its end and holds what came after the end of the one before. Counters are
//! what they were at its end, so that the increase between any two buckets is exact; gauges are
//! their mean, with the lowest and highest beside it.

use kubemonitor_model::{EntityKind, UnixMillis};

use crate::codec::Point;

/// Rolled rows, oldest first. All three have a row for each bucket in which anything was measured.
#[derive(Debug, Default)]
pub(crate) struct Rolled {
    /// Counters at the end, means of gauges.
    pub(crate) means: Vec<Point>,
    /// Gauges at their lowest.
    pub(crate) lows: Vec<Point>,
    /// Gauges at their highest.
    pub(crate) highs: Vec<Point>,
}

/// The end of the bucket that a time falls in.
pub(crate) fn bucket_end(at: UnixMillis, step_ms: i64) -> UnixMillis {
    UnixMillis((at.0 + step_ms - 1).div_euclid(step_ms) * step_ms)
}

/// Rolls rows as they come, in order of time.
#[derive(Debug)]
pub(crate) struct Roller {
    step_ms: i64,
    counters: u64,
    bucket: Option<Bucket>,
    rolled: Rolled,
}

#[derive(Debug)]
struct Bucket {
    end: UnixMillis,
    /// Counters as they were last; of gauges, whether there were any.
    last: Point,
    sums: Vec<u128>,
    counts: Vec<u32>,
    lows: Vec<u64>,
    highs: Vec<u64>,
}

impl Roller {
    pub(crate) fn new(kind: EntityKind, step_ms: i64) -> Self {
        let counters = kind.counter_columns();
        Self { step_ms, counters, bucket: None, rolled: Rolled::default() }
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: &Point) {
        let end = bucket_end(row.at, self.step_ms);
        if self.bucket.as_ref().is_some_and(|bucket| bucket.end != end) {
            self.close();
        }
        let bucket = self.bucket.get_or_insert_with(|| Bucket::begin(end, row.values.len()));
        bucket.add(row, self.counters);
    }

    /// The rows of all buckets, the last one as far as it has come.
    pub(crate) fn finish(mut self) -> Rolled {
        self.close();
        self.rolled
    }

    fn close(&mut self) {
        let Some(bucket) = self.bucket.take() else { return };
        let gauges = bucket.last.present & !self.counters;
        let with = |present, value: &dyn Fn(usize) -> u64| Point {
            at: bucket.end,
            present,
            restarted: 0,
            values: (0..bucket.sums.len()).map(value).collect(),
        };
        self.rolled.lows.push(with(gauges, &|column| bucket.lows[column]));
        self.rolled.highs.push(with(gauges, &|column| bucket.highs[column]));
        self.rolled.means.push(with(bucket.last.present, &|column| {
            if self.counters >> column & 1 == 1 {
                bucket.last.values[column]
            } else {
                bucket.mean(column)
            }
        }));
    }
}

impl Bucket {
    fn begin(end: UnixMillis, columns: usize) -> Self {
        let values = vec![0; columns].into();
        Self {
            end,
            last: Point { at: end, present: 0, restarted: 0, values },
            sums: vec![0; columns],
            counts: vec![0; columns],
            lows: vec![u64::MAX; columns],
            highs: vec![0; columns],
        }
    }

    fn add(&mut self, row: &Point, counters: u64) {
        let mut columns = row.present;
        self.last.present |= columns;
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            let value = row.values[column];
            self.last.values[column] = value;
            if counters >> column & 1 == 0 {
                self.sums[column] += u128::from(value);
                self.counts[column] += 1;
                self.lows[column] = self.lows[column].min(value);
                self.highs[column] = self.highs[column].max(value);
            }
        }
    }

    fn mean(&self, column: usize) -> u64 {
        let count = u128::from(self.counts[column].max(1));
        u64::try_from(self.sums[column] / count).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use kubemonitor_model::Metric;
    use proptest::prelude::*;

    use super::*;

    const KIND: EntityKind = EntityKind::Container;

    fn row(at: i64, cpu: u64, memory: Option<u64>) -> Point {
        let mut point = Point::origin(KIND, UnixMillis(at), 0);
        let cpu_column = KIND.column(Metric::CpuUsage).unwrap();
        let memory_column = KIND.column(Metric::MemoryUsage).unwrap();
        point.present = 1 << cpu_column;
        point.values[cpu_column] = cpu;
        if let Some(memory) = memory {
            point.present |= 1 << memory_column;
            point.values[memory_column] = memory;
        }
        point
    }

    fn rolled(rows: &[Point]) -> Rolled {
        let mut roller = Roller::new(KIND, 60_000);
        for row in rows {
            roller.add(row);
        }
        roller.finish()
    }

    fn memory(point: &Point) -> Option<u64> {
        point.column(KIND.column(Metric::MemoryUsage).unwrap())
    }

    #[test]
    fn a_bucket_ends_at_its_name() {
        let rolled = rolled(&[
            row(60_000, 10, Some(4)),
            row(65_000, 20, Some(10)),
            row(120_000, 50, Some(20)),
            row(125_000, 60, None),
        ]);
        let ends: Vec<i64> = rolled.means.iter().map(|point| point.at.0).collect();
        assert_eq!(ends, [60_000, 120_000, 180_000]);
        assert_eq!(rolled.means.iter().map(|p| p.values[0]).collect::<Vec<_>>(), [10, 50, 60]);
        assert_eq!(rolled.means.iter().map(memory).collect::<Vec<_>>(), [Some(4), Some(15), None]);
        assert_eq!(rolled.lows.iter().map(memory).collect::<Vec<_>>(), [Some(4), Some(10), None]);
        assert_eq!(rolled.highs.iter().map(memory).collect::<Vec<_>>(), [Some(4), Some(20), None]);
    }

    proptest! {
        #[test]
        fn increases_are_exact_and_means_lie_between_the_extremes(
            steps in prop::collection::vec((1i64..90_000, 0u64..1000, prop::option::of(any::<u64>())), 1..100)
        ) {
            let (mut at, mut cpu) = (0, 0);
            let rows: Vec<Point> = steps.iter().map(|&(gap, grown, memory)| {
                at += gap;
                cpu += grown;
                row(at, cpu, memory)
            }).collect();
            let rolled = rolled(&rows);
            prop_assert_eq!(rolled.means.last().unwrap().values[0], cpu);
            for (i, mean) in rolled.means.iter().enumerate() {
                let inside = |row: &&Point| bucket_end(row.at, 60_000) == mean.at;
                prop_assert_eq!(mean.values[0], rows.iter().rfind(inside).unwrap().values[0]);
                let lowest = rows.iter().filter(inside).filter_map(memory).min();
                prop_assert_eq!(memory(&rolled.lows[i]), lowest);
                if let Some(lowest) = lowest {
                    let highest = memory(&rolled.highs[i]).unwrap();
                    prop_assert!((lowest..=highest).contains(&memory(mean).unwrap()));
                }
            }
        }
    }
}
