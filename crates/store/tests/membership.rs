//! Pods whose groups become known late, or change: sums of now count each of them once.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{GroupHistory, GroupKey, Settings, Store};

const START: i64 = 1_700_000_000_000;
const MEMORY: u64 = 4096;

fn pod() -> EntityId {
    EntityId::parse("00000000-0000-0000-0000-000000000001")
}

/// The pod at its `number`th tick: 100 millicores.
fn measure(store: &Store, number: i64) {
    let mut row = Row::new(EntityKind::Pod);
    row.set(Metric::CpuUsage, Some(number.unsigned_abs() * 500_000_000));
    row.set(Metric::MemoryWorkingSet, Some(MEMORY));
    let at = UnixMillis(START + number * 5000);
    let tick = Tick {
        node: "node-1".parse().unwrap(),
        instance: 1,
        sequence: number.unsigned_abs(),
        at,
        read_delay_us: 0,
        interval_ms: 5000,
        rows: vec![EntityRow { id: pod(), parent: None, qos: None, newborn: false, row }],
    };
    store.ingest(&tick, at).unwrap();
}

/// Pods, CPU and memory of a group now.
fn sums(store: &Store, key: &GroupKey) -> (u32, Option<u64>, Option<u64>) {
    let sum = store.group(key).unwrap();
    (sum.pods, sum.cpu_nanocores, sum.memory_working_set_bytes)
}

#[test]
fn a_pod_counts_once_however_late_its_groups_become_known_or_change() {
    let keys: [GroupKey; 2] = [Arc::from("namespace/a"), Arc::from("namespace/b")];
    let group = |place: usize| [(Arc::clone(&keys[place]), GroupHistory::Kept)];
    let once = (1, Some(100_000_000), Some(MEMORY));
    let nobody = (0, Some(0), Some(0));
    for joined_after in 0..4 {
        let store = Store::new(Settings::default());
        for number in 0..4 {
            if number == joined_after {
                store.join(&pod(), &group(0));
            }
            measure(&store, number);
        }
        assert_eq!(sums(&store, &keys[0]), once, "joined before tick {joined_after}");
        store.join(&pod(), &group(1));
        assert_eq!((sums(&store, &keys[0]), sums(&store, &keys[1])), (nobody, once));
        measure(&store, 4);
        assert_eq!((sums(&store, &keys[0]), sums(&store, &keys[1])), (nobody, once));
    }
}

#[test]
fn a_sums_history_has_a_gap_where_nothing_was_measured_and_none_for_a_lost_tick() {
    let key: GroupKey = Arc::from("namespace/a");
    for history in [GroupHistory::Kept, GroupHistory::Summed] {
        for (lost, shown) in [(0, 5), (1, 6), (2, 7), (3, 5), (8, 5), (40, 5)] {
            let store = Store::new(Settings::default());
            store.join(&pod(), &[(Arc::clone(&key), history)]);
            let numbers = (0..3).chain(3 + lost..5 + lost);
            numbers.for_each(|number| measure(&store, number));
            let sums = store.group_window(&key, kubemonitor_store::TimeRange::ALL);
            assert_eq!(sums.len(), shown, "{history:?}, {lost} ticks lost");
        }
    }
}
