//! What of a tick goes into its frame when not all of it fits.

use kubemonitor_frame::{MAX_ENTITIES, MAX_FRAME_BYTES, encode};
use kubemonitor_model::{EntityKind, EntityRow, Metric, Tick};
use tracing::warn;

/// How large frames may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) entities: usize,
    pub(crate) bytes: usize,
}

impl Default for Limits {
    /// What a server takes.
    fn default() -> Self {
        Self { entities: MAX_ENTITIES, bytes: MAX_FRAME_BYTES }
    }
}

/// Makes ticks fit into frames. Of a tick that is too large the units go first, those that have used
/// the least CPU time before others: which those are hardly changes from tick to tick, so that series
/// have no gaps. Containers would follow, then pods; the node always stays.
#[derive(Debug, Default)]
pub(crate) struct Fitting {
    limits: Limits,
    /// It was said that something is left out.
    said: bool,
}

impl Fitting {
    #[cfg(test)]
    fn to(limits: Limits) -> Self {
        Self { limits, said: false }
    }

    /// Encodes as much of `tick` as fits and takes the rest out of it. Its rows are in order of kind,
    /// the node's first; that says how many entities are left out.
    pub(crate) fn encode(&mut self, tick: &mut Tick, frame: &mut Vec<u8>) {
        let whole = tick.rows.len();
        set_left_out(tick, 0);
        if whole > self.limits.entities {
            arrange(&mut tick.rows);
            truncate(tick, self.limits.entities, whole);
        }
        loop {
            frame.clear();
            encode(tick, frame);
            if frame.len() <= self.limits.bytes || tick.rows.len() <= 1 {
                break;
            }
            if tick.rows.len() == whole {
                arrange(&mut tick.rows);
            }
            truncate(tick, kept(tick.rows.len(), frame.len(), self.limits.bytes), whole);
        }
        self.say(whole, tick.rows.len());
    }

    fn say(&mut self, whole: usize, sent: usize) {
        let left_out = whole - sent;
        if left_out > 0 && !self.said {
            warn!(
                entities = whole,
                left_out,
                limit_entities = self.limits.entities,
                limit_bytes = self.limits.bytes,
                "this node has more than a frame can carry; units that used the least CPU time are \
                 left out. How many is in the node's `entities_left_out`"
            );
            self.said = true;
        }
    }
}

/// Puts the units that have used most CPU time first; all other rows are in order already.
fn arrange(rows: &mut [EntityRow]) {
    let first = rows.partition_point(|entity| entity.row.kind() < EntityKind::Unit);
    let used = |entity: &EntityRow| entity.row.get(Metric::CpuUsage).unwrap_or(0);
    rows[first..].sort_by_cached_key(|entity| (std::cmp::Reverse(used(entity)), entity.id.clone()));
}

/// How many rows to try next, of so many that are too long together: fewer by what is too much and a
/// sixty-fourth, as rows are not of one length.
fn kept(rows: usize, bytes: usize, limit: usize) -> usize {
    let fitting = rows * limit / bytes.max(1);
    (fitting - fitting / 64).clamp(1, rows - 1)
}

fn truncate(tick: &mut Tick, rows: usize, whole: usize) {
    tick.rows.truncate(rows);
    set_left_out(tick, whole - rows);
}

fn set_left_out(tick: &mut Tick, entities: usize) {
    if let Some(node) = tick.rows.first_mut() {
        node.row.set(Metric::EntitiesLeftOut, u64::try_from(entities).ok());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use kubemonitor_frame::decode;
    use kubemonitor_model::{EntityId, Row, UnixMillis};

    use super::*;

    /// A tick of a node with so many pods, two containers in each, and units of which every third one
    /// has used CPU time.
    fn tick(pods: u32, units: u64) -> Tick {
        let filled = |kind: EntityKind, value: u64| {
            let mut row = Row::new(kind);
            for column in 0..kind.metrics().len() {
                row.set_column(column, Some(value));
            }
            row
        };
        let entity = |id: &str, row| EntityRow {
            id: EntityId::parse(id),
            parent: None,
            qos: None,
            newborn: false,
            row,
        };
        let mut rows = vec![entity("n", filled(EntityKind::Node, 1 << 40))];
        for pod in 0..pods {
            let uid = format!("00000000-0000-0000-0000-{pod:012}");
            rows.push(entity(&uid, filled(EntityKind::Pod, 1 << 40)));
        }
        for container in 0..2 * pods {
            let mut row =
                entity(&format!("{container:064}"), filled(EntityKind::Container, 1 << 40));
            row.parent = Some(1 + container / 2);
            rows.push(row);
        }
        for unit in 0..units {
            let mut row =
                entity(&format!("unit-{unit}.service"), filled(EntityKind::Unit, 1 << 40));
            row.row.set(Metric::CpuUsage, Some(if unit % 3 == 0 { 1 << 40 } else { 7 }));
            rows.push(row);
        }
        Tick {
            node: "n".parse().expect("a name"),
            instance: 1,
            sequence: 1,
            at: UnixMillis(1000),
            read_delay_us: 0,
            interval_ms: 1000,
            rows,
        }
    }

    fn count(tick: &Tick, kind: EntityKind) -> usize {
        tick.rows.iter().filter(|entity| entity.row.kind() == kind).count()
    }

    fn left_out(tick: &Tick) -> Option<u64> {
        tick.rows[0].row.get(Metric::EntitiesLeftOut)
    }

    /// What a server finds in the frame of a tick.
    fn sent(mut tick: Tick, limits: Limits) -> Tick {
        let mut frame = Vec::new();
        Fitting::to(limits).encode(&mut tick, &mut frame);
        assert!(frame.len() <= limits.bytes, "{}", frame.len());
        let decoded = decode(&frame).expect("a frame");
        assert_eq!(decoded, tick);
        decoded
    }

    #[test]
    fn what_fits_is_sent_as_it_is() {
        let sent = sent(tick(30, 100), Limits::default());
        assert_eq!((sent.rows.len(), left_out(&sent)), (1 + 90 + 100, Some(0)));
        assert_eq!(sent.rows[91].id, EntityId::parse("unit-0.service"), "in the order they came");
    }

    #[test]
    fn ten_thousand_units_leave_a_thousand_pods_their_place() {
        let sent = sent(tick(1000, 10_000), Limits::default());
        assert_eq!(count(&sent, EntityKind::Pod), 1000);
        assert_eq!(count(&sent, EntityKind::Container), 2000);
        let units = count(&sent, EntityKind::Unit);
        assert_eq!(left_out(&sent), Some(10_000 - units as u64));
        assert!(units > 3000, "{units}");
    }

    #[test]
    fn units_that_used_least_go_first() {
        let limits = Limits { entities: 200, bytes: 1 << 20 };
        let sent = sent(tick(10, 400), limits);
        let units: Vec<u64> =
            sent.rows[31..].iter().filter_map(|entity| entity.row.get(Metric::CpuUsage)).collect();
        assert_eq!((units.len(), left_out(&sent)), (169, Some(231)));
        // 134 have used any.
        assert_eq!(units.iter().filter(|&&used| used > 7).count(), 134);
    }

    #[test]
    fn the_same_units_go_at_each_tick() {
        let limits = Limits { entities: usize::MAX, bytes: 40_000 };
        let of = |ticks: u64| {
            let mut tick = tick(10, 400);
            for entity in &mut tick.rows[31..] {
                // All but those that idle go on.
                let used = entity.row.get(Metric::CpuUsage).unwrap_or(0);
                entity.row.set(Metric::CpuUsage, Some(if used > 7 { used + ticks } else { used }));
            }
            sent(tick, limits).rows.into_iter().map(|entity| entity.id).collect::<HashSet<_>>()
        };
        let (first, second) = (of(1), of(2));
        assert!(first.len() > 40 && first.len() < 431, "{}", first.len());
        assert_eq!(first, second);
    }

    #[test]
    fn without_units_containers_go_then_pods_and_never_the_node() {
        let fitting = |bytes| sent(tick(20, 0), Limits { entities: usize::MAX, bytes });
        let few = fitting(8_000);
        assert_eq!(count(&few, EntityKind::Pod), 20);
        assert!((1..40).contains(&count(&few, EntityKind::Container)));
        let fewer = fitting(2_500);
        assert!((1..20).contains(&count(&fewer, EntityKind::Pod)));
        assert_eq!(count(&fewer, EntityKind::Container), 0);
        assert_eq!(fewer.rows[0].row.kind(), EntityKind::Node);
    }

    #[test]
    fn it_is_said_once() {
        let mut fitting = Fitting::to(Limits { entities: 10, bytes: 1 << 20 });
        let mut frame = Vec::new();
        assert!(!fitting.said);
        for _ in 0..3 {
            fitting.encode(&mut tick(10, 10), &mut frame);
            assert!(fitting.said);
        }
    }
}
