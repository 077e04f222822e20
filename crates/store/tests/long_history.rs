//! History beyond what memory holds: rolled, on disk, without seams.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{path::Path, sync::Arc, time::Duration};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{
    DiskSettings, Fsync, GroupHistory, GroupKey, Resolution, Settings, Store, TimeRange,
};

const STEP: i64 = 5000;
const START: i64 = 1_700_000_100_000;
const MINUTE: i64 = 60_000;

fn opened(folder: &Path) -> Store {
    let settings = Settings {
        retention: Duration::from_secs(3600),
        retention_minutes: Duration::from_secs(4 * 3600),
        ..Settings::default()
    };
    let fsync = Fsync::Every(Duration::from_millis(20));
    let disk = DiskSettings { folder: folder.to_owned(), fsync, max_bytes: None };
    Store::open(settings, &disk).unwrap().0
}

fn pod() -> EntityId {
    EntityId::parse("00000000-0000-0000-0000-000000000001")
}

fn cpu(number: i64) -> u64 {
    (number * 1_000_000 + number % 7 * 1000).unsigned_abs()
}

fn memory(number: i64) -> u64 {
    (number * number % 1013).unsigned_abs() * 4096
}

/// Bytes received so far: what the pod's counter says.
fn received(number: i64) -> u64 {
    number.unsigned_abs() * 100
}

fn tick(number: i64) -> Tick {
    let mut row = Row::new(EntityKind::Pod);
    row.set(Metric::CpuUsage, Some(cpu(number)));
    row.set(Metric::MemoryWorkingSet, Some(memory(number)));
    row.set(Metric::NetworkRxBytes, Some(received(number)));
    Tick {
        node: "node-1".parse().unwrap(),
        instance: 1,
        sequence: number.unsigned_abs(),
        at: UnixMillis(START + number * STEP),
        read_delay_us: 0,
        interval_ms: STEP.unsigned_abs(),
        rows: vec![EntityRow { id: pod(), parent: None, qos: None, newborn: false, row }],
    }
}

fn ingest(store: &Store, numbers: std::ops::Range<i64>) {
    for tick in numbers.map(tick) {
        store.ingest(&tick, tick.at).unwrap();
    }
}

/// Time, CPU at the end of the bucket, mean memory.
type Bucket = (i64, u64, u64);

fn expected(numbers: std::ops::Range<i64>, step: i64, range: TimeRange) -> Vec<Bucket> {
    let mut buckets: Vec<(i64, Vec<i64>)> = Vec::new();
    for number in numbers {
        let at = START + number * STEP;
        let end = (at + step - 1) / step * step;
        match buckets.last_mut() {
            Some((last, members)) if *last == end => members.push(number),
            _ => buckets.push((end, vec![number])),
        }
    }
    buckets
        .into_iter()
        .filter(|(end, _)| range.contains(UnixMillis(*end)))
        .map(|(end, numbers)| {
            let sum: u64 = numbers.iter().map(|&number| memory(number)).sum();
            (end, cpu(*numbers.last().unwrap()), sum / numbers.len() as u64)
        })
        .collect()
}

fn history(store: &Store, range: TimeRange, now: i64) -> (Resolution, Vec<Bucket>) {
    let node = "node-1".parse().unwrap();
    let now = UnixMillis(START + now * STEP);
    let history = store.history(&node, EntityKind::Pod, &pod(), range, now);
    let value = |row: &Row, metric| row.get(metric).unwrap();
    let buckets = history.samples.iter().map(|s| {
        (s.at.0, value(&s.row, Metric::CpuUsage), value(&s.row, Metric::MemoryWorkingSet))
    });
    (history.resolution, buckets.collect())
}

/// The writer works in the background: what it was handed is on disk a moment later.
fn until_written() {
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn the_finest_resolution_that_reaches_back_is_taken_and_has_no_seam() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = opened(folder.path());
    let ticks = 6 * 720;
    for hour in 0..6 {
        ingest(&store, hour * 720..(hour + 1) * 720);
        if hour == 3 {
            store.close();
            drop(store);
            store = opened(folder.path());
        }
    }
    until_written();
    let now = START + ticks * STEP;
    for (hours_back, resolution, step) in
        [(3, Resolution::Minutes, MINUTE), (5, Resolution::Quarters, 15 * MINUTE)]
    {
        let from = now - hours_back * 3600 * 1000;
        let range = TimeRange { from: UnixMillis(from), to: UnixMillis(now) };
        let wanted = expected(0..ticks, step, range);
        assert!(!wanted.is_empty());
        assert_eq!(history(&store, range, ticks), (resolution, wanted), "{hours_back} h back");
    }
    let range = TimeRange { from: UnixMillis(now - 600_000), to: UnixMillis(now) };
    assert_eq!(history(&store, range, ticks).0, Resolution::Full);
}

#[test]
fn an_entity_that_is_long_gone_is_remembered_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    ingest(&store, 0..1440);
    store.close();
    drop(store);
    let store = opened(folder.path());
    let later = UnixMillis(START + 3 * 720 * STEP);
    store.sweep(UnixMillis(later.0 + 3_600_000));
    assert!(store.nodes().is_empty(), "memory has forgotten it");
    assert_eq!(store.remembered_nodes().len(), 1);
    let range = TimeRange { from: UnixMillis(START), to: UnixMillis(START + 3_600_000) };
    let (resolution, buckets) = history(&store, range, 3 * 720);
    assert_eq!(resolution, Resolution::Minutes);
    assert_eq!(buckets, expected(0..1440, MINUTE, range));
}

fn ingest_into_a_namespace(store: &Store, numbers: std::ops::Range<i64>) {
    let key: GroupKey = Arc::from("namespace/shop");
    store.join(&pod(), &[(key, GroupHistory::Kept)]);
    for tick in numbers.map(tick) {
        store.ingest(&tick, tick.at).unwrap();
        store.sweep(tick.at);
    }
}

#[test]
fn namespaces_have_long_history_without_seams_and_totals_that_never_fall() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = opened(folder.path());
    for hour in 0..6 {
        ingest_into_a_namespace(&store, hour * 720..(hour + 1) * 720);
        if hour == 3 {
            store.close();
            drop(store);
            store = opened(folder.path());
        }
    }
    until_written();
    let now = START + 6 * 720 * STEP;
    for (hours_back, resolution, step) in
        [(3, Resolution::Minutes, MINUTE), (5, Resolution::Quarters, 15 * MINUTE)]
    {
        let range =
            TimeRange { from: UnixMillis(now - hours_back * 3_600_000), to: UnixMillis(now) };
        let past = store.group_history("namespace/shop", range, UnixMillis(now));
        assert_eq!((past.resolution, past.extents.len()), (resolution, past.samples.len()));
        let ends: Vec<i64> = past.samples.iter().map(|sample| sample.at.0).collect();
        assert!(ends.windows(2).all(|pair| pair[1] - pair[0] == step), "{ends:?}");
        let wanted = usize::try_from(hours_back * 3_600_000 / step).unwrap();
        assert!(ends.len().abs_diff(wanted) <= 1, "{} of {wanted}", ends.len());
        for (sample, extents) in past.samples.iter().zip(&past.extents) {
            let last = (sample.at.0.min(now - STEP) - START) / STEP;
            let total = sample.traffic(Metric::NetworkRxBytes).unwrap().total_bytes;
            assert_eq!((total, sample.pods), (Some(received(last)), 1), "{sample:?}");
            let memory = extents.memory_working_set_bytes.unwrap();
            assert!((memory.low..=memory.high).contains(&sample.memory_working_set_bytes.unwrap()));
        }
    }
}

#[test]
fn buckets_tell_between_what_their_gauges_were() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    ingest(&store, 0..2880);
    until_written();
    let now = UnixMillis(START + 2880 * STEP);
    let range = TimeRange { from: now.minus(2 * 3_600_000), to: now };
    let node = "node-1".parse().unwrap();
    let history = store.history(&node, EntityKind::Pod, &pod(), range, now);
    assert_eq!(history.extremes.len(), history.samples.len());
    for (sample, extremes) in history.samples.iter().zip(&history.extremes) {
        let memory = |row: &Row| row.get(Metric::MemoryWorkingSet).unwrap();
        assert!((memory(&extremes.low)..=memory(&extremes.high)).contains(&memory(&sample.row)));
        assert!(memory(&extremes.low) < memory(&extremes.high));
        assert_eq!(extremes.low.get(Metric::CpuUsage), None);
    }
}
