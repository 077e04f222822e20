//! Blocks that a program with another catalogue wrote.

use kubemonitor_model::{EntityId, EntityKind, Metric, UnixMillis};

use crate::{Aspect, BlockBuilder, ColumnKey, Footer, Trailer, Values};

/// The block of one pod with two columns, their order in the directory turned round, and a third one
/// of a metric from the future.
fn foreign_block() -> Vec<u8> {
    let kind = EntityKind::Pod;
    let ticks: Vec<_> = (0..3).map(|tick| UnixMillis(tick * 5000)).collect();
    let mut builder = BlockBuilder::new(ticks.clone(), Vec::new());
    let mut series = builder.series(kind, EntityId::parse("pod"), Vec::new());
    let mut row = vec![0; kind.metrics().len()];
    let columns =
        [Metric::CpuUsage, Metric::MemoryUsage].map(|metric| kind.column(metric).unwrap());
    for (number, tick) in (1..).zip(ticks) {
        (row[columns[0]], row[columns[1]]) = (number, number * 10);
        series.row(tick, 1 << columns[0] | 1 << columns[1], 0, &row).unwrap();
    }
    series.end();
    let block = builder.finish().unwrap();
    let mut footer = Footer::of_block(&block).unwrap();
    let bytes: Vec<_> = footer
        .columns
        .iter()
        .map(|(_, place)| {
            let offset = usize::try_from(place.offset).unwrap();
            block[offset..offset + usize::try_from(place.length).unwrap()].to_vec()
        })
        .collect();
    footer.columns.reverse();
    let mut written: Vec<u8> = bytes.iter().rev().flatten().copied().collect();
    footer.columns[1].1.offset = footer.columns[0].1.length;
    // A column that says of every series: nothing.
    let mut future = footer.columns[0];
    future.0.wire_id = 9999;
    future.1.length = 1;
    future.1.checksum = crc32fast::hash(&[0]);
    written.push(0);
    footer.columns.push(future);
    let start = written.len();
    footer.encode(&mut written).unwrap();
    let trailer = Trailer::of(&written[start..]).unwrap();
    trailer.encode(&mut written);
    written
}

#[test]
fn columns_are_found_by_wire_id_wherever_they_stand() {
    let block = foreign_block();
    let footer = Footer::of_block(&block).unwrap();
    let mut values = Values::default();
    for (metric, expected) in [(Metric::CpuUsage, [1, 2, 3]), (Metric::MemoryUsage, [10, 20, 30])] {
        let key = ColumnKey::of(EntityKind::Pod, metric, Aspect::Value);
        let column = footer.column_of(key, &block).unwrap().unwrap();
        column.read(0, &footer.series[0], &mut values).unwrap();
        assert_eq!(values.values(), expected);
    }
}

#[test]
fn a_metric_from_the_future_is_told_and_can_be_passed_over() {
    let block = foreign_block();
    let footer = Footer::of_block(&block).unwrap();
    let unknown: Vec<_> = footer.columns().filter(|key| key.metric().is_none()).collect();
    assert_eq!(unknown.len(), 1);
    assert!(footer.column_of(unknown[0], &block).unwrap().is_some());
}

#[test]
fn a_metric_that_is_gone_has_no_column() {
    let block = foreign_block();
    let footer = Footer::of_block(&block).unwrap();
    let key = ColumnKey::of(EntityKind::Pod, Metric::MemoryRss, Aspect::Value);
    assert_eq!(footer.place(key), None);
    assert!(footer.column_of(key, &block).unwrap().is_none());
}
