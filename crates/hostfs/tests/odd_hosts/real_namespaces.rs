//! Hosts and pods in network namespaces of the machine's own kernel. Needs root.

use std::os::unix::fs::symlink;

use kubemonitor_hostfs::{Host, HostRoots};

use crate::{
    fake_host::{FakeHost, Snapshot, container},
    namespaces::Namespace,
};

/// A host whose first process is in this namespace.
fn host_in(node: &Namespace) -> FakeHost {
    let host = FakeHost::v2();
    host.remove("proc/1");
    symlink(format!("/proc/{}", node.pid()), host.path("proc/1")).unwrap();
    host
}

/// Opens it with the `/sys` of this namespace.
fn open_with_sys(host: &FakeHost, namespace: &Namespace) -> Host {
    Host::open(HostRoots { sys: Some(namespace.sys()), ..host.roots() }).unwrap()
}

/// Has the pod run in this namespace.
fn run_pod_in(host: &FakeHost, pod: &Namespace) {
    let pid = pod.pid();
    let processes = format!("sys/fs/cgroup/{}/cgroup.procs", container('a'));
    host.write(&processes, format!("{pid}\n"));
    symlink(format!("/proc/{pid}"), host.path(&format!("proc/{pid}"))).unwrap();
}

fn carried_by_node(read: &Snapshot) -> Option<(u64, u64)> {
    read.node.network.map(|network| (network.rx_bytes, network.tx_bytes))
}

fn carried_by_pod(read: &Snapshot) -> Option<(u64, u64)> {
    read.pod().network.map(|network| (network.rx_bytes, network.tx_bytes))
}

#[test]
fn where_the_cable_is_a_veth_the_default_routes_interface_is_the_nodes() {
    let (Some(outside), Some(node), Some(pod)) =
        (Namespace::make(), Namespace::make(), Namespace::make())
    else {
        return;
    };
    let host = host_in(&node);
    // Nothing leads anywhere yet.
    assert_eq!(carried_by_node(&Snapshot::of(&mut open_with_sys(&host, &node))), None);
    outside.connect("out0", &node, "eth0", "10.99.0");
    node.connect("envoy-ga-1a2b3c", &pod, "eth0", "10.99.1");
    node.ip("route add default via 10.99.0.1");
    let mut with_sys = open_with_sys(&host, &node);
    let mut without_sys = Host::open(HostRoots { sys: None, ..host.roots() }).unwrap();
    let before = carried_by_node(&Snapshot::of(&mut with_sys)).unwrap();
    pod.send_to("10.99.1.1");
    node.send_to("10.99.0.1");
    outside.send_to("10.99.0.2");
    let counted =
        [&mut with_sys, &mut without_sys].map(|host| carried_by_node(&Snapshot::of(host)));
    // Neighbours may still be asked for their addresses.
    let after = node.carried("eth0");
    for counted in counted {
        let (rx, tx) = counted.unwrap();
        assert!(rx > before.0 + 100_000 && rx <= after.0, "{rx} of {after:?}, {before:?} before");
        assert!(tx > before.1 + 100_000 && tx <= after.1, "{tx} of {after:?}, {before:?} before");
    }
    let counting: Vec<String> = with_sys
        .interface_verdicts()
        .map(|verdict| verdict.to_string())
        .filter(|verdict| !verdict.contains("does not count"))
        .collect();
    assert!(
        counting.len() == 1 && counting[0].starts_with("eth0: counts, as no card"),
        "{counting:?}"
    );
}

#[test]
fn an_interface_that_is_away_and_returns_counts_once() {
    let (Some(outside), Some(node)) = (Namespace::make(), Namespace::make()) else { return };
    let host = host_in(&node);
    for name in ["eth0", "eth1"] {
        let network = format!("10.99.{}", &name[3..]);
        outside.connect(&format!("out{}", &name[3..]), &node, name, &network);
        for _ in 0..2 {
            outside.send_to(&format!("{network}.2"));
        }
    }
    // Names tell, so that both count.
    let mut open = Host::open(HostRoots { sys: None, ..host.roots() }).unwrap();
    let before = carried_by_node(&Snapshot::of(&mut open)).unwrap().0;
    assert!(before > 1_000_000);
    node.ip(&format!("link set eth1 netns {}", outside.pid()));
    let away = carried_by_node(&Snapshot::of(&mut open)).unwrap().0;
    outside.ip(&format!("link set eth1 netns {}", node.pid()));
    let back = carried_by_node(&Snapshot::of(&mut open)).unwrap().0;
    for later in [away, back] {
        assert!((before..before + 10_000).contains(&later), "{before}, then {away}, {back}");
    }
    // Made anew it begins at 0, and has carried less than before.
    node.ip("link delete eth1");
    Snapshot::of(&mut open);
    outside.connect("out2", &node, "eth1", "10.99.2");
    outside.send_to("10.99.2.2");
    let new = node.carried("eth1").0;
    let anew = carried_by_node(&Snapshot::of(&mut open)).unwrap().0;
    assert!(new > 100_000 && anew >= back + new, "{back} and {new} are {anew}");
    assert!(anew < back + new + 10_000, "{back} and {new} are {anew}");
}

/// Not every kernel has VLANs, bonds and `WireGuard`: those that it has are made.
#[test]
fn of_a_pod_the_default_interface_counts_and_nothing_that_runs_over_it() {
    let (Some(node), Some(pod)) = (Namespace::make(), Namespace::make()) else { return };
    node.connect("cali1234", &pod, "eth0", "10.99.0");
    pod.ip("route add default via 10.99.0.1");
    let tunnel = |namespace: &Namespace, over: &str, remote: &str| {
        let options = format!("type vxlan id 7 remote {remote} dstport 4789 dev {over}");
        namespace.try_ip(&format!("link add vx0 {options}"))
    };
    let mut made = Vec::new();
    if tunnel(&node, "cali1234", "10.99.0.2") && tunnel(&pod, "eth0", "10.99.0.1") {
        for (namespace, host) in [(&node, 1), (&pod, 2)] {
            namespace.ip(&format!("address add 10.98.0.{host}/24 dev vx0"));
            namespace.ip("link set vx0 up");
        }
        made.push("vx0");
    }
    for (name, options) in [
        ("docker0", "link add docker0 type bridge"),
        ("tun0", "tuntap add dev tun0 mode tun"),
        ("wg0", "link add wg0 type wireguard"),
        ("eth0.5", "link add link eth0 name eth0.5 type vlan id 5"),
        ("bond0", "link add bond0 type bond"),
        ("macv0", "link add link eth0 name macv0 type macvlan mode bridge"),
    ] {
        if pod.try_ip(options) {
            pod.ip(&format!("link set {name} up"));
            made.push(name);
        }
    }
    eprintln!("over eth0: {made:?}");
    let host = host_in(&node);
    run_pod_in(&host, &pod);
    let mut open = open_with_sys(&host, &node);
    let before = carried_by_pod(&Snapshot::of(&mut open)).unwrap();
    if made.contains(&"vx0") {
        pod.send_to("10.98.0.1");
        assert!(pod.carried("vx0").1 > 100_000);
    } else {
        pod.send_to("10.99.0.1");
    }
    let (rx, tx) = carried_by_pod(&Snapshot::of(&mut open)).unwrap();
    let after = pod.carried("eth0");
    assert!(tx > before.1 + 100_000 && tx <= after.1, "{tx} of {after:?}, {before:?} before");
    assert!((before.0..=after.0).contains(&rx), "{rx} of {after:?}, {before:?} before");
    // The node's own end of the cable is not a card, and there is no other.
    assert_eq!(carried_by_node(&Snapshot::of(&mut open)), None);
    // Another sandbox has another namespace, whose counters begin at 0.
    let Some(anew) = Namespace::make() else { return };
    node.connect("cali5678", &anew, "eth0", "10.97.0");
    anew.ip("route add default via 10.97.0.1");
    let total = carried_by_pod(&Snapshot::of(&mut open)).unwrap().1;
    anew.send_to("10.97.0.1");
    anew.send_to("10.97.0.1");
    anew.send_to("10.97.0.1");
    host.add_v2(&container('b'));
    host.remove(&format!("sys/fs/cgroup/{}", container('a')));
    let pid = anew.pid();
    let processes = format!("sys/fs/cgroup/{}/cgroup.procs", container('b'));
    host.write(&processes, format!("{pid}\n"));
    symlink(format!("/proc/{pid}"), host.path(&format!("proc/{pid}"))).unwrap();
    let sent = anew.carried("eth0").1;
    assert!(sent > after.1, "more than the old one, so that only the namespace tells");
    let anew = carried_by_pod(&Snapshot::of(&mut open)).unwrap().1;
    assert!((total + sent..total + sent + 10_000).contains(&anew), "{total} and {sent} are {anew}");
}

#[test]
fn a_namespace_that_a_process_made_inside_a_pod_is_not_the_pods() {
    let (Some(node), Some(pod), Some(inside)) =
        (Namespace::make(), Namespace::make(), Namespace::make())
    else {
        return;
    };
    node.connect("cali1234", &pod, "eth0", "10.99.0");
    pod.ip("route add default via 10.99.0.1");
    pod.connect("docker1", &inside, "eth0", "10.98.0");
    let host = host_in(&node);
    run_pod_in(&host, &pod);
    pod.send_to("10.99.0.1");
    let mut open = open_with_sys(&host, &node);
    let before = carried_by_pod(&Snapshot::of(&mut open)).unwrap().1;
    assert!(before > 100_000);
    inside.send_to("10.98.0.1");
    // Its process is asked first from now on, and the pod's interfaces have changed.
    let processes = format!("sys/fs/cgroup/{}/cgroup.procs", container('a'));
    host.write(&processes, format!("{}\n{}\n", inside.pid(), pod.pid()));
    symlink(format!("/proc/{}", inside.pid()), host.path(&format!("proc/{}", inside.pid())))
        .unwrap();
    for bridge in ["br1", "br2"] {
        pod.ip(&format!("link add {bridge} type bridge"));
        let now = carried_by_pod(&Snapshot::of(&mut open)).unwrap().1;
        assert!((before..before + 10_000).contains(&now), "{before}, then {now}");
    }
}
