//! What a cgroup is, told from its path alone.
//!
//! Kubernetes' cgroups are found under any prefix (kind, minikube and k3s put one above), made by
//! the cgroupfs driver (`kubepods/burstable/pod<uid>/<id>`) or by systemd
//! (`kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope`). Outside of it, systemd's
//! services and plain containers stand for themselves; what lies inside of those belongs to them.

use kubemonitor_model::{EntityId, QosClass};

/// What a cgroup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing by itself, but something may lie below: the root, slices, folders of a runtime.
    Folder,
    /// LXC's folder, in which each folder is a container.
    LxcFolder,
    /// Kubernetes' folder of pods, or that of one class; pods directly in it have this class.
    Kubepods(QosClass),
    /// A pod.
    Pod {
        /// Its UID; of a static pod perhaps a hash.
        uid: EntityId,
        /// The class whose folder it lies in.
        qos: QosClass,
    },
    /// A container of a pod.
    Container {
        /// Its ID, without the runtime's prefix.
        id: EntityId,
    },
    /// A systemd service, or all that one user runs.
    Service {
        /// The unit's name as systemd has it.
        name: EntityId,
    },
    /// A container that belongs to no pod.
    PlainContainer {
        /// Its ID, or its name where the runtime has no IDs.
        id: EntityId,
    },
    /// Part of a service or plain container, below which there may be a whole Kubernetes node.
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
                kubepods(name).or_else(|| outside_kubernetes(name)).unwrap_or(Self::Folder)
            }
            Self::LxcFolder => Self::PlainContainer { id: EntityId::parse(name) },
            Self::Service { .. } | Self::PlainContainer { .. } | Self::Part => {
                kubepods(name).unwrap_or(Self::Part)
            }
            Self::Kubepods(class) => in_kubepods(*class, name).unwrap_or(Self::Hidden),
            Self::Pod { .. } => {
                container_id(name).map_or(Self::Hidden, |id| Self::Container { id })
            }
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
            Self::Folder | Self::LxcFolder | Self::Kubepods(_) | Self::Part | Self::Hidden => false,
        }
    }

    /// Whether anything of interest may lie below.
    pub fn has_children(&self) -> bool {
        !matches!(self, Self::Container { .. } | Self::Hidden)
    }
}

/// `kubepods`, or a slice of systemd's of that name under any parent.
fn kubepods(name: &str) -> Option<Place> {
    if name == "kubepods" {
        return Some(Place::Kubepods(QosClass::Guaranteed));
    }
    slice_of_kubepods(name)
}

/// `burstable`, `besteffort`, `pod<uid>`, or systemd's slices for them.
fn in_kubepods(class: QosClass, name: &str) -> Option<Place> {
    match name {
        "burstable" => Some(Place::Kubepods(QosClass::Burstable)),
        "besteffort" => Some(Place::Kubepods(QosClass::BestEffort)),
        _ => match name.strip_prefix("pod") {
            Some(uid) if is_pod_uid(uid) => {
                Some(Place::Pod { uid: EntityId::parse(uid), qos: class })
            }
            _ => slice_of_kubepods(name),
        },
    }
}

/// `[<parents>-]kubepods[-burstable|-besteffort][-pod<uid>].slice`: systemd's slices carry the
/// names of those above them, joined by dashes, which is why a UID's dashes are underscores here.
fn slice_of_kubepods(name: &str) -> Option<Place> {
    let name = name.strip_suffix(".slice")?;
    let below = match name.strip_prefix("kubepods") {
        Some(below) => below,
        None => name.split_once("-kubepods")?.1,
    };
    let (qos, below) = if let Some(below) = below.strip_prefix("-burstable") {
        (QosClass::Burstable, below)
    } else if let Some(below) = below.strip_prefix("-besteffort") {
        (QosClass::BestEffort, below)
    } else {
        (QosClass::Guaranteed, below)
    };
    if below.is_empty() {
        return Some(Place::Kubepods(qos));
    }
    let uid = below.strip_prefix("-pod")?.replace('_', "-");
    is_pod_uid(&uid).then(|| Place::Pod { uid: EntityId::parse(&uid), qos })
}

/// UUIDs, hashes, and what else somebody may have given a static pod for a UID.
fn is_pod_uid(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(allowed)
}

fn outside_kubernetes(name: &str) -> Option<Place> {
    if let Some(id) = container_id(name) {
        return Some(Place::PlainContainer { id });
    }
    if let Some(name) = name.strip_prefix("lxc.payload.") {
        return Some(Place::PlainContainer { id: EntityId::parse(name) });
    }
    if matches!(name, "lxc" | "lxc.payload") {
        return Some(Place::LxcFolder);
    }
    // LXC's own helpers, and conmon, which watches over a container from a cgroup of its own.
    if name.starts_with("lxc.monitor") || name.contains("conmon-") {
        return Some(Place::Hidden);
    }
    match name.rsplit_once('.')? {
        (_, "service") => Some(Place::Service { name: EntityId::parse(name) }),
        // One user's sessions and services together.
        (user, "slice") if user.starts_with("user-") => {
            Some(Place::Service { name: EntityId::parse(name) })
        }
        // Containers and virtual machines registered with systemd-machined.
        (machine, "scope") if machine.starts_with("machine-") => {
            Some(Place::PlainContainer { id: EntityId::parse(name) })
        }
        // Sessions, `systemd-run` and PID 1 itself.
        (_, "scope") => Some(Place::Hidden),
        _ => None,
    }
}

/// The ID in `<id>`, `<runtime>-<id>` or `<runtime>-<id>.scope`, which is 64 hexadecimal digits.
/// `crio-conmon-<id>` and `libpod-conmon-<id>` are no containers.
fn container_id(name: &str) -> Option<EntityId> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (runtime, id) = name.rsplit_once('-').unwrap_or(("", name));
    match EntityId::parse(id) {
        id @ EntityId::Digest(_) if !runtime.ends_with("conmon") => Some(id),
        _ => None,
    }
}
