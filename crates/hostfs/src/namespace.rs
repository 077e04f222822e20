//! The traffic of a network namespace, seen through one of the processes in it.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

use crate::{
    descriptors::OpenFile,
    file::Scratch,
    interfaces::{NodeInterfaces, counts_in_pod},
    layout::Place,
    processes::{self, Folders},
    procfs::net_dev::{self, NetworkCounters},
};

/// How many of an entity's processes are asked before it is given up for this tick.
const TRIES: usize = 16;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
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
    /// What it is, which tells what below it is its own.
    pub(crate) place: &'a Place,
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
        net_dev: OpenFile,
        identity: Option<Identity>,
    },
    /// Its own, looked for at each tick since no descriptor is left.
    InTurns { identity: Option<Identity> },
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
            _ => {
                let Some((through, net_dev)) = find(candidates, proc, scratch) else {
                    *self = Self::Unknown;
                    return None;
                };
                if node.is(&net_dev, scratch) {
                    *self = Self::Nodes { through };
                } else {
                    let identity = Identity::of(&net_dev);
                    match scratch.descriptors.keep(net_dev) {
                        Ok(net_dev) => *self = Self::Own { through, net_dev, identity },
                        Err(net_dev) => {
                            *self = Self::InTurns { identity };
                            return net_dev::sum(scratch.read(&net_dev)?, counts_in_pod);
                        }
                    }
                }
            }
        }
        let Self::Own { net_dev, .. } = self else { return None };
        net_dev::sum(scratch.read(net_dev)?, counts_in_pod)
    }

    /// Its identity, where it is not the node's and is known.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Own { identity, .. } | Self::InTurns { identity } => *identity,
            Self::Unknown | Self::Nodes { .. } => None,
        }
    }
}

/// The `net/dev` of a process in one of these cgroups or below, and the cgroup.
fn find<'a>(
    candidates: impl Iterator<Item = Candidate<'a>>,
    proc: &Path,
    scratch: &mut Scratch,
) -> Option<(u64, File)> {
    let mut candidates: Vec<_> = candidates.collect();
    // The oldest container is the sandbox, which lives as long as the pod.
    candidates.sort_by_key(|candidate| candidate.inode);
    for Candidate { folder, inode, place } in candidates {
        let mut tries = TRIES;
        for folder in Folders::of(folder, place) {
            let pids: Vec<u64> = processes::listed(scratch, &folder).take(tries).collect();
            tries -= pids.len();
            let found = pids.into_iter().find_map(|pid| net_dev_of(pid, &folder, proc, scratch));
            if let Some(net_dev) = found {
                return Some((inode, net_dev));
            }
        }
    }
    None
}

/// The `net/dev` of a process in this very cgroup.
fn net_dev_of(pid: u64, folder: &Path, proc: &Path, scratch: &mut Scratch) -> Option<File> {
    let net_dev = File::open(proc.join(format!("{pid}/net/dev"))).ok()?;
    // The number may have gone to another process between the two steps.
    processes::listed(scratch, folder).any(|other| other == pid).then_some(net_dev)
}
