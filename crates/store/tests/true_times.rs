//! Rates go by the time that truly passed, in longer history too.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use kubemonitor_model::{EntityKind, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{DiskSettings, Fsync, Resolution, Settings, Store, TimeRange};
use support::{START, STEP, at, pod, tick_of};

/// The tick of one pod that uses 500 millicores, measured by a clock that is so far ahead.
fn tick(number: i64, ahead_ms: i64) -> Tick {
    let mut row = Row::new(EntityKind::Pod);
    row.set(Metric::CpuUsage, Some((number * STEP).unsigned_abs() * 500_000));
    let tick = tick_of("node-1", number, [(1, row)]);
    Tick { at: UnixMillis(tick.at.0 + ahead_ms), read_delay_us: -ahead_ms * 1000, ..tick }
}

#[test]
fn what_is_newborn_was_born_since_the_tick_before_however_long_ago_that_was() {
    let store = Store::new(Settings::default());
    store.ingest(&tick_of("node-1", 0, []), at(0)).unwrap();
    // The collector came two steps late, and the pod has used half a CPU since.
    let mut born = Tick { sequence: 1, ..tick(3, 0) };
    born.rows[0].newborn = true;
    store.ingest(&born, at(3)).unwrap();
    let node = "node-1".parse().unwrap();
    let find = |view: &kubemonitor_store::NodeView<'_>| {
        view.find(EntityKind::Pod, &pod(1)).map(|series| series.latest())
    };
    let latest = store.node(&node, find).flatten().unwrap();
    assert_eq!(latest.rates.per_second(Metric::CpuUsage), Some(500_000_000.0));
}

#[test]
fn a_clock_that_is_set_forward_leaves_the_rates_of_buckets_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let disk =
        DiskSettings { folder: folder.path().to_owned(), fsync: Fsync::Always, max_bytes: None };
    let (store, _) = Store::open(Settings::default(), &disk).unwrap();
    // Half an hour right, then three quarters of an hour four minutes ahead.
    let (set_at, end) = (360, 900);
    for number in 0..end {
        let ahead_ms = if number < set_at { 0 } else { 240_000 };
        store.ingest(&tick(number, ahead_ms), at(number)).unwrap();
    }
    let now = at(end);
    let range = TimeRange { from: UnixMillis(START - 10_800_000), to: TimeRange::ALL.to };
    let node = "node-1".parse().unwrap();
    let history = store.history(&node, EntityKind::Pod, &pod(1), range, now);
    assert_eq!(history.resolution, Resolution::Minutes);
    let rates: Vec<f64> = history
        .samples
        .iter()
        .filter_map(|sample| sample.rates.per_second(Metric::CpuUsage))
        .map(|nanocores| nanocores / 1e6)
        .collect();
    assert!(rates.len() >= 70, "{} rates", rates.len());
    let wrong: Vec<&f64> = rates.iter().filter(|rate| (*rate - 500.0).abs() > 5.0).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
