//! How rows become bytes while they are appended.
//!
//! A row is written as what differs from the row before it:
//!
//! ```text
//! row      := count << 2 | 1                 up to 63 rows on time in which nothing changed
//!           | header [irregular] delta*      header = varint((changed ^ before) << 2 | irregular)
//! irregular:= flags [time] [presence] [restarts]
//! ```
//!
//! `changed` are the columns that are not what was expected of them, `before` those of the last row
//! that had any: what works changes the same columns again and again, and takes one byte to say so.
//! `time` is there when the row is not exactly one step after the one before (zigzag of the
//! difference, in ms), `presence` when columns came or went (bitmap of those), `restarts` when
//! counters started anew (bitmap of those). One delta follows for each changed column. Most cgroups
//! idle, memory moves by pages and kernels count CPU time in microseconds on v2: an idle row costs
//! 1/63 of a byte, and deltas that are multiples of their unit's grain are divided by it.
//!
//! Some columns follow from others ([`Coding`]): kernel time is what of the CPU time is not user
//! time, and memory that was taken is anonymous memory in use, mostly. What is written of them is
//! how far off that is. It takes a fifth off what a row costs.

mod bytes;
mod coding;
mod decoder;
mod encoder;
mod point;

pub(crate) use self::{
    coding::Coding,
    decoder::Decoder,
    encoder::Encoder,
    point::{Next, Point, different},
};

const TIME: u8 = 1;
const PRESENCE: u8 = 2;
const RESTARTS: u8 = 4;

/// The two lowest bits of a row's first byte.
const FORM: u8 = 0b11;
/// A row on time with the columns it had.
const REGULAR: u8 = 0;
/// Rows in which nothing changed; the other bits count them.
const IDLE: u8 = 1;
/// A row with flags behind the header.
const IRREGULAR: u8 = 2;
/// What one byte of idle rows counts up to.
const MAX_IDLE: u8 = 63;

#[cfg(test)]
mod tests {
    use kubemonitor_model::{EntityKind, Metric, UnixMillis};
    use proptest::prelude::*;

    use super::*;

    const KIND: EntityKind = EntityKind::Container;

    fn written(rows: &[(i64, u64, u64, Vec<u64>)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut last = Point::origin(KIND, UnixMillis(rows[0].0), 5000);
        let mut encoder = Encoder::default();
        for (at, present, restarted, values) in rows {
            let next =
                Next { at: UnixMillis(*at), present: *present, restarted: *restarted, values };
            encoder.append(Coding::of(KIND), 5000, &mut last, next, &mut out);
        }
        out
    }

    #[test]
    fn an_idle_hour_costs_a_handful_of_bytes() {
        let values = vec![12_345_678; KIND.metrics().len()];
        let rows: Vec<_> =
            (0..720).map(|i| (i * 5000, u64::MAX >> 40, 0, values.clone())).collect();
        let first = written(&rows[..1]).len();
        assert!(written(&rows).len() - first <= 12);
    }

    #[test]
    fn page_sized_steps_and_microseconds_are_divided() {
        let columns = KIND.metrics().len();
        let mut one = vec![0; columns];
        let mut two = vec![0; columns];
        let memory = KIND.column(kubemonitor_model::Metric::MemoryUsage).unwrap();
        one[memory] = 1 << 30;
        two[memory] = (1 << 30) + 20 * 4096;
        let rows = [(0, 1 << memory, 0, one), (5000, 1 << memory, 0, two)];
        assert_eq!(written(&rows).len() - written(&rows[..1]).len(), 2);
    }

    #[test]
    fn what_follows_from_others_costs_nothing() {
        let set = |values: &[(Metric, u64)]| {
            let mut row = vec![0; KIND.metrics().len()];
            let mut present = 0;
            for &(metric, value) in values {
                let column = KIND.column(metric).unwrap();
                row[column] = value;
                present |= 1 << column;
            }
            (present, row)
        };
        let usage = |cpu_us: u64, pages: u64| {
            set(&[
                (Metric::CpuUsage, cpu_us * 1000),
                (Metric::CpuUser, cpu_us * 700),
                (Metric::CpuSystem, cpu_us * 300),
                (Metric::MemoryUsage, pages * 4096),
                (Metric::MemoryWorkingSet, pages * 4096),
                (Metric::MemoryRss, pages * 4096),
                (Metric::MemoryFile, 0),
            ])
        };
        let rows: Vec<_> = (0..4)
            .map(|i: u64| {
                let (present, values) = usage(1000 + i * 10, 500 + i);
                (i.cast_signed() * 5000, present, 0, values)
            })
            .collect();
        // A header, CPU time, user time and memory in use; the other four columns follow.
        assert_eq!(written(&rows).len() - written(&rows[..3]).len(), 4);
    }

    proptest! {
        #[test]
        fn what_was_appended_is_read_back(
            rows in prop::collection::vec(
                (0i64..20_000, any::<u64>(), prop_oneof![Just(0), any::<u64>()],
                 prop::collection::vec(prop_oneof![Just(7u64), any::<u64>(), 0u64..100_000], 24)),
                1..40,
            ),
            steady in any::<bool>(),
        ) {
            let columns = KIND.metrics().len();
            let mask = (1u64 << columns) - 1;
            let mut at = 1_000_000;
            let rows: Vec<_> = rows.into_iter().map(|(gap, present, restarted, mut values)| {
                at += if steady { 5000 } else { gap + 1 };
                values.resize(columns, 3);
                (at, present & mask, restarted & mask, values)
            }).collect();
            let bytes = written(&rows);
            let mut point = Point::origin(KIND, UnixMillis(rows[0].0), 5000);
            let mut decoder = Decoder::new(KIND, 5000, &bytes);
            for (at, present, restarted, values) in &rows {
                prop_assert!(decoder.advance(&mut point).is_some());
                prop_assert_eq!((point.at.0, point.present, point.restarted), (*at, *present, *restarted));
                for (column, value) in values.iter().enumerate() {
                    if present >> column & 1 == 1 {
                        prop_assert_eq!(point.values[column], *value);
                    }
                }
            }
            prop_assert!(decoder.advance(&mut point).is_none());
        }

        #[test]
        fn broken_bytes_end_the_stream_and_nothing_else(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut point = Point::origin(KIND, UnixMillis(0), 5000);
            let mut decoder = Decoder::new(KIND, 5000, &bytes);
            let mut rows = 0;
            while decoder.advance(&mut point).is_some() { rows += 1; }
            prop_assert!(rows <= bytes.len() * 63);
        }
    }
}
