//! A data directory that may take so many bytes: oldest files leave as a whole, never the one that
//! is being written.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityKind, Metric, Row};
use kubemonitor_store::{DiskSettings, Fsync, Settings, Store, TimeRange};

use crate::support::{STEP, at, pod, tick_of};

const PODS: usize = 8;

fn opened(folder: &Path, max_bytes: Option<u64>) -> Store {
    let disk = DiskSettings { folder: folder.to_owned(), fsync: Fsync::Always, max_bytes };
    let settings = Settings { retention: Duration::from_secs(86_400), ..Settings::default() };
    Store::open(settings, &disk).unwrap().0
}

fn ingest(store: &Store, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let rows = (0..PODS).map(|p| {
            let mut row = Row::new(EntityKind::Pod);
            let cpu = number.unsigned_abs().wrapping_mul(6_364_136_223_846_793_005) >> 40;
            row.set(Metric::CpuUsageRate, Some(cpu + p as u64));
            row.set(Metric::MemoryWorkingSet, Some((cpu ^ p as u64) * 4096));
            (p, row)
        });
        let tick = tick_of("node-1", number, rows);
        store.ingest(&tick, tick.at).unwrap();
    }
}

/// The ticks that are held, which are the same of all pods.
fn numbers(store: &Store) -> Vec<i64> {
    let look = |view: &kubemonitor_store::NodeView<'_>| {
        let of = |p| {
            let samples = view.find(EntityKind::Pod, &pod(p))?.window(TimeRange::ALL);
            Some(samples.iter().map(|s| s.at.since(at(0)) / STEP).collect::<Vec<_>>())
        };
        let first = of(0);
        assert!((1..PODS).all(|p| of(p) == first));
        first
    };
    store.node(&"node-1".parse().unwrap(), look).flatten().unwrap_or_default()
}

/// All files of the logs and what they hold, by log, oldest first.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let logs = ["journal", "blocks", "1m", "15m"].map(|log| folder.join(log));
    let entries = logs.iter().flat_map(|log| fs::read_dir(log).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn bytes(files: &BTreeMap<PathBuf, Vec<u8>>) -> usize {
    files.values().map(Vec::len).sum()
}

#[test]
fn oldest_files_leave_as_a_whole_and_what_is_newer_answers_after_a_restart() {
    const LIMIT: usize = 24_000;
    const TICKS: i64 = 40;
    let folder = tempfile::tempdir().unwrap();
    let (mut before, mut dropped) = (BTreeMap::<PathBuf, Vec<u8>>::new(), 0);
    for session in 0..25 {
        let store = opened(folder.path(), Some(LIMIT as u64));
        // What is there is the newest of all there was, and begins where a block did.
        let held = numbers(&store);
        let first = held.first().copied().unwrap_or(0);
        assert_eq!(held, (first..session * TICKS).collect::<Vec<_>>());
        assert_eq!(first % TICKS, 0);
        ingest(&store, session * TICKS..(session + 1) * TICKS);
        store.close();
        drop(store);
        let now = files(folder.path());
        assert!((1..=LIMIT).contains(&bytes(&now)), "{}", bytes(&now));
        // Of the files that were there none has changed, and of each log the oldest are gone.
        for (path, was) in &before {
            match now.get(path) {
                Some(is) => assert_eq!(is, was),
                None => dropped += 1,
            }
        }
        for (path, _) in before.iter().filter(|(path, _)| !now.contains_key(*path)) {
            let older = |kept: &&PathBuf| kept.parent() == path.parent() && *kept < path;
            assert_eq!(now.keys().find(older), None, "{} was not the oldest", path.display());
        }
        before = now;
    }
    assert!(dropped > 10, "{dropped}");
    let held = numbers(&opened(folder.path(), None));
    assert_eq!(held.last(), Some(&(25 * TICKS - 1)));
    assert!(held.len() > 100, "{}", held.len());
}

#[test]
fn files_that_are_being_written_stay_however_small_the_limit_is() {
    let folder = tempfile::tempdir().unwrap();
    for session in 0..3 {
        let store = opened(folder.path(), None);
        ingest(&store, session * 20..(session + 1) * 20);
        store.close();
    }
    let store = opened(folder.path(), Some(1));
    assert_eq!(numbers(&store), (0..60).collect::<Vec<_>>(), "all of it was read before");
    ingest(&store, 60..90);
    // One file is left of each log: that which is written to.
    let deadline = Instant::now() + Duration::from_secs(20);
    while files(folder.path()).len() > 4 {
        assert!(Instant::now() < deadline, "{:?}", files(folder.path()).keys());
        std::thread::sleep(Duration::from_millis(20));
    }
    ingest(&store, 90..100);
    assert_eq!(store.disk_status().unwrap().problem, None);
    // A process that is killed now leaves what was acknowledged since.
    let copy = tempfile::tempdir().unwrap();
    for (path, bytes) in files(folder.path()) {
        let target = copy.path().join(path.strip_prefix(folder.path()).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
    assert_eq!(numbers(&opened(copy.path(), None)), (60..100).collect::<Vec<_>>());
}
