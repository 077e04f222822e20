//! Many threads at once: ticks are seen whole, sums stay exact, nobody waits for ever.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, NodeName, Row, Tick, UnixMillis};
use kubemonitor_store::{GroupHistory, GroupKey, Settings, Store, TimeRange};

const NODES: usize = 4;
const PODS: usize = 12;
const TICKS: i64 = 400;
const STEP: i64 = 5000;
const START: i64 = 1_700_000_000_000;

fn node(number: usize) -> NodeName {
    format!("node-{number}").parse().unwrap()
}

fn pod(node: usize, number: usize) -> EntityId {
    EntityId::parse(&format!("00000000-0000-0000-{node:04}-{number:012}"))
}

/// All pods of a tick have the same memory, so that a torn tick shows.
fn tick(node_number: usize, number: i64) -> Tick {
    let rows = (0..PODS).map(|p| {
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::MemoryWorkingSet, Some(number.unsigned_abs() * 4096));
        row.set(Metric::NetworkTxBytes, Some(number.unsigned_abs() * 10));
        EntityRow { id: pod(node_number, p), parent: None, qos: None, newborn: false, row }
    });
    Tick {
        node: node(node_number),
        instance: 1,
        sequence: number.unsigned_abs(),
        at: UnixMillis(START + number * STEP),
        read_delay_us: 0,
        interval_ms: STEP.unsigned_abs(),
        rows: rows.collect(),
    }
}

#[test]
fn readers_see_whole_ticks_and_sums_come_out_exact_under_churn() {
    let store = Arc::new(Store::new(Settings::default()));
    let done = Arc::new(AtomicBool::new(false));
    let groups: [GroupKey; 2] = [Arc::from("namespace/a"), Arc::from("namespace/b")];

    thread::scope(|scope| {
        let writers: Vec<_> = (0..NODES)
            .map(|n| {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..TICKS {
                        let now = UnixMillis(START + number * STEP);
                        store.ingest(&tick(n, number), now).unwrap();
                        if number % 3 == 0 {
                            store.ingest(&tick(n, number), now).unwrap();
                        }
                    }
                })
            })
            .collect();
        // Pods change their groups all the time, as if owners became known late.
        let mover = scope.spawn(|| {
            let mut turn = 0;
            while !done.load(Ordering::Relaxed) {
                for n in 0..NODES {
                    let key = Arc::clone(&groups[turn % 2]);
                    store.join(&pod(n, turn % PODS), &[(key, GroupHistory::Kept)]);
                    turn += 1;
                }
            }
        });
        let reader = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                for n in 0..NODES {
                    store.node(&node(n), |view| {
                        let seen: Vec<_> = view
                            .series(EntityKind::Pod)
                            .map(|s| (s.last_at(), s.value(Metric::MemoryWorkingSet)))
                            .collect();
                        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
                        looks += 1;
                    });
                }
                store.sweep(UnixMillis(START));
                for key in &groups {
                    let _ = store.group_window(key, TimeRange::ALL);
                }
            }
            looks
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        mover.join().unwrap();
        assert!(reader.join().unwrap() > 0);
    });

    // Everybody in one group at last: as if it had always been so.
    let key = &groups[0];
    for n in 0..NODES {
        for p in 0..PODS {
            store.join(&pod(n, p), &[(Arc::clone(key), GroupHistory::Kept)]);
        }
    }
    let window = store.group_window(key, TimeRange::ALL);
    assert_eq!(window.len(), usize::try_from(TICKS).unwrap());
    let pods = (NODES * PODS) as u64;
    for (number, sum) in (0u64..).zip(&window) {
        assert_eq!(sum.memory_working_set_bytes, Some(number * 4096 * pods));
        assert_eq!(
            sum.traffic(Metric::NetworkTxBytes).unwrap().total_bytes,
            Some(number * 10 * pods)
        );
    }
    let now = store.group(key).unwrap();
    assert_eq!(u64::from(now.pods), pods);
    assert_eq!(now.memory_working_set_bytes, window.last().unwrap().memory_working_set_bytes);
    assert!(store.group_window(&groups[1], TimeRange::ALL).is_empty());
}
