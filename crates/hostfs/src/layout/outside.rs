//! The names of services, containers and virtual machines outside of Kubernetes.

use kubemonitor_model::EntityId;

use super::{Place, kubernetes::container_id};

/// What a cgroup of this name is, anywhere outside of Kubernetes and of other entities.
pub(super) fn place(name: &str) -> Option<Place> {
    let named = || EntityId::parse(name);
    if is_overhead(name) {
        return Some(Place::Service { name: named() });
    }
    if let Some(id) = container_id(name) {
        return Some(Place::PlainContainer { id });
    }
    if let Some(name) = name.strip_prefix("lxc.payload.") {
        return Some(Place::PlainContainer { id: EntityId::parse(name) });
    }
    match name {
        // `default` and `k8s.io` are namespaces of containerd: what `ctr` starts, and what was made
        // over CRI without a pod's cgroup.
        "lxc" | "lxc.payload" | "default" | "k8s.io" => return Some(Place::Containers),
        "machine.slice" | "qemu.slice" => return Some(Place::Machines),
        "podruntime" => return Some(Place::Services { folder: "podruntime" }),
        "system" => return Some(Place::Services { folder: "system" }),
        _ => {}
    }
    if is_helper(name) {
        return Some(Place::Hidden);
    }
    if let Some(id) = nomad_task(name) {
        return Some(Place::PlainContainer { id });
    }
    match name.rsplit_once('.')? {
        (_, "service") => Some(Place::Service { name: named() }),
        // One user's sessions and services together.
        (user, "slice") if user.starts_with("user-") => Some(Place::Service { name: named() }),
        // Containers and virtual machines registered with systemd-machined, wherever they are.
        (machine, "scope") if machine.starts_with("machine-") => {
            Some(Place::PlainContainer { id: named() })
        }
        // libvirt without systemd: `machine/qemu-1-web.libvirt-qemu`.
        (_, kind) if kind.starts_with("libvirt-") => Some(Place::PlainContainer { id: named() }),
        // Sessions, `systemd-run` and PID 1 itself.
        (_, "scope") => Some(Place::Part),
        _ => None,
    }
}

/// A folder among containers is one, whatever it is called.
pub(super) fn in_containers(name: &str) -> Place {
    if is_helper(name) {
        return Place::Hidden;
    }
    let id = container_id(name).unwrap_or_else(|| EntityId::parse(name));
    Place::PlainContainer { id }
}

/// `None` for what is no scope and nothing else that is known.
pub(super) fn in_machines(name: &str) -> Option<Place> {
    match place(name) {
        // No other name is a part outside of an entity.
        Some(Place::Part) => Some(Place::PlainContainer { id: EntityId::parse(name) }),
        place => place,
    }
}

/// A service that systemd knows nothing of, called after its folder and itself: `kubelet` alone could
/// be any.
pub(super) fn in_services(folder: &str, name: &str) -> Place {
    Place::Service { name: EntityId::parse(&format!("{folder}-{name}")) }
}

/// All that Kata's virtual machines take beside their virtual CPUs (`sandbox_cgroup_only = false`).
pub(super) fn is_overhead(name: &str) -> bool {
    name.starts_with("kata_overhead")
}

/// Processes that watch over a container from a cgroup of their own, and what LXC leaves behind.
pub(crate) fn is_helper(name: &str) -> bool {
    name.contains("conmon-") || name.starts_with("lxc.monitor") || name.starts_with("lxc.pivot")
}

/// Nomad's tasks: `<allocation>.<task>`, on v2 with `.scope`.
fn nomad_task(name: &str) -> Option<EntityId> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (allocation, task) = name.split_once('.')?;
    let is_allocation = matches!(EntityId::parse(allocation), EntityId::Uuid(_));
    (is_allocation && !task.is_empty()).then(|| EntityId::parse(name))
}
