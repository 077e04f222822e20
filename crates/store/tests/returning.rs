//! Entities that go and come back: while they are remembered, and when they no longer are.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{path::Path, sync::Arc};

use kubemonitor_model::{EntityKind, Metric, Row, UnixMillis};
use kubemonitor_store::{DiskSettings, Fsync, GroupHistory, Sample, Settings, Store, TimeRange};

use crate::support::{STEP, at, pod, tick_of};

/// Ticks in the retention.
const RETAINED: i64 = 720;

fn opened(folder: &Path) -> Store {
    let disk = DiskSettings { folder: folder.to_owned(), fsync: Fsync::Always, max_bytes: None };
    Store::open(Settings::default(), &disk).unwrap().0
}

/// A tick of these pods, each of which has sent ten bytes a tick since the first one.
fn ingest(store: &Store, number: i64, pods: &[usize]) {
    let rows = pods.iter().map(|&p| {
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::CpuUsage, Some(number.unsigned_abs() * 1_000_000));
        row.set(Metric::MemoryWorkingSet, Some(4096));
        row.set(Metric::NetworkTxBytes, Some(number.unsigned_abs() * 10));
        (p, row)
    });
    let tick = tick_of("node-1", number, rows);
    store.ingest(&tick, tick.at).unwrap();
    store.sweep(tick.at);
}

/// Whether a pod is there, when it was first, and its samples; `None` when it is forgotten.
fn seen(store: &Store, number: usize) -> Option<(bool, UnixMillis, Vec<Sample>)> {
    let look = |view: &kubemonitor_store::NodeView<'_>| {
        let series = view.find(EntityKind::Pod, &pod(number))?;
        Some((series.live(), series.first_at(), series.window(TimeRange::ALL)))
    };
    store.node(&"node-1".parse().unwrap(), look).flatten()
}

fn numbers(samples: &[Sample]) -> Vec<i64> {
    samples.iter().map(|sample| sample.at.since(at(0)) / STEP).collect()
}

fn join(store: &Store) {
    for number in [1, 2] {
        store.join(&pod(number), &[(Arc::from("shop"), GroupHistory::Kept)]);
    }
}

/// Pods that a group counts now, and what they have sent, gone ones included.
fn group(store: &Store) -> (u32, Option<u64>) {
    let sum = store.group("shop").unwrap();
    (sum.pods, sum.traffic(Metric::NetworkTxBytes).unwrap().total_bytes)
}

#[test]
fn within_the_retention_its_history_goes_on_and_the_gap_shows() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = opened(folder.path());
    join(&store);
    (0..10).for_each(|number| ingest(&store, number, &[1, 2]));
    (10..300).for_each(|number| ingest(&store, number, &[1]));
    let (live, first_at, samples) = seen(&store, 2).unwrap();
    assert_eq!((live, first_at, numbers(&samples)), (false, at(0), (0..10).collect()));
    assert_eq!(group(&store), (1, Some(2990 + 90)), "it is not there, what it sent is");
    for round in 0..2 {
        (300 + round..301 + round).for_each(|number| ingest(&store, number, &[1, 2]));
        let (live, first_at, samples) = seen(&store, 2).unwrap();
        assert_eq!((live, first_at), (true, at(0)));
        assert_eq!(numbers(&samples), (0..10).chain(300..301 + round).collect::<Vec<_>>());
        // What it did meanwhile is known, over the true time.
        let back = samples[10].rates;
        assert_eq!(back.increase(Metric::NetworkTxBytes), Some(2910));
        assert_eq!(back.elapsed_us(Metric::CpuUsage), 291 * 5_000_000);
        assert_eq!(group(&store), (2, Some(2 * (3000 + 10 * round.unsigned_abs()))));
        // It was nowhere in between: no tick of then counts it.
        let sums = store.group_window("shop", TimeRange::ALL);
        let pods: Vec<u32> = sums.iter().map(|sum| sum.pods).collect();
        assert!(pods[10..300].iter().all(|&pods| pods == 1), "{pods:?}");
        assert!(pods[..10].iter().chain(&pods[300..]).all(|&pods| pods == 2), "{pods:?}");
        // The same after a restart.
        store.close();
        drop(store);
        store = opened(folder.path());
        join(&store);
    }
}

#[test]
fn after_the_retention_it_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    join(&store);
    (0..10).for_each(|number| ingest(&store, number, &[1, 2]));
    (10..=10 + RETAINED).for_each(|number| ingest(&store, number, &[1]));
    assert_eq!(seen(&store, 2), None, "it is forgotten");
    assert_eq!((store.stats().series, store.locate(&pod(2))), (1, None));
    assert_eq!(group(&store).0, 1);
    let back = 11 + RETAINED;
    (back..back + 3).for_each(|number| ingest(&store, number, &[1, 2]));
    let (live, first_at, samples) = seen(&store, 2).unwrap();
    assert_eq!((live, first_at), (true, at(back)));
    assert_eq!(numbers(&samples), [back, back + 1, back + 2]);
    assert_eq!(samples[0].rates.increase(Metric::NetworkTxBytes), None, "nothing was before");
    assert_eq!((group(&store).0, store.stats().series), (2, 2), "its group has not forgotten it");
    assert!(store.locate(&pod(2)).is_some());
}

#[test]
fn pods_of_a_long_interval_stay_until_their_node_is_stale() {
    let store = Store::new(Settings::default());
    let row = Row::new(EntityKind::Pod);
    let tick = kubemonitor_model::Tick { interval_ms: 600_000, ..tick_of("node-1", 0, [(1, row)]) };
    store.ingest(&tick, tick.at).unwrap();
    for (minutes, is_there) in [(9, true), (29, true), (31, false)] {
        store.sweep(UnixMillis(tick.at.0 + minutes * 60_000));
        assert_eq!(seen(&store, 1).map(|(live, ..)| live), Some(is_there), "after {minutes} min");
    }
}
