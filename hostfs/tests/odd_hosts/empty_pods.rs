//! Cgroups of pods in which no process is left.

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
    assert_eq!(emptied.at(59), WHOLE);
    assert_eq!(emptied.at(300), WHOLE);
}

#[test]
fn an_old_container_that_is_filled_again_is_seen_within_a_minute() {
    let mut emptied = Emptied::v2();
    assert_eq!(emptied.at(0), WHOLE);
    assert_eq!(emptied.at(15), REST);
    emptied.count(POD, "1\n");
    assert_eq!(emptied.at(59), REST);
    assert_eq!(emptied.at(61), WHOLE);
    assert_eq!(emptied.at(300), WHOLE);
}

#[test]
fn what_may_have_processes_stays() {
    type Change = fn(&Emptied);
    let changes: [(&str, Change); 6] = [
        ("counted", |emptied| emptied.count(POD, "1\n")),
        ("not told", |emptied| emptied.count(POD, "")),
        ("no number", |emptied| emptied.count(POD, "max\n")),
        ("listed", |emptied| {
            let processes = emptied.walked(&container('a')) + "/cgroup.procs";
            emptied.host.write(&processes, "0\n");
        }),
        ("not to be asked", |emptied| {
            emptied.host.remove(&(emptied.walked(POD) + "/cgroup.procs"));
        }),
        ("uncounted", |emptied| {
            let pids = format!("sys/fs/cgroup/{}/{POD}/pids.current", emptied.files);
            emptied.host.remove(&pids);
        }),
    ];
    for (what, change) in changes {
        for mut emptied in [Emptied::v1(), Emptied::v2()] {
            change(&emptied);
            // What is open already is read on.
            emptied.open = emptied.host.open();
            for seconds in [0, 15, 30, 90, 200] {
                assert_eq!(emptied.at(seconds), WHOLE, "{what}, after {seconds} s");
            }
        }
    }
}

#[test]
fn a_pod_that_uses_cpu_stays_whoever_counts_its_processes() {
    for mut emptied in [Emptied::v1(), Emptied::v2()] {
        let cpu = format!("sys/fs/cgroup/{}", emptied.cpu.replace("POD", POD));
        for step in 0..5 {
            let usage = 1000 + step;
            emptied.host.write(
                &cpu,
                if emptied.files.is_empty() {
                    format!("usage_usec {usage}\n")
                } else {
                    format!("{usage}\n")
                },
            );
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
