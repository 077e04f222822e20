//! What a cgroup is, told from its path alone.
//!
//! Kubernetes' cgroups are found under any prefix and nesting (kind, minikube and k3s put one above,
//! Docker Desktop has `kubepods` in `kubepods`), made by the cgroupfs driver
//! (`kubepods/burstable/pod<uid>/<id>`), by systemd
//! (`kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope`), or by a runtime that uses
//! another driver than kubelet (`kubepods-burstable-pod<uid>.slice:cri-containerd:<id>`). Outside of
//! Kubernetes, services, containers and virtual machines stand for themselves; what lies inside of
//! those belongs to them.

use kubemonitor_model::{EntityId, QosClass};

mod kubernetes;
mod outside;

pub(crate) use outside::is_helper;

/// What a cgroup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing by itself, but something may lie below: the root, slices, folders of a runtime.
    Folder,
    /// Each folder in it is a container with that name, or holds Kubernetes: LXC's folder, and those
    /// of containerd's namespaces.
    Containers,
    /// Each scope in it is a container or virtual machine: `machine.slice`, Proxmox' `qemu.slice`.
    Machines,
    /// Each folder in it is a service, though systemd runs none of them: Talos, Docker Desktop and
    /// clouds put kubelet and runtimes into `podruntime/*`.
    Services {
        /// The folder's name, which the names of its services begin with.
        folder: &'static str,
    },
    /// Kubernetes' folder of pods, or that of one class; pods directly in it have this class.
    Kubepods(QosClass),
    /// A pod.
    Pod {
        /// Its UID; of a static pod perhaps a hash.
        uid: EntityId,
        /// The class whose folder it lies in.
        qos: QosClass,
    },
    /// A container of a pod. It need not lie in the pod's cgroup: its own name may tell the pod.
    Container {
        /// Its ID, without the runtime's prefix.
        id: EntityId,
        /// The pod's UID.
        pod: EntityId,
        /// The pod's class.
        qos: QosClass,
    },
    /// A systemd service, or all that one user runs.
    Service {
        /// The unit's name as systemd has it.
        name: EntityId,
    },
    /// A container or virtual machine that belongs to no pod.
    PlainContainer {
        /// Its ID, or its name where the runtime has no IDs.
        id: EntityId,
    },
    /// Nothing by itself, and in it nothing but perhaps a whole Kubernetes node: part of a service or
    /// plain container, a login session, what is no pod below `kubepods`.
    Part,
    /// Of no interest, nor is anything below.
    Hidden,
}

impl Place {
    /// The place of a cgroup given by its path from the hierarchy's root.
    pub fn of(path: &str) -> Self {
        path.split('/')
            .filter(|name| !name.is_empty())
            .fold(Self::Folder, |place, name| place.child(name))
    }

    /// The place of the cgroup called `name` in this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        match self {
            Self::Folder => {
                kubernetes::place(name).or_else(|| outside::place(name)).unwrap_or(Self::Folder)
            }
            Self::Containers => {
                kubernetes::place(name).unwrap_or_else(|| outside::in_containers(name))
            }
            Self::Machines => kubernetes::place(name)
                .or_else(|| outside::in_machines(name))
                .unwrap_or(Self::Folder),
            Self::Services { folder } => kubernetes::place(name)
                .or_else(|| outside::place(name))
                .unwrap_or_else(|| outside::in_services(folder, name)),
            // Kata repeats the pods' names in there, but kubelet gives pods no share of it.
            Self::Service { name: unit } if outside::is_overhead(&unit.to_string()) => Self::Hidden,
            Self::Service { .. } | Self::PlainContainer { .. } | Self::Part => {
                kubernetes::place(name).unwrap_or(Self::Part)
            }
            Self::Kubepods(class) => kubernetes::in_kubepods(*class, name).unwrap_or(Self::Part),
            Self::Pod { uid, qos } => kubernetes::in_pod(uid, *qos, name),
            Self::Container { .. } | Self::Hidden => Self::Hidden,
        }
    }

    /// Whether it is measured by itself.
    pub fn is_entity(&self) -> bool {
        match self {
            Self::Pod { .. }
            | Self::Container { .. }
            | Self::Service { .. }
            | Self::PlainContainer { .. } => true,
            Self::Folder
            | Self::Containers
            | Self::Machines
            | Self::Services { .. }
            | Self::Kubepods(_)
            | Self::Part
            | Self::Hidden => false,
        }
    }

    /// Whether anything of interest may lie below.
    pub fn has_children(&self) -> bool {
        !matches!(self, Self::Container { .. } | Self::Hidden)
    }
}
