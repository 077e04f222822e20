//! A store on disk against maps of what was sent: ticks, late ones, nodes that change their names,
//! jumps of time long enough for blocks, and processes that end in each of the ways there are.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, NodeName, Row, Tick, UnixMillis};
use kubemonitor_store::{
    DiskSettings, Fsync, GroupHistory, GroupSample, IngestError, Settings, Store, TimeRange,
};
use proptest::prelude::*;

use crate::support::copy_folder;

const STEP: i64 = 5000;
const START: i64 = 1_700_000_000_000;
const LATE_LIMIT: i64 = 600_000;
const PODS: usize = 3;
const NAMES: [&str; 3] = ["node-1", "node-2", "node-3"];

#[derive(Clone, Debug)]
enum Event {
    /// So many steps later there is a tick of these pods; the first one is always there.
    Tick {
        steps: i64,
        pods: [bool; PODS],
        delay_us: i64,
    },
    /// A tick that is held up on its way.
    HeldUp {
        steps: i64,
        pods: [bool; PODS],
        delay_us: i64,
    },
    /// One that was held up arrives.
    Arrives(prop::sample::Index),
    /// One that was sent is sent again.
    Again(prop::sample::Index),
    /// The node has another name from here on.
    Rename(usize),
    Sweep,
    /// Somebody looks at a part of the history.
    Look {
        from: i64,
        length: i64,
    },
    End(End),
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// All of it goes into blocks.
    Closed,
    /// What waits is written to the journal.
    Dropped,
    /// The folder is left as it is.
    Killed,
}

fn event() -> impl Strategy<Value = Event> {
    // Blocks are written after five minutes at the latest.
    let steps = || prop_oneof![20 => 1i64..4, 2 => 10i64..130, 1 => 180i64..260];
    let pods = || any::<[bool; PODS]>().prop_map(|[_, rest @ ..]| [true, rest[0], rest[1]]);
    let tick = || (steps(), pods(), 0i64..3000);
    prop_oneof![
        16 => tick().prop_map(|(steps, pods, delay_us)| Event::Tick { steps, pods, delay_us }),
        3 => tick().prop_map(|(steps, pods, delay_us)| Event::HeldUp { steps, pods, delay_us }),
        3 => any::<prop::sample::Index>().prop_map(Event::Arrives),
        1 => any::<prop::sample::Index>().prop_map(Event::Again),
        1 => (0..NAMES.len()).prop_map(Event::Rename),
        2 => Just(Event::Sweep),
        3 => (0i64..300, 0i64..200).prop_map(|(from, length)| Event::Look { from, length }),
        2 => prop_oneof![Just(End::Closed), Just(End::Dropped), Just(End::Killed)]
            .prop_map(Event::End),
    ]
}

/// What pods measure at a tick. Counters grow with time, and one of them is not always there.
fn cpu(pod: usize, number: i64) -> u64 {
    (number * 1_000_003 + number % 7 * 1000).unsigned_abs() * (pod as u64 + 1)
}

fn memory(pod: usize, number: i64) -> u64 {
    (number * number % 1013).unsigned_abs() * 4096 + pod as u64
}

fn received(pod: usize, number: i64) -> Option<u64> {
    (number.unsigned_abs() + pod as u64).rem_euclid(5).ne(&0).then(|| cpu(pod, number) / 3)
}

fn pod_id(pod: usize) -> EntityId {
    EntityId::parse(&format!("00000000-0000-0000-0000-{pod:012}"))
}

/// A tick on its way.
#[derive(Clone, Debug)]
struct Sent {
    name: &'static str,
    number: i64,
    pods: [bool; PODS],
    delay_us: i64,
}

impl Sent {
    fn tick(&self) -> Tick {
        let number = self.number;
        let there = (0..PODS).filter(|&pod| self.pods[pod]);
        let rows = there.map(|pod| {
            let mut row = Row::new(EntityKind::Pod);
            row.set(Metric::CpuUsage, Some(cpu(pod, number)));
            row.set(Metric::MemoryWorkingSet, Some(memory(pod, number)));
            row.set(Metric::NetworkRxBytes, received(pod, number));
            EntityRow { id: pod_id(pod), parent: None, qos: None, newborn: false, row }
        });
        Tick {
            node: self.name.parse().unwrap(),
            instance: 1,
            sequence: number.unsigned_abs(),
            at: at(number),
            read_delay_us: self.delay_us,
            interval_ms: STEP.unsigned_abs(),
            rows: rows.collect(),
        }
    }
}

fn at(number: i64) -> UnixMillis {
    UnixMillis(START + number * STEP)
}

/// What a reader sees of a pod at a tick: number, CPU, memory, network, microseconds since the
/// sample before, and what CPU and network grew by since then.
type Seen = (i64, u64, u64, Option<u64>, u64, Option<u64>, Option<u64>);

/// What each node was sent, by the number of the tick.
#[derive(Default)]
struct Naive(BTreeMap<&'static str, BTreeMap<i64, Sent>>);

impl Naive {
    /// What becomes of a tick: samples, and whether it was there; `None` when it is too late.
    fn take(&mut self, sent: &Sent) -> Option<(u64, bool)> {
        let node = self.0.entry(sent.name).or_default();
        if node.contains_key(&sent.number) {
            return Some((0, true));
        }
        let newest = node.last_key_value().map(|(&number, _)| number);
        if newest.is_some_and(|newest| (newest - sent.number) * STEP > LATE_LIMIT) {
            return None;
        }
        node.insert(sent.number, sent.clone());
        let rows = sent.tick().rows;
        Some((rows.iter().map(|row| u64::from(row.row.present().count_ones())).sum(), false))
    }

    fn seen(&self, name: &str, pod: usize) -> Vec<Seen> {
        let node = self.0.get(name).into_iter().flat_map(BTreeMap::values);
        let sent: Vec<_> = node.filter(|sent| sent.pods[pod]).collect();
        let before = std::iter::once(None).chain(sent.iter().map(Some));
        let seen = before.zip(&sent).map(|(before, sent)| {
            let number = sent.number;
            let (cpu_now, received_now) = (cpu(pod, number), received(pod, number));
            let elapsed_us = before.map_or(0, |before| {
                let nominal = (number - before.number) * STEP * 1000;
                (nominal + sent.delay_us - before.delay_us).unsigned_abs()
            });
            let grown = before.map(|before| cpu_now - cpu(pod, before.number));
            let flown = before
                .and_then(|before| received(pod, before.number))
                .zip(received_now)
                .map(|(before, now)| now - before);
            (number, cpu_now, memory(pod, number), received_now, elapsed_us, grown, flown)
        });
        seen.collect()
    }

    /// Where a pod was measured last.
    fn place(&self, pod: usize) -> Option<&'static str> {
        let last = |ticks: &BTreeMap<i64, Sent>| {
            ticks.values().filter(|sent| sent.pods[pod]).map(|sent| sent.number).max()
        };
        let known = self.0.iter().filter_map(|(&name, ticks)| Some((last(ticks)?, name)));
        known.max().map(|(_, name)| name)
    }
}

struct Process {
    folder: tempfile::TempDir,
    store: Store,
}

impl Process {
    fn begun(folder: tempfile::TempDir) -> Self {
        let (fsync, folder_path) = (Fsync::Always, folder.path().to_owned());
        let disk = DiskSettings { folder: folder_path, fsync, max_bytes: None };
        let settings = Settings {
            retention: Duration::from_secs(3 * 86_400),
            late_limit: Duration::from_millis(LATE_LIMIT.unsigned_abs()),
            ..Settings::default()
        };
        let (store, _) = Store::open(settings, &disk).unwrap();
        for pod in 0..PODS {
            let groups = [("kept", GroupHistory::Kept), ("summed", GroupHistory::Summed)];
            store.join(&pod_id(pod), &groups.map(|(key, history)| (Arc::from(key), history)));
        }
        Self { folder, store }
    }

    /// Another process finds what this one left.
    fn followed(self, end: End) -> Self {
        let Self { folder, store } = self;
        let next = match end {
            End::Killed => {
                let copy = tempfile::tempdir().unwrap();
                copy_folder(folder.path(), copy.path());
                copy
            }
            End::Closed => {
                store.close();
                folder
            }
            End::Dropped => folder,
        };
        drop(store);
        Self::begun(next)
    }

    fn seen(&self, name: &str, pod: usize, range: TimeRange) -> Vec<Seen> {
        let look = |view: &kubemonitor_store::NodeView<'_>| {
            let series = view.find(EntityKind::Pod, &pod_id(pod))?;
            let samples = series.window(range);
            if range == TimeRange::ALL {
                assert_eq!(samples.last(), Some(&series.latest()));
            }
            Some(samples)
        };
        let samples = self.store.node(&name.parse().unwrap(), look).flatten().unwrap_or_default();
        let seen = samples.iter().map(|sample| {
            (
                sample.at.since(at(0)) / STEP,
                sample.row.get(Metric::CpuUsage).unwrap(),
                sample.row.get(Metric::MemoryWorkingSet).unwrap(),
                sample.row.get(Metric::NetworkRxBytes),
                sample.rates.elapsed_us(Metric::CpuUsage),
                sample.rates.increase(Metric::CpuUsage),
                sample.rates.increase(Metric::NetworkRxBytes),
            )
        });
        seen.collect()
    }

    fn sums(&self) -> [Vec<GroupSample>; 2] {
        ["kept", "summed"].map(|key| self.store.group_window(key, TimeRange::ALL))
    }
}

fn send(process: &Process, naive: &mut Naive, sent: &Sent, now: i64) -> Result<(), TestCaseError> {
    let receipt = process.store.ingest(&sent.tick(), at(now));
    match naive.take(sent) {
        Some(taken) => {
            let receipt = receipt.unwrap();
            prop_assert_eq!((receipt.samples, receipt.duplicate), taken, "{:?}", sent);
        }
        None => prop_assert!(matches!(receipt, Err(IngestError::TooLate { .. })), "{:?}", sent),
    }
    Ok(())
}

fn compare(process: &Process, naive: &Naive, from: i64, to: i64) -> Result<(), TestCaseError> {
    for name in NAMES {
        for pod in 0..PODS {
            let mut wanted = naive.seen(name, pod);
            prop_assert_eq!(process.seen(name, pod, TimeRange::ALL), wanted.clone());
            wanted.retain(|seen| (from..=to).contains(&seen.0));
            let range = TimeRange { from: at(from), to: at(to) };
            prop_assert_eq!(process.seen(name, pod, range), wanted);
        }
    }
    for pod in 0..PODS {
        let place = process.store.locate(&pod_id(pod));
        prop_assert_eq!(place.as_ref().map(NodeName::as_str), naive.place(pod));
    }
    let [kept, summed] = process.sums();
    same_sums(&kept, &summed, "kept and summed")
}

fn same_sums(one: &[GroupSample], other: &[GroupSample], what: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.len(), other.len(), "{}", what);
    for (one, other) in one.iter().zip(other) {
        prop_assert_eq!(one, other, "{}", what);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_happens_a_reader_sees_what_was_sent(
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut process = Process::begun(tempfile::tempdir().unwrap());
        let (mut naive, mut number, mut name) = (Naive::default(), 0, NAMES[0]);
        let (mut held_up, mut arrived) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                Event::Tick { steps, pods, delay_us } => {
                    number += steps;
                    let sent = Sent { name, number, pods, delay_us };
                    send(&process, &mut naive, &sent, number)?;
                    arrived.push(sent);
                }
                Event::HeldUp { steps, pods, delay_us } => {
                    number += steps;
                    held_up.push(Sent { name, number, pods, delay_us });
                }
                Event::Arrives(which) if !held_up.is_empty() => {
                    let sent = held_up.swap_remove(which.index(held_up.len()));
                    send(&process, &mut naive, &sent, number)?;
                    arrived.push(sent);
                }
                Event::Again(which) if !arrived.is_empty() => {
                    send(&process, &mut naive, which.get(&arrived), number)?;
                }
                Event::Arrives(_) | Event::Again(_) => {}
                Event::Rename(to) => name = NAMES[to],
                Event::Sweep => process.store.sweep(at(number)),
                Event::Look { from, length } => compare(&process, &naive, from, from + length)?,
                Event::End(end) => {
                    let before = process.sums();
                    process = process.followed(end);
                    for (before, after) in before.iter().zip(&process.sums()) {
                        same_sums(before, after, &format!("before and after {end:?}"))?;
                    }
                    compare(&process, &naive, 0, number)?;
                }
            }
        }
        compare(&process, &naive, number / 3, number)?;
    }
}
