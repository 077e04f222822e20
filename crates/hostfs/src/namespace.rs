//! The traffic of a network namespace, seen through one of the processes in it.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

use crate::{
    file::Scratch,
    interfaces::{NodeInterfaces, PodInterfaces, default_route},
    layout::Place,
    procfs::net_dev::NetworkCounters,
    text::{lines, number},
};

/// How many of a cgroup's processes are asked before it is given up for this tick.
const TRIES: usize = 8;

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
        net_dev: File,
        /// The interface of its default route.
        default: Option<Vec<u8>>,
    },
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
        if self.doubted || matches!(self.seen, Seen::Unknown) {
            self.look(candidates.clone(), proc, node, scratch);
        }
        let Seen::Own { net_dev, default, .. } = &self.seen else { return None };
        let text = scratch.read(net_dev)?;
        if self.interfaces.were_chosen_from(text, default.as_deref()) {
            return self.interfaces.read(text);
        }
        // With the interfaces the default route may have changed.
        self.look(candidates, proc, node, scratch);
        let Seen::Own { net_dev, default, .. } = &self.seen else { return None };
        let text = scratch.read(net_dev)?;
        self.interfaces.choose(text, default.as_deref());
        self.interfaces.read(text)
    }

    /// Looks for the namespace again. As long as no process tells otherwise it is still the one it
    /// was.
    fn look<'a>(
        &mut self,
        candidates: impl Iterator<Item = Candidate<'a>>,
        proc: &Path,
        node: &NodeNamespace,
        scratch: &mut Scratch,
    ) {
        self.doubted = false;
        match Seen::find(candidates, proc, node, scratch) {
            Seen::Unknown => {}
            found => self.seen = found,
        }
        if let Seen::Own { net_dev, .. } = &self.seen {
            let identity = Identity::of(net_dev);
            if self.identity.is_some() && self.identity != identity {
                self.interfaces.restart();
            }
            self.identity = identity;
        }
    }
}

impl Seen {
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
                let net = proc.join(format!("{pid}/net"));
                let Ok(net_dev) = File::open(net.join("dev")) else { continue };
                let default = default_route(&net, scratch);
                // The number may have gone to another process meanwhile.
                if !pids_contain(scratch, &processes, pid) {
                    continue;
                }
                let through = candidate.inode;
                return if node.is(&net_dev, scratch) {
                    Self::Nodes { through }
                } else {
                    Self::Own { through, net_dev, default }
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
