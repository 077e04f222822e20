//! Whatever happens on a host, no CPU time is told of two entities, and none that was not used.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityId, EntityKind};
use proptest::prelude::*;

use crate::fake_host::{FakeHost, Snapshot};

/// Cgroups that may come and go: pods with containers inside and outside of their own cgroups, also on
/// a node that is a service, what another driver has left, and others.
const CGROUPS: [&str; 14] = [
    "kubepods.slice/kubepods-pod1.slice",
    "kubepods.slice/kubepods-pod1.slice/cri-containerd-A.scope",
    "kubepods.slice/kubepods-pod1.slice/cri-containerd-B.scope/container",
    "kubepods/pod1",
    "kubepods/pod1/A",
    "system.slice/containerd.service",
    "system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:C",
    "system.slice/containerd.service/kubepods-pod2.slice:cri-containerd:D",
    "system.slice/containerd.service/kubepods-pod2.slice:cri-containerd:E",
    "system.slice/k3s.service/init",
    "system.slice/k3s.service/kubepods/burstable/pod3",
    "system.slice/k3s.service/kubepods/burstable/pod3/F/deep/er",
    "docker/G/kubelet/kubepods/pod3/H",
    "docker/G",
];

fn path(place: usize) -> String {
    let id = |letter: char| letter.to_ascii_lowercase().to_string().repeat(64);
    let path = CGROUPS[place];
    let is_id = |at: usize, letter: char| {
        ('A'..='H').contains(&letter)
            && !path[at + 1..].starts_with(|next: char| next.is_ascii_alphanumeric())
            && !path[..at].ends_with(|before: char| before.is_ascii_alphanumeric())
    };
    path.char_indices()
        .map(|(at, letter)| {
            // Of ids made of g and h there is none.
            let letter = if is_id(at, letter) { letter } else { return letter.to_string() };
            id(match letter {
                'G' => '0',
                'H' => '1',
                other => other,
            })
        })
        .collect()
}

#[derive(Clone, Debug)]
enum Event {
    Make(usize),
    Remove(usize),
    /// Its processes use so much CPU time; it has some then.
    Use(usize, u64),
    /// Its processes end.
    End(usize),
    Tick(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let cgroup = 0..CGROUPS.len();
    prop_oneof![
        3 => cgroup.clone().prop_map(Event::Make),
        1 => cgroup.clone().prop_map(Event::Remove),
        4 => (cgroup.clone(), 1..100_u64).prop_map(|(cgroup, used)| Event::Use(cgroup, used)),
        1 => cgroup.prop_map(Event::End),
        4 => prop::sample::select(vec![5, 5, 5, 5, 20, 61]).prop_map(Event::Tick),
    ]
}

/// What a kernel knows of one cgroup.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    cpu: u64,
    own_process: bool,
}

struct Machine {
    host: FakeHost,
    cgroups: BTreeMap<String, State>,
    used: u64,
}

/// The path and all above.
fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| Some(path.rsplit_once('/')?.0))
}

impl Machine {
    fn new() -> Self {
        let host = FakeHost::bare();
        host.write("proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
        host.write("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
        Self { host, cgroups: BTreeMap::new(), used: 0 }
    }

    fn folder(&self, path: &str) -> std::path::PathBuf {
        self.host.path("sys/fs/cgroup").join(path)
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Make(place) => {
                let path = path(place);
                let all: Vec<&str> = upwards(&path).collect();
                for path in all.into_iter().rev() {
                    if !self.cgroups.contains_key(path) {
                        self.cgroups.insert(path.to_owned(), State::default());
                        self.write(path);
                    }
                }
            }
            Event::Remove(place) => {
                let path = path(place);
                let below = format!("{path}/");
                self.cgroups.retain(|other, _| *other != path && !other.starts_with(&below));
                let _ = fs::remove_dir_all(self.folder(&path));
            }
            Event::Use(place, used) => {
                let path = path(place);
                if self.cgroups.contains_key(&path) {
                    self.used += used;
                    for above in upwards(&path) {
                        self.cgroups.get_mut(above).unwrap().cpu += used;
                    }
                    self.cgroups.get_mut(&path).unwrap().own_process = true;
                }
            }
            Event::End(place) => {
                if let Some(state) = self.cgroups.get_mut(&path(place)) {
                    state.own_process = false;
                }
            }
            Event::Tick(_) => self.cgroups.keys().for_each(|path| self.write(path)),
        }
    }

    fn write(&self, path: &str) {
        let State { cpu, own_process } = self.cgroups[path];
        let below = format!("{path}/");
        let is_in = |other: &String| *other == path || other.starts_with(&below);
        let pids =
            self.cgroups.iter().filter(|(other, state)| is_in(other) && state.own_process).count();
        for (file, text) in [
            ("cpu.stat", format!("usage_usec {cpu}\n")),
            ("pids.current", format!("{pids}\n")),
            ("cgroup.procs", if own_process { "1\n" } else { "" }.to_owned()),
        ] {
            self.host.write(&format!("sys/fs/cgroup/{path}/{file}"), text);
        }
    }
}

/// The CPU time of each pod and unit, in microseconds.
type Told = HashMap<(EntityKind, EntityId), (Option<u64>, bool)>;

fn told(read: &Snapshot) -> Told {
    let counts = |kind| matches!(kind, EntityKind::Pod | EntityKind::Unit);
    let entities = read.entities.iter().filter(|one| counts(one.kind));
    let cpu = |ns: Option<u64>| ns.map(|ns| ns / 1000);
    entities
        .map(|one| ((one.kind, one.id.clone()), (cpu(one.cgroup.cpu_usage_ns), one.newborn)))
        .collect()
}

/// How much was used since the tick before, as who reads the two ticks takes it.
fn increase(before: &Told, now: &Told) -> u64 {
    let of_one = |(who, (cpu, newborn)): (&(EntityKind, EntityId), &(Option<u64>, bool))| {
        let cpu = cpu.unwrap();
        match before.get(who) {
            _ if *newborn => cpu,
            Some((before, _)) => cpu.saturating_sub(before.unwrap()),
            None => 0,
        }
    };
    now.iter().map(of_one).sum()
}

/// Whose counters are less than at the tick before.
fn fell(before: &Told, now: &Told) -> Vec<String> {
    let fell = now.iter().filter(|(who, (cpu, newborn))| {
        !newborn && before.get(who).is_some_and(|(before, _)| cpu < before)
    });
    fell.map(|((_, id), _)| id.to_string()).collect()
}

/// Whether an event removes the own cgroup of a pod or unit, whose counters are then those of another.
fn removes_own(event: &Event) -> bool {
    matches!(event, Event::Remove(0 | 3 | 5 | 10 | 12 | 13))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_told_twice_whatever_comes_and_goes(
        first in prop::collection::vec(event(), 0..20),
        then in prop::collection::vec(event(), 1..60),
    ) {
        let mut machine = Machine::new();
        for event in first.iter().filter(|event| !matches!(event, Event::Tick(_))) {
            machine.happen(event);
        }
        machine.happen(&Event::Tick(0));
        let mut open = machine.host.open();
        let mut now = Instant::now();
        let mut before = told(&Snapshot::at(&mut open, now));
        let mut used = machine.used;
        let mut may_fall = false;
        for event in &then {
            machine.happen(event);
            may_fall |= removes_own(event);
            if let Event::Tick(seconds) = event {
                now += Duration::from_secs(*seconds);
                let read = Snapshot::at(&mut open, now);
                let after = told(&read);
                let told = increase(&before, &after);
                prop_assert!(told <= machine.used - used, "{told} of {} in {after:?} after {before:?}", machine.used - used);
                let fell = fell(&before, &after);
                prop_assert!(may_fall || fell.is_empty(), "{fell:?}: {after:?} after {before:?}");
                may_fall = false;
                for one in read.entities.iter().filter(|one| one.kind == EntityKind::Container) {
                    prop_assert_eq!(read.entities[one.parent.unwrap()].kind, EntityKind::Pod);
                }
                (before, used) = (after, machine.used);
            }
        }
    }
}
