//! What fleets promise.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use kubemonitor_model::{EntityId, EntityKind, Metric, MetricKind, Tick, UnixMillis};

use super::*;

/// Ten minutes of a small fleet's ticks whose pods live for five.
fn ticks(seed: u64) -> Vec<Tick> {
    let shape = Shape {
        nodes: 4,
        pods: 10,
        legacy_percent: 50,
        pod_lifetime: Duration::from_secs(300),
        seed,
        ..Shape::default()
    };
    let mut fleet = Fleet::new(shape).unwrap();
    let mut ticks = Vec::new();
    for number in 0..120 {
        for node in fleet.nodes() {
            let mut tick = empty_tick();
            node.measure(UnixMillis(number * 5000), &mut tick);
            ticks.push(tick);
        }
    }
    ticks
}

#[test]
fn a_seed_says_all() {
    assert_eq!(ticks(7), ticks(7));
    assert_ne!(ticks(7)[0].rows[0].row, ticks(8)[0].rows[0].row);
}

#[test]
fn a_node_does_not_depend_on_the_others() {
    let mut fleet = Fleet::new(Shape { nodes: 4, pods: 10, ..Shape::default() }).unwrap();
    let mut alone = Fleet::new(Shape { nodes: 4, pods: 10, ..Shape::default() }).unwrap();
    let (mut tick, mut lone_tick) = (empty_tick(), empty_tick());
    for number in 0..3 {
        let at = UnixMillis(number * 5000);
        fleet.nodes().iter_mut().for_each(|node| node.measure(at, &mut tick));
        alone.nodes()[3].measure(at, &mut lone_tick);
        assert_eq!(tick, lone_tick);
    }
}

#[test]
fn frames_carry_every_tick() {
    for tick in ticks(1) {
        let mut bytes = Vec::new();
        kubemonitor_frame::encode(&tick, &mut bytes);
        let read = kubemonitor_frame::decode(&bytes).unwrap();
        assert_eq!((read.sequence, read.rows.len()), (tick.sequence, tick.rows.len()));
    }
}

#[test]
fn counters_never_fall_and_newborns_are_those_that_were_not_there() {
    let mut newest = HashMap::<(EntityKind, EntityId), _>::new();
    for tick in ticks(3) {
        for entity in &tick.rows {
            let kind = entity.row.kind();
            let key = (kind, entity.id.clone());
            let Some(before) = newest.insert(key, entity.row.clone()) else {
                assert_eq!(entity.newborn, tick.at > UnixMillis(0), "{}", entity.id);
                continue;
            };
            assert!(!entity.newborn);
            for &metric in kind.metrics() {
                if metric.kind() == MetricKind::Counter {
                    assert!(entity.row.get(metric) >= before.get(metric), "{}", metric.name());
                }
            }
        }
    }
    let pods = newest.keys().filter(|(kind, _)| *kind == EntityKind::Pod).count();
    assert!((60..200).contains(&pods), "{pods} pods were there in two lifetimes of 40");
}

#[test]
fn a_pod_is_at_least_what_its_containers_are() {
    for tick in ticks(5) {
        let pods = tick.rows.iter().enumerate().filter(|(_, e)| e.row.kind() == EntityKind::Pod);
        for (place, pod) in pods {
            let is_part = |entity: &&kubemonitor_model::EntityRow| {
                entity.parent.is_some_and(|parent| parent as usize == place)
            };
            for metric in [Metric::MemoryUsage, Metric::Pids, Metric::DiskWriteBytes] {
                let parts = tick.rows.iter().filter(is_part);
                let sum: u64 = parts.map(|part| part.row.get(metric).unwrap()).sum();
                assert!(pod.row.get(metric) >= Some(sum));
            }
        }
    }
}

#[test]
fn values_are_as_coarse_as_the_kernels() {
    for tick in ticks(9) {
        let row =
            |kind| tick.rows.iter().map(|entity| &entity.row).filter(move |r| r.kind() == kind);
        let is_v2 = |row: &kubemonitor_model::Row| row.get(Metric::CpuPsiSome).is_some();
        for container in row(EntityKind::Container) {
            assert_eq!(container.get(Metric::MemoryUsage).unwrap() % 4096, 0);
            let times = [Metric::CpuUsage, Metric::CpuUser].map(|m| container.get(m).unwrap());
            if is_v2(container) {
                assert_eq!(times.map(|ns| ns % 1000), [0, 0]);
            } else {
                assert_eq!(times[1] % 10_000_000, 0);
            }
        }
        for node in row(EntityKind::Node) {
            assert_eq!(node.get(Metric::CpuUsage).unwrap() % 10_000_000, 0);
            assert!(node.get(Metric::MemoryWorkingSet) < node.get(Metric::MemoryTotal));
            assert!(node.present().count_ones() >= 40);
        }
    }
}

#[test]
fn most_containers_are_idle_and_few_work() {
    let ticks = ticks(11);
    let (mut still, mut all) = (0, 0);
    let mut cpu = HashMap::new();
    for tick in &ticks {
        for entity in tick.rows.iter().filter(|entity| entity.row.kind() == EntityKind::Container) {
            let used = entity.row.get(Metric::CpuUsage).unwrap();
            if let Some(before) = cpu.insert(entity.id.clone(), used) {
                still += u32::from(used == before);
                all += 1;
            }
        }
    }
    let percent = 100 * still / all;
    assert!((35..75).contains(&percent), "{percent} % of containers used no CPU in a tick");
}

#[test]
fn nodes_say_which_pods_began() {
    let shape = Shape { nodes: 1, pod_lifetime: Duration::from_secs(60), ..Shape::default() };
    let mut fleet = Fleet::new(shape).unwrap();
    let mut tick = empty_tick();
    let mut born = HashSet::new();
    for number in 0..24 {
        let node = &mut fleet.nodes()[0];
        node.measure(UnixMillis(number * 5000), &mut tick);
        let newborn = tick.rows.iter().filter(|e| e.newborn && e.row.kind() == EntityKind::Pod);
        let newborn: Vec<_> = newborn.map(|entity| entity.id.clone()).collect();
        let told: Vec<_> =
            node.born().iter().map(|&place| PodSpec::of(&shape, place).uid).collect();
        assert_eq!(newborn, told);
        born.extend(told);
    }
    assert!(born.len() > 20, "{} of 30 pods with a life of a minute ended in two", born.len());
}
