//! The host: its node and everything that runs in a cgroup of its own.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tracing::{info, warn};

use crate::{
    Explanation,
    descriptors::{Descriptors, Supply},
    disks::DiskVerdict,
    explain::{facts, verdicts},
    file::{ReadCost, Scratch},
    hierarchies::Hierarchies,
    interfaces::InterfaceVerdict,
    layout::Place,
    members::{EMPTY_FOR, EntityReading, Members, ReadAfter},
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
    /// Its sysfs, if it is to be seen. A container's own shows the container's network interfaces, and
    /// not the host's.
    pub sys: Option<PathBuf>,
}

impl Default for HostRoots {
    /// The usual places, for a program that runs on the host itself.
    fn default() -> Self {
        Self { proc: "/proc".into(), cgroup: "/sys/fs/cgroup".into(), sys: Some("/sys".into()) }
    }
}

impl HostRoots {
    /// The places below `prefix`, as a container has them that mounts the host's `/proc` and `/sys`
    /// there.
    pub fn mounted_at(prefix: &Path) -> Self {
        Self {
            proc: prefix.join("proc"),
            cgroup: prefix.join("sys/fs/cgroup"),
            sys: Some(prefix.join("sys")),
        }
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
    members: &'a Members,
}

impl<'a> HostReading<'a> {
    /// Everything that runs in a cgroup of its own, each pod before its containers.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = &'a EntityReading> + use<'a> {
        self.members.reported()
    }

    /// When each of the [`entities`](Self::entities) was read, in their order.
    pub fn read_after(&self) -> impl ExactSizeIterator<Item = ReadAfter> + use<'a> {
        self.members.read_after()
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
    /// far as it may, since every cgroup takes ten, and takes half of them at most.
    pub fn open(roots: HostRoots) -> Result<Self, HostError> {
        let mut scratch = Scratch::new(Descriptors::of_this_process());
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
            scratch.descriptors.follow_limit();
            members.refresh(scratch);
            node.refresh();
            tree.rescan()
        };
        if changes != Changes::default() {
            members.follow(changes, tree, &self.hierarchies, scratch);
        }
        // The node comes first: from it the others learn which disks and which network are its.
        let at = Instant::now();
        self.reading = node.read(scratch);
        members.read_cgroups(at, &node.disks, self.hierarchies.kill_count(), tree, scratch);
        members.judge(now, scratch);
        if self.hierarchies.legacy.blkio.is_some() && !self.reading.counts_io_of_legacy_cgroups() {
            members.forget_io();
        }
        members.read_networks(at, &self.roots.proc, &node.namespace, scratch);
        tell(scratch.descriptors.take_news());
        HostReading { node: &self.reading, at, members }
    }

    /// The version of the cgroups that have controllers: `v1`, `v2`, or `v1+v2` on a hybrid host.
    pub fn cgroup_version(&self) -> &'static str {
        self.hierarchies.version()
    }

    /// Who makes the cgroups of pods and containers, kubelet and the runtime themselves (`cgroupfs`) or
    /// `systemd` for them; `mixed` where they differ, `None` as long as there is no pod.
    pub fn cgroup_driver(&self) -> Option<&'static str> {
        let (mut systemd, mut cgroupfs) = (false, false);
        for (place, path) in self.members.of_pods() {
            let is_slice = path.extension().is_some_and(|it| it == "slice");
            // A container's name that tells its pod is kubelet's for systemd, and no unit of it.
            let is_misunderstood = path.to_string_lossy().contains(':');
            let is_pod = matches!(place, Place::Pod { .. });
            systemd |= is_misunderstood || is_pod && is_slice;
            cgroupfs |= is_misunderstood || is_pod && !is_slice;
        }
        match (systemd, cgroupfs) {
            (true, true) => Some("mixed"),
            (true, false) => Some("systemd"),
            (false, true) => Some("cgroupfs"),
            (false, false) => None,
        }
    }

    /// What counts on this host, as what, and why.
    pub fn explain(&mut self) -> Explanation {
        let now = Instant::now();
        self.read_at(now);
        // As if it stayed so, so that what is empty shows.
        self.read_at(now + EMPTY_FOR);
        let driver = self.cgroup_driver();
        let interfaces = self.interface_verdicts().collect();
        let disks = self.disk_verdicts().collect();
        let Self { roots, hierarchies, tree, members, scratch, .. } = self;
        Explanation {
            facts: facts(roots, hierarchies, members, driver, scratch),
            cgroups: verdicts(tree, members, scratch),
            interfaces,
            disks,
        }
    }

    /// Which of the node's network interfaces counted at the last reading, and why.
    pub fn interface_verdicts(&self) -> impl Iterator<Item = InterfaceVerdict> {
        self.node.namespace.interfaces.verdicts()
    }

    /// Which of the node's block devices counted at the last reading, and why.
    pub fn disk_verdicts(&self) -> impl Iterator<Item = DiskVerdict> {
        self.node.disks.verdicts()
    }

    /// What reading has cost since this was asked last.
    pub fn take_cost(&mut self) -> ReadCost {
        self.scratch.take_cost()
    }
}

/// Says once that descriptors are short, and once that they are not any more.
fn tell(news: Option<Supply>) {
    match news {
        Some(Supply::Short { kept }) => warn!(
            kept,
            "there are not enough file descriptors to keep all cgroup files open; the others are \
             opened at each tick, which costs some CPU: raise the limit (ulimit -Hn, LimitNOFILE=)"
        ),
        Some(Supply::Enough) => info!("all cgroup files are kept open again"),
        None => {}
    }
}
