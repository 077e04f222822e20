//! Ticks, membership, readers and sweeps at the same time.

use std::sync::Arc;

use kubemonitor_model::{EntityKind, Metric, UnixMillis};
use modelled_store::{GroupHistory, GroupKey, Settings, Store, TimeRange};
use shuttle::thread;

use crate::{
    in_every_interleaving, in_many_interleavings, ingest, memory, node, numbers, sent,
    support::{at, pod},
    tick,
};

fn key(name: &str) -> GroupKey {
    Arc::from(name)
}

fn group(name: &str) -> [(GroupKey, GroupHistory); 1] {
    [(key(name), GroupHistory::Kept)]
}

/// A group's sums at its ticks: pods, memory, bytes sent so far.
fn sums(store: &Store, name: &str) -> Vec<(u32, Option<u64>, Option<u64>)> {
    let window = store.group_window(name, TimeRange::ALL);
    let total = |sum: &modelled_store::GroupSample| {
        sum.traffic(Metric::NetworkTxBytes).and_then(|traffic| traffic.total_bytes)
    };
    window.iter().map(|sum| (sum.pods, sum.memory_working_set_bytes, total(sum))).collect()
}

/// What the sums are of so many pods that were each in ticks `0..ticks`.
fn expected(pods: u32, ticks: i64) -> Vec<(u32, Option<u64>, Option<u64>)> {
    let times = |value: u64| Some(value * u64::from(pods));
    (0..ticks).map(|number| (pods, times(memory(number)), times(sent(number)))).collect()
}

/// Pods and memory of a group now.
fn now(store: &Store, name: &str) -> Option<(u32, Option<u64>)> {
    store.group(name).map(|sum| (sum.pods, sum.memory_working_set_bytes))
}

#[test]
fn a_pods_first_sample_counts_once_however_it_meets_the_pods_groups() {
    in_every_interleaving(|| {
        let store = Arc::new(Store::new(Settings::default()));
        let joining = thread::spawn({
            let store = Arc::clone(&store);
            move || store.join(&pod(1), &group("shop"))
        });
        ingest(&store, "a", 0, &[1]);
        joining.join().unwrap();
        assert_eq!(sums(&store, "shop"), expected(1, 1));
        assert_eq!(now(&store, "shop"), Some((1, Some(memory(0)))));
    });
}

#[test]
fn samples_of_two_nodes_count_once_while_their_pods_get_their_groups() {
    in_many_interleavings(3000, || {
        let store = Arc::new(Store::new(Settings::default()));
        let measuring = [("a", 1), ("b", 2)].map(|(name, number)| {
            let store = Arc::clone(&store);
            thread::spawn(move || (0..2).for_each(|tick| ingest(&store, name, tick, &[number])))
        });
        let both = [(key("kept"), GroupHistory::Kept), (key("summed"), GroupHistory::Summed)];
        store.join(&pod(1), &both);
        store.join(&pod(2), &group("elsewhere"));
        store.join(&pod(2), &both);
        for thread in measuring {
            thread.join().unwrap();
        }
        for name in ["kept", "summed"] {
            assert_eq!(sums(&store, name), expected(2, 2), "{name}");
            assert_eq!(now(&store, name), Some((2, Some(2 * memory(1)))), "{name}");
        }
        assert!(sums(&store, "elsewhere").is_empty());
    });
}

#[test]
fn the_groups_that_were_noted_last_are_those_that_a_pod_counts_in() {
    in_many_interleavings(3000, || {
        let store = Arc::new(Store::new(Settings::default()));
        ingest(&store, "a", 0, &[1]);
        let joining = ["one", "other"].map(|name| {
            let store = Arc::clone(&store);
            thread::spawn(move || store.join(&pod(1), &[(key(name), GroupHistory::Summed)]))
        });
        ingest(&store, "a", 1, &[1]);
        for thread in joining {
            thread.join().unwrap();
        }
        // Sums of now are kept where samples arrive, those of earlier ticks are of who is noted.
        let here = (Some((1, Some(memory(1)))), expected(1, 2));
        for name in ["one", "other"] {
            let found = (now(&store, name), sums(&store, name));
            let not_here = found.1.is_empty() && found.0.is_none_or(|now| now.0 == 0);
            assert!(found == here || not_here, "{name}: {found:?}");
        }
        assert_ne!(sums(&store, "one").is_empty(), sums(&store, "other").is_empty());
    });
}

#[test]
fn readers_see_all_of_a_nodes_tick_or_nothing_of_it() {
    in_many_interleavings(2000, || {
        let store = Arc::new(Store::new(Settings::default()));
        let pods = [1, 2, 3];
        for number in pods {
            store.join(&pod(number), &group("shop"));
        }
        ingest(&store, "a", 0, &pods);
        let measuring = thread::spawn({
            let store = Arc::clone(&store);
            move || (1..3).for_each(|tick| ingest(&store, "a", tick, &pods))
        });
        let looking = thread::spawn({
            let store = Arc::clone(&store);
            move || {
                let look = |view: &modelled_store::NodeView<'_>| {
                    let pods = view.series(EntityKind::Pod);
                    let seen: Vec<_> = pods
                        .map(|s| (s.last_at(), s.live(), s.value(Metric::MemoryWorkingSet)))
                        .collect();
                    assert_eq!(seen.len(), 3);
                    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
                    assert_eq!(seen[0].0, view.last_tick());
                };
                for _ in 0..3 {
                    store.node(&node("a"), look);
                }
            }
        });
        for _ in 0..3 {
            let seen = sums(&store, "shop");
            assert_eq!(seen, expected(3, i64::try_from(seen.len()).unwrap()));
        }
        measuring.join().unwrap();
        looking.join().unwrap();
        assert_eq!(sums(&store, "shop"), expected(3, 3));
    });
}

/// When all of it is older than the retention.
const MUCH_LATER: i64 = 5000;

#[test]
fn a_pod_that_moves_is_where_it_was_measured_last_and_counts_there_alone() {
    in_many_interleavings(2000, || {
        let store = Arc::new(Store::new(Settings::default()));
        store.join(&pod(1), &group("shop"));
        ingest(&store, "old", 0, &[1, 2]);
        let arriving = thread::spawn({
            let store = Arc::clone(&store);
            move || ingest(&store, "new", MUCH_LATER, &[1])
        });
        let sweeping = thread::spawn({
            let store = Arc::clone(&store);
            move || store.sweep(at(MUCH_LATER))
        });
        store.join(&pod(1), &group("market"));
        arriving.join().unwrap();
        sweeping.join().unwrap();
        store.sweep(at(MUCH_LATER));
        assert_eq!(store.nodes(), [node("new")]);
        assert_eq!(store.locate(&pod(1)), Some(node("new")));
        assert_eq!(numbers(&store, "new", 1), [MUCH_LATER]);
        assert_eq!(store.stats().series, 1);
        assert_eq!(now(&store, "market"), Some((1, Some(memory(MUCH_LATER)))));
        assert_eq!(store.groups(), [key("market")], "the one it left is forgotten");
    });
}

#[test]
fn a_pod_that_returns_while_it_is_forgotten_counts_once() {
    in_many_interleavings(3000, || {
        let store = Arc::new(Store::new(Settings::default()));
        store.join(&pod(1), &group("shop"));
        ingest(&store, "a", 0, &[1, 2]);
        let returning = thread::spawn({
            let store = Arc::clone(&store);
            move || ingest(&store, "a", MUCH_LATER, &[1])
        });
        let sweeping = thread::spawn({
            let store = Arc::clone(&store);
            move || store.sweep(at(MUCH_LATER))
        });
        store.join(&pod(1), &group("market"));
        returning.join().unwrap();
        sweeping.join().unwrap();
        store.sweep(at(MUCH_LATER));
        assert_eq!(now(&store, "market"), Some((1, Some(memory(MUCH_LATER)))));
        assert_eq!(numbers(&store, "a", 1).last(), Some(&MUCH_LATER));
        assert_eq!((store.stats().series, store.locate(&pod(1))), (1, Some(node("a"))));
    });
}

#[test]
fn a_nodes_first_tick_is_held_however_it_meets_a_sweep() {
    in_every_interleaving(|| {
        let store = Arc::new(Store::new(Settings { max_series: 1, ..Settings::default() }));
        let sweeping = thread::spawn({
            let store = Arc::clone(&store);
            move || store.sweep(UnixMillis(at(0).0))
        });
        ingest(&store, "a", 0, &[1]);
        sweeping.join().unwrap();
        assert_eq!(numbers(&store, "a", 1), [0]);
        // And the room it takes is given back when it is forgotten.
        store.sweep(at(MUCH_LATER));
        let receipt = store.ingest(&tick("b", MUCH_LATER, &[2]), at(MUCH_LATER)).unwrap();
        assert_eq!(receipt.refused_series, 0);
    });
}

#[test]
fn births_on_many_nodes_stay_within_the_limit_together() {
    in_many_interleavings(2000, || {
        let store = Arc::new(Store::new(Settings { max_series: 3, ..Settings::default() }));
        let births = [("a", [1, 2]), ("b", [3, 4])].map(|(name, pods)| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                store.ingest(&tick(name, 0, &pods), at(0)).unwrap().refused_series
            })
        });
        let refused: u64 = births.into_iter().map(|thread| thread.join().unwrap()).sum();
        let stats = store.stats();
        assert_eq!((stats.series, refused, stats.refused_series), (3, 1, 1));
    });
}
