//! Everything that runs in a cgroup of its own.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityId, EntityKind, QosClass};

use crate::{
    cgroup::{Cgroup, CgroupReading},
    disks::Disks,
    file::Scratch,
    hierarchies::Hierarchies,
    layout::Place,
    namespace::{Candidate, NodeNamespace, PodNamespace},
    procfs::net_dev::NetworkCounters,
    tree::{Changes, Found, Tree},
};

/// How long a pod or container without any process is taken for one that is about to start, or to
/// start again.
const EMPTY_FOR: Duration = Duration::from_secs(15);

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
    /// It did not exist at the previous tick.
    pub newborn: bool,
    /// What its cgroup says.
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

/// An entity, and where its values come from.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) entity: EntityReading,
    pub(crate) read_after: ReadAfter,
    /// The cgroup's path in its hierarchy, and its identity there.
    path: PathBuf,
    inode: u64,
    /// Its folder in the hierarchy that is walked.
    folder: PathBuf,
    cgroup: Cgroup,
    /// Of what may have a network of its own.
    namespace: Option<PodNamespace>,
    /// Of a pod or container in which there seems to be no process.
    empty: Option<Empty>,
    /// It is empty, or a container of an empty pod, and neither read nor told.
    aside: bool,
    /// It could not be read any more.
    removed: bool,
}

/// A pod or container without processes, as it was when that was seen first.
#[derive(Clone, Copy, Debug)]
struct Empty {
    since: Instant,
    cpu_usage_ns: Option<u64>,
}

impl Member {
    /// Notes whether there seems to be no process in here: none is counted, and it uses no CPU.
    /// The counts go down the whole subtree, and nothing has to be read for them.
    fn note_emptiness(&mut self, now: Instant) {
        let CgroupReading { pids, cpu_usage_ns, .. } = self.entity.cgroup;
        self.empty = match self.empty {
            _ if pids != Some(0) => None,
            Some(empty) if empty.cpu_usage_ns == cpu_usage_ns => Some(empty),
            _ => Some(Empty { since: now, cpu_usage_ns }),
        };
    }

    /// Whether the kernel lists no process in this very cgroup. What cannot be asked may have some.
    fn lists_no_process(&self, scratch: &mut Scratch) -> bool {
        let processes = scratch.read_path(&self.folder.join("cgroup.procs"));
        processes.is_some_and(|processes| processes.trim_ascii().is_empty())
    }

    /// Reads the limits anew, tries again to open what was absent, and asks again whose network
    /// this is.
    fn refresh(&mut self, scratch: &mut Scratch) {
        self.cgroup.refresh(scratch);
        if let Some(namespace) = &mut self.namespace {
            namespace.doubt();
        }
    }
}

/// The members, by path, so that each pod comes right before its containers. Those that are set
/// aside come after all others.
#[derive(Debug, Default)]
pub(crate) struct Members {
    all: Vec<Member>,
}

impl Members {
    /// All but those that are set aside.
    pub(crate) fn as_slice(&self) -> &[Member] {
        &self.all[..self.measured()]
    }

    fn measured(&self) -> usize {
        self.all.partition_point(|member| !member.aside)
    }

    /// The path of a pod's cgroup, if there is a pod.
    pub(crate) fn pod_path(&self) -> Option<&Path> {
        let pod = self.all.iter().find(|member| member.entity.kind == EntityKind::Pod)?;
        Some(&pod.path)
    }

    /// Begins a tick: what was new at the last one is so no more.
    pub(crate) fn grow_up(&mut self, scratch: &mut Scratch) {
        for place in 0..self.all.len() {
            let member = &mut self.all[place];
            if !member.entity.newborn {
                continue;
            }
            member.entity.newborn = false;
            // A runtime makes the cgroups of one container one after the other, then sets the
            // limits, then puts a process in: it may not have been done when this one was found.
            member.refresh(scratch);
            // A pod is often older than its sandbox, whose first process may have been seen before
            // it was in its namespace. That of any other container comes after the sandbox's.
            let pod = member.entity.parent.and_then(|pod| self.all[pod].namespace.as_mut());
            pod.into_iter().for_each(PodNamespace::doubt);
        }
    }

    /// Has each of them look anew at what hardly ever changes, those that were set aside included.
    pub(crate) fn refresh(&mut self, scratch: &mut Scratch) {
        for member in &mut self.all {
            member.refresh(scratch);
            member.aside = false;
        }
        self.arrange();
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
            self.drop_below(&path);
        }
        for Found { path, inode, place, newborn } in changes.found {
            let namespace = PodNamespace::of(&place);
            if let Some(entity) = self.entity(place, newborn, &path)
                && self.make_room(&entity, inode)
            {
                self.all.push(Member {
                    entity,
                    read_after: ReadAfter::default(),
                    inode,
                    folder: tree.locate(&path),
                    cgroup: Cgroup::open(hierarchies, &path, scratch),
                    path,
                    namespace,
                    empty: None,
                    aside: false,
                    removed: false,
                });
            }
        }
        self.arrange();
    }

    /// Reads all cgroups, and notes how long after `begun` each one. What has gone meanwhile is left
    /// out.
    pub(crate) fn read_cgroups(
        &mut self,
        begun: Instant,
        disks: &Disks,
        tree: &mut Tree,
        scratch: &mut Scratch,
    ) {
        let mut any_removed = false;
        for place in 0..self.measured() {
            let pod = self.all[place].entity.parent;
            let orphaned = pod.is_some_and(|pod| self.all[pod].removed);
            let member = &mut self.all[place];
            member.read_after.cgroup = begun.elapsed();
            match member.cgroup.read(disks, scratch) {
                Ok(reading) if !orphaned => member.entity.cgroup = reading,
                _ => {
                    tree.disown(&member.path);
                    member.removed = true;
                    any_removed = true;
                }
            }
        }
        if any_removed {
            self.all.retain(|member| !member.removed);
            self.link();
        }
    }

    /// Sets aside the pods in which nothing has run for a while, with their containers, and such
    /// containers. Kubelet leaves the cgroup of a pod that was deleted by force, or while kubelet was
    /// down, perhaps for ever: there is no pod any more. CRI-O keeps the cgroup of a sandbox for as
    /// long as the pod lives, and by default no process ever runs in it (`drop_infra_ctr` in
    /// crio.conf(5)): nobody takes it for a container. They are looked at again when a container
    /// comes, and at each [`refresh`](Self::refresh).
    pub(crate) fn set_empty_aside(&mut self, now: Instant, scratch: &mut Scratch) {
        let mut any_aside = false;
        for place in 0..self.measured() {
            let member = &mut self.all[place];
            if member.aside
                || !matches!(member.entity.kind, EntityKind::Pod | EntityKind::Container)
            {
                continue;
            }
            member.note_emptiness(now);
            if member.empty.is_none_or(|empty| now.duration_since(empty.since) < EMPTY_FOR) {
                continue;
            }
            let members = self.with_containers(place);
            if self.all[members.clone()].iter().all(|member| member.lists_no_process(scratch)) {
                self.all[members].iter_mut().for_each(|member| member.aside = true);
                any_aside = true;
            } else {
                // Whoever counts processes counts them elsewhere.
                self.all[place].empty = None;
            }
        }
        if any_aside {
            self.arrange();
        }
    }

    /// Adds the kills in its containers to those of each pod. For cgroup v1, which counts them in
    /// the very cgroup of the killed process alone; v2 does so itself.
    pub(crate) fn add_kills_to_pods(&mut self) {
        for place in 0..self.measured() {
            let Some(pod) = self.all[place].entity.parent else { continue };
            let kills = self.all[place].entity.cgroup.oom_kills;
            let total = &mut self.all[pod].entity.cgroup.oom_kills;
            *total = total.zip(kills).map(|(total, kills)| total.saturating_add(kills)).or(*total);
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

    /// Reads the traffic of everything that may have a network of its own, and notes how long after
    /// `begun`.
    pub(crate) fn read_networks(
        &mut self,
        begun: Instant,
        proc: &Path,
        node: &NodeNamespace,
        scratch: &mut Scratch,
    ) {
        for place in 0..self.measured() {
            let (head, tail) = self.all.split_at_mut(place + 1);
            let member = &mut head[place];
            let Some(namespace) = &mut member.namespace else { continue };
            let itself = Candidate { folder: &member.folder, inode: member.inode };
            let containers = tail
                .iter()
                .take_while(|other| other.entity.kind == EntityKind::Container)
                .map(|other| Candidate { folder: &other.folder, inode: other.inode });
            let candidates = std::iter::once(itself).chain(containers);
            member.read_after.network = begun.elapsed();
            member.entity.network = namespace.read(candidates, proc, node, scratch);
        }
    }

    /// The entity of a cgroup found at this place, about which nothing is known yet.
    fn entity(&mut self, place: Place, newborn: bool, path: &Path) -> Option<EntityReading> {
        let (kind, id, qos) = match place {
            Place::Pod { uid, qos } => (EntityKind::Pod, uid, Some(qos)),
            Place::Container { id } => {
                self.recall(path.parent()?)?;
                (EntityKind::Container, id, None)
            }
            Place::Service { name } => (EntityKind::Unit, name, None),
            Place::PlainContainer { id } => (EntityKind::Unit, id, None),
            Place::Folder | Place::LxcFolder | Place::Kubepods(_) | Place::Part | Place::Hidden => {
                return None;
            }
        };
        let cgroup = CgroupReading::default();
        Some(EntityReading { kind, id, parent: None, qos, newborn, cgroup, network: None })
    }

    /// Has the pod at `path`, if there is one, measured again, should it be set aside: a container
    /// comes, and will have a process.
    fn recall(&mut self, path: &Path) -> Option<()> {
        let pod = self.all.iter_mut().find(|member| member.path == path)?;
        pod.empty = None;
        if pod.aside {
            let members = self.all.iter_mut().filter(|member| member.path.starts_with(path));
            members.for_each(|member| member.aside = false);
        }
        Some(())
    }

    /// The place of a pod or container, and of a pod those of its containers.
    fn with_containers(&self, place: usize) -> Range<usize> {
        if self.all[place].entity.kind != EntityKind::Pod {
            return place..place + 1;
        }
        let containers = self.all[place + 1..]
            .iter()
            .take_while(|member| member.entity.kind == EntityKind::Container);
        place..place + 1 + containers.count()
    }

    /// Whether there is room for an entity. Two cgroups may claim to be the same one, as when
    /// kubelet's driver was changed and the other's cgroups stayed: the younger one is alive.
    fn make_room(&mut self, entity: &EntityReading, inode: u64) -> bool {
        let same =
            |member: &&Member| member.entity.kind == entity.kind && member.entity.id == entity.id;
        let Some(twin) = self.all.iter().find(same) else { return true };
        if twin.inode > inode {
            return false;
        }
        let path = twin.path.clone();
        self.drop_below(&path);
        true
    }

    fn drop_below(&mut self, path: &Path) {
        self.all.retain(|member| !member.path.starts_with(path));
    }

    /// Puts them into their order.
    fn arrange(&mut self) {
        self.all
            .sort_unstable_by(|one, other| (one.aside, &one.path).cmp(&(other.aside, &other.path)));
        self.link();
    }

    /// Tells each container the place of its pod.
    fn link(&mut self) {
        let mut pod = None;
        for (place, member) in self.all.iter_mut().enumerate() {
            match member.entity.kind {
                EntityKind::Pod => pod = Some(place),
                EntityKind::Container => member.entity.parent = pod,
                _ => {}
            }
        }
    }
}
