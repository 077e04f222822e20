//! What is said of each cgroup, and why.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use kubemonitor_hostfs::CountsAs::{self, Container, Inside, Leftover, Nothing, Pod, Prefix, Unit};

use crate::fake_host::{FakeHost, POD, container};

const UID_: &str = "33333333_2222_3333_4444_555555555555";

#[test]
fn each_cgroup_is_said_to_count_or_not() {
    let host = FakeHost::v2();
    let stray = format!("kubepods-besteffort-pod{UID_}.slice:cri-containerd:{}", "c".repeat(64));
    let table: [(&str, CountsAs, &str); 18] = [
        ("", Prefix, "may be below"),
        ("kubepods", Prefix, "kubelet's"),
        (POD, Pod, "pod 0f9d4c1e-1111-2222-3333-444455556666 (Burstable)"),
        (&container('a'), Container, "container aaaaaaaaaaaa, in its pod's cgroup"),
        (&(container('a') + "/init.scope"), Inside, "the container above"),
        (&format!("{POD}/crio-conmon-{}.scope", "a".repeat(64)), Inside, "watches over"),
        (&format!("{POD}/other"), Inside, "no container by its name"),
        (&container('b'), Leftover, "no process in it"),
        ("kubepods/strange", Nothing, "no pod by its name"),
        ("system.slice/ssh.service", Unit, "service ssh.service"),
        ("system.slice/ssh.service/part", Inside, "the unit above"),
        ("system.slice/k3s.service", Unit, "without the pods inside"),
        (&format!("system.slice/k3s.service/{stray}"), Container, "differ in driver"),
        ("machine.slice/machine-qemu\\x2d1.scope", Unit, "machine-qemu\\x2d1.scope"),
        ("lxc/web", Unit, "web"),
        ("lxc.monitor.web", Nothing, "watches over"),
        ("user.slice/run-1.scope", Nothing, "a session"),
        ("odd/with processes\n", Nothing, "no service or container"),
    ];
    for (path, ..) in &table {
        host.add_v2(path);
    }
    host.write(&format!("sys/fs/cgroup/{}/pids.current", container('b')), "0\n");
    host.write("sys/fs/cgroup/odd/with processes\n/cgroup.procs", "1\n2\n");
    let report = host.open().explain();
    for (path, counts_as, why) in table {
        let path = format!("/{}", path.replace('\n', "\\n"));
        let verdict = report.cgroups.iter().find(|one| one.path == path).expect("it is there");
        assert_eq!(verdict.counts_as, counts_as, "{path}: {}", verdict.why);
        assert!(verdict.why.contains(why), "{path}: {}", verdict.why);
    }
    assert!(report.cgroups.iter().map(|one| Path::new(&one.path)).is_sorted());

    let text = report.to_string();
    assert!(text.contains("\nnot counted  2          its processes are of no service"), "{text}");
    assert!(text.contains("  /odd/with processes\\n\n"), "{text}");
    assert!(text.contains("1 left over; 2 processes are in none of them"), "{text}");
    assert!(text.contains("\ndriver               mixed\n"), "{text}");
    assert!(
        text.contains("\nINTERFACES\nlo: does not count: it is the loopback\neth0: counts: "),
        "{text}"
    );
    assert!(text.contains("\nDISKS\nsda: counts: "), "{text}");
    assert!(text.contains("\nloop0: does not count: it is no disk"), "{text}");
    assert!(text.contains("\nruntimes             cri-containerd: 1, not named: 2\n"), "{text}");
}

#[test]
fn of_two_cgroups_of_one_container_the_younger_is_said_to_count() {
    let host = FakeHost::v2();
    let new =
        format!("kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{}.scope", "a".repeat(64));
    host.add_v2(&new);
    let report = host.open().explain();
    let mut twins = [new, container('a')];
    // Which of the two is younger is the file system's to say; that of cgroups counts upwards.
    let inode = |path: &String| fs::metadata(host.path("sys/fs/cgroup").join(path)).unwrap().ino();
    twins.sort_by_key(inode);
    let [old, young] = twins.map(|path| {
        let path = format!("/{path}");
        report.cgroups.iter().find(|one| one.path == path).unwrap()
    });
    assert_eq!(young.counts_as, Container);
    assert!(old.counts_as == Nothing && old.why.contains("made later"), "{}", old.why);
}
