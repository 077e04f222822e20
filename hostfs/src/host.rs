//! The host: its node and everything that runs in a cgroup of its own.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityId, EntityKind, QosClass};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    cgroup::{Cgroup, CgroupReading},
    file::{ReadCost, Scratch},
    layout::Place,
    mounts::Hierarchies,
    namespace::{Candidate, PodNamespace},
    node::{Node, NodeReading},
    procfs::net_dev::NetworkCounters,
    tree::{Changes, Found, Tree},
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

/// One pod, container or unit at one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityReading {
    /// Pod, container or unit.
    pub kind: EntityKind,
    /// Who it is.
    pub id: EntityId,
    /// Of a container, the place of its pod in the order of [`HostReading::entities`].
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

/// The host at one tick.
#[derive(Clone, Copy, Debug)]
pub struct HostReading<'a> {
    /// The node as a whole.
    pub node: &'a NodeReading,
    members: &'a [Member],
}

impl<'a> HostReading<'a> {
    /// Everything that runs in a cgroup of its own, each pod before its containers.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = &'a EntityReading> + use<'a> {
        self.members.iter().map(|member| &member.entity)
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
    /// By path, so that each pod comes before its containers.
    members: Vec<Member>,
    scratch: Scratch,
    rescanned: Instant,
}

/// An entity, and where its values come from.
#[derive(Debug)]
struct Member {
    entity: EntityReading,
    path: PathBuf,
    inode: u64,
    folder: PathBuf,
    cgroup: Cgroup,
    /// Of what may have a network of its own.
    namespace: Option<PodNamespace>,
    /// It could not be read any more.
    removed: bool,
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
        let tree = Tree::new(walked.to_owned());
        let node = Node::open(&roots.proc, roots.sys.as_deref(), &hierarchies, &mut scratch)?;
        let mut host = Self {
            roots,
            hierarchies,
            tree,
            node,
            reading: NodeReading::default(),
            members: Vec::new(),
            scratch,
            rescanned: Instant::now(),
        };
        let changes = host.tree.rescan();
        host.apply(changes);
        Ok(host)
    }

    /// Reads everything now.
    pub fn read(&mut self) -> HostReading<'_> {
        self.notice_changes();
        self.reading = self.node.read(&mut self.scratch);
        for member in &mut self.members {
            if let Ok(reading) = member.cgroup.read(&self.node.disks, &mut self.scratch) {
                member.entity.cgroup = reading;
            } else {
                self.tree.disown(&member.path);
                member.removed = true;
            }
        }
        if self.members.iter().any(|member| member.removed) {
            self.members.retain(|member| !member.removed);
            self.link();
        }
        self.read_networks();
        HostReading { node: &self.reading, members: &self.members }
    }

    /// What reading has cost since this was asked last.
    pub fn take_cost(&mut self) -> ReadCost {
        self.scratch.take_cost()
    }

    /// Brings the members up to date with the tree.
    fn notice_changes(&mut self) {
        for member in &mut self.members {
            member.entity.newborn = false;
        }
        let changes = if self.rescanned.elapsed() < RESCAN {
            self.tree.poll()
        } else {
            self.rescanned = Instant::now();
            for member in &mut self.members {
                member.cgroup.refresh(&mut self.scratch);
            }
            self.tree.rescan()
        };
        if changes != Changes::default() {
            self.apply(changes);
        }
    }

    fn apply(&mut self, changes: Changes) {
        for path in changes.gone {
            self.members.retain(|member| !member.path.starts_with(&path));
        }
        for found in changes.found {
            self.admit(found);
        }
        self.members.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        self.link();
    }

    /// Takes in a cgroup that was found.
    fn admit(&mut self, found: Found) {
        let Found { path, inode, place, newborn } = found;
        let own = Some(PodNamespace::default());
        let (kind, id, qos, namespace) = match place {
            Place::Pod { uid, qos } => (EntityKind::Pod, uid, Some(qos), own),
            Place::Container { id } => (EntityKind::Container, id, None, None),
            Place::Service { name } => (EntityKind::Unit, name, None, None),
            Place::PlainContainer { id } => (EntityKind::Unit, id, None, own),
            Place::Folder | Place::LxcFolder | Place::Kubepods(_) | Place::Part | Place::Hidden => {
                return;
            }
        };
        let cgroup = Cgroup::open(&self.hierarchies, &path, &mut self.scratch);
        let entity = EntityReading {
            kind,
            id,
            parent: None,
            qos,
            newborn,
            cgroup: CgroupReading::default(),
            network: None,
        };
        let folder = self.tree.locate(&path);
        self.members.push(Member {
            entity,
            path,
            inode,
            folder,
            cgroup,
            namespace,
            removed: false,
        });
    }

    /// Tells each container the place of its pod.
    fn link(&mut self) {
        let mut pod = None;
        for (place, member) in self.members.iter_mut().enumerate() {
            match member.entity.kind {
                EntityKind::Pod => pod = Some(place),
                EntityKind::Container => member.entity.parent = pod,
                _ => {}
            }
        }
    }

    /// Reads the traffic of everything that may have a network of its own.
    fn read_networks(&mut self) {
        for place in 0..self.members.len() {
            let (head, tail) = self.members.split_at_mut(place + 1);
            let member = &mut head[place];
            let Some(namespace) = &mut member.namespace else { continue };
            let itself = Candidate { folder: &member.folder, inode: member.inode };
            let containers = tail
                .iter()
                .take_while(|other| other.entity.kind == EntityKind::Container)
                .map(|other| Candidate { folder: &other.folder, inode: other.inode });
            member.entity.network = namespace.read(
                std::iter::once(itself).chain(containers),
                &self.roots.proc,
                &self.node.namespace,
                &mut self.scratch,
            );
        }
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
