//! One pod, container or unit, and how its figures come from its cgroups.

use std::time::Instant;

use kubemonitor_model::{EntityId, EntityKind, QosClass};

use super::{
    EntityReading, ReadAfter,
    source::{Meter, OOM_KILLS, Source, set_counters},
    total::{Rest, Total, sum},
};
use crate::{cgroup::CgroupReading, namespace::PodNamespace};

/// A pod, container or unit.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) entity: EntityReading,
    pub(super) read_after: ReadAfter,
    pub(super) cgroups: Cgroups,
    /// The identities of its own cgroups.
    inodes: Vec<u64>,
    /// Of what may have a network of its own.
    pub(super) namespace: Option<PodNamespace>,
    /// Of a pod or container in which there seems to be no process.
    pub(super) empty: Option<Empty>,
    /// It is empty, or a container of an empty pod, and neither read nor reported.
    pub(super) aside: bool,
    /// A process has been seen in it, or the CPU time of one. What has not is read and not reported: a
    /// runtime may be about to start something there, or have put it elsewhere, and then 0 would be
    /// wrong.
    pub(super) started: bool,
    /// It was read at the tick before, and had not started.
    pub(super) waited: bool,
    /// Of a pod, what its containers outside of its own cgroup have counted.
    outside: Total,
    /// Of a pod, the kills in its containers, where its own cgroup does not count them.
    kills: Total,
    rest: Option<Rest>,
}

/// The cgroups of a member, by their places among the sources.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    /// Its own. A pod may have none, or, after its node's driver was changed, two.
    pub(super) own: Vec<usize>,
    /// Of a pod, those of its containers that are not in its own.
    pub(super) outside: Vec<usize>,
    /// Of a pod, those of its containers that are. Of a unit, those of pods.
    pub(super) inside: Vec<usize>,
}

/// A pod or container without processes, as it was when that was seen first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Empty {
    pub(super) since: Instant,
    cpu_usage_ns: Option<u64>,
}

/// Who counts the processes that the kernel killed for want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KillCount {
    /// Only the very cgroup of the process (v1).
    Flat,
    /// All cgroups above as well (v2).
    Hierarchical,
}

impl Member {
    /// One about which nothing is known yet.
    pub(super) fn new(
        kind: EntityKind,
        id: EntityId,
        qos: Option<QosClass>,
        newborn: bool,
        namespace: Option<PodNamespace>,
    ) -> Self {
        let cgroup = CgroupReading::default();
        let entity = EntityReading { kind, id, parent: None, qos, newborn, cgroup, network: None };
        Self {
            entity,
            read_after: ReadAfter::default(),
            cgroups: Cgroups::default(),
            inodes: Vec::new(),
            namespace,
            empty: None,
            aside: false,
            started: false,
            waited: false,
            outside: Total::default(),
            kills: Total::default(),
            rest: None,
        }
    }

    /// Whether it is reported.
    pub(super) fn is_reported(&self) -> bool {
        self.started && !self.aside
    }

    /// Gives it its cgroups.
    pub(super) fn has(&mut self, cgroups: Cgroups, sources: &[Source]) {
        self.inodes = cgroups.own.iter().map(|&own| sources[own].inode).collect();
        self.cgroups = cgroups;
    }

    /// Whether these cgroups have been recreated under the names of its own: it is another one then,
    /// that counts from 0. A pod is not while it has containers elsewhere.
    pub(super) fn is_superseded_by(&self, own: &[usize], sources: &[Source]) -> bool {
        let is_known = |&own: &usize| self.inodes.contains(&sources[own].inode);
        let is_all_there_was = self.cgroups.outside.is_empty() && !self.inodes.is_empty();
        is_all_there_was && !own.is_empty() && !own.iter().any(is_known)
    }

    /// The cgroups whose sum it is.
    pub(super) fn parts(&self) -> impl Iterator<Item = usize> + Clone {
        self.cgroups.own.iter().chain(&self.cgroups.outside).copied()
    }

    /// Makes its figures from those of its cgroups.
    pub(super) fn compose(&mut self, sources: &[Source], kills: KillCount) {
        let reading = match self.entity.kind {
            EntityKind::Pod => Some(self.pod(sources, kills)),
            EntityKind::Unit => self.unit(sources, kills),
            _ => self.cgroups.own.first().and_then(|&own| sources[own].reading),
        };
        self.entity.cgroup = reading.unwrap_or_default();
    }

    /// What a pod says: its own cgroup, and those of its containers that are elsewhere.
    fn pod(&mut self, sources: &[Source], kills: KillCount) -> CgroupReading {
        let Cgroups { own, outside, inside } = &self.cgroups;
        let (own, outside) = (read(own, sources), read(outside, sources));
        let parts = own.clone().chain(outside.clone()).map(|(reading, _)| reading);
        let is_only = own.clone().count() == 1;
        // What is left of another driver's has no process.
        let mut in_use = own.clone().filter(|(own, _)| is_only || own.pids != Some(0));
        let mut reading = match (in_use.next(), in_use.next(), outside.clone().next()) {
            (Some((only, _)), None, None) => *only,
            _ => sum(own.clone().next().map(|(own, _)| own), &parts),
        };
        let mut counters = self.outside.add(&outside.map(|(_, meter)| meter));
        for (place, counter) in counters.iter_mut().enumerate() {
            let add = |sum: u64, (_, own): (_, &Meter)| sum.checked_add(own.now(place)?);
            *counter = counter.and_then(|outside| own.clone().try_fold(outside, add));
        }
        if kills == KillCount::Flat {
            let known = read(inside, sources).filter(|(inside, _)| inside.oom_kills.is_some());
            let inside = self.kills.add(&known.map(|(_, meter)| meter))[OOM_KILLS];
            let kills = &mut counters[OOM_KILLS];
            *kills = kills.zip(inside).map(|(kills, inside)| kills.saturating_add(inside));
        }
        set_counters(&mut reading, counters);
        reading
    }

    /// What a unit says: its cgroup without the pods inside of it, which stand for themselves.
    fn unit(&mut self, sources: &[Source], kills: KillCount) -> Option<CgroupReading> {
        let mut reading = sources[*self.cgroups.own.first()?].reading?;
        if self.rest.is_some() || !self.cgroups.inside.is_empty() {
            let own_kills = reading.oom_kills;
            let new = || if self.started { Rest::of_known() } else { Rest::of_new() };
            let rest = self.rest.get_or_insert_with(new);
            rest.take_from(&mut reading, &read(&self.cgroups.inside, sources));
            if kills == KillCount::Flat {
                reading.oom_kills = own_kills;
            }
        }
        Some(reading)
    }

    /// Notes whether there seems to be no process in here: none is counted, and it uses no CPU.
    /// The counts go down the whole subtree, and nothing has to be read for them.
    pub(super) fn note_emptiness(&mut self, now: Instant) {
        let CgroupReading { pids, cpu_usage_ns, .. } = self.entity.cgroup;
        self.empty = match self.empty {
            _ if pids != Some(0) => None,
            Some(empty) if empty.cpu_usage_ns == cpu_usage_ns => Some(empty),
            _ => Some(Empty { since: now, cpu_usage_ns }),
        };
    }

    /// Whether its figures speak of a process, now or before. What is unknown may have one.
    pub(super) fn shows_a_process(&self) -> bool {
        let CgroupReading { pids, cpu_usage_ns, .. } = self.entity.cgroup;
        pids != Some(0) || cpu_usage_ns.is_some_and(|used| used > 0)
    }

    /// Notes that it has started. If it waited for that until now, its counters began at 0 since the
    /// tick before.
    pub(super) fn start(&mut self) {
        if !self.started {
            self.started = true;
            self.entity.newborn |= self.waited;
        }
    }
}

/// Those of some cgroups that were read at this tick.
fn read<'a>(
    places: &'a [usize],
    sources: &'a [Source],
) -> impl Iterator<Item = (&'a CgroupReading, &'a Meter)> + Clone {
    let sources = places.iter().map(|&place| &sources[place]);
    sources.filter_map(|source| Some((source.reading.as_ref()?, &source.meter)))
}
