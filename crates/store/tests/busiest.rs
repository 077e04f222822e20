//! The busiest pods against sorting all of them.

#![expect(clippy::unwrap_used, reason = "a test may")]

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{Settings, Store, Usage};
use proptest::prelude::*;

const START: i64 = 1_700_000_000_000;

fn pod(node: usize, number: usize) -> EntityId {
    EntityId::parse(&format!("00000000-0000-0000-{node:04}-{number:012}"))
}

/// A tick of pods that have each used so much CPU time, or were not measured.
fn tick(node: usize, number: i64, cpu: &[Option<u64>]) -> Tick {
    let row = |(place, cpu): (usize, &Option<u64>)| {
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::CpuUsage, *cpu);
        let id = pod(node, place);
        EntityRow { id, parent: None, qos: None, newborn: false, row }
    };
    Tick {
        node: format!("node-{node}").parse().unwrap(),
        instance: 1,
        sequence: number.unsigned_abs(),
        at: UnixMillis(START + number * 5000),
        read_delay_us: 0,
        interval_ms: 5000,
        rows: cpu.iter().enumerate().map(row).collect(),
    }
}

proptest! {
    #[test]
    fn they_are_those_that_sorting_finds(
        nodes in prop::collection::vec(
            prop::collection::vec(prop::option::weighted(0.8, 0u64..6), 0..8), 1..6),
        silent in any::<prop::sample::Index>(),
        count in 0usize..30,
    ) {
        let store = Store::new(Settings::default());
        let silent = silent.index(nodes.len());
        for (node, used) in nodes.iter().enumerate() {
            let nothing: Vec<_> = used.iter().map(|used| used.map(|_| 0)).collect();
            let used: Vec<_> = used.iter().map(|used| used.map(|used| used * 1_000_000)).collect();
            for (number, cpu) in [(0, &nothing), (1, &used)] {
                let tick = tick(node, number, cpu);
                store.ingest(&tick, tick.at).unwrap();
            }
        }
        for (node, _) in nodes.iter().enumerate().filter(|(node, _)| *node != silent) {
            let tick = tick(node, 20, &nodes[node].iter().map(|u| u.map(|u| u * 21_000_000)).collect::<Vec<_>>());
            store.ingest(&tick, tick.at).unwrap();
        }
        store.sweep(UnixMillis(START + 100_000));
        let known = |(node, used): (usize, &Vec<Option<u64>>)| {
            let used = used.iter().enumerate().filter_map(|(place, used)| Some((place, (*used)?)));
            used.map(move |(place, used)| (used, pod(node, place))).collect::<Vec<_>>()
        };
        let heard = nodes.iter().enumerate().filter(|(node, _)| *node != silent);
        let mut all: Vec<_> = heard.flat_map(known).collect();
        all.sort_by(|a, b| b.cmp(a));
        let least = if count == 0 { None } else { all.get(count - 1).map(|(used, _)| *used) };
        let mut wanted: Vec<_> = all
            .iter()
            .filter(|(used, _)| least.is_none_or(|least| *used >= least))
            .map(|(_, pod)| pod.clone())
            .collect();
        let busiest = store.busiest_pods(Usage::Cpu, count);
        let mut found: Vec<_> = busiest.pods.into_iter().map(|(_, pod)| pod).collect();
        wanted.sort();
        found.sort();
        prop_assert_eq!(found, wanted);
        prop_assert_eq!(busiest.is_all, all.len() <= count);
    }
}
