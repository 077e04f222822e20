//! Whole blocks: what was written is read back, column by column, and damage costs what it hits.

use kubemonitor_block::{Aspect, BlockBuilder, BlockError, ColumnKey, Footer, Values};
use kubemonitor_model::{EntityId, EntityKind, Metric, UnixMillis};
use proptest::prelude::*;

/// A row of a series: the number of its tick, which columns are present, which restarted, the values.
type ModelRow = (usize, u64, u64, Vec<u64>);

#[derive(Clone, Debug)]
struct ModelSeries {
    kind: EntityKind,
    id: EntityId,
    rows: Vec<ModelRow>,
}

fn ticks() -> Vec<UnixMillis> {
    (0..40).map(|tick| UnixMillis(1_800_000_000_000 + tick * 5000 + tick / 17 * 700)).collect()
}

fn rows() -> impl Strategy<Value = Vec<ModelRow>> {
    let value = prop_oneof![3 => Just(7_u64), 2 => 0..100_000_u64, 1 => any::<u64>()];
    let presence = prop_oneof![3 => Just(u64::MAX), 1 => any::<u64>()];
    let row =
        (presence, prop_oneof![4 => Just(0), 1 => any::<u64>()], prop::collection::vec(value, 64));
    (
        prop::sample::subsequence((0..40).collect::<Vec<usize>>(), 0..40),
        prop::collection::vec(row, 40),
    )
        .prop_map(|(ticks, rows)| {
            ticks
                .into_iter()
                .zip(rows)
                .map(|(tick, (present, restarted, values))| (tick, present, restarted, values))
                .collect()
        })
}

fn series() -> impl Strategy<Value = Vec<ModelSeries>> {
    prop::collection::vec((prop::sample::select(EntityKind::ALL.to_vec()), rows()), 0..8).prop_map(
        |all| {
            all.into_iter()
                .enumerate()
                .map(|(number, (kind, rows))| {
                    let width = kind.metrics().len();
                    let mask = u64::MAX >> (64 - width);
                    let rows = rows
                        .into_iter()
                        .map(|(tick, present, restarted, values)| {
                            (
                                tick,
                                present & mask,
                                restarted & present & mask,
                                values[..width].to_vec(),
                            )
                        })
                        .collect();
                    ModelSeries { kind, id: EntityId::parse(&format!("entity-{number}")), rows }
                })
                .collect()
        },
    )
}

fn block(all: &[ModelSeries]) -> Vec<u8> {
    let (ticks, mut builder) = (ticks(), BlockBuilder::new(ticks(), b"of the block".to_vec()));
    for series in all {
        let mut written = builder.series(series.kind, series.id.clone(), b"of the series".to_vec());
        for (tick, present, restarted, values) in &series.rows {
            written.row(ticks[*tick], *present, *restarted, values).expect("ticks ascend");
        }
        written.end();
    }
    builder.finish().expect("it fits")
}

/// Tick, value, and whether the counter had started anew.
fn column_of(series: &ModelSeries, column: usize) -> Vec<(usize, u64, bool)> {
    let with = series.rows.iter().filter(|(_, present, ..)| present >> column & 1 == 1);
    with.map(|(tick, _, restarted, values)| (*tick, values[column], restarted >> column & 1 == 1))
        .collect()
}

proptest! {
    #[test]
    fn every_column_of_every_series_is_read_back(all in series()) {
        let block = block(&all);
        let footer = Footer::of_block(&block).unwrap();
        prop_assert_eq!(&footer.ticks, &ticks());
        prop_assert_eq!(&footer.attributes, b"of the block");
        let written: Vec<_> = all.iter().filter(|series| !series.rows.is_empty()).collect();
        prop_assert_eq!(footer.series.len(), written.len());
        let mut values = Values::default();
        for model in written {
            let (place, series) = footer.find(model.kind, &model.id).unwrap();
            prop_assert_eq!(&series.attributes, b"of the series");
            prop_assert!(series.rows.iter().eq(model.rows.iter().map(|row| row.0)));
            for (number, &metric) in model.kind.metrics().iter().enumerate() {
                let expected = column_of(model, number);
                let key = ColumnKey::of(model.kind, metric, Aspect::Value);
                let Some(column) = footer.column_of(key, &block).unwrap() else {
                    prop_assert!(expected.is_empty());
                    continue;
                };
                column.read(place, series, &mut values).unwrap();
                let ticks: Vec<usize> = series.rows.iter().collect();
                let found: Vec<_> = values.present().iter().zip(values.values()).map(|(row, value)| {
                    let is_restart = values.restarts().iter().any(|restart| *restart as usize == row);
                    (ticks[row], *value, is_restart)
                }).collect();
                prop_assert_eq!(&found, &expected);
                let mut segments = Vec::new();
                values.segments(series, &footer.ticks, |times, values| {
                    segments.extend(times.iter().copied().zip(values.iter().copied()));
                });
                let timed: Vec<_> = expected.iter().map(|(tick, value, _)| (footer.ticks[*tick], *value)).collect();
                prop_assert_eq!(segments, timed);
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_costs_its_column_alone(all in series(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let whole = block(&all);
        let mut broken = whole.clone();
        let place = at.index(broken.len());
        broken[place] ^= 1_u8 << bit;
        let Ok(footer) = Footer::of_block(&broken) else { return Ok(()) };
        for key in footer.columns() {
            let column = footer.place(key).unwrap();
            let is_hit = (column.offset..column.offset + column.length).contains(&(place as u64));
            match footer.column_of(key, &broken) {
                Ok(_) => prop_assert!(!is_hit),
                Err(error) => {
                    prop_assert!(is_hit);
                    prop_assert_eq!(error, BlockError::Checksum { part: "column" });
                }
            }
        }
    }

    #[test]
    fn a_part_of_a_block_is_no_block(all in series(), at in any::<prop::sample::Index>()) {
        let whole = block(&all);
        prop_assert!(Footer::of_block(&whole[..at.index(whole.len())]).is_err());
    }
}

#[test]
fn a_zero_tail_is_no_block() {
    let mut zeros = block(&[]);
    zeros.extend([0; 8]);
    assert_eq!(Footer::of_block(&zeros), Err(BlockError::NoBlock));
    assert_eq!(Footer::of_block(&[0; 100]), Err(BlockError::NoBlock));
    assert_eq!(Footer::of_block(&[]), Err(BlockError::NoBlock));
}

#[test]
fn another_version_is_refused_with_both_numbers() {
    let mut other = block(&[]);
    let version = other.len() - 8;
    other[version] = 9;
    let error = Footer::of_block(&other).unwrap_err();
    assert_eq!(error, BlockError::Version { found: 9, supported: 1 });
    assert!(error.to_string().contains("format 9") && error.to_string().contains("format 1"));
}

#[test]
fn a_row_at_no_tick_or_out_of_order_is_refused() {
    let ticks = ticks();
    let mut builder = BlockBuilder::new(ticks.clone(), Vec::new());
    let mut series = builder.series(EntityKind::Pod, EntityId::parse("pod"), Vec::new());
    series.row(ticks[3], 1, 0, &[5]).unwrap();
    assert!(series.row(UnixMillis(ticks[4].0 + 1), 1, 0, &[6]).is_err());
    assert!(series.row(ticks[3], 1, 0, &[6]).is_err());
    assert!(series.row(ticks[2], 1, 0, &[6]).is_err());
    series.row(ticks[5], 1, 0, &[7]).unwrap();
}

#[test]
fn downsampled_gauges_have_their_extremes_in_columns_of_their_own() {
    let ticks = ticks();
    let kind = EntityKind::Pod;
    let memory = kind.column(Metric::MemoryWorkingSet).unwrap();
    let cpu = kind.column(Metric::CpuUsage).unwrap();
    let row = |cpu_value, memory_value| {
        let mut values = vec![0; kind.metrics().len()];
        (values[cpu], values[memory]) = (cpu_value, memory_value);
        values
    };
    let present = 1 << cpu | 1 << memory;
    let mut builder = BlockBuilder::new(ticks.clone(), Vec::new());
    let mut series = builder.series(kind, EntityId::parse("pod"), Vec::new());
    let gauges = !kind.counter_columns();
    for (tick, number) in ticks.iter().zip(1..) {
        let values = row(number * 100, 50);
        series
            .bucket(*tick, (present, &values), gauges, &row(0, 40), &row(0, 60 + number))
            .unwrap();
    }
    series.end();
    let block = builder.finish().unwrap();
    let footer = Footer::of_block(&block).unwrap();
    let mut values = Values::default();
    let mut read = |metric, aspect| {
        let column = footer.column_of(ColumnKey::of(kind, metric, aspect), &block).unwrap()?;
        column.read(0, &footer.series[0], &mut values).unwrap();
        Some(values.values().to_vec())
    };
    assert_eq!(read(Metric::MemoryWorkingSet, Aspect::Value).unwrap(), vec![50; 40]);
    assert_eq!(read(Metric::MemoryWorkingSet, Aspect::Lowest).unwrap(), vec![40; 40]);
    assert_eq!(read(Metric::MemoryWorkingSet, Aspect::Highest).unwrap()[..3], [61, 62, 63]);
    assert_eq!(read(Metric::CpuUsage, Aspect::Value).unwrap()[..3], [100, 200, 300]);
    assert_eq!(read(Metric::CpuUsage, Aspect::Lowest), None);
}
