//! Kubelet with the systemd driver, and a runtime with cgroupfs: pods have an empty cgroup of their own
//! or none, and their containers lie elsewhere.

use kubemonitor_hostfs::{CgroupReading, EntityReading, Host};
use kubemonitor_model::{
    EntityKind::{self, Container, Pod, Unit},
    QosClass,
};

use crate::fake_host::{FakeHost, Snapshot};

const UID: &str = "11111111-2222-3333-4444-555555555555";
const OWN: &str = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod11111111_2222_3333_4444_555555555555.slice";
const RUNTIME: &str = "system.slice/containerd.service";

/// Where the runtime puts a container.
fn outside(digit: char) -> String {
    let pod = OWN.rsplit_once('/').unwrap().1;
    format!("{RUNTIME}/{pod}:cri-containerd:{}", digit.to_string().repeat(64))
}

/// The figures of one cgroup of version 2.
struct Figures {
    cpu_usec: u64,
    bytes: u64,
    pids: u64,
}

fn set(host: &FakeHost, cgroup: &str, figures: &Figures) {
    let Figures { cpu_usec, bytes, pids } = figures;
    for (file, text) in [
        ("cpu.stat", format!("usage_usec {cpu_usec}\nuser_usec 0\nsystem_usec {cpu_usec}\n")),
        ("memory.current", format!("{bytes}\n")),
        ("pids.current", format!("{pids}\n")),
        ("io.stat", format!("8:0 rbytes={cpu_usec} wbytes=0 rios=1 wios=0\n")),
        ("memory.events", "oom_kill 0\n".to_owned()),
    ] {
        host.write(&format!("sys/fs/cgroup/{cgroup}/{file}"), text);
    }
}

fn add(host: &FakeHost, cgroup: &str, figures: &Figures) {
    host.add_v2(cgroup);
    set(host, cgroup, figures);
}

fn busy(cpu_usec: u64) -> Figures {
    Figures { cpu_usec, bytes: 1000, pids: 1 }
}

/// A host with such a pod of two containers, whose own cgroup is empty.
fn host() -> FakeHost {
    let host = FakeHost::bare();
    host.write("proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
    host.write("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
    host.add_v2("");
    add(&host, OWN, &Figures { cpu_usec: 0, bytes: 0, pids: 0 });
    add(&host, RUNTIME, &Figures { cpu_usec: 5000, bytes: 9000, pids: 7 });
    add(&host, &outside('a'), &busy(100));
    add(&host, &outside('b'), &busy(2000));
    host
}

fn kinds(read: &Snapshot) -> Vec<EntityKind> {
    read.entities.iter().map(|one| one.kind).collect()
}

fn pod(host: &mut Host) -> EntityReading {
    let read = Snapshot::of(host);
    read.entities.into_iter().find(|one| one.kind == Pod).expect("the pod")
}

fn cpu_us(cgroup: &CgroupReading) -> Option<u64> {
    cgroup.cpu_usage_ns.map(|ns| ns / 1000)
}

#[test]
fn such_a_pod_is_the_sum_of_its_containers_with_or_without_a_cgroup_of_its_own() {
    let host = host();
    for with_own in [true, false] {
        if !with_own {
            host.remove(&format!("sys/fs/cgroup/{}", "kubepods.slice"));
        }
        let read = host.read();
        let mut expected = vec![Pod, Container, Container, Unit];
        if !with_own {
            // By its first container, it comes behind the runtime.
            expected.rotate_right(1);
        }
        assert_eq!(kinds(&read), expected, "{with_own}");
        let place = expected.iter().position(|kind| *kind == Pod).unwrap();
        let pod = &read.entities[place];
        assert_eq!((pod.id.to_string(), pod.qos), (UID.into(), Some(QosClass::Burstable)));
        let cgroup = &pod.cgroup;
        assert_eq!(cpu_us(cgroup), Some(2100));
        assert_eq!((cgroup.memory_usage, cgroup.pids), (Some(2000), Some(2)));
        assert_eq!(
            (cgroup.disk_read_bytes, cgroup.disk_reads),
            (Some(2100), Some(2 + u64::from(with_own)))
        );
        // Of what cannot be summed nothing is said; the limit is what kubelet has set.
        assert_eq!(
            (cgroup.memory_peak, cgroup.cpu_psi_some_ns, cgroup.cpu_periods),
            (None, None, None)
        );
        assert_eq!(cgroup.memory_limit, with_own.then_some(12_000));
        for container in &read.entities[place + 1..place + 3] {
            assert_eq!(container.parent, Some(place));
        }
    }
}

#[test]
fn the_runtime_has_what_is_not_its_pods() {
    let host = host();
    let mut open = host.open();
    let runtime = |open: &mut Host| Snapshot::of(open).entities[3].clone();
    let first = runtime(&mut open);
    assert_eq!(first.id.to_string(), "containerd.service");
    assert_eq!(cpu_us(&first.cgroup), Some(5000 - 2100));
    assert_eq!((first.cgroup.memory_usage, first.cgroup.pids), (Some(7000), Some(5)));
    assert_eq!((first.cgroup.memory_peak, first.cgroup.io_psi_some_ns), (None, None));
    assert_eq!(first.cgroup.memory_limit, Some(12_000));
    // 300 more, of which 200 are a container's that ends thereafter.
    set(&host, &outside('b'), &busy(2200));
    set(&host, RUNTIME, &Figures { cpu_usec: 5300, bytes: 9000, pids: 7 });
    assert_eq!(cpu_us(&runtime(&mut open).cgroup), Some(3000));
    host.remove(&format!("sys/fs/cgroup/{}", outside('b')));
    let read = Snapshot::of(&mut open);
    assert_eq!(cpu_us(&read.entities[2].cgroup), Some(3000));
    assert_eq!(read.entities[2].cgroup.memory_usage, Some(8000));
}

#[test]
fn its_counters_do_not_fall_when_containers_come_and_go() {
    for with_own in [true, false] {
        let host = host();
        if !with_own {
            host.remove("sys/fs/cgroup/kubepods.slice");
        }
        let mut open = host.open();
        assert_eq!(cpu_us(&pod(&mut open).cgroup), Some(2100));
        set(&host, &outside('b'), &busy(2005));
        assert_eq!(cpu_us(&pod(&mut open).cgroup), Some(2105));
        host.remove(&format!("sys/fs/cgroup/{}", outside('b')));
        let without = pod(&mut open);
        assert_eq!(
            (cpu_us(&without.cgroup), without.cgroup.memory_usage),
            (Some(2105), Some(1000))
        );
        // A new one counts from 0, all of which is the pod's increase.
        add(&host, &outside('c'), &busy(40));
        let with_new = pod(&mut open);
        assert_eq!((cpu_us(&with_new.cgroup), with_new.newborn), (Some(2145), false));
        assert_eq!(with_new.cgroup.memory_usage, Some(2000));
        set(&host, &outside('a'), &busy(101));
        set(&host, &outside('c'), &busy(42));
        assert_eq!(cpu_us(&pod(&mut open).cgroup), Some(2148));
    }
}

#[test]
fn a_part_that_cannot_be_read_makes_the_sum_unknown_and_is_caught_up_with() {
    let host = host();
    let mut open = host.open();
    assert_eq!(cpu_us(&pod(&mut open).cgroup), Some(2100));
    let file = format!("sys/fs/cgroup/{}/cpu.stat", outside('a'));
    host.write(&file, "");
    set(&host, &outside('b'), &busy(2010));
    let cgroup = pod(&mut open).cgroup;
    assert_eq!((cgroup.cpu_usage_ns, cgroup.memory_usage), (None, Some(2000)));
    set(&host, &outside('a'), &busy(103));
    assert_eq!(cpu_us(&pod(&mut open).cgroup), Some(2113));
}

#[test]
fn nothing_is_told_of_a_pod_that_nothing_has_started_in() {
    let host = host();
    for digit in ['a', 'b'] {
        host.remove(&format!("sys/fs/cgroup/{}", outside(digit)));
    }
    let mut open = host.open();
    assert_eq!(kinds(&Snapshot::of(&mut open)), [Unit]);
    // Its first container comes: all it has used was used since the tick before.
    add(&host, &outside('a'), &busy(70));
    let started = pod(&mut open);
    assert_eq!((started.newborn, cpu_us(&started.cgroup)), (true, Some(70)));
    assert!(!pod(&mut open).newborn);
}

#[test]
fn the_driver_is_said_to_be_mixed() {
    let host = host();
    assert_eq!(host.open().cgroup_driver(), Some("mixed"));
    assert_eq!(FakeHost::v2().open().cgroup_driver(), Some("cgroupfs"));
    let systemd = FakeHost::v2();
    systemd.remove("sys/fs/cgroup/kubepods");
    assert_eq!(systemd.open().cgroup_driver(), None);
    systemd.add_v2(OWN);
    assert_eq!(systemd.open().cgroup_driver(), Some("systemd"));
}

#[test]
fn the_cgroup_that_another_driver_left_behind_adds_nothing() {
    let host = FakeHost::v2();
    let (left, new) = ("kubepods/burstable/pod11111111-2222-3333-4444-555555555555", OWN);
    for pod in [left, new] {
        host.add_v2(pod);
        host.add_v2(&format!("{pod}/{}", "b".repeat(64)));
    }
    for cgroup in [left.to_owned(), format!("{left}/{}", "b".repeat(64))] {
        set(&host, &cgroup, &Figures { cpu_usec: 7, bytes: 0, pids: 0 });
    }
    let read = host.read();
    assert_eq!(kinds(&read), [Pod, Container, Pod, Container, Unit]);
    let pod = read.entities.iter().find(|one| one.id.to_string() == UID).unwrap();
    let cgroup = &pod.cgroup;
    assert_eq!(
        (cpu_us(cgroup), cgroup.memory_usage, cgroup.memory_peak),
        (Some(8), Some(7000), Some(11_000))
    );
}
