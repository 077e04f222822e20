//! Counters that rows lack now and then, and late rows that have them: totals of groups stay exact.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::sync::Arc;

use kubemonitor_model::{EntityKind, Metric, Row};
use kubemonitor_store::{GroupHistory, Settings, Store, TimeRange};

use crate::support::{STEP, at, pod, tick_of};

/// The pod has received a hundred bytes a tick, where its counter can be read.
fn ingest(store: &Store, number: i64, is_known: bool) {
    let mut row = Row::new(EntityKind::Pod);
    row.set(Metric::MemoryWorkingSet, Some(4096));
    row.set(Metric::NetworkRxBytes, is_known.then_some(received(number)));
    let tick = tick_of("node-1", number, [(1, row)]);
    store.ingest(&tick, at(1000)).unwrap();
}

fn received(number: i64) -> u64 {
    number.unsigned_abs() * 100
}

fn store() -> Store {
    let store = Store::new(Settings::default());
    let groups = [("kept", GroupHistory::Kept), ("summed", GroupHistory::Summed)];
    store.join(&pod(1), &groups.map(|(key, history)| (Arc::from(key), history)));
    store
}

/// The total at each tick of `range`, which is that of both histories.
fn totals(store: &Store, range: TimeRange) -> Vec<(i64, u64)> {
    let [kept, summed] = ["kept", "summed"].map(|key| {
        let total = |sum: &kubemonitor_store::GroupSample| {
            let total = sum.traffic(Metric::NetworkRxBytes).unwrap().total_bytes;
            (sum.at.since(at(0)) / STEP, total.unwrap())
        };
        store.group_window(key, range).iter().map(total).collect::<Vec<_>>()
    });
    assert_eq!(kept, summed);
    kept
}

#[test]
fn a_late_row_before_one_that_lacks_the_counter_is_not_counted_twice() {
    let store = store();
    for (number, is_known) in [(1, true), (3, false), (4, false), (5, true), (2, true)] {
        ingest(&store, number, is_known);
    }
    let wanted: Vec<_> =
        [1, 2, 2, 2, 5].map(received).into_iter().zip(1..).map(|(t, n)| (n, t)).collect();
    assert_eq!(totals(&store, TimeRange::ALL), wanted);
    let now = store.group("kept").unwrap().traffic(Metric::NetworkRxBytes).unwrap();
    assert_eq!(now.total_bytes, Some(received(5)));
}

#[test]
fn a_late_row_that_lacks_the_counter_has_not_forgotten_what_it_was() {
    let store = store();
    for (number, is_known) in [(1, true), (2, false), (4, true), (3, false)] {
        ingest(&store, number, is_known);
    }
    let wanted = [(1, received(1)), (2, received(1)), (3, received(1)), (4, received(4))];
    assert_eq!(totals(&store, TimeRange::ALL), wanted);
}

#[test]
fn a_chunk_that_begins_without_the_counter_does_not_begin_at_nothing() {
    // Chunks have 180 rows; the second one begins with a row that lacks the counter.
    let store = store();
    let late = 182;
    for number in (1..=190).filter(|&number| number != late) {
        ingest(&store, number, number != 181);
    }
    let known = |number| received(if number == 181 { 180 } else { number });
    let range = TimeRange { from: at(182), to: at(190) };
    let without_late =
        |number| if number == late { (183, received(183)) } else { (number, known(number)) };
    let wanted: Vec<_> = (183..=190).map(without_late).collect();
    let before = totals(&store, range);
    assert_eq!(before[before.len() - wanted.len()..], wanted);
    ingest(&store, late, true);
    let wanted: Vec<_> = (1..=190).map(|number| (number, known(number))).collect();
    assert_eq!(totals(&store, TimeRange::ALL), wanted);
}
