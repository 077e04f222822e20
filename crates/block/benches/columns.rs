//! What columns cost: bytes a sample, and values decoded a second, beside `pco` on the same columns.
//!
//! `cargo bench -p kubemonitor-block` first prints the sizes for an hour of simulated nodes.

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};
use kubemonitor_block::{Aspect, BlockBuilder, ColumnKey, Footer, Values};
use kubemonitor_model::{EntityId, EntityKind, Metric, Tick, UnixMillis};
use kubemonitor_simulate::{Fleet, Shape, fleet::empty_tick};

const NODES: u32 = 4;
const INTERVAL_MS: i64 = 5000;

fn main() {
    for minutes in [4, 15, 60] {
        print_sizes(minutes);
    }
    divan::main();
}

/// One node's entities with all their rows.
struct Recorded {
    ticks: Vec<UnixMillis>,
    series: Vec<(EntityKind, EntityId, Vec<Row>)>,
}

struct Row {
    at: UnixMillis,
    present: u64,
    values: Vec<u64>,
}

fn recorded(minutes: usize) -> Vec<Recorded> {
    let shape = Shape { nodes: NODES, ..Shape::default() };
    let mut fleet = Fleet::new(shape).expect("the shape can be had");
    let record = |node: &mut kubemonitor_simulate::fleet::Node| {
        let mut recorded = Recorded { ticks: Vec::new(), series: Vec::new() };
        let mut tick: Tick = empty_tick();
        for number in 0..i64::try_from(minutes * 12).expect("small") {
            let at = UnixMillis(1_800_000_000_000 + number * INTERVAL_MS);
            node.measure(at, &mut tick);
            recorded.ticks.push(at);
            for entity in &tick.rows {
                let kind = entity.row.kind();
                let row =
                    Row { at, present: entity.row.present(), values: entity.row.values().to_vec() };
                let known = recorded
                    .series
                    .iter_mut()
                    .find(|(known, id, _)| *known == kind && *id == entity.id);
                match known {
                    Some((.., rows)) => rows.push(row),
                    None => recorded.series.push((kind, entity.id.clone(), vec![row])),
                }
            }
        }
        recorded
    };
    fleet.nodes().iter_mut().map(record).collect()
}

fn block(node: &Recorded) -> Vec<u8> {
    let mut builder = BlockBuilder::new(node.ticks.clone(), Vec::new());
    for (kind, id, rows) in &node.series {
        let mut series = builder.series(*kind, id.clone(), Vec::new());
        for row in rows {
            series.row(row.at, row.present, 0, &row.values).expect("ticks ascend");
        }
        series.end();
    }
    builder.finish().expect("it fits")
}

fn samples(node: &Recorded) -> usize {
    let rows = node.series.iter().flat_map(|(.., rows)| rows);
    rows.map(|row| row.present.count_ones() as usize).sum()
}

/// The values of each series in each column, one after the other.
fn columns(node: &Recorded) -> Vec<Vec<u64>> {
    let mut columns = Vec::new();
    for kind in EntityKind::ALL {
        for column in 0..kind.metrics().len() {
            let of_kind = node.series.iter().filter(|(found, ..)| *found == kind);
            let rows = of_kind.flat_map(|(.., rows)| rows);
            let values =
                rows.filter(|row| row.present >> column & 1 == 1).map(|row| row.values[column]);
            columns.push(values.collect());
        }
    }
    columns
}

fn print_sizes(minutes: usize) {
    let nodes = recorded(minutes);
    let samples: usize = nodes.iter().map(samples).sum();
    let blocks: Vec<Vec<u8>> = nodes.iter().map(block).collect();
    let bytes: usize = blocks.iter().map(Vec::len).sum();
    let footers: usize = blocks
        .iter()
        .map(|block| {
            let footer = Footer::of_block(block).expect("it is whole");
            let columns: u64 = footer
                .columns()
                .filter_map(|key| footer.place(key))
                .map(|place| place.length)
                .sum();
            block.len() - usize::try_from(columns).expect("small")
        })
        .sum();
    let config = pco::ChunkConfig::default().with_compression_level(4);
    let compressed = |values: Vec<u64>| {
        pco::standalone::simple_compress(&values, &config).map_or(0, |bytes| bytes.len())
    };
    let by_pco: usize =
        nodes.iter().flat_map(columns).filter(|values| !values.is_empty()).map(compressed).sum();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let per_sample = |bytes: usize| bytes as f64 / samples as f64;
    println!(
        "{minutes} min: {samples} samples, {:.3} bytes each in blocks ({:.3} of them footers), {:.3} by pco, level 4",
        per_sample(bytes),
        per_sample(footers),
        per_sample(by_pco)
    );
    let mut by_metric: Vec<(u64, Metric, EntityKind)> = Vec::new();
    for block in &blocks {
        let footer = Footer::of_block(block).expect("it is whole");
        for key in footer.columns() {
            let (Some(metric), Some(place)) = (key.metric(), footer.place(key)) else { continue };
            match by_metric
                .iter_mut()
                .find(|(_, known, kind)| *known == metric && *kind == key.kind)
            {
                Some(entry) => entry.0 += place.length,
                None => by_metric.push((place.length, metric, key.kind)),
            }
        }
    }
    by_metric.sort_unstable_by_key(|(length, ..)| std::cmp::Reverse(*length));
    for (length, metric, kind) in by_metric.iter().take(12) {
        println!("  {length:>9} bytes {kind:?} {}", metric.name());
    }
}

/// One metric of all containers of a node over an hour: values decoded a second.
#[divan::bench(args = [Metric::CpuUsage, Metric::MemoryWorkingSet, Metric::DiskReadBytes])]
fn scan(bencher: Bencher, metric: Metric) {
    let node = recorded(60).swap_remove(0);
    let block = block(&node);
    let footer = Footer::of_block(&block).expect("it is whole");
    let key = ColumnKey::of(EntityKind::Container, metric, Aspect::Value);
    let count: usize = footer.of_kind(EntityKind::Container).map(|series| series.rows.len()).sum();
    let mut values = Values::default();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let column = footer.column_of(key, &block).expect("it is whole").expect("it is there");
        let mut sum = 0_u64;
        for (series, page) in footer.of_kind(EntityKind::Container).zip(column.pages()) {
            values.read(page.expect("it is whole"), series.rows.len()).expect("it is whole");
            values.segments(series, &footer.ticks, |_, values| {
                sum = values.iter().fold(sum, |sum, value| sum.wrapping_add(*value));
            });
        }
        black_box(sum)
    });
}

/// The CPU time of all containers of a node over an hour as `pco` decodes it.
#[divan::bench]
fn scan_by_pco(bencher: Bencher) {
    let node = recorded(60).swap_remove(0);
    let column = EntityKind::Container.column(Metric::CpuUsage).expect("containers have it");
    let of_kind = node.series.iter().filter(|(kind, ..)| *kind == EntityKind::Container);
    let values: Vec<u64> =
        of_kind.flat_map(|(.., rows)| rows.iter().map(|row| row.values[column])).collect();
    let config = pco::ChunkConfig::default().with_compression_level(4);
    let bytes = pco::standalone::simple_compress(&values, &config).expect("it can be had");
    bencher.counter(ItemsCount::new(values.len())).bench_local(|| {
        black_box(pco::standalone::simple_decompress::<u64>(&bytes).expect("it is whole"))
    });
}

/// Writing a node's hour: samples a second.
#[divan::bench]
fn write(bencher: Bencher) {
    let node = recorded(60).swap_remove(0);
    bencher.counter(ItemsCount::new(samples(&node))).bench_local(|| black_box(block(&node)));
}

/// Opening a block: its footer.
#[divan::bench]
fn open(bencher: Bencher) {
    let block = block(&recorded(60).swap_remove(0));
    bencher.bench_local(|| black_box(Footer::of_block(&block).expect("it is whole")));
}
