//! The store under a scheduler that decides, at every lock, who goes on: interleavings that threads
//! of the system would show once in a million runs.
//!
//! A test that fails prints the schedule that made it fail; `shuttle::replay` goes through that one
//! again. `SHUTTLE_RANDOM_SEED` tries others.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod disk;
mod memory;
#[path = "../../../tests/support/mod.rs"]
mod support;

use kubemonitor_model::{EntityKind, Metric, NodeName, Row, Tick, UnixMillis};
use modelled_store::{Store, TimeRange};
use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{DfsScheduler, PctScheduler, RandomScheduler},
};

use crate::support::{START, STEP, at, pod, tick_of};

const SEED: u64 = 11;

fn config() -> Config {
    let mut config = Config::new();
    // A row of a tick takes more of the stack than the default has.
    config.stack_size = 1 << 20;
    // A thread that waits for what never comes is a failure.
    config.max_steps = MaxSteps::FailAfter(200_000);
    config
}

/// Runs `threads` in so many interleavings that chance picks: half of them evenly, and half of them
/// with a few switches that are far apart.
fn in_many_interleavings(count: usize, threads: impl Fn() + Send + Sync + Clone + 'static) {
    let evenly = RandomScheduler::new_from_seed(seed(), count / 2);
    Runner::new(evenly, config()).run(threads.clone());
    with_few_switches(count / 2, threads);
}

/// Runs `threads` in so many interleavings in which each goes on for long: what one does between two
/// locks of another.
fn with_few_switches(count: usize, threads: impl Fn() + Send + Sync + 'static) {
    let seldom = PctScheduler::new_from_seed(seed(), 3, count);
    Runner::new(seldom, config()).run(threads);
}

fn seed() -> u64 {
    let seed = std::env::var("SHUTTLE_RANDOM_SEED");
    seed.ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED)
}

/// Runs `threads` in every interleaving there is.
fn in_every_interleaving(threads: impl Fn() + Send + Sync + 'static) {
    let count = Runner::new(DfsScheduler::new(None, false), config()).run(threads);
    assert!(count > 100, "{count} are not many: is anything shared at all?");
    eprintln!("{count} interleavings");
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

/// A tick of `pods` that each have `memory(number)` and have sent `sent(number)` bytes.
fn tick(name: &str, number: i64, pods: &[usize]) -> Tick {
    let rows = pods.iter().map(|&p| {
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::MemoryWorkingSet, Some(memory(number)));
        row.set(Metric::NetworkTxBytes, Some(sent(number)));
        (p, row)
    });
    tick_of(name, number, rows)
}

fn memory(number: i64) -> u64 {
    (number.unsigned_abs() + 1) * 4096
}

fn sent(number: i64) -> u64 {
    (number.unsigned_abs() + 1) * 10
}

fn ingest(store: &Store, name: &str, number: i64, pods: &[usize]) {
    store.ingest(&tick(name, number, pods), at(number)).unwrap();
}

/// The numbers of the ticks that a node holds of a pod.
fn numbers(store: &Store, name: &str, number: usize) -> Vec<i64> {
    let window = store.node(&node(name), |view| {
        Some(view.find(EntityKind::Pod, &pod(number))?.window(TimeRange::ALL))
    });
    let samples = window.flatten().unwrap_or_default();
    samples.iter().map(|sample| sample.at.since(UnixMillis(START)) / STEP).collect()
}
