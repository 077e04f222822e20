//! Everything that runs in a cgroup of its own.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityId, EntityKind, QosClass};

pub(crate) use self::member::KillCount;
use self::{
    arrange::arrange,
    member::Member,
    networks::Claim,
    source::{Meter, Source},
};
use crate::{
    cgroup::{Cgroup, CgroupReading},
    disks::Disks,
    file::Scratch,
    hierarchies::Hierarchies,
    layout::Place,
    namespace::PodNamespace,
    processes,
    procfs::net_dev::NetworkCounters,
    tree::{Changes, Found, Tree},
};

mod arrange;
mod member;
mod networks;
mod source;
mod total;

/// How long a pod or container without any process is taken for one that is about to start, or to
/// start again.
pub(crate) const EMPTY_FOR: Duration = Duration::from_secs(15);

/// One pod, container or unit at one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityReading {
    /// Pod, container or unit.
    pub kind: EntityKind,
    /// Who it is.
    pub id: EntityId,
    /// Of a container, the place of its pod in the order of
    /// [`HostReading::entities`](crate::HostReading::entities).
    pub parent: Option<usize>,
    /// Of a pod, its class.
    pub qos: Option<QosClass>,
    /// It did not exist at the previous tick, or nothing had run in it yet.
    pub newborn: bool,
    /// What its cgroup says. Of a pod with containers outside of its cgroup, their sum; of a unit with
    /// pods inside of it, what is not theirs.
    pub cgroup: CgroupReading,
    /// Traffic of a pod or plain container. `None` also where it has no network of its own.
    pub network: Option<NetworkCounters>,
}

/// How long after the node an entity was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadAfter {
    /// Its cgroup.
    pub cgroup: Duration,
    /// Its network.
    pub network: Duration,
}

/// The members, and the cgroups they are made of, which are in the order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Members {
    sources: Vec<Source>,
    /// Those that are reported come first, each pod right before its containers.
    all: Vec<Member>,
    reported: usize,
    /// Kept for its memory: whose namespace is which, at one tick.
    namespaces: Vec<Claim>,
}

impl Members {
    /// All that is reported: not what has been empty for a while, nor what has not started.
    pub(crate) fn reported(&self) -> impl ExactSizeIterator<Item = &EntityReading> {
        self.all[..self.reported].iter().map(|member| &member.entity)
    }

    /// When each of those that are [reported](Self::reported) was read, in their order.
    pub(crate) fn read_after(&self) -> impl ExactSizeIterator<Item = ReadAfter> + use<'_> {
        self.all[..self.reported].iter().map(|member| member.read_after)
    }

    /// The place and path of each cgroup that is a pod's or a pod's container's.
    pub(crate) fn of_pods(&self) -> impl Iterator<Item = (&Place, &Path)> {
        let of_pods = self.sources.iter().filter(|source| source.pod().is_some());
        of_pods.map(|source| (&source.place, &*source.path))
    }

    /// Whether a cgroup's entity is reported; `None` where another cgroup stands for it.
    pub(crate) fn status(&self, path: &Path) -> Option<Status> {
        let place = self.sources.iter().position(|source| source.path == path)?;
        let mut members = self.all.iter();
        let member = members.find(|member| member.cgroups.own.contains(&place))?;
        Some(if member.is_reported() { Status::Reported } else { Status::Empty })
    }

    /// Whether there are pods in the unit of a cgroup.
    pub(crate) fn holds_pods(&self, path: &Path) -> bool {
        let unit = |member: &&Member| member.entity.kind == EntityKind::Unit;
        let own =
            |member: &&Member| member.cgroups.own.iter().any(|&own| self.sources[own].path == path);
        let unit = self.all.iter().filter(unit).find(own);
        unit.is_some_and(|unit| !unit.cgroups.inside.is_empty())
    }

    /// Begins a tick: what was new at the last one is so no more.
    pub(crate) fn grow_up(&mut self, scratch: &mut Scratch) {
        for place in 0..self.all.len() {
            let member = &mut self.all[place];
            if !member.entity.newborn {
                continue;
            }
            // One in which nothing has started stays new until something does.
            member.entity.newborn = !member.started && !member.aside;
            // A runtime makes the cgroups of one container one after the other, then sets the
            // limits, then puts a process in: it may not have been done when this one was found.
            self.refresh_one(place, scratch);
            // A pod is often older than its sandbox, whose first process may have been seen before
            // it was in its namespace. That of any other container comes after the sandbox's.
            let pod = self.all[place].entity.parent;
            let pod = pod.and_then(|pod| self.all[pod].namespace.as_mut());
            pod.into_iter().for_each(PodNamespace::doubt);
        }
    }

    /// Has each of them look again at what hardly ever changes, those that were set aside included.
    pub(crate) fn refresh(&mut self, scratch: &mut Scratch) {
        for place in 0..self.all.len() {
            self.refresh_one(place, scratch);
            self.all[place].aside = false;
        }
    }

    /// Reads the limits again, tries again to open what was absent, and asks again whose network
    /// this is.
    fn refresh_one(&mut self, place: usize, scratch: &mut Scratch) {
        let member = &mut self.all[place];
        for &own in &member.cgroups.own {
            self.sources[own].cgroup.refresh(scratch);
        }
        if let Some(namespace) = &mut member.namespace {
            namespace.doubt();
        }
    }

    /// Follows the tree.
    pub(crate) fn follow(
        &mut self,
        changes: Changes,
        tree: &Tree,
        hierarchies: &Hierarchies,
        scratch: &mut Scratch,
    ) {
        for path in changes.gone {
            self.sources.retain(|source| !source.path.starts_with(&path));
        }
        for Found { path, inode, place, newborn } in changes.found {
            self.sources.push(Source {
                inode,
                folder: tree.locate(&path),
                cgroup: Cgroup::open(hierarchies, &path, scratch),
                path,
                place,
                newborn,
                reading: None,
                meter: Meter::default(),
            });
        }
        self.arrange();
    }

    /// Reads all cgroups, and notes how long after `begun` each one. What has gone meanwhile is left
    /// out.
    pub(crate) fn read_cgroups(
        &mut self,
        begun: Instant,
        disks: &Disks,
        kills: KillCount,
        tree: &mut Tree,
        scratch: &mut Scratch,
    ) {
        self.sources.iter_mut().for_each(|source| source.reading = None);
        let mut gone = Vec::new();
        for member in self.all.iter_mut().filter(|member| !member.aside) {
            member.read_after.cgroup = begun.elapsed();
            for &own in &member.cgroups.own {
                let source = &mut self.sources[own];
                match source.cgroup.read(disks, scratch) {
                    Ok(reading) => source.note(&reading),
                    Err(_) => gone.push(source.path.clone()),
                }
            }
        }
        if !gone.is_empty() {
            for path in &gone {
                tree.disown(path);
            }
            let has_gone = |source: &Source| gone.iter().any(|path| source.path.starts_with(path));
            self.sources.retain(|source| !has_gone(source));
            self.arrange();
        }
        for member in self.all.iter_mut().filter(|member| !member.aside) {
            member.compose(&self.sources, kills);
        }
    }

    /// Stops reporting pods in which nothing has run for a while, with their containers, and such
    /// containers; starts to report those in which something has started.
    ///
    /// Kubelet leaves the cgroup of a pod that was deleted by force, or while kubelet was down, perhaps
    /// for ever: there is no pod any more. CRI-O keeps the cgroup of a sandbox for as long as the pod
    /// lives, and by default no process ever runs in it (`drop_infra_ctr` in crio.conf(5)); gVisor's
    /// containers have empty ones: nobody takes them for containers. They are looked at again when a
    /// container comes, and at each [`refresh`](Self::refresh).
    pub(crate) fn judge(&mut self, now: Instant, scratch: &mut Scratch) {
        for place in 0..self.all.len() {
            let member = &mut self.all[place];
            if member.aside {
                continue;
            }
            if member.entity.kind == EntityKind::Unit || member.shows_a_process() {
                member.start();
                if let Some(pod) = self.all[place].entity.parent {
                    self.all[pod].start();
                }
            }
            let member = &mut self.all[place];
            if member.entity.kind == EntityKind::Unit {
                continue;
            }
            member.note_emptiness(now);
            if member.empty.is_none_or(|empty| now.duration_since(empty.since) < EMPTY_FOR) {
                continue;
            }
            let is_empty =
                member.parts().all(|part| processes::none_in(&self.sources[part].folder, scratch));
            if is_empty {
                self.set_aside(place);
            } else {
                // Whoever counts processes counts them elsewhere.
                self.all[place].start();
                self.all[place].empty = None;
            }
        }
        for member in &mut self.all {
            member.waited = !member.started && !member.aside;
        }
        // Of a pod with a container that is not read it is not known when it starts.
        for place in 0..self.all.len() {
            let Member { aside: true, entity, .. } = &self.all[place] else { continue };
            if let Some(pod) = entity.parent {
                self.all[pod].waited = false;
            }
        }
        // Those that are reported have to be the first.
        let reported = self.all.iter().filter(|member| member.is_reported()).count();
        if reported != self.reported
            || self.all[..reported].iter().any(|member| !member.is_reported())
        {
            self.arrange();
        }
    }

    /// Sets aside a container, or a pod with its containers.
    fn set_aside(&mut self, place: usize) {
        let with_it =
            |at: usize, member: &Member| at == place || member.entity.parent == Some(place);
        for at in 0..self.all.len() {
            if with_it(at, &self.all[at]) {
                self.all[at].aside = true;
                for &own in &self.all[at].cgroups.own {
                    self.sources[own].pause();
                }
            }
        }
    }

    /// Nobody counted what they read and wrote.
    pub(crate) fn forget_io(&mut self) {
        for member in &mut self.all {
            let cgroup = &mut member.entity.cgroup;
            cgroup.disk_read_bytes = None;
            cgroup.disk_write_bytes = None;
            cgroup.disk_reads = None;
            cgroup.disk_writes = None;
        }
    }

    /// Puts them into their order.
    fn arrange(&mut self) {
        self.sources.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        self.all = arrange(&self.sources, std::mem::take(&mut self.all));
        self.reported = self.all.iter().filter(|member| member.is_reported()).count();
    }
}

/// What becomes of a cgroup that is an entity's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It is reported.
    Reported,
    /// Nothing has run in it yet, or for a while.
    Empty,
}
