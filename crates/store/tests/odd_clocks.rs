//! Clocks that are wrong and are put right, rows that come late, nodes that change their names.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, NodeName, Row, Tick, UnixMillis};
use kubemonitor_store::{
    DiskSettings, Fsync, GroupHistory, GroupKey, Sample, Settings, Store, TimeRange,
};

const STEP: i64 = 5000;
const MINUTE: i64 = 60_000;
const START: i64 = 1_700_000_000_000;

fn pod() -> EntityId {
    EntityId::parse("00000000-0000-0000-0000-000000000001")
}

/// A tick of one pod that has used `cpu` seconds and `memory` pages; frames count by `sequence`.
fn tick(node: &str, sequence: u64, at: i64, cpu: u64) -> Tick {
    let mut row = Row::new(EntityKind::Pod);
    row.set(Metric::CpuUsage, Some(cpu * 1_000_000_000));
    row.set(Metric::MemoryWorkingSet, Some(4096));
    row.set(Metric::NetworkRxBytes, Some(cpu * 100));
    Tick {
        node: node.parse().unwrap(),
        instance: 1,
        sequence,
        at: UnixMillis(at),
        read_delay_us: 0,
        interval_ms: STEP.unsigned_abs(),
        rows: vec![EntityRow { id: pod(), parent: None, qos: None, newborn: false, row }],
    }
}

fn samples(store: &Store, node: &str) -> Vec<Sample> {
    let node: NodeName = node.parse().unwrap();
    let look = |view: &kubemonitor_store::NodeView<'_>| {
        view.find(EntityKind::Pod, &pod())
            .map(|series| (series.window(TimeRange::ALL), series.latest()))
    };
    let Some((samples, latest)) = store.node(&node, look).flatten() else { return Vec::new() };
    assert_eq!(samples.last(), Some(&latest), "the newest sample is the last one");
    samples
}

fn times(store: &Store, node: &str) -> Vec<i64> {
    samples(store, node).iter().map(|sample| sample.at.0 - START).collect()
}

fn namespace(store: &Store) -> GroupKey {
    let key: GroupKey = Arc::from("namespace/shop");
    store.join(&pod(), &[(Arc::clone(&key), GroupHistory::Kept)]);
    key
}

#[test]
fn a_clock_that_was_ahead_and_is_put_right_is_believed_at_once() {
    let store = Store::new(Settings::default());
    let key = namespace(&store);
    let now = |number: i64| UnixMillis(START + number * STEP);
    for (number, ahead) in [(0, 0), (1, 0), (2, 9 * MINUTE), (3, 9 * MINUTE), (4, 0), (5, 0)] {
        let at = START + number * STEP + ahead;
        let cpu = number.unsigned_abs();
        store.ingest(&tick("a", cpu, at, cpu), now(number)).unwrap();
    }
    assert_eq!(times(&store, "a"), [0, STEP, 4 * STEP, 5 * STEP]);
    let latest = samples(&store, "a").pop().unwrap();
    assert_eq!(latest.rates.increase(Metric::CpuUsage), Some(1_000_000_000));
    let sums = store.group_window(&key, TimeRange::ALL);
    assert!(sums.iter().all(|sum| sum.pods == 1 && sum.at <= now(5)), "{sums:?}");
    let total = |sum: &kubemonitor_store::GroupSample| {
        sum.traffic(Metric::NetworkRxBytes).unwrap().total_bytes
    };
    assert_eq!(sums.last().map(total), Some(Some(500)));
    assert_eq!(total(&store.group(&key).unwrap()), Some(500));
}

#[test]
fn a_clock_that_was_hours_ahead_together_with_the_servers_is_believed_too() {
    let store = Store::new(Settings::default());
    let wrong = 5 * 60 * MINUTE;
    for number in 0..3 {
        let at = START + wrong + number * STEP;
        store.ingest(&tick("a", number.unsigned_abs(), at, 1), UnixMillis(at)).unwrap();
    }
    // Both clocks are right now, and the collector was started anew.
    let restarted = Tick { instance: 2, ..tick("a", 0, START, 2) };
    store.ingest(&restarted, UnixMillis(START)).unwrap();
    assert_eq!(times(&store, "a"), [0]);
}

#[test]
fn a_clock_that_is_hours_behind_is_refused_until_it_is_right() {
    let store = Store::new(Settings::default());
    let now = UnixMillis(START);
    store.ingest(&tick("a", 0, START, 1), now).unwrap();
    assert!(store.ingest(&tick("a", 1, START - 180 * MINUTE, 2), now).is_err());
    store.ingest(&tick("a", 2, START + STEP, 3), UnixMillis(START + STEP)).unwrap();
    assert_eq!(times(&store, "a"), [0, STEP]);
}

#[test]
fn a_frame_that_was_held_up_takes_nothing_back() {
    let store = Store::new(Settings::default());
    // A clock that is always a minute ahead: nothing tells it is wrong.
    let ahead = |number: i64| START + MINUTE + number * STEP;
    for number in [0, 1, 3, 4, 2] {
        let now = UnixMillis(START + 5 * STEP);
        store.ingest(&tick("a", number, ahead(number.cast_signed()), number), now).unwrap();
    }
    assert_eq!(times(&store, "a").len(), 5);
}

#[test]
fn what_a_wrong_clock_left_on_disk_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk =
        DiskSettings { folder: folder.path().to_owned(), fsync: Fsync::Always, max_bytes: None };
    let open = || Store::open(Settings::default(), &disk).unwrap().0;
    let store = open();
    for number in 0..10 {
        let ahead = if number < 5 { 0 } else { 8 * MINUTE };
        let at = START + number * STEP + ahead;
        let now = UnixMillis(START + number * STEP);
        store.ingest(&tick("a", number.unsigned_abs(), at, 1), now).unwrap();
    }
    // The wrong rows are in a block now.
    store.close();
    drop(store);
    let store = open();
    for number in 10..13 {
        let at = START + number * STEP;
        store.ingest(&tick("a", number.unsigned_abs(), at, 2), UnixMillis(at)).unwrap();
    }
    let wanted: Vec<i64> = (0..5).chain(10..13).map(|number| number * STEP).collect();
    assert_eq!(times(&store, "a"), wanted);
    // From the journal, and from the blocks.
    for _ in 0..2 {
        drop(store_copy(folder.path(), &wanted));
    }
    store.close();
    drop(store);
    assert_eq!(times(&open(), "a"), wanted);
}

fn store_copy(folder: &std::path::Path, wanted: &[i64]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("cp")
        .args(["-r", &format!("{}/.", folder.display())])
        .arg(copy.path())
        .status();
    assert!(status.unwrap().success());
    let disk =
        DiskSettings { folder: copy.path().to_owned(), fsync: Fsync::Always, max_bytes: None };
    let (store, _) = Store::open(Settings::default(), &disk).unwrap();
    assert_eq!(times(&store, "a"), wanted);
    copy
}

#[test]
fn the_newest_rate_counts_from_a_row_that_came_late() {
    let store = Store::new(Settings::default());
    let key = namespace(&store);
    for (number, cpu) in [(0, 0), (2, 10), (1, 9)] {
        let at = START + number * STEP;
        store.ingest(&tick("a", number.unsigned_abs(), at, cpu), UnixMillis(at)).unwrap();
    }
    let latest = samples(&store, "a").pop().unwrap();
    assert_eq!(latest.rates.increase(Metric::CpuUsage), Some(1_000_000_000));
    let cpu = store.group(&key).unwrap().cpu_nanocores;
    assert_eq!(cpu, Some(200_000_000), "and so does that of its namespace");
}

#[test]
fn a_node_that_changes_its_name_keeps_its_pods_in_their_sums() {
    let store = Store::new(Settings::default());
    let key = namespace(&store);
    for number in 0..20 {
        let name = if number < 10 { "old" } else { "new" };
        let at = UnixMillis(START + number * STEP);
        store.ingest(&tick(name, number.unsigned_abs(), at.0, number.unsigned_abs()), at).unwrap();
    }
    store.sweep(UnixMillis(START + 20 * STEP + MINUTE));
    assert_eq!(store.locate(&pod()).unwrap().as_str(), "new");
    assert_eq!(times(&store, "old").len() + times(&store, "new").len(), 20);
    let sums = store.group_window(&key, TimeRange::ALL);
    assert_eq!(sums.len(), 20);
    assert!(sums.iter().all(|sum| sum.pods == 1), "{sums:?}");
    // Its memory has forgotten the old name once nothing of it is retained.
    store.sweep(UnixMillis(START + 61 * MINUTE));
    assert_eq!(store.nodes().len(), 1);
    assert_eq!(store.locate(&pod()).unwrap().as_str(), "new");
}
