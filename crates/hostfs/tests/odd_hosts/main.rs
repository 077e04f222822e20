//! Hosts on which something is missing, broken, or changes under the reader's hands: the tick goes
//! on, and only what cannot be known is absent.

#[cfg(test)]
mod broken_files;
#[cfg(test)]
mod empty_pods;
#[cfg(test)]
mod explained;
#[cfg(test)]
mod fake_host;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod mixed_drivers;
#[cfg(test)]
mod namespaces;
#[cfg(test)]
mod nested_nodes;
#[cfg(test)]
mod networks;
#[cfg(test)]
mod real_namespaces;
#[cfg(test)]
mod trees;
#[cfg(test)]
mod vanishing;

use fake_host::FakeHost;
use kubemonitor_hostfs::{Host, HostError};

#[test]
fn a_host_without_proc_is_refused_with_the_remedy() {
    let host = FakeHost::v2();
    host.remove("proc/stat");
    let refusal = Host::open(host.roots()).err().unwrap();
    assert!(matches!(refusal, HostError::Proc { .. }));
    let text = refusal.to_string();
    assert!(text.contains("proc/stat") && text.contains("mounted"), "{text}");
}

#[test]
fn a_host_without_cgroups_is_refused_with_the_remedy() {
    let host = FakeHost::bare();
    let refusal = Host::open(host.roots()).err().unwrap();
    assert!(matches!(refusal, HostError::Cgroups { .. }));
    let text = refusal.to_string();
    assert!(text.contains("sys/fs/cgroup") && text.contains("mounted"), "{text}");
}

#[test]
fn both_versions_give_the_same_reading() {
    let (v1, v2) = (FakeHost::v1().read(), FakeHost::v2().read());
    let [v1, v2] =
        [v1, v2].map(|read| read.entities.into_iter().map(|one| one.cgroup).collect::<Vec<_>>());
    for (v1, v2) in v1.into_iter().zip(v2) {
        assert_eq!(v1.memory_working_set, Some(6900));
        assert_eq!(
            (v1.memory_working_set, v1.memory_limit),
            (v2.memory_working_set, v2.memory_limit)
        );
        assert_eq!((v1.cpu_limit_millicores, v1.cpu_usage_ns), (Some(500), v2.cpu_usage_ns));
        assert_eq!((v1.disk_read_bytes, v1.disk_writes), (Some(14), Some(17)));
        assert_eq!((v1.disk_read_bytes, v1.disk_writes), (v2.disk_read_bytes, v2.disk_writes));
    }
}

#[test]
fn on_a_hybrid_host_each_version_gives_what_it_has() {
    let host = FakeHost::v1();
    host.remove("sys/fs/cgroup/pids");
    let mounts = std::fs::read_to_string(host.path("proc/mounts")).unwrap();
    host.write("proc/mounts", mounts + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n");
    host.write("sys/fs/cgroup/unified/cgroup.controllers", "pids\n");
    host.write(&format!("sys/fs/cgroup/unified/{}/pids.current", fake_host::POD), "42\n");
    let pod = host.read().pod().cgroup;
    assert_eq!((pod.pids, pod.memory_usage), (Some(42), Some(7000)));
}

#[test]
fn io_that_a_kernel_does_not_count_is_unknown_and_not_zero() {
    let host = FakeHost::v1();
    // As Linux 6.10 and later have it before any limit was set: no device, anywhere.
    for cgroup in ["", fake_host::POD, &fake_host::container('a')] {
        for file in ["io_service_bytes", "io_serviced"] {
            let file = format!("sys/fs/cgroup/blkio/{cgroup}/blkio.throttle.{file}_recursive");
            host.write(&file, "Total 0\n");
        }
    }
    let read = host.read();
    assert!(read.node.disk.unwrap().read_bytes > 0);
    let pod = read.pod().cgroup;
    assert_eq!((pod.disk_read_bytes, pod.disk_writes), (None, None));
    // On a host whose disks did nothing, nothing is what its cgroups did.
    host.write("proc/diskstats", "8 0 sda 0 0 0 0 0 0 0 0 0 0 0\n");
    assert_eq!(host.read().pod().cgroup.disk_read_bytes, Some(0));
}

#[test]
fn kills_in_containers_are_the_pods_too() {
    // v1 counts them in the container alone, v2 in both.
    let (v1, v2) = (FakeHost::v1().read(), FakeHost::v2().read());
    assert_eq!((v1.pod().cgroup.oom_kills, v1.entities[1].cgroup.oom_kills), (Some(26), Some(13)));
    assert_eq!(v2.pod().cgroup.oom_kills, Some(13));
}

#[test]
fn kills_in_a_container_that_has_gone_stay_the_pods() {
    use fake_host::{Snapshot, container};
    let host = FakeHost::v1();
    let mut open = host.open();
    let mut kills = || Snapshot::of(&mut open).pod().cgroup.oom_kills;
    assert_eq!(kills(), Some(26));
    host.remove(&format!("sys/fs/cgroup/memory/{}", container('a')));
    assert_eq!(kills(), Some(26));
    host.add_v1(&container('b'));
    assert_eq!(kills(), Some(39));
}

#[test]
fn a_kernel_without_psi_has_no_pressure_and_all_else() {
    let host = FakeHost::v2();
    host.remove("proc/pressure");
    for cgroup in ["", fake_host::POD] {
        for resource in ["cpu", "memory", "io"] {
            host.remove(&format!("sys/fs/cgroup/{cgroup}/{resource}.pressure"));
        }
    }
    let read = host.read();
    assert_eq!(read.node.cpu_pressure.some_ns, None);
    let pod = read.pod().cgroup;
    assert_eq!((pod.cpu_psi_some_ns, pod.io_psi_full_ns), (None, None));
    assert_eq!((pod.cpu_usage_ns, pod.pids), (Some(1000), Some(18)));
}
