//! Clocks that are wrong and are put right, rows that come late, nodes that change their names.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, NodeName, Row, Tick, UnixMillis};
use kubemonitor_store::{
    DiskSettings, Fsync, GroupHistory, GroupKey, IngestError, Sample, Settings, Store, TimeRange,
};

const STEP: i64 = 5000;
const MINUTE: i64 = 60_000;
const START: i64 = 1_700_000_000_000;

fn pod() -> EntityId {
    EntityId::parse("00000000-0000-0000-0000-000000000001")
}

/// A tick of one pod that has used `cpu` seconds and `memory` pages; frames count by `sequence`, and
/// one was read at each step, whatever the wall clock said.
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
        read_delay_us: (START + sequence.cast_signed() * STEP - at) * 1000,
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

/// Takes ticks in whose collector's clock is off by so many intervals; the server's is right.
fn ingest_off(store: &Store, numbers: std::ops::Range<i64>, off: i64) {
    for number in numbers {
        let at = START + (number + off) * STEP;
        let cpu = number.unsigned_abs();
        let receipt = store.ingest(&tick("a", cpu, at, cpu), UnixMillis(START + number * STEP));
        let receipt = receipt.unwrap_or_else(|error| panic!("tick {number}, {off} off: {error}"));
        assert!(receipt.samples > 0 && !receipt.duplicate);
    }
}

fn steps(numbers: impl IntoIterator<Item = i64>) -> Vec<i64> {
    numbers.into_iter().map(|number| number * STEP).collect()
}

/// What a second of CPU time at each tick must show.
fn assert_steady(samples: &[Sample]) {
    for pair in samples.windows(2) {
        assert_eq!(pair[1].rates.increase(Metric::CpuUsage), Some(1_000_000_000), "{pair:?}");
    }
}

#[test]
fn a_collector_whose_clock_is_set_and_put_right_again_loses_nothing() {
    for off in [-720, -61, -60, -2, -1, 1, 2, 3, 60, 108, 720, 40 * 17_280] {
        let store = Store::new(Settings::default());
        let key = namespace(&store);
        ingest_off(&store, 0..20, 0);
        ingest_off(&store, 20..40, off);
        ingest_off(&store, 40..60, 0);
        // Up to two intervals ahead is believed; and so that long, too.
        let ahead = off.clamp(0, 2);
        let times = times(&store, "a");
        assert_eq!(times.len(), 60, "{off} off: {times:?}");
        assert_eq!(times[..20], steps(0..20));
        assert!(times.is_sorted() && times[59] <= (59 + ahead) * STEP, "{off} off: {times:?}");
        assert_steady(&samples(&store, "a"));
        let total = store.group(&key).unwrap().traffic(Metric::NetworkRxBytes).unwrap();
        assert_eq!(total.total_bytes, Some(5900), "{off} off");
    }
}

#[test]
fn a_clock_that_is_off_from_the_first_tick_on_shows_how_far() {
    let skew = |store: &Store| store.clock_skews().first().map(|(_, skew_ms)| *skew_ms);
    for off in [-60, 0, 60, 720] {
        let store = Store::new(Settings::default());
        ingest_off(&store, 0..30, off);
        assert_eq!(skew(&store), Some(off * STEP));
        // One that is behind says when it was; one that is ahead cannot have been then.
        let expected = if off < 0 { steps(off..off + 30) } else { steps(0..30) };
        assert_eq!(times(&store, "a"), expected, "{off} off");
        ingest_off(&store, 30..32, 0);
        assert_eq!(skew(&store), Some(0), "it shows within two ticks that it was put right");
        assert_eq!(times(&store, "a").last(), Some(&(31 * STEP)));
    }
}

#[test]
fn frames_that_waited_are_where_they_were_measured_however_long() {
    let store = Store::new(Settings::default());
    ingest_off(&store, 0..10, 0);
    // Two hours without the server, then all at once.
    let now = UnixMillis(START + 1450 * STEP);
    for number in 10_u64..1450 {
        let at = START + number.cast_signed() * STEP;
        assert!(!store.ingest(&tick("a", number, at, number), now).unwrap().duplicate);
    }
    let held = times(&store, "a");
    assert_eq!(held.last(), Some(&(1449 * STEP)));
    assert_steady(&samples(&store, "a"));
}

#[test]
fn more_ticks_ahead_than_time_has_passed_are_for_later() {
    let store = Store::new(Settings::default());
    ingest_off(&store, 0..3, 0);
    let now = UnixMillis(START + 3 * STEP);
    let ahead = |sequence: u64| {
        tick("a", sequence, START + (sequence.cast_signed() + 100) * STEP, sequence)
    };
    for sequence in 3..6 {
        store.ingest(&ahead(sequence), now).unwrap();
    }
    let refused = store.ingest(&ahead(50), now).unwrap_err();
    assert!(matches!(refused, IngestError::TooEarly { .. }), "{refused}");
    store.ingest(&ahead(50), UnixMillis(START + 48 * STEP)).unwrap();
    assert_eq!(times(&store, "a"), steps((0..6).chain([50])));
}

#[test]
fn only_the_same_frame_is_a_duplicate() {
    let store = Store::new(Settings::default());
    ingest_off(&store, 0..10, 0);
    let now = UnixMillis(START + 10 * STEP);
    let send = |instance, sequence: u64, number: i64| {
        let tick = Tick { instance, ..tick("a", sequence, START + number * STEP, sequence) };
        store.ingest(&tick, now)
    };
    for sequence in 0..10 {
        assert!(send(1, sequence, sequence.cast_signed()).unwrap().duplicate);
        // However its time was changed on the way.
        assert!(send(1, sequence, 3).unwrap().duplicate);
    }
    // Forged for times to come, and an empty one far ahead.
    for number in 0..120 {
        let refused = send(2, 100, 10 + number).unwrap_err();
        assert!(matches!(refused, IngestError::Conflict { .. }), "{refused}");
    }
    let empty = Tick { instance: 3, rows: Vec::new(), ..tick("a", 1, START + 119 * STEP, 0) };
    assert!(matches!(store.ingest(&empty, now), Err(IngestError::Conflict { .. })));
    let look = |view: &kubemonitor_store::NodeView<'_>| Some(view.conflicts());
    let conflicts = store.node(&"a".parse().unwrap(), look).flatten().unwrap();
    assert_eq!((conflicts.frames, conflicts.last_at), (121, Some(now)));
    assert_eq!(store.stats().conflicting_ticks, 121);
    ingest_off(&store, 10..20, 0);
    assert_eq!(times(&store, "a"), steps(0..20));
    assert_steady(&samples(&store, "a"));
}

#[test]
fn another_collector_goes_on_once_the_first_is_silent() {
    for off in [-720, 0, 720] {
        let store = Store::new(Settings::default());
        ingest_off(&store, 0..10, 0);
        let send = |number: i64| {
            let own = START + (number + off) * STEP;
            let tick = Tick {
                instance: 2,
                ..tick("a", number.unsigned_abs() - 10, own, number.unsigned_abs())
            };
            store.ingest(&tick, UnixMillis(START + number * STEP))
        };
        for number in 10..12 {
            assert!(matches!(send(number), Err(IngestError::Conflict { .. })));
        }
        for number in 12..20 {
            send(number).unwrap();
        }
        assert_eq!(times(&store, "a"), steps((0..10).chain(12..20)), "{off} off");
        // And the first one is now the other.
        let late = tick("a", 20, START + 20 * STEP, 20);
        let refused = store.ingest(&late, UnixMillis(START + 20 * STEP)).unwrap_err();
        assert!(matches!(refused, IngestError::Conflict { .. }), "{refused}");
    }
}

#[test]
fn two_ticks_of_one_time_are_never_both_kept() {
    let store = Store::new(Settings::default());
    ingest_off(&store, 0..10, 0);
    ingest_off(&store, 11..20, 0);
    let now = UnixMillis(START + 20 * STEP);
    // Overtaken, and its clock was behind: it goes where it was counted.
    store.ingest(&tick("a", 10, START + 5 * STEP, 10), now).unwrap();
    assert_eq!(times(&store, "a"), steps(0..20));
    assert_steady(&samples(&store, "a"));
}

#[test]
fn a_clock_that_was_hours_ahead_together_with_the_servers_is_believed_too() {
    let store = Store::new(Settings::default());
    ingest_off(&store, 0..3, 0);
    let wrong = 5 * 60 * MINUTE;
    for number in 3..6 {
        let at = START + wrong + number * STEP;
        store.ingest(&tick("a", number.unsigned_abs(), at, 1), UnixMillis(at)).unwrap();
    }
    // Both clocks are right now, and the collector was started anew.
    let restarted = Tick { instance: 2, ..tick("a", 0, START + 6 * STEP, 2) };
    store.ingest(&restarted, UnixMillis(START + 6 * STEP)).unwrap();
    assert_eq!(times(&store, "a"), steps([0, 1, 2, 6]));
}

#[test]
fn what_wrong_clocks_left_on_disk_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk =
        DiskSettings { folder: folder.path().to_owned(), fsync: Fsync::Always, max_bytes: None };
    let open = || Store::open(Settings::default(), &disk).unwrap().0;
    let store = open();
    // All clocks are ahead for so long that the server's is believed.
    for number in 0..10 {
        let ahead = if number < 5 { 0 } else { 8 * MINUTE };
        let at = START + number * STEP + ahead;
        store.ingest(&tick("a", number.unsigned_abs(), at, 1), UnixMillis(at)).unwrap();
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

#[test]
fn times_that_were_put_in_place_of_a_ticks_own_are_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let disk =
        DiskSettings { folder: folder.path().to_owned(), fsync: Fsync::Always, max_bytes: None };
    let open = || Store::open(Settings::default(), &disk).unwrap().0;
    let store = open();
    ingest_off(&store, 0..20, 0);
    ingest_off(&store, 20..40, 720);
    drop(store_copy(folder.path(), &steps(0..40)));
    store.close();
    drop(store);
    let store = open();
    ingest_off(&store, 40..60, 720);
    ingest_off(&store, 60..80, 0);
    assert_eq!(times(&store, "a"), steps(0..80));
    drop(store_copy(folder.path(), &steps(0..80)));
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
