//! A process is killed while it takes frames in. Not a copy of its folder, as elsewhere: a process.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{DiskSettings, Fsync, Settings, Store, TimeRange};

const FOLDER: &str = "KEPT_IN";
const STEP: i64 = 5000;
const START: i64 = 1_700_000_000_000;
const PODS: usize = 20;

fn opened(folder: &Path) -> Store {
    let disk = DiskSettings { folder: folder.to_owned(), fsync: Fsync::default(), max_bytes: None };
    let settings = Settings { retention: Duration::from_secs(365 * 86_400), ..Settings::default() };
    Store::open(settings, &disk).unwrap().0
}

fn tick(number: i64) -> Tick {
    let row = |pod: usize| {
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::CpuUsage, Some(number.unsigned_abs() * 1_000_003 * (pod as u64 + 1)));
        row.set(Metric::MemoryWorkingSet, Some((number % 7).unsigned_abs() * 4096));
        let id = EntityId::parse(&format!("00000000-0000-0000-0000-{pod:012}"));
        EntityRow { id, parent: None, qos: None, newborn: false, row }
    };
    Tick {
        node: "node-1".parse().unwrap(),
        instance: 1,
        sequence: number.unsigned_abs(),
        at: UnixMillis(START + number * STEP),
        read_delay_us: 0,
        interval_ms: STEP.unsigned_abs(),
        rows: (0..PODS).map(row).collect(),
    }
}

/// How many ticks there are, each of them whole and none missing before the last.
fn whole_ticks(store: &Store) -> i64 {
    let counts = store.node(&"node-1".parse().unwrap(), |view| {
        view.series(EntityKind::Pod)
            .map(|series| {
                let samples = series.window(TimeRange::ALL);
                for (number, sample) in (0..).zip(&samples) {
                    assert_eq!(sample.at, tick(number).at);
                }
                samples.len()
            })
            .collect::<Vec<_>>()
    });
    let counts = counts.unwrap_or_default();
    assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{counts:?}");
    counts.first().map_or(0, |&count| i64::try_from(count).unwrap())
}

/// Goes on where it was, says of each tick that it is in, and never ends by itself.
fn take_ticks_in(folder: &Path) -> ! {
    let store = opened(folder);
    let mut out = std::io::stdout();
    for number in whole_ticks(&store).. {
        let at = UnixMillis(START + number * STEP);
        store.ingest(&tick(number), at).unwrap();
        store.sweep(at);
        writeln!(out, "\ntaken {number}").unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    unreachable!("numbers do not end");
}

#[test]
fn a_killed_process_loses_no_more_than_the_last_second() {
    if let Ok(folder) = std::env::var(FOLDER) {
        take_ticks_in(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "a_killed_process_loses_no_more_than_the_last_second"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut taken, mut begun) = (Vec::new(), None);
        let life = Duration::from_millis(1300 + 271 * round);
        for line in lines.map_while(Result::ok) {
            let Some(number) = line.strip_prefix("taken ") else { continue };
            taken.push((Instant::now(), number.parse::<i64>().unwrap()));
            if begun.get_or_insert_with(Instant::now).elapsed() > life {
                break;
            }
        }
        let killed_at = Instant::now();
        child.kill().unwrap();
        child.wait().unwrap();
        let safe = taken.iter().rev().find(|(at, _)| killed_at - *at > Duration::from_secs(1));
        let &(_, safe) = safe.expect("it lived for more than a second");
        let store = opened(folder.path());
        let found = whole_ticks(&store);
        assert!(found > safe, "{found} ticks, and number {safe} was taken a second before");
    }
}
