//! History beyond what memory holds: rolled, on disk, without seams.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{path::Path, time::Duration};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{DiskSettings, Fsync, Resolution, Settings, Store, TimeRange};

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

fn ingest(store: &Store, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::CpuUsage, Some(cpu(number)));
        row.set(Metric::MemoryWorkingSet, Some(memory(number)));
        let at = UnixMillis(START + number * STEP);
        let entity = EntityRow { id: pod(), parent: None, qos: None, newborn: false, row };
        let tick = Tick {
            node: "node-1".parse().unwrap(),
            instance: 1,
            sequence: number.unsigned_abs(),
            at,
            read_delay_us: 0,
            interval_ms: STEP.unsigned_abs(),
            rows: vec![entity],
        };
        store.ingest(&tick, at).unwrap();
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
    let history = store.history(&node, EntityKind::Pod, &pod(), range, now).unwrap();
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
