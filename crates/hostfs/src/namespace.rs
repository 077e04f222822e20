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
    interfaces::{NodeInterfaces, PodInterfaces, default_route},
    layout::Place,
    processes::{self, Folders},
    procfs::net_dev::NetworkCounters,
};

/// How many of an entity's processes are asked before it is given up for this tick.
const TRIES: usize = 16;

/// The node's own network namespace.
#[derive(Debug)]
pub(crate) struct NodeNamespace {
    net_dev: Option<File>,
    identity: Option<Identity>,
    pub(crate) interfaces: NodeInterfaces,
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
        self.interfaces.read(text)
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

/// The network namespace of a pod or plain container, and what its interfaces carried.
#[derive(Debug, Default)]
pub(crate) struct PodNamespace {
    seen: Seen,
    /// It is to be looked for again.
    doubted: bool,
    /// Of the namespace of its own that was seen last.
    identity: Option<Identity>,
    interfaces: PodInterfaces,
}

/// What is known of whose network namespace it is.
#[derive(Debug, Default)]
enum Seen {
    /// Not found yet: no process, or it ended while it was asked.
    #[default]
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
        /// The interface of its default route.
        default: Option<Vec<u8>>,
    },
    /// Its own, looked for at each tick since no descriptor is left.
    InTurns,
}

/// A namespace as a process in it shows it.
struct Found {
    through: u64,
    net_dev: File,
    default: Option<Vec<u8>>,
}

impl PodNamespace {
    /// The namespace of a cgroup at this place, if it may have one of its own.
    pub(crate) fn of(place: &Place) -> Option<Self> {
        matches!(place, Place::Pod { .. } | Place::PlainContainer { .. }).then(Self::default)
    }

    /// Has it looked for again where it seemed to be the node's: a process that was seen between
    /// being put into its cgroup and into its namespace was in the node's then. And where there was
    /// no default route, which comes some time after the interfaces.
    pub(crate) fn doubt(&mut self) {
        self.doubted |= matches!(self.seen, Seen::Nodes { .. } | Seen::Own { default: None, .. });
    }

    /// What the default interface carried; `None` when the interfaces are the node's, or cannot be
    /// read now.
    ///
    /// `candidates` are the cgroups of the pod and its containers.
    pub(crate) fn read<'a>(
        &mut self,
        candidates: impl Iterator<Item = Candidate<'a>> + Clone,
        proc: &Path,
        node: &NodeNamespace,
        scratch: &mut Scratch,
    ) -> Option<NetworkCounters> {
        let lives = |inode: u64| candidates.clone().any(|candidate| candidate.inode == inode);
        if let Seen::Own { through, .. } | Seen::Nodes { through } = self.seen
            && !lives(through)
        {
            self.seen = Seen::Unknown;
        }
        if !self.doubted
            && let Seen::Own { net_dev, default, .. } = &self.seen
        {
            let text = scratch.read(net_dev)?;
            if self.interfaces.were_chosen_from(text, default.as_deref()) {
                return self.interfaces.read(text);
            }
            // With the interfaces the default route may have changed.
            self.doubted = true;
        }
        let looks = self.doubted || matches!(self.seen, Seen::Unknown | Seen::InTurns);
        let unkept = if looks { self.look(candidates, proc, node, scratch) } else { None };
        let (net_dev, default) = match (&unkept, &self.seen) {
            (Some(Found { net_dev, default, .. }), _) => (net_dev, default),
            (None, Seen::Own { net_dev, default, .. }) => (&**net_dev, default),
            _ => return None,
        };
        let text = scratch.read(net_dev)?;
        if !self.interfaces.were_chosen_from(text, default.as_deref()) {
            self.interfaces.choose(text, default.as_deref());
        }
        self.interfaces.read(text)
    }

    /// Its identity, where it is not the node's and is known.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self.seen {
            Seen::Own { .. } | Seen::InTurns => self.identity,
            Seen::Unknown | Seen::Nodes { .. } => None,
        }
    }

    /// Looks for the namespace again. As long as no process tells otherwise it is still the one it
    /// was: a process inside may have made itself another one. Returns it where it cannot be kept open.
    fn look<'a>(
        &mut self,
        candidates: impl Iterator<Item = Candidate<'a>> + Clone,
        proc: &Path,
        node: &NodeNamespace,
        scratch: &mut Scratch,
    ) -> Option<Found> {
        self.doubted = false;
        let mut found = find(candidates.clone(), proc, self.identity, scratch);
        if found.is_none() && self.identity.is_some() && !matches!(self.seen, Seen::Own { .. }) {
            found = find(candidates, proc, None, scratch);
        }
        let Some(Found { through, net_dev, default }) = found else {
            if matches!(self.seen, Seen::InTurns) {
                self.seen = Seen::Unknown;
            }
            return None;
        };
        if node.is(&net_dev, scratch) {
            self.seen = Seen::Nodes { through };
            return None;
        }
        let identity = Identity::of(&net_dev);
        if self.identity.is_some() && self.identity != identity {
            self.interfaces.restart();
        }
        self.identity = identity;
        // Gives back the descriptor of the one before.
        self.seen = Seen::InTurns;
        match scratch.descriptors.keep(net_dev) {
            Ok(net_dev) => {
                self.seen = Seen::Own { through, net_dev, default };
                None
            }
            Err(net_dev) => Some(Found { through, net_dev, default }),
        }
    }
}

/// The namespace of a process in one of these cgroups or below: the one that is `wanted`, or else any.
fn find<'a>(
    candidates: impl Iterator<Item = Candidate<'a>>,
    proc: &Path,
    wanted: Option<Identity>,
    scratch: &mut Scratch,
) -> Option<Found> {
    let mut candidates: Vec<_> = candidates.collect();
    // The oldest container is the sandbox, which lives as long as the pod.
    candidates.sort_by_key(|candidate| candidate.inode);
    for Candidate { folder, inode, place } in candidates {
        let mut tries = TRIES;
        for folder in Folders::of(folder, place) {
            let pids: Vec<u64> = processes::listed(scratch, &folder).take(tries).collect();
            tries -= pids.len();
            let found =
                pids.into_iter().find_map(|pid| network_of(pid, &folder, proc, wanted, scratch));
            if let Some((net_dev, default)) = found {
                return Some(Found { through: inode, net_dev, default });
            }
        }
    }
    None
}

/// The `net/dev` of a process in this very cgroup, and the interface of its default route.
fn network_of(
    pid: u64,
    folder: &Path,
    proc: &Path,
    wanted: Option<Identity>,
    scratch: &mut Scratch,
) -> Option<(File, Option<Vec<u8>>)> {
    let net = proc.join(format!("{pid}/net"));
    let net_dev = File::open(net.join("dev")).ok()?;
    if wanted.is_some() && Identity::of(&net_dev) != wanted {
        return None;
    }
    let default = default_route(&net);
    // The number may have gone to another process meanwhile.
    processes::listed(scratch, folder).any(|other| other == pid).then_some((net_dev, default))
}
