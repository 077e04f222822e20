//! Cgroups that come and go.

use kubemonitor_model::EntityKind;

use crate::fake_host::{FakeHost, POD, Snapshot, container};

fn ids(read: &Snapshot) -> Vec<(EntityKind, bool)> {
    read.entities.iter().map(|one| (one.kind, one.newborn)).collect()
}

#[test]
fn a_pod_that_came_since_the_last_tick_is_new_once() {
    use EntityKind::{Container, Pod, Unit};
    let host = FakeHost::v1();
    let mut open = host.open();
    let before = [(Pod, false), (Container, false), (Unit, false)];
    assert_eq!(ids(&Snapshot::of(&mut open)), before);
    let pod = "kubepods/poda96ab411-2bca-47bf-90b4-002d39ce26bb";
    host.add_v1(&format!("{pod}/{}", "b".repeat(64)));
    host.add_v1(pod);
    let read = Snapshot::of(&mut open);
    let with = |newborn| [before[0], before[1], (Pod, newborn), (Container, newborn), before[2]];
    assert_eq!(ids(&read), with(true));
    assert_eq!((read.entities[1].parent, read.entities[3].parent), (Some(0), Some(2)));
    assert_eq!(read.entities[3].cgroup.cpu_usage_ns, Some(1000));
    assert_eq!(ids(&Snapshot::of(&mut open)), with(false));
}

#[test]
fn what_has_gone_is_left_out() {
    let host = FakeHost::v1();
    let mut open = host.open();
    assert_eq!(Snapshot::of(&mut open).entities.len(), 3);
    host.remove(&format!("sys/fs/cgroup/memory/{}", container('a')));
    assert_eq!(Snapshot::of(&mut open).entities.len(), 2);
    host.remove(&format!("sys/fs/cgroup/memory/{POD}"));
    let read = Snapshot::of(&mut open);
    assert_eq!(ids(&read), [(EntityKind::Unit, false)]);
}

#[test]
fn what_was_not_all_there_when_it_was_found_is_complete_a_tick_later() {
    let host = FakeHost::v1();
    let mut open = host.open();
    let late = container('b');
    host.write(&format!("sys/fs/cgroup/memory/{late}/memory.usage_in_bytes"), "5\n");
    let read = Snapshot::of(&mut open);
    let found = &read.entities[2];
    assert!(found.newborn);
    assert_eq!((found.cgroup.memory_usage, found.cgroup.cpu_usage_ns), (Some(5), None));
    host.add_v1(&late);
    let cgroup = Snapshot::of(&mut open).entities[2].cgroup;
    assert_eq!((cgroup.cpu_usage_ns, cgroup.cpu_limit_millicores), (Some(1000), Some(500)));
}
