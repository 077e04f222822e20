//! What is on disk after a crash, and what a new process makes of it.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{
    DiskError, DiskSettings, Fsync, GroupHistory, GroupKey, Sample, Settings, Store, TimeRange,
};
use proptest::prelude::*;

use crate::support::copy_folder;

const STEP: i64 = 5000;
const START: i64 = 1_700_000_000_000;

fn settings() -> Settings {
    Settings { retention: Duration::from_secs(2 * 3600), ..Settings::default() }
}

fn on_disk(folder: &Path) -> DiskSettings {
    DiskSettings { folder: folder.to_owned(), fsync: Fsync::Always, max_bytes: None }
}

fn opened(folder: &Path) -> Store {
    Store::open(settings(), &on_disk(folder)).unwrap().0
}

/// What a process that is killed now would leave: a copy of the folder as it is.
fn killed(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder, copy.path());
    copy
}

fn pod(number: usize) -> EntityId {
    EntityId::parse(&format!("00000000-0000-0000-0000-{number:012}"))
}

/// Counters that grow unevenly and start anew now and then.
fn tick(number: i64, pods: usize) -> Tick {
    let rows = (0..pods)
        .filter(|pod| (number + i64::try_from(*pod).unwrap()) % 11 != 0)
        .map(|p| {
            let grown = (number % 97).unsigned_abs() * 1_000_003 * (p as u64 + 1);
            let mut row = Row::new(EntityKind::Pod);
            row.set(Metric::CpuUsage, Some(grown));
            row.set(Metric::MemoryWorkingSet, Some((number % 7).unsigned_abs() * 4096));
            row.set(Metric::NetworkRxBytes, (number % 5 != 0).then_some(grown / 3));
            EntityRow { id: pod(p), parent: None, qos: None, newborn: number == 3, row }
        })
        .collect();
    Tick {
        node: "node-1".parse().unwrap(),
        instance: 1,
        sequence: number.unsigned_abs(),
        at: UnixMillis(START + number * STEP),
        read_delay_us: number % 13 * 100,
        interval_ms: STEP.unsigned_abs(),
        rows,
    }
}

fn ingest(store: &Store, number: i64, pods: usize) {
    // What comes late comes now.
    let tick = tick(number, pods);
    store.ingest(&tick, store.newest().map_or(tick.at, |newest| newest.max(tick.at))).unwrap();
}

fn everything(store: &Store, pods: usize) -> Everything {
    let range = TimeRange { from: UnixMillis(0), to: UnixMillis(i64::MAX) };
    let read = |view: &kubemonitor_store::NodeView<'_>| {
        let of = |pod: usize| view.find(EntityKind::Pod, &self::pod(pod));
        (0..pods)
            .map(|pod| {
                (of(pod).map_or(Vec::new(), |s| s.window(range)), of(pod).map(|s| s.latest()))
            })
            .collect()
    };
    store.node(&"node-1".parse().unwrap(), read).unwrap_or_default()
}

fn sums(store: &Store, pods: usize) -> Vec<kubemonitor_store::GroupSample> {
    let key: GroupKey = Arc::from("namespace/shop");
    for p in 0..pods {
        store.join(&pod(p), &[(Arc::clone(&key), GroupHistory::Kept)]);
    }
    store.group_window(&key, TimeRange { from: UnixMillis(0), to: UnixMillis(i64::MAX) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_killed_process_finds_all_it_acknowledged(
        ticks in 1i64..700,
        pods in 1usize..4,
        late in prop::collection::vec((0i64..700, 1i64..60), 0..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = opened(folder.path());
        let held_back = |number: i64| late.iter().any(|&(at, _)| at == number);
        for number in 0..ticks {
            if !held_back(number) {
                ingest(&store, number, pods);
            }
            for &(at, delay) in &late {
                if at + delay == number {
                    ingest(&store, at, pods);
                }
            }
        }
        let copy = killed(folder.path());
        let recovered = opened(copy.path());
        prop_assert_eq!(everything(&store, pods), everything(&recovered, pods));
        prop_assert_eq!(sums(&store, pods), sums(&recovered, pods));

        // It goes on where it was: the next tick has its rates.
        ingest(&store, ticks, pods);
        ingest(&recovered, ticks, pods);
        prop_assert_eq!(everything(&store, pods), everything(&recovered, pods));
    }

    #[test]
    fn a_journal_cut_anywhere_loses_its_end_and_nothing_else(
        ticks in 2i64..80,
        cut in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = opened(folder.path());
        for number in 0..ticks {
            ingest(&store, number, 2);
        }
        let copy = killed(folder.path());
        let journal = newest_file(&copy.path().join("journal"));
        let length = fs::metadata(&journal).unwrap().len();
        let kept = cut.index(usize::try_from(length).unwrap() + 1) as u64;
        fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(kept).unwrap();

        let recovered = opened(copy.path());
        let (whole, cut) = (everything(&store, 2), everything(&recovered, 2));
        for (pod, (samples, _)) in cut.iter().enumerate() {
            prop_assert!(whole[pod].0.starts_with(samples));
        }
        // A later restart finds a log that is whole again.
        ingest(&recovered, ticks, 2);
        drop(recovered);
        let again = opened(copy.path());
        prop_assert_eq!(again.disk_status().unwrap().cut_bytes, 0);
    }
}

fn newest_file(folder: &Path) -> PathBuf {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.pop().unwrap()
}

/// What pods were like at each tick and are like now.
type Everything = Vec<(Vec<Sample>, Option<Sample>)>;

/// What a store that was closed leaves, and what it had.
fn closed() -> (tempfile::TempDir, Everything) {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    for number in 0..50 {
        ingest(&store, number, 3);
    }
    let before = everything(&store, 3);
    store.close();
    drop(store);
    (folder, before)
}

#[test]
fn closing_leaves_blocks_and_nothing_to_replay() {
    let (folder, before) = closed();
    assert_eq!(fs::read_dir(folder.path().join("journal")).unwrap().count(), 0);
    let (store, recovered) = Store::open(settings(), &on_disk(folder.path())).unwrap();
    assert!(recovered.blocks > 0);
    assert_eq!(recovered.entries, 0);
    assert_eq!(everything(&store, 3), before);
}

#[test]
fn a_file_that_was_ended_is_not_gone_through() {
    let (folder, before) = closed();
    // Whoever went through the file would find its first block's head broken, and stop there.
    let file = newest_file(&folder.path().join("blocks"));
    let mut bytes = fs::read(&file).unwrap();
    bytes[30] ^= 0x10;
    fs::write(&file, bytes).unwrap();
    let store = opened(folder.path());
    assert_eq!(everything(&store, 3), before);
    assert_eq!(store.disk_status().unwrap().cut_bytes, 0);
}

#[test]
fn a_folder_serves_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _store = opened(folder.path());
    let second = Store::open(settings(), &on_disk(folder.path()));
    assert!(matches!(second, Err(DiskError::Locked(_))));
}

#[test]
fn a_folder_that_cannot_be_made_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(settings(), &on_disk(&file.join("data"))).unwrap_err();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn bytes_on_disk_stay_below_their_limit() {
    let folder = tempfile::tempdir().unwrap();
    let limited = DiskSettings { max_bytes: Some(20_000), ..on_disk(folder.path()) };
    for start in 0..40 {
        let (store, _) = Store::open(settings(), &limited).unwrap();
        for number in start * 20..(start + 1) * 20 {
            ingest(&store, number, 8);
        }
        store.close();
    }
    let files = ["journal", "blocks"].map(|log| folder.path().join(log));
    let entries = files.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let bytes: u64 = entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!((1..=20_000).contains(&bytes), "{bytes}");
}

/// A file system of one megabyte, for the length of a test.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    /// `None` when this user cannot mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(folder.path())
            .stderr(std::process::Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_survived_told_and_recovered_from() {
    let Some(disk) = TinyDisk::mount() else {
        eprintln!("skipped: mounting needs root");
        return;
    };
    let data = disk.0.path().join("data");
    let store = opened(&data);
    ingest(&store, 0, 3);
    let ballast = disk.0.path().join("ballast");
    let _ = fs::write(&ballast, vec![0; 2 << 20]);
    let mut number = 1;
    while store.disk_status().unwrap().problem.is_none() {
        ingest(&store, number, 3);
        number += 1;
        assert!(number < 20_000, "the disk must have filled up");
    }
    let problem = store.disk_status().unwrap().problem.unwrap();
    assert!(problem.contains("make room"), "{problem}");
    ingest(&store, number, 3);
    assert_eq!(everything(&store, 3)[1].1.as_ref().unwrap().at.0 % STEP, 0);

    fs::remove_file(&ballast).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.disk_status().unwrap().problem.is_some() {
        assert!(Instant::now() < deadline, "it must recover by itself");
        std::thread::sleep(Duration::from_millis(100));
    }
    ingest(&store, number + 1, 3);
    let copy = killed(&data);
    assert_eq!(everything(&opened(copy.path()), 3), everything(&store, 3));
}
