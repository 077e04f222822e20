//! Any tree of names that cgroups may have.

use std::{collections::HashSet, fs};

use kubemonitor_model::EntityKind;
use proptest::prelude::*;

use crate::fake_host::{FakeHost, Snapshot};

const UID: [&str; 2] =
    ["44444444-2222-3333-4444-555555555555", "55555555-2222-3333-4444-555555555555"];

fn name() -> impl Strategy<Value = String> {
    let id = |digit: usize| ["a", "b"][digit].repeat(64);
    let known = [
        "kubepods",
        "kubepods.slice",
        "burstable",
        "besteffort",
        "podUID",
        "system.slice",
        "kubepods-burstable-podUID_.slice",
        "kubepods-podUID_.slice:cri-containerd:ID",
        "ID",
        "cri-containerd-ID.scope",
        "crio-ID.scope",
        "crio-conmon-ID.scope",
        "docker-ID.scope",
        "kubelet",
        "docker",
        "containerd.service",
        "k3s.service",
        "lxc",
        "web",
        "container",
        "machine.slice",
        "podruntime",
        "init.scope",
    ];
    (prop::sample::select(known.to_vec()), 0..2_usize, 0..2_usize).prop_map(
        move |(name, uid, digit)| {
            let uid = UID[uid];
            let name = name.replace("UID_", &uid.replace('-', "_")).replace("UID", uid);
            name.replace("ID", &id(digit))
        },
    )
}

fn paths() -> impl Strategy<Value = Vec<String>> {
    let path = prop::collection::vec(name(), 1..7).prop_map(|names| names.join("/"));
    prop::collection::vec(path, 1..12)
}

/// That each entity is there once, containers right behind their pod, and no other's figures in any.
fn check(read: &Snapshot) -> Result<(), TestCaseError> {
    let mut seen = HashSet::new();
    let mut containers = HashSet::new();
    for (place, one) in read.entities.iter().enumerate() {
        prop_assert!(seen.insert((one.kind, one.id.clone())), "twice: {}", one.id);
        if one.kind == EntityKind::Container {
            let parent = one.parent.expect("a pod");
            prop_assert_eq!(read.entities[parent].kind, EntityKind::Pod);
            let between = &read.entities[parent + 1..place];
            prop_assert!(between.iter().all(|one| one.parent == Some(parent)));
            containers.insert(one.id.clone());
        } else {
            prop_assert_eq!(one.parent, None);
        }
    }
    for unit in read.entities.iter().filter(|one| one.kind == EntityKind::Unit) {
        prop_assert!(!containers.contains(&unit.id), "a pod's container and a unit: {}", unit.id);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn no_container_is_there_twice_and_none_without_its_pod(first in paths(), then in paths()) {
        let host = FakeHost::bare();
        host.write("proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
        host.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        let make = |path: &String| fs::create_dir_all(host.path("sys/fs/cgroup").join(path)).unwrap();
        first.iter().for_each(make);
        let mut open = host.open();
        check(&Snapshot::of(&mut open))?;
        then.iter().for_each(make);
        check(&Snapshot::of(&mut open))?;
        // What is left when some have gone is what a new reader finds.
        for path in &first {
            let _ = fs::remove_dir_all(host.path("sys/fs/cgroup").join(path));
        }
        let read = Snapshot::of(&mut open);
        check(&read)?;
        let ids = |read: &Snapshot| -> Vec<String> {
            read.entities.iter().map(|one| format!("{:?} {} {:?}", one.kind, one.id, one.parent)).collect()
        };
        prop_assert_eq!(ids(&read), ids(&host.read()));
    }
}
