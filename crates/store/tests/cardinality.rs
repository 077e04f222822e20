//! No more entities than the store may hold, and room again when some are forgotten.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::time::Duration;

use kubemonitor_model::{EntityKind, Metric, Row};
use kubemonitor_store::{DiskSettings, Fsync, IngestError, Receipt, Settings, Store, TimeRange};

use crate::support::{STEP, at, pod, tick_of};

const RETENTION: i64 = 600_000;
const LIMIT: usize = 5;

fn settings() -> Settings {
    let retention = Duration::from_millis(RETENTION.unsigned_abs());
    Settings { max_series: LIMIT, retention, ..Settings::default() }
}

fn row(number: i64) -> Row {
    let mut row = Row::new(EntityKind::Pod);
    row.set(Metric::MemoryWorkingSet, Some(number.unsigned_abs() * 4096));
    row
}

fn ingest(store: &Store, name: &str, number: i64, pods: std::ops::Range<usize>) -> Receipt {
    let tick = tick_of(name, number, pods.map(|p| (p, row(number))));
    store.ingest(&tick, tick.at).unwrap()
}

/// How many samples a node holds of each pod.
fn held(store: &Store, name: &str, pods: std::ops::Range<usize>) -> Vec<usize> {
    let of_node = |view: &kubemonitor_store::NodeView<'_>| {
        let count = |p| {
            let series = view.find(EntityKind::Pod, &pod(p));
            series.map_or(0, |series| series.window(TimeRange::ALL).len())
        };
        pods.map(count).collect()
    };
    store.node(&name.parse().unwrap(), of_node).unwrap_or_default()
}

#[test]
fn known_entities_are_measured_on_beyond_the_limit_and_others_are_refused_and_counted() {
    let store = Store::new(settings());
    assert_eq!(
        ingest(&store, "a", 0, 0..8),
        Receipt { samples: 5, duplicate: false, refused_series: 3 }
    );
    assert_eq!(
        ingest(&store, "a", 1, 0..8),
        Receipt { samples: 5, duplicate: false, refused_series: 3 }
    );
    // The limit is of all nodes together, and of what others push too.
    assert_eq!(ingest(&store, "b", 1, 8..9).refused_series, 1);
    let pushed = store.push(&"b".parse().unwrap(), at(1), pod(9), row(1), at(1));
    assert_eq!(pushed, Err(IngestError::TooManySeries { limit: LIMIT }));
    assert_eq!(held(&store, "a", 0..8), [2, 2, 2, 2, 2, 0, 0, 0]);
    let stats = store.stats();
    assert_eq!((stats.series, stats.rows, stats.refused_series), (5, 10, 8));
}

#[test]
fn what_is_forgotten_makes_room_for_as_many_others_and_no_more() {
    let store = Store::new(settings());
    ingest(&store, "a", 0, 0..5);
    // Two of them are gone, but what they measured is retained.
    ingest(&store, "a", 1, 0..3);
    store.sweep(at(1));
    assert_eq!(ingest(&store, "b", 1, 10..14).refused_series, 4);
    // Past the retention it is not.
    let later = RETENTION / STEP + 2;
    ingest(&store, "a", later, 0..3);
    store.sweep(at(later));
    assert_eq!(store.stats().series, 3);
    assert_eq!(ingest(&store, "b", later, 10..14).refused_series, 2);
    assert_eq!(held(&store, "b", 10..14), [1, 1, 0, 0]);
    assert_eq!(store.stats().series, LIMIT);
    // The same again when all of them are gone, so that nothing was counted twice.
    let much_later = 3 * later;
    store.sweep(at(much_later));
    assert_eq!((store.stats().series, store.nodes().len()), (0, 0));
    assert_eq!(ingest(&store, "c", much_later, 20..28).refused_series, 3);
}

#[test]
fn the_limit_holds_for_what_is_read_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let disk =
        DiskSettings { folder: folder.path().to_owned(), fsync: Fsync::Always, max_bytes: None };
    let store = Store::open(settings(), &disk).unwrap().0;
    ingest(&store, "a", 0, 0..3);
    store.close();
    drop(store);
    // Three from a block, and from the journal those that there is room for.
    let store = Store::open(settings(), &disk).unwrap().0;
    assert_eq!(ingest(&store, "a", 1, 0..8).refused_series, 3);
    drop(store);
    let store = Store::open(settings(), &disk).unwrap().0;
    assert_eq!(held(&store, "a", 0..8), [2, 2, 2, 1, 1, 0, 0, 0]);
    store.close();
    drop(store);
    // Whoever starts with a lower limit holds no more than that, and goes on.
    let store = Store::open(Settings { max_series: 2, ..settings() }, &disk).unwrap().0;
    assert_eq!(store.stats().series, 2);
    assert_eq!(ingest(&store, "a", 2, 0..8).refused_series, 6);
}
