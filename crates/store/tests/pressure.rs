//! Memory that gets short: nothing new is begun, then what is oldest leaves.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::time::Duration;

use kubemonitor_model::{EntityKind, Metric, NodeName, Row};
use kubemonitor_store::{
    DiskSettings, Fsync, GroupHistory, IngestError, NodeView, Settings, Store, TimeRange,
};

use crate::support::{STEP, at, pod, tick_of};

const PODS: usize = 20;
const TICKS: i64 = 600;

fn settings() -> Settings {
    Settings { retention: Duration::from_secs(7200), ..Settings::default() }
}

fn row(number: i64, of: usize) -> Row {
    let mixed = (number.unsigned_abs() + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 + of as u64);
    let mut row = Row::new(EntityKind::Pod);
    row.set(Metric::CpuUsage, Some(number.unsigned_abs() << 30 | mixed >> 40));
    row.set(Metric::MemoryWorkingSet, Some(mixed >> 20));
    row.set(Metric::NetworkRxBytes, Some(number.unsigned_abs() << 20));
    row
}

fn ingest(store: &Store, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let tick = tick_of("a", number, (0..PODS).map(|of| (of, row(number, of))));
        store.ingest(&tick, tick.at).unwrap();
    }
}

fn node() -> NodeName {
    "a".parse().unwrap()
}

/// The ticks that are held of a pod.
fn numbers(store: &Store, of: usize) -> Vec<i64> {
    let look =
        |view: &NodeView<'_>| view.find(EntityKind::Pod, &pod(of)).unwrap().window(TimeRange::ALL);
    let samples = store.node(&node(), look).unwrap();
    samples.iter().map(|sample| sample.at.since(at(0)) / STEP).collect()
}

fn filled() -> Store {
    let store = Store::new(settings());
    for of in 0..PODS {
        store.join(&pod(of), &[("namespace/shop".into(), GroupHistory::Kept)]);
    }
    ingest(&store, 0..TICKS);
    store
}

#[test]
fn the_oldest_samples_leave_first_and_no_more_than_need_be() {
    let store = filled();
    let (held, newest) = (store.bytes(), store.group("namespace/shop"));
    let left = store.shed(held / 3 * 2);
    assert!(left <= held / 3 * 2 && left > held / 3, "{left} of {held}");
    assert_eq!(left, store.bytes());
    for of in 0..PODS {
        let numbers = numbers(&store, of);
        assert_eq!(numbers, (numbers[0]..TICKS).collect::<Vec<_>>());
        assert!(numbers[0] > 0);
    }
    assert_eq!(store.group("namespace/shop"), newest);
    let sums = store.group_window("namespace/shop", TimeRange::ALL);
    assert!(sums.len() < 590 && sums.last().map(|sum| sum.at) == Some(at(TICKS - 1)));
    ingest(&store, TICKS..TICKS + 200);
    assert_eq!(numbers(&store, 3).last(), Some(&(TICKS + 199)));
}

#[test]
fn the_newest_sample_stays_however_little_may_be_held_and_the_next_has_a_rate() {
    let store = filled();
    let before = store.bytes();
    let left = store.shed(0);
    assert!(left < before / 4, "{left} of {before}");
    assert_eq!(numbers(&store, 0), [TICKS - 1]);
    assert_eq!(store.shed(0), left, "there is nothing else to go");
    ingest(&store, TICKS..TICKS + 1);
    let sample = store.node(&node(), |view| view.find(EntityKind::Pod, &pod(0)).unwrap().latest());
    let sample = sample.unwrap();
    assert_eq!(sample.rates.increase(Metric::NetworkRxBytes), Some(1 << 20));
    let sum = store.group("namespace/shop").unwrap();
    assert_eq!((sum.at, sum.pods), (at(TICKS), 20));
}

#[test]
fn what_leaves_memory_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let fsync = Fsync::Every(Duration::from_millis(20));
    let disk = DiskSettings { folder: folder.path().to_owned(), fsync, max_bytes: None };
    let store = Store::open(settings(), &disk).unwrap().0;
    ingest(&store, 0..TICKS);
    store.shed(0);
    ingest(&store, TICKS..TICKS + 100);
    store.close();
    drop(store);
    let store = Store::open(settings(), &disk).unwrap().0;
    for of in [0, PODS - 1] {
        assert_eq!(numbers(&store, of), (0..TICKS + 100).collect::<Vec<_>>());
    }
}

#[test]
fn without_room_nothing_new_is_begun_and_nothing_is_left_of_what_was_refused() {
    let store = filled();
    let (series, refused) = (store.stats().series, at(TICKS));
    store.set_room(0);
    assert!(!store.has_room());
    let tick = tick_of("b", TICKS, [(90, row(TICKS, 90))]);
    assert_eq!(store.ingest(&tick, refused).unwrap().refused_series, 1);
    let pushed = store.push(&"c".parse().unwrap(), refused, pod(91), row(TICKS, 91), refused);
    assert_eq!(pushed, Err(IngestError::NoMemory));
    assert_eq!(store.nodes(), [node()]);
    ingest(&store, TICKS..TICKS + 1);
    assert_eq!(numbers(&store, 0).last(), Some(&TICKS), "what is known goes on");
    assert_eq!(store.stats().series, series);
    store.set_room(usize::MAX);
    assert_eq!(store.ingest(&tick, refused).unwrap().refused_series, 0);
}

#[test]
fn a_part_of_a_window_is_as_long_as_asked_and_the_parts_are_the_window() {
    let store = filled();
    let range = TimeRange { from: at(7), to: at(TICKS - 9) };
    let whole = numbers(&store, 0)[7..=591].to_vec();
    let (mut left, mut parts) = (Some(range), Vec::new());
    while let Some(range) = left {
        let part = |view: &NodeView<'_>| {
            view.find(EntityKind::Pod, &pod(0)).unwrap().window_part(range, 100)
        };
        let (samples, rest) = store.node(&node(), part).unwrap();
        assert!(samples.len() <= 280, "{}", samples.len());
        // A part knows what was before it.
        assert!(
            samples.iter().all(|sample| sample.rates.elapsed_us(Metric::CpuUsage) == 5_000_000)
        );
        parts.extend(samples.iter().map(|sample| sample.at.since(at(0)) / STEP));
        left = rest;
    }
    assert_eq!(parts, whole);
}

#[test]
fn strangers_that_came_by_are_forgotten_and_those_who_send_are_counted() {
    let store = Store::new(settings());
    ingest(&store, 0..5);
    for stranger in ["x", "y"] {
        store.ingest(&tick_of(stranger, 4, [(50, row(4, 50))]), at(4)).unwrap();
    }
    store.sweep(at(5));
    assert_eq!(store.steady_nodes(), 1);
    let is_strange = |name: &NodeName| name.as_str() != "y";
    store.forget_strangers(at(10), is_strange);
    assert_eq!(store.nodes().len(), 3, "they may go on yet");
    store.forget_strangers(at(20), is_strange);
    assert_eq!(store.nodes(), [node(), "y".parse().unwrap()]);
    store.sweep(at(20));
    assert_eq!(store.steady_nodes(), 0, "it is silent");
}

#[test]
fn the_newest_pushed_sample_can_be_sent_anew_and_sums_follow() {
    let store = Store::new(settings());
    store.join(&pod(0), &[("namespace/shop".into(), GroupHistory::Kept)]);
    let push = |number, bytes| {
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::NetworkRxBytes, Some(bytes));
        row.set(Metric::MemoryWorkingSet, Some(bytes));
        store.push(&node(), at(number), pod(0), row, at(number)).unwrap().duplicate
    };
    let held = || {
        let look = |view: &NodeView<'_>| {
            let samples = view.find(EntityKind::Pod, &pod(0)).unwrap().window(TimeRange::ALL);
            samples.iter().map(|sample| sample.row.get(Metric::NetworkRxBytes)).collect::<Vec<_>>()
        };
        store.node(&node(), look).unwrap()
    };
    let sum = || {
        let sum = store.group("namespace/shop").unwrap();
        let received = sum.traffic(Metric::NetworkRxBytes).unwrap().total_bytes;
        (sum.pods, sum.memory_working_set_bytes, received)
    };
    // The first one of all, twice.
    assert!(!push(0, 500) && !push(0, 100));
    assert_eq!((held(), sum()), (vec![Some(100)], (1, Some(100), Some(100))));
    assert!(!push(1, 900) && !push(1, 300));
    assert_eq!((held(), sum()), (vec![Some(100), Some(300)], (1, Some(300), Some(300))));
    // An older one stays as it is.
    assert!(push(0, 50));
    assert_eq!((held(), sum()), (vec![Some(100), Some(300)], (1, Some(300), Some(300))));
    assert!(!push(2, 400));
    assert_eq!(sum(), (1, Some(400), Some(400)));
    let window = store.group_window("namespace/shop", TimeRange::ALL);
    assert_eq!(window.iter().map(|sum| sum.pods).collect::<Vec<_>>(), [1, 1, 1]);
}
