//! Ticks and frames of nodes that do not exist.

use std::time::{SystemTime, UNIX_EPOCH};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};

/// The system's clock.
pub fn now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// A tick of one node with `pods` pods that each use 100 millicores and 1 MiB.
///
/// # Panics
/// If `node` is no name for a node.
pub fn tick(node: &str, sequence: u64, at: UnixMillis, pods: u32) -> Tick {
    let used_ns = u64::try_from(at.0).unwrap_or(0).wrapping_mul(100_000);
    let entity = |id, kind: EntityKind| {
        let mut row = Row::new(kind);
        row.set(Metric::CpuUsage, Some(used_ns));
        row.set(Metric::MemoryWorkingSet, Some(1 << 20));
        EntityRow { id, parent: None, qos: None, newborn: false, row }
    };
    let mut rows = vec![entity(EntityId::parse(node), EntityKind::Node)];
    for pod in 0..pods {
        rows.push(entity(EntityId::parse(&pod_uid(node, pod)), EntityKind::Pod));
    }
    let node = node.parse().expect("a node's name");
    Tick { node, instance: 1, sequence, at, read_delay_us: 0, interval_ms: 5000, rows }
}

/// The UID of a node's pod.
pub fn pod_uid(node: &str, pod: u32) -> String {
    let hash = node.bytes().fold(7u32, |hash, byte| hash.wrapping_mul(31) + u32::from(byte));
    format!("{hash:08x}-0000-4000-8000-{pod:012x}")
}

/// The bytes that a collector sends for a tick.
pub fn frame(tick: &Tick) -> Vec<u8> {
    let mut frame = Vec::new();
    kubemonitor_frame::encode(tick, &mut frame);
    frame
}
