//! The host: its node and everything that runs in a cgroup of its own.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    file::{ReadCost, Scratch},
    hierarchies::Hierarchies,
    members::{EntityReading, Member, Members, ReadAfter},
    node::{Node, NodeReading},
    tree::{Changes, Tree},
};

/// How often everything is looked at anew: limits, files that were absent, and whether a cgroup
/// came or went unnoticed.
const RESCAN: Duration = Duration::from_secs(60);

/// Where the host's file systems are to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRoots {
    /// Its procfs.
    pub proc: PathBuf,
    /// Its `/sys/fs/cgroup`.
    pub cgroup: PathBuf,
    /// Its sysfs, where that shows the host's network interfaces. In a container it does not.
    pub sys: Option<PathBuf>,
}

impl Default for HostRoots {
    /// The usual places, for a program that runs on the host itself.
    fn default() -> Self {
        Self { proc: "/proc".into(), cgroup: "/sys/fs/cgroup".into(), sys: Some("/sys".into()) }
    }
}

impl HostRoots {
    /// The places below `prefix`, as a container has them that mounts the host's `/proc` and
    /// `/sys/fs/cgroup` there.
    pub fn mounted_at(prefix: &Path) -> Self {
        Self { proc: prefix.join("proc"), cgroup: prefix.join("sys/fs/cgroup"), sys: None }
    }
}

/// Why a host cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No procfs.
    #[error("cannot read {path}: {source}; is the host's /proc mounted there?")]
    Proc {
        /// The file that should be there.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// No cgroups.
    #[error(
        "found no cgroup hierarchy with controllers: {proc}/mounts names none that can be seen, \
         and nothing below {cgroup} looks like one; is the host's /sys/fs/cgroup mounted there?"
    )]
    Cgroups {
        /// The root of the procfs whose mount table was read.
        proc: PathBuf,
        /// The folder that was searched.
        cgroup: PathBuf,
    },
}

/// The host at one tick.
#[derive(Clone, Copy, Debug)]
pub struct HostReading<'a> {
    /// The node as a whole.
    pub node: &'a NodeReading,
    /// When the node was read; the others came after it.
    pub at: Instant,
    members: &'a [Member],
}

impl<'a> HostReading<'a> {
    /// Everything that runs in a cgroup of its own, each pod before its containers.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = &'a EntityReading> + use<'a> {
        self.members.iter().map(|member| &member.entity)
    }

    /// When each of the [`entities`](Self::entities) was read, in their order.
    pub fn read_after(&self) -> impl ExactSizeIterator<Item = ReadAfter> + use<'a> {
        self.members.iter().map(|member| member.read_after)
    }
}

/// A host that is read again and again. Files stay open, and nothing is allocated for a tick at
/// which no cgroup came or went.
pub struct Host {
    roots: HostRoots,
    hierarchies: Hierarchies,
    tree: Tree,
    node: Node,
    reading: NodeReading,
    members: Members,
    scratch: Scratch,
    rescanned: Instant,
}

impl Host {
    /// Opens the host's files and finds its cgroups. Raises this process' limit of open files as
    /// far as it may, since every cgroup takes ten.
    pub fn open(roots: HostRoots) -> Result<Self, HostError> {
        allow_many_files();
        let mut scratch = Scratch::new();
        let hierarchies = Hierarchies::find(&roots);
        let Some(walked) = hierarchies.walked() else {
            return Err(HostError::Cgroups { proc: roots.proc, cgroup: roots.cgroup });
        };
        let mut tree = Tree::new(walked.to_owned());
        let node = Node::open(&roots.proc, roots.sys.as_deref(), &hierarchies, &mut scratch)?;
        let mut members = Members::default();
        members.follow(tree.rescan(), &tree, &hierarchies, &mut scratch);
        Ok(Self {
            roots,
            hierarchies,
            tree,
            node,
            reading: NodeReading::default(),
            members,
            scratch,
            rescanned: Instant::now(),
        })
    }

    /// Reads everything now.
    pub fn read(&mut self) -> HostReading<'_> {
        self.read_at(Instant::now())
    }

    /// Reads everything, taking the time for `now`: of use to those who cannot wait.
    pub fn read_at(&mut self, now: Instant) -> HostReading<'_> {
        let Self { node, members, tree, scratch, .. } = self;
        members.grow_up(scratch);
        let changes = if now.duration_since(self.rescanned) < RESCAN {
            tree.poll()
        } else {
            self.rescanned = now;
            members.refresh(scratch);
            tree.rescan()
        };
        if changes != Changes::default() {
            members.follow(changes, tree, &self.hierarchies, scratch);
        }
        // The node comes first: from it the others learn which disks and which network are its.
        let at = Instant::now();
        self.reading = node.read(scratch);
        members.read_cgroups(at, &node.disks, tree, scratch);
        members.set_empty_aside(now, scratch);
        if self.hierarchies.legacy.memory.is_some() {
            members.add_kills_to_pods();
        }
        if self.hierarchies.legacy.blkio.is_some() && !self.reading.counts_io_of_legacy_cgroups() {
            members.forget_io();
        }
        members.read_networks(at, &self.roots.proc, &node.namespace, scratch);
        HostReading { node: &self.reading, at, members: members.as_slice() }
    }

    /// The version of the cgroups that have controllers: `v1`, `v2`, or `v1+v2` on a hybrid host.
    pub fn cgroup_version(&self) -> &'static str {
        self.hierarchies.version()
    }

    /// Who makes the cgroups of pods, kubelet itself (`cgroupfs`) or `systemd` for it; `None` as
    /// long as there is no pod.
    pub fn cgroup_driver(&self) -> Option<&'static str> {
        let is_slice = self.members.pod_path()?.extension().is_some_and(|it| it == "slice");
        Some(if is_slice { "systemd" } else { "cgroupfs" })
    }

    /// What reading has cost since this was asked last.
    pub fn take_cost(&mut self) -> ReadCost {
        self.scratch.take_cost()
    }
}

/// Raises the limit of open files to what the system lets this process have.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Where this fails, a large node's cgroups are partly unread.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}
