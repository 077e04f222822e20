//! What a frame costs: a node with 30 pods of two containers each, 91 entities.
//!
//! `cargo bench -p kubemonitor-frame`

use divan::{Bencher, black_box, counter::BytesCount};
use kubemonitor_frame::{decode, encode};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, Row, Tick, Unit, UnixMillis};

fn main() {
    divan::main();
}

/// Values of the size a node has that has been up for a month.
fn row(kind: EntityKind, salt: u64) -> Row {
    let mut row = Row::new(kind);
    for (column, metric) in kind.metrics().iter().enumerate() {
        let magnitude = match metric.unit() {
            Unit::Nanoseconds | Unit::Nanocores => 700_000_000_000,
            Unit::Bytes => 90_000_000,
            Unit::Count => 9_000,
            Unit::Microseconds | Unit::Milliseconds | Unit::Millicores | Unit::Thousandths => 1_500,
        };
        row.set_column(column, Some(magnitude * (salt % 7 + 1) + salt));
    }
    row
}

fn entity(id: EntityId, parent: Option<u32>, row: Row) -> EntityRow {
    EntityRow { id, parent, qos: None, newborn: false, row }
}

fn tick() -> Tick {
    let node = "worker-17.example.com".parse().expect("a name");
    let mut rows = vec![entity(
        EntityId::Text("worker-17.example.com".into()),
        None,
        row(EntityKind::Node, 1),
    )];
    for pod in 0..30_u8 {
        rows.push(entity(
            EntityId::Uuid([pod; 16]),
            None,
            row(EntityKind::Pod, u64::from(pod) * 977),
        ));
    }
    for container in 0..60_u8 {
        rows.push(entity(
            EntityId::Digest([container; 32]),
            Some(1 + u32::from(container) / 2),
            row(EntityKind::Container, u64::from(container) * 1117),
        ));
    }
    Tick {
        node,
        instance: 0x1234_5678_9abc_def0,
        sequence: 40_000,
        at: UnixMillis(1_700_000_000_000),
        read_delay_us: 900,
        interval_ms: 5000,
        rows,
    }
}

#[divan::bench]
fn encode_91_entities(bencher: Bencher<'_, '_>) {
    let tick = tick();
    let mut frame = Vec::new();
    encode(&tick, &mut frame);
    bencher.counter(BytesCount::new(frame.len())).bench_local(|| {
        frame.clear();
        encode(black_box(&tick), &mut frame);
    });
}

#[divan::bench]
fn decode_91_entities(bencher: Bencher<'_, '_>) {
    let mut frame = Vec::new();
    encode(&tick(), &mut frame);
    bencher.counter(BytesCount::new(frame.len())).bench_local(|| decode(black_box(&frame)));
}
