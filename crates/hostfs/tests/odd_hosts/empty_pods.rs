//! Cgroups of pods and containers in which there is no process.

use std::time::{Duration, Instant};

use kubemonitor_hostfs::Host;
use kubemonitor_model::EntityKind::{self, Container, Pod, Unit};

use crate::fake_host::{FakeHost, POD, Snapshot, container};

/// Behind all others of the fake host by its path, were it not for the service.
const OTHER: &str = "kubepods/poda96ab411-2bca-47bf-90b4-002d39ce26bb";

/// A host whose pod has no process, and one whose first tick is `began`.
struct Emptied {
    host: FakeHost,
    open: Host,
    began: Instant,
    files: &'static str,
    cpu: &'static str,
}

impl Emptied {
    fn v1() -> Self {
        Self::new(FakeHost::v1(), "pids", "cpu,cpuacct/POD/cpuacct.usage")
    }

    fn v2() -> Self {
        Self::new(FakeHost::v2(), "", "POD/cpu.stat")
    }

    fn new(host: FakeHost, files: &'static str, cpu: &'static str) -> Self {
        let emptied = Self { open: host.open(), host, began: Instant::now(), files, cpu };
        emptied.count(POD, "0\n");
        emptied.count(&container('a'), "0\n");
        emptied
    }

    /// Has a cgroup say so many processes.
    fn count(&self, cgroup: &str, text: &str) {
        self.host.write(&format!("sys/fs/cgroup/{}/{cgroup}/pids.current", self.files), text);
    }

    /// The folder that is walked.
    fn walked(&self, cgroup: &str) -> String {
        let hierarchy = if self.files.is_empty() { "" } else { "memory/" };
        format!("sys/fs/cgroup/{hierarchy}{cgroup}")
    }

    /// What is there so many seconds after it began.
    fn at(&mut self, seconds: u64) -> Vec<(EntityKind, bool)> {
        let read = Snapshot::at(&mut self.open, self.began + Duration::from_secs(seconds));
        for (place, one) in read.entities.iter().enumerate() {
            let pod = one.parent.map(|pod| (read.entities[pod].kind, pod < place));
            assert_eq!(pod, (one.kind == Container).then_some((Pod, true)));
        }
        read.entities.iter().map(|one| (one.kind, one.newborn)).collect()
    }
}

const WHOLE: [(EntityKind, bool); 3] = [(Pod, false), (Container, false), (Unit, false)];
const REST: [(EntityKind, bool); 1] = [(Unit, false)];

#[test]
fn a_pod_that_has_been_empty_for_a_while_is_left_out_with_its_containers() {
    for mut emptied in [Emptied::v1(), Emptied::v2()] {
        assert_eq!(emptied.at(0), WHOLE);
        assert_eq!(emptied.at(14), WHOLE, "its sandbox may start again");
        assert_eq!(emptied.at(15), REST);
        emptied.open.take_cost();
        assert_eq!(emptied.at(20), REST);
        let without = emptied.open.take_cost();
        // All is looked at again each minute.
        assert_eq!(emptied.at(80), REST);
        assert_eq!(emptied.at(85), REST);
        emptied.host.remove(&emptied.walked(POD));
        emptied.open.take_cost();
        assert_eq!(emptied.at(90), REST);
        assert_eq!(emptied.open.take_cost(), without, "nothing of it is read");
    }
}

#[test]
fn a_pod_just_made_has_time_to_start() {
    let mut emptied = Emptied::v1();
    emptied.at(0);
    emptied.host.add_v1(OTHER);
    emptied.count(OTHER, "0\n");
    let with = |newborn| [(Pod, newborn), (Unit, false)];
    assert_eq!(emptied.at(20), with(true));
    assert_eq!(emptied.at(34), with(false));
    assert_eq!(emptied.at(35), REST);
    // However long that took.
    let sandbox = format!("{OTHER}/{}", "b".repeat(64));
    emptied.host.add_v1(&sandbox);
    let started = [(Pod, false), (Container, true), (Unit, false)];
    assert_eq!(emptied.at(40), started);
    assert_eq!(emptied.at(54), WHOLE);
    emptied.count(OTHER, "1\n");
    emptied.count(&sandbox, "1\n");
    assert_eq!(emptied.at(59), WHOLE);
    assert_eq!(emptied.at(300), WHOLE);
}

#[test]
fn an_old_container_that_is_filled_again_is_seen_within_a_minute() {
    let mut emptied = Emptied::v2();
    assert_eq!(emptied.at(0), WHOLE);
    assert_eq!(emptied.at(15), REST);
    emptied.count(POD, "1\n");
    emptied.count(&container('a'), "1\n");
    assert_eq!(emptied.at(59), REST);
    assert_eq!(emptied.at(61), WHOLE);
    assert_eq!(emptied.at(300), WHOLE);
}

#[test]
fn what_may_have_processes_stays() {
    type Change = fn(&Emptied, &str);
    let changes: [(&str, Change); 6] = [
        ("counted", |emptied, cgroup| emptied.count(cgroup, "1\n")),
        ("not told", |emptied, cgroup| emptied.count(cgroup, "")),
        ("no number", |emptied, cgroup| emptied.count(cgroup, "max\n")),
        ("listed", |emptied, cgroup| {
            emptied.host.write(&(emptied.walked(cgroup) + "/cgroup.procs"), "0\n");
        }),
        ("not to be asked", |emptied, cgroup| {
            emptied.host.remove(&(emptied.walked(cgroup) + "/cgroup.procs"));
        }),
        ("uncounted", |emptied, cgroup| {
            let pids = format!("sys/fs/cgroup/{}/{cgroup}/pids.current", emptied.files);
            emptied.host.remove(&pids);
        }),
    ];
    for (what, change) in changes {
        for mut emptied in [Emptied::v1(), Emptied::v2()] {
            for cgroup in [POD, &container('a')] {
                change(&emptied, cgroup);
            }
            // What is open already is read on.
            emptied.open = emptied.host.open();
            for seconds in [0, 15, 30, 90, 200] {
                assert_eq!(emptied.at(seconds), WHOLE, "{what}, after {seconds} s");
            }
        }
    }
}

#[test]
fn what_uses_cpu_stays_whoever_counts_its_processes() {
    for mut emptied in [Emptied::v1(), Emptied::v2()] {
        for step in 0..5 {
            let usage = 1000 + step;
            let text = if emptied.files.is_empty() {
                format!("usage_usec {usage}\n")
            } else {
                format!("{usage}\n")
            };
            for cgroup in [POD, &container('a')] {
                let cpu = format!("sys/fs/cgroup/{}", emptied.cpu.replace("POD", cgroup));
                emptied.host.write(&cpu, &text);
            }
            assert_eq!(emptied.at(step * 20), WHOLE);
        }
        assert_eq!(emptied.at(95), REST);
    }
}

#[test]
fn those_beside_an_empty_pod_keep_their_containers() {
    let mut emptied = Emptied::v1();
    emptied.host.add_v1(&format!("{OTHER}/{}", "b".repeat(64)));
    emptied.host.add_v1(OTHER);
    let names = |emptied: &mut Emptied, seconds| -> Vec<(String, Option<usize>)> {
        let read = Snapshot::at(&mut emptied.open, emptied.began + Duration::from_secs(seconds));
        read.entities.iter().map(|one| (one.id.to_string(), one.parent)).collect()
    };
    let all = names(&mut emptied, 0);
    assert_eq!(
        all.iter().map(|one| one.1).collect::<Vec<_>>(),
        [None, Some(0), None, Some(2), None]
    );
    let rest = names(&mut emptied, 15);
    assert_eq!(rest, [all[2].clone(), (all[3].0.clone(), Some(0)), all[4].clone()]);
}

/// CRI-O's sandbox: a cgroup beside those of the containers, and by default never a process in it.
#[test]
fn an_empty_container_is_left_out_and_its_pod_stays() {
    for mut emptied in [Emptied::v1(), Emptied::v2()] {
        emptied.count(POD, "1\n");
        assert_eq!(emptied.at(0), WHOLE);
        assert_eq!(emptied.at(14), WHOLE, "it may be about to start");
        let without = [(Pod, false), (Unit, false)];
        for seconds in [15, 59, 61, 120, 300] {
            assert_eq!(emptied.at(seconds), without, "after {seconds} s");
        }
        emptied.count(&container('a'), "1\n");
        assert_eq!(emptied.at(365), WHOLE, "something started in it after all");
        emptied.count(&container('a'), "0\n");
        emptied.at(370);
        assert_eq!(emptied.at(385), without);
        // The pod comes to be empty as well, and then goes.
        emptied.count(POD, "0\n");
        emptied.at(390);
        assert_eq!(emptied.at(405), REST);
        emptied.host.remove(&emptied.walked(POD));
        assert_eq!(emptied.at(410), REST);
    }
}

/// Kata's containers run in a virtual machine, gVisor's in the process of their sandbox: all there is to
/// see is in one cgroup, and those of the containers, if there are any, are empty.
#[test]
fn a_sandboxed_pod_has_figures_and_its_containers_none() {
    let host = FakeHost::v2();
    let sandbox = format!("{OTHER}/kata_{}", "b".repeat(64));
    let container = format!("{OTHER}/{}", "c".repeat(64));
    for cgroup in [OTHER, &sandbox, &container] {
        host.add_v2(cgroup);
    }
    host.write(&format!("sys/fs/cgroup/{container}/pids.current"), "0\n");
    host.write(&format!("sys/fs/cgroup/{container}/cpu.stat"), "usage_usec 0\n");
    let mut open = host.open();
    for seconds in [0, 10, 20, 90] {
        let read = Snapshot::at(&mut open, Instant::now() + Duration::from_secs(seconds));
        let ids: Vec<String> = read.entities[2..].iter().map(|one| one.id.to_string()).collect();
        let uid = OTHER.rsplit_once("pod").unwrap().1;
        assert_eq!(ids, [uid, &"b".repeat(64), "ssh.service"], "after {seconds} s");
        assert_eq!(read.entities[2].cgroup.memory_usage, Some(7000));
    }
}
