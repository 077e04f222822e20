//! Damage in every part of the data directory, and what it costs.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use kubemonitor_model::{EntityKind, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{
    DiskSettings, Fsync, GroupHistory, Resolution, Settings, Store, TimeRange,
};

use crate::support::{copy_folder, pod, tick_of};

const MINUTE: i64 = 60_000;
/// Two days of a tick a minute.
const TICKS: i64 = 2 * 1440;
const GROUP: &str = "namespace/shop";

fn opened(folder: &Path) -> Store {
    let settings = Settings {
        retention: Duration::from_secs(3600),
        retention_minutes: Duration::from_secs(24 * 3600),
        ..Settings::default()
    };
    let fsync = Fsync::Every(Duration::from_millis(20));
    let disk = DiskSettings { folder: folder.to_owned(), fsync, max_bytes: None };
    let store = Store::open(settings, &disk).unwrap().0;
    store.join(&pod(1), &[(Arc::from(GROUP), GroupHistory::Kept)]);
    store
}

/// The last tick was a moment ago: files are named after the clock.
fn at(number: i64) -> UnixMillis {
    static LAST: LazyLock<i64> = LazyLock::new(|| kubemonitor_store::now().0 / MINUTE * MINUTE);
    UnixMillis(*LAST + (number - TICKS) * MINUTE)
}

fn measured() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    for number in 0..TICKS {
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::CpuUsage, Some(number.unsigned_abs() * 1_000_000_000));
        row.set(Metric::MemoryWorkingSet, Some(number.unsigned_abs() % 977 * 4096));
        let tick =
            Tick { at: at(number), interval_ms: 60_000, ..tick_of("node-1", number, [(1, row)]) };
        store.ingest(&tick, tick.at).unwrap();
        if number % 5 == 0 {
            store.sweep(tick.at);
        }
    }
    store.close();
    folder
}

/// How many samples of the pod and of its group there are since a tick, and how many damaged records
/// that may be short of.
fn held(store: &Store, since: i64) -> (Resolution, usize, usize, u64) {
    let (range, now) = (TimeRange { from: at(since), to: at(TICKS) }, at(TICKS));
    let node = "node-1".parse().unwrap();
    let pod = store.history(&node, EntityKind::Pod, &pod(1), range, now);
    let group = store.group_history(GROUP, range, now);
    let damage = store.damage_within(range, now).map_or(0, |damage| damage.records);
    (pod.resolution, pod.samples.len(), group.samples.len(), damage)
}

fn largest_file(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn a_flipped_bit_in_longer_history_costs_one_block_and_is_told() {
    let folder = measured();
    for (level, since, resolution) in
        [("15m", 0, Resolution::Quarters), ("1m", TICKS - 1400, Resolution::Minutes)]
    {
        let (all, pods, groups, none) = held(&opened(folder.path()), since);
        assert_eq!((all, none), (resolution, 0));
        for place in [0.1, 0.33, 0.5, 0.77] {
            let copy = tempfile::tempdir().unwrap();
            copy_folder(folder.path(), copy.path());
            let file = largest_file(&copy.path().join(level));
            let flip = || {
                let mut bytes = fs::read(&file).unwrap();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "small"
                )]
                let at = (bytes.len() as f64 * place) as usize;
                bytes[at] ^= 0x04;
                fs::write(&file, bytes).unwrap();
            };
            let is_most = |(_, of_pod, of_group, damage): (Resolution, usize, usize, u64)| {
                // A block has a quarter of an hour, and the first of a process what was there before.
                let least = |all: usize| all - if level == "1m" { 31 } else { 2 };
                assert!(
                    of_pod >= least(pods) && of_group >= least(groups),
                    "{of_pod} of {pods}, {of_group} of {groups}"
                );
                // The file of minutes has older ones too.
                assert!(level == "1m" || of_pod + of_group < pods + groups);
                // What nobody asks for shows at the next start.
                assert!(
                    damage == 1 || level == "1m" && damage == 0,
                    "{level} at {place}: {damage}"
                );
            };
            // Found when somebody asks,
            let store = opened(copy.path());
            flip();
            held(&store, since);
            is_most(held(&store, since));
            drop(store);
            // and at the start.
            is_most(held(&opened(copy.path()), since));
        }
    }
}

#[test]
fn counters_that_fall_all_the_time_take_bounded_memory_and_count_it() {
    let store = Store::new(Settings::default());
    let mut before = 0;
    for number in 0..720_i64 {
        let rows = (0..100).map(|of| {
            let mut row = Row::new(EntityKind::Pod);
            let fallen = if number % 2 == 0 { 1_000_000_000 } else { 0 };
            for metric in [Metric::CpuUsage, Metric::NetworkRxBytes, Metric::DiskReadBytes] {
                row.set(metric, Some(number.unsigned_abs() + fallen));
            }
            (of, row)
        });
        let tick = tick_of("node-1", number, rows);
        store.ingest(&tick, tick.at).unwrap();
        if number == 359 {
            before = store.stats().bytes;
        }
    }
    let after = store.stats().bytes;
    // What grows is what rows take: each has three counters that moved far.
    assert!(after < before * 5 / 2, "{before} bytes after half an hour, {after} after an hour");
    let node = "node-1".parse().unwrap();
    let look = |view: &kubemonitor_store::NodeView<'_>| {
        let samples = view.find(EntityKind::Pod, &pod(7))?.window(TimeRange::ALL);
        Some(samples.iter().map(|s| s.row.get(Metric::CpuUsage).unwrap()).collect::<Vec<_>>())
    };
    let shown = store.node(&node, look).flatten().unwrap();
    assert!(shown.len() == 720 && shown.is_sorted(), "a total never falls");
}
