//! The traffic of a network namespace, seen through one of the processes in it.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

use crate::{
    file::Scratch,
    interfaces::{NodeInterfaces, counts_in_pod},
    layout::Place,
    procfs::net_dev::{self, NetworkCounters},
    text::{lines, number},
};

/// How many of a cgroup's processes are asked before it is given up for this tick.
const TRIES: usize = 8;

/// The node's own network namespace.
#[derive(Debug)]
pub(crate) struct NodeNamespace {
    net_dev: Option<File>,
    identity: Option<Identity>,
    interfaces: NodeInterfaces,
}

/// What tells one namespace from another. `/proc/<pid>/ns/net` would, but is closed to users
/// without rights. `/proc/<pid>/net/dev` is open to all, and each namespace has one of its own, so
/// that its inode does as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// `None` where the files are no procfs, but a copy of one.
    fn of(net_dev: &File) -> Option<Self> {
        let real = fstatfs(net_dev).is_ok_and(|system| system.f_type == PROC_SUPER_MAGIC);
        let metadata = net_dev.metadata().ok().filter(|_| real)?;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

impl NodeNamespace {
    /// Opens it. In a container `/proc/net` is the container's own, so pid 1 is asked first.
    pub(crate) fn open(proc: &Path, sys: Option<&Path>) -> Self {
        let open = |net: PathBuf| File::open(net.join("dev")).ok().map(|file| (file, net));
        let found = open(proc.join("1/net")).or_else(|| open(proc.join("net")));
        let (net_dev, net) =
            found.map_or((None, proc.join("net")), |(file, net)| (Some(file), net));
        Self {
            identity: net_dev.as_ref().and_then(Identity::of),
            net_dev,
            interfaces: NodeInterfaces::new(&net, sys),
        }
    }

    /// What the node's interfaces carried.
    pub(crate) fn read(&mut self, scratch: &mut Scratch) -> Option<NetworkCounters> {
        let text = scratch.read(self.net_dev.as_ref()?)?;
        self.interfaces.sum(text)
    }

    /// Whether an open `net/dev` is the node's.
    fn is(&self, net_dev: &File, scratch: &mut Scratch) -> bool {
        match (self.identity, Identity::of(net_dev)) {
            (Some(mine), Some(its)) => mine == its,
            // The names of the node's ends of all pods' cables are like a fingerprint.
            _ => scratch.read(net_dev).is_some_and(|text| self.interfaces.are_those_of(text)),
        }
    }
}

/// A cgroup whose processes can be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    /// Its folder.
    pub(crate) folder: &'a Path,
    /// Its identity.
    pub(crate) inode: u64,
}

/// The network namespace of a pod or plain container.
#[derive(Debug)]
pub(crate) enum PodNamespace {
    /// Not found yet: no process, or it ended while it was asked.
    Unknown,
    /// The node's.
    Nodes {
        /// The cgroup that was asked.
        through: u64,
    },
    /// Its own.
    Own {
        /// The cgroup that was asked.
        through: u64,
        /// Stays readable when the process has ended, as the namespace lives on with the others'.
        net_dev: File,
    },
}

impl PodNamespace {
    /// The namespace of a cgroup at this place, if it may have one of its own.
    pub(crate) fn of(place: &Place) -> Option<Self> {
        matches!(place, Place::Pod { .. } | Place::PlainContainer { .. }).then_some(Self::Unknown)
    }

    /// Has it looked for again where it seemed to be the node's: a process that was seen between
    /// being put into its cgroup and into its namespace was in the node's then.
    pub(crate) fn doubt(&mut self) {
        if matches!(self, Self::Nodes { .. }) {
            *self = Self::Unknown;
        }
    }

    /// What the interfaces carried; `None` when they are the node's, or cannot be read now.
    ///
    /// `candidates` are the cgroups of the pod and its containers.
    pub(crate) fn read<'a>(
        &mut self,
        candidates: impl Iterator<Item = Candidate<'a>> + Clone,
        proc: &Path,
        node: &NodeNamespace,
        scratch: &mut Scratch,
    ) -> Option<NetworkCounters> {
        let lives = |inode: &u64| candidates.clone().any(|candidate| candidate.inode == *inode);
        match self {
            Self::Own { through, .. } | Self::Nodes { through } if lives(through) => {}
            _ => *self = Self::find(candidates, proc, node, scratch),
        }
        let Self::Own { net_dev, .. } = self else { return None };
        net_dev::sum(scratch.read(net_dev)?, counts_in_pod)
    }

    fn find<'a>(
        candidates: impl Iterator<Item = Candidate<'a>>,
        proc: &Path,
        node: &NodeNamespace,
        scratch: &mut Scratch,
    ) -> Self {
        let mut candidates: Vec<_> = candidates.collect();
        // The oldest container is the sandbox, which lives as long as the pod.
        candidates.sort_by_key(|candidate| candidate.inode);
        for candidate in candidates {
            let processes = candidate.folder.join("cgroup.procs");
            let pids: Vec<u64> = pids(scratch, &processes).take(TRIES).collect();
            for pid in pids {
                let Ok(net_dev) = File::open(proc.join(format!("{pid}/net/dev"))) else { continue };
                // The number may have gone to another process between the two steps.
                if !pids_contain(scratch, &processes, pid) {
                    continue;
                }
                let through = candidate.inode;
                return if node.is(&net_dev, scratch) {
                    Self::Nodes { through }
                } else {
                    Self::Own { through, net_dev }
                };
            }
        }
        Self::Unknown
    }
}

/// The processes of a cgroup. Those of another PID namespace are 0.
fn pids<'s>(scratch: &'s mut Scratch, processes: &Path) -> impl Iterator<Item = u64> + use<'s> {
    let text = scratch.read_path(processes).unwrap_or_default();
    lines(text).filter_map(number).filter(|&pid| pid > 0)
}

fn pids_contain(scratch: &mut Scratch, processes: &Path, pid: u64) -> bool {
    pids(scratch, processes).any(|other| other == pid)
}
