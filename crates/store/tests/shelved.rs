//! What is on the disk leaves memory, and is read from there.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityKind, Metric, NodeName, Row, Tick};
use kubemonitor_store::{
    DiskSettings, Fsync, GroupHistory, GroupSample, Sample, Settings, Store, TimeRange,
};

use crate::support::{at, pod, tick_of};

const PODS: usize = 8;

fn settings() -> Settings {
    Settings { retention: Duration::from_secs(7200), ..Settings::default() }
}

fn on_disk(folder: &Path, max_bytes: Option<u64>) -> DiskSettings {
    let fsync = Fsync::Every(Duration::from_millis(20));
    DiskSettings { folder: folder.to_owned(), fsync, max_bytes }
}

fn opened(folder: &Path) -> Store {
    Store::open(settings(), &on_disk(folder, None)).unwrap().0
}

fn node() -> NodeName {
    "node-1".parse().unwrap()
}

fn tick(number: i64) -> Tick {
    let row = |of: usize| {
        let mut row = Row::new(EntityKind::Pod);
        let mixed = (number.unsigned_abs() + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 + of as u64);
        row.set(Metric::CpuUsage, Some(number.unsigned_abs() << 30 | mixed >> 40));
        row.set(Metric::MemoryWorkingSet, Some(mixed >> 34));
        row.set(Metric::NetworkRxBytes, Some(number.unsigned_abs() << 20 | mixed >> 48));
        (of, row)
    };
    let read_delay_us = number % 900;
    Tick { read_delay_us, ..tick_of("node-1", number, (0..PODS).map(row)) }
}

fn join(store: &Store) {
    for number in 0..PODS {
        store.join(&pod(number), &[("namespace/shop".into(), GroupHistory::Kept)]);
    }
}

fn ingest(store: &Store, numbers: impl IntoIterator<Item = i64>) {
    for number in numbers {
        // What comes late comes now.
        let tick = tick(number);
        store.ingest(&tick, store.newest().map_or(tick.at, |newest| newest.max(tick.at))).unwrap();
    }
}

/// Waits until no memory is left to be given back.
fn settled(store: &Store, newest: i64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut before = usize::MAX;
    loop {
        std::thread::sleep(Duration::from_millis(150));
        store.sweep(at(newest));
        let now = store.stats().bytes;
        if now == before {
            return;
        }
        assert!(Instant::now() < deadline, "memory never settles");
        before = now;
    }
}

fn window(store: &Store, of: usize, range: TimeRange) -> Vec<Sample> {
    let look = |view: &kubemonitor_store::NodeView<'_>| {
        view.find(EntityKind::Pod, &pod(of)).unwrap().window(range)
    };
    store.node(&node(), look).unwrap()
}

fn everything(store: &Store) -> (Vec<Vec<Sample>>, Vec<GroupSample>) {
    let pods = (0..PODS).map(|of| window(store, of, TimeRange::ALL)).collect();
    (pods, store.group_window("namespace/shop", TimeRange::ALL))
}

fn block_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("blocks")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_is_on_the_disk_leaves_memory_and_is_answered_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let (in_memory, kept) = (Store::new(settings()), opened(folder.path()));
    for store in [&in_memory, &kept] {
        join(store);
        ingest(store, 0..720);
    }
    settled(&kept, 719);
    let (all, left) = (in_memory.stats(), kept.stats());
    assert_eq!((left.samples, left.rows), (all.samples, all.rows));
    assert!(left.bytes * 2 < all.bytes, "{left:?} {all:?}");
    assert_eq!(everything(&kept), everything(&in_memory));
    let middle = TimeRange { from: at(300), to: at(420) };
    assert_eq!(window(&kept, 3, middle), window(&in_memory, 3, middle));
    // Whoever comes to know names later has to read it all.
    for store in [&in_memory, &kept] {
        store.join(&pod(1), &[("namespace/other".into(), GroupHistory::Kept)]);
    }
    assert_eq!(
        kept.group_window("namespace/other", TimeRange::ALL),
        in_memory.group_window("namespace/other", TimeRange::ALL)
    );
}

#[test]
fn late_rows_find_their_place_among_those_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let late = [310, 333, 334, 390];
    let in_order = Store::new(settings());
    join(&in_order);
    ingest(&in_order, 0..400);
    let kept = opened(folder.path());
    join(&kept);
    ingest(&kept, (0..400).filter(|number| !late.contains(number)));
    settled(&kept, 399);
    ingest(&kept, late);
    assert_eq!(everything(&kept), everything(&in_order));
    settled(&kept, 399);
    ingest(&kept, 400..500);
    ingest(&in_order, 400..500);
    settled(&kept, 499);
    drop(kept);
    let again = opened(folder.path());
    join(&again);
    assert_eq!(everything(&again), everything(&in_order));
}

#[test]
fn what_is_broken_on_the_disk_is_left_out_and_all_else_answered() {
    let folder = tempfile::tempdir().unwrap();
    let kept = opened(folder.path());
    ingest(&kept, 0..200);
    settled(&kept, 199);
    let before: Vec<_> = (0..PODS).map(|of| window(&kept, of, TimeRange::ALL)).collect();
    let file = &block_files(folder.path())[0];
    let mut bytes = fs::read(file).unwrap();
    // Chunks are at the end of a block: this hits the last one of the file.
    let last = bytes.len() - 3;
    bytes[last] ^= 0x40;
    fs::write(file, &bytes).unwrap();
    let after: Vec<_> = (0..PODS).map(|of| window(&kept, of, TimeRange::ALL)).collect();
    assert_eq!(after[..PODS - 1], before[..PODS - 1]);
    let left = &after[PODS - 1];
    assert!(!left.is_empty() && left.len() < before[PODS - 1].len());
    // Rates over the gap and after it may differ; what was read is what was written.
    let rows =
        |samples: &[Sample]| -> Vec<_> { samples.iter().map(|s| (s.at, s.row.clone())).collect() };
    assert!(rows(left).iter().all(|row| rows(&before[PODS - 1]).contains(row)));
}

#[test]
fn where_bytes_are_limited_the_oldest_goes_and_the_newest_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let limited = on_disk(folder.path(), Some(60_000));
    let mut newest = 0;
    for _ in 0..12 {
        // Each start begins a file of its own.
        let store = Store::open(settings(), &limited).unwrap().0;
        ingest(&store, newest..newest + 100);
        newest += 100;
        settled(&store, newest - 1);
        let samples = window(&store, 0, TimeRange { from: at(newest - 40), to: at(newest) });
        assert_eq!(samples.len(), 40);
        store.close();
    }
    let held = |folder: &Path| -> u64 {
        block_files(folder).iter().map(|file| fs::metadata(file).unwrap().len()).sum()
    };
    assert!(held(folder.path()) <= 60_000);
    let store = Store::open(settings(), &limited).unwrap().0;
    let samples = window(&store, 0, TimeRange::ALL);
    assert!((40..1200).contains(&samples.len()), "{}", samples.len());
    assert_eq!(samples.last().unwrap().at, at(newest - 1));
}
