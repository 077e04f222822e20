//! The journal, the blocks and the thread that writes them, real files included: a process may be
//! killed at any moment, and what its folder had told once it tells for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use modelled_store::{DiskSettings, Fsync, Settings, Store, set_clock};
use parking_lot::Mutex;
use shuttle::thread;

use crate::{
    in_many_interleavings, ingest, numbers,
    support::{at, copy_folder},
    tick, with_few_switches,
};

/// A folder in memory, where there is one: none of this is about what a disk keeps without power.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let within = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(within).unwrap()
}

fn opened(folder: &Path) -> Store {
    let disk = DiskSettings { folder: folder.to_owned(), fsync: Fsync::Always, max_bytes: None };
    Store::open(Settings::default(), &disk).unwrap().0
}

/// The clock of the server and of the writer, by the number of a tick.
#[derive(Default)]
struct Clock(AtomicI64);

impl Clock {
    fn set(&self, number: i64) {
        self.0.store(number, Ordering::Relaxed);
        set_clock(at(number));
    }

    fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A node and a tick of it.
type Told = (&'static str, i64);

/// What a process that was killed left behind, and what had been acknowledged by then.
struct Left {
    folder: tempfile::TempDir,
    acknowledged: BTreeSet<Told>,
}

/// All files within, and what they hold.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            files.extend(
                self::files(&path).into_iter().map(|(rest, bytes)| (name.join(rest), bytes)),
            );
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

fn told(folder: &Path) -> BTreeSet<Told> {
    let store = opened(folder);
    let of = |name: &'static str| numbers(&store, name, 1).into_iter().map(move |n| (name, n));
    of("a").chain(of("b")).collect()
}

/// Each of them tells what was acknowledged, and what the one before told.
fn assert_that_nothing_is_lost(left: Vec<Left>) {
    let (mut before, mut files_before) = (BTreeSet::new(), BTreeMap::new());
    for (place, left) in left.into_iter().enumerate() {
        let files = files(left.folder.path());
        if files == files_before {
            assert!(before.is_superset(&left.acknowledged), "{place}: {before:?}");
            continue;
        }
        files_before = files;
        let told = told(left.folder.path());
        assert!(told.is_superset(&left.acknowledged), "{place}: {told:?} {:?}", left.acknowledged);
        assert!(told.is_superset(&before), "{place}: {told:?}, and before {before:?}");
        before = told;
    }
}

/// A store in a folder, and what was acknowledged.
struct Process {
    data: tempfile::TempDir,
    clock: Clock,
    store: Store,
    acknowledged: Mutex<BTreeSet<Told>>,
}

impl Process {
    fn begun() -> Arc<Self> {
        let (data, clock) = (folder(), Clock::default());
        clock.set(0);
        let store = opened(data.path());
        Arc::new(Self { data, clock, store, acknowledged: Mutex::default() })
    }

    fn measure(&self, name: &'static str, number: i64) {
        ingest(&self.store, name, number, &[1]);
        self.acknowledged.lock().insert((name, number));
    }

    fn sweep(&self) {
        self.store.sweep(at(self.clock.get()));
    }

    fn killed(&self) -> Left {
        let acknowledged = self.acknowledged.lock().clone();
        let folder = folder();
        copy_folder(self.data.path(), folder.path());
        Left { folder, acknowledged }
    }

    /// What it leaves when it is killed at some moments while `others` run, when they have ended,
    /// and when it has ended itself.
    fn killed_while<const N: usize>(
        self: Arc<Self>,
        others: [thread::JoinHandle<()>; N],
    ) -> Vec<Left> {
        let mut left = Vec::new();
        for _ in 0..4 {
            left.push(self.killed());
            thread::yield_now();
        }
        for other in others {
            other.join().unwrap();
        }
        // The writer goes on.
        for _ in 0..4 {
            left.push(self.killed());
            thread::yield_now();
        }
        let Self { data, store, acknowledged, .. } = Arc::into_inner(self).unwrap();
        drop(store);
        left.push(Left { folder: data, acknowledged: acknowledged.into_inner() });
        left
    }
}

fn with(
    process: &Arc<Process>,
    run: impl FnOnce(&Process) + Send + 'static,
) -> thread::JoinHandle<()> {
    let process = Arc::clone(process);
    thread::spawn(move || run(&process))
}

#[test]
fn the_journal_is_dropped_when_blocks_have_it_and_not_before() {
    in_many_interleavings(400, || {
        let process = Process::begun();
        process.measure("b", 0);
        let measuring = with(&process, |process| {
            // The second one begins another file, with the third one a block is due.
            for number in [0, 20, 200, 201] {
                process.clock.set(number);
                process.measure("a", number);
            }
        });
        let sweeping = with(&process, |process| {
            for _ in 0..4 {
                process.sweep();
                thread::yield_now();
            }
        });
        assert_that_nothing_is_lost(process.killed_while([measuring, sweeping]));
    });
}

#[test]
fn a_sweep_counts_on_blocks_that_the_writer_has_taken_and_on_no_others() {
    with_few_switches(1000, || {
        let process = Process::begun();
        process.measure("a", 0);
        // Another file of the journal is begun, so that the first one may go.
        process.clock.set(20);
        process.measure("b", 20);
        process.clock.set(200);
        // A tick closes the block that has the first one; a sweep finds that it is handed over.
        // Both let the writer go first, that it may be anywhere when they come.
        let measuring = with(&process, |process| {
            thread::yield_now();
            process.measure("a", 200);
        });
        let sweeping = with(&process, |process| {
            thread::yield_now();
            process.sweep();
        });
        assert_that_nothing_is_lost(process.killed_while([sweeping, measuring]));
    });
}

#[test]
fn closing_while_ticks_come_loses_nothing_that_was_on_the_disk() {
    in_many_interleavings(400, || {
        let process = Process::begun();
        process.measure("a", 0);
        // Those that meet the end of the writer are in memory alone, and nobody waits for it.
        let measuring = ["a", "b"].map(|name| {
            with(&process, move |process| {
                (1..3).for_each(|number| ingest(&process.store, name, number, &[1]));
            })
        });
        let closing = with(&process, |process| process.store.close());
        let [one, other] = measuring;
        assert_that_nothing_is_lost(process.killed_while([one, other, closing]));
    });
}

#[test]
fn a_disk_that_refuses_holds_nobody_up_and_has_all_of_it_later() {
    in_many_interleavings(400, || {
        let (data, clock) = (folder(), Clock::default());
        clock.set(0);
        let store = Arc::new(opened(data.path()));
        ingest(&store, "a", 0, &[1]);
        // Another file is due, and its folder is gone.
        let (journal, away) = (data.path().join("journal"), data.path().join("away"));
        fs::rename(&journal, &away).unwrap();
        clock.set(20);
        let measuring = ["a", "b"].map(|name| {
            let store = Arc::clone(&store);
            thread::spawn(move || (20..22).for_each(|number| ingest(&store, name, number, &[1])))
        });
        for thread in measuring {
            thread.join().unwrap();
        }
        assert!(store.disk_status().unwrap().problem.is_some());
        fs::rename(&away, &journal).unwrap();
        let receipt = store.ingest(&tick("a", 22, &[1]), at(22)).unwrap();
        assert_eq!(receipt.samples, 2);
        drop(store);
        let wanted = [("a", 0), ("a", 20), ("a", 21), ("a", 22), ("b", 20), ("b", 21)];
        assert_eq!(told(data.path()), BTreeSet::from(wanted));
    });
}
