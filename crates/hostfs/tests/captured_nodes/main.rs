//! Two real nodes, one of each cgroup version, come out as their kubelets said at that moment.

#[cfg(test)]
mod capture;

use capture::{CapturedNode, cpu_ns, kubelets_cpu_ns, kubelets_working_set, seconds};
use kubemonitor_model::EntityKind;

const V1: &str = "node-cgroup-v1-cgroupfs";
const V2: &str = "node-cgroup-v2-systemd";

/// Rates in thousandths of a CPU: within 10 %, or 5.
fn is_close(ours: f64, kubelets: f64) -> bool {
    (ours - kubelets).abs() <= f64::max(0.1 * kubelets, 5.0)
}

#[test]
fn a_node_tells_how_its_cgroups_are_made() {
    assert_eq!(CapturedNode::unpack(V1).before.cgroups, ("v1", Some("cgroupfs")));
    assert_eq!(CapturedNode::unpack(V2).before.cgroups, ("v2", Some("systemd")));
}

#[test]
fn cpu_rates_are_kubelets() {
    for node in [V1, V2].map(CapturedNode::unpack) {
        for one in node.pods_and_containers() {
            let ours = (cpu_ns(one.read[1]) - cpu_ns(one.read[0])) / node.seconds() / 1e6;
            // Kubelet's own rate, over some 10 s until then.
            let rate = one.said[1]["cpu"]["usageNanoCores"].as_f64().unwrap() / 1e6;
            assert!(is_close(ours, rate), "{}: {ours} against {rate}", one.name);
            // And from its counters at both moments, unless it read them just once.
            let [before, after] = one.said.map(kubelets_cpu_ns);
            if before.0 < after.0 {
                let rate = (after.1 - before.1) / seconds(before.0, after.0) / 1e6;
                assert!(is_close(ours, rate), "{}: {ours} against {rate}", one.name);
            }
        }
    }
}

#[test]
fn cpu_counters_of_what_idles_are_kubelets_to_the_nanosecond() {
    for node in [V1, V2].map(CapturedNode::unpack) {
        let mut idle = 0;
        for one in node.pods_and_containers() {
            if one.read[0].cpu_usage_ns == one.read[1].cpu_usage_ns {
                let kubelets = kubelets_cpu_ns(one.said[1]).1;
                assert!((cpu_ns(one.read[1]) - kubelets).abs() < 1.0, "{}", one.name);
                idle += 1;
            }
        }
        assert!(idle >= 5, "only {idle} idled");
    }
}

#[test]
fn working_sets_are_kubelets() {
    /// The kernel charges a cgroup in batches of 64 pages for each CPU, so that what runs moves by
    /// as much from one moment to the next.
    const BATCH: u64 = 64 * 4096;
    for node in [V1, V2].map(CapturedNode::unpack) {
        for one in node.pods_and_containers() {
            let ours = one.read.map(|reading| reading.memory_working_set.unwrap());
            let kubelets = one.said.map(kubelets_working_set);
            let idle = one.read[0].cpu_usage_ns == one.read[1].cpu_usage_ns;
            let changed = ours[0].abs_diff(ours[1]) + kubelets[0].abs_diff(kubelets[1]);
            let allowed = if idle { 0 } else { changed + BATCH };
            for (ours, kubelets) in ours.into_iter().zip(kubelets) {
                let name = &one.name;
                assert!(ours.abs_diff(kubelets) <= allowed, "{name}: {ours} against {kubelets}");
            }
        }
    }
}

#[test]
fn the_node_is_kubelets() {
    for node in [V1, V2].map(CapturedNode::unpack) {
        let [before, after] = [&node.before, &node.after];
        let used = cpu_ns(&after.node.root) - cpu_ns(&before.node.root);
        let rate = used / node.seconds();
        // Its load was not steady, so compare the counters themselves: ours at the moment kubelet
        // read its own. Its clock shows whole seconds, and copying the files took some more.
        let (at, kubelets) = kubelets_cpu_ns(&after.summary["node"]);
        let ours = cpu_ns(&before.node.root) + rate * seconds(before.at, at);
        assert!((ours - kubelets).abs() <= 3.5 * rate, "{ours} against {kubelets}");

        // `/proc/stat` counts the same in steps of 10 ms, a moment earlier.
        let by_stat =
            (after.node.stat.used_ns().unwrap() - before.node.stat.used_ns().unwrap()) as f64;
        assert!((by_stat - used).abs() <= 0.05 * used, "{by_stat} against {used}");

        for moment in [before, after] {
            let ours = moment.node.root.memory_working_set.unwrap();
            let kubelets = kubelets_working_set(&moment.summary["node"]);
            assert!(ours.abs_diff(kubelets) <= kubelets / 50, "{ours} against {kubelets}");
        }
    }
}

#[test]
fn everything_that_ran_is_found_and_nothing_else() {
    // Pods, then containers with one sandbox for each pod, then services.
    for (name, expected) in [(V1, (9, 13 + 9, 0)), (V2, (5, 8 + 5, 6))] {
        let node = CapturedNode::unpack(name);
        let count = |kind| node.before.entities.iter().filter(|one| one.kind == kind).count();
        let found = (count(EntityKind::Pod), count(EntityKind::Container), count(EntityKind::Unit));
        assert_eq!(found, expected, "{name}");
        assert_eq!(found.0, node.before.pods().len());
        assert!(node.before.entities.iter().all(|one| !one.newborn));
    }
}

#[test]
fn containers_follow_their_pod_and_add_up_to_less() {
    for node in [V1, V2].map(CapturedNode::unpack) {
        let entities = &node.before.entities;
        for (place, pod) in entities.iter().enumerate() {
            let containers = || entities.iter().filter(|one| one.parent == Some(place));
            let sum: f64 = containers().map(|one| cpu_ns(&one.cgroup)).sum();
            if pod.kind == EntityKind::Pod {
                assert!(containers().count() >= 2);
                // Read one after the other, a busy container is ahead a little.
                assert!(sum <= 1.01 * cpu_ns(&pod.cgroup), "{}", pod.id);
            } else {
                assert_eq!(containers().count(), 0);
            }
        }
    }
}

#[test]
fn a_pods_network_is_kubelets_and_a_host_network_pod_has_none() {
    let v2 = CapturedNode::unpack(V2);
    for (uid, pod) in v2.before.pods() {
        let ours = v2.before.entity(uid).network.map(|network| network.rx_bytes);
        match pod["network"]["rxBytes"].as_u64() {
            // Kubelet had read it a few seconds before; some broadcasts came in since.
            Some(kubelets) => assert!((kubelets..kubelets + 500).contains(&ours.unwrap())),
            None => assert_eq!(ours, None, "{}", pod["podRef"]["name"]),
        }
    }
    let v1 = CapturedNode::unpack(V1);
    let mut without: Vec<_> = v1.before.pods().into_iter().collect();
    without.retain(|(uid, _)| v1.before.entity(uid).network.is_none());
    assert_eq!(without.len(), 1);
    assert_eq!(without[0].1["podRef"]["name"], "agent-fckx7");
}

#[test]
fn a_nodes_network_is_that_of_its_card_alone() {
    for (name, card) in [(V1, "eth0"), (V2, "ens3")] {
        let node = CapturedNode::unpack(name);
        let interfaces = node.after.summary["node"]["network"]["interfaces"].as_array().unwrap();
        let kubelets = interfaces.iter().find(|interface| interface["name"] == card).unwrap();
        let ours = node.after.node.network.unwrap().rx_bytes;
        // The guest's card carried the capture itself meanwhile.
        let kubelets = kubelets["rxBytes"].as_u64().unwrap();
        assert!(ours.abs_diff(kubelets) <= 30_000, "{name}: {ours} against {kubelets}");
    }
}
