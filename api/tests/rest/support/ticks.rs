//! What collectors measure.

use std::time::{SystemTime, UNIX_EPOCH};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, QosClass, Row, Tick, UnixMillis};

const INTERVAL_MS: i64 = 5000;

thread_local! {
    /// The aligned moment at which a test began: one for all its ticks, so that those that are sent
    /// while the clock goes on to the next lie no further apart. Each test has a thread.
    static BEGAN: i64 = {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = i64::try_from(now).unwrap();
        now - now % INTERVAL_MS
    };
}

/// The aligned moment so many intervals ago.
pub(crate) fn recent(intervals_ago: i64) -> UnixMillis {
    UnixMillis(BEGAN.with(|began| *began) - intervals_ago * INTERVAL_MS)
}

/// What a node measured at a moment.
pub(crate) fn tick(name: &str, at: UnixMillis, rows: Vec<EntityRow>) -> Tick {
    Tick {
        node: name.parse().unwrap(),
        instance: 7,
        sequence: u64::try_from(at.0 / INTERVAL_MS).unwrap(),
        at,
        read_delay_us: 0,
        interval_ms: INTERVAL_MS.unsigned_abs(),
        rows,
    }
}

fn entity(kind: EntityKind, id: &str, values: &[(Metric, u64)]) -> EntityRow {
    let mut row = Row::new(kind);
    for &(metric, value) in values {
        row.set(metric, Some(value));
    }
    EntityRow { id: EntityId::parse(id), parent: None, qos: None, newborn: false, row }
}

pub(crate) fn node(name: &str, values: &[(Metric, u64)]) -> EntityRow {
    entity(EntityKind::Node, name, values)
}

pub(crate) fn pod(uid: &str, values: &[(Metric, u64)]) -> EntityRow {
    EntityRow { qos: Some(QosClass::Burstable), ..entity(EntityKind::Pod, uid, values) }
}

/// A container of the pod at this place in the tick.
pub(crate) fn container(id: &str, parent: u32, values: &[(Metric, u64)]) -> EntityRow {
    EntityRow { parent: Some(parent), ..entity(EntityKind::Container, id, values) }
}

pub(crate) fn unit(name: &str, values: &[(Metric, u64)]) -> EntityRow {
    entity(EntityKind::Unit, name, values)
}

/// A tick as a collector sends it.
pub(crate) fn frame(tick: &Tick) -> Vec<u8> {
    let mut frame = Vec::new();
    kubemonitor_frame::encode(tick, &mut frame);
    frame
}
