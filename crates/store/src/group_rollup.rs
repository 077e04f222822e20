//! Longer history of sums: the slots of a group rolled into buckets, as rows of entities are.

use kubemonitor_model::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::{
    disk::{DiskError, unpacked},
    rollup::bucket_end,
    sample::{GroupSample, Traffic},
};

/// What the sums of a bucket were between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The lowest.
    pub low: u64,
    /// The highest.
    pub high: u64,
}

/// A bucket: means and extremes of its slots, totals at its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RolledSum {
    pub(crate) end: UnixMillis,
    pods: u32,
    cpu_nanocores: Option<(u64, Extent)>,
    memory_bytes: Option<(u64, Extent)>,
    traffic_milli: [Option<u64>; 4],
    pub(crate) totals: [Option<u64>; 4],
}

impl RolledSum {
    /// The bucket as a sample, with the extremes of CPU and of memory.
    pub(crate) fn sample(&self) -> (GroupSample, GroupExtents) {
        let traffic = std::array::from_fn(|place| Traffic {
            total_bytes: self.totals[place],
            bytes_per_second: self.traffic_milli[place].map(|milli| milli as f64 / 1000.0),
        });
        let sample = GroupSample {
            at: self.end,
            pods: self.pods,
            cpu_nanocores: self.cpu_nanocores.map(|(mean, _)| mean),
            memory_working_set_bytes: self.memory_bytes.map(|(mean, _)| mean),
            traffic,
        };
        let extents = GroupExtents {
            cpu_nanocores: self.cpu_nanocores.map(|(_, extent)| extent),
            memory_working_set_bytes: self.memory_bytes.map(|(_, extent)| extent),
        };
        (sample, extents)
    }
}

/// Between what the sums of a bucket were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupExtents {
    /// CPU in use.
    pub cpu_nanocores: Option<Extent>,
    /// Working sets.
    pub memory_working_set_bytes: Option<Extent>,
}

/// Rolls slots, oldest first, into buckets. Totals go on from those of `before`, which is what an
/// earlier process has counted; slots up to its end only tell how far this one had come there.
pub(crate) fn rolled(
    slots: &[GroupSample],
    step_ms: i64,
    before: Option<&RolledSum>,
) -> Vec<RolledSum> {
    let is_old = |slot: &&GroupSample| before.is_some_and(|before| slot.at <= before.end);
    let old = slots.iter().take_while(is_old).count();
    let (old, fresh) = slots.split_at(old);
    let added: [i128; 4] = std::array::from_fn(|place| {
        let there = before.and_then(|before| before.totals[place]).unwrap_or(0);
        let here = old.last().and_then(|slot| slot.traffic[place].total_bytes).unwrap_or(0);
        i128::from(there) - i128::from(here)
    });
    let end = |slot: &GroupSample| bucket_end(slot.at, step_ms);
    fresh
        .chunk_by(|one, next| end(one) == end(next))
        .map(|slots| bucket(slots, step_ms, added))
        .collect()
}

fn bucket(slots: &[GroupSample], step_ms: i64, added: [i128; 4]) -> RolledSum {
    let (first, last) = (slots[0], slots[slots.len() - 1]);
    RolledSum {
        end: bucket_end(first.at, step_ms),
        pods: spread(slots.iter().map(|slot| Some(u64::from(slot.pods))))
            .map_or(0, |(mean, _)| u32::try_from(mean).unwrap_or(u32::MAX)),
        cpu_nanocores: spread(slots.iter().map(|slot| slot.cpu_nanocores)),
        memory_bytes: spread(slots.iter().map(|slot| slot.memory_working_set_bytes)),
        traffic_milli: std::array::from_fn(|place| {
            let rates = slots.iter().map(|slot| slot.traffic[place].bytes_per_second);
            spread(rates.map(|rate| rate.map(thousandths))).map(|(mean, _)| mean)
        }),
        totals: std::array::from_fn(|place| {
            let total = i128::from(last.traffic[place].total_bytes?) + added[place];
            // What 64 bits cannot say is not known.
            u64::try_from(total).ok()
        }),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are not negative, and a cast saturates"
)]
fn thousandths(rate: f64) -> u64 {
    (rate * 1000.0).round() as u64
}

/// Mean and extremes of what is known.
fn spread(values: impl Iterator<Item = Option<u64>>) -> Option<(u64, Extent)> {
    let (mut sum, mut count, mut extent) = (0_u128, 0_u128, Extent { low: u64::MAX, high: 0 });
    for value in values.flatten() {
        sum += u128::from(value);
        count += 1;
        extent = Extent { low: extent.low.min(value), high: extent.high.max(value) };
    }
    let mean = u64::try_from(sum.checked_div(count)?).unwrap_or(u64::MAX);
    Some((mean, extent))
}

/// Buckets of another version are of another program.
const VERSION: u8 = 1;

/// Buckets as they go to disk.
pub(crate) fn encode(sums: &[RolledSum]) -> Result<Vec<u8>, DiskError> {
    let plain = postcard::to_stdvec(sums).map_err(|e| DiskError::Encode(e.to_string()))?;
    let mut record = vec![VERSION];
    record.extend_from_slice(&lz4_flex::block::compress_prepend_size(&plain));
    Ok(record)
}

/// Buckets read back.
pub(crate) fn decode(record: &[u8]) -> Result<Vec<RolledSum>, DiskError> {
    let Some((&VERSION, packed)) = record.split_first() else {
        return Err(DiskError::Decode("sums of another version".to_owned()));
    };
    let plain = unpacked(packed, &[])?;
    postcard::from_bytes(&plain).map_err(|e| DiskError::Decode(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(at: i64, cpu: u64, total: u64) -> GroupSample {
        let traffic = Traffic { total_bytes: Some(total), bytes_per_second: Some(1.5) };
        GroupSample {
            at: UnixMillis(at),
            pods: 2,
            cpu_nanocores: Some(cpu),
            memory_working_set_bytes: None,
            traffic: [traffic; 4],
        }
    }

    #[test]
    fn a_bucket_has_the_mean_the_extremes_and_the_last_total() {
        let rolled =
            rolled(&[slot(5000, 10, 1), slot(60_000, 20, 5), slot(65_000, 7, 6)], 60_000, None);
        let (sample, extents) = rolled[0].sample();
        assert_eq!((rolled.len(), sample.at.0, sample.cpu_nanocores), (2, 60_000, Some(15)));
        assert_eq!(extents.cpu_nanocores, Some(Extent { low: 10, high: 20 }));
        assert_eq!(
            (sample.memory_working_set_bytes, extents.memory_working_set_bytes),
            (None, None)
        );
        assert_eq!(sample.traffic[0].total_bytes, Some(5));
        assert_eq!(sample.traffic[0].bytes_per_second, Some(1.5));
        assert_eq!(decode(&encode(&rolled).unwrap()).unwrap(), rolled);
    }

    #[test]
    fn totals_go_on_from_what_an_earlier_process_counted() {
        let before = rolled(&[slot(60_000, 1, 1000)], 60_000, None)[0];
        // This process knows of less: pods that were gone before it began.
        let rolled = rolled(&[slot(60_000, 1, 400), slot(65_000, 1, 450)], 60_000, Some(&before));
        assert_eq!((rolled.len(), rolled[0].totals[0]), (1, Some(1050)));
    }
}
