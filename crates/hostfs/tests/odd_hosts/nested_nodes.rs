//! A Kubernetes node in a container or service: its pods are told, and what holds them has the rest.

use kubemonitor_model::EntityKind::{self, Container, Pod, Unit};

use crate::fake_host::{FakeHost, Snapshot, interface};

const UID: &str = "22222222-2222-3333-4444-555555555555";

/// What is told of a host with these cgroups beside those of the fake host, all with equal figures.
fn told(cgroups: &[&str]) -> Vec<(EntityKind, String, Option<u64>)> {
    let host = FakeHost::v2();
    for one in ["kubepods", "system.slice"] {
        host.remove(&format!("sys/fs/cgroup/{one}"));
    }
    for cgroup in cgroups {
        host.add_v2(cgroup);
    }
    let entities = host.read().entities;
    entities
        .into_iter()
        .map(|one| (one.kind, one.id.to_string(), one.cgroup.memory_usage))
        .collect()
}

#[test]
fn a_unit_has_what_is_not_its_pods() {
    let (id, node) = ("e".repeat(64), "d".repeat(64));
    for (unit, name, pod) in [
        ("docker/NODE", &*node, "kubelet/kubepods/burstable/podUID"),
        ("system.slice/k3s.service", "k3s.service", "kubepods/podUID"),
        ("lxc/101", "101", "ns/kubepods/kubepods/podUID"),
        ("podruntime/runtime", "podruntime-runtime", "kubepods/podUID"),
    ] {
        let unit = unit.replace("NODE", &node);
        let pod = format!("{unit}/{}", pod.replace("UID", UID));
        let container = format!("{pod}/{id}");
        let expected = [
            (Unit, name.to_owned(), Some(0)),
            (Pod, UID.to_owned(), Some(7000)),
            (Container, id.clone(), Some(7000)),
        ];
        assert_eq!(told(&[&unit, &pod, &container]), expected);
        // With nothing in it, all is its own.
        assert_eq!(told(&[&unit]), [(Unit, name.to_owned(), Some(7000))]);
    }
}

#[test]
fn what_is_in_a_pods_container_is_that_containers() {
    let pod = format!("kubepods/pod{UID}");
    let container = format!("{pod}/{}", "a".repeat(64));
    let inner = format!("{container}/kubelet/kubepods/pod33333333-2222-3333-4444-555555555555");
    let inner_container = format!("{inner}/{}", "b".repeat(64));
    let podman = format!("{container}/libpod_parent/libpod-{}", "c".repeat(64));
    let told = told(&[&pod, &container, &inner, &inner_container, &podman]);
    let kinds: Vec<EntityKind> = told.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, [Pod, Container]);
}

#[test]
fn the_network_of_a_node_in_a_container_is_not_that_of_its_pods() {
    let host = FakeHost::v2();
    let node = format!("docker/{}", "d".repeat(64));
    let pod = format!("{node}/kubelet/kubepods/pod{UID}");
    let container = format!("{pod}/{}", "e".repeat(64));
    let init = format!("{node}/init.scope");
    for (cgroup, pid, bytes) in [(&container, 101, 5), (&init, 102, 9)] {
        host.add_v2(cgroup);
        host.write(&format!("sys/fs/cgroup/{cgroup}/cgroup.procs"), format!("{pid}\n"));
        host.write(&format!("proc/{pid}/net/dev"), interface("eth0", bytes));
    }
    for cgroup in [&node, &pod] {
        host.add_v2(cgroup);
    }
    let read = host.read();
    let received = |id: &str| {
        let one = read.entities.iter().find(|one| one.id.to_string() == id).unwrap();
        one.network.map(|network| network.rx_bytes)
    };
    assert_eq!((received(&"d".repeat(64)), received(UID)), (Some(9), Some(5)));
}

#[test]
fn a_pod_inside_that_comes_and_goes_does_not_make_its_unit_jump() {
    let host = FakeHost::v2();
    let unit = "system.slice/k3s.service";
    let pod = format!("{unit}/kubepods/pod{UID}");
    let cpu = |cgroup: &str, usec: u64| {
        let text = format!("usage_usec {usec}\nuser_usec 0\nsystem_usec 0\n");
        host.write(&format!("sys/fs/cgroup/{cgroup}/cpu.stat"), text);
    };
    host.add_v2(unit);
    cpu(unit, 100);
    let mut open = host.open();
    let mut used = || {
        let read = Snapshot::of(&mut open);
        let unit = read.entities.iter().find(|one| one.id.to_string() == "k3s.service").unwrap();
        unit.cgroup.cpu_usage_ns.map(|ns| ns / 1000)
    };
    assert_eq!(used(), Some(100));
    host.add_v2(&pod);
    cpu(&pod, 50);
    cpu(unit, 160);
    assert_eq!(used(), Some(110));
    // The pod is read a moment later than the unit around it.
    cpu(&pod, 62);
    assert_eq!(used(), Some(110));
    cpu(unit, 180);
    assert_eq!(used(), Some(118));
    host.remove(&format!("sys/fs/cgroup/{unit}/kubepods"));
    cpu(unit, 181);
    assert_eq!(used(), Some(119));
}
