//! Whose network a pod's is, and through which of its processes it is seen.

use std::time::{Duration, Instant};

use crate::fake_host::{FakeHost, POD, Snapshot, container, interface};

/// Gives a container these processes.
fn processes(host: &FakeHost, digit: char, pids: &str) {
    host.write(&format!("sys/fs/cgroup/{}/cgroup.procs", container(digit)), pids);
}

/// Gives a process a network namespace with these interfaces.
fn namespace(host: &FakeHost, pid: u32, interfaces: &[(&str, u64)]) {
    let text: String = interfaces.iter().map(|(name, bytes)| interface(name, *bytes)).collect();
    host.write(&format!("proc/{pid}/net/dev"), text);
}

/// Gives a process' network namespace a default route.
fn default_route(host: &FakeHost, pid: u32, interface: &str) {
    let route = format!("{interface}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    host.write(&format!("proc/{pid}/net/route"), route);
}

#[test]
fn a_pods_network_is_its_default_interface() {
    let host = FakeHost::v2();
    processes(&host, 'a', "101\n");
    namespace(&host, 101, &[("lo", 1), ("eth0", 10), ("net1", 100), ("wg0", 1000)]);
    default_route(&host, 101, "eth0");
    let read = host.read();
    assert_eq!(read.pod_received(), Some(10));
    assert_eq!(read.node.network.map(|network| network.rx_bytes), Some(70));
    // Neither a container nor a service has one of its own.
    assert!(read.entities[1..].iter().all(|one| one.network.is_none()));
}

#[test]
fn a_process_that_has_ended_is_passed_over_for_another() {
    let host = FakeHost::v2();
    processes(&host, 'a', "0\n101\n102\n");
    namespace(&host, 102, &[("eth0", 10)]);
    assert_eq!(host.read().pod_received(), Some(10));
}

#[test]
fn without_a_process_the_network_is_not_known_until_there_is_one() {
    let host = FakeHost::v2();
    let mut open = host.open();
    assert_eq!(Snapshot::of(&mut open).pod_received(), None);
    processes(&host, 'a', "101\n");
    assert_eq!(Snapshot::of(&mut open).pod_received(), None);
    namespace(&host, 101, &[("eth0", 10)]);
    assert_eq!(Snapshot::of(&mut open).pod_received(), Some(10));
}

#[test]
fn the_namespace_outlives_the_process_it_was_seen_through() {
    let host = FakeHost::v2();
    processes(&host, 'a', "101\n");
    namespace(&host, 101, &[("eth0", 10)]);
    let mut open = host.open();
    assert_eq!(Snapshot::of(&mut open).pod_received(), Some(10));
    namespace(&host, 101, &[("eth0", 11)]);
    host.remove("proc/101/net/dev");
    processes(&host, 'a', "");
    assert_eq!(Snapshot::of(&mut open).pod_received(), Some(11));
}

#[test]
fn a_new_sandbox_brings_a_new_namespace() {
    let host = FakeHost::v2();
    processes(&host, 'a', "101\n");
    namespace(&host, 101, &[("eth0", 10)]);
    let mut open = host.open();
    assert_eq!(Snapshot::of(&mut open).pod_received(), Some(10));
    host.add_v2(&container('b'));
    processes(&host, 'b', "202\n");
    namespace(&host, 202, &[("eth0", 3)]);
    host.remove(&format!("sys/fs/cgroup/{}", container('a')));
    assert_eq!(Snapshot::of(&mut open).pod_received(), Some(13), "both carried it");
}

#[test]
fn a_default_route_that_comes_late_is_found_at_the_next_look_at_all() {
    let host = FakeHost::v2();
    processes(&host, 'a', "101\n");
    namespace(&host, 101, &[("lo", 1), ("eth0", 10), ("net1", 100)]);
    let (mut open, began) = (host.open(), Instant::now());
    let mut at =
        |seconds| Snapshot::at(&mut open, began + Duration::from_secs(seconds)).pod_received();
    assert_eq!(at(0), Some(110), "all that do not run over others");
    default_route(&host, 101, "eth0");
    assert_eq!(at(5), Some(110));
    namespace(&host, 101, &[("lo", 1), ("eth0", 13), ("net1", 107)]);
    assert_eq!(at(65), Some(113));
    namespace(&host, 101, &[("lo", 1), ("eth0", 14), ("net1", 108), ("net2", 1)]);
    default_route(&host, 101, "net1");
    assert_eq!(at(70), Some(114), "with the interfaces the route is looked at again");
    namespace(&host, 101, &[("lo", 1), ("net1", 110), ("net2", 1)]);
    assert_eq!(at(75), Some(116));
    namespace(&host, 101, &[("lo", 1), ("net2", 1)]);
    assert_eq!(at(80), Some(116), "it is away");
    namespace(&host, 101, &[("lo", 1), ("net1", 111), ("net2", 1)]);
    assert_eq!(at(85), Some(117));
}

#[test]
fn a_pod_on_the_nodes_network_has_none_of_its_own() {
    let host = FakeHost::v2();
    host.write(
        "proc/1/net/dev",
        interface("lo", 1) + &interface("eth0", 70) + &interface("veth4f", 5),
    );
    processes(&host, 'a', "101\n");
    namespace(&host, 101, &[("lo", 1), ("eth0", 71), ("veth4f", 5)]);
    assert_eq!(host.read().pod_received(), None);
}

#[test]
fn a_process_seen_before_it_had_its_namespace_is_asked_again() {
    let host = FakeHost::v2();
    let mut open = host.open();
    let late = "kubepods/poda96ab411-2bca-47bf-90b4-002d39ce26bb";
    host.add_v2(late);
    host.write(&format!("sys/fs/cgroup/{late}/cgroup.procs"), "101\n");
    namespace(&host, 101, &[("lo", 1), ("eth0", 70)]);
    let received = |read: Snapshot| read.entities[2].network.map(|network| network.rx_bytes);
    assert_eq!(received(Snapshot::of(&mut open)), None);
    namespace(&host, 101, &[("lo", 1), ("net1", 4)]);
    assert_eq!(received(Snapshot::of(&mut open)), Some(4));
}

#[test]
fn each_container_that_comes_has_its_pods_network_asked_for_again() {
    let host = FakeHost::v2();
    let mut open = host.open();
    // The pod has been there for a while when its sandbox comes.
    assert_eq!(Snapshot::of(&mut open).pod_received(), None);
    let node = [("lo", 1), ("eth0", 70)];
    namespace(&host, 101, &node);
    host.add_v2(&container('b'));
    processes(&host, 'b', "101\n");
    assert_eq!(Snapshot::of(&mut open).pod_received(), None);
    // Still not where it belongs at the next tick, but when another container has come.
    assert_eq!(Snapshot::of(&mut open).pod_received(), None);
    namespace(&host, 101, &[("lo", 1), ("net1", 4)]);
    assert_eq!(Snapshot::of(&mut open).pod_received(), None);
    host.add_v2(&container('c'));
    Snapshot::of(&mut open);
    assert_eq!(Snapshot::of(&mut open).pod_received(), Some(4));
}

#[test]
fn a_broken_net_dev_is_not_a_quiet_network() {
    for text in
        ["", "eth0: 1 2 3\n", "eth0: 18446744073709551616 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n", "\0"]
    {
        let host = FakeHost::v2();
        processes(&host, 'a', "101\n");
        host.write("proc/101/net/dev", text);
        assert_eq!(host.read().pod_received(), None, "{text:?}");
    }
}

#[test]
fn a_plain_container_has_a_network_and_a_service_has_not() {
    let host = FakeHost::v2();
    let plain = format!("docker/{}", "d".repeat(64));
    host.add_v2(&plain);
    for (cgroup, pid) in [(&*plain, 301), ("system.slice/ssh.service", 302)] {
        host.write(&format!("sys/fs/cgroup/{cgroup}/cgroup.procs"), format!("{pid}\n"));
        namespace(&host, pid, &[("eth0", 9), ("lo", 1)]);
    }
    let read = host.read();
    let received: Vec<_> =
        read.entities.iter().map(|one| one.network.map(|network| network.rx_bytes)).collect();
    assert_eq!(received, [Some(9), None, None, None]);
    assert_eq!(read.entities[1].id.to_string(), POD.rsplit_once("pod").unwrap().1);
}
