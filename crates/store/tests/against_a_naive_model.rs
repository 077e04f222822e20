//! The store against a map of vectors, under random ticks, late data, restarts and membership.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{collections::BTreeMap, sync::Arc};

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{GroupHistory, GroupKey, Settings, Store, TimeRange};
use proptest::prelude::*;

const STEP: i64 = 5000;
const START: i64 = 1_700_000_000_000;

/// What a pod measured at one tick.
#[derive(Clone, Debug)]
struct Measured {
    cpu_grown: u64,
    memory: u64,
    rx_grown: u64,
    rx_present: bool,
    restarts: bool,
}

fn measured() -> impl Strategy<Value = Measured> {
    (
        prop_oneof![Just(0u64), 0u64..5_000_000_000],
        (0u64..1000).prop_map(|pages| pages * 4096),
        prop_oneof![Just(0u64), 0u64..1_000_000],
        prop::bool::weighted(0.95),
        prop::bool::weighted(0.03),
    )
        .prop_map(|(cpu_grown, memory, rx_grown, rx_present, restarts)| Measured {
            cpu_grown,
            memory,
            rx_grown,
            rx_present,
            restarts,
        })
}

/// Per tick and pod what it measured, or that it was not there.
fn history() -> impl Strategy<Value = Vec<Vec<Option<Measured>>>> {
    (1usize..4, 2usize..60).prop_flat_map(|(pods, ticks)| {
        let pod = prop::option::weighted(0.9, measured());
        prop::collection::vec(prop::collection::vec(pod, pods), ticks)
    })
}

fn pod_id(pod: usize) -> EntityId {
    EntityId::parse(&format!("00000000-0000-0000-0000-{pod:012}"))
}

/// What the kernel's counters say at each tick, with restarts.
struct Kernel {
    cpu: u64,
    rx: u64,
}

/// One row as sent: tick number, raw CPU counter, memory, raw network counter.
type Sent = (i64, u64, u64, Option<u64>);

fn as_sent(history: &[Vec<Option<Measured>>], pod: usize) -> Vec<Sent> {
    let mut kernel = Kernel { cpu: 1_000_000_000, rx: 500 };
    let mut sent = Vec::new();
    for (number, tick) in (0..).zip(history) {
        let Some(m) = &tick[pod] else { continue };
        if m.restarts {
            kernel = Kernel { cpu: 0, rx: 0 };
        }
        kernel.cpu += m.cpu_grown;
        kernel.rx += m.rx_grown;
        sent.push((number, kernel.cpu, m.memory, m.rx_present.then_some(kernel.rx)));
    }
    sent
}

fn tick(number: i64, rows: Vec<EntityRow>) -> Tick {
    Tick {
        node: "node-1".parse().unwrap(),
        instance: 7,
        sequence: number.unsigned_abs(),
        at: UnixMillis(START + number * STEP),
        read_delay_us: 0,
        interval_ms: STEP.unsigned_abs(),
        rows,
    }
}

fn pod_row(pod: usize, (_, cpu, memory, rx): Sent) -> EntityRow {
    let mut row = Row::new(EntityKind::Pod);
    row.set(Metric::CpuUsage, Some(cpu));
    row.set(Metric::MemoryWorkingSet, Some(memory));
    row.set(Metric::NetworkRxBytes, rx);
    EntityRow { id: pod_id(pod), parent: None, qos: None, newborn: false, row }
}

/// What a reader should see of a pod: time, unwrapped CPU, memory, unwrapped network, CPU increase.
type Seen = (i64, u64, u64, Option<u64>, Option<u64>);

fn expected(sent: &[Sent]) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    let (mut cpu_added, mut rx_added, mut rx_last) = (0, 0, 0);
    for &(number, cpu, memory, rx) in sent {
        let cpu_before = seen.last().map(|s| s.1);
        let mut increase = cpu_before.map(|before| (cpu + cpu_added).checked_sub(before));
        if let Some(None) = increase {
            cpu_added += cpu_before.unwrap() - (cpu + cpu_added);
            increase = Some(None);
        }
        if let Some(rx) = rx {
            rx_added += u64::saturating_sub(rx_last, rx + rx_added);
            rx_last = rx + rx_added;
        }
        seen.push((
            START + number * STEP,
            cpu + cpu_added,
            memory,
            rx.map(|rx| rx + rx_added),
            increase.flatten(),
        ));
    }
    seen
}

fn seen(store: &Store, pod: usize, range: TimeRange) -> Vec<Seen> {
    let node = "node-1".parse().unwrap();
    let read = |view: &kubemonitor_store::NodeView<'_>| {
        let Some(series) = view.find(EntityKind::Pod, &pod_id(pod)) else { return Vec::new() };
        let samples = series.window(range);
        samples
            .iter()
            .map(|s| {
                (
                    s.at.0,
                    s.row.get(Metric::CpuUsage).unwrap(),
                    s.row.get(Metric::MemoryWorkingSet).unwrap(),
                    s.row.get(Metric::NetworkRxBytes),
                    s.rates.increase(Metric::CpuUsage),
                )
            })
            .collect()
    };
    store.node(&node, read).unwrap_or_default()
}

fn everything() -> TimeRange {
    TimeRange { from: UnixMillis(0), to: UnixMillis(i64::MAX) }
}

/// Namespaces keep their history, workloads are summed: here a pod is in one of each.
fn memberships(name: &str) -> [(GroupKey, GroupHistory); 2] {
    [
        (Arc::from(format!("kept/{name}")), GroupHistory::Kept),
        (Arc::from(format!("summed/{name}")), GroupHistory::Summed),
    ]
}

fn fed(history: &[Vec<Option<Measured>>], order: &[usize]) -> Store {
    let store = Store::new(Settings::default());
    feed(&store, history, order);
    store
}

/// The numbers 0..n with some moved back by up to `reach` places.
fn shuffled(n: usize, delays: &[usize]) -> Vec<usize> {
    let mut order: Vec<(usize, usize)> =
        (0..n).map(|i| (i + delays.get(i).copied().unwrap_or(0), i)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, i)| i).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_window_shows_what_was_sent(history in history(), from in 0i64..60, length in 0i64..60) {
        let order: Vec<usize> = (0..history.len()).collect();
        let store = fed(&history, &order);
        let range = TimeRange {
            from: UnixMillis(START + from * STEP),
            to: UnixMillis(START + (from + length) * STEP),
        };
        for pod in 0..history[0].len() {
            let all = expected(&as_sent(&history, pod));
            prop_assert_eq!(seen(&store, pod, everything()), all.clone());
            let inside: Vec<_> =
                all.into_iter().filter(|s| range.contains(UnixMillis(s.0))).collect();
            prop_assert_eq!(seen(&store, pod, range), inside);
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_show(
        history in history(),
        delays in prop::collection::vec(prop_oneof![Just(0usize), 0usize..20], 60),
    ) {
        // Restarts seen out of order are told from late rows by nothing but luck: left out here.
        let mut history = history;
        for tick in &mut history {
            for m in tick.iter_mut().flatten() {
                m.restarts = false;
            }
        }
        let in_order: Vec<usize> = (0..history.len()).collect();
        let one = fed(&history, &in_order);
        let other = fed(&history, &shuffled(history.len(), &delays));
        for pod in 0..history[0].len() {
            prop_assert_eq!(seen(&one, pod, everything()), seen(&other, pod, everything()));
        }
    }

    #[test]
    fn a_frame_sent_twice_changes_nothing(history in history()) {
        let order: Vec<usize> = (0..history.len()).collect();
        let doubled: Vec<usize> = order.iter().flat_map(|&i| [i, i, i.saturating_sub(3)]).collect();
        let one = fed(&history, &order);
        let other = fed(&history, &doubled);
        for pod in 0..history[0].len() {
            prop_assert_eq!(seen(&one, pod, everything()), seen(&other, pod, everything()));
        }
        prop_assert!(other.stats().duplicate_ticks >= u64::try_from(history.len()).unwrap());
    }

    #[test]
    fn groups_are_the_same_however_membership_and_frames_arrive(
        history in history(),
        delays in prop::collection::vec(prop_oneof![4 => Just(0usize), 1 => 0usize..8], 60),
        detour in any::<bool>(),
        from in 0i64..60,
    ) {
        let mut history = history;
        for tick in &mut history {
            for m in tick.iter_mut().flatten() {
                m.restarts = false;
            }
        }
        let (here, elsewhere) = (memberships("shop"), memberships("other"));
        let pods = history[0].len();
        // Membership known from the start, everything in order.
        let plain = Store::new(Settings::default());
        for pod in 0..pods {
            plain.join(&pod_id(pod), &here);
        }
        let order: Vec<usize> = (0..history.len()).collect();
        feed(&plain, &history, &order);
        // Frames out of order, membership late and perhaps wrong at first.
        let other = Store::new(Settings::default());
        feed(&other, &history, &shuffled(history.len(), &delays));
        for pod in 0..pods {
            if detour {
                other.join(&pod_id(pod), &elsewhere);
            }
            other.join(&pod_id(pod), &here);
        }
        if history.iter().any(|tick| tick.iter().any(Option::is_some)) {
            let windows = |store: &Store| {
                let range = TimeRange { from: UnixMillis(START + from * STEP), ..everything() };
                here.clone().map(|(key, _)| store.group_window(&key, range))
            };
            let [kept, summed] = windows(&plain);
            prop_assert_eq!(&kept, &summed);
            prop_assert_eq!(windows(&other), [kept.clone(), kept]);
            let totals = |store: &Store| {
                store.group(&here[0].0).map(|group| group.traffic.map(|t| t.total_bytes))
            };
            prop_assert_eq!(totals(&plain), totals(&other));
        }
        for (key, _) in &elsewhere {
            prop_assert!(other.group_window(key, everything()).is_empty());
        }
    }

    #[test]
    fn a_groups_total_is_what_its_pods_counted_and_never_falls(history in history()) {
        let store = Store::new(Settings::default());
        let groups = memberships("shop");
        let key = Arc::clone(&groups[0].0);
        for pod in 0..history[0].len() {
            store.join(&pod_id(pod), &groups);
        }
        let order: Vec<usize> = (0..history.len()).collect();
        feed(&store, &history, &order);
        let counted: u64 = (0..history[0].len())
            .filter_map(|pod| expected(&as_sent(&history, pod)).iter().filter_map(|s| s.3).next_back())
            .sum();
        let any = (0..history[0].len())
            .any(|pod| expected(&as_sent(&history, pod)).iter().any(|s| s.3.is_some()));
        let Some(group) = store.group(&key) else { return Ok(()) };
        let total = group.traffic(Metric::NetworkRxBytes).unwrap().total_bytes;
        if any {
            prop_assert_eq!(total, Some(counted));
        }
        let totals: Vec<u64> = store
            .group_window(&key, everything())
            .iter()
            .filter_map(|g| g.traffic(Metric::NetworkRxBytes)?.total_bytes)
            .collect();
        prop_assert!(totals.is_sorted(), "{:?}", totals);
    }
}

fn feed(store: &Store, history: &[Vec<Option<Measured>>], order: &[usize]) {
    let pods = history[0].len();
    let sent: Vec<BTreeMap<i64, Sent>> = (0..pods)
        .map(|pod| as_sent(history, pod).into_iter().map(|s| (s.0, s)).collect())
        .collect();
    for &number in order {
        let number = i64::try_from(number).unwrap();
        let rows =
            (0..pods).filter_map(|pod| Some(pod_row(pod, *sent[pod].get(&number)?))).collect();
        // What comes late comes now.
        let tick = tick(number, rows);
        store.ingest(&tick, store.newest().map_or(tick.at, |newest| newest.max(tick.at))).unwrap();
    }
}
